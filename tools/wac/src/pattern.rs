// SPDX-License-Identifier: GPL-2.0

//! What is written where.
//!
//! **Offsets.** Worker `w`'s operation number `s` goes to a block that is a pure
//! function of (seed, `w`, `s`): ChaCha8 keyed by the seed, stream `w`, position
//! `s`. The same seed gives every worker the same offsets again, no two workers
//! share a stream, and the read-back check can ask for any operation's block
//! without replaying the ones before it.
//!
//! **Contents.** Every aligned eight bytes of the file, a *word*, say by
//! themselves who wrote them:
//!
//! ```text
//!  63        54 53 52 51                      20 19          0
//! +------------+-----+--------------------------+-------------+
//! |   worker   | var |         sequence         |    check    |   XOR  mask
//! +------------+-----+--------------------------+-------------+
//! ```
//!
//! The mask is a hash of (seed, position of the word in the file), and the check
//! a hash of the other three keyed by the mask: a word copied to another place,
//! a word of another run, and a word with any bit flipped do not decode (one
//! accident in a million does, and then has to name a worker and an operation
//! that did go to this very block). Words are little-endian in the file.

use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Who wrote a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Number of the worker, 0 for the initial fill; ten bits.
    pub worker: u16,
    /// 0 as first written; 1 to 3 for contents that a rewriter put in flight.
    pub variant: u8,
    /// Number of the worker's operation, from 0.
    pub seq: u32,
}

/// The stamp of what the file holds before any worker ran.
pub const FILL: Stamp = Stamp {
    worker: 0,
    variant: 0,
    seq: 0,
};

/// Number of variants a rewriter goes round.
pub const VARIANTS: u8 = 4;

const CHECK_BITS: u32 = 20;
const CHECK_MASK: u64 = (1 << CHECK_BITS) - 1;

/// The contents that belong to one seed.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    seed: u64,
}

impl Pattern {
    /// Contents for `seed`.
    pub fn new(seed: u64) -> Pattern {
        Pattern { seed }
    }

    fn mask(&self, index: u64) -> u64 {
        xxh3_64_with_seed(&index.to_le_bytes(), self.seed)
    }

    fn check(id: u64, mask: u64) -> u64 {
        xxh3_64_with_seed(&id.to_le_bytes(), mask) & CHECK_MASK
    }

    /// The word at `index` (byte offset in the file / 8), as written by `stamp`.
    pub fn word(&self, index: u64, stamp: Stamp) -> u64 {
        let id = (u64::from(stamp.worker & 0x3ff) << 34)
            | (u64::from(stamp.variant & 3) << 32)
            | u64::from(stamp.seq);
        let mask = self.mask(index);
        ((id << CHECK_BITS) | Self::check(id, mask)) ^ mask
    }

    /// Who wrote `word` at `index`; nobody, if it does not decode.
    pub fn decode(&self, index: u64, word: u64) -> Option<Stamp> {
        let mask = self.mask(index);
        let raw = word ^ mask;
        let id = raw >> CHECK_BITS;
        if Self::check(id, mask) != raw & CHECK_MASK {
            return None;
        }
        let low = |value: u64| u16::try_from(value).ok();
        Some(Stamp {
            worker: low(id >> 34)?,
            variant: u8::try_from((id >> 32) & 3).ok()?,
            seq: u32::try_from(id & u64::from(u32::MAX)).ok()?,
        })
    }

    /// Fills `words`, which start at word `first` of the file.
    pub fn fill(&self, words: &mut [u64], first: u64, stamp: Stamp) {
        for (index, word) in (first..).zip(words) {
            *word = self.word(index, stamp);
        }
    }
}

/// Writes `words` into `bytes` as they stand in the file.
pub fn to_bytes(words: &[u64], bytes: &mut [u8]) {
    for (word, bytes) in words.iter().zip(bytes.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
}

/// One worker's stream of blocks.
#[derive(Clone, Debug)]
pub struct Offsets {
    rng: ChaCha8Rng,
    blocks: u64,
}

impl Offsets {
    /// The stream of worker `worker` over a file of `blocks` blocks, at operation 0.
    pub fn new(seed: u64, worker: u16, blocks: u64) -> Offsets {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::from(worker));
        Offsets { rng, blocks }
    }

    /// Makes operation `seq` the next one.
    pub fn seek(&mut self, seq: u64) {
        // An operation takes one 64-bit number: two of ChaCha's 32-bit words.
        self.rng.set_word_pos(u128::from(seq) * 2);
    }

    /// The block that the next operation goes to.
    pub fn next_block(&mut self) -> u64 {
        let wide = u128::from(self.rng.next_u64()) * u128::from(self.blocks);
        u64::try_from(wide >> 64).expect("a 64-bit number times a fraction")
    }

    /// The block that operation `seq` goes to; the next one is then `seq + 1`.
    pub fn block_at(&mut self, seq: u64) -> u64 {
        self.seek(seq);
        self.next_block()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(seed: u64, worker: u16, n: usize) -> Vec<u64> {
        let mut offsets = Offsets::new(seed, worker, 1000);
        (0..n).map(|_| offsets.next_block()).collect()
    }

    #[test]
    fn same_seed_gives_same_offsets() {
        assert_eq!(first(42, 3, 100), first(42, 3, 100));
    }

    #[test]
    fn offsets_do_not_change_between_versions() {
        // A seed in an old report has to stand for the same run.
        let pinned = [361, 592, 730, 499, 200, 802, 31, 395];
        assert_eq!(first(42, 3, 8), pinned);
    }

    #[test]
    fn workers_and_seeds_have_their_own_streams() {
        assert_ne!(first(42, 3, 100), first(42, 4, 100));
        assert_ne!(first(42, 3, 100), first(43, 3, 100));
    }

    #[test]
    fn any_operation_can_be_asked_for() {
        let sequence = first(7, 1, 300);
        let mut offsets = Offsets::new(7, 1, 1000);
        for seq in [299_usize, 0, 17, 255, 256, 1] {
            assert_eq!(offsets.block_at(seq as u64), sequence[seq]);
        }
        assert!(sequence.iter().all(|block| *block < 1000));
    }

    #[test]
    fn a_word_tells_who_wrote_it() {
        let pattern = Pattern::new(9);
        for stamp in [
            FILL,
            Stamp {
                worker: 1023,
                variant: 3,
                seq: u32::MAX,
            },
            Stamp {
                worker: 5,
                variant: 0,
                seq: 77,
            },
        ] {
            let word = pattern.word(123, stamp);
            assert_eq!(pattern.decode(123, word), Some(stamp));
        }
    }

    #[test]
    fn a_flipped_bit_a_moved_word_and_another_seed_are_noticed() {
        let stamp = Stamp {
            worker: 5,
            variant: 0,
            seq: 77,
        };
        let pattern = Pattern::new(9);
        let word = pattern.word(123, stamp);
        for bit in 0..64 {
            assert_eq!(pattern.decode(123, word ^ (1 << bit)), None, "bit {bit}");
        }
        assert_eq!(pattern.decode(124, word), None);
        assert_eq!(Pattern::new(10).decode(123, word), None);
        assert_eq!(pattern.decode(123, 0), None);
    }
}
