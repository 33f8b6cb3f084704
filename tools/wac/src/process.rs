// SPDX-License-Identifier: GPL-2.0

//! Workers as processes. Threads share page tables; processes do not, so each
//! takes its own faults and its own write-protection, which is what most
//! applications look like to a filesystem.
//!
//! A child is this same program, run again with a hidden subcommand. Parent and
//! child talk in lines over the child's standard input and output:
//!
//! ```text
//! parent                                  child
//! {"plan":…,"spec":…}                 ->
//!                                     <-  "ready"
//! go                                  ->
//!                                     <-  {"live":{…}}      ten times a second
//! stop, or the end of the pipe        ->
//!                                     <-  {"done":{…}}
//! ```
//!
//! The end of the pipe means stop, so children never outlive a parent that was
//! killed.

use crate::errors::{Code, Op};
use crate::plan::{Plan, WorkerSpec};
use crate::worker::{Live, Outcome, Worker};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Name of the hidden subcommand.
pub const SUBCOMMAND: &str = "__worker";

/// The first line a child reads.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    plan: Plan,
    spec: WorkerSpec,
}

/// A line from a child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Message {
    Ready,
    /// Changes since the last such line.
    Live {
        operations: u64,
        bytes: u64,
        errors: u64,
        mixing: u64,
    },
    Done(Box<Outcome>),
}

/// A worker in a child process, ready to go.
#[derive(Debug)]
pub struct Remote {
    id: u16,
    child: Child,
    output: BufReader<ChildStdout>,
}

/// What the parent talks to a child through.
#[derive(Debug)]
pub struct Control(ChildStdin);

impl Control {
    /// Lets the worker go.
    pub fn go(&mut self) {
        // If the child is gone, its end of output says so.
        let _ = self.0.write_all(b"go\n");
    }
}

impl Remote {
    /// Starts a child and waits until it has opened the file.
    ///
    /// # Errors
    ///
    /// If the process can not be started.
    pub fn start(plan: &Plan, spec: WorkerSpec, path: &Path) -> std::io::Result<(Remote, Control)> {
        let mut child = Command::new("/proc/self/exe")
            .arg(SUBCOMMAND)
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                let what = format!("running /proc/self/exe again: {error}");
                std::io::Error::new(error.kind(), what)
            })?;
        let gone = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let mut input = child.stdin.take().ok_or_else(gone)?;
        let output = child.stdout.take().ok_or_else(gone)?;
        let job = Job {
            plan: plan.clone(),
            spec,
        };
        serde_json::to_writer(&mut input, &job)?;
        input.write_all(b"\n")?;
        let mut remote = Remote {
            id: spec.id,
            child,
            output: BufReader::new(output),
        };
        match remote.next() {
            Some(Message::Ready) => Ok((remote, Control(input))),
            _ => Err(gone()),
        }
    }

    fn next(&mut self) -> Option<Message> {
        let mut line = String::new();
        self.output.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    /// Passes the child's figures on to `live` until it is done.
    pub fn follow(mut self, plan: &Plan, live: &Live) -> Outcome {
        let mut outcome = None;
        while let Some(message) = self.next() {
            match message {
                Message::Ready => (),
                Message::Live {
                    operations,
                    bytes,
                    errors,
                    mixing,
                } => {
                    live.operations.fetch_add(operations, Ordering::Relaxed);
                    live.bytes.fetch_add(bytes, Ordering::Relaxed);
                    live.errors.fetch_add(errors, Ordering::Relaxed);
                    live.mixing.fetch_add(mixing, Ordering::Relaxed);
                }
                Message::Done(done) => outcome = Some(*done),
            }
        }
        let status = self.child.wait();
        outcome.unwrap_or_else(|| {
            let signal = status.ok().and_then(|status| status.signal());
            died(plan, self.id, signal, live)
        })
    }
}

/// The outcome of a worker that did not live to tell.
pub(crate) fn died(plan: &Plan, id: u16, signal: Option<i32>, live: &Live) -> Outcome {
    let mut outcome = Outcome {
        id,
        // Nobody knows what it did.
        attempts: u64::from(u32::MAX),
        failed_truncated: true,
        gave_up: Some("died".to_owned()),
        ..Outcome::default()
    };
    let code = Code(signal.map_or(libc::EIO, |signal| -signal));
    outcome.errors.record(plan, Op::Worker, code, 0.0);
    live.errors.fetch_add(1, Ordering::Relaxed);
    outcome
}

/// What the hidden subcommand does; returns the exit status.
///
/// # Errors
///
/// If the parent does not speak the protocol.
pub fn child(path: &Path, live: &Live) -> std::io::Result<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let job: Job = serde_json::from_str(&line)?;
    let worker = Worker::prepare(&job.plan, job.spec, path);
    say(&Message::Ready)?;
    line.clear();
    std::io::stdin().read_line(&mut line)?;
    if line.trim() != "go" {
        return Ok(());
    }

    // Waits for "stop" or the end of input. Not joined: after a run that ends
    // by itself it still waits, and ends with the process.
    let stop = live.stop.clone();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = std::io::stdin().read_line(&mut line);
        stop.store(true, Ordering::Relaxed);
    });

    let outcome = std::thread::scope(|scope| {
        let run = scope.spawn(|| worker.run(live));
        let mut said = Said::default();
        while !run.is_finished() {
            std::thread::sleep(Duration::from_millis(100));
            let _ = said.say(live);
        }
        let _ = said.say(live);
        run.join()
    });
    let Ok(outcome) = outcome else {
        // The panic has been printed; the parent sees no "done".
        std::process::exit(101);
    };
    say(&Message::Done(Box::new(outcome)))
}

/// What has been passed on already.
#[derive(Default)]
struct Said {
    operations: u64,
    bytes: u64,
    errors: u64,
    mixing: u64,
}

impl Said {
    fn say(&mut self, live: &Live) -> std::io::Result<()> {
        let now = Said {
            operations: live.operations.load(Ordering::Relaxed),
            bytes: live.bytes.load(Ordering::Relaxed),
            errors: live.errors.load(Ordering::Relaxed),
            mixing: live.mixing.load(Ordering::Relaxed),
        };
        let message = Message::Live {
            operations: now.operations - self.operations,
            bytes: now.bytes - self.bytes,
            errors: now.errors - self.errors,
            mixing: now.mixing - self.mixing,
        };
        *self = now;
        say(&message)
    }
}

fn say(message: &Message) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}
