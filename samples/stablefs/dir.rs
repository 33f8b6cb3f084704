// SPDX-License-Identifier: GPL-2.0

//! The blocks of a directory, as a list of names. Callers hold the directory's `i_rwsem`, for reading at
//! least; for writing, where something changes. Only who asks a file handle's directory for its parent holds nothing.

use crate::{
    map,
    mount::StableFs,
    report::{self, Where},
    INode, Locked, NewINode, SuperBlock,
};
use core::ops::Range;
use ext2::{
    dir::{self, Name, Params},
    inode::Flags,
    superblock::Ino,
    Corrupt, FileType, Structure,
};
use kernel::prelude::*;
use storage::fs::{buffer::Buffer, dir::Emitter};

fn params(fs: &StableFs) -> Params {
    Params {
        inodes_count: fs.superblock.inodes_count(),
        has_file_type: fs.superblock.has_filetype(),
    }
}

/// One block, to be looked at or changed.
struct DirBlock<'a> {
    dir: &'a INode,
    index: u64,
    buffer: Buffer<'a>,
    bytes: KVec<u8>,
}

impl<'a> DirBlock<'a> {
    fn read(dir: &'a INode, index: u64) -> Result<Self> {
        let buffer = map::metadata_block(dir, index)?;
        let bytes = buffer.copy()?;
        Ok(Self {
            dir,
            index,
            buffer,
            bytes,
        })
    }

    /// The result of looking at it. What is damaged is reported.
    fn checked<R>(&self, result: ext2::Result<R>) -> Result<R> {
        result.map_err(|damage| {
            let place = Where::Block(self.dir.ino(), self.index);
            report::corrupt(self.dir.sb(), place, damage)
        })
    }

    /// Writes what was changed.
    fn write(&self, changed: Range<usize>) -> Result {
        self.buffer
            .modify_of(self.dir, |locked| locked.write_range(&self.bytes, changed))
    }
}

fn block_count(dir: &INode) -> u64 {
    dir.size() >> dir.sb().data().superblock.block_size().bits()
}

/// A name that is there.
pub(crate) struct Slot<'a> {
    block: DirBlock<'a>,
    offset: usize,
    ino: Ino,
}

/// The name in the directory, if it is there. May sleep.
pub(crate) fn find<'a>(dir: &'a INode, name: &[u8]) -> Result<Option<Slot<'a>>> {
    let fs = dir.sb().data();
    for index in 0..block_count(dir) {
        let block = DirBlock::read(dir, index)?;
        if let Some(found) = block.checked(dir::find(&block.bytes, params(&fs), name))? {
            let ino = block.checked(fs.superblock.named_ino(found.inode))?;
            return Ok(Some(Slot {
                block,
                offset: found.offset,
                ino,
            }));
        }
    }
    Ok(None)
}

impl Slot<'_> {
    /// The inode that has the name.
    pub(crate) fn ino(&self) -> Ino {
        self.ino
    }

    /// Removes the name. `dir` is its directory, locked.
    pub(crate) fn remove(mut self, dir: &Locked<'_>) -> Result {
        let fs = dir.sb().data();
        let changed = dir::remove(&mut self.block.bytes, params(&fs), self.offset);
        let changed = self.block.checked(changed)?;
        self.block.write(changed)?;
        let index = self.block.index;
        {
            let mut map = dir.data().lock();
            map.room = map.room.min(index);
        }
        changed_now(dir);
        Ok(())
    }

    /// Gives the name to another inode. `dir` is its directory, locked.
    pub(crate) fn set(&mut self, dir: &Locked<'_>, ino: Ino, file_type: FileType) -> Result {
        let fs = dir.sb().data();
        let changed = dir::replace(
            &mut self.block.bytes,
            params(&fs),
            self.offset,
            ino.get(),
            file_type,
        );
        let changed = self.block.checked(changed)?;
        self.block.write(changed)?;
        changed_now(dir);
        Ok(())
    }
}

/// Times of a directory that was changed. Its index, if ext3 or ext4 made one, isn't true any more.
fn changed_now(dir: &Locked<'_>) {
    {
        let mut map = dir.data().lock();
        map.flags = map.flags.without(Flags::INDEX);
    }
    dir.modified_now();
    dir.mark_dirty();
}

/// Adds a name. That it isn't there has been seen to. `ENOSPC`. May sleep.
pub(crate) fn add(dir: &Locked<'_>, name: &[u8], ino: Ino, file_type: FileType) -> Result {
    let name = Name::new(name).ok_or(ENAMETOOLONG)?;
    let fs = dir.sb().data();
    let params = params(&fs);
    let count = block_count(dir);
    let first = dir.data().lock().room.min(count);
    for index in first..count {
        let mut block = DirBlock::read(dir, index)?;
        let inserted = dir::insert(&mut block.bytes, params, name, ino.get(), file_type);
        if let Some(changed) = block.checked(inserted)? {
            block.write(changed)?;
            dir.data().lock().room = index;
            changed_now(dir);
            return Ok(());
        }
    }
    let size = (count + 1) << fs.superblock.block_size().bits();
    if u32::try_from(size).is_err() {
        return Err(EFBIG);
    }
    let buffer = map::new_metadata_block(dir, count)?;
    let mut block = DirBlock {
        dir,
        index: count,
        bytes: buffer.copy()?,
        buffer,
    };
    dir::empty_block(&mut block.bytes).map_err(|_| EIO)?;
    let inserted = dir::insert(&mut block.bytes, params, name, ino.get(), file_type);
    block.checked(inserted)?.ok_or(ENAMETOOLONG)?;
    let all = 0..block.bytes.len();
    block.write(all)?;
    dir.set_directory_size(size)?;
    dir.data().lock().room = count;
    changed_now(dir);
    Ok(())
}

/// Makes the first block of a new directory.
pub(crate) fn begin(new: &mut NewINode<'_>, own: Ino, parent: Ino) -> Result {
    let buffer = map::new_metadata_block(new, 0)?;
    let mut bytes = buffer.copy()?;
    let params = params(&new.sb().data());
    dir::first_block(&mut bytes, params, own.get(), parent.get()).map_err(|_| EIO)?;
    let all = 0..bytes.len();
    buffer.modify_of(new, |locked| locked.write_range(&bytes, all))?;
    drop(buffer);
    new.set_size(bytes.len() as u64)
}

/// Whether a directory has no names but its own and its parent's. May sleep.
pub(crate) fn is_empty(dir: &INode) -> Result<bool> {
    let fs = dir.sb().data();
    let own = u32::try_from(dir.ino())?;
    for index in 0..block_count(dir) {
        let block = DirBlock::read(dir, index)?;
        let empty = dir::is_empty(&block.bytes, params(&fs), own, index == 0);
        if !block.checked(empty)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn first_block(dir: &INode) -> Result<(DirBlock<'_>, dir::Dots)> {
    let sb = dir.sb();
    if block_count(dir) == 0 {
        let damage = Corrupt::new(Structure::Directory, "it has no blocks", 0);
        return Err(report::corrupt(sb, Where::Inode(dir.ino()), damage));
    }
    let block = DirBlock::read(dir, 0)?;
    let dots = block.checked(dir::check_first(&block.bytes, params(&sb.data())))?;
    Ok((block, dots))
}

/// The number of the directory that `dir` is in. May sleep.
pub(crate) fn parent(dir: &INode) -> Result<Ino> {
    let (block, dots) = first_block(dir)?;
    block.checked(dir.sb().data().superblock.named_ino(dots.parent))
}

/// `dir` is in another directory now. May sleep.
pub(crate) fn set_parent(dir: &INode, parent: Ino) -> Result {
    let params = params(&dir.sb().data());
    let (mut block, dots) = first_block(dir)?;
    let changed = dir::replace(
        &mut block.bytes,
        params,
        dots.parent_offset,
        parent.get(),
        FileType::Directory,
    );
    let changed = block.checked(changed)?;
    block.write(changed)?;
    dir.mark_dirty();
    Ok(())
}

/// Passes on what is in the directory, from the emitter's position on: that is a byte of the directory,
/// and stays true while entries come and go.
pub(crate) fn iterate(dir: &INode, out: &mut Emitter<'_>) -> Result {
    let sb: &SuperBlock = dir.sb();
    let fs = sb.data();
    let params = params(&fs);
    let shift = fs.superblock.block_size().bits();
    while out.position() < dir.size() {
        let position = out.position();
        let index = position >> shift;
        let base = index << shift;
        let wanted = (position - base) as usize;
        let block = DirBlock::read(dir, index)?;
        let offset = block.checked(dir::resume(&block.bytes, params, wanted))?;
        for entry in dir::entries_from(&block.bytes, params, offset) {
            let entry = block.checked(entry)?;
            let next = base + entry.end() as u64;
            if entry.inode == 0 {
                out.set_position(next);
                continue;
            }
            let mode = entry.file_type.map_or(0, FileType::mode);
            if !out.emit(entry.name, entry.inode.into(), mode, next) {
                return Ok(());
            }
        }
        out.set_position(base + (1 << shift));
    }
    Ok(())
}
