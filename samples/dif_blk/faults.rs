// SPDX-License-Identifier: GPL-2.0

//! What goes wrong with requests, on purpose: the rules of a disk, and requests that hang.
//!
//! Rules are in `faults` in debugfs, where they are added by writing them, a line each; `clear` drops all. What
//! is in them is in the crate `fault`. The first that applies to a request is what happens to it.

use crate::device::{Device, Phase};
use core::ops::Range;
use fault::{History, Kind, Op, Rule};
use kernel::{
    c_str, fmt, new_mutex,
    prelude::*,
    str::{CStr, CString},
    sync::{
        atomic::{Atomic, Relaxed},
        Mutex,
    },
    time::Delta,
    uaccess::UserSliceReader,
};
use storage::{
    block::{request::Request, status::Status},
    counter::Lines,
    debugfs::{with_text, ScopedDir},
};

/// Longest text that is taken at once, in bytes.
const MAX_TEXT: usize = 4096;

/// What happens to a request.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// The first of its sectors that the rule is for; that of a flush is 0.
    pub(crate) sector: u64,
}

struct Entry {
    rule: Rule,
    history: History,
}

/// Requests that hang.
struct Parked {
    requests: KVec<Request<Device>>,
    /// Whether more may.
    open: bool,
}

/// The rules of a disk. Both locks are leaves.
#[pin_data]
pub(crate) struct Faults {
    name: CString,
    #[pin]
    rules: Mutex<KVec<Entry>>,
    /// As many as there are, to be looked at without the lock.
    count: Atomic<usize>,
    #[pin]
    parked: Mutex<Parked>,
}

impl Faults {
    /// None. `name` is the disk's.
    pub(crate) fn new(name: &CStr) -> impl PinInit<Self, Error> + '_ {
        try_pin_init!(Self {
            name: CString::try_from_fmt(fmt!("{name}"))?,
            rules <- new_mutex!(KVec::new()),
            count: Atomic::new(0),
            parked <- new_mutex!(Parked {
                requests: KVec::new(),
                open: true,
            }),
        })
    }

    /// The files in `dir`.
    pub(crate) fn files<'data>(&'data self, dir: &ScopedDir<'data>) {
        dir.read_write_callback_file(c_str!("faults"), self, &Self::show, &Self::add);
        dir.write_only_callback_file(c_str!("release"), self, &Self::release);
    }

    /// Whether there are rules.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Relaxed) != 0
    }

    /// What happens to a request. Counts it. May sleep.
    pub(crate) fn decide(
        &self,
        op: Op,
        sectors: Range<u64>,
        random: impl Fn() -> u64,
    ) -> Option<Fault> {
        if !self.any() {
            return None;
        }
        self.rules.lock().iter_mut().find_map(|entry| {
            entry
                .rule
                .applies(&mut entry.history, op, &sectors, random())
                .then(|| Fault {
                    kind: entry.rule.kind(),
                    sector: entry.rule.sector_in(&sectors).unwrap_or(0),
                })
        })
    }

    /// Keeps a request until it is released, and then has it go on in that phase. Gives it back, in that phase, if
    /// nothing may hang any more, or there is no memory.
    pub(crate) fn park(
        &self,
        mut rq: Request<Device>,
        phase: Phase,
    ) -> Result<(), Request<Device>> {
        rq.data_mut().wait_for(phase);
        let mut parked = self.parked.lock();
        if !parked.open || parked.requests.reserve(1, GFP_KERNEL).is_err() {
            return Err(rq);
        }
        // There is room.
        let _ = parked.requests.push(rq, GFP_KERNEL);
        Ok(())
    }

    fn release_all(&self) {
        let requests = core::mem::take(&mut self.parked.lock().requests);
        for rq in requests {
            rq.defer(Delta::ZERO);
        }
    }

    /// The disk goes: nothing hangs any more.
    pub(crate) fn close(&self) {
        self.parked.lock().open = false;
        self.release_all();
    }

    /// Anything that is written to `release` lets go what hangs.
    fn release(&self, _text: &mut UserSliceReader) -> Result {
        self.release_all();
        Ok(())
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines::new(f);
        for Entry { rule, history } in self.rules.lock().iter() {
            let History { matched, applied } = history;
            lines.line(fmt!(
                "{}: {matched} matched, {applied} applied",
                format_args!("{rule}")
            ))?;
        }
        Ok(())
    }

    /// Takes all lines, or none.
    fn add(&self, text: &mut UserSliceReader) -> Result {
        with_text(text, MAX_TEXT, |text| self.add_lines(text))
    }

    fn add_lines(&self, text: &str) -> Result {
        let mut new: KVec<Entry> = KVec::new();
        let mut clears = false;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line == "clear" {
                clears = true;
                new.clear();
                continue;
            }
            let rule = Rule::parse(line).map_err(|wrong| {
                pr_err!(
                    "{}: fault '{line}': {}\n",
                    &*self.name,
                    format_args!("{wrong}")
                );
                EINVAL
            })?;
            let entry = Entry {
                rule,
                history: History::default(),
            };
            new.push(entry, GFP_KERNEL)?;
        }
        // No memory is asked for while requests wait for the lock: it may be had by writing to this disk.
        let mut all = KVec::new();
        let mut rules = loop {
            let known = self.count.load(Relaxed);
            all.reserve(known + new.len(), GFP_KERNEL)?;
            let rules = self.rules.lock();
            if rules.len() <= known {
                break rules;
            }
        };
        if !clears {
            for entry in rules.drain_all() {
                all.push(entry, GFP_NOWAIT)?;
            }
        }
        for entry in new.drain_all() {
            all.push(entry, GFP_NOWAIT)?;
        }
        core::mem::swap(&mut *rules, &mut all);
        self.count.store(rules.len(), Relaxed);
        drop(rules);
        // What was there before is freed without the lock.
        drop(all);
        Ok(())
    }
}

/// How a request ends that fails so.
pub(crate) fn status(status: fault::Status) -> Status {
    match status {
        fault::Status::IoErr => Status::IoErr,
        fault::Status::Medium => Status::Medium,
        fault::Status::Protection => Status::Protection,
        fault::Status::NoSpc => Status::NoSpc,
        fault::Status::Timeout => Status::Timeout,
    }
}
