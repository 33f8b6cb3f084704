// SPDX-License-Identifier: GPL-2.0

//! What was measured.

use crate::fio::Row;
use bench_lib::{result::median, system};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

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
    /// Nanoseconds that the block layer needs itself for the tuples of one MiB, by row.
    pub(crate) block_layer_ns: BTreeMap<String, Vec<f64>>,
    /// MiB of memory for each GiB that is stored, by device.
    pub(crate) memory: BTreeMap<String, f64>,
}

impl Report {
    pub(crate) fn new(ms: u64, runs: u32) -> Self {
        Self {
            kernel: system::kernel(),
            ms,
            runs,
            rows: Vec::new(),
            devices: Vec::new(),
            throughput: BTreeMap::new(),
            guard_ns: Vec::new(),
            block_layer_ns: BTreeMap::new(),
            memory: BTreeMap::new(),
        }
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
        runs.map_or(0.0, |runs| median(runs.clone()))
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
                let _ = match self.get(row, device) {
                    0.0 => write!(text, " {:>12}", "-"),
                    throughput => write!(text, " {throughput:12.1}"),
                };
            }
        }
        let _ = write!(
            text,
            "\n\nthe kernel's CRC library: {:.0} ns for one MiB\n",
            median(self.guard_ns.clone())
        );
        for (device, mib) in &self.memory {
            let _ = writeln!(text, "{device}: {mib:.0} MiB of memory for each GiB stored");
        }
        text
    }
}
