// SPDX-License-Identifier: GPL-2.0

//! Regular files: where their data is, and how it gets there.

use crate::{
    balloc::{self, Who},
    cut,
    map::{self, Extent},
    mount::StableFs,
    node::LockedMap,
    strategy, INode, Locked, SuperBlock,
};
use kernel::prelude::*;
use storage::fs::{
    file,
    folio::LockedFolio,
    iomap::{self, Intent, Kind, Mapping},
    writeback::{Cycle, Treatment},
};

/// The blocks that bytes from `pos` to `end` are in.
fn blocks(sb: &SuperBlock, pos: u64, end: u64) -> core::ops::Range<u64> {
    let shift = sb.data().superblock.block_size().bits();
    pos >> shift..end.saturating_add((1 << shift) - 1) >> shift
}

fn mapping(inode: &INode, map: &LockedMap<'_>, block: u64, extent: Extent, new: bool) -> Mapping {
    let shift = inode.sb().data().superblock.block_size().bits();
    let (kind, len) = match extent {
        Extent::Hole(len) => (Kind::Hole, len),
        Extent::Blocks(first, len) => (Kind::Mapped(u64::from(first.get()) << shift), len),
    };
    Mapping {
        offset: block << shift,
        length: len << shift,
        kind,
        new,
        cookie: map.cookie(),
    }
}

impl iomap::Operations for StableFs {
    fn map(inode: &INode, pos: u64, len: u64, intent: Intent, nowait: bool) -> Result<Mapping> {
        let sb = inode.sb();
        let wanted = blocks(sb, pos, pos.saturating_add(len));
        let block = wanted.start;
        let count = wanted.end.saturating_sub(block).max(1);
        let mut map = inode.data().lock_unless(nowait)?;
        if intent == Intent::Fault {
            // All or nothing: iomap takes the whole folio for written to as soon as a part of it has a place.
            map::fill(inode, &mut map, wanted.clone(), Who::Current)?;
        }
        let extent = match map::look(inode, &map, block, count, nowait) {
            // Nothing can be written there, and nothing is.
            Err(error) if error == EFBIG && intent == Intent::Look => Extent::Hole(count),
            other => other?,
        };
        let Extent::Hole(hole) = extent else {
            return Ok(mapping(inode, &map, block, extent, false));
        };
        let fills = match intent {
            Intent::Look => false,
            Intent::Write => {
                let mut delayed = mapping(inode, &map, block, extent, false);
                delayed.kind = Kind::Delayed;
                // Without waiting there are no blocks to be had anyway.
                if !nowait && crowded(sb, hole) {
                    // What there is room for should not fail with the rest.
                    delayed.length = 1 << sb.data().superblock.block_size().bits();
                }
                return Ok(delayed);
            }
            Intent::Fault | Intent::Writeback => true,
            Intent::Direct => block << sb.data().superblock.block_size().bits() >= inode.size(),
        };
        if !fills {
            return Ok(mapping(inode, &map, block, extent, false));
        }
        if nowait {
            return Err(EAGAIN);
        }
        let who = if intent == Intent::Writeback {
            Who::Writeback
        } else {
            Who::Current
        };
        map::fill(inode, &mut map, block..block + hole, who)?;
        let extent = map::look(inode, &map, block, hole, false)?;
        Ok(mapping(inode, &map, block, extent, true))
    }

    fn cookie(inode: &INode) -> u64 {
        inode.data().cookie()
    }

    fn allocate(
        inode: &INode,
        pos: u64,
        end: u64,
        cookie: u64,
        nowait: bool,
    ) -> Result<Option<u64>> {
        if nowait {
            return Err(EAGAIN);
        }
        let mut map = inode.data().lock();
        let now = map.cookie();
        // The same page once more, with less, is no reason to begin anew: that would not come to an end.
        if now != cookie && map.undone != Some((cookie, now)) {
            return Ok(None);
        }
        map.undone = None;
        let wanted = blocks(inode.sb(), pos, end);
        map.pending = map::fill(inode, &mut map, wanted, Who::Current)?;
        Ok(Some(map.cookie()))
    }

    fn written(inode: &INode, end: u64) {
        let mut map = inode.data().lock();
        let before = map.cookie();
        let pending = core::mem::take(&mut map.pending);
        let kept = blocks(inode.sb(), 0, end).end;
        for range in pending {
            // Damage has been reported, and there is nobody to tell.
            let _ = cut::punch(inode, &mut map, range.start.max(kept)..range.end);
        }
        map.undone = (end == 0).then(|| (before, map.cookie()));
    }

    fn before_write(inode: &INode, folio: &LockedFolio<'_>, nowait: bool) -> Result {
        strategy::before_write(inode, folio, nowait)
    }

    fn largest_folio(inode: &INode) -> usize {
        strategy::largest_folio(inode)
    }

    fn sent(inode: &INode, folio: &LockedFolio<'_>, bytes: u64) {
        strategy::sent(inode, folio, bytes);
    }

    fn treat(inode: &INode, cycle: &Cycle<'_>) -> Treatment {
        strategy::treat(inode, cycle)
    }

    fn detaches(sb: &SuperBlock) -> bool {
        strategy::detaches(sb)
    }

    type Observer = strategy::Watch;

    fn copies(sb: &SuperBlock) -> &strategy::Copies {
        &sb.data().get_ref().copies
    }

    fn submitted(inode: &INode, bytes: u32) {
        inode.sb().data().counters.submitted(bytes);
    }
}

/// Whether there may not be room for so many blocks, with the indirect ones.
fn crowded(sb: &SuperBlock, blocks: u64) -> bool {
    let fs = sb.data();
    let state = fs.groups.lock();
    let free = state.totals.free_blocks;
    let rest = free.saturating_sub(fs.superblock.reserved_blocks());
    u64::from(rest) < blocks.saturating_add(8)
}

impl file::Operations for StableFs {
    fn truncate(inode: &Locked<'_>) -> Result {
        let kept = blocks(inode.sb(), 0, inode.size()).end;
        let mut map = inode.data().lock();
        cut::punch(inode, &mut map, kept..u64::MAX)
    }

    fn bounces(inode: &INode) -> bool {
        strategy::bounces(inode.sb())
    }

    fn refuse_swap(inode: &INode) {
        let (id, ino) = (inode.sb().id(), inode.ino());
        pr_err!("{id}: inode {ino}: swap files are not supported\n");
    }

    fn closed(inode: &INode) {
        let fs = inode.sb().data();
        fs.groups.lock().windows.drop_of(inode.ino());
    }

    fn trim(sb: &SuperBlock, start: u64, end: u64, min: u64) -> Result<u64> {
        if sb.is_read_only() {
            return Err(EROFS);
        }
        let superblock = &sb.data().superblock;
        let block = u64::from(superblock.block_size().bytes());
        let group = block * u64::from(superblock.blocks_per_group().get());
        let size = block * u64::from(superblock.blocks_count());
        if start >= size || end.saturating_sub(start) < block || min > group {
            return Err(EINVAL);
        }
        balloc::trim(sb, start, end, min)
    }
}
