// SPDX-License-Identifier: GPL-2.0

//! Private copies of what is written back.
//!
//! A bio of the page cache is the view that the memory management has of a write. Its copy, on pages of
//! our own, is what the device gets: whatever happens to the page cache then, the device doesn't see it.
//!
//! Copying always makes progress: bios and pages come from pools, and who waits for them holds none.
//! What is on its way is bounded, and counted. So is what is about to be: see `Room`.
//!
//! C headers: [`include/linux/bio.h`](srctree/include/linux/bio.h),
//! [`include/linux/mempool.h`](srctree/include/linux/mempool.h)

use super::{
    flight::{Flights, Reserved},
    inode::INode,
    NoFs, Type,
};
use crate::{bindings, block::bio::FsId, workqueue::Workqueue};
use core::{
    mem::offset_of,
    ops::Range,
    ptr::{self, NonNull},
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{Atomic, Full, Relaxed},
    time::{Delta, Instant, Monotonic},
    types::Opaque,
};
use pin_init::{pin_data, pinned_drop, PinInit};

/// As many pages as a bio has room for.
const PAGES: usize = bindings::BIO_MAX_VECS as usize;

/// The longest bio that is copied, in bytes.
pub(super) const MAX_BYTES: u32 = (PAGES << bindings::PAGE_SHIFT) as u32;

/// As many blocks as a folio has at most. They may lie apart on the device, and then the copy of each takes a page.
pub(super) const FOLIO_BLOCKS: u32 = 512;

/// What the copies of a folio take at most, in bytes.
pub(super) const FOLIO_BYTES: i64 = (FOLIO_BLOCKS as i64) << bindings::PAGE_SHIFT;

/// The least that a pool's limit may be, in bytes: the room for a folio, behind one copy that was put together, and
/// a copy of who has no room.
pub const LEAST_LIMIT: u64 = FOLIO_BYTES as u64 + 2 * MAX_BYTES as u64;

/// Told of copies.
pub trait Observer: Send + Sync + 'static {
    /// Making a copy took so long. May sleep.
    fn copied(&self, bytes: u32, time: Delta);

    /// A copy was so long on its way, and has landed. Does not sleep.
    fn landed(&self, bytes: u32, time: Delta);

    /// A copy was not written, and its original had ended: data of this inode, from there on. The next fsync
    /// says so. Does not sleep.
    fn lost(&self, fs: FsId, ino: u64, start: u64, error: Error);
}

/// A copy. It lies around its bio, in the memory that the `bio_set` gives.
#[repr(C)]
struct Copy<O: Observer> {
    pool: NonNull<Pool<O>>,
    begun: Instant<Monotonic>,
    bytes: u32,
    whose: Whose,
    bio: bindings::bio,
}

/// Who waits for a copy.
enum Whose {
    /// The page cache's ends when this does.
    Original(NonNull<bindings::iomap_ioend>),
    /// It has ended: the data is a part of this inode, which stays until the part has landed.
    Inode {
        inode: NonNull<bindings::inode>,
        flights: NonNull<Flights>,
        part: Range<u64>,
        /// Of the page cache, with a reference. As long as there is one, reclaim doesn't take the inode, and
        /// would have to wait for the device.
        folio: NonNull<bindings::folio>,
    },
}

impl<O: Observer> Copy<O> {
    /// # Safety
    ///
    /// `bio` was allocated from the `bio_set` of a `Pool<O>`.
    unsafe fn of_bio(bio: *mut bindings::bio) -> *mut Self {
        bio.wrapping_byte_sub(offset_of!(Self, bio)).cast()
    }
}

/// Where copies come from: one for each mount. All have landed before it is dropped, since it is the
/// superblock's, which outlives its inodes.
///
/// # Invariants
///
/// `bios` is a `bio_set` with room for a `Copy<O>`, `reads` one with room for a `Read`, `pages` a pool that keeps
/// `PAGES` single pages.
#[pin_data(PinnedDrop)]
pub struct Pool<O: Observer> {
    #[pin]
    bios: Opaque<bindings::bio_set>,
    pages: NonNull<bindings::mempool_t>,
    /// For direct reads that are copied to where they belong: a `bio_set` with room for a [`Read`], the
    /// operations that go with it.
    #[pin]
    reads: Opaque<bindings::bio_set>,
    read_operations: Opaque<bindings::iomap_dio_ops>,
    /// Where they are copied. Memory may be freed by who waits for one: a loop device's, for instance.
    read_queue: Workqueue,
    /// Bytes that copies take that have not landed, and those of each [`Room`]: at most `limit`, but one of them
    /// there may always be.
    in_flight: Atomic<i64>,
    peak: Atomic<i64>,
    limit: Atomic<i64>,
    /// Copies that have not landed and whose original has ended.
    detached: Atomic<i64>,
    /// How many want to see those land: none begins meanwhile.
    holds: Atomic<i64>,
    /// Is told of all of them.
    pub observer: O,
}

// SAFETY: Pools, queues and numbers do their own locking.
unsafe impl<O: Observer> Send for Pool<O> {}
// SAFETY: As above.
unsafe impl<O: Observer> Sync for Pool<O> {}

/// Pages that keep copying going when there is no other memory.
struct Pages(NonNull<bindings::mempool_t>);

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: It is ours, and all its pages are back.
        unsafe { bindings::mempool_destroy(self.0.as_ptr()) };
    }
}

impl<O: Observer> Pool<O> {
    /// A pool that lets `limit` bytes be on their way at once, at least [`LEAST_LIMIT`]. `ENOMEM`. May
    /// sleep.
    pub fn new(limit: u64, observer: O) -> impl PinInit<Self, Error> {
        // SAFETY: On success all fields are initialised, and the invariants hold; on failure, what was
        // made goes with its guards.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Self| {
                let read_queue = Workqueue::new(c"storage direct reads")?;
                let pages = bindings::storage_mempool_create_page_pool(PAGES as c_int);
                let pages = Pages(NonNull::new(pages).ok_or(ENOMEM)?);
                let bios = Opaque::cast_into(&raw const (*slot).bios);
                ptr::write_bytes(bios, 0, 1);
                to_result(bindings::bioset_init(
                    bios,
                    bindings::BIO_POOL_SIZE,
                    offset_of!(Copy<O>, bio) as c_uint,
                    bindings::BIOSET_NEED_BVECS as c_int,
                ))?;
                let reads = Opaque::cast_into(&raw const (*slot).reads);
                ptr::write_bytes(reads, 0, 1);
                to_result(bindings::bioset_init(
                    reads,
                    bindings::BIO_POOL_SIZE,
                    offset_of!(Read, bio) as c_uint,
                    bindings::BIOSET_NEED_BVECS as c_int,
                ))
                .inspect_err(|_| bindings::bioset_exit(bios))?;
                (&raw mut (*slot).read_operations).write(Opaque::new(bindings::iomap_dio_ops {
                    end_io: None,
                    submit_io: Some(submit_read::<O>),
                    bio_set: reads,
                }));
                (&raw mut (*slot).read_queue).write(read_queue);
                (&raw mut (*slot).pages).write(pages.0);
                core::mem::forget(pages);
                (&raw mut (*slot).in_flight).write(Atomic::new(0));
                (&raw mut (*slot).peak).write(Atomic::new(0));
                (&raw mut (*slot).limit).write(Atomic::new(clamped(limit)));
                (&raw mut (*slot).detached).write(Atomic::new(0));
                (&raw mut (*slot).holds).write(Atomic::new(0));
                (&raw mut (*slot).observer).write(observer);
                Ok(())
            })
        }
    }

    /// Bytes of copies that are on their way now.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed).unsigned_abs()
    }

    /// The most that there were at once.
    pub fn peak(&self) -> u64 {
        self.peak.load(Relaxed).unsigned_abs()
    }

    /// Begins again to look for the [`peak`](Self::peak).
    pub fn reset_peak(&self) {
        self.peak.store(self.in_flight.load(Relaxed), Relaxed);
    }

    /// How much may be on its way at once, in bytes; but one copy may always.
    pub fn limit(&self) -> u64 {
        self.limit.load(Relaxed).unsigned_abs()
    }

    /// Sets the [`limit`](Self::limit), for copies that are begun from now on: to [`LEAST_LIMIT`] at least.
    pub fn set_limit(&self, bytes: u64) {
        // Ordered, for who is about to wait.
        self.limit.xchg(clamped(bytes), Full);
        self.wake();
    }

    /// So many bytes more are on their way, as soon as there is room for them. Whoever waits here has no [`Room`],
    /// but whoever has one may wait for them: see [`LEAST_LIMIT`]. May sleep, for as long as the device does.
    fn reserve(&self, bytes: i64) {
        while !self.try_reserve(bytes) {
            let limit = (&raw const self.limit).cast_mut().cast();
            // SAFETY: Both variables live as long as `self`; `wake` wakes who waits for the first.
            unsafe { bindings::storage_wait_var_room(self.in_flight_ptr(), limit, bytes) };
        }
    }

    /// So many bytes more are on their way, if there is room for them.
    fn try_reserve(&self, bytes: i64) -> bool {
        let mut before = self.in_flight.load(Relaxed);
        loop {
            if before != 0 && before + bytes > self.limit.load(Relaxed) {
                return false;
            }
            match self.in_flight.cmpxchg(before, before + bytes, Full) {
                Ok(_) => break,
                Err(now) => before = now,
            }
        }
        self.peak
            .store(self.peak.load(Relaxed).max(before + bytes), Relaxed);
        true
    }

    /// So many bytes are not on their way any more.
    fn release(&self, bytes: i64) {
        self.in_flight.fetch_sub(bytes, Full);
        self.wake();
    }

    /// Lets no original end before its copy, and waits until all that did have landed. May sleep.
    pub(super) fn drain(&self) {
        self.holds.fetch_add(1, Full);
        // SAFETY: As above; the last that lands wakes who waits.
        unsafe { bindings::storage_wait_var_zero((&raw const self.detached).cast_mut().cast()) };
        self.holds.fetch_sub(1, Relaxed);
    }

    /// Whether an original may end before its copy.
    pub(super) fn may_detach(&self) -> bool {
        self.holds.load(Relaxed) == 0
    }

    fn in_flight_ptr(&self) -> *mut bindings::atomic64_t {
        (&raw const self.in_flight).cast_mut().cast()
    }

    fn wake(&self) {
        // SAFETY: It lives as long as `self`.
        unsafe { bindings::storage_wake_up_var(self.in_flight_ptr()) };
    }

    /// What direct reads are done with whose pages must not be written to by the device while it checks them.
    /// It stays as long as the pool.
    pub(super) fn read_operations(&self) -> *const bindings::iomap_dio_ops {
        self.read_operations.get()
    }

    /// Writes a copy of `original` instead of it. With `detach`, the original ends as soon as the copy is
    /// made, and that part of the inode is on its way. What `room` has no place for waits until others have
    /// landed. May sleep; nothing is locked, but perhaps a folio by who writes it back.
    ///
    /// # Safety
    ///
    /// `original` is for the page cache of `inode`, not submitted, of up to [`MAX_BYTES`], and this
    /// function's to end; its pages stay until then. With `detach`, no part of it is on its way.
    pub(super) unsafe fn submit<T: Type>(
        &self,
        inode: &INode<T>,
        original: NonNull<bindings::iomap_ioend>,
        detach: Option<(Range<u64>, Reserved)>,
        room: &mut Room<'_, O>,
    ) {
        let _nofs = NoFs::new();
        // SAFETY: As the caller says.
        unsafe {
            let bio = &raw mut (*original.as_ptr()).io_bio;
            if bindings::storage_bio_has_hwpoison(bio) {
                bindings::iomap_finish_ioends(original.as_ptr(), EIO.to_errno());
                return;
            }
        }
        // SAFETY: As the caller says.
        let bytes = memory(unsafe { (*original.as_ptr()).io_bio.bi_iter.bi_size });
        if !room.take(bytes) {
            self.reserve(bytes);
        }
        let begun = Instant::<Monotonic>::now();
        // SAFETY: As the caller says.
        let copy = unsafe { self.copy(original) };
        let bio = copy.wrapping_byte_add(offset_of!(Copy<O>, bio)).cast();
        // SAFETY: The copy is ours until it is submitted.
        let bytes = unsafe { (*copy).bytes };
        let now = Instant::<Monotonic>::now();
        self.observer.copied(bytes, now - begun);
        // SAFETY: As above.
        unsafe { (&raw mut (*copy).begun).write(now) };
        if let Some((part, reserved)) = detach {
            let flights = inode.flights();
            flights.begin(&part, reserved);
            // sync_file_range() asks a file to be written only if something of it is tagged dirty. So it is
            // until this has landed.
            // SAFETY: The mapping is a live inode's.
            unsafe {
                bindings::storage_mapping_tag_dirty(
                    inode.mapping(),
                    (part.start >> bindings::PAGE_SHIFT) as c_ulong,
                )
            };
            self.detached.fetch_add(1, Relaxed);
            // SAFETY: As above. Eviction of the inode waits for its parts. The throttling of writers sees
            // the pages of the copy as being written still.
            unsafe {
                bindings::storage_bdi_wb_stat_mod(
                    inode.as_ptr(),
                    bindings::WB_WRITEBACK,
                    pages(bytes),
                );
                let folio = bindings::storage_bio_first_folio(&raw mut (*original.as_ptr()).io_bio);
                bindings::storage_folio_get(folio);
                (&raw mut (*copy).whose).write(Whose::Inode {
                    inode: NonNull::new_unchecked(inode.as_ptr()),
                    flights: NonNull::from(flights),
                    part,
                    folio: NonNull::new_unchecked(folio),
                });
                bindings::iomap_finish_ioends(original.as_ptr(), 0);
            }
        }
        // SAFETY: All of it is set; `end` takes it back.
        unsafe { bindings::submit_bio(bio) };
    }

    /// A copy that ends `original`. Memory for it is reserved.
    ///
    /// # Safety
    ///
    /// As for [`submit`](Self::submit).
    unsafe fn copy(&self, original: NonNull<bindings::iomap_ioend>) -> *mut Copy<O> {
        // SAFETY: As the caller says.
        let original_ptr = unsafe { &raw mut (*original.as_ptr()).io_bio };
        // SAFETY: As the caller says.
        let (bdev, opf, bytes) = unsafe {
            (
                (*original_ptr).bi_bdev,
                (*original_ptr).bi_opf,
                (*original_ptr).bi_iter.bi_size,
            )
        };
        let count = pages(bytes) as usize;
        // SAFETY: The set is one by the type's invariant. It has a reserve, and this may sleep: there is
        // always one.
        let bio = unsafe {
            bindings::bio_alloc_bioset(
                bdev,
                count as u16,
                opf,
                bindings::GFP_KERNEL,
                self.bios.get(),
            )
        };
        // SAFETY: From this pool's set, with room for that many pages.
        unsafe {
            self.add_pages(bio, count, bytes);
            (*bio).bi_iter.bi_sector = (*original_ptr).bi_iter.bi_sector;
            (*bio).bi_write_hint = (*original_ptr).bi_write_hint;
            (*bio).bi_ioprio = (*original_ptr).bi_ioprio;
            (*bio).bi_end_io = Some(end::<O>);
            bindings::storage_bio_clone_blkg_association(bio, original_ptr);
            // Others may write to these pages meanwhile. The copy is C's; what it has is what counts.
            bindings::bio_copy_data(bio, original_ptr);
            let copy = Copy::<O>::of_bio(bio);
            (&raw mut (*copy).pool).write(NonNull::from(self));
            (&raw mut (*copy).bytes).write(bytes);
            (&raw mut (*copy).whose).write(Whose::Original(original));
            bindings::storage_bio_set_flag(bio, bindings::BIO_COMPLETE_IN_TASK);
            copy
        }
    }

    /// Gives an empty bio `count` pages, and the length `bytes`.
    ///
    /// # Safety
    ///
    /// `bio` is empty, not shared, and has room for `count` pages, at least one.
    unsafe fn add_pages(&self, bio: *mut bindings::bio, count: usize, bytes: u32) {
        // SAFETY: As the caller says. The pool fills in as many pointers as there is room for vectors,
        // which are longer than pointers. It has a reserve of that many, and waits for all of them.
        unsafe {
            let vecs = (*bio).bi_io_vec;
            let elements: *mut *mut c_void = vecs.cast();
            ptr::write_bytes(elements, 0, count);
            bindings::storage_mempool_alloc_bulk(self.pages.as_ptr(), elements, count as c_uint);
            // From the last to the first: a vector lies on pointers that have been used.
            let mut last = bytes as usize - ((count - 1) << bindings::PAGE_SHIFT);
            for index in (0..count).rev() {
                let page = elements.add(index).read();
                vecs.add(index).write(bindings::bio_vec {
                    bv_page: page.cast(),
                    bv_len: last as c_uint,
                    bv_offset: 0,
                });
                last = bindings::PAGE_SIZE;
            }
            (*bio).bi_vcnt = count as u16;
            (*bio).bi_iter.bi_size = bytes;
        }
    }
}

#[pinned_drop]
impl<O: Observer> PinnedDrop for Pool<O> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type's invariant; nothing is on its way any more.
        unsafe {
            bindings::bioset_exit(self.bios.get());
            bindings::bioset_exit(self.reads.get());
            drop(Pages(self.pages));
        }
    }
}

/// Memory for copies that are about to be made: those don't wait for others to land. So what they are copied
/// from can be under writeback on a device that hangs, and not for long.
pub(super) struct Room<'a, O: Observer> {
    pool: &'a Pool<O>,
    bytes: i64,
}

impl<'a, O: Observer> Room<'a, O> {
    /// For nothing.
    pub(super) fn none(pool: &'a Pool<O>) -> Self {
        Self { pool, bytes: 0 }
    }

    /// For so many bytes. Waits until there is as much, and has none meanwhile. May sleep, for as long as the
    /// device does.
    pub(super) fn set(&mut self, bytes: i64) {
        if !self.try_set(bytes) {
            self.pool.release(self.bytes);
            self.bytes = 0;
            self.pool.reserve(bytes);
            self.bytes = bytes;
        }
    }

    /// For so many bytes, or, if there is less, as it was: `false`.
    pub(super) fn try_set(&mut self, bytes: i64) -> bool {
        let more = bytes - self.bytes;
        if more > 0 && !self.pool.try_reserve(more) {
            return false;
        }
        if more < 0 {
            self.pool.release(-more);
        }
        self.bytes = bytes;
        true
    }

    /// A copy that is made takes so many bytes of it: if it has them.
    fn take(&mut self, bytes: i64) -> bool {
        let enough = bytes <= self.bytes;
        if enough {
            self.bytes -= bytes;
        }
        enough
    }
}

impl<O: Observer> Drop for Room<'_, O> {
    fn drop(&mut self) {
        self.try_set(0);
    }
}

/// A limit that there may be.
fn clamped(limit: u64) -> i64 {
    limit.clamp(LEAST_LIMIT, i64::MAX as u64) as i64
}

/// What a copy of so many bytes takes.
pub(super) fn memory(bytes: u32) -> i64 {
    pages(bytes) << bindings::PAGE_SHIFT
}

/// As many pages as so many bytes need.
fn pages(bytes: u32) -> i64 {
    (i64::from(bytes) + bindings::PAGE_SIZE as i64 - 1) >> bindings::PAGE_SHIFT
}

/// `bi_end_io` of a copy: its memory goes, and who waits for it goes on. In a task: `BIO_COMPLETE_IN_TASK`.
///
/// # Safety
///
/// The block layer calls this once, for a bio that [`Pool::submit`] submitted.
unsafe extern "C" fn end<O: Observer>(bio: *mut bindings::bio) {
    // SAFETY: A copy of a pool of this type, which nobody else has any more. What is needed of it is read
    // before it goes.
    let (pool, bytes, begun, error, whose) = unsafe {
        let copy = Copy::<O>::of_bio(bio);
        (
            (*copy).pool.as_ref(),
            (*copy).bytes,
            (*copy).begun,
            bindings::blk_status_to_errno((*bio).bi_status),
            ptr::read(&raw const (*copy).whose),
        )
    };
    pool.observer.landed(bytes, begun.elapsed());
    // SAFETY: The pages are the pool's, and the device is done with them. Then the copy is gone.
    unsafe {
        let vecs = (*bio).bi_io_vec;
        for index in 0..usize::from((*bio).bi_vcnt) {
            bindings::mempool_free((*vecs.add(index)).bv_page.cast(), pool.pages.as_ptr());
        }
        bindings::bio_put(bio);
    }
    pool.release(memory(bytes));
    let (inode, flights, part, folio) = match whose {
        Whose::Original(original) => {
            // The pool may be gone when this returns.
            // SAFETY: It is this copy's to end.
            unsafe { bindings::iomap_finish_ioends(original.as_ptr(), error) };
            return;
        }
        Whose::Inode {
            inode,
            flights,
            part,
            folio,
        } => (inode.as_ptr(), flights, part, folio),
    };
    // SAFETY: The inode, and the pool with it, stay until the last part of it has landed; that is the last
    // line.
    unsafe {
        if error != 0 {
            bindings::storage_mapping_set_error(&raw mut (*inode).i_data, error);
            let len = part.end - part.start;
            bindings::storage_fserror_report_write(inode, part.start as i64, len, error);
            let id = FsId::new((*(*inode).i_sb).s_id);
            let error = Error::from_errno(error);
            pool.observer.lost(id, (*inode).i_ino, part.start, error);
        }
        bindings::storage_folio_put(folio.as_ptr());
        bindings::storage_bdi_wb_stat_mod(inode, bindings::WB_WRITEBACK, -pages(bytes));
        if pool.detached.fetch_sub(1, Full) == 1 {
            bindings::storage_wake_up_var((&raw const pool.detached).cast_mut().cast());
        }
        flights.as_ref().end(part.end, |others| {
            untag_clean(&raw mut (*inode).i_data, &part, others);
        });
    }
}

/// Takes the tag of dirty folios from those in `range` that are not, and have nothing on its way.
///
/// # Safety
///
/// `mapping` is live.
pub(super) unsafe fn untag_clean(
    mapping: *mut bindings::address_space,
    range: &Range<u64>,
    others: &dyn Fn(Range<u64>) -> bool,
) {
    /// # Safety
    ///
    /// `data` is a pointer to what `untag_clean` was given.
    unsafe extern "C" fn busy(data: *const c_void, start: u64, end: u64) -> bool {
        // SAFETY: As above.
        let others = unsafe { &*data.cast::<&dyn Fn(Range<u64>) -> bool>() };
        others(start..end)
    }
    let page = |at: u64| (at >> bindings::PAGE_SHIFT) as c_ulong;
    // SAFETY: The mapping is live; what is called back is there during the call, and doesn't sleep.
    unsafe {
        bindings::storage_mapping_untag_clean(
            mapping,
            page(range.start),
            page(range.end.saturating_sub(1)),
            Some(busy),
            (&raw const others).cast(),
        );
    }
}

/// A direct read. It lies around its bio, in the memory that the `bio_set` gives.
///
/// It is copied to where it belongs when it has ended, and that may have to lock a folio: so each has a work
/// of its own, and none waits for another.
#[repr(C)]
struct Read {
    work: bindings::work_struct,
    queue: *mut bindings::workqueue_struct,
    bio: bindings::bio,
}

/// `submit_io` of `struct iomap_dio_ops`.
///
/// # Safety
///
/// iomap calls this with a bio that it allocated from the `bio_set` of the same operations, those of a live
/// `Pool<O>`, which is the callee's to submit.
unsafe extern "C" fn submit_read<O: Observer>(
    _iter: *const bindings::iomap_iter,
    bio: *mut bindings::bio,
    _offset: bindings::loff_t,
) {
    // SAFETY: As above; nobody else has it yet. The pool is there as long as its reads.
    unsafe {
        let read: *mut Read = bio.wrapping_byte_sub(offset_of!(Read, bio)).cast();
        let pool: *const Pool<O> = (*bio)
            .bi_pool
            .wrapping_byte_sub(offset_of!(Pool<O>, reads))
            .cast();
        (&raw mut (*read).queue).write((*pool).read_queue.as_ptr());
        bindings::storage_init_work(&raw mut (*read).work, Some(finish_read));
        (*bio).bi_end_io = Some(end_read);
        bindings::submit_bio(bio);
    }
}

/// `bi_end_io` of a direct read. Interrupts too.
///
/// # Safety
///
/// The block layer calls this once, for a bio that `submit_read` submitted.
unsafe extern "C" fn end_read(bio: *mut bindings::bio) {
    let read: *mut Read = bio.wrapping_byte_sub(offset_of!(Read, bio)).cast();
    // SAFETY: The work is initialised, and queued once; the queue is that of a live pool.
    unsafe { Workqueue::queue((*read).queue, &raw mut (*read).work) };
}

/// # Safety
///
/// The workqueue calls this once, with the work of a read that `end_read` queued.
unsafe extern "C" fn finish_read(work: *mut bindings::work_struct) {
    let read: *mut Read = work.wrapping_byte_sub(offset_of!(Read, work)).cast();
    // SAFETY: What iomap meant to be the bio's end; it gives the bio back.
    unsafe { bindings::iomap_dio_bio_end_io(&raw mut (*read).bio) };
}
