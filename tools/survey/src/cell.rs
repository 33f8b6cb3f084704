// SPDX-License-Identifier: GPL-2.0

//! One combination of subject, way, capability, window and sector: it is run, and judged.

use crate::app;
use crate::disk::{Counters, Disks, Record};
use crate::kmsg;
use crate::place;
use crate::shell::{self, Ended, Stuck};
use crate::subject::Subject;
use crate::way::Way;
use std::path::Path;
use std::time::{Duration, Instant};
use survey_lib::report::{Capability, Cell, Latency, Verdict, Violation};

/// Fewer writes, of each disk, say nothing. That wac fills and syncs its file of 16 blocks before and after its work, when
/// nobody changes them, makes ten to fifteen.
const FEW: u64 = 20;
/// How much longer it is tried if there were fewer: first this, then that.
const MORE: [u32; 2] = [3, 10];
/// That long at most.
const LONG: Duration = Duration::from_secs(20);

/// Where a program is that the survey calls: itself, for what wac doesn't do.
const SELF: &str = "/proc/self/exe";

/// What is needed to run one.
pub(crate) struct Site<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) disks: &'a Disks,
    /// Where it is mounted.
    pub(crate) mnt: &'a str,
    /// The device that is on top.
    pub(crate) top: &'a str,
}

impl Site<'_> {
    /// Whether the device on top is that one.
    pub(crate) fn is_top(&self, device: &str) -> bool {
        std::fs::canonicalize(self.top).is_ok_and(|top| top == Path::new(device))
    }
}

/// Which combination of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Combination {
    pub(crate) way: Way,
    pub(crate) capability: Capability,
    pub(crate) window_us: u64,
    pub(crate) sector: u32,
}

/// What a program found out.
enum Outcome {
    Ran(Option<Latency>),
    /// It could not do what it should, and says why.
    Refused(String),
}

/// A cell of which nothing was checked, and why.
pub(crate) fn unchecked(
    subject: &Subject,
    combination: Combination,
    verdict: Verdict,
    why: String,
) -> Cell {
    Cell {
        subject: subject.name.clone(),
        way: combination.way.name().to_owned(),
        capability: combination.capability,
        window_us: combination.window_us,
        sector: combination.sector,
        verdict,
        why,
        writes: 0,
        intervals: 0,
        seconds: 0.0,
        violations: 0,
        first: None,
        confirmed: None,
        report: None,
        latency: None,
        reproduce: reproduce(subject, combination),
    }
}

/// How to see it again.
fn reproduce(subject: &Subject, combination: Combination) -> String {
    let what = match combination.way {
        Way::App(command) => format!("{} {}", subject.name, app::argument(command)),
        way => format!("{}:{}", subject.name, way.name()),
    };
    format!(
        "make survey ONLY={what} ARGS='--capability {} --window {} --sector {}'",
        combination.capability.word(),
        combination.window_us,
        combination.sector
    )
}

/// Runs it for so long, and again for longer if that was too short to say anything.
pub(crate) fn run(
    site: &Site<'_>,
    combination: Combination,
    time: Duration,
) -> Result<Cell, String> {
    let Site { subject, .. } = site;
    if let Some(why) = subject.not_applicable.get(combination.way.name()) {
        return Ok(unchecked(
            subject,
            combination,
            Verdict::NotApplicable,
            why.clone(),
        ));
    }
    let mut cell = once(site, combination, time)?;
    for longer in MORE.map(|more| (time * more).min(LONG)) {
        if cell.verdict == Verdict::NotApplicable && longer > time {
            cell = once(site, combination, longer)?;
        }
    }
    Ok(cell)
}

/// Runs it for so long. It is not applicable if there were too few writes.
fn once(site: &Site<'_>, combination: Combination, time: Duration) -> Result<Cell, String> {
    let Site { subject, disks, .. } = site;
    let log = kmsg::Log::now()?;
    let begun = Instant::now();
    let outcome = match combination.way {
        Way::Swap => swap(site, combination, time),
        _ => {
            disks.set_window(combination.window_us)?;
            disks.reset()?;
            work(site, combination.way, time)
        }
    };
    let (latency, refused) = match outcome {
        Ok(Outcome::Ran(latency)) => (latency, None),
        Ok(Outcome::Refused(why)) => (None, Some(why)),
        Err(Stuck::Failed(why)) => {
            disks.set_window(0)?;
            return Ok(unchecked(subject, combination, Verdict::Unsupported, why));
        }
        Err(Stuck::Lost(why)) => return Err(why),
    };
    // What is written from now on isn't changed any more.
    let (during, worked) = (disks.counters()?.writes, begun.elapsed());
    // What is on its way counts, too.
    let settled = shell::program(
        "sync",
        &["--file-system", site.mnt],
        Duration::from_secs(60),
    );
    if let Err(Stuck::Lost(why)) = settled {
        return Err(why);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (counters, records) = (disks.counters()?, disks.records()?);
    disks.set_window(0)?;
    let cell = judge(site, combination, &counters, &records, latency, seconds);
    let cell = if cell.violations == 0 && during < FEW * u64::from(subject.disks) {
        too_few(cell, during, worked)
    } else {
        cell
    };
    let messages = log.read();
    let wrong = subject.digest.as_deref().map_or_else(Vec::new, |digest| {
        messages
            .iter()
            .filter(|message| message.contains(digest))
            .collect()
    });
    let cell = on_the_way(cell, &wrong);
    let cell = match refused {
        // What was seen before it gave up counts: it did because of that, if the write failed.
        Some(why) if cell.verdict != Verdict::Unstable => {
            unchecked(subject, combination, Verdict::Refused, why)
        }
        _ => cell,
    };
    Ok(Cell {
        report: kmsg::report(&messages),
        ..cell
    })
}

/// No page had changed, but hardly one was written while it could have.
fn too_few(cell: Cell, during: u64, worked: Duration) -> Cell {
    let why = match cell.writes {
        0 => "nothing reached the device while it was watched".to_owned(),
        _ => format!(
            "too few writes to tell: {during} in {:.1} s",
            worked.as_secs_f64()
        ),
    };
    Cell {
        verdict: Verdict::NotApplicable,
        why,
        ..cell
    }
}

/// What never reached the disks, since its digest was wrong by then, changed as well.
fn on_the_way(cell: Cell, wrong: &[&String]) -> Cell {
    match (wrong.first(), cell.verdict) {
        (Some(first), Verdict::Stable | Verdict::NotApplicable) if cell.writes > 0 => {
            let count = wrong.len();
            Cell {
                verdict: Verdict::Unstable,
                why: String::new(),
                violations: count as u64,
                intervals: cell.intervals.max(count as u64),
                confirmed: Some(format!(
                    "by digests that were wrong on the way to the disk, {count} of them: {first}"
                )),
                ..cell
            }
        }
        _ => cell,
    }
}

/// The verdict.
fn judge(
    site: &Site<'_>,
    combination: Combination,
    counters: &Counters,
    records: &[Record],
    latency: Option<Latency>,
    seconds: f64,
) -> Cell {
    let first = records.first().map(|record| Violation {
        seconds: counters.first_us.unwrap_or(0) as f64 / 1e6,
        inode: record.inode,
        offset: record.offset,
        what: place::of(record, site, combination.way),
        sector: record.sector,
        bytes: record.ranges.clone(),
        before: record.before.clone(),
        after: record.after.clone(),
    });
    let verdict = match counters.violations {
        0 => Verdict::Stable,
        _ => Verdict::Unstable,
    };
    Cell {
        verdict,
        why: String::new(),
        writes: counters.writes,
        intervals: counters.intervals,
        seconds,
        violations: counters.violations,
        first: first.filter(|_| verdict == Verdict::Unstable),
        latency,
        ..unchecked(site.subject, combination, verdict, String::new())
    }
}

/// Changes pages in one way.
fn work(site: &Site<'_>, way: Way, time: Duration) -> Result<Outcome, Stuck> {
    if let Way::App(command) = way {
        let ran = app::run(command, Path::new(site.mnt), time)?;
        return Ok(ran.map_or_else(Outcome::Refused, |()| Outcome::Ran(None)));
    }
    let seconds = time.as_secs_f64().to_string();
    let Some(options) = way.wac() else {
        let args = ["metadata", site.mnt, "--seconds", &seconds];
        let limit = time + Duration::from_secs(60);
        return Ok(plain(shell::program(SELF, &args, limit)?));
    };
    let file = if site.subject.raw {
        site.top.to_owned()
    } else {
        format!("{}/wac", site.mnt)
    };
    let fixed = [
        "--time",
        &seconds,
        "--no-readback",
        "--progress",
        "none",
        "--json",
        "-",
        &file,
    ];
    // Some stacks try again for ever what is never written.
    let limit = (time * 10).min(time + Duration::from_secs(40)) + Duration::from_secs(20);
    let sync = site.subject.sync.filter(|_| way != Way::Mmap);
    let sync = sync.map_or_else(Vec::new, |sync| vec!["--writer-sync", sync.name()]);
    let ended = shell::program("wac", &[options, &sync, &fixed].concat(), limit)?;
    let Ok(report) = serde_json::from_str::<wac::report::Report>(&ended.output) else {
        return Ok(Outcome::Refused(ended.complaint()));
    };
    if report.operations == 0 {
        let gave_up = report
            .workers
            .iter()
            .find_map(|worker| worker.gave_up.clone());
        return Ok(Outcome::Refused(
            gave_up.unwrap_or_else(|| "no write succeeded".to_owned()),
        ));
    }
    let latency = report.latency_ns;
    let summary = if latency.write.count > 0 {
        latency.write
    } else {
        latency.store
    };
    Ok(Outcome::Ran(Some(Latency {
        count: summary.count,
        p50: summary.p50,
        p99: summary.p99,
        p999: summary.p999,
        max: summary.max,
        histogram: summary.classes,
    })))
}

/// Swaps to a file, or to the device.
fn swap(site: &Site<'_>, combination: Combination, time: Duration) -> Result<Outcome, Stuck> {
    let limit = time + Duration::from_secs(120);
    let place = if site.subject.raw {
        site.top.to_owned()
    } else {
        format!("{}/swap", site.mnt)
    };
    let make = format!(
        "[ -b {place} ] || {{ head -c 32M /dev/zero >{place}; chmod 600 {place}; }}\n\
         mkswap {place} >/dev/null\nsync\nswapon {place}"
    );
    let made = shell::script(&make, true, &[], limit)?;
    if made.status != Some(0) {
        return Ok(Outcome::Refused(made.complaint()));
    }
    let set = site
        .disks
        .set_window(combination.window_us)
        .and_then(|()| site.disks.reset());
    let args = ["swap", "--seconds", &time.as_secs_f64().to_string()].map(str::to_owned);
    let ended = set
        .map_err(Stuck::Failed)
        .and_then(|()| shell::program(SELF, &args, limit));
    // The window would be waited for with each page that is read back.
    let fast = site.disks.set_window(0).map_err(Stuck::Failed);
    let off = shell::program("swapoff", &[&place], limit)?;
    fast?;
    if off.status != Some(0) {
        return Err(Stuck::Lost(format!("swapoff: {}", off.complaint())));
    }
    Ok(plain(ended?))
}

/// Of a program that says no more than whether it did.
fn plain(ended: Ended) -> Outcome {
    match ended.status {
        Some(0) => Outcome::Ran(None),
        Some(_) => Outcome::Refused(ended.complaint()),
        None => Outcome::Refused("it took too long, and was stopped".to_owned()),
    }
}
