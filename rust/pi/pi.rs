// SPDX-License-Identifier: GPL-2.0

//! T10 protection information: the tuple that goes with each protection interval of data.
//!
//! Defined by SBC-4, section "Protection information model" (DIF types 1 to 3, CRC guard), by the SCSI Data
//! Integrity Extensions (DIX) for the IP checksum guard, and by the NVM Command Set Specification for
//! tuples of 16 bytes and tuples inside larger metadata.
//!
//! The crate is pure: no kernel, no allocation, no `unsafe`. Checksum functions are passed in, so that
//! the kernel uses its own; there is none here but for tests. What may not live here: where tuples
//! are stored, what happens when one is wrong.
//!
//! | module | subject |
//! | --- | --- |
//! | [`mod@tuple`] | its bytes, encoded and decoded |
//! | [`guard`] | the guard tag: which checksum, in which byte order |
//! | [`profile`] | making and checking tuples, by DIF type |
//!
//! # Examples
//!
//! ```
//! use pi::{Expected, Guard, Mismatch, Profile, Type, Verified};
//!
//! # fn t10dif(before: u16, data: &[u8]) -> u16 {
//! #     let crc = crc::Crc::<u16>::new(&crc::CRC_16_T10_DIF);
//! #     let mut digest = crc.digest_with_initial(before);
//! #     digest.update(data);
//! #     digest.finalize()
//! # }
//! let profile = Profile::new(Type::One, Guard::Crc(t10dif));
//! let mut block = [0x5a; 512];
//! let mut metadata = [0; 8];
//! profile.generate(&block, &mut metadata, 0, 2048);
//! let expected = Expected::new();
//! assert_eq!(profile.verify(&block, &metadata, 2048, &expected), Ok(Verified::Checked));
//!
//! block[17] ^= 1;
//! let wrong = profile.verify(&block, &metadata, 2048, &expected);
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

pub use guard::Guard;
pub use profile::{Expected, Mismatch, Profile, Type, Verified};
pub use tuple::{Format, Part, Tuple};
