// SPDX-License-Identifier: GPL-2.0

//! Access control lists, as the values of extended attributes hold them.
//!
//! C: `ext2_acl_header`, `ext2_acl_entry` and `ext2_acl_entry_short` (`fs/ext2/acl.h`), which are
//! ext4's, too; `fs/ext2/acl.c`. POSIX.1e draft 17, section 23.1, says what the entries mean.
//!
//! A list is the version, 1, as 32 bits, and then its entries: tag and permissions, 16 bits each,
//! and for a named user or group its id, 32 bits more. The format can only tell lists that have no
//! named user or group and up to four entries, or that have four unnamed ones: with a mask, as all
//! lists with named ones must. Whether a list makes sense otherwise (one entry for the owner, the
//! order of entries) is not checked here; the kernel's `posix_acl_valid()` does.

use crate::{le, Corrupt, Result, Structure};

const VERSION: u32 = 1;
const HEADER: usize = 4;
const SHORT: usize = 4;
const LONG: usize = 8;
/// How many entries are never named, if there are more.
const UNNAMED: usize = 4;

/// Whom an entry is about. C: `ACL_*` (`include/uapi/linux/posix_acl.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// The owner of the file.
    UserObj,
    /// The user with this id.
    User(u32),
    /// The group of the file.
    GroupObj,
    /// The group with this id.
    Group(u32),
    /// The most that named users, the file's group, and named groups may do.
    Mask,
    /// Everybody else.
    Other,
}

impl Tag {
    /// The number that stands for it, without the id.
    pub const fn code(self) -> u16 {
        match self {
            Self::UserObj => 0x01,
            Self::User(_) => 0x02,
            Self::GroupObj => 0x04,
            Self::Group(_) => 0x08,
            Self::Mask => 0x10,
            Self::Other => 0x20,
        }
    }

    /// The id of a named user or group.
    pub const fn id(self) -> Option<u32> {
        match self {
            Self::User(id) | Self::Group(id) => Some(id),
            Self::UserObj | Self::GroupObj | Self::Mask | Self::Other => None,
        }
    }

    /// Bytes that its entry takes.
    const fn entry_len(self) -> usize {
        match self.id() {
            Some(_) => LONG,
            None => SHORT,
        }
    }
}

/// An entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whom it is about.
    pub tag: Tag,
    /// What they may do: the sum of 4 (read), 2 (write) and 1 (execute).
    pub perm: u16,
}

impl Entry {
    /// All permissions.
    pub const MAX_PERM: u16 = 7;

    /// The entry that `bytes` begin with, and the bytes after it.
    fn read(bytes: &[u8]) -> Result<(Self, &[u8])> {
        let cut = || corrupt("entry doesn't lie within the list", 0);
        let code = le::get_u16(bytes, 0).ok_or_else(cut)?;
        let perm = le::get_u16(bytes, 2).ok_or_else(cut)?;
        let id = || le::get_u32(bytes, SHORT).ok_or_else(cut);
        let tag = match code {
            0x01 => Tag::UserObj,
            0x02 => Tag::User(id()?),
            0x04 => Tag::GroupObj,
            0x08 => Tag::Group(id()?),
            0x10 => Tag::Mask,
            0x20 => Tag::Other,
            _ => return Err(corrupt("unknown tag", u64::from(code))),
        };
        if perm > Self::MAX_PERM {
            return Err(corrupt("unknown permissions", u64::from(perm)));
        }
        let rest = bytes.get(tag.entry_len()..).ok_or_else(cut)?;
        Ok((Self { tag, perm }, rest))
    }
}

/// A list of access control entries; see [`decode`].
#[derive(Clone, Copy, Debug)]
pub struct Acl<'a> {
    count: usize,
    /// Checked by [`decode`].
    entries: &'a [u8],
}

impl<'a> Acl<'a> {
    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none: as good as no list.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entries, in order.
    pub const fn iter(&self) -> Entries<'a> {
        Entries { rest: self.entries }
    }
}

impl<'a> IntoIterator for Acl<'a> {
    type Item = Entry;
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The entries of an [`Acl`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let (entry, rest) = Entry::read(self.rest).ok()?;
        self.rest = rest;
        Some(entry)
    }
}

/// How many entries a list of `size` bytes has; `None` if no list is that long.
/// C: `ext2_acl_count()`.
pub const fn count(size: usize) -> Option<usize> {
    let Some(entries) = size.checked_sub(HEADER) else {
        return None;
    };
    match entries.checked_sub(UNNAMED * SHORT) {
        Some(named) if named % LONG == 0 => (named / LONG).checked_add(UNNAMED),
        None if entries % SHORT == 0 => Some(entries / SHORT),
        _ => None,
    }
}

/// How many bytes a list of `count` entries takes, which [`count`] turns back; `None` if that is
/// more than there can be. C: `ext2_acl_size()`.
pub const fn encoded_len(count: usize) -> Option<usize> {
    let (short, long) = match count.checked_sub(UNNAMED) {
        Some(named) => (UNNAMED, named),
        None => (count, 0),
    };
    match long.checked_mul(LONG) {
        // Up to four short ones: no overflow.
        Some(long) => long.checked_add(HEADER + short * SHORT),
        None => None,
    }
}

/// The list that was stored as `value`. C: `ext2_acl_from_disk()`.
///
/// # Errors
///
/// Version, length, a tag or permissions are none that a list has.
pub fn decode(value: &[u8]) -> Result<Acl<'_>> {
    let len = u64::try_from(value.len()).unwrap_or(u64::MAX);
    let wrong_len = || corrupt("no list is that long", len);
    let expected = count(value.len()).ok_or_else(wrong_len)?;
    let (version, entries) = value.split_first_chunk().ok_or_else(wrong_len)?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(corrupt("unknown version", u64::from(version)));
    }
    let mut rest = entries;
    let mut found: usize = 0;
    while !rest.is_empty() {
        (_, rest) = Entry::read(rest)?;
        found = found.saturating_add(1);
    }
    if found != expected {
        return Err(wrong_len());
    }
    Ok(Acl {
        count: found,
        entries,
    })
}

/// Stores a list at the begin of `out`, and returns its length in bytes. `None`: it doesn't fit, has
/// an entry with unknown permissions, or [`decode`] couldn't read it (named users or groups without
/// four unnamed entries); `out` may have changed. C: `ext2_acl_to_disk()`.
pub fn encode(entries: impl IntoIterator<Item = Entry>, out: &mut [u8]) -> Option<usize> {
    le::put_u32(out, 0, VERSION)?;
    let mut at = HEADER;
    let mut stored: usize = 0;
    for Entry { tag, perm } in entries {
        if perm > Entry::MAX_PERM {
            return None;
        }
        le::put_u16(out, at, tag.code())?;
        le::put_u16(out, at.checked_add(2)?, perm)?;
        if let Some(id) = tag.id() {
            le::put_u32(out, at.checked_add(SHORT)?, id)?;
        }
        at = at.checked_add(tag.entry_len())?;
        stored = stored.checked_add(1)?;
    }
    (count(at) == Some(stored)).then_some(at)
}

fn corrupt(what: &'static str, value: u64) -> Corrupt {
    Corrupt::new(Structure::Acl, what, value)
}
