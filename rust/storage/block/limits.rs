// SPDX-License-Identifier: GPL-2.0

//! What a disk can do and asks for.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h)

use super::SECTOR_SHIFT;
use crate::bindings;
use kernel::{page::PAGE_SIZE, prelude::*};

/// Limits and features of a request queue.
///
/// C: `struct queue_limits`. A builder: each setter takes and returns the value.
///
/// # Examples
///
/// ```ignore
/// let limits = QueueLimits::new(512)?.stable_writes(true).max_hw_bytes(1 << 20)?;
/// ```
pub struct QueueLimits(bindings::queue_limits);

/// The checksum of guard tags.
///
/// C: `enum blk_integrity_checksum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// CRC-16/T10-DIF.
    Crc,
    /// The internet checksum.
    Ip,
    /// CRC-64/NVME, with tuples of 16 bytes.
    Crc64,
}

/// The metadata of a disk.
///
/// C: `struct blk_integrity`.
#[derive(Clone, Copy, Debug)]
pub struct Integrity {
    /// Of the tuple in it, if there is one.
    pub checksum: Option<Checksum>,
    /// Whether its reference tag is that of the place.
    pub ref_tag: bool,
    /// Bytes for each interval.
    pub metadata_size: u8,
    /// Where in them the tuple is.
    pub pi_offset: u8,
    /// Bytes of an interval: a power of two, 512 at least and a logical block at most.
    pub interval: u32,
}

impl QueueLimits {
    /// Limits of a disk with blocks of `block_size` bytes: a power of two from 512 to the page size,
    /// `EINVAL` otherwise.
    ///
    /// Segments may be of any number and length, starting at any multiple of 512 bytes. The other
    /// limits are the block layer's defaults.
    pub fn new(block_size: u32) -> Result<Self> {
        let page_size = u32::try_from(PAGE_SIZE)?;
        if !(512..=page_size).contains(&block_size) || !block_size.is_power_of_two() {
            return Err(EINVAL);
        }
        let mut limits: bindings::queue_limits = pin_init::zeroed();
        limits.logical_block_size = block_size;
        limits.physical_block_size = block_size;
        limits.max_segments = u16::MAX;
        limits.max_segment_size = u32::MAX;
        Ok(Self(limits))
    }

    /// Whether a page must not change from the time its write is submitted until it has ended.
    ///
    /// C: `BLK_FEAT_STABLE_WRITES`; until Linux 5.9 `BDI_CAP_STABLE_WRITES` of the backing device.
    /// User space sees it, and may change it, in `queue/stable_writes`.
    pub fn stable_writes(self, on: bool) -> Self {
        self.feature(bindings::BLK_FEAT_STABLE_WRITES, on)
    }

    /// Whether the disk has a volatile write cache: it then gets flush requests, and writes that
    /// must be durable when they end are marked FUA.
    ///
    /// C: `BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA`.
    pub fn write_cache(self, on: bool) -> Self {
        self.feature(bindings::BLK_FEAT_WRITE_CACHE | bindings::BLK_FEAT_FUA, on)
    }

    /// The most bytes in one read or write request: at least a page, `EINVAL` otherwise.
    ///
    /// The block layer also takes this as what it sends by default, where its own default (4 MiB) is
    /// larger. C: `max_hw_sectors`.
    pub fn max_hw_bytes(mut self, bytes: u32) -> Result<Self> {
        if (bytes as usize) < PAGE_SIZE {
            return Err(EINVAL);
        }
        self.0.max_hw_sectors = bytes >> SECTOR_SHIFT;
        Ok(self)
    }

    /// Accept discard, best in units of `granularity` bytes (a power of two, at least the block
    /// size, `EINVAL` otherwise), and write-zeroes, each of at most `max` bytes a request.
    ///
    /// C: `discard_granularity`, `max_hw_discard_sectors`, `max_write_zeroes_sectors`.
    pub fn discard(mut self, granularity: u32, max: u32) -> Result<Self> {
        if !granularity.is_power_of_two() || granularity < self.0.logical_block_size {
            return Err(EINVAL);
        }
        self.0.discard_granularity = granularity;
        self.0.max_hw_discard_sectors = max >> SECTOR_SHIFT;
        self.0.max_write_zeroes_sectors = max >> SECTOR_SHIFT;
        Ok(self)
    }

    /// Requests bring metadata, and take it: `integrity`. Where it has a checksum, pages are stable, too. The
    /// block layer makes and checks tuples for bios that come without.
    ///
    /// C: `struct blk_integrity`.
    pub fn integrity(mut self, integrity: Integrity) -> Result<Self> {
        use bindings::{
            blk_integrity_checksum_BLK_INTEGRITY_CSUM_CRC as CRC,
            blk_integrity_checksum_BLK_INTEGRITY_CSUM_CRC64 as CRC64,
            blk_integrity_checksum_BLK_INTEGRITY_CSUM_IP as IP,
            blk_integrity_checksum_BLK_INTEGRITY_CSUM_NONE as NONE,
        };
        let (csum_type, size) = match integrity.checksum {
            None => (NONE, 0),
            Some(Checksum::Crc) => (CRC, 8),
            Some(Checksum::Ip) => (IP, 8),
            Some(Checksum::Crc64) => (CRC64, 16),
        };
        let mut flags = bindings::blk_integrity_flags_BLK_INTEGRITY_DEVICE_CAPABLE
            | bindings::blk_integrity_flags_BLK_SPLIT_INTERVAL_CAPABLE;
        if integrity.ref_tag {
            flags |= bindings::blk_integrity_flags_BLK_INTEGRITY_REF_TAG;
        }
        self.0.integrity = bindings::blk_integrity {
            flags: u8::try_from(flags)?,
            csum_type,
            metadata_size: integrity.metadata_size,
            pi_offset: integrity.pi_offset,
            interval_exp: u8::try_from(integrity.interval.trailing_zeros())?,
            tag_size: 0,
            pi_tuple_size: size,
        };
        self.0.max_integrity_segments = u16::MAX;
        Ok(self)
    }

    fn feature(mut self, bits: bindings::blk_features_t, on: bool) -> Self {
        if on {
            self.0.features |= bits;
        } else {
            self.0.features &= !bits;
        }
        self
    }

    pub(super) fn into_raw(self) -> bindings::queue_limits {
        self.0
    }
}
