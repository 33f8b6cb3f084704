// SPDX-License-Identifier: GPL-2.0

//! What goes wrong on a device, where and how often: rules, as text, and whether one applies to a request.
//!
//! ```text
//! write flip-guard sectors=100-199 every=3 count=1
//! read,write error sectors=4096-4103
//! write torn keep=3 probability=10000
//! any hang after=50 count=1
//! ```
//!
//! First the operations, then [what happens](Kind), then where and when:
//!
//! | word | meaning | default |
//! | --- | --- | --- |
//! | `sectors=A-B`, `sectors=A` | requests with one of these sectors, of 512 bytes; flushes have none | all |
//! | `after=N` | the first N of those are spared | 0 |
//! | `every=N` | of those that are left, each Nth | 1 |
//! | `probability=N` | of these, N in a million, at random | 1000000 |
//! | `count=N` | at most so often; 0 for no end | 0 |
//! | `bit=N` | which bit is flipped: of the sector, or of the field, counted from the first byte's lowest | random |
//! | `to=A` | the sector to which a write goes instead | none |
//! | `keep=N` | so many sectors of a write are written | 0 |
//! | `status=` | `ioerr`, `medium`, `protection`, `nospc`, `timeout`: how a request fails | `ioerr` |
//!
//! Beside rules: what a [power cut](Power) leaves of what was written.
//!
//! Pure: no clock, no lock, no memory but its own. Random numbers are the caller's.

// The kernel build says so itself, and warns about saying it twice.
#![cfg_attr(not(MODULE), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod tests;

mod power;
mod text;

use core::ops::Range;
pub use power::{Loss, Power};
pub use text::Wrong;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `read`
    Read,
    /// `write`
    Write,
    /// `flush`
    Flush,
    /// `discard`; also what makes blocks read as zeroes.
    Discard,
}

impl Op {
    const ALL: [(&'static str, Self); 4] = [
        ("read", Self::Read),
        ("write", Self::Write),
        ("flush", Self::Flush),
        ("discard", Self::Discard),
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Some operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ops(u8);

impl Ops {
    const ANY: Self = Self(0b1111);

    const fn has(self, op: Op) -> bool {
        self.0 & op.bit() != 0
    }
}

/// A part of what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The data of the sector. `flip-data`
    Data,
    /// The guard tag that goes with it. `flip-guard`
    Guard,
    /// The application tag. `flip-app`
    AppTag,
    /// The reference tag. `flip-ref`
    RefTag,
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `BLK_STS_IOERR`
    IoErr,
    /// `BLK_STS_MEDIUM`
    Medium,
    /// `BLK_STS_PROTECTION`
    Protection,
    /// `BLK_STS_NOSPC`
    NoSpc,
    /// `BLK_STS_TIMEOUT`
    Timeout,
}

impl Status {
    const ALL: [(&'static str, Self); 5] = [
        ("ioerr", Self::IoErr),
        ("medium", Self::Medium),
        ("protection", Self::Protection),
        ("nospc", Self::NoSpc),
        ("timeout", Self::Timeout),
    ];
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It fails, and does nothing. `error`
    Error(Status),
    /// It is done; then one bit of what is stored is another, in the first sector of it that the rule is for.
    /// With no bit given, any.
    Flip(Field, Option<u32>),
    /// A write goes to that sector instead. `misdirect`
    Misdirect(u64),
    /// A write, discard or flush succeeds, and does nothing. `drop`
    Drop,
    /// Of a write so many sectors are written, and it succeeds. `torn`
    Torn(u64),
    /// It waits until it is released. `hang`
    Hang,
    /// The power goes, before it does anything. `crash`
    Crash,
}

/// A rule: to which requests something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    ops: Ops,
    kind: Kind,
    /// The last is one of them.
    first: u64,
    last: u64,
    after: u64,
    every: u64,
    /// In millionths.
    probability: u32,
    /// 0 for no end.
    count: u64,
}

/// How often a rule was looked at, and applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Requests of its operations and sectors.
    pub matched: u64,
    /// Of those, the ones to which it happened.
    pub applied: u64,
}

/// A million: surely.
const SURE: u32 = 1_000_000;

impl Rule {
    /// What happens.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The first of these sectors that the rule is for.
    pub fn sector_in(&self, sectors: &Range<u64>) -> Option<u64> {
        let first = sectors.start.max(self.first);
        (first < sectors.end && first <= self.last).then_some(first)
    }

    /// Whether it is used up: nothing will come of it any more.
    pub const fn is_over(&self, history: &History) -> bool {
        self.count != 0 && history.applied >= self.count
    }

    /// Whether it happens to a request for these sectors, none of a flush. `random` makes any number, a new one each
    /// time; it is asked once for each request that matches, so that others have no part in what happens to those.
    pub fn applies(
        &self,
        history: &mut History,
        op: Op,
        sectors: &Range<u64>,
        random: impl FnOnce() -> u64,
    ) -> bool {
        let is_there = match op {
            // It is for all of the device, and so are rules that name no sectors.
            Op::Flush => (self.first, self.last) == (0, u64::MAX),
            _ => self.sector_in(sectors).is_some(),
        };
        if !self.ops.has(op) || !is_there {
            return false;
        }
        let nth = history.matched;
        history.matched = nth.saturating_add(1);
        let random = random();
        let Some(nth) = nth.checked_sub(self.after) else {
            return false;
        };
        // Each third is the third, the sixth and so on.
        let is_turn = nth
            .saturating_add(1)
            .checked_rem(self.every)
            .is_none_or(|rest| rest == 0);
        let applies = is_turn
            && !self.is_over(history)
            && random % u64::from(SURE) < u64::from(self.probability);
        if applies {
            history.applied = history.applied.saturating_add(1);
        }
        applies
    }
}
