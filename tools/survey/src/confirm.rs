// SPDX-License-Identifier: GPL-2.0

//! What is unstable is confirmed by a check of another kind.
//!
//! Without the capability: the same with it is stable, as theory has it. With it: once more on a disk with
//! `pi=dix`, where the block layer made the tuples (`block/t10-pi.c`), and their guards no longer agree.

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

/// Once more, with tuples that the block layer makes.
fn again(plan: &Plan, cell: &Cell) -> Result<Option<String>, String> {
    let (Some(subject), Some(way)) = (
        plan.subjects
            .iter()
            .find(|subject| subject.name == cell.subject),
        plan.ways.iter().find(|way| way.name() == cell.way),
    ) else {
        return Ok(None);
    };
    let setting = Setting {
        capability: cell.capability,
        sector: cell.sector,
        pi: Pi::Dix,
        copy: false,
    };
    let combination = Combination {
        way: *way,
        capability: cell.capability,
        window_us: cell.window_us,
        sector: cell.sector,
    };
    // What can't be made so isn't confirmed.
    let Ok(made) = Made::new(subject, setting) else {
        return Ok(None);
    };
    let again = cell::run(&made.site(), combination, plan.time)?;
    made.down()?;
    Ok((again.violations > 0).then(|| {
        format!(
            "with tuples that the block layer made (pi=dix), {} of {} intervals no longer agreed with their guard",
            again.violations, again.intervals
        )
    }))
}
