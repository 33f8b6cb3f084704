// SPDX-License-Identifier: GPL-2.0

//! Who waits for writeback, and when: the one place where that is decided.
//!
//! A writer comes here with the folio that it is about to change, locked: in `write_begin`, and when it
//! first writes to a mapping after the folio was written back. A folio under writeback is being read by
//! the device, or will be.

use crate::{mount::StableFs, SuperBlock};
use kernel::{
    prelude::*,
    time::{Instant, Monotonic},
};
use storage::fs::folio::LockedFolio;

/// How pages are kept stable: the mount option `stable`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// A writer waits until the folio is on the device.
    #[default]
    Wait,
    /// Not at all.
    Off,
}

/// Returns when the folio may be changed: at once, unless it is under writeback, and the device needs it
/// to be stable now. `EAGAIN` instead of waiting if `nowait`.
pub(crate) fn before_write(sb: &SuperBlock, folio: &LockedFolio<'_>, nowait: bool) -> Result {
    let fs = sb.data();
    if fs.options.stable() == Strategy::Off
        || !folio.is_under_writeback()
        || !sb.needs_stable_writes()
    {
        return Ok(());
    }
    if nowait {
        return Err(EAGAIN);
    }
    wait(&fs, folio);
    Ok(())
}

fn wait(fs: &StableFs, folio: &LockedFolio<'_>) {
    let begin = Instant::<Monotonic>::now();
    folio.wait_for_writeback();
    fs.counters.waited(begin.elapsed());
}
