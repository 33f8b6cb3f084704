// SPDX-License-Identifier: GPL-2.0

//! What is unstable is confirmed by a check of another kind.
//!
//! Without the capability, if the same with it is stable: that it is, as theory has it (but not of a stack that writes
//! memory of its own, which it may do whatever the disk asks for). All others: once more, in the
//! same circumstances, on a disk with `pi=dix`, where the block layer made the tuples (`block/t10-pi.c`), and their
//! guards no longer agree. If a device on top passes those on, and asks for stable pages because of them, but not of the
//! capability: once more with `queue/stable_writes` set on top, which is stable. Memory of a stack's own, if nothing else
//! shows it: that the same memory was confirmed in another cell.

use crate::cell::{self, Combination};
use crate::disk::{Pi, Setting};
use crate::journal::{Journal, Line};
use crate::place;
use crate::run::{Found, Made, Plan};
use crate::subject::Subject;
use crate::way::Way;
use std::collections::BTreeMap;
use std::time::Duration;
use survey_lib::report::{Capability, Cell, Verdict};

/// How long one is tried beside others: a single change is enough, which mostly is there at once.
const SHORT: Duration = Duration::from_millis(500);
/// How much longer one is tried that shows nothing beside others, at most.
const LONGER: Duration = Duration::from_secs(5);
/// Likewise, if that doesn't either.
const LONGEST: Duration = Duration::from_secs(20);

/// Confirms what can be, and wasn't.
pub(crate) fn all(plan: &Plan, journal: &mut Journal, found: &mut Found) -> Result<(), String> {
    for index in 0..found.cells.len() {
        let text = found.cells.get(index).and_then(|cell| {
            let (subject, _) = plan.find(cell)?;
            let asks = !asks_not(found, cell) || is_below(cell);
            let known = is_open(cell) && asks && !subject.writes_own_memory();
            contrast(twin(cell, &found.cells).filter(|_| known)?)
        });
        note(journal, found, index, text)?;
    }
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
    // What each has by itself.
    let cells = found.cells.clone();
    for (index, cell) in cells.iter().enumerate() {
        note(journal, found, index, of_same_stack(plan, cell, &cells))?;
    }
    Ok(())
}

/// Memory of a stack's own is the same whatever is on top, and whatever that does: one of a kind confirms all.
fn of_same_stack(plan: &Plan, cell: &Cell, cells: &[Cell]) -> Option<String> {
    if !is_open(cell) {
        return None;
    }
    let script = |cell: &Cell| {
        plan.find(cell)
            .and_then(|(subject, _)| subject.what.as_ref())
    };
    let what = |cell: &Cell| cell.first.as_ref().map(|first| first.what.clone());
    let (own, first) = (script(cell)?, what(cell)?);
    let of_kind = |other: &&Cell| {
        other.confirmed.is_some()
            && script(other) == Some(own)
            && what(other).as_ref() == Some(&first)
    };
    let other = cells.iter().find(of_kind)?;
    Some(format!(
        "the same memory, with {} on {}: {}",
        other.way,
        other.subject,
        other.confirmed.as_deref()?
    ))
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

/// Where nobody above knows of the capability, it makes no difference.
fn asks_not(found: &Found, cell: &Cell) -> bool {
    found.asks(&cell.subject, Capability::On) == Some(false)
}

/// The pages are those of a filesystem on the disk itself, which knows what that asks for, whatever is above.
fn is_below(cell: &Cell) -> bool {
    let first = cell.first.as_ref();
    first.is_some_and(|first| first.what == place::BELOW)
}

/// Of one without the capability: the same with it.
fn twin<'a>(cell: &Cell, cells: &'a [Cell]) -> Option<&'a Cell> {
    let all = |cell: &Cell| {
        let Cell { subject, way, .. } = cell;
        (subject.clone(), way.clone(), cell.window_us, cell.sector)
    };
    let other = |other: &&Cell| other.capability == Capability::On && all(other) == all(cell);
    cells
        .iter()
        .find(other)
        .filter(|_| cell.capability == Capability::Off)
}

/// The same with the capability is stable. If it isn't, that is no check of this one.
fn contrast(twin: &Cell) -> Option<String> {
    (twin.verdict == Verdict::Stable).then(|| {
        format!(
            "on a disk that asks for stable pages {} writes were checked, and no page had changed",
            twin.writes
        )
    })
}

/// One that is run once more.
struct Again {
    /// Which of the cells.
    index: usize,
    combination: Combination,
    /// The survey doesn't say what it is with the capability, which it was without.
    alone: bool,
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
        if !is_open(cell) {
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
                asks_not: asks_not(found, cell),
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
            alone: capability == Capability::Off
                && twin(cell, &found.cells).is_none()
                && !subject.writes_own_memory(),
            text: None,
        });
    }
    groups
}

impl Group<'_> {
    /// With tuples that the block layer makes. If these keep pages stable, since they ask for it all the way up: where
    /// that is asked for otherwise, and is stable, if it wasn't before.
    fn run(&mut self, plan: &Plan) -> Result<(), String> {
        let app = |again: &Again| matches!(again.combination.way, Way::App(_));
        // An application may have much to do first.
        let long = self.cells.iter().any(app);
        let own = Trial {
            up: &self.subject.up,
            pi: Pi::Dix,
            copy: false,
            capability: self.capability,
            time: if long {
                plan.time
            } else {
                plan.time.min(SHORT)
            },
            at_once: usize::MAX,
            which: |_| true,
            shows: guards_differ,
        };
        own.run(self)?;
        let other = Trial {
            pi: self.subject.disk.pi,
            copy: true,
            time: plan.time,
            ..own
        };
        if let Some(up) = self.subject.asking().filter(|_| self.asks_not) {
            let asking = Trial {
                up: &up,
                shows: is_stable_on_top,
                ..other
            };
            asking.run(self)?;
        } else {
            let contrast = Trial {
                capability: Capability::On,
                which: |again| again.alone,
                shows: contrast,
                ..other
            };
            contrast.run(self)?;
        }
        // A write that failed for another may have made the filesystem refuse everything.
        let alone = Trial {
            time: (plan.time * 4).min(plan.time + LONGER),
            at_once: 1,
            ..own
        };
        alone.run(self)?;
        if plan.quick {
            return Ok(());
        }
        // What happens once in a while.
        let rare = Trial {
            time: (plan.time * 10).min(plan.time + LONGEST),
            ..alone
        };
        rare.run(self)
    }
}

/// How they are.
#[derive(Clone, Copy)]
struct Trial<'a> {
    up: &'a str,
    pi: Pi,
    copy: bool,
    capability: Capability,
    time: Duration,
    /// How many on one that was made.
    at_once: usize,
    which: fn(&Again) -> bool,
    shows: fn(&Cell) -> Option<String>,
}

impl Trial<'_> {
    /// Those that nothing was shown of.
    fn run(&self, group: &mut Group<'_>) -> Result<(), String> {
        let setting = Setting {
            capability: self.capability,
            sector: group.sector,
            pi: self.pi,
            copy: self.copy,
        };
        let mut left: Vec<_> = group
            .cells
            .iter_mut()
            .filter(|cell| cell.text.is_none() && (self.which)(cell))
            .collect();
        for some in left.chunks_mut(self.at_once) {
            // What can't be made so isn't confirmed.
            let Ok(made) = Made::by(group.subject, self.up, setting) else {
                continue;
            };
            for cell in some {
                let combination = Combination {
                    capability: self.capability,
                    ..cell.combination
                };
                cell.text = (self.shows)(&cell::run(&made.site(), combination, self.time)?);
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

fn is_stable_on_top(again: &Cell) -> Option<String> {
    (again.verdict == Verdict::Stable).then(|| {
        format!(
            "with a device on top that asks for stable pages {} writes were checked, and no page had changed",
            again.writes
        )
    })
}
