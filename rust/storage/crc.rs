// SPDX-License-Identifier: GPL-2.0

//! The kernel's checksum library. Each function goes on from what it returned for the bytes before; 0 at
//! first. Any context.
//!
//! C headers: [`include/linux/crc-t10dif.h`](srctree/include/linux/crc-t10dif.h),
//! [`include/linux/crc64.h`](srctree/include/linux/crc64.h),
//! [`include/net/checksum.h`](srctree/include/net/checksum.h)

use crate::bindings;
use kernel::prelude::c_int;

/// CRC-16/T10-DIF (polynomial 0x8bb7, initial value 0).
///
/// C: `crc_t10dif_update()`.
pub fn t10dif(before: u16, data: &[u8]) -> u16 {
    // SAFETY: `data` is valid for reads of its length, and the function does nothing else with it.
    unsafe { bindings::crc_t10dif_update(before, data.as_ptr(), data.len()) }
}

/// CRC-64/NVME.
///
/// C: `crc64_nvme()`.
pub fn nvme(before: u64, data: &[u8]) -> u64 {
    // SAFETY: As above.
    unsafe { bindings::storage_crc64_nvme(before, data.as_ptr().cast(), data.len()) }
}

/// The sum of 16-bit words, as the internet checksum has it, not folded. At most 64 KiB.
///
/// C: `csum_partial()`.
pub fn csum_partial(before: u32, data: &[u8]) -> u32 {
    // SAFETY: As above.
    unsafe { bindings::storage_csum_partial(data.as_ptr().cast(), data.len() as c_int, before) }
}

/// That sum, folded and complemented: the internet checksum, in the order of memory.
///
/// C: `csum_fold()`.
pub fn csum_fold(sum: u32) -> u16 {
    // SAFETY: A number.
    unsafe { bindings::storage_csum_fold(sum) }
}
