// SPDX-License-Identifier: GPL-2.0

//! The driver's side of blk-mq.
//!
//! C header: [`include/linux/blk-mq.h`](srctree/include/linux/blk-mq.h)

use super::request::{IdleRequest, Pdu, Request};
use crate::{bindings, memory::NoIo, workqueue::Workqueue};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::{align_of, size_of},
    ptr::{self, NonNull},
};
use kernel::{
    c_str,
    error::{from_result, to_result},
    prelude::*,
    static_lock_class,
    str::CStr,
    types::{ForeignOwnable, Opaque},
};

/// What a driver does with requests.
///
/// All callbacks may sleep (the tag set has `BLK_MQ_F_BLOCKING`), several run at the same time on
/// different CPUs, and none may wait for another request of the same disk. Memory that they allocate
/// comes with `GFP_NOIO` whatever the flags say, since it may be what reclaim is waiting for.
///
/// C: `struct blk_mq_ops`.
pub trait Operations: Sized + 'static {
    /// What the disk's queue carries for the driver.
    type QueueData: ForeignOwnable + Send + Sync;

    /// What the driver attaches to a request between start and end.
    type RequestData: Send;

    /// A new request. The driver starts it, or hands it back as [`Busy`] to get it again a few
    /// milliseconds later.
    fn queue_rq<'a>(
        queue: <Self::QueueData as ForeignOwnable>::Borrowed<'a>,
        rq: IdleRequest<'a, Self>,
    ) -> Result<(), Busy<'a, Self>>;

    /// A request that was set aside with [`Request::defer`] is due.
    fn deferred(queue: <Self::QueueData as ForeignOwnable>::Borrowed<'_>, rq: Request<Self>);
}

/// The driver can't take a request now: memory is short, for instance.
///
/// C: `BLK_STS_RESOURCE` from `queue_rq`.
pub struct Busy<'a, T: Operations>(pub IdleRequest<'a, T>);

/// The requests of a disk, and the workqueue for those that are deferred.
///
/// C: `struct blk_mq_tag_set`.
///
/// # Invariants
///
/// `set` is allocated (`blk_mq_alloc_tag_set()`), and its `driver_data` is `workqueue`, which lives
/// as long.
#[pin_data(PinnedDrop)]
pub struct TagSet<T: Operations> {
    #[pin]
    set: Opaque<bindings::blk_mq_tag_set>,
    workqueue: Workqueue,
    _operations: PhantomData<T>,
}

// SAFETY: blk-mq locks the tag set; the driver's types in it are `Send`.
unsafe impl<T: Operations> Send for TagSet<T> {}
// SAFETY: As above; no method changes it.
unsafe impl<T: Operations> Sync for TagSet<T> {}

impl<T: Operations> TagSet<T> {
    /// So many hardware queues (0 for one for each CPU, which is the most), with `depth` requests each (1 to
    /// 10240). `name` is for the workqueue. `ENOMEM`, `EINVAL`. May sleep.
    pub fn new(name: &CStr, queues: u32, depth: u32) -> impl PinInit<Self, Error> + '_ {
        // `struct request` is aligned to a cache line, and a multiple of 8 bytes long.
        const { assert!(align_of::<Pdu<T>>() <= align_of::<u64>()) };

        try_pin_init!(Self {
            workqueue: Workqueue::new(name)?,
            set <- Opaque::try_ffi_init(|set: *mut bindings::blk_mq_tag_set| {
                let mut init: bindings::blk_mq_tag_set = pin_init::zeroed();
                init.ops = &Vtable::<T>::OPS;
                // blk-mq takes that for "as many as there are CPUs".
                init.nr_hw_queues = if queues == 0 { u32::MAX } else { queues };
                init.nr_maps = 1;
                init.queue_depth = depth;
                init.cmd_size = u32::try_from(size_of::<Pdu<T>>())?;
                init.numa_node = bindings::NUMA_NO_NODE;
                init.flags = bindings::BLK_MQ_F_BLOCKING;
                init.driver_data = workqueue.as_ptr().cast();
                // SAFETY: `set` is valid for writes, and not looked at before it is written.
                unsafe { set.write(init) };
                // SAFETY: All fields that `blk_mq_alloc_tag_set()` reads are set; on failure it
                // leaves nothing behind.
                to_result(unsafe { bindings::blk_mq_alloc_tag_set(set) })
            }),
            _operations: PhantomData,
        })
    }

    /// How many hardware queues there are.
    pub fn queues(&self) -> usize {
        // SAFETY: The set is allocated by the type's invariant; the number stays.
        unsafe { (*self.set.get()).nr_hw_queues as usize }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::blk_mq_tag_set {
        self.set.get()
    }

    /// Waits until all callbacks that are running have returned. May sleep; not from a callback.
    pub(super) fn wait_for_callbacks(&self) {
        // SAFETY: The set is allocated by the type's invariant. blk-mq calls `queue_rq` in a read-side
        // section of the set's SRCU, whose end this waits for.
        unsafe { bindings::blk_mq_wait_quiesce_done(self.set.get()) };
        // SAFETY: The workqueue lives as long as `self`. `Operations::deferred` runs on it and
        // nowhere else.
        unsafe { bindings::__flush_workqueue(self.workqueue.as_ptr()) };
    }
}

#[pinned_drop]
impl<T: Operations> PinnedDrop for TagSet<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The set is allocated by the type's invariant, and its disks are gone: each keeps a
        // reference on it. The workqueue is dropped after.
        unsafe { bindings::blk_mq_free_tag_set(self.set.get()) };
    }
}

/// The C functions that blk-mq calls, for one driver.
struct Vtable<T: Operations>(PhantomData<T>);

impl<T: Operations> Vtable<T> {
    const OPS: bindings::blk_mq_ops = bindings::blk_mq_ops {
        queue_rq: Some(Self::queue_rq),
        timeout: Some(Self::timeout),
        init_request: Some(Self::init_request),
        exit_request: Some(Self::exit_request),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called by blk-mq for a queue that `GenDisk` made, with a request for the driver to take.
    unsafe extern "C" fn queue_rq(
        hctx: *mut bindings::blk_mq_hw_ctx,
        bd: *const bindings::blk_mq_queue_data,
    ) -> bindings::blk_status_t {
        let _scope = NoIo::new();
        // SAFETY: `hctx` and `bd` are valid during the call. `queuedata` was set from `into_foreign()`
        // when the queue was made and is taken back only when it is gone.
        let (queue, rq) = unsafe { (T::QueueData::borrow((*(*hctx).queue).queuedata), (*bd).rq) };
        // SAFETY: blk-mq hands the request over; it is never null.
        let rq = unsafe { IdleRequest::from_raw(NonNull::new_unchecked(rq)) };
        match T::queue_rq(queue, rq) {
            Ok(()) => 0,
            Err(Busy(rq)) => {
                rq.release();
                bindings::BLK_STS_RESOURCE
            }
        }
    }

    /// A request that is late is late because the driver was told to be: it stays ours.
    ///
    /// # Safety
    ///
    /// Called by blk-mq.
    unsafe extern "C" fn timeout(_rq: *mut bindings::request) -> bindings::blk_eh_timer_return {
        bindings::blk_eh_timer_return_BLK_EH_RESET_TIMER
    }

    /// # Safety
    ///
    /// Called by blk-mq once for each request of a tag set that `TagSet::new` made, before any other
    /// callback sees it.
    unsafe extern "C" fn init_request(
        _set: *mut bindings::blk_mq_tag_set,
        rq: *mut bindings::request,
        _hctx_idx: c_uint,
        _numa_node: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: `rq` is of a tag set for `T`.
            let pdu = unsafe { Pdu::<T>::of(rq) };
            // SAFETY: `pdu` is memory of the right size and alignment that nobody uses yet, and stays
            // where it is until `exit_request`.
            unsafe {
                (&raw mut (*pdu).data).write(UnsafeCell::new(None));
                bindings::hrtimer_setup(
                    (*pdu).timer.get(),
                    Some(Self::timer_expired),
                    bindings::CLOCK_MONOTONIC as bindings::clockid_t,
                    bindings::hrtimer_mode_HRTIMER_MODE_REL,
                );
                bindings::init_work_with_key(
                    (*pdu).work.get(),
                    Some(Self::work),
                    false,
                    c_str!("storage::block::mq").as_char_ptr(),
                    static_lock_class!().as_ptr(),
                );
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by blk-mq once for each request that `init_request` saw, when it is not in flight and
    /// will not be again. May sleep.
    unsafe extern "C" fn exit_request(
        _set: *mut bindings::blk_mq_tag_set,
        rq: *mut bindings::request,
        _hctx_idx: c_uint,
    ) {
        // SAFETY: `rq` is of a tag set for `T`, and `init_request` was called for it. Timer and work
        // are not pending, since the request isn't in flight, but may be on their way out.
        unsafe {
            let pdu = Pdu::<T>::of(rq);
            bindings::hrtimer_cancel((*pdu).timer.get());
            bindings::cancel_work_sync((*pdu).work.get());
            ptr::drop_in_place(pdu);
        }
    }

    /// # Safety
    ///
    /// Called by the timer that `Request::defer` started. Hard interrupt context.
    unsafe extern "C" fn timer_expired(timer: *mut bindings::hrtimer) -> bindings::hrtimer_restart {
        let pdu = timer
            .cast::<u8>()
            .wrapping_sub(core::mem::offset_of!(Pdu<T>, timer))
            .cast::<Pdu<T>>();
        // SAFETY: The timer is that of a `Pdu`, which lies behind a request; the request is in flight,
        // so that its hardware queue and tag set are there. The work is initialized and, since a
        // request has one timer that leads to it, not queued.
        unsafe {
            let rq = bindings::blk_mq_rq_from_pdu(pdu.cast());
            let workqueue = (*(*(*rq).q).tag_set).driver_data;
            Workqueue::queue(workqueue.cast(), (*pdu).work.get());
        }
        bindings::hrtimer_restart::HRTIMER_NORESTART
    }

    /// # Safety
    ///
    /// Called by the workqueue for a work that `timer_expired` queued.
    unsafe extern "C" fn work(work: *mut bindings::work_struct) {
        let _scope = NoIo::new();
        let pdu = work
            .cast::<u8>()
            .wrapping_sub(core::mem::offset_of!(Pdu<T>, work))
            .cast::<Pdu<T>>();
        // SAFETY: The work is that of a `Pdu`, which lies behind a request that `Request::defer` gave
        // up. The queue and its data are there for as long as a request is in flight.
        unsafe {
            let rq = bindings::blk_mq_rq_from_pdu(pdu.cast());
            let queue = T::QueueData::borrow((*(*rq).q).queuedata);
            T::deferred(queue, Request::from_deferred(NonNull::new_unchecked(rq)));
        }
    }
}
