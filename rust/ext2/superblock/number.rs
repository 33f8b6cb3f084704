// SPDX-License-Identifier: GPL-2.0

//! Numbers of things that exist. They come from a [`Superblock`](crate::Superblock) only.

use core::num::NonZeroU32;

/// A block that exists. The first blocks, that no file can have, are among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block(pub(super) u32);

impl Block {
    /// Only for numbers that were checked.
    pub(crate) const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A block group that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(pub(super) u32);

impl Group {
    /// The group that every file system has.
    pub const FIRST: Self = Self(0);

    /// Its number, from 0.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// An inode that exists, in use or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub(super) NonZeroU32);

impl Ino {
    /// The root directory. C: `EXT2_ROOT_INO`.
    pub const ROOT: Self = match NonZeroU32::new(2) {
        Some(number) => Self(number),
        None => Self(NonZeroU32::MIN),
    };

    /// Its number, from 1.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

/// Where an inode lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InodeLocation {
    /// The group.
    pub group: Group,
    /// Which of the group's inodes it is, from 0: its bit in the inode bitmap.
    pub index: u32,
    /// The block of the group's inode table, from 0.
    pub block: u32,
    /// The byte in that block.
    pub offset: u32,
}
