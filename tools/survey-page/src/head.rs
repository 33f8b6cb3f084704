// SPDX-License-Identifier: GPL-2.0

//! What was surveyed, in words; findings; what the signs mean.

use crate::square::{Says, Square};
use indicatif::HumanCount;
use maud::{html, Markup};
use survey_lib::report::{Capability, Report, Subject};

pub(crate) fn header(report: &Report, squares: &[Square<'_>]) -> Markup {
    html! {
        header {
            h1 { "Who keeps pages stable" }
            dl {
                div { dt { "Kernel" } dd { (report.kernel) } }
                div { dt { "Machine" } dd { (report.machine) } }
                div { dt { "Date" } dd { time { (report.date) } } }
                div { dt { "Survey" } dd { (report.revision) ", " (report.seconds) " s a combination" } }
            }
            p { (numbers(report, squares)) }
            nav {
                a href="#findings" { "Findings" } " "
                a href="#legend" { "How to read the table" } " "
                a href="#table" { "Subjects and ways" } " "
                a href="#again" { "Run it again" }
            }
        }
    }
}

/// What came out, findings first: way by way, since those of one way often have one reason.
pub(crate) fn summary(report: &Report, squares: &[Square<'_>]) -> Markup {
    let findings: Vec<_> = squares
        .iter()
        .filter(|square| square.says() == Says::Finding)
        .collect();
    html! {
        section {
            h2 id="findings" { (counted(findings.len() as u64, "finding")) }
            @if findings.is_empty() {
                p { "No page changed under writeback where the device asks for stable pages." }
            } @else {
                p {
                    "Pages changed under writeback although the device asks for stable ones. With each: in how \
                     many combinations, what was the first to change, and after how long."
                }
            }
            @for way in &report.ways {
                @let findings: Vec<_> = findings.iter().filter(|square| square.way == way).collect();
                @if !findings.is_empty() {
                    h3 { (way.title) }
                    p.note { (way.about) }
                    ul.findings { @for square in findings { li { (finding(square)) } } }
                }
            }
        }
    }
}

fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", HumanCount(number))
}

/// With the violation that came first.
fn finding(square: &Square<'_>) -> Markup {
    let first = square
        .cells
        .iter()
        .filter(|cell| cell.capability == Capability::On)
        .filter_map(|cell| cell.first.as_ref())
        .min_by(|a, b| a.seconds.total_cmp(&b.seconds));
    html! {
        a href={ "#" (square.id()) } { (square.subject.title) }
        " " span.note {
            (square.scope())
            @if let Some(first) = first {
                "; " (first.what) ", " (format!("{:.2}\u{a0}s", first.seconds))
            }
        }
    }
}

fn numbers(report: &Report, squares: &[Square<'_>]) -> String {
    let count = |says| {
        squares
            .iter()
            .filter(|square| square.says() == says)
            .count()
    };
    let (findings, unasked, stable) = (
        count(Says::Finding),
        count(Says::Unasked),
        count(Says::Stable),
    );
    let stacks = |propagates| {
        let those = |subject: &&Subject| subject.propagates == Some(propagates);
        report.subjects.iter().filter(those).count()
    };
    let writes = report.cells.iter().map(|cell| cell.writes);
    let writes = writes.fold(0, u64::saturating_add);
    let mut text = format!(
        "Looked at: {} in {}, {}, {} checked. Of the {} of the table: {findings} unstable although the device asks \
         for stable pages, {unasked} only where it doesn't, {stable} stable, {} that could not be checked.",
        counted(report.subjects.len() as u64, "subject"),
        counted(report.ways.len() as u64, "way"),
        counted(report.cells.len() as u64, "combination"),
        counted(writes, "write"),
        counted(squares.len() as u64, "square"),
        squares.len() - findings - unasked - stable,
    );
    let (lost, passed) = (stacks(false), stacks(true));
    if lost + passed > 0 {
        let of = counted((lost + passed) as u64, "stack");
        text +=
            &format!(" In {lost} of {of} the top device doesn't ask where the lowest one does.");
    }
    text
}

/// What the signs mean.
pub(crate) fn legend() -> Markup {
    html! {
        section {
            h2 id="legend" { "How to read the table" }
            p {
                "A page is stable if it doesn't change while it is under writeback. The block device dif_blk looks at \
                 the pages of a write when it is submitted, and again when its window has passed. Each square is a \
                 subject and a way to change pages; it says the worst of its combinations of window, sector size, \
                 and whether the device asks for stable pages (on) or doesn't (off)."
            }
            dl.legend {
                @for says in Says::ALL {
                    dt { span.chip.(says.class()) { (says.mark()) } }
                    dd { (says.meaning()) }
                }
            }
        }
    }
}

/// How to do it again.
pub(crate) fn again(report: &Report) -> Markup {
    html! {
        footer {
            h2 id="again" { "Run it again" }
            pre { (report.reproduce) }
        }
    }
}
