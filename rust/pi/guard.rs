// SPDX-License-Identifier: GPL-2.0

//! The guard tag.

/// A 16-bit checksum of the data of one protection interval.
pub type GuardFn = fn(&[u8]) -> u16;

/// Which checksum guards the data. The function is the caller's.
#[derive(Clone, Copy, Debug)]
pub enum Guard {
    /// CRC-16/T10-DIF (polynomial 0x8bb7, initial value 0, not reflected) as a number. SBC-4.
    ///
    /// C: `crc_t10dif()`.
    Crc(GuardFn),

    /// The internet checksum (RFC 1071) as C computes it: a `__sum16`, whose bytes in memory are in
    /// the order in which they are stored. DIX.
    ///
    /// C: `ip_compute_csum()`.
    Ip(GuardFn),
}

impl Guard {
    /// The guard tag of `data`, as a number of the [`Tuple`](crate::Tuple).
    pub fn of(self, data: &[u8]) -> u16 {
        match self {
            Self::Crc(crc) => crc(data),
            Self::Ip(csum) => u16::from_be(csum(data)),
        }
    }
}
