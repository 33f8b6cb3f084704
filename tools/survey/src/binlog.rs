// SPDX-License-Identifier: GPL-2.0

//! The log of a database that syncs it at each commit, as MySQL's binary log with `sync_binlog=1`: many sessions
//! append to one file, and who finds its event not on disk yet syncs it for all. While that page is written back,
//! others append to it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const SESSIONS: u32 = 8;
/// A row or two, with its header.
const EVENT: [u8; 300] = [0x5a; 300];

/// Appends to `binlog` in `directory` for so long. How many events.
pub(crate) fn run(directory: &Path, time: Duration) -> Result<u64, String> {
    let path = directory.join("binlog");
    let said = |error: std::io::Error| format!("{}: {error}", path.display());
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(said)?;
    // Where the log ends, and as far as it is on disk.
    let (end, synced) = (Mutex::new(0), Mutex::new(0));
    let events = AtomicU64::new(0);
    let until = Instant::now() + time;
    let session = || -> std::io::Result<()> {
        while Instant::now() < until {
            commit(&log, &end, &synced)?;
            events.fetch_add(1, Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let sessions: Vec<_> = (0..SESSIONS).map(|_| scope.spawn(session)).collect();
        sessions
            .into_iter()
            .try_for_each(|session| session.join().map_or(Ok(()), |ended| ended))
    })
    .map_err(said)?;
    Ok(events.into_inner())
}

/// Appends an event, and sees to it that it is on disk.
fn commit(mut log: &File, end: &Mutex<u64>, synced: &Mutex<u64>) -> std::io::Result<()> {
    let after = {
        let mut end = lock(end);
        log.write_all(&EVENT)?;
        *end += EVENT.len() as u64;
        *end
    };
    let mut synced = lock(synced);
    if *synced < after {
        // Others that wait for that lock are on disk then, too.
        let all = *lock(end);
        log.sync_data()?;
        *synced = all;
    }
    Ok(())
}

/// Who panicked has left a number.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{run, EVENT};
    use std::time::Duration;

    #[test]
    fn all_events_are_in_the_log() {
        let directory = std::env::temp_dir().join(format!("binlog-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let events = run(&directory, Duration::from_millis(200)).unwrap();
        let bytes = std::fs::metadata(directory.join("binlog")).unwrap().len();
        assert!(events > 0);
        assert_eq!(bytes, events * EVENT.len() as u64);
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(run(&directory, Duration::ZERO)
            .unwrap_err()
            .contains("binlog"));
    }
}
