// SPDX-License-Identifier: GPL-2.0

//! One combination of a subject, a way, a capability, a window and a sector.

use crate::{square::Says, violation};
use indicatif::HumanCount;
use maud::{html, Markup};
use survey_lib::report::{Cell, Latency};
use wac::latency::human_ns;

pub(crate) fn details(cell: &Cell, open: bool) -> Markup {
    let says = Says::of(cell);
    html! {
        details.combination open[open] {
            summary {
                span { span.chip.(says.class()) { (says.mark()) } }
                span {
                    "window " (HumanCount(cell.window_us)) " µs, sectors of " (cell.sector)
                    small { (result(cell)) }
                }
            }
            @if let Some(first) = &cell.first { (violation::facts(first)) }
            dl {
                @if cell.violations > 0 {
                    dt { "Confirmed" }
                    dd { (cell.confirmed.as_deref().unwrap_or("no: only dif_blk saw it")) }
                }
                @if cell.writes > 0 {
                    dt { "Checked" }
                    dd {
                        (HumanCount(cell.writes)) " write requests, "
                        (HumanCount(cell.intervals)) " protection intervals, in "
                        (format!("{:.1}", cell.seconds)) " s"
                    }
                }
                @if let Some(report) = &cell.report { dt { "The kernel says" } dd { (report) } }
                @if let Some(latency) = &cell.latency { dt { "Latency" } dd { (figures(latency)) } }
                dt { "Reproduce" }
                dd { pre { (cell.reproduce) } }
            }
        }
    }
}

/// In a line: how hard it was tried, too, or why not.
fn result(cell: &Cell) -> String {
    if !cell.why.is_empty() {
        return cell.why.clone();
    }
    format!(
        "{} of {} intervals changed, in {} writes",
        HumanCount(cell.violations),
        HumanCount(cell.intervals),
        HumanCount(cell.writes)
    )
}

fn figures(latency: &Latency) -> Markup {
    html! {
        "p50 " (human_ns(latency.p50)) ", p99 " (human_ns(latency.p99)) ", p99.9 " (human_ns(latency.p999))
        ", longest " (human_ns(latency.max)) ", of " (HumanCount(latency.count)) " calls"
    }
}
