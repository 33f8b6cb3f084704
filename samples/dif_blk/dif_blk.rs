// SPDX-License-Identifier: GPL-2.0

//! A block driver that asks for stable pages and proves whether it gets them.
//!
//! For every protection interval of a write it computes protection information when the write is
//! submitted, lets a window pass, moves the data, and checks it again. A page that changed in between
//! is a *violation*. See `Documentation/dif_blk.rst` for what a user sees.
//!
//! | file | subject |
//! | --- | --- |
//! | [`config`] | module parameters, checked |
//! | [`device`] | the disk: what each request does |
//! | [`write`], [`read`] | the two paths that move data |
//! | [`store`] | the sparse memory behind the disk |
//! | [`violation`] | what is said of a page that changed |
//! | [`counters`] | what is counted, in debugfs |
//!
//! Lock order, outermost first: `Store::create`, the store's `XArray` lock; `store::Page` is a leaf
//! and may be taken alone or inside nothing.

#![forbid(unsafe_code)]

mod config;
mod counters;
mod device;
mod read;
mod store;
mod violation;
mod write;

use kernel::{c_str, debugfs::Dir, prelude::*};

module! {
    type: DifBlk,
    name: "dif_blk",
    authors: ["The stable-pages developers"],
    description: "Block device with protection information that checks for stable pages",
    license: "GPL",
}

/// The module: one disk, made at load.
struct DifBlk {
    // Goes first, so that no request is left when the rest goes.
    _disk: device::Disk,
    _debugfs: Dir,
}

impl kernel::Module for DifBlk {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let config = config::Config::from_params()?;
        let debugfs = Dir::new(c_str!("dif_blk"));
        let disk = device::add(config, &debugfs)?;
        Ok(Self {
            _disk: disk,
            _debugfs: debugfs,
        })
    }
}
