// SPDX-License-Identifier: GPL-2.0

//! How large a block is, and what follows from that alone.
//!
//! C: `s_log_block_size` (`fs/ext2/ext2.h`), `ext2_max_size()` (`fs/ext2/super.c`).

/// How large a block is. ext2 knows more sizes; these are the ones that fit a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockSize {
    /// 1024 bytes.
    K1,
    /// 2048 bytes.
    K2,
    /// 4096 bytes.
    K4,
}

impl BlockSize {
    /// log2 of the bytes.
    pub const fn bits(self) -> u32 {
        match self {
            Self::K1 => 10,
            Self::K2 => 11,
            Self::K4 => 12,
        }
    }

    /// In bytes.
    pub const fn bytes(self) -> u32 {
        match self {
            Self::K1 => 1024,
            Self::K2 => 2048,
            Self::K4 => 4096,
        }
    }

    /// In sectors of 512 bytes, which is what inodes count in.
    pub const fn sectors(self) -> u32 {
        self.bytes() >> 9
    }

    /// How many block numbers an indirect block holds.
    pub const fn pointers(self) -> u32 {
        self.bytes() >> 2
    }

    /// log2 of [`pointers`](Self::pointers).
    pub const fn pointer_bits(self) -> u32 {
        match self {
            Self::K1 => 8,
            Self::K2 => 9,
            Self::K4 => 10,
        }
    }

    /// How many bits a bitmap of one block holds.
    pub const fn bitmap_bits(self) -> u32 {
        match self {
            Self::K1 => 8192,
            Self::K2 => 16384,
            Self::K4 => 32768,
        }
    }

    /// How large a file can be, in bytes: as far as a triple indirect block reaches, and with all
    /// its blocks counted in 32 bits of sectors.
    ///
    /// C: `ext2_max_size()`.
    pub fn max_file_size(self) -> u64 {
        let bits = self.pointer_bits();
        let single = u64::from(self.pointers());
        let double = single.saturating_mul(single);
        let triple = double.saturating_mul(single);
        // In blocks: what the tree of a full file can hold, and what it is made of.
        let data = single
            .saturating_add(double)
            .saturating_add(triple)
            .saturating_add(12);
        let meta = single
            .saturating_mul(2)
            .saturating_add(double)
            .saturating_add(3);
        // In blocks, what a 32-bit count of sectors can say.
        let limit = u64::from(u32::MAX).wrapping_shr(self.bits().saturating_sub(9));
        let blocks = if data.saturating_add(meta) <= limit {
            data
        } else {
            // So large a limit that the triple indirect block is needed to reach it: 4 KiB.
            let rest = limit
                .saturating_sub(12)
                .saturating_sub(single)
                .saturating_sub(double);
            let meta = single
                .saturating_add(3)
                .saturating_add(shift_up(rest, bits))
                .saturating_add(shift_up(rest, bits.saturating_mul(2)));
            limit.saturating_sub(meta)
        };
        blocks.wrapping_shl(self.bits())
    }
}

/// `number` / 2^`bits`, rounded up. For `bits` below 64.
pub(crate) fn shift_up(number: u64, bits: u32) -> u64 {
    let unit = 1u64.wrapping_shl(bits);
    number
        .saturating_add(unit.saturating_sub(1))
        .wrapping_shr(bits)
}
