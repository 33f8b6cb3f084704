// SPDX-License-Identifier: GPL-2.0

//! What a report may say, beyond what its types do. Errors say what must be.

use crate::report::{Cell, Kind, Latency, Report, Verdict, Violation};
use std::collections::HashSet;

/// The first thing that is wrong with it.
pub fn report(report: &Report) -> Result<(), String> {
    let subjects = names(report.subjects.iter().map(|subject| &*subject.name))?;
    let ways = names(report.ways.iter().map(|way| &*way.name))?;
    for subject in &report.subjects {
        must(
            subject.propagates.is_none() || subject.kind == Kind::Stack,
            "propagates must be left out unless kind is stack",
        )
        .map_err(|error| format!("subject {}: {error}", subject.name))?;
    }
    let mut seen = HashSet::new();
    for cell in &report.cells {
        let key = (
            &cell.subject,
            &cell.way,
            cell.capability,
            cell.window_us,
            cell.sector,
        );
        must(subjects.contains(&*cell.subject), "subject must be known")
            .and(must(ways.contains(&*cell.way), "way must be known"))
            .and(must(seen.insert(key), "must be there once"))
            .and(one(cell))
            .map_err(|error| format!("cell {key:?}: {error}"))?;
    }
    Ok(())
}

fn must(holds: bool, rule: &str) -> Result<(), String> {
    holds.then_some(()).ok_or_else(|| rule.to_owned())
}

/// They are used in addresses.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> Result<HashSet<&'a str>, String> {
    let mut seen = HashSet::new();
    for name in names {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        must(
            !name.is_empty() && name.chars().all(valid) && seen.insert(name),
            "must be the only one, and of lower-case letters, digits, '.', '_' and '-'",
        )
        .map_err(|error| format!("name {name:?}: {error}"))?;
    }
    Ok(seen)
}

fn one(cell: &Cell) -> Result<(), String> {
    let ran = matches!(cell.verdict, Verdict::Stable | Verdict::Unstable);
    must(
        matches!(cell.sector, 512 | 4096),
        "sector must be 512 or 4096",
    )?;
    must(
        cell.why.is_empty() == ran,
        "why must be empty if, and only if, the verdict is stable or unstable",
    )?;
    must(
        (cell.violations > 0) == (cell.verdict == Verdict::Unstable),
        "violations must be more than 0 if, and only if, the verdict is unstable",
    )?;
    must(
        cell.writes > 0 || !ran,
        "writes must be more than 0 if the verdict is stable or unstable",
    )?;
    must(
        cell.violations <= cell.intervals,
        "violations must be at most intervals",
    )?;
    if let Some(first) = &cell.first {
        must(
            cell.violations > 0,
            "first must be left out if violations is 0",
        )?;
        violation(first, cell.sector)?;
    }
    cell.latency.as_ref().map_or(Ok(()), latency)
}

fn violation(first: &Violation, sector: u32) -> Result<(), String> {
    let inside = |&(begin, end): &(u32, u32)| begin <= end && end < sector;
    must(
        !first.bytes.is_empty() && first.bytes.iter().all(inside),
        "first: bytes must be ranges within the sector",
    )?;
    must(
        first.before.len() == first.after.len(),
        "first: before must be as long as after",
    )
}

fn latency(latency: &Latency) -> Result<(), String> {
    let ascending = |values: &[u64]| values.is_sorted();
    must(
        ascending(&[latency.p50, latency.p99, latency.p999, latency.max]),
        "latency: p50, p99, p999 and max must ascend",
    )?;
    let (bounds, counts): (Vec<u64>, Vec<u64>) = latency.histogram.iter().copied().unzip();
    must(
        ascending(&bounds),
        "latency: bounds of the histogram must ascend",
    )?;
    must(
        counts.into_iter().map(u128::from).sum::<u128>() == latency.count.into(),
        "latency: counts of the histogram must add up to count",
    )
}

#[cfg(test)]
mod tests {
    use crate::{parse, report::Report, sample};
    use serde_json::{json, Value};

    /// The sample's first subject, in all combinations.
    fn small() -> Report {
        let mut report = sample::report();
        let name = &report.subjects[0].name;
        report.cells.retain(|cell| cell.subject == *name);
        report
    }

    /// What is said of it with one value changed; `null` takes it away.
    fn with(pointer: &str, value: Value) -> String {
        let mut json = serde_json::to_value(small()).unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match json.pointer_mut(parent).unwrap() {
            Value::Object(map) if value.is_null() => drop(map.remove(key)),
            Value::Object(map) => drop(map.insert(key.to_owned(), value)),
            Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
            other => panic!("{other}"),
        }
        parse(&json.to_string()).map_or_else(|error| error, |_: Report| "good".to_owned())
    }

    #[test]
    fn the_sample_is_good_and_comes_back_whole() {
        let report = sample::report();
        let text = serde_json::to_string(&report).unwrap();
        assert!(parse(&text).unwrap() == report);
    }

    #[test]
    fn what_may_be_left_out() {
        assert_eq!(with("/cells/0/latency", Value::Null), "good");
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let report = small();
        let unstable = report.cells.iter().position(|cell| cell.violations > 0);
        let first = format!("/cells/{}/first", unstable.unwrap());
        for (pointer, value, said) in [
            ("/version", json!(2), "version=2 is not known: must be 1"),
            ("/version", Value::Null, "missing field `version`"),
            ("/kernel", Value::Null, "missing field `kernel`"),
            ("/kernel", json!(7), "expected a string"),
            ("/colour", json!("red"), "unknown field `colour`"),
            (
                "/subjects/0/kind",
                json!("car"),
                "expected one of `filesystem`",
            ),
            ("/subjects/0/name", json!("a b"), "name \"a b\": must be"),
            ("/subjects/0/name", json!(""), "name \"\": must be"),
            (
                "/subjects/1/name",
                json!(report.subjects[0].name),
                "only one",
            ),
            (
                "/subjects/0/propagates",
                json!(true),
                "unless kind is stack",
            ),
            ("/cells/0/subject", json!("nobody"), "subject must be known"),
            ("/cells/0/way", json!("none"), "way must be known"),
            ("/cells/0", json!(report.cells[1]), "must be there once"),
            ("/cells/0/sector", json!(1024), "512 or 4096"),
            ("/cells/0/why", json!("why not"), "why must be empty"),
            ("/cells/0/violations", json!(9), "violations must be more"),
            ("/cells/0/writes", json!(0), "writes must be more"),
            ("/cells/0/writes", json!(-1), "invalid value"),
            (
                "/cells/0/first",
                json!(report.cells[unstable.unwrap()].first),
                "left out",
            ),
            (
                &format!("{first}/before"),
                json!("0x"),
                "Invalid character 'x'",
            ),
            (&format!("{first}/after"), json!("00"), "as long as"),
            (
                &format!("{first}/bytes"),
                json!([[9, 8]]),
                "within the sector",
            ),
            (
                &format!("{first}/bytes"),
                json!([[0, 4096]]),
                "within the sector",
            ),
            ("/cells/0/latency/p99", json!(1), "must ascend"),
            ("/cells/0/latency/count", json!(1), "add up"),
            (
                "/cells/0/latency/histogram",
                json!([[2, 1], [1, 1]]),
                "must ascend",
            ),
        ] {
            let error = with(pointer, value);
            assert!(error.contains(said), "{pointer}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn what_is_no_json_is_said_in_one_line() {
        for text in ["", "{", "[]", "{\"version\": 1", "\u{0}"] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
