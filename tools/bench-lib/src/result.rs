// SPDX-License-Identifier: GPL-2.0

//! Medians, and results as JSON.

use crate::system;
use serde::{de::DeserializeOwned, Serialize};
use std::path::Path;

/// 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        even if even % 2 == 0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

/// A result from a file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    serde_json::from_str(&system::read(path)?)
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// A result to a file.
pub fn write(path: &Path, result: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(result).map_err(|error| error.to_string())?;
    system::put(path, &(text + "\n"))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        for (values, expected) in [
            (vec![], 0.0),
            (vec![3.0], 3.0),
            (vec![9.0, 1.0], 5.0),
            (vec![9.0, 1.0, 2.0], 2.0),
        ] {
            assert_eq!(median(values), expected);
        }
    }
}
