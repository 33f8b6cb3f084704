// SPDX-License-Identifier: GPL-2.0

//! How long things take: delays, with random parts, and bandwidth.

use crate::settings::{Key, Settings};
use core::cmp::max;
use kernel::{
    sync::atomic::{Atomic, Full, Relaxed},
    time::{Delta, Instant, Monotonic},
};
use storage::block::request::{Command, Op};

/// Random numbers that are the same each time, from a seed: SplitMix64, whose state only counts up, so that many
/// CPUs can draw from it.
pub(crate) struct Random(Atomic<i64>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Atomic::new(seed as i64))
    }

    /// The next one.
    pub(crate) fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = (self.0.fetch_add(STEP as i64, Relaxed) as u64).wrapping_add(STEP);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// One from 0 to `most`.
    pub(crate) fn up_to(&self, most: u64) -> u64 {
        match most.checked_add(1) {
            Some(count) => self.next() % count,
            None => self.next(),
        }
    }
}

/// A bandwidth that requests share: each has to itself what it needs of it, one after the other.
struct Lane {
    /// When it is free, in nanoseconds since the device was made.
    free_at: Atomic<i64>,
}

impl Lane {
    const fn new() -> Self {
        Self {
            free_at: Atomic::new(0),
        }
    }

    /// When `bytes` more are through that begin at `now`, with so many MiB/s; 0 for no limit.
    fn through(&self, now: i64, bytes: usize, mbps: u64) -> i64 {
        let nanoseconds = ((bytes as u64).saturating_mul(1_000_000_000) >> 20).checked_div(mbps);
        let Some(nanoseconds) = nanoseconds else {
            return now;
        };
        let mut free_at = self.free_at.load(Relaxed);
        loop {
            let end = max(free_at, now).saturating_add(nanoseconds.min(i64::MAX as u64) as i64);
            match self.free_at.cmpxchg(free_at, end, Full) {
                Ok(_) => return end,
                Err(other) => free_at = other,
            }
        }
    }
}

/// The clock of a device.
pub(crate) struct Clock {
    made: Instant<Monotonic>,
    all: Lane,
    reads: Lane,
    writes: Lane,
    pub(crate) random: Random,
}

impl Clock {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            made: Instant::now(),
            all: Lane::new(),
            reads: Lane::new(),
            writes: Lane::new(),
            random: Random::new(seed),
        }
    }

    /// So many microseconds, and the random part; nothing if it is none.
    fn with_jitter(&self, us: u64, jitter: u64) -> u64 {
        match (us, jitter) {
            (0, _) | (_, 0) => us,
            _ => us + self.random.up_to(jitter),
        }
    }

    /// From submit to transfer of a write.
    pub(crate) fn window(&self, settings: &Settings) -> Delta {
        microseconds(self.with_jitter(settings.get(Key::WindowUs), settings.get(Key::JitterUs)))
    }

    /// From transfer to the end of a request.
    pub(crate) fn completion(&self, settings: &Settings, command: &Command) -> Delta {
        let (own, lane) = match command.op() {
            Op::Read => (Some(Key::ReadUs), Some((&self.reads, Key::ReadMbps))),
            Op::Write => (Some(Key::WriteUs), Some((&self.writes, Key::WriteMbps))),
            Op::Flush => (Some(Key::FlushUs), None),
            Op::Discard | Op::WriteZeroes | Op::Other(_) => (None, None),
        };
        let jitter = settings.get(Key::JitterUs);
        let mut us = self.with_jitter(settings.get(Key::CompletionUs), jitter);
        if let Some(own) = own {
            us += self.with_jitter(settings.get(own), jitter);
        }
        let mut delay = microseconds(us);
        if let Some((lane, key)) = lane {
            let (mbps, own) = (settings.get(Key::Mbps), settings.get(key));
            if mbps | own != 0 {
                let (now, bytes) = (self.made.elapsed().as_nanos(), command.bytes());
                let end = max(
                    self.all.through(now, bytes, mbps),
                    lane.through(now, bytes, own),
                );
                delay = max(delay, Delta::from_nanos(end - now));
            }
        }
        delay
    }
}

fn microseconds(us: u64) -> Delta {
    Delta::from_micros(i64::try_from(us).unwrap_or(i64::MAX / 1000))
}
