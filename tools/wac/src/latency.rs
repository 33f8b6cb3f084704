// SPDX-License-Identifier: GPL-2.0

//! How long operations took: HDR histograms in nanoseconds, two significant
//! digits (values are right within one per cent), up to one hour.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// One hour, in nanoseconds; anything slower is counted as this.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// A histogram of one kind of operation.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Latency(Histogram::new_with_bounds(1, LONGEST_NS, 2).expect("the bounds are valid"))
    }
}

/// What a report says about one kind of operation; times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of operations.
    pub count: u64,
    /// Mean.
    pub mean: u64,
    /// Half of the operations were at most this slow.
    pub p50: u64,
    /// 99 % were.
    pub p99: u64,
    /// 99.9 % were.
    pub p999: u64,
    /// The slowest.
    pub max: u64,
    /// How many took at most that long (the first number), and longer than what the class before says. Each is
    /// twice as long as the one before; the first is 1 µs.
    #[serde(default)]
    pub classes: Pairs,
}

/// A histogram as (nanoseconds, count) pairs: the form in which a worker that
/// is a process hands it over.
pub type Pairs = Vec<(u64, u64)>;

impl Latency {
    /// Counts an operation that took `elapsed`.
    pub fn record(&mut self, elapsed: std::time::Duration) {
        let ns = u64::try_from(elapsed.as_nanos()).unwrap_or(LONGEST_NS);
        self.0.saturating_record(ns);
    }

    /// The non-empty buckets.
    pub fn pairs(&self) -> Pairs {
        self.0
            .iter_recorded()
            .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
            .collect()
    }

    /// Adds what another histogram's [`Latency::pairs`] gave.
    pub fn add(&mut self, pairs: &[(u64, u64)]) {
        for &(ns, count) in pairs {
            self.0.saturating_record_n(ns, count);
        }
    }

    /// The figures for a report.
    pub fn summary(&self) -> Summary {
        let h = &self.0;
        Summary {
            count: h.len(),
            // Rounding to whole nanoseconds is meant.
            mean: h.mean() as u64,
            p50: h.value_at_quantile(0.50),
            p99: h.value_at_quantile(0.99),
            p999: h.value_at_quantile(0.999),
            max: h.max(),
            classes: h
                .iter_log(1000, 2.0)
                .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
                .collect(),
        }
    }
}

/// Nanoseconds for people: `1.2 µs`, `34 ms`.
pub fn human_ns(ns: u64) -> String {
    let value = ns as f64;
    let (value, unit) = match ns {
        0..1_000 => (value, "ns"),
        1_000..1_000_000 => (value / 1e3, "µs"),
        1_000_000..1_000_000_000 => (value / 1e6, "ms"),
        _ => (value / 1e9, "s"),
    };
    if value < 10.0 && unit != "ns" {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn percentiles_survive_the_trip_through_pairs() {
        let mut latency = Latency::default();
        for us in 1..=1000 {
            latency.record(Duration::from_micros(us));
        }
        let mut copy = Latency::default();
        copy.add(&latency.pairs());
        let (a, b) = (latency.summary(), copy.summary());
        assert_eq!((a.count, a.p50, a.p99), (b.count, b.p50, b.p99));
        assert_eq!(a.classes.iter().map(|class| class.1).sum::<u64>(), 1000);
        assert!(a.classes.is_sorted() && a.classes.len() < 12, "{a:?}");
        assert!((495_000..=510_000).contains(&a.p50), "{a:?}");
        assert!((990_000..=1_010_000).contains(&a.max), "{a:?}");
    }

    #[test]
    fn an_empty_histogram_is_all_zero() {
        let mut empty = Latency::default().summary();
        empty.classes.clear();
        assert_eq!(empty, Summary::default());
    }

    #[test]
    fn times_for_people() {
        assert_eq!(human_ns(7), "7 ns");
        assert_eq!(human_ns(1_234), "1.2 µs");
        assert_eq!(human_ns(34_000_000), "34 ms");
    }
}
