// SPDX-License-Identifier: GPL-2.0

//! Random numbers.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::bindings;

/// A number that nobody can guess. Any context.
pub fn u32() -> u32 {
    // SAFETY: Any context.
    unsafe { bindings::get_random_u32() }
}
