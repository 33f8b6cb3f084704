// SPDX-License-Identifier: GPL-2.0

//! Reads: stored data is verified against its tuple on the way out.

use crate::{
    counters::Mismatches,
    device::Device,
    protection::{Interval, Mode},
};
use kernel::prelude::*;
use pi::Verified;
use storage::block::{request::Request, status::Status};

/// What was never written reads as that.
static ZEROES: [u8; Interval::LONGEST] = [0; Interval::LONGEST];
/// The metadata that goes with it: not to be checked.
static ONES: [u8; Interval::METADATA] = [0xff; Interval::METADATA];

/// Fills the pages of `rq` from the store. May sleep.
pub(crate) fn read(device: &Device, rq: &mut Request<Device>) -> Status {
    let (sector, bytes, checks) = (rq.sector(), rq.bytes(), rq.integrity());
    let protection = device.protection();
    let (interval, size) = (protection.interval, protection.metadata_size());
    let expected = protection.expected(checks);
    let (mut verified, wrong) = (0, Mismatches::new());
    let Some((mut sink, mut metadata_sink)) = rq.sinks() else {
        return Status::IoErr;
    };
    let moved = device.store().read(sector, bytes, |first, len, stored| {
        let Some(stored) = stored else {
            if checks.is_some() {
                for _ in 0..interval.count(len) {
                    metadata_sink.write(ONES.get(..size).ok_or(EIO)?)?;
                }
            }
            return sink.write(ZEROES.get(..len).ok_or(EIO)?);
        };
        if protection.mode != Mode::None {
            let intervals = stored.data.chunks_exact(interval.bytes());
            for ((number, data), metadata) in (first..)
                .zip(intervals)
                .zip(stored.metadata.chunks_exact(size))
            {
                let result = protection.verify(number, data, metadata, &expected);
                if !matches!(result, Ok(Verified::Unchecked)) {
                    verified += 1;
                }
                if let Err(mismatch) = result {
                    wrong.add(&mismatch);
                    if device.log.allow() {
                        pr_err!(
                            "{}: stored block {number}: {}\n",
                            &*device.name,
                            format_args!("{mismatch}")
                        );
                    }
                }
            }
        }
        // Both of one moment.
        if checks.is_some() {
            metadata_sink.write(stored.metadata)?;
        }
        sink.write(stored.data)
    });
    if verified > 0 {
        device.counters().intervals_read.add(verified);
        device.checked(rq, verified);
        device.mismatches(rq, &wrong);
    }
    match moved {
        Ok(()) if !wrong.is_empty() => Status::Protection,
        Ok(()) => Status::Ok,
        Err(_) => Status::IoErr,
    }
}
