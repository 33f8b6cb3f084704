// SPDX-License-Identifier: GPL-2.0

//! What is expected of dif_blk.

use crate::{
    device::{BRD, COPY, DIF, DIX, NONE, NULL_BLK, SCSI_DEBUG, WINDOW},
    fio,
    result::Report,
};
use bench_lib::result::median;

/// Where the processor sums too slowly for five times scsi_debug, dif_blk has at least so much of what is possible.
const NEAR: f64 = 0.8;

/// Prints each bar and whether it holds. Whether all do.
pub(crate) fn print(report: &Report) -> bool {
    let mut all = true;
    let mut say = |holds: bool, text: String| {
        println!("{} {text}", if holds { "ok    " } else { "not ok" });
        all &= holds;
    };
    println!();
    let crc = median(report.guard_ns.clone());
    for row in fio::rows() {
        let name = row.name();
        if !report.rows.contains(&name) {
            continue;
        }
        let get = |device| report.get(&name, device);
        let large = row.bytes >= 64 << 10;
        let ratio = get(NONE) / get(NULL_BLK);
        say(
            ratio >= 1.0,
            format!("{name}: without protection {ratio:.2} of null_blk"),
        );
        let ratio = get(NONE) / get(BRD);
        let text = format!("{name}: without protection {ratio:.2} of brd");
        if large {
            say(ratio >= 1.0, text);
        } else {
            println!("       {text}");
        }
        // What a disk could have that moves data as brd does, and sums it once.
        let most = 1.0 / (1.0 / get(BRD) + crc / 1e9) / get(SCSI_DEBUG);
        let wanted: f64 = if large { 5.0 } else { 2.0 };
        let least = wanted.min(most * NEAR);
        let ratio = get(DIF) / get(SCSI_DEBUG);
        say(
            ratio >= least,
            format!(
                "{name}: with guards checked {ratio:.1} of scsi_debug, at least {least:.1} \
                 (brd and one CRC would be {most:.1})"
            ),
        );
        let ratio = get(DIX) / get(SCSI_DEBUG);
        println!("       {name}: and with tuples from outside {ratio:.1}");
        if row.shows_costs() {
            // In CRCs.
            let cost = |device| (1.0 / get(device) - 1.0 / get(NONE)) * 1e9 / crc;
            let (dif, dix) = (cost(DIF), cost(DIX));
            let above = median(
                report
                    .block_layer_ns
                    .get(&name)
                    .cloned()
                    .unwrap_or_default(),
            ) / crc;
            say(
                dif <= 1.25,
                format!("{name}: {DIF} costs {dif:.2} of one CRC, at most 1.25"),
            );
            say(
                dix - above <= 2.0,
                format!(
                    "{name}: {DIX} costs {dix:.2} of one CRC, the block layer's own {above:.2}; \
                     without that at most 2"
                ),
            );
            // The bytes are moved once more than without a window, and summed or compared once more.
            if row.write {
                for (device, most) in [(WINDOW, 5.0), (COPY, 4.0)] {
                    let window = cost(device);
                    say(
                        window <= most,
                        format!("{name}: {device} costs {window:.2} of one CRC, at most {most}"),
                    );
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a CRC of a MiB takes, in nanoseconds, and what moving it does: 1000 MiB/s.
    const CRC: f64 = 1e6;

    /// One that holds all bars, in MiB/s for writes of 1 MiB, one at a time, but for what is changed.
    fn holds(device: &str, throughput: f64) -> bool {
        let mut report = Report::new(100, 1);
        report.guard_ns.push(CRC);
        let mut rows = fio::rows().into_iter();
        let row = rows.find(|row| row.write && row.shows_costs());
        let row = row.expect("there is one");
        report.block_layer_ns.insert(row.name(), vec![CRC]);
        for (name, usual) in [
            (NONE, 1000.0),
            // Another CRC, and three of which one is the block layer's.
            (DIF, 500.0),
            (DIX, 250.0),
            (WINDOW, 180.0),
            (COPY, 210.0),
            (BRD, 1000.0),
            (NULL_BLK, 900.0),
            (SCSI_DEBUG, 90.0),
        ] {
            let mibs = if name == device { throughput } else { usual };
            report.add(&row, name, mibs);
        }
        print(&report)
    }

    #[test]
    fn each_bar_can_be_missed() {
        assert!(holds("", 0.0));
        assert!(!holds(BRD, 1010.0));
        assert!(!holds(NULL_BLK, 1010.0));
        // Less than five times, but what brd and a CRC would have.
        assert!(holds(SCSI_DEBUG, 126.0));
        assert!(!holds(DIF, 430.0));
        assert!(!holds(DIX, 240.0));
        assert!(!holds(WINDOW, 160.0));
        assert!(!holds(COPY, 190.0));
    }
}
