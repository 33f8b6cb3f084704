// SPDX-License-Identifier: GPL-2.0

//! What a disk can be told: by module parameter for the first one, in configfs for others.
//!
//! A setting is a number; words are taken for their place in the list. Settings begin as the module's
//! parameters say.

use kernel::{
    c_str,
    prelude::*,
    str::{BStr, CStr},
    sync::atomic::{Atomic, Relaxed},
};
use storage::{block::SECTOR_SHIFT, module_param::Param, setting::Allowed};

/// Whether a setting may change while the disk is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// It is that of the disk from when it is made.
    Made,
    /// For the requests that come next.
    Any,
}

/// A row of the table.
pub(crate) struct Setting {
    /// In configfs.
    pub(crate) name: &'static CStr,
    pub(crate) allowed: Allowed,
    pub(crate) when: When,
}

macro_rules! settings {
    ($(
        $(#[$doc:meta])*
        $key:ident: $name:ident, $param:ident = $default:literal, $when:ident, $allowed:expr, $text:literal;
    )*) => {
        storage::module_params! {
            $($param = $default, $text;)*
        }

        /// Which setting.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Key {
            $($(#[$doc])* $key,)*
        }

        /// All of them, in the order of [`Key`].
        pub(crate) const SETTINGS: [Setting; COUNT] = [$(Setting {
            name: c_str!(stringify!($name)),
            allowed: $allowed,
            when: When::$when,
        },)*];

        /// The module's parameters, in the same order.
        static PARAMS: [&Param; COUNT] = [$(&$param,)*];

        pub(crate) const COUNT: usize = [$(stringify!($key)),*].len();
    };
}

pub(crate) const BOOLEAN: Allowed = Allowed::Words(&["0", "1"]);
/// Longest time: 10 s.
const MICROSECONDS: Allowed = Allowed::Range(0, 10_000_000);
const MB_PER_SECOND: Allowed = Allowed::Range(0, 1_000_000);

/// What [`Key::OnViolation`] has.
pub(crate) const FAIL: u64 = 0;

settings! {
    /// Disks that are made when the module is loaded. Of no meaning in configfs.
    NrDevices: nr_devices, nr_devices = "1", Made, Allowed::Range(0, 1),
        "disks that are made when the module is loaded (0 or 1)";
    /// Capacity, in MiB: at most 16 TiB.
    Size: size, size_mb = "1024", Made, Allowed::Range(1, 1 << 24),
        "size of the disk in MiB (1 to 16777216); memory is used for what is written";
    /// Logical block size: 512 << value.
    BlockSize: blocksize, block_size = "512", Made, Allowed::Words(&["512", "1024", "2048", "4096"]),
        "logical block size in bytes (512, 1024, 2048 or 4096)";
    /// Hardware queues; 0 for one for each CPU.
    SubmitQueues: submit_queues, submit_queues = "0", Made, Allowed::Range(0, 1024),
        "hardware queues (0 to 1024; 0: one for each CPU)";
    /// Requests in flight in each.
    HwQueueDepth: hw_queue_depth, hw_queue_depth = "128", Made, Allowed::Range(1, 1024),
        "requests in flight on each hardware queue (1 to 1024)";
    /// Whether stable pages are asked for.
    StableWrites: stable_writes, stable_writes = "1", Made, BOOLEAN,
        "ask for stable pages (0 or 1); also in queue/stable_writes in sysfs";
    /// See [`crate::protection::Mode`].
    Pi: pi, pi = "dif", Made, Allowed::Words(&["none", "dif", "dix"]),
        "protection information: none, dif (made by the disk) or dix (comes with requests)";
    /// DIF type.
    PiType: pi_type, pi_type = "1", Made, Allowed::Range(0, 3),
        "type of protection (0 to 3); 0: metadata is stored and not looked at";
    /// See [`crate::protection`].
    Guard: guard, guard = "crc", Made, Allowed::Words(&["crc", "ip", "crc64"]),
        "checksum of the guard tag: crc (T10 DIF), ip or crc64 (NVMe, tuples of 16 bytes)";
    /// Protection interval: that of the logical block, 512 or 4096 bytes.
    PiInterval: pi_interval, pi_interval = "block", Made, Allowed::Words(&["block", "512", "4096"]),
        "protection interval in bytes (512 or 4096, at most a block), or block";
    /// Bytes of metadata for each interval; 0 for as long as a tuple.
    MetadataSize: metadata_size, metadata_size = "0", Made, Allowed::Range(0, 128),
        "bytes of metadata with each interval (0 to 128; 0: as long as a tuple)";
    /// Where the tuple is in them.
    PiOffset: pi_offset, pi_offset = "0", Made, Allowed::Range(0, 120),
        "where in the metadata the tuple is, in bytes (0 to 120)";
    /// Application tag of tuples that the disk makes, and then expects.
    AppTag: app_tag, app_tag = "0", Made, Allowed::Range(0, 0xffff),
        "application tag of tuples that the disk makes (0 to 65535)";
    /// From submit to transfer of a write.
    WindowUs: window_us, window_us = "0", Any, MICROSECONDS,
        "time from submit to transfer of a write in microseconds (0 to 10000000)";
    /// Looks in between.
    Samples: samples, samples = "0", Any, Allowed::Range(0, 10_000),
        "how often the pages of a write are looked at within its window (0 to 10000)";
    /// From transfer to the end, of whatever.
    CompletionUs: completion_us, completion_us = "0", Any, MICROSECONDS,
        "time from transfer to the end of a request in microseconds (0 to 10000000)";
    /// On top, of reads.
    ReadUs: read_us, read_us = "0", Any, MICROSECONDS,
        "time that a read takes on top of that in microseconds (0 to 10000000)";
    /// On top, of writes.
    WriteUs: write_us, write_us = "0", Any, MICROSECONDS,
        "time that a write takes on top of that in microseconds (0 to 10000000)";
    /// On top, of flushes.
    FlushUs: flush_us, flush_us = "0", Any, MICROSECONDS,
        "time that a flush takes on top of that in microseconds (0 to 10000000)";
    /// Random time on top of each of these that isn't 0, up to that.
    JitterUs: jitter_us, jitter_us = "0", Any, MICROSECONDS,
        "random time up to that many microseconds on top of each of these that isn't 0 (0 to 10000000)";
    /// Of all requests.
    Mbps: mbps, mbps = "0", Any, MB_PER_SECOND,
        "bandwidth of the disk in MiB/s (0 to 1000000; 0: no limit)";
    /// Of reads.
    ReadMbps: read_mbps, read_mbps = "0", Any, MB_PER_SECOND,
        "bandwidth of reads in MiB/s (0 to 1000000; 0: no limit)";
    /// Of writes.
    WriteMbps: write_mbps, write_mbps = "0", Any, MB_PER_SECOND,
        "bandwidth of writes in MiB/s (0 to 1000000; 0: no limit)";
    /// What a violation does to its write: [`FAIL`], or nothing.
    OnViolation: on_violation, on_violation = "fail", Any, Allowed::Words(&["fail", "report"]),
        "what a page that changed in flight does to its write (fail or report)";
    /// Whether a write keeps what was submitted until it ends.
    KeepCopy: keep_copy, keep_copy = "1", Any, BOOLEAN,
        "keep what was submitted until the write ends, to tell which bytes changed (0 or 1)";
    /// Records of violations that wait to be read.
    Records: records, records = "256", Made, Allowed::Range(0, 65536),
        "records of violations that are kept until they are read (0 to 65536)";
    /// Of writes that no flush has made durable, in MiB.
    CacheSize: cache_size, cache_size = "0", Made, Allowed::Range(0, 1 << 20),
        "size of the volatile write cache in MiB (0 to 1048576; 0: what is written is durable)";
    /// Of all that is random.
    Seed: seed, seed = "1", Made, Allowed::Range(0, u64::MAX),
        "where random numbers begin";
}

/// The values of a disk's settings. Any of them may be read at any time.
pub(crate) struct Settings([Atomic<u64>; COUNT]);

impl Settings {
    /// As the module's parameters say. `EINVAL` for the first that is wrong, which the log then names.
    pub(crate) fn from_params() -> Result<Self> {
        let settings = Self([const { Atomic::new(0) }; COUNT]);
        for ((value, setting), param) in settings.0.iter().zip(&SETTINGS).zip(PARAMS) {
            let given = param.value(setting.allowed).map_err(|invalid| {
                pr_err!("{invalid}\n");
                EINVAL
            })?;
            value.store(given, Relaxed);
        }
        Ok(settings)
    }

    /// A value.
    pub(crate) fn get(&self, key: Key) -> u64 {
        self.at(key as usize)
    }

    /// The value of a row of the table; 0 if there is none.
    pub(crate) fn at(&self, row: usize) -> u64 {
        self.0.get(row).map_or(0, |value| value.load(Relaxed))
    }

    /// Sets the value of a row to what `text` says. `EINVAL` if it is wrong, which the log then tells; `name`
    /// is the disk's.
    pub(crate) fn set(&self, row: usize, text: &BStr, name: &CStr) -> Result {
        let (Some(setting), Some(value)) = (SETTINGS.get(row), self.0.get(row)) else {
            return Err(ENOENT);
        };
        let of = setting.name.to_str().unwrap_or_default();
        value.store(given(setting.allowed, of, text, name)?, Relaxed);
        Ok(())
    }

    /// Capacity, in units of 512 bytes.
    pub(crate) fn sectors(&self) -> u64 {
        self.get(Key::Size) << (20 - SECTOR_SHIFT)
    }
}

/// The value that `text` is for the attribute `of` of the disk `name`. `EINVAL` if it isn't allowed, which the log
/// then tells.
pub(crate) fn given(allowed: Allowed, of: &str, text: &BStr, name: &CStr) -> Result<u64> {
    allowed.value(of, text).map_err(|invalid| {
        pr_err!("{name}: {invalid}\n");
        EINVAL
    })
}
