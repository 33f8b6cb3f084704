// SPDX-License-Identifier: GPL-2.0

//! dif_blk's disks, through configfs, and what they have counted and recorded.

use bench_lib::system::{number, put, read};
use rustix::fs::{Mode, OFlags};
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use survey_lib::report::Capability;

const CONFIG: &str = "/sys/kernel/config/dif_blk";
const DEBUG: &str = "/sys/kernel/debug/dif_blk";

/// How the disks of a subject are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) capability: Capability,
    pub(crate) sector: u32,
    pub(crate) pi: Pi,
    /// Bytes are compared, too, not guards alone.
    pub(crate) copy: bool,
}

/// Who makes the protection information.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pi {
    /// The disk.
    #[default]
    Dif,
    /// Whoever submits: the filesystem, or else the block layer.
    Dix,
}

impl Pi {
    fn name(self) -> &'static str {
        match self {
            Self::Dif => "dif",
            Self::Dix => "dix",
        }
    }
}

/// Bytes of each, in MiB: xfs wants 300, raid1 and f2fs some more. It is memory only where it is written to.
const SIZE_MIB: u32 = 768;

/// Some disks. Dropping them takes them out.
pub(crate) struct Disks {
    names: Vec<String>,
}

/// What they have counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) writes: u64,
    pub(crate) intervals: u64,
    pub(crate) violations: u64,
    pub(crate) first_us: Option<u64>,
}

/// A violation, as far as the survey looks at it. See Documentation/dif_blk.rst.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Record {
    /// `/dev/...` of the disk.
    #[serde(skip)]
    pub(crate) disk: String,
    /// When it was seen, by a clock that all disks have.
    time_ns: u64,
    pub(crate) sector: u64,
    pub(crate) kind: String,
    /// Of a file: the device of its filesystem, or what that is called.
    pub(crate) fs: Option<String>,
    /// Its number, or that of the block device.
    dev: Option<String>,
    pub(crate) inode: Option<u64>,
    pub(crate) offset: Option<u64>,
    pub(crate) ranges: Vec<(u32, u32)>,
    #[serde(with = "hex::serde")]
    pub(crate) before: Vec<u8>,
    #[serde(with = "hex::serde")]
    pub(crate) after: Vec<u8>,
    pub(crate) page: Page,
}

/// What a page was like when the violation was seen.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) anonymous: bool,
    pub(crate) direct: bool,
}

impl Record {
    /// `/dev/...` of the device that it says the page is of, or its filesystem is on.
    pub(crate) fn device(&self) -> Option<String> {
        let link = std::fs::read_link(format!("/sys/dev/block/{}", self.dev.as_deref()?)).ok()?;
        Some(format!("/dev/{}", link.file_name()?.to_str()?))
    }

    /// Whether it is a page of a filesystem that is on the disk, with no device in between.
    pub(crate) fn on_disk(&self) -> bool {
        self.disk.strip_prefix("/dev/") == self.fs.as_deref()
    }
}

impl Disks {
    /// Makes so many.
    pub(crate) fn new(count: u32, setting: Setting) -> Result<Self, String> {
        // What was made goes if the next can't be.
        let mut disks = Self { names: Vec::new() };
        for n in 0..count {
            let name = format!("survey{n}");
            fs::create_dir(format!("{CONFIG}/{name}"))
                .map_err(|error| format!("{CONFIG}/{name}: {error}"))?;
            disks.names.push(name.clone());
            let stable = match setting.capability {
                Capability::On => "1",
                Capability::Off => "0",
            };
            for (attribute, value) in [
                ("size", SIZE_MIB.to_string().as_str()),
                ("blocksize", &setting.sector.to_string()),
                ("stable_writes", stable),
                ("pi", setting.pi.name()),
                ("keep_copy", if setting.copy { "1" } else { "0" }),
                ("on_violation", "report"),
                ("power", "1"),
            ] {
                put(format!("{CONFIG}/{name}/{attribute}"), value)?;
            }
        }
        Ok(disks)
    }

    /// `/dev/...` of each.
    pub(crate) fn paths(&self) -> impl Iterator<Item = String> + '_ {
        self.names.iter().map(|name| format!("/dev/{name}"))
    }

    /// How long writes take from now on, in microseconds.
    pub(crate) fn set_window(&self, window_us: u64) -> Result<(), String> {
        self.names
            .iter()
            .try_for_each(|name| put(format!("{CONFIG}/{name}/window_us"), &window_us.to_string()))
    }

    /// Counting begins again, and what was recorded is forgotten.
    pub(crate) fn reset(&self) -> Result<(), String> {
        for name in &self.names {
            drain(name)?;
            put(file(name, "reset"), "1")?;
        }
        Ok(())
    }

    /// Of all of them.
    pub(crate) fn counters(&self) -> Result<Counters, String> {
        let mut all = Counters::default();
        for name in &self.names {
            let get = |which: &str| read(file(name, which)).and_then(|text| number(&text));
            all.writes += get("writes_checked")?;
            // With tuples from outside: what changed after these were made, and before the disk took the write on.
            let early = get("write_mismatches")?;
            all.intervals += get("intervals_checked")? + early;
            all.violations += get("violations")? + early;
            // `none` is no number.
            let first = get("first_violation_us").ok();
            all.first_us = all.first_us.into_iter().chain(first).min();
        }
        Ok(all)
    }

    /// The records that there are, of all of them, the earliest first.
    pub(crate) fn records(&self) -> Result<Vec<Record>, String> {
        let mut records = Vec::new();
        for name in &self.names {
            for line in drain(name)?.lines() {
                let mut record: Record = serde_json::from_str(line)
                    .map_err(|error| format!("a record of {name}: {error}"))?;
                record.disk = format!("/dev/{name}");
                records.push(record);
            }
        }
        records.sort_by_key(|record| record.time_ns);
        Ok(records)
    }
}

fn file(name: &str, file: &str) -> PathBuf {
    PathBuf::from(format!("{DEBUG}/{name}/{file}"))
}

/// The records that there are, without waiting for more.
fn drain(name: &str) -> Result<String, String> {
    let path = file(name, "records");
    let said = |error: std::io::Error| format!("{}: {error}", path.display());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::open(&path, flags, Mode::empty()).map_err(|error| said(error.into()))?;
    let mut text = String::new();
    match File::from(fd).read_to_string(&mut text) {
        // What was read until there was no more is there.
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(said(error)),
        _ => Ok(text),
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        for name in self.names.drain(..) {
            let path = format!("{CONFIG}/{name}");
            if let Err(error) = fs::remove_dir(&path) {
                eprintln!("survey: {path}: {error}");
            }
        }
    }
}
