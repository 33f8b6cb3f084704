// SPDX-License-Identifier: GPL-2.0

//! The kernel's checksum library.
//!
//! C header: [`include/linux/crc-t10dif.h`](srctree/include/linux/crc-t10dif.h)

use crate::bindings;

/// CRC-16/T10-DIF (polynomial 0x8bb7, initial value 0) of `data`. Any context.
///
/// C: `crc_t10dif()`.
pub fn t10dif(data: &[u8]) -> u16 {
    // SAFETY: `data` is valid for reads of its length, and the function does nothing else with it.
    unsafe { bindings::crc_t10dif_update(0, data.as_ptr(), data.len()) }
}
