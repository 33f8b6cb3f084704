// SPDX-License-Identifier: GPL-2.0

//! Bitmaps: each function against the same done bit by bit.

extern crate std;

use crate::{
    bitmap::{self, Run},
    Structure,
};
use proptest::prelude::*;
use std::{vec, vec::Vec};

/// Bitmaps of any length, some nearly full or nearly empty.
fn bitmaps() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(0u8), 3 => Just(0xff), 2 => any::<u8>()];
    prop::collection::vec(byte, 0..40)
}

fn bits(bitmap: &[u8]) -> Vec<bool> {
    let bit = |number: usize| (bitmap[number / 8] >> (number % 8)) & 1 == 1;
    (0..bitmap.len() * 8).map(bit).collect()
}

/// Bits from `from` to before `to`, but not beyond the end.
fn range(bitmap: &[u8], from: u32, to: u32) -> impl Iterator<Item = (u32, bool)> {
    let bits = bits(bitmap);
    (from..to.min(bits.len() as u32)).map(move |bit| (bit, bits[bit as usize]))
}

/// The first run of zeros that is long enough, or else the longest.
fn naive_run(bitmap: &[u8], from: u32, to: u32, want: u32) -> Option<Run> {
    let mut best: Option<Run> = None;
    let mut run: Option<Run> = None;
    for (bit, set) in range(bitmap, from, to) {
        run = match (set, run) {
            (true, _) => None,
            (false, None) => Some(Run { start: bit, len: 1 }),
            (false, Some(run)) => Some(Run {
                len: run.len + 1,
                ..run
            }),
        };
        if let Some(run) = run {
            if best.is_none_or(|best| run.len > best.len && best.len < want) {
                best = Some(run);
            }
        }
    }
    best.filter(|_| want > 0)
}

#[test]
fn bit_0_is_the_lowest_of_the_first_byte() {
    assert_eq!(bitmap::test(&[0b0000_0001, 0b1000_0000], 0), Some(true));
    assert_eq!(bitmap::test(&[0b0000_0001, 0b1000_0000], 14), Some(false));
    assert_eq!(bitmap::test(&[0b0000_0001, 0b1000_0000], 15), Some(true));
    assert_eq!(bitmap::test(&[0, 0], 16), None);
}

#[test]
fn what_is_in_use_is_not_allocated_again() {
    let mut map = [0; 8];
    assert_eq!(
        bitmap::set_range(&mut map, 6, 4, Structure::BlockBitmap),
        Ok(0..2)
    );
    assert_eq!(map[..2], [0b1100_0000, 0b0000_0011]);
    let twice = bitmap::set_range(&mut map, 0, 64, Structure::BlockBitmap).unwrap_err();
    assert_eq!((twice.structure, twice.value), (Structure::BlockBitmap, 6));
    assert_eq!(map[2..], [0; 6]);
}

#[test]
fn what_is_free_is_not_freed_again() {
    let mut map = [0xff; 3];
    assert_eq!(
        bitmap::clear_range(&mut map, 8, 8, Structure::InodeBitmap),
        Ok(1..2)
    );
    let twice = bitmap::clear_range(&mut map, 7, 4, Structure::InodeBitmap).unwrap_err();
    assert_eq!((twice.structure, twice.value), (Structure::InodeBitmap, 8));
    assert_eq!(map, [0xff, 0, 0xff]);
}

#[test]
fn no_bits_change_no_bytes() {
    let mut map = [0; 1];
    let range = bitmap::set_range(&mut map, 8, 0, Structure::BlockBitmap).unwrap();
    assert!(range.is_empty());
    assert!(bitmap::set_range(&mut map, 1, u32::MAX, Structure::BlockBitmap).is_err());
    assert!(bitmap::set_range(&mut map, 8, 1, Structure::BlockBitmap).is_err());
    assert_eq!(map, [0]);
}

#[test]
fn the_first_run_that_is_long_enough_wins_over_a_longer_one() {
    let map = [0b1111_0001, 0, 0, 0xff];
    assert_eq!(
        bitmap::find_run_of_zeros(&map, 0, 32, 3),
        Some(Run { start: 1, len: 3 })
    );
    assert_eq!(
        bitmap::find_run_of_zeros(&map, 0, 32, 4),
        Some(Run { start: 8, len: 4 })
    );
    assert_eq!(
        bitmap::find_run_of_zeros(&map, 0, 32, 20),
        Some(Run { start: 8, len: 16 })
    );
    assert_eq!(bitmap::find_run_of_zeros(&map, 24, 32, 1), None);
}

#[test]
fn a_full_block_is_searched() {
    let mut map = vec![0xff; 4096];
    map[4095] = 0x7f;
    assert_eq!(bitmap::find_next_zero(&map, 0, 32768), Some(32767));
    assert_eq!(bitmap::find_next_zero(&map, 0, 32767), None);
    assert_eq!(bitmap::count_zeros(&map, 32768), 1);
    assert_eq!(bitmap::count_zeros(&map, 32767), 0);
}

proptest! {
    #[test]
    fn searches_find_what_bit_by_bit_finds(
        map in bitmaps(), from in 0u32..400, to in 0u32..400, want in 0u32..100,
    ) {
        let zero = range(&map, from, to).find(|(_, set)| !set).map(|(bit, _)| bit);
        let one = range(&map, from, to).find(|(_, set)| *set).map(|(bit, _)| bit);
        prop_assert_eq!(bitmap::find_next_zero(&map, from, to), zero);
        prop_assert_eq!(bitmap::find_next_one(&map, from, to), one);
        let run = bitmap::find_run_of_zeros(&map, from, to, want);
        prop_assert_eq!(run, naive_run(&map, from, to, want));
    }

    #[test]
    fn zeros_are_counted(map in bitmaps(), count in 0u32..400) {
        let zeros = range(&map, 0, count).filter(|(_, set)| !set).count();
        prop_assert_eq!(bitmap::count_zeros(&map, count), zeros as u32);
    }

    #[test]
    fn ranges_are_set_and_cleared(bytes in 0usize..40, start in 0u32..330, len in 0u32..330) {
        let mut map = vec![0; bytes];
        let fits = (start + len) as usize <= bytes * 8;
        let changed = bitmap::set_range(&mut map, start, len, Structure::BlockBitmap);
        prop_assert_eq!(changed.is_ok(), fits);
        let set: Vec<_> = range(&map, 0, u32::MAX).filter(|(_, set)| *set).map(|(bit, _)| bit).collect();
        if let Ok(changed) = changed {
            prop_assert_eq!(set, (start..start + len).collect::<Vec<_>>());
            let nonzero: Vec<_> = (0..bytes).filter(|byte| map[*byte] != 0).collect();
            prop_assert_eq!(nonzero, changed.clone().collect::<Vec<_>>());
            let cleared = bitmap::clear_range(&mut map, start, len, Structure::BlockBitmap);
            prop_assert_eq!(cleared, Ok(changed));
        }
        prop_assert!(map.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn no_arguments_panic(mut map in bitmaps(), a: u32, b: u32, c: u32) {
        bitmap::test(&map, a);
        bitmap::find_next_one(&map, a, b);
        bitmap::find_run_of_zeros(&map, a, b, c);
        bitmap::find_run_of_zeros(&map, 0, a, b);
        bitmap::count_zeros(&map, a);
        let _ = bitmap::set_range(&mut map, a, b, Structure::BlockBitmap);
        let _ = bitmap::clear_range(&mut map, a, b, Structure::BlockBitmap);
    }
}
