// SPDX-License-Identifier: GPL-2.0

//! The sparse memory behind the disk.
//!
//! Data lies in pieces of [`Store::GRANULARITY`] bytes. A piece exists from the first write to it until it is
//! discarded. What was never written has zeroes, and metadata of ones only: tuples that are not to be checked.
//!
//! Pieces that lie together are a group, with one lock and the metadata of all: a lock for each would cost as much
//! as moving its data. Empty groups stay, with no more than their places.

use crate::protection::Interval;
use core::ops::Range;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex, UniqueArc},
    xarray::{AllocKind, XArray},
};
use storage::{block::SECTOR_SHIFT, counter::Counter, memory};

/// Bytes in a piece.
const PIECE: usize = Store::GRANULARITY as usize;

/// Pieces in a group.
const GROUP: usize = 16;

/// What part of the machine's memory is left to the system, at least.
const LEFT: u64 = 32;

/// Metadata of what was never written.
const UNWRITTEN: u8 = 0xff;

/// Sparse memory, in protection intervals.
#[pin_data]
pub(crate) struct Store {
    interval: Interval,
    /// Bytes for each interval.
    metadata_size: usize,
    /// So many bytes are left to the system.
    left: u64,
    /// Memory that holds data, in bytes; metadata comes on top.
    pub(crate) stored_bytes: Counter,
    /// None of them goes before the store does.
    #[pin]
    groups: XArray<Arc<Group>>,
    /// Held while a group is put into `groups`: only one may come to be at an index.
    #[pin]
    create: Mutex<()>,
}

/// Pieces that lie together.
#[pin_data]
struct Group {
    #[pin]
    pieces: Mutex<Pieces>,
}

/// What is stored in them.
#[derive(Default)]
struct Pieces {
    data: [Option<KBox<[u8; PIECE]>>; GROUP],
    /// A bit for each piece: something was written to it. Otherwise there is memory at most, for a write that is on
    /// its way.
    written: u16,
    /// Of all of them; empty if there are none.
    metadata: KVec<u8>,
}

impl Pieces {
    fn is_written(&self, piece: usize) -> bool {
        self.written & 1 << piece != 0
    }
}

/// A copy of what is stored in a piece.
pub(crate) struct Content {
    data: KBox<[u8; PIECE]>,
    metadata: KVec<u8>,
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

/// Where a part of a request is in a group.
struct Part {
    /// The piece, of the group.
    piece: usize,
    /// Bytes of the piece.
    bytes: Range<usize>,
    /// Number of the first interval, of the disk.
    first: u64,
    /// Bytes of the group's metadata.
    metadata: Range<usize>,
}

/// The numbers of the pieces that have `bytes` from `sector` on.
pub(crate) fn numbers(sector: u64, bytes: usize) -> Range<usize> {
    let start = (sector << SECTOR_SHIFT) as usize;
    start / PIECE..(start + bytes).div_ceil(PIECE)
}

/// Which group a piece is in, and which of it.
fn place(index: usize) -> (usize, usize) {
    (index / GROUP, index % GROUP)
}

/// The groups that have `numbers`, each with those in it.
fn groups(numbers: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let groups = numbers.start / GROUP..numbers.end.div_ceil(GROUP);
    groups.map(move |group| {
        let (start, end) = (group * GROUP, (group + 1) * GROUP);
        (group, numbers.start.max(start)..numbers.end.min(end))
    })
}

/// Where a request goes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    sector: u64,
    bytes: usize,
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
    /// `bytes` from `sector` on.
    pub(crate) fn new(sector: u64, bytes: usize) -> Self {
        Self { sector, bytes }
    }

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
            left: memory::total() / LEFT,
            stored_bytes: Counter::new(),
            groups <- XArray::new(AllocKind::Alloc),
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
        let (group, piece) = place(index);
        self.group(group)
            .is_some_and(|group| group.pieces.lock().is_written(piece))
    }

    /// The part of `bytes` from `sector` on that is in the piece `index`.
    // For each page of a request: a call, and a result in memory, cost more than what it does.
    #[inline(always)]
    fn part(&self, index: usize, sector: u64, bytes: usize) -> Part {
        let start = (sector << SECTOR_SHIFT) as usize;
        let base = index * PIECE;
        let bytes = start.max(base) - base..(start + bytes).min(base + PIECE) - base;
        let (_, piece) = place(index);
        let at = piece * PIECE;
        Part {
            piece,
            first: self.interval.count(base + bytes.start) as u64,
            metadata: self.metadata_bytes(at + bytes.start)..self.metadata_bytes(at + bytes.end),
            bytes,
        }
    }

    /// Has `f` change `bytes` from `sector` on, piece by piece. What comes after a failure is not changed. `ENOMEM`,
    /// or what `f` says. May sleep.
    pub(crate) fn write(
        &self,
        sector: u64,
        bytes: usize,
        f: impl FnMut(Run<'_>) -> Result,
    ) -> Result {
        self.write_leaving(self.left, sector, bytes, f)
    }

    /// Likewise, what was stored before, whatever is left to the system: it had that memory.
    pub(crate) fn write_again(
        &self,
        sector: u64,
        bytes: usize,
        f: impl FnMut(Run<'_>) -> Result,
    ) -> Result {
        self.write_leaving(0, sector, bytes, f)
    }

    fn write_leaving(
        &self,
        left: u64,
        sector: u64,
        bytes: usize,
        mut f: impl FnMut(Run<'_>) -> Result,
    ) -> Result {
        for (index, numbers) in groups(numbers(sector, bytes)) {
            let group = self.group_or_new(index)?;
            let mut pieces = group.pieces.lock();
            for index in numbers {
                let part = self.part(index, sector, bytes);
                self.make(&mut pieces, part.piece, left)?;
                self.change(&mut pieces, part, &mut f)?;
            }
        }
        Ok(())
    }

    /// Has `f` change a part that there is memory for.
    fn change(
        &self,
        pieces: &mut Pieces,
        part: Part,
        mut f: impl FnMut(Run<'_>) -> Result,
    ) -> Result {
        let data = pieces.data.get_mut(part.piece).and_then(Option::as_mut);
        pieces.written |= 1 << part.piece;
        f(Run {
            first: part.first,
            data: data.and_then(|data| data.get_mut(part.bytes)).ok_or(EIO)?,
            metadata: pieces.metadata.get_mut(part.metadata).ok_or(EIO)?,
        })
    }

    /// Makes sure that there is memory for a span, until it is discarded. `ENOMEM`. May sleep.
    pub(crate) fn reserve(&self, span: Span) -> Result {
        for (index, numbers) in groups(span.numbers()) {
            let group = self.group_or_new(index)?;
            let mut pieces = group.pieces.lock();
            for index in numbers {
                self.make(&mut pieces, place(index).1, self.left)?;
            }
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
        for (index, numbers) in groups(numbers(sector, bytes)) {
            let group = self.group(index);
            let pieces = group.as_ref().map(|group| group.pieces.lock());
            for index in numbers {
                let part = self.part(index, sector, bytes);
                let stored = pieces.as_ref().and_then(|pieces| {
                    let data = pieces.data.get(part.piece)?.as_ref()?;
                    pieces.is_written(part.piece).then_some(Stored {
                        data: data.get(part.bytes.clone())?,
                        metadata: pieces.metadata.get(part.metadata)?,
                    })
                });
                f(part.first, part.bytes.len(), stored)?;
            }
        }
        Ok(())
    }

    /// Forgets `bytes` from `sector` on. May sleep.
    pub(crate) fn discard(&self, sector: u64, bytes: usize) {
        for (index, numbers) in groups(numbers(sector, bytes)) {
            let Some(group) = self.group(index) else {
                continue;
            };
            let mut pieces = group.pieces.lock();
            for index in numbers {
                let part = self.part(index, sector, bytes);
                if part.bytes.len() == PIECE {
                    self.remove(&mut pieces, part.piece);
                } else if pieces.is_written(part.piece) {
                    // What it changes is there.
                    let _ = self.change(&mut pieces, part, |run: Run<'_>| {
                        run.data.fill(0);
                        run.metadata.fill(UNWRITTEN);
                        Ok(())
                    });
                }
            }
        }
    }

    /// Memory for a copy of what is in a piece. `ENOMEM`. May sleep.
    pub(crate) fn copy(&self) -> Result<UniqueArc<Content>> {
        let content = Content {
            data: zeroed_piece()?,
            metadata: KVec::from_elem(UNWRITTEN, self.metadata_bytes(PIECE), GFP_KERNEL)?,
        };
        Ok(UniqueArc::new(content, GFP_KERNEL)?)
    }

    /// A copy of what is in a piece; `None` if nothing is stored there. May sleep.
    pub(crate) fn save(&self, index: usize, mut to: UniqueArc<Content>) -> Option<Arc<Content>> {
        let (group, piece) = place(index);
        let group = self.group(group)?;
        let pieces = group.pieces.lock();
        if !pieces.is_written(piece) {
            return None;
        }
        to.data
            .copy_from_slice(&**pieces.data.get(piece)?.as_ref()?);
        to.metadata
            .copy_from_slice(pieces.metadata.get(self.metadata_of(piece))?);
        Some(to.into())
    }

    /// Puts such a copy, or nothing, in place of what is there. `ENOMEM`. May sleep.
    pub(crate) fn put(&self, index: usize, content: Option<&Content>) -> Result {
        let sector = (index * PIECE) as u64 >> SECTOR_SHIFT;
        let Some(content) = content else {
            self.discard(sector, PIECE);
            return Ok(());
        };
        self.write_again(sector, PIECE, |run| {
            run.data.copy_from_slice(&*content.data);
            run.metadata.copy_from_slice(&content.metadata);
            Ok(())
        })
    }

    /// Where the metadata of a piece is in its group's.
    fn metadata_of(&self, piece: usize) -> Range<usize> {
        self.metadata_bytes(piece * PIECE)..self.metadata_bytes((piece + 1) * PIECE)
    }

    /// Makes sure that there is memory for a piece. `ENOMEM`, too, if less than `left` would be there for others: in
    /// a request the kernel would look for such a small piece for ever, and not end a process to get it.
    fn make(&self, pieces: &mut Pieces, piece: usize, left: u64) -> Result {
        let place = pieces.data.get_mut(piece).ok_or(EIO)?;
        if place.is_some() {
            return Ok(());
        }
        if memory::available() < left {
            return Err(ENOMEM);
        }
        if pieces.metadata.is_empty() {
            let bytes = self.metadata_bytes(GROUP * PIECE);
            pieces.metadata = KVec::from_elem(UNWRITTEN, bytes, GFP_KERNEL)?;
        }
        *place = Some(zeroed_piece()?);
        self.stored_bytes.add(PIECE);
        Ok(())
    }

    fn remove(&self, pieces: &mut Pieces, piece: usize) {
        let Some(place) = pieces.data.get_mut(piece) else {
            return;
        };
        if place.take().is_some() {
            self.stored_bytes.sub(PIECE);
        }
        pieces.written &= !(1 << piece);
        if let Some(metadata) = pieces.metadata.get_mut(self.metadata_of(piece)) {
            metadata.fill(UNWRITTEN);
        }
        if pieces.data.iter().all(Option::is_none) {
            pieces.metadata = KVec::new();
        }
    }

    fn group(&self, index: usize) -> Option<Arc<Group>> {
        self.groups.lock().get(index).map(Into::into)
    }

    fn group_or_new(&self, index: usize) -> Result<Arc<Group>> {
        if let Some(group) = self.group(index) {
            return Ok(group);
        }
        let _create = self.create.lock();
        if let Some(group) = self.group(index) {
            return Ok(group);
        }
        let group = Arc::pin_init(
            pin_init!(Group { pieces <- new_mutex!(Pieces::default()) }),
            GFP_KERNEL,
        )?;
        // The array may drop its lock to get memory: `create` keeps others out.
        self.groups.lock().store(index, group.clone(), GFP_KERNEL)?;
        Ok(group)
    }
}

/// Memory for a piece that is never on the stack.
fn zeroed_piece() -> Result<KBox<[u8; PIECE]>> {
    KBox::init(pin_init::init_zeroed(), GFP_KERNEL)
}
