// SPDX-License-Identifier: GPL-2.0

//! Paths at the borders of the trees, and against the tree walked from its roots.

extern crate std;

use crate::{
    path::{self, Cut, Path, Run},
    superblock::BlockSize,
};
use proptest::prelude::*;
use std::{vec, vec::Vec};

const SIZES: [BlockSize; 3] = [BlockSize::K1, BlockSize::K2, BlockSize::K4];

fn any_size() -> impl Strategy<Value = BlockSize> {
    prop::sample::select(SIZES.to_vec())
}

fn offsets(block: u64) -> (Vec<u32>, u32) {
    let path = Path::new(BlockSize::K1, block).unwrap();
    assert_eq!(path.depth() as usize + 1, path.offsets().len());
    (path.offsets().to_vec(), path.run())
}

#[test]
fn paths_at_the_borders() {
    assert_eq!(offsets(0), (vec![0], 12));
    assert_eq!(offsets(11), (vec![11], 1));
    assert_eq!(offsets(12), (vec![12, 0], 256));
    assert_eq!(offsets(12 + 255), (vec![12, 255], 1));
    assert_eq!(offsets(12 + 256), (vec![13, 0, 0], 256));
    assert_eq!(offsets(12 + 256 + 65535), (vec![13, 255, 255], 1));
    assert_eq!(offsets(12 + 256 + 65536), (vec![14, 0, 0, 0], 256));
    let last = path::max_blocks(BlockSize::K1) - 1;
    assert_eq!(last, 12 + 256 + 65536 + 16_777_216 - 1);
    assert_eq!(offsets(last), (vec![14, 255, 255, 255], 1));
    assert_eq!(Path::new(BlockSize::K1, last + 1), None);
    assert_eq!(Path::new(BlockSize::K4, u64::MAX), None);
}

#[test]
fn roots_cover_a_file_without_gaps() {
    for size in SIZES {
        let mut next = 0;
        for root in path::roots(size) {
            assert_eq!(root.first, next);
            let path = Path::new(size, next).unwrap();
            assert_eq!((path.depth(), path.offsets()[0]), (root.height, root.slot));
            next += path::span(size, root.height);
        }
        assert_eq!(next, path::max_blocks(size));
    }
}

#[test]
fn a_cut_keeps_what_comes_before() {
    let size = BlockSize::K1;
    assert_eq!(Cut::new(size, 1, 0), Cut { index: 0, kept: 0 });
    assert_eq!(Cut::new(size, 1, 7), Cut { index: 7, kept: 0 });
    assert_eq!(Cut::new(size, 2, 7), Cut { index: 0, kept: 7 });
    assert_eq!(Cut::new(size, 2, 256), Cut { index: 1, kept: 0 });
    assert_eq!(Cut::new(size, 3, 65537), Cut { index: 1, kept: 1 });
    let all = Cut {
        index: 256,
        kept: 0,
    };
    assert_eq!(Cut::new(size, 1, 256), all);
    assert_eq!(Cut::new(size, 3, u64::MAX), all);
}

#[test]
fn runs_are_of_blocks_in_a_row_or_of_holes() {
    let pointers = [7, 8, 9, 0, 0, 5, u32::MAX, 0, 1];
    let mut bytes = Vec::new();
    for pointer in pointers {
        bytes.extend_from_slice(&u32::to_le_bytes(pointer));
    }
    // A part of a pointer is none.
    bytes.push(1);
    for (from, max, expected) in [
        (0, 100, Some(Run { block: 7, len: 3 })),
        (0, 2, Some(Run { block: 7, len: 2 })),
        (1, 1, Some(Run { block: 8, len: 1 })),
        (3, 9, Some(Run { block: 0, len: 2 })),
        (5, 9, Some(Run { block: 5, len: 1 })),
        // No block comes after the last number there is, and a hole is no block before block 1.
        (
            6,
            9,
            Some(Run {
                block: u32::MAX,
                len: 1,
            }),
        ),
        (7, 9, Some(Run { block: 0, len: 1 })),
        (8, u32::MAX, Some(Run { block: 1, len: 1 })),
        (9, 1, None),
        (u32::MAX, 1, None),
        (0, 0, None),
    ] {
        assert_eq!(path::run(&bytes, from, max), expected, "{from}");
        assert_eq!(path::run_in(&pointers, from, max), expected, "{from}");
    }
}

#[test]
fn pointers_are_read_and_written() {
    let mut bytes = [0; 8];
    assert_eq!(path::put_pointer(&mut bytes, 1, 0x0102_0304), Some(()));
    assert_eq!(bytes, [0, 0, 0, 0, 4, 3, 2, 1]);
    assert_eq!(path::pointer(&bytes, 1), Some(0x0102_0304));
    assert_eq!(path::pointer(&bytes, 2), None);
    assert_eq!(path::put_pointer(&mut bytes, 2, 0), None);
}

proptest! {
    #[test]
    fn a_path_leads_to_its_block(size in any_size(), part in 0.0..1.0f64) {
        let block = (path::max_blocks(size) as f64 * part * part * part) as u64;
        let path = Path::new(size, block).unwrap();
        let root = path::roots(size).nth(path.offsets()[0] as usize).unwrap();
        prop_assert_eq!(root.height, path.depth());
        let mut height = root.height;
        let mut first = root.first;
        for offset in &path.offsets()[1..] {
            prop_assert!(*offset < size.pointers());
            height -= 1;
            first += u64::from(*offset) * path::span(size, height);
        }
        prop_assert_eq!((height, first), (0, block));

        // The run ends with the last pointer of its row.
        let last = Path::new(size, block + u64::from(path.run()) - 1).unwrap();
        prop_assert_eq!(last.run(), 1);
        prop_assert_eq!(last.depth(), path.depth());
    }

    #[test]
    fn cuts_keep_as_many_blocks_as_they_should(
        size in any_size(), height in 1u32..=3, part in 0.0..1.0f64,
    ) {
        let kept = (path::span(size, height) as f64 * part) as u64;
        let mut stays = 0;
        let mut rest = kept;
        for height in (1..=height).rev() {
            let cut = Cut::new(size, height, rest);
            stays += u64::from(cut.index) * path::span(size, height - 1);
            rest = cut.kept;
        }
        prop_assert_eq!((stays, rest), (kept, 0));
    }

    #[test]
    fn no_arguments_panic(bytes: Vec<u8>, size in any_size(), a: u64, b: u32, c: u32) {
        let _ = Path::new(size, a);
        path::run(&bytes, b, c);
        path::run(&bytes, b % 8, c);
        path::pointer(&bytes, b);
    }
}
