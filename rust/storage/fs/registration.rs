// SPDX-License-Identifier: GPL-2.0

//! A filesystem type in the system.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{context, inode::Container, sb, FileSystem, Type};
use crate::{bindings, debugfs::Dir};
use core::{marker::PhantomData, pin::Pin};
use kernel::{error::to_result, prelude::*, types::Opaque};
use pin_init::{pin_data, pinned_drop, PinInit};

/// While it lives, filesystems of type `T` can be mounted. While one is, the module that linked this
/// copy of the crate can't be unloaded.
///
/// # Invariants
///
/// `fs_type` is registered, and part of a `Registration<T>`; `cache` is a cache of `Container<T>`.
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Registration<T: FileSystem> {
    #[pin]
    fs_type: Opaque<bindings::file_system_type>,
    cache: *mut bindings::kmem_cache,
    debugfs: Dir,
    _fs: PhantomData<T>,
}

// SAFETY: A registration isn't tied to a thread, and has no methods.
unsafe impl<T: FileSystem> Send for Registration<T> {}
// SAFETY: As above.
unsafe impl<T: FileSystem> Sync for Registration<T> {}

/// Takes the cache back where a registration fails.
struct Cache(*mut bindings::kmem_cache);

impl Cache {
    fn new<T: Type>() -> Result<Self> {
        let size = u32::try_from(size_of::<Container<T>>())?;
        // SAFETY: The name is a C string that stays, and the size that of an inode and more.
        let cache = unsafe {
            bindings::storage_inode_cache_create(
                T::NAME.as_char_ptr(),
                size,
                align_of::<Container<T>>() as c_uint,
            )
        };
        if cache.is_null() {
            return Err(ENOMEM);
        }
        Ok(Self(cache))
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // SAFETY: Waits until each inode was freed that is on its way.
        unsafe { bindings::rcu_barrier() };
        // What ended the last I/O has woken who waited for it, and may not have left our code.
        // SAFETY: A task may sleep here.
        unsafe { bindings::storage_synchronize_rcu_tasks() };
        // SAFETY: Created in `new`, and nothing of it is left.
        unsafe { bindings::kmem_cache_destroy(self.0) };
    }
}

impl<T: FileSystem> Registration<T> {
    /// Registers the type. `EBUSY` if there is one of that name, `ENOMEM`. May sleep.
    pub fn new() -> impl PinInit<Self, Error> {
        // SAFETY: On success all fields are initialised and the invariants hold; on failure nothing is
        // left: the cache goes with its guard.
        unsafe {
            pin_init::pin_init_from_closure(|slot: *mut Self| {
                let cache = Cache::new::<T>()?;
                let debugfs = Dir::new(T::NAME)?;
                let fs_type = Opaque::cast_into(&raw const (*slot).fs_type);
                fs_type.write(bindings::file_system_type {
                    name: T::NAME.as_char_ptr(),
                    fs_flags: (bindings::FS_REQUIRES_DEV
                        | bindings::FS_ALLOW_IDMAP
                        | bindings::FS_MGTIME) as c_int,
                    init_fs_context: Some(context::init::<T>),
                    kill_sb: Some(sb::kill::<T>),
                    owner: (&raw const bindings::__this_module).cast_mut(),
                    ..pin_init::zeroed()
                });
                (&raw mut (*slot).cache).write(cache.0);
                (&raw mut (*slot).debugfs).write(debugfs);
                to_result(bindings::register_filesystem(fs_type)).inspect_err(|_| {
                    core::ptr::drop_in_place(&raw mut (*slot).debugfs);
                })?;
                core::mem::forget(cache);
                Ok(())
            })
        }
    }
}

#[pinned_drop]
impl<T: FileSystem> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type's invariant.
        unsafe { bindings::unregister_filesystem(self.fs_type.get()) };
        // Each mount keeps the module; but a registration can be dropped without that.
        // SAFETY: As above.
        if !unsafe { (*self.fs_type.get()).fs_supers.first }.is_null() {
            panic!("dropped with filesystems mounted");
        }
        drop(Cache(self.cache));
    }
}

/// The cache of the inodes of a superblock.
///
/// # Safety
///
/// `sb` is a live superblock of a type that was registered with this crate.
pub(super) unsafe fn inode_cache(sb: *mut bindings::super_block) -> *mut bindings::kmem_cache {
    // SAFETY: `s_type` is the first field of a registration, which stays while it has superblocks.
    unsafe { (*(*sb).s_type.cast::<Head>()).cache }
}

/// The type's directory in debugfs.
///
/// # Safety
///
/// `sb` is a superblock of a type that was registered with this crate, live for `'a`.
pub(super) unsafe fn debugfs<'a>(sb: *mut bindings::super_block) -> &'a Dir {
    // SAFETY: As above.
    unsafe { &(*(*sb).s_type.cast::<Head>()).debugfs }
}

/// What a [`Registration`] begins with, whatever its type.
#[repr(C)]
struct Head {
    _fs_type: Opaque<bindings::file_system_type>,
    cache: *mut bindings::kmem_cache,
    debugfs: Dir,
}
