// SPDX-License-Identifier: GPL-2.0

//! Rate limits for messages.
//!
//! C header: [`include/linux/ratelimit.h`](srctree/include/linux/ratelimit.h)

use crate::bindings;
use kernel::{prelude::*, str::CStr, types::Opaque};

/// Lets through a burst of events in each interval and counts the rest, with the kernel's usual
/// limits: ten in five seconds.
///
/// C: `struct ratelimit_state`, with `DEFAULT_RATELIMIT_INTERVAL` and `DEFAULT_RATELIMIT_BURST`.
///
/// # Invariants
///
/// `state` is initialized.
#[pin_data]
pub struct RateLimit {
    #[pin]
    state: Opaque<bindings::ratelimit_state>,
    name: &'static CStr,
}

// SAFETY: `___ratelimit()` locks the state; it may be called from any CPU, and `state` has no tie to
// the thread that made it.
unsafe impl Send for RateLimit {}
// SAFETY: As above.
unsafe impl Sync for RateLimit {}

impl RateLimit {
    /// A limit of its own. `name` stands before "callbacks suppressed" in the log.
    pub fn new(name: &'static CStr) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes. The helper makes an unlocked raw spinlock and plain
            // numbers, which is what the invariant asks.
            state <- Opaque::ffi_init(|slot| unsafe {
                bindings::storage_ratelimit_default_init(slot)
            }),
            name,
        })
    }

    /// Whether this event is let through. Any context.
    pub fn allow(&self) -> bool {
        // SAFETY: `state` is initialized by the type's invariant, `name` is a C string, and
        // `___ratelimit()` does its own locking, with interrupts off and a trylock.
        unsafe { bindings::___ratelimit(self.state.get(), self.name.as_char_ptr()) != 0 }
    }
}
