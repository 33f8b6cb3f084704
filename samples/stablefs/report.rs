// SPDX-License-Identifier: GPL-2.0

//! What is done about damage and failures: a line in the log, a note in the superblock, and what the
//! option `errors` says.

use crate::SuperBlock;
use ext2::{superblock::OnError, Corrupt};
use kernel::{fmt, prelude::*};
use storage::fs;

/// Where something is wrong.
#[derive(Clone, Copy)]
pub(crate) enum Where {
    /// In the whole filesystem.
    Filesystem,
    /// In a block group.
    Group(u32),
    /// In an inode, or in something of its own.
    Inode(u64),
    /// In a block of an inode.
    Block(u64, u64),
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filesystem => Ok(()),
            Self::Group(group) => f.write_fmt(fmt!("group {group}: ")),
            Self::Inode(ino) => f.write_fmt(fmt!("inode {ino}: ")),
            Self::Block(ino, block) => f.write_fmt(fmt!("inode {ino}, block {block}: ")),
        }
    }
}

/// The image is damaged. Returns `EUCLEAN`.
#[must_use]
pub(crate) fn corrupt(sb: &SuperBlock, place: Where, damage: Corrupt) -> Error {
    let Corrupt {
        structure,
        what,
        value,
    } = damage;
    let structure = structure.as_str();
    act(sb, place, fmt!("{structure}: {what} ({value})"));
    EUCLEAN
}

/// Something else is wrong that can't be: `what` says it.
pub(crate) fn failed(sb: &SuperBlock, place: Where, what: fmt::Arguments<'_>) {
    act(sb, place, what);
}

fn act(sb: &SuperBlock, place: Where, what: fmt::Arguments<'_>) {
    let data = sb.data();
    if data.log.allow() {
        let id = sb.id();
        pr_err!("{id}: {place}{what}\n");
    }
    if sb.is_read_only() {
        return;
    }
    data.note_error();
    match data.options.errors() {
        OnError::Continue => {}
        OnError::ReadOnly => {
            let id = sb.id();
            pr_err!("{id}: read-only from now on\n");
            sb.set_read_only();
        }
        OnError::Panic => fs::panic::<crate::mount::StableFs>(),
    }
}
