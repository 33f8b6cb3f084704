// SPDX-License-Identifier: GPL-2.0

//! A disk's directory in debugfs: `/sys/kernel/debug/dif_blk/NAME/`.

use crate::{counters::Counters, faults::Faults};
use kernel::{
    debugfs::{Dir, Scope},
    prelude::*,
    str::CStr,
};

/// What its files show.
#[pin_data]
pub(crate) struct Files {
    pub(crate) counters: Counters,
    #[pin]
    pub(crate) faults: Faults,
}

impl Files {
    /// With the files in the subdirectory `name` of `dir`.
    pub(crate) fn new<'a>(dir: &'a Dir, name: &'a CStr) -> impl PinInit<Scope<Self>, Error> + 'a {
        dir.scope(
            try_pin_init!(Self {
                counters: Counters::new(),
                faults <- Faults::new(name),
            }? Error),
            name,
            |files, dir| {
                files.counters.files(dir);
                files.faults.files(dir);
            },
        )
    }
}
