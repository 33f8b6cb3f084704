// SPDX-License-Identifier: GPL-2.0

//! The guard tag.
//!
//! A [`Tuple`](crate::Tuple) holds it as a number and stores it big endian. The two checksums of C
//! differ in what they return: `crc_t10dif()` a number, which `block/t10-pi.c` stores with
//! `cpu_to_be16()`; `ip_compute_csum()` two bytes in memory's order, which it stores as they are.
//! [`Guard`] knows which it has, so both come out as the kernel and the standards have them.

/// A 16-bit checksum of the data of one protection interval, all of its bytes.
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
