// SPDX-License-Identifier: GPL-2.0

//! The event `/sys/kernel/tracing/events/dif_blk/dif_blk_violation`: a page changed while it was written.
//!
//! It is dif_blk's, and here since the C side is. A module that calls this links `rust/helpers/trace_block.o`.
//!
//! Header: `rust/helpers/trace_block.h`

use super::bio::{Origin, PageState};
use crate::{bindings, task::Task};
use kernel::{prelude::*, str::CStr, time::Delta};

/// What the event says.
pub struct Violation<'a> {
    /// Name of the disk.
    pub disk: &'a CStr,
    /// Which one it is.
    pub seq: u64,
    /// Where the protection interval is, in units of 512 bytes.
    pub sector: u64,
    /// Its bytes.
    pub interval: usize,
    /// The request's first sector, and its bytes.
    pub request: (u64, usize),
    /// Whose it is.
    pub origin: Origin,
    /// What its page is like.
    pub page: PageState,
    /// First and last byte of each range that differs.
    pub ranges: &'a [[u16; 2]],
    /// Bytes as they were, from the first that differs on.
    pub before: &'a [u8],
    /// Bytes as they are.
    pub after: &'a [u8],
    /// The guard as submitted, and now.
    pub guard: (u64, u64),
    /// When it was seen.
    pub after_submit: Delta,
    /// At which look of how many.
    pub look: (u64, u64),
    /// Who submitted the write.
    pub task: &'a Task,
}

impl Violation<'_> {
    /// Writes the event, if somebody has asked for it. Any context.
    // Inline: it is in the objects of those who call it, and in no other module.
    #[inline]
    pub fn trace(&self) {
        use bindings::{
            STORAGE_VIOLATION_BLOCK_DEVICE as BLOCK_DEVICE, STORAGE_VIOLATION_FILE as FILE,
            STORAGE_VIOLATION_MEMORY as MEMORY,
        };
        let (kind, fs, dev, ino, offset) = match self.origin {
            Origin::File {
                fs,
                dev,
                ino,
                offset,
            } => (FILE, fs.to_raw(), dev.to_raw(), ino, offset),
            Origin::BlockDevice { dev, offset } => (BLOCK_DEVICE, [0; 32], dev.to_raw(), 0, offset),
            Origin::None => (MEMORY, [0; 32], 0, 0, 0),
        };
        let ranges = self.ranges.as_flattened();
        let violation = bindings::storage_violation {
            seq: self.seq,
            sector: self.sector,
            interval: self.interval as u64,
            request_sector: self.request.0,
            request_bytes: self.request.1 as u64,
            offset,
            ino,
            guard_was: self.guard.0,
            guard_is: self.guard.1,
            after_submit_ns: self.after_submit.as_nanos().unsigned_abs(),
            look: self.look.0,
            looks: self.look.1,
            dev,
            kind,
            page: self.page.to_raw(),
            pid: self.task.pid,
            comm: self.task.comm_raw(),
            fs,
            ranges: ranges.as_ptr(),
            before: self.before.as_ptr(),
            after: self.after.as_ptr(),
            ranges_len: ranges.len() as u32,
            before_len: self.before.len() as u32,
            after_len: self.after.len() as u32,
        };
        // SAFETY: The name ends with a NUL; so do those in the structure, whose arrays are as long as it says.
        // All is read during the call only.
        unsafe { bindings::storage_trace_violation(self.disk.as_char_ptr(), &violation) };
    }
}
