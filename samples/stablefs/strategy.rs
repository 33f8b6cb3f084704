// SPDX-License-Identifier: GPL-2.0

//! Who waits for writeback, and when: the one place where that is decided.
//!
//! For each folio it is decided when it goes to the device ([`treat`]) whether the device reads the folio or
//! a copy. A writer comes here with the folio that it is about to change, locked: in `write_begin`, and when it
//! first writes to a mapping after the folio was written back ([`before_write`]). A folio under writeback is being
//! read by the device, or will be, unless that has a copy.

use crate::{INode, SuperBlock};
use kernel::{
    new_spinlock,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, SpinLock,
    },
    time::{Delta, Instant, Monotonic},
};
use stability::{Class, Device, Facts, File};
use storage::{
    block::bio::FsId,
    counter::Counter,
    fs::{
        folio::LockedFolio,
        snapshot::{Observer, Pool},
        trace,
        writeback::{Cycle, Purpose, Treatment},
    },
    memory,
    ratelimit::RateLimit,
};

/// How pages are kept stable: the mount option `stable`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// A writer waits until the folio is on the device.
    #[default]
    Wait,
    /// The device gets a copy of each folio; nobody waits.
    Snapshot,
    /// Likewise, and the folio counts as written once the copy is made.
    Detached,
    /// Folio by folio, whichever of waiting and copying costs less.
    Auto,
    /// Not at all.
    Off,
}

impl Strategy {
    /// Whether there may be copies by design, and not only of what is pinned.
    pub(crate) fn copies(self) -> bool {
        matches!(self, Self::Snapshot | Self::Detached | Self::Auto)
    }
}

/// Why a folio was treated as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The device doesn't need stable pages, or nobody asked for them: it reads the folio.
    NotNeeded,
    /// The strategy says so.
    Strategy,
    /// Somebody keeps the folio for DMA, and can write to it unseen: copied.
    Pinned,
    /// Somebody waits for the data, so the copy isn't detached.
    Awaited,
    /// `auto`: somebody came to this folio before.
    Hot,
    /// `auto`: the folio that was written to last.
    Last,
    /// `auto`: any other.
    Other,
}

impl Reason {
    /// All, in the order of their numbers.
    pub(crate) const ALL: [Self; 7] = [
        Self::NotNeeded,
        Self::Strategy,
        Self::Pinned,
        Self::Awaited,
        Self::Hot,
        Self::Last,
        Self::Other,
    ];

    pub(crate) fn word(self) -> &'static CStr {
        match self {
            Self::NotNeeded => c"not_needed",
            Self::Strategy => c"strategy",
            Self::Pinned => c"pinned",
            Self::Awaited => c"awaited",
            Self::Hot => c"hot",
            Self::Last => c"last",
            Self::Other => c"other",
        }
    }
}

/// What a mount has learned of its device, and counted of its copies.
#[pin_data]
pub(crate) struct Learned {
    #[pin]
    device: SpinLock<Device>,
    #[pin]
    log: RateLimit,
    /// Copies that were made.
    pub(crate) copies: Counter,
    /// Bytes of those.
    pub(crate) bytes: Counter,
    /// What making them took, in nanoseconds.
    pub(crate) nanoseconds: Counter,
    /// Whether memory is short: as of the last look.
    short: Atomic<bool>,
    /// How many decisions until the next look.
    until_look: Atomic<u32>,
}

impl Learned {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            device <- new_spinlock!(Device::default(), "stablefs device"),
            log <- RateLimit::new(c"stablefs copies"),
            copies: Counter::new(),
            bytes: Counter::new(),
            nanoseconds: Counter::new(),
            short: Atomic::new(false),
            until_look: Atomic::new(0),
        })
    }

    /// How long a writer waits, and what copying 4096 bytes takes, in nanoseconds.
    pub(crate) fn averages(&self) -> (u64, u64) {
        let device = self.device.lock();
        (device.stall_ns(), device.copy_ns())
    }

    /// Whether there is less memory than copies might take. Looking costs a little, so not each time.
    fn is_short(&self, limit: u64) -> bool {
        const EACH: u32 = 64;
        let left = self.until_look.load(Relaxed);
        if left == 0 {
            self.until_look.store(EACH, Relaxed);
            self.short.store(memory::available() < limit, Relaxed);
        } else {
            self.until_look.store(left - 1, Relaxed);
        }
        self.short.load(Relaxed)
    }
}

/// Learns from the copies.
pub(crate) struct Watch(pub(crate) Arc<Learned>);

impl Observer for Watch {
    fn copied(&self, bytes: u32, time: Delta) {
        let nanoseconds = nanoseconds(time);
        self.0.copies.add(1);
        self.0.bytes.add(bytes as usize);
        self.0.nanoseconds.add(nanoseconds as usize);
        self.0.device.lock().copied(bytes, nanoseconds);
    }

    fn lost(&self, fs: FsId, ino: u64, start: u64, error: Error) {
        if self.0.log.allow() {
            let errno = error.to_errno();
            pr_err!("{fs}: inode {ino}, offset {start}: a copy was not written ({errno})\n");
        }
    }

    fn landed(&self, _bytes: u32, time: Delta) {
        self.0.device.lock().landed(nanoseconds(time));
    }
}

/// Where the copies of a mount come from.
pub(crate) type Copies = Pool<Watch>;

/// As much memory as copies may take where nothing is said: a sixteenth.
pub(crate) fn default_limit() -> u64 {
    memory::total() >> 4
}

/// Of an inode.
#[pin_data]
pub(crate) struct Writers {
    #[pin]
    file: SpinLock<File>,
    /// So many folios are small from now on.
    small: Atomic<u32>,
}

impl Writers {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            file <- new_spinlock!(File::new(), "stablefs writers"),
            small: Atomic::new(0),
        })
    }
}

/// How a folio is written this time.
pub(crate) fn treat(inode: &INode, cycle: &Cycle<'_>) -> Treatment {
    let fs = inode.sb().data();
    let strategy = fs.options.stable();
    let (treatment, reason) = decide(inode, cycle, strategy);
    let range = cycle.folio.range();
    fs.counters
        .treated(treatment, reason, range.end - range.start);
    let (treated, by, why) = (treatment_word(treatment), strategy.word(), reason.word());
    trace::writeback(inode, cycle.folio, treated, by, why);
    treatment
}

/// So many bytes of a folio are on their way.
pub(crate) fn sent(inode: &INode, folio: &LockedFolio<'_>, bytes: u64) {
    if inode.sb().data().options.stable() == Strategy::Auto {
        let range = folio.range();
        let mut file = inode.data().writers.file.lock();
        file.sent(range.end - range.start, bytes);
    }
}

/// Whether [`treat`] may say [`Treatment::Detached`].
pub(crate) fn detaches(sb: &SuperBlock) -> bool {
    sb.data().options.stable() == Strategy::Detached && sb.needs_stable_writes()
}

pub(crate) fn treatment_word(treatment: Treatment) -> &'static CStr {
    match treatment {
        Treatment::InPlace => c"in_place",
        Treatment::Snapshot => c"snapshot",
        Treatment::Detached => c"detached",
    }
}

fn decide(inode: &INode, cycle: &Cycle<'_>, strategy: Strategy) -> (Treatment, Reason) {
    let sb = inode.sb();
    let fs = sb.data();
    if strategy == Strategy::Off || !sb.needs_stable_writes() {
        return (Treatment::InPlace, Reason::NotNeeded);
    }
    if cycle.folio.maybe_dma_pinned() {
        return (Treatment::Snapshot, Reason::Pinned);
    }
    match strategy {
        Strategy::Off | Strategy::Wait => (Treatment::InPlace, Reason::Strategy),
        Strategy::Snapshot => (Treatment::Snapshot, Reason::Strategy),
        Strategy::Detached if cycle.may_detach => (Treatment::Detached, Reason::Strategy),
        Strategy::Detached => (Treatment::Snapshot, Reason::Awaited),
        Strategy::Auto => {
            let range = cycle.folio.range();
            let limit = fs.copies.limit();
            let facts = Facts {
                start: range.start,
                bytes: range.end - range.start,
                integrity: cycle.purpose == Purpose::Integrity,
                in_flight: fs.copies.in_flight(),
                limit,
                short: fs.learned.is_short(limit),
            };
            let device = *fs.learned.device.lock();
            let decision = inode.data().writers.file.lock().decide(&device, &facts);
            let reason = match decision.class {
                Class::Hot => Reason::Hot,
                Class::Last => Reason::Last,
                Class::Other => Reason::Other,
            };
            if decision.copy {
                (Treatment::Snapshot, reason)
            } else {
                (Treatment::InPlace, reason)
            }
        }
    }
}

/// Returns when the folio may be changed: at once, unless it is under writeback, the device reads the folio
/// itself, and needs it to be stable now. `EAGAIN` instead of waiting if `nowait`.
pub(crate) fn before_write(inode: &INode, folio: &LockedFolio<'_>, nowait: bool) -> Result {
    let sb = inode.sb();
    let fs = sb.data();
    let strategy = fs.options.stable();
    let start = folio.range().start;
    let under_writeback = folio.is_under_writeback();
    if strategy == Strategy::Auto {
        let mut file = inode.data().writers.file.lock();
        if under_writeback {
            file.hit(start);
        }
        file.wrote(start);
    }
    if !under_writeback || strategy == Strategy::Off || !sb.needs_stable_writes() {
        trace::writer(inode, folio, c"free", Delta::ZERO);
        return Ok(());
    }
    if folio.is_snapshotted() {
        fs.counters.spared.add(1);
        trace::writer(inode, folio, c"spared", Delta::ZERO);
        return Ok(());
    }
    if nowait {
        trace::writer(inode, folio, c"again", Delta::ZERO);
        return Err(EAGAIN);
    }
    wait(inode, folio);
    Ok(())
}

/// How large a folio may be that is written to now. Waiting is for a folio, however large: where somebody had
/// to wait for a large one, those that are written to next are small.
pub(crate) fn largest_folio(inode: &INode) -> usize {
    let small = &inode.data().writers.small;
    // Two writers at once count as one, which does no harm.
    match small.load(Relaxed).checked_sub(1) {
        None => usize::MAX,
        Some(left) => {
            small.store(left, Relaxed);
            PAGE_SIZE
        }
    }
}

/// As many folios are small after somebody had to wait for a large one.
const SMALL_FOLIOS: u32 = 4096;

/// Whether direct I/O goes by way of private pages.
pub(crate) fn bounces(sb: &SuperBlock) -> bool {
    sb.data().options.stable() != Strategy::Off && sb.needs_stable_writes()
}

fn wait(inode: &INode, folio: &LockedFolio<'_>) {
    let fs = inode.sb().data();
    let begin = Instant::<Monotonic>::now();
    folio.wait_for_writeback();
    let time = begin.elapsed();
    fs.counters.waited(time);
    trace::writer(inode, folio, c"waited", time);
    let range = folio.range();
    if range.end - range.start > PAGE_SIZE as u64 {
        inode.data().writers.small.store(SMALL_FOLIOS, Relaxed);
    }
    fs.learned.device.lock().waited(nanoseconds(time));
}

fn nanoseconds(time: Delta) -> u64 {
    time.as_nanos().unsigned_abs()
}
