// SPDX-License-Identifier: GPL-2.0

//! One run of fio.

use std::path::Path;
use std::process::Command;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) write: bool,
    pub(crate) bytes: u64,
    depth: u32,
    jobs: u32,
}

/// All of them.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for write in [false, true] {
        for bytes in [4 << 10, 64 << 10, 1 << 20] {
            for depth in [1, 32] {
                for jobs in [1, 2] {
                    rows.push(Row {
                        write,
                        bytes,
                        depth,
                        jobs,
                    });
                }
            }
        }
    }
    rows
}

impl Row {
    pub(crate) fn name(&self) -> String {
        format!(
            "{} {} qd{} jobs{}",
            if self.write { "write" } else { "read" },
            match self.bytes >> 10 {
                1024 => "1m".to_owned(),
                kib => format!("{kib}k"),
            },
            self.depth,
            self.jobs
        )
    }

    /// One large request at a time: throughput is the inverse of the time that a request takes, which is that of its
    /// bytes.
    pub(crate) fn shows_costs(&self) -> bool {
        self.depth == 1 && self.jobs == 1 && self.bytes == 1 << 20
    }

    /// MiB/s of a device.
    pub(crate) fn run(&self, device: &Path, ms: u64) -> Result<f64, String> {
        let output = Command::new("fio")
            .arg("--name=bench")
            .arg(format!("--filename={}", device.display()))
            .arg(format!(
                "--rw={}",
                if self.write { "randwrite" } else { "randread" }
            ))
            .arg(format!("--bs={}", self.bytes))
            .arg(format!("--iodepth={}", self.depth))
            .arg(format!("--numjobs={}", self.jobs))
            .arg(format!("--runtime={ms}ms"))
            .args([
                "--direct=1",
                "--ioengine=io_uring",
                "--thread",
                "--time_based",
                "--norandommap",
                "--randrepeat=0",
                "--group_reporting",
                "--output-format=json",
            ])
            .output()
            .map_err(|error| format!("fio: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("fio, {}: {}", self.name(), said.trim()));
        }
        let result: serde_json::Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("fio, {}: {error}", self.name()))?;
        let way = if self.write { "write" } else { "read" };
        result["jobs"][0][way]["bw_bytes"]
            .as_f64()
            .filter(|bandwidth| *bandwidth > 0.0)
            .map(|bandwidth| bandwidth / 1_048_576.0)
            .ok_or_else(|| format!("fio, {}: no bandwidth", self.name()))
    }
}
