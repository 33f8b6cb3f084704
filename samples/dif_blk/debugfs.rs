// SPDX-License-Identifier: GPL-2.0

//! A disk's directory in debugfs: `/sys/kernel/debug/dif_blk/NAME/`.

use crate::{
    cache::Cache, counters::Counters, faults::Faults, protection::Protection,
    statistics::Statistics,
};
use kernel::{prelude::*, str::CStr};
use storage::debugfs::{Dir, Scope};

/// What can be looked at and changed there: it goes together with the files.
#[pin_data]
pub(crate) struct Shown {
    pub(crate) counters: Counters,
    #[pin]
    pub(crate) faults: Faults,
    pub(crate) statistics: Statistics,
    pub(crate) protection: Protection,
    #[pin]
    pub(crate) cache: Cache,
}

impl Shown {
    /// With the files in the subdirectory `name` of `dir`, for a disk with so many queues, those
    /// faults, that protection and that cache.
    pub(crate) fn new<'a>(
        dir: &'a Dir,
        name: &'a CStr,
        queues: usize,
        faults: impl PinInit<Faults, Error> + 'a,
        protection: Protection,
        cache: impl PinInit<Cache, Error> + 'a,
    ) -> impl PinInit<Scope<Self>, Error> + 'a {
        dir.scope(
            try_pin_init!(Self {
                counters: Counters::new(),
                faults <- faults,
                statistics: Statistics::new(queues)?,
                protection,
                cache <- cache,
            }? Error),
            name,
            |shown, dir| {
                shown.counters.files(dir);
                shown.faults.files(dir);
                shown.statistics.files(dir);
                shown.protection.files(dir);
                shown.cache.files(dir);
            },
        )
    }
}
