// SPDX-License-Identifier: GPL-2.0

//! What is counted, in `/sys/kernel/debug/dif_blk/NAME/`.

use kernel::{
    c_str, fmt,
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
    time::{Instant, Monotonic},
    uaccess::UserSliceReader,
};
use storage::{counter::Counter, debugfs::ScopedDir};

/// Time from the last reset to the first event after it.
pub(crate) struct FirstAt {
    made: Instant<Monotonic>,
    /// Last reset, in nanoseconds since `made`.
    reset: Atomic<i64>,
    /// Nanoseconds from then, or `NEVER`.
    after: Atomic<i64>,
}

impl FirstAt {
    const NEVER: i64 = -1;

    fn new() -> Self {
        Self {
            made: Instant::now(),
            reset: Atomic::new(0),
            after: Atomic::new(Self::NEVER),
        }
    }

    fn mark(&self) {
        let now = self.made.elapsed().as_nanos();
        // If it fails, somebody else was first.
        let _ = self
            .after
            .cmpxchg(Self::NEVER, now - self.reset.load(Relaxed), Relaxed);
    }

    fn reset(&self) {
        self.reset.store(self.made.elapsed().as_nanos(), Relaxed);
        self.after.store(Self::NEVER, Relaxed);
    }
}

/// As the file in debugfs shows it: microseconds, or `none`.
impl fmt::Debug for FirstAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after.load(Relaxed) {
            Self::NEVER => f.write_str("none"),
            nanos => write!(f, "{}", nanos / 1000),
        }
    }
}

/// The counters of one disk. All start again at a reset.
pub(crate) struct Counters {
    /// Write requests that were checked after their window.
    pub(crate) writes_checked: Counter,
    /// Protection intervals of those.
    pub(crate) intervals_checked: Counter,
    /// Protection intervals whose page changed in flight.
    pub(crate) violations: Counter,
    /// Likewise, and not reset.
    sequence: Atomic<i64>,
    /// Records of them that there was no room for.
    pub(crate) records_dropped: Counter,
    /// From reset to the first of them.
    first_violation_us: FirstAt,
    /// Protection intervals read and verified.
    pub(crate) intervals_read: Counter,
    /// Of those, how many did not agree with their tuple.
    pub(crate) read_mismatches: Counter,
    /// Protection intervals written whose metadata did not agree with their data.
    pub(crate) write_mismatches: Counter,
}

impl Counters {
    /// All at zero.
    pub(crate) fn new() -> Self {
        Self {
            writes_checked: Counter::new(),
            intervals_checked: Counter::new(),
            violations: Counter::new(),
            sequence: Atomic::new(0),
            records_dropped: Counter::new(),
            first_violation_us: FirstAt::new(),
            intervals_read: Counter::new(),
            read_mismatches: Counter::new(),
            write_mismatches: Counter::new(),
        }
    }

    /// Their files in `dir`.
    pub(crate) fn files<'data>(&'data self, dir: &ScopedDir<'data>) {
        dir.read_only_file(c_str!("writes_checked"), &self.writes_checked);
        dir.read_only_file(c_str!("intervals_checked"), &self.intervals_checked);
        dir.read_only_file(c_str!("violations"), &self.violations);
        dir.read_only_file(c_str!("records_dropped"), &self.records_dropped);
        dir.read_only_file(c_str!("first_violation_us"), &self.first_violation_us);
        dir.read_only_file(c_str!("intervals_read"), &self.intervals_read);
        dir.read_only_file(c_str!("read_mismatches"), &self.read_mismatches);
        dir.read_only_file(c_str!("write_mismatches"), &self.write_mismatches);
        dir.write_only_callback_file(c_str!("reset"), self, &Self::reset);
    }

    /// Counts an interval whose page changed. Which one it is since the disk was made, from 1.
    pub(crate) fn violation(&self) -> u64 {
        self.violations.add(1);
        self.first_violation_us.mark();
        self.sequence.fetch_add(1, Relaxed).unsigned_abs() + 1
    }

    /// Anything that is written to `reset` resets.
    fn reset(&self, _text: &mut UserSliceReader) -> Result {
        for counter in [
            &self.writes_checked,
            &self.intervals_checked,
            &self.violations,
            &self.records_dropped,
            &self.intervals_read,
            &self.read_mismatches,
            &self.write_mismatches,
        ] {
            counter.reset();
        }
        self.first_violation_us.reset();
        Ok(())
    }
}
