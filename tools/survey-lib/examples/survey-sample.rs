// SPDX-License-Identifier: GPL-2.0

//! `survey-sample`: prints the sample as JSON.

#![forbid(unsafe_code)]

fn main() -> Result<(), serde_json::Error> {
    serde_json::to_writer(std::io::stdout().lock(), &survey_lib::sample::report())
}
