// SPDX-License-Identifier: GPL-2.0

//! Who does something.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use crate::bindings;
use kernel::prelude::*;

/// A thread, by name and number.
///
/// C: `comm` and `pid` of `struct task_struct`.
#[derive(Clone, Copy)]
pub struct Task {
    comm: [u8; bindings::TASK_COMM_LEN as usize],
    /// Its number in the first namespace.
    pub pid: i32,
}

impl Task {
    /// The one that runs this. Any context; in an interrupt it is the one that was interrupted.
    pub fn current() -> Self {
        let mut comm = [0; bindings::TASK_COMM_LEN as usize];
        // SAFETY: There is room for a name, which ends with a NUL.
        let pid = unsafe { bindings::storage_current_comm_and_pid(comm.as_mut_ptr().cast()) };
        Self { comm, pid }
    }

    /// The name, with a NUL behind it.
    pub(crate) fn comm_raw(&self) -> [c_char; bindings::TASK_COMM_LEN as usize] {
        self.comm.map(|byte| byte as c_char)
    }

    /// Its name: at most 15 bytes, of any kind.
    pub fn comm(&self) -> &[u8] {
        self.comm
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
    }
}
