// SPDX-License-Identifier: GPL-2.0

//! Numbers that many CPUs add to, and a file in debugfs shows.

use kernel::{
    fmt,
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
