// SPDX-License-Identifier: GPL-2.0

//! The devices: all there at once, of the same size, each block written once, without an I/O scheduler.

use bench_lib::result::median;
use bench_lib::system::{call, number, put, read};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Of each.
const MIB: u64 = 128;

/// Names of the devices.
pub(crate) const NONE: &str = "dif_blk none";
pub(crate) const DIF: &str = "dif_blk dif";
pub(crate) const DIX: &str = "dif_blk dix";
/// As [`DIF`], but written data is looked at again after a microsecond: by another sum, or beside a copy. It is read
/// the same way.
pub(crate) const WINDOW: &str = "dif window";
pub(crate) const COPY: &str = "dif copy";
pub(crate) const BRD: &str = "brd";
pub(crate) const NULL_BLK: &str = "null_blk";
pub(crate) const SCSI_DEBUG: &str = "scsi_debug";

/// Attributes of a disk.
type Attributes<'a> = &'a [(&'a str, &'a str)];

/// Those of dif_blk: what each is called here and in configfs, its protection, and more.
const OURS: [(&str, &str, &str, Attributes<'_>); 5] = [
    (NONE, "bench-none", "none", &[]),
    (DIF, "bench-dif", "dif", &[]),
    (DIX, "bench-dix", "dix", &[]),
    (
        WINDOW,
        "bench-window",
        "dif",
        &[("window_us", "1"), ("keep_copy", "0")],
    ),
    (
        COPY,
        "bench-copy",
        "dif",
        &[("window_us", "1"), ("keep_copy", "1")],
    ),
];

/// One of them.
pub(crate) struct Device {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
}

/// All of them.
pub(crate) struct Devices {
    all: Vec<Device>,
    memory: BTreeMap<String, f64>,
}

/// What is free, or could be.
fn available() -> Result<f64, String> {
    call("sync", &[])?;
    put("/proc/sys/vm/drop_caches", "3")?;
    let text = read("/proc/meminfo")?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"));
    let available = line
        .and_then(|line| line.split_whitespace().nth(1))
        .and_then(|kib| kib.parse::<f64>().ok())
        .map(|kib| kib * 1024.0)
        .ok_or_else(|| "/proc/meminfo has no MemAvailable".to_owned())?;
    Ok(available + at_processors(&read("/proc/zoneinfo")?) * 4096.0)
}

/// Pages that are free, and not counted as such: those that processors keep at hand, some MiB of them.
fn at_processors(zoneinfo: &str) -> f64 {
    zoneinfo
        .lines()
        .filter_map(|line| line.trim().strip_prefix("count:"))
        .filter_map(|count| count.trim().parse::<f64>().ok())
        .sum()
}

/// Likewise, when that has come to rest: what is given back goes in the background.
fn settled() -> Result<f64, String> {
    const NEAR: f64 = 1048576.0;
    let mut last = available()?;
    for _ in 0..50 {
        thread::sleep(Duration::from_millis(100));
        let now = available()?;
        if (now - last).abs() < NEAR {
            return Ok(now);
        }
        last = now;
    }
    Err("the memory that is free never stays the same".to_owned())
}

/// A device of a driver that has a directory in configfs.
fn configured(driver: &str, name: &str, attributes: &[(&str, &str)]) -> Result<(), String> {
    let directory = PathBuf::from(format!("/sys/kernel/config/{driver}/{name}"));
    fs::create_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for (attribute, value) in attributes {
        put(directory.join(attribute), value)?;
    }
    put(directory.join("power"), "1")
}

/// Writes the first so many MiB of a device.
fn fill(path: &Path, mib: u64) -> Result<(), String> {
    let of = format!("of={}", path.display());
    let count = format!("count={mib}");
    let how = ["bs=1M", "oflag=direct", "status=none"];
    call("dd", &[&["if=/dev/zero", &of, &count], &how[..]].concat())
}

/// What a disk of dif_blk takes for each GiB that is stored, in MiB: the median of some, since others come and go.
fn memory_of(pi: &str) -> Result<f64, String> {
    let each = (0..3).map(|_| memory_once(pi));
    Ok(median(each.collect::<Result<_, _>>()?))
}

fn memory_once(pi: &str) -> Result<f64, String> {
    const STORED: u64 = 1024;
    let before = settled()?;
    let size = STORED.to_string();
    configured("dif_blk", "bench-memory", &[("size", &size), ("pi", pi)])?;
    fill(Path::new("/dev/bench-memory"), STORED)?;
    let bytes = before - settled()?;
    fs::remove_dir("/sys/kernel/config/dif_blk/bench-memory").map_err(|error| error.to_string())?;
    // The next one would be given it while it is measured.
    for _ in 0..50 {
        if before - settled()? < bytes / 16.0 {
            return Ok(bytes / 1024.0 / STORED as f64);
        }
    }
    Err("a disk that was removed doesn't give its memory back".to_owned())
}

/// The entries of a directory whose name begins so.
fn below(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let begins = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with(prefix)
    };
    entries.map(|entry| entry.path()).filter(begins).collect()
}

/// The disk that scsi_debug has made: it is looked for in the background.
fn scsi_disk() -> Result<PathBuf, String> {
    let adapter = Path::new("/sys/bus/pseudo/drivers/scsi_debug/adapter0");
    for _ in 0..100 {
        // hostN/targetN:0:0/N:0:0:0/block/sdX
        let mut found = below(adapter, "host");
        for prefix in ["target", "", "block", "sd"] {
            found = found.iter().flat_map(|path| below(path, prefix)).collect();
        }
        if let Some(name) = found.first().and_then(|path| path.file_name()) {
            return Ok(Path::new("/dev").join(name));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Err("scsi_debug made no disk".to_owned())
}

impl Devices {
    /// Loads the drivers, makes the devices, and fills them.
    pub(crate) fn make() -> Result<Self, String> {
        let size = MIB.to_string();
        let mut devices = Self {
            all: Vec::new(),
            memory: BTreeMap::new(),
        };
        call("modprobe", &["dif_blk", "nr_devices=0"])?;
        call("modprobe", &["null_blk", "nr_devices=0"])?;
        for (name, directory, pi, window) in OURS {
            if window.is_empty() {
                devices.memory.insert(name.to_owned(), memory_of(pi)?);
            }
            let attributes = [("size", &*size), ("pi", pi)];
            configured("dif_blk", directory, &[&attributes, window].concat())?;
            devices.add(name, Path::new("/dev").join(directory))?;
        }
        let attributes = [
            ("size", size.as_str()),
            ("memory_backed", "1"),
            ("blocksize", "512"),
            ("completion_nsec", "0"),
            ("irqmode", "0"),
        ];
        configured("nullb", "bench", &attributes)?;
        devices.add(NULL_BLK, PathBuf::from("/dev/bench"))?;
        let rd_size = format!("rd_size={}", MIB << 10);
        call("modprobe", &["brd", "rd_nr=1", &rd_size])?;
        devices.add(BRD, PathBuf::from("/dev/ram0"))?;
        call("modprobe", &["sd_mod"])?;
        let dev_size = format!("dev_size_mb={MIB}");
        call(
            "modprobe",
            &[
                "scsi_debug",
                &dev_size,
                "dif=1",
                "dix=1",
                "delay=0",
                "max_queue=128",
            ],
        )?;
        devices.add(SCSI_DEBUG, scsi_disk()?)?;
        Ok(devices)
    }

    fn add(&mut self, name: &'static str, path: PathBuf) -> Result<(), String> {
        let node = path.file_name().unwrap_or_default().to_string_lossy();
        let scheduler = format!("/sys/block/{node}/queue/scheduler");
        // A device that has no queue has no scheduler.
        if Path::new(&scheduler).exists() && read(&scheduler)?.contains("none") {
            put(&scheduler, "none")?;
        }
        fill(&path, MIB)?;
        self.all.push(Device { name, path });
        Ok(())
    }

    pub(crate) fn all(&self) -> &[Device] {
        &self.all
    }

    /// Memory that a device takes for each GiB that is stored, in MiB.
    pub(crate) fn memory(&self) -> &BTreeMap<String, f64> {
        &self.memory
    }

    /// What the kernel's CRC library needs for one MiB, in intervals.
    pub(crate) fn guard_ns_per_mib(&self) -> Result<f64, String> {
        let path = "/sys/kernel/debug/dif_blk/bench-dif/guard_ns_per_mib";
        let ns = number(&read(path)?).map_err(|error| format!("{path}: {error}"))?;
        Ok(ns as f64)
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        for (program, args) in [
            ("modprobe", ["--remove", "scsi_debug"]),
            ("modprobe", ["--remove", "brd"]),
            ("rmdir", ["--", "/sys/kernel/config/nullb/bench"]),
            ("modprobe", ["--remove", "null_blk"]),
        ] {
            if let Err(error) = call(program, &args) {
                eprintln!("bench-device: {error}");
            }
        }
        for (_, directory, ..) in OURS {
            let _ = fs::remove_dir(Path::new("/sys/kernel/config/dif_blk").join(directory));
        }
        if let Err(error) = call("modprobe", &["--remove", "dif_blk"]) {
            eprintln!("bench-device: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn pages_at_hand_are_those_of_all_processors() {
        let zoneinfo = "Node 0, zone DMA\n  pages free 3840\n  pagesets\n    cpu: 0\n              count:    7\n\
                        \x20             high:     4\n    cpu: 1\n              count:    30\n  node_unreclaimable:  0\n";
        assert!((super::at_processors(zoneinfo) - 37.0).abs() < 0.1);
        assert!(super::at_processors("") < 0.1);
    }
}
