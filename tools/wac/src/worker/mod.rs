// SPDX-License-Identifier: GPL-2.0

//! Workers. What is common to all of them is here: choose a block, make its new
//! contents, write it, do the after-write action, count. How a block is written
//! is a `Medium`, and there are three: [`mod@write`], [`direct`] and [`map`].

pub mod direct;
pub mod map;
pub mod write;

use crate::errors::{Code, Op, Tally};
use crate::latency::{Latency, Pairs};
use crate::pattern::{Offsets, Pattern, Stamp};
use crate::plan::{Kind, Plan, SyncAction, WorkerSpec};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A worker keeps at most this many numbers of failed operations.
const MAX_FAILED: usize = 65_536;
/// After this many failures in a row a worker waits a little after each.
const PATIENCE: u32 = 8;
/// After this many failures in a row it gives up.
const GIVE_UP: u32 = 1000;

/// Running totals of all workers, and the word to stop.
#[derive(Debug, Default)]
pub struct Live {
    /// Operations that succeeded.
    pub operations: AtomicU64,
    /// Bytes they wrote.
    pub bytes: AtomicU64,
    /// Real errors.
    pub errors: AtomicU64,
    /// Errors that may come from mixing direct and mapped I/O.
    pub mixing: AtomicU64,
    /// Set once, to make every worker stop after its present operation.
    pub stop: Arc<AtomicBool>,
}

impl Live {
    /// Whether the workers have been told to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What a worker did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Number of the worker.
    pub id: u16,
    /// Operations it began.
    pub attempts: u64,
    /// Operations that succeeded.
    pub operations: u64,
    /// Bytes they wrote.
    pub bytes: u64,
    /// Words that its companion changed while they were in flight.
    pub rewritten_words: u64,
    /// Numbers of the operations that failed.
    pub failed: Vec<u32>,
    /// There were more than are in `failed`.
    pub failed_truncated: bool,
    /// Errors.
    pub errors: Tally,
    /// How long `write()` took.
    pub write_ns: Pairs,
    /// How long storing one block to the mapping took, page faults included.
    pub store_ns: Pairs,
    /// How long the after-write action took.
    pub sync_ns: Pairs,
    /// Why it stopped before it was told to.
    pub gave_up: Option<String>,
}

/// A way to write a block.
trait Medium {
    /// What a failure of [`Medium::write`] is counted as.
    const OP: Op;

    /// Writes `words` as operation `seq` to `block`.
    fn write(&mut self, seq: u32, block: u64, words: &[u64]) -> Result<(), Code>;

    /// The descriptor.
    fn fd(&self) -> BorrowedFd<'_>;

    /// `msync()` of a block, for those that have a mapping.
    fn msync(&self, block: u64) -> Result<(), Errno> {
        let _ = block;
        Err(Errno::INVAL)
    }

    /// Words changed in flight.
    fn rewritten_words(&self) -> u64 {
        0
    }
}

/// A worker that is ready to start.
pub struct Worker<'a> {
    plan: &'a Plan,
    spec: WorkerSpec,
    medium: Result<AnyMedium, (Op, Errno)>,
}

enum AnyMedium {
    Write(write::Write),
    Direct(Box<direct::Direct>),
    Map(map::Map),
}

impl<'a> Worker<'a> {
    /// Opens the file and gets everything ready. A failure is kept and becomes
    /// part of the outcome.
    pub fn prepare(plan: &'a Plan, spec: WorkerSpec, path: &Path) -> Worker<'a> {
        let medium = match spec.kind {
            Kind::Write => write::Write::open(plan, path).map(AnyMedium::Write),
            Kind::Direct => direct::Direct::open(plan, spec.id, path)
                .map(|direct| AnyMedium::Direct(Box::new(direct))),
            Kind::Map => map::Map::open(plan, path).map(AnyMedium::Map),
        };
        Worker { plan, spec, medium }
    }

    /// Works until told to stop, or until nothing works any more.
    pub fn run(self, live: &Live) -> Outcome {
        let sync = match self.spec.kind {
            Kind::Map => self.plan.mapper_sync,
            Kind::Write | Kind::Direct => self.plan.writer_sync,
        };
        let job = Job {
            plan: self.plan,
            id: self.spec.id,
            sync,
            live,
            start: Instant::now(),
            outcome: Outcome {
                id: self.spec.id,
                ..Outcome::default()
            },
            in_a_row: 0,
        };
        match self.medium {
            Ok(AnyMedium::Write(medium)) => job.run(medium),
            Ok(AnyMedium::Direct(medium)) => job.run(*medium),
            Ok(AnyMedium::Map(medium)) => job.run(medium),
            Err((op, errno)) => job.could_not_start(op, errno),
        }
    }
}

struct Job<'a> {
    plan: &'a Plan,
    id: u16,
    sync: SyncAction,
    live: &'a Live,
    start: Instant,
    outcome: Outcome,
    /// Failures since the last success.
    in_a_row: u32,
}

impl Job<'_> {
    fn could_not_start(mut self, op: Op, errno: Errno) -> Outcome {
        self.error(op, errno.into());
        self.outcome.gave_up = Some(format!("{}: {}", op.name(), Code::from(errno).name()));
        self.outcome
    }

    fn run<M: Medium>(mut self, mut medium: M) -> Outcome {
        let plan = self.plan;
        let mut offsets = Offsets::new(plan.seed, self.id, plan.blocks());
        let pattern = Pattern::new(plan.seed);
        let mut words = vec![0; plan.words_per_block()];
        let mut write_times = Latency::default();
        let mut sync_times = Latency::default();
        let limit = plan.ops_per_worker.unwrap_or(u64::MAX);

        // The number of an operation has 32 bits in a word.
        for seq in 0..u32::MAX {
            if self.live.stopped() || u64::from(seq) >= limit || self.outcome.gave_up.is_some() {
                break;
            }
            let block = offsets.next_block();
            let stamp = Stamp {
                worker: self.id,
                variant: 0,
                seq,
            };
            pattern.fill(&mut words, block * (plan.block_size / 8), stamp);
            self.outcome.attempts += 1;

            let before = Instant::now();
            match medium.write(seq, block, &words) {
                Ok(()) => {
                    write_times.record(before.elapsed());
                    self.success();
                }
                Err(code) => {
                    self.failed(seq);
                    self.failure(M::OP, code);
                    continue;
                }
            }

            let before = Instant::now();
            match sync_block(&medium, self.sync, plan.block_size, block) {
                None => (),
                Some((_, Ok(()))) => {
                    sync_times.record(before.elapsed());
                    self.in_a_row = 0;
                }
                Some((op, Err(errno))) => self.failure(op, errno.into()),
            }
        }

        self.outcome.rewritten_words = medium.rewritten_words();
        if M::OP == Op::Store {
            self.outcome.store_ns = write_times.pairs();
        } else {
            self.outcome.write_ns = write_times.pairs();
        }
        self.outcome.sync_ns = sync_times.pairs();
        self.outcome
    }

    fn success(&mut self) {
        self.outcome.operations += 1;
        self.outcome.bytes += self.plan.block_size;
        self.live.operations.fetch_add(1, Ordering::Relaxed);
        self.live
            .bytes
            .fetch_add(self.plan.block_size, Ordering::Relaxed);
        if self.sync == SyncAction::None {
            self.in_a_row = 0;
        }
    }

    fn failed(&mut self, seq: u32) {
        if self.outcome.failed.len() < MAX_FAILED {
            self.outcome.failed.push(seq);
        } else {
            self.outcome.failed_truncated = true;
        }
    }

    /// Counts an error; tells whether it may come from mixing.
    fn error(&mut self, op: Op, code: Code) -> bool {
        let at_s = self.start.elapsed().as_secs_f64();
        let mixing = self.outcome.errors.record(self.plan, op, code, at_s);
        let counter = if mixing {
            &self.live.mixing
        } else {
            &self.live.errors
        };
        counter.fetch_add(1, Ordering::Relaxed);
        mixing
    }

    /// Counts an error and decides whether to go on.
    fn failure(&mut self, op: Op, code: Code) {
        if self.error(op, code) {
            // Part of this workload's life, however often.
            return;
        }
        self.in_a_row += 1;
        if code.is_final() {
            self.outcome.gave_up = Some(format!("{}: {}", op.name(), code.name()));
        } else if self.in_a_row >= GIVE_UP {
            self.outcome.gave_up = Some(format!(
                "{} failures in a row, the last: {}: {}",
                self.in_a_row,
                op.name(),
                code.name()
            ));
        } else if self.in_a_row >= PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Does the after-write action for `block`; `None` if there is none to do.
fn sync_block<M: Medium>(
    medium: &M,
    action: SyncAction,
    block_size: u64,
    block: u64,
) -> Option<(Op, Result<(), Errno>)> {
    let fd = medium.fd();
    match action {
        SyncAction::None => None,
        SyncAction::SyncFileRange => Some((
            Op::SyncFileRange,
            crate::mapping::start_writeback(fd, block * block_size, block_size),
        )),
        SyncAction::Msync => Some((Op::Msync, medium.msync(block))),
        SyncAction::Fsync => Some((Op::Fsync, rustix::fs::fsync(fd))),
        SyncAction::Fdatasync => Some((Op::Fdatasync, rustix::fs::fdatasync(fd))),
    }
}

/// Opens the file the way the plan says.
fn open(plan: &Plan, path: &Path, access: OFlags) -> Result<OwnedFd, (Op, Errno)> {
    let mut flags = access | OFlags::CLOEXEC;
    flags.set(OFlags::DIRECT, plan.direct);
    flags.set(OFlags::SYNC, plan.o_sync);
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| (Op::Open, errno))
}
