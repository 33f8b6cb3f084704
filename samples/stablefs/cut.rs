// SPDX-License-Identifier: GPL-2.0

//! Blocks of a file go: at its end, in its middle, or all.

use crate::{
    balloc, map,
    node::LockedMap,
    report::{self, Where},
    INode, SuperBlock,
};
use core::ops::Range;
use ext2::{path, superblock::Block, Structure};
use kernel::prelude::*;

/// Frees blocks in rows: neighbours go at once.
struct Freed<'a> {
    sb: &'a SuperBlock,
    row: Option<(Block, u32)>,
    /// All that nothing points to any more, with indirect blocks.
    count: i64,
}

impl Freed<'_> {
    fn push(&mut self, block: Block) -> Result {
        if let Some((first, len)) = &mut self.row {
            if first.get().checked_add(*len) == Some(block.get()) {
                *len += 1;
                self.count += 1;
                return Ok(());
            }
        }
        self.flush()?;
        self.row = Some((block, 1));
        self.count += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result {
        self.row
            .take()
            .map_or(Ok(()), |(first, len)| balloc::free(self.sb, first, len))
    }
}

/// The blocks of a file in `blocks` are holes after that. `EUCLEAN`, reported, if there is damage: what it
/// hides stays allocated. May sleep.
pub(crate) fn punch(inode: &INode, map: &mut LockedMap<'_>, blocks: Range<u64>) -> Result {
    if blocks.is_empty() {
        return Ok(());
    }
    let sb = inode.sb();
    let size = sb.data().superblock.block_size();
    let mut freed = Freed {
        sb,
        row: None,
        count: 0,
    };
    let mut result = Ok(());
    // Nobody uses what is known of the blocks from here on.
    map.changed();
    for root in path::roots(size) {
        let span = path::span(size, root.height);
        let end = root.first.saturating_add(span);
        if end <= blocks.start || root.first >= blocks.end {
            continue;
        }
        let Some(pointer) = map.pointers.get(root.slot as usize).copied() else {
            continue;
        };
        if pointer == 0 {
            continue;
        }
        match cut(inode, &mut freed, pointer, root.height, root.first, &blocks) {
            Ok(true) => {
                if let Some(pointer) = map.pointers.get_mut(root.slot as usize) {
                    *pointer = 0;
                }
            }
            Ok(false) => {}
            // What is damaged may be so without end.
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    let flushed = freed.flush();
    let count = freed.count;
    if count != 0 {
        map::count(inode, -count);
    }
    inode.mark_dirty();
    result.and(flushed)
}

/// Frees what `pointer` of height `height` leads to, whose first block of the file is `first`, as far as it
/// is in `blocks`. Whether nothing is left of it, so that the pointer goes too.
fn cut(
    inode: &INode,
    freed: &mut Freed<'_>,
    pointer: u32,
    height: u32,
    first: u64,
    blocks: &Range<u64>,
) -> Result<bool> {
    let sb = inode.sb();
    let structure = if height == 0 {
        Structure::Inode
    } else {
        Structure::IndirectBlock
    };
    let block = map::check_data(sb, pointer, 1, structure)
        .map_err(|damage| report::corrupt(sb, Where::Block(inode.ino(), first), damage))?;
    if height == 0 {
        freed.push(block)?;
        return Ok(true);
    }
    let size = sb.data().superblock.block_size();
    let span = path::span(size, height - 1);
    let buffer = map::read(inode, first, pointer)?;
    let mut pointers = buffer.copy()?;
    let mut changed: Option<Range<usize>> = None;
    let mut empty = true;
    let mut result = Ok(());
    let mut at = first;
    for index in 0..size.pointers() {
        let below = path::pointer(&pointers, index).unwrap_or(0);
        let end = at.saturating_add(span);
        if below != 0 {
            let inside = end > blocks.start && at < blocks.end;
            let gone = inside && result.is_ok() && {
                let gone = cut(inode, freed, below, height - 1, at, blocks);
                result = gone.map(drop);
                gone == Ok(true)
            };
            if gone {
                let byte = index as usize * 4;
                changed = Some(changed.map_or(byte, |changed| changed.start)..byte + 4);
                let _ = path::put_pointer(&mut pointers, index, 0);
            } else {
                empty = false;
            }
        }
        at = end;
    }
    if empty {
        drop(buffer);
        freed.push(block)?;
    } else if let Some(changed) = changed {
        // Whatever else is wrong: nothing points to what is freed.
        buffer.modify_of(inode, |locked| locked.write_range(&pointers, changed))?;
    }
    result.map(|()| empty)
}
