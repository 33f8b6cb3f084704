// SPDX-License-Identifier: GPL-2.0

//! What the kernel logs while something runs.

use rustix::fs::{Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// The kernel's log, from some moment on.
pub(crate) struct Log(OwnedFd);

impl Log {
    /// From now on.
    pub(crate) fn now() -> Result<Self, String> {
        const PATH: &str = "/dev/kmsg";
        let said = |error: Errno| format!("{PATH}: {error}");
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let log = rustix::fs::open(PATH, flags, Mode::empty()).map_err(said)?;
        rustix::fs::seek(&log, SeekFrom::End(0)).map_err(said)?;
        Ok(Self(log))
    }

    /// The messages since then.
    pub(crate) fn read(self) -> Vec<String> {
        let mut found = Vec::new();
        let mut record = [0; 8192];
        loop {
            match rustix::io::read(&self.0, &mut record) {
                Ok(bytes) if bytes > 0 => {
                    let record = String::from_utf8_lossy(&record[..bytes]);
                    found.extend(message(&record));
                }
                // What was overwritten meanwhile is lost, the rest is not.
                Err(Errno::PIPE | Errno::INTR) => {}
                _ => return found,
            }
        }
    }
}

/// The message of a record: `6,339,5140900,-;message` and lines with more.
fn message(record: &str) -> Option<String> {
    let (_, message) = record.lines().next()?.split_once(';')?;
    Some(message.trim().to_owned())
}

/// The first of them that says that something is wrong with the kernel.
pub(crate) fn report(messages: &[String]) -> Option<String> {
    const BEGIN: [&str; 4] = ["WARNING: ", "BUG: ", "kernel BUG at ", "Oops: "];
    let wrong = |message: &&String| BEGIN.iter().any(|text| message.starts_with(text));
    messages.iter().find(wrong).cloned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn records() {
        let record = "6,339,5140900,-;a; b\n SUBSYSTEM=x\n";
        assert_eq!(super::message(record).as_deref(), Some("a; b"));
        assert_eq!(super::message("none"), None);
    }

    #[test]
    fn reports() {
        let said = ["ready", "WARNING: a.c:1 at f", "BUG: b"].map(str::to_owned);
        assert_eq!(super::report(&said).as_deref(), Some("WARNING: a.c:1 at f"));
        assert_eq!(super::report(&said[..1]), None);
    }
}
