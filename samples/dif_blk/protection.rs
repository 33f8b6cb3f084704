// SPDX-License-Identifier: GPL-2.0

//! The protection information of a disk: who makes it, what it is, what goes with what.

use crate::settings::{Key, Settings};
use kernel::{
    c_str, fmt,
    prelude::*,
    time::{Instant, Monotonic},
};
use pi::{Expected, Guard, Mismatch, Part, Profile, Type, Verified};
use storage::{
    block::{
        bio::Checks,
        limits::{Checksum, Integrity},
        SECTOR_SHIFT, SECTOR_SIZE,
    },
    crc,
    debugfs::ScopedDir,
};

/// Who makes tuples.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nobody: there are none.
    None,
    /// The disk, when a write is submitted. Nobody else sees them.
    Dif,
    /// Whoever submits a request. The disk checks them, and gives them back.
    Dix,
}

/// Length of a protection interval, or of a logical block where there are no tuples: a power of two from 512
/// to 4096 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    shift: u32,
}

impl Interval {
    /// The longest, in bytes.
    pub(crate) const LONGEST: usize = 4096;

    /// The most metadata that goes with one, in bytes.
    pub(crate) const METADATA: usize = 128;

    fn new(bytes: u32) -> Self {
        Self {
            shift: bytes.trailing_zeros(),
        }
    }

    pub(crate) fn bytes(self) -> usize {
        1 << self.shift
    }

    /// How many there are in `bytes`.
    pub(crate) fn count(self, bytes: usize) -> usize {
        bytes >> self.shift
    }

    /// Number of the one that begins at `sector` (of 512 bytes).
    pub(crate) fn at(self, sector: u64) -> u64 {
        sector >> (self.shift - SECTOR_SHIFT)
    }

    /// The sector where number `number` begins.
    pub(crate) fn sector(self, number: u64) -> u64 {
        number << (self.shift - SECTOR_SHIFT)
    }
}

/// How a disk's data is protected.
pub(crate) struct Protection {
    pub(crate) mode: Mode,
    pub(crate) interval: Interval,
    profile: Profile,
    /// Of tuples that the disk makes.
    app_tag: u16,
    checksum: Checksum,
}

/// Settings that don't go together, as text.
pub(crate) enum Conflict {
    /// The interval is longer than a block.
    Interval { interval: u32, block: u32 },
    /// The tuple doesn't fit.
    Metadata {
        size: u64,
        offset: u64,
        tuple: usize,
    },
    /// Tuples of type 0 are nobody's.
    Type,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval { interval, block } => write!(
                f,
                "pi_interval={interval} is not valid with blocks of {block} bytes: must be at most a block"
            ),
            Self::Metadata {
                size,
                offset,
                tuple,
            } => write!(
                f,
                "metadata_size={size} is not valid with pi_offset={offset}: must hold a tuple of {tuple} bytes from there"
            ),
            Self::Type => f.write_str("pi_type=0 is not valid with pi=dif: must be a number from 1 to 3"),
        }
    }
}

impl Protection {
    pub(crate) fn new(settings: &Settings, block: u32) -> Result<Self, Conflict> {
        let mode = match settings.get(Key::Pi) {
            0 => Mode::None,
            1 => Mode::Dif,
            _ => Mode::Dix,
        };
        let kind = match settings.get(Key::PiType) {
            0 => Type::Zero,
            1 => Type::One,
            2 => Type::Two,
            _ => Type::Three,
        };
        if mode == Mode::Dif && kind == Type::Zero {
            return Err(Conflict::Type);
        }
        let (guard, checksum) = match settings.get(Key::Guard) {
            0 => (Guard::Crc(crc::t10dif), Checksum::Crc),
            1 => (
                Guard::Ip {
                    partial: crc::csum_partial,
                    fold: crc::csum_fold,
                },
                Checksum::Ip,
            ),
            _ => (Guard::Crc64(crc::nvme), Checksum::Crc64),
        };
        let interval = match (mode, settings.get(Key::PiInterval)) {
            (Mode::None, _) | (_, 0) => block,
            (_, 1) => SECTOR_SIZE,
            _ => 4096,
        };
        if interval > block {
            return Err(Conflict::Interval { interval, block });
        }
        let (size, offset) = (settings.get(Key::MetadataSize), settings.get(Key::PiOffset));
        let tuple = guard.format().size();
        let profile = Profile::new(kind, guard)
            .within(
                if size == 0 { tuple } else { size as usize },
                offset as usize,
            )
            .ok_or(Conflict::Metadata {
                size,
                offset,
                tuple,
            })?;
        Ok(Self {
            mode,
            interval: Interval::new(interval),
            profile,
            app_tag: settings.get(Key::AppTag) as u16,
            checksum,
        })
    }

    /// Bytes of metadata that are stored with each interval.
    pub(crate) fn metadata_size(&self) -> usize {
        match self.mode {
            Mode::None => 0,
            Mode::Dif | Mode::Dix => self.profile.metadata_size(),
        }
    }

    /// What the block layer is told; `None` if it needs to know nothing.
    pub(crate) fn integrity(&self) -> Option<Integrity> {
        (self.mode == Mode::Dix).then(|| Integrity {
            checksum: self.has_guards().then_some(self.checksum),
            ref_tag: matches!(self.profile.kind(), Type::One | Type::Two),
            metadata_size: self.profile.metadata_size() as u8,
            pi_offset: self.profile.pi_offset() as u8,
            interval: self.interval.bytes() as u32,
        })
    }

    /// Whether what [`Protection::generate`] makes has guard tags.
    pub(crate) fn has_guards(&self) -> bool {
        self.profile.kind() != Type::Zero
    }

    /// Makes the metadata of intervals from `number` on, whose bytes are `data`.
    pub(crate) fn generate(&self, number: u64, data: &[u8], metadata: &mut [u8]) {
        metadata.fill(0);
        for ((number, data), metadata) in (number..)
            .zip(data.chunks_exact(self.interval.bytes()))
            .zip(metadata.chunks_exact_mut(self.profile.metadata_size()))
        {
            self.profile.generate(
                data,
                metadata,
                self.app_tag,
                self.profile.kind().ref_tag(0, number),
            );
        }
    }

    /// Makes the metadata of interval `number` agree with its data, which is another than it was made for.
    pub(crate) fn amend(&self, number: u64, data: &[u8], metadata: &mut [u8]) {
        if let Some(tuple) = self.profile.tuple(metadata) {
            let ref_tag = match self.profile.kind() {
                Type::Zero | Type::Three => tuple.ref_tag,
                kind => kind.ref_tag(0, number),
            };
            self.profile
                .generate(data, metadata, tuple.app_tag, ref_tag);
        }
    }

    /// What is expected of tuples; `checks` is what a request asks for.
    pub(crate) fn expected(&self, checks: Option<Checks>) -> Expected {
        let expected = Expected::new();
        match (self.mode, checks) {
            (Mode::Dix, Some(checks)) => {
                let expected = match checks.app_tag {
                    Some(app_tag) => expected.app_tag(app_tag),
                    None => expected,
                };
                let expected = if checks.ref_tag {
                    expected
                } else {
                    expected.any_ref_tag()
                };
                if checks.guard {
                    expected
                } else {
                    expected.any_guard()
                }
            }
            (Mode::Dix, None) => expected,
            (Mode::None | Mode::Dif, _) => expected.app_tag(self.app_tag),
        }
    }

    /// Checks the metadata of interval `number`, whose bytes are `data`. That of what was never written says that it
    /// is not to be checked.
    pub(crate) fn verify(
        &self,
        number: u64,
        data: &[u8],
        metadata: &[u8],
        expected: &Expected,
    ) -> Result<Verified, Mismatch> {
        let ref_tag = self.profile.kind().ref_tag(0, number);
        self.profile.verify(data, metadata, ref_tag, expected)
    }

    /// The bytes of metadata that a part of the tuple is.
    pub(crate) fn part_mut<'a>(&self, metadata: &'a mut [u8], part: Part) -> &'a mut [u8] {
        match self.mode {
            Mode::None => &mut [],
            Mode::Dif | Mode::Dix => self.profile.part_mut(metadata, part),
        }
    }

    /// The file in `dir`.
    pub(crate) fn files<'data>(&'data self, dir: &ScopedDir<'data>) {
        dir.read_callback_file(c_str!("guard_ns_per_mib"), self, &Self::show_time);
    }

    /// How long the kernel's checksum library takes for the guards of 1 MiB: the shortest of some times.
    fn show_time(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mode == Mode::None {
            return f.write_str("none");
        }
        let data = KVVec::from_elem(0x5a, 1 << 20, GFP_KERNEL).map_err(|_| fmt::Error)?;
        let metadata = [0; Interval::METADATA];
        let metadata = metadata.get(..self.metadata_size()).unwrap_or_default();
        let time = || {
            let begin = Instant::<Monotonic>::now();
            for interval in data.chunks_exact(self.interval.bytes()) {
                core::hint::black_box(self.guard_of(interval, metadata));
            }
            begin.elapsed().as_nanos()
        };
        let shortest = (0..8).map(|_| time()).min().unwrap_or(0);
        write!(f, "{shortest}")
    }

    /// The guard tag that goes with data, and with what is before the tuple in metadata.
    pub(crate) fn guard_of(&self, data: &[u8], metadata: &[u8]) -> u64 {
        self.profile.guard_of(data, metadata)
    }

    /// The guard tag in metadata; 0 if there is none.
    pub(crate) fn guard(&self, metadata: &[u8]) -> u64 {
        self.profile.tuple(metadata).map_or(0, |tuple| tuple.guard)
    }
}
