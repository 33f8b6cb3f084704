// SPDX-License-Identifier: GPL-2.0

//! Extended attributes: names with values, in a block of their own or at the end of an inode.
//!
//! C: `fs/ext2/xattr.h`, `fs/ext2/xattr.c`; for those in inodes `fs/ext4/xattr.h` and
//! `fs/ext4/xattr.c`. `Documentation/filesystems/ext4/attributes.rst`.
//!
//! After a header come entries, each with a name, up to an end marker of 32 zero bits. Values lie
//! behind them, from the end on down. All is padded to 4 bytes. A block can belong to several
//! inodes: it counts them, and has a hash by which equal ones are found. The area in an inode is
//! what is left after `i_extra_isize`; its header is only the magic number, and without that there
//! are no attributes.
//!
//! Nothing is changed in place: [`Attributes::set`] and [`Attributes::remove`] make a new image of
//! the block or area. Attributes whose value is in an inode of its own (the feature `ea_inode`)
//! count as corrupt.

use crate::{le, Corrupt, Result, Structure};
use core::{cmp::Ordering, ops::Range};

/// What a block or an area begins with. C: `EXT2_XATTR_MAGIC`.
pub const MAGIC: u32 = 0xea02_0000;

/// To how many inodes one block may belong. C: `EXT2_XATTR_REFCOUNT_MAX`.
pub const MAX_REFCOUNT: u32 = 1024;

/// The longest name, in bytes.
pub const MAX_NAME: usize = 255;

/// Name indexes: numbers for the begins of names. C: `EXT2_XATTR_INDEX_*`, `EXT4_XATTR_INDEX_*`.
pub mod index {
    /// "user."
    pub const USER: u8 = 1;
    /// "system.posix_acl_access": all of the name.
    pub const POSIX_ACL_ACCESS: u8 = 2;
    /// "system.posix_acl_default": all of the name.
    pub const POSIX_ACL_DEFAULT: u8 = 3;
    /// "trusted."
    pub const TRUSTED: u8 = 4;
    /// "security."
    pub const SECURITY: u8 = 6;
    /// "system."
    pub const SYSTEM: u8 = 7;

    /// What names with this index begin with; `None` if the index is none of these.
    pub const fn prefix(index: u8) -> Option<&'static str> {
        Some(match index {
            USER => "user.",
            POSIX_ACL_ACCESS => "system.posix_acl_access",
            POSIX_ACL_DEFAULT => "system.posix_acl_default",
            TRUSTED => "trusted.",
            SECURITY => "security.",
            SYSTEM => "system.",
            _ => return None,
        })
    }
}

const REFCOUNT: Range<usize> = 4..8;
const BLOCKS_AT: usize = 8;
const HASH_AT: usize = 12;
const BLOCK_HEADER: usize = 32;
const INODE_HEADER: usize = 4;

/// Bytes of an entry before its name.
const ENTRY_HEADER: usize = 16;
/// Bytes of the marker after the last entry.
const END_MARKER: usize = 4;

/// Where attributes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// In a block of their own. C: `struct ext2_xattr_header`.
    Block,
    /// In an inode, after `i_extra_isize`. C: `struct ext4_xattr_ibody_header`.
    Inode,
}

impl Layout {
    /// Where the first entry is.
    const fn first(self) -> usize {
        match self {
            Self::Block => BLOCK_HEADER,
            Self::Inode => INODE_HEADER,
        }
    }

    /// What the offsets of values count from.
    const fn base(self) -> usize {
        match self {
            Self::Block => 0,
            Self::Inode => INODE_HEADER,
        }
    }

    fn corrupt(self, what: &'static str, value: impl Into<u64>) -> Corrupt {
        let structure = match self {
            Self::Block => Structure::XattrBlock,
            Self::Inode => Structure::Inode,
        };
        Corrupt::new(structure, what, value.into())
    }
}

/// What an attribute is called: a name index, and the rest of the name. In the order in which blocks
/// have their entries: by index, then by length of the name, then by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    index: u8,
    name: &'a [u8],
}

impl<'a> Key<'a> {
    /// `index` is one of [`index`](mod@index), or any other number but 0; `name` is what comes
    /// after [`index::prefix`]. `None` if no attribute is called so: because of index 0, a NUL, or
    /// more than [`MAX_NAME`] bytes.
    pub fn new(index: u8, name: &'a [u8]) -> Option<Self> {
        let fits = index != 0 && name.len() <= MAX_NAME;
        (fits && !name.contains(&0)).then_some(Self { index, name })
    }

    /// The name index. See [`index::prefix`].
    pub const fn index(&self) -> u8 {
        self.index
    }

    /// The name after what the index stands for. May be empty.
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }
}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let of = |key: &Self| (key.index, key.name.len());
        of(self)
            .cmp(&of(other))
            .then_with(|| self.name.cmp(other.name))
    }
}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A name with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// What it is called.
    pub key: Key<'a>,
    /// The value, without padding.
    pub value: &'a [u8],
    /// The hash that is stored with it: see [`hash`] and [`hash_of_signed`], or 0.
    pub hash: u32,
}

/// Bytes that an entry takes. C: `EXT2_XATTR_LEN()`.
fn entry_len(name: &[u8]) -> usize {
    padded(name.len().saturating_add(ENTRY_HEADER))
}

/// `len` bytes with padding. C: `EXT2_XATTR_SIZE()`.
const fn padded(len: usize) -> usize {
    len.saturating_add(3) & !3
}

/// An entry in bytes, with its value.
struct Record<'a> {
    attribute: Attribute<'a>,
    /// Where the value is, with padding; empty if the value is.
    place: Range<usize>,
    /// Where the next entry is.
    next: usize,
}

impl<'a> Record<'a> {
    /// The entry at `at`; `None`: there is the end marker.
    fn read(layout: Layout, bytes: &'a [u8], at: usize) -> Result<Option<Self>> {
        let cut = || layout.corrupt("entries have no end", 0_u32);
        let rest = bytes.get(at..).ok_or_else(cut)?;
        if le::get_u32(rest, 0).ok_or_else(cut)? == 0 {
            return Ok(None);
        }
        let name_len = le::get_u8(rest, 0).ok_or_else(cut)?;
        let index = le::get_u8(rest, 1).ok_or_else(cut)?;
        let offset = le::get_u16(rest, 2).ok_or_else(cut)?;
        let value_inode = le::get_u32(rest, 4).ok_or_else(cut)?;
        let size = le::get_u32(rest, 8).ok_or_else(cut)?;
        let hash = le::get_u32(rest, 12).ok_or_else(cut)?;
        let name = rest
            .get(ENTRY_HEADER..)
            .and_then(|rest| rest.get(..usize::from(name_len)))
            .ok_or_else(cut)?;
        let key = Key::new(index, name)
            .ok_or_else(|| layout.corrupt("entry has no proper name", index))?;
        if value_inode != 0 {
            return Err(layout.corrupt("value is in another inode", value_inode));
        }

        let too_big = || layout.corrupt("value is too big", size);
        let len = usize::try_from(size).map_err(|_| too_big())?;
        let (value, place): (&[u8], _) = if len == 0 {
            // The offset is of no meaning.
            (&[], 0..0)
        } else {
            let begin = layout.base().saturating_add(usize::from(offset));
            let end = begin.checked_add(padded(len)).ok_or_else(too_big)?;
            let value = bytes
                .get(begin..end)
                .and_then(|value| value.get(..len))
                .ok_or_else(|| layout.corrupt("value crosses the end", offset))?;
            (value, begin..end)
        };
        Ok(Some(Self {
            attribute: Attribute { key, value, hash },
            place,
            next: at.saturating_add(entry_len(name)),
        }))
    }
}

/// The attributes of a block or of an inode's area, all checked.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    layout: Layout,
    bytes: &'a [u8],
    /// Where the end marker is.
    end: usize,
}

impl<'a> Attributes<'a> {
    /// No attributes, to make a new block or area from.
    pub const fn none(layout: Layout) -> Self {
        Self {
            layout,
            bytes: &[],
            end: layout.first(),
        }
    }

    /// Those of a block, which is `block`.
    ///
    /// # Errors
    ///
    /// Header, an entry or a value is wrong, or values overlap. Order and hashes are not looked at:
    /// neither is needed to find an attribute; see [`check_hashes`](Self::check_hashes).
    pub fn block(block: &'a [u8]) -> Result<Self> {
        check_header(block)?;
        Self::read(Layout::Block, block)
    }

    /// Those of an inode. `area` is what is left of the inode after its `i_extra_isize`. It has none
    /// if it is too short for the magic number, or begins with another.
    ///
    /// # Errors
    ///
    /// As for [`block`](Self::block).
    pub fn inode(area: &'a [u8]) -> Result<Self> {
        match le::get_u32(area, 0) {
            Some(MAGIC) => Self::read(Layout::Inode, area),
            _ => Ok(Self::none(Layout::Inode)),
        }
    }

    fn read(layout: Layout, bytes: &'a [u8]) -> Result<Self> {
        let mut end = layout.first();
        while let Some(record) = Record::read(layout, bytes, end)? {
            end = record.next;
        }
        let all = Self { layout, bytes, end };
        all.check_places()?;
        Ok(all)
    }

    /// Checks that values overlap neither entries nor each other. Compares each with each; there are
    /// no more than fit into a block of 4096 bytes with 20 each.
    fn check_places(&self) -> Result<()> {
        let values = |after| {
            self.records(after)
                .filter(|record| !record.place.is_empty())
        };
        let free = self.end.saturating_add(END_MARKER);
        for record in values(self.layout.first()) {
            let place = &record.place;
            if place.start < free {
                return Err(self.overlap("value overlaps the entries", place));
            }
            let overlaps =
                |other: Record<'_>| place.start < other.place.end && other.place.start < place.end;
            if values(record.next).any(overlaps) {
                return Err(self.overlap("values overlap", place));
            }
        }
        Ok(())
    }

    fn overlap(&self, what: &'static str, place: &Range<usize>) -> Corrupt {
        let offset = u64::try_from(place.start).unwrap_or(u64::MAX);
        self.layout.corrupt(what, offset)
    }

    /// The entries from `at` on, one of which is there, or the end.
    fn records(&self, at: usize) -> Records<'a> {
        Records { all: *self, at }
    }

    /// Where they are.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.end == self.layout.first()
    }

    /// All of them, as they are stored, unknown name indexes among them.
    pub fn list(&self) -> List<'a> {
        List(self.records(self.layout.first()))
    }

    /// The value of the one called `key`.
    pub fn find(&self, key: Key<'_>) -> Option<&'a [u8]> {
        let mut all = self.list();
        let found = all.find(|attribute| attribute.key == key);
        found.map(|attribute| attribute.value)
    }

    /// What to look for other blocks by that have the same attributes. `None`: this one is not to be
    /// shared, or isn't a block. C: `h_hash`.
    pub fn sharing_hash(&self) -> Option<u32> {
        match self.layout {
            Layout::Block => le::get_u32(self.bytes, HASH_AT).filter(|hash| *hash != 0),
            Layout::Inode => None,
        }
    }

    /// Checks the hashes: those of entries (either of [`hash`] and [`hash_of_signed`]; an inode's
    /// may be 0), and a block's, unless it is 0, as e2fsprogs has it. For a fsck: the kernel's ext2
    /// and ext4 don't.
    ///
    /// # Errors
    ///
    /// The first that is wrong.
    pub fn check_hashes(&self) -> Result<()> {
        let mut all = BlockHash::new();
        for Attribute { key, value, hash } in self.list() {
            let is_right = hash == self::hash(key.name, value)
                || hash == hash_of_signed(key.name, value)
                || (hash == 0 && self.layout == Layout::Inode);
            if !is_right {
                return Err(self.layout.corrupt("hash of an entry is wrong", hash));
            }
            all.add(hash);
        }
        match self.sharing_hash() {
            Some(stored) if stored != all.get() => {
                Err(self.layout.corrupt("hash of the block is wrong", stored))
            }
            _ => Ok(()),
        }
    }

    /// Makes an image in `out` with `key` as `value`, and the others as they are. `out` is as long
    /// as the block or the area; a new block belongs to one inode. The entries are sorted.
    ///
    /// # Errors
    ///
    /// What `mode` says, or there is no room. `out` has no meaning then.
    pub fn set(
        &self,
        key: Key<'_>,
        value: &[u8],
        mode: Mode,
        out: &mut [u8],
    ) -> core::result::Result<(), Refused> {
        match (mode, self.find(key)) {
            (Mode::Create, Some(_)) => return Err(Refused::Exists),
            (Mode::Replace, None) => return Err(Refused::NoSuch),
            _ => {}
        }
        let hash = match self.layout {
            Layout::Block => hash(key.name, value),
            // As ext4 has it: nobody looks at it.
            Layout::Inode => 0,
        };
        let new = Attribute { key, value, hash };
        self.rewrite(key, Some(new), out)
            .ok_or(Refused::NoRoom)
            .map(drop)
    }

    /// Makes an image in `out` without `key`, like [`set`](Self::set). If nothing is left, `out` is
    /// all zero: for an inode that says "no attributes"; a block is no more needed, and zeroes are
    /// none.
    ///
    /// # Errors
    ///
    /// [`Refused::NoSuch`]; [`Refused::NoRoom`] if `out` is shorter than what was read. `out` has no
    /// meaning then.
    pub fn remove(&self, key: Key<'_>, out: &mut [u8]) -> core::result::Result<Remaining, Refused> {
        self.find(key).ok_or(Refused::NoSuch)?;
        self.rewrite(key, None, out).ok_or(Refused::NoRoom)
    }

    /// Writes all but `key`, and `new`. `None`: no room.
    fn rewrite(
        &self,
        key: Key<'_>,
        new: Option<Attribute<'_>>,
        out: &mut [u8],
    ) -> Option<Remaining> {
        let mut writer = Writer::new(self.layout, out);
        // There is nowhere to sort them first, so each is searched for: it comes after the last.
        // What is there twice is written once: the first, which is the one that find() finds.
        let mut last: Option<Key<'_>> = None;
        loop {
            let rest = self.list().filter(|attribute| attribute.key != key);
            let next = rest
                .chain(new)
                .filter(|attribute| last.is_none_or(|last| attribute.key > last))
                .min_by_key(|attribute| attribute.key);
            let Some(next) = next else { break };
            writer.push(&next)?;
            last = Some(next.key);
        }
        if last.is_none() {
            return Some(Remaining::Nothing);
        }
        writer.finish()?;
        Some(Remaining::Some)
    }
}

/// Whether `a` and `b` have the same attributes, with the same hashes, in the same order, so that one
/// block can stand for both. How many inodes they belong to doesn't matter. C: `ext2_xattr_cmp()`.
pub fn same_content(a: &Attributes<'_>, b: &Attributes<'_>) -> bool {
    a.list().eq(b.list())
}

/// Whether an attribute may or must be there already. C: `XATTR_CREATE`, `XATTR_REPLACE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Either.
    Any,
    /// It must not be there.
    Create,
    /// It must be there.
    Replace,
}

/// Why attributes stay what they are. Nothing is wrong with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It doesn't fit. C: `ENOSPC`.
    NoRoom,
    /// There is none of this name. C: `ENODATA`.
    NoSuch,
    /// There is one of this name. C: `EEXIST`.
    Exists,
}

/// What is left when an attribute is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// Others.
    Some,
    /// None: the block can be freed.
    Nothing,
}

/// All entries of checked attributes.
struct Records<'a> {
    all: Attributes<'a>,
    at: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        if self.at >= self.all.end {
            return None;
        }
        let record = Record::read(self.all.layout, self.all.bytes, self.at).ok()??;
        self.at = record.next;
        Some(record)
    }
}

/// All attributes; see [`Attributes::list`].
pub struct List<'a>(Records<'a>);

impl<'a> Iterator for List<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        self.0.next().map(|record| record.attribute)
    }
}

/// Writes an image: entries from the begin on up, values from the end on down.
struct Writer<'o> {
    layout: Layout,
    out: &'o mut [u8],
    /// Where the next entry goes.
    head: usize,
    /// Where the last value begins.
    tail: usize,
    hash: BlockHash,
}

impl<'o> Writer<'o> {
    fn new(layout: Layout, out: &'o mut [u8]) -> Self {
        out.fill(0);
        Self {
            layout,
            head: layout.first(),
            tail: out.len(),
            out,
            hash: BlockHash::new(),
        }
    }

    /// `None`: no room.
    fn push(&mut self, attribute: &Attribute<'_>) -> Option<()> {
        let Attribute { key, value, hash } = attribute;
        let next = self.head.checked_add(entry_len(key.name))?;
        let begin = self.tail.checked_sub(padded(value.len()))?;
        if next.checked_add(END_MARKER)? > begin {
            return None;
        }
        let offset = match value.len() {
            0 => 0,
            _ => u16::try_from(begin.checked_sub(self.layout.base())?).ok()?,
        };
        let entry = self.out.get_mut(self.head..next)?;
        le::put_u8(entry, 0, u8::try_from(key.name.len()).ok()?)?;
        le::put_u8(entry, 1, key.index)?;
        le::put_u16(entry, 2, offset)?;
        le::put_u32(entry, 8, u32::try_from(value.len()).ok()?)?;
        le::put_u32(entry, 12, *hash)?;
        copy(entry, ENTRY_HEADER, key.name)?;
        copy(self.out, begin, value)?;
        self.head = next;
        self.tail = begin;
        self.hash.add(*hash);
        Some(())
    }

    fn finish(self) -> Option<()> {
        le::put_u32(self.out, 0, MAGIC)?;
        if self.layout == Layout::Block {
            le::put_u32(self.out, REFCOUNT.start, 1)?;
            le::put_u32(self.out, BLOCKS_AT, 1)?;
            le::put_u32(self.out, HASH_AT, self.hash.get())?;
        }
        Some(())
    }
}

/// Copies `bytes` to `at`.
fn copy(out: &mut [u8], at: usize, bytes: &[u8]) -> Option<()> {
    out.get_mut(at..)?
        .get_mut(..bytes.len())?
        .copy_from_slice(bytes);
    Some(())
}

/// To how many inodes `block` belongs, which is not 0. (More than [`MAX_REFCOUNT`] is unusual, but
/// known.)
///
/// # Errors
///
/// It is 0, or the header is wrong. The attributes are not looked at.
pub fn refcount(block: &[u8]) -> Result<u32> {
    check_header(block)?;
    match le::get_u32(block, REFCOUNT.start) {
        Some(count) if count != 0 => Ok(count),
        _ => Err(Layout::Block.corrupt("belongs to no inode", 0_u32)),
    }
}

/// Says in `block` to how many inodes it belongs, and returns the range of bytes that changed.
///
/// # Errors
///
/// The header is wrong. Nothing changed.
pub fn set_refcount(block: &mut [u8], count: u32) -> Result<Range<usize>> {
    check_header(block)?;
    le::put_u32(block, REFCOUNT.start, count)
        .ok_or_else(|| Layout::Block.corrupt("block is too short", 0_u32))?;
    Ok(REFCOUNT)
}

/// C: `ext2_xattr_header_valid()`.
fn check_header(block: &[u8]) -> Result<()> {
    let field = |at| {
        let field = le::get_u32(block, at);
        field.ok_or_else(|| Layout::Block.corrupt("block is too short", 0_u32))
    };
    let magic = field(0)?;
    if magic != MAGIC {
        return Err(Layout::Block.corrupt("magic number is wrong", magic));
    }
    match field(BLOCKS_AT)? {
        1 => Ok(()),
        blocks => Err(Layout::Block.corrupt("more or less than one block", blocks)),
    }
}

/// The hash of an attribute. `name` is without what the index stands for. C: `ext2_xattr_hash_entry()`.
pub fn hash(name: &[u8], value: &[u8]) -> u32 {
    let bytes = name.iter().map(|byte| u32::from(*byte));
    hash_value(hash_name(bytes), value)
}

/// The hash that kernels before 6.2 made where C's `char` is signed; another one if the name has
/// bytes above 0x7f. C: `ext4_xattr_hash_entry_signed()`.
pub fn hash_of_signed(name: &[u8], value: &[u8]) -> u32 {
    let bytes = name.iter().map(|byte| {
        let sign = if *byte > 0x7f { 0xffff_ff00 } else { 0 };
        u32::from(*byte) | sign
    });
    hash_value(hash_name(bytes), value)
}

fn hash_name(bytes: impl Iterator<Item = u32>) -> u32 {
    bytes.fold(0, |hash: u32, byte| hash.rotate_left(5) ^ byte)
}

fn hash_value(name_hash: u32, value: &[u8]) -> u32 {
    value.chunks(4).fold(name_hash, |hash, chunk| {
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        hash.rotate_left(16) ^ u32::from_le_bytes(word)
    })
}

/// The hash of a block, from those of its entries in order: 0 ("not to be shared") if one of these
/// is. C: `ext2_xattr_rehash()`.
struct BlockHash(Option<u32>);

impl BlockHash {
    const fn new() -> Self {
        Self(Some(0))
    }

    fn add(&mut self, hash: u32) {
        self.0 = match self.0 {
            Some(before) if hash != 0 => Some(before.rotate_left(16) ^ hash),
            _ => None,
        };
    }

    fn get(&self) -> u32 {
        self.0.unwrap_or(0)
    }
}
