// SPDX-License-Identifier: GPL-2.0

//! Traces: made ones, which say why, and recorded ones (see `tools/bench/record`).

use super::*;
use proptest::prelude::*;
use std::{collections::BTreeMap, vec::Vec};

const PAGE: u64 = 4096;
const MS: u64 = 1_000_000;

/// A device on which I/O takes `io_ns`, and one file.
struct Bench {
    device: Device,
    file: File,
    io_ns: u64,
    /// Folios that the device has, and whether as copies.
    flying: Vec<(u64, bool)>,
    written: u64,
    copied: u64,
    waits: u64,
}

impl Bench {
    fn new(io_ns: u64) -> Self {
        Self {
            device: Device::default(),
            file: File::new(),
            io_ns,
            flying: Vec::new(),
            written: 0,
            copied: 0,
            waits: 0,
        }
    }

    fn facts(start: u64, bytes: u64) -> Facts {
        Facts {
            start,
            bytes,
            integrity: false,
            in_flight: 0,
            limit: 64 << 20,
            short: false,
        }
    }

    fn writeback(&mut self, start: u64, bytes: u64) -> Decision {
        let decision = self.file.decide(&self.device, &Self::facts(start, bytes));
        self.written += bytes;
        if decision.copy {
            self.copied += bytes;
            self.device.copied(bytes as u32, 1000 * bytes / PAGE);
        }
        self.flying.push((start, decision.copy));
        decision
    }

    fn write(&mut self, start: u64) {
        if let Some(index) = self.flying.iter().position(|(at, _)| *at == start) {
            self.file.hit(start);
            let (_, copied) = self.flying[index];
            if !copied {
                self.waits += 1;
                self.device.waited(self.io_ns / 2);
                self.flying.remove(index);
            }
        }
        self.file.wrote(start);
    }

    fn land(&mut self) {
        for (_, copied) in self.flying.drain(..) {
            if copied {
                self.device.landed(self.io_ns);
            }
        }
    }
}

#[test]
fn streaming_copies_nothing() {
    let mut bench = Bench::new(2 * MS);
    for round in 0..1000 {
        for index in 0..64 {
            bench.write((round * 64 + index) * 16 * PAGE);
        }
        for index in 0..64 {
            bench.writeback((round * 64 + index) * 16 * PAGE, 16 * PAGE);
        }
        bench.land();
    }
    assert_eq!(bench.copied, 0);
}

#[test]
fn streaming_whose_last_folio_is_often_hit_copies_less_than_a_hundredth() {
    let mut bench = Bench::new(2 * MS);
    let mut at = 0;
    for _ in 0..1000 {
        for _ in 0..256 {
            bench.write(at);
            at += PAGE;
        }
        // The folio at `at` is half written when it goes out.
        bench.write(at);
        for index in 0..=256 {
            bench.writeback(at - (256 - index) * PAGE, PAGE);
        }
        bench.write(at);
        bench.land();
    }
    assert!(bench.copied * 100 < bench.written, "{}", bench.copied);
    assert!(bench.waits < 10, "{}", bench.waits);
}

#[test]
fn a_hot_page_is_copied_from_its_second_cycle() {
    let mut bench = Bench::new(2 * MS);
    for cycle in 0..100 {
        bench.write(0);
        let decision = bench.writeback(0, PAGE);
        assert_eq!(decision.copy, cycle > 0, "cycle {cycle}");
        bench.write(0);
        bench.land();
    }
    assert_eq!(bench.waits, 1);
}

#[test]
fn it_comes_back_when_nobody_comes_any_more() {
    let mut bench = Bench::new(2 * MS);
    for _ in 0..100 {
        bench.writeback(0, PAGE);
        bench.write(0);
        bench.land();
    }
    let mut copies = 0;
    for _ in 0..1000 {
        bench.write(0);
        copies += u32::from(bench.writeback(0, PAGE).copy);
        bench.land();
    }
    assert!(copies < 100, "{copies}");
    assert!(!bench.writeback(0, PAGE).copy);
}

#[test]
fn the_end_of_a_log_is_copied_and_what_is_behind_it_is_not() {
    let mut bench = Bench::new(2 * MS);
    let mut at = 0;
    let mut copied = 0;
    for round in 0..200 {
        // A record goes over two folios of a thousand.
        for _ in 0..1000 {
            bench.write(at);
            at += PAGE;
        }
        bench.write(at);
        for index in 0..=1000 {
            let start = at - (1000 - index) * PAGE;
            let copy = bench.writeback(start, PAGE).copy;
            copied += u32::from(copy);
            assert!(copy || start < at || round < 10, "round {round}");
        }
        bench.write(at);
        bench.land();
    }
    // The end, and what was the end before.
    assert!(copied <= 2 * 200, "{copied}");
    assert!(bench.waits < 5, "{}", bench.waits);
}

#[test]
fn a_copy_that_costs_more_than_the_wait_is_not_made() {
    let mut bench = Bench::new(100);
    for _ in 0..100 {
        assert!(!bench.writeback(0, 512 * PAGE).copy);
        bench.write(0);
        bench.land();
    }
}

#[test]
fn hot_folios_of_a_random_workload_are_told_from_cold_ones() {
    let mut bench = Bench::new(2 * MS);
    for round in 0..500u64 {
        for index in 0..200 {
            bench.writeback(index * PAGE, PAGE);
        }
        // Of these, ten are rewritten each time.
        for index in 0..10 {
            bench.write(index * 20 * PAGE);
        }
        bench.land();
        let _ = round;
    }
    // Ten waits at first, and what chance takes until it knows.
    assert!(bench.waits < 40, "{}", bench.waits);
}

/// Plays a recorded trace: each folio that was hit had been under way, for 2 ms at least.
fn play(trace: &str) -> (Bench, BTreeMap<u64, u64>) {
    let mut bench = Bench::new(2 * MS);
    // How often somebody would have waited for which folio.
    let mut waits = BTreeMap::new();
    for line in trace.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let event = words.next().unwrap();
        let mut number = || words.next().unwrap().parse::<u64>().unwrap();
        let start = number();
        if event == "b" {
            bench.flying.retain(|(at, _)| *at != start);
            bench.writeback(start, number());
            continue;
        }
        if event == "w" {
            // It has landed.
            if let Some(index) = bench.flying.iter().position(|(at, _)| *at == start) {
                let (_, copied) = bench.flying.remove(index);
                if copied {
                    bench.device.landed(bench.io_ns);
                }
            }
        }
        let before = bench.waits;
        bench.write(start);
        *waits.entry(start).or_default() += bench.waits - before;
    }
    (bench, waits)
}

#[test]
fn recorded_streaming_copies_less_than_a_hundredth() {
    let (bench, _) = play(include_str!("traces/stream"));
    assert!(bench.written > 16 << 20, "{}", bench.written);
    assert!(bench.copied * 100 < bench.written, "{}", bench.copied);
}

/// How often somebody came to a folio that was under way.
fn hits(trace: &str) -> u64 {
    trace.lines().filter(|line| line.starts_with('h')).count() as u64
}

#[test]
fn recorded_hot_pages_are_copied_within_their_first_cycles() {
    let trace = include_str!("traces/wac-C-64k");
    let (bench, waits) = play(trace);
    assert!(hits(trace) > 100);
    // The file has sixteen pages, each of which is hot.
    assert!(waits.values().all(|waits| *waits <= 1), "{waits:?}");
    assert!(bench.waits < 5, "{}", bench.waits);
}

#[test]
fn recorded_appending_waits_once_and_copies_little() {
    let trace = include_str!("traces/append");
    let (bench, _) = play(trace);
    assert!(hits(trace) > 1);
    assert!(bench.waits <= 1, "{}", bench.waits);
    assert!(bench.copied * 100 < bench.written, "{}", bench.copied);
}

#[test]
fn recorded_random_writes_wait_in_their_first_batch_only() {
    let trace = include_str!("traces/random");
    let (bench, _) = play(trace);
    // One folio of seventy is hit: a wait of a millisecond is dearer than seventy copies.
    assert!(bench.waits * 4 < hits(trace), "{}", bench.waits);
}

#[test]
fn batches_of_which_few_are_hit_are_copied_as_a_whole() {
    let mut bench = Bench::new(2 * MS);
    let mut at = 0;
    for _ in 0..200 {
        let batch: Vec<u64> = (0..600)
            .map(|index| (at + index * 7) % 4096 * PAGE)
            .collect();
        for start in &batch {
            bench.writeback(*start, PAGE);
        }
        // One of forty, when all have gone.
        for start in batch.iter().step_by(40) {
            bench.write(*start);
        }
        bench.land();
        at += 13;
    }
    let hits = 200 * 600 / 40;
    assert!(bench.waits * 50 < hits, "{} of {hits}", bench.waits);
}

#[test]
fn a_thread_that_was_preempted_does_not_make_copies_dear() {
    let mut device = Device::default();
    for index in 0..1000 {
        device.copied(PAGE as u32, if index % 10 == 9 { 20 * MS } else { 1000 });
    }
    assert!(
        (700..2000).contains(&device.copy_ns()),
        "{}",
        device.copy_ns()
    );
}

#[test]
fn when_memory_is_short_nothing_is_copied() {
    let mut file = File::new();
    let mut device = Device::default();
    device.waited(100 * MS);
    for _ in 0..10 {
        file.hit(0);
    }
    let facts = Bench::facts(0, PAGE);
    assert!(file.decide(&device, &facts).copy);
    assert!(
        !file
            .decide(
                &device,
                &Facts {
                    short: true,
                    ..facts
                }
            )
            .copy
    );
    let full = Facts {
        in_flight: facts.limit,
        ..facts
    };
    assert!(!file.decide(&device, &full).copy);
}

#[test]
fn who_waits_for_the_data_weighs_the_copy_twice() {
    let mut device = Device::default();
    device.waited(8000);
    device.copied(PAGE as u32, 1500);
    let facts = Bench::facts(0, PAGE);
    let decide = |facts: &Facts| {
        let mut file = File::new();
        file.hit(0);
        file.decide(&device, facts).copy
    };
    // A quarter of 8 µs is more than 1.5 µs, and less than twice that.
    assert!(decide(&facts));
    assert!(!decide(&Facts {
        integrity: true,
        ..facts
    }));
}

#[test]
fn of_a_large_folio_only_what_is_dirty_is_paid_for() {
    const LARGE: u64 = 1 << 20;
    let mut device = Device::default();
    device.waited(MS);
    device.copied(PAGE as u32, 2000);
    let facts = Bench::facts(0, LARGE);
    let mut file = File::new();
    file.hit(0);
    // A quarter of 1 ms is less than 256 pages take, and more than 16.
    assert!(!file.clone().decide(&device, &facts).copy);
    for _ in 0..8 {
        file.sent(PAGE, PAGE);
    }
    assert!(!file.clone().decide(&device, &facts).copy);
    for _ in 0..8 {
        file.sent(LARGE, 16 * PAGE);
    }
    assert!(file.clone().decide(&device, &facts).copy);
    // All of it was dirty of late.
    for _ in 0..80 {
        file.sent(LARGE, LARGE);
    }
    assert!(!file.decide(&device, &facts).copy);
}

proptest! {
    #[test]
    fn a_chance_stays_between_none_and_certain(hits in proptest::collection::vec(any::<bool>(), 0..2000)) {
        let mut chance = Chance::default();
        for hit in hits {
            let before = chance.get();
            if hit {
                chance.hit();
                prop_assert!(chance.get() >= before);
            } else {
                chance.cycle();
                prop_assert!(chance.get() < before.max(1));
            }
        }
    }

    #[test]
    fn no_numbers_overflow(
        values in proptest::collection::vec(any::<u64>(), 1..50),
        start: u64, bytes in 1u64.., in_flight: u64, limit: u64,
    ) {
        let mut device = Device::default();
        let mut file = File::new();
        for value in values {
            device.waited(value);
            device.landed(value);
            device.copied(value as u32, value);
            file.hit(value);
            file.wrote(value);
            file.sent(value, start);
        }
        let bytes = bytes.min(1 << 40);
        file.decide(&device, &Facts { start, bytes, integrity: true, in_flight, limit, short: false });
    }
}
