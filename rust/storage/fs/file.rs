// SPDX-License-Identifier: GPL-2.0

//! Regular files: reading, writing, mapping, cutting.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h), `struct file_operations`

use super::{
    flight::Hold,
    folio::LockedFolio,
    inode::{Guard, INode, Locked, SharedGuard},
    iomap::{self, Intent, Kind},
    sb::SuperBlock,
    FileSystem, Type,
};
use crate::bindings;
use core::{ops::Range, ptr};
use kernel::{
    error::{from_result, to_result},
    ioctl::{_IOR, _IOWR},
    prelude::*,
    uaccess::{UserPtr, UserSlice},
};

/// What the filesystem does with regular files, besides placing their blocks.
pub trait Operations: Type {
    /// Gives back the blocks behind the end of the file, where its page cache has nothing. The
    /// invalidate lock of its mapping is held. May sleep.
    fn truncate(inode: &Locked<'_, Self>) -> Result;

    /// Whether direct I/O goes by way of private pages: the device needs what it transfers to stay as it is.
    fn bounces(inode: &INode<Self>) -> bool;

    /// Says that this can't be a swap file.
    fn refuse_swap(inode: &INode<Self>);

    /// Somebody who could write to it has closed it. May sleep.
    fn closed(inode: &INode<Self>);

    /// Discards what is free between `start` and `end`, in pieces of at least `min` bytes. Returns how
    /// many bytes that was. May sleep.
    fn trim(sb: &SuperBlock<Self>, start: u64, end: u64, min: u64) -> Result<u64>;
}

pub(super) struct Tables<T>(T);

impl<T: FileSystem> Tables<T> {
    pub(super) const FILE: &'static bindings::file_operations = &bindings::file_operations {
        owner: (&raw const bindings::__this_module).cast_mut(),
        fop_flags: bindings::FOP_BUFFER_RASYNC
            | bindings::FOP_BUFFER_WASYNC
            | bindings::FOP_DIO_PARALLEL_WRITE,
        llseek: Some(llseek::<T>),
        read_iter: Some(read_iter::<T>),
        write_iter: Some(write_iter::<T>),
        unlocked_ioctl: Some(ioctl::<T>),
        compat_ioctl: bindings::compat_ptr_ioctl,
        mmap_prepare: Some(mmap_prepare::<T>),
        open: Some(open),
        release: Some(release::<T>),
        fsync: Some(fsync::<T>),
        get_unmapped_area: Some(bindings::thp_get_unmapped_area),
        splice_read: Some(bindings::filemap_splice_read),
        splice_write: Some(bindings::iter_file_splice_write),
        setlease: Some(bindings::generic_setlease),
        ..pin_init::zeroed()
    };

    const VM: &'static bindings::vm_operations_struct = &bindings::vm_operations_struct {
        fault: Some(bindings::filemap_fault),
        map_pages: Some(bindings::filemap_map_pages),
        page_mkwrite: Some(page_mkwrite::<T>),
        ..pin_init::zeroed()
    };

    const DIRECT: &'static bindings::iomap_dio_ops = &bindings::iomap_dio_ops {
        end_io: Some(direct_write_end::<T>),
        submit_io: None,
        bio_set: ptr::null_mut(),
    };
}

/// # Safety
///
/// `file` is an open file of a filesystem of type `T`, for `'a`.
unsafe fn inode_of<'a, T: Type>(file: *mut bindings::file) -> &'a INode<T> {
    // SAFETY: As the caller says.
    unsafe { INode::from_raw((*file).f_inode) }
}

/// `open` of `struct file_operations`.
///
/// # Safety
///
/// The VFS calls this with a live inode and a file of it that is being opened: nobody else has it yet.
unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: Both are live, and nobody else has the file yet.
    unsafe {
        (*file).f_mode |= bindings::FMODE_NOWAIT | bindings::FMODE_CAN_ODIRECT;
        bindings::generic_file_open(inode, file)
    }
}

/// `fsync` of `struct file_operations`.
///
/// # Safety
///
/// The VFS calls this with an open regular file of a filesystem of type `T`.
unsafe extern "C" fn fsync<T: FileSystem>(
    file: *mut bindings::file,
    start: bindings::loff_t,
    end: bindings::loff_t,
    datasync: c_int,
) -> c_int {
    // SAFETY: An open file of this filesystem. An error is told once, by whichever meets it.
    unsafe {
        let written = bindings::file_write_and_wait_range(file, start, end);
        let range = start.unsigned_abs()..end.unsigned_abs().saturating_add(1);
        inode_of::<T>(file).flights().hold().wait(&range);
        if written != 0 {
            return written;
        }
        bindings::simple_fsync(file, start, end, datasync)
    }
}

/// `release` of `struct file_operations`.
///
/// # Safety
///
/// The VFS calls this with a file of a live inode of a filesystem of type `T`, when nobody else has the
/// file any more.
unsafe extern "C" fn release<T: FileSystem>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: Both are live.
    unsafe {
        if (*file).f_mode & bindings::FMODE_WRITE != 0 {
            T::closed(INode::<T>::from_raw(inode));
        }
    }
    0
}

/// `llseek` of `struct file_operations`.
///
/// # Safety
///
/// The VFS calls this with an open regular file of a filesystem of type `T`.
unsafe extern "C" fn llseek<T: FileSystem>(
    file: *mut bindings::file,
    offset: bindings::loff_t,
    whence: c_int,
) -> bindings::loff_t {
    // SAFETY: An open file of this filesystem.
    let inode = unsafe { inode_of::<T>(file) };
    let seek = match whence as u32 {
        bindings::SEEK_HOLE => bindings::iomap_seek_hole,
        bindings::SEEK_DATA => bindings::iomap_seek_data,
        // SAFETY: As above.
        _ => return unsafe { bindings::generic_file_llseek(file, offset, whence) },
    };
    let Ok(_lock) = SharedGuard::new(inode, false) else {
        return EAGAIN.to_errno().into();
    };
    // SAFETY: The inode is live and locked for reading; the file is open.
    unsafe {
        let found = seek(inode.as_ptr(), offset, iomap::Tables::<T>::OPERATIONS);
        if found < 0 {
            return found;
        }
        bindings::vfs_setpos(file, found, (*inode.sb().as_ptr()).s_maxbytes)
    }
}

/// `read_iter` of `struct file_operations`.
///
/// # Safety
///
/// Whoever reads calls this with an iocb of an open regular file of a filesystem of type `T`, and a
/// place for the data; both are the call's. The inode isn't locked by the caller.
unsafe extern "C" fn read_iter<T: FileSystem>(
    iocb: *mut bindings::kiocb,
    to: *mut bindings::iov_iter,
) -> isize {
    // SAFETY: The call's own; the file is one of this filesystem.
    let (inode, flags) = unsafe { (inode_of::<T>((*iocb).ki_filp), (*iocb).ki_flags as u32) };
    let nowait = flags & bindings::IOCB_NOWAIT as u32 != 0;
    if flags & bindings::IOCB_DIRECT == 0 {
        // SAFETY: As above.
        let result = unsafe { bindings::generic_file_read_iter(iocb, to) };
        if result == EIO.to_errno() as isize {
            // SAFETY: As above; it failed, so the iocb is still the caller's.
            let position = unsafe { (*iocb).ki_pos };
            // The page cache says this of whatever went wrong. If it was the mapping, that knows better.
            if let Err(error) = T::map(inode, position.unsigned_abs(), 1, Intent::Look, nowait) {
                return error.to_errno() as isize;
            }
        }
        return result;
    }
    let _lock = match SharedGuard::new(inode, nowait) {
        Ok(lock) => lock,
        Err(error) => return error.to_errno() as isize,
    };
    // SAFETY: As above.
    unsafe {
        bindings::storage_file_accessed((*iocb).ki_filp);
        let _hold = match before_direct(inode, iocb, to, nowait) {
            Ok(hold) => hold,
            Err(error) => return error.to_errno() as isize,
        };
        let bounce = T::bounces(inode);
        bindings::iomap_dio_rw(
            iocb,
            to,
            iomap::Tables::<T>::OPERATIONS,
            if bounce {
                T::copies(inode.sb()).read_operations()
            } else {
                ptr::null()
            },
            if bounce {
                bindings::IOMAP_DIO_BOUNCE
            } else {
                0
            },
            ptr::null_mut(),
            0,
        )
    }
}

/// What was written through the page cache is on the device, and stays so while the result lives, as far
/// as nobody writes there meanwhile.
///
/// # Safety
///
/// `iocb` is of a file of `inode`, and `data` goes with it.
unsafe fn before_direct<'a, T: Type>(
    inode: &'a INode<T>,
    iocb: *const bindings::kiocb,
    data: *const bindings::iov_iter,
    nowait: bool,
) -> Result<Hold<'a>> {
    // What is under writeback now may yet begin its way, and nothing else: first that, then this.
    let hold = inode.flights().hold();
    // SAFETY: As the caller says.
    let range = unsafe { range_of(iocb, data) };
    let (start, last) = (range.start as i64, range.end.saturating_sub(1) as i64);
    // SAFETY: The mapping is a live inode's.
    unsafe {
        if nowait {
            let busy =
                bindings::storage_filemap_range_needs_writeback(inode.mapping(), start, last);
            if busy || inode.flights().overlaps(&range) {
                return Err(EAGAIN);
            }
            return Ok(hold);
        }
        to_result(bindings::filemap_write_and_wait_range(
            inode.mapping(),
            start,
            last,
        ))?;
    }
    inode.flights().wait(&range);
    Ok(hold)
}

/// A negative result is an errno.
fn count(result: isize) -> Result<isize> {
    if result < 0 {
        to_result(result as c_int)?;
    }
    Ok(result)
}

/// `write_iter` of `struct file_operations`.
///
/// # Safety
///
/// Whoever writes calls this with an iocb of an open regular file of a filesystem of type `T`, and
/// data; both are the call's. The inode isn't locked by the caller.
unsafe extern "C" fn write_iter<T: FileSystem>(
    iocb: *mut bindings::kiocb,
    from: *mut bindings::iov_iter,
) -> isize {
    // SAFETY: The call's own; the file is one of this filesystem.
    let written = match unsafe { write::<T>(iocb, from) } {
        Ok(written) => written,
        Err(error) => return error.to_errno() as isize,
    };
    // SAFETY: As above, and the write has ended. Nothing is locked any more.
    unsafe {
        // iomap has done that for what went past the page cache.
        let direct = (*iocb).ki_flags & bindings::IOCB_DIRECT as c_int != 0;
        if written > 0 && !direct {
            bindings::storage_generic_write_sync(iocb, written)
        } else {
            written
        }
    }
}

/// # Safety
///
/// As for `write_iter`.
unsafe fn write<T: FileSystem>(
    iocb: *mut bindings::kiocb,
    from: *mut bindings::iov_iter,
) -> Result<isize> {
    // SAFETY: As the caller says.
    let (inode, flags) = unsafe { (inode_of::<T>((*iocb).ki_filp), (*iocb).ki_flags as u32) };
    let nowait = flags & bindings::IOCB_NOWAIT as u32 != 0;
    if flags & bindings::IOCB_DIRECT != 0 {
        // SAFETY: As the caller says.
        match unsafe { overwrite::<T>(inode, iocb, from, nowait)? } {
            0 => {}
            written => return Ok(written),
        }
    }
    let lock = Guard::new(inode, nowait)?;
    // SAFETY: As the caller says, and the inode is locked.
    unsafe {
        if count(bindings::generic_write_checks(iocb, from))? == 0 {
            return Ok(0);
        }
        if nowait && (*iocb).ki_pos.unsigned_abs() > inode.size() {
            // What is between has to be zeroed, which may wait.
            return Err(EAGAIN);
        }
        to_result(bindings::kiocb_modified(iocb))?;
        if flags & bindings::IOCB_DIRECT != 0 {
            write_direct::<T>(&lock, iocb, from)
        } else {
            write_buffered::<T>(&lock, iocb, from)
        }
    }
}

/// # Safety
///
/// As for `write_iter`, with the inode of the file locked.
unsafe fn write_buffered<T: FileSystem>(
    inode: &Locked<'_, T>,
    iocb: *mut bindings::kiocb,
    from: *mut bindings::iov_iter,
) -> Result<isize> {
    let before = inode.size();
    // SAFETY: As the caller says.
    unsafe {
        let position = (*iocb).ki_pos.unsigned_abs();
        if position > before {
            // Who mapped the file may have written behind its end, in the last block.
            zero(inode, before, position)?;
        }
        let written = bindings::iomap_file_buffered_write(
            iocb,
            from,
            iomap::Tables::<T>::OPERATIONS,
            iomap::Tables::<T>::WRITE,
            ptr::null_mut(),
        );
        if inode.size() != before {
            inode.mark_dirty();
        }
        count(written)
    }
}

/// Zeroes the rest of the block that the file ends in, at `start`, as far as `end`: who mapped the file may
/// have written there. What is behind that block is a hole, or damage, and iomap warns of folios that are
/// dirty behind the end.
fn zero<T: FileSystem>(inode: &Locked<'_, T>, start: u64, end: u64) -> Result {
    // SAFETY: The superblock is live, and this doesn't change.
    let shift = unsafe { (*inode.sb().as_ptr()).s_blocksize_bits };
    let end = end.min(start.saturating_add((1 << shift) - 1) >> shift << shift);
    if end <= start {
        return Ok(());
    }
    // SAFETY: The inode is live and locked. What is behind the size is no data yet.
    to_result(unsafe {
        bindings::iomap_zero_range(
            inode.as_ptr(),
            start as i64,
            end.saturating_sub(start) as i64,
            ptr::null_mut(),
            iomap::Tables::<T>::OPERATIONS,
            iomap::Tables::<T>::WRITE,
            ptr::null_mut(),
        )
    })
}

/// Writes directly to blocks that the file has, beside others who do the same: nothing changes but their content.
/// Returns 0 if that is not all that the write does, or it can't be done past the page cache: then nothing was
/// written, and all of it can be done again.
///
/// # Safety
///
/// As for `write_iter`.
unsafe fn overwrite<T: FileSystem>(
    inode: &INode<T>,
    iocb: *mut bindings::kiocb,
    from: *mut bindings::iov_iter,
    nowait: bool,
) -> Result<isize> {
    // What it says is firm only while the inode is locked.
    let may_be = || {
        // SAFETY: As the caller says.
        let range = unsafe { range_of(iocb, from) };
        let inside = !range.is_empty() && range.end <= inode.size();
        (inside && is_whole_blocks(inode, &range) && inode.is_nosec()).then_some(range)
    };
    // SAFETY: As the caller says.
    let appends = unsafe { (*iocb).ki_flags & bindings::IOCB_APPEND != 0 };
    if appends || may_be().is_none() {
        return Ok(0);
    }
    let _lock = SharedGuard::new(inode, nowait)?;
    // SAFETY: As the caller says. The size is taken with the inode locked.
    if count(unsafe { bindings::generic_write_checks(iocb, from) })? == 0 {
        return Ok(0);
    }
    // There may be less to write, by a limit.
    let Some(range) = may_be() else {
        return Ok(0);
    };
    if !is_mapped(inode, range, nowait)? {
        return Ok(0);
    }
    // SAFETY: As the caller says. The inode is locked, if only for reading: there are no privileges to take away,
    // and who gives it some has to lock it for writing. All of the range was seen to be mapped since.
    unsafe {
        to_result(bindings::kiocb_modified(iocb))?;
        count(transfer_direct::<T>(
            inode,
            iocb,
            from,
            bindings::IOMAP_DIO_OVERWRITE_ONLY,
        )?)
    }
}

/// Whether all of a range has blocks. They stay while the inode is locked, and until what was begun with the lock has
/// ended: who takes blocks away locks it for writing, and waits for that.
fn is_mapped<T: FileSystem>(inode: &INode<T>, range: Range<u64>, nowait: bool) -> Result<bool> {
    let mut at = range.start;
    while at < range.end {
        let mapping = T::map(inode, at, range.end - at, Intent::Look, nowait)?;
        if !matches!(mapping.kind, Kind::Mapped(_)) {
            return Ok(false);
        }
        at = mapping.end(at)?;
    }
    Ok(true)
}

/// The bytes of the file that are written or read.
///
/// # Safety
///
/// Both are the caller's.
unsafe fn range_of(iocb: *const bindings::kiocb, data: *const bindings::iov_iter) -> Range<u64> {
    // SAFETY: As the caller says.
    unsafe {
        let start = (*iocb).ki_pos.unsigned_abs();
        start..start.saturating_add(bindings::storage_iov_iter_count(data) as u64)
    }
}

/// Whether a range begins and ends with a block.
fn is_whole_blocks<T: Type>(inode: &INode<T>, range: &Range<u64>) -> bool {
    // SAFETY: The superblock is live, and this doesn't change.
    let block = unsafe { (*inode.sb().as_ptr()).s_blocksize as u64 };
    (range.start | range.end) & (block - 1) == 0
}

/// Has the device write or begin to write what `from` has, after all that the page cache has of it. Returns how much
/// that is, 0 if it can't be done past the page cache, or an errno.
///
/// # Safety
///
/// As for `write_iter`, with the inode locked for writing; or for reading, if `flags` have `IOMAP_DIO_OVERWRITE_ONLY`,
/// and all that is written is mapped.
unsafe fn transfer_direct<T: FileSystem>(
    inode: &INode<T>,
    iocb: *mut bindings::kiocb,
    from: *mut bindings::iov_iter,
    mut flags: c_uint,
) -> Result<isize> {
    if T::bounces(inode) {
        flags |= bindings::IOMAP_DIO_BOUNCE;
    }
    // SAFETY: As the caller says.
    let done = unsafe {
        let nowait = (*iocb).ki_flags & bindings::IOCB_NOWAIT != 0;
        let _hold = before_direct(inode, iocb, from, nowait)?;
        bindings::iomap_dio_rw(
            iocb,
            from,
            iomap::Tables::<T>::OPERATIONS,
            Tables::<T>::DIRECT,
            flags,
            ptr::null_mut(),
            0,
        )
    };
    Ok(if done == ENOTBLK.to_errno() as isize {
        0
    } else {
        done
    })
}

/// # Safety
///
/// As for `write_buffered`.
unsafe fn write_direct<T: FileSystem>(
    inode: &Locked<'_, T>,
    iocb: *mut bindings::kiocb,
    from: *mut bindings::iov_iter,
) -> Result<isize> {
    // SAFETY: As the caller says.
    unsafe {
        let range = range_of(iocb, from);
        let before = inode.size();
        if range.start > before {
            zero(inode, before, range.start)?;
        }
        // Others may not see the end of the file before the data is there.
        let flags = if range.end > before || !is_whole_blocks(inode, &range) {
            bindings::IOMAP_DIO_FORCE_WAIT
        } else {
            0
        };
        let done = transfer_direct::<T>(inode, iocb, from, flags)?;
        if range.end > before && done != EIOCBQUEUED.to_errno() as isize {
            // Blocks behind the end that nothing was written to. What was written counts, whatever
            // comes of that.
            bindings::storage_filemap_invalidate_lock(inode.mapping());
            let _ = T::truncate(inode);
            bindings::storage_filemap_invalidate_unlock(inode.mapping());
        }
        count(done)?;
        if bindings::storage_iov_iter_count(from) == 0 {
            return Ok(done);
        }
        // The rest goes through the page cache, and is on the device as well on return.
        let rest = (*iocb).ki_pos;
        (*iocb).ki_flags &= !(bindings::IOCB_DIRECT as c_int);
        let buffered = write_buffered(inode, iocb, from);
        let buffered = match buffered {
            Ok(buffered) => buffered,
            Err(_) if done > 0 => return Ok(done),
            Err(error) => return Err(error),
        };
        let last = rest + buffered as i64 - 1;
        to_result(bindings::filemap_write_and_wait_range(
            inode.mapping(),
            rest,
            last,
        ))?;
        inode
            .flights()
            .wait(&(rest.unsigned_abs()..last.unsigned_abs() + 1));
        let page = |position: i64| (position >> bindings::PAGE_SHIFT) as c_ulong;
        bindings::invalidate_mapping_pages(inode.mapping(), page(rest), page(last));
        Ok(done + buffered)
    }
}

/// `end_io` of `struct iomap_dio_ops`.
///
/// # Safety
///
/// iomap calls this once for a write that `transfer_direct::<T>` started, with its iocb. The file is open,
/// and `inode_dio_wait()` still waits for the write.
unsafe extern "C" fn direct_write_end<T: FileSystem>(
    iocb: *mut bindings::kiocb,
    written: isize,
    error: c_int,
    _flags: c_uint,
) -> c_int {
    if error == 0 && written > 0 {
        // SAFETY: The call's own. A write that makes the file longer is waited for with the inode locked for writing.
        unsafe {
            let inode = inode_of::<T>((*iocb).ki_filp);
            let end = (*iocb).ki_pos + written as i64;
            if end.unsigned_abs() > inode.size() {
                bindings::storage_i_size_write(inode.as_ptr(), end);
                inode.mark_dirty();
            }
        }
    }
    error
}

/// `mmap_prepare` of `struct file_operations`.
///
/// # Safety
///
/// The VFS calls this for an open regular file of a filesystem of type `T` that is to be mapped; `desc`
/// is nobody else's.
unsafe extern "C" fn mmap_prepare<T: FileSystem>(desc: *mut bindings::vm_area_desc) -> c_int {
    // SAFETY: The call's own; the file is one of this filesystem.
    unsafe {
        let result = bindings::generic_file_mmap_prepare(desc);
        if result == 0 {
            (*desc).vm_ops = Tables::<T>::VM;
        }
        result
    }
}

/// `page_mkwrite` of `struct vm_operations_struct`.
///
/// # Safety
///
/// The memory management calls this for a fault in a mapping that `mmap_prepare::<T>` prepared. The
/// mapping, its file and the page of `fault` stay for the call.
unsafe extern "C" fn page_mkwrite<T: FileSystem>(
    fault: *mut bindings::vm_fault,
) -> bindings::vm_fault_t {
    // SAFETY: The fault is of a mapping of an open file of this filesystem.
    unsafe {
        let file = (*(*fault).__bindgen_anon_1.vma).vm_file;
        let inode = inode_of::<T>(file);
        let sb = inode.sb().as_ptr();
        bindings::storage_sb_start_pagefault(sb);
        bindings::file_update_time(file);
        bindings::storage_filemap_invalidate_lock_shared(inode.mapping());
        let mut result =
            bindings::iomap_page_mkwrite(fault, iomap::Tables::<T>::OPERATIONS, ptr::null_mut());
        if result & bindings::vm_fault_reason_VM_FAULT_LOCKED != 0 {
            let folio = bindings::storage_page_folio((*fault).page);
            if T::before_write(inode, &LockedFolio::from_raw(folio), false).is_err() {
                bindings::folio_unlock(folio);
                result = bindings::vm_fault_reason_VM_FAULT_SIGBUS;
            }
        }
        bindings::storage_filemap_invalidate_unlock_shared(inode.mapping());
        bindings::storage_sb_end_pagefault(sb);
        result
    }
}

/// Makes a regular file longer or shorter. May sleep.
pub(super) fn set_size<T: FileSystem>(inode: &Locked<'_, T>, size: i64) -> Result {
    if !inode.is_regular() {
        return Err(EINVAL);
    }
    let before = inode.size();
    let after = size.unsigned_abs();
    // SAFETY: The inode is live and locked.
    unsafe {
        bindings::inode_dio_wait(inode.as_ptr());
        bindings::storage_filemap_invalidate_lock(inode.mapping());
    }
    let result = if after > before {
        zero(inode, before, after)
    } else {
        // SAFETY: As above.
        to_result(unsafe {
            bindings::iomap_truncate_page(
                inode.as_ptr(),
                size,
                ptr::null_mut(),
                iomap::Tables::<T>::OPERATIONS,
                iomap::Tables::<T>::WRITE,
                ptr::null_mut(),
            )
        })
    };
    let result = result.and_then(|()| {
        // SAFETY: As above, with the invalidate lock held.
        unsafe { bindings::truncate_setsize(inode.as_ptr(), size) };
        // Those blocks may be somebody else's soon.
        inode.flights().wait(&(after..u64::MAX));
        T::truncate(inode)
    });
    // SAFETY: Locked above.
    unsafe { bindings::storage_filemap_invalidate_unlock(inode.mapping()) };
    result
}

/// `fiemap` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS calls this with a live inode of a regular file of a filesystem of type `T`, which isn't
/// locked; `info` is nobody else's.
pub(super) unsafe extern "C" fn fiemap<T: FileSystem>(
    inode: *mut bindings::inode,
    info: *mut kernel::bindings::fiemap_extent_info,
    start: u64,
    len: u64,
) -> c_int {
    from_result(|| {
        // SAFETY: A live inode of this filesystem.
        let inode = unsafe { INode::<T>::from_raw(inode) };
        let _lock = SharedGuard::new(inode, false)?;
        // SAFETY: As above; `info` is the caller's.
        to_result(unsafe {
            bindings::iomap_fiemap(
                inode.as_ptr(),
                info.cast(),
                start,
                len,
                iomap::Tables::<T>::OPERATIONS,
            )
        })?;
        Ok(0)
    })
}

/// C: `struct fstrim_range`.
const FITRIM: u32 = _IOWR::<[u64; 3]>(b'X' as u32, 121);
/// C: `FS_IOC_GETVERSION`.
const GETVERSION: u32 = _IOR::<c_long>(b'v' as u32, 1);

/// `unlocked_ioctl` of `struct file_operations`.
///
/// # Safety
///
/// The VFS calls this with an open file or directory of a filesystem of type `T`; `argument` is what
/// user space passed.
pub(super) unsafe extern "C" fn ioctl<T: FileSystem>(
    file: *mut bindings::file,
    command: c_uint,
    argument: c_ulong,
) -> c_long {
    // SAFETY: An open file or directory of this filesystem.
    let inode = unsafe { inode_of::<T>(file) };
    let argument = UserPtr::from_addr(argument);
    let result = match command {
        FITRIM => trim::<T>(inode, argument),
        GETVERSION => UserSlice::new(argument, size_of::<c_int>())
            .writer()
            .write(&inode.generation()),
        _ => Err(ENOTTY),
    };
    match result {
        Ok(()) => 0,
        Err(error) => error.to_errno() as c_long,
    }
}

fn trim<T: FileSystem>(inode: &INode<T>, argument: UserPtr) -> Result {
    // SAFETY: Any context of a thread.
    if !unsafe { bindings::capable(bindings::CAP_SYS_ADMIN as c_int) } {
        return Err(EPERM);
    }
    let sb = inode.sb();
    if !sb.can_discard() {
        return Err(EOPNOTSUPP);
    }
    let (mut reader, mut writer) = UserSlice::new(argument, size_of::<[u64; 3]>()).reader_writer();
    let [start, len, min]: [u64; 3] = reader.read()?;
    let trimmed = T::trim(sb, start, start.saturating_add(len), min)?;
    writer.write(&[start, trimmed, min])
}
