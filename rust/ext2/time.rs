// SPDX-License-Identifier: GPL-2.0

//! Timestamps of inodes.
//!
//! `Documentation/filesystems/ext4/inodes.rst`, "Inode Timestamps"; C: `ext4_decode_extra_time()`,
//! `ext4_encode_extra_time()` (`fs/ext4/ext4.h`). A timestamp is 32 signed bits of seconds. An
//! inode of more than 128 bytes can have 32 bits more: two that continue the seconds upward, until
//! the year 2446, and thirty of nanoseconds.

/// A moment: `seconds` since 1970, and `nanoseconds` after that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since the start of 1970 (UTC), without leap seconds. Negative before.
    pub seconds: i64,
    /// 0 to 999 999 999, and counted forward in any case.
    pub nanoseconds: u32,
}

/// The largest number of nanoseconds.
const MAX_NANOSECONDS: u32 = 999_999_999;

impl Timestamp {
    /// The moment that is stored as `low` and, if the inode has room for it, `extra`. Any bits are
    /// a moment; nanoseconds of a second or more are taken as the last one of it.
    pub fn decode(low: u32, extra: Option<u32>) -> Self {
        let [a, b, c, d] = low.to_le_bytes();
        let seconds = i64::from(i32::from_le_bytes([a, b, c, d]));
        let Some(extra) = extra else {
            return Self {
                seconds,
                nanoseconds: 0,
            };
        };
        Self {
            seconds: seconds.saturating_add(i64::from(extra & 3) << 32),
            nanoseconds: (extra >> 2).min(MAX_NANOSECONDS),
        }
    }

    /// `low` and `extra` for the moment, or for the nearest that can be stored with them.
    pub fn encode(self) -> (u32, u32) {
        let (seconds, nanoseconds) = Limits::EXTRA.nearest(self);
        let [a, b, c, d, ..] = seconds.to_le_bytes();
        let low = u32::from_le_bytes([a, b, c, d]);
        // What decoding adds to the signed low part.
        let missing = seconds.wrapping_sub(i64::from(i32::from_le_bytes([a, b, c, d])));
        let epoch = u32::try_from(missing >> 32).unwrap_or(0);
        (low, (nanoseconds << 2) | (epoch & 3))
    }

    /// The 32 bits for the moment in an inode that has no room for more, or for the nearest moment
    /// that they can hold.
    pub fn encode_short(self) -> u32 {
        let (seconds, _) = Limits::SHORT.nearest(self);
        let [a, b, c, d, ..] = seconds.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

/// Which moments can be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The first second. C: `s_time_min`.
    pub first: i64,
    /// The last second. C: `s_time_max`.
    pub last: i64,
    /// The step, in nanoseconds: 1, or a second. C: `s_time_gran`.
    pub granularity: u32,
}

impl Limits {
    /// Seconds of 32 bits.
    const SHORT: Self = Self {
        first: -0x8000_0000,
        last: 0x7fff_ffff,
        granularity: 1_000_000_000,
    };

    /// Seconds of 34 bits, and nanoseconds. C: `EXT4_EXTRA_TIMESTAMP_MAX`.
    const EXTRA: Self = Self {
        first: -0x8000_0000,
        last: 0x3_7fff_ffff,
        granularity: 1,
    };

    /// The limits of a file system with inodes of `inode_size` bytes. Of the inodes in it, those
    /// that another driver made may have narrower ones.
    pub const fn of_inode_size(inode_size: u32) -> Self {
        if inode_size > 128 {
            Self::EXTRA
        } else {
            Self::SHORT
        }
    }

    fn nearest(self, moment: Timestamp) -> (i64, u32) {
        if moment.seconds < self.first {
            (self.first, 0)
        } else if moment.seconds > self.last {
            (self.last, 0)
        } else {
            (moment.seconds, moment.nanoseconds.min(MAX_NANOSECONDS))
        }
    }
}
