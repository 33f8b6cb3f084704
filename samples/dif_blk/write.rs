// SPDX-License-Identifier: GPL-2.0

//! Writes: protection information at submit, a window, the transfer, and the check.
//!
//! At submit the live pages are read once: what was read is kept, and the guards are those of what
//! was kept, so both are of the same moment. At transfer the live pages are read again. A byte that
//! differs is a violation, even in the one case in 65536 in which the guard is the same.

use crate::{config::OnViolation, device::Device, violation::Violation};
use kernel::{
    prelude::*,
    time::{Instant, Monotonic},
};
use pi::Tuple;
use storage::block::{
    mq::Busy,
    request::{Command, IdleRequest, Request},
    status::Status,
    SECTOR_SHIFT,
};

/// A write as it was when it was submitted.
pub(crate) struct Submitted {
    at: Instant<Monotonic>,
    bytes: KVVec<u8>,
    tuples: KVVec<Tuple>,
    /// Room for one interval at a time, as it is at transfer.
    transferred: KVec<u8>,
    /// Where it goes. Reserved now, since the transfer can't wait for memory.
    span: crate::store::Span,
}

impl Submitted {
    /// Reads the live pages of `command`. Fails if memory is short. May sleep.
    fn new(device: &Device, command: &Command) -> Result<Self> {
        let at = Instant::now();
        let len = command.bytes();
        let interval = device.store.interval();
        let first = interval.at(command.sector());

        let mut bytes = KVVec::from_elem(0, len, GFP_KERNEL)?;
        command.source().ok_or(EIO)?.read(&mut bytes)?;
        let mut tuples = KVVec::with_capacity(interval.count(len), GFP_KERNEL)?;
        for (number, data) in (first..).zip(bytes.chunks_exact(interval.bytes())) {
            let ref_tag = pi::lba_ref_tag(number);
            tuples.push(device.profile.generate(data, 0, ref_tag), GFP_KERNEL)?;
        }
        Ok(Self {
            at,
            bytes,
            tuples,
            transferred: KVec::from_elem(0, interval.bytes(), GFP_KERNEL)?,
            span: device
                .store
                .reserve(&device.counters, command.sector(), len)?,
        })
    }
}

/// Takes a write on and begins its window.
pub(crate) fn submit<'a>(
    device: &Device,
    rq: IdleRequest<'a, Device>,
) -> Result<(), Busy<'a, Device>> {
    let Ok(submitted) = Submitted::new(device, &rq) else {
        return Err(Busy(rq));
    };
    let rq = rq.start(Some(submitted));
    if device.window.is_zero() {
        transfer(device, rq);
    } else {
        rq.defer(device.window);
    }
    Ok(())
}

/// The window is over: moves the data, checks it and ends the request. May sleep.
pub(crate) fn transfer(device: &Device, mut rq: Request<Device>) {
    let status = match rq.data_mut().take() {
        Some(submitted) => check_and_store(device, &rq, submitted),
        None => Err(EIO),
    };
    rq.end(status.unwrap_or(Status::IoErr));
}

fn check_and_store(device: &Device, rq: &Request<Device>, submitted: Submitted) -> Result<Status> {
    let Submitted {
        at,
        bytes,
        tuples,
        mut transferred,
        span,
    } = submitted;
    let interval = device.store.interval();
    let mut source = rq.source().ok_or(EIO)?;
    let mut status = Status::Ok;

    for (n, (was, tuple)) in bytes.chunks_exact(interval.bytes()).zip(tuples).enumerate() {
        source.read(&mut transferred)?;
        if was == &transferred[..] {
            span.put(n, was, tuple);
            continue;
        }

        let after = at.elapsed();
        let offset = n * interval.bytes();
        let now = device.profile.generate(&transferred, 0, tuple.ref_tag);
        device.counters.violation();
        if device.log.allow() {
            let violation = Violation::new(was, &transferred, |byte| rq.origin(offset + byte));
            pr_warn!(
                "{}: page changed in flight: sector {}, {violation}, guard {:#06x} -> {:#06x}, {} us after submit\n",
                device.name,
                rq.sector() + (offset >> SECTOR_SHIFT) as u64,
                tuple.guard,
                now.guard,
                after.as_micros_ceil()
            );
        }
        match device.on_violation {
            OnViolation::Fail => status = Status::Protection,
            OnViolation::Report => span.put(n, &transferred, now),
        }
    }
    device.counters.writes_checked.add(1);
    device
        .counters
        .intervals_checked
        .add(interval.count(bytes.len()));
    Ok(status)
}
