// SPDX-License-Identifier: GPL-2.0

//! Little-endian numbers in bytes. All of ext2's numbers are little endian.
//!
//! C: `le16_to_cpu()`, `cpu_to_le32()` and so on. Offsets are in bytes and need no alignment. All
//! functions return `None` if the number doesn't lie within the bytes, and then change nothing.

/// The `N` bytes at `offset`.
pub fn get<const N: usize>(bytes: &[u8], offset: usize) -> Option<&[u8; N]> {
    bytes.get(offset..)?.first_chunk()
}

/// The byte at `offset`.
pub fn get_u8(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

/// The 16-bit number at `offset`.
pub fn get_u16(bytes: &[u8], offset: usize) -> Option<u16> {
    get(bytes, offset).map(|le| u16::from_le_bytes(*le))
}

/// The 32-bit number at `offset`.
pub fn get_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    get(bytes, offset).map(|le| u32::from_le_bytes(*le))
}

/// Writes the `N` bytes at `offset`.
pub fn put<const N: usize>(bytes: &mut [u8], offset: usize, new: [u8; N]) -> Option<()> {
    *bytes.get_mut(offset..)?.first_chunk_mut()? = new;
    Some(())
}

/// Writes the byte at `offset`.
pub fn put_u8(bytes: &mut [u8], offset: usize, value: u8) -> Option<()> {
    put(bytes, offset, [value])
}

/// Writes the 16-bit number at `offset`.
pub fn put_u16(bytes: &mut [u8], offset: usize, value: u16) -> Option<()> {
    put(bytes, offset, value.to_le_bytes())
}

/// Writes the 32-bit number at `offset`.
pub fn put_u32(bytes: &mut [u8], offset: usize, value: u32) -> Option<()> {
    put(bytes, offset, value.to_le_bytes())
}

/// A number as an index into bytes. What doesn't fit in the machine's index is no index of
/// anything.
pub(crate) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
