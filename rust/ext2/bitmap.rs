// SPDX-License-Identifier: GPL-2.0

//! Bitmaps of blocks and inodes: a bit is set if the thing is in use.
//!
//! C: `ext2_test_bit()`, `ext2_set_bit()` (`<asm/bitops/le.h>`). Bit 0 is the lowest bit of byte 0.
//! Bitmaps are a block long and looked through often, so that is done in words of 64 bits. A bit
//! beyond the end of the bytes is never found, and can't be set.

use crate::{le::index, Corrupt, Result, Structure};
use core::ops::Range;

/// Bits in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first of them.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// Whether bit `bit` is set. `None` if there is no such bit.
pub fn test(bitmap: &[u8], bit: u32) -> Option<bool> {
    let byte = bitmap.get(index(bit >> 3))?;
    Some(byte & bit_of_byte(bit) != 0)
}

/// The first bit from `from` on, and before `to`, that is not set.
pub fn find_next_zero(bitmap: &[u8], from: u32, to: u32) -> Option<u32> {
    find(bitmap, from, to, u64::MAX)
}

/// The first bit from `from` on, and before `to`, that is set.
pub fn find_next_one(bitmap: &[u8], from: u32, to: u32) -> Option<u32> {
    find(bitmap, from, to, 0)
}

/// Bits in a row from `from` on, and before `to`, that are not set: the first `want` in a row; if
/// there are not so many anywhere, the longest row, and of two, the first. `None` if all bits are
/// set, or `want` is 0.
pub fn find_run_of_zeros(bitmap: &[u8], from: u32, to: u32, want: u32) -> Option<Run> {
    let to = to.min(bits(bitmap));
    let mut longest: Option<Run> = None;
    let mut from = from;
    while let Some(start) = find_next_zero(bitmap, from, to) {
        // No need to see how a row goes on that is long enough.
        let enough = start.saturating_add(want).min(to);
        let end = find_next_one(bitmap, start, enough).unwrap_or(enough);
        let len = end.saturating_sub(start);
        if len > longest.map_or(0, |run| run.len) {
            longest = Some(Run { start, len });
        }
        if len >= want {
            break;
        }
        // Bit `end` is set, or is `to`.
        from = end.saturating_add(1);
    }
    longest
}

/// How many of the first `bits` bits are not set.
pub fn count_zeros(bitmap: &[u8], bits: u32) -> u32 {
    let mut left = bits;
    let mut zeros: u32 = 0;
    let mut words = 0;
    while let Some(word) = word(bitmap, words) {
        let valid = self::bits(bitmap)
            .saturating_sub(words.saturating_mul(64))
            .min(left)
            .min(64);
        if valid == 0 {
            break;
        }
        zeros = zeros.saturating_add((!word & low_bits(valid)).count_ones());
        left = left.saturating_sub(valid);
        words = words.saturating_add(1);
    }
    zeros
}

/// Sets the `len` bits from `start` on, and returns which bytes that changed.
///
/// # Errors
///
/// If one of the bits is set, which blames `structure`: two things use one block or inode. Then no
/// bit changes. Likewise if one is beyond the end.
pub fn set_range(
    bitmap: &mut [u8],
    start: u32,
    len: u32,
    structure: Structure,
) -> Result<Range<usize>> {
    let end = checked_end(bitmap, start, len, structure)?;
    if let Some(bit) = find_next_one(bitmap, start, end) {
        let what = "what is to be allocated is in use";
        return Err(Corrupt::new(structure, what, bit.into()));
    }
    Ok(change(bitmap, start, end, |byte, mask| *byte |= mask))
}

/// Clears the `len` bits from `start` on, and returns which bytes that changed.
///
/// # Errors
///
/// If one of the bits is clear, which blames `structure`: something was in use that the bitmap
/// said was free. Then no bit changes. Likewise if one is beyond the end.
pub fn clear_range(
    bitmap: &mut [u8],
    start: u32,
    len: u32,
    structure: Structure,
) -> Result<Range<usize>> {
    let end = checked_end(bitmap, start, len, structure)?;
    if let Some(bit) = find_next_zero(bitmap, start, end) {
        let what = "what is to be freed is free";
        return Err(Corrupt::new(structure, what, bit.into()));
    }
    Ok(change(bitmap, start, end, |byte, mask| *byte &= !mask))
}

/// How many bits the bytes hold.
fn bits(bitmap: &[u8]) -> u32 {
    u32::try_from(bitmap.len())
        .unwrap_or(u32::MAX)
        .saturating_mul(8)
}

/// A byte with only that bit set that `bit` is in its byte.
fn bit_of_byte(bit: u32) -> u8 {
    1u8.wrapping_shl(bit & 7)
}

/// The lowest `count` bits, for up to 64.
fn low_bits(count: u32) -> u64 {
    1u64.checked_shl(count)
        .map_or(u64::MAX, |bit| bit.wrapping_sub(1))
}

/// The 64 bits of word `number`. Bits after the last byte are 0.
fn word(bitmap: &[u8], number: u32) -> Option<u64> {
    let rest = bitmap.get(index(number).checked_mul(8)?..)?;
    if let Some(bytes) = rest.first_chunk() {
        return Some(u64::from_le_bytes(*bytes));
    }
    if rest.is_empty() {
        return None;
    }
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(rest) {
        *to = *from;
    }
    Some(u64::from_le_bytes(bytes))
}

/// The first bit from `from` on, and before `to`, that is set once the words are XORed with `flip`.
fn find(bitmap: &[u8], from: u32, to: u32, flip: u64) -> Option<u32> {
    let to = to.min(bits(bitmap));
    let mut bit = from;
    while bit < to {
        let found = (word(bitmap, bit >> 6)? ^ flip) & u64::MAX.wrapping_shl(bit & 63);
        if found != 0 {
            let bit = (bit & !63) | found.trailing_zeros();
            return (bit < to).then_some(bit);
        }
        bit = (bit | 63).checked_add(1)?;
    }
    None
}

/// The end of `len` bits from `start` on, all of which there are.
fn checked_end(bitmap: &[u8], start: u32, len: u32, structure: Structure) -> Result<u32> {
    start
        .checked_add(len)
        .filter(|end| *end <= bits(bitmap))
        .ok_or(Corrupt::new(
            structure,
            "there is no such bit",
            start.into(),
        ))
}

/// Calls `edit` with each byte that has some of the bits from `start` to before `end`, and with a
/// mask of them. Returns which bytes these are.
fn change(bitmap: &mut [u8], start: u32, end: u32, edit: impl Fn(&mut u8, u8)) -> Range<usize> {
    if start >= end {
        return 0..0;
    }
    let bytes = start >> 3..end.div_ceil(8);
    let range = index(bytes.start)..index(bytes.end);
    for (number, byte) in bytes.zip(bitmap.get_mut(range.clone()).unwrap_or(&mut [])) {
        let first = number.saturating_mul(8);
        let skip = start.saturating_sub(first);
        let upto = end.saturating_sub(first).min(8);
        let [mask, ..] = (low_bits(upto) & !low_bits(skip)).to_le_bytes();
        edit(byte, mask);
    }
    range
}
