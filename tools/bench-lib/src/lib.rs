// SPDX-License-Identifier: GPL-2.0

//! What the benchmarks share. What may not live here: what is measured.
//!
//! | module | subject |
//! | --- | --- |
//! | [`system`] | programs, and files of the kernel |
//! | [`result`] | medians, and results as JSON |
//!
//! Errors are lines that name the program or the file.

#![forbid(unsafe_code)]

pub mod result;
pub mod system;
