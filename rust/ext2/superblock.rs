// SPDX-License-Identifier: GPL-2.0

//! The superblock, and the geometry that follows from it: which groups, blocks and inodes there
//! are, and where they lie.
//!
//! C: `struct ext2_super_block` (`fs/ext2/ext2.h`), `ext2_fill_super()` (`fs/ext2/super.c`). "The
//! Second Extended File System", section "Superblock". A [`Superblock`] has been checked, and
//! [`Block`], [`Ino`] and [`Group`] come from one: they are numbers of things that exist.

use crate::{
    block_size::shift_up,
    features::{Compat, Feature, Incompat, RoCompat},
    le, Corrupt, Result, Structure,
};
use core::num::NonZeroU32;

mod edit;
mod geometry;
mod number;
mod refused;
mod settings;

pub use crate::block_size::BlockSize;
pub use edit::Edit;
pub use number::{Block, Group, Ino, InodeLocation};
pub use refused::Refused;
pub use settings::{DefaultOptions, OnError, State};

/// Where the superblock is, in bytes from the start of the device.
pub const OFFSET: u64 = 1024;

/// How long it is, in bytes.
pub const SIZE: usize = 1024;

/// The number that an ext2 file system is known by. C: `EXT2_SUPER_MAGIC`.
pub const MAGIC: u16 = 0xef53;

/// Offsets of the fields, in bytes.
mod at {
    pub(super) const INODES_COUNT: usize = 0;
    pub(super) const BLOCKS_COUNT: usize = 4;
    pub(super) const RESERVED_BLOCKS_COUNT: usize = 8;
    pub(super) const FREE_BLOCKS_COUNT: usize = 12;
    pub(super) const FREE_INODES_COUNT: usize = 16;
    pub(super) const FIRST_DATA_BLOCK: usize = 20;
    pub(super) const LOG_BLOCK_SIZE: usize = 24;
    pub(super) const LOG_FRAG_SIZE: usize = 28;
    pub(super) const BLOCKS_PER_GROUP: usize = 32;
    pub(super) const FRAGS_PER_GROUP: usize = 36;
    pub(super) const INODES_PER_GROUP: usize = 40;
    pub(super) const MTIME: usize = 44;
    pub(super) const WTIME: usize = 48;
    pub(super) const MNT_COUNT: usize = 52;
    pub(super) const MAX_MNT_COUNT: usize = 54;
    pub(super) const MAGIC: usize = 56;
    pub(super) const STATE: usize = 58;
    pub(super) const ERRORS: usize = 60;
    pub(super) const LASTCHECK: usize = 64;
    pub(super) const CHECKINTERVAL: usize = 68;
    pub(super) const REV_LEVEL: usize = 76;
    pub(super) const DEF_RESUID: usize = 80;
    pub(super) const DEF_RESGID: usize = 82;
    pub(super) const FIRST_INO: usize = 84;
    pub(super) const INODE_SIZE: usize = 88;
    pub(super) const FEATURE_COMPAT: usize = 92;
    pub(super) const FEATURE_INCOMPAT: usize = 96;
    pub(super) const FEATURE_RO_COMPAT: usize = 100;
    pub(super) const UUID: usize = 104;
    pub(super) const VOLUME_NAME: usize = 120;
    pub(super) const LAST_MOUNTED: usize = 136;
    pub(super) const RESERVED_GDT_BLOCKS: usize = 206;
    pub(super) const LAST_ORPHAN: usize = 232;
    pub(super) const DEFAULT_MOUNT_OPTS: usize = 256;
    pub(super) const BACKUP_GROUPS: usize = 588;
}

/// Inode size and first inode that is not reserved, before revision 1 stored them.
const GOOD_OLD_INODE_SIZE: u16 = 128;
const GOOD_OLD_FIRST_INO: u32 = 11;

/// log2 of the size of a group descriptor.
const DESCRIPTOR_BITS: u32 = 5;

/// The bytes of a superblock. All offsets are below its size, so there is always a value.
struct Raw<'a>(&'a [u8; SIZE]);

impl Raw<'_> {
    fn u16(&self, offset: usize) -> u16 {
        le::get_u16(self.0, offset).unwrap_or_default()
    }

    fn u32(&self, offset: usize) -> u32 {
        le::get_u32(self.0, offset).unwrap_or_default()
    }

    fn bytes<const N: usize>(&self, offset: usize) -> [u8; N] {
        le::get(self.0, offset).copied().unwrap_or([0; N])
    }

    fn compat(&self) -> Compat {
        Compat::from_bits(self.u32(at::FEATURE_COMPAT))
    }

    fn incompat(&self) -> Incompat {
        Incompat::from_bits(self.u32(at::FEATURE_INCOMPAT))
    }

    fn ro_compat(&self) -> RoCompat {
        RoCompat::from_bits(self.u32(at::FEATURE_RO_COMPAT))
    }

    /// Checks that it is a superblock, of a format that this crate knows.
    fn check_features(&self) -> core::result::Result<(), Refused> {
        let magic = self.u16(at::MAGIC);
        if magic != MAGIC {
            return Err(Refused::NotExt2(magic));
        }
        let revision = self.u32(at::REV_LEVEL);
        if revision > 1 {
            return Err(Refused::Revision(revision));
        }
        // Features count in revision 0, too: there were tools that set them and left the revision.
        let incompat = self.incompat();
        if incompat.without(Incompat::SUPPORTED) == Incompat::RECOVER {
            return Err(Refused::NeedsRecovery);
        }
        match incompat.unsupported() {
            Some(feature) => Err(Refused::Incompatible(feature)),
            None => Ok(()),
        }
    }

    fn block_size(&self) -> core::result::Result<BlockSize, Refused> {
        let log = self.u32(at::LOG_BLOCK_SIZE);
        let size = match log {
            0 => BlockSize::K1,
            1 => BlockSize::K2,
            2 => BlockSize::K4,
            3..=6 => return Err(Refused::BlockSize(log)),
            _ => return Err(corrupt("block size is out of range", log).into()),
        };
        let log_frag_size = self.u32(at::LOG_FRAG_SIZE);
        if log_frag_size != log {
            return Err(corrupt("fragment size is not the block size", log_frag_size).into());
        }
        Ok(size)
    }

    fn blocks_count(
        &self,
        block_size: BlockSize,
        device: u64,
    ) -> core::result::Result<u32, Refused> {
        // The superblock is the first thing in the first group.
        let first_data_block = self.u32(at::FIRST_DATA_BLOCK);
        if first_data_block != u32::from(block_size == BlockSize::K1) {
            let what = "first data block is not the superblock's";
            return Err(corrupt(what, first_data_block).into());
        }
        let blocks_count = self.u32(at::BLOCKS_COUNT);
        let bytes = u64::from(blocks_count).wrapping_shl(block_size.bits());
        if bytes > device {
            return Err(Refused::TooLarge { bytes, device });
        }
        let reserved_blocks = self.u32(at::RESERVED_BLOCKS_COUNT);
        if reserved_blocks > blocks_count {
            let what = "more blocks are reserved than there are";
            return Err(corrupt(what, reserved_blocks).into());
        }
        Ok(blocks_count)
    }

    fn blocks_per_group(&self, block_size: BlockSize) -> Result<NonZeroU32> {
        let count = self.u32(at::BLOCKS_PER_GROUP);
        let frags = self.u32(at::FRAGS_PER_GROUP);
        if frags != count {
            let what = "fragments per group are not the blocks per group";
            return Err(corrupt(what, frags));
        }
        NonZeroU32::new(count)
            .filter(|count| count.get() <= block_size.bitmap_bits())
            .ok_or(corrupt("blocks per group are out of range", count))
    }

    /// log2 of the size of an inode.
    fn inode_bits(&self, block_size: BlockSize) -> Result<u32> {
        let size = if self.u32(at::REV_LEVEL) == 0 {
            GOOD_OLD_INODE_SIZE
        } else {
            self.u16(at::INODE_SIZE)
        };
        if !size.is_power_of_two()
            || size < GOOD_OLD_INODE_SIZE
            || u32::from(size) > block_size.bytes()
        {
            return Err(corrupt("inode size is out of range", size));
        }
        Ok(size.trailing_zeros())
    }

    fn first_ino(&self) -> u32 {
        if self.u32(at::REV_LEVEL) == 0 {
            GOOD_OLD_FIRST_INO
        } else {
            self.u32(at::FIRST_INO)
        }
    }

    fn inodes_per_group(
        &self,
        block_size: BlockSize,
        inodes_per_block_bits: u32,
    ) -> Result<NonZeroU32> {
        let count = self.u32(at::INODES_PER_GROUP);
        NonZeroU32::new(count)
            .filter(|count| count.get() <= block_size.bitmap_bits())
            .filter(|count| count.get() >= 1u32.wrapping_shl(inodes_per_block_bits))
            .ok_or(corrupt("inodes per group are out of range", count))
    }

    fn reserved_descriptor_blocks(&self, block_size: BlockSize) -> Result<u32> {
        // Without the feature, what is there is of no meaning; e2fsck makes it 0.
        if !self.compat().contains(Compat::RESIZE_INODE) {
            return Ok(0);
        }
        let count = u32::from(self.u16(at::RESERVED_GDT_BLOCKS));
        if count > block_size.pointers() {
            let what = "reserved descriptor blocks are out of range";
            return Err(corrupt(what, count));
        }
        Ok(count)
    }
}

/// A superblock that was checked, as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    block_size: BlockSize,
    inode_bits: u32,
    first_data_block: u32,
    blocks_count: u32,
    reserved_blocks: u32,
    blocks_per_group: NonZeroU32,
    inodes_count: u32,
    inodes_per_group: NonZeroU32,
    first_ino: u32,
    groups: NonZeroU32,
    descriptor_blocks: u32,
    reserved_descriptor_blocks: u32,
    inode_table_blocks: u32,
    backup_groups: [u32; 2],
    free_blocks: u32,
    free_inodes: u32,
    revision: u32,
    compat: Compat,
    incompat: Incompat,
    ro_compat: RoCompat,
    state: State,
    on_error: OnError,
    default_options: DefaultOptions,
    reserved_uid: u16,
    reserved_gid: u16,
    uuid: [u8; 16],
    volume_name: [u8; 16],
    last_mounted: [u8; 64],
    last_orphan: u32,
    mtime: u32,
    wtime: u32,
    last_check: u32,
    check_interval: u32,
    mount_count: u16,
    max_mount_count: u16,
}

impl Superblock {
    /// Whether everything is where it is in `other`, and as large. Counts, state and names may differ.
    pub fn has_layout_of(&self, other: &Self) -> bool {
        let layout = |of: &Self| {
            (
                (of.revision, of.incompat, of.block_size, of.inode_bits),
                (of.first_data_block, of.blocks_count, of.blocks_per_group),
                (of.inodes_count, of.inodes_per_group, of.first_ino),
                (of.reserved_descriptor_blocks, of.backup_groups),
            )
        };
        layout(self) == layout(other)
    }

    /// The superblock that is the first 1024 bytes of `bytes`, on a device of `device_bytes` bytes.
    ///
    /// The counts of free blocks and inodes are not checked: nobody relies on them, and after a
    /// crash they are wrong.
    ///
    /// # Errors
    ///
    /// If the file system can't be used, not even for reading.
    pub fn parse(bytes: &[u8], device_bytes: u64) -> core::result::Result<Self, Refused> {
        let Some(bytes) = bytes.first_chunk::<SIZE>() else {
            return Err(corrupt("is cut short", 0u32).into());
        };
        let raw = Raw(bytes);
        raw.check_features()?;
        let block_size = raw.block_size()?;
        let blocks_count = raw.blocks_count(block_size, device_bytes)?;
        let blocks_per_group = raw.blocks_per_group(block_size)?;
        let first_data_block = raw.u32(at::FIRST_DATA_BLOCK);
        let last_block = blocks_count
            .checked_sub(first_data_block)
            .and_then(|blocks| blocks.checked_sub(1))
            .ok_or(corrupt("there are no blocks", blocks_count))?;
        let groups = NonZeroU32::MIN.saturating_add(last_block / blocks_per_group);

        let inode_bits = raw.inode_bits(block_size)?;
        let inodes_per_block_bits = block_size.bits().saturating_sub(inode_bits);
        let inodes_per_group = raw.inodes_per_group(block_size, inodes_per_block_bits)?;
        let inodes_count = raw.u32(at::INODES_COUNT);
        if groups.get().checked_mul(inodes_per_group.get()) != Some(inodes_count) {
            let what = "inode count is not that of all groups";
            return Err(corrupt(what, inodes_count).into());
        }
        let first_ino = raw.first_ino();
        if first_ino < GOOD_OLD_FIRST_INO || first_ino > inodes_count {
            return Err(corrupt("first inode is out of range", first_ino).into());
        }

        let superblock = Self {
            block_size,
            inode_bits,
            first_data_block,
            blocks_count,
            reserved_blocks: raw.u32(at::RESERVED_BLOCKS_COUNT),
            blocks_per_group,
            inodes_count,
            inodes_per_group,
            first_ino,
            groups,
            descriptor_blocks: shift_up_u32(
                groups.get(),
                block_size.bits().saturating_sub(DESCRIPTOR_BITS),
            ),
            reserved_descriptor_blocks: raw.reserved_descriptor_blocks(block_size)?,
            inode_table_blocks: shift_up_u32(inodes_per_group.get(), inodes_per_block_bits),
            backup_groups: [
                raw.u32(at::BACKUP_GROUPS),
                raw.u32(at::BACKUP_GROUPS.saturating_add(4)),
            ],
            free_blocks: raw.u32(at::FREE_BLOCKS_COUNT),
            free_inodes: raw.u32(at::FREE_INODES_COUNT),
            revision: raw.u32(at::REV_LEVEL),
            compat: raw.compat(),
            incompat: raw.incompat(),
            ro_compat: raw.ro_compat(),
            state: State(raw.u16(at::STATE)),
            on_error: match raw.u16(at::ERRORS) {
                1 => OnError::Continue,
                3 => OnError::Panic,
                _ => OnError::ReadOnly,
            },
            default_options: DefaultOptions(raw.u32(at::DEFAULT_MOUNT_OPTS)),
            reserved_uid: raw.u16(at::DEF_RESUID),
            reserved_gid: raw.u16(at::DEF_RESGID),
            uuid: raw.bytes(at::UUID),
            volume_name: raw.bytes(at::VOLUME_NAME),
            last_mounted: raw.bytes(at::LAST_MOUNTED),
            last_orphan: raw.u32(at::LAST_ORPHAN),
            mtime: raw.u32(at::MTIME),
            wtime: raw.u32(at::WTIME),
            last_check: raw.u32(at::LASTCHECK),
            check_interval: raw.u32(at::CHECKINTERVAL),
            mount_count: raw.u16(at::MNT_COUNT),
            max_mount_count: raw.u16(at::MAX_MNT_COUNT),
        };

        // The first group must hold its metadata, among which are all descriptors. So the number of
        // groups is no more than some millions.
        let metadata = superblock
            .super_and_descriptor_blocks(Group::FIRST)
            .saturating_add(superblock.inode_table_blocks)
            .saturating_add(2);
        if metadata > superblock.blocks_in_group(Group::FIRST) {
            let what = "metadata doesn't fit into the first group";
            return Err(corrupt(what, metadata).into());
        }
        Ok(superblock)
    }

    /// The feature because of which it can't be written, if there is one.
    pub fn read_only_because(&self) -> Option<Feature> {
        self.ro_compat.unsupported()
    }

    /// Size of a block.
    pub const fn block_size(&self) -> BlockSize {
        self.block_size
    }

    /// Size of an inode, in bytes: a power of two, from 128 to the size of a block.
    pub const fn inode_size(&self) -> u32 {
        1u32.wrapping_shl(self.inode_bits)
    }

    /// How many blocks there are, with those that come before the first group.
    pub const fn blocks_count(&self) -> u32 {
        self.blocks_count
    }

    /// How many blocks only [`reserved_uid`](Self::reserved_uid) and
    /// [`reserved_gid`](Self::reserved_gid) may have.
    pub const fn reserved_blocks(&self) -> u32 {
        self.reserved_blocks
    }

    /// The block that holds the superblock, and is the first of the first group: 1 if blocks have
    /// 1024 bytes, else 0.
    pub const fn first_data_block(&self) -> u32 {
        self.first_data_block
    }

    /// How many blocks a group has; the last may have fewer. At most the bits of a bitmap.
    pub const fn blocks_per_group(&self) -> NonZeroU32 {
        self.blocks_per_group
    }

    /// How many inodes there are.
    pub const fn inodes_count(&self) -> u32 {
        self.inodes_count
    }

    /// How many inodes a group has. At most the bits of a bitmap.
    pub const fn inodes_per_group(&self) -> NonZeroU32 {
        self.inodes_per_group
    }

    /// The first inode that is not reserved, from 11.
    pub const fn first_ino(&self) -> u32 {
        self.first_ino
    }

    /// How many groups there are.
    pub const fn groups(&self) -> NonZeroU32 {
        self.groups
    }

    /// How many blocks the inode table of a group has.
    pub const fn inode_table_blocks(&self) -> u32 {
        self.inode_table_blocks
    }

    /// How many blocks all descriptors take. They come right after the superblock.
    pub const fn descriptor_blocks(&self) -> u32 {
        self.descriptor_blocks
    }

    /// How many descriptors fit in a block.
    pub const fn descriptors_per_block(&self) -> u32 {
        self.block_size.bytes() >> DESCRIPTOR_BITS
    }

    /// How many blocks after the descriptors are set aside for more of them.
    pub const fn reserved_descriptor_blocks(&self) -> u32 {
        self.reserved_descriptor_blocks
    }

    /// How many blocks were free, as far as it was written down. A hint.
    pub const fn free_blocks(&self) -> u32 {
        self.free_blocks
    }

    /// How many inodes were free, as far as it was written down. A hint.
    pub const fn free_inodes(&self) -> u32 {
        self.free_inodes
    }

    /// Revision level: 0 or 1.
    pub const fn revision(&self) -> u32 {
        self.revision
    }

    /// Features that may be ignored.
    pub const fn compat(&self) -> Compat {
        self.compat
    }

    /// Features that must be known: all are.
    pub const fn incompat(&self) -> Incompat {
        self.incompat
    }

    /// Features that must be known for writing.
    pub const fn ro_compat(&self) -> RoCompat {
        self.ro_compat
    }

    /// Whether directory entries hold the type of file.
    pub const fn has_filetype(&self) -> bool {
        self.incompat.contains(Incompat::FILETYPE)
    }

    /// Whether the file system was in order.
    pub const fn state(&self) -> State {
        self.state
    }

    /// What to do about errors. A value that isn't known is taken as [`OnError::ReadOnly`].
    pub const fn on_error(&self) -> OnError {
        self.on_error
    }

    /// Mount options that apply unless others are given.
    pub const fn default_options(&self) -> DefaultOptions {
        self.default_options
    }

    /// The user who may have reserved blocks.
    pub const fn reserved_uid(&self) -> u16 {
        self.reserved_uid
    }

    /// The group who may have reserved blocks.
    pub const fn reserved_gid(&self) -> u16 {
        self.reserved_gid
    }

    /// The UUID, in the order in which it is written.
    pub const fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// The label: any bytes but 0, up to 16.
    pub fn volume_name(&self) -> &[u8] {
        up_to_nul(&self.volume_name)
    }

    /// Where it was last mounted: any bytes but 0, up to 64.
    pub fn last_mounted(&self) -> &[u8] {
        up_to_nul(&self.last_mounted)
    }

    /// The first inode of the chain of those that were deleted while still open.
    ///
    /// # Errors
    ///
    /// If no file can have that inode.
    pub fn last_orphan(&self) -> Result<Option<Ino>> {
        self.orphan(self.last_orphan)
    }

    /// The inode that a link of the chain of orphans says comes next. 0 ends the chain.
    ///
    /// # Errors
    ///
    /// If no file can have that inode.
    pub fn orphan(&self, raw: u32) -> Result<Option<Ino>> {
        if raw == 0 {
            return Ok(None);
        }
        self.checked_ino(raw, self.first_ino)
            .ok_or(Corrupt::new(
                Structure::OrphanList,
                "inode number is out of range",
                raw.into(),
            ))
            .map(Some)
    }

    /// When it was last mounted, in seconds since 1970.
    pub const fn mtime(&self) -> u32 {
        self.mtime
    }

    /// When the superblock was last written, in seconds since 1970.
    pub const fn wtime(&self) -> u32 {
        self.wtime
    }

    /// When it was last checked, in seconds since 1970.
    pub const fn last_check(&self) -> u32 {
        self.last_check
    }

    /// After how many seconds it should be checked again. 0: never because of that.
    pub const fn check_interval(&self) -> u32 {
        self.check_interval
    }

    /// How often it was mounted since it was checked.
    pub const fn mount_count(&self) -> u16 {
        self.mount_count
    }

    /// After how many mounts it should be checked again. `None`: never because of that.
    pub const fn max_mount_count(&self) -> Option<u16> {
        // It is a signed number, and there are two ways to say "never".
        match self.max_mount_count {
            0 | 0x8000.. => None,
            count => Some(count),
        }
    }

    /// How large a file can be, in bytes. See [`BlockSize::max_file_size`].
    pub fn max_size(&self) -> u64 {
        self.block_size.max_file_size()
    }
}

fn shift_up_u32(number: u32, bits: u32) -> u32 {
    u32::try_from(shift_up(number.into(), bits)).unwrap_or(u32::MAX)
}

fn up_to_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or(bytes)
}

fn corrupt(what: &'static str, value: impl Into<u64>) -> Corrupt {
    Corrupt::new(Structure::Superblock, what, value.into())
}
