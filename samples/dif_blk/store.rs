// SPDX-License-Identifier: GPL-2.0

//! The sparse memory behind the disk.
//!
//! Data lies in pieces of [`Store::GRANULARITY`] bytes, each with the metadata of its protection intervals
//! beside it. A piece exists from the first write to it until it is discarded. What was never written has
//! zeroes, and metadata of ones only: tuples that are not to be checked.

use crate::protection::Interval;
use core::ops::Range;
use kernel::{
    alloc::AllocError,
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex, UniqueArc},
    xarray::{AllocKind, XArray},
};
use storage::{block::SECTOR_SHIFT, counter::Counter};

/// Bytes in a piece.
const PIECE: usize = Store::GRANULARITY as usize;

/// Metadata of what was never written.
const UNWRITTEN: u8 = 0xff;

/// Sparse memory, in protection intervals.
#[pin_data]
pub(crate) struct Store {
    interval: Interval,
    /// Bytes for each interval.
    metadata_size: usize,
    /// Memory that holds data, in bytes; metadata comes on top.
    pub(crate) stored_bytes: Counter,
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

/// Data and metadata of a piece.
pub(crate) struct Content {
    data: KBox<[u8; PIECE]>,
    metadata: KVec<u8>,
    /// Nothing was written to it: there is memory, for a write that is on its way.
    is_new: bool,
}

impl Content {
    fn copy_from(&mut self, other: &Self) {
        self.data.copy_from_slice(&*other.data);
        self.metadata.copy_from_slice(&other.metadata);
        self.is_new = other.is_new;
    }
}

/// Intervals that lie together, to be changed.
pub(crate) struct Run<'a> {
    /// Number of the first.
    pub(crate) first: u64,
    pub(crate) data: &'a mut [u8],
    pub(crate) metadata: &'a mut [u8],
}

/// Intervals that lie together.
pub(crate) struct Stored<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) metadata: &'a [u8],
}

/// Where a part of a request is in a piece: bytes of it.
struct Part {
    piece: usize,
    bytes: Range<usize>,
}

/// The numbers of the pieces that have `bytes` from `sector` on.
pub(crate) fn numbers(sector: u64, bytes: usize) -> Range<usize> {
    let start = (sector << SECTOR_SHIFT) as usize;
    start / PIECE..(start + bytes).div_ceil(PIECE)
}

/// The parts of `bytes` from `sector` on.
fn parts(sector: u64, bytes: usize) -> impl Iterator<Item = Part> {
    let start = (sector << SECTOR_SHIFT) as usize;
    let end = start + bytes;
    numbers(sector, bytes).map(move |piece| {
        let base = piece * PIECE;
        Part {
            piece,
            bytes: start.max(base) - base..end.min(base + PIECE) - base,
        }
    })
}

/// The pieces that a run of intervals lies in.
///
/// A piece that is discarded meanwhile is no longer part of the store: what is written to it is lost,
/// as if the discard had come after.
#[derive(Default)]
pub(crate) struct Span {
    sector: u64,
    bytes: usize,
    pieces: KVec<Arc<Piece>>,
}

impl Run<'_> {
    /// The same, for as long as that is borrowed.
    pub(crate) fn reborrow(&mut self) -> Run<'_> {
        Run {
            first: self.first,
            data: self.data,
            metadata: self.metadata,
        }
    }
}

impl Span {
    /// First sector.
    pub(crate) fn sector(&self) -> u64 {
        self.sector
    }

    /// Length in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The numbers of its pieces.
    pub(crate) fn numbers(&self) -> Range<usize> {
        numbers(self.sector, self.bytes)
    }
}

impl Store {
    /// In what units memory is taken and given back, in bytes.
    pub(crate) const GRANULARITY: u32 = 4096;

    /// An empty store.
    pub(crate) fn new(interval: Interval, metadata_size: usize) -> impl PinInit<Self> {
        pin_init!(Self {
            interval,
            metadata_size,
            stored_bytes: Counter::new(),
            pieces <- XArray::new(AllocKind::Alloc),
            create <- new_mutex!(()),
        })
    }

    /// In what its data is protected.
    pub(crate) fn interval(&self) -> Interval {
        self.interval
    }

    /// How much metadata goes with so many bytes of data.
    pub(crate) fn metadata_bytes(&self, bytes: usize) -> usize {
        self.interval.count(bytes) * self.metadata_size
    }

    /// Whether something is stored in a piece. May sleep.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.piece(index)
            .is_some_and(|piece| !piece.content.lock().is_new)
    }

    /// Number of the first interval of a part, and where in the piece's metadata theirs is.
    fn place(&self, part: &Part) -> (u64, Range<usize>) {
        let in_piece = self.interval.count(PIECE);
        let first = self.interval.count(part.bytes.start);
        let end = self.interval.count(part.bytes.end);
        (
            (part.piece * in_piece + first) as u64,
            first * self.metadata_size..end * self.metadata_size,
        )
    }

    fn change(&self, piece: &Piece, part: Part, f: &mut impl FnMut(Run<'_>) -> Result) -> Result {
        let (first, metadata) = self.place(&part);
        let mut content = piece.content.lock();
        let Content {
            data,
            metadata: all,
            is_new,
        } = &mut *content;
        *is_new = false;
        f(Run {
            first,
            data: data.get_mut(part.bytes).ok_or(EIO)?,
            metadata: all.get_mut(metadata).ok_or(EIO)?,
        })
    }

    /// Has `f` change `bytes` from `sector` on, piece by piece; there is memory for each when it is called.
    /// `ENOMEM`, or what `f` says. May sleep.
    pub(crate) fn write(
        &self,
        sector: u64,
        bytes: usize,
        mut f: impl FnMut(Run<'_>) -> Result,
    ) -> Result {
        for part in parts(sector, bytes) {
            let piece = self.piece_or_new(part.piece)?;
            self.change(&piece, part, &mut f)?;
        }
        Ok(())
    }

    /// Makes sure that there is memory for `bytes` from `sector` on. `ENOMEM`. May sleep.
    pub(crate) fn reserve(&self, sector: u64, bytes: usize) -> Result<Span> {
        let mut pieces = KVec::with_capacity(bytes / PIECE + 2, GFP_KERNEL)?;
        for part in parts(sector, bytes) {
            pieces.push(self.piece_or_new(part.piece)?, GFP_KERNEL)?;
        }
        Ok(Span {
            sector,
            bytes,
            pieces,
        })
    }

    /// Has `f` change what a span is for, likewise.
    pub(crate) fn write_reserved(
        &self,
        span: &Span,
        mut f: impl FnMut(Run<'_>) -> Result,
    ) -> Result {
        for (part, piece) in parts(span.sector, span.bytes).zip(&span.pieces) {
            self.change(piece, part, &mut f)?;
        }
        Ok(())
    }

    /// Calls `f` for `bytes` from `sector` on, piece by piece, with the number of the first interval, how many
    /// bytes, and what is stored, if something is. May sleep.
    pub(crate) fn read(
        &self,
        sector: u64,
        bytes: usize,
        mut f: impl FnMut(u64, usize, Option<Stored<'_>>) -> Result,
    ) -> Result {
        for part in parts(sector, bytes) {
            let (first, metadata) = self.place(&part);
            let len = part.bytes.len();
            match self.piece(part.piece) {
                None => f(first, len, None)?,
                Some(piece) => {
                    let content = piece.content.lock();
                    let stored = Stored {
                        data: content.data.get(part.bytes).ok_or(EIO)?,
                        metadata: content.metadata.get(metadata).ok_or(EIO)?,
                    };
                    f(first, len, Some(stored))?;
                }
            }
        }
        Ok(())
    }

    /// Forgets `bytes` from `sector` on. May sleep.
    pub(crate) fn discard(&self, sector: u64, bytes: usize) {
        for part in parts(sector, bytes) {
            if part.bytes.len() == PIECE {
                self.remove(part.piece);
            } else if let Some(piece) = self.piece(part.piece) {
                // What it changes is there.
                let _ = self.change(&piece, part, &mut |run: Run<'_>| {
                    run.data.fill(0);
                    run.metadata.fill(UNWRITTEN);
                    Ok(())
                });
            }
        }
    }

    /// Memory for what a piece has. `ENOMEM`. May sleep.
    fn content(&self) -> Result<Content> {
        Ok(Content {
            data: zeroed_piece()?,
            metadata: KVec::from_elem(UNWRITTEN, self.metadata_bytes(PIECE), GFP_KERNEL)?,
            is_new: true,
        })
    }

    /// Memory for a copy of that. `ENOMEM`. May sleep.
    pub(crate) fn copy(&self) -> Result<UniqueArc<Content>> {
        Ok(UniqueArc::new(self.content()?, GFP_KERNEL)?)
    }

    /// A copy of what is in a piece; `None` if nothing is stored there. May sleep.
    pub(crate) fn save(&self, index: usize, mut to: UniqueArc<Content>) -> Option<Arc<Content>> {
        let piece = self.piece(index)?;
        to.copy_from(&piece.content.lock());
        (!to.is_new).then(|| to.into())
    }

    /// Puts such a copy, or nothing, in place of what is there. `ENOMEM`. May sleep.
    pub(crate) fn put(&self, index: usize, content: Option<&Content>) -> Result {
        let Some(content) = content else {
            self.remove(index);
            return Ok(());
        };
        let piece = self.piece_or_new(index)?;
        piece.content.lock().copy_from(content);
        Ok(())
    }

    fn remove(&self, index: usize) {
        // The lock is gone again before the memory is freed.
        let piece = self.pieces.lock().remove(index);
        if piece.is_some() {
            self.stored_bytes.sub(PIECE);
        }
    }

    fn piece(&self, index: usize) -> Option<Arc<Piece>> {
        self.pieces.lock().get(index).map(Into::into)
    }

    fn piece_or_new(&self, index: usize) -> Result<Arc<Piece>> {
        if let Some(piece) = self.piece(index) {
            return Ok(piece);
        }
        let _create = self.create.lock();
        if let Some(piece) = self.piece(index) {
            return Ok(piece);
        }
        let content = self.content()?;
        let piece = Arc::pin_init(
            pin_init!(Piece { content <- new_mutex!(content) }),
            GFP_KERNEL,
        )?;
        // The array may drop its lock to get memory: `create` keeps others out.
        self.pieces.lock().store(index, piece.clone(), GFP_KERNEL)?;
        self.stored_bytes.add(PIECE);
        Ok(piece)
    }
}

/// Memory for a piece that is never on the stack.
fn zeroed_piece() -> Result<KBox<[u8; PIECE]>, AllocError> {
    KBox::init(pin_init::init_zeroed(), GFP_KERNEL).map_err(|_: Error| AllocError)
}
