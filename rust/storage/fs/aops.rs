// SPDX-License-Identifier: GPL-2.0

//! The page cache of a file. Its way to the device is in [`writeback`].
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h), `struct address_space_operations`

use super::{inode::INode, iomap, writeback, FileSystem};
use crate::bindings;
use kernel::prelude::*;

pub(super) struct Tables<T>(T);

impl<T: FileSystem> Tables<T> {
    pub(super) const AOPS: &'static bindings::address_space_operations =
        &bindings::address_space_operations {
            read_folio: Some(read_folio::<T>),
            readahead: Some(readahead::<T>),
            writepages: Some(writeback::writepages::<T>),
            dirty_folio: Some(bindings::iomap_dirty_folio),
            release_folio: Some(bindings::iomap_release_folio),
            invalidate_folio: Some(bindings::iomap_invalidate_folio),
            bmap: Some(bmap::<T>),
            migrate_folio: Some(bindings::filemap_migrate_folio),
            is_partially_uptodate: Some(bindings::iomap_is_partially_uptodate),
            error_remove_folio: Some(bindings::generic_error_remove_folio),
            swap_activate: Some(swap_activate::<T>),
            ..pin_init::zeroed()
        };
}

/// `read_folio` of `struct address_space_operations`.
///
/// # Safety
///
/// The page cache calls this with a locked folio of a regular file of a filesystem of type `T`. Who
/// unlocks it is the callee, or what it starts.
unsafe extern "C" fn read_folio<T: FileSystem>(
    _file: *mut bindings::file,
    folio: *mut bindings::folio,
) -> c_int {
    // SAFETY: The folio is locked and in the page cache of a file of this filesystem; iomap unlocks it.
    unsafe { bindings::storage_iomap_bio_read_folio(folio, iomap::Tables::<T>::OPERATIONS) };
    0
}

/// `readahead` of `struct address_space_operations`.
///
/// # Safety
///
/// The page cache calls this with folios of a regular file of a filesystem of type `T`, locked and in
/// `control`. Who unlocks them is the callee, or what it starts.
unsafe extern "C" fn readahead<T: FileSystem>(control: *mut bindings::readahead_control) {
    // SAFETY: As above, of all folios of `control`.
    unsafe { bindings::storage_iomap_bio_readahead(control, iomap::Tables::<T>::OPERATIONS) };
}

/// `bmap` of `struct address_space_operations`.
///
/// # Safety
///
/// The VFS calls this with the mapping of a live regular file of a filesystem of type `T`. Nothing is
/// locked.
unsafe extern "C" fn bmap<T: FileSystem>(
    mapping: *mut bindings::address_space,
    block: bindings::sector_t,
) -> bindings::sector_t {
    // SAFETY: The mapping of a file of this filesystem.
    unsafe { bindings::iomap_bmap(mapping, block, iomap::Tables::<T>::OPERATIONS) }
}

/// `swap_activate` of `struct address_space_operations`.
///
/// # Safety
///
/// `swapon(2)` calls this with an open regular file of a filesystem of type `T`.
unsafe extern "C" fn swap_activate<T: FileSystem>(
    _info: *mut bindings::swap_info_struct,
    file: *mut bindings::file,
    _span: *mut bindings::sector_t,
) -> c_int {
    // SAFETY: An open file of this filesystem.
    T::refuse_swap(unsafe { INode::from_raw((*file).f_inode) });
    EINVAL.to_errno()
}
