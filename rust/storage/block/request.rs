// SPDX-License-Identifier: GPL-2.0

//! One command to the driver.
//!
//! A request has two states that the driver sees, and each is a type of its own:
//!
//! - [`IdleRequest`]: offered by the block layer, not started. It can be started, or handed back.
//! - [`Request`]: started and owned by the driver, which must end it. Dropping it ends it with an
//!   error, so that it can't be lost.
//!
//! C header: [`include/linux/blk-mq.h`](srctree/include/linux/blk-mq.h)

use super::{
    bio::{self, Checks, Cursor, Origin, PageState, Payload, Sink, Source},
    mq::Operations,
    status::Status,
};
use crate::bindings;
use core::{cell::UnsafeCell, marker::PhantomData, mem::ManuallyDrop, ops::Deref, ptr::NonNull};
use kernel::{time::Delta, types::Opaque};

/// What a request asks for.
///
/// C: `enum req_op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Fill the pages. `REQ_OP_READ`.
    Read,
    /// Store the pages. `REQ_OP_WRITE`.
    Write,
    /// Make all that was written before durable. `REQ_OP_FLUSH`.
    Flush,
    /// The blocks' content is no longer needed. `REQ_OP_DISCARD`.
    Discard,
    /// Make the blocks read as zeroes. `REQ_OP_WRITE_ZEROES`.
    WriteZeroes,
    /// Anything else, by its C number.
    Other(u32),
}

/// What a request says, started or not.
///
/// # Invariants
///
/// A valid `struct request` that the driver owns for as long as the reference to this lives.
#[repr(transparent)]
pub struct Command(Opaque<bindings::request>);

impl Command {
    /// What the request asks for.
    pub fn op(&self) -> Op {
        const OP_MASK: u32 = (1 << bindings::REQ_OP_BITS) - 1;

        // SAFETY: The request is valid by the type's invariant.
        match unsafe { (*self.0.get()).cmd_flags } & OP_MASK {
            bindings::req_op_REQ_OP_READ => Op::Read,
            bindings::req_op_REQ_OP_WRITE => Op::Write,
            bindings::req_op_REQ_OP_FLUSH => Op::Flush,
            bindings::req_op_REQ_OP_DISCARD => Op::Discard,
            bindings::req_op_REQ_OP_WRITE_ZEROES => Op::WriteZeroes,
            other => Op::Other(other),
        }
    }

    /// First sector, in units of 512 bytes from the start of the disk.
    pub fn sector(&self) -> u64 {
        // SAFETY: The request is valid by the type's invariant.
        unsafe { (*self.0.get()).__sector }
    }

    /// Length in bytes; a multiple of the block size.
    pub fn bytes(&self) -> usize {
        // SAFETY: The request is valid by the type's invariant.
        unsafe { (*self.0.get()).__data_len as usize }
    }

    /// Whether a write must be durable when it ends, past any cache. C: `REQ_FUA`.
    pub fn is_fua(&self) -> bool {
        // SAFETY: The request is valid by the type's invariant.
        unsafe { (*self.0.get()).cmd_flags & bindings::REQ_FUA != 0 }
    }

    /// The number of the hardware queue that it came by.
    pub fn queue(&self) -> usize {
        // SAFETY: The request is valid by the type's invariant, and has a queue as long as the driver owns it.
        unsafe { (*(*self.0.get()).mq_hctx).queue_num as usize }
    }

    /// How many bios were merged to it; none of a flush.
    pub fn bios(&self) -> usize {
        // SAFETY: The request is valid by the type's invariant, and its list of bios is the driver's.
        let mut bio = unsafe { (*self.0.get()).bio };
        let mut count = 0;
        while !bio.is_null() {
            count += 1;
            // SAFETY: As above.
            bio = unsafe { (*bio).bi_next };
        }
        count
    }

    /// Of how many pieces of memory that lie together its data is. C: `blk_rq_nr_phys_segments()`.
    pub fn segments_count(&self) -> usize {
        // SAFETY: The request is valid by the type's invariant.
        unsafe { (*self.0.get()).nr_phys_segments.into() }
    }

    /// The data of a write, as it is now; `None` for anything else.
    pub fn source(&self) -> Option<Source<'_>> {
        (self.op() == Op::Write).then(|| Source::new(self.cursor(Payload::Data)))
    }

    /// Whose the byte at `index` of a write's data is, as far as its page tells now, and what that is like.
    pub fn origin(&self, index: usize) -> (Origin, PageState) {
        match self.op() {
            Op::Write => bio::origin(self.cursor(Payload::Data), index),
            _ => (Origin::None, PageState::default()),
        }
    }

    /// What is to be checked of the metadata that goes with a read or a write; `None` if none does.
    ///
    /// The block layer doesn't merge a bio with metadata and one without, nor such that ask for different
    /// checks: those of the first go for all.
    pub fn integrity(&self) -> Option<Checks> {
        if !matches!(self.op(), Op::Read | Op::Write) {
            return None;
        }
        // SAFETY: The request is valid by the type's invariant, and its bios are the driver's.
        unsafe { bio::checks((*self.0.get()).bio) }
    }

    /// Only for reads and writes: the bios of other requests have no data.
    fn cursor(&self, payload: Payload) -> Cursor<'_> {
        // SAFETY: The driver owns the request for as long as `self` is borrowed.
        unsafe { Cursor::new(self.0.get(), payload) }
    }
}

/// What lies behind each `struct request` of a tag set.
///
/// # Invariants
///
/// From `init_request` to `exit_request` `timer` and `work` are initialized. `data` is accessed only
/// by the owner of the request: an [`IdleRequest`], a [`Request`], or, between
/// [`Request::defer`] and its callback, nobody.
pub(super) struct Pdu<T: Operations> {
    pub(super) timer: Opaque<bindings::hrtimer>,
    pub(super) work: Opaque<bindings::work_struct>,
    pub(super) data: UnsafeCell<Option<T::RequestData>>,
}

impl<T: Operations> Pdu<T> {
    /// # Safety
    ///
    /// `rq` belongs to a tag set made for `T`.
    pub(super) unsafe fn of(rq: *mut bindings::request) -> *mut Self {
        // SAFETY: By the caller's promise the memory behind `rq` is a `Pdu<T>`: the tag set asked
        // for its size, and its alignment is checked in `TagSet::new`.
        unsafe { bindings::blk_mq_rq_to_pdu(rq) }.cast()
    }
}

/// A request that the block layer offers and the driver has not started.
///
/// Dropping it starts it and ends it with [`Status::IoErr`].
///
/// # Invariants
///
/// `rq` is what `queue_rq` was called with, of a tag set made for `T`, and not started.
pub struct IdleRequest<'a, T: Operations> {
    rq: NonNull<bindings::request>,
    _call: PhantomData<&'a T>,
}

impl<T: Operations> IdleRequest<'_, T> {
    /// # Safety
    ///
    /// The caller was given `rq` by `queue_rq` and hands it over. The tag set was made for `T`.
    pub(super) unsafe fn from_raw(rq: NonNull<bindings::request>) -> Self {
        // INVARIANT: As the caller promises.
        Self {
            rq,
            _call: PhantomData,
        }
    }

    /// Takes the request on, with the driver's own `data` attached to it until it ends. The block
    /// layer's timeout begins to run.
    ///
    /// C: `blk_mq_start_request()`.
    pub fn start(self, data: T::RequestData) -> Request<T> {
        let rq = ManuallyDrop::new(self).rq;
        // SAFETY: `rq` has not been started, by the type's invariant.
        unsafe { bindings::blk_mq_start_request(rq.as_ptr()) };
        // SAFETY: We own the request, so by the invariant of `Pdu` its data is ours.
        unsafe { *(*Pdu::<T>::of(rq.as_ptr())).data.get() = Some(data) };
        // INVARIANT: The request was just started, and `self` is gone.
        Request {
            rq,
            _owner: PhantomData,
        }
    }

    /// The driver leaves the request to the block layer, which will offer it again.
    pub(super) fn release(self) {
        core::mem::forget(self);
    }
}

impl<T: Operations> Deref for IdleRequest<'_, T> {
    type Target = Command;

    fn deref(&self) -> &Command {
        // SAFETY: `Command` is transparent over `struct request`, and the driver owns this one for as
        // long as `self` lives.
        unsafe { self.rq.cast::<Command>().as_ref() }
    }
}

impl<T: Operations> Drop for IdleRequest<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant the request is ours and not started; it is not used after.
        unsafe {
            bindings::blk_mq_start_request(self.rq.as_ptr());
            bindings::blk_mq_end_request(self.rq.as_ptr(), Status::IoErr.to_raw());
        }
    }
}

/// A started request, owned by the driver until [`end`](Self::end).
///
/// Dropping it ends it with [`Status::IoErr`]. All methods may be called from any context in which
/// the driver's data may be dropped.
///
/// # Invariants
///
/// `rq` is started, belongs to a tag set made for `T`, and there is no other owner of it. Its private
/// data is `Some`.
pub struct Request<T: Operations> {
    rq: NonNull<bindings::request>,
    _owner: PhantomData<T::RequestData>,
}

// SAFETY: A request is not tied to a thread; it may be ended from any. What it owns is
// `T::RequestData`, which is `Send`.
unsafe impl<T: Operations> Send for Request<T> {}

impl<T: Operations> Request<T> {
    /// # Safety
    ///
    /// `rq` was given up by [`Request::defer`], and nobody else takes it.
    pub(super) unsafe fn from_deferred(rq: NonNull<bindings::request>) -> Self {
        // INVARIANT: It was started before it was deferred, and its data was left in place.
        Self {
            rq,
            _owner: PhantomData,
        }
    }

    /// Where to put the data of a read, and the metadata that goes with it, if any does (see
    /// [`integrity_source`](Self::integrity_source)); `None` for anything else.
    pub fn sinks(&mut self) -> Option<(Sink<'_>, Sink<'_>)> {
        if self.op() != Op::Read {
            return None;
        }
        let (data, integrity) = (self.cursor(Payload::Data), self.cursor(Payload::Integrity));
        // SAFETY: It is a read.
        Some(unsafe { (Sink::new(data), Sink::new(integrity)) })
    }

    /// The metadata of a write, as it is now, where there is some ([`Command::integrity`]); nothing at all
    /// otherwise. Its reference tags are those of the disk.
    ///
    /// C: `struct bio_integrity_payload`, after `blk_integrity_prepare()`.
    pub fn integrity_source(&self) -> Option<Source<'_>> {
        (self.op() == Op::Write).then(|| Source::new(self.cursor(Payload::Integrity)))
    }

    /// The driver's own data, given to [`IdleRequest::start`].
    pub fn data(&self) -> &T::RequestData {
        // SAFETY: We own the request, so by the invariant of `Pdu` nobody changes the data while
        // `self` is borrowed; by the invariant of `Request` there is some.
        unsafe {
            (*(*Pdu::<T>::of(self.rq.as_ptr())).data.get())
                .as_ref()
                .unwrap_unchecked()
        }
    }

    /// The same, to change it.
    pub fn data_mut(&mut self) -> &mut T::RequestData {
        // SAFETY: As in `data()`; `self` is borrowed exclusively.
        unsafe {
            (*(*Pdu::<T>::of(self.rq.as_ptr())).data.get())
                .as_mut()
                .unwrap_unchecked()
        }
    }

    /// Sets the request aside and comes back with it, in [`Operations::deferred`], after `delay`
    /// (not negative) or a little later. The data of the request stays attached.
    ///
    /// The callback runs on the tag set's workqueue, where it may sleep. C: an `hrtimer` on
    /// `CLOCK_MONOTONIC` that queues a `work_struct`.
    pub fn defer(self, delay: Delta) {
        let rq = ManuallyDrop::new(self).rq;
        // SAFETY: By the type's invariant.
        let pdu = unsafe { Pdu::<T>::of(rq.as_ptr()) };
        // SAFETY: The timer is initialized by the invariant of `Pdu`, and not queued: it is only
        // ever started here, by the owner of the request, which comes back from it but once. Should
        // its last callback still be returning on another CPU, `hrtimer_start()` takes care of it.
        unsafe {
            bindings::hrtimer_start_range_ns(
                (*pdu).timer.get(),
                delay.as_nanos(),
                0,
                bindings::hrtimer_mode_HRTIMER_MODE_REL,
            )
        };
    }

    /// Gives the request back to the block layer. The driver's data is dropped before.
    ///
    /// C: `blk_mq_end_request()`.
    pub fn end(self, status: Status) {
        ManuallyDrop::new(self).finish(status);
    }

    /// `self` is not used after.
    fn finish(&mut self, status: Status) {
        // SAFETY: We own the request, so by the invariant of `Pdu` its data is ours.
        drop(unsafe { (*(*Pdu::<T>::of(self.rq.as_ptr())).data.get()).take() });
        // SAFETY: The request is started and ours by the type's invariant, and given up here.
        unsafe { bindings::blk_mq_end_request(self.rq.as_ptr(), status.to_raw()) };
    }
}

impl<T: Operations> Deref for Request<T> {
    type Target = Command;

    fn deref(&self) -> &Command {
        // SAFETY: `Command` is transparent over `struct request`, and the driver owns this one for as
        // long as `self` lives.
        unsafe { self.rq.cast::<Command>().as_ref() }
    }
}

impl<T: Operations> Drop for Request<T> {
    fn drop(&mut self) {
        self.finish(Status::IoErr);
    }
}
