// SPDX-License-Identifier: GPL-2.0

//! Where things are: from the number of a group, a block or an inode to its place, and back.
//!
//! C: `ext2_get_inode()` (`fs/ext2/inode.c`), `ext2_group_first_block_no()` (`fs/ext2/ext2.h`),
//! `ext2_bg_has_super()`, `ext2_data_block_valid()` (`fs/ext2/balloc.c`), `ext2_statfs()`
//! (`fs/ext2/super.c`).

use super::{
    number::{Block, Group, Ino, InodeLocation},
    Superblock, DESCRIPTOR_BITS,
};
use crate::{
    features::{Compat, RoCompat},
    Corrupt, Result, Structure,
};
use core::num::{NonZeroU32, NonZeroU64};

impl Superblock {
    /// Group number `raw`, if there is one.
    pub fn group(&self, raw: u32) -> Option<Group> {
        (raw < self.groups.get()).then_some(Group(raw))
    }

    /// All groups.
    pub fn all_groups(&self) -> impl Iterator<Item = Group> {
        (0..self.groups.get()).map(Group)
    }

    /// The group that comes after `group`, and after the last, the first.
    pub fn next_group(&self, group: Group) -> Group {
        self.group_after(group, 1)
    }

    /// The group `steps` after `group`. After the last comes the first.
    pub(crate) fn group_after(&self, group: Group, steps: u32) -> Group {
        let sum = u64::from(group.0).saturating_add(steps.into());
        let number = sum % NonZeroU64::from(self.groups);
        Group(u32::try_from(number).unwrap_or(0))
    }

    /// The group that `block` is in, and which block of that group it is, from 0: its bit in the
    /// block bitmap. Block 0, if it comes before the first group, counts as the first block of
    /// that.
    pub fn group_of(&self, block: Block) -> (Group, u32) {
        let number = block.0.saturating_sub(self.first_data_block);
        (
            Group(number / self.blocks_per_group),
            number % self.blocks_per_group,
        )
    }

    /// The first block of `group`.
    pub fn first_block(&self, group: Group) -> Block {
        let before = group.0.saturating_mul(self.blocks_per_group.get());
        Block(before.saturating_add(self.first_data_block))
    }

    /// How many blocks `group` has.
    pub fn blocks_in_group(&self, group: Group) -> u32 {
        let after = self
            .blocks_count
            .saturating_sub(self.first_block(group).get());
        after.min(self.blocks_per_group.get())
    }

    /// Block `index` of `group`, from 0, if there is one.
    pub fn block_in_group(&self, group: Group, index: u32) -> Option<Block> {
        if index >= self.blocks_in_group(group) {
            return None;
        }
        self.first_block(group).0.checked_add(index).map(Block)
    }

    /// Whether `group` has the superblock or a backup of it, and of the descriptors.
    ///
    /// C: `ext2_bg_has_super()`, `ext4_bg_has_super()`.
    pub fn has_super(&self, group: Group) -> bool {
        if group == Group::FIRST {
            return true;
        }
        if self.compat.contains(Compat::SPARSE_SUPER2) {
            return self.backup_groups.contains(&group.0);
        }
        if group.0 == 1 || !self.ro_compat.contains(RoCompat::SPARSE_SUPER) {
            return true;
        }
        [3, 5, 7]
            .into_iter()
            .any(|base| powers(base).any(|power| power == group.0))
    }

    /// How many blocks at the start of `group` the superblock, the descriptors, and the room for
    /// more of those take, be it the first of them or a backup.
    pub fn super_and_descriptor_blocks(&self, group: Group) -> u32 {
        if !self.has_super(group) {
            return 0;
        }
        self.descriptor_blocks
            .saturating_add(self.reserved_descriptor_blocks)
            .saturating_add(1)
    }

    /// How many blocks can never be a file's, as ext2 tells it in `statfs`. What is set aside for
    /// more descriptors doesn't count.
    ///
    /// C: `ext2_statfs()`.
    pub fn overhead(&self) -> u32 {
        let in_groups = |group: &u32| (1..self.groups.get()).contains(group);
        // Without the first group, which always has the superblock.
        let backups = if self.compat.contains(Compat::SPARSE_SUPER2) {
            let [a, b] = self.backup_groups;
            let both = u32::from(in_groups(&a)).saturating_add(u32::from(in_groups(&b)));
            both.saturating_sub(u32::from(a == b && in_groups(&a)))
        } else if self.ro_compat.contains(RoCompat::SPARSE_SUPER) {
            let powers = [3, 5, 7].into_iter().flat_map(powers);
            core::iter::once(1)
                .chain(powers)
                .filter(in_groups)
                .fold(0u32, |count, _| count.saturating_add(1))
        } else {
            self.groups.get().saturating_sub(1)
        };
        let supers = backups
            .saturating_add(1)
            .saturating_mul(self.descriptor_blocks.saturating_add(1));
        self.inode_table_blocks
            .saturating_add(2)
            .saturating_mul(self.groups.get())
            .saturating_add(supers)
            .saturating_add(self.first_data_block)
    }

    /// Where the descriptor of `group` is: its block, and its first byte in that.
    pub fn descriptor_location(&self, group: Group) -> (Block, u32) {
        let bits = self.block_size.bits().saturating_sub(DESCRIPTOR_BITS);
        let block = self
            .first_data_block
            .saturating_add(1)
            .saturating_add(group.0.wrapping_shr(bits));
        let index = group.0 & self.descriptors_per_block().saturating_sub(1);
        (Block(block), index << DESCRIPTOR_BITS)
    }

    /// Block number `raw`, if a file can have that block. Whether it is its group's metadata, the
    /// descriptor of the group knows: see
    /// [`Descriptor::overlaps_metadata`](crate::group::Descriptor::overlaps_metadata).
    ///
    /// # Errors
    ///
    /// If not, which blames `structure`: the one that the number was found in.
    pub fn data_block(&self, raw: u32, structure: Structure) -> Result<Block> {
        self.data_blocks(raw, 1, structure)
    }

    /// Block number `raw`, if a file can have it and the next ones, `count` in all.
    ///
    /// C: `ext2_data_block_valid()`.
    ///
    /// # Errors
    ///
    /// If not, which blames `structure`: the one that the number was found in.
    pub fn data_blocks(&self, raw: u32, count: u32, structure: Structure) -> Result<Block> {
        let end = raw.checked_add(count);
        if raw > self.first_data_block && end.is_some_and(|end| end <= self.blocks_count) {
            Ok(Block(raw))
        } else {
            let what = "block number is out of range";
            Err(Corrupt::new(structure, what, raw.into()))
        }
    }

    /// Inode number `raw`, in use or not, reserved or not.
    ///
    /// # Errors
    ///
    /// If there is no such inode.
    pub fn ino(&self, raw: u32) -> Result<Ino> {
        self.checked_ino(raw, 1).ok_or(Corrupt::new(
            Structure::Inode,
            "inode number is out of range",
            raw.into(),
        ))
    }

    /// Inode number `raw`, if a directory entry can name it: the root directory, or one that is not
    /// reserved.
    ///
    /// # Errors
    ///
    /// If not, which blames the directory.
    pub fn named_ino(&self, raw: u32) -> Result<Ino> {
        if raw == Ino::ROOT.get() {
            return Ok(Ino::ROOT);
        }
        self.checked_ino(raw, self.first_ino).ok_or(Corrupt::new(
            Structure::Directory,
            "inode number is out of range",
            raw.into(),
        ))
    }

    pub(super) fn checked_ino(&self, raw: u32, first: u32) -> Option<Ino> {
        if raw < first || raw > self.inodes_count {
            return None;
        }
        NonZeroU32::new(raw).map(Ino)
    }

    /// Where inode `ino` is.
    pub fn inode_location(&self, ino: Ino) -> InodeLocation {
        let number = ino.get().saturating_sub(1);
        let index = number % self.inodes_per_group;
        let bits = self.block_size.bits().saturating_sub(self.inode_bits);
        let in_block = index & 1u32.wrapping_shl(bits).saturating_sub(1);
        InodeLocation {
            group: Group(number / self.inodes_per_group),
            index,
            block: index.wrapping_shr(bits),
            offset: in_block.wrapping_shl(self.inode_bits),
        }
    }

    /// Inode `index` of `group`, from 0, if there is one.
    pub fn inode_in_group(&self, group: Group, index: u32) -> Option<Ino> {
        if index >= self.inodes_per_group.get() {
            return None;
        }
        let before = group.0.checked_mul(self.inodes_per_group.get())?;
        let number = before.checked_add(index)?.checked_add(1)?;
        self.checked_ino(number, 1)
    }
}

/// `base`, its square, and so on, as far as 32 bits go.
fn powers(base: u32) -> impl Iterator<Item = u32> {
    core::iter::successors(Some(base), move |power| power.checked_mul(base))
}
