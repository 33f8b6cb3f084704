// SPDX-License-Identifier: GPL-2.0

//! Parts of a file of which a copy is on its way to the device, while the page cache counts as written.
//!
//! As long as it is, the device has older content than the page cache says, so whoever wants to know what
//! the device has, or to change whose blocks they are, waits: [`Flights::wait`]. No part is on its way
//! twice.

use super::NoFs;
use core::ops::Range;
use kernel::{
    new_condvar, new_spinlock,
    prelude::*,
    rbtree::{RBTree, RBTreeNodeReservation},
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed, Release},
        barrier::smp_mb,
        CondVar, SpinLock,
    },
};

/// Those of one inode. Inside its lock there are only the mapping's `i_pages` lock and that of who waits; it is not
/// taken in interrupts.
#[pin_data]
pub(super) struct Flights {
    /// From the end of a part, exclusive, to its begin. They don't overlap.
    #[pin]
    parts: SpinLock<RBTree<u64, u64>>,
    #[pin]
    landed: CondVar,
    /// As many as `parts` has, to be looked at without the lock.
    count: Atomic<u32>,
    /// How many want to see all of them land: none begins meanwhile.
    holds: Atomic<u32>,
}

/// Memory for a part that is about to begin.
pub(super) struct Reserved(RBTreeNodeReservation<u64, u64>);

impl Reserved {
    /// `ENOMEM`. May sleep.
    pub(super) fn new() -> Result<Self> {
        let _nofs = NoFs::new();
        RBTreeNodeReservation::new(GFP_KERNEL).map(Self)
    }
}

/// While it lives, no part of the inode begins its way.
pub(super) struct Hold<'a>(&'a Flights);

impl Hold<'_> {
    /// Waits until no part of `range` is on its way. That comes to an end, since none begins. May sleep.
    pub(super) fn wait(&self, range: &Range<u64>) {
        self.0.wait(range);
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.holds.fetch_sub(1, Relaxed);
    }
}

impl Flights {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            parts <- new_spinlock!(RBTree::new(), "storage flights"),
            landed <- new_condvar!("storage flights landed"),
            count: Atomic::new(0),
            holds: Atomic::new(0),
        })
    }

    /// Whether a part of `range` is on its way. If it is not, and nobody writes it back, it is on the device.
    pub(super) fn overlaps(&self, range: &Range<u64>) -> bool {
        self.any() && overlaps(&self.parts.lock(), range)
    }

    /// Whether there are any. Who saw that something isn't under writeback any more sees what began its way
    /// before that.
    fn any(&self) -> bool {
        smp_mb(Full);
        self.count.load(Acquire) != 0
    }

    /// Waits until no part of `range` is on its way. The inode stays. May sleep.
    pub(super) fn wait(&self, range: &Range<u64>) {
        if self.any() {
            self.wait_locked(range);
        }
    }

    /// Waits until nothing is on its way, nor about to say that it has landed: the inode may go then. May
    /// sleep.
    pub(super) fn wait_for_all(&self) {
        self.wait_locked(&(0..u64::MAX));
    }

    fn wait_locked(&self, range: &Range<u64>) {
        let mut parts = self.parts.lock();
        while overlaps(&parts, range) {
            self.landed.wait(&mut parts);
        }
    }

    /// Lets no part begin. What is under writeback now may yet have been let: look at that first, and at the
    /// parts then.
    pub(super) fn hold(&self) -> Hold<'_> {
        self.holds.fetch_add(1, Full);
        Hold(self)
    }

    /// Whether a part may begin.
    pub(super) fn may_begin(&self) -> bool {
        self.holds.load(Relaxed) == 0
    }

    /// The part begins its way. None of it is.
    pub(super) fn begin(&self, part: &Range<u64>, reserved: Reserved) {
        let node = reserved.0.into_node(part.end, part.start);
        let mut parts = self.parts.lock();
        let before = parts.insert(node);
        self.count.fetch_add(1, Release);
        drop(parts);
        // There is none; it would be freed without the lock.
        drop(before);
    }

    /// Calls `f` with a way to ask which ranges have parts that are on their way: none begins and none lands
    /// meanwhile. It doesn't sleep.
    pub(super) fn look(&self, f: impl FnOnce(&dyn Fn(Range<u64>) -> bool)) {
        let parts = self.parts.lock();
        f(&|range| overlaps(&parts, &range));
    }

    /// The part that ends at `end` has landed; `others` is told before anybody else, and can ask which ranges
    /// have parts that have not. It doesn't sleep. The inode may be gone when this returns; not before: who
    /// [waits for all](Self::wait_for_all) takes the lock after this has released it.
    pub(super) fn end(&self, end: u64, others: impl FnOnce(&dyn Fn(Range<u64>) -> bool)) {
        let mut parts = self.parts.lock();
        let node = parts.remove_node(&end);
        others(&|range| overlaps(&parts, &range));
        self.count.fetch_sub(1, Release);
        // With the lock: see above.
        self.landed.notify_all();
        drop(parts);
        drop(node);
    }
}

fn overlaps(parts: &RBTree<u64, u64>, range: &Range<u64>) -> bool {
    let Some(after) = range.start.checked_add(1) else {
        return false;
    };
    // The first that ends behind the start.
    parts
        .cursor_lower_bound(&after)
        .is_some_and(|cursor| *cursor.current().1 < range.end)
}
