// SPDX-License-Identifier: GPL-2.0

//! From a block of a file to a block of the device.

use crate::{
    balloc::{self, Who},
    cut,
    mount::StableFs,
    node::{self, LockedMap},
    report::{self, Where},
    INode, SuperBlock,
};
use core::ops::Range;
use ext2::{
    alloc,
    path::{self, Path},
    superblock::Block,
    Corrupt, Structure,
};
use kernel::prelude::*;
use storage::fs::buffer::Buffer;

/// What a row of a file's blocks has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// So many blocks of nothing.
    Hole(u64),
    /// So many blocks, from this one on.
    Blocks(Block, u64),
}

/// Checks that blocks are some that a file can have.
pub(crate) fn check_data(
    sb: &SuperBlock,
    first: u32,
    count: u32,
    structure: Structure,
) -> ext2::Result<Block> {
    let fs = sb.data();
    let block = fs.superblock.data_blocks(first, count, structure)?;
    if fs.groups.is_metadata(&fs.superblock, block, count) {
        let what = "a block that belongs to a group";
        return Err(Corrupt::new(structure, what, first.into()));
    }
    Ok(block)
}

/// Reads the indirect block `pointer`, on the way to `block` of the file. It was checked.
pub(crate) fn read(inode: &INode, block: u64, pointer: u32) -> Result<Buffer<'_>> {
    let place = Where::Block(inode.ino(), block);
    report::read(inode.sb(), place, Structure::IndirectBlock, pointer)
}

/// As many pointers of a row as are looked at in one go.
const ROW: usize = 256;

fn path_to(fs: &StableFs, block: u64) -> Result<Path> {
    Path::new(fs.superblock.block_size(), block).ok_or(EFBIG)
}

/// What is at `block`, in a row of up to `max`. `EUCLEAN`, reported, if a pointer leads astray. With
/// `nowait`, `EAGAIN` where an indirect block would have to be looked at.
pub(crate) fn look(
    inode: &INode,
    map: &LockedMap<'_>,
    block: u64,
    max: u64,
    nowait: bool,
) -> Result<Extent> {
    let sb = inode.sb();
    let fs = sb.data();
    let path = path_to(&fs, block)?;
    let max = u32::try_from(max).unwrap_or(u32::MAX).min(path.run());
    let damaged = |damage| report::corrupt(sb, Where::Block(inode.ino(), block), damage);
    let (slot, indirect) = path.offsets().split_first().ok_or(EFBIG)?;
    let run = if indirect.is_empty() {
        path::run_in(&map.pointers, *slot, max)
    } else {
        if nowait {
            return Err(EAGAIN);
        }
        let mut pointer = *map.pointers.get(*slot as usize).ok_or(EFBIG)?;
        let (last, above) = indirect.split_last().ok_or(EFBIG)?;
        for index in above {
            if pointer == 0 {
                return Ok(Extent::Hole(max.into()));
            }
            check_data(sb, pointer, 1, Structure::IndirectBlock).map_err(damaged)?;
            pointer = read(inode, block, pointer)?.le32(*index as usize * 4)?;
        }
        if pointer == 0 {
            return Ok(Extent::Hole(max.into()));
        }
        check_data(sb, pointer, 1, Structure::IndirectBlock).map_err(damaged)?;
        let buffer = read(inode, block, pointer)?;
        let mut row = [0; ROW * 4];
        let len = (max as usize).min(ROW) * 4;
        let row = row.get_mut(..len).ok_or(EFBIG)?;
        buffer.copy_to(*last as usize * 4, row)?;
        path::run(row, 0, max.min(ROW as u32))
    };
    let run = run.ok_or(EFBIG)?;
    if run.block == 0 {
        return Ok(Extent::Hole(run.len.into()));
    }
    let structure = if indirect.is_empty() {
        Structure::Inode
    } else {
        Structure::IndirectBlock
    };
    let first = check_data(sb, run.block, run.len, structure).map_err(damaged)?;
    Ok(Extent::Blocks(first, run.len.into()))
}

/// Where the next block of a file had best be.
fn goal(inode: &INode, map: &LockedMap<'_>, block: u64) -> Result<Block> {
    let fs = inode.sb().data();
    let superblock = &fs.superblock;
    let before = match block.checked_sub(1) {
        Some(before) => match look(inode, map, before, 1, false)? {
            Extent::Blocks(before, _) => Some(before),
            Extent::Hole(_) => None,
        },
        None => None,
    };
    let window = fs.groups.lock().windows.of(inode.ino());
    if before.is_none() {
        if let Some(window) = window {
            if let Ok(start) = superblock.data_block(window.start, Structure::Inode) {
                return Ok(start);
            }
        }
    }
    let group = superblock.inode_location(node::ino(inode)?).group;
    // No colour: files that are written at once have windows.
    Ok(alloc::data_goal(superblock, before, group, 0))
}

/// Where a block for pointers to `data` had best be: in the last sixteenth of the same group, so that it
/// doesn't part the data.
fn indirect_goal(fs: &StableFs, data: Block) -> Block {
    let superblock = &fs.superblock;
    let (group, _) = superblock.group_of(data);
    let blocks = superblock.blocks_in_group(group);
    superblock
        .block_in_group(group, blocks.saturating_sub(blocks >> 4))
        .unwrap_or(data)
}

/// Takes a block for pointers to `data`, all zero, that belongs to the file.
fn indirect_block(inode: &INode, data: Block, who: Who) -> Result<(Block, Buffer<'_>)> {
    let sb = inode.sb();
    let goal = indirect_goal(&sb.data(), data);
    let (block, _) = balloc::allocate(sb, None, goal, 1, who)?;
    match Buffer::zeroed(sb, block.get().into()) {
        Ok(buffer) => {
            count(inode, 1);
            buffer.modify_of(inode, |_| ());
            Ok((block, buffer))
        }
        Err(error) => {
            balloc::free(sb, block, 1)?;
            Err(error)
        }
    }
}

/// The file has so many blocks more, or less.
pub(crate) fn count(inode: &INode, blocks: i64) {
    let shift = inode.sb().data().superblock.block_size().bits();
    inode.add_bytes(blocks << shift);
}

/// Lets `len` pointers from `block` on, which are in one row, lead to blocks from `first` on. Makes the
/// indirect blocks that are missing.
fn point(
    inode: &INode,
    map: &mut LockedMap<'_>,
    block: u64,
    first: Block,
    len: u32,
    who: Who,
) -> Result {
    let sb = inode.sb();
    let fs = sb.data();
    let path = path_to(&fs, block)?;
    let (slot, indirect) = path.offsets().split_first().ok_or(EFBIG)?;
    let slot = *slot as usize;
    let Some((last, above)) = indirect.split_last() else {
        for (pointer, to) in map
            .pointers
            .iter_mut()
            .skip(slot)
            .zip(first.get()..)
            .take(len as usize)
        {
            *pointer = to;
        }
        return Ok(());
    };
    let pointer = map.pointers.get_mut(slot).ok_or(EFBIG)?;
    let mut buffer = if *pointer == 0 {
        let (block, buffer) = indirect_block(inode, first, who)?;
        *pointer = block.get();
        buffer
    } else {
        read(inode, block, *pointer)?
    };
    for index in above {
        let offset = *index as usize * 4;
        let pointer = buffer.le32(offset)?;
        let next = if pointer == 0 {
            let (block, next) = indirect_block(inode, first, who)?;
            buffer.modify_of(inode, |locked| {
                locked.write(offset, &block.get().to_le_bytes())
            })?;
            next
        } else {
            read(inode, block, pointer)?
        };
        buffer = next;
    }
    buffer.modify_of(inode, |locked| {
        for (offset, to) in (*last as usize * 4..)
            .step_by(4)
            .zip(first.get()..)
            .take(len as usize)
        {
            locked.write(offset, &to.to_le_bytes())?;
        }
        Ok(())
    })
}

/// Gives blocks to all holes in `blocks`, and returns which they were; the cookie has changed if there
/// were any. If it fails, none of them got blocks.
pub(crate) fn fill(
    inode: &INode,
    map: &mut LockedMap<'_>,
    blocks: Range<u64>,
    who: Who,
) -> Result<KVec<Range<u64>>> {
    let mut filled = KVec::new();
    let result = fill_holes(inode, map, blocks, who, &mut filled);
    if !filled.is_empty() {
        map.changed();
        inode.mark_dirty();
    }
    if let Err(error) = result {
        for range in filled {
            cut::punch(inode, map, range)?;
        }
        return Err(error);
    }
    Ok(filled)
}

fn fill_holes(
    inode: &INode,
    map: &mut LockedMap<'_>,
    blocks: Range<u64>,
    who: Who,
    filled: &mut KVec<Range<u64>>,
) -> Result {
    let sb = inode.sb();
    let mut block = blocks.start;
    while block < blocks.end {
        let hole = match look(inode, map, block, blocks.end - block, false)? {
            Extent::Hole(len) => len,
            Extent::Blocks(_, len) => {
                block += len;
                continue;
            }
        };
        filled.reserve(1, GFP_KERNEL)?;
        let goal = goal(inode, map, block)?;
        let want = u32::try_from(hole).unwrap_or(u32::MAX);
        let (first, len) = balloc::allocate(sb, Some(inode.ino()), goal, want, who)?;
        let end = block + u64::from(len);
        if let Err(error) = point(inode, map, block, first, len, who) {
            // The pointers to these blocks are the last that is written: there are none. But indirect
            // blocks may have been made for nothing.
            balloc::free(sb, first, len)?;
            cut::punch(inode, map, block..end)?;
            return Err(error);
        }
        count(inode, len.into());
        filled.push(block..end, GFP_KERNEL)?;
        if inode.is_regular() {
            sb.clean_aliases(first.get().into(), len.into());
        }
        block = end;
    }
    Ok(())
}

/// A block of a directory or of a long symbolic link, which must be there.
pub(crate) fn metadata_block(inode: &INode, block: u64) -> Result<Buffer<'_>> {
    let map = inode.data().lock();
    let place = Where::Block(inode.ino(), block);
    let structure = if inode.is_directory() {
        Structure::Directory
    } else {
        Structure::Inode
    };
    match look(inode, &map, block, 1, false)? {
        Extent::Blocks(first, _) => report::read(inode.sb(), place, structure, first.get()),
        Extent::Hole(_) => {
            let damage = Corrupt::new(structure, "a block is missing", block);
            Err(report::corrupt(inode.sb(), place, damage))
        }
    }
}

/// One more block for a directory or a long symbolic link, all zero.
pub(crate) fn new_metadata_block(inode: &INode, block: u64) -> Result<Buffer<'_>> {
    let sb = inode.sb();
    let mut map = inode.data().lock();
    fill(inode, &mut map, block..block + 1, Who::Current)?;
    let Extent::Blocks(first, _) = look(inode, &map, block, 1, false)? else {
        return Err(EIO);
    };
    let zeroed = Buffer::zeroed(sb, first.get().into());
    if zeroed.is_err() {
        cut::punch(inode, &mut map, block..block + 1)?;
    }
    zeroed
}
