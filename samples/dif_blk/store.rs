// SPDX-License-Identifier: GPL-2.0

//! The sparse memory behind the disk.
//!
//! Data lies in pieces of [`Store::GRANULARITY`] bytes, each with the tuples of its protection
//! intervals beside it. A piece exists from the first write to it until it is discarded.

use crate::counters::Counters;
use kernel::{
    alloc::AllocError,
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
    xarray::{AllocKind, XArray},
};
use pi::Tuple;
use storage::block::{SECTOR_SHIFT, SECTOR_SIZE};

/// Bytes in a piece.
const PIECE: usize = Store::GRANULARITY as usize;

/// Protection intervals in a piece when they are as short as can be.
const MAX_INTERVALS: usize = PIECE / SECTOR_SIZE as usize;

/// Length of a protection interval: a power of two from 512 to [`Store::GRANULARITY`] bytes.
#[derive(Clone, Copy)]
pub(crate) struct Interval {
    shift: u32,
}

impl Interval {
    pub(crate) fn new(bytes: u32) -> Self {
        Self {
            shift: bytes.trailing_zeros(),
        }
    }

    pub(crate) fn bytes(self) -> usize {
        1 << self.shift
    }

    /// How many there are in `bytes`.
    pub(crate) fn count(self, bytes: usize) -> usize {
        bytes >> self.shift
    }

    /// Number of the one that begins at `sector` (of 512 bytes).
    pub(crate) fn at(self, sector: u64) -> u64 {
        sector >> (self.shift - SECTOR_SHIFT)
    }

    /// The piece in which interval `number` lies, and its number there.
    fn place(self, number: u64) -> (usize, usize) {
        let shift = PIECE.trailing_zeros() - self.shift;
        let piece = number >> shift;
        (piece as usize, (number - (piece << shift)) as usize)
    }
}

/// Sparse memory, in protection intervals.
#[pin_data]
pub(crate) struct Store {
    interval: Interval,
    #[pin]
    pieces: XArray<Arc<Piece>>,
    /// Held while a piece is put into `pieces`: only one may come to be at an index.
    #[pin]
    create: Mutex<()>,
}

/// What is stored in one piece.
#[pin_data]
pub(crate) struct Piece {
    #[pin]
    content: Mutex<Content>,
}

/// Data and tuples of a piece.
pub(crate) struct Content {
    data: KBox<[u8; PIECE]>,
    tuples: [Tuple; MAX_INTERVALS],
    /// One bit for each interval that was written.
    written: u8,
}

impl Content {
    /// The data and the tuple of interval `n`, or `None` if it was never written.
    fn get(&self, n: usize, interval: Interval) -> Option<(&[u8], &Tuple)> {
        if self.written & (1 << n) == 0 {
            return None;
        }
        let data = self.data.chunks_exact(interval.bytes()).nth(n)?;
        Some((data, self.tuples.get(n)?))
    }

    fn put(&mut self, n: usize, interval: Interval, data: &[u8], tuple: Tuple) {
        let to = self.data.chunks_exact_mut(interval.bytes()).nth(n);
        if let (Some(to), Some(slot)) = (to, self.tuples.get_mut(n)) {
            to.copy_from_slice(data);
            *slot = tuple;
            self.written |= 1 << n;
        }
    }
}

/// The pieces that a run of intervals lies in.
///
/// A piece that is discarded meanwhile is no longer part of the store: what is written to it is lost,
/// as if the discard had come after.
pub(crate) struct Span {
    first: u64,
    interval: Interval,
    pieces: KVec<Arc<Piece>>,
}

impl Span {
    /// Stores the `n`th interval of the span. May sleep.
    pub(crate) fn put(&self, n: usize, data: &[u8], tuple: Tuple) {
        let (first, _) = self.interval.place(self.first);
        let (piece, place) = self.interval.place(self.first + n as u64);
        if let Some(piece) = self.pieces.get(piece - first) {
            piece.content.lock().put(place, self.interval, data, tuple);
        }
    }
}

impl Store {
    /// In what units memory is taken and given back, in bytes.
    pub(crate) const GRANULARITY: u32 = 4096;

    /// An empty store.
    pub(crate) fn new(interval: Interval) -> impl PinInit<Self> {
        pin_init!(Self {
            interval,
            pieces <- XArray::new(AllocKind::Alloc),
            create <- new_mutex!(()),
        })
    }

    pub(crate) fn interval(&self) -> Interval {
        self.interval
    }

    /// Makes sure that there is memory for `bytes` from `sector` on. `ENOMEM`. May sleep.
    pub(crate) fn reserve(&self, counters: &Counters, sector: u64, bytes: usize) -> Result<Span> {
        let start = (sector << SECTOR_SHIFT) as usize;
        let mut pieces = KVec::with_capacity(bytes / PIECE + 2, GFP_KERNEL)?;
        for index in start / PIECE..(start + bytes).div_ceil(PIECE) {
            pieces.push(self.piece_or_new(counters, index)?, GFP_KERNEL)?;
        }
        Ok(Span {
            first: self.interval.at(sector),
            interval: self.interval,
            pieces,
        })
    }

    /// Calls `f` for each interval of `bytes` from `sector` on, in order, with its number, and its
    /// data and tuple if it was written. May sleep, `f` too.
    pub(crate) fn for_each(
        &self,
        sector: u64,
        bytes: usize,
        mut f: impl FnMut(u64, Option<(&[u8], &Tuple)>) -> Result,
    ) -> Result {
        let mut number = self.interval.at(sector);
        let end = number + self.interval.count(bytes) as u64;
        while number < end {
            let (index, _) = self.interval.place(number);
            let piece = self.piece(index);
            let content = piece.as_ref().map(|piece| piece.content.lock());
            while number < end {
                let (at, n) = self.interval.place(number);
                if at != index {
                    break;
                }
                let stored = content
                    .as_ref()
                    .and_then(|content| content.get(n, self.interval));
                f(number, stored)?;
                number += 1;
            }
        }
        Ok(())
    }

    /// Forgets `bytes` from `sector` on: they read as zeroes. May sleep.
    pub(crate) fn discard(&self, counters: &Counters, sector: u64, bytes: usize) {
        let start = (sector << SECTOR_SHIFT) as usize;
        let end = start + bytes;
        for index in start / PIECE..end.div_ceil(PIECE) {
            let base = index * PIECE;
            if start <= base && base + PIECE <= end {
                // The lock is gone again before the memory is freed.
                let piece = self.pieces.lock().remove(index);
                if piece.is_some() {
                    counters.stored_bytes.sub(PIECE);
                }
            } else if let Some(piece) = self.piece(index) {
                let from = start.max(base) - base;
                let to = end.min(base + PIECE) - base;
                let mut content = piece.content.lock();
                for n in self.interval.count(from)..self.interval.count(to) {
                    content.written &= !(1 << n);
                }
            }
        }
    }

    fn piece(&self, index: usize) -> Option<Arc<Piece>> {
        self.pieces.lock().get(index).map(Into::into)
    }

    fn piece_or_new(&self, counters: &Counters, index: usize) -> Result<Arc<Piece>> {
        if let Some(piece) = self.piece(index) {
            return Ok(piece);
        }
        let _create = self.create.lock();
        if let Some(piece) = self.piece(index) {
            return Ok(piece);
        }
        let content = Content {
            data: zeroed_piece()?,
            tuples: [Tuple::default(); MAX_INTERVALS],
            written: 0,
        };
        let piece = Arc::pin_init(
            pin_init!(Piece { content <- new_mutex!(content) }),
            GFP_KERNEL,
        )?;
        // The array may drop its lock to get memory: `create` keeps others out.
        self.pieces.lock().store(index, piece.clone(), GFP_KERNEL)?;
        counters.stored_bytes.add(PIECE);
        Ok(piece)
    }
}

/// Memory for a piece that is never on the stack.
fn zeroed_piece() -> Result<KBox<[u8; PIECE]>, AllocError> {
    KBox::init(pin_init::init_zeroed(), GFP_KERNEL).map_err(|_: Error| AllocError)
}
