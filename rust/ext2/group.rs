// SPDX-License-Identifier: GPL-2.0

//! Group descriptors, and where a group keeps its metadata.
//!
//! C: `struct ext2_group_desc` (`fs/ext2/ext2.h`), `ext2_check_descriptors()` (`fs/ext2/super.c`),
//! `ext2_valid_block_bitmap()` (`fs/ext2/balloc.c`). A group's metadata is in the group: it can be
//! elsewhere only with features that are not supported.

use crate::{
    bitmap, le,
    superblock::{Block, Group, Superblock},
    Corrupt, Result, Structure,
};

/// Offsets of the fields, in bytes.
mod at {
    pub(super) const BLOCK_BITMAP: usize = 0;
    pub(super) const INODE_BITMAP: usize = 4;
    pub(super) const INODE_TABLE: usize = 8;
    pub(super) const FREE_BLOCKS_COUNT: usize = 12;
    pub(super) const FREE_INODES_COUNT: usize = 14;
    pub(super) const USED_DIRS_COUNT: usize = 16;
}

/// Length of a descriptor, in bytes.
pub const SIZE: usize = 32;

/// A descriptor that was checked: everything it points to is in its group, and nothing of that is
/// in the place of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    block_bitmap: Block,
    inode_bitmap: Block,
    inode_table: Block,
    /// How many of the group's blocks are free.
    pub free_blocks: u16,
    /// How many of the group's inodes are free.
    pub free_inodes: u16,
    /// How many of the group's inodes are directories.
    pub used_dirs: u16,
}

/// Blocks in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// The number of the first.
    pub first: u32,
    /// How many. May be 0.
    pub count: u32,
}

impl Blocks {
    /// Whether both have a block in common.
    pub fn overlaps(self, other: Self) -> bool {
        let end = |blocks: Self| u64::from(blocks.first).saturating_add(blocks.count.into());
        self.count != 0
            && other.count != 0
            && u64::from(self.first) < end(other)
            && u64::from(other.first) < end(self)
    }
}

impl Descriptor {
    /// Whether everything is where it is in `other`. Counts may differ.
    pub fn has_layout_of(&self, other: &Self) -> bool {
        let layout = |of: &Self| (of.block_bitmap, of.inode_bitmap, of.inode_table);
        layout(self) == layout(other)
    }

    /// The descriptor of `group`, which is the first 32 bytes of `bytes`.
    ///
    /// # Errors
    ///
    /// If it points out of its group, or two things are in one place, or a count is more than there
    /// can be. Whether the counts are right, only the bitmaps can tell.
    pub fn parse(bytes: &[u8], superblock: &Superblock, group: Group) -> Result<Self> {
        let (Some(block_bitmap), Some(inode_bitmap), Some(inode_table)) = (
            le::get_u32(bytes, at::BLOCK_BITMAP),
            le::get_u32(bytes, at::INODE_BITMAP),
            le::get_u32(bytes, at::INODE_TABLE),
        ) else {
            return Err(corrupt("is cut short", 0u32));
        };
        let (Some(free_blocks), Some(free_inodes), Some(used_dirs)) = (
            le::get_u16(bytes, at::FREE_BLOCKS_COUNT),
            le::get_u16(bytes, at::FREE_INODES_COUNT),
            le::get_u16(bytes, at::USED_DIRS_COUNT),
        ) else {
            return Err(corrupt("is cut short", 0u32));
        };

        let first = superblock.first_block(group).get();
        let blocks = superblock.blocks_in_group(group);
        let in_group = |start: u32, count: u32| {
            let last = start.checked_sub(first)?.checked_add(count)?;
            (last <= blocks).then_some(Block::new(start))
        };
        let table_blocks = superblock.inode_table_blocks();
        let descriptor = Self {
            block_bitmap: in_group(block_bitmap, 1)
                .ok_or(corrupt("block bitmap is not in its group", block_bitmap))?,
            inode_bitmap: in_group(inode_bitmap, 1)
                .ok_or(corrupt("inode bitmap is not in its group", inode_bitmap))?,
            inode_table: in_group(inode_table, table_blocks)
                .ok_or(corrupt("inode table is not in its group", inode_table))?,
            free_blocks,
            free_inodes,
            used_dirs,
        };

        let [supers, block_bitmaps, inode_bitmaps, tables] = descriptor.metadata(superblock, group);
        if supers.count > blocks {
            let what = "group is too small for its copy of the superblock";
            return Err(corrupt(what, blocks));
        }
        if block_bitmaps.overlaps(supers) {
            let what = "block bitmap is where the superblock or descriptors are";
            return Err(corrupt(what, block_bitmap));
        }
        if inode_bitmaps.overlaps(supers) || inode_bitmaps.overlaps(block_bitmaps) {
            let what = "inode bitmap is where something else is";
            return Err(corrupt(what, inode_bitmap));
        }
        if [supers, block_bitmaps, inode_bitmaps]
            .into_iter()
            .any(|other| tables.overlaps(other))
        {
            let what = "inode table is where something else is";
            return Err(corrupt(what, inode_table));
        }

        let inodes = superblock.inodes_per_group().get();
        if u32::from(free_blocks) > blocks {
            return Err(corrupt("more blocks are free than there are", free_blocks));
        }
        if u32::from(free_inodes) > inodes {
            return Err(corrupt("more inodes are free than there are", free_inodes));
        }
        if u32::from(used_dirs) > inodes {
            let what = "more inodes are directories than there are";
            return Err(corrupt(what, used_dirs));
        }
        Ok(descriptor)
    }

    /// Writes the three counts into `bytes`, the descriptor as it was read. `None` if they don't
    /// fit in `bytes`.
    pub fn encode_counts(&self, bytes: &mut [u8]) -> Option<()> {
        let bytes = bytes.first_chunk_mut::<SIZE>()?;
        le::put_u16(bytes, at::FREE_BLOCKS_COUNT, self.free_blocks)?;
        le::put_u16(bytes, at::FREE_INODES_COUNT, self.free_inodes)?;
        le::put_u16(bytes, at::USED_DIRS_COUNT, self.used_dirs)
    }

    /// The bitmap of the group's blocks.
    pub const fn block_bitmap(&self) -> Block {
        self.block_bitmap
    }

    /// The bitmap of the group's inodes.
    pub const fn inode_bitmap(&self) -> Block {
        self.inode_bitmap
    }

    /// The first block of the group's inodes.
    pub const fn inode_table(&self) -> Block {
        self.inode_table
    }

    /// Block `block` of the group's inodes, from 0, if there is one. See
    /// [`InodeLocation`](crate::superblock::InodeLocation).
    pub fn inode_table_block(&self, superblock: &Superblock, block: u32) -> Option<Block> {
        if block >= superblock.inode_table_blocks() {
            return None;
        }
        self.inode_table.get().checked_add(block).map(Block::new)
    }

    /// The blocks that can't be a file's: the copies of superblock and descriptors (which may be
    /// none), block bitmap, inode bitmap, inode table.
    pub fn metadata(&self, superblock: &Superblock, group: Group) -> [Blocks; 4] {
        let blocks = |first: Block, count| Blocks {
            first: first.get(),
            count,
        };
        [
            blocks(
                superblock.first_block(group),
                superblock.super_and_descriptor_blocks(group),
            ),
            blocks(self.block_bitmap, 1),
            blocks(self.inode_bitmap, 1),
            blocks(self.inode_table, superblock.inode_table_blocks()),
        ]
    }

    /// Whether one of the `count` blocks from `first` on is the group's metadata. A file that
    /// claims such a block is corrupt.
    pub fn overlaps_metadata(
        &self,
        superblock: &Superblock,
        group: Group,
        first: Block,
        count: u32,
    ) -> bool {
        let first = first.get();
        self.metadata(superblock, group)
            .into_iter()
            .any(|blocks| blocks.overlaps(Blocks { first, count }))
    }

    /// Checks that a block bitmap says of the group's metadata that it is in use.
    ///
    /// # Errors
    ///
    /// If it doesn't: then blocks must not be allocated by it.
    pub fn check_block_bitmap(
        &self,
        superblock: &Superblock,
        group: Group,
        block_bitmap: &[u8],
    ) -> Result<()> {
        let start = superblock.first_block(group).get();
        for blocks in self.metadata(superblock, group) {
            let from = blocks.first.saturating_sub(start);
            let to = from.saturating_add(blocks.count);
            if let Some(bit) = bitmap::find_next_zero(block_bitmap, from, to) {
                return Err(Corrupt::new(
                    Structure::BlockBitmap,
                    "metadata is marked as free",
                    start.saturating_add(bit).into(),
                ));
            }
        }
        Ok(())
    }
}

fn corrupt(what: &'static str, value: impl Into<u64>) -> Corrupt {
    Corrupt::new(Structure::GroupDescriptor, what, value.into())
}
