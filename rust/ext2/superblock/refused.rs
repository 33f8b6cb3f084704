// SPDX-License-Identifier: GPL-2.0

//! Why a file system can't be used.

use crate::{features::Feature, Corrupt};
use core::fmt;

/// Why a file system can't be used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is another number where [`MAGIC`](super::MAGIC) should be: this one.
    NotExt2(u16),
    /// The superblock contradicts itself or the format.
    Corrupt(Corrupt),
    /// It has a feature that this crate doesn't know.
    Incompatible(Feature),
    /// Its journal must be replayed first, which ext2 can't do.
    NeedsRecovery,
    /// Its revision is newer than 1: this one.
    Revision(u32),
    /// log2 of its block size, in KiB, is this. ext2 allows it up to 6; here it's up to 2.
    BlockSize(u32),
    /// It ends after the device does.
    TooLarge {
        /// Size of the file system, in bytes.
        bytes: u64,
        /// Size of the device, in bytes.
        device: u64,
    },
}

impl Refused {
    /// The reason, in one phrase. What the values are, it doesn't say.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotExt2(_) => "no ext2 file system",
            Self::Corrupt(corrupt) => corrupt.what,
            Self::Incompatible(_) => "the file system has a feature that is not supported",
            Self::NeedsRecovery => "the journal must be replayed first",
            Self::Revision(_) => "the revision level is not supported",
            Self::BlockSize(_) => "the block size is not supported",
            Self::TooLarge { .. } => "the file system is larger than the device",
        }
    }
}

impl From<Corrupt> for Refused {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(corrupt) => corrupt.fmt(f),
            Self::Incompatible(feature) => write!(f, "{}: {feature}", self.as_str()),
            Self::NotExt2(value) => write!(f, "{} (magic {value:#06x})", self.as_str()),
            Self::Revision(value) | Self::BlockSize(value) => {
                write!(f, "{} ({value})", self.as_str())
            }
            Self::NeedsRecovery => f.write_str(self.as_str()),
            Self::TooLarge { bytes, device } => {
                write!(f, "{} ({bytes} > {device} bytes)", self.as_str())
            }
        }
    }
}

impl core::error::Error for Refused {}
