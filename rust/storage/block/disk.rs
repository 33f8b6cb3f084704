// SPDX-License-Identifier: GPL-2.0

//! A disk that user space sees.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h)

use super::{
    limits::QueueLimits,
    mq::{Operations, TagSet},
};
use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    error::{from_err_ptr, to_result},
    fmt::{self, Write},
    prelude::*,
    static_lock_class,
    str::NullTerminatedFormatter,
    sync::Arc,
    types::{ForeignOwnable, ScopeGuard},
};

/// A disk in the system: `/dev/NAME`, its partitions, its directory in sysfs.
///
/// While it is open, the module can't be unloaded. Dropping it takes it out of the system and waits
/// for the requests in flight; it may sleep.
///
/// C: `struct gendisk`.
///
/// # Invariants
///
/// `disk` is added (`device_add_disk()`). Its queue's `queuedata` comes from
/// `T::QueueData::into_foreign()`.
pub struct GenDisk<T: Operations> {
    disk: NonNull<bindings::gendisk>,
    // Dropped after the disk is gone.
    tags: Arc<TagSet<T>>,
}

// SAFETY: A disk is not tied to a thread, and what it owns is `Send`.
unsafe impl<T: Operations> Send for GenDisk<T> {}
// SAFETY: There are no methods that take `&self`.
unsafe impl<T: Operations> Sync for GenDisk<T> {}

/// The module that holds this copy of the crate is what an open disk pins.
static FOPS: Fops = Fops(bindings::block_device_operations {
    owner: (&raw const bindings::__this_module).cast_mut(),
    ..pin_init::zeroed()
});

struct Fops(bindings::block_device_operations);

// SAFETY: It is never written to.
unsafe impl Sync for Fops {}

impl<T: Operations> GenDisk<T> {
    /// Adds a disk of `sectors` units of 512 bytes, and returns when partitions have been looked for:
    /// requests arrive before that. `data` is what each callback gets.
    ///
    /// `EINVAL` if the name has more than 31 bytes, `EEXIST` if it is taken, `ENOMEM`. May sleep.
    pub fn add(
        name: fmt::Arguments<'_>,
        tags: Arc<TagSet<T>>,
        limits: QueueLimits,
        sectors: u64,
        data: T::QueueData,
    ) -> Result<Self> {
        let data = ScopeGuard::new_with_data(data.into_foreign(), |data| {
            // SAFETY: `data` comes from `into_foreign()`, and the queue that carried it is gone.
            drop(unsafe { T::QueueData::from_foreign(data) });
        });
        let mut limits = limits.into_raw();

        // SAFETY: The tag set is allocated and outlives the disk, which keeps a reference on it;
        // `limits` is read only during the call, and the lock class is static.
        let disk = from_err_ptr(unsafe {
            bindings::__blk_mq_alloc_disk(
                tags.as_ptr(),
                &mut limits,
                *data,
                static_lock_class!().as_ptr(),
            )
        })?;
        let mut disk = ScopeGuard::new_with_data(disk, |disk| {
            // SAFETY: The disk was allocated above and not added: this frees it and its queue.
            unsafe { bindings::put_disk(disk) };
        });

        // SAFETY: Nobody but us knows the disk yet; `FOPS` is static.
        unsafe { (**disk).fops = &FOPS.0 };
        // SAFETY: As above.
        let disk_name = unsafe { &mut (**disk).disk_name };
        NullTerminatedFormatter::new(disk_name)
            .ok_or(EINVAL)?
            .write_fmt(name)
            .map_err(|_| EINVAL)?;
        // SAFETY: The disk is allocated.
        unsafe { bindings::set_capacity(*disk, sectors) };
        // SAFETY: The disk is set up. It has no parent and no attributes of its own.
        to_result(unsafe {
            bindings::device_add_disk(core::ptr::null_mut(), *disk, core::ptr::null_mut())
        })?;

        data.dismiss();
        // INVARIANT: The disk was added, with `data` in its queue.
        Ok(Self {
            disk: NonNull::new(disk.dismiss()).ok_or(ENOMEM)?,
            tags,
        })
    }
}

impl<T: Operations> Drop for GenDisk<T> {
    fn drop(&mut self) {
        let disk = self.disk.as_ptr();
        // SAFETY: The disk is added by the type's invariant, so it has a queue.
        let data = unsafe { (*(*disk).queue).queuedata };
        // SAFETY: As above. No new request gets in from here on, and none is left in flight: this
        // freezes the queue and takes it away from the tag set.
        unsafe { bindings::del_gendisk(disk) };
        // SAFETY: Drops the reference that `__blk_mq_alloc_disk()` gave us.
        unsafe { bindings::put_disk(disk) };
        // No request is left, but the callback that ended the last one may not have returned, and
        // still hold `data`.
        self.tags.wait_for_callbacks();
        // SAFETY: By the type's invariant. No callback runs any more.
        drop(unsafe { T::QueueData::from_foreign(data) });
    }
}
