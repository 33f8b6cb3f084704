// SPDX-License-Identifier: GPL-2.0

//! The page cache of a file, and its way to the device.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h), `struct address_space_operations`

use super::{
    inode::INode,
    iomap::{self, Intent, Kind},
    FileSystem,
};
use crate::bindings;
use core::ptr;
use kernel::prelude::*;

pub(super) struct Tables<T>(T);

impl<T: FileSystem> Tables<T> {
    pub(super) const AOPS: &'static bindings::address_space_operations =
        &bindings::address_space_operations {
            read_folio: Some(read_folio::<T>),
            readahead: Some(readahead::<T>),
            writepages: Some(writepages::<T>),
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

    const WRITEBACK: &'static bindings::iomap_writeback_ops = &bindings::iomap_writeback_ops {
        writeback_range: Some(writeback_range::<T>),
        writeback_submit: Some(writeback_submit::<T>),
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

/// What a call of `writepages` knows. `iomap` comes first: iomap hands on a pointer to that.
#[repr(C)]
struct Context {
    iomap: bindings::iomap_writepage_ctx,
    /// The last folio of which a part was to be written.
    folio: *mut bindings::folio,
}

/// `writepages` of `struct address_space_operations`.
///
/// # Safety
///
/// Writeback calls this with the mapping of a live regular file of a filesystem of type `T`, no folio
/// of which it has locked; `control` is live for the call.
unsafe extern "C" fn writepages<T: FileSystem>(
    mapping: *mut bindings::address_space,
    control: *mut bindings::writeback_control,
) -> c_int {
    let mut context = Context {
        iomap: bindings::iomap_writepage_ctx {
            // SAFETY: Numbers and pointers, for which zero is valid: no mapping yet.
            iomap: unsafe { core::mem::zeroed() },
            // SAFETY: The mapping is live.
            inode: unsafe { (*mapping).host },
            wbc: control,
            ops: Tables::<T>::WRITEBACK,
            nr_folios: 0,
            wb_ctx: ptr::null_mut(),
        },
        folio: ptr::null_mut(),
    };
    // SAFETY: The context is for this call only; what it refers to is live.
    unsafe { bindings::iomap_writepages((&raw mut context).cast()) }
}

/// `writeback_range` of `struct iomap_writeback_ops`.
///
/// # Safety
///
/// iomap calls this with the context that `writepages::<T>` made and a locked folio of its inode, which
/// `pos..pos + len` lies in.
unsafe extern "C" fn writeback_range<T: FileSystem>(
    context: *mut bindings::iomap_writepage_ctx,
    folio: *mut bindings::folio,
    pos: u64,
    len: c_uint,
    end: u64,
) -> isize {
    // SAFETY: The caller's, for a file of this filesystem; the folio is locked.
    let result = unsafe {
        let context: *mut Context = context.cast();
        if core::mem::replace(&mut (*context).folio, folio) != folio {
            T::writes_folio(INode::<T>::from_raw((*context).iomap.inode));
        }
        map_writeback::<T>(&mut (*context).iomap, pos, len.into()).map(|()| {
            bindings::iomap_add_to_ioend(context.cast(), folio, pos as i64, end as i64, len)
        })
    };
    result.unwrap_or_else(|error| error.to_errno() as isize)
}

/// As far as one mapping goes at most, in bytes.
const FAR: u64 = 1 << 30;

/// Makes the mapping of the context one that `pos` is in.
///
/// # Safety
///
/// The inode of `context` is a live one of this filesystem.
unsafe fn map_writeback<T: FileSystem>(
    context: &mut bindings::iomap_writepage_ctx,
    pos: u64,
    len: u64,
) -> Result {
    // SAFETY: As the caller says.
    let inode = unsafe { INode::<T>::from_raw(context.inode) };
    let start = context.iomap.offset.unsigned_abs();
    let known = (start..start.saturating_add(context.iomap.length)).contains(&pos);
    // The folio is locked, so its blocks don't change between this look and the bio.
    if known && T::cookie(inode) == context.iomap.validity_cookie {
        return Ok(());
    }
    let mut mapping = T::map(inode, pos, FAR, Intent::Look, false)?;
    if mapping.kind == Kind::Hole {
        // Dirty data has its blocks from the time of the write. Not so for what became dirty in ways
        // that nobody thought of: it isn't lost.
        mapping = T::map(inode, pos, len, Intent::Writeback, false)?;
    }
    // SAFETY: The context is the caller's.
    unsafe { iomap::fill(inode, pos, &mapping, &mut context.iomap) }
}

/// `writeback_submit` of `struct iomap_writeback_ops`.
///
/// # Safety
///
/// iomap calls this with the context that `writepages::<T>` made; `wb_ctx` is an ioend that was not
/// submitted yet.
unsafe extern "C" fn writeback_submit<T: FileSystem>(
    context: *mut bindings::iomap_writepage_ctx,
    error: c_int,
) -> c_int {
    // SAFETY: The caller's, with an ioend; the inode is a live one of this filesystem.
    unsafe {
        let ioend: *mut bindings::iomap_ioend = (*context).wb_ctx.cast();
        if error == 0 {
            let bytes = ptr::read(&raw const (*ioend).io_bio.bi_iter.bi_size);
            T::submitted(INode::<T>::from_raw((*context).inode), bytes);
        }
        bindings::iomap_ioend_writeback_submit(context, error)
    }
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
