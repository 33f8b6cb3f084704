// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over the kernel's storage stack.
//!
//! The crate is shared by the modules of this project: each links its own copy. It mirrors the
//! kernel's names and grouping (the C names without their prefix), one file per C concept, so that a
//! piece of it could move next to `rust/kernel` upstream. Each file opens with the C header it wraps.
//!
//! **This is the modules' only place with hand-written `unsafe`.** Each block argues, in its `// SAFETY:`
//! comment, from the contract of the C side. Types carry the rest: a request that has been started
//! is another type than one that hasn't, data that goes to the device can't be written to, and memory
//! that others write concurrently is copied, never referenced.
//!
//! What may not live here: policy. What a device does with a request, or when a page is stable, is
//! for the crates that use this one.

#[path = "../bindings/bindings.rs"]
mod bindings;

pub mod block;
pub mod configfs;
pub mod counter;
pub mod crc;
pub mod debugfs;
pub mod fs;
pub mod memory;
pub mod module_param;
pub mod random;
pub mod ratelimit;
pub mod setting;
pub mod stream;
pub mod task;
mod workqueue;
