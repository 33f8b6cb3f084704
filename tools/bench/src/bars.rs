// SPDX-License-Identifier: GPL-2.0

//! What is expected of the strategies.

use crate::{
    result::{Report, Run},
    setup::Need,
};
use wac::latency::human_ns;

/// auto may be so much slower than the better one.
const NEAR: f64 = 0.05;
/// A difference that is not worth a word.
const SMALL: f64 = 0.05;

/// What one of two that are the same has of the other's throughput, at worst: below that, a ratio says something.
fn noise(report: &Report, need: Need, row: &str) -> Result<f64, String> {
    let ratio = report.ratio(need, row, "off again", "off")?;
    Ok(ratio.min(1.0 / ratio))
}

/// Prints each bar and whether it holds. Whether all do.
pub(crate) fn print(report: &Report) -> Result<bool, String> {
    let mut all = true;
    let mut say = |holds: bool, text: String| {
        println!("{} {text}", if holds { "ok    " } else { "not ok" });
        all &= holds;
    };
    println!();
    for row in report.rows() {
        let get = |need, target| -> Result<Run, String> {
            report
                .get(need, row, target)
                .ok_or_else(|| format!("the result has no {target} in row {row}"))
        };
        let least = noise(report, Need::No, row)? - SMALL;
        for strategy in ["wait", "snapshot", "detached", "auto"] {
            let ratio = report.ratio(Need::No, row, strategy, "off")?;
            say(
                ratio >= least,
                format!(
                    "{row}: not needed: {strategy} has {ratio:.2} of off's throughput, at least {least:.2}"
                ),
            );
        }
        let (wait, auto) = (get(Need::Yes, "wait")?, get(Need::Yes, "auto")?);
        let better = |other| report.ratio(Need::Yes, row, "auto", other);
        let ratio = better("wait")?.min(better("snapshot")?);
        let noise = noise(report, Need::Yes, row)?;
        say(
            ratio >= 1.0 - NEAR,
            format!(
                "{row}: auto has {ratio:.2} of the better one's throughput (two equal ones: {noise:.2})"
            ),
        );
        if row == "append" || (row.starts_with("wac") && row.ends_with("64k")) {
            let [auto_ns, wait_ns] = [auto.stall, wait.stall].map(|ns| human_ns(ns as u64));
            say(
                auto.stall <= wait.stall / 10.0,
                format!("{row}: auto's p99.9 stall is {auto_ns}, wait's {wait_ns}"),
            );
        }
        if row == "stream" {
            let percent = auto.copied * 100.0;
            say(
                percent < 1.0,
                format!("{row}: auto copies {percent:.2} % of the bytes"),
            );
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::print;
    use crate::result::{
        tests::{change, sample},
        Run,
    };

    #[test]
    fn equal_ones_are_good_enough() {
        for row in ["wac A 64k", "wac A 64M", "append", "stream"] {
            assert!(print(&sample(row)).unwrap(), "{row}");
        }
    }

    #[test]
    fn each_bar_can_be_missed() {
        let misses = |row, target, f: fn(&mut Run)| {
            let mut report = sample(row);
            change(&mut report, target, |_, run| f(run));
            !print(&report).unwrap()
        };
        assert!(misses("random", "auto", |run| run.throughput = 94.0));
        assert!(misses("random", "wait", |run| run.throughput = 110.0));
        assert!(misses("append", "auto", |run| run.stall = 1e6));
        assert!(misses("wac B 64k", "auto", |run| run.stall = 1e6));
        assert!(!misses("random", "auto", |run| run.stall = 1e6));
        assert!(misses("stream", "auto", |run| run.copied = 0.02));
        assert!(!misses("append", "auto", |run| run.copied = 0.02));
        assert!(!misses("random", "ext4", |run| run.throughput = 1e3));
    }

    #[test]
    fn what_has_no_rest_says_so() {
        let mut report = sample("stream");
        report.cells.retain(|cell| cell.target != "auto");
        assert!(print(&report).unwrap_err().contains("no auto"));
    }
}
