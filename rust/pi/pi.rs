// SPDX-License-Identifier: GPL-2.0

//! T10 protection information: the tuple that goes with each protection interval of data.
//!
//! Defined by SBC-4, section "Protection information model" (DIF types 1 to 3, CRC guard), and by the
//! SCSI Data Integrity Extensions (DIX) for the IP checksum guard.
//!
//! The crate is pure: no kernel, no allocation, no `unsafe`. Checksum functions are passed in, so that
//! the kernel uses its own; there is none here but for tests. What may not live here: where tuples
//! are stored, what happens when one is wrong.
//!
//! | module | subject |
//! | --- | --- |
//! | [`mod@tuple`] | the eight bytes, encoded and decoded |
//! | [`guard`] | the guard tag: which checksum, in which byte order |
//! | [`profile`] | making and checking tuples, by DIF type |
//!
//! # Examples
//!
//! ```
//! use pi::{Expected, Guard, Mismatch, Profile, Type};
//!
//! # fn t10dif(data: &[u8]) -> u16 { crc::Crc::<u16>::new(&crc::CRC_16_T10_DIF).checksum(data) }
//! let profile = Profile::new(Type::One, Guard::Crc(t10dif));
//! let mut block = [0x5a; 512];
//! let tuple = profile.generate(&block, 0, pi::lba_ref_tag(2048));
//! assert_eq!(profile.verify(&tuple, &block, Expected::new(2048)), Ok(()));
//!
//! block[17] ^= 1;
//! let wrong = profile.verify(&tuple, &block, Expected::new(2048));
//! assert!(matches!(wrong, Err(Mismatch::Guard { .. })));
//! ```

// The kernel build says so itself, and warns about saying it twice.
#![cfg_attr(not(MODULE), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod guard;
pub mod profile;
pub mod tuple;

#[cfg(test)]
mod tests;

pub use guard::{Guard, GuardFn};
pub use profile::{lba_ref_tag, Expected, Mismatch, Profile, Type};
pub use tuple::Tuple;
