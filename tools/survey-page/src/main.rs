// SPDX-License-Identifier: GPL-2.0

//! `survey-page`: see the library.

#![forbid(unsafe_code)]

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Makes one HTML page of the result of a survey
#[derive(Parser)]
#[command(version)]
struct Args {
    /// As the survey wrote it
    report: PathBuf,
    /// The page; it needs nothing else
    page: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match done(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("survey-page: {error}");
            ExitCode::from(2)
        }
    }
}

fn done(args: &Args) -> Result<(), String> {
    let page = survey_page::page(&survey_lib::read(&args.report)?)?;
    std::fs::write(&args.page, page).map_err(|error| format!("{}: {error}", args.page.display()))
}
