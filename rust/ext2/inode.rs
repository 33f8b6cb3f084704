// SPDX-License-Identifier: GPL-2.0

//! Inodes.
//!
//! C: `struct ext2_inode` (`fs/ext2/ext2.h`), `ext2_iget()`, `ext2_write_inode()`
//! (`fs/ext2/inode.c`); for what comes after the first 128 bytes, `struct ext4_inode`
//! (`fs/ext4/ext4.h`). "The Second Extended File System", section "Inode Table".
//!
//! An inode is changed by [`Inode::encode`] into the bytes that it was read from: what this crate
//! doesn't know, such as attributes that ext4 put there, stays as it is.

use crate::{
    le,
    path::POINTERS,
    superblock::{Block, Superblock},
    time::Timestamp,
    Corrupt, Result, Structure,
};

/// Offsets of the fields, in bytes.
mod at {
    pub(super) const MODE: usize = 0;
    pub(super) const UID: usize = 2;
    pub(super) const SIZE: usize = 4;
    pub(super) const ATIME: usize = 8;
    pub(super) const CTIME: usize = 12;
    pub(super) const MTIME: usize = 16;
    pub(super) const DTIME: usize = 20;
    pub(super) const GID: usize = 24;
    pub(super) const LINKS_COUNT: usize = 26;
    pub(super) const BLOCKS: usize = 28;
    pub(super) const FLAGS: usize = 32;
    pub(super) const VERSION: usize = 36;
    pub(super) const BLOCK: usize = 40;
    pub(super) const GENERATION: usize = 100;
    pub(super) const FILE_ACL: usize = 104;
    /// Of regular files. Of others, it is `i_dir_acl`, which nobody uses, and which stays.
    pub(super) const SIZE_HIGH: usize = 108;
    pub(super) const UID_HIGH: usize = 120;
    pub(super) const GID_HIGH: usize = 122;
    pub(super) const EXTRA_ISIZE: usize = 128;
    pub(super) const CTIME_EXTRA: usize = 132;
    pub(super) const MTIME_EXTRA: usize = 136;
    pub(super) const ATIME_EXTRA: usize = 140;
    pub(super) const CRTIME: usize = 144;
    pub(super) const CRTIME_EXTRA: usize = 148;
}

/// Length of an inode without what ext4 added, in bytes. C: `EXT2_GOOD_OLD_INODE_SIZE`.
pub const GOOD_OLD_SIZE: usize = 128;

/// What a new inode says of the length of what ext4 added, in bytes. C: `i_extra_isize`.
const NEW_EXTRA_SIZE: u16 = 32;

/// How many bytes a symbolic link's target has in the inode itself, at most, with a 0 at the end.
const FAST_TARGET_SIZE: u64 = 60;

/// What kind of thing a file is. C: `S_IFMT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// First in, first out: a named pipe.
    Fifo,
    /// A device of characters.
    CharDevice,
    /// A directory.
    Directory,
    /// A device of blocks.
    BlockDevice,
    /// A regular file.
    Regular,
    /// A symbolic link.
    Symlink,
    /// A socket.
    Socket,
}

impl FileType {
    /// The bits of a mode that say it.
    const MASK: u16 = 0o170_000;

    /// What `mode` says. `None` if it's none of them.
    pub const fn of_mode(mode: u16) -> Option<Self> {
        match mode & Self::MASK {
            0o010_000 => Some(Self::Fifo),
            0o020_000 => Some(Self::CharDevice),
            0o040_000 => Some(Self::Directory),
            0o060_000 => Some(Self::BlockDevice),
            0o100_000 => Some(Self::Regular),
            0o120_000 => Some(Self::Symlink),
            0o140_000 => Some(Self::Socket),
            _ => None,
        }
    }

    /// The bits in a mode that say it.
    pub const fn mode(self) -> u16 {
        match self {
            Self::Fifo => 0o010_000,
            Self::CharDevice => 0o020_000,
            Self::Directory => 0o040_000,
            Self::BlockDevice => 0o060_000,
            Self::Regular => 0o100_000,
            Self::Symlink => 0o120_000,
            Self::Socket => 0o140_000,
        }
    }

    /// The type that a directory entry says with `code`; `None` for "unknown" (0) and for codes
    /// that mean nothing. C: `EXT2_FT_*`.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Regular,
            2 => Self::Directory,
            3 => Self::CharDevice,
            4 => Self::BlockDevice,
            5 => Self::Fifo,
            6 => Self::Socket,
            7 => Self::Symlink,
            _ => return None,
        })
    }

    /// What a directory entry says for this type.
    pub const fn code(self) -> u8 {
        match self {
            Self::Regular => 1,
            Self::Directory => 2,
            Self::CharDevice => 3,
            Self::BlockDevice => 4,
            Self::Fifo => 5,
            Self::Socket => 6,
            Self::Symlink => 7,
        }
    }

    const fn is_device(self) -> bool {
        matches!(self, Self::CharDevice | Self::BlockDevice)
    }
}

/// Flags of an inode. C: `EXT2_*_FL`, `FS_*_FL`. Those that have no name here stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Writes are synchronous.
    pub const SYNC: Self = Self(0x08);
    /// The file can't be changed.
    pub const IMMUTABLE: Self = Self(0x10);
    /// The file can only be appended to.
    pub const APPEND: Self = Self(0x20);
    /// The file should not be backed up.
    pub const NODUMP: Self = Self(0x40);
    /// Access times are not updated.
    pub const NOATIME: Self = Self(0x80);
    /// The directory has a hash index, which must be dropped when it is changed without.
    pub const INDEX: Self = Self(0x1000);
    /// Changes of the directory are synchronous.
    pub const DIRSYNC: Self = Self(0x0001_0000);
    /// The directory's subdirectories have nothing to do with one another. See
    /// [`top_directory_group`](crate::alloc::top_directory_group).
    pub const TOPDIR: Self = Self(0x0002_0000);

    /// What users can see. C: `FS_FL_USER_VISIBLE`.
    pub const USER_VISIBLE: Self = Self(0x0003_dfff);
    /// What users can change. C: `FS_FL_USER_MODIFIABLE`.
    pub const USER_MODIFIABLE: Self = Self(0x0003_80ff);

    /// With one of these, the rest of the inode means something else: encrypt, huge_file, extents,
    /// verity, ea_inode, inline_data, casefold.
    const UNSUPPORTED: Self = Self(0x503c_0800);

    /// What a new file has from its directory: secrm, unrm, compr, sync, nodump, noatime, comprblk,
    /// nocomp, journal_data, notail, dirsync. C: `EXT2_FL_INHERITED`.
    const INHERITED: Self = Self(0x0001_c6cf);

    /// The flags as they are stored.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The flags, to be stored.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `other` are among them.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags of both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags that are not in `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The flags that are in both.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The flags that make sense for a file of type `kind`. C: `ext2_mask_flags()`.
    pub const fn for_type(self, kind: FileType) -> Self {
        match kind {
            FileType::Directory => self,
            FileType::Regular => self.without(Self::DIRSYNC.with(Self::TOPDIR)),
            _ => self.intersection(Self::NODUMP.with(Self::NOATIME)),
        }
    }

    /// The flags of a new file of type `kind` in a directory with these.
    pub const fn inherited(self, kind: FileType) -> Self {
        self.intersection(Self::INHERITED).for_type(kind)
    }
}

/// The number of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    major: u32,
    minor: u32,
}

impl Device {
    /// `None` if `major` is not below 2¹², or `minor` not below 2²⁰.
    pub const fn new(major: u32, minor: u32) -> Option<Self> {
        if major < 1 << 12 && minor < 1 << 20 {
            Some(Self { major, minor })
        } else {
            None
        }
    }

    /// Which driver: below 2¹².
    pub const fn major(self) -> u32 {
        self.major
    }

    /// Which device of it: below 2²⁰.
    pub const fn minor(self) -> u32 {
        self.minor
    }

    /// From the first two pointers of an inode. C: `old_decode_dev()`, `new_decode_dev()`.
    const fn decode(old: u32, new: u32) -> Self {
        if old != 0 {
            Self {
                major: (old >> 8) & 0xff,
                minor: old & 0xff,
            }
        } else {
            Self {
                major: (new >> 8) & 0xfff,
                minor: (new & 0xff) | ((new >> 12) & 0xf_ff00),
            }
        }
    }

    /// Into the first two pointers of an inode. C: `old_encode_dev()`, `new_encode_dev()`.
    const fn encode(self) -> (u32, u32) {
        if self.major < 256 && self.minor < 256 {
            ((self.major << 8) | self.minor, 0)
        } else {
            let new = (self.minor & 0xff) | (self.major << 8) | ((self.minor & !0xff) << 12);
            (0, new)
        }
    }
}

/// An inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// What kind of file it is.
    pub kind: FileType,
    /// The low 12 bits of the mode.
    pub permissions: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// In bytes. Below 2³² but for regular files.
    pub size: u64,
    /// Last access.
    pub atime: Timestamp,
    /// Last change of the inode.
    pub ctime: Timestamp,
    /// Last change of the data.
    pub mtime: Timestamp,
    /// Creation, if the inode has room for it.
    pub crtime: Option<Timestamp>,
    /// When it was deleted, in seconds since 1970. For an orphan, the next orphan.
    pub dtime: u32,
    /// How many directory entries name it.
    pub links: u16,
    /// How much it takes, with indirect blocks and attributes, in sectors of 512 bytes.
    pub sectors: u32,
    /// Flags.
    pub flags: Flags,
    /// For NFS: changes when it is changed. C: `i_version`, of which ext2 makes no use.
    pub version: u32,
    /// The pointers, as [`path`](mod@crate::path) says. Or a target or a device's number: see
    /// [`fast_target`](Self::fast_target), [`device`](Self::device).
    pub block: [u32; POINTERS],
    /// For NFS: another one each time that the inode number is used for a new file.
    pub generation: u32,
    /// The block with extended attributes. C: `i_file_acl`.
    pub xattr_block: Option<Block>,
}

/// What the bytes of an inode are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// An inode that is in use.
    InUse(Inode),
    /// An inode that was never used, or is no more. Whoever has its number, such as an NFS client,
    /// has a number that is out of date.
    Deleted,
}

impl Inode {
    /// An inode of type `kind` with nothing in it.
    pub const fn new(kind: FileType) -> Self {
        const EPOCH: Timestamp = Timestamp {
            seconds: 0,
            nanoseconds: 0,
        };
        Self {
            kind,
            permissions: 0,
            uid: 0,
            gid: 0,
            size: 0,
            atime: EPOCH,
            ctime: EPOCH,
            mtime: EPOCH,
            crtime: None,
            dtime: 0,
            links: 0,
            sectors: 0,
            flags: Flags::NONE,
            version: 0,
            block: [0; POINTERS],
            generation: 0,
            xattr_block: None,
        }
    }

    /// The inode that is the first [`Superblock::inode_size`] bytes of `bytes`.
    ///
    /// # Errors
    ///
    /// If it is neither an inode in use nor a deleted one.
    pub fn parse(bytes: &[u8], superblock: &Superblock) -> Result<Parsed> {
        let raw = Raw::new(bytes, superblock)?;
        if raw.links == 0 {
            if raw.mode == 0 || raw.dtime != 0 {
                return Ok(Parsed::Deleted);
            }
            return Err(corrupt("has no links and was not deleted", raw.mode));
        }
        let inode = raw.inode(superblock)?;
        inode.check_symlink(superblock)?;
        Ok(Parsed::InUse(inode))
    }

    /// The inode of a file that was deleted while still open, and that the chain of orphans leads
    /// to. Its [`dtime`](Self::dtime) is the next: see [`Superblock::orphan`]. It may also have
    /// links: then it was about to be truncated to its size.
    ///
    /// # Errors
    ///
    /// If it is not an inode in use.
    pub fn parse_orphan(bytes: &[u8], superblock: &Superblock) -> Result<Self> {
        Raw::new(bytes, superblock)?.inode(superblock)
    }

    /// Type and permissions.
    pub const fn mode(&self) -> u16 {
        self.kind.mode() | (self.permissions & !FileType::MASK)
    }

    /// Whether its size needs [`LARGE_FILE`](crate::features::RoCompat::LARGE_FILE): it is a regular
    /// file of 2 GiB or more.
    pub fn is_large(&self) -> bool {
        self.kind == FileType::Regular && self.size > 0x7fff_ffff
    }

    /// Whether it is a symbolic link whose target is in the inode itself.
    ///
    /// C: `ext2_inode_is_fast_symlink()`.
    pub fn is_fast_symlink(&self, superblock: &Superblock) -> bool {
        let xattrs = match self.xattr_block {
            Some(_) => superblock.block_size().sectors(),
            None => 0,
        };
        self.kind == FileType::Symlink && self.sectors == xattrs
    }

    /// The pointers as bytes: the target of a symbolic link that
    /// [is in the inode](Self::is_fast_symlink), as far as [`size`](Self::size) says.
    pub fn fast_target(&self) -> [u8; 60] {
        let mut bytes = [0; 60];
        for (at, from) in self.block.into_iter().enumerate() {
            let _ = le::put_u32(&mut bytes, at.saturating_mul(4), from);
        }
        bytes
    }

    /// Puts the target of a symbolic link into the inode, with its size. `None`, and nothing
    /// changed, if it doesn't fit: it must have 1 to 59 bytes.
    pub fn set_fast_target(&mut self, target: &[u8]) -> Option<()> {
        if target.is_empty() || target.len() > 59 {
            return None;
        }
        let mut bytes = [0; 60];
        for (to, from) in bytes.iter_mut().zip(target) {
            *to = *from;
        }
        for (at, to) in self.block.iter_mut().enumerate() {
            *to = le::get_u32(&bytes, at.saturating_mul(4))?;
        }
        self.size = u64::try_from(target.len()).ok()?;
        Some(())
    }

    /// The number of the device, if it is one.
    pub fn device(&self) -> Option<Device> {
        let [old, new, ..] = self.block;
        self.kind.is_device().then_some(Device::decode(old, new))
    }

    /// Makes it the inode of that device.
    pub fn set_device(&mut self, device: Device) {
        let (old, new) = device.encode();
        self.block = [0; POINTERS];
        let [first, second, ..] = &mut self.block;
        *first = old;
        *second = new;
    }

    /// Writes the inode into `bytes`, which is an inode's length of bytes, as they were read or as
    /// [`initialise`] made them. What is not in an [`Inode`] stays. Timestamps that don't fit
    /// become the nearest that does. `None`, and nothing written, if there are not enough bytes.
    pub fn encode(&self, bytes: &mut [u8]) -> Option<()> {
        if bytes.len() < GOOD_OLD_SIZE {
            return None;
        }
        let [u0, u1, u2, u3] = self.uid.to_le_bytes();
        let [g0, g1, g2, g3] = self.gid.to_le_bytes();
        let [s0, s1, s2, s3, s4, s5, s6, s7] = self.size.to_le_bytes();
        le::put_u16(bytes, at::MODE, self.mode())?;
        le::put(bytes, at::UID, [u0, u1])?;
        le::put(bytes, at::UID_HIGH, [u2, u3])?;
        le::put(bytes, at::GID, [g0, g1])?;
        le::put(bytes, at::GID_HIGH, [g2, g3])?;
        le::put(bytes, at::SIZE, [s0, s1, s2, s3])?;
        if self.kind == FileType::Regular {
            le::put(bytes, at::SIZE_HIGH, [s4, s5, s6, s7])?;
        }
        le::put_u32(bytes, at::DTIME, self.dtime)?;
        le::put_u16(bytes, at::LINKS_COUNT, self.links)?;
        le::put_u32(bytes, at::BLOCKS, self.sectors)?;
        le::put_u32(bytes, at::FLAGS, self.flags.bits())?;
        le::put_u32(bytes, at::VERSION, self.version)?;
        le::put(bytes, at::BLOCK, self.fast_target())?;
        le::put_u32(bytes, at::GENERATION, self.generation)?;
        let xattr_block = self.xattr_block.map_or(0, Block::get);
        le::put_u32(bytes, at::FILE_ACL, xattr_block)?;

        put_time(bytes, at::ATIME, at::ATIME_EXTRA, self.atime)?;
        put_time(bytes, at::CTIME, at::CTIME_EXTRA, self.ctime)?;
        put_time(bytes, at::MTIME, at::MTIME_EXTRA, self.mtime)?;
        if let Some(crtime) = self.crtime {
            // Without room for it, this is where attributes are.
            if extra(bytes, at::CRTIME).is_some() {
                put_time(bytes, at::CRTIME, at::CRTIME_EXTRA, crtime)?;
            }
        }
        Some(())
    }

    /// Checks how long a symbolic link is.
    fn check_symlink(&self, superblock: &Superblock) -> Result<()> {
        if self.kind != FileType::Symlink {
            return Ok(());
        }
        let limit = if self.is_fast_symlink(superblock) {
            FAST_TARGET_SIZE
        } else {
            superblock.block_size().bytes().into()
        };
        if self.size == 0 || self.size >= limit {
            let what = "symbolic link's length is out of range";
            return Err(corrupt(what, self.size));
        }
        if self.is_fast_symlink(superblock) {
            let bytes = self.fast_target();
            let mut target = bytes.iter().zip(0..self.size);
            if target.any(|(byte, _)| *byte == 0) {
                let what = "symbolic link's target ends before its length";
                return Err(corrupt(what, self.size));
            }
        }
        Ok(())
    }
}

/// Makes `bytes`, all of an inode's length, those of an inode that was never used, as
/// [`Inode::encode`] wants them for a new one: all 0, and with room for what ext4 added if they
/// are long enough.
pub fn initialise(bytes: &mut [u8]) {
    bytes.fill(0);
    // Larger inodes have at least 256 bytes. In one that has not, there is no such field.
    if bytes.len() >= GOOD_OLD_SIZE.saturating_mul(2) {
        let _ = le::put_u16(bytes, at::EXTRA_ISIZE, NEW_EXTRA_SIZE);
    }
}

/// An inode's bytes, and what must be known of them before anything else.
struct Raw<'a> {
    bytes: &'a [u8],
    mode: u16,
    links: u16,
    dtime: u32,
}

impl<'a> Raw<'a> {
    fn new(bytes: &'a [u8], superblock: &Superblock) -> Result<Self> {
        let bytes = bytes
            .get(..le::index(superblock.inode_size()))
            .ok_or(corrupt("is cut short", 0u32))?;
        let mut raw = Self {
            bytes,
            mode: 0,
            links: 0,
            dtime: 0,
        };
        raw.mode = raw.u16(at::MODE)?;
        raw.links = raw.u16(at::LINKS_COUNT)?;
        raw.dtime = raw.u32(at::DTIME)?;
        Ok(raw)
    }

    fn u16(&self, offset: usize) -> Result<u16> {
        le::get_u16(self.bytes, offset).ok_or(corrupt("is cut short", 0u32))
    }

    fn u32(&self, offset: usize) -> Result<u32> {
        le::get_u32(self.bytes, offset).ok_or(corrupt("is cut short", 0u32))
    }

    /// The 32-bit number in two halves.
    fn halves(&self, low: usize, high: usize) -> Result<u32> {
        Ok(u32::from(self.u16(low)?) | (u32::from(self.u16(high)?) << 16))
    }

    fn time(&self, low: usize, extra: usize) -> Result<Timestamp> {
        Ok(Timestamp::decode(
            self.u32(low)?,
            self::extra(self.bytes, extra),
        ))
    }

    fn inode(&self, superblock: &Superblock) -> Result<Inode> {
        let kind = FileType::of_mode(self.mode).ok_or(corrupt("type is unknown", self.mode))?;
        let flags = Flags::from_bits(self.u32(at::FLAGS)?);
        let unsupported = flags.intersection(Flags::UNSUPPORTED);
        if unsupported != Flags::NONE {
            let what = "has flags of a feature that is not supported";
            return Err(corrupt(what, unsupported.bits()));
        }
        self.check_extra_size()?;

        let mut size = u64::from(self.u32(at::SIZE)?);
        match kind {
            FileType::Regular => size |= u64::from(self.u32(at::SIZE_HIGH)?) << 32,
            FileType::Directory => {
                let block_size = u64::from(superblock.block_size().bytes());
                if size & block_size.saturating_sub(1) != 0 {
                    let what = "directory's size is not a multiple of the block size";
                    return Err(corrupt(what, size));
                }
            }
            _ => {}
        }
        if size > superblock.max_size() {
            return Err(corrupt("size is out of range", size));
        }

        let xattr_block = match self.u32(at::FILE_ACL)? {
            0 => None,
            number => Some(superblock.data_block(number, Structure::Inode)?),
        };
        let mut block = [0; POINTERS];
        let pointers = self.bytes.get(at::BLOCK..).unwrap_or(&[]);
        for (at, to) in block.iter_mut().enumerate() {
            *to = le::get_u32(pointers, at.saturating_mul(4)).unwrap_or_default();
        }
        let crtime = extra(self.bytes, at::CRTIME)
            .map(|low| Timestamp::decode(low, extra(self.bytes, at::CRTIME_EXTRA)));
        Ok(Inode {
            kind,
            permissions: self.mode & !FileType::MASK,
            uid: self.halves(at::UID, at::UID_HIGH)?,
            gid: self.halves(at::GID, at::GID_HIGH)?,
            size,
            atime: self.time(at::ATIME, at::ATIME_EXTRA)?,
            ctime: self.time(at::CTIME, at::CTIME_EXTRA)?,
            mtime: self.time(at::MTIME, at::MTIME_EXTRA)?,
            crtime,
            dtime: self.dtime,
            links: self.links,
            sectors: self.u32(at::BLOCKS)?,
            flags,
            version: self.u32(at::VERSION)?,
            block,
            generation: self.u32(at::GENERATION)?,
            xattr_block,
        })
    }

    /// Checks the length of what ext4 added. C: `__ext4_iget()`.
    fn check_extra_size(&self) -> Result<()> {
        let room = self.bytes.len().saturating_sub(GOOD_OLD_SIZE);
        if room == 0 {
            return Ok(());
        }
        let size = self.u16(at::EXTRA_ISIZE)?;
        if usize::from(size) > room || size & 3 != 0 {
            return Err(corrupt("extra size is out of range", size));
        }
        Ok(())
    }
}

/// The field at `offset`, among those that ext4 added. `None` if the inode has no room for it, or
/// doesn't make use of it.
fn extra(bytes: &[u8], offset: usize) -> Option<u32> {
    let size = le::get_u16(bytes, at::EXTRA_ISIZE)?;
    let end = GOOD_OLD_SIZE.checked_add(size.into())?;
    le::get_u32(bytes.get(..end)?, offset)
}

/// Writes `time` at `low`, and at `extra` if the inode has that.
fn put_time(bytes: &mut [u8], low: usize, extra: usize, time: Timestamp) -> Option<()> {
    if self::extra(bytes, extra).is_some() {
        let (seconds, rest) = time.encode();
        le::put_u32(bytes, low, seconds)?;
        le::put_u32(bytes, extra, rest)
    } else {
        le::put_u32(bytes, low, time.encode_short())
    }
}

fn corrupt(what: &'static str, value: impl Into<u64>) -> Corrupt {
    Corrupt::new(Structure::Inode, what, value.into())
}
