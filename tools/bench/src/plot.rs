// SPDX-License-Identifier: GPL-2.0

//! The picture: for each row, a line from the median latency to the longest of each strategy, with a mark at
//! p99 and at p99.9.

use crate::{
    result::{Cell, Report},
    setup::Need,
};
use plotters::prelude::*;
use std::path::Path;

const COLUMNS: usize = 3;
const PANEL: (u32, u32) = (420, 260);
/// Okabe and Ito's, which everybody can tell apart.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x99, 0x99, 0x99),
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
];

/// Draws the latencies on the device that needs stable pages.
pub(crate) fn draw(report: &Report, path: &Path) -> Result<(), String> {
    panels(report, path).map_err(|error| format!("{}: {error}", path.display()))
}

fn panels(report: &Report, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let rows = report.rows();
    let lines = rows.len().div_ceil(COLUMNS);
    let size = (PANEL.0 * COLUMNS as u32, PANEL.1 * lines as u32);
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, row) in area.split_evenly((lines, COLUMNS)).iter().zip(rows) {
        let cells: Vec<&Cell> = report
            .cells
            .iter()
            .filter(|cell| cell.row == row && cell.device == Need::Yes.name())
            .collect();
        let longest = cells
            .iter()
            .map(|cell| cell.median().max)
            .fold(1e4, f64::max);
        let name = |at: f64| {
            let index = (at - 0.5).round();
            cells
                .get(index as usize)
                .filter(|_| (at - 0.5 - index).abs() < 0.01)
                .map_or(String::new(), |cell| cell.target.clone())
        };
        let mut chart = ChartBuilder::on(panel)
            .caption(row, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(32)
            .y_label_area_size(64)
            .build_cartesian_2d((1e2..longest * 1.5).log_scale(), 0.0..cells.len() as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(cells.len() * 2 + 1)
            .y_label_formatter(&|at| name(*at))
            .x_label_formatter(&|ns| wac::latency::human_ns(*ns as u64))
            .x_desc("latency: median, p99, p99.9 (circles), longest")
            .draw()?;
        for (index, (cell, colour)) in cells.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let run = cell.median();
            let at = index as f64 + 0.5;
            let ends = [run.p50, run.max].map(|ns| (ns.max(1e2), at));
            chart.draw_series(LineSeries::new(ends, colour.stroke_width(4)))?;
            chart.draw_series(
                [(run.p99, 4), (run.p999, 6)]
                    .map(|(ns, size)| Circle::new((ns.max(1e2), at), size, colour.filled())),
            )?;
        }
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::result::tests::sample;

    #[test]
    fn everybody_is_in_the_picture() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.svg");
        super::draw(&sample("stream"), &path).unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        // Two for each.
        assert_eq!(svg.matches("<circle").count(), 16);
        assert!(svg.contains("xfs"));
    }
}
