// SPDX-License-Identifier: GPL-2.0

//! A volatile write cache, what a power cut leaves of it, and snapshots.
//!
//! What is written goes to the [`Store`] at once, where reads find it. The cache is what it takes to go back: what
//! pieces had when all was durable ([`Undo`]), and the writes and discards since then, in their order. A flush
//! forgets both; so does a cache that is full, as if it had been written back. When the power is back after it was
//! cut, the store is put back to what was durable, and what was not lost is done once more.
//!
//! A write with FUA stays in the order of the others, and is never lost. A snapshot is another moment to go back
//! to, with the cache as it was; a write that is on its way at that moment may be in it or not.
//!
//! Time is cut in ages, in which the power is on or off in turn ([`Age`]). A request belongs to the one in which it
//! came, and fails in any other.
//!
//! Files in debugfs: `power` and `snapshot`.

use crate::{
    store::{numbers, Content, Run, Span, Store},
    time::Random,
    undo::{Node, Undo},
};
use core::ops::Range;
use fault::{Loss, Power};
use kernel::{
    c_str, fmt, new_mutex,
    prelude::*,
    rbtree::{RBTree, RBTreeNodeReservation},
    str::{CStr, CString},
    sync::{
        atomic::{Atomic, Relaxed},
        lock::{mutex::MutexBackend, Guard},
        Arc, Mutex, UniqueArc,
    },
    uaccess::UserSliceReader,
};
use storage::{
    block::SECTOR_SHIFT,
    debugfs::{with_text, ScopedDir},
    memory::NoIo,
};

/// Longest text that is taken, in bytes.
const MAX_TEXT: usize = 64;

/// Bytes of a discard that are done at once.
const CHUNK: usize = 1 << 20;

/// A write, or a part of a discard, that a power cut may undo.
struct Entry {
    sector: u64,
    bytes: usize,
    /// None of a discard.
    written: Option<Written>,
    /// It can't be lost: a write with FUA, or what is left of a discard whose beginning is durable.
    fua: bool,
    /// Of a discard: the order of its first part, which is lost with the others.
    first: u64,
}

/// What was written.
struct Written {
    data: KVVec<u8>,
    metadata: KVVec<u8>,
    /// One for each interval: whether it was left as it was.
    skipped: KVVec<bool>,
}

/// Memory to have an [`Entry`] in the log.
type Slot = (RBTreeNodeReservation<u64, Arc<Entry>>, UniqueArc<Entry>);

/// Memory to keep what is in pieces.
struct Copies {
    copies: KVec<UniqueArc<Content>>,
    /// Two for each copy: for the cache and the snapshot.
    nodes: KVec<Node>,
}

/// Memory for a write.
pub(crate) struct Room {
    copies: Copies,
    /// If there is a cache.
    slot: Option<Slot>,
}

/// How far a discard has come.
#[derive(Default)]
pub(crate) struct Discarded {
    bytes: usize,
    /// Of its first part that was in the log: [`State::forgotten`], and the order.
    first: Option<(u64, u64)>,
}

/// How often the power has gone or come back: it is off in the odd ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age(u64);

impl Age {
    /// Whether the power is off.
    pub(crate) fn is_off(self) -> bool {
        self.0 % 2 != 0
    }
}

/// What isn't durable.
#[derive(Default)]
struct Volatile {
    /// To when all was.
    undo: Undo,
    /// By its order.
    log: RBTree<u64, Arc<Entry>>,
    /// Of the next entry.
    next: u64,
    /// Entries of writes, and their bytes.
    writes: usize,
    bytes: usize,
    /// Entries of discards, and bytes that are kept of what they took.
    discards: usize,
    discarded: usize,
}

impl Volatile {
    /// `ENOMEM`. May sleep.
    fn try_clone(&self) -> Result<Self> {
        let mut log = RBTree::new();
        for (order, entry) in self.log.iter() {
            log.try_create_and_insert(*order, entry.clone(), GFP_KERNEL)?;
        }
        Ok(Self {
            undo: self.undo.try_clone()?,
            log,
            ..*self
        })
    }
}

/// A moment to go back to.
struct Snapshot {
    undo: Undo,
    volatile: Volatile,
    off: bool,
}

#[derive(Default)]
struct State {
    volatile: Volatile,
    /// How often all was made durable.
    forgotten: u64,
    snapshot: Option<Snapshot>,
}

/// The store of a disk, with its cache.
#[pin_data]
pub(crate) struct Cache {
    name: CString,
    #[pin]
    store: Store,
    /// In bytes; 0 for none: what is written is durable.
    size: usize,
    #[pin]
    state: Mutex<State>,
    /// Whether there is more to a write than the store. Changes under the lock.
    is_watched: Atomic<bool>,
    /// An [`Age`]. Likewise.
    age: Atomic<u64>,
}

impl Cache {
    /// A cache of `size` bytes. `name` is the disk's.
    pub(crate) fn new<'a>(
        name: &'a CStr,
        store: impl PinInit<Store> + 'a,
        size: usize,
    ) -> impl PinInit<Self, Error> + 'a {
        try_pin_init!(Self {
            is_watched: Atomic::new(size != 0),
            name: CString::try_from_fmt(fmt!("{name}"))?,
            store <- store,
            size,
            state <- new_mutex!(State::default()),
            age: Atomic::new(0),
        })
    }

    /// The files in `dir`.
    pub(crate) fn files<'data>(&'data self, dir: &ScopedDir<'data>) {
        dir.read_only_file(c_str!("stored_bytes"), &self.store.stored_bytes);
        dir.read_write_callback_file(c_str!("power"), self, &Self::show_power, &Self::set_power);
        dir.read_write_callback_file(
            c_str!("snapshot"),
            self,
            &Self::show_snapshot,
            &Self::set_snapshot,
        );
    }

    /// What is stored. What changes it past the cache is durable.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Whether writes need [`Room`].
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Relaxed)
    }

    /// What a request belongs to that comes now.
    pub(crate) fn age(&self) -> Age {
        Age(self.age.load(Relaxed))
    }

    /// The state, for a request of that age, in which the power was on. `EIO` if it has gone since. May sleep.
    fn at(&self, age: Age) -> Result<Guard<'_, State, MutexBackend>> {
        if self.age() != age {
            return Err(EIO);
        }
        let state = self.state.lock();
        if self.age() != age {
            return Err(EIO);
        }
        Ok(state)
    }

    /// Memory for a write of `bytes`. `ENOMEM`. May sleep.
    pub(crate) fn room(&self, bytes: usize) -> Result<Room> {
        let slot = if self.size == 0 {
            None
        } else {
            let metadata = self.store.metadata_bytes(bytes);
            let intervals = self.store.interval().count(bytes);
            Some(slot(Some(Written {
                data: KVVec::with_capacity(bytes, GFP_KERNEL)?,
                metadata: KVVec::with_capacity(metadata, GFP_KERNEL)?,
                skipped: KVVec::from_elem(false, intervals, GFP_KERNEL)?,
            }))?)
        };
        // Where it begins within a piece isn't known.
        let copies = self.copies(numbers(0, bytes).len() + 1)?;
        Ok(Room { copies, slot })
    }

    fn copies(&self, pieces: usize) -> Result<Copies> {
        let mut copies = KVec::with_capacity(pieces, GFP_KERNEL)?;
        let mut nodes = KVec::with_capacity(2 * pieces, GFP_KERNEL)?;
        for _ in 0..pieces {
            copies.push(self.store.copy()?, GFP_KERNEL)?;
            for _ in 0..2 {
                nodes.push(Node::new(GFP_KERNEL)?, GFP_KERNEL)?;
            }
        }
        Ok(Copies { copies, nodes })
    }

    /// Has `f` change what a span is for, piece by piece; it tells which intervals of a run it has left as they
    /// were. `room` may be missing, if nobody watched when it would have been made. `age` is the request's. `EIO`
    /// if the power has gone since; `ENOMEM`, or what `f` says. May sleep.
    pub(crate) fn write(
        &self,
        span: Span,
        age: Age,
        fua: bool,
        room: Option<Room>,
        mut f: impl FnMut(Run<'_>, &mut dyn FnMut(usize)) -> Result,
    ) -> Result {
        if !self.is_watched() {
            return self.write_all(span, f);
        }
        let Room { mut copies, slot } = room.map_or_else(|| self.room(span.bytes()), Ok)?;
        let mut state = self.at(age)?;
        self.keep(&mut state, &mut copies, span.numbers())?;
        // All of it, or nothing: it may have been discarded since there was memory for it.
        self.store.reserve(span)?;
        let Some((node, mut entry)) = slot else {
            return self.write_all(span, f);
        };
        let mut interval = 0;
        let done = self.store.write(span.sector(), span.bytes(), |mut run| {
            let Some(written) = &mut entry.written else {
                return Err(EIO);
            };
            let done = f(run.reborrow(), &mut |n| {
                if let Some(skipped) = written.skipped.get_mut(interval + n) {
                    *skipped = true;
                }
            });
            // Also what is there of a write that failed. There is room.
            written.data.extend_from_slice(run.data, GFP_NOWAIT)?;
            written
                .metadata
                .extend_from_slice(run.metadata, GFP_NOWAIT)?;
            interval += self.store.interval().count(run.data.len());
            done
        });
        entry.sector = span.sector();
        entry.bytes = entry
            .written
            .as_ref()
            .map_or(0, |written| written.data.len());
        entry.fua = fua;
        state.volatile.writes += 1;
        state.volatile.bytes += entry.bytes;
        log(&mut state.volatile, (node, entry));
        if self.is_full(&state.volatile) {
            forget(state);
        }
        done
    }

    /// Likewise, and nobody needs to know what was left.
    fn write_all(
        &self,
        span: Span,
        mut f: impl FnMut(Run<'_>, &mut dyn FnMut(usize)) -> Result,
    ) -> Result {
        self.store
            .write(span.sector(), span.bytes(), |run| f(run, &mut |_| {}))
    }

    /// Forgets what is stored, from where it has come to. `EIO` if the power has gone since `age`; `ENOMEM`: it can
    /// go on. May sleep.
    pub(crate) fn discard(
        &self,
        age: Age,
        sector: u64,
        bytes: usize,
        done: &mut Discarded,
    ) -> Result {
        while let Some(left) = bytes.checked_sub(done.bytes).filter(|left| *left > 0) {
            let sector = sector + (done.bytes >> SECTOR_SHIFT) as u64;
            if !self.is_watched() {
                if self.age() != age {
                    return Err(EIO);
                }
                self.store.discard(sector, left);
                return Ok(());
            }
            // No piece is in two parts.
            let at = (sector << SECTOR_SHIFT) as usize % CHUNK;
            let bytes = left.min(CHUNK - at);
            self.discard_chunk(age, sector, bytes, done)?;
            done.bytes += bytes;
        }
        Ok(())
    }

    fn discard_chunk(&self, age: Age, sector: u64, bytes: usize, done: &mut Discarded) -> Result {
        let stored = || numbers(sector, bytes).filter(|index| self.store.has(*index));
        let slot = match self.size {
            0 => None,
            _ => Some(slot(None)?),
        };
        let (mut state, mut copies, pieces) = 'retry: loop {
            let expected = stored().count();
            let copies = self.copies(expected)?;
            let mut pieces = KVec::with_capacity(expected, GFP_KERNEL)?;
            let state = self.at(age)?;
            for index in stored() {
                // There may be more by now.
                if pieces.push_within_capacity(index).is_err() {
                    continue 'retry;
                }
            }
            break (state, copies, pieces);
        };
        let undo = &state.volatile.undo;
        let kept = pieces.iter().filter(|index| !undo.has(**index)).count();
        for index in &pieces {
            self.keep(&mut state, &mut copies, *index..*index + 1)?;
        }
        let forgotten = state.forgotten;
        let volatile = &mut state.volatile;
        self.store.discard(sector, bytes);
        // One that changes nothing needn't be done again.
        if pieces.is_empty() && !numbers(sector, bytes).any(|index| volatile.undo.has(index)) {
            return Ok(());
        }
        if let Some((node, mut entry)) = slot {
            entry.sector = sector;
            entry.bytes = bytes;
            let (since, first) = *done.first.get_or_insert((forgotten, volatile.next));
            entry.first = first;
            // Its beginning is durable: so is the rest.
            entry.fua = since != forgotten;
            volatile.discards += 1;
            volatile.discarded += kept * Store::GRANULARITY as usize;
            log(volatile, (node, entry));
            if self.is_full(volatile) {
                forget(state);
            }
        }
        Ok(())
    }

    /// Whether there is too much to keep, so that all is written back.
    fn is_full(&self, volatile: &Volatile) -> bool {
        volatile.bytes + volatile.discarded > self.size
    }

    /// Keeps what is in pieces that are about to be changed.
    fn keep(&self, state: &mut State, room: &mut Copies, pieces: Range<usize>) -> Result {
        let State {
            volatile, snapshot, ..
        } = state;
        let volatile = (self.size != 0).then_some(&mut volatile.undo);
        let snapshot = snapshot.as_mut().map(|snapshot| &mut snapshot.undo);
        let mut undos = [volatile, snapshot];
        for index in pieces {
            if undos.iter().flatten().all(|undo| undo.has(index)) {
                continue;
            }
            let was = self.store.save(index, room.copies.pop().ok_or(ENOMEM)?);
            for undo in undos.iter_mut().flatten() {
                if !undo.has(index) {
                    undo.keep(room.nodes.pop().ok_or(ENOMEM)?, index, was.clone());
                }
            }
        }
        Ok(())
    }

    /// Makes all durable that was written. `EIO` if the power has gone since `age`. May sleep.
    pub(crate) fn flush(&self, age: Age) -> Result {
        if !self.is_watched() {
            return Ok(());
        }
        forget(self.at(age)?);
        Ok(())
    }

    /// The power is off, or on, from now on. If it was the other, requests that are on their way fail.
    fn switch(&self, state: &State, off: bool) {
        if self.age().is_off() != off {
            self.age.fetch_add(1, Relaxed);
        }
        self.changed(state);
    }

    /// Something of the state has changed, or the power.
    fn changed(&self, state: &State) {
        let watched = self.size != 0 || self.age().is_off() || state.snapshot.is_some();
        self.is_watched.store(watched, Relaxed);
    }

    /// The power goes. May sleep.
    pub(crate) fn cut(&self) {
        self.switch(&self.state.lock(), true);
    }

    /// The power is back. `EBUSY` if it wasn't off, `ENOMEM`: it still is then. May sleep.
    fn recover(&self, loss: Loss, seed: u64) -> Result {
        // Writes wait for the lock.
        let _scope = NoIo::new();
        let mut state = self.state.lock();
        if !self.age().is_off() {
            return Err(EBUSY);
        }
        let State {
            volatile, snapshot, ..
        } = &mut *state;
        if let Some(snapshot) = snapshot {
            for index in volatile.undo.numbers() {
                snapshot.undo.save(&self.store, index)?;
            }
        }
        volatile.undo.restore(&self.store)?;
        let random = Random::new(seed);
        for entry in volatile.log.values() {
            let intervals = self.store.interval().count(entry.bytes);
            let kept = if entry.written.is_some() {
                loss.kept(intervals, random.next())
            } else {
                // A discard is lost as a whole, or not.
                let kept = loss.kept(1, Random::new(seed.wrapping_add(entry.first)).next());
                intervals * kept
            };
            self.redo(entry, if entry.fua { intervals } else { kept })?;
        }
        self.switch(&state, false);
        forget(state);
        Ok(())
    }

    /// Does so many intervals of an entry once more.
    fn redo(&self, entry: &Entry, intervals: usize) -> Result {
        let interval = self.store.interval();
        let bytes = intervals * interval.bytes();
        let Some(written) = &entry.written else {
            self.store.discard(entry.sector, bytes);
            return Ok(());
        };
        if intervals == 0 {
            return Ok(());
        }
        let size = self.store.metadata_bytes(interval.bytes());
        let mut n = 0;
        self.store.write_again(entry.sector, bytes, |run| {
            let data = run.data.chunks_exact_mut(interval.bytes());
            for (at, to) in data.enumerate() {
                if written.skipped.get(n) != Some(&true) {
                    let from = n * interval.bytes()..(n + 1) * interval.bytes();
                    to.copy_from_slice(written.data.get(from).ok_or(EIO)?);
                    let to = run.metadata.get_mut(at * size..(at + 1) * size);
                    let from = written.metadata.get(n * size..(n + 1) * size);
                    to.ok_or(EIO)?.copy_from_slice(from.ok_or(EIO)?);
                }
                n += 1;
            }
            Ok(())
        })
    }

    /// `on` or `off`, and what a power cut could undo.
    fn show_power(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        let Volatile {
            writes,
            bytes,
            discards,
            ..
        } = state.volatile;
        let power = if self.age().is_off() { "off" } else { "on" };
        write!(
            f,
            "{power}\nwrites {writes}\nbytes {bytes}\ndiscards {discards}"
        )
    }

    fn set_power(&self, text: &mut UserSliceReader) -> Result {
        with_text(text, MAX_TEXT, |text| {
            let text = text.trim();
            let power = Power::parse(text).map_err(|wrong| {
                pr_err!(
                    "{}: power '{text}': {}\n",
                    &*self.name,
                    format_args!("{wrong}")
                );
                EINVAL
            })?;
            match power {
                Power::Off => {
                    self.cut();
                    Ok(())
                }
                Power::On(loss, seed) => self.recover(loss, seed).inspect_err(|error| {
                    if *error == EBUSY {
                        pr_err!("{}: power '{text}': it is on\n", &*self.name);
                    }
                }),
            }
        })
    }

    /// `none`, or how many bytes are kept for it beside the store.
    fn show_snapshot(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state.lock().snapshot {
            None => f.write_str("none"),
            Some(snapshot) => write!(f, "{}", snapshot.undo.bytes()),
        }
    }

    fn set_snapshot(&self, text: &mut UserSliceReader) -> Result {
        with_text(text, MAX_TEXT, |text| match text.trim() {
            "take" => self.take_snapshot(),
            "restore" => self.restore_snapshot().inspect_err(|error| {
                if *error == ENOENT {
                    pr_err!("{}: snapshot 'restore': there is none\n", &*self.name);
                }
            }),
            "drop" => {
                self.set_snapshot_to(self.state.lock(), None);
                Ok(())
            }
            other => {
                pr_err!(
                    "{}: snapshot '{other}' is not valid: must be take, restore or drop\n",
                    &*self.name
                );
                Err(EINVAL)
            }
        })
    }

    /// From now on there is a moment to go back to, in place of any other. `ENOMEM`. May sleep.
    fn take_snapshot(&self) -> Result {
        let _scope = NoIo::new();
        let state = self.state.lock();
        let snapshot = Snapshot {
            undo: Undo::default(),
            volatile: state.volatile.try_clone()?,
            off: self.age().is_off(),
        };
        self.set_snapshot_to(state, Some(snapshot));
        Ok(())
    }

    /// All is as it was then, the power, too. `ENOENT` if there is no snapshot; `ENOMEM`: the power is off then, and
    /// what is stored is neither this nor that. May sleep.
    fn restore_snapshot(&self) -> Result {
        let _scope = NoIo::new();
        let mut state = self.state.lock();
        if state.snapshot.is_none() {
            return Err(ENOENT);
        }
        self.switch(&state, true);
        let State {
            volatile, snapshot, ..
        } = &mut *state;
        let snapshot = snapshot.as_mut().ok_or(ENOENT)?;
        let was = snapshot.volatile.try_clone()?;
        snapshot.undo.restore(&self.store)?;
        let old = (
            core::mem::take(&mut snapshot.undo),
            core::mem::replace(volatile, was),
        );
        let off = snapshot.off;
        self.switch(&state, off);
        drop(state);
        drop(old);
        Ok(())
    }

    /// There is that one, or none.
    fn set_snapshot_to(
        &self,
        mut state: Guard<'_, State, MutexBackend>,
        snapshot: Option<Snapshot>,
    ) {
        let old = core::mem::replace(&mut state.snapshot, snapshot);
        self.changed(&state);
        drop(state);
        drop(old);
    }
}

/// All is durable, or lost: nothing of it is kept any more. The memory is given back without the lock.
fn forget(mut state: Guard<'_, State, MutexBackend>) {
    state.forgotten += 1;
    let old = core::mem::take(&mut state.volatile);
    drop(state);
    drop(old);
}

/// Memory for an entry of the log. `ENOMEM`.
fn slot(written: Option<Written>) -> Result<Slot> {
    let entry = Entry {
        sector: 0,
        bytes: 0,
        written,
        fua: false,
        first: 0,
    };
    Ok((
        RBTreeNodeReservation::new(GFP_KERNEL)?,
        UniqueArc::new(entry, GFP_KERNEL)?,
    ))
}

/// Notes what was done.
fn log(volatile: &mut Volatile, (node, entry): Slot) {
    volatile
        .log
        .insert(node.into_node(volatile.next, entry.into()));
    volatile.next += 1;
}
