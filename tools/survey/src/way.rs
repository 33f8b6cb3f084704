// SPDX-License-Identifier: GPL-2.0

//! The ways in which pages are changed while they are written back.

use survey_lib::report;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Write,
    Mmap,
    Direct,
    IoUring,
    Metadata,
    Swap,
    /// A command of the user's. It is none of [`ALL`](Self::ALL).
    App(&'static str),
}

impl Way {
    /// All that are surveyed unless there is an application, in the order of the table.
    pub(crate) const ALL: [Self; 6] = [
        Self::Write,
        Self::Mmap,
        Self::Direct,
        Self::IoUring,
        Self::Metadata,
        Self::Swap,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Mmap => "mmap",
            Self::Direct => "direct",
            Self::IoUring => "io_uring",
            Self::Metadata => "metadata",
            Self::Swap => "swap",
            Self::App(_) => "app",
        }
    }

    /// The way of that name, of these.
    pub(crate) fn of_name(name: &str, ways: &[Self]) -> Result<Self, String> {
        let found = ways.iter().find(|way| way.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = ways.iter().map(|way| way.name()).collect();
            format!(
                "way '{name}' is not known: must be one of {}",
                names.join(", ")
            )
        })
    }

    /// As it is in the report.
    pub(crate) fn to_report(self) -> report::Way {
        let (title, about) = match self {
            Self::Write => (
                "buffered write()",
                "Eight threads rewrite 4 KiB blocks of a file of 64 KiB with write(), and start writeback of each with \
                 sync_file_range(). The filesystem keeps pages stable in write_begin.",
            ),
            Self::Mmap => (
                "mmap store",
                "Eight threads store to a shared mapping of a file of 64 KiB, and msync() each block. The filesystem \
                 keeps pages stable in page_mkwrite.",
            ),
            Self::Direct => (
                "direct I/O",
                "Eight threads write with O_DIRECT, and another one for each rewrites the buffer until the call returns. \
                 Only a filesystem that bounces the buffer can keep it stable.",
            ),
            Self::IoUring => (
                "io_uring fixed",
                "As direct I/O, from buffers that are registered with io_uring.",
            ),
            Self::Metadata => (
                "metadata",
                "Eight threads create, rename, link, truncate and remove files and set attributes, while another one \
                 syncs the filesystem all the time.",
            ),
            Self::Swap => (
                "swap",
                "A program rewrites more memory than it may have, which is swapped to a file or device there.",
            ),
            Self::App(command) => (
                command,
                "The command is run again and again, each time in a new directory there, while pages are written back \
                 as soon as they are dirty.",
            ),
        };
        report::Way {
            name: self.name().to_owned(),
            title: title.to_owned(),
            about: about.to_owned(),
        }
    }

    /// What wac does for it, if it does.
    pub(crate) fn wac(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Write => Some(&["--writers", "8"]),
            Self::Mmap => Some(&["--mappers", "8"]),
            Self::Direct => Some(&["--writers", "8", "--direct", "--rewrite-in-flight"]),
            Self::IoUring => Some(&[
                "--writers",
                "8",
                "--direct",
                "--rewrite-in-flight",
                "--io-uring",
            ]),
            Self::Metadata | Self::Swap | Self::App(_) => None,
        }
    }
}
