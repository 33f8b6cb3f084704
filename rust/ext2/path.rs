// SPDX-License-Identifier: GPL-2.0

//! From a block of a file to the pointers that lead to it.
//!
//! C: `ext2_block_to_path()`, `ext2_find_shared()`, `ext2_free_branches()` (`fs/ext2/inode.c`).
//! "The Second Extended File System", section "i_block". An inode has fifteen pointers. Twelve lead
//! to data; one to an indirect block, that is, a block of pointers to data; one to a block of
//! pointers to such blocks; and one to a block of pointers to those. A pointer of 0 leads nowhere:
//! all below it is a hole.
//!
//! The *height* of a pointer is 0 if it leads to data, 1 if it leads to an indirect block, and so
//! on up to 3.

use crate::{
    le::{self, index},
    superblock::BlockSize,
};

/// How many pointers an inode has.
pub const POINTERS: usize = 15;

/// How many of them lead to data. C: `EXT2_NDIR_BLOCKS`.
pub const DIRECT: u32 = 12;

/// How many blocks a file can have by its pointers; see also
/// [`BlockSize::max_file_size`].
pub fn max_blocks(size: BlockSize) -> u64 {
    (1..=3).fold(u64::from(DIRECT), |blocks, height| {
        blocks.saturating_add(span(size, height))
    })
}

/// How many blocks of a file a pointer of height `height` leads to. For heights up to 3.
pub fn span(size: BlockSize, height: u32) -> u64 {
    1u64.wrapping_shl(size.pointer_bits().saturating_mul(height))
}

/// The pointers that lead to one block of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// How many indirect blocks it goes through.
    depth: u32,
    /// One more than `depth` count.
    offsets: [u32; 4],
    run: u32,
}

impl Path {
    /// The path to block `block` of a file, from 0. `None` if a file can't have so many.
    pub fn new(size: BlockSize, block: u64) -> Option<Self> {
        let mut rest = match block.checked_sub(DIRECT.into()) {
            Some(rest) => rest,
            None => {
                let slot = u32::try_from(block).ok()?;
                return Some(Self {
                    depth: 0,
                    offsets: [slot, 0, 0, 0],
                    run: DIRECT.saturating_sub(slot),
                });
            }
        };
        let mask = size.pointers().saturating_sub(1);
        for depth in 1..=3 {
            let Some(beyond) = rest.checked_sub(span(size, depth)) else {
                // Which pointer of the indirect block of height `height`.
                let at = |height: u32| {
                    let bits = size.pointer_bits().saturating_mul(height.saturating_sub(1));
                    let index = rest.wrapping_shr(bits) & u64::from(mask);
                    u32::try_from(index).unwrap_or(0)
                };
                let slot = DIRECT.saturating_add(depth).saturating_sub(1);
                let offsets = match depth {
                    1 => [slot, at(1), 0, 0],
                    2 => [slot, at(2), at(1), 0],
                    _ => [slot, at(3), at(2), at(1)],
                };
                let run = size.pointers().saturating_sub(at(1));
                return Some(Self {
                    depth,
                    offsets,
                    run,
                });
            };
            rest = beyond;
        }
        None
    }

    /// How many indirect blocks it goes through, 0 to 3: the height of the inode's pointer.
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// Which pointer of the inode, then which pointer of the indirect block that it leads to, and
    /// so on: one more than [`depth`](Self::depth).
    pub fn offsets(&self) -> &[u32] {
        let len = index(self.depth).saturating_add(1);
        self.offsets.get(..len).unwrap_or(&self.offsets)
    }

    /// How many blocks of the file, from this on, have their pointers in one row, in the same place
    /// as this has: at least 1.
    pub const fn run(&self) -> u32 {
        self.run
    }
}

/// What a pointer of an inode is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// Which of the inode's pointers.
    pub slot: u32,
    /// Its height.
    pub height: u32,
    /// The first block of the file that it leads to.
    pub first: u64,
}

/// All of an inode's pointers, in the order of the file.
pub fn roots(size: BlockSize) -> impl Iterator<Item = Root> {
    let mut next: u64 = 0;
    (0..15u32).map(move |slot| {
        let height = slot.saturating_add(1).saturating_sub(DIRECT);
        let first = next;
        next = next.saturating_add(span(size, height));
        Root {
            slot,
            height,
            first,
        }
    })
}

/// Where an indirect block is cut, when a file gets shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first pointer that isn't kept as it is. All after it go, with what they lead to. May be
    /// one after the last, which means that all is kept.
    pub index: u32,
    /// How many blocks of the file stay, of those that pointer `index` leads to. If 0, it goes,
    /// too. Else the indirect block that it leads to is to be cut, with this as `kept`.
    pub kept: u64,
}

impl Cut {
    /// For an indirect block that a pointer of height `height` leads to (1 to 3), and of whose data
    /// the first `kept` blocks stay. If `kept` is 0, all goes, and the block too.
    pub fn new(size: BlockSize, height: u32, kept: u64) -> Self {
        let below = span(size, height.saturating_sub(1));
        let bits = size.pointer_bits().saturating_mul(height.saturating_sub(1));
        let index = u32::try_from(kept.wrapping_shr(bits)).unwrap_or(u32::MAX);
        if index >= size.pointers() {
            return Self {
                index: size.pointers(),
                kept: 0,
            };
        }
        Self {
            index,
            kept: kept & below.saturating_sub(1),
        }
    }
}

/// Pointer `index` of the indirect block `bytes`. `None` if there is no such pointer.
pub fn pointer(bytes: &[u8], index: u32) -> Option<u32> {
    le::get_u32(bytes, self::index(index).checked_mul(4)?)
}

/// Writes pointer `index` of the indirect block `bytes`. `None`, and nothing written, if there is
/// no such pointer.
pub fn put_pointer(bytes: &mut [u8], index: u32, block: u32) -> Option<()> {
    le::put_u32(bytes, self::index(index).checked_mul(4)?, block)
}

/// Pointers in a row that lead to blocks in a row, or all nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// What the first of them leads to. 0: they lead nowhere.
    pub block: u32,
    /// How many.
    pub len: u32,
}

/// The run that starts with pointer `from` of the indirect block `bytes`, up to `max` pointers of
/// it. `None` if there is no such pointer, or `max` is 0.
pub fn run(bytes: &[u8], from: u32, max: u32) -> Option<Run> {
    let rest = bytes.get(index(from).checked_mul(4)?..)?;
    let pointers = (0..).map_while(|at: usize| le::get_u32(rest, at.checked_mul(4)?));
    run_of(pointers, max)
}

/// The same for pointers of an inode. Those that don't lead to data should not be among them.
pub fn run_in(pointers: &[u32], from: u32, max: u32) -> Option<Run> {
    run_of(pointers.get(index(from)..)?.iter().copied(), max)
}

fn run_of(mut pointers: impl Iterator<Item = u32>, max: u32) -> Option<Run> {
    if max == 0 {
        return None;
    }
    let block = pointers.next()?;
    let mut len: u32 = 1;
    for pointer in pointers.take(index(max).saturating_sub(1)) {
        let expected = if block == 0 {
            Some(0)
        } else {
            block.checked_add(len)
        };
        if expected != Some(pointer) {
            break;
        }
        len = len.saturating_add(1);
    }
    Some(Run { block, len })
}
