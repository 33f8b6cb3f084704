// SPDX-License-Identifier: GPL-2.0

//! What is behind a square of the table.

use crate::{
    combination, matrix, plot,
    square::{Says, Square},
};
use maud::{html, Markup};
use survey_lib::report::{Capability, Cell};

pub(crate) fn section(square: &Square<'_>) -> Result<Markup, String> {
    let id = square.id();
    let (subject, says) = (square.subject, square.says());
    let latencies = plot::section(&square.cells)?;
    Ok(html! {
        section.detail id=(id) aria-labelledby={ "h/" (id) } {
            a.back href={ "#at/" (id) } { "Back to the table" }
            h3 id={ "h/" (id) } { (subject.title) ": " (square.way.title) }
            p { span.chip.(says.class()) { (says.mark()) } " " (says.meaning()) }
            p { (subject.about) " " (square.way.about) }
            @if let Some(text) = matrix::propagates(subject) {
                p { "Where the lowest device of the stack asks for stable pages, " (text) "." }
            }
            (combinations(square, Capability::On, "Where the device asks (capability on)"))
            (combinations(square, Capability::Off, "Where it doesn't (capability off)"))
            (latencies)
            h4 { "How it is made and mounted" }
            pre { (subject.recipe) }
        }
    })
}

/// Those with a capability; what the square says of a change is open.
fn combinations(square: &Square<'_>, capability: Capability, title: &str) -> Markup {
    let cells: Vec<&Cell> = square
        .cells
        .iter()
        .copied()
        .filter(|cell| cell.capability == capability)
        .collect();
    let says = square.says();
    let open = cells
        .iter()
        .position(|cell| says <= Says::Unasked && Says::of(cell) == says);
    html! {
        @if !cells.is_empty() {
            h4 { (title) }
            @for (index, cell) in cells.into_iter().enumerate() {
                (combination::details(cell, open == Some(index)))
            }
        }
    }
}
