// SPDX-License-Identifier: GPL-2.0

//! Queues of works.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::bindings;
use core::ptr::NonNull;
use kernel::{prelude::*, str::CStr};

/// A workqueue of our own: unbound, and with a rescuer, since what frees memory may wait for its works.
///
/// Dropping it waits for what is in it.
///
/// C: `struct workqueue_struct`.
///
/// # Invariants
///
/// A workqueue that nobody else destroys.
pub(crate) struct Workqueue(NonNull<bindings::workqueue_struct>);

// SAFETY: A workqueue does its own locking.
unsafe impl Send for Workqueue {}
// SAFETY: As above.
unsafe impl Sync for Workqueue {}

impl Workqueue {
    /// `ENOMEM`. May sleep.
    pub(crate) fn new(name: &CStr) -> Result<Self> {
        let flags = bindings::wq_flags_WQ_UNBOUND | bindings::wq_flags_WQ_MEM_RECLAIM;
        // SAFETY: `name` is a C string; it is copied.
        let wq = unsafe { bindings::storage_alloc_workqueue(name.as_char_ptr(), flags) };
        // INVARIANT: It was just made.
        NonNull::new(wq).map(Self).ok_or(ENOMEM)
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::workqueue_struct {
        self.0.as_ptr()
    }

    /// Queues a work. Any context.
    ///
    /// # Safety
    ///
    /// `queue` is that of a live `Workqueue`. `work` is initialised, and stays until it has run.
    pub(crate) unsafe fn queue(
        queue: *mut bindings::workqueue_struct,
        work: *mut bindings::work_struct,
    ) {
        let cpu = bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int;
        // SAFETY: As the caller says.
        unsafe { bindings::queue_work_on(cpu, queue, work) };
    }
}

impl Drop for Workqueue {
    fn drop(&mut self) {
        // SAFETY: It is ours.
        unsafe { bindings::destroy_workqueue(self.0.as_ptr()) };
    }
}
