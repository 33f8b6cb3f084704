// SPDX-License-Identifier: GPL-2.0

//! dif_blk beside brd, null_blk and scsi_debug: how fast, and what protection costs; in one boot, in alternating
//! runs of fio.
//!
//! | module | subject |
//! | --- | --- |
//! | [`device`] | the devices: all there at once, of the same size |
//! | [`fio`] | one run |
//! | [`block_layer`] | what the block layer itself needs for tuples |
//! | [`result`] | what was measured: medians, JSON, the table |
//! | [`bars`] | what is expected of it |
//!
//! Throughputs are in MiB/s, times in nanoseconds, sizes in bytes.

#![forbid(unsafe_code)]

mod bars;
mod block_layer;
mod device;
mod fio;
mod result;

use clap::{Parser, Subcommand};
use device::{Devices, COPY, DIX, WINDOW};
use result::Report;
use std::path::PathBuf;
use std::process::ExitCode;

/// dif_blk beside brd, null_blk and scsi_debug
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure, in the virtual machine, as root; none of the drivers may be loaded
    Run {
        /// How long each run takes, in milliseconds
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(100..))]
        ms: u64,
        /// How many runs of each kind; their median counts
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
        runs: u32,
        /// Only rows whose name begins so
        #[arg(long, default_value = "")]
        rows: String,
        /// Where the result goes, as JSON
        #[arg(long, default_value = "device.json")]
        json: PathBuf,
    },
    /// Print the table and the bars of a result; the exit status is 1 if one is missed
    Show {
        /// As `run` wrote it
        result: PathBuf,
    },
}

fn main() -> ExitCode {
    match done(Args::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench-device: {error}");
            ExitCode::from(2)
        }
    }
}

fn done(command: Command) -> Result<bool, String> {
    let report = match command {
        Command::Run {
            ms,
            runs,
            rows,
            json,
        } => {
            let report = measure(ms, runs, &rows)?;
            bench_lib::result::write(&json, &report)?;
            report
        }
        Command::Show { result } => bench_lib::result::read(&result)?,
    };
    print!("{}", report.table());
    Ok(bars::print(&report))
}

fn measure(ms: u64, runs: u32, prefix: &str) -> Result<Report, String> {
    let rows: Vec<fio::Row> = fio::rows()
        .into_iter()
        .filter(|row| row.name().starts_with(prefix))
        .collect();
    if rows.is_empty() {
        return Err(format!("no row begins with '{prefix}'"));
    }
    let mut report = Report::new(ms, runs);
    let devices = Devices::make()?;
    report.memory = devices.memory().clone();
    for round in 0..runs as usize {
        report.guard_ns.push(devices.guard_ns_per_mib()?);
        for row in &rows {
            eprintln!("round {}: {}", round + 1, row.name());
            // Each round begins with another one: nobody always comes first.
            let all = devices.all();
            for device in all.iter().cycle().skip(round % all.len()).take(all.len()) {
                if !row.write && [WINDOW, COPY].contains(&device.name) {
                    continue;
                }
                report.add(row, device.name, row.run(&device.path, ms)?);
                if device.name == DIX && row.shows_costs() {
                    let ns = block_layer::ns_per_mib(row, &device.path, ms)?;
                    report
                        .block_layer_ns
                        .entry(row.name())
                        .or_default()
                        .push(ns);
                }
            }
        }
    }
    Ok(report)
}
