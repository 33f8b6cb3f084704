// SPDX-License-Identifier: GPL-2.0

//! The device's violation counter: a file that holds one decimal number, which
//! only ever grows. dif_blk offers one per disk in debugfs.

use std::path::{Path, PathBuf};

/// Watches a counter.
#[derive(Debug)]
pub struct Monitor {
    path: PathBuf,
    baseline: u64,
    last: u64,
    first_s: Option<f64>,
    error: Option<String>,
}

impl Monitor {
    /// Reads the counter; what it has now does not count.
    ///
    /// # Errors
    ///
    /// One line, if it can not be read or is not a number.
    pub fn start(path: &Path) -> Result<Monitor, String> {
        let baseline = read(path)?;
        Ok(Monitor {
            path: path.to_owned(),
            baseline,
            last: baseline,
            first_s: None,
            error: None,
        })
    }

    /// Reads it again, at `now_s`. A failure is kept, and polling goes on.
    pub fn poll(&mut self, now_s: f64) {
        match read(&self.path) {
            Ok(value) if value < self.last => {
                self.error = Some(format!(
                    "{}: went back from {} to {value} during the run",
                    self.path.display(),
                    self.last
                ));
            }
            Ok(value) => {
                if value > self.baseline && self.first_s.is_none() {
                    self.first_s = Some(now_s);
                }
                self.last = value;
            }
            Err(message) => self.error = Some(message),
        }
    }

    /// Violations since the start.
    pub fn violations(&self) -> u64 {
        self.last - self.baseline
    }

    /// When the first was seen, in seconds.
    pub fn first_s(&self) -> Option<f64> {
        self.first_s
    }

    /// Why the count is not to be trusted, if so.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

fn read(path: &Path) -> Result<u64, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = text.trim();
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        format!("{}: {shown:?} is not a decimal counter", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(value: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), value).unwrap();
        file
    }

    #[test]
    fn counts_from_where_it_started() {
        let file = counter("7\n");
        let mut monitor = Monitor::start(file.path()).unwrap();
        monitor.poll(0.5);
        assert_eq!((monitor.violations(), monitor.first_s()), (0, None));
        std::fs::write(file.path(), "9\n").unwrap();
        monitor.poll(1.5);
        std::fs::write(file.path(), "12\n").unwrap();
        monitor.poll(2.5);
        assert_eq!((monitor.violations(), monitor.first_s()), (5, Some(1.5)));
        assert_eq!(monitor.error(), None);
    }

    #[test]
    fn a_counter_that_disappears_or_goes_back_is_an_error() {
        let file = counter("7");
        let mut monitor = Monitor::start(file.path()).unwrap();
        std::fs::write(file.path(), "3").unwrap();
        monitor.poll(1.0);
        assert!(monitor.error().unwrap().contains("went back"));
        assert!(Monitor::start(counter("many").path())
            .unwrap_err()
            .contains("not a decimal counter"));
        assert!(Monitor::start(Path::new("/nonexistent")).is_err());
    }
}
