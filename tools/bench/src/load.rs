// SPDX-License-Identifier: GPL-2.0

//! The workloads.

use rand_chacha::{
    rand_core::{RngCore, SeedableRng},
    ChaCha8Rng,
};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use wac::latency::{Latency, Summary};
use wac::mapping::start_writeback;

/// A row of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    load: Load,
}

#[derive(Clone, Copy)]
enum Load {
    /// wac's profile, on a file of that size.
    Wac(&'static str, &'static str),
    /// 1 KiB records at 5 MB/s, and every 100 ms sync_file_range() by another thread: the log of a database.
    Append,
    /// 64 KiB writes, one after the other, and fsync.
    Stream,
    /// 4 KiB writes anywhere in 16 MiB that is written back all the time. The file was first written in
    /// pieces of that many bytes, which is how large its folios are.
    Random(usize),
}

pub(crate) const ROWS: [Row; 10] = [
    Row {
        name: "wac A 64k",
        load: Load::Wac("A", "64k"),
    },
    Row {
        name: "wac B 64k",
        load: Load::Wac("B", "64k"),
    },
    Row {
        name: "wac C 64k",
        load: Load::Wac("C", "64k"),
    },
    Row {
        name: "wac A 64M",
        load: Load::Wac("A", "64M"),
    },
    Row {
        name: "wac B 64M",
        load: Load::Wac("B", "64M"),
    },
    Row {
        name: "wac C 64M",
        load: Load::Wac("C", "64M"),
    },
    Row {
        name: "append",
        load: Load::Append,
    },
    Row {
        name: "stream",
        load: Load::Stream,
    },
    Row {
        name: "random",
        load: Load::Random(4 << 10),
    },
    Row {
        name: "random, large folios",
        load: Load::Random(1 << 20),
    },
];

/// The row of that name.
pub(crate) fn row(name: &str) -> Result<Row, String> {
    let names = ROWS.map(|row| row.name).join(", ");
    ROWS.into_iter()
        .find(|row| row.name == name)
        .ok_or_else(|| format!("there is no row '{name}', but {names}"))
}

/// What came out.
pub(crate) struct Outcome {
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    /// Of write(), or of stores to a mapping where nobody writes.
    pub(crate) latency: Summary,
}

impl Row {
    /// Runs it for about that long, on a file of its own in the directory.
    pub(crate) fn run(&self, directory: &Path, time: Duration) -> Result<Outcome, String> {
        let path = directory.join("file");
        let said = |error: io::Error| format!("{}: {error}", path.display());
        let outcome = match self.load {
            Load::Wac(profile, size) => wac(&path, profile, size, time)?,
            Load::Append => append(&path, time).map_err(said)?,
            Load::Stream => stream(&path, time).map_err(said)?,
            Load::Random(piece) => random(&path, piece, time).map_err(said)?,
        };
        fs::remove_file(&path).map_err(said)?;
        Ok(outcome)
    }
}

fn wac(path: &Path, profile: &str, size: &str, time: Duration) -> Result<Outcome, String> {
    let seconds = format!("{}s", time.as_secs());
    let words = [
        "wac",
        "--profile",
        profile,
        "--file-size",
        size,
        "--time",
        &seconds,
        "--no-readback",
    ];
    let mut words: Vec<OsString> = words.map(OsString::from).into();
    words.push(path.into());
    let request = wac::args::parse(words).map_err(|stop| stop.text)?;
    let wac::args::Request::Run(options) = request else {
        return Err("wac did not take that for a run".to_owned());
    };
    let report = wac::run::run(&options, Arc::default()).map_err(|error| error.message)?;
    let latency = if report.latency_ns.write.count > 0 {
        report.latency_ns.write
    } else {
        report.latency_ns.store
    };
    Ok(Outcome {
        bytes: report.bytes,
        seconds: report.elapsed_s,
        latency,
    })
}

/// Writes until the time is over, while another thread starts writeback of all of it every so often. `write`
/// returns how many bytes it wrote, and how long that took.
fn with_flusher(
    file: &File,
    period: Duration,
    time: Duration,
    mut write: impl FnMut() -> io::Result<(u64, Duration)>,
) -> io::Result<Outcome> {
    let stop = AtomicBool::new(false);
    let mut latency = Latency::default();
    let mut bytes = 0;
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                thread::sleep(period);
                // An error shows in the writer.
                let _ = start_writeback(file.as_fd(), 0, 0);
            }
        });
        let mut run = || {
            while begun.elapsed() < time {
                let (wrote, took) = write()?;
                bytes += wrote;
                latency.record(took);
            }
            Ok(())
        };
        let result = run();
        stop.store(true, Relaxed);
        result
    })
    .map(|()| Outcome {
        bytes,
        seconds: begun.elapsed().as_secs_f64(),
        latency: latency.summary(),
    })
}

fn timed(write: impl FnOnce() -> io::Result<()>) -> io::Result<Duration> {
    let before = Instant::now();
    write()?;
    Ok(before.elapsed())
}

fn append(path: &Path, time: Duration) -> io::Result<Outcome> {
    const RECORD: usize = 1 << 10;
    const BYTES_PER_SECOND: u64 = 5_000_000;
    let file = File::create(path)?;
    let record = [0x5a; RECORD];
    let begun = Instant::now();
    let mut at = 0;
    with_flusher(&file, Duration::from_millis(100), time, || {
        let due = Duration::from_micros(at * 1_000_000 / BYTES_PER_SECOND);
        thread::sleep(due.saturating_sub(begun.elapsed()));
        let took = timed(|| file.write_all_at(&record, at))?;
        at += RECORD as u64;
        Ok((RECORD as u64, took))
    })
}

fn stream(path: &Path, time: Duration) -> io::Result<Outcome> {
    const CHUNK: usize = 64 << 10;
    const LENGTH: u64 = 64 << 20;
    let chunk = vec![0xa5; CHUNK];
    let mut latency = Latency::default();
    let mut bytes = 0;
    let begun = Instant::now();
    while begun.elapsed() < time {
        let file = File::create(path)?;
        for at in (0..LENGTH).step_by(CHUNK) {
            latency.record(timed(|| file.write_all_at(&chunk, at))?);
            bytes += CHUNK as u64;
        }
        file.sync_all()?;
    }
    Ok(Outcome {
        bytes,
        seconds: begun.elapsed().as_secs_f64(),
        latency: latency.summary(),
    })
}

fn random(path: &Path, piece: usize, time: Duration) -> io::Result<Outcome> {
    const BLOCK: usize = 4 << 10;
    const LENGTH: u64 = 16 << 20;
    const BLOCKS: u64 = LENGTH / BLOCK as u64;
    let file = File::create(path)?;
    let first = vec![0x3c; piece];
    for at in (0..LENGTH).step_by(piece) {
        file.write_all_at(&first, at)?;
    }
    file.sync_all()?;
    let block = [0xc3; BLOCK];
    let mut random = ChaCha8Rng::seed_from_u64(1);
    with_flusher(&file, Duration::from_millis(20), time, || {
        let at = (random.next_u64() % BLOCKS) * BLOCK as u64;
        Ok((BLOCK as u64, timed(|| file.write_all_at(&block, at))?))
    })
}
