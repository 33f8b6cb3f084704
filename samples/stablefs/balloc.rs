// SPDX-License-Identifier: GPL-2.0

//! Blocks: taken from the bitmaps, and given back.

use crate::{
    groups::{self, Locked},
    mount::StableFs,
    report::{self, Where},
    SuperBlock,
};
use core::ops::Range;
use ext2::{
    bitmap,
    superblock::{Block, Group},
    Corrupt, Structure,
};
use kernel::prelude::*;
use storage::fs::{buffer::Buffer, cred};

/// Who wants blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The current thread: what is kept back is for root and the like.
    Current,
    /// Nobody can be told any more that there is no room.
    Writeback,
}

/// A group's block bitmap: its buffer, and a copy to work on.
struct Bitmap<'a> {
    buffer: Buffer<'a>,
    bits: KVec<u8>,
}

impl<'a> Bitmap<'a> {
    fn read(sb: &'a SuperBlock, state: &mut Locked<'_>, group: Group) -> Result<Self> {
        let fs = sb.data();
        let descriptor = fs.groups.descriptor(group)?;
        let place = Where::Group(group.get());
        let bitmap = descriptor.block_bitmap().get();
        let buffer = report::read(sb, place, Structure::BlockBitmap, bitmap)?;
        let bits = buffer.copy()?;
        let checked = state.checked.get_mut(group.get() as usize).ok_or(EUCLEAN)?;
        if !*checked {
            descriptor
                .check_block_bitmap(&fs.superblock, group, &bits)
                .map_err(|damage| report::corrupt(sb, place, damage))?;
            *checked = true;
        }
        Ok(Self { buffer, bits })
    }

    fn write(&self, changed: Range<usize>) -> Result {
        self.buffer
            .modify(|locked| locked.write_range(&self.bits, changed))
    }
}

/// Takes up to `want` blocks in a row, as near behind `goal` as there are: for the data of inode `ino`,
/// which will want to go on there, or for something else. `ENOSPC` if there is none. May sleep.
pub(crate) fn allocate(
    sb: &SuperBlock,
    ino: Option<u64>,
    goal: Block,
    want: u32,
    who: Who,
) -> Result<(Block, u32)> {
    let fs = sb.data();
    let mut state = fs.groups.lock();
    let available = fs.available(&state, who);
    let want = want.min(available);
    if want == 0 {
        return Err(ENOSPC);
    }
    let (start, first_bit) = fs.superblock.group_of(goal);
    // First without what others want to go on with; then anything.
    for mind_others in [true, false] {
        let mut group = start;
        for turn in 0..=fs.superblock.groups().get() {
            let from = if turn == 0 { first_bit } else { 0 };
            let free = state
                .counts
                .get(group.get() as usize)
                .map_or(0, |counts| counts.free_blocks);
            if free > 0 {
                let found = take(sb, &mut state, ino, group, from, want, mind_others)?;
                if let Some(found) = found {
                    return Ok(found);
                }
            }
            group = fs.superblock.next_group(group);
        }
    }
    let place = Where::Filesystem;
    report::failed(
        sb,
        place,
        fmt!("the groups have no free block, and say they do"),
    );
    Err(ENOSPC)
}

/// Takes up to `want` blocks of a group, from bit `from` on.
fn take(
    sb: &SuperBlock,
    state: &mut Locked<'_>,
    ino: Option<u64>,
    group: Group,
    from: u32,
    want: u32,
    mind_others: bool,
) -> Result<Option<(Block, u32)>> {
    let fs = sb.data();
    let mut bitmap = Bitmap::read(sb, state, group)?;
    let end = fs.superblock.blocks_in_group(group);
    let first = fs.superblock.first_block(group).get();
    let run = {
        // What others want counts as taken, in a copy.
        let mut seen = KVec::new();
        let others = state.windows.of_others(ino);
        let bits: &[u8] = if mind_others {
            seen.extend_from_slice(&bitmap.bits, GFP_KERNEL)?;
            for window in others {
                let start = window.start.saturating_sub(first);
                let stop = window
                    .start
                    .saturating_add(window.len)
                    .saturating_sub(first)
                    .min(end);
                for bit in start..stop {
                    if let Some(byte) = seen.get_mut((bit / 8) as usize) {
                        *byte |= 1 << (bit % 8);
                    }
                }
            }
            &seen
        } else {
            &bitmap.bits
        };
        match bitmap::test(bits, from) {
            // Right behind what the file has.
            Some(false) if from < end => {
                let stop = from.saturating_add(want).min(end);
                let stop = bitmap::find_next_one(bits, from, stop).unwrap_or(stop);
                Some(bitmap::Run {
                    start: from,
                    len: stop - from,
                })
            }
            _ => bitmap::find_run_of_zeros(bits, from, end, want),
        }
    };
    let Some(run) = run else {
        return Ok(None);
    };
    let len = run.len.min(want);
    let Some(block) = fs.superblock.block_in_group(group, run.start) else {
        return Ok(None);
    };
    let place = Where::Group(group.get());
    if fs.groups.is_metadata(&fs.superblock, block, len) {
        let damage = Corrupt::new(
            Structure::BlockBitmap,
            "metadata is marked as free",
            block.get().into(),
        );
        return Err(report::corrupt(sb, place, damage));
    }
    let changed = bitmap::set_range(&mut bitmap.bits, run.start, len, Structure::BlockBitmap)
        .map_err(|damage| report::corrupt(sb, place, damage))?;
    bitmap.write(changed)?;
    groups::count(sb, state, group, -(len as i32), 0, 0)?;
    if let Some(ino) = ino {
        state.windows.advance(ino, block.get().saturating_add(len));
    }
    Ok(Some((block, len)))
}

/// Gives back `count` blocks in a row, and discards them if that was asked for. `EUCLEAN`, reported, if
/// they are free; then some may have been freed. May sleep.
pub(crate) fn free(sb: &SuperBlock, first: Block, count: u32) -> Result {
    let fs = sb.data();
    if fs.options.discard() && sb.can_discard() {
        // It is a hint.
        let _ = sb.discard(first.get().into(), count.into());
    }
    let mut state = fs.groups.lock();
    let mut block = first;
    let mut left = count;
    loop {
        let (group, bit) = fs.superblock.group_of(block);
        let here = left.min(fs.superblock.blocks_in_group(group).saturating_sub(bit));
        free_in_group(sb, &mut state, group, block, bit, here)?;
        left -= here;
        if left == 0 {
            return Ok(());
        }
        group_after(&fs, group, &mut block)?;
    }
}

/// Goes on with the first block of the next group.
fn group_after(fs: &StableFs, group: Group, block: &mut Block) -> Result {
    let next = fs.superblock.next_group(group);
    if next == Group::FIRST {
        return Err(EUCLEAN);
    }
    *block = fs.superblock.first_block(next);
    Ok(())
}

fn free_in_group(
    sb: &SuperBlock,
    state: &mut Locked<'_>,
    group: Group,
    block: Block,
    bit: u32,
    count: u32,
) -> Result {
    let fs = sb.data();
    let place = Where::Group(group.get());
    let mut bitmap = Bitmap::read(sb, state, group)?;
    if fs.groups.is_metadata(&fs.superblock, block, count) {
        let what = "metadata is to be freed";
        let damage = Corrupt::new(Structure::BlockBitmap, what, block.get().into());
        return Err(report::corrupt(sb, place, damage));
    }
    let changed = bitmap::clear_range(&mut bitmap.bits, bit, count, Structure::BlockBitmap)
        .map_err(|damage| report::corrupt(sb, place, damage))?;
    bitmap.write(changed)?;
    groups::count(sb, state, group, count as i32, 0, 0)
}

/// Discards free blocks between two bytes of the device, in runs of at least `min` bytes. Returns how
/// many bytes that was. May sleep.
pub(crate) fn trim(sb: &SuperBlock, start: u64, end: u64, min: u64) -> Result<u64> {
    let fs = sb.data();
    let shift = fs.superblock.block_size().bits();
    let first = start >> shift;
    let last = end >> shift;
    let min = (min >> shift).max(1);
    let mut trimmed = 0;
    for group in fs.superblock.all_groups() {
        let base = u64::from(fs.superblock.first_block(group).get());
        let blocks = fs.superblock.blocks_in_group(group);
        // Nothing of the group is allocated until it is done.
        let mut state = fs.groups.lock();
        let bitmap = Bitmap::read(sb, &mut state, group)?;
        let clip = |block: u64| {
            u32::try_from(block.saturating_sub(base))
                .unwrap_or(u32::MAX)
                .min(blocks)
        };
        let mut from = clip(first);
        let to = clip(last);
        while let Some(begin) = bitmap::find_next_zero(&bitmap.bits, from, to) {
            let stop = bitmap::find_next_one(&bitmap.bits, begin, to).unwrap_or(to);
            let len = u64::from(stop - begin);
            if len >= min {
                sb.discard(base + u64::from(begin), len)?;
                trimmed += len << shift;
            }
            from = stop;
        }
    }
    Ok(trimmed)
}

impl StableFs {
    /// How many blocks are there for somebody.
    fn available(&self, state: &Locked<'_>, who: Who) -> u32 {
        let free = state.totals.free_blocks;
        if who == Who::Writeback {
            return free;
        }
        let rest = free.saturating_sub(self.superblock.reserved_blocks());
        if rest > 0 || !cred::may_use_reserved(self.options.resuid(), self.options.resgid()) {
            return rest;
        }
        free
    }
}
