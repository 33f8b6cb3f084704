// SPDX-License-Identifier: GPL-2.0

//! What is printed while the survey runs: a line for each combination of a subject as it comes, and at the end
//! the matrix.

use crate::way::Way;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Instant;
use survey_lib::report::{Capability, Cell, Verdict};

/// How far it is.
pub(crate) struct Table {
    begun: Instant,
    all: usize,
    done: usize,
    /// Of which there was nothing to do: the journal had them.
    before: usize,
    running: bool,
}

impl Table {
    /// Of so many cells.
    pub(crate) fn new(all: usize) -> Self {
        Self {
            begun: Instant::now(),
            all,
            done: 0,
            before: 0,
            running: false,
        }
    }

    /// The next is begun: from the first one on, time counts.
    pub(crate) fn begin(&mut self) {
        if !self.running {
            self.running = true;
            self.before = self.done;
            self.begun = Instant::now();
        }
    }

    /// One is done.
    pub(crate) fn add(&mut self, cell: &Cell) {
        self.done += 1;
        let left = self.left();
        println!(
            "{:>4}/{} {left:>7}  {:<24} {:<8} {:<3} {:>5} us {:>4}  {}",
            self.done,
            self.all,
            cell.subject,
            cell.way,
            cell.capability.word(),
            cell.window_us,
            cell.sector,
            said(cell)
        );
    }

    /// Time that is left, if the rest takes as long as what was done.
    fn left(&self) -> String {
        let done = self.done.saturating_sub(self.before);
        if !self.running || done == 0 {
            return String::new();
        }
        let each = self.begun.elapsed().as_secs_f64() / done as f64;
        let left = each * self.all.saturating_sub(self.done) as f64;
        format!("{}m{:02}s", left as u64 / 60, left as u64 % 60)
    }
}

/// The verdict, and what there is to say about it.
fn said(cell: &Cell) -> String {
    match cell.verdict {
        Verdict::Stable => format!("stable: {} writes checked", cell.writes),
        Verdict::Unstable => match (&cell.first, &cell.confirmed) {
            (None, Some(how)) => format!("UNSTABLE: {how}"),
            (first, _) => format!(
                "UNSTABLE: {} of {} intervals, first {}",
                cell.violations,
                cell.intervals,
                first.as_ref().map_or("", |first| &first.what)
            ),
        },
        Verdict::Refused => format!("refused: {}", cell.why),
        Verdict::NotApplicable => format!("not applicable: {}", cell.why),
        Verdict::Unsupported => format!("not supported: {}", cell.why),
    }
}

/// The matrix: for each subject and way, what was found with the capability on and off.
pub(crate) fn matrix(cells: &[Cell], ways: &[Way]) -> String {
    let mut rows: BTreeMap<&str, HashMap<(&str, Capability), Verdict>> = BTreeMap::new();
    for cell in cells {
        let verdicts = rows.entry(&cell.subject).or_default();
        let worst = verdicts
            .entry((&cell.way, cell.capability))
            .or_insert(cell.verdict);
        *worst = cell.verdict.min(*worst);
    }
    let mut text = format!("\n{:<24}", "on/off");
    for way in ways {
        let _ = write!(text, " {:>19}", way.name());
    }
    for (subject, verdicts) in rows {
        let _ = write!(text, "\n{subject:<24}");
        for way in ways {
            let get = |capability| verdicts.get(&(way.name(), capability)).map_or("-", short);
            let both = format!("{}/{}", get(Capability::On), get(Capability::Off));
            let _ = write!(text, " {both:>19}");
        }
    }
    text + "\n"
}

fn short(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Stable => "stable",
        Verdict::Unstable => "UNSTABLE",
        Verdict::Refused => "refused",
        Verdict::NotApplicable => "n/a",
        Verdict::Unsupported => "none",
    }
}
