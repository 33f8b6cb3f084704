// SPDX-License-Identifier: GPL-2.0

//! Reads: stored data is verified against its tuple on the way out.

use crate::device::Device;
use kernel::prelude::*;
use pi::Expected;
use storage::block::{request::Request, status::Status};

/// What an interval that was never written reads as.
static ZEROES: [u8; 4096] = [0; 4096];

/// Fills the pages of `rq` from the store. May sleep.
pub(crate) fn read(device: &Device, rq: &mut Request<Device>) -> Status {
    let sector = rq.sector();
    let bytes = rq.bytes();
    let interval = device.store.interval();
    let Some(mut sink) = rq.sink() else {
        return Status::IoErr;
    };
    let mut status = Status::Ok;
    let mut verified = 0;
    let moved = device.store.for_each(sector, bytes, |number, stored| {
        let Some((data, tuple)) = stored else {
            return sink.write(ZEROES.get(..interval.bytes()).ok_or(EIO)?);
        };
        verified += 1;
        let expected = Expected::new(pi::lba_ref_tag(number));
        if let Err(mismatch) = device.profile.verify(tuple, data, expected) {
            device.counters.read_mismatches.add(1);
            status = Status::Protection;
            if device.log.allow() {
                pr_err!(
                    "{}: stored block {number}: {}\n",
                    device.name,
                    format_args!("{mismatch}")
                );
            }
        }
        sink.write(data)
    });
    device.counters.intervals_read.add(verified);
    match moved {
        Ok(()) => status,
        Err(_) => Status::IoErr,
    }
}
