// SPDX-License-Identifier: GPL-2.0

//! Changing metadata all the time, while it is being written: `survey metadata`.

use rustix::fs::XattrFlags;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: u32 = 8;
/// Names that each thread has: few, so that the same blocks are changed over and over.
const NAMES: u32 = 16;

/// Works in a new directory below `directory` for so long. How many changes were made. It is left there if one of
/// them failed for good.
pub(crate) fn run(directory: &Path, time: Duration) -> Result<u64, String> {
    let said = |error: std::io::Error| format!("{}: {error}", directory.display());
    let top = directory.join(format!("metadata-{}", std::process::id()));
    fs::create_dir(&top).map_err(said)?;
    let whole = File::open(&top).map_err(said)?;
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (stop, done, top) = (&stop, &done, &top);
            scope.spawn(move || {
                let mut round = 0;
                while !stop.load(Relaxed) {
                    done.fetch_add(change(top, thread, round), Relaxed);
                    round += 1;
                }
            });
        }
        let begun = Instant::now();
        while begun.elapsed() < time {
            if let Err(error) = rustix::fs::syncfs(&whole) {
                stop.store(true, Relaxed);
                return Err(said(error.into()));
            }
        }
        stop.store(true, Relaxed);
        Ok(())
    })?;
    fs::remove_dir_all(&top).map_err(said)?;
    match done.into_inner() {
        0 => Err(format!("{}: nothing could be changed", top.display())),
        done => Ok(done),
    }
}

/// A few changes. What a filesystem doesn't have, as links or attributes, fails, and doesn't count.
fn change(top: &Path, thread: u32, round: u32) -> u64 {
    let name = |kind: &str| -> PathBuf { top.join(format!("{kind}-{thread}-{}", round % NAMES)) };
    let (file, other, directory) = (name("file"), name("other"), name("directory"));
    let written = || -> std::io::Result<()> {
        let mut open = OpenOptions::new().create(true).append(true).open(&file)?;
        open.write_all(&[0x5a; 700])?;
        if round % 5 == 0 {
            open.set_len(0)?;
        }
        Ok(())
    };
    let value = round.to_le_bytes();
    let results = [
        written().is_ok(),
        rustix::fs::setxattr(&file, "user.round", &value, XattrFlags::empty()).is_ok(),
        fs::hard_link(&file, &other).is_ok(),
        fs::rename(&file, name("renamed")).is_ok(),
        fs::remove_file(&other).is_ok(),
        fs::create_dir(&directory).is_ok(),
        fs::remove_dir(&directory).is_ok(),
        round % 3 == 0 && fs::remove_file(name("renamed")).is_ok(),
    ];
    results.into_iter().map(u64::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_changes_something_and_cleans_up() {
        let directory = std::env::temp_dir().join(format!("survey-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        assert!(run(&directory, Duration::from_secs(1)).unwrap() > 0);
        fs::remove_dir(&directory).unwrap();
        assert!(run(&directory.join("none/none"), Duration::ZERO).is_err());
    }
}
