// SPDX-License-Identifier: GPL-2.0

//! The types. Offsets, sizes and sectors are in bytes unless it says otherwise; what is `Option` may be
//! left out of the JSON.

use serde::{Deserialize, Serialize};

/// The format that this crate reads.
pub const VERSION: u32 = 1;

/// All that was found out in one survey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`VERSION`]
    pub version: u32,
    /// `uname -r`
    pub kernel: String,
    /// Processors, memory, and whether they are emulated; for people.
    pub machine: String,
    /// When it began, as ISO 8601 has it.
    pub date: String,
    /// The commit of this project.
    pub revision: String,
    /// How long each combination was to be written to.
    pub seconds: f64,
    /// Shell text: how to run the survey again.
    pub reproduce: String,
    /// What was looked at.
    pub subjects: Vec<Subject>,
    /// In which ways pages were changed.
    pub ways: Vec<Way>,
    /// At most one of each combination of subject, way, capability, window and sector. What is missing was
    /// not run.
    pub cells: Vec<Cell>,
}

/// What keeps its pages stable, or doesn't.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Of lower-case letters, digits, `.`, `_` and `-`; no other subject has it.
    pub name: String,
    /// For people.
    pub title: String,
    /// What it is.
    pub kind: Kind,
    /// A sentence on what is special about it, or nothing.
    pub about: String,
    /// Shell text: how it is made and mounted.
    pub recipe: String,
    /// Of a stack: whether the top device asks for stable pages where the lowest one does.
    pub propagates: Option<bool>,
}

/// What a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A filesystem on dif_blk.
    Filesystem,
    /// Block devices on dif_blk, and a filesystem on top.
    Stack,
    /// A program that keeps its data in files.
    Application,
}

/// How pages are changed while they are written back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// As that of a subject.
    pub name: String,
    /// For people; a few words.
    pub title: String,
    /// A sentence on what is done, and by whom pages could be kept stable.
    pub about: String,
}

/// One combination, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// The name of the subject.
    pub subject: String,
    /// The name of the way.
    pub way: String,
    /// Whether the device asks for stable pages.
    pub capability: Capability,
    /// Time from submit to transfer of a write, in microseconds.
    pub window_us: u64,
    /// Logical block of the device: 512 or 4096.
    pub sector: u32,
    /// What was found.
    pub verdict: Verdict,
    /// Why there is neither [`Verdict::Stable`] nor [`Verdict::Unstable`]; empty if there is.
    pub why: String,
    /// Write requests that were checked: not 0 if it is stable.
    pub writes: u64,
    /// Protection intervals of those.
    pub intervals: u64,
    /// How long it took.
    pub seconds: f64,
    /// Protection intervals that had changed: not 0 if, and only if, it is unstable.
    pub violations: u64,
    /// The first of them that there is a record of.
    pub first: Option<Violation>,
    /// A check of another kind that saw a change, too: which one, and when.
    pub confirmed: Option<String>,
    /// What the kernel reported meanwhile, its first line: `WARNING: ...`, say.
    pub report: Option<String>,
    /// How long the calls took that changed pages.
    pub latency: Option<Latency>,
    /// Shell text: how to see it again.
    pub reproduce: String,
}

/// Whether a device asks for stable pages (`BLK_FEAT_STABLE_WRITES`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// It does.
    On,
    /// It doesn't.
    Off,
}

impl Capability {
    /// `on` or `off`.
    pub fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// What was found of a combination, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Pages changed between submit and transfer.
    Unstable,
    /// Writes were checked, and no page had changed.
    Stable,
    /// The subject could not be made, mounted or written to in this combination, and said so.
    Refused,
    /// This kernel, or what is installed, lacks what it takes.
    Unsupported,
    /// There is no such combination.
    NotApplicable,
}

/// A protection interval that changed, as dif_blk has recorded it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// When it was seen: since pages began to be changed.
    pub seconds: f64,
    /// Whose page it is, if it is in the page cache of a file.
    pub inode: Option<u64>,
    /// Of the first byte that differs: in that file, or else in the block device, if the page belongs to one.
    pub offset: Option<u64>,
    /// What is stored there: file data, directory, bitmap, inode table, journal, superblock, ...
    pub what: String,
    /// Where the interval begins on the device, in units of 512 bytes.
    pub sector: u64,
    /// First and last byte of each range that differs, counted from the start of the interval.
    pub bytes: Vec<(u32, u32)>,
    /// From the first byte that differs, as submitted; hexadecimal. Empty if no copy was kept.
    #[serde(with = "hex::serde")]
    pub before: Vec<u8>,
    /// As much, as it was at the transfer.
    #[serde(with = "hex::serde")]
    pub after: Vec<u8>,
}

/// Latencies of many calls, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// How many calls.
    pub count: u64,
    /// Half of them took at most that.
    pub p50: u64,
    /// 99 % of them.
    pub p99: u64,
    /// 99.9 % of them.
    pub p999: u64,
    /// The longest.
    pub max: u64,
    /// How many took at most that (the first number) and more than what the class before says. Classes
    /// ascend, and all calls are in one.
    pub histogram: Vec<(u64, u64)>,
}
