// SPDX-License-Identifier: GPL-2.0

//! Block layer.
//!
//! | module | C concept |
//! | --- | --- |
//! | [`bio`] | `struct bio`, `struct bio_vec`: where a request's data lies |
//! | [`disk`] | `struct gendisk`: a disk that user space sees |
//! | [`limits`] | `struct queue_limits`: what the disk can do and asks for |
//! | [`mq`] | `struct blk_mq_ops`, `struct blk_mq_tag_set`: the driver's side of blk-mq |
//! | [`request`] | `struct request`: one command to the driver |
//! | [`status`] | `blk_status_t` |
//! | [`trace`] | `TRACE_EVENT()`: a page that changed while it was written |

pub mod bio;
pub mod disk;
pub mod limits;
pub mod mq;
pub mod request;
pub mod status;
pub mod trace;

/// Size of the unit in which the block layer counts, in bytes; not the size of a device's blocks.
///
/// C: `SECTOR_SIZE`.
pub const SECTOR_SIZE: u32 = 512;

/// log2 of [`SECTOR_SIZE`].
///
/// C: `SECTOR_SHIFT`.
pub const SECTOR_SHIFT: u32 = 9;
