// SPDX-License-Identifier: GPL-2.0

//! Directories: blocks of entries, each a name and an inode number.
//!
//! C: `struct ext2_dir_entry_2`, `fs/ext2/dir.c`; `ext4_check_dir_entry()` (`fs/ext4/dir.c`).
//! `Documentation/filesystems/ext4/directory.rst`, "Linear (Classic) Directories".
//!
//! The entries of a block fill it: each says how long it is, none crosses the end of the block, the
//! last ends where the block does. Room for new entries is what an entry is longer than its name
//! needs, and entries of inode 0, which are unused. Indexed directories (`dir_index`) are read as
//! linear ones: an inner block of the index looks like one unused entry, the root's hides behind
//! "..". Their owner must forget the index (`EXT2_INDEX_FL`) before it changes such a directory.
//!
//! Functions take one block, up to 65532 bytes (the format has other lengths for 64 KiB blocks).
//! Offsets and ranges are in bytes from its begin.

use crate::{le, Corrupt, FileType, Result, Structure};
use core::{num::NonZeroU16, ops::Range};

/// The longest name, in bytes. C: `EXT2_NAME_LEN`.
pub const MAX_NAME: usize = 255;

/// Bytes of an entry before its name.
const HEADER: usize = 8;

const REC_LEN_AT: usize = 4;
const NAME_LEN_AT: usize = 6;
const FILE_TYPE_AT: usize = 7;

/// Bytes that an entry takes whose name is `name_len` bytes long, a multiple of 4.
/// C: `EXT2_DIR_REC_LEN()`.
pub const fn needed(name_len: usize) -> usize {
    HEADER.saturating_add(name_len).saturating_add(3) & !3
}

/// What to know of a file system to read its directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The highest inode number. C: `s_inodes_count`.
    pub inodes_count: u32,
    /// Whether entries hold file types. C: `EXT2_FEATURE_INCOMPAT_FILETYPE`.
    pub has_file_type: bool,
}

impl Params {
    /// The byte that stands for `file_type`: 0 if entries hold none.
    const fn code(self, file_type: FileType) -> u8 {
        if self.has_file_type {
            file_type.code()
        } else {
            0
        }
    }

    /// Whether a used entry may have the inode number `inode`.
    fn check_used(self, inode: u32) -> Result<()> {
        if inode == 0 || inode > self.inodes_count {
            return bad("inode to enter is out of range", inode);
        }
        Ok(())
    }
}

/// A name that an entry can have: 1 to [`MAX_NAME`] bytes, neither "/" nor NUL among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// `bytes` as a name; `None` if they can't be one.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let fits = !bytes.is_empty() && bytes.len() <= MAX_NAME;
        (fits && has_only_name_bytes(bytes)).then_some(Self(bytes))
    }

    /// The bytes.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

fn has_only_name_bytes(bytes: &[u8]) -> bool {
    !bytes.iter().any(|byte| matches!(byte, 0 | b'/'))
}

/// The length of an entry: at least what the shortest name needs, so whoever goes from entry to
/// entry gets on; and a multiple of 4. C: `rec_len`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecLen(NonZeroU16);

impl RecLen {
    /// The shortest, in bytes.
    pub const MIN: u16 = 12;

    /// `raw` bytes.
    ///
    /// # Errors
    ///
    /// No entry is that long.
    pub fn new(raw: u16) -> Result<Self> {
        match NonZeroU16::new(raw) {
            Some(len) if raw >= Self::MIN && raw & 3 == 0 => Ok(Self(len)),
            Some(_) if raw >= Self::MIN => bad("rec_len is not a multiple of 4", raw),
            _ => bad("rec_len is too short", raw),
        }
    }

    /// The same of a number of bytes that may be any.
    fn of(bytes: usize) -> Result<Self> {
        let raw = u16::try_from(bytes);
        Self::new(raw.map_err(|_| corrupt_at("rec_len is too long", bytes))?)
    }

    /// In bytes.
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// In bytes, to calculate offsets.
    pub fn bytes(self) -> usize {
        usize::from(self.get())
    }
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Where it begins.
    pub offset: usize,
    /// Its inode number, up to [`Params::inodes_count`]. 0: unused, and the name is of no meaning.
    pub inode: u32,
    /// How many bytes it takes.
    pub rec_len: RecLen,
    /// Its name, which isn't empty if the entry is used.
    pub name: &'a [u8],
    /// What it says about the inode's type: `None` for nothing.
    pub file_type: Option<FileType>,
}

impl<'a> Entry<'a> {
    /// The entry at `offset` of `block`, its name not looked at.
    fn read(block: &'a [u8], params: Params, offset: usize) -> Result<Self> {
        let cut = || corrupt_at("no room for an entry before the end of the block", offset);
        let inode = le::get_u32(block, offset).ok_or_else(cut)?;
        let field = |at: usize| offset.checked_add(at).ok_or_else(cut);
        let rec_len = le::get_u16(block, field(REC_LEN_AT)?).ok_or_else(cut)?;
        let name_len = le::get_u8(block, field(NAME_LEN_AT)?).ok_or_else(cut)?;
        let code = le::get_u8(block, field(FILE_TYPE_AT)?).ok_or_else(cut)?;

        let rec_len = RecLen::new(rec_len)?;
        if rec_len.bytes() < needed(usize::from(name_len)) {
            return bad("rec_len is too small for name_len", rec_len.get());
        }
        if field(rec_len.bytes())? > block.len() {
            return Err(corrupt_at("entry crosses the end of the block", offset));
        }
        if inode > params.inodes_count {
            return bad("inode out of bounds", inode);
        }
        if inode != 0 && name_len == 0 {
            return bad("a used entry has no name", inode);
        }
        let name = block
            .get(field(HEADER)?..)
            .and_then(|rest| rest.get(..usize::from(name_len)))
            .ok_or_else(cut)?;
        let known = FileType::from_code(code).filter(|_| params.has_file_type);
        Ok(Self {
            offset,
            inode,
            rec_len,
            name,
            file_type: known,
        })
    }

    /// Where the next entry begins, or the block ends.
    pub fn end(&self) -> usize {
        self.offset.saturating_add(self.rec_len.bytes())
    }

    fn is_used(&self) -> bool {
        self.inode != 0
    }

    fn check_name(self) -> Result<Self> {
        if self.is_used() && !has_only_name_bytes(self.name) {
            return bad("a name holds a slash or NUL", self.inode);
        }
        Ok(self)
    }
}

/// The entries of a block, whose structure is checked and whose names aren't. Ends after an error.
///
/// Names are for those who hand them on; to search and to change a block, they need not be read.
struct Records<'a> {
    block: &'a [u8],
    params: Params,
    next: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Entry<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.block.len() {
            return None;
        }
        let entry = Entry::read(self.block, self.params, self.next);
        self.next = entry.map_or(self.block.len(), |entry| entry.end());
        Some(entry)
    }
}

fn records(block: &[u8], params: Params) -> Records<'_> {
    Records {
        block,
        params,
        next: 0,
    }
}

/// The entries of a block, used and unused; see [`entries`].
pub struct Entries<'a>(Records<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.0.next()?.and_then(Entry::check_name);
        if entry.is_err() {
            self.0.next = self.0.block.len();
        }
        Some(entry)
    }
}

/// The entries of `block`, in order, each checked when it is its turn. After an error there is none.
///
/// C: `ext2_check_folio()`, and `verify_dirent_name()` (`fs/readdir.c`).
pub fn entries(block: &[u8], params: Params) -> Entries<'_> {
    Entries(records(block, params))
}

/// The entries of `block` that begin at `offset` or after it. `offset` is where an entry begins:
/// one of [`Entry::offset`], [`Entry::end`] or [`resume`], and the block is still the same.
/// (If it isn't, what comes is checked like any other bytes.)
pub fn entries_from(block: &[u8], params: Params, offset: usize) -> Entries<'_> {
    Entries(Records {
        block,
        params,
        next: offset,
    })
}

/// Checks all of `block`.
///
/// # Errors
///
/// The first that is wrong.
pub fn check(block: &[u8], params: Params) -> Result<()> {
    entries(block, params).try_for_each(|entry| entry.map(drop))
}

/// An entry that was searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it begins.
    pub offset: usize,
    /// Its inode number: 1 to [`Params::inodes_count`].
    pub inode: u32,
    /// What it says about the inode's type: `None` for nothing.
    pub file_type: Option<FileType>,
}

/// The used entry of `block` with this name. C: `ext2_find_entry()`.
///
/// # Errors
///
/// An entry before it is wrong, other than in its name.
pub fn find(block: &[u8], params: Params, name: &[u8]) -> Result<Option<Found>> {
    for entry in records(block, params) {
        let entry = entry?;
        if entry.is_used() && entry.name == name {
            return Ok(Some(Found {
                offset: entry.offset,
                inode: entry.inode,
                file_type: entry.file_type,
            }));
        }
    }
    Ok(None)
}

/// Room for an entry, in one that is there.
#[derive(Clone, Copy)]
struct Slot {
    /// The entry that is there, and what is left to it: `None` if it's unused and goes.
    host: Option<(usize, RecLen)>,
    /// The new entry.
    offset: usize,
    rec_len: RecLen,
}

impl Slot {
    /// The room in `entry` for one of `want` bytes.
    fn within(entry: &Entry<'_>, want: usize) -> Result<Option<Self>> {
        let keep = if entry.is_used() {
            needed(entry.name.len())
        } else {
            0
        };
        let Some(spare) = entry.rec_len.bytes().checked_sub(keep) else {
            return Ok(None);
        };
        if spare < want {
            return Ok(None);
        }
        let host = match keep {
            0 => None,
            _ => Some((entry.offset, RecLen::of(keep)?)),
        };
        Ok(Some(Self {
            host,
            offset: entry.offset.saturating_add(keep),
            rec_len: RecLen::of(spare)?,
        }))
    }

    /// The first in `block`, all of whose structure is checked.
    fn first(block: &[u8], params: Params, want: usize) -> Result<Option<Self>> {
        let mut first = None;
        for entry in records(block, params) {
            let entry = entry?;
            if first.is_none() {
                first = Self::within(&entry, want)?;
            }
        }
        Ok(first)
    }
}

/// Where in `block` an entry would begin that [`insert`] makes for a name of `name_len` bytes.
/// `None`: there is no room, or no name is that long.
///
/// # Errors
///
/// The structure of the block is wrong.
pub fn room(block: &[u8], params: Params, name_len: usize) -> Result<Option<usize>> {
    if name_len == 0 || name_len > MAX_NAME {
        return Ok(None);
    }
    let slot = Slot::first(block, params, needed(name_len))?;
    Ok(slot.map(|slot| slot.offset))
}

/// Makes an entry in the first place of `block` where there is room, and returns the range of bytes
/// that may have changed. `None`: there is no room, and nothing changed. Whether there is an entry
/// of this name already is for the caller to know. C: `ext2_add_link()`.
///
/// # Errors
///
/// The structure of the block is wrong, or `inode` is 0 or beyond the last; nothing changed.
pub fn insert(
    block: &mut [u8],
    params: Params,
    name: Name<'_>,
    inode: u32,
    file_type: FileType,
) -> Result<Option<Range<usize>>> {
    params.check_used(inode)?;
    let name = name.as_bytes();
    let Some(slot) = Slot::first(block, params, needed(name.len()))? else {
        return Ok(None);
    };
    let end = write(
        block,
        slot.offset,
        slot.rec_len,
        inode,
        name,
        params.code(file_type),
    )?;
    let begin = match slot.host {
        Some((host, rec_len)) => {
            write_rec_len(block, host, rec_len)?;
            host
        }
        None => slot.offset,
    };
    Ok(Some(begin..end))
}

/// Removes the used entry at `offset`, and returns the range of bytes that may have changed. Its
/// room goes to the entry before it; if it is the first of the block, it becomes unused. In both
/// cases, what it said stays in the block until it is written over. C: `ext2_delete_entry()`.
///
/// # Errors
///
/// The structure of the block is wrong, or no used entry begins there; nothing changed.
pub fn remove(block: &mut [u8], params: Params, offset: usize) -> Result<Range<usize>> {
    let at = Place::of(block, params, offset)?;
    let begin = match at.before {
        Some((before, rec_len)) => {
            let merged = RecLen::of(rec_len.bytes().saturating_add(at.rec_len.bytes()))?;
            write_rec_len(block, before, merged)?;
            before
        }
        None => offset,
    };
    le::put_u32(block, offset, 0).ok_or_else(|| outside(offset))?;
    Ok(begin..offset.saturating_add(HEADER))
}

/// Gives the used entry at `offset` another inode, and returns the range of bytes that may have
/// changed. C: `ext2_set_link()`.
///
/// # Errors
///
/// The structure of the block is wrong, or no used entry begins there, or `inode` is 0 or beyond the
/// last; nothing changed.
pub fn replace(
    block: &mut [u8],
    params: Params,
    offset: usize,
    inode: u32,
    file_type: FileType,
) -> Result<Range<usize>> {
    params.check_used(inode)?;
    Place::of(block, params, offset)?;
    let cut = || outside(offset);
    let type_at = offset.checked_add(FILE_TYPE_AT).ok_or_else(cut)?;
    le::put_u8(block, type_at, params.code(file_type)).ok_or_else(cut)?;
    le::put_u32(block, offset, inode).ok_or_else(cut)?;
    Ok(offset..offset.saturating_add(HEADER))
}

/// A used entry, and the one before it.
#[derive(Clone, Copy)]
struct Place {
    before: Option<(usize, RecLen)>,
    rec_len: RecLen,
}

impl Place {
    /// The one that begins at `offset` of `block`, all of whose structure is checked.
    fn of(block: &[u8], params: Params, offset: usize) -> Result<Self> {
        let mut before = None;
        let mut place = None;
        for entry in records(block, params) {
            let entry = entry?;
            if entry.offset == offset && entry.is_used() {
                place = Some(Self {
                    before,
                    rec_len: entry.rec_len,
                });
            }
            before = Some((entry.offset, entry.rec_len));
        }
        place.ok_or_else(|| corrupt_at("no used entry begins here", offset))
    }
}

/// Makes `block` the first of a directory that is inode `own` and lies in inode `parent`: "." and
/// "..", and no more. C: `ext2_make_empty()`.
///
/// # Errors
///
/// An inode number is 0 or beyond the last, or the length of the block is none that one has.
pub fn first_block(block: &mut [u8], params: Params, own: u32, parent: u32) -> Result<()> {
    params.check_used(own)?;
    params.check_used(parent)?;
    RecLen::of(block.len())?;
    let dot = RecLen::of(needed(1))?;
    let dot_dot = RecLen::of(block.len().saturating_sub(dot.bytes()))?;
    let code = params.code(FileType::Directory);
    block.fill(0);
    write(block, 0, dot, own, b".", code)?;
    write(block, dot.bytes(), dot_dot, parent, b"..", code)?;
    Ok(())
}

/// Makes `block` one of no names: a single unused entry.
///
/// # Errors
///
/// Its length is none that a block has.
pub fn empty_block(block: &mut [u8]) -> Result<()> {
    let all = RecLen::of(block.len())?;
    block.fill(0);
    write_rec_len(block, 0, all)
}

/// Whether `block` has no names but, if it is the directory's first, "." that is the directory
/// itself (inode `own`) and "..". A directory of only such blocks may go. C: `ext2_empty_dir()`.
///
/// # Errors
///
/// The block is wrong, before the first entry that makes the answer "no".
pub fn is_empty(block: &[u8], params: Params, own: u32, is_first_block: bool) -> Result<bool> {
    for entry in entries(block, params) {
        let entry = entry?;
        let is_own = match entry.name {
            b"." => is_first_block && entry.inode == own,
            b".." => is_first_block,
            _ => false,
        };
        if entry.is_used() && !is_own {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a directory says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dots {
    /// The inode number of ".".
    pub own: u32,
    /// The inode number of "..".
    pub parent: u32,
    /// Where the entry ".." begins; for [`replace`], when the directory moves.
    pub parent_offset: usize,
}

/// "." and ".." of a directory whose first block is `block`. C: `ext2_dotdot()`.
///
/// # Errors
///
/// They aren't the first two entries, or one of these is wrong.
pub fn check_first(block: &[u8], params: Params) -> Result<Dots> {
    let mut first_two = entries(block, params);
    let mut expect = |name: &[u8], what| match first_two.next() {
        Some(Ok(entry)) if entry.is_used() && entry.name == name => Ok(entry),
        Some(Err(corrupt)) => Err(corrupt),
        Some(Ok(entry)) => bad(what, entry.inode),
        None => bad(what, 0_u32),
    };
    let dot = expect(b".", "the first entry is not \".\"")?;
    let dot_dot = expect(b"..", "the second entry is not \"..\"")?;
    Ok(Dots {
        own: dot.inode,
        parent: dot_dot.inode,
        parent_offset: dot_dot.offset,
    })
}

/// Where the first entry of `block` begins that doesn't begin before `wanted`; the length of the
/// block if none does. For a position to read on from, when the directory may have changed since it
/// was an entry's. C: `ext2_validate_entry()`.
///
/// # Errors
///
/// The structure of the block is wrong before that.
pub fn resume(block: &[u8], params: Params, wanted: usize) -> Result<usize> {
    for entry in records(block, params) {
        let entry = entry?;
        if entry.offset >= wanted {
            return Ok(entry.offset);
        }
    }
    Ok(block.len())
}

/// Writes an entry, and returns where its name and padding end. The caller knows that `rec_len`
/// bytes at `offset` are free.
fn write(
    block: &mut [u8],
    offset: usize,
    rec_len: RecLen,
    inode: u32,
    name: &[u8],
    code: u8,
) -> Result<usize> {
    let cut = || outside(offset);
    let name_len = u8::try_from(name.len()).map_err(|_| cut())?;
    let end = offset.checked_add(needed(name.len())).ok_or_else(cut)?;
    let entry = block.get_mut(offset..end).ok_or_else(cut)?;
    // The padding, too: what was there is nobody's business.
    entry.fill(0);
    le::put_u32(entry, 0, inode).ok_or_else(cut)?;
    le::put_u16(entry, REC_LEN_AT, rec_len.get()).ok_or_else(cut)?;
    le::put_u8(entry, NAME_LEN_AT, name_len).ok_or_else(cut)?;
    le::put_u8(entry, FILE_TYPE_AT, code).ok_or_else(cut)?;
    entry
        .get_mut(HEADER..)
        .and_then(|rest| rest.get_mut(..name.len()))
        .ok_or_else(cut)?
        .copy_from_slice(name);
    Ok(end)
}

fn write_rec_len(block: &mut [u8], offset: usize, rec_len: RecLen) -> Result<()> {
    let at = offset.saturating_add(REC_LEN_AT);
    le::put_u16(block, at, rec_len.get()).ok_or_else(|| outside(offset))
}

fn bad<T>(what: &'static str, value: impl Into<u64>) -> Result<T> {
    Err(Corrupt::new(Structure::Directory, what, value.into()))
}

fn corrupt_at(what: &'static str, offset: usize) -> Corrupt {
    let value = u64::try_from(offset).unwrap_or(u64::MAX);
    Corrupt::new(Structure::Directory, what, value)
}

/// For writes that checks before them let through.
fn outside(offset: usize) -> Corrupt {
    corrupt_at("entry doesn't lie within the block", offset)
}
