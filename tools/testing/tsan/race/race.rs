// SPDX-License-Identifier: GPL-2.0

//! Two threads write to one place without a lock. The thread sanitizer must say so.

use std::{cell::UnsafeCell, thread};

struct Shared(UnsafeCell<u32>);

// SAFETY: None. That it is wrong is the point.
unsafe impl Sync for Shared {}

static SHARED: Shared = Shared(UnsafeCell::new(0));

fn main() {
    let write = || {
        for value in 0..1000 {
            // SAFETY: None, see above.
            unsafe { SHARED.0.get().write(value) };
        }
    };
    let other = thread::spawn(write);
    write();
    other.join().unwrap();
}
