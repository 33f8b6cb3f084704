// SPDX-License-Identifier: GPL-2.0

//! The command line, and how it becomes a plan. Everything that can be wrong
//! with it ends as one line that names what was wrong and what is allowed, and
//! exit status 2.

use crate::plan::{Plan, SyncAction, MAX_WORKERS};
use crate::process::SUBCOMMAND;
use crate::profile::{Letter, Profile};
use crate::progress;
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::time::Duration;

/// Rewrites pages while they are written back, to find out if they are kept stable.
///
/// Many workers scribble over the same few blocks of one FILE (or block device),
/// and start writeback after each block. If the filesystem lets a page change
/// while the device reads it, a device that checks (dif_blk) fails the write.
///
/// FILE IS OVERWRITTEN.
#[derive(Debug, Parser)]
#[command(
    name = "wac",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Exit status: 0 clean, 1 violation, I/O error or corruption seen, \
                  2 wrong usage or could not start."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check FILE again against the JSON result of an earlier run
    Verify {
        /// The result that the run wrote with --json
        #[arg(long, value_name = "JSON")]
        result: PathBuf,
        /// The file that the run wrote
        file: PathBuf,
    },
    #[command(name = SUBCOMMAND, hide = true)]
    Worker { file: PathBuf },
}

#[derive(Debug, Args)]
struct RunArgs {
    /// File or unmounted block device to scribble over; created if it is not there
    #[arg(required = true)]
    file: Option<PathBuf>,

    /// One of the six workloads; C if no numbers of workers are given either
    #[arg(short, long, ignore_case = true, value_name = "LETTER")]
    profile: Option<Letter>,

    /// Total number of workers, in the profile's proportion
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_count, conflicts_with_all = ["writers", "mappers"])]
    workers: Option<u16>,

    /// Workers that call write()
    #[arg(long, value_name = "N", value_parser = parse_count)]
    writers: Option<u16>,

    /// Workers that store to a shared mapping
    #[arg(long, value_name = "N", value_parser = parse_count)]
    mappers: Option<u16>,

    /// What a writer does after each write (default: sync_file_range)
    #[arg(long, value_name = "ACTION")]
    writer_sync: Option<SyncAction>,

    /// What a mapper does after each block (default: msync)
    #[arg(long, value_name = "ACTION")]
    mapper_sync: Option<SyncAction>,

    /// Open with O_DIRECT
    #[arg(long, conflicts_with = "buffered")]
    direct: bool,

    /// Open without O_DIRECT, whatever the profile says
    #[arg(long)]
    buffered: bool,

    /// Open with O_SYNC
    #[arg(long)]
    o_sync: bool,

    /// Rewrite each direct writer's buffer while it is in flight
    #[arg(long)]
    rewrite_in_flight: bool,

    /// Direct writers use io_uring, and register their buffer
    #[arg(long)]
    io_uring: bool,

    /// Workers are processes, each with page tables of its own (default: threads)
    #[arg(long)]
    processes: bool,

    /// How long to run: 10, 10s, 2m, 1h
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    time: Duration,

    /// Stop each worker after this many operations
    #[arg(long, value_name = "N", value_parser = parse_ops)]
    ops: Option<u64>,

    /// Size of FILE: 64k, 64M, 1G (powers of 1024)
    #[arg(short = 's', long, value_name = "SIZE", default_value = "64k", value_parser = parse_size)]
    file_size: u64,

    /// Bytes per operation, and their alignment: a power of two, 64 to 16M
    #[arg(short, long, value_name = "SIZE", default_value = "4k", value_parser = parse_size)]
    block_size: u64,

    /// Determines every worker's offsets and contents (default: by chance)
    #[arg(long, value_name = "NUMBER", value_parser = parse_seed)]
    seed: Option<u64>,

    /// The device's violation counter, for example
    /// /sys/kernel/debug/dif_blk/dif0/violations; if it grows, the exit status is 1
    #[arg(long, value_name = "FILE")]
    violations: Option<PathBuf>,

    /// Stop at the first violation or real I/O error
    #[arg(long)]
    until_violation: bool,

    /// Do not read the file back at the end
    #[arg(long)]
    no_readback: bool,

    /// Write the result as JSON; - for standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// How to show progress, on standard error
    #[arg(long, value_name = "MODE", default_value = "auto")]
    progress: progress::Mode,

    /// Time between plain progress lines
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    interval: Duration,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Request {
    /// A run.
    Run(RunOptions),
    /// A check of an earlier run's file.
    Verify(VerifyOptions),
    /// Being a worker of another wac.
    Worker {
        /// The file.
        file: PathBuf,
    },
}

/// A run.
#[derive(Debug)]
pub struct RunOptions {
    /// The file.
    pub file: PathBuf,
    /// What to do.
    pub plan: Plan,
    /// The violation counter.
    pub violations: Option<PathBuf>,
    /// Stop at the first violation or real error.
    pub until_violation: bool,
    /// Read the file back.
    pub readback: bool,
    /// Where the JSON goes.
    pub json: Option<PathBuf>,
    /// How to show progress.
    pub progress: progress::Mode,
    /// Time between plain progress lines.
    pub interval: Duration,
}

/// A check of an earlier run's file.
#[derive(Debug)]
pub struct VerifyOptions {
    /// The run's JSON.
    pub result: PathBuf,
    /// The file.
    pub file: PathBuf,
}

/// No request: help was asked for, or the usage was wrong.
#[derive(Debug)]
pub struct Stop {
    /// What to print.
    pub text: String,
    /// 0 for help and version, 2 for wrong usage.
    pub status: u8,
}

/// Reads the command line.
///
/// # Errors
///
/// What to print instead of doing anything, and the exit status.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, Stop> {
    let cli = Cli::try_parse_from(args).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop {
            text: error.render().to_string(),
            status: 0,
        },
        _ => wrong(one_line(&error.render().to_string())),
    })?;
    match (cli.command, cli.run.file.clone()) {
        (Some(Command::Verify { result, file }), _) => {
            Ok(Request::Verify(VerifyOptions { result, file }))
        }
        (Some(Command::Worker { file }), _) => Ok(Request::Worker { file }),
        (None, Some(file)) => options(cli.run, file).map(Request::Run).map_err(wrong),
        (None, None) => Err(wrong("FILE is missing".to_owned())),
    }
}

fn wrong(text: String) -> Stop {
    Stop { text, status: 2 }
}

/// The part of clap's message that says what is wrong, in one line.
fn one_line(message: &str) -> String {
    let message = message.split("\n\nUsage:").next().unwrap_or(message);
    let line: Vec<&str> = message.split_whitespace().collect();
    let line = line.join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    let line = line.split(" For more information").next().unwrap_or(line);
    line.to_owned()
}

fn options(args: RunArgs, file: PathBuf) -> Result<RunOptions, String> {
    Ok(RunOptions {
        plan: plan(&args)?,
        file,
        violations: args.violations,
        until_violation: args.until_violation,
        readback: !args.no_readback,
        json: args.json,
        progress: args.progress,
        interval: args.interval,
    })
}

fn plan(args: &RunArgs) -> Result<Plan, String> {
    let own_mixture = args.writers.is_some() || args.mappers.is_some();
    let letter = match args.profile {
        None if own_mixture => None,
        None => Some(Letter::C),
        given => given,
    };
    let mut profile = match letter {
        Some(letter) => letter.profile(),
        None => Profile {
            writers: 0,
            mappers: 0,
            ..Letter::C.profile()
        },
    };
    if let Some(total) = args.workers {
        profile = profile.scaled(total).map_err(|least| {
            let letter = letter.expect("--workers and own numbers exclude each other");
            format!("--workers {total}: profile {letter:?} needs {least} to {MAX_WORKERS}")
        })?;
    }
    let plan = Plan {
        profile: letter,
        seed: args.seed.unwrap_or_else(by_chance),
        file_size: args.file_size,
        block_size: args.block_size,
        time_s: args.time.as_secs_f64(),
        ops_per_worker: args.ops,
        writers: args.writers.unwrap_or(profile.writers),
        mappers: args.mappers.unwrap_or(profile.mappers),
        writer_sync: args.writer_sync.unwrap_or(profile.writer_sync),
        mapper_sync: args.mapper_sync.unwrap_or(profile.mapper_sync),
        direct: (profile.direct || args.direct) && !args.buffered,
        o_sync: args.o_sync,
        rewrite_in_flight: args.rewrite_in_flight,
        io_uring: args.io_uring,
        processes: args.processes,
    };
    check(&plan)?;
    Ok(plan)
}

/// Whether a plan can be carried out.
fn check(plan: &Plan) -> Result<(), String> {
    let total = u32::from(plan.writers) + u32::from(plan.mappers);
    if !(1..=u32::from(MAX_WORKERS)).contains(&total) {
        return Err(format!(
            "--writers {} and --mappers {}: together allowed are 1 to {MAX_WORKERS}",
            plan.writers, plan.mappers
        ));
    }
    if plan.writer_sync == SyncAction::Msync {
        return Err(
            "--writer-sync msync: a writer has no mapping; allowed are none, sync_file_range, \
             fsync, fdatasync"
                .to_owned(),
        );
    }
    if plan.rewrite_in_flight && !(plan.direct && plan.writers > 0) {
        return Err(
            "--rewrite-in-flight: needs direct writers: profile D or F, or --direct with --writers"
                .to_owned(),
        );
    }
    if plan.io_uring && !(plan.direct && plan.writers > 0) {
        return Err(
            "--io-uring: needs direct writers: profile D or F, or --direct with --writers"
                .to_owned(),
        );
    }
    let smallest = if plan.direct && plan.writers > 0 {
        512
    } else {
        64
    };
    let block = plan.block_size;
    if !block.is_power_of_two() || !(smallest..=16 << 20).contains(&block) {
        return Err(format!(
            "--block-size {block}: allowed are powers of two from {smallest} to 16777216 (16M){}",
            if smallest == 512 {
                " with O_DIRECT"
            } else {
                ""
            }
        ));
    }
    let size = plan.file_size;
    if size < block || size % block != 0 || i64::try_from(size).is_err() {
        return Err(format!(
            "--file-size {size}: allowed are multiples of the block size {block}, at least one"
        ));
    }
    Ok(())
}

/// A seed that is different each time, and short enough to type.
fn by_chance() -> u64 {
    let hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.finish() & u64::from(u32::MAX)
}

fn parse_count(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|count| *count <= MAX_WORKERS)
        .ok_or_else(|| format!("allowed are numbers from 0 to {MAX_WORKERS}"))
}

fn parse_ops(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|ops| *ops > 0)
        .ok_or_else(|| "allowed are numbers from 1".to_owned())
}

fn parse_seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("allowed are numbers from 0 to {}", u64::MAX))
}

/// `10`, `10s`, `2m`, `1m 30s`, `0.5`.
fn parse_time(text: &str) -> Result<Duration, String> {
    let allowed = "allowed are seconds or a number with a unit: 10, 0.5, 10s, 2m, 1h";
    let time = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    time.filter(|time| {
        (Duration::from_millis(1)..=Duration::from_secs(366 * 86_400)).contains(time)
    })
    .ok_or_else(|| allowed.to_owned())
}

/// `4096`, `64k`, `64KiB`, `1G`; always powers of 1024.
fn parse_size(text: &str) -> Result<u64, String> {
    parse_size::Config::new()
        .with_binary()
        .parse_size(text)
        .map_err(|_| "allowed are bytes or a number with a unit: 4096, 64k, 64M, 1G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<RunOptions, String> {
        let words = line.split_whitespace().map(OsString::from);
        match parse(std::iter::once(OsString::from("wac")).chain(words)) {
            Ok(Request::Run(options)) => Ok(options),
            Ok(other) => panic!("{other:?}"),
            Err(stop) => {
                assert_eq!(stop.status, 2, "{}", stop.text);
                assert!(!stop.text.contains('\n'), "one line: {}", stop.text);
                Err(stop.text)
            }
        }
    }

    fn plan_of(line: &str) -> Plan {
        run(line).unwrap().plan
    }

    #[test]
    fn the_default_is_profile_c() {
        let plan = plan_of("f");
        assert_eq!(plan.profile, Some(Letter::C));
        assert_eq!((plan.writers, plan.mappers), (32, 32));
        assert_eq!((plan.file_size, plan.block_size), (65536, 4096));
    }

    #[test]
    fn options_override_the_profile() {
        let plan = plan_of("--profile f --writers 3 --buffered --mapper-sync none f");
        assert_eq!((plan.writers, plan.mappers), (3, 32));
        assert!(!plan.direct);
        assert_eq!(plan.mapper_sync, SyncAction::None);
        assert_eq!(plan.writer_sync, SyncAction::SyncFileRange);
        let plan = plan_of("--profile D --workers 5 f");
        assert_eq!((plan.writers, plan.mappers, plan.direct), (5, 0, true));
        let plan = plan_of("--mappers 2 f");
        assert_eq!((plan.profile, plan.writers, plan.mappers), (None, 0, 2));
    }

    #[test]
    fn times_and_sizes() {
        for (text, seconds) in [("10", 10.0), ("10s", 10.0), ("2m", 120.0), ("0.5", 0.5)] {
            assert_eq!(plan_of(&format!("--time {text} f")).time_s, seconds);
        }
        for (text, bytes) in [("64k", 65536), ("64M", 64 << 20), ("8192", 8192)] {
            assert_eq!(plan_of(&format!("--file-size {text} f")).file_size, bytes);
        }
    }

    #[test]
    fn wrong_usage_names_what_is_allowed() {
        for (line, allowed) in [
            ("--profile G f", "A, B, C, D, E, F"),
            ("--writer-sync msync f", "none, sync_file_range, fsync"),
            (
                "--mapper-sync often f",
                "none, sync_file_range, msync, fsync",
            ),
            ("--workers 1 f", "profile C needs 2 to 1023"),
            ("--writers 0 --mappers 0 f", "1 to 1023"),
            ("--writers 1000 --mappers 1000 f", "1 to 1023"),
            ("--rewrite-in-flight f", "profile D or F"),
            ("--block-size 3000 f", "powers of two from 64"),
            ("--profile D --block-size 256 f", "powers of two from 512"),
            ("--file-size 5000 f", "multiples of the block size 4096"),
            ("--file-size 0 f", "multiples of the block size 4096"),
            ("--time soon f", "10s, 2m"),
            ("--time 0 f", "10s, 2m"),
            ("--file-size big f", "64k, 64M"),
            ("--ops 0 f", "numbers from 1"),
            ("--writers many f", "0 to 1023"),
            ("--workers 2000 f", "0 to 1023"),
            ("--seed x f", "0 to 18446744073709551615"),
            ("--nonsense f", "--nonsense"),
            ("", "FILE"),
        ] {
            let text = run(line).unwrap_err();
            assert!(text.contains(allowed), "{line}: {text}");
        }
    }

    #[test]
    fn help_and_version_are_no_mistakes() {
        for flag in ["--help", "-h", "--version"] {
            let stop = parse(["wac", flag].map(OsString::from)).unwrap_err();
            assert_eq!(stop.status, 0);
            assert!(!stop.text.contains(SUBCOMMAND));
        }
    }
}
