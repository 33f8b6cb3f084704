// SPDX-License-Identifier: GPL-2.0

//! What goes wrong with requests, on purpose: the rules of a disk, and requests that hang.
//!
//! Rules are in `faults` in debugfs, where they are added by writing them, a line each; `clear` drops all. What
//! is in them is in the crate `fault`. The first that applies to a request is what happens to it.

use crate::{
    device::{Device, Phase},
    time::Random,
};
use core::ops::Range;
use fault::{History, Kind, Op, Rule};
use kernel::{
    alloc::kvec::PushError,
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
    /// For what the rule leaves open.
    pub(crate) random: u64,
}

struct Entry {
    rule: Rule,
    history: History,
    /// Its own: what happens to its requests is the same each time, whatever else there is.
    random: Random,
}

/// Requests that hang.
struct Parked {
    /// With room for all that the disk can have.
    requests: KVVec<Request<Device>>,
    /// Whether more may.
    open: bool,
}

/// The rules of a disk. Both locks are leaves.
#[pin_data]
pub(crate) struct Faults {
    name: CString,
    seed: u64,
    #[pin]
    rules: Mutex<KVec<Entry>>,
    /// As many as there are, to be looked at without the lock.
    count: Atomic<usize>,
    #[pin]
    parked: Mutex<Parked>,
}

impl Faults {
    /// None. `name` and `seed` are the disk's, which can have so many requests at a time. `ENOMEM`.
    pub(crate) fn new(name: &CStr, seed: u64, requests: usize) -> impl PinInit<Self, Error> + '_ {
        try_pin_init!(Self {
            name: CString::try_from_fmt(fmt!("{name}"))?,
            seed,
            rules <- new_mutex!(KVec::new()),
            count: Atomic::new(0),
            parked <- new_mutex!(Parked {
                requests: KVVec::with_capacity(requests, GFP_KERNEL)?,
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
    pub(crate) fn decide(&self, op: Op, sectors: Range<u64>) -> Option<Fault> {
        if !self.any() {
            return None;
        }
        self.rules.lock().iter_mut().find_map(|entry| {
            let Entry {
                rule,
                history,
                random,
            } = entry;
            rule.applies(history, op, &sectors, || random.next())
                .then(|| Fault {
                    kind: rule.kind(),
                    sector: rule.sector_in(&sectors).unwrap_or(0),
                    random: random.next(),
                })
        })
    }

    /// Keeps a request until it is released, and then has it go on in that phase. Gives it back, in that phase, if
    /// nothing may hang any more.
    pub(crate) fn park(
        &self,
        mut rq: Request<Device>,
        phase: Phase,
    ) -> Result<(), Request<Device>> {
        rq.data_mut().wait_for(phase);
        let mut parked = self.parked.lock();
        if !parked.open {
            return Err(rq);
        }
        let parked = parked.requests.push_within_capacity(rq);
        parked.map_err(|PushError(rq)| rq)
    }

    fn release_all(&self) {
        for rq in self.parked.lock().requests.drain_all() {
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
        for Entry { rule, history, .. } in self.rules.lock().iter() {
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
                random: Random::new(0),
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
        for mut entry in new.drain_all() {
            let place = all.len() as u64;
            // Not that much further in one sequence, nor another place of another seed.
            let own = Random::new(self.seed).next().wrapping_add(place);
            entry.random = Random::new(Random::new(own).next());
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
