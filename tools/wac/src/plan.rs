// SPDX-License-Identifier: GPL-2.0

//! What a run does, as plain data: everything the workers and the read-back
//! check need to know, and nothing else. It is printed in the JSON result as
//! `plan`, handed to workers that are processes, and read again by `wac verify`.

use crate::profile::Letter;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Largest number of workers; the worker number in a word has ten bits, and
/// number 0 is the initial fill.
pub const MAX_WORKERS: u16 = 1023;

/// What a worker does after each block it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum SyncAction {
    /// nothing
    None,
    /// sync_file_range() of the block: starts writeback, does not wait for it
    SyncFileRange,
    /// msync(MS_SYNC) of the block's pages: waits for writeback (mappers only)
    Msync,
    /// fsync()
    Fsync,
    /// fdatasync()
    Fdatasync,
}

/// How a worker writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `write()` through the page cache.
    Write,
    /// `write()` with `O_DIRECT`.
    Direct,
    /// Stores to a shared mapping.
    Map,
}

/// One worker of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerSpec {
    /// 1 to [`MAX_WORKERS`].
    pub id: u16,
    /// How it writes.
    pub kind: Kind,
}

/// What a run does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The profile it was made from, if any.
    pub profile: Option<Letter>,
    /// From which every worker's stream of offsets and contents is derived.
    pub seed: u64,
    /// Size of the file in bytes; a multiple of `block_size`.
    pub file_size: u64,
    /// Bytes written per operation, and their alignment; a power of two, 64 to 16 MiB.
    pub block_size: u64,
    /// How long the workers run, in seconds.
    pub time_s: f64,
    /// A worker stops after this many operations.
    pub ops_per_worker: Option<u64>,
    /// Number of workers that call `write()`.
    pub writers: u16,
    /// Number of workers that store to a mapping.
    pub mappers: u16,
    /// What a writer does after each write.
    pub writer_sync: SyncAction,
    /// What a mapper does after each block.
    pub mapper_sync: SyncAction,
    /// Whether descriptors are opened with `O_DIRECT`.
    pub direct: bool,
    /// Whether descriptors are opened with `O_SYNC`.
    pub o_sync: bool,
    /// Whether each direct writer's buffer is rewritten while it is in flight.
    pub rewrite_in_flight: bool,
    /// Whether direct writers write with io_uring, from a registered buffer.
    #[serde(default)]
    pub io_uring: bool,
    /// Workers are processes rather than threads.
    pub processes: bool,
}

impl Plan {
    /// Number of blocks in the file.
    pub fn blocks(&self) -> u64 {
        self.file_size / self.block_size
    }

    /// Number of words in a block.
    pub fn words_per_block(&self) -> usize {
        usize::try_from(self.block_size / 8).expect("a block is at most 16 MiB")
    }

    /// The workers: writers first, numbered from 1.
    pub fn workers(&self) -> Vec<WorkerSpec> {
        let writer = if self.direct {
            Kind::Direct
        } else {
            Kind::Write
        };
        (0..self.writers + self.mappers)
            .map(|n| WorkerSpec {
                id: n + 1,
                kind: if n < self.writers { writer } else { Kind::Map },
            })
            .collect()
    }

    /// Direct writers and mapped workers share the file.
    ///
    /// The kernel promises no coherence then, and itself fails `msync()` and
    /// `fsync()` with `EIO` when a direct write could not throw the cached pages
    /// out ("Page cache invalidation failure on direct I/O").
    pub fn mixes_direct_and_mapped(&self) -> bool {
        self.direct && self.writers > 0 && self.mappers > 0
    }

    /// Whether two agents may copy into the same word at the same time with
    /// nothing that orders them, so that a word may hold the first bytes of one
    /// write and the last bytes of another. See [`crate::verify`].
    pub fn tears_legal(&self) -> bool {
        let mapped_and_written = self.writers > 0 && self.mappers > 0;
        let overlapping_direct = self.direct && self.writers > 1;
        mapped_and_written || overlapping_direct || self.rewrite_in_flight
    }
}

#[cfg(test)]
pub(crate) fn sample() -> Plan {
    Plan {
        profile: None,
        seed: 1,
        file_size: 65536,
        block_size: 4096,
        time_s: 1.0,
        ops_per_worker: None,
        writers: 2,
        mappers: 2,
        writer_sync: SyncAction::SyncFileRange,
        mapper_sync: SyncAction::Msync,
        direct: false,
        o_sync: false,
        rewrite_in_flight: false,
        io_uring: false,
        processes: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_numbered_from_one_writers_first() {
        let plan = Plan {
            direct: true,
            ..sample()
        };
        let workers = plan.workers();
        assert_eq!(
            workers.iter().map(|w| w.id).collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
        assert_eq!(workers[1].kind, Kind::Direct);
        assert_eq!(workers[2].kind, Kind::Map);
        assert!(plan.mixes_direct_and_mapped());
    }

    #[test]
    fn mappers_alone_never_tear() {
        let plan = Plan {
            writers: 0,
            direct: true,
            ..sample()
        };
        assert!(!plan.tears_legal());
        assert!(!plan.mixes_direct_and_mapped());
    }
}
