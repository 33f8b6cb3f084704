// SPDX-License-Identifier: GPL-2.0

//! Errors, counted by operation and errno, and which of them are real.
//!
//! When direct writers and mapped workers share a file, a direct write has to
//! throw the cached copy of its range out of the page cache. If a mapped worker
//! has dirtied the page again in between, that fails; the kernel logs "Page
//! cache invalidation failure on direct I/O" and makes the *next* `msync()` or
//! `fsync()` of every open descriptor fail with `EIO`. No device had anything to
//! do with it. Such a failure is called *mixing* here, and told apart by four
//! conditions, all of which have to hold:
//!
//! 1. the plan has both direct writers and mapped workers;
//! 2. the call collects errors for the whole file: `msync()`, `fsync()`,
//!    `fdatasync()`, `sync_file_range()`, or a `write()` on an `O_SYNC`
//!    descriptor, which ends in an `fsync()` of its own;
//! 3. the errno is `EIO`, or it is `EBUSY` from one of those or from `write()`
//!    (what the failed invalidation returns before it is turned into `EIO`);
//! 4. the device's violation counter, if one was given, has not moved.
//!
//! `EIO` from a direct `write()` itself, `EILSEQ` from anything (that is what a
//! protection error becomes) and every other errno are always real. Without
//! `--violations` a real `EIO` of the device that only an `msync()` collected can
//! not be told from mixing; the report says so.

use crate::plan::Plan;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Opening the file, or preparing the worker.
    Open,
    /// Mapping the file.
    Mmap,
    /// Making a ring, and registering the buffer.
    IoUring,
    /// `write()`, or the same with io_uring.
    Write,
    /// A store to the mapping.
    Store,
    /// `sync_file_range()`.
    SyncFileRange,
    /// `msync()`.
    Msync,
    /// `fsync()`.
    Fsync,
    /// `fdatasync()`.
    Fdatasync,
    /// Reading back.
    Read,
    /// The worker itself: it panicked or its process died.
    Worker,
}

impl Op {
    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Op::Open => "open",
            Op::Mmap => "mmap",
            Op::IoUring => "io_uring",
            Op::Write => "write",
            Op::Store => "store",
            Op::SyncFileRange => "sync_file_range",
            Op::Msync => "msync",
            Op::Fsync => "fsync",
            Op::Fdatasync => "fdatasync",
            Op::Read => "read",
            Op::Worker => "worker",
        }
    }
}

/// An errno, or a signal as a negative number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code(pub i32);

impl Code {
    /// A store to a mapping was answered with `SIGBUS`.
    pub const SIGBUS: Code = Code(-libc::SIGBUS);
    /// Zero bytes were written or read, and no error was reported.
    pub const NO_PROGRESS: Code = Code(0);

    /// Its name: `EIO`, `SIGBUS`; the number if it has none here.
    pub fn name(self) -> String {
        let name = match self.0 {
            libc::EIO => "EIO",
            libc::EILSEQ => "EILSEQ",
            libc::EBUSY => "EBUSY",
            libc::EROFS => "EROFS",
            libc::ENOSPC => "ENOSPC",
            libc::EDQUOT => "EDQUOT",
            libc::EUCLEAN => "EUCLEAN",
            libc::EINVAL => "EINVAL",
            libc::ENXIO => "ENXIO",
            libc::ENODEV => "ENODEV",
            libc::ENOMEM => "ENOMEM",
            libc::EFAULT => "EFAULT",
            libc::EFBIG => "EFBIG",
            libc::EAGAIN => "EAGAIN",
            libc::EINTR => "EINTR",
            libc::EPERM => "EPERM",
            libc::EACCES => "EACCES",
            libc::ENOENT => "ENOENT",
            libc::EMFILE => "EMFILE",
            libc::ENFILE => "ENFILE",
            libc::ETIMEDOUT => "ETIMEDOUT",
            libc::ENOLINK => "ENOLINK",
            libc::EREMOTEIO => "EREMOTEIO",
            libc::EBADE => "EBADE",
            libc::ENODATA => "ENODATA",
            libc::EBADMSG => "EBADMSG",
            libc::ESHUTDOWN => "ESHUTDOWN",
            libc::EOPNOTSUPP => "EOPNOTSUPP",
            0 => "no progress",
            n if n == -libc::SIGBUS => "SIGBUS",
            n if n < 0 => return format!("signal {}", -n),
            n => return format!("errno {n}"),
        };
        name.to_owned()
    }

    /// Trying again can not help: the worker should stop.
    pub fn is_final(self) -> bool {
        matches!(
            self.0,
            libc::EROFS
                | libc::ENOSPC
                | libc::EDQUOT
                | libc::EFBIG
                | libc::EINVAL
                | libc::EBADF
                | libc::ENODEV
                | libc::ENXIO
                | libc::ESHUTDOWN
                | libc::EPERM
                | libc::EACCES
                | libc::EOPNOTSUPP
        )
    }
}

impl From<Errno> for Code {
    fn from(errno: Errno) -> Code {
        Code(errno.raw_os_error())
    }
}

impl From<&std::io::Error> for Code {
    fn from(error: &std::io::Error) -> Code {
        match error.raw_os_error() {
            Some(errno) => Code(errno),
            None if error.kind() == std::io::ErrorKind::UnexpectedEof => Code::NO_PROGRESS,
            None => Code(libc::EIO),
        }
    }
}

/// How often one operation failed in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What failed.
    pub op: Op,
    /// How.
    pub code: Code,
    /// Its name.
    pub errno: String,
    /// How often.
    pub count: u64,
    /// When it was first seen.
    pub first_s: f64,
    /// By conditions 1 to 3 above this may be the kernel's own complaint about
    /// mixing direct and mapped I/O.
    pub mixing: bool,
}

/// A tally of errors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally(Vec<Entry>);

impl Tally {
    /// Counts one error seen at `at_s`; tells whether it may be mixing.
    pub fn record(&mut self, plan: &Plan, op: Op, code: Code, at_s: f64) -> bool {
        let mixing = may_be_mixing(plan, op, code);
        self.add(Entry {
            op,
            code,
            errno: code.name(),
            count: 1,
            first_s: at_s,
            mixing,
        });
        mixing
    }

    fn add(&mut self, entry: Entry) {
        match self
            .0
            .iter_mut()
            .find(|known| known.op == entry.op && known.code == entry.code)
        {
            Some(known) => {
                known.count += entry.count;
                known.first_s = known.first_s.min(entry.first_s);
            }
            None => self.0.push(entry),
        }
    }

    /// Adds another tally to this one.
    pub fn merge(&mut self, other: &Tally) {
        for entry in &other.0 {
            self.add(entry.clone());
        }
    }

    /// The entries.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Number of errors that may be mixing, and of all others.
    pub fn split(&self) -> (u64, u64) {
        self.0.iter().fold((0, 0), |(mixing, real), entry| {
            if entry.mixing {
                (mixing + entry.count, real)
            } else {
                (mixing, real + entry.count)
            }
        })
    }
}

/// Conditions 1 to 3 of the module's documentation.
fn may_be_mixing(plan: &Plan, op: Op, code: Code) -> bool {
    let collects = match op {
        Op::Msync | Op::Fsync | Op::Fdatasync | Op::SyncFileRange => true,
        Op::Write => plan.o_sync,
        _ => false,
    };
    plan.mixes_direct_and_mapped()
        && match code.0 {
            libc::EIO => collects,
            libc::EBUSY => collects || op == Op::Write,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    const EIO: Code = Code(libc::EIO);

    fn mixed() -> Plan {
        Plan {
            direct: true,
            ..sample()
        }
    }

    #[test]
    fn eio_of_msync_is_mixing_only_when_direct_and_mapped_share_the_file() {
        assert!(may_be_mixing(&mixed(), Op::Msync, EIO));
        assert!(!may_be_mixing(&sample(), Op::Msync, EIO));
        let direct_only = Plan {
            mappers: 0,
            ..mixed()
        };
        assert!(!may_be_mixing(&direct_only, Op::Fsync, EIO));
    }

    #[test]
    fn eio_of_a_direct_write_and_eilseq_are_always_real() {
        assert!(!may_be_mixing(&mixed(), Op::Write, EIO));
        assert!(!may_be_mixing(&mixed(), Op::Msync, Code(libc::EILSEQ)));
        assert!(!may_be_mixing(&mixed(), Op::Store, Code::SIGBUS));
        assert!(may_be_mixing(&mixed(), Op::Write, Code(libc::EBUSY)));
        let o_sync = Plan {
            o_sync: true,
            ..mixed()
        };
        assert!(may_be_mixing(&o_sync, Op::Write, EIO));
    }

    #[test]
    fn tallies_add_up() {
        let (mut a, mut b) = (Tally::default(), Tally::default());
        a.record(&mixed(), Op::Msync, EIO, 2.0);
        b.record(&mixed(), Op::Msync, EIO, 1.0);
        b.record(&mixed(), Op::Write, EIO, 3.0);
        a.merge(&b);
        assert_eq!(a.split(), (2, 1));
        assert_eq!(a.entries()[0].first_s, 1.0);
    }
}
