// SPDX-License-Identifier: GPL-2.0

//! What is said of a page that changed.

use kernel::{fmt, prelude::*};
use storage::block::bio::Origin;

/// What changed in one protection interval, and whose it is.
pub(crate) struct Violation {
    origin: Origin,
    /// First byte that differs, counted from the start of the interval.
    first: usize,
    /// Last byte that differs.
    last: usize,
}

impl Violation {
    /// Compares two readings of an interval that are not the same. `origin` tells whose the byte at
    /// an index is.
    pub(crate) fn new(was: &[u8], is: &[u8], origin: impl FnOnce(usize) -> Origin) -> Self {
        let mut differing = was
            .iter()
            .zip(is)
            .enumerate()
            .filter(|(_, (was, is))| was != is)
            .map(|(i, _)| i);
        let first = differing.next().unwrap_or(0);
        let last = differing.last().unwrap_or(first);
        Self {
            origin: origin(first),
            first,
            last,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::File { fs, ino, offset } => {
                f.write_fmt(fmt!("inode {ino} of {fs}, offset {offset}"))?;
            }
            Origin::BlockDevice { offset } => write!(f, "block device, offset {offset}")?,
            Origin::None => f.write_str("no inode")?,
        }
        write!(f, ", bytes {}-{}", self.first, self.last)
    }
}
