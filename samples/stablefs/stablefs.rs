// SPDX-License-Identifier: GPL-2.0

//! A filesystem that keeps its pages stable. On disk it is ext2.
//!
//! `mount -t stablefs /dev/dif0 /mnt`; options and counters are in `Documentation/stablefs.rst`.
//!
//! | module | subject |
//! | --- | --- |
//! | [`mount`] | what is kept with a mount; mounting, remounting, unmounting |
//! | [`options`] | mount options |
//! | [`report`] | what is done about damage and failures |
//! | [`groups`] | group descriptors, and how full each group is |
//! | [`balloc`] | blocks: which are taken, and given back |
//! | [`ialloc`] | inodes: likewise |
//! | [`node`] | an inode in memory, read from its table and written there |
//! | [`map`] | from a block of a file to a block of the device |
//! | [`cut`] | blocks of a file go |
//! | [`mod@file`] | regular files: writing, truncating, trimming |
//! | [`strategy`] | **who waits for writeback, and when** |
//! | [`counters`] | what is counted, in debugfs |
//! | [`dir`] | the blocks of a directory |
//! | [`namei`] | names: making, linking, renaming |
//! | [`attr`] | flags of `chattr(1)` |
//! | [`xattr`] | extended attributes and access control lists |
//!
//! # Locks, outermost first
//!
//! 1. those of the VFS, see `storage::fs`
//! 2. `node::Node::map`: the block pointers of one inode, and where its attributes are. Never two of
//!    them at once
//! 3. `groups::Groups::state`: bitmaps and counts
//! 4. `mount::StableFs::state`: what changes in the superblock. Damage may be reported with any of the
//!    above held
//! 5. a buffer's lock, inside `Buffer::modify`
//!
//! 2 and 3 are taken with `NoFs`: a folio may be locked.

#![forbid(unsafe_code)]

mod attr;
mod balloc;
mod counters;
mod cut;
mod dir;
mod file;
mod groups;
mod ialloc;
mod map;
mod mount;
mod namei;
mod node;
mod options;
mod report;
mod strategy;
mod xattr;

use kernel::prelude::*;
use storage::fs::registration::Registration;

module! {
    type: Module,
    name: "stablefs",
    authors: ["The stable-pages developers"],
    description: "Filesystem that keeps its pages stable (ext2 on disk)",
    license: "GPL",
    alias: ["fs-stablefs"],
}

/// The module: the filesystem type.
#[pin_data]
struct Module {
    #[pin]
    registration: Registration<mount::StableFs>,
}

impl kernel::InPlaceModule for Module {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            registration <- Registration::new(),
        })
    }
}

/// An inode of this filesystem.
type INode = storage::fs::inode::INode<mount::StableFs>;
/// One whose `i_rwsem` is held.
type Locked<'a> = storage::fs::inode::Locked<'a, mount::StableFs>;
/// One that is being made.
type NewINode<'a> = storage::fs::inode::New<'a, mount::StableFs>;
/// A reference to one.
type Ref<'a> = storage::fs::inode::Ref<'a, mount::StableFs>;
/// A mount.
type SuperBlock = storage::fs::sb::SuperBlock<mount::StableFs>;
