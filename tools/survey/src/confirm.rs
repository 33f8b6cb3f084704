// SPDX-License-Identifier: GPL-2.0

//! What is unstable is confirmed by a check of another kind.
//!
//! Without the capability: the same with it is stable, as theory has it. With it, or under a device that doesn't pass
//! it on: once more on a disk with `pi=dix`, where the block layer made the tuples (`block/t10-pi.c`), and their
//! guards no longer agree. If the device passes those on, and asks for stable pages because of them: once more with
//! `queue/stable_writes` set on top, which is stable.

use crate::cell::{self, Combination};
use crate::disk::{Pi, Setting};
use crate::journal::{Journal, Line};
use crate::run::{Found, Made, Plan};
use crate::subject::Subject;
use std::collections::BTreeMap;
use std::time::Duration;
use survey_lib::report::{Capability, Cell, Verdict};

/// How much longer one is tried that shows nothing beside others.
const LONGER: Duration = Duration::from_secs(5);

/// Confirms what can be, and wasn't.
pub(crate) fn all(plan: &Plan, journal: &mut Journal, found: &mut Found) -> Result<(), String> {
    for (name, mut group) in groups(plan, found) {
        // It brought the machine down.
        let begun = |line: &Line| matches!(line, Line::Begun(begun) if *begun == name);
        if journal.before.iter().any(begun) {
            continue;
        }
        journal.add(&Line::Begun(name))?;
        group.run(plan)?;
        for cell in group.cells {
            note(journal, found, cell.index, cell.text)?;
        }
    }
    for index in 0..found.cells.len() {
        let text = match found.cells.get(index) {
            Some(cell) if is_open(cell) && cell.capability == Capability::Off => {
                contrast(cell, &found.cells)
            }
            _ => None,
        };
        note(journal, found, index, text)?;
    }
    Ok(())
}

fn is_open(cell: &Cell) -> bool {
    cell.verdict == Verdict::Unstable && cell.confirmed.is_none()
}

fn note(
    journal: &mut Journal,
    found: &mut Found,
    index: usize,
    text: Option<String>,
) -> Result<(), String> {
    let (Some(cell), Some(_)) = (found.cells.get_mut(index), &text) else {
        return Ok(());
    };
    cell.confirmed = text;
    // Of two lines for a cell, the later one counts.
    journal.add(&Line::Cell(Box::new(cell.clone())))
}

/// The same with the capability is stable.
fn contrast(cell: &Cell, cells: &[Cell]) -> Option<String> {
    let other = cells.iter().find(|other| {
        other.capability == Capability::On
            && (&other.subject, &other.way, other.window_us, other.sector)
                == (&cell.subject, &cell.way, cell.window_us, cell.sector)
    })?;
    match other.verdict {
        Verdict::Stable => Some(format!(
            "on a disk that asks for stable pages {} writes were checked, and no page had changed",
            other.writes
        )),
        _ => other.confirmed.clone(),
    }
}

/// One that is run once more.
struct Again {
    /// Which of the cells.
    index: usize,
    combination: Combination,
    /// What that showed.
    text: Option<String>,
}

/// Those of one subject on one kind of disk: making it takes longer than running one.
struct Group<'a> {
    subject: &'a Subject,
    capability: Capability,
    sector: u32,
    /// The device on top is known not to ask for stable pages.
    asks_not: bool,
    cells: Vec<Again>,
}

/// By the names that the journal has for them.
fn groups<'a>(plan: &'a Plan, found: &Found) -> BTreeMap<String, Group<'a>> {
    let mut groups = BTreeMap::new();
    for (index, cell) in found.cells.iter().enumerate() {
        let (name, capability, sector) = (&cell.subject, cell.capability, cell.sector);
        // Where nobody above knows of the capability, it is no control.
        let asks_not = found.propagates.get(name) == Some(&false);
        let again = capability == Capability::On || asks_not;
        if !again || !is_open(cell) {
            continue;
        }
        let Some((subject, way)) = plan.find(cell) else {
            continue;
        };
        let group = groups
            .entry(format!("confirming {name} {capability:?} {sector}"))
            .or_insert_with(|| Group {
                subject,
                capability,
                sector,
                asks_not,
                cells: Vec::new(),
            });
        group.cells.push(Again {
            index,
            combination: Combination {
                way,
                capability,
                window_us: cell.window_us,
                sector,
            },
            text: None,
        });
    }
    groups
}

impl Group<'_> {
    /// With tuples that the block layer makes. If these keep pages stable, since they ask for it all the way up: with
    /// a device on top that asks for it, where that is stable, if it didn't before.
    fn run(&mut self, plan: &Plan) -> Result<(), String> {
        let tuples = Trial {
            up: &self.subject.up,
            pi: Pi::Dix,
            copy: false,
            time: plan.time,
            at_once: usize::MAX,
            shows: guards_differ,
        };
        tuples.run(self)?;
        if let Some(up) = self.subject.asking().filter(|_| self.asks_not) {
            let asking = Trial {
                up: &up,
                pi: self.subject.disk.pi,
                copy: true,
                shows: is_stable,
                ..tuples
            };
            asking.run(self)?;
        }
        // A write that failed for another may have made the filesystem refuse everything.
        let alone = Trial {
            time: plan.time + LONGER,
            at_once: 1,
            ..tuples
        };
        alone.run(self)
    }
}

/// How they are.
struct Trial<'a> {
    up: &'a str,
    pi: Pi,
    copy: bool,
    time: Duration,
    /// How many on one that was made.
    at_once: usize,
    shows: fn(&Cell) -> Option<String>,
}

impl Trial<'_> {
    /// Those that nothing was shown of.
    fn run(&self, group: &mut Group<'_>) -> Result<(), String> {
        let setting = Setting {
            capability: group.capability,
            sector: group.sector,
            pi: self.pi,
            copy: self.copy,
        };
        let mut left: Vec<_> = group
            .cells
            .iter_mut()
            .filter(|cell| cell.text.is_none())
            .collect();
        for some in left.chunks_mut(self.at_once) {
            // What can't be made so isn't confirmed.
            let Ok(made) = Made::by(group.subject, self.up, setting) else {
                continue;
            };
            for cell in some {
                cell.text = (self.shows)(&cell::run(&made.site(), cell.combination, self.time)?);
            }
            made.down()?;
        }
        Ok(())
    }
}

fn guards_differ(again: &Cell) -> Option<String> {
    (again.violations > 0).then(|| {
        format!(
            "with tuples that the block layer made (pi=dix), {} of {} intervals no longer agreed with their guard",
            again.violations, again.intervals
        )
    })
}

fn is_stable(again: &Cell) -> Option<String> {
    (again.verdict == Verdict::Stable).then(|| {
        format!(
            "with a device on top that asks for stable pages {} writes were checked, and no page had changed",
            again.writes
        )
    })
}
