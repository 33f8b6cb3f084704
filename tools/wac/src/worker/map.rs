// SPDX-License-Identifier: GPL-2.0

//! A worker that stores to a shared mapping of the file. Each has a mapping of
//! its own, so every one of them takes its own page faults.

use super::Medium;
use crate::errors::{Code, Op};
use crate::mapping::{BusError, SharedMapping};
use crate::plan::Plan;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::path::Path;

/// The descriptor and the mapping.
pub(super) struct Map {
    fd: OwnedFd,
    mapping: SharedMapping,
    block_size: usize,
}

impl Map {
    pub(super) fn open(plan: &Plan, path: &Path) -> Result<Map, (Op, Errno)> {
        let fd = super::open(plan, path, OFlags::RDWR)?;
        let mapping = rustix::io::fcntl_dupfd_cloexec(&fd, 0)
            .and_then(|fd| SharedMapping::of_file(fd, plan.file_size))
            .map_err(|errno| (Op::Mmap, errno))?;
        Ok(Map {
            fd,
            mapping,
            block_size: plan.words_per_block() * 8,
        })
    }

    /// Where a block starts, in bytes. The whole file is mapped, so it fits.
    fn start(&self, block: u64) -> usize {
        usize::try_from(block).expect("the file is mapped") * self.block_size
    }
}

impl Medium for Map {
    const OP: Op = Op::Store;

    fn write(&mut self, _seq: u32, block: u64, words: &[u64]) -> Result<(), Code> {
        let first = self.start(block) / 8;
        match self.mapping.store_words(first, words) {
            Ok(()) => Ok(()),
            Err(BusError) => {
                self.mapping.repair()?;
                Err(Code::SIGBUS)
            }
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn msync(&self, block: u64) -> Result<(), Errno> {
        let start = self.start(block);
        self.mapping.msync(start..start + self.block_size)
    }
}
