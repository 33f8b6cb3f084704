// SPDX-License-Identifier: GPL-2.0

//! The events in `/sys/kernel/tracing/events/stable_pages`: what happens to each folio of file data.
//!
//! A module that calls these links `rust/helpers/trace.o`. They are generic, and so not in the object that
//! modules of drivers link, too.
//!
//! Header: `rust/helpers/trace.h`

use super::{folio::LockedFolio, inode::INode, FileSystem};
use crate::bindings;
use kernel::{prelude::*, time::Delta};

/// A folio goes to the device: which way, by which strategy of the filesystem, and why. Any context.
pub fn writeback<T: FileSystem>(
    inode: &INode<T>,
    folio: &LockedFolio<'_>,
    treatment: &CStr,
    strategy: &CStr,
    reason: &CStr,
) {
    // SAFETY: The inode is live, the folio is live and locked, and the strings end with a NUL; all
    // are read during the call only.
    unsafe {
        bindings::storage_trace_writeback(
            inode.as_ptr(),
            folio.as_ptr(),
            treatment.as_char_ptr(),
            strategy.as_char_ptr(),
            reason.as_char_ptr(),
        )
    };
}

/// A writer has come to a folio: what became of it, and how long it waited. Any context.
pub fn writer<T: FileSystem>(
    inode: &INode<T>,
    folio: &LockedFolio<'_>,
    outcome: &CStr,
    time: Delta,
) {
    // SAFETY: As above.
    unsafe {
        bindings::storage_trace_writer(
            inode.as_ptr(),
            folio.as_ptr(),
            outcome.as_char_ptr(),
            time.as_nanos().unsigned_abs(),
        )
    };
}
