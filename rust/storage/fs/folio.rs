// SPDX-License-Identifier: GPL-2.0

//! Pieces of the page cache.
//!
//! C headers: [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h),
//! [`include/linux/page-flags.h`](srctree/include/linux/page-flags.h)

use crate::bindings;
use core::{marker::PhantomData, ops::Range};

/// A folio of a file that is locked: it stays in the page cache, and nobody else begins to write to it,
/// or to write it back. Threads that have mapped it may be writing to it.
///
/// C: `struct folio`.
///
/// # Invariants
///
/// The folio is live for `'a`, in the page cache of a file, and its lock is held.
pub struct LockedFolio<'a> {
    folio: *mut bindings::folio,
    _lock: PhantomData<&'a ()>,
}

impl LockedFolio<'_> {
    /// # Safety
    ///
    /// The type's invariants hold for `folio`.
    pub(super) unsafe fn from_raw(folio: *mut bindings::folio) -> Self {
        Self {
            folio,
            _lock: PhantomData,
        }
    }

    /// Where in the file it is, in bytes.
    pub fn range(&self) -> Range<u64> {
        // SAFETY: Live and locked, by the type's invariant: neither changes.
        let (pos, size) = unsafe {
            (
                bindings::storage_folio_pos(self.folio),
                bindings::storage_folio_size(self.folio),
            )
        };
        let start = pos.unsigned_abs();
        start..start.saturating_add(size as u64)
    }

    /// Whether it is being written to the device. That can end at any time, and not begin.
    pub fn is_under_writeback(&self) -> bool {
        // SAFETY: Live, by the type's invariant.
        unsafe { bindings::storage_folio_test_writeback(self.folio) }
    }

    /// Waits until it is not being written to the device. May sleep.
    pub fn wait_for_writeback(&self) {
        // SAFETY: Live and locked, by the type's invariant.
        unsafe { bindings::folio_wait_writeback(self.folio) };
    }
}
