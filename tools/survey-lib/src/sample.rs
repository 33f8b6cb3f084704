// SPDX-License-Identifier: GPL-2.0

//! A report of the size that real ones have, with all that can be in one: for tests of what shows it.
//! Nothing of it was measured; names are those of things that exist so that they are as long.

use crate::report::{
    Capability, Cell, Kind, Latency, Report, Subject, Verdict, Violation, Way, VERSION,
};

/// What HTML and shells could take for something else.
pub const HOSTILE: &str = "<script>alert(\"&amp;\")</script> '`$(false)`";

const FILESYSTEMS: [(&str, &str); 18] = [
    ("ext2", "ext2"),
    ("ext4", "ext4"),
    ("ext4-journal", "ext4, data=journal, journal_checksum"),
    ("ext4-bigalloc", "ext4, bigalloc, clusters of 64 KiB"),
    ("ext4-fast-commit", "ext4, fast_commit, metadata_csum_seed"),
    ("xfs", "xfs"),
    ("xfs-reflink", "xfs, reflink, rmapbt, blocks of 1 KiB"),
    ("xfs-rt", "xfs, realtime device"),
    ("btrfs", "btrfs"),
    ("btrfs-nodatacow", "btrfs, nodatacow"),
    ("btrfs-zstd", "btrfs, compress-force=zstd:15"),
    ("f2fs", "f2fs"),
    ("f2fs-compress", "f2fs, compression, checkpoint_merge"),
    ("vfat", "vfat"),
    ("exfat", "exfat"),
    ("ntfs3", "ntfs3"),
    ("stablefs-wait", "stablefs, stable=wait"),
    ("stablefs-detached", "stablefs, stable=detached"),
];

const STACKS: [(&str, &str); 9] = [
    ("dm-linear", "ext4 on dm-linear"),
    ("dm-crypt", "ext4 on dm-crypt, aes-xts-plain64"),
    (
        "dm-crypt-inline",
        "ext4 on dm-crypt, no_read_workqueue no_write_workqueue",
    ),
    ("dm-thin", "ext4 on dm-thin"),
    (
        "dm-integrity",
        "ext4 on dm-integrity, journal_mode=bitmap, internal_hash=crc32c",
    ),
    ("md-raid1", "ext4 on md raid1"),
    ("md-raid5", "ext4 on md raid5"),
    ("loop-direct", "ext4 on loop with direct I/O"),
    ("nbd", "ext4 on nbd"),
];

const APPLICATIONS: [(&str, &str); 3] = [
    ("sqlite-wal", "SQLite, journal_mode=WAL, mmap_size=256 MiB"),
    (
        "postgresql",
        "PostgreSQL, io_method=io_uring, wal_sync_method=open_datasync",
    ),
    ("markup", HOSTILE),
];

const WAYS: [(&str, &str, &str); 6] = [
    (
        "write",
        "buffered write()",
        "The filesystem can wait, or copy.",
    ),
    (
        "mmap",
        "mmap store",
        "The filesystem can wait in page_mkwrite, or copy.",
    ),
    (
        "direct",
        "direct I/O, buffer rewritten in flight",
        "Only who copies the buffer can keep it stable.",
    ),
    (
        "uring-fixed",
        "io_uring fixed buffers",
        "Only who copies the buffer can keep it stable.",
    ),
    (
        "metadata",
        "metadata",
        "Files are made, renamed and removed: whoever changes a block has to see to it.",
    ),
    (
        "swap",
        "swap file",
        "Memory is swapped out, and touched again meanwhile.",
    ),
];

/// The report: each subject in each way in eight combinations.
pub fn report() -> Report {
    let kinds = [
        (Kind::Filesystem, &FILESYSTEMS[..]),
        (Kind::Stack, &STACKS),
        (Kind::Application, &APPLICATIONS),
    ];
    let subjects: Vec<Subject> = kinds
        .iter()
        .flat_map(|(kind, list)| list.iter().map(|names| subject(*kind, names)))
        .collect();
    let mut cells = Vec::new();
    for subject in 0..subjects.len() {
        for way in 0..WAYS.len() {
            for combination in 0..8 {
                cells.push(cell(&subjects, subject, way, combination));
            }
        }
    }
    Report {
        version: VERSION,
        kernel: "0.0.0-sample".to_owned(),
        machine: "none: this is a sample, nothing of it was measured".to_owned(),
        date: "2026-11-22T08:30:00Z".to_owned(),
        revision: "0123456789ab".to_owned(),
        seconds: 10.0,
        reproduce: "git checkout 0123456789ab\nmake survey".to_owned(),
        subjects,
        ways: WAYS
            .map(|(name, title, about)| Way {
                name: name.to_owned(),
                title: title.to_owned(),
                about: about.to_owned(),
            })
            .into(),
        cells,
    }
}

fn subject(kind: Kind, &(name, title): &(&str, &str)) -> Subject {
    Subject {
        name: name.to_owned(),
        title: title.to_owned(),
        kind,
        about: format!(
            "What is special about {title}: whether it asks for checksums, and of what."
        ),
        recipe: format!(
            "modprobe dif_blk size_mb=512 window_us=2000 on_violation=report\n\
             mkfs -t {name} -q -O a_feature,another_feature,a_third_one /dev/dif0\n\
             mount -t {name} -o noatime /dev/dif0 /mnt   # {title}"
        ),
        propagates: (kind == Kind::Stack).then_some(name != "nbd" && name != "loop-direct"),
    }
}

fn cell(subjects: &[Subject], subject: usize, way: usize, combination: usize) -> Cell {
    let capability = [Capability::On, Capability::Off][combination / 4];
    let window_us = [200, 2000][combination / 2 % 2];
    let sector = [512, 4096][combination % 2];
    let name = &subjects[subject].name;
    let (verdict, why) = verdict(subject, way, combination);
    let ran = why.is_empty();
    let unstable = verdict == Verdict::Unstable;
    let many = (subject * 977 + way * 131 + combination * 17) as u64 % 5000 + 900;
    let violations = if unstable { many / 3 } else { 0 };
    Cell {
        subject: name.clone(),
        way: WAYS[way].0.to_owned(),
        capability,
        window_us,
        sector,
        verdict,
        why: why.to_owned(),
        writes: if ran { many * 2 } else { 0 },
        intervals: if ran { many * 16 } else { 0 },
        seconds: if ran { 10.125 } else { 0.125 },
        violations,
        first: unstable.then(|| violation(way, many, sector)),
        confirmed: (unstable && combination % 3 != 0).then(|| {
            "after 0.42 s: two reads of the sector with O_DIRECT during the window were not the same"
                .to_owned()
        }),
        report: (subject == 4 && way == 1).then(|| {
            "WARNING: drivers/somewhere/far/away.c:1234 at a_function_of_a_long_name+0x123/0x456, CPU#1: kworker/1:2/99".to_owned()
        }),
        latency: (ran && way < 4).then(|| latency(many, window_us * u64::from(sector) / 512, capability)),
        reproduce: format!(
            "qemu/run -- survey run --subject {name} --way {} --capability {} \
             --window {window_us} --sector {sector} --seconds 10",
            WAYS[way].0,
            capability.word(),
        ),
    }
}

/// Something of everything.
fn verdict(subject: usize, way: usize, combination: usize) -> (Verdict, &'static str) {
    let (on, large) = (combination < 4, combination % 2 == 1);
    match (subject, way) {
        (13..=15 | 29, 5) | (27..=28, 2..=5) => (Verdict::NotApplicable, "It has no such thing."),
        (10 | 12, 3) => (
            Verdict::Unsupported,
            "This kernel was built without it: CONFIG_OF_SOMETHING_LONG is not set.",
        ),
        (13, _) if large => (Verdict::Refused, HOSTILE),
        (8..=12, 5) => (
            Verdict::Refused,
            "swapon: /mnt/swap: Invalid argument: swapfile must not be copy-on-write",
        ),
        (0 | 23, 4) | (3, 1) | (26, 0..=1) | (29, 0) if on && large => (Verdict::Unstable, ""),
        (0..=4 | 18..=26, 2..=3) => (Verdict::Unstable, ""),
        (8 | 10 | 16..=17, _) => (Verdict::Stable, ""),
        _ if on || (combination == 7 && subject % 2 == 0) => (Verdict::Stable, ""),
        _ => (Verdict::Unstable, ""),
    }
}

fn violation(way: usize, many: u64, sector: u32) -> Violation {
    let before: Vec<u8> = (0..64).map(|byte| (byte * 7 + many % 200) as u8).collect();
    let mut after = before.clone();
    for byte in [0, 1, 2, 3, 9, 10, 40] {
        after[byte] ^= 0x5a;
    }
    Violation {
        // What JSON gives back as it was.
        seconds: many as f64 / 32768.0,
        inode: (way != 2 && way != 3).then_some(many / 9),
        offset: (way != 2 && way != 3).then_some(many * 512 + 10),
        what: [
            "file data",
            "file data",
            "memory of a process",
            "memory of a process",
            "inode table",
            "swap",
        ][way]
            .to_owned(),
        sector: many * 8,
        bytes: vec![(10, 13), (19, 20), (50, sector - 1)],
        before,
        after,
    }
}

/// With a long tail where writers wait.
fn latency(many: u64, wait_us: u64, capability: Capability) -> Latency {
    let wait_ns = if capability == Capability::On {
        wait_us * 1000
    } else {
        wait_us * 10
    };
    let histogram: Vec<(u64, u64)> = (0..48)
        .map(|class| {
            let bound = (2_000.0 * 1.36_f64.powi(class)) as u64;
            let (near, far) = (
                1.0 + (f64::from(class) - 9.0).powi(2),
                bound.abs_diff(wait_ns * 2),
            );
            let waited = if far < wait_ns * 2 { many / 12 } else { 0 };
            (bound, (many as f64 * 4.0 / near.powi(2)) as u64 + waited)
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    let count = histogram.iter().map(|(_, count)| count).sum();
    let quantile = |part: f64| {
        let mut left = (count as f64 * part).ceil() as u64;
        let class = histogram.iter().find(|(_, count)| {
            left = left.saturating_sub(*count);
            left == 0
        });
        class.map_or(0, |(bound, _)| *bound)
    };
    Latency {
        count,
        p50: quantile(0.5),
        p99: quantile(0.99),
        p999: quantile(0.999),
        max: quantile(1.0),
        histogram,
    }
}
