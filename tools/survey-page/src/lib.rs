// SPDX-License-Identifier: GPL-2.0

//! The result of the survey as one HTML page, without scripts and without anything from elsewhere.
//!
//! | module | subject |
//! | --- | --- |
//! | `square` | what the combinations of a subject and a way say together |
//! | `head` | what was surveyed, in words; findings; what signs mean |
//! | `matrix` | the table of subjects and ways |
//! | `detail` | what is behind a square of it |
//! | `combination` | one combination in there |
//! | `violation` | the first violation in there |
//! | `plot` | latencies in there |
//!
//! `page.css` is how it looks. A square of the table is a link to its details, which `:target` shows: that
//! works in each browser, with a keyboard, and has an address. Within them `<details>` are the combinations.
//! maud escapes all that comes from the report.

#![forbid(unsafe_code)]

mod combination;
mod detail;
mod head;
mod matrix;
mod plot;
mod square;
mod violation;

use maud::{html, PreEscaped, DOCTYPE};
use square::Square;
use survey_lib::report::Report;

/// The page of a report that [`survey_lib::check`] has nothing against. The error is that of a plot.
pub fn page(report: &Report) -> Result<String, String> {
    let squares = Square::all(report);
    let details = squares
        .iter()
        .filter(|square| !square.cells.is_empty())
        .map(detail::section)
        .collect::<Result<Vec<_>, _>>()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                // The browser, too, keeps scripts and what is elsewhere away.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Who keeps pages stable: " (report.kernel) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                (head::header(report, &squares))
                main {
                    div.beside {
                        (head::summary(report, &squares))
                        (head::legend())
                    }
                    div.beside {
                        (matrix::section(report, &squares))
                        aside aria-label="Details" {
                            @for section in details { (section) }
                            p.choose { "Choose a square of the table to see what is behind it." }
                        }
                    }
                }
                (head::again(report))
            }
        }
    };
    Ok(page.into_string())
}
