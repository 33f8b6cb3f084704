// SPDX-License-Identifier: GPL-2.0

//! The on-disk format of ext2: what the bytes mean, and which bytes mean nothing.
//!
//! Defined by "The Second Extended File System" (Poirier), by `fs/ext2/ext2.h` and
//! `fs/ext4/ext4.h`, and by `Documentation/filesystems/ext4` for what ext4 shares with ext2.
//!
//! The crate is pure: no kernel, no allocation, no `unsafe`. Every function takes a private copy
//! of the bytes (nobody else writes to it meanwhile), and whatever the bytes are, it returns: it
//! doesn't panic, overflow or loop. What is wrong comes back as [`Corrupt`]. What may not live
//! here: reading and writing blocks, caches, locks, what is done about an error.
//!
//! | module | subject |
//! | --- | --- |
//! | [`corrupt`] | what is wrong with a structure |
//! | [`le`] | little-endian numbers in bytes |
//! | [`features`] | the three sets of feature bits |
//! | [`block_size`] | how large a block is |
//! | [`superblock`] | the superblock, and the geometry that follows from it |
//! | [`group`] | group descriptors, and where a group keeps its metadata |
//! | [`inode`] | inodes |
//! | [`time`] | timestamps of inodes |
//! | [`mod@path`] | from a block of a file to the pointers that lead to it |
//! | [`bitmap`] | bitmaps of blocks and inodes |
//! | [`alloc`] | where new inodes and blocks go |
//! | [`dir`] | directory entries |
//! | [`xattr`] | extended attributes |
//! | [`acl`] | POSIX access control lists, as extended attributes hold them |

// The kernel build says so itself, and warns about saying it twice.
#![cfg_attr(not(MODULE), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod acl;
pub mod alloc;
pub mod bitmap;
pub mod block_size;
pub mod corrupt;
pub mod dir;
pub mod features;
pub mod group;
pub mod inode;
pub mod le;
pub mod path;
pub mod superblock;
pub mod time;
pub mod xattr;

#[cfg(test)]
mod acl_tests;
#[cfg(test)]
mod alloc_tests;
#[cfg(test)]
mod bitmap_tests;
#[cfg(test)]
mod dir_tests;
#[cfg(test)]
mod features_tests;
#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod image_tests;
#[cfg(test)]
mod inode_tests;
#[cfg(test)]
mod le_tests;
#[cfg(test)]
mod path_tests;
#[cfg(test)]
mod superblock_tests;
#[cfg(test)]
mod time_tests;
#[cfg(test)]
mod xattr_tests;

pub use block_size::BlockSize;
pub use corrupt::{Corrupt, Result, Structure};
pub use group::Descriptor;
pub use inode::{FileType, Inode};
pub use superblock::{Block, Group, Ino, Refused, Superblock};
