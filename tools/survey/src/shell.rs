// SPDX-License-Identifier: GPL-2.0

//! The scripts of subjects, and programs that may hang.

use rustix::process::{kill_process_group, waitid, Pid, Signal, WaitId, WaitIdOptions};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{mpsc, Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What a daemon that was started has to say is waited for that long, and no longer.
const LAST_WORDS: Duration = Duration::from_secs(5);

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

/// Runs it, for so long at most: then it is killed. What it has started goes with it, however it ends, but for
/// daemons, in sessions of their own.
fn run(mut command: Command, time: Duration) -> Result<Ended, Stuck> {
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Stuck::Failed(format!("{command:?}: {error}")))?;
    let output = Collected::of(child.stdout.take());
    let errors = Collected::of(child.stderr.take());
    let in_time = ends(&child, time);
    // As long as it isn't waited for, its number is its group's. If that can't be killed, it is seen below.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    if !in_time && !ends(&child, Duration::from_secs(10)) {
        return Err(Stuck::Lost(format!("{command:?} hangs")));
    }
    let status = child
        .wait()
        .map_err(|error| Stuck::Failed(format!("{command:?}: {error}")))?;
    Ok(Ended {
        status: status.code().filter(|_| in_time),
        output: output.text(),
        errors: errors.text(),
    })
}

/// Whether it ends in that time. It is still to be waited for.
fn ends(child: &Child, time: Duration) -> bool {
    let until = Instant::now() + time;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(Pid::from_child(child)), options) {
            Ok(Some(_)) => return true,
            _ if Instant::now() >= until => return false,
            _ => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// What comes out of a pipe.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Closed at its end.
    end: mpsc::Receiver<()>,
}

impl Collected {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::default();
        let (sender, end) = mpsc::channel();
        let to = Arc::clone(&bytes);
        thread::spawn(move || {
            let _end = sender;
            let Some(mut pipe) = pipe else { return };
            let mut piece = [0; 4096];
            // What came before an error is there.
            while let Ok(count @ 1..) = pipe.read(&mut piece) {
                locked(&to).extend(piece.iter().take(count));
            }
        });
        Self { bytes, end }
    }

    fn text(self) -> String {
        // Closed, or somebody still has it.
        let _ = self.end.recv_timeout(LAST_WORDS);
        String::from_utf8_lossy(&locked(&self.bytes)).into_owned()
    }
}

fn locked(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

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
    fn what_was_started_ends_with_it() {
        let begun = Instant::now();
        // The shell in between has the pipe.
        let text = "f() { sleep \"$@\"; }\nf 61 >/dev/null 2>&1 &\necho $!; echo wrong >&2; exit 3";
        let ended = script(text, true, &[], Duration::from_secs(50)).unwrap();
        assert_eq!((ended.status, &*ended.complaint()), (Some(3), "wrong"));
        let left = Path::new("/proc").join(ended.output.trim()).join("cmdline");
        while std::fs::read(&left).is_ok_and(|line| !line.is_empty()) {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "it is still there"
            );
        }
        // A daemon that keeps it isn't waited for.
        let text = "setsid --fork sleep 20 2>/dev/null; echo said";
        let ended = script(text, true, &[], Duration::from_secs(50)).unwrap();
        assert_eq!((ended.status, &*ended.output), (Some(0), "said\n"));
        assert!(begun.elapsed() < Duration::from_secs(15));
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
