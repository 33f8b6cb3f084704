// SPDX-License-Identifier: GPL-2.0

//! The file or block device that the workers scribble over.

use crate::errors::Code;
use crate::pattern::{self, Pattern, FILL};
use crate::plan::Plan;
use rustix::fs::{Advice, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Why a run could not start.
#[derive(Debug)]
pub struct SetupError {
    /// One line for people.
    pub message: String,
    /// The storage failed, rather than the request being wrong.
    pub io: bool,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

fn error(path: &Path, what: &str, code: Code) -> SetupError {
    SetupError {
        message: format!("{}: {what}: {}", path.display(), code.name()),
        io: matches!(
            code.0,
            libc::EIO | libc::EILSEQ | libc::EUCLEAN | libc::EBADMSG | libc::ENODATA
        ),
    }
}

fn refuse(path: &Path, what: &str) -> SetupError {
    SetupError {
        message: format!("{}: {what}", path.display()),
        io: false,
    }
}

/// Opens the target and gives every word of it its initial contents, on disk.
///
/// A regular file is created if it is not there, and cut or extended to the
/// plan's size. A block device has to be large enough and not mounted. Either is
/// locked (`flock()`) against another wac.
///
/// # Errors
///
/// One line that says what is wrong with the target; for `O_DIRECT`, also if the
/// filesystem does not have it, or not at this block size.
pub fn prepare(path: &Path, plan: &Plan) -> Result<File, SetupError> {
    let mut flags = OFlags::RDWR | OFlags::CLOEXEC;
    let kind = match rustix::fs::stat(path) {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode),
        Err(Errno::NOENT) => FileType::RegularFile,
        Err(errno) => return Err(error(path, "stat", errno.into())),
    };
    match kind {
        FileType::RegularFile => flags |= OFlags::CREATE,
        // Refuses a device that is mounted.
        FileType::BlockDevice => flags |= OFlags::EXCL,
        _ => return Err(refuse(path, "not a regular file or a block device")),
    }
    let file: File = rustix::fs::open(path, flags, Mode::from_raw_mode(0o644))
        .map_err(|errno| error(path, "open", errno.into()))?
        .into();
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| refuse(path, "in use by another wac"))?;

    if kind == FileType::RegularFile {
        file.set_len(plan.file_size)
            .map_err(|e| error(path, "set size", Code::from(&e)))?;
    } else {
        let size = rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0))
            .map_err(|errno| error(path, "size", errno.into()))?;
        if size < plan.file_size {
            let what = format!("has {size} bytes, --file-size wants {}", plan.file_size);
            return Err(refuse(path, &what));
        }
    }
    fill(&file, plan).map_err(|e| error(path, "initial fill", Code::from(&e)))?;
    if plan.direct {
        probe_direct(path, plan)?;
    }
    Ok(file)
}

fn fill(file: &File, plan: &Plan) -> std::io::Result<()> {
    let pattern = Pattern::new(plan.seed);
    let mut words = vec![0; plan.words_per_block()];
    let mut bytes = vec![0; words.len() * 8];
    for block in 0..plan.blocks() {
        pattern.fill(&mut words, block * (plan.block_size / 8), FILL);
        pattern::to_bytes(&words, &mut bytes);
        file.write_all_at(&bytes, block * plan.block_size)?;
    }
    file.sync_all()?;
    drop_cache(file);
    Ok(())
}

/// Asks the kernel to forget the file's clean cached pages.
pub(crate) fn drop_cache(file: &File) {
    // Advice only: where it is not taken, the read-back check says what it read.
    let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
}

/// Writes block 0 once more, with `O_DIRECT`, to see if that works at all.
fn probe_direct(path: &Path, plan: &Plan) -> Result<(), SetupError> {
    let flags = OFlags::WRONLY | OFlags::DIRECT | OFlags::CLOEXEC;
    let fd =
        match rustix::fs::open(path, flags, Mode::empty()) {
            Err(Errno::INVAL) => return Err(refuse(
                path,
                "its filesystem does not support O_DIRECT; use profile A, B or C, or --buffered",
            )),
            opened => opened.map_err(|errno| error(path, "open with O_DIRECT", errno.into()))?,
        };
    let mut words = vec![0; plan.words_per_block()];
    Pattern::new(plan.seed).fill(&mut words, 0, FILL);
    let buffer = crate::mapping::SharedMapping::anonymous(plan.block_size)
        .map_err(|errno| error(path, "buffer", errno.into()))?;
    // Anonymous memory does not fault.
    let _ = buffer.store_words(0, &words);
    match buffer.write_to(rustix::fd::AsFd::as_fd(&fd), 0..words.len() * 8, 0) {
        Err(Errno::INVAL) => Err(refuse(
            path,
            &format!(
                "--block-size {} is not a multiple of what O_DIRECT needs here",
                plan.block_size
            ),
        )),
        Err(errno) => Err(error(path, "write with O_DIRECT", errno.into())),
        Ok(_) => Ok(()),
    }
}
