// SPDX-License-Identifier: GPL-2.0

//! File handles, for NFS and `open_by_handle_at(2)`: the inode's number and generation.
//!
//! C header: [`include/linux/exportfs.h`](srctree/include/linux/exportfs.h)

use super::{
    inode::{INode, Ref},
    sb::SuperBlock,
    FileSystem, Type,
};
use crate::bindings;
use kernel::prelude::*;

/// Finding inodes by what a handle says.
pub trait Operations: Type {
    /// The inode with this number and generation. `ESTALE` if there is none, or not that one any more. The
    /// number comes from user space. May sleep.
    fn by_handle(sb: &SuperBlock<Self>, ino: u64, generation: u32) -> Result<Ref<'_, Self>>;
}

pub(super) struct Tables<T>(T);

impl<T: FileSystem> Tables<T> {
    pub(super) const OPERATIONS: &'static bindings::export_operations =
        &bindings::export_operations {
            encode_fh: Some(bindings::generic_encode_ino32_fh),
            fh_to_dentry: Some(to_dentry::<T>),
            fh_to_parent: Some(to_parent::<T>),
            get_parent: Some(get_parent::<T>),
            // SAFETY: Function pointers that may be NULL, and flags.
            ..unsafe { core::mem::zeroed() }
        };
}

/// What `to_dentry` and `to_parent` pass to `generic_fh_to_dentry()` and `generic_fh_to_parent()`.
///
/// # Safety
///
/// Those call it with the superblock that they were called with: a mounted filesystem of type `T`.
unsafe extern "C" fn get_inode<T: FileSystem>(
    sb: *mut bindings::super_block,
    ino: u64,
    generation: u32,
) -> *mut bindings::inode {
    // SAFETY: A mounted filesystem of this type.
    match T::by_handle(unsafe { SuperBlock::from_raw(sb) }, ino, generation) {
        Ok(inode) => inode.into_raw().as_ptr(),
        Err(error) => error.to_ptr(),
    }
}

/// `fh_to_dentry` of `struct export_operations`.
///
/// # Safety
///
/// exportfs calls this with the superblock of a mounted filesystem of type `T` and a handle that is as
/// long as `len` says.
unsafe extern "C" fn to_dentry<T: FileSystem>(
    sb: *mut bindings::super_block,
    fid: *mut bindings::fid,
    len: c_int,
    kind: c_int,
) -> *mut bindings::dentry {
    // SAFETY: The caller's.
    unsafe { bindings::generic_fh_to_dentry(sb, fid, len, kind, Some(get_inode::<T>)) }
}

/// `fh_to_parent` of `struct export_operations`.
///
/// # Safety
///
/// As for `to_dentry`.
unsafe extern "C" fn to_parent<T: FileSystem>(
    sb: *mut bindings::super_block,
    fid: *mut bindings::fid,
    len: c_int,
    kind: c_int,
) -> *mut bindings::dentry {
    // SAFETY: The caller's.
    unsafe { bindings::generic_fh_to_parent(sb, fid, len, kind, Some(get_inode::<T>)) }
}

/// `get_parent` of `struct export_operations`.
///
/// # Safety
///
/// exportfs calls this with a live dentry of a directory of a filesystem of type `T`.
unsafe extern "C" fn get_parent<T: FileSystem>(
    child: *mut bindings::dentry,
) -> *mut bindings::dentry {
    // SAFETY: A directory of this filesystem.
    let dir = unsafe { INode::<T>::from_raw((*child).d_inode) };
    match T::parent(dir) {
        // SAFETY: Takes over the reference.
        Ok(inode) => unsafe { bindings::d_obtain_alias(inode.into_raw().as_ptr()) },
        Err(error) => error.to_ptr(),
    }
}
