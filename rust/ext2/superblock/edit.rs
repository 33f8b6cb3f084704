// SPDX-License-Identifier: GPL-2.0

//! Changing a superblock.

use super::{
    at, number::Ino, settings::State, up_to_nul, GOOD_OLD_FIRST_INO, GOOD_OLD_INODE_SIZE, SIZE,
};
use crate::{
    features::{Compat, Incompat, RoCompat},
    le,
};

/// Edits the bytes of a superblock, which is how it is written: what this crate doesn't know stays.
#[derive(Debug)]
pub struct Edit<'a>(&'a mut [u8; SIZE]);

impl<'a> Edit<'a> {
    /// For the superblock that is the first 1024 bytes of `bytes`. `None` if there are fewer.
    pub fn new(bytes: &'a mut [u8]) -> Option<Self> {
        bytes.first_chunk_mut().map(Self)
    }

    // The offset of a field is always within the bytes.
    fn put<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) {
        let _ = le::put(self.0, offset, bytes);
    }

    /// Sets how many blocks are free.
    pub fn free_blocks(&mut self, count: u32) {
        self.put(at::FREE_BLOCKS_COUNT, count.to_le_bytes());
    }

    /// Sets how many inodes are free.
    pub fn free_inodes(&mut self, count: u32) {
        self.put(at::FREE_INODES_COUNT, count.to_le_bytes());
    }

    /// Sets whether the file system is in order.
    pub fn state(&mut self, state: State) {
        self.put(at::STATE, state.0.to_le_bytes());
    }

    /// Sets when it was mounted, in seconds since 1970.
    pub fn mtime(&mut self, seconds: u32) {
        self.put(at::MTIME, seconds.to_le_bytes());
    }

    /// Sets when it was written, in seconds since 1970.
    pub fn wtime(&mut self, seconds: u32) {
        self.put(at::WTIME, seconds.to_le_bytes());
    }

    /// Sets how often it was mounted since it was checked.
    pub fn mount_count(&mut self, count: u16) {
        self.put(at::MNT_COUNT, count.to_le_bytes());
    }

    /// Sets the first inode of the chain of those that were deleted while still open.
    pub fn last_orphan(&mut self, ino: Option<Ino>) {
        let number = ino.map_or(0, Ino::get);
        self.put(at::LAST_ORPHAN, number.to_le_bytes());
    }

    /// Sets where it is mounted: up to the first 0, or the first 63 bytes.
    pub fn last_mounted(&mut self, path: &[u8]) {
        let mut field = [0; 64];
        for (to, from) in field.iter_mut().take(63).zip(up_to_nul(path)) {
            *to = *from;
        }
        self.put(at::LAST_MOUNTED, field);
    }

    /// Sets the features that may be ignored.
    pub fn compat(&mut self, features: Compat) {
        self.make_dynamic();
        self.put(at::FEATURE_COMPAT, features.bits().to_le_bytes());
    }

    /// Sets the features that must be known.
    pub fn incompat(&mut self, features: Incompat) {
        self.make_dynamic();
        self.put(at::FEATURE_INCOMPAT, features.bits().to_le_bytes());
    }

    /// Sets the features that must be known for writing.
    pub fn ro_compat(&mut self, features: RoCompat) {
        self.make_dynamic();
        self.put(at::FEATURE_RO_COMPAT, features.bits().to_le_bytes());
    }

    /// Revision 0 has no features: makes it 1, and writes down what was a matter of course.
    ///
    /// C: `ext2_update_dynamic_rev()`.
    fn make_dynamic(&mut self) {
        if le::get_u32(self.0, at::REV_LEVEL) != Some(0) {
            return;
        }
        self.put(at::REV_LEVEL, 1u32.to_le_bytes());
        self.put(at::FIRST_INO, GOOD_OLD_FIRST_INO.to_le_bytes());
        self.put(at::INODE_SIZE, GOOD_OLD_INODE_SIZE.to_le_bytes());
    }
}
