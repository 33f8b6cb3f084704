// SPDX-License-Identifier: GPL-2.0

//! Where the data of a file is on the device.
//!
//! A block of a file gets its place while the folio around it is locked, and not before: so nobody can
//! read a block that has a place and no content. A write to a hole is first told that it is *delayed*;
//! when the folio is locked, [`Operations::allocate`] is called for the part that lies in it. What was
//! not written after all is taken back, still under that lock, by [`Operations::written`]. A fault of
//! a mapping asks with the folio locked. Direct I/O gets new blocks behind the end of the file only,
//! where nobody reads.
//!
//! Between the calls, a mapping is known by its [`cookie`](Mapping::cookie): the filesystem changes the
//! number whenever it changes where a file's blocks are, and a mapping with another one is asked for
//! again.
//!
//! C header: [`include/linux/iomap.h`](srctree/include/linux/iomap.h)

use super::{
    folio::LockedFolio,
    inode::INode,
    sb::SuperBlock,
    snapshot,
    writeback::{Cycle, Treatment},
    FileSystem, Type,
};
use crate::bindings;
use core::ops::Range;
use kernel::{
    error::{from_result, to_result},
    prelude::*,
};

/// What is at a place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it reads as zero.
    Hole,
    /// Nothing yet: it gets blocks when the folio is locked.
    Delayed,
    /// It is at this place on the device, in bytes.
    Mapped(u64),
}

/// A part of a file that lies in one piece.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// Where in the file, in bytes; a multiple of the block size, not behind what was asked for.
    pub offset: u64,
    /// In bytes; a multiple of the block size, and such that what was asked for is in it.
    pub length: u64,
    /// See [`Kind`].
    pub kind: Kind,
    /// The blocks were free until now: what isn't written must be zeroed.
    pub new: bool,
    /// See the module.
    pub cookie: u64,
}

impl Mapping {
    /// Where it ends. `EUCLEAN` if `pos` is not in it, or no file is as long.
    pub(super) fn end(&self, pos: u64) -> Result<u64> {
        self.offset
            .checked_add(self.length)
            .filter(|end| i64::try_from(*end).is_ok() && (self.offset..*end).contains(&pos))
            .ok_or(EUCLEAN)
    }
}

/// What a mapping is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// To look: nothing is allocated.
    Look,
    /// A write that goes through the page cache: holes become [`Kind::Delayed`].
    Write,
    /// A fault of a mapping, with the folio locked: holes get blocks.
    Fault,
    /// Writeback, with the folio locked: holes get blocks, since nobody can be told that there is no
    /// room. There shouldn't be any.
    Writeback,
    /// Direct I/O: holes behind the end of the file get blocks; others stay holes.
    Direct,
}

/// Where the data of files is. All may sleep, in a folio's lock: memory is allocated without calling
/// into filesystems.
pub trait Operations: Type {
    /// The part of the file around `pos`, up to `len` bytes (in whole blocks). `EAGAIN` if that would
    /// wait and `nowait` says that it may not.
    fn map(
        inode: &INode<Self>,
        pos: u64,
        len: u64,
        intent: Intent,
        nowait: bool,
    ) -> Result<Mapping>;

    /// The present cookie.
    fn cookie(inode: &INode<Self>) -> u64;

    /// Gives blocks to the holes between `pos` and `end`, which a locked folio covers, and returns the
    /// new cookie; `None` if `cookie` is not the present one, nor stands for the same as that since nothing
    /// was [written](Self::written). `i_rwsem` is held for writing. Either all or none get blocks.
    fn allocate(
        inode: &INode<Self>,
        pos: u64,
        end: u64,
        cookie: u64,
        nowait: bool,
    ) -> Result<Option<u64>>;

    /// Of what the last [`allocate`](Self::allocate) gave blocks, the file has content up to `end` (0 if
    /// nothing was written): the rest is a hole again. The folio is still locked. The writer may try once
    /// more with less, and the same cookie.
    fn written(inode: &INode<Self>, end: u64);

    /// Somebody is about to write to this folio, who may have to wait: this is where pages are kept
    /// stable. `EAGAIN` if it would have to wait and `nowait` says that it may not.
    fn before_write(inode: &INode<Self>, folio: &LockedFolio<'_>, nowait: bool) -> Result;

    /// As large as a folio may be that somebody is about to write to, in bytes. A page is allowed always.
    fn largest_folio(inode: &INode<Self>) -> usize;

    /// How a folio is written to the device this time. Asked once each time.
    fn treat(inode: &INode<Self>, cycle: &Cycle<'_>) -> Treatment;

    /// So many bytes of the folio that was asked about last are on their way: those that were dirty. The folio is
    /// still locked.
    fn sent(inode: &INode<Self>, folio: &LockedFolio<'_>, bytes: u64);

    /// Whether [`treat`](Self::treat) may say [`Treatment::Detached`] now. If it does nevertheless, what is under
    /// writeback may have to wait for the device before it is copied.
    fn detaches(sb: &SuperBlock<Self>) -> bool;

    /// Is told of the copies of a filesystem.
    type Observer: snapshot::Observer;

    /// Where the copies come from.
    fn copies(sb: &SuperBlock<Self>) -> &snapshot::Pool<Self::Observer>;

    /// So many bytes go to the device, in one bio.
    fn submitted(inode: &INode<Self>, bytes: u32);
}

pub(super) struct Tables<T>(T);

impl<T: FileSystem> Tables<T> {
    pub(super) const OPERATIONS: &'static bindings::iomap_ops = &bindings::iomap_ops {
        iomap_begin: Some(begin::<T>),
        iomap_end: None,
        iomap_next: None,
    };

    pub(super) const WRITE: &'static bindings::iomap_write_ops = &bindings::iomap_write_ops {
        get_folio: Some(get_folio::<T>),
        put_folio: Some(put_folio::<T>),
        iomap_valid: Some(valid::<T>),
        read_folio_range: None,
    };
}

/// Writes a mapping as C has it. `EUCLEAN` if `pos` is not in it, or it leads past the end of the device.
///
/// # Safety
///
/// `iomap` can be written.
pub(super) unsafe fn fill<T: Type>(
    inode: &INode<T>,
    pos: u64,
    mapping: &Mapping,
    iomap: *mut bindings::iomap,
) -> Result {
    mapping.end(pos)?;
    let fits = match mapping.kind {
        Kind::Mapped(addr) => addr
            .checked_add(mapping.length)
            .is_some_and(|end| end <= inode.sb().device_bytes()),
        Kind::Hole | Kind::Delayed => true,
    };
    if !fits {
        return Err(EUCLEAN);
    }
    let (kind, addr) = match mapping.kind {
        Kind::Hole => (bindings::IOMAP_HOLE, u64::MAX),
        Kind::Delayed => (bindings::IOMAP_DELALLOC, u64::MAX),
        Kind::Mapped(addr) => (bindings::IOMAP_MAPPED, addr),
    };
    let new = mapping.new || mapping.kind == Kind::Delayed;
    // SAFETY: As the caller says.
    unsafe {
        (*iomap).type_ = kind as u16;
        (*iomap).addr = addr;
        (*iomap).offset = mapping.offset as i64;
        (*iomap).length = mapping.length;
        (*iomap).flags = bindings::IOMAP_F_MERGED as u16;
        if new {
            (*iomap).flags |= bindings::IOMAP_F_NEW as u16;
        }
        (*iomap).bdev = inode.sb().bdev();
        (*iomap).validity_cookie = mapping.cookie;
    }
    Ok(())
}

/// The device has what was written to `range` before. `EAGAIN` instead of waiting if `nowait`.
fn wait_for_flights<T: Type>(inode: &INode<T>, range: &Range<u64>, nowait: bool) -> Result {
    if nowait && inode.flights().overlaps(range) {
        return Err(EAGAIN);
    }
    inode.flights().wait(range);
    Ok(())
}

/// The device has what the pages of `range` have, all of which has a place. A fault may have given it that a moment
/// ago, in place of a hole: then the device has what was there before, until the page is written. Who fills a hole
/// holds the invalidate lock until the folio is dirty. `EAGAIN` instead of waiting if `nowait`.
fn settle<T: Type>(inode: &INode<T>, range: &Range<u64>, nowait: bool) -> Result {
    let (first, last) = (range.start as i64, range.end.saturating_sub(1) as i64);
    let mapping = inode.mapping();
    // SAFETY: The mapping is a live inode's. Who reads directly holds the inode's lock at most, which comes first.
    unsafe {
        if !bindings::filemap_range_has_page(mapping, first, last) {
            return Ok(());
        }
        if nowait {
            return Err(EAGAIN);
        }
        bindings::storage_filemap_invalidate_lock(mapping);
        bindings::storage_filemap_invalidate_unlock(mapping);
        to_result(bindings::filemap_write_and_wait_range(mapping, first, last))
    }
}

/// `iomap_begin` of `struct iomap_ops`.
///
/// # Safety
///
/// iomap calls this with a live inode of a filesystem of type `T`; `iomap` is nobody else's.
unsafe extern "C" fn begin<T: FileSystem>(
    inode: *mut bindings::inode,
    pos: bindings::loff_t,
    length: bindings::loff_t,
    flags: c_uint,
    iomap: *mut bindings::iomap,
    _source: *mut bindings::iomap,
) -> c_int {
    from_result(|| {
        // SAFETY: A live inode of this filesystem.
        let inode = unsafe { INode::<T>::from_raw(inode) };
        let direct = flags & bindings::IOMAP_DIRECT != 0;
        let write = flags & bindings::IOMAP_WRITE != 0;
        let overwrite = flags & bindings::IOMAP_OVERWRITE_ONLY != 0;
        let intent = if !write || overwrite {
            Intent::Look
        } else if direct {
            Intent::Direct
        } else if flags & bindings::IOMAP_FAULT != 0 {
            Intent::Fault
        } else {
            Intent::Write
        };
        let nowait = flags & bindings::IOMAP_NOWAIT != 0;
        let mapping = T::map(
            inode,
            pos.unsigned_abs(),
            length.unsigned_abs(),
            intent,
            nowait,
        )?;
        let is_read = !write && flags & bindings::IOMAP_REPORT == 0;
        if is_read && matches!(mapping.kind, Kind::Mapped(_)) {
            // It is going to be read from the device.
            let end = pos.saturating_add(length).unsigned_abs();
            let range = pos.unsigned_abs()..end.min(mapping.offset.saturating_add(mapping.length));
            if direct {
                settle(inode, &range, nowait)?;
            }
            wait_for_flights(inode, &range, nowait)?;
        }
        if write && direct && mapping.kind == Kind::Hole {
            // A write to a hole goes through the page cache, see the module. There was none if it overwrites.
            return Err(if overwrite { EIO } else { ENOTBLK });
        }
        // SAFETY: The caller's.
        unsafe {
            fill(inode, pos.unsigned_abs(), &mapping, iomap)?;
            if direct {
                // No FUA in place of a flush: the inode may have to be written too.
                (*iomap).flags |= bindings::IOMAP_F_DIRTY as u16;
            }
        }
        Ok(0)
    })
}

/// `get_folio` of `struct iomap_write_ops`.
///
/// # Safety
///
/// iomap calls this with an iteration over a live inode of a filesystem of type `T`, which is locked
/// for writing; nobody else uses the iteration meanwhile.
unsafe extern "C" fn get_folio<T: FileSystem>(
    iter: *mut bindings::iomap_iter,
    pos: bindings::loff_t,
    len: c_uint,
) -> *mut bindings::folio {
    // SAFETY: The caller's.
    let folio = unsafe { folio_of_size::<T>(iter, pos, len as usize) };
    if kernel::error::from_err_ptr(folio).is_err() {
        return folio;
    }
    // SAFETY: The folio is returned locked, with a reference; the iteration is the caller's.
    let result = unsafe {
        prepare::<T>(
            &mut *iter,
            &LockedFolio::from_raw(folio),
            pos.unsigned_abs(),
            len.into(),
        )
    };
    match result {
        Ok(()) => folio,
        Err(error) => {
            // SAFETY: Locked and with a reference, see above.
            unsafe {
                bindings::folio_unlock(folio);
                bindings::storage_folio_put(folio);
            }
            error.to_ptr()
        }
    }
}

/// The folio at `pos`, locked and with a reference, or an error. One that is larger than the filesystem wants
/// to have now is given up for smaller ones, if it can be.
///
/// # Safety
///
/// As for `get_folio`.
unsafe fn folio_of_size<T: FileSystem>(
    iter: *mut bindings::iomap_iter,
    pos: bindings::loff_t,
    len: usize,
) -> *mut bindings::folio {
    // SAFETY: The inode of the caller's iteration is a live one of this filesystem.
    let inode = unsafe { INode::<T>::from_raw((*iter).inode) };
    let largest = T::largest_folio(inode).max(bindings::PAGE_SIZE);
    // The length is taken for the size of a new folio, and for nothing else.
    let len = len.min(largest);
    // SAFETY: The caller's.
    let folio = unsafe { bindings::iomap_get_folio(iter, pos, len) };
    if kernel::error::from_err_ptr(folio).is_err() {
        return folio;
    }
    // SAFETY: It is returned locked, with a reference.
    let locked = unsafe { LockedFolio::from_raw(folio) };
    let range = locked.range();
    if range.end - range.start <= largest as u64 || !locked.is_idle() {
        return folio;
    }
    let page = |at: u64| (at >> bindings::PAGE_SHIFT) as c_ulong;
    // SAFETY: Locked and with a reference, which are given up. invalidate_mapping_pages() wants no lock, and
    // leaves alone what has become dirty, locked or mapped meanwhile.
    unsafe {
        bindings::folio_unlock(folio);
        bindings::storage_folio_put(folio);
        bindings::invalidate_mapping_pages(inode.mapping(), page(range.start), page(range.end - 1));
        bindings::iomap_get_folio(iter, pos, len)
    }
}

/// # Safety
///
/// The inode of `iter` is a live one of this filesystem.
unsafe fn prepare<T: FileSystem>(
    iter: &mut bindings::iomap_iter,
    folio: &LockedFolio<'_>,
    pos: u64,
    len: u64,
) -> Result {
    // SAFETY: As the caller says.
    let inode = unsafe { INode::<T>::from_raw(iter.inode) };
    let nowait = iter.flags & bindings::IOMAP_NOWAIT != 0;
    if !folio.is_uptodate() {
        // What isn't written is going to be read from the device.
        wait_for_flights(inode, &folio.range(), nowait)?;
    }
    T::before_write(inode, folio, nowait)?;
    if u32::from(iter.iomap.type_) == bindings::IOMAP_DELALLOC {
        let end = pos.saturating_add(len).min(folio.range().end);
        let cookie = iter.iomap.validity_cookie;
        // With another cookie it stays as it is: valid() says so to the caller then.
        if let Some(cookie) = T::allocate(inode, pos, end, cookie, nowait)? {
            iter.iomap.validity_cookie = cookie;
        }
    }
    Ok(())
}

/// `put_folio` of `struct iomap_write_ops`.
///
/// # Safety
///
/// iomap calls this with a live inode of a filesystem of type `T`, and once for each folio that
/// `get_folio` returned for it: locked, and with a reference that is the callee's.
unsafe extern "C" fn put_folio<T: FileSystem>(
    inode: *mut bindings::inode,
    pos: bindings::loff_t,
    copied: c_uint,
    folio: *mut bindings::folio,
) {
    // SAFETY: A live inode of this filesystem.
    let inode = unsafe { INode::<T>::from_raw(inode) };
    // If there is nothing, there is nothing in the block that `pos` is in either.
    let end = match copied {
        0 => 0,
        copied => pos.unsigned_abs().saturating_add(copied.into()),
    };
    T::written(inode, end);
    // SAFETY: The folio is locked, and its reference the caller's to give up here.
    unsafe {
        bindings::folio_unlock(folio);
        bindings::storage_folio_put(folio);
    }
}

/// `iomap_valid` of `struct iomap_write_ops`.
///
/// # Safety
///
/// iomap calls this with a live inode of a filesystem of type `T` and a live mapping that `begin`
/// filled in.
unsafe extern "C" fn valid<T: FileSystem>(
    inode: *mut bindings::inode,
    iomap: *const bindings::iomap,
) -> bool {
    // SAFETY: A live inode of this filesystem, and the caller's mapping.
    unsafe { T::cookie(INode::<T>::from_raw(inode)) == (*iomap).validity_cookie }
}
