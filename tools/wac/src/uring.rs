// SPDX-License-Identifier: GPL-2.0

//! Writing a buffer with io_uring, which knows it beforehand: its pages stay pinned from one write to
//! the next (`IORING_REGISTER_BUFFERS`, `IORING_OP_WRITE_FIXED`).

#![expect(
    unsafe_code,
    reason = "the kernel reads memory after the call that told it of it"
)]

use crate::mapping::SharedMapping;
use io_uring::{opcode, types, IoUring};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;
use std::ops::Range;
use std::sync::Arc;

/// A ring with one registered buffer, for one write at a time.
pub struct Ring {
    // Goes first: until then the kernel may have the buffer.
    ring: IoUring,
    buffer: Arc<SharedMapping>,
    /// A write went wrong in a way that leaves open whether it is under way.
    broken: Option<Errno>,
}

impl Ring {
    /// A ring for writes of `buffer`.
    ///
    /// # Errors
    ///
    /// What `io_uring_setup()` and `io_uring_register()` return: `ENOSYS` or `EPERM` where there is none,
    /// `ENOMEM` beyond `RLIMIT_MEMLOCK`.
    pub fn new(buffer: Arc<SharedMapping>) -> Result<Ring, Errno> {
        let ring = IoUring::new(1).map_err(|error| errno(&error))?;
        let vector = libc::iovec {
            iov_base: buffer.as_ptr(),
            iov_len: buffer.words() * 8,
        };
        // SAFETY: The memory is mapped for as long as the ring is there, which has a reference to the mapping and
        // goes first. Nobody relies on what is in it: it is reached by atomics only.
        unsafe { ring.submitter().register_buffers(&[vector]) }.map_err(|error| errno(&error))?;
        Ok(Ring {
            ring,
            buffer,
            broken: None,
        })
    }

    /// Writes the bytes `range` of the buffer to `offset` of `fd`, and waits for that. Others may change them
    /// meanwhile. Returns the number of bytes written.
    ///
    /// # Errors
    ///
    /// What the write returns; `EINVAL` if the range is not inside the buffer.
    pub fn write_to(
        &mut self,
        fd: BorrowedFd<'_>,
        range: Range<usize>,
        offset: u64,
    ) -> Result<usize, Errno> {
        if let Some(errno) = self.broken {
            return Err(errno);
        }
        let address = self.buffer.address(&range)?;
        let len = u32::try_from(range.len()).map_err(|_| Errno::INVAL)?;
        let entry = opcode::WriteFixed::new(types::Fd(fd.as_raw_fd()), address.cast(), len, 0)
            .offset(offset)
            .build();
        // SAFETY: The kernel reads `len` bytes of the registered buffer, inside of it. Those and the descriptor stay
        // until the write is complete, which is waited for below.
        unsafe { self.ring.submission().push(&entry) }.map_err(|_| Errno::BUSY)?;
        loop {
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                // What was submitted goes on; what was not is, the next time.
                Err(error) if matches!(errno(&error), Errno::INTR | Errno::AGAIN) => continue,
                Err(error) => {
                    self.broken = Some(errno(&error));
                    return Err(errno(&error));
                }
            }
            if let Some(completion) = self.ring.completion().next() {
                let result = completion.result();
                return usize::try_from(result).map_err(|_| Errno::from_raw_os_error(-result));
            }
        }
    }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;
    use std::os::unix::fs::FileExt;

    #[test]
    fn what_is_in_the_buffer_is_in_the_file() {
        let buffer = Arc::new(SharedMapping::anonymous(4096).unwrap());
        buffer.store_words(0, &[1, 2, 3]).unwrap();
        let mut ring = match Ring::new(Arc::clone(&buffer)) {
            // Where a sandbox forbids it.
            Err(Errno::NOSYS | Errno::PERM) => return,
            ring => ring.unwrap(),
        };
        let file = tempfile::tempfile().unwrap();
        assert_eq!(ring.write_to(file.as_fd(), 8..24, 100), Ok(16));
        let mut bytes = [0; 16];
        file.read_exact_at(&mut bytes, 100).unwrap();
        assert_eq!(bytes[..8], 2_u64.to_le_bytes());
        assert_eq!(bytes[8..], 3_u64.to_le_bytes());
        assert_eq!(ring.write_to(file.as_fd(), 0..8192, 0), Err(Errno::INVAL));
        let closed = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(ring.write_to(closed.as_fd(), 0..8, 0), Err(Errno::BADF));
    }
}
