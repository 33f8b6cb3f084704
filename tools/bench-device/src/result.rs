// SPDX-License-Identifier: GPL-2.0

//! What was measured.

use crate::fio::Row;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// All that was measured in one boot.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// `uname -r`
    kernel: String,
    /// Of a run.
    ms: u64,
    runs: u32,
    /// Names of rows, in their order.
    pub(crate) rows: Vec<String>,
    /// Names of devices, in their order.
    devices: Vec<String>,
    /// MiB/s of each run, by row and device.
    throughput: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
    /// Nanoseconds that the kernel's CRC library needs for one MiB.
    pub(crate) guard_ns: Vec<f64>,
    /// MiB of memory for each GiB that is stored, by device.
    pub(crate) memory: BTreeMap<String, f64>,
}

/// 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        even if even % 2 == 0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

impl Report {
    pub(crate) fn new(ms: u64, runs: u32) -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            kernel: kernel.trim().to_owned(),
            ms,
            runs,
            rows: Vec::new(),
            devices: Vec::new(),
            throughput: BTreeMap::new(),
            guard_ns: Vec::new(),
            memory: BTreeMap::new(),
        }
    }

    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| said(&error))?;
        serde_json::from_str(&text).map_err(|error| said(&error))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        std::fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(crate) fn add(&mut self, row: &Row, device: &str, throughput: f64) {
        let name = row.name();
        if !self.rows.contains(&name) {
            self.rows.push(name.clone());
        }
        if !self.devices.iter().any(|known| known == device) {
            self.devices.push(device.to_owned());
        }
        let row = self.throughput.entry(name).or_default();
        row.entry(device.to_owned()).or_default().push(throughput);
    }

    /// The median of a device in a row, in MiB/s; 0 if there is none.
    pub(crate) fn get(&self, row: &str, device: &str) -> f64 {
        let runs = self.throughput.get(row).and_then(|row| row.get(device));
        runs.map_or(0.0, |runs| median(runs))
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "kernel {}, {} runs of {} ms, medians, MiB/s\n\n{:20}",
            self.kernel, self.runs, self.ms, ""
        );
        for device in &self.devices {
            let _ = write!(text, " {device:>12}");
        }
        for row in &self.rows {
            let _ = write!(text, "\n{row:20}");
            for device in &self.devices {
                let _ = write!(text, " {:12.1}", self.get(row, device));
            }
        }
        let _ = write!(
            text,
            "\n\nthe kernel's CRC library: {:.0} ns for one MiB\n",
            median(&self.guard_ns)
        );
        for (device, mib) in &self.memory {
            let _ = writeln!(text, "{device}: {mib:.0} MiB of memory for each GiB stored");
        }
        text
    }
}
