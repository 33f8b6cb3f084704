// SPDX-License-Identifier: GPL-2.0

//! The table: a row for each subject, a column for each way.

use crate::square::{Says, Square};
use maud::{html, Markup};
use survey_lib::report::{Kind, Report, Subject};

const KINDS: [(Kind, &str); 3] = [
    (Kind::Filesystem, "Filesystems"),
    (Kind::Stack, "Stacked devices"),
    (Kind::Application, "Applications"),
];

pub(crate) fn section(report: &Report, squares: &[Square<'_>]) -> Markup {
    html! {
        section {
            h2 id="table" { "Subjects and ways" }
            table.matrix {
                thead {
                    tr {
                        th scope="col" { "Subject" }
                        @for way in &report.ways { th scope="col" { (way.title) } }
                    }
                }
                @for (kind, title) in KINDS {
                    @if report.subjects.iter().any(|subject| subject.kind == kind) {
                        tbody {
                            tr.kind { th scope="rowgroup" colspan=(report.ways.len() + 1) { (title) } }
                            @for row in squares.chunks(report.ways.len().max(1)) {
                                @if row[0].subject.kind == kind { (line(row)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn line(row: &[Square<'_>]) -> Markup {
    html! {
        tr {
            th scope="row" {
                (row[0].subject.title)
                @if let Some(text) = propagates(row[0].subject) {
                    small.lost[row[0].subject.propagates == Some(false)] { (text) }
                }
            }
            @for square in row { td.square.(square.says().class()) { (link(square)) } }
        }
    }
}

/// Nothing is behind a square that was not run.
fn link(square: &Square<'_>) -> Markup {
    let says = square.says();
    let inside = html! {
        span.way { (square.way.title) }
        (says.mark())
        @match says {
            Says::Finding => small { "on: " (square.scope()) },
            Says::Unasked => small { "off: " (square.scope()) },
            Says::Stable => small { (square.scope()) },
            _ => {}
        }
    };
    html! {
        @if says == Says::NotRun {
            (inside)
        } @else {
            a id={ "at/" (square.id()) } href={ "#" (square.id()) } { (inside) }
        }
    }
}

/// Whether a device on top of others asks for stable pages where the lowest one does, if that is a question.
pub(crate) fn propagates(subject: &Subject) -> Option<&'static str> {
    let reaches = subject.propagates?;
    Some(if reaches {
        "the top device asks, too"
    } else {
        "the top device doesn't ask"
    })
}
