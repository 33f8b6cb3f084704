// SPDX-License-Identifier: GPL-2.0

//! What requests there were: how many, how large, of how many bios and segments, by queue and operation.

use crate::counters::{Mismatches, Violations, Words};
use kernel::{c_str, fmt, prelude::*, uaccess::UserSliceReader};
use storage::{
    block::{
        bio::Origin,
        request::{Command, Op},
    },
    counter::{Counter, Histogram, Lines},
    debugfs::ScopedDir,
};

/// Operations that are counted, and what they are called.
const OPS: [(&str, Op); 5] = [
    ("read", Op::Read),
    ("write", Op::Write),
    ("flush", Op::Flush),
    ("discard", Op::Discard),
    ("write_zeroes", Op::WriteZeroes),
];

/// Of one operation on one queue.
struct Requests {
    requests: Counter,
    bios: Counter,
    segments: Counter,
    bytes: Counter,
    /// Intervals whose pages were looked at after a window, or whose tuples were verified.
    checked: Counter,
    /// Of those, the ones that had changed.
    violations: Violations,
    /// Of those, the ones that did not agree.
    mismatches: Mismatches,
    sizes: Histogram<31>,
}

impl Requests {
    const fn new() -> Self {
        Self {
            requests: Counter::new(),
            bios: Counter::new(),
            segments: Counter::new(),
            bytes: Counter::new(),
            checked: Counter::new(),
            violations: Violations::new(),
            mismatches: Mismatches::new(),
            sizes: Histogram::new(),
        }
    }

    /// Bios that came to a request that was there. Flushes have none.
    fn merges(&self) -> i64 {
        (self.bios.get() - self.requests.get()).max(0)
    }

    fn reset(&self) {
        for counter in [
            &self.requests,
            &self.bios,
            &self.segments,
            &self.bytes,
            &self.checked,
        ] {
            counter.reset();
        }
        self.violations.reset();
        self.mismatches.reset();
        self.sizes.reset();
    }
}

/// What was counted of a disk. Each queue has numbers of its own, so that CPUs don't share them.
pub(crate) struct Statistics {
    queues: KVVec<[Requests; OPS.len()]>,
}

impl Statistics {
    /// For so many queues. `ENOMEM`.
    pub(crate) fn new(queues: usize) -> Result<Self> {
        let mut all = KVVec::with_capacity(queues, GFP_KERNEL)?;
        for _ in 0..queues {
            all.push([const { Requests::new() }; OPS.len()], GFP_KERNEL)?;
        }
        Ok(Self { queues: all })
    }

    /// Where a request is counted.
    fn of(&self, command: &Command) -> Option<&Requests> {
        let op = command.op();
        let place = OPS.iter().position(|(_, known)| *known == op)?;
        self.queues.get(command.queue())?.get(place)
    }

    /// Counts intervals of a request that were checked.
    pub(crate) fn checked(&self, command: &Command, intervals: usize) {
        if let Some(requests) = self.of(command) {
            requests.checked.add(intervals);
        }
    }

    /// Counts one that had changed.
    pub(crate) fn violation(&self, command: &Command, origin: &Origin) {
        if let Some(requests) = self.of(command) {
            requests.violations.add(origin);
        }
    }

    /// Counts those that did not agree with their tuples.
    pub(crate) fn mismatches(&self, command: &Command, mismatches: &Mismatches) {
        if let Some(requests) = self.of(command) {
            requests.mismatches.add_all(mismatches);
        }
    }

    /// Counts a request.
    pub(crate) fn count(&self, command: &Command) {
        let Some(requests) = self.of(command) else {
            return;
        };
        let bytes = command.bytes();
        requests.requests.add(1);
        requests.bios.add(command.bios());
        requests.segments.add(command.segments_count());
        requests.bytes.add(bytes);
        requests.sizes.add(bytes as u64);
    }

    /// The files in `dir`.
    pub(crate) fn files<'data>(&'data self, dir: &ScopedDir<'data>) {
        dir.read_write_callback_file(c_str!("requests"), self, &Self::show, &Self::reset);
        dir.read_callback_file(c_str!("request_sizes"), self, &Self::show_sizes);
    }

    /// All with what they are of.
    fn iter(&self) -> impl Iterator<Item = (usize, &'static str, &Requests)> {
        self.queues.iter().enumerate().flat_map(|(queue, ops)| {
            OPS.iter()
                .zip(ops)
                .map(move |((name, _), requests)| (queue, *name, requests))
        })
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines::new(f);
        lines.line(fmt!(
            "queue operation requests bios merges segments bytes checked {} {}",
            Words(&Violations::KINDS),
            Words(&Mismatches::KINDS)
        ))?;
        for (queue, name, of) in self.iter().filter(|(.., of)| of.requests.get() > 0) {
            lines.line(fmt!(
                "{queue} {name} {:?} {:?} {} {:?} {:?} {:?} {} {}",
                of.requests,
                of.bios,
                of.merges(),
                of.segments,
                of.bytes,
                of.checked,
                of.violations,
                of.mismatches
            ))?;
        }
        Ok(())
    }

    fn show_sizes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines::new(f);
        lines.line(fmt!("queue operation from requests"))?;
        for (queue, name, of) in self.iter() {
            for (begin, count) in of.sizes.iter() {
                lines.line(fmt!("{queue} {name} {begin} {count}"))?;
            }
        }
        Ok(())
    }

    /// Anything that is written resets all.
    fn reset(&self, _text: &mut UserSliceReader) -> Result {
        for ops in &self.queues {
            for requests in ops {
                requests.reset();
            }
        }
        Ok(())
    }
}
