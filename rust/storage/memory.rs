// SPDX-License-Identifier: GPL-2.0

//! How much memory there is.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::bindings;

/// Bytes that the system has. Any context.
pub fn total() -> u64 {
    // SAFETY: Reads a number.
    let pages = unsafe { bindings::storage_totalram_pages() };
    (pages as u64) << bindings::PAGE_SHIFT
}

/// Bytes that could be had without swapping, about. Any context.
///
/// C: `si_mem_available()`.
pub fn available() -> u64 {
    // SAFETY: Adds up numbers.
    let pages = unsafe { bindings::si_mem_available() };
    (pages.max(0) as u64) << bindings::PAGE_SHIFT
}
