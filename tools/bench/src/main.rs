// SPDX-License-Identifier: GPL-2.0

//! What keeping pages stable costs: each strategy of stablefs, ext4 and xfs, side by side on one device,
//! in one boot, in alternating runs.
//!
//! | module | subject |
//! | --- | --- |
//! | [`setup`] | the device, and what is mounted on it |
//! | [`load`] | the workloads |
//! | [`result`] | what was measured: medians, JSON, the table |
//! | [`bars`] | what is expected of it |
//! | [`plot`] | the picture |
//!
//! Times are in nanoseconds, throughputs in MB/s (10⁶ bytes), sizes in bytes.

#![forbid(unsafe_code)]

mod bars;
mod load;
mod plot;
mod result;
mod setup;

use clap::{Parser, Subcommand};
use result::{Report, Run};
use setup::{Need, Target};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What keeping pages stable costs: each strategy of stablefs, ext4 and xfs
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure, in the virtual machine, as root; /dev/dif0 must be free
    Run {
        /// How long each run takes, in seconds
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
        /// How many runs of each kind; their median counts
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
        runs: u32,
        /// Only rows whose name begins so
        #[arg(long, default_value = "")]
        rows: String,
        /// Where the result goes, as JSON
        #[arg(long, default_value = "strategies.json")]
        json: PathBuf,
    },
    /// Do nothing but the work of one row, in a directory
    Load {
        /// Its name
        row: String,
        directory: PathBuf,
        /// For how long, in seconds
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
    },
    /// Print the table and the bars of a result; the exit status is 1 if one is missed
    Show {
        /// As `run` wrote it
        result: PathBuf,
    },
    /// Draw the latencies of a result
    Plot {
        /// As `run` wrote it
        result: PathBuf,
        /// The picture, as SVG
        svg: PathBuf,
    },
}

fn main() -> ExitCode {
    match done(Args::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench-strategies: {error}");
            ExitCode::from(2)
        }
    }
}

fn done(command: Command) -> Result<bool, String> {
    match command {
        Command::Run {
            seconds,
            runs,
            rows,
            json,
        } => {
            let report = measure(Duration::from_secs(seconds), runs, &rows, &json)?;
            print!("{}", report.table());
            bars::print(&report)
        }
        Command::Load {
            row,
            directory,
            seconds,
        } => {
            let row = load::row(&row)?;
            row.run(&directory, Duration::from_secs(seconds))?;
            Ok(true)
        }
        Command::Show { result } => {
            let report: Report = bench_lib::result::read(&result)?;
            print!("{}", report.table());
            bars::print(&report)
        }
        Command::Plot { result, svg } => {
            plot::draw(&bench_lib::result::read(&result)?, &svg)?;
            Ok(true)
        }
    }
}

/// All of it: on a device that doesn't need stable pages, and on one that does. After each round, `json` has what
/// there is.
fn measure(time: Duration, runs: u32, prefix: &str, json: &Path) -> Result<Report, String> {
    let rows: Vec<load::Row> = load::ROWS
        .into_iter()
        .filter(|row| row.name.starts_with(prefix))
        .collect();
    if rows.is_empty() {
        return Err(format!("no row begins with '{prefix}'"));
    }
    let mut report = Report::new(time);
    for round in 0..runs {
        for need in [Need::No, Need::Yes] {
            let device = setup::Device::load(need)?;
            let targets = Target::all(&device)?;
            for row in &rows {
                // Each round begins with another one: nobody always comes first.
                for index in 0..targets.len() {
                    let target = &targets[(index + round as usize) % targets.len()];
                    eprintln!(
                        "round {}: {}: {}: {}",
                        round + 1,
                        need.name(),
                        row.name,
                        target.name
                    );
                    let before = target.counters()?;
                    let load = row.run(&target.directory, time)?;
                    target.settle()?;
                    let after = target.counters()?;
                    report.add(
                        need,
                        row.name,
                        &target.name,
                        Run::new(&load, &before, &after),
                    );
                }
            }
            drop(targets);
            device.unload()?;
        }
        // Whatever ends the next one, there is that.
        report.runs = round + 1;
        bench_lib::result::write(json, &report)?;
    }
    Ok(report)
}
