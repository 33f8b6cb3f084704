// SPDX-License-Identifier: GPL-2.0

//! Block groups: where their bitmaps and tables are, how full they are, and who wants to go on where.
//!
//! Counts are kept in memory and in the descriptors' buffers at once. Everything that changes a bitmap
//! or a count holds the one lock of this module.

use crate::SuperBlock;
use ext2::{
    alloc::{GroupCounts, Totals},
    group::{self, Descriptor},
    superblock::{Block, Group, Superblock},
    Refused,
};
use kernel::{
    alloc::AllocError,
    new_mutex,
    prelude::*,
    sync::{lock::mutex::MutexBackend, lock::Guard, Mutex},
};
use storage::fs::{
    buffer::{Buffer, Kept, OnDevice},
    NoFs,
};

/// The groups of a mount.
#[pin_data]
pub(crate) struct Groups {
    descriptors: KVec<Descriptor>,
    /// The blocks that the descriptors are in.
    buffers: KVec<Kept>,
    #[pin]
    state: Mutex<State>,
}

/// What changes.
pub(crate) struct State {
    pub(crate) counts: KVec<GroupCounts>,
    pub(crate) totals: Totals,
    /// Groups whose block bitmap was looked at and found to be possible.
    pub(crate) checked: KVec<bool>,
    pub(crate) windows: Windows,
}

/// The lock of the groups. No memory is reclaimed through filesystems while it is held.
pub(crate) struct Locked<'a> {
    // Goes before the scope.
    state: Guard<'a, State, MutexBackend>,
    _nofs: NoFs,
}

impl core::ops::Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl core::ops::DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

/// Where files that are being written want to go on: others stay away from there, as long as there is
/// room elsewhere. Nothing is written of that.
pub(crate) struct Windows(KVec<Window>);

/// One of them.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    ino: u64,
    pub(crate) start: u32,
    pub(crate) len: u32,
    /// How long the next one is.
    size: u32,
}

impl Windows {
    /// Of this inode.
    pub(crate) fn of(&self, ino: u64) -> Option<Window> {
        self.0.iter().copied().find(|window| window.ino == ino)
    }

    /// Those of all inodes, or all but this one.
    pub(crate) fn of_others(&self, ino: Option<u64>) -> impl Iterator<Item = &Window> {
        self.0.iter().filter(move |window| Some(window.ino) != ino)
    }

    /// The inode got blocks up to `end` (exclusive): its window begins there now, and is longer than the
    /// last one if that was used.
    pub(crate) fn advance(&mut self, ino: u64, end: u32) {
        const FIRST: u32 = 8;
        const LONGEST: u32 = 1024;
        if let Some(window) = self.0.iter_mut().find(|window| window.ino == ino) {
            let left = window.start.saturating_add(window.len).saturating_sub(end);
            let goes_on = end >= window.start && end.saturating_sub(window.start) <= window.len;
            window.start = end;
            if goes_on && left > 0 {
                window.len = left;
            } else {
                window.size = window.size.saturating_mul(2).min(LONGEST);
                window.len = window.size;
            }
            return;
        }
        // It is a hint: without memory there is none.
        let _ = self.0.push(
            Window {
                ino,
                start: end,
                len: FIRST,
                size: FIRST,
            },
            GFP_KERNEL,
        );
    }

    /// The inode wants nothing any more.
    pub(crate) fn drop_of(&mut self, ino: u64) {
        if let Some(index) = self.0.iter().position(|window| window.ino == ino) {
            let _ = self.0.remove(index);
        }
    }
}

/// Why the groups could not be read.
pub(crate) enum Unreadable {
    Refused(Refused),
    Error(Error),
}

impl From<Error> for Unreadable {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<AllocError> for Unreadable {
    fn from(error: AllocError) -> Self {
        Self::Error(error.into())
    }
}

/// What was read of them.
pub(crate) struct Read {
    descriptors: KVec<Descriptor>,
    buffers: KVec<Kept>,
    counts: KVec<GroupCounts>,
    checked: KVec<bool>,
}

/// Reads all descriptors. May sleep.
pub(crate) fn read(
    sb: &impl OnDevice,
    superblock: &Superblock,
) -> core::result::Result<Read, Unreadable> {
    let mut read = Read {
        descriptors: KVec::with_capacity(superblock.groups().get() as usize, GFP_KERNEL)?,
        buffers: KVec::new(),
        counts: KVec::new(),
        checked: KVec::new(),
    };
    for group in superblock.all_groups() {
        let (block, offset) = superblock.descriptor_location(group);
        if read.buffers.last().map(Kept::block) != Some(block.get().into()) {
            read.buffers
                .push(Buffer::read(sb, block.get().into())?.keep(), GFP_KERNEL)?;
        }
        let mut bytes = [0; group::SIZE];
        if let Some(buffer) = read.buffers.last() {
            buffer.buffer(sb)?.copy_to(offset as usize, &mut bytes)?;
        }
        let descriptor = Descriptor::parse(&bytes, superblock, group)
            .map_err(|corrupt| Unreadable::Refused(Refused::Corrupt(corrupt)))?;
        read.counts.push(
            GroupCounts {
                free_blocks: descriptor.free_blocks.into(),
                free_inodes: descriptor.free_inodes.into(),
                used_dirs: descriptor.used_dirs.into(),
                debt: 0,
            },
            GFP_KERNEL,
        )?;
        read.descriptors.push(descriptor, GFP_KERNEL)?;
        read.checked.push(false, GFP_KERNEL)?;
    }
    Ok(read)
}

fn totals(counts: &[GroupCounts]) -> Totals {
    counts
        .iter()
        .fold(Totals::default(), |totals, counts| Totals {
            free_blocks: totals.free_blocks.saturating_add(counts.free_blocks),
            free_inodes: totals.free_inodes.saturating_add(counts.free_inodes),
            dirs: totals.dirs.saturating_add(counts.used_dirs),
        })
}

impl Groups {
    pub(crate) fn new(read: Read) -> impl PinInit<Self> {
        let state = State {
            totals: totals(&read.counts),
            counts: read.counts,
            checked: read.checked,
            windows: Windows(KVec::new()),
        };
        pin_init!(Self {
            descriptors: read.descriptors,
            buffers: read.buffers,
            state <- new_mutex!(state, "stablefs groups"),
        })
    }

    /// Takes over counts that were read anew, while nothing can change them. False if something is elsewhere
    /// than it was: nothing is taken over then.
    pub(crate) fn refresh(&self, read: Read) -> bool {
        let mut both = self.descriptors.iter().zip(&read.descriptors);
        if self.descriptors.len() != read.descriptors.len()
            || !both.all(|(known, read)| read.has_layout_of(known))
        {
            return false;
        }
        let mut state = self.lock();
        state.totals = totals(&read.counts);
        state.counts = read.counts;
        state.checked = read.checked;
        true
    }

    /// Takes the lock. May sleep.
    pub(crate) fn lock(&self) -> Locked<'_> {
        let nofs = NoFs::new();
        Locked {
            state: self.state.lock(),
            _nofs: nofs,
        }
    }

    /// Where the things of a group are.
    pub(crate) fn descriptor(&self, group: Group) -> Result<&Descriptor> {
        self.descriptors.get(group.get() as usize).ok_or(EUCLEAN)
    }

    /// Whether blocks are some group's own.
    pub(crate) fn is_metadata(&self, superblock: &Superblock, first: Block, count: u32) -> bool {
        let (group, _) = superblock.group_of(first);
        self.descriptor(group).map_or(true, |descriptor| {
            descriptor.overlaps_metadata(superblock, group, first, count)
        })
    }
}

/// Changes the counts of a group by so much, in memory and in its descriptor.
pub(crate) fn count(
    sb: &SuperBlock,
    state: &mut Locked<'_>,
    group: Group,
    blocks: i32,
    inodes: i32,
    dirs: i32,
) -> Result {
    let fs = sb.data();
    let index = group.get() as usize;
    let state: &mut State = state;
    let counts = state.counts.get_mut(index).ok_or(EUCLEAN)?;
    counts.free_blocks = counts.free_blocks.saturating_add_signed(blocks);
    counts.free_inodes = counts.free_inodes.saturating_add_signed(inodes);
    counts.used_dirs = counts.used_dirs.saturating_add_signed(dirs);
    let totals = &mut state.totals;
    totals.free_blocks = totals.free_blocks.saturating_add_signed(blocks);
    totals.free_inodes = totals.free_inodes.saturating_add_signed(inodes);
    totals.dirs = totals.dirs.saturating_add_signed(dirs);

    let mut descriptor = *fs.groups.descriptor(group)?;
    let short = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    descriptor.free_blocks = short(counts.free_blocks);
    descriptor.free_inodes = short(counts.free_inodes);
    descriptor.used_dirs = short(counts.used_dirs);

    let (block, offset) = fs.superblock.descriptor_location(group);
    let offset = offset as usize;
    let kept = fs
        .groups
        .buffers
        .iter()
        .find(|buffer| buffer.block() == u64::from(block.get()))
        .ok_or(EUCLEAN)?;
    kept.buffer(sb)?.modify(|locked| {
        let mut bytes = [0; group::SIZE];
        locked.copy_to(offset, &mut bytes)?;
        descriptor.encode_counts(&mut bytes).ok_or(EUCLEAN)?;
        locked.write(offset, &bytes)
    })
}
