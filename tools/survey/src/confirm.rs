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
use survey_lib::report::{Capability, Cell, Verdict};

/// Confirms what can be, and wasn't.
pub(crate) fn all(plan: &Plan, journal: &mut Journal, found: &mut Found) -> Result<(), String> {
    for index in 0..found.cells.len() {
        let cell = &found.cells[index];
        if cell.verdict != Verdict::Unstable || cell.confirmed.is_some() {
            continue;
        }
        let text = match cell.capability {
            Capability::On => again(plan, cell)?,
            // Nobody above knows of the capability: it is no control.
            Capability::Off if found.propagates.get(&cell.subject) == Some(&false) => {
                again(plan, cell)?
            }
            Capability::Off => contrast(cell, &found.cells),
        };
        if text.is_some() {
            let mut cell = cell.clone();
            cell.confirmed = text;
            // Of two lines for a cell, the later one counts.
            journal.add(&Line::Cell(Box::new(cell.clone())))?;
            found.cells[index] = cell;
        }
    }
    Ok(())
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

/// Once more, with tuples that the block layer makes. If these keep pages stable, since they ask for it all the way
/// up: once more with a device on top that asks for it, where that is stable.
fn again(plan: &Plan, cell: &Cell) -> Result<Option<String>, String> {
    let (Some(subject), Some(way)) = (
        plan.subjects
            .iter()
            .find(|subject| subject.name == cell.subject),
        plan.ways.iter().find(|way| way.name() == cell.way),
    ) else {
        return Ok(None);
    };
    let combination = Combination {
        way: *way,
        capability: cell.capability,
        window_us: cell.window_us,
        sector: cell.sector,
    };
    // What can't be made so isn't confirmed.
    let run = |up: &str, pi: Pi, copy: bool| {
        let setting = Setting {
            capability: cell.capability,
            sector: cell.sector,
            pi,
            copy,
        };
        let Ok(made) = Made::by(subject, up, setting) else {
            return Ok(None);
        };
        let again = cell::run(&made.site(), combination, plan.time)?;
        made.down()?;
        Ok::<_, String>(Some(again))
    };
    let tuples = run(&subject.up, Pi::Dix, false)?;
    if let Some(again) = tuples.filter(|again| again.violations > 0) {
        return Ok(Some(format!(
            "with tuples that the block layer made (pi=dix), {} of {} intervals no longer agreed with their guard",
            again.violations, again.intervals
        )));
    }
    let Some(up) = subject.asking() else {
        return Ok(None);
    };
    let asking = run(&up, subject.disk.pi, true)?;
    Ok(asking
        .filter(|again| again.verdict == Verdict::Stable)
        .map(|again| {
            format!(
                "with a device on top that asks for stable pages {} writes were checked, and no page had changed",
                again.writes
            )
        }))
}
