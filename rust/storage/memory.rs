// SPDX-License-Identifier: GPL-2.0

//! How much memory there is, and what may be done to get some.
//!
//! C headers: [`include/linux/mm.h`](srctree/include/linux/mm.h),
//! [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h)

use crate::bindings;
use kernel::types::NotThreadSafe;

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

macro_rules! scope {
    ($(#[$doc:meta])* $name:ident, $save:ident, $restore:ident) => {
        $(#[$doc])*
        pub struct $name(u32, NotThreadSafe);

        impl $name {
            /// Begins a scope.
            pub fn new() -> Self {
                // SAFETY: Any context of a thread.
                let before = unsafe { bindings::$save() };
                Self(before, NotThreadSafe)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: It is what the save of the same thread returned. Scopes that are dropped out of order
                // could at worst end the protection early, which is no matter of memory safety.
                unsafe { bindings::$restore(self.0) };
            }
        }
    };
}

scope! {
    /// While it lives, allocations of this thread don't call into filesystems to get memory: whoever holds a lock
    /// that reclaim might need has one. Scopes nest.
    ///
    /// C: `memalloc_nofs_save()`. Sleeping is allowed.
    NoFs, storage_memalloc_nofs_save, storage_memalloc_nofs_restore
}

scope! {
    /// Likewise, nor do they wait for I/O: whoever holds what requests wait for has one.
    ///
    /// C: `memalloc_noio_save()`. Sleeping is allowed.
    NoIo, storage_memalloc_noio_save, storage_memalloc_noio_restore
}
