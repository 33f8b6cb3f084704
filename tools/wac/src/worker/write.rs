// SPDX-License-Identifier: GPL-2.0

//! A worker that calls `write()` through the page cache.

use super::Medium;
use crate::errors::{Code, Op};
use crate::pattern;
use crate::plan::Plan;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::path::Path;

/// The descriptor and the buffer, which nobody else touches.
pub(super) struct Write {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl Write {
    pub(super) fn open(plan: &Plan, path: &Path) -> Result<Write, (Op, Errno)> {
        Ok(Write {
            fd: super::open(plan, path, OFlags::WRONLY)?,
            buffer: vec![0; plan.words_per_block() * 8],
        })
    }
}

impl Medium for Write {
    const OP: Op = Op::Write;

    fn write(&mut self, _seq: u32, block: u64, words: &[u64]) -> Result<(), Code> {
        pattern::to_bytes(words, &mut self.buffer);
        let mut rest = &self.buffer[..];
        let mut offset = block * self.buffer.len() as u64;
        while !rest.is_empty() {
            match rustix::io::pwrite(&self.fd, rest, offset) {
                Ok(0) => return Err(Code::NO_PROGRESS),
                Ok(written) => {
                    rest = &rest[written..];
                    offset += written as u64;
                }
                Err(Errno::INTR) => (),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
