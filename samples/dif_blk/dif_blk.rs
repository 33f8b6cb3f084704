// SPDX-License-Identifier: GPL-2.0

//! A block driver that asks for stable pages and proves whether it gets them.
//!
//! For every protection interval of a write it computes protection information when the write is
//! submitted, lets a window pass, moves the data, and checks it again. A page that changed in between
//! is a *violation*. See `Documentation/dif_blk.rst` for what a user sees.
//!
//! | file | subject |
//! | --- | --- |
//! | [`settings`] | what a disk can be told: the table, module parameters |
//! | [`directory`] | disks in configfs |
//! | [`device`] | the disk: what each request does |
//! | [`protection`] | who makes tuples, and what they are |
//! | [`mod@write`], [`read`] | the two paths that move data |
//! | [`time`] | how long things take |
//! | [`store`] | the sparse memory behind the disk |
//! | [`cache`] | the volatile write cache before it, power cuts, snapshots |
//! | [`undo`] | what the store had at a moment |
//! | [`violation`] | what is said of a page that changed |
//! | [`faults`] | what goes wrong on purpose |
//! | [`debugfs`] | the directory in debugfs |
//! | [`counters`], [`statistics`] | what is counted |
//!
//! Lock order, outermost first: `directory::Device::disk`; the block layer's; `Cache::state`; `Store::create`, the
//! store's `XArray` lock; that of a `store::Group`. The rate limit's and that of the records' queue are leaves.

#![forbid(unsafe_code)]

mod cache;
mod counters;
mod debugfs;
mod device;
mod directory;
mod faults;
mod protection;
mod read;
mod settings;
mod statistics;
mod store;
mod time;
mod undo;
mod violation;
mod write;

use kernel::{c_str, prelude::*, sync::Arc};
use settings::{Key, Settings};
use storage::{configfs::Subsystem, debugfs::Dir};

module! {
    type: DifBlk,
    name: "dif_blk",
    authors: ["The stable-pages developers"],
    description: "Block device with protection information that checks for stable pages",
    license: "GPL",
}

/// The module: the disk that was made at load, and the directory in which others are.
#[pin_data]
struct DifBlk {
    // Goes first, so that no request is left when the rest goes.
    _disk: Option<device::Disk>,
    /// Not there if there was no memory: a disk that was made can't be taken back while it is being loaded.
    _directory: Option<Pin<KBox<Subsystem<directory::Root>>>>,
    _debugfs: Dir,
}

/// The disk that module parameters make.
const DIF0: &CStr = c_str!("dif0");

impl kernel::InPlaceModule for DifBlk {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _debugfs: Dir::new(c_str!("dif_blk"))?,
            _disk: {
                let settings = Arc::new(Settings::from_params()?, GFP_KERNEL)?;
                match settings.get(Key::NrDevices) {
                    0 => None,
                    _ => Some(device::add(DIF0, settings, _debugfs)?),
                }
            },
            _directory: {
                let root = directory::Root::new(_debugfs.clone(), _disk.as_ref().map(|_| DIF0));
                let directory = Subsystem::new(c_str!("dif_blk"), Ok::<_, Error>(root));
                KBox::pin_init(directory, GFP_KERNEL)
                    .inspect_err(|error| pr_err!("no directory in configfs: {error:?}\n"))
                    .ok()
            },
        })
    }
}
