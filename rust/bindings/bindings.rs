// SPDX-License-Identifier: GPL-2.0

//! C bindings: all of `kernel::bindings`, and what it lacks.
//!
//! The second part is generated at build time from `bindings_helper.h` with the options in
//! `bindgen_parameters`. Nothing here is written by hand, and nothing outside the crate `storage`
//! may use it: drivers see safe types only.

#![allow(
    clippy::all,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    unused_imports
)]

pub use kernel::bindings::*;

include!("bindings_generated.rs");
