// SPDX-License-Identifier: GPL-2.0

//! What is counted, in `/sys/kernel/debug/dif_blk/NAME/`.

use kernel::{
    c_str, fmt,
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
    time::{Instant, Monotonic},
    uaccess::UserSliceReader,
};
use pi::Mismatch;
use storage::{
    block::{bio::Origin, request::Op},
    counter::{Counter, Lines},
    debugfs::ScopedDir,
};

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

/// How often something happened, by kind. As a whole, in debugfs, how often.
struct Kinds([Counter; 3]);

impl Kinds {
    const fn new() -> Self {
        Self([const { Counter::new() }; 3])
    }

    fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().map(Counter::get)
    }

    fn add(&self, kind: usize) {
        if let Some(counter) = self.0.get(kind) {
            counter.add(1);
        }
    }

    fn add_all(&self, other: &Self) {
        for (counter, count) in self.0.iter().zip(other.iter()) {
            // Mostly there is none, and other processors count here, too.
            if count > 0 {
                counter.add(count as usize);
            }
        }
    }

    fn reset(&self) {
        self.0.iter().for_each(Counter::reset);
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.iter().sum::<i64>())
    }
}

/// How often, by kind, with spaces.
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([a, b, c]) = self;
        write!(f, "{a:?} {b:?} {c:?}")
    }
}

/// Words, with spaces between them.
pub(crate) struct Words(pub(crate) &'static [&'static str]);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, word) in self.0.iter().enumerate() {
            write!(f, "{}{word}", if n == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Pages that changed in flight, by whose they were.
pub(crate) struct Violations(Kinds);

impl Violations {
    pub(crate) const KINDS: [&str; 3] = ["file", "block_device", "memory"];

    pub(crate) const fn new() -> Self {
        Self(Kinds::new())
    }

    /// One more.
    pub(crate) fn add(&self, origin: &Origin) {
        self.0.add(match origin {
            Origin::File { .. } => 0,
            Origin::BlockDevice { .. } => 1,
            Origin::None => 2,
        });
    }

    pub(crate) fn reset(&self) {
        self.0.reset();
    }
}

/// Tuples that did not agree, by what of them.
pub(crate) struct Mismatches(Kinds);

impl Mismatches {
    pub(crate) const KINDS: [&str; 3] = ["guard", "app_tag", "ref_tag"];

    pub(crate) const fn new() -> Self {
        Self(Kinds::new())
    }

    /// One more.
    pub(crate) fn add(&self, mismatch: &Mismatch) {
        self.0.add(match mismatch {
            // What is too short for a tuple has no guard.
            Mismatch::Guard { .. } | Mismatch::NoTuple => 0,
            Mismatch::AppTag { .. } => 1,
            Mismatch::RefTag { .. } => 2,
        });
    }

    /// Likewise, all of those.
    pub(crate) fn add_all(&self, other: &Self) {
        self.0.add_all(&other.0);
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|count| count == 0)
    }

    pub(crate) fn reset(&self) {
        self.0.reset();
    }
}

/// The counters of one disk. All start again at a reset.
pub(crate) struct Counters {
    /// Write requests that were checked after their window.
    pub(crate) writes_checked: Counter,
    /// Protection intervals of those.
    pub(crate) intervals_checked: Counter,
    /// Protection intervals whose page changed in flight.
    pub(crate) violations: Violations,
    /// Likewise, and not reset.
    sequence: Atomic<i64>,
    /// Records of them that there was no room for.
    pub(crate) records_dropped: Counter,
    /// From reset to the first of them.
    first_violation_us: FirstAt,
    /// Protection intervals read and verified.
    pub(crate) intervals_read: Counter,
    /// Of those, how many did not agree with their tuple.
    read_mismatches: Mismatches,
    /// Protection intervals written whose metadata did not agree with their data.
    write_mismatches: Mismatches,
}

impl Counters {
    /// All at zero.
    pub(crate) fn new() -> Self {
        Self {
            writes_checked: Counter::new(),
            intervals_checked: Counter::new(),
            violations: Violations::new(),
            sequence: Atomic::new(0),
            records_dropped: Counter::new(),
            first_violation_us: FirstAt::new(),
            intervals_read: Counter::new(),
            read_mismatches: Mismatches::new(),
            write_mismatches: Mismatches::new(),
        }
    }

    /// Their files in `dir`.
    pub(crate) fn files<'data>(&'data self, dir: &ScopedDir<'data>) {
        dir.read_only_file(c_str!("writes_checked"), &self.writes_checked);
        dir.read_only_file(c_str!("intervals_checked"), &self.intervals_checked);
        dir.read_only_file(c_str!("violations"), &self.violations.0);
        dir.read_only_file(c_str!("records_dropped"), &self.records_dropped);
        dir.read_only_file(c_str!("first_violation_us"), &self.first_violation_us);
        dir.read_only_file(c_str!("intervals_read"), &self.intervals_read);
        dir.read_only_file(c_str!("read_mismatches"), &self.read_mismatches.0);
        dir.read_only_file(c_str!("write_mismatches"), &self.write_mismatches.0);
        dir.read_callback_file(c_str!("kinds"), self, &Self::show_kinds);
        dir.write_only_callback_file(c_str!("reset"), self, &Self::reset);
    }

    /// An interval's page has changed. Which one it is since the disk was made, from 1.
    pub(crate) fn next_violation(&self) -> u64 {
        self.first_violation_us.mark();
        self.sequence.fetch_add(1, Relaxed).unsigned_abs() + 1
    }

    /// Those of that operation.
    pub(crate) fn mismatches(&self, op: Op) -> &Mismatches {
        match op {
            Op::Read => &self.read_mismatches,
            _ => &self.write_mismatches,
        }
    }

    fn show_kinds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines::new(f);
        for (what, names, kinds) in [
            ("violations", Violations::KINDS, &self.violations.0),
            (
                "read_mismatches",
                Mismatches::KINDS,
                &self.read_mismatches.0,
            ),
            (
                "write_mismatches",
                Mismatches::KINDS,
                &self.write_mismatches.0,
            ),
        ] {
            for (name, count) in names.iter().zip(kinds.iter()) {
                lines.line(fmt!("{what} {name} {count}"))?;
            }
        }
        Ok(())
    }

    /// Anything that is written to `reset` resets.
    fn reset(&self, _text: &mut UserSliceReader) -> Result {
        for counter in [
            &self.writes_checked,
            &self.intervals_checked,
            &self.records_dropped,
            &self.intervals_read,
        ] {
            counter.reset();
        }
        for kinds in [
            &self.violations.0,
            &self.read_mismatches.0,
            &self.write_mismatches.0,
        ] {
            kinds.reset();
        }
        self.first_violation_us.reset();
        Ok(())
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Mismatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
