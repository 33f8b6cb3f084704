// SPDX-License-Identifier: GPL-2.0

//! Rewriting more memory than there is, so that it is swapped: `survey swap`. What it is swapped to is there.

use bench_lib::system::put;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;
use wac::mapping::SharedMapping;

/// What the program may have, in bytes, and what it rewrites.
const MAY: u64 = 12 << 20;
const WANTS: u64 = 24 << 20;

const THREADS: u64 = 4;
const PAGE: u64 = 4096;

/// A control group with little memory, which goes when this does.
struct Group(String);

impl Group {
    fn new() -> Result<Self, String> {
        const TOP: &str = "/sys/fs/cgroup";
        if !fs::exists(format!("{TOP}/cgroup.procs")).unwrap_or(false) {
            bench_lib::system::call("mount", &["-t", "cgroup2", "none", TOP])?;
        }
        put(format!("{TOP}/cgroup.subtree_control"), "+memory")?;
        let path = format!("{TOP}/survey-swap");
        fs::create_dir_all(&path).map_err(|error| format!("{path}: {error}"))?;
        put(format!("{path}/memory.max"), &MAY.to_string())?;
        put(format!("{path}/cgroup.procs"), "0")?;
        Ok(Self(TOP.to_owned()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let left = put(format!("{}/cgroup.procs", self.0), "0");
        let path = format!("{}/survey-swap", self.0);
        if left.is_err() || fs::remove_dir(&path).is_err() {
            eprintln!("survey: {path} is left");
        }
    }
}

/// Works for so long. How many pages were written to.
pub(crate) fn run(time: Duration) -> Result<u64, String> {
    let memory = SharedMapping::anonymous(WANTS).map_err(|error| error.to_string())?;
    let _group = Group::new()?;
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (stop, done, memory) = (&stop, &done, &memory);
            scope.spawn(move || {
                let mut random = ChaCha8Rng::seed_from_u64(thread);
                while !stop.load(Relaxed) {
                    // Most often one of a few, which are being swapped out when they are needed again.
                    let pages = WANTS / PAGE / if random.next_u32() % 4 == 0 { 1 } else { 2 };
                    let (page, value) = (random.next_u64() % pages, random.next_u64());
                    // Anonymous memory does not fault.
                    let _ = memory.store_words((page * PAGE / 8) as usize, &[value]);
                    done.fetch_add(1, Relaxed);
                }
            });
        }
        thread::sleep(time);
        stop.store(true, Relaxed);
    });
    drop(memory);
    Ok(done.into_inner())
}
