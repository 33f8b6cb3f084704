// SPDX-License-Identifier: GPL-2.0

//! A volatile write cache, what a power cut leaves of it, and snapshots.
//!
//! What is written goes to the [`Store`] at once, where reads find it. The cache is what it takes to go back: what
//! pieces had when all was durable ([`Undo`]), and the writes and discards since then, in their order. A flush
//! forgets both; so does a cache that is full, as if it had been written back. When the power is back after it was
//! cut, the store is put back to what was durable, and what was not lost is done once more.
//!
//! A write with FUA stays in the order of the others, and is never lost. A snapshot is another moment to go back
//! to, with the cache as it was.
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
        Arc, Mutex, UniqueArc,
    },
    uaccess::UserSliceReader,
};
use storage::{
    block::{mq::NoIoScope, SECTOR_SHIFT},
    debugfs::{with_text, ScopedDir},
};

/// Longest text that is taken, in bytes.
const MAX_TEXT: usize = 64;

/// Bytes of a discard that are done at once.
const CHUNK: usize = 1 << 20;

/// A write or a discard that a power cut may undo.
struct Entry {
    sector: u64,
    bytes: usize,
    /// Of a write: data and metadata.
    written: Option<(KVVec<u8>, KVVec<u8>)>,
    /// It can't be lost.
    fua: bool,
}

/// Memory to have an [`Entry`] in the log.
type Slot = RBTreeNodeReservation<u64, Arc<Entry>>;

/// Memory to write or discard something.
pub(crate) struct Room {
    copies: KVec<UniqueArc<Content>>,
    /// Two for each copy: for the cache and the snapshot.
    nodes: KVec<Node>,
    entry: Option<(Slot, UniqueArc<Entry>)>,
}

/// What isn't durable.
struct Volatile {
    /// To when all was.
    undo: Undo,
    /// By its order.
    log: RBTree<u64, Arc<Entry>>,
    /// Of the next entry.
    next: u64,
    /// Of all entries of writes.
    bytes: usize,
}

impl Volatile {
    fn new() -> Self {
        Self {
            undo: Undo::new(),
            log: RBTree::new(),
            next: 0,
            bytes: 0,
        }
    }

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

struct State {
    off: bool,
    volatile: Volatile,
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
    /// Likewise, whether the power is off.
    is_off: Atomic<bool>,
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
            state <- new_mutex!(State {
                off: false,
                volatile: Volatile::new(),
                snapshot: None,
            }),
            is_off: Atomic::new(false),
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

    /// Whether the power is off: requests fail.
    pub(crate) fn is_off(&self) -> bool {
        self.is_off.load(Relaxed)
    }

    /// Whether writes need [`Room`].
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Relaxed)
    }

    /// Memory for a write of `bytes`. `ENOMEM`. May sleep.
    pub(crate) fn room(&self, bytes: usize) -> Result<Room> {
        let metadata = self.store.metadata_bytes(bytes);
        let written = match self.size {
            0 => None,
            _ => Some((
                KVVec::with_capacity(bytes, GFP_KERNEL)?,
                KVVec::with_capacity(metadata, GFP_KERNEL)?,
            )),
        };
        // Where it begins within a piece isn't known.
        self.room_for(numbers(0, bytes).len() + 1, written)
    }

    fn room_for(&self, pieces: usize, written: Option<(KVVec<u8>, KVVec<u8>)>) -> Result<Room> {
        let mut copies = KVec::with_capacity(pieces, GFP_KERNEL)?;
        let mut nodes = KVec::with_capacity(2 * pieces, GFP_KERNEL)?;
        for _ in 0..pieces {
            copies.push(
                UniqueArc::new(self.store.content()?, GFP_KERNEL)?,
                GFP_KERNEL,
            )?;
            for _ in 0..2 {
                nodes.push(Node::new(GFP_KERNEL)?, GFP_KERNEL)?;
            }
        }
        let entry = Entry {
            sector: 0,
            bytes: 0,
            written,
            fua: false,
        };
        Ok(Room {
            copies,
            nodes,
            entry: match self.size {
                0 => None,
                _ => Some((Slot::new(GFP_KERNEL)?, UniqueArc::new(entry, GFP_KERNEL)?)),
            },
        })
    }

    /// Has `f` change what a span is for, piece by piece. `room` may be missing, if nobody watched when it would
    /// have been made. `EIO` if the power is off; `ENOMEM`, or what `f` says. May sleep.
    pub(crate) fn write(
        &self,
        span: &Span,
        fua: bool,
        room: Option<Room>,
        mut f: impl FnMut(Run<'_>) -> Result,
    ) -> Result {
        if !self.is_watched() {
            return self.store.write_reserved(span, f);
        }
        let mut room = room.map_or_else(|| self.room(span.bytes()), Ok)?;
        let mut state = self.state.lock();
        if state.off {
            return Err(EIO);
        }
        self.keep(&mut state, &mut room, span.numbers())?;
        let mut entry = room.entry.take();
        let done = self.store.write_reserved(span, |run| {
            let Run {
                first,
                data,
                metadata,
            } = run;
            let done = f(Run {
                first,
                data,
                metadata,
            });
            // Also what is there of a write that failed.
            if let Some((all_data, all_metadata)) =
                entry.as_mut().and_then(|entry| entry.1.written.as_mut())
            {
                all_data.extend_from_slice(data, GFP_KERNEL)?;
                all_metadata.extend_from_slice(metadata, GFP_KERNEL)?;
            }
            done
        });
        if let Some((slot, mut entry)) = entry {
            entry.sector = span.sector();
            entry.bytes = entry.written.as_ref().map_or(0, |(data, _)| data.len());
            entry.fua = fua;
            let old = self.log(&mut state, slot, entry);
            drop(state);
            drop(old);
        }
        done
    }

    /// Forgets what is stored. `EIO` if the power is off, `ENOMEM`. May sleep.
    pub(crate) fn discard(&self, sector: u64, bytes: usize) -> Result {
        if !self.is_watched() {
            self.store.discard(sector, bytes);
            return Ok(());
        }
        for at in (0..bytes).step_by(CHUNK) {
            let (sector, bytes) = (sector + (at >> SECTOR_SHIFT) as u64, CHUNK.min(bytes - at));
            let stored = || numbers(sector, bytes).filter(|index| self.store.has(*index));
            let (mut state, mut room) = loop {
                let room = self.room_for(stored().count(), None)?;
                let state = self.state.lock();
                // There may be more by now.
                if stored().count() <= room.copies.len() {
                    break (state, room);
                }
            };
            if state.off {
                return Err(EIO);
            }
            for index in stored() {
                self.keep(&mut state, &mut room, index..index + 1)?;
            }
            self.store.discard(sector, bytes);
            if let Some((slot, mut entry)) = room.entry.take() {
                entry.sector = sector;
                entry.bytes = bytes;
                let old = self.log(&mut state, slot, entry);
                drop(state);
                drop(old);
            }
        }
        Ok(())
    }

    /// Keeps what is in pieces that are about to be changed.
    fn keep(&self, state: &mut State, room: &mut Room, pieces: Range<usize>) -> Result {
        let State {
            volatile, snapshot, ..
        } = state;
        let volatile = (self.size != 0).then_some(&mut volatile.undo);
        let mut undos = [
            volatile,
            snapshot.as_mut().map(|snapshot| &mut snapshot.undo),
        ];
        for index in pieces {
            if undos.iter().flatten().all(|undo| undo.has(index)) {
                continue;
            }
            let mut copy = room.copies.pop().ok_or(ENOMEM)?;
            let was = self.store.save(index, &mut copy).then(|| Arc::from(copy));
            for undo in undos.iter_mut().flatten() {
                if !undo.has(index) {
                    undo.keep(room.nodes.pop().ok_or(ENOMEM)?, index, was.clone());
                }
            }
        }
        Ok(())
    }

    /// Notes what was done. What is returned is no longer needed, and best dropped without the lock.
    fn log(&self, state: &mut State, slot: Slot, entry: UniqueArc<Entry>) -> Option<Volatile> {
        let volatile = &mut state.volatile;
        if entry.written.is_some() {
            volatile.bytes += entry.bytes;
        }
        let node = slot.into_node(volatile.next, entry.into());
        volatile.log.insert(node);
        volatile.next += 1;
        (volatile.bytes > self.size).then(|| core::mem::replace(volatile, Volatile::new()))
    }

    /// Makes all durable that was written. `EIO` if the power is off. May sleep.
    pub(crate) fn flush(&self) -> Result {
        if !self.is_watched() {
            return Ok(());
        }
        let mut state = self.state.lock();
        if state.off {
            return Err(EIO);
        }
        let old = core::mem::replace(&mut state.volatile, Volatile::new());
        drop(state);
        drop(old);
        Ok(())
    }

    /// Something of the state has changed.
    fn changed(&self, state: &State) {
        self.is_off.store(state.off, Relaxed);
        let watched = self.size != 0 || state.off || state.snapshot.is_some();
        self.is_watched.store(watched, Relaxed);
    }

    /// The power goes. May sleep.
    pub(crate) fn cut(&self) {
        let mut state = self.state.lock();
        state.off = true;
        self.changed(&state);
    }

    /// The power is back. `EBUSY` if it wasn't off, `ENOMEM`: it still is then. May sleep.
    fn recover(&self, loss: Loss, seed: u64) -> Result {
        // Writes wait for the lock.
        let _scope = NoIoScope::enter();
        let mut state = self.state.lock();
        if !state.off {
            return Err(EBUSY);
        }
        let mut changes: KVVec<usize> = KVVec::new();
        for index in state.volatile.undo.numbers() {
            changes.push(index, GFP_KERNEL)?;
        }
        for index in changes {
            let mut room = self.room_for(1, None)?;
            self.keep(&mut state, &mut room, index..index + 1)?;
        }
        state.volatile.undo.restore(&self.store)?;
        let random = Random::new(seed);
        for entry in state.volatile.log.values() {
            let intervals = self.store.interval().count(entry.bytes);
            let kept = loss.kept(intervals, random.next());
            self.redo(entry, if entry.fua { intervals } else { kept })?;
        }
        let old = core::mem::replace(&mut state.volatile, Volatile::new());
        state.off = false;
        self.changed(&state);
        drop(state);
        drop(old);
        Ok(())
    }

    /// Does so many intervals of an entry once more.
    fn redo(&self, entry: &Entry, intervals: usize) -> Result {
        let bytes = intervals * self.store.interval().bytes();
        let Some((data, metadata)) = &entry.written else {
            self.store.discard(entry.sector, bytes);
            return Ok(());
        };
        let (mut data, mut metadata) = (&**data, &**metadata);
        self.store.write(entry.sector, bytes, |run| {
            let (from, rest) = data.split_at_checked(run.data.len()).ok_or(EIO)?;
            run.data.copy_from_slice(from);
            data = rest;
            let (from, rest) = metadata.split_at_checked(run.metadata.len()).ok_or(EIO)?;
            run.metadata.copy_from_slice(from);
            metadata = rest;
            Ok(())
        })
    }

    /// `on` or `off`, and what a power cut could undo.
    fn show_power(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        let writes = state.volatile.log.values();
        let writes = writes.filter(|entry| entry.written.is_some()).count();
        write!(
            f,
            "{}\nwrites {writes}\nbytes {}",
            if state.off { "off" } else { "on" },
            state.volatile.bytes
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
                self.drop_snapshot();
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
        let _scope = NoIoScope::enter();
        let mut state = self.state.lock();
        let snapshot = Snapshot {
            undo: Undo::new(),
            volatile: state.volatile.try_clone()?,
            off: state.off,
        };
        let old = state.snapshot.replace(snapshot);
        self.changed(&state);
        drop(state);
        drop(old);
        Ok(())
    }

    /// All is as it was then. `ENOENT` if there is no snapshot, `ENOMEM`: what is there then is neither this nor
    /// that, and it can be tried again. May sleep.
    fn restore_snapshot(&self) -> Result {
        let _scope = NoIoScope::enter();
        let mut state = self.state.lock();
        let snapshot = state.snapshot.as_mut().ok_or(ENOENT)?;
        let volatile = snapshot.volatile.try_clone()?;
        snapshot.undo.restore(&self.store)?;
        let undo = core::mem::replace(&mut snapshot.undo, Undo::new());
        let off = snapshot.off;
        let old = core::mem::replace(&mut state.volatile, volatile);
        state.off = off;
        self.changed(&state);
        drop(state);
        drop((undo, old));
        Ok(())
    }

    fn drop_snapshot(&self) {
        let mut state = self.state.lock();
        let old = state.snapshot.take();
        self.changed(&state);
        drop(state);
        drop(old);
    }
}
