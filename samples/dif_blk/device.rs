// SPDX-License-Identifier: GPL-2.0

//! The disk: what each request does.

use crate::{
    config::{Config, OnViolation},
    counters::Counters,
    read,
    store::{Interval, Store},
    write,
};
use kernel::{
    c_str,
    debugfs::{Dir, Scope},
    prelude::*,
    str::CStr,
    sync::{Arc, ArcBorrow},
    time::Delta,
};
use storage::{
    block::{
        disk::GenDisk,
        limits::QueueLimits,
        mq::{Busy, Operations, TagSet},
        request::{IdleRequest, Op, Request},
        status::Status,
    },
    crc,
    ratelimit::RateLimit,
};

/// The disk in the system.
pub(crate) type Disk = GenDisk<Device>;

/// Requests in flight on each hardware queue.
const QUEUE_DEPTH: u32 = 128;

/// The most data in one request, in bytes. It is copied when it is submitted.
const MAX_REQUEST: u32 = 1 << 20;

/// The most that one discard takes, in bytes.
const MAX_DISCARD: u32 = 1 << 30;

/// What the disk's requests work on.
#[pin_data]
pub(crate) struct Device {
    pub(crate) name: &'static CStr,
    pub(crate) window: Delta,
    pub(crate) on_violation: OnViolation,
    /// How tuples are made and checked.
    pub(crate) profile: pi::Profile,
    #[pin]
    pub(crate) store: Store,
    #[pin]
    pub(crate) counters: Scope<Counters>,
    /// For the log lines about violations and mismatches.
    #[pin]
    pub(crate) log: RateLimit,
}

/// Adds a disk with its directory under `debugfs`.
pub(crate) fn add(config: Config, debugfs: &Dir) -> Result<Disk> {
    let name = c_str!("dif0");
    let limits = QueueLimits::new(config.block_size)?
        .stable_writes(config.stable_writes)
        .write_cache(true)
        .max_hw_bytes(MAX_REQUEST)?
        .discard(Store::GRANULARITY, MAX_DISCARD)?;
    let device = Arc::pin_init(
        try_pin_init!(Device {
            name,
            window: config.window,
            on_violation: config.on_violation,
            profile: pi::Profile::new(pi::Type::One, pi::Guard::Crc(crc::t10dif)),
            store <- Store::new(Interval::new(config.block_size)),
            counters <- Counters::new(debugfs, name),
            log <- RateLimit::new(name),
        }? Error),
        GFP_KERNEL,
    )?;
    let tags = Arc::pin_init(TagSet::new(name, QUEUE_DEPTH), GFP_KERNEL)?;
    let disk = GenDisk::add(fmt!("{name}"), tags, limits, config.sectors, device)?;
    pr_info!(
        "{name}: {} MiB, {} byte blocks, window {} us, stable pages {}\n",
        config.sectors >> 11,
        config.block_size,
        config.window.as_micros_ceil(),
        if config.stable_writes {
            "asked for"
        } else {
            "not asked for"
        }
    );
    Ok(disk)
}

impl Operations for Device {
    type QueueData = Arc<Self>;
    type RequestData = Option<write::Submitted>;

    fn queue_rq<'a>(
        device: ArcBorrow<'a, Self>,
        rq: IdleRequest<'a, Self>,
    ) -> Result<(), Busy<'a, Self>> {
        let status = match rq.op() {
            Op::Write => return write::submit(&device, rq),
            Op::Read => {
                let mut rq = rq.start(None);
                let status = read::read(&device, &mut rq);
                rq.end(status);
                return Ok(());
            }
            // All that was transferred is in the store, which has no cache before it.
            Op::Flush => Status::Ok,
            Op::Discard | Op::WriteZeroes => {
                device
                    .store
                    .discard(&device.counters, rq.sector(), rq.bytes());
                Status::Ok
            }
            Op::Other(_) => Status::NotSupp,
        };
        rq.start(None).end(status);
        Ok(())
    }

    fn deferred(device: ArcBorrow<'_, Self>, rq: Request<Self>) {
        write::transfer(&device, rq);
    }
}
