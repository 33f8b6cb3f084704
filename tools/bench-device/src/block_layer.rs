// SPDX-License-Identifier: GPL-2.0

//! What the block layer itself needs for the tuples that it makes, checks and renumbers (`block/t10-pi.c`), by probes
//! at the begin and the end of its functions.

use crate::fio::Row;
use bench_lib::system::{put, read};
use std::collections::HashMap;
use std::path::Path;

const TRACING: &str = "/sys/kernel/tracing";

/// Those that do. None calls another.
const FUNCTIONS: [&str; 4] = [
    "bio_integrity_generate",
    "bio_integrity_verify",
    "blk_integrity_prepare",
    "blk_integrity_complete",
];

/// Nanoseconds for each MiB of a row.
pub(crate) fn ns_per_mib(row: &Row, device: &Path, ms: u64) -> Result<f64, String> {
    let probes = FUNCTIONS
        .map(|name| format!("f:bench/begin_{name} {name}\nf:bench/end_{name} {name}%return\n"))
        .concat();
    let file = |name: &str| format!("{TRACING}/{name}");
    put(file("trace"), "")?;
    put(file("buffer_size_kb"), "8192")?;
    put(file("dynamic_events"), &probes)?;
    put(file("events/bench/enable"), "1")?;
    let run = row.run(device, ms);
    put(file("events/bench/enable"), "0")?;
    let trace = read(file("trace"))?;
    put(file("trace"), "")?;
    // Truncating it takes all away.
    put(file("dynamic_events"), "")?;
    let share = share(&trace).ok_or("the block layer made or checked no tuples")?;
    Ok(share / run? * 1e9)
}

/// Which part of the time the functions ran.
fn share(trace: &str) -> Option<f64> {
    let (mut begun, mut took) = (HashMap::new(), 0.0);
    let (mut first, mut last) = (None, None);
    for (task, seconds, event) in trace.lines().filter_map(event) {
        if let Some(function) = event.strip_prefix("begin_") {
            first.get_or_insert(seconds);
            begun.insert((task, function), seconds);
        } else if let Some(function) = event.strip_prefix("end_") {
            if let Some(begin) = begun.remove(&(task, function)) {
                took += seconds - begin;
                last = Some(seconds);
            }
        }
    }
    let all = last? - first?;
    (all > 0.0).then(|| took / all)
}

/// The task, the time in seconds and the name of a line `task-pid [cpu] flags time: name: ...`.
fn event(line: &str) -> Option<(&str, f64, &str)> {
    if line.starts_with('#') {
        return None;
    }
    let (task, rest) = line.split_once(" [")?;
    let mut words = rest.split_whitespace().skip(2);
    let seconds = words.next()?.strip_suffix(':')?.parse().ok()?;
    Some((task.trim(), seconds, words.next()?.strip_suffix(':')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        let trace = "\
# tracer: nop
#
             fio-7       [000] .....   10.000000: begin_a: (a+0x4/0x10)
             fio-7       [000] .....   10.250000: end_a: (b+0x1/0x2 <- a)
   kworker/0:1-9         [000] .....   10.500000: begin_a: (a+0x4/0x10)
             fio-7       [000] .....   10.600000: end_a: (b+0x1/0x2 <- a)
   kworker/0:1-9         [000] .....   11.000000: end_a: (b+0x1/0x2 <- a)
";
        assert_eq!(share(trace), Some(0.75));
        assert_eq!(share("# nothing"), None);
    }
}
