// SPDX-License-Identifier: GPL-2.0

//! Numbers at the ends of bytes, and beyond.

use crate::le;

#[test]
fn numbers_are_little_endian_and_need_no_alignment() {
    let bytes = [0xff, 0x01, 0x02, 0x03, 0x04];
    assert_eq!(le::get_u8(&bytes, 1), Some(1));
    assert_eq!(le::get_u16(&bytes, 1), Some(0x0201));
    assert_eq!(le::get_u32(&bytes, 1), Some(0x0403_0201));
}

#[test]
fn what_is_written_is_read() {
    let mut bytes = [0; 7];
    assert_eq!(le::put_u32(&mut bytes, 0, 0x0102_0304), Some(()));
    assert_eq!(le::put_u16(&mut bytes, 4, 0x0506), Some(()));
    assert_eq!(le::put_u8(&mut bytes, 6, 7), Some(()));
    assert_eq!(bytes, [4, 3, 2, 1, 6, 5, 7]);
}

#[test]
fn beyond_the_end_there_is_nothing_and_nothing_changes() {
    let mut bytes = [9; 4];
    for offset in [1, 4, 5, usize::MAX] {
        assert_eq!(le::get_u32(&bytes, offset), None);
        assert_eq!(le::put_u32(&mut bytes, offset, 0), None);
    }
    assert_eq!(le::get_u8(&bytes, 4), None);
    assert_eq!(bytes, [9; 4]);
}
