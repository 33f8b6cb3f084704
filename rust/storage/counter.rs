// SPDX-License-Identifier: GPL-2.0

//! Numbers that many CPUs add to, and a file in debugfs shows.

use kernel::{
    fmt,
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};

/// A number that many CPUs add to. Exact, in no order relative to other memory. Any context.
pub struct Counter(Atomic<i64>);

impl Counter {
    /// Begins at zero.
    pub const fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Counts up. Counts of things in memory, of sectors or of nanoseconds don't get near 2^63.
    pub fn add(&self, n: usize) {
        self.0.fetch_add(n as i64, Relaxed);
    }

    /// Counts down.
    pub fn sub(&self, n: usize) {
        self.0.fetch_sub(n as i64, Relaxed);
    }

    /// Begins at zero again.
    pub fn reset(&self) {
        self.0.store(0, Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}

/// As the file in debugfs shows it: in decimal.
impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
    }
}

/// How often something was how large, by powers of two; the last class has all that is larger, too.
pub struct Histogram<const N: usize>([Counter; N]);

impl<const N: usize> Histogram<N> {
    /// Begins at zero.
    pub const fn new() -> Self {
        Self([const { Counter::new() }; N])
    }

    /// `value` counts in the last class that begins at or below it.
    pub fn add(&self, value: u64) {
        let class = value.checked_ilog2().map_or(0, |log| log as usize);
        if let Some(counter) = self.0.get(class.min(N - 1)) {
            counter.add(1);
        }
    }

    /// Begins at zero again.
    pub fn reset(&self) {
        self.0.iter().for_each(Counter::reset);
    }

    /// Where a class begins, and how many are in it: of those that have some.
    pub fn iter(&self) -> impl Iterator<Item = (u64, i64)> + '_ {
        self.0.iter().enumerate().filter_map(|(class, counter)| {
            let begin = if class == 0 { 0 } else { 1 << class };
            let count = counter.get();
            (count != 0).then_some((begin, count))
        })
    }
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Lines of a file in debugfs, which puts a line feed behind the last one.
pub struct Lines<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    first: bool,
}

impl<'a, 'f> Lines<'a, 'f> {
    /// None yet.
    pub fn new(f: &'a mut fmt::Formatter<'f>) -> Self {
        Self { f, first: true }
    }

    /// One more.
    pub fn line(&mut self, line: fmt::Arguments<'_>) -> fmt::Result {
        if !core::mem::take(&mut self.first) {
            self.f.write_str("\n")?;
        }
        self.f.write_fmt(line)
    }
}

/// As the file in debugfs shows it: for each class that has something, where it begins and how many.
impl<const N: usize> fmt::Debug for Histogram<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines::new(f);
        for (begin, count) in self.iter() {
            lines.line(fmt!("{begin} {count}"))?;
        }
        Ok(())
    }
}
