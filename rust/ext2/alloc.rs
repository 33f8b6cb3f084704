// SPDX-License-Identifier: GPL-2.0

//! Where new inodes and blocks go. Nothing here says that a thing is free, only where to look
//! first.
//!
//! C: `find_group_orlov()`, `find_group_other()` (`fs/ext2/ialloc.c`), `ext2_find_near()`
//! (`fs/ext2/inode.c`), `alloc_new_reservation()` (`fs/ext2/balloc.c`). What belongs together
//! should be close together: a file is put into the group of its directory, and its blocks into the
//! group of its inode, in a row. Directories are spread, so that the groups of all have room for
//! their files.

use crate::superblock::{Block, Group, Ino, Superblock};
use core::num::NonZeroU32;

/// What is known of a group. It may change meanwhile, so it's a hint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupCounts {
    /// How many blocks are free.
    pub free_blocks: u32,
    /// How many inodes are free.
    pub free_inodes: u32,
    /// How many inodes are directories.
    pub used_dirs: u32,
    /// By how many more directories than other files were lately put here. The caller counts it up
    /// for a directory and down for another file, from 0 to 255.
    pub debt: u8,
}

/// The same of the whole file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many blocks are free.
    pub free_blocks: u32,
    /// How many inodes are free.
    pub free_inodes: u32,
    /// How many inodes are directories.
    pub dirs: u32,
}

/// What a directory costs, in inodes and in blocks, when it is guessed how many a group can stand.
const INODE_COST: u32 = 64;
const BLOCK_COST: u32 = 256;

/// The group for a new directory in a directory that is not at the top of a hierarchy, and that is
/// in group `parent`.
///
/// It is the first group, from the parent's on, that has not too many directories, and not too few
/// free inodes and blocks. If there is none: as [`any_group`]. `None` if no group has a free inode.
/// `counts` is asked at most three times about each group.
pub fn directory_group(
    superblock: &Superblock,
    totals: Totals,
    parent: Group,
    mut counts: impl FnMut(Group) -> GroupCounts,
) -> Option<Group> {
    let groups = superblock.groups();
    let inodes_per_group = superblock.inodes_per_group().get();
    let blocks_per_group = superblock.blocks_per_group().get();
    let dirs = NonZeroU32::new(totals.dirs).unwrap_or(NonZeroU32::MIN);

    let used_blocks = superblock.blocks_count().saturating_sub(totals.free_blocks);
    let blocks_per_dir =
        NonZeroU32::new((used_blocks / dirs).max(BLOCK_COST)).unwrap_or(NonZeroU32::MIN);
    let max_debt = (blocks_per_group / blocks_per_dir)
        .min(inodes_per_group / INODE_COST)
        .clamp(1, 255);
    let max_dirs = (totals.dirs / groups).saturating_add(inodes_per_group / 16);
    let min_inodes = (totals.free_inodes / groups).saturating_sub(inodes_per_group / 4);
    let min_blocks = (totals.free_blocks / groups).saturating_sub(blocks_per_group / 4);

    cyclic(superblock, parent)
        .find(|group| {
            let group = counts(*group);
            group.free_inodes != 0
                && u32::from(group.debt) < max_debt
                && group.used_dirs < max_dirs
                && group.free_inodes >= min_inodes
                && group.free_blocks >= min_blocks
        })
        .or_else(|| any_group(superblock, totals, parent, counts))
}

/// The group for a new directory in the root directory, or in one that is marked as the top of a
/// hierarchy. `random` is any number, and should be another each time.
///
/// It is the group with the fewest directories, of those that have no fewer free inodes and blocks
/// than the average. If there is none: as [`any_group`], from a random one on. `None` if no group
/// has a free inode. `counts` is asked at most three times about each group.
pub fn top_directory_group(
    superblock: &Superblock,
    totals: Totals,
    random: u32,
    mut counts: impl FnMut(Group) -> GroupCounts,
) -> Option<Group> {
    let groups = superblock.groups();
    let min_inodes = (totals.free_inodes / groups).max(1);
    let min_blocks = totals.free_blocks / groups;
    let start = superblock.group_after(Group::FIRST, random);

    let mut fewest = superblock.inodes_per_group().get();
    let mut best = None;
    for group in cyclic(superblock, start) {
        let counts = counts(group);
        if counts.free_inodes >= min_inodes
            && counts.free_blocks >= min_blocks
            && counts.used_dirs < fewest
        {
            fewest = counts.used_dirs;
            best = Some(group);
            if fewest == 0 {
                break;
            }
        }
    }
    best.or_else(|| any_group(superblock, totals, start, counts))
}

/// The first group, from `start` on, that has no fewer free inodes than the average; if there is
/// none, the first that has one. `None` if no group has. `counts` is asked at most twice about each
/// group.
pub fn any_group(
    superblock: &Superblock,
    totals: Totals,
    start: Group,
    mut counts: impl FnMut(Group) -> GroupCounts,
) -> Option<Group> {
    let average = (totals.free_inodes / superblock.groups()).max(1);
    // The totals are a hint, so that there may be no group with so many.
    [average, 1].into_iter().find_map(|least| {
        cyclic(superblock, start).find(|group| counts(*group).free_inodes >= least)
    })
}

/// The group for a new file that is not a directory, in the directory with inode `parent`.
///
/// It is the group of the directory. If that is full, it is one that depends on the directory, so
/// that the other files of the same directory go there, too, and those of another don't. If all
/// those have no free blocks, it is the next with a free inode. `None` if no group has one.
pub fn file_group(
    superblock: &Superblock,
    parent: Ino,
    mut counts: impl FnMut(Group) -> GroupCounts,
) -> Option<Group> {
    let home = superblock.inode_location(parent).group;
    let mut has_room = |group: Group| {
        let counts = counts(group);
        counts.free_inodes != 0 && counts.free_blocks != 0
    };
    if has_room(home) {
        return Some(home);
    }

    // Steps of 1, 2, 4 and so on, so that it takes few of them.
    let groups = superblock.groups().get();
    let mut group = superblock.group_after(home, parent.get());
    let mut step: u32 = 1;
    while step < groups {
        group = superblock.group_after(group, step);
        if has_room(group) {
            return Some(group);
        }
        step = step.saturating_mul(2);
    }

    cyclic(superblock, superblock.next_group(home)).find(|group| counts(*group).free_inodes != 0)
}

/// All groups, from `start` on, and after the last, the first.
fn cyclic(superblock: &Superblock, start: Group) -> impl Iterator<Item = Group> + '_ {
    (0..superblock.groups().get()).map(move |steps| superblock.group_after(start, steps))
}

/// Where to look first for the next block of a file: after `previous`, the block that comes before
/// it in the file (or the indirect block that will point to it), if there is one; else in `group`,
/// that of the inode, in one of sixteen places. Which one, `colour` says: any number, which should
/// be another for files that are written at the same time.
pub fn data_goal(
    superblock: &Superblock,
    previous: Option<Block>,
    group: Group,
    colour: u32,
) -> Block {
    let after = previous.and_then(|block| {
        let (group, index) = superblock.group_of(block);
        let next = index.checked_add(1)?;
        superblock
            .block_in_group(group, next)
            .or_else(|| superblock.block_in_group(superblock.next_group(group), 0))
    });
    after.unwrap_or_else(|| {
        let sixteenth = superblock.blocks_in_group(group) / 16;
        let index = sixteenth.saturating_mul(colour & 15);
        superblock
            .block_in_group(group, index)
            .unwrap_or(superblock.first_block(group))
    })
}

/// How many blocks are reserved for a file that grows: from 8 to 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowSize(u32);

impl WindowSize {
    /// What a file starts with. C: `EXT2_DEFAULT_RESERVE_BLOCKS`.
    pub const MIN: Self = Self(8);

    /// C: `EXT2_MAX_RESERVE_BLOCKS`, which is three more: room for indirect blocks, that get no
    /// window here.
    pub const MAX: Self = Self(1024);

    /// The size of the window that comes after `used_up`, the one that had this size: twice as
    /// large, if more than half of that was of use.
    pub fn after(self, used_up: &Window) -> Self {
        if used_up.hits > used_up.len >> 1 {
            Self(self.0.saturating_mul(2)).min(Self::MAX)
        } else {
            self
        }
    }

    /// In blocks.
    pub const fn blocks(self) -> u32 {
        self.0
    }
}

/// Blocks in a row that are meant for one file. Others take them only if nothing else is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    first: Block,
    len: u32,
    hits: u32,
}

impl Window {
    /// The `len` blocks from `first` on. None of them is used yet.
    pub const fn new(first: Block, len: u32) -> Self {
        Self {
            first,
            len,
            hits: 0,
        }
    }

    /// The first block.
    pub const fn first(&self) -> Block {
        self.first
    }

    /// How many blocks.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is no block in it.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many blocks in the window there are from `block` on. 0 if it is not in the window.
    pub fn left(&self, block: Block) -> u32 {
        match block.get().checked_sub(self.first.get()) {
            Some(before) => self.len.saturating_sub(before),
            None => 0,
        }
    }

    /// Whether `block` is in it.
    pub fn contains(&self, block: Block) -> bool {
        self.left(block) != 0
    }

    /// Whether both have a block in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.is_empty()
            && !other.is_empty()
            && (self.contains(other.first) || other.contains(self.first))
    }

    /// Counts `blocks` blocks that were allocated in it.
    pub fn hit(&mut self, blocks: u32) {
        self.hits = self.hits.saturating_add(blocks);
    }
}
