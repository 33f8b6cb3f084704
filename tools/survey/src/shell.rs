// SPDX-License-Identifier: GPL-2.0

//! The scripts of subjects, and programs that may hang.

use rustix::process::{kill_process_group, Pid, Signal};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status; `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Ended {
    /// The last line of what it complained of.
    pub(crate) fn complaint(&self) -> String {
        let lines = |text: &str| {
            let line = text.lines().rev().find(|line| !line.trim().is_empty());
            line.map(|line| line.trim().to_owned())
        };
        lines(&self.errors)
            .or_else(|| lines(&self.output))
            .unwrap_or_else(|| "it says nothing".to_owned())
    }
}

/// Why there is no [`Ended`].
#[derive(Debug)]
pub(crate) enum Stuck {
    /// It could not be started.
    Failed(String),
    /// The machine is of no use any more: it didn't end in time, nor when it was killed, say.
    Lost(String),
}

/// Runs a script, with variables. With `strict`, it stops at the first failure.
pub(crate) fn script(
    text: &str,
    strict: bool,
    variables: &[(&str, &str)],
    time: Duration,
) -> Result<Ended, Stuck> {
    let mut command = Command::new("sh");
    command.args([if strict { "-ec" } else { "-c" }, text]);
    for (name, value) in variables {
        command.env(name, value);
    }
    run(command, time)
}

/// Runs a program.
pub(crate) fn program(
    name: &str,
    args: &[impl AsRef<OsStr>],
    time: Duration,
) -> Result<Ended, Stuck> {
    let mut command = Command::new(name);
    command.args(args);
    run(command, time)
}

/// Runs it, for so long at most: then it is killed, with what it has started.
fn run(mut command: Command, time: Duration) -> Result<Ended, Stuck> {
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Stuck::Failed(format!("{command:?}: {error}")))?;
    let output = collect(child.stdout.take());
    let errors = collect(child.stderr.take());
    let status = match wait(&mut child, time) {
        Some(status) => status,
        None => {
            // With all that it has started. If it can't be killed, that is seen below.
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            wait(&mut child, Duration::from_secs(10))
                .ok_or_else(|| Stuck::Lost(format!("{command:?} hangs")))?;
            None
        }
    };
    Ok(Ended {
        status,
        output: output.join().unwrap_or_default(),
        errors: errors.join().unwrap_or_default(),
    })
}

fn wait(child: &mut Child, time: Duration) -> Option<Option<i32>> {
    let until = Instant::now() + time;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.code()),
            _ if Instant::now() >= until => return None,
            _ => thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is there.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_stop_at_the_first_failure() {
        let text = "echo \"$A\"; echo wrong >&2; false; echo more";
        let variables = [("A", "b c")];
        let ended = script(text, false, &variables, Duration::from_secs(9)).unwrap();
        assert_eq!(ended.output, "b c\nmore\n");
        let ended = script(text, true, &variables, Duration::from_secs(9)).unwrap();
        assert_eq!(ended.status, Some(1));
        assert_eq!(ended.output, "b c\n");
        assert_eq!(ended.complaint(), "wrong");
    }

    #[test]
    fn what_takes_too_long_is_killed() {
        let ended = program("sleep", &["60"], Duration::from_millis(50)).unwrap();
        assert_eq!(ended.status, None);
        // Not only the shell: whoever has the pipe is waited for.
        let begun = Instant::now();
        let ended = script("sleep 60; true", true, &[], Duration::from_millis(50)).unwrap();
        assert_eq!(ended.status, None);
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert!(matches!(
            program("/no/such/program", &[""; 0], Duration::ZERO),
            Err(Stuck::Failed(_))
        ));
    }
}
