// SPDX-License-Identifier: GPL-2.0

//! The guard tag.
//!
//! A [`Tuple`](crate::Tuple) holds it as a number and stores it big endian. The checksums of C differ in
//! what they return: `crc_t10dif_update()` and `crc64_nvme()` a number; `csum_fold()` two bytes in memory's
//! order, which `block/t10-pi.c` stores as they are. [`Guard`] knows which it has, so all come out as the
//! kernel and the standards have them.

use crate::Format;

/// Which checksum guards the data. The functions are the caller's; each goes on from what it returned for
/// the bytes before, 0 at first.
#[derive(Clone, Copy, Debug)]
pub enum Guard {
    /// CRC-16/T10-DIF (polynomial 0x8bb7, initial value 0, not reflected) as a number. SBC-4.
    ///
    /// C: `crc_t10dif_update()`.
    Crc(fn(u16, &[u8]) -> u16),

    /// The internet checksum (RFC 1071) as C computes it. DIX.
    Ip {
        /// The sum of 16-bit words in memory's order, not yet folded. What goes on begins at an even
        /// number of bytes. C: `csum_partial()`.
        partial: fn(u32, &[u8]) -> u32,
        /// Folded and complemented: a `__sum16`, whose bytes in memory are in the order in which they
        /// are stored. C: `csum_fold()`.
        fold: fn(u32) -> u16,
    },

    /// CRC-64/NVME (polynomial 0xad93d23594c93659, reflected, initial value and result complemented) as a
    /// number. NVM Command Set Specification.
    ///
    /// C: `crc64_nvme()`.
    Crc64(fn(u64, &[u8]) -> u64),
}

impl Guard {
    /// The guard tag of `data`, and of what lies before the tuple in the `metadata` of its interval: as a
    /// number of the [`Tuple`](crate::Tuple).
    pub fn of(self, data: &[u8], metadata: &[u8]) -> u64 {
        match self {
            Self::Crc(update) => over(update, data, metadata).into(),
            Self::Ip { partial, fold } => u16::from_be(fold(over(partial, data, metadata))).into(),
            Self::Crc64(update) => over(update, data, metadata),
        }
    }

    /// How tuples with it are stored.
    pub const fn format(self) -> Format {
        match self {
            Self::Crc(_) | Self::Ip { .. } => Format::T10,
            Self::Crc64(_) => Format::Crc64,
        }
    }
}

/// Mostly there is no metadata before the tuple, and a call isn't free.
fn over<T: Default>(update: fn(T, &[u8]) -> T, data: &[u8], metadata: &[u8]) -> T {
    let sum = update(T::default(), data);
    if metadata.is_empty() {
        sum
    } else {
        update(sum, metadata)
    }
}
