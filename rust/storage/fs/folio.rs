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

    pub(super) fn as_ptr(&self) -> *mut bindings::folio {
        self.folio
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

    /// Whether what is being written to the device is a copy. Only true while it
    /// [is under writeback](Self::is_under_writeback), and it may end at any time.
    pub fn is_snapshotted(&self) -> bool {
        // SAFETY: Live, by the type's invariant.
        unsafe { bindings::storage_folio_test_owner_2(self.folio) }
    }

    /// See [`is_snapshotted`](Self::is_snapshotted). Changes only with the lock.
    pub(super) fn set_snapshotted(&self, snapshotted: bool) {
        // SAFETY: Live and locked, by the type's invariant. The flag is for the filesystem to use, and
        // nothing looks at it when the folio is freed.
        unsafe {
            if snapshotted {
                bindings::storage_folio_set_owner_2(self.folio);
            } else {
                bindings::storage_folio_clear_owner_2(self.folio);
            }
        }
    }

    /// Whether the page cache can do without it: it has nothing that the device doesn't have, or will, and
    /// nobody has mapped it. Any of that may change when the lock is given up.
    pub(super) fn is_idle(&self) -> bool {
        // SAFETY: Live, by the type's invariant.
        unsafe {
            !bindings::storage_folio_test_dirty(self.folio)
                && !bindings::storage_folio_test_writeback(self.folio)
                && !bindings::storage_folio_mapped(self.folio)
        }
    }

    /// Whether all of it has content.
    pub(super) fn is_uptodate(&self) -> bool {
        // SAFETY: Live, by the type's invariant.
        unsafe { bindings::storage_folio_test_uptodate(self.folio) }
    }

    /// Whether somebody keeps it for DMA, as direct I/O does with its buffers: then it can be written to
    /// without a fault. May be true where that isn't so.
    ///
    /// C: `folio_maybe_dma_pinned()`.
    pub fn maybe_dma_pinned(&self) -> bool {
        // SAFETY: Live, by the type's invariant.
        unsafe { bindings::storage_folio_maybe_dma_pinned(self.folio) }
    }

    /// Waits until it is not being written to the device. May sleep.
    pub fn wait_for_writeback(&self) {
        // SAFETY: Live and locked, by the type's invariant.
        unsafe { bindings::folio_wait_writeback(self.folio) };
    }
}
