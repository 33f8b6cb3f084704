// SPDX-License-Identifier: GPL-2.0

//! The disk: what each request does.

use crate::{
    cache::{Age, Cache, Discarded},
    counters::{Counters, Mismatches},
    debugfs::Shown,
    faults::{self, Fault, Faults},
    protection::Protection,
    read,
    settings::{Key, Settings},
    store::{Span, Store},
    time::Clock,
    violation::Violation,
    write,
};
use fault::Kind;
use kernel::{
    prelude::*,
    str::{CStr, CString},
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, ArcBorrow,
    },
    time::Delta,
};
use storage::{
    block::{
        bio::Origin,
        disk::GenDisk,
        limits::{Integrity, QueueLimits},
        mq::{Busy, Operations, TagSet},
        request::{Command, IdleRequest, Op, Request},
        status::Status,
        SECTOR_SHIFT,
    },
    debugfs::{Dir, Scope},
    ratelimit::RateLimit,
    stream::{self, Queue},
};

/// The disk in the system. Dropping it takes it out.
pub(crate) struct Disk {
    _disk: GenDisk<Device>,
    device: Arc<Device>,
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It is waited for what hangs, and for what waits for memory, which may be this disk's.
        self.device.goes.store(true, Relaxed);
        self.device.faults().close();
    }
}

/// The most data in one request, in bytes. A write is copied when it is submitted, if there is a window.
const MAX_REQUEST: u32 = 1 << 20;

/// The most that one discard takes, in bytes.
const MAX_DISCARD: u32 = 1 << 30;

/// Until a request that is started, and for which there is no memory, is tried again: as long as the block layer
/// waits with one that isn't (`BLK_MQ_RESOURCE_DELAY` in block/blk-mq.c).
const NO_MEMORY_DELAY: Delta = Delta::from_millis(3);

/// What a request carries with it.
pub(crate) struct Carried {
    /// When it came.
    age: Age,
    phase: Option<Phase>,
}

impl Carried {
    fn new(age: Age) -> Self {
        Self { age, phase: None }
    }

    pub(crate) fn age(&self) -> Age {
        self.age
    }

    /// From there it goes on.
    pub(crate) fn wait_for(&mut self, phase: Phase) {
        self.phase = Some(phase);
    }
}

/// What a request waits for.
pub(crate) enum Phase {
    /// Its window.
    Window(KBox<write::Submitted>),
    /// Memory, to be stored.
    Transfer(KBox<write::Submitted>),
    /// Memory, a discard that has come so far.
    Discard(Discarded),
    /// Its end, which is that.
    Done(Status),
    /// To be released; what goes wrong with it has been decided.
    Begin,
    /// Likewise, a write.
    BeginWrite(KBox<write::Submitted>),
}

/// What the disk's requests work on.
#[pin_data]
pub(crate) struct Device {
    pub(crate) name: CString,
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Clock,
    /// Nothing waits for memory any more.
    goes: Atomic<bool>,
    // Goes before the directory that it is in.
    _records_file: stream::File<Violation>,
    #[pin]
    shown: Scope<Shown>,
    /// Of violations, to be read.
    pub(crate) records: Arc<Queue<Violation>>,
    /// For the log lines about violations and mismatches.
    #[pin]
    pub(crate) log: RateLimit,
}

/// Adds a disk with its directory under `debugfs`. `EINVAL` if settings don't go together, which the log then
/// tells; `EEXIST`, `ENOMEM`. May sleep.
pub(crate) fn add(name: &CStr, settings: Arc<Settings>, debugfs: &Dir) -> Result<Disk> {
    let block_size = 512 << settings.get(Key::BlockSize);
    let protection = Protection::new(&settings, block_size).map_err(|conflict| {
        pr_err!("{name}: {conflict}\n");
        EINVAL
    })?;
    let mut limits = QueueLimits::new(block_size)?
        .stable_writes(settings.get(Key::StableWrites) != 0)
        .write_cache(true)
        .max_hw_bytes(MAX_REQUEST)?
        .discard(Store::GRANULARITY, MAX_DISCARD)?;
    let integrity = protection.integrity();
    if let Some(integrity) = integrity {
        limits = limits.integrity(integrity)?;
    }
    let sectors = settings.sectors();
    let tags = TagSet::new(
        name,
        settings.get(Key::SubmitQueues) as u32,
        settings.get(Key::HwQueueDepth) as u32,
    );
    let tags = Arc::pin_init(tags, GFP_KERNEL)?;
    let queues = tags.queues();
    let faults = Faults::new(
        name,
        settings.get(Key::Seed),
        queues * settings.get(Key::HwQueueDepth) as usize,
    );
    let (mib, window, stable) = (
        settings.get(Key::Size),
        settings.get(Key::WindowUs),
        match (settings.get(Key::StableWrites), integrity) {
            (0, None | Some(Integrity { checksum: None, .. })) => "not asked for",
            _ => "asked for",
        },
    );
    let cache = Cache::new(
        name,
        Store::new(protection.interval, protection.metadata_size()),
        (settings.get(Key::CacheSize) << 20) as usize,
    );
    let device = Arc::pin_init(
        try_pin_init!(Device {
            name: CString::try_from_fmt(fmt!("{name}"))?,
            clock: Clock::new(settings.get(Key::Seed)),
            goes: Atomic::new(false),
            shown <- Shown::new(debugfs, name, queues, faults, protection, cache),
            records: Arc::pin_init(Queue::new(settings.get(Key::Records) as usize), GFP_KERNEL)?,
            _records_file: stream::File::new(&[c"dif_blk", name], c"records", records.clone()),
            settings,
            log <- RateLimit::new(c"dif_blk"),
        }? Error),
        GFP_KERNEL,
    )?;
    let disk = GenDisk::add(fmt!("{name}"), tags, limits, sectors, device.clone()).inspect_err(
        |error| {
            if *error == EEXIST {
                pr_err!("{name}: another driver has a disk of that name\n");
            }
        },
    )?;
    pr_info!(
        "{name}: {mib} MiB, {block_size} byte blocks, window {window} us, stable pages {stable}\n"
    );
    Ok(Disk {
        _disk: disk,
        device,
    })
}

impl Device {
    pub(crate) fn counters(&self) -> &Counters {
        &self.shown.counters
    }

    pub(crate) fn protection(&self) -> &Protection {
        &self.shown.protection
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.shown.cache
    }

    pub(crate) fn store(&self) -> &Store {
        self.cache().store()
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.shown.faults
    }

    /// Where a write of `bytes` goes at `sector`, or where the interval of that begins. `None` if that is not on
    /// the disk.
    pub(crate) fn span(&self, sector: u64, bytes: usize) -> Option<Span> {
        let interval = self.protection().interval;
        let start = interval.sector(interval.at(sector));
        let end = start.checked_add((bytes >> SECTOR_SHIFT) as u64)?;
        (end <= self.settings.sectors()).then(|| Span::new(start, bytes))
    }

    /// Goes on with a request that waited.
    pub(crate) fn resume(&self, mut rq: Request<Self>) {
        let phase = rq.data_mut().phase.take();
        if rq.data().age != self.cache().age() {
            // The power has gone meanwhile.
            return rq.end(Status::IoErr);
        }
        match phase {
            Some(Phase::Window(submitted)) => write::window(self, rq, submitted),
            Some(Phase::Transfer(submitted)) => write::transfer(self, rq, submitted),
            Some(Phase::Discard(done)) => self.discard(rq, done),
            Some(Phase::Done(status)) => rq.end(status),
            Some(Phase::Begin) => self.run(rq),
            Some(Phase::BeginWrite(submitted)) => write::begin(self, rq, submitted),
            None => rq.end(Status::IoErr),
        }
    }

    /// Counts a request that is taken on.
    pub(crate) fn count(&self, command: &Command) {
        self.shown.statistics.count(command);
    }

    /// Counts intervals of a request that were looked at again, or verified.
    pub(crate) fn checked(&self, command: &Command, intervals: usize) {
        self.shown.statistics.checked(command, intervals);
    }

    /// Counts one of them that had changed, when it is known whose it was.
    pub(crate) fn violation(&self, command: &Command, origin: &Origin) {
        self.counters().violations.add(origin);
        self.shown.statistics.violation(command, origin);
    }

    /// Counts those of them that did not agree with their tuples.
    pub(crate) fn mismatches(&self, command: &Command, mismatches: &Mismatches) {
        self.counters().mismatches(command.op()).add_all(mismatches);
        self.shown.statistics.mismatches(command, mismatches);
    }

    /// What goes wrong with a request, if something does.
    pub(crate) fn fault(&self, command: &Command) -> Option<Fault> {
        let op = match command.op() {
            Op::Read => fault::Op::Read,
            Op::Write => fault::Op::Write,
            Op::Flush => fault::Op::Flush,
            Op::Discard | Op::WriteZeroes | Op::Other(_) => fault::Op::Discard,
        };
        let start = command.sector();
        let sectors = start..start + (command.bytes() >> SECTOR_SHIFT) as u64;
        self.faults().decide(op, sectors)
    }

    /// Does what a request that is no write asks for, and ends it.
    fn run(&self, mut rq: Request<Self>) {
        let status = match rq.op() {
            Op::Read => read::read(self, &mut rq),
            Op::Flush => status(self.cache().flush(rq.data().age)),
            Op::Discard | Op::WriteZeroes => return self.discard(rq, Discarded::default()),
            Op::Write | Op::Other(_) => Status::NotSupp,
        };
        self.end(rq, status);
    }

    /// Goes on with a discard that has come so far, and ends it, or has it wait for memory.
    fn discard(&self, rq: Request<Self>, mut done: Discarded) {
        let (age, cache) = (rq.data().age, self.cache());
        match cache.discard(age, rq.sector(), rq.bytes(), &mut done) {
            Err(error) if error == ENOMEM => self.try_again(rq, Phase::Discard(done)),
            result => self.end(rq, status(result)),
        }
    }

    /// Likewise, if nothing goes wrong with it.
    fn begin(&self, rq: Request<Self>) {
        match self.fault(&rq).map(|fault| fault.kind) {
            Some(Kind::Error(status)) => self.end(rq, faults::status(status)),
            Some(Kind::Drop) => self.end(rq, Status::Ok),
            Some(Kind::Crash) => {
                self.cache().cut();
                rq.end(Status::IoErr);
            }
            Some(Kind::Hang) => {
                if let Err(rq) = self.faults().park(rq, Phase::Begin) {
                    self.resume(rq);
                }
            }
            // Only for writes.
            Some(Kind::Flip(..) | Kind::Misdirect(_) | Kind::Torn(_)) | None => self.run(rq),
        }
    }

    /// There is no memory for a request: the block layer offers it again.
    pub(crate) fn busy<'a>(
        &self,
        rq: IdleRequest<'a, Self>,
        carried: Carried,
    ) -> Result<(), Busy<'a, Self>> {
        if !self.goes.load(Relaxed) {
            return Err(Busy(rq));
        }
        rq.start(carried).end(Status::IoErr);
        Ok(())
    }

    /// Likewise, for one that is started: it goes on in that phase, a little later.
    pub(crate) fn try_again(&self, rq: Request<Self>, phase: Phase) {
        if self.goes.load(Relaxed) {
            rq.end(Status::IoErr);
        } else {
            wait(rq, phase, NO_MEMORY_DELAY);
        }
    }

    /// Ends a request when its time has come.
    pub(crate) fn end(&self, rq: Request<Self>, status: Status) {
        let status = if rq.data().age == self.cache().age() {
            status
        } else {
            Status::IoErr
        };
        let delay = self.clock.completion(&self.settings, &rq);
        if delay.is_zero() {
            rq.end(status);
        } else {
            wait(rq, Phase::Done(status), delay);
        }
    }
}

impl Operations for Device {
    type QueueData = Arc<Self>;
    type RequestData = Carried;

    fn queue_rq<'a>(
        device: ArcBorrow<'a, Self>,
        rq: IdleRequest<'a, Self>,
    ) -> Result<(), Busy<'a, Self>> {
        let age = device.cache().age();
        let carried = Carried::new(age);
        if age.is_off() {
            rq.start(carried).end(Status::IoErr);
            return Ok(());
        }
        if rq.op() == Op::Write {
            return write::submit(&device, rq, carried);
        }
        device.count(&rq);
        device.begin(rq.start(carried));
        Ok(())
    }

    fn deferred(device: ArcBorrow<'_, Self>, rq: Request<Self>) {
        device.resume(rq);
    }
}

/// Has a request go on in that phase, after `delay`.
pub(crate) fn wait(mut rq: Request<Device>, phase: Phase, delay: Delta) {
    rq.data_mut().wait_for(phase);
    rq.defer(delay);
}

/// How a request ends with which something was done.
fn status(result: Result) -> Status {
    match result {
        Ok(()) => Status::Ok,
        Err(_) => Status::IoErr,
    }
}
