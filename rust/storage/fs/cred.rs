// SPDX-License-Identifier: GPL-2.0

//! Who is asking.
//!
//! C headers: [`include/linux/cred.h`](srctree/include/linux/cred.h),
//! [`include/linux/capability.h`](srctree/include/linux/capability.h)

use crate::bindings;
use kernel::prelude::*;

/// Whether the current thread may use what is kept back: it has `CAP_SYS_RESOURCE`, or acts as this user
/// or in this group, in the initial user namespace (group 0 counts for none). Sets no audit record where
/// the capability isn't needed.
pub fn may_use_reserved(uid: u32, gid: u32) -> bool {
    // SAFETY: Any context of a thread.
    unsafe {
        bindings::storage_current_is(uid, gid)
            || bindings::capable(bindings::CAP_SYS_RESOURCE as c_int)
    }
}
