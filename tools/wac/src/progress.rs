// SPDX-License-Identifier: GPL-2.0

//! What a person sees while the workers run, on standard error: one live line on
//! a terminal, a plain line every few seconds anywhere else.

use crate::worker::Live;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How to show progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// a live line on a terminal, plain lines otherwise
    Auto,
    /// a live line
    Bar,
    /// a plain line every --interval
    Plain,
    /// nothing
    None,
}

/// Shows progress.
pub struct Progress {
    shown: Shown,
    total: Duration,
}

enum Shown {
    Bar(ProgressBar),
    Plain { every: Duration, next: Duration },
    Nothing,
}

impl Progress {
    /// For a run of `total`; plain lines come every `every`.
    pub fn new(mode: Mode, total: Duration, every: Duration) -> Progress {
        let bar = match mode {
            Mode::Auto => std::io::stderr().is_terminal(),
            Mode::Bar => true,
            Mode::Plain | Mode::None => false,
        };
        let shown = if mode == Mode::None {
            Shown::Nothing
        } else if bar {
            let bar = ProgressBar::new(millis(total));
            let style = ProgressStyle::with_template("wac [{bar:24}] {msg}")
                .expect("the template is valid");
            bar.set_style(style.progress_chars("=> "));
            Shown::Bar(bar)
        } else {
            Shown::Plain { every, next: every }
        };
        Progress { shown, total }
    }

    /// Shows how far the run is.
    pub fn tick(&mut self, start: Instant, live: &Live, violations: Option<u64>) {
        let elapsed = start.elapsed();
        match &mut self.shown {
            Shown::Nothing => (),
            Shown::Bar(bar) => {
                bar.set_position(millis(elapsed.min(self.total)));
                bar.set_message(line(elapsed, self.total, live, violations));
            }
            Shown::Plain { every, next } => {
                if elapsed >= *next {
                    *next = elapsed + *every;
                    let line = line(elapsed, self.total, live, violations);
                    // Nobody reads it any more: no reason to stop.
                    let _ = writeln!(std::io::stderr(), "wac: {line}");
                }
            }
        }
    }

    /// Says what goes on after the workers have stopped.
    pub fn phase(&self, what: &'static str) {
        if let Shown::Bar(bar) = &self.shown {
            bar.set_message(what);
        }
    }

    /// Takes the live line away.
    pub fn finish(self) {
        if let Shown::Bar(bar) = self.shown {
            bar.finish_and_clear();
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn line(elapsed: Duration, total: Duration, live: &Live, violations: Option<u64>) -> String {
    let seconds = elapsed.as_secs_f64();
    let per_second = |value: u64| (value as f64 / seconds.max(0.001)) as u64;
    let operations = live.operations.load(Ordering::Relaxed);
    let bytes = live.bytes.load(Ordering::Relaxed);
    let mut line = format!(
        "{seconds:.1}/{:.0} s, {} ops ({}/s), {}/s, {} errors",
        total.as_secs_f64(),
        HumanCount(operations),
        HumanCount(per_second(operations)),
        HumanBytes(per_second(bytes)),
        live.errors.load(Ordering::Relaxed),
    );
    let mixing = live.mixing.load(Ordering::Relaxed);
    if mixing > 0 {
        line += &format!(", {mixing} mixing");
    }
    if let Some(violations) = violations {
        line += &format!(", {violations} violations");
    }
    line
}
