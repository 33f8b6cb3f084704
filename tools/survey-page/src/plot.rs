// SPDX-License-Identifier: GPL-2.0

//! Latencies: for each window, which part of the calls took longer than what time.

use indicatif::HumanCount;
use maud::{html, Markup, PreEscaped};
use plotters::prelude::*;
use std::{collections::BTreeMap, error::Error};
use survey_lib::report::{Capability, Cell, Latency};
use wac::latency::human_ns;

/// In pixels: two have room beside the table, one on a phone.
const SIZE: (u32, u32) = (264, 180);

/// The lines of a picture. `page.css` knows them by these colours, and has others in their place.
const LINES: [(Capability, u32, RGBColor); 4] = [
    (Capability::On, 512, RGBColor(0x00, 0x72, 0xb2)),
    (Capability::On, 4096, RGBColor(0x56, 0xb4, 0xe9)),
    (Capability::Off, 512, RGBColor(0xd5, 0x5e, 0x00)),
    (Capability::Off, 4096, RGBColor(0xe6, 0x9f, 0x00)),
];
const TEXT: RGBColor = RGBColor(0x60, 0x60, 0x60);
const GRID: RGBColor = RGBColor(0xc0, 0xc0, 0xc0);

/// A line: nanoseconds, and which part of the calls took longer.
type Curve = Vec<(f64, f64)>;

/// What is drawn, the same for all windows: from and to how many nanoseconds, and down to which part.
struct Frame {
    least: f64,
    longest: f64,
    rarest: f64,
}

/// Nothing if no combination has latencies.
pub(crate) fn section(cells: &[&Cell]) -> Result<Markup, String> {
    let mut windows: BTreeMap<u64, Vec<(RGBColor, Curve)>> = BTreeMap::new();
    for (capability, sector, colour) in LINES {
        let mine = |cell: &&&Cell| (cell.capability, cell.sector) == (capability, sector);
        for cell in cells.iter().filter(mine) {
            if let Some(latency) = &cell.latency {
                let curves = windows.entry(cell.window_us).or_default();
                curves.push((colour, curve(latency)));
            }
        }
    }
    let points = || windows.values().flatten().flat_map(|(_, curve)| curve);
    let least = points().map(|point| point.0).fold(1e9, f64::min);
    let frame = Frame {
        least,
        longest: points().map(|point| point.0).fold(least * 10.0, f64::max),
        rarest: points().map(|point| point.1).fold(0.01, f64::min),
    };
    let figures = windows
        .into_iter()
        .map(|(window_us, curves)| Ok((window_us, draw(&frame, curves)?)))
        .collect::<Result<Vec<_>, Box<dyn Error>>>()
        .map_err(|error| format!("plot: {error}"))?;
    Ok(html! {
        @if !figures.is_empty() {
            h4 { "Latency of the calls that change pages" }
            p.note { "Of all calls, the part that took longer than the time below." }
            div.plots {
                @for (window_us, svg) in figures {
                    figure {
                        figcaption { "window " (HumanCount(window_us)) " µs" }
                        (PreEscaped(svg))
                    }
                }
            }
            ul.key {
                @for (capability, sector, colour) in LINES {
                    li {
                        svg width="28" height="6" aria-hidden="true" {
                            polyline points="0,3 28,3" stroke=(hex(colour)) stroke-width="2" {}
                        }
                        @if capability == Capability::On { " on" } @else { " off" }
                        ", sectors of " (sector)
                    }
                }
            }
        }
    })
}

/// As plotters writes it.
fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

fn draw(frame: &Frame, curves: Vec<(RGBColor, Curve)>) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin_top(8)
        .margin_right(16)
        .x_label_area_size(22)
        .y_label_area_size(52)
        .build_cartesian_2d(
            (frame.least..frame.longest * 1.2).log_scale(),
            (frame.rarest..1.0).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style(("sans-serif", 11).into_font().color(&TEXT))
        .x_labels(4)
        .y_labels(4)
        .x_label_formatter(&|ns| human_ns(*ns as u64))
        .y_label_formatter(&|part| format!("{} %", part * 100.0))
        .draw()?;
    for (colour, curve) in curves {
        chart.draw_series(LineSeries::new(curve, colour.stroke_width(2)))?;
    }
    area.present()?;
    drop(chart);
    drop(area);
    Ok(svg)
}

/// There is no logarithm of nothing: the last class ends at the longest call, and as high as it began.
fn curve(latency: &Latency) -> Curve {
    let mut left = latency.count;
    let mut points = Vec::new();
    for &(bound, count) in latency.histogram.iter().filter(|class| class.1 > 0) {
        let longer = left - count;
        let part = if longer > 0 { longer } else { left };
        points.push((
            bound.clamp(1, latency.max.max(1)) as f64,
            part as f64 / latency.count as f64,
        ));
        left = longer;
    }
    points
}

#[cfg(test)]
mod tests {
    use super::curve;
    use survey_lib::report::Latency;

    #[test]
    fn a_curve_falls_to_the_last_call() {
        let latency = Latency {
            count: 100,
            p50: 10,
            p99: 20,
            p999: 37,
            max: 37,
            histogram: vec![(10, 90), (15, 0), (20, 9), (40, 1)],
        };
        assert_eq!(curve(&latency), [(10.0, 0.1), (20.0, 0.01), (37.0, 0.01)]);
    }

    #[test]
    fn no_calls_are_no_curve() {
        let latency = Latency {
            count: 0,
            p50: 0,
            p99: 0,
            p999: 0,
            max: 0,
            histogram: vec![],
        };
        assert_eq!(curve(&latency), []);
    }
}
