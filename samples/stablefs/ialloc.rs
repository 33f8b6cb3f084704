// SPDX-License-Identifier: GPL-2.0

//! Inodes: taken from the bitmaps, and given back.

use crate::{
    groups,
    report::{self, Where},
    INode, SuperBlock,
};
use ext2::{
    alloc, bitmap, inode,
    superblock::{Group, Ino},
    Structure,
};
use kernel::prelude::*;
use storage::fs::buffer::Buffer;

/// A number that was taken, and is given back unless [`Taken::keep`] is called.
pub(crate) struct Taken<'a> {
    sb: &'a SuperBlock,
    ino: Ino,
    is_directory: bool,
    kept: bool,
}

impl Taken<'_> {
    pub(crate) fn ino(&self) -> Ino {
        self.ino
    }

    /// The inode has it now.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.kept {
            free(self.sb, self.ino, self.is_directory);
        }
    }
}

/// Takes the number of a free inode for something in `dir`. `ENOSPC`. May sleep.
pub(crate) fn allocate<'a>(
    sb: &'a SuperBlock,
    dir: &INode,
    is_directory: bool,
    random: u32,
) -> Result<Taken<'a>> {
    let fs = sb.data();
    let superblock = &fs.superblock;
    let parent = superblock
        .ino(u32::try_from(dir.ino())?)
        .map_err(|_| EUCLEAN)?;
    let mut state = fs.groups.lock();
    let totals = state.totals;
    if totals.free_inodes == 0 {
        return Err(ENOSPC);
    }
    let counts = |group: Group| {
        state
            .counts
            .get(group.get() as usize)
            .copied()
            .unwrap_or_default()
    };
    let start = if !is_directory {
        alloc::file_group(superblock, parent, counts)
    } else if parent == Ino::ROOT {
        alloc::top_directory_group(superblock, totals, random, counts)
    } else {
        let group = superblock.inode_location(parent).group;
        alloc::directory_group(superblock, totals, group, counts)
    };
    let mut group = start.ok_or(ENOSPC)?;
    for _ in 0..superblock.groups().get() {
        let place = Where::Group(group.get());
        let descriptor = fs.groups.descriptor(group)?;
        let bitmap = descriptor.inode_bitmap().get();
        let buffer = report::read(sb, place, Structure::InodeBitmap, bitmap)?;
        let mut bits = buffer.copy()?;
        // The first inodes of all are reserved, whatever the bitmap says.
        let from = if group == Group::FIRST {
            superblock.first_ino().saturating_sub(1)
        } else {
            0
        };
        let found = bitmap::find_next_zero(&bits, from, superblock.inodes_per_group().get());
        let ino = found.and_then(|bit| superblock.inode_in_group(group, bit));
        if let (Some(bit), Some(ino)) = (found, ino) {
            let changed = bitmap::set_range(&mut bits, bit, 1, Structure::InodeBitmap)
                .map_err(|damage| report::corrupt(sb, place, damage))?;
            buffer.modify(|locked| locked.write_range(&bits, changed))?;
            groups::count(sb, &mut state, group, 0, -1, i32::from(is_directory))?;
            if let Some(counts) = state.counts.get_mut(group.get() as usize) {
                counts.debt = if is_directory {
                    counts.debt.saturating_add(1)
                } else {
                    counts.debt.saturating_sub(1)
                };
            }
            return Ok(Taken {
                sb,
                ino,
                is_directory,
                kept: false,
            });
        }
        group = superblock.next_group(group);
    }
    Err(ENOSPC)
}

/// Makes the place of an inode on disk one of an inode that was never used. May sleep.
pub(crate) fn empty(sb: &SuperBlock, ino: Ino) -> Result {
    let (buffer, offset) = place_of(sb, ino)?;
    let mut bytes = KVec::from_elem(0, sb.data().superblock.inode_size() as usize, GFP_KERNEL)?;
    inode::initialise(&mut bytes);
    buffer.modify(|locked| locked.write(offset, &bytes))
}

/// The buffer that an inode is in, and the byte at which it begins. May sleep.
pub(crate) fn place_of(sb: &SuperBlock, ino: Ino) -> Result<(Buffer<'_>, usize)> {
    let fs = sb.data();
    let location = fs.superblock.inode_location(ino);
    let block = fs
        .groups
        .descriptor(location.group)?
        .inode_table_block(&fs.superblock, location.block)
        .ok_or(EUCLEAN)?;
    let place = Where::Group(location.group.get());
    let buffer = report::read(sb, place, Structure::Inode, block.get())?;
    Ok((buffer, location.offset as usize))
}

/// Gives a number back. Damage is reported. May sleep.
pub(crate) fn free(sb: &SuperBlock, ino: Ino, is_directory: bool) {
    // It has been reported, or the device failed: then e2fsck finds an inode that is in use for nothing.
    let _ = try_free(sb, ino, is_directory);
}

fn try_free(sb: &SuperBlock, ino: Ino, is_directory: bool) -> Result {
    let fs = sb.data();
    let location = fs.superblock.inode_location(ino);
    let group = location.group;
    let mut state = fs.groups.lock();
    let place = Where::Group(group.get());
    let bitmap = fs.groups.descriptor(group)?.inode_bitmap().get();
    let buffer = report::read(sb, place, Structure::InodeBitmap, bitmap)?;
    let mut bits = buffer.copy()?;
    let changed = bitmap::clear_range(&mut bits, location.index, 1, Structure::InodeBitmap)
        .map_err(|damage| report::corrupt(sb, place, damage))?;
    buffer.modify(|locked| locked.write_range(&bits, changed))?;
    groups::count(sb, &mut state, group, 0, 1, -i32::from(is_directory))
}
