// SPDX-License-Identifier: GPL-2.0

//! From the page cache to the device.
//!
//! For each folio it is decided, while it is locked, how it is written this time: see [`Treatment`]. A bio
//! has folios of one treatment only. What was put together is submitted, and copied before that, when no
//! folio is locked (but for a folio that is in many pieces, and where the bios that wait are too many). What is to be
//! detached has memory for its copy before it is under writeback (but for pages, where the system has none left). So a
//! device that hangs holds up who writes to it, and nobody else.
//!
//! C headers: [`include/linux/writeback.h`](srctree/include/linux/writeback.h),
//! [`include/linux/iomap.h`](srctree/include/linux/iomap.h), `struct iomap_writeback_ops`

use super::{
    flight::Reserved,
    folio::LockedFolio,
    inode::INode,
    iomap::{self, Intent, Kind},
    snapshot::{self, Room},
    FileSystem,
};
use crate::bindings;
use core::{
    mem::offset_of,
    ops::Range,
    ptr::{self, NonNull},
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};

/// How a folio is written this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// The device reads the page cache.
    InPlace,
    /// The device reads a copy. The folio is under writeback until the copy has landed.
    Snapshot,
    /// The device reads a copy. The folio is written, for the memory management, once the copy is made.
    Detached,
}

/// Why folios are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody waits for the data to be on the device.
    Integrity,
    /// Somebody asked for it, and may wait for it.
    Asked,
    /// The flusher has found them.
    Background,
}

/// What is to be known for the decision on a folio.
pub struct Cycle<'a> {
    /// The folio, locked.
    pub folio: &'a LockedFolio<'a>,
    /// Why it is written.
    pub purpose: Purpose,
    /// Whether [`Treatment::Detached`] is possible. Otherwise it is taken for [`Treatment::Snapshot`].
    pub may_detach: bool,
}

/// What a call of `writepages` knows. `iomap` comes first: iomap hands on a pointer to that.
#[repr(C)]
struct Context<'a, T: FileSystem> {
    iomap: bindings::iomap_writepage_ctx,
    /// Of the folio that is being written.
    treatment: Treatment,
    /// Of that folio, as much as is on its way, in bytes.
    sent: u64,
    /// Of the folios that the ioend of `iomap` has.
    collected: Treatment,
    ready: Ready,
    room: Room<'a, T::Observer>,
}

/// Ioends that are to be submitted, in their order. They are ours until then.
struct Ready {
    first: *mut bindings::iomap_ioend,
    last: *mut bindings::iomap_ioend,
    count: usize,
}

impl Ready {
    /// # Safety
    ///
    /// `ioend` is live, not submitted, and in no list. It is to be submitted soon: see [`HELD`].
    unsafe fn push(&mut self, ioend: *mut bindings::iomap_ioend, treatment: Treatment) {
        // SAFETY: As the caller says. A bio that isn't submitted has nothing in `bi_next`, and iomap
        // leaves `io_private` to us.
        unsafe {
            (*ioend).io_private = ptr::without_provenance_mut(treatment as usize);
            if self.last.is_null() {
                self.first = ioend;
            } else {
                (*self.last).io_bio.bi_next = &raw mut (*ioend).io_bio;
            }
        }
        self.last = ioend;
        self.count += 1;
        HELD.fetch_add(1, Relaxed);
    }

    fn pop(&mut self) -> Option<(NonNull<bindings::iomap_ioend>, Treatment)> {
        let ioend = NonNull::new(self.first)?;
        self.count -= 1;
        HELD.fetch_sub(1, Relaxed);
        // SAFETY: It was pushed, and is ours.
        let (next, treatment) = unsafe {
            let bio = &raw mut (*ioend.as_ptr()).io_bio;
            let next = ptr::replace(&raw mut (*bio).bi_next, ptr::null_mut());
            (next, (*ioend.as_ptr()).io_private.addr())
        };
        if next.is_null() {
            self.first = ptr::null_mut();
            self.last = ptr::null_mut();
        } else {
            self.first = next
                .wrapping_byte_sub(offset_of!(bindings::iomap_ioend, io_bio))
                .cast();
        }
        let treatment = [Treatment::Snapshot, Treatment::Detached]
            .into_iter()
            .find(|known| *known as usize == treatment)
            .unwrap_or(Treatment::InPlace);
        Some((ioend, treatment))
    }
}

/// As many ioends wait to be submitted, of all mounts. They are from a reserve of `iomap_ioend_bioset` that
/// all filesystems share: who holds one must not wait for another, unless there are enough left.
static HELD: Atomic<i32> = Atomic::new(0);

/// Half of that reserve: 4 × (page size / sector size).
const MOST_HELD: i32 = (2 * bindings::PAGE_SIZE / 512) as i32;

struct Tables<T>(T);

impl<T: FileSystem> Tables<T> {
    const OPERATIONS: &'static bindings::iomap_writeback_ops = &bindings::iomap_writeback_ops {
        writeback_range: Some(range::<T>),
        writeback_submit: Some(submit::<T>),
    };
}

/// `writepages` of `struct address_space_operations`.
///
/// # Safety
///
/// Writeback calls this with the mapping of a live regular file of a filesystem of type `T`, no folio
/// of which it has locked; `control` is live for the call.
pub(super) unsafe extern "C" fn writepages<T: FileSystem>(
    mapping: *mut bindings::address_space,
    control: *mut kernel::bindings::writeback_control,
) -> c_int {
    let control: *mut bindings::writeback_control = control.cast();
    // SAFETY: The mapping is live, of an inode of this filesystem.
    let (host, inode) = unsafe { ((*mapping).host, INode::<T>::from_raw((*mapping).host)) };
    let mut context = Context {
        iomap: bindings::iomap_writepage_ctx {
            // SAFETY: Numbers and pointers, for which zero is valid: no mapping yet.
            iomap: unsafe { core::mem::zeroed() },
            inode: host,
            wbc: control,
            ops: Tables::<T>::OPERATIONS,
            nr_folios: 0,
            wb_ctx: ptr::null_mut(),
        },
        treatment: Treatment::InPlace,
        sent: 0,
        collected: Treatment::InPlace,
        ready: Ready {
            first: ptr::null_mut(),
            last: ptr::null_mut(),
            count: 0,
        },
        room: Room::none(T::copies(inode.sb())),
    };
    // SAFETY: Live for the call.
    let (purpose, range) = unsafe { (purpose(control), range_of(control)) };
    // SAFETY: The context is for this call only; what it refers to is live.
    unsafe {
        if purpose == Purpose::Asked {
            // sync_file_range(), which may wait for what is under writeback next.
            inode.flights().hold().wait(&range);
        }
        if purpose != Purpose::Integrity {
            return errno(write_folios::<T>(&mut context, inode, purpose).map(drop));
        }
        // What is on its way lands first. What begins its way before it is looked at again lands too, and is
        // written then; there is no third time, since nothing begins its way from here on.
        let _hold = inode.flights().hold();
        inode.flights().wait(&range);
        let first = write_folios::<T>(&mut context, inode, purpose);
        if matches!(first, Ok(true)) {
            inode.flights().wait(&range);
            return errno(write_folios::<T>(&mut context, inode, purpose).map(drop));
        }
        errno(first.map(drop))
    }
}

fn errno(result: Result) -> c_int {
    result.map_or_else(|error| error.to_errno(), |()| 0)
}

/// # Safety
///
/// `control` is live.
unsafe fn purpose(control: *const bindings::writeback_control) -> Purpose {
    // SAFETY: As the caller says.
    unsafe {
        if (*control).sync_mode as c_int == bindings::WB_SYNC_ALL {
            Purpose::Integrity
        } else if (*control).range_cyclic() != 0
            || (*control).for_background() != 0
            || (*control).for_kupdate() != 0
        {
            Purpose::Background
        } else {
            Purpose::Asked
        }
    }
}

/// # Safety
///
/// `control` is live.
unsafe fn range_of(control: *const bindings::writeback_control) -> Range<u64> {
    // SAFETY: As the caller says.
    unsafe {
        if (*control).range_cyclic() != 0 {
            return 0..u64::MAX;
        }
        (*control).range_start.unsigned_abs()..(*control).range_end.unsigned_abs() + 1
    }
}

/// Writes what is dirty and to be written. `true` if something was left since it is on its way already, or there is
/// no room for its copy yet.
///
/// # Safety
///
/// As for `writepages`, with the context that it made.
unsafe fn write_folios<T: FileSystem>(
    context: &mut Context<'_, T>,
    inode: &INode<T>,
    purpose: Purpose,
) -> Result<bool> {
    let pool = T::copies(inode.sb());
    let (mapping, control) = (inode.mapping(), context.iomap.wbc);
    let mut folio = ptr::null_mut();
    let (mut left, mut any) = (false, false);
    let mut error = 0;
    let detaches = purpose == Purpose::Background && T::detaches(inode.sb());
    loop {
        // What has nothing to write is not held up. What becomes dirty after this look has to wait for the next one.
        // SAFETY: The mapping is the inode's.
        let looks = detaches && unsafe { bindings::storage_mapping_tagged_dirty(mapping) };
        if looks {
            // SAFETY: As the caller says; nothing is locked.
            unsafe { make_room(context, inode) };
        }
        // SAFETY: As the caller says; nothing is locked. What comes is locked, with a reference until the
        // next turn.
        folio = unsafe { bindings::writeback_iter(mapping, control, folio, &mut error) };
        if folio.is_null() {
            break;
        }
        any = true;
        // SAFETY: See above.
        let locked = unsafe { LockedFolio::from_raw(folio) };
        if detaches && !looks || inode.flights().overlaps(&locked.range()) {
            left = true;
            // SAFETY: It is locked, and its dirty flag was cleared.
            unsafe { bindings::folio_redirty_for_writepage(control, folio) };
        } else {
            let may_detach =
                purpose == Purpose::Background && inode.flights().may_begin() && pool.may_detach();
            context.treatment = T::treat(
                inode,
                &Cycle {
                    folio: &locked,
                    purpose,
                    may_detach,
                },
            );
            if context.treatment == Treatment::Detached && !may_detach {
                context.treatment = Treatment::Snapshot;
            }
            context.sent = 0;
            // SAFETY: The context is ours; the folio is locked, not dirty, not under writeback.
            error = unsafe { bindings::iomap_writeback_folio((&raw mut *context).cast(), folio) };
            // Means something only while it is under writeback.
            locked.set_snapshotted(error == 0 && context.treatment != Treatment::InPlace);
            T::sent(inode, &locked, context.sent);
        }
        // SAFETY: It is locked, by us.
        unsafe { bindings::folio_unlock(folio) };
        // SAFETY: As the caller says; nothing is locked.
        unsafe { drain(context, inode) };
    }
    if error != 0 && !context.iomap.wb_ctx.is_null() {
        // SAFETY: It is ended with the error: that is what is left of the folio that failed.
        unsafe { bindings::iomap_ioend_writeback_submit(&mut context.iomap, error) };
        context.iomap.wb_ctx = ptr::null_mut();
    }
    // SAFETY: As the caller says; nothing is locked.
    unsafe { submit_all(context, inode) };
    if !any {
        // A copy that landed while its folio was locked, or cut into pieces, has left its tag. With it the
        // inode would be looked at again and again.
        // SAFETY: The mapping is the inode's, and the control is live.
        unsafe {
            let range = range_of(control);
            inode
                .flights()
                .look(|others| snapshot::untag_clean(mapping, &range, others));
        }
    }
    to_result(error)?;
    Ok(left)
}

/// Makes room for the copies of the next folio, however large it is. While this waits, nothing is under writeback
/// that is to be detached and has no copy. May sleep, for as long as the device does.
///
/// Whoever has room may wait for the lock of a folio, whose owner may wait for room without having any. There is
/// enough for that: background writeback is one thread for each device ([`SuperBlock`](super::sb::SuperBlock)s have
/// no `SB_I_CGROUPWB`), and see [`snapshot::LEAST_LIMIT`].
///
/// # Safety
///
/// As for `writepages`, with the context that it made.
unsafe fn make_room<T: FileSystem>(context: &mut Context<'_, T>, inode: &INode<T>) {
    let ioend: *const bindings::iomap_ioend = context.iomap.wb_ctx.cast();
    let collected = if ioend.is_null() || context.collected == Treatment::InPlace {
        0
    } else {
        // SAFETY: iomap's, not submitted.
        snapshot::memory(unsafe { (*ioend).io_bio.bi_iter.bi_size })
    };
    if !context.room.try_set(collected + snapshot::FOLIO_BYTES) {
        // SAFETY: As the caller says.
        unsafe { submit_all(context, inode) };
        context.room.set(snapshot::FOLIO_BYTES);
    }
}

/// Submits what was put together. May sleep.
///
/// # Safety
///
/// As for `writepages`, with the context that it made.
unsafe fn submit_all<T: FileSystem>(context: &mut Context<'_, T>, inode: &INode<T>) {
    let ioend = core::mem::replace(&mut context.iomap.wb_ctx, ptr::null_mut());
    if !ioend.is_null() {
        // SAFETY: It is ours, and in no list.
        unsafe { context.ready.push(ioend.cast(), context.collected) };
    }
    // SAFETY: As the caller says.
    unsafe { drain(context, inode) };
}

/// Submits what is ready. May sleep.
///
/// # Safety
///
/// As for `writepages`, with the context that it made; but a folio may be locked.
unsafe fn drain<T: FileSystem>(context: &mut Context<'_, T>, inode: &INode<T>) {
    let pool = T::copies(inode.sb());
    while let Some((ioend, treatment)) = context.ready.pop() {
        // SAFETY: It is ours until it is submitted.
        let (start, bytes) = unsafe {
            let ioend = ioend.as_ptr();
            (
                (*ioend).io_offset.unsigned_abs(),
                (*ioend).io_bio.bi_iter.bi_size,
            )
        };
        T::submitted(inode, bytes);
        if treatment == Treatment::InPlace {
            let collecting = core::mem::replace(&mut context.iomap.wb_ctx, ioend.as_ptr().cast());
            // SAFETY: It is ours, and the context's one for this call.
            unsafe { bindings::iomap_ioend_writeback_submit(&mut context.iomap, 0) };
            context.iomap.wb_ctx = collecting;
            continue;
        }
        let mut detach = None;
        if treatment == Treatment::Detached && inode.flights().may_begin() && pool.may_detach() {
            // Without memory for it, it is a snapshot.
            detach = Reserved::new()
                .ok()
                .map(|reserved| (start..start.saturating_add(bytes.into()), reserved));
        }
        // SAFETY: It is ours. No part of it is on its way: that was looked at when its folios were locked,
        // and they are under writeback since.
        unsafe { pool.submit(inode, ioend, detach, &mut context.room) };
    }
}

/// `writeback_range` of `struct iomap_writeback_ops`.
///
/// # Safety
///
/// iomap calls this with the context that `writepages::<T>` made and a locked folio of its inode, which
/// `pos..pos + len` lies in.
unsafe extern "C" fn range<T: FileSystem>(
    context: *mut bindings::iomap_writepage_ctx,
    folio: *mut bindings::folio,
    pos: u64,
    len: c_uint,
    end: u64,
) -> isize {
    // SAFETY: The context that `writepages` made, which nobody else uses meanwhile.
    let known = unsafe { &mut *context.cast::<Context<'_, T>>() };
    let mut len = len;
    let ioend: *mut bindings::iomap_ioend = known.iomap.wb_ctx.cast();
    let copies = known.treatment != Treatment::InPlace;
    if copies {
        len = len.min(snapshot::MAX_BYTES);
    }
    if !ioend.is_null() {
        // SAFETY: iomap's, not submitted.
        let bytes = unsafe { (*ioend).io_bio.bi_iter.bi_size };
        let long = copies && bytes.saturating_add(len) > snapshot::MAX_BYTES;
        if long || known.collected != known.treatment {
            // SAFETY: As above; iomap doesn't know of it any more.
            unsafe { collect(known) };
        }
    }
    if known.iomap.wb_ctx.is_null() {
        known.collected = known.treatment;
    }
    // SAFETY: The caller's, for a file of this filesystem; the folio is locked.
    let result = unsafe {
        map::<T>(&mut known.iomap, pos, len.into())
            .map(|()| bindings::iomap_add_to_ioend(context, folio, pos as i64, end as i64, len))
    };
    let result = result.unwrap_or_else(|error| error.to_errno() as isize);
    // SAFETY: As above; iomap has written to it, so it is looked at anew.
    unsafe { (*context.cast::<Context<'_, T>>()).sent += u64::try_from(result).unwrap_or(0) };
    result
}

/// As far as one mapping goes at most, in bytes.
const FAR: u64 = 1 << 30;

/// Makes the mapping of the context one that `pos` is in.
///
/// # Safety
///
/// The inode of `context` is a live one of this filesystem.
unsafe fn map<T: FileSystem>(
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

/// `writeback_submit` of `struct iomap_writeback_ops`: it is submitted when the folio is not locked any
/// more, if there are few.
///
/// # Safety
///
/// iomap calls this with the context that `writepages::<T>` made; `wb_ctx` is an ioend that was not
/// submitted yet.
unsafe extern "C" fn submit<T: FileSystem>(
    context: *mut bindings::iomap_writepage_ctx,
    _error: c_int,
) -> c_int {
    // SAFETY: The caller's, with an ioend.
    unsafe {
        collect(&mut *context.cast::<Context<'_, T>>());
    }
    0
}

/// Puts the ioend of `iomap` to those that are ready. A folio that has many is not waited for, nor is it where
/// many wait: see [`HELD`].
///
/// # Safety
///
/// `wb_ctx` is an ioend that was not submitted yet; the inode is one of this filesystem.
unsafe fn collect<T: FileSystem>(context: &mut Context<'_, T>) {
    const FEW: usize = 4;
    let ioend = core::mem::replace(&mut context.iomap.wb_ctx, ptr::null_mut());
    // SAFETY: As the caller says. To submit with a folio locked is what iomap does: nothing that ends I/O
    // locks one.
    unsafe {
        context.ready.push(ioend.cast(), context.collected);
        if context.ready.count >= FEW || HELD.load(Relaxed) > MOST_HELD {
            let inode = INode::from_raw(context.iomap.inode);
            drain(context, inode);
        }
    }
}
