// SPDX-License-Identifier: GPL-2.0

//! What is wrong with a structure: plain data, for a log line that names structure, reason and
//! value.
//!
//! C: the texts that `ext2_error()` (`fs/ext2/super.c`) is called with.

use core::fmt;

/// The kind of structure that something is wrong with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// C: `struct ext2_super_block`.
    Superblock,
    /// C: `struct ext2_group_desc`.
    GroupDescriptor,
    /// The bitmap of a group's blocks.
    BlockBitmap,
    /// The bitmap of a group's inodes.
    InodeBitmap,
    /// C: `struct ext2_inode`.
    Inode,
    /// A block of block numbers.
    IndirectBlock,
    /// A block of a directory. C: `struct ext2_dir_entry_2`.
    Directory,
    /// The block of an inode's extended attributes. C: `struct ext2_xattr_header`.
    XattrBlock,
    /// An access control list, in an extended attribute. C: `ext2_acl_header`.
    Acl,
    /// The chain of inodes that were deleted while still open. C: `s_last_orphan`.
    OrphanList,
}

impl Structure {
    /// What people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Superblock => "superblock",
            Self::GroupDescriptor => "group descriptor",
            Self::BlockBitmap => "block bitmap",
            Self::InodeBitmap => "inode bitmap",
            Self::Inode => "inode",
            Self::IndirectBlock => "indirect block",
            Self::Directory => "directory",
            Self::XattrBlock => "extended attribute block",
            Self::Acl => "ACL",
            Self::OrphanList => "orphan list",
        }
    }
}

/// A structure is not what the format allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// The structure.
    pub structure: Structure,
    /// What is wrong with it, in one phrase: "rec_len is not a multiple of 4".
    pub what: &'static str,
    /// The value that is wrong. 0 if there is none to show.
    pub value: u64,
}

impl Corrupt {
    /// `structure` is wrong, because of `what`, as `value` shows.
    pub const fn new(structure: Structure, what: &'static str, value: u64) -> Self {
        Self {
            structure,
            what,
            value,
        }
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.structure.as_str())?;
        f.write_str(": ")?;
        f.write_str(self.what)?;
        write!(f, " ({})", self.value)
    }
}

impl core::error::Error for Corrupt {}

/// The result of looking at bytes from a disk.
pub type Result<T> = core::result::Result<T, Corrupt>;
