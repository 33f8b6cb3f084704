// SPDX-License-Identifier: GPL-2.0

//! The device, and what is mounted on it: each filesystem has a partition of its own, so that they can
//! take turns.

use bench_lib::system::{call, number, read};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Whether the device needs stable pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It doesn't, and has no window.
    No,
    /// It does, for 2 ms.
    Yes,
}

impl Need {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Need::No => "not needed",
            Need::Yes => "2 ms",
        }
    }
}

/// dif_blk, loaded.
pub(crate) struct Device(());

/// Of a partition. xfs wants no less than 300 MiB.
const PARTITION_MIB: u32 = 320;

/// Filesystem, option, and what it is called in the table. `off` is there twice: how much these two differ is noise.
pub(crate) const TARGETS: [(&str, &str, &str); 8] = [
    ("stablefs", "stable=off", "off"),
    ("stablefs", "stable=off", "off again"),
    ("stablefs", "stable=wait", "wait"),
    ("stablefs", "stable=snapshot", "snapshot"),
    ("stablefs", "stable=detached", "detached"),
    ("stablefs", "stable=auto", "auto"),
    ("ext4", "", "ext4"),
    ("xfs", "", "xfs"),
];

impl Device {
    /// Loads the drivers, and makes the partitions.
    pub(crate) fn load(need: Need) -> Result<Self, String> {
        let size = format!("size_mb={}", (PARTITION_MIB + 2) * TARGETS.len() as u32);
        let (stable, window) = match need {
            Need::No => ("stable_writes=0", "window_us=0"),
            Need::Yes => ("stable_writes=1", "window_us=2000"),
        };
        // off is to be measured, not to fail.
        call(
            "modprobe",
            &["dif_blk", &size, stable, window, "on_violation=report"],
        )?;
        call("modprobe", &["stablefs"])?;
        let lines = format!("size={PARTITION_MIB}M\\n").repeat(TARGETS.len());
        let script = format!("printf 'label: gpt\\n{lines}' | sfdisk -q /dev/dif0");
        call("sh", &["-c", &script])?;
        Ok(Self(()))
    }

    /// Unloads them.
    pub(crate) fn unload(self) -> Result<(), String> {
        call("modprobe", &["--remove", "stablefs"])?;
        call("modprobe", &["--remove", "dif_blk"])
    }
}

/// A filesystem, mounted.
pub(crate) struct Target {
    /// In the table.
    pub(crate) name: String,
    /// Where it is mounted.
    pub(crate) directory: PathBuf,
    stats: Option<PathBuf>,
}

/// What stablefs has counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) written: u64,
    pub(crate) copied: u64,
    pub(crate) waits: u64,
    /// How many of those were as long as this class, which begins at so many nanoseconds.
    pub(crate) wait_classes: BTreeMap<u64, u64>,
}

impl Target {
    /// All of them, made and mounted.
    pub(crate) fn all(_device: &Device) -> Result<Vec<Self>, String> {
        (1..)
            .zip(TARGETS)
            .map(|(number, (kind, option, name))| Self::new(number, kind, option, name))
            .collect()
    }

    fn new(number: u32, kind: &str, option: &str, name: &str) -> Result<Self, String> {
        let device = format!("/dev/dif0p{number}");
        let directory = PathBuf::from(format!("/tmp/bench/{name}"));
        fs::create_dir_all(&directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        let (mkfs, args): (&str, &[&str]) = match kind {
            "ext4" => ("mkfs.ext4", &["-q", "-F"]),
            "xfs" => ("mkfs.xfs", &["-q", "-f"]),
            _ => ("mke2fs", &["-q", "-F", "-t", "ext2", "-b", "4096"]),
        };
        call(mkfs, &[args, &[&device]].concat())?;
        let path = directory.to_string_lossy().into_owned();
        let mut mount = vec!["-t", kind];
        if !option.is_empty() {
            mount.extend(["-o", option]);
        }
        mount.extend([device.as_str(), path.as_str()]);
        call("mount", &mount)?;
        let stats = (kind == "stablefs")
            .then(|| PathBuf::from(format!("/sys/kernel/debug/stablefs/dif0p{number}")));
        Ok(Self {
            name: name.to_owned(),
            directory,
            stats,
        })
    }

    /// Nothing of a run is left to be done in the next one's time.
    pub(crate) fn settle(&self) -> Result<(), String> {
        call("sync", &["-f", &self.directory.to_string_lossy()])
    }

    /// What was counted until now; nothing, of others than stablefs.
    pub(crate) fn counters(&self) -> Result<Counters, String> {
        let Some(stats) = &self.stats else {
            return Ok(Counters::default());
        };
        let copies = read(stats.join("copies"))?;
        let copied = copies
            .lines()
            .find_map(|line| line.strip_prefix("bytes "))
            .unwrap_or("0");
        Ok(Counters {
            written: number(&read(stats.join("write_bytes"))?)?,
            copied: number(copied)?,
            waits: number(&read(stats.join("waits"))?)?,
            wait_classes: read(stats.join("wait_histogram"))?
                .lines()
                .filter_map(|line| line.split_once(' '))
                .map(|(begin, count)| Ok((number(begin)?, number(count)?)))
                .collect::<Result<_, String>>()?,
        })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Err(error) = call("umount", &[&self.directory.to_string_lossy()]) {
            eprintln!("bench-strategies: {error}");
        }
    }
}
