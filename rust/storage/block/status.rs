// SPDX-License-Identifier: GPL-2.0

//! How a request ended.
//!
//! C header: [`include/linux/blk_types.h`](srctree/include/linux/blk_types.h)

use crate::bindings;

/// Status of a finished request.
///
/// C: `blk_status_t`. The errno in each description is what user space gets from direct I/O; buffered
/// writers see `EIO` from the next fsync whatever it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done. `BLK_STS_OK`.
    Ok,
    /// The device failed. `BLK_STS_IOERR`, `EIO`.
    IoErr,
    /// The device doesn't know the operation. `BLK_STS_NOTSUPP`, `EOPNOTSUPP`.
    NotSupp,
    /// Protection information does not agree with the data. `BLK_STS_PROTECTION`, `EILSEQ`.
    Protection,
    /// The medium is bad there. `BLK_STS_MEDIUM`, `ENODATA`.
    Medium,
    /// There is no room. `BLK_STS_NOSPC`, `ENOSPC`.
    NoSpc,
    /// It took too long. `BLK_STS_TIMEOUT`, `ETIMEDOUT`.
    Timeout,
}

impl Status {
    pub(crate) const fn to_raw(self) -> bindings::blk_status_t {
        match self {
            Self::Ok => 0,
            Self::IoErr => bindings::BLK_STS_IOERR,
            Self::NotSupp => bindings::BLK_STS_NOTSUPP,
            Self::Protection => bindings::BLK_STS_PROTECTION,
            Self::Medium => bindings::BLK_STS_MEDIUM,
            Self::NoSpc => bindings::BLK_STS_NOSPC,
            Self::Timeout => bindings::BLK_STS_TIMEOUT,
        }
    }
}
