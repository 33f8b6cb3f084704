// SPDX-License-Identifier: GPL-2.0

//! Starts the workers, watches them, stops them, and draws the conclusion.

use crate::args::RunOptions;
use crate::errors::{Code, Op, Tally};
use crate::monitor::Monitor;
use crate::plan::Plan;
use crate::process::{self, Remote};
use crate::progress::Progress;
use crate::report::{Report, Run};
use crate::target::{self, SetupError};
use crate::verify;
use crate::worker::{Live, Outcome, Worker};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the counter is read and the clock looked at.
const POLL: Duration = Duration::from_millis(20);

/// One whole run.
///
/// # Errors
///
/// If it could not start. Whatever happens later is in the report.
pub fn run(options: &RunOptions, live: Arc<Live>) -> Result<Report, SetupError> {
    let plan = &options.plan;
    let file = target::prepare(&options.file, plan)?;
    let mut monitor = options
        .violations
        .as_deref()
        .map(Monitor::start)
        .transpose()
        .map_err(|message| SetupError {
            message: format!("--violations {message}"),
            io: false,
        })?;

    let total = Duration::from_secs_f64(plan.time_s);
    let crew = Crew::start(plan, &options.file, &live)?;
    let start = Instant::now();
    let mut progress = Progress::new(options.progress, total, options.interval);
    while !live.stopped() && !crew.finished() && start.elapsed() < total {
        std::thread::sleep(POLL.min(total.saturating_sub(start.elapsed())));
        let violations = poll(&mut monitor, start);
        progress.tick(start, &live, violations);
        let seen = violations.is_some_and(|n| n > 0) || live.errors.load(Ordering::Relaxed) > 0;
        if options.until_violation && seen {
            break;
        }
    }
    let interrupted = live.stopped();
    live.stop.store(true, Ordering::Relaxed);
    // Time that the last operations take still counts.
    let outcomes = crew.finish(|| {
        let violations = poll(&mut monitor, start);
        progress.tick(start, &live, violations);
    });
    let elapsed_s = start.elapsed().as_secs_f64();

    let mut after = Tally::default();
    progress.phase("final fsync");
    if let Err(error) = file.sync_all() {
        after.record(plan, Op::Fsync, Code::from(&error), elapsed_s);
    }
    poll(&mut monitor, start);
    let readback = options.readback.then(|| {
        progress.phase("reading back");
        verify::read_back(&options.file, &file, plan, &verify::traces(&outcomes))
    });
    poll(&mut monitor, start);
    progress.finish();

    Ok(Report::new(Run {
        file: options.file.display().to_string(),
        plan: plan.clone(),
        elapsed_s,
        interrupted,
        outcomes,
        after,
        monitor,
        readback,
    }))
}

fn poll(monitor: &mut Option<Monitor>, start: Instant) -> Option<u64> {
    let monitor = monitor.as_mut()?;
    monitor.poll(start.elapsed().as_secs_f64());
    Some(monitor.violations())
}

/// All workers of a run, in whatever form.
struct Crew {
    threads: Vec<(u16, JoinHandle<Outcome>)>,
    controls: Vec<process::Control>,
    plan: Arc<Plan>,
    live: Arc<Live>,
}

impl Crew {
    /// Gets all workers ready, then lets them go at once.
    fn start(plan: &Plan, path: &Path, live: &Arc<Live>) -> Result<Crew, SetupError> {
        let mut crew = Crew {
            threads: Vec::new(),
            controls: Vec::new(),
            plan: Arc::new(plan.clone()),
            live: Arc::clone(live),
        };
        let started = if plan.processes {
            crew.start_processes(path)
        } else {
            crew.start_threads(path)
        };
        started.map_err(|error| SetupError {
            message: format!("worker {} did not start: {error}", crew.threads.len() + 1),
            io: false,
        })?;
        Ok(crew)
    }

    fn start_threads(&mut self, path: &Path) -> std::io::Result<()> {
        let workers = self.plan.workers();
        let barrier = Arc::new(Barrier::new(workers.len() + 1));
        for spec in workers {
            let (plan, live) = (Arc::clone(&self.plan), Arc::clone(&self.live));
            let (barrier, path) = (Arc::clone(&barrier), path.to_owned());
            let thread = std::thread::Builder::new()
                .name(format!("worker-{}", spec.id))
                .stack_size(256 * 1024)
                .spawn(move || {
                    let worker = Worker::prepare(&plan, spec, &path);
                    barrier.wait();
                    worker.run(&live)
                })?;
            self.threads.push((spec.id, thread));
        }
        barrier.wait();
        Ok(())
    }

    fn start_processes(&mut self, path: &Path) -> std::io::Result<()> {
        for spec in self.plan.workers() {
            let (remote, control) = Remote::start(&self.plan, spec, path)?;
            let (plan, live) = (Arc::clone(&self.plan), Arc::clone(&self.live));
            let thread = std::thread::Builder::new()
                .name(format!("follow-{}", spec.id))
                .stack_size(256 * 1024)
                .spawn(move || remote.follow(&plan, &live))?;
            self.threads.push((spec.id, thread));
            self.controls.push(control);
        }
        self.controls.iter_mut().for_each(process::Control::go);
        Ok(())
    }

    fn finished(&self) -> bool {
        self.threads.iter().all(|(_, thread)| thread.is_finished())
    }

    /// Waits for all workers, which have been told to stop, and calls `meanwhile`
    /// every now and then.
    fn finish(mut self, mut meanwhile: impl FnMut()) -> Vec<Outcome> {
        // The end of its input is a child's sign to stop.
        self.controls.clear();
        while !self.finished() {
            std::thread::sleep(POLL);
            meanwhile();
        }
        self.threads
            .into_iter()
            .map(|(id, thread)| {
                thread
                    .join()
                    .unwrap_or_else(|_| process::died(&self.plan, id, None, &self.live))
            })
            .collect()
    }
}
