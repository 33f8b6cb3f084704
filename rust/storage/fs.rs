// SPDX-License-Identifier: GPL-2.0

//! Filesystems on a block device.
//!
//! A filesystem implements the traits of this module; the C tables of functions are made from them,
//! split as in C:
//!
//! | module | subject | C |
//! | --- | --- | --- |
//! | [`registration`] | a filesystem type in the system | `struct file_system_type` |
//! | [`context`] | mount options, and what is said of wrong ones | `struct fs_context` |
//! | [`sb`] | a mounted filesystem | `struct super_block`, `struct super_operations` |
//! | [`inode`] | inodes: found, made, filled in | `struct inode` |
//! | [`dir`] | names | `struct inode_operations` of directories |
//! | [`attr`] | owner, mode, times, size, flags | `setattr`, `getattr`, `fileattr_get`, `fileattr_set` |
//! | [`mod@file`] | reading, writing, mapping, fsync | `struct file_operations` |
//! | [`iomap`] | where the data of a file is | `struct iomap_ops`, `struct iomap_write_ops` |
//! | [`aops`] | the page cache | `struct address_space_operations` |
//! | [`writeback`] | its way to the device | `struct iomap_writeback_ops` |
//! | [`snapshot`] | private copies of what is written | `struct bio_set`, `mempool_t` |
//! | `flight` | what of a file is on its way while it counts as written | |
//! | [`trace`] | events: what was decided of a folio, and of who writes to it | `TRACE_EVENT` |
//! | [`folio`] | a piece of the page cache | `struct folio` |
//! | [`buffer`] | blocks of metadata | `struct buffer_head` |
//! | [`xattr`] | extended attributes | `struct xattr_handler` |
//! | [`acl`] | access control lists | `struct posix_acl` |
//! | [`cred`] | who is asking | `struct cred` |
//! | [`export`] | file handles | `struct export_operations` |
//!
//! # Locks, outermost first
//!
//! 1. `i_rwsem` of an inode: [`inode::Locked`] shows that it is held
//! 2. the invalidate lock of its mapping
//! 3. the lock of a folio: [`folio::LockedFolio`]
//! 4. locks of the filesystem's own; in a [`NoFs`] scope, where memory is allocated under them
//! 5. the lock of a buffer: held in [`buffer::Buffer::modify`]
//! 6. the lock of an inode's `flight`s, for a moment
//!
//! Each callback says what is held when it is called, by the types of its arguments.

pub mod acl;
pub mod aops;
pub mod attr;
pub mod buffer;
pub mod context;
pub mod cred;
pub mod dir;
pub mod export;
pub mod file;
mod flight;
pub mod folio;
pub mod inode;
pub mod iomap;
pub mod registration;
pub mod sb;
pub mod snapshot;
pub mod trace;
pub mod writeback;
pub mod xattr;

pub use crate::memory::NoFs;

use crate::bindings;
use kernel::str::{CStr, CStrExt as _};
use pin_init::PinInit;

/// What every part needs to know of a filesystem.
pub trait Type: Sized + Send + Sync + 'static {
    /// Its name, as in `mount -t NAME`.
    const NAME: &'static CStr;
    /// `f_type` of `statfs(2)`.
    const MAGIC: u32;
    /// How many links an inode may have.
    const MAX_LINKS: u32;

    /// What the filesystem keeps with each inode, besides what the VFS does.
    type INodeData: Send + Sync + 'static;

    /// Fills in [`INodeData`](Self::INodeData) of an inode of which nothing is known yet.
    fn inode_data() -> impl PinInit<Self::INodeData>;
}

/// A whole filesystem.
pub trait FileSystem:
    sb::Operations
    + dir::Operations
    + attr::Operations
    + file::Operations
    + iomap::Operations
    + xattr::Operations
    + acl::Operations
    + export::Operations
{
}

/// Ends the system's life: whoever mounted asked for that in case of an error.
///
/// C: `panic()`.
pub fn panic<T: Type>() {
    // SAFETY: Any context. The name is a C string.
    unsafe { bindings::storage_panic(T::NAME.as_char_ptr()) };
}
