// SPDX-License-Identifier: GPL-2.0

//! Wait, or copy? The decision that `stable=auto` takes for each folio that is written back.
//!
//! While the device reads a folio, whoever wants to write to it has to wait, unless the device has a copy.
//! A copy costs time whether anybody comes or not. So a folio is copied if
//!
//! ```text
//! chance × stall  >  copy × bytes × scarcity × haste
//! ```
//!
//! | quantity | unit | where it is from |
//! | --- | --- | --- |
//! | `chance` | 1/65536 | how often, of late, somebody came to write to a folio of this class while the device had it: [`Chance`] |
//! | `stall` | ns | how long such a writer waits: measured where one waited, and half the time that a copy was on its way where it didn't have to: [`Device`] |
//! | `copy` | ns for 4096 bytes | measured where copies were made: [`Device`] |
//! | `bytes` | bytes | of the folio; of one that is larger than a page, as many as of those of this file were dirty: [`File::sent`] |
//! | `scarcity` | | limit / (limit − in flight), of the memory that copies may take; infinite if memory is short |
//! | `haste` | | 2 if somebody waits for the data to be on the device, who waits for the copy as well; else 1 |
//!
//! Folios of a file are of three classes, each with a chance of its own: those to which somebody came before
//! ([`Class::Hot`], each folio for itself), the one that was written to last ([`Class::Last`]: the end of a log),
//! and all others ([`Class::Other`]). A chance begins at 0: what is never hit is never copied. That of one folio
//! follows its last few times ([`Chance`]). Others go to the device in batches, in which nobody has come yet to
//! the first when the last is decided on: theirs is counted over thousands ([`Rate`]).
//!
//! Pure: no clock, no lock, no memory but its own. The caller measures.

// The kernel build says so itself, and warns about saying it twice.
#![cfg_attr(not(MODULE), no_std)]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod tests;

/// An average of measurements, of late: each new one counts an eighth. In whatever unit they have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Average(u64);

impl Average {
    /// One more.
    pub fn add(&mut self, value: u64) {
        // Nothing yet: the first counts whole.
        self.0 = if self.0 == 0 {
            value
        } else {
            self.0
                .saturating_sub(self.0 >> 3)
                .saturating_add(value >> 3)
                .max(1)
        };
    }

    /// What it is; 0 if there was none.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// What a measurement typically is, of late: about as many are above as below. One that took a hundred times
/// as long, since the thread was preempted, counts as any other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Typical(u64);

impl Typical {
    /// One more.
    pub fn add(&mut self, value: u64) {
        let step = (self.0 >> 3).max(1);
        self.0 = if self.0 == 0 {
            value
        } else if value > self.0 {
            self.0.saturating_add(step)
        } else if value < self.0 {
            self.0.saturating_sub(step).max(1)
        } else {
            value
        };
    }

    /// What it is; 0 if there was none.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// How likely somebody comes to write to a folio while the device has it. Between 0 and 1, in 65536ths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chance(u16);

impl Chance {
    /// After the first time that somebody came: a quarter.
    pub const ONCE: Self = Self(1 << 14);

    /// A folio goes to the device. If nobody comes, the chance is an eighth less the next time.
    pub fn cycle(&mut self) {
        self.0 = self.0.saturating_sub((self.0 >> 3).max(1));
    }

    /// Somebody came.
    pub fn hit(&mut self) {
        self.0 = self.0.saturating_add((u16::MAX - self.0) >> 2);
    }

    /// In 65536ths.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// How likely somebody comes to write to one of many folios while the device has it: how often that was so, of
/// some thousand of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    hits: u32,
    cycles: u32,
}

impl Rate {
    /// From so many folios on, what was before counts half.
    const MEMORY: u32 = 4096;
    /// Nothing is sure at first: so many folios more, to which nobody came.
    const DOUBT: u32 = 64;

    /// A folio goes to the device.
    pub fn cycle(&mut self) {
        self.cycles += 1;
        if self.cycles >= Self::MEMORY {
            self.cycles >>= 1;
            self.hits >>= 1;
        }
    }

    /// Somebody came to one.
    pub fn hit(&mut self) {
        self.hits = self.hits.saturating_add(1).min(self.cycles);
    }

    /// The chance.
    pub fn get(self) -> Chance {
        let chance = (self.hits << 16)
            .checked_div(self.cycles + Self::DOUBT)
            .unwrap_or(0);
        Chance(u16::try_from(chance).unwrap_or(u16::MAX))
    }
}

/// What is measured of a device, or of a mount on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Device {
    stall: Average,
    copy: Typical,
}

impl Device {
    /// A writer waited so long, in nanoseconds.
    pub fn waited(&mut self, nanoseconds: u64) {
        self.stall.add(nanoseconds);
    }

    /// A copy was on its way for so long, in nanoseconds. Who comes at any time waits for half of it.
    pub fn landed(&mut self, nanoseconds: u64) {
        self.stall.add(nanoseconds >> 1);
    }

    /// Copying so many bytes took so long, in nanoseconds.
    pub fn copied(&mut self, bytes: u32, nanoseconds: u64) {
        let pages = u64::from(bytes >> PAGE_SHIFT).max(1);
        self.copy
            .add(nanoseconds.checked_div(pages).unwrap_or(nanoseconds));
    }

    /// How long a writer waits, in nanoseconds; 0 as long as that isn't known.
    pub fn stall_ns(&self) -> u64 {
        self.stall.get()
    }

    /// What copying 4096 bytes takes, in nanoseconds.
    pub fn copy_ns(&self) -> u64 {
        match self.copy.get() {
            0 => COPY_NS,
            copy => copy,
        }
    }
}

const PAGE_SHIFT: u32 = 12;
/// As long as it wasn't measured.
const COPY_NS: u64 = 1000;

/// What is to be known at the time of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Where the folio is in the file, in bytes.
    pub start: u64,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// Whether somebody waits for the data to be on the device.
    pub integrity: bool,
    /// Bytes that copies take now.
    pub in_flight: u64,
    /// Bytes that they may take.
    pub limit: u64,
    /// Memory is short.
    pub short: bool,
}

/// Which of a file's folios it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Somebody came to this one while the device had it.
    Hot,
    /// It was written to last.
    Last,
    /// Any other.
    Other,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the folio is copied.
    pub copy: bool,
    /// What it was taken for.
    pub class: Class,
}

/// As many hot folios as are remembered. The least likely one is forgotten for a new one.
const HOT: usize = 16;

#[derive(Clone, Copy, Debug, Default)]
struct Hot {
    start: u64,
    chance: Chance,
}

/// What is known of a file.
#[derive(Clone, Debug, Default)]
pub struct File {
    hot: [Hot; HOT],
    last: Chance,
    other: Rate,
    /// The folio that was written to last.
    last_start: u64,
    /// The one that was taken for [`Class::Last`] at the latest decision.
    decided_last: Option<u64>,
    /// How much of a folio with many pages goes to the device, in 65536ths.
    density: Average,
}

impl File {
    /// Nobody came yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn hot(&mut self, start: u64) -> Option<&mut Hot> {
        self.hot
            .iter_mut()
            .find(|hot| hot.start == start && hot.chance.get() > 0)
    }

    /// The folio at `start` goes to the device: is it copied?
    pub fn decide(&mut self, device: &Device, facts: &Facts) -> Decision {
        let last = facts.start == self.last_start;
        if last {
            self.decided_last = Some(facts.start);
        }
        let (class, chance) = if let Some(hot) = self.hot(facts.start) {
            let chance = hot.chance;
            hot.chance.cycle();
            (Class::Hot, chance)
        } else if last {
            let chance = self.last;
            self.last.cycle();
            (Class::Last, chance)
        } else {
            let chance = self.other.get();
            self.other.cycle();
            (Class::Other, chance)
        };
        let copy = is_worth_it(chance, device, facts, self.dirty(facts.bytes));
        Decision { copy, class }
    }

    /// Of a folio so long, in bytes, so many went to the device: those that were dirty.
    pub fn sent(&mut self, folio: u64, bytes: u64) {
        if folio > 1 << PAGE_SHIFT {
            let part = (bytes.min(folio) << 16).checked_div(folio).unwrap_or(0);
            self.density.add(part.max(1));
        }
    }

    /// How many bytes of a folio so long are dirty, probably: all of it, as long as that isn't known.
    fn dirty(&self, folio: u64) -> u64 {
        match self.density.get() {
            0 => folio,
            part => ((folio >> PAGE_SHIFT).saturating_mul(part) >> (16 - PAGE_SHIFT)).max(1),
        }
    }

    /// Somebody writes to the folio at `start`.
    pub fn wrote(&mut self, start: u64) {
        self.last_start = start;
    }

    /// Somebody came to write to the folio at `start` while the device had it, or a copy of it.
    pub fn hit(&mut self, start: u64) {
        if let Some(hot) = self.hot(start) {
            hot.chance.hit();
            return;
        }
        if self.decided_last == Some(start) {
            self.last.hit();
        } else {
            self.other.hit();
        }
        if let Some(least) = self.hot.iter_mut().min_by_key(|hot| hot.chance.get()) {
            if least.chance.get() < Chance::ONCE.get() {
                *least = Hot {
                    start,
                    chance: Chance::ONCE,
                };
            }
        }
    }
}

/// The formula at the top.
fn is_worth_it(chance: Chance, device: &Device, facts: &Facts, bytes: u64) -> bool {
    let room = facts.limit.saturating_sub(facts.in_flight);
    if facts.short || room < facts.bytes || chance.get() == 0 {
        return false;
    }
    // 1/scarcity, like the chance in 65536ths. 128 bits are enough for all of it, but for bytes that no
    // folio has; the kernel divides 64.
    let bits = facts.limit.checked_ilog2().unwrap_or(0).saturating_sub(47);
    let ease = ((room >> bits) << 16)
        .checked_div(facts.limit >> bits)
        .unwrap_or(0);
    let gain = u128::from(chance.get()) * u128::from(device.stall_ns()) * u128::from(ease);
    let pages = u128::from(bytes.div_ceil(1 << PAGE_SHIFT));
    let haste = if facts.integrity { 2 } else { 1 };
    let cost = (u128::from(device.copy_ns()) * haste).saturating_mul(pages << 32);
    gain > cost
}
