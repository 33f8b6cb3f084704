// SPDX-License-Identifier: GPL-2.0

//! What was measured.

use crate::{
    load::Outcome,
    setup::{Counters, Need},
};
use bench_lib::{result, system};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::time::Duration;
use wac::latency::human_ns;

/// One run, or the median of several, number by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// MB/s.
    pub(crate) throughput: f64,
    /// Latencies of write(), or of stores to a mapping, in nanoseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
    /// Bytes that were copied, of those that were written; of stablefs.
    pub(crate) copied: f64,
    /// Writers that waited; of stablefs.
    pub(crate) waits: f64,
    /// Of all those whose latencies these are, 99.9 % waited no longer than the next class after this one,
    /// in nanoseconds: 0 if fewer waited at all. Not what else takes time. Of stablefs.
    pub(crate) stall: f64,
}

impl Run {
    pub(crate) fn new(outcome: &Outcome, before: &Counters, after: &Counters) -> Self {
        let written = (after.written - before.written).max(1);
        Self {
            throughput: outcome.bytes as f64 / outcome.seconds / 1e6,
            p50: outcome.latency.p50 as f64,
            p99: outcome.latency.p99 as f64,
            p999: outcome.latency.p999 as f64,
            max: outcome.latency.max as f64,
            copied: (after.copied - before.copied) as f64 / written as f64,
            waits: (after.waits - before.waits) as f64,
            stall: stall(outcome.latency.count, before, after) as f64,
        }
    }
}

fn stall(operations: u64, before: &Counters, after: &Counters) -> u64 {
    let most = (operations / 1000).max(1);
    let mut longer = 0;
    for (begin, count) in after.wait_classes.iter().rev() {
        longer += count - before.wait_classes.get(begin).unwrap_or(&0);
        if longer >= most {
            return *begin;
        }
    }
    0
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    result::median(runs.iter().map(of).collect())
}

/// The runs of one kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// What the device needs.
    pub(crate) device: String,
    pub(crate) row: String,
    /// The filesystem, or the strategy.
    pub(crate) target: String,
    pub(crate) runs: Vec<Run>,
}

impl Cell {
    pub(crate) fn median(&self) -> Run {
        let runs = &self.runs;
        Run {
            throughput: median(runs, |run| run.throughput),
            p50: median(runs, |run| run.p50),
            p99: median(runs, |run| run.p99),
            p999: median(runs, |run| run.p999),
            max: median(runs, |run| run.max),
            copied: median(runs, |run| run.copied),
            waits: median(runs, |run| run.waits),
            stall: median(runs, |run| run.stall),
        }
    }
}

/// All that was measured in one boot.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// `uname -r`
    kernel: String,
    seconds: u64,
    /// How many of each kind.
    pub(crate) runs: u32,
    pub(crate) cells: Vec<Cell>,
}

impl Report {
    pub(crate) fn new(time: Duration) -> Self {
        Self {
            kernel: system::kernel(),
            seconds: time.as_secs(),
            runs: 0,
            cells: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, need: Need, row: &str, target: &str, run: Run) {
        let found = self
            .cells
            .iter_mut()
            .find(|cell| cell.device == need.name() && cell.row == row && cell.target == target);
        match found {
            Some(cell) => cell.runs.push(run),
            None => self.cells.push(Cell {
                device: need.name().to_owned(),
                row: row.to_owned(),
                target: target.to_owned(),
                runs: vec![run],
            }),
        }
    }

    /// The median of a kind.
    pub(crate) fn get(&self, need: Need, row: &str, target: &str) -> Option<Run> {
        self.cell(need, row, target).map(Cell::median)
    }

    fn cell(&self, need: Need, row: &str, target: &str) -> Option<&Cell> {
        self.cells
            .iter()
            .find(|cell| cell.device == need.name() && cell.row == row && cell.target == target)
    }

    /// How much of `other`'s throughput `target` has: the median of the rounds, in each of which both had a turn.
    pub(crate) fn ratio(
        &self,
        need: Need,
        row: &str,
        target: &str,
        other: &str,
    ) -> Result<f64, String> {
        let runs = |target: &str| {
            self.cell(need, row, target)
                .map(|cell| &cell.runs)
                .ok_or_else(|| format!("the result has no {target} in row {row}"))
        };
        let rounds = runs(target)?.iter().zip(runs(other)?);
        Ok(result::median(
            rounds
                .map(|(run, other)| run.throughput / other.throughput)
                .collect(),
        ))
    }

    /// Names of rows, in their order.
    pub(crate) fn rows(&self) -> Vec<&str> {
        let mut rows = Vec::new();
        for cell in &self.cells {
            if !rows.contains(&cell.row.as_str()) {
                rows.push(&cell.row);
            }
        }
        rows
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "kernel {}, {} runs of {} s, medians\n",
            self.kernel, self.runs, self.seconds
        );
        for need in [Need::No, Need::Yes] {
            for row in self.rows() {
                let _ =
                    write!(
                    text,
                    "\n{row}, stable pages {}\n{:10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>8} {:>11}\n",
                    need.name(), "", "MB/s", "p50", "p99", "p99.9", "max", "copied", "waits", "stall p99.9"
                );
                for cell in &self.cells {
                    if cell.row != row || cell.device != need.name() {
                        continue;
                    }
                    let run = cell.median();
                    let time = |ns: f64| human_ns(ns as u64);
                    let _ = writeln!(
                        text,
                        "{:10} {:9.1} {:>9} {:>9} {:>9} {:>9} {:6.1}% {:8} {:>11}",
                        cell.target,
                        run.throughput,
                        time(run.p50),
                        time(run.p99),
                        time(run.p999),
                        time(run.max),
                        run.copied * 100.0,
                        run.waits,
                        time(run.stall)
                    );
                }
            }
        }
        text
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::setup::TARGETS;

    /// Of one row, in which all are equal, three times.
    pub(crate) fn sample(row: &str) -> Report {
        let mut report = Report::new(Duration::from_secs(1));
        for need in [Need::No, Need::Yes] {
            for (_, _, target) in TARGETS {
                for _ in 0..3 {
                    let run = Run {
                        throughput: 100.0,
                        p50: 1e4,
                        p99: 1e5,
                        p999: 1e6,
                        max: 1e7,
                        ..Run::default()
                    };
                    report.add(need, row, target, run);
                }
            }
        }
        report
    }

    /// Changes the runs of one target on the device that needs stable pages.
    pub(crate) fn change(report: &mut Report, target: &str, f: impl Fn(usize, &mut Run)) {
        for cell in &mut report.cells {
            if cell.device == Need::Yes.name() && cell.target == target {
                cell.runs
                    .iter_mut()
                    .enumerate()
                    .for_each(|(n, run)| f(n, run));
            }
        }
    }

    #[test]
    fn throughputs_are_compared_round_by_round() {
        let mut report = sample("stream");
        // Everybody was slow in the last round, and auto had a bad one.
        for target in ["off", "auto"] {
            change(&mut report, target, |n, run| {
                run.throughput = [100.0, 80.0, 10.0][n]
            });
        }
        change(&mut report, "auto", |n, run| {
            run.throughput *= [1.1, 0.5, 1.2][n]
        });
        let ratio = |target| report.ratio(Need::Yes, "stream", target, "off").unwrap();
        assert!((ratio("auto") - 1.1).abs() < 1e-9);
        assert!((ratio("off") - 1.0).abs() < 1e-9);
        assert!(report.ratio(Need::Yes, "stream", "ufs", "off").is_err());
        assert!(report.table().contains("stable pages 2 ms"));
    }

    #[test]
    fn a_stall_is_what_one_of_a_thousand_waited() {
        let counters = |classes: &[(u64, u64)]| Counters {
            wait_classes: classes.iter().copied().collect(),
            ..Counters::default()
        };
        let before = counters(&[(1024, 7)]);
        let after = counters(&[(1024, 9), (4096, 3), (8192, 1)]);
        // One, four, and six waited at least that long.
        assert_eq!(stall(1000, &before, &after), 8192);
        assert_eq!(stall(2000, &before, &after), 4096);
        assert_eq!(stall(5000, &before, &after), 1024);
        assert_eq!(stall(7000, &before, &after), 0);
        assert_eq!(stall(10, &before, &after), 8192);
    }
}
