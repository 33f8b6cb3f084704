// SPDX-License-Identifier: GPL-2.0

//! The program `wac`: reads the command line, runs, reports, exits with
//! 0 (clean), 1 (violation or I/O error seen) or 2 (wrong usage, could not start).

#![forbid(unsafe_code)]

use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use wac::args::{self, Request, RunOptions, VerifyOptions};
use wac::report::{self, Report};
use wac::target::SetupError;
use wac::worker::Live;
use wac::{process, run, verify};

fn main() -> ExitCode {
    let request = match args::parse(std::env::args_os()) {
        Ok(request) => request,
        Err(args::Stop { text, status }) => {
            if status == 0 {
                print(&text);
            } else {
                complain(&text);
            }
            return ExitCode::from(status);
        }
    };
    let done = match request {
        Request::Run(options) => do_run(&options),
        Request::Verify(options) => do_verify(&options),
        Request::Worker { file } => {
            let live = live();
            return match process::child(&file, &live) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
    };
    match done {
        Ok(clean) => ExitCode::from(u8::from(!clean)),
        Err(error) => {
            complain(&error.message);
            ExitCode::from(if error.io { 1 } else { 2 })
        }
    }
}

/// Live figures whose `stop` is set by the first SIGINT or SIGTERM; the second
/// kills.
fn live() -> Arc<Live> {
    let live = Arc::new(Live::default());
    for signal in [SIGINT, SIGTERM] {
        // Order matters: the second signal finds `stop` set. If either can not be
        // registered, the signal kills at once, as it would anyway.
        let stop = &live.stop;
        let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(stop)));
    }
    live
}

fn do_run(options: &RunOptions) -> Result<bool, SetupError> {
    // An early mistake: better now than after the run.
    let json = options
        .json
        .as_deref()
        .map(report::Output::open)
        .transpose()
        .map_err(usage)?;
    let report = run::run(options, live())?;
    let summary = report.summary();
    if json.as_ref().is_some_and(report::Output::is_stdout) {
        let _ = write!(std::io::stderr(), "{summary}");
    } else {
        print(&summary);
    }
    if let Some(json) = json {
        json.write(&report).map_err(usage)?;
    }
    Ok(report.is_clean())
}

fn do_verify(options: &VerifyOptions) -> Result<bool, SetupError> {
    let report = Report::read(&options.result).map_err(usage)?;
    let readback = verify::verify_file(&options.file, &report)?;
    print(&report::readback_summary(&readback));
    Ok(readback.is_clean())
}

fn usage(message: String) -> SetupError {
    SetupError { message, io: false }
}

fn print(text: &str) {
    // A reader that went away does not change the verdict.
    let _ = write!(std::io::stdout(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "wac: {text}");
}
