// SPDX-License-Identifier: GPL-2.0

//! The result of a run: a JSON document for programs, a summary for people.
//! README.md describes every key.

use crate::errors::{Entry, Tally};
use crate::latency::{human_ns, Latency, Summary};
use crate::monitor::Monitor;
use crate::plan::{Kind, Plan};
use crate::verify::{Method, ReadBack, Trace};
use crate::worker::Outcome;
use indicatif::{HumanBytes, HumanCount};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// What a report is made from.
#[derive(Debug)]
pub struct Run {
    /// The file, for people.
    pub file: String,
    /// What was done.
    pub plan: Plan,
    /// How long the workers ran.
    pub elapsed_s: f64,
    /// A signal ended the run.
    pub interrupted: bool,
    /// What each worker did.
    pub outcomes: Vec<Outcome>,
    /// Errors after the workers had stopped.
    pub after: Tally,
    /// The violation counter.
    pub monitor: Option<Monitor>,
    /// The read-back check.
    pub readback: Option<ReadBack>,
}

/// The conclusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing found.
    Clean,
    /// The device counted violations.
    Violation,
    /// Real I/O errors, or the counter could not be read.
    IoError,
    /// The file does not hold what was written.
    Corrupt,
}

/// Latencies in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// `write()`.
    pub write: Summary,
    /// Storing one block to a mapping.
    pub store: Summary,
    /// The after-write action.
    pub sync: Summary,
}

/// One worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerReport {
    /// Number, kind of work, and what the read-back check has to know.
    #[serde(flatten)]
    pub trace: Trace,
    /// How it wrote.
    pub kind: Kind,
    /// Operations that succeeded.
    pub operations: u64,
    /// Bytes they wrote.
    pub bytes: u64,
    /// Why it stopped early, if it did.
    pub gave_up: Option<String>,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of wac.
    pub wac: String,
    /// The conclusion; the worst that was found.
    pub verdict: Verdict,
    /// Exit status: 0 clean, else 1.
    pub exit_status: u8,
    /// The file.
    pub file: String,
    /// What was done.
    pub plan: Plan,
    /// How long the workers ran, in seconds.
    pub elapsed_s: f64,
    /// A signal ended the run.
    pub interrupted: bool,
    /// Operations that succeeded.
    pub operations: u64,
    /// Bytes they wrote.
    pub bytes: u64,
    /// Words changed in flight.
    pub rewritten_words: u64,
    /// What the device's counter grew by; null if none was given.
    pub violations: Option<u64>,
    /// When it was first seen to grow, in seconds.
    pub first_violation_s: Option<f64>,
    /// Why the counter is not to be trusted, if so.
    pub monitor_error: Option<String>,
    /// Number of real errors.
    pub io_errors: u64,
    /// Number of errors put down to mixing direct and mapped I/O.
    pub mixing_errors: u64,
    /// All errors, by operation and errno.
    pub errors: Tally,
    /// Latencies in nanoseconds.
    pub latency_ns: Latencies,
    /// The read-back check; null if it was not made.
    pub readback: Option<ReadBack>,
    /// Each worker.
    pub workers: Vec<WorkerReport>,
}

impl Report {
    /// Draws the conclusion.
    pub fn new(run: Run) -> Report {
        let mut errors = run.after;
        let (mut write, mut store, mut sync) =
            (Latency::default(), Latency::default(), Latency::default());
        for outcome in &run.outcomes {
            errors.merge(&outcome.errors);
            write.add(&outcome.write_ns);
            store.add(&outcome.store_ns);
            sync.add(&outcome.sync_ns);
        }
        let sum = |field: fn(&Outcome) -> u64| run.outcomes.iter().map(field).sum();
        let violations = run.monitor.as_ref().map(Monitor::violations);
        let monitor_error = run.monitor.as_ref().and_then(Monitor::error);
        let (mut mixing_errors, mut io_errors) = errors.split();
        if violations.unwrap_or(0) > 0 {
            // The device did fail: it can not be ruled out that these come from it.
            io_errors += mixing_errors;
            mixing_errors = 0;
        }
        let corrupt = run.readback.as_ref().is_some_and(|r| !r.is_clean());
        let verdict = if violations.unwrap_or(0) > 0 {
            Verdict::Violation
        } else if io_errors > 0 || monitor_error.is_some() {
            Verdict::IoError
        } else if corrupt {
            Verdict::Corrupt
        } else {
            Verdict::Clean
        };
        let kinds = run.plan.workers();
        let workers = crate::verify::traces(&run.outcomes)
            .into_iter()
            .zip(kinds.iter().zip(&run.outcomes))
            .map(|(trace, (spec, outcome))| WorkerReport {
                trace,
                kind: spec.kind,
                operations: outcome.operations,
                bytes: outcome.bytes,
                gave_up: outcome.gave_up.clone(),
            })
            .collect();
        Report {
            wac: env!("CARGO_PKG_VERSION").to_owned(),
            verdict,
            exit_status: u8::from(verdict != Verdict::Clean),
            file: run.file,
            elapsed_s: run.elapsed_s,
            interrupted: run.interrupted,
            operations: sum(|o| o.operations),
            bytes: sum(|o| o.bytes),
            rewritten_words: sum(|o| o.rewritten_words),
            violations,
            first_violation_s: run.monitor.as_ref().and_then(Monitor::first_s),
            monitor_error: monitor_error.map(str::to_owned),
            io_errors,
            mixing_errors,
            errors,
            latency_ns: Latencies {
                write: write.summary(),
                store: store.summary(),
                sync: sync.summary(),
            },
            readback: run.readback,
            workers,
            plan: run.plan,
        }
    }

    /// Reads a report that was written as JSON.
    ///
    /// # Errors
    ///
    /// One line, if it can not be read or is not a report.
    pub fn read(path: &Path) -> Result<Report, String> {
        let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_slice(&text)
            .map_err(|error| format!("{}: not a result of wac: {error}", path.display()))
    }

    /// Neither violation nor error.
    pub fn is_clean(&self) -> bool {
        self.verdict == Verdict::Clean
    }

    /// What each worker did, for the read-back check.
    pub fn traces(&self) -> Vec<Trace> {
        self.workers.iter().map(|w| w.trace.clone()).collect()
    }

    /// The summary for people.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write_summary(&mut out);
        out
    }

    fn write_summary(&self, out: &mut String) -> std::fmt::Result {
        let plan = &self.plan;
        write!(out, "{}: ", self.file)?;
        match plan.profile {
            Some(letter) => write!(out, "profile {letter:?}, ")?,
            None => write!(out, "own mixture, ")?,
        }
        writeln!(
            out,
            "{} writers + {} mappers as {}{}{}",
            plan.writers,
            plan.mappers,
            if plan.processes {
                "processes"
            } else {
                "threads"
            },
            if plan.direct { ", O_DIRECT" } else { "" },
            if plan.o_sync { ", O_SYNC" } else { "" },
        )?;
        writeln!(
            out,
            "  workload    {} in blocks of {}, seed {}",
            HumanBytes(plan.file_size),
            HumanBytes(plan.block_size),
            plan.seed,
        )?;
        let per_second = |value: u64| (value as f64 / self.elapsed_s.max(0.001)) as u64;
        writeln!(
            out,
            "  ran         {:.1} s{}: {} operations ({}/s), {} ({}/s)",
            self.elapsed_s,
            if self.interrupted {
                ", interrupted"
            } else {
                ""
            },
            HumanCount(self.operations),
            HumanCount(per_second(self.operations)),
            HumanBytes(self.bytes),
            HumanBytes(per_second(self.bytes)),
        )?;
        if plan.rewrite_in_flight {
            let words = HumanCount(self.rewritten_words);
            writeln!(out, "  in flight   {words} words changed by rewriters")?;
        }
        writeln!(
            out,
            "  latency     {:>10} {:>9} {:>9} {:>9} {:>9}",
            "count", "p50", "p99", "p99.9", "max"
        )?;
        for (name, summary) in [
            ("write()", &self.latency_ns.write),
            ("store", &self.latency_ns.store),
            ("sync", &self.latency_ns.sync),
        ] {
            if summary.count > 0 {
                writeln!(
                    out,
                    "    {name:<9} {:>10} {:>9} {:>9} {:>9} {:>9}",
                    summary.count,
                    human_ns(summary.p50),
                    human_ns(summary.p99),
                    human_ns(summary.p999),
                    human_ns(summary.max),
                )?;
            }
        }
        match (self.violations, self.first_violation_s) {
            (None, _) => writeln!(out, "  violations  not watched (no --violations)")?,
            (Some(n), Some(first)) => {
                writeln!(out, "  violations  {n}, the first after {first:.2} s")?;
            }
            (Some(n), None) => writeln!(out, "  violations  {n}")?,
        }
        if let Some(error) = &self.monitor_error {
            writeln!(out, "  counter     not to be trusted: {error}")?;
        }
        writeln!(
            out,
            "  errors      {}",
            describe(self.errors.entries(), self.io_errors, |e| {
                !e.mixing || self.mixing_errors == 0
            })
        )?;
        if self.mixing_errors > 0 {
            let described = describe(self.errors.entries(), self.mixing_errors, |e| e.mixing);
            writeln!(out, "  mixing      {described}")?;
            if self.violations.is_none() {
                writeln!(
                    out,
                    "              (direct and mapped I/O on one file; without --violations the\n\
                     \x20             device's own errors can not be told from these)"
                )?;
            }
        }
        for worker in &self.workers {
            if let Some(why) = &worker.gave_up {
                writeln!(out, "  worker {:<4} gave up: {why}", worker.trace.id)?;
            }
        }
        match &self.readback {
            Some(readback) => out.push_str(&readback_summary(readback)),
            None => writeln!(out, "  read back   not checked")?,
        }
        let verdict = match self.verdict {
            Verdict::Clean => "clean",
            Verdict::Violation => "VIOLATION: pages changed while they were written",
            Verdict::IoError => "I/O ERROR",
            Verdict::Corrupt => "CORRUPT: the file does not hold what was written",
        };
        writeln!(out, "  verdict     {verdict}")
    }
}

fn describe(entries: &[Entry], total: u64, which: impl Fn(&Entry) -> bool) -> String {
    let mut out = total.to_string();
    for (n, entry) in entries.iter().filter(|entry| which(entry)).enumerate() {
        let _ = write!(
            out,
            "{} {} × {} from {}, first after {:.2} s",
            if n == 0 { ":" } else { ";" },
            entry.count,
            entry.errno,
            entry.op.name(),
            entry.first_s,
        );
    }
    out
}

/// The summary of a read-back check.
pub fn readback_summary(readback: &ReadBack) -> String {
    let mut out = String::new();
    let method = match readback.method {
        Method::Direct => "O_DIRECT",
        Method::DroppedCache => "dropping the cache",
    };
    let _ = writeln!(
        out,
        "  read back   {} blocks through the page cache and from disk ({method}): {}",
        HumanCount(readback.blocks),
        if readback.is_clean() { "good" } else { "BAD" },
    );
    for (name, words) in [("cache", &readback.cache), ("disk", &readback.disk)] {
        let _ = writeln!(
            out,
            "    {name:<5}     {} words good, {} torn, {} foreign, {} superseded{}",
            HumanCount(words.good),
            words.torn,
            words.foreign,
            words.superseded,
            if readback.superseded_checked {
                ""
            } else {
                " (not checked)"
            },
        );
    }
    if let Some(first) = readback.first_mismatch {
        let _ = writeln!(
            out,
            "    cache and disk differ in {} blocks, the first at offset {first}{}",
            readback.mismatched_blocks,
            if readback.mismatch_legal {
                " (legal: direct and mapped I/O mixed)"
            } else {
                ""
            },
        );
    }
    for entry in readback.read_errors.entries() {
        let _ = writeln!(out, "    read failed: {} × {}", entry.count, entry.errno);
    }
    for example in &readback.examples {
        let _ = writeln!(
            out,
            "    offset {}, {:?}: {} {}",
            example.offset, example.reading, example.found, example.what
        );
    }
    out
}

/// Where the JSON goes.
#[derive(Debug)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// A file, created beforehand.
    File(File, String),
}

impl Output {
    /// Opens it: a path, or `-`.
    ///
    /// # Errors
    ///
    /// One line, if the file can not be created.
    pub fn open(path: &Path) -> Result<Output, String> {
        if path == Path::new("-") {
            return Ok(Output::Stdout);
        }
        let name = path.display().to_string();
        match File::create(path) {
            Ok(file) => Ok(Output::File(file, name)),
            Err(error) => Err(format!("--json {name}: {error}")),
        }
    }

    /// Whether it is standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self, Output::Stdout)
    }

    /// Writes the report.
    ///
    /// # Errors
    ///
    /// One line, if that fails.
    pub fn write(self, report: &Report) -> Result<(), String> {
        let mut text =
            serde_json::to_string_pretty(report).map_err(|error| format!("--json: {error}"))?;
        text.push('\n');
        match self {
            Output::Stdout => std::io::stdout()
                .write_all(text.as_bytes())
                .map_err(|error| format!("--json -: {error}")),
            Output::File(mut file, name) => file
                .write_all(text.as_bytes())
                .map_err(|error| format!("--json {name}: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::{Code, Op};
    use crate::plan::sample;

    fn mixed_run(counter: Option<(&str, &str)>) -> Report {
        let plan = Plan {
            direct: true,
            ..sample()
        };
        let mut outcomes: Vec<Outcome> = plan
            .workers()
            .iter()
            .map(|spec| Outcome {
                id: spec.id,
                ..Outcome::default()
            })
            .collect();
        outcomes[3]
            .errors
            .record(&plan, Op::Msync, Code(libc::EIO), 0.5);
        let monitor = counter.map(|(before, after)| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), before).unwrap();
            let mut monitor = Monitor::start(file.path()).unwrap();
            std::fs::write(file.path(), after).unwrap();
            monitor.poll(0.7);
            monitor
        });
        Report::new(Run {
            file: "f".to_owned(),
            plan,
            elapsed_s: 1.0,
            interrupted: false,
            outcomes,
            after: Tally::default(),
            monitor,
            readback: None,
        })
    }

    #[test]
    fn mixing_alone_is_clean() {
        for counter in [None, Some(("3", "3"))] {
            let report = mixed_run(counter);
            assert_eq!((report.mixing_errors, report.io_errors), (1, 0));
            assert_eq!(report.verdict, Verdict::Clean);
            assert_eq!(report.exit_status, 0);
        }
    }

    #[test]
    fn the_same_error_is_real_when_the_device_counted_violations() {
        let report = mixed_run(Some(("3", "5")));
        assert_eq!((report.mixing_errors, report.io_errors), (0, 1));
        assert_eq!(report.verdict, Verdict::Violation);
        assert_eq!(report.violations, Some(2));
        assert_eq!(report.first_violation_s, Some(0.7));
        assert!(report.summary().contains("VIOLATION"));
    }

    #[test]
    fn a_counter_that_can_not_be_trusted_is_not_clean() {
        assert_eq!(mixed_run(Some(("3", "x"))).verdict, Verdict::IoError);
    }

    #[test]
    fn json_can_be_read_again() {
        let report = mixed_run(None);
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
