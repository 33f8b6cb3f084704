// SPDX-License-Identifier: GPL-2.0

//! wac, "write after checksum": a workload that makes a filesystem rewrite
//! pages while they are under writeback, to find out if it keeps them stable.
//!
//! The rooms, in the order in which a run passes through them:
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`args`] | the command line, and its translation into a plan |
//! | [`profile`] | the six named workloads, A to F |
//! | [`plan`] | everything that decides what a run does, as plain data |
//! | [`target`] | the file or block device: open, lay out, probe |
//! | [`pattern`] | what is written where: the self-describing words, the offsets |
//! | [`worker`] | the three kinds of worker: `write()`, `O_DIRECT`, `mmap` |
//! | [`mapping`] | memory that others write at the same time |
//! | [`uring`] | writing such memory with io_uring |
//! | [`process`] | workers as processes of their own |
//! | [`run`] | start, watch and stop the workers |
//! | [`monitor`] | the device's violation counter |
//! | [`errors`] | errors by operation and errno, and which of them are real |
//! | [`latency`] | histograms |
//! | [`progress`] | the live line |
//! | [`verify`] | the read-back check |
//! | [`report`] | the result: JSON, and a summary for people |
//!
//! Units: sizes and offsets are bytes, latencies are nanoseconds, and points in
//! time are seconds since the workers were let go, unless a name says otherwise.

#![deny(unsafe_code)]

pub mod args;
pub mod errors;
pub mod latency;
pub mod mapping;
pub mod monitor;
pub mod pattern;
pub mod plan;
pub mod process;
pub mod profile;
pub mod progress;
pub mod report;
pub mod run;
pub mod target;
pub mod uring;
pub mod verify;
pub mod worker;
