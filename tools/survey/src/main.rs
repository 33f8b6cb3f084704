// SPDX-License-Identifier: GPL-2.0

//! Which filesystems and stacked devices keep their pages stable? Each is made on dif_blk's disks, its pages are
//! changed in several ways, and the disks tell whether one changed while it was written.
//!
//! | module | subject |
//! | --- | --- |
//! | [`subject`] | what is surveyed |
//! | [`way`] | the ways in which pages are changed |
//! | [`run`] | all of it, one after the other |
//! | [`cell`] | one combination: it is run, and judged |
//! | [`confirm`] | what is unstable is looked at once more, in another way |
//! | [`disk`] | dif_blk's disks |
//! | [`place`] | what is stored where |
//! | [`metadata`], [`swap`] | workloads that wac has not |
//! | [`app`] | an application instead |
//! | [`binlog`] | one of those: the log of a database |
//! | [`kmsg`] | what the kernel logs meanwhile |
//! | [`shell`] | scripts, and programs that may hang |
//! | [`journal`] | what was found so far |
//! | [`table`] | what is printed |
//!
//! Runs in the virtual machine, as root. `survey-page` draws the page.

#![forbid(unsafe_code)]

mod app;
mod binlog;
mod cell;
mod confirm;
mod disk;
mod fat;
mod journal;
mod kmsg;
mod metadata;
mod place;
mod run;
mod shell;
mod subject;
mod swap;
mod table;
mod way;

use clap::{Args, Parser, Subcommand, ValueEnum};
use journal::Journal;
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use subject::Subject;
use survey_lib::report::{Capability, Report, VERSION};
use table::Table;
use way::Way;

/// Finds out which filesystems and stacked devices keep their pages stable
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Survey, and write a report
    Run(RunArgs),
    /// Do nothing but change metadata below a directory
    Metadata {
        directory: PathBuf,
        /// For how long
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// Do nothing but append to a log in a directory, as the sessions of a database do
    Binlog {
        directory: PathBuf,
        /// For how long
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// Do nothing but rewrite more memory than there is
    Swap {
        /// For how long
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
}

#[derive(Args)]
struct RunArgs {
    /// Where the descriptions of subjects are
    #[arg(long)]
    subjects: Vec<PathBuf>,
    /// What was found is noted there, and what is there already isn't done again
    #[arg(long)]
    journal: PathBuf,
    /// Where the report goes, as JSON
    #[arg(long)]
    report: PathBuf,
    /// Only this subject, or only this way of it; may be there several times
    #[arg(long, value_name = "SUBJECT[:WAY]")]
    only: Vec<String>,
    /// A few minutes: one window, one sector, less time, stacks under one subject each and without swap, and on disks
    /// that don't ask for stable pages only write(), mmap and an application, on filesystems
    #[arg(long)]
    quick: bool,
    /// Only with disks that ask for stable pages, or only with such that don't
    #[arg(long)]
    capability: Option<Word>,
    /// With this window, in microseconds, and no other
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    window: Option<u64>,
    /// With logical blocks of this size, in bytes, and no other
    #[arg(long, value_parser = sector)]
    sector: Option<u32>,
    /// How long pages are changed in each combination
    #[arg(long)]
    seconds: Option<f64>,
    /// Instead of the ways: a command that is run again and again, each time in a new directory of the subject
    #[arg(long)]
    app: Option<String>,
    /// The commit of the project, for the report
    #[arg(long, default_value = "unknown")]
    revision: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Word {
    On,
    Off,
}

/// Capability, window in microseconds, sector in bytes: in which of them each way is tried.
const CIRCUMSTANCES: [(Capability, u64, u32); 4] = [
    (Capability::On, 200, 512),
    (Capability::On, 20_000, 512),
    (Capability::On, 20_000, 4096),
    (Capability::Off, 20_000, 512),
];
const QUICK: [(Capability, u64, u32); 2] = [
    (Capability::On, 20_000, 512),
    (Capability::Off, 20_000, 512),
];

fn main() -> ExitCode {
    let done = match Command::parse().command {
        What::Run(args) => survey(&args),
        What::Metadata { directory, seconds } => {
            metadata::run(&directory, Duration::from_secs_f64(seconds)).map(drop)
        }
        What::Binlog { directory, seconds } => {
            binlog::run(&directory, Duration::from_secs_f64(seconds)).map(drop)
        }
        What::Swap { seconds } => swap::run(Duration::from_secs_f64(seconds)).map(drop),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("survey: {error}");
            ExitCode::from(2)
        }
    }
}

fn sector(text: &str) -> Result<u32, String> {
    match text {
        "512" => Ok(512),
        "4096" => Ok(4096),
        _ => Err("must be 512 or 4096".to_owned()),
    }
}

/// The circumstances that were asked for.
fn circumstances(args: &RunArgs) -> Vec<(Capability, u64, u32)> {
    let all: &[_] = if args.quick { &QUICK } else { &CIRCUMSTANCES };
    let mut chosen = Vec::new();
    for &(capability, window_us, sector) in all {
        let wanted = match args.capability {
            None => true,
            Some(Word::On) => capability == Capability::On,
            Some(Word::Off) => capability == Capability::Off,
        };
        let one = (
            capability,
            args.window.unwrap_or(window_us),
            args.sector.unwrap_or(sector),
        );
        if wanted && !chosen.contains(&one) {
            chosen.push(one);
        }
    }
    chosen
}

/// The subjects that were asked for, and the ways of each.
fn chosen(args: &RunArgs) -> Result<Vec<(Subject, Vec<Way>)>, String> {
    let subjects = Subject::all(&args.subjects)?;
    let all = match &args.app {
        Some(command) if command.trim().is_empty() => {
            return Err("--app: must be a command".to_owned());
        }
        // Lives as long as the program.
        Some(command) => vec![Way::App(command.clone().leak())],
        None => Way::ALL.to_vec(),
    };
    let mut wanted: HashMap<&str, Vec<Way>> = HashMap::new();
    for only in &args.only {
        let (name, way) = only.split_once(':').unwrap_or((only, ""));
        if !subjects.iter().any(|subject| subject.name == name) {
            let known: Vec<&str> = subjects.iter().map(|subject| &*subject.name).collect();
            return Err(format!(
                "there is no subject '{name}', but {}",
                known.join(", ")
            ));
        }
        let ways = wanted.entry(name).or_default();
        if way.is_empty() {
            ways.clone_from(&all);
        } else {
            ways.push(Way::of_name(way, &all)?);
        }
    }
    let of = |subject: Subject| {
        let ways = if wanted.is_empty() {
            if args.quick && subject.again {
                return None;
            }
            // What a stack does with pages that are swapped out is what it does with all.
            let long = args.quick && subject.is_stack();
            let all = all.iter().copied();
            all.filter(|way| !long || *way != Way::Swap).collect()
        } else {
            let wanted = wanted.get(&*subject.name)?;
            // In their order, each once.
            all.iter()
                .copied()
                .filter(|way| wanted.contains(way))
                .collect()
        };
        Some((subject, ways))
    };
    Ok(subjects.into_iter().filter_map(of).collect())
}

fn survey(args: &RunArgs) -> Result<(), String> {
    let subjects = chosen(args)?;
    let usual = match (args.quick, &args.app) {
        (_, Some(_)) => 5.0,
        (true, None) => 0.3,
        (false, None) => 2.0,
    };
    let plan = run::Plan {
        subjects,
        circumstances: circumstances(args),
        quick: args.quick && args.capability.is_none(),
        time: Duration::try_from_secs_f64(args.seconds.unwrap_or(usual))
            .map_err(|error| format!("--seconds: {error}"))?,
    };
    let mut journal = Journal::open(&args.journal)?;
    let mut found = plan.run(&mut journal, &mut Table::new(plan.len()))?;
    confirm::all(&plan, &mut journal, &mut found)?;
    print!("{}", table::matrix(&found.cells, &plan.ways()));
    let report = Report {
        version: VERSION,
        kernel: bench_lib::system::kernel(),
        machine: machine(),
        date: date()?,
        revision: args.revision.clone(),
        seconds: plan.time.as_secs_f64(),
        reproduce: reproduce(args),
        subjects: plan
            .subjects
            .iter()
            .map(|(subject, _)| {
                subject.to_report(|capability| found.asks(&subject.name, capability))
            })
            .collect(),
        ways: plan.ways().iter().map(|way| way.to_report()).collect(),
        cells: found.cells,
    };
    survey_lib::check::report(&report).map_err(|error| format!("the report: {error}"))?;
    bench_lib::result::write(&args.report, &report)
}

/// How to run it again, but for what was chosen of it.
fn reproduce(args: &RunArgs) -> String {
    let app = args.app.as_deref().map(app::argument);
    let quick = args.quick.then(|| "ARGS=--quick".to_owned());
    ["make survey".to_owned()]
        .into_iter()
        .chain(app)
        .chain(quick)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Processors and memory.
fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let read = |path| bench_lib::system::read(path).unwrap_or_default();
    let (cpuinfo, meminfo) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let field = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field(&cpuinfo, "model name").unwrap_or_default();
    let memory = field(&meminfo, "MemTotal").unwrap_or_default();
    let mib = memory
        .split(' ')
        .next()
        .and_then(|kib| kib.parse::<u64>().ok())
        .map_or(0, |kib| kib >> 10);
    format!("{cpus} × {model}, {mib} MiB of memory")
}

fn date() -> Result<String, String> {
    let limit = Duration::from_secs(9);
    shell::program("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"], limit)
        .map(|ended| ended.output.trim().to_owned())
        .map_err(|_| "there is no date".to_owned())
}
