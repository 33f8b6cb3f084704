// SPDX-License-Identifier: GPL-2.0

//! What is done about damage and failures: a line in the log, a note in the superblock, and what the
//! option `errors` says.

use crate::{mount, SuperBlock};
use ext2::{superblock::OnError, Corrupt, Structure};
use kernel::{fmt, prelude::*};
use storage::fs::{self, buffer::Buffer};

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

/// Reads a block of metadata. If that fails, it is said which; of what belongs to a group, that counts as
/// damage: `errors` is obeyed. May sleep.
pub(crate) fn read(
    sb: &SuperBlock,
    place: Where,
    structure: Structure,
    block: u32,
) -> Result<Buffer<'_>> {
    Buffer::read(sb, block.into()).inspect_err(|_| {
        let how = match place {
            Where::Filesystem | Where::Group(_) => act,
            Where::Inode(_) | Where::Block(..) => say,
        };
        let structure = structure.as_str();
        how(sb, place, fmt!("{structure}: block {block} can't be read"));
    })
}

/// Something else is wrong that can't be: `what` says it.
pub(crate) fn failed(sb: &SuperBlock, place: Where, what: fmt::Arguments<'_>) {
    act(sb, place, what);
}

fn say(sb: &SuperBlock, place: Where, what: fmt::Arguments<'_>) {
    if sb.data().log.allow() {
        let id = sb.id();
        pr_err!("{id}: {place}{what}\n");
    }
}

fn act(sb: &SuperBlock, place: Where, what: fmt::Arguments<'_>) {
    let data = sb.data();
    say(sb, place, what);
    if sb.is_read_only() {
        return;
    }
    mount::note_error(sb);
    match data.options.errors() {
        OnError::Continue => {}
        OnError::ReadOnly => {
            let id = sb.id();
            pr_err!("{id}: read-only from now on\n");
            sb.set_read_only();
        }
        OnError::Panic => fs::panic::<mount::StableFs>(),
    }
}
