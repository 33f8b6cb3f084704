// SPDX-License-Identifier: GPL-2.0

//! Module parameters, checked.

use kernel::{prelude::*, time::Delta};
use storage::{block::SECTOR_SHIFT, module_param::Invalid};

/// Largest disk: 16 TiB. Only what is written takes memory.
const MAX_SIZE_MB: u64 = 1 << 24;

/// Longest window: 10 s.
const MAX_WINDOW_US: u64 = 10_000_000;

storage::module_params! {
    size_mb = "1024", "size of the disk in MiB (1 to 16777216); memory is used for what is written";
    block_size = "512", "logical block size and protection interval in bytes (512 or 4096)";
    stable_writes = "1", "ask for stable pages (0 or 1); also in queue/stable_writes in sysfs";
    window_us = "0", "time from submit to transfer of a write in microseconds (0 to 10000000)";
    on_violation = "fail", "what a page that changed in flight does to its write (fail or report)";
}

/// What becomes of a write one of whose pages changed in flight.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnViolation {
    /// It fails with `BLK_STS_PROTECTION`. The interval keeps the content it had before.
    Fail,
    /// It goes on. The interval has the content that was transferred, and protection information
    /// made from that.
    Report,
}

/// How a disk is to be.
#[derive(Clone, Copy)]
pub(crate) struct Config {
    /// In units of 512 bytes.
    pub(crate) sectors: u64,
    /// Logical block size and protection interval, in bytes: 512 or 4096.
    pub(crate) block_size: u32,
    /// Whether the disk asks for stable pages from the start.
    pub(crate) stable_writes: bool,
    /// Time from submit to transfer of a write; zero to do both at once.
    pub(crate) window: Delta,
    /// What a violation does to its write.
    pub(crate) on_violation: OnViolation,
}

impl Config {
    /// The module's parameters. `EINVAL` for the first that is wrong, which the log then names.
    pub(crate) fn from_params() -> Result<Self> {
        Ok(Self {
            sectors: size_mb.number(1, MAX_SIZE_MB).map_err(refuse)? << (20 - SECTOR_SHIFT),
            block_size: match block_size.one_of(&["512", "4096"]).map_err(refuse)? {
                0 => 512,
                _ => 4096,
            },
            stable_writes: stable_writes.one_of(&["0", "1"]).map_err(refuse)? == 1,
            window: {
                let us = window_us.number(0, MAX_WINDOW_US).map_err(refuse)?;
                Delta::from_micros(i64::try_from(us)?)
            },
            on_violation: match on_violation.one_of(&["fail", "report"]).map_err(refuse)? {
                0 => OnViolation::Fail,
                _ => OnViolation::Report,
            },
        })
    }
}

fn refuse(invalid: Invalid<'_>) -> Error {
    pr_err!("{invalid}\n");
    EINVAL
}
