// SPDX-License-Identifier: GPL-2.0

//! A worker that calls `write()` with `O_DIRECT`: the device reads the worker's
//! own buffer; with `--io-uring`, one that it has registered. With `--rewrite-in-flight` a companion thread keeps changing that
//! buffer for as long as the call has not returned, which is what an application
//! does that reuses a buffer too early. Only a copy (a bounce) of the buffer can
//! keep such a write stable.
//!
//! The companion changes a word from one variant of *this* operation to the next
//! by compare-and-exchange. If it is late and the worker is already at another
//! operation, the comparison fails, so it never spoils the next one and needs no
//! handshake.

use super::Medium;
use crate::errors::{Code, Op};
use crate::mapping::SharedMapping;
use crate::pattern::{Pattern, Stamp, VARIANTS};
use crate::plan::Plan;
use crate::uring::Ring;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;

/// The descriptor, the buffer, and the ring and the companion if there are any.
pub(super) struct Direct {
    fd: OwnedFd,
    buffer: Arc<SharedMapping>,
    ring: Option<Ring>,
    block_size: usize,
    companion: Option<Companion>,
}

impl Direct {
    pub(super) fn open(plan: &Plan, id: u16, path: &Path) -> Result<Direct, (Op, Errno)> {
        let fd = super::open(plan, path, OFlags::WRONLY)?;
        let buffer = SharedMapping::anonymous(plan.block_size)
            .map(Arc::new)
            .map_err(|errno| (Op::Mmap, errno))?;
        let ring = plan
            .io_uring
            .then(|| Ring::new(Arc::clone(&buffer)))
            .transpose()
            .map_err(|errno| (Op::IoUring, errno))?;
        let companion = plan
            .rewrite_in_flight
            .then(|| Companion::start(plan, id, Arc::clone(&buffer)))
            .transpose()
            .map_err(|errno| (Op::Worker, errno))?;
        Ok(Direct {
            fd,
            buffer,
            ring,
            block_size: plan.words_per_block() * 8,
            companion,
        })
    }
}

impl Medium for Direct {
    const OP: Op = Op::Write;

    fn write(&mut self, seq: u32, block: u64, words: &[u64]) -> Result<(), Code> {
        self.buffer
            .store_words(0, words)
            .map_err(|_| Code::SIGBUS)?;
        let _in_flight = self.companion.as_ref().map(|c| c.in_flight(seq, block));
        let offset = block * self.block_size as u64;
        let mut done = 0;
        while done < self.block_size {
            let (fd, range, at) = (self.fd.as_fd(), done..self.block_size, offset + done as u64);
            let written = match &mut self.ring {
                Some(ring) => ring.write_to(fd, range, at),
                None => self.buffer.write_to(fd, range, at),
            };
            match written {
                Ok(0) => return Err(Code::NO_PROGRESS),
                Ok(written) => done += written,
                Err(Errno::INTR) => (),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn rewritten_words(&self) -> u64 {
        self.companion
            .as_ref()
            .map_or(0, |c| c.shared.rewritten.load(Ordering::Relaxed))
    }
}

/// The thread that rewrites the buffer.
struct Companion {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Number of the operation in flight plus one, 0 if there is none.
    flight: AtomicU64,
    /// The block it goes to. Read together with an older or newer `flight` it
    /// gives words that are not in the buffer, and nothing is replaced.
    block: AtomicU64,
    quit: AtomicBool,
    rewritten: AtomicU64,
}

/// Ends the flight when the call returns, however it returns.
struct InFlight<'a>(&'a Shared);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.flight.store(0, Ordering::Release);
    }
}

impl Companion {
    fn start(plan: &Plan, id: u16, buffer: Arc<SharedMapping>) -> Result<Companion, Errno> {
        let shared = Arc::new(Shared::default());
        let rewriter = Rewriter {
            shared: Arc::clone(&shared),
            buffer,
            pattern: Pattern::new(plan.seed),
            id,
            words: plan.words_per_block(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("rewrite-{id}"))
            .stack_size(128 * 1024)
            .spawn(move || rewriter.run())
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOMEM))?;
        Ok(Companion {
            shared,
            thread: Some(thread),
        })
    }

    fn in_flight(&self, seq: u32, block: u64) -> InFlight<'_> {
        self.shared.block.store(block, Ordering::Relaxed);
        self.shared
            .flight
            .store(u64::from(seq) + 1, Ordering::Release);
        self.wake();
        InFlight(&self.shared)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; the run's result does not depend on it.
            let _ = thread.join();
        }
    }
}

struct Rewriter {
    shared: Arc<Shared>,
    buffer: Arc<SharedMapping>,
    pattern: Pattern,
    id: u16,
    words: usize,
}

impl Rewriter {
    fn run(&self) {
        while !self.shared.quit.load(Ordering::Acquire) {
            match self.shared.flight.load(Ordering::Acquire) {
                0 => std::thread::park(),
                flight => self.rewrite(flight),
            }
        }
    }

    /// Sweeps over the buffer, again and again, until the flight is over.
    fn rewrite(&self, flight: u64) {
        let Ok(seq) = u32::try_from(flight - 1) else {
            return;
        };
        let first = self.shared.block.load(Ordering::Relaxed) * self.words as u64;
        let stamp = |variant| Stamp {
            worker: self.id,
            variant,
            seq,
        };
        let mut variant = 0;
        while self.shared.flight.load(Ordering::Acquire) == flight {
            let next = (variant + 1) % VARIANTS;
            let mut rewritten = 0;
            for (index, position) in (first..).take(self.words).enumerate() {
                let current = self.pattern.word(position, stamp(variant));
                let new = self.pattern.word(position, stamp(next));
                rewritten += u64::from(self.buffer.replace(index, current, new));
            }
            self.shared
                .rewritten
                .fetch_add(rewritten, Ordering::Relaxed);
            variant = next;
            std::thread::yield_now();
        }
    }
}
