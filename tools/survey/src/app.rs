// SPDX-License-Identifier: GPL-2.0

//! An application instead of a workload: a command of the user's.

use crate::shell::{self, Stuck};
use bench_lib::system::{put, read};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often the kernel looks for dirty pages, and how old they are when it writes them, in hundredths of a second:
/// what is dirty for half a minute first, as usual, isn't seen here.
const SOON: [(&str, &str); 2] = [
    ("/proc/sys/vm/dirty_writeback_centisecs", "5"),
    ("/proc/sys/vm/dirty_expire_centisecs", "5"),
];

/// Pages are written back soon, until this goes.
struct Early(Vec<(&'static str, String)>);

impl Early {
    fn new() -> Result<Self, String> {
        let mut before = Self(Vec::new());
        for (path, soon) in SOON {
            before.0.push((path, read(path)?));
            put(path, soon)?;
        }
        Ok(before)
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        for (path, value) in &self.0 {
            if let Err(error) = put(path, value.trim()) {
                eprintln!("survey: {error}");
            }
        }
    }
}

/// What is written after `make survey` to have it run, for a shell.
pub(crate) fn argument(command: &str) -> String {
    format!("APP='{}'", command.replace('\'', "'\\''"))
}

/// Runs it below `mnt`, again and again, until `time` is over: what runs then is killed. An error is what it
/// complained of when it failed.
pub(crate) fn run(command: &str, mnt: &Path, time: Duration) -> Result<Result<(), String>, Stuck> {
    let _early = Early::new().map_err(Stuck::Failed)?;
    let until = Instant::now() + time;
    for round in 1.. {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let directory = mnt.join(format!("app-{round}"));
        match fs::create_dir(&directory) {
            Ok(()) => {}
            // With another window, or for a shorter time, it ran there.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => return Ok(Err(format!("{}: {error}", directory.display()))),
        }
        let there = directory.to_string_lossy();
        // What it says is wanted only when it fails.
        let text = format!("cd \"$DIRECTORY\"\n{command}\n");
        let ended = shell::script(&text, true, &[("DIRECTORY", &there)], left)?;
        match ended.status {
            Some(0) => {}
            Some(_) => return Ok(Err(ended.complaint())),
            None if Instant::now() < until => return Ok(Err("a signal ended it".to_owned())),
            None => break,
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_shell_takes_it_as_it_is() {
        let command = "echo \"it's\" '$HOME'";
        let text = format!("{}; printf %s \"$APP\"", super::argument(command));
        let ended = crate::shell::script(&text, true, &[], std::time::Duration::from_secs(9));
        assert_eq!(ended.unwrap().output, command);
    }
}
