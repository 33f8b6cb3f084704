// SPDX-License-Identifier: GPL-2.0

//! Programs, and files of the kernel.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Calls a program. The error is what it says if it fails.
pub fn call(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(args)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}", args.join(" "), said.trim()))
}

/// The text of a file.
pub fn read(path: impl AsRef<Path>) -> Result<String, String> {
    let path = path.as_ref();
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes text to a file.
pub fn put(path: impl AsRef<Path>, text: &str) -> Result<(), String> {
    let path = path.as_ref();
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The number that a text is.
pub fn number(text: &str) -> Result<u64, String> {
    let text = text.trim();
    text.parse().map_err(|_| format!("'{text}' is no number"))
}

/// `uname -r`
pub fn kernel() -> String {
    let text = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}
