// SPDX-License-Identifier: GPL-2.0

//! Timestamps: the table of `Documentation/filesystems/ext4/inodes.rst`, and properties.

use crate::time::{Limits, Timestamp};
use proptest::prelude::*;

fn at(seconds: i64, nanoseconds: u32) -> Timestamp {
    Timestamp {
        seconds,
        nanoseconds,
    }
}

#[test]
fn the_documented_ranges_of_epoch_bits() {
    // Epoch bits, sign bit of the low part, seconds that it starts with.
    for (extra, low, seconds) in [
        (0, 0x8000_0000, -0x8000_0000),
        (0, 0, 0),
        (1, 0x8000_0000, 0x8000_0000),
        (1, 0, 0x1_0000_0000),
        (2, 0x8000_0000, 0x1_8000_0000),
        (2, 0, 0x2_0000_0000),
        (3, 0x8000_0000, 0x2_8000_0000),
        (3, 0, 0x3_0000_0000),
    ] {
        assert_eq!(Timestamp::decode(low, Some(extra)), at(seconds, 0));
        assert_eq!(at(seconds, 0).encode(), (low, extra));
    }
}

#[test]
fn without_room_for_more_seconds_are_signed() {
    assert_eq!(Timestamp::decode(u32::MAX, None), at(-1, 0));
    assert_eq!(at(-1, 5).encode_short(), u32::MAX);
}

#[test]
fn moments_out_of_range_become_the_nearest() {
    assert_eq!(at(i64::MAX, 7).encode(), (0x7fff_ffff, 3));
    assert_eq!(at(i64::MIN, 7).encode(), (0x8000_0000, 0));
    assert_eq!(at(1 << 40, 0).encode_short(), 0x7fff_ffff);
    assert_eq!(at(-1 << 40, 0).encode_short(), 0x8000_0000);
    assert_eq!(at(1, u32::MAX).encode(), (1, 999_999_999 << 2));
}

#[test]
fn limits_depend_on_the_size_of_inodes() {
    let short = Limits::of_inode_size(128);
    assert_eq!(short.last, i32::MAX.into());
    assert_eq!(short.granularity, 1_000_000_000);
    let long = Limits::of_inode_size(256);
    assert_eq!(
        (long.first, long.last),
        (i32::MIN.into(), (1 << 34) - 1 - (1 << 31))
    );
    assert_eq!(long.granularity, 1);
}

proptest! {
    #[test]
    fn any_bits_are_a_moment_within_the_limits(low: u32, extra: u32) {
        let moment = Timestamp::decode(low, Some(extra));
        let limits = Limits::of_inode_size(256);
        prop_assert!((limits.first..=limits.last).contains(&moment.seconds));
        prop_assert!(moment.nanoseconds < 1_000_000_000);
        prop_assert_eq!(Timestamp::decode(low, None).encode_short(), low);
    }

    #[test]
    fn moments_within_the_limits_come_back(
        seconds in -0x8000_0000_i64..=0x3_7fff_ffff,
        nanoseconds in 0u32..1_000_000_000,
    ) {
        let (low, extra) = at(seconds, nanoseconds).encode();
        prop_assert_eq!(Timestamp::decode(low, Some(extra)), at(seconds, nanoseconds));
    }

    #[test]
    fn any_moment_can_be_encoded(seconds: i64, nanoseconds: u32) {
        let (low, extra) = at(seconds, nanoseconds).encode();
        let back = Timestamp::decode(low, Some(extra));
        let limits = Limits::of_inode_size(256);
        prop_assert_eq!(back.seconds, seconds.clamp(limits.first, limits.last));
    }
}
