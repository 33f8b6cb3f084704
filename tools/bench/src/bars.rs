// SPDX-License-Identifier: GPL-2.0

//! What is expected of the strategies.

use crate::{
    result::{Report, Run},
    setup::Need,
};
use wac::latency::human_ns;

/// A difference that runs of the same kind have among themselves.
const NOISE: f64 = 0.10;
/// auto may be so much slower than the better one.
const NEAR: f64 = 0.05;

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
        let off = get(Need::No, "off")?;
        for strategy in ["wait", "snapshot", "detached", "auto"] {
            let run = get(Need::No, strategy)?;
            let ratio = run.throughput / off.throughput;
            say(
                ratio >= 1.0 - NOISE,
                format!("{row}: not needed: {strategy} has {ratio:.2} of off's throughput"),
            );
        }
        let (wait, snapshot, auto) = (
            get(Need::Yes, "wait")?,
            get(Need::Yes, "snapshot")?,
            get(Need::Yes, "auto")?,
        );
        let ratio = auto.throughput / wait.throughput.max(snapshot.throughput);
        say(
            ratio >= 1.0 - NEAR,
            format!("{row}: auto has {ratio:.2} of the better one's throughput"),
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
