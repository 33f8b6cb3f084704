// SPDX-License-Identifier: GPL-2.0

//! Writes: protection information at submit, a window, the transfer, and the check.
//!
//! Without a window, data goes from the live pages to the store, and its tuples are made from what is there
//! then; where tuples come with it, what was read once is checked, and stored. With one, the live pages are read
//! once at submit: guards are those of what was read, and what was read is kept, if [`Key::KeepCopy`] says so.
//! Until the transfer the live pages are compared with it, as often as is asked for, and once more at the
//! transfer. A byte that differs is a violation, even in the one case in 65536 in which the guard is the same.
//! Where nothing was kept, guards are compared.

use crate::{
    cache::Room,
    counters::Mismatches,
    device::{self, Carried, Device, Phase},
    faults,
    protection::{Interval, Mode, Protection},
    settings::{Key, FAIL},
    store::{Run, Span},
    violation::{self, Circumstances, Seen, Violation},
};
use fault::{Field, Kind};
use kernel::{
    prelude::*,
    time::{ClockSource, Delta, Instant, Monotonic},
};
use pi::{Expected, Part, Verified};
use storage::{
    block::{
        bio::Source,
        mq::Busy,
        request::{Command, IdleRequest, Request},
        status::Status,
        SECTOR_SIZE,
    },
    task::Task,
};

/// A write as it was when it was submitted. In a box: a request that needs none shouldn't have room for one.
pub(crate) struct Submitted {
    at: Instant<Monotonic>,
    /// The data, if it is kept.
    copy: Option<KVVec<u8>>,
    metadata: KVVec<u8>,
    /// If it isn't kept: guard tags of what there was, whatever the tuples say.
    guards: KVec<u64>,
    /// Memory for what one interval is now.
    now: KVec<u8>,
    /// One for each interval: whether it was found changed.
    changed: KVec<bool>,
    /// Where it goes. Memory for it is reserved now, so that the block layer waits if there is none; the transfer
    /// takes it again if it was discarded meanwhile.
    span: Span,
    /// To note it in the cache, if it was to be.
    room: Option<Room>,
    /// From one look at the pages to the next.
    step: Delta,
    looks_left: u64,
    looks: u64,
    task: Task,
    /// Whether it fails if a page changes: as it was set when it was submitted.
    fails: bool,
    effect: Effect,
}

/// What is to go wrong with a write.
enum Effect {
    /// Nothing.
    None,
    /// It is not stored.
    Drop,
    /// So many bytes of it are.
    Torn(usize),
    /// It is stored; then a bit of that sector is another.
    Flip {
        field: Field,
        bit: usize,
        sector: u64,
    },
}

impl Submitted {
    /// Memory for `command` in its window. May sleep.
    fn new(device: &Device, command: &Command, window: Delta) -> Result<KBox<Self>> {
        let len = command.bytes();
        let protection = device.protection();
        let protects = protection.mode != Mode::None;
        let intervals = protection.interval.count(len);
        let keeps = protects && (window.is_zero() || device.settings.get(Key::KeepCopy) != 0);
        let looks = if protects {
            device.settings.get(Key::Samples)
        } else {
            0
        };
        // A window is never none at all.
        let step = (window.as_nanos() / i64::try_from(looks + 1)?).max(window.as_nanos().min(1));
        let span = Span::new(command.sector(), len);
        device.store().reserve(span)?;
        let submitted = Self {
            at: Instant::now(),
            copy: keeps
                .then(|| KVVec::with_capacity(len, GFP_KERNEL))
                .transpose()?,
            metadata: KVVec::zeroed(intervals * protection.metadata_size(), GFP_KERNEL)?,
            guards: KVec::from_elem(
                0,
                if protects && !keeps { intervals } else { 0 },
                GFP_KERNEL,
            )?,
            now: KVec::zeroed(Interval::LONGEST, GFP_KERNEL)?,
            changed: KVec::from_elem(false, if protects { intervals } else { 0 }, GFP_KERNEL)?,
            span,
            room: device
                .cache()
                .is_watched()
                .then(|| device.cache().room(len))
                .transpose()?,
            step: Delta::from_nanos(step),
            looks_left: looks,
            looks,
            fails: device.settings.get(Key::OnViolation) == FAIL,
            task: Task::current(),
            effect: Effect::None,
        };
        Ok(KBox::new(submitted, GFP_KERNEL)?)
    }

    /// Reads the live pages: what is kept of them, and the guards.
    fn read(&mut self, device: &Device, rq: &Request<Device>) -> Result<Status> {
        self.at = Instant::now();
        let protection = device.protection();
        let (interval, size) = (protection.interval, protection.metadata_size());
        // The block layer may have been told not to make any.
        let checks = rq.integrity();
        let comes = protection.mode == Mode::Dix && checks.is_some();
        if comes {
            rq.integrity_source().ok_or(EIO)?.read(&mut self.metadata)?;
        }
        let mut source = rq.source().ok_or(EIO)?;
        if let Some(copy) = &mut self.copy {
            source.append(copy, rq.bytes())?;
        }
        let expected = protection.expected(checks);
        let mut number = interval.at(rq.sector());
        let (mut verified, wrong) = (0, Mismatches::new());
        for (n, metadata) in self.metadata.chunks_exact_mut(size.max(1)).enumerate() {
            let data = match &self.copy {
                Some(copy) => copy.chunks_exact(interval.bytes()).nth(n).ok_or(EIO)?,
                None => {
                    let room = self.now.get_mut(..interval.bytes()).ok_or(EIO)?;
                    source.read(room)?;
                    room
                }
            };
            let summed = if comes {
                let result = verify(device, &expected, number, data, metadata, &wrong);
                verified += usize::from(result != Some(Verified::Unchecked));
                result == Some(Verified::Checked) && checks.is_some_and(|checks| checks.guard)
            } else {
                protection.generate(number, data, metadata);
                protection.has_guards()
            };
            if let Some(guard) = self.guards.get_mut(n) {
                *guard = if summed {
                    protection.guard(metadata)
                } else {
                    protection.guard_of(data, metadata)
                };
            }
            number += 1;
        }
        if verified > 0 {
            device.checked(rq, verified);
            device.mismatches(rq, &wrong);
        }
        Ok(if wrong.is_empty() {
            Status::Ok
        } else {
            Status::Protection
        })
    }

    /// Whether the pages are looked at again: there is a window.
    fn has_window(&self) -> bool {
        !self.step.is_zero()
    }

    /// How long until the pages are looked at next. Looks are at their times, however long they take.
    fn until_next(&self) -> Delta {
        let parts = i64::try_from(self.looks - self.looks_left + 1).unwrap_or(i64::MAX);
        let due = self.step.as_nanos().saturating_mul(parts);
        Delta::from_nanos(due.saturating_sub(self.at.elapsed().as_nanos()).max(0))
    }

    /// What was kept of interval `n`.
    fn was(&self, interval: Interval, n: usize) -> Option<&[u8]> {
        self.copy
            .as_deref()
            .and_then(|copy| copy.chunks_exact(interval.bytes()).nth(n))
    }

    /// The metadata of interval `n`.
    fn metadata_of(&self, device: &Device, n: usize) -> Result<&[u8]> {
        let size = device.protection().metadata_size();
        self.metadata.get(n * size..(n + 1) * size).ok_or(EIO)
    }

    /// Whether interval `n`, the next of `live`, has changed, which is reported once; `now` is what it is. Without a
    /// window nothing has changed, and nothing is read.
    fn has_changed(
        &mut self,
        device: &Device,
        rq: &Request<Device>,
        n: usize,
        live: &mut Source<'_>,
        now: &mut [u8],
    ) -> Result<bool> {
        if !self.has_window() {
            return Ok(false);
        }
        // Only once: what is compared is what is reported, and stored.
        live.read(now)?;
        let protection = device.protection();
        let known = self.changed.get(n).copied().unwrap_or_default();
        let differs = match self.was(protection.interval, n) {
            Some(was) => was != now,
            None => {
                let guard = self.guards.get(n).copied().ok_or(EIO)?;
                protection.guard_of(now, self.metadata_of(device, n)?) != guard
            }
        };
        if differs && !known {
            self.report(device, rq, n, now)?;
            *self.changed.get_mut(n).ok_or(EIO)? = true;
        }
        Ok(differs || known)
    }

    /// Counts, logs and records that interval `n` is `now`, and not what it was.
    fn report(&self, device: &Device, rq: &Request<Device>, n: usize, now: &[u8]) -> Result {
        let protection = device.protection();
        let interval = protection.interval;
        let metadata = self.metadata_of(device, n)?;
        let circumstances = Circumstances {
            number: device.counters().next_violation(),
            time_ns: Monotonic::ktime_get(),
            sector: rq.sector() + interval.sector(n as u64),
            request: violation::Request {
                sector: rq.sector(),
                bytes: rq.bytes(),
            },
            guard: (
                // Not what the tuple has: it may never have been checked.
                match self.was(interval, n) {
                    Some(was) => protection.guard_of(was, metadata),
                    None => self.guards.get(n).copied().ok_or(EIO)?,
                },
                protection.guard_of(now, metadata),
            ),
            task: self.task,
            seen: Seen {
                after_submit: self.at.elapsed(),
                look: self.looks - self.looks_left,
                looks: self.looks + 1,
            },
        };
        let violation = Violation::new(circumstances, self.was(interval, n), now, |byte| {
            rq.origin(n * interval.bytes() + byte)
        });
        device.violation(rq, violation.origin());
        if device.log.allow() {
            violation.log(&device.name);
        }
        violation.trace(&device.name);
        if !device.records.push(violation) {
            device.counters().records_dropped.add(1);
        }
        Ok(())
    }

    /// Looks whether the live pages are as they were, and reports what is not. Without a window there is nothing
    /// to look for.
    fn look(&mut self, device: &Device, rq: &Request<Device>) -> Result {
        if !self.has_window() {
            return Ok(());
        }
        let mut live = rq.source().ok_or(EIO)?;
        let mut memory = core::mem::take(&mut self.now);
        let now = memory
            .get_mut(..device.protection().interval.bytes())
            .ok_or(EIO)?;
        for n in 0..self.changed.len() {
            self.has_changed(device, rq, n, &mut live, now)?;
        }
        self.now = memory;
        Ok(())
    }

    /// Moves the data of a run, the next of `live`, whose first interval is `n`th of the request, without
    /// protection. Calls `skip` for intervals of the run that it leaves as they were.
    fn move_plain(
        &self,
        interval: Interval,
        n: usize,
        live: &mut Source<'_>,
        run: Run<'_>,
        skip: &mut dyn FnMut(usize),
    ) -> Result {
        let len = match self.effect {
            Effect::Torn(bytes) => bytes.saturating_sub(n * interval.bytes()),
            _ => usize::MAX,
        };
        let len = len.min(run.data.len());
        for at in len.div_ceil(interval.bytes())..interval.count(run.data.len()) {
            skip(at);
        }
        live.read(run.data.get_mut(..len).ok_or(EIO)?)
    }

    /// Likewise, with protection, and checks it.
    fn store(
        &mut self,
        device: &Device,
        rq: &Request<Device>,
        n: usize,
        live: &mut Source<'_>,
        run: Run<'_>,
        skip: &mut dyn FnMut(usize),
    ) -> Result {
        let protection = device.protection();
        let (interval, size) = (protection.interval, protection.metadata_size());
        let count = interval.count(run.data.len());
        let torn = match self.effect {
            Effect::Torn(bytes) => Some(bytes),
            _ => None,
        };
        if let (Some(copy), None) = (&self.copy, torn) {
            let start = n * interval.bytes();
            let was = copy.get(start..start + run.data.len()).ok_or(EIO)?;
            let changed = self.changed.get(n..n + count).ok_or(EIO)?;
            // Mostly nothing has changed: then all of the run is looked at, and moved, at once. If not, what counts
            // is what is read below.
            if !self.has_window() || (!changed.contains(&true) && live.matches(was)?) {
                let metadata = self.metadata.get(n * size..(n + count) * size).ok_or(EIO)?;
                run.data.copy_from_slice(was);
                run.metadata.copy_from_slice(metadata);
                return Ok(());
            }
        }
        let mut memory = core::mem::take(&mut self.now);
        let now = memory.get_mut(..interval.bytes()).ok_or(EIO)?;
        let intervals = run.data.chunks_exact_mut(interval.bytes());
        let all = intervals.zip(run.metadata.chunks_exact_mut(size));
        for (at, (data, metadata)) in all.enumerate() {
            let n = n + at;
            let has_changed = self.has_changed(device, rq, n, live, now)?;
            if has_changed && self.fails {
                skip(at);
                continue;
            }
            let new = match self.was(interval, n) {
                Some(was) if !has_changed => was,
                _ => now,
            };
            let kept = torn.map_or(new.len(), |end| {
                end.saturating_sub(n * interval.bytes()).min(new.len())
            });
            let to = data.get_mut(..kept).ok_or(EIO)?;
            to.copy_from_slice(new.get(..kept).ok_or(EIO)?);
            if kept < new.len() {
                if kept == 0 {
                    skip(at);
                }
                continue;
            }
            let number = interval.at(rq.sector()) + n as u64;
            metadata.copy_from_slice(self.metadata_of(device, n)?);
            if has_changed {
                protection.amend(number, data, metadata);
            }
        }
        self.now = memory;
        Ok(())
    }
}

/// Checks the metadata that a request brought. If it is `wrong`, that is counted and logged.
fn verify(
    device: &Device,
    expected: &Expected,
    number: u64,
    data: &[u8],
    metadata: &[u8],
    wrong: &Mismatches,
) -> Option<Verified> {
    let mismatch = match device.protection().verify(number, data, metadata, expected) {
        Ok(verified) => return Some(verified),
        Err(mismatch) => mismatch,
    };
    wrong.add(&mismatch);
    if device.log.allow() {
        pr_err!(
            "{}: written block {number}: {}\n",
            &*device.name,
            format_args!("{mismatch}")
        );
    }
    None
}

/// Takes a write on, and begins its window if there is one.
pub(crate) fn submit<'a>(
    device: &Device,
    rq: IdleRequest<'a, Device>,
    carried: Carried,
) -> Result<(), Busy<'a, Device>> {
    let window = device.clock.window(&device.settings);
    // With tuples from outside, nothing may be stored before they were checked.
    let direct = window.is_zero() && !device.faults().any() && !device.cache().is_watched();
    if direct && device.protection().mode != Mode::Dix {
        return match store(device, &rq) {
            Ok(()) => {
                device.count(&rq);
                device.end(rq.start(carried), Status::Ok);
                Ok(())
            }
            Err(error) if error == ENOMEM => device.busy(rq, carried),
            Err(_) => {
                rq.start(carried).end(Status::IoErr);
                Ok(())
            }
        };
    }
    let Ok(mut submitted) = Submitted::new(device, &rq, window) else {
        return device.busy(rq, carried);
    };
    device.count(&rq);
    let rq = rq.start(carried);
    // Once for each request: it is started, and not offered again.
    let Some(fault) = device.fault(&rq) else {
        begin(device, rq, submitted);
        return Ok(());
    };
    submitted.effect = match fault.kind {
        Kind::Error(status) => {
            device.end(rq, faults::status(status));
            return Ok(());
        }
        Kind::Crash => {
            device.cache().cut();
            rq.end(Status::IoErr);
            return Ok(());
        }
        Kind::Hang => {
            if let Err(rq) = device.faults().park(rq, Phase::BeginWrite(submitted)) {
                device.resume(rq);
            }
            return Ok(());
        }
        Kind::Misdirect(to) => match device.span(to, rq.bytes()) {
            Some(span) => {
                submitted.span = span;
                Effect::None
            }
            None => {
                device.end(rq, Status::IoErr);
                return Ok(());
            }
        },
        Kind::Drop => Effect::Drop,
        Kind::Torn(sectors) => {
            Effect::Torn((sectors as usize).saturating_mul(SECTOR_SIZE as usize))
        }
        Kind::Flip(field, bit) => Effect::Flip {
            field,
            bit: bit.map_or(fault.random, u64::from) as usize,
            sector: fault.sector,
        },
    };
    begin(device, rq, submitted);
    Ok(())
}

/// Begins the window of a write, if it has one. Only from here on, when it is started, are reference tags those
/// of the disk. May sleep.
pub(crate) fn begin(device: &Device, rq: Request<Device>, mut submitted: KBox<Submitted>) {
    match submitted.read(device, &rq) {
        Ok(Status::Ok) => {}
        Ok(status) => {
            return device.end(rq, status);
        }
        Err(_) => return rq.end(Status::IoErr),
    }
    if !submitted.has_window() {
        transfer(device, rq, submitted);
    } else {
        let wait = submitted.until_next();
        device::wait(rq, Phase::Window(submitted), wait);
    }
}

/// From the live pages to the store.
fn store(device: &Device, command: &Command) -> Result {
    let mut source = command.source().ok_or(EIO)?;
    let protection = device.protection();
    let (sector, bytes) = (command.sector(), command.bytes());
    device.store().write(sector, bytes, |run: Run<'_>| {
        source.read(run.data)?;
        if protection.mode == Mode::Dif {
            protection.generate(run.first, run.data, run.metadata);
        }
        Ok(())
    })
}

/// A part of the window is over. May sleep.
pub(crate) fn window(device: &Device, rq: Request<Device>, mut submitted: KBox<Submitted>) {
    let Some(left) = submitted.looks_left.checked_sub(1) else {
        return transfer(device, rq, submitted);
    };
    // What can't be read now can't be read at the transfer.
    let _ = submitted.look(device, &rq);
    submitted.looks_left = left;
    let wait = submitted.until_next();
    device::wait(rq, Phase::Window(submitted), wait);
}

/// The window is over: checks the data, moves it and ends the request. May sleep.
pub(crate) fn transfer(device: &Device, rq: Request<Device>, mut submitted: KBox<Submitted>) {
    let done = check_and_store(device, &rq, &mut submitted);
    if done.as_ref().is_err_and(|error| *error == ENOMEM) {
        // What was stored will be once more; what was reported won't.
        return device.try_again(rq, Phase::Transfer(submitted));
    }
    drop(submitted);
    match done {
        Ok(status) => device.end(rq, status),
        Err(_) => rq.end(Status::IoErr),
    }
}

/// `ENOMEM`: may be called again. May sleep.
fn check_and_store(
    device: &Device,
    rq: &Request<Device>,
    submitted: &mut Submitted,
) -> Result<Status> {
    let protection = device.protection();
    let span = submitted.span;
    let (room, fua) = (submitted.room.take(), rq.is_fua());
    if matches!(submitted.effect, Effect::Drop) {
        submitted.look(device, rq)?;
    } else {
        let mut live = rq.source().ok_or(EIO)?;
        let mut n = 0;
        let flipped = match submitted.effect {
            Effect::Flip { sector, .. } => Some(protection.interval.at(sector)),
            _ => None,
        };
        let age = rq.data().age();
        device
            .cache()
            .write(span, age, fua, room, |mut run, skip| {
                let count = protection.interval.count(run.data.len());
                let first = run.first;
                let mut is_left = false;
                let skip = &mut |at| {
                    is_left |= flipped == Some(first + at as u64);
                    skip(at);
                };
                if protection.mode == Mode::None {
                    submitted.move_plain(
                        protection.interval,
                        n,
                        &mut live,
                        run.reborrow(),
                        skip,
                    )?;
                } else {
                    submitted.store(device, rq, n, &mut live, run.reborrow(), skip)?;
                }
                if let Effect::Flip { field, bit, sector } = submitted.effect {
                    // What isn't stored stays as it was.
                    if !is_left {
                        flip(protection, &mut run, field, bit, sector);
                    }
                }
                n += count;
                Ok(())
            })?;
    }
    if protection.mode == Mode::None || !submitted.has_window() {
        return Ok(Status::Ok);
    }
    device.counters().writes_checked.add(1);
    device
        .counters()
        .intervals_checked
        .add(submitted.changed.len());
    let changed = submitted.changed.iter().filter(|changed| **changed).count();
    device.checked(rq, submitted.changed.len());
    Ok(if submitted.fails && changed > 0 {
        Status::Protection
    } else {
        Status::Ok
    })
}

/// Flips a bit of a sector, if the run has it.
fn flip(protection: &Protection, run: &mut Run<'_>, field: Field, bit: usize, sector: u64) {
    let (interval, size) = (protection.interval, protection.metadata_size());
    let number = interval.at(sector);
    let Some(n) = number.checked_sub(run.first) else {
        return;
    };
    let n = n as usize;
    let part = match field {
        Field::Data => None,
        Field::Guard => Some(Part::Guard),
        Field::AppTag => Some(Part::AppTag),
        Field::RefTag => Some(Part::RefTag),
    };
    let bytes = if let Some(part) = part {
        let metadata = run.metadata.get_mut(n * size..(n + 1) * size);
        metadata.map(|metadata| protection.part_mut(metadata, part))
    } else {
        let within = (sector - interval.sector(number)) as usize * SECTOR_SIZE as usize;
        let at = n * interval.bytes() + within;
        run.data.get_mut(at..at + SECTOR_SIZE as usize)
    };
    // Nothing, without tuples, or where the run ends.
    let bytes = bytes.unwrap_or_default();
    let at = (bit / 8).checked_rem(bytes.len()).unwrap_or(0);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << (bit % 8);
    }
}
