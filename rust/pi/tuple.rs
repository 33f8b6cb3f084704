// SPDX-License-Identifier: GPL-2.0

//! A tuple, and the bytes it is stored as.
//!
//! C: `struct t10_pi_tuple`, `struct crc64_pi_tuple` (`include/linux/t10-pi.h`). SBC-4: "protection
//! information" at the end of each logical block; NVM Command Set Specification: "16b Guard" and "64b
//! Guard Protection Information Format".

use core::ops::Range;

/// Protection information of one protection interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuple {
    /// Checksum of the data; see [`Guard`](crate::Guard).
    pub guard: u64,
    /// Belongs to the application. [`ESCAPE_APP_TAG`](Self::ESCAPE_APP_TAG) turns checking off.
    pub app_tag: u16,
    /// Ties the data to a place; what it is depends on the [`Type`](crate::Type).
    pub ref_tag: u64,
}

impl Tuple {
    /// An application tag that says "don't check": on its own for types 1 and 2, together with
    /// [`Format::escape_ref_tag`] for type 3.
    ///
    /// C: `T10_PI_APP_ESCAPE`.
    pub const ESCAPE_APP_TAG: u16 = 0xffff;
}

/// A part of a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The guard tag.
    Guard,
    /// The application tag.
    AppTag,
    /// The reference tag.
    RefTag,
}

/// How a tuple is stored: guard, application tag, reference tag, each big endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 8 bytes: a guard of 16 bits, a reference tag of 32. C: `struct t10_pi_tuple`.
    T10,
    /// 16 bytes: a guard of 64 bits, a reference tag of 48. C: `struct crc64_pi_tuple`.
    Crc64,
}

impl Format {
    /// Bytes of a tuple.
    pub const fn size(self) -> usize {
        match self {
            Self::T10 => 8,
            Self::Crc64 => 16,
        }
    }

    /// Bits of a guard tag.
    pub const fn guard_bits(self) -> u32 {
        match self {
            Self::T10 => 16,
            Self::Crc64 => 64,
        }
    }

    /// Bits of a reference tag.
    pub const fn ref_tag_bits(self) -> u32 {
        match self {
            Self::T10 => 32,
            Self::Crc64 => 48,
        }
    }

    /// The part of a reference tag that is stored: its low bits.
    pub const fn ref_tag(self, ref_tag: u64) -> u64 {
        ref_tag & self.escape_ref_tag()
    }

    /// The reference tag that says "don't check", together with [`Tuple::ESCAPE_APP_TAG`], for type 3:
    /// all of its bits.
    ///
    /// C: `T10_PI_REF_ESCAPE`.
    pub const fn escape_ref_tag(self) -> u64 {
        u64::MAX >> (u64::BITS - self.ref_tag_bits())
    }

    /// Which bytes of a tuple a part of it is.
    pub const fn bytes_of(self, part: Part) -> Range<usize> {
        let guard = bytes(self.guard_bits());
        match part {
            Part::Guard => 0..guard,
            Part::AppTag => guard..guard + 2,
            Part::RefTag => guard + 2..self.size(),
        }
    }

    /// Stores a tuple in the first bytes of `to`. What is too large for a field loses its high bits. `None`
    /// if there is no room.
    pub fn encode(self, tuple: Tuple, to: &mut [u8]) -> Option<()> {
        let [a, b] = tuple.app_tag.to_be_bytes();
        let [.., c, d, e, f, g, h] = tuple.ref_tag.to_be_bytes();
        match self {
            Self::T10 => {
                let [.., x, y] = tuple.guard.to_be_bytes();
                *to.first_chunk_mut()? = [x, y, a, b, e, f, g, h];
            }
            Self::Crc64 => {
                let (to, _) = to.split_at_mut_checked(self.size())?;
                *to.first_chunk_mut()? = tuple.guard.to_be_bytes();
                *to.last_chunk_mut()? = [a, b, c, d, e, f, g, h];
            }
        }
        Some(())
    }

    /// The tuple that the first bytes of `from` are; any are one. `None` if there are too few.
    pub fn decode(self, from: &[u8]) -> Option<Tuple> {
        match self {
            Self::T10 => {
                let [x, y, a, b, e, f, g, h] = *from.first_chunk()?;
                Some(Tuple {
                    guard: u16::from_be_bytes([x, y]).into(),
                    app_tag: u16::from_be_bytes([a, b]),
                    ref_tag: u32::from_be_bytes([e, f, g, h]).into(),
                })
            }
            Self::Crc64 => {
                let (from, _) = from.split_at_checked(self.size())?;
                let [a, b, c, d, e, f, g, h] = *from.last_chunk()?;
                Some(Tuple {
                    guard: u64::from_be_bytes(*from.first_chunk()?),
                    app_tag: u16::from_be_bytes([a, b]),
                    ref_tag: u64::from_be_bytes([0, 0, c, d, e, f, g, h]),
                })
            }
        }
    }
}

const fn bytes(bits: u32) -> usize {
    (bits / 8) as usize
}
