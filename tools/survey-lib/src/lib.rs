// SPDX-License-Identifier: GPL-2.0

//! The result of the survey: which filesystems and devices keep their pages stable. As JSON between who
//! finds it out and who shows it. What may not live here: how either is done.
//!
//! | module | subject |
//! | --- | --- |
//! | [`report`] | the types |
//! | [`check`] | what a report may say |
//! | [`sample`] | a report of which nothing was measured, for tests |
//!
//! Errors are one line that names what was wrong and what is allowed.

#![forbid(unsafe_code)]

pub mod check;
pub mod report;
pub mod sample;

use report::{Report, VERSION};
use serde::Deserialize;
use std::path::Path;

/// Reads a report, and checks it.
pub fn read(path: &Path) -> Result<Report, String> {
    std::fs::read_to_string(path)
        .map_err(|error| error.to_string())
        .and_then(|text| parse(&text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// A report from JSON, checked.
pub fn parse(json: &str) -> Result<Report, String> {
    #[derive(Deserialize)]
    struct Format {
        version: u32,
    }
    // First, since a report of another format has other fields, too.
    let Format { version } = from(json)?;
    if version != VERSION {
        return Err(format!("version={version} is not known: must be {VERSION}"));
    }
    let report = from(json)?;
    check::report(&report)?;
    Ok(report)
}

fn from<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}
