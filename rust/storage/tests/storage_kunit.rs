// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the crate `storage`: what can only be seen inside a kernel.
//!
//! Built where the kernel has KUnit built in (`KERNEL=debug`). Writing to `run` in debugfs, under
//! `kunit/storage_block/`, runs them, and `results` has what they said. The selftest `kunit.sh` does
//! both. The kernel must have been started with `kunit.enable=1`.

use kernel::{
    c_str,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, ArcBorrow,
    },
    time::Delta,
};
use storage::block::{
    disk::GenDisk,
    limits::QueueLimits,
    mq::{Busy, Operations, TagSet},
    request::{IdleRequest, Op, Request},
    status::Status,
};

module! {
    type: StorageKunit,
    name: "storage_kunit",
    authors: ["The stable-pages developers"],
    description: "KUnit tests of the storage abstractions",
    license: "GPL",
}

/// The tests run because the module is there.
struct StorageKunit;

impl kernel::Module for StorageKunit {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

/// What a disk of the tests does with a read. The scan for partitions is what reads.
#[derive(Clone, Copy, PartialEq)]
enum Behaviour {
    /// Fills it and ends it.
    Answer,
    /// Sets it aside for a millisecond first.
    Defer,
    /// Starts it and forgets it.
    DropStarted,
    /// Forgets it.
    DropIdle,
}

struct Fixture {
    behaviour: Behaviour,
    /// How often a read is still to be refused.
    refuse: Atomic<i32>,
    refused: Atomic<i32>,
    offered: Atomic<i32>,
    deferred: Atomic<i32>,
    ended: Atomic<i32>,
    /// Bytes that did not fit, or more than there should have been.
    wrong: Atomic<i32>,
}

impl Fixture {
    fn fill(&self, mut rq: Request<Fixture>) {
        let bytes = rq.bytes();
        if rq.source().is_some() {
            self.wrong.fetch_add(1, Relaxed);
        }
        let block = [0; 512];
        match rq.sinks() {
            Some((mut sink, _)) => {
                for _ in 0..bytes / block.len() {
                    if sink.write(&block).is_err() {
                        self.wrong.fetch_add(1, Relaxed);
                    }
                }
                // It is full.
                if sink.write(&block) != Err(EIO) {
                    self.wrong.fetch_add(1, Relaxed);
                }
            }
            None => {
                self.wrong.fetch_add(1, Relaxed);
            }
        }
        self.ended.fetch_add(1, Relaxed);
        rq.end(Status::Ok);
    }
}

impl Operations for Fixture {
    type QueueData = Arc<Self>;
    type RequestData = ();

    fn queue_rq<'a>(
        fixture: ArcBorrow<'a, Self>,
        rq: IdleRequest<'a, Self>,
    ) -> Result<(), Busy<'a, Self>> {
        if rq.op() != Op::Read {
            rq.start(()).end(Status::NotSupp);
            return Ok(());
        }
        fixture.offered.fetch_add(1, Relaxed);
        if fixture.refuse.load(Relaxed) > 0 {
            fixture.refuse.fetch_sub(1, Relaxed);
            fixture.refused.fetch_add(1, Relaxed);
            return Err(Busy(rq));
        }
        match fixture.behaviour {
            Behaviour::Answer => fixture.fill(rq.start(())),
            Behaviour::Defer => rq.start(()).defer(Delta::from_millis(1)),
            Behaviour::DropStarted => drop(rq.start(())),
            Behaviour::DropIdle => drop(rq),
        }
        Ok(())
    }

    fn deferred(fixture: ArcBorrow<'_, Self>, rq: Request<Self>) {
        fixture.deferred.fetch_add(1, Relaxed);
        fixture.fill(rq);
    }
}

/// Adds a disk, which is read from, removes it, and returns what it saw.
fn scan(behaviour: Behaviour, refuse: i32) -> Result<Arc<Fixture>> {
    let fixture = Arc::new(
        Fixture {
            behaviour,
            refuse: Atomic::new(refuse),
            refused: Atomic::new(0),
            offered: Atomic::new(0),
            deferred: Atomic::new(0),
            ended: Atomic::new(0),
            wrong: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    drop(add(fmt!("kunit0"), fixture.clone())?);
    Ok(fixture)
}

fn add(name: kernel::fmt::Arguments<'_>, fixture: Arc<Fixture>) -> Result<GenDisk<Fixture>> {
    let tags = Arc::pin_init(TagSet::new(c_str!("kunit"), 1, 4), GFP_KERNEL)?;
    GenDisk::add(name, tags, QueueLimits::new(512)?, 2048, fixture)
}

#[kunit_tests(storage_block)]
mod tests {
    use super::*;
    use storage::{crc, ratelimit::RateLimit};

    #[test]
    fn the_kernel_computes_the_published_crc() {
        assert_eq!(crc::t10dif(0, b"123456789"), 0xd0db);
        assert_eq!(crc::t10dif(0, &[0xff; 32]), 0xa293);
        assert_eq!(crc::t10dif(crc::t10dif(0, b"1234"), b"56789"), 0xd0db);
        assert_eq!(crc::nvme(0, b"123456789"), 0xae8b_1486_0a79_9888);
        assert_eq!(
            crc::nvme(crc::nvme(0, b"1234"), b"56789"),
            0xae8b_1486_0a79_9888
        );
        // The example of RFC 1071: its bytes are in memory's order.
        let sum = crc::csum_partial(0, &[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(crc::csum_fold(sum).to_ne_bytes(), [0x22, 0x0d]);
    }

    #[test]
    fn limits_that_make_no_sense_are_refused() {
        for size in [0, 256, 511, 513, 768, 8192, u32::MAX] {
            assert!(QueueLimits::new(size).is_err());
        }
        assert!(QueueLimits::new(4096).is_ok_and(|limits| limits.max_hw_bytes(4095).is_err()));
        assert!(QueueLimits::new(4096).is_ok_and(|limits| limits.discard(512, 4096).is_err()));
        assert!(QueueLimits::new(512).is_ok_and(|limits| limits.discard(768, 4096).is_err()));
    }

    #[test]
    fn a_rate_limit_lets_ten_through() -> Result {
        let limit = Arc::pin_init(RateLimit::new(c_str!("kunit")), GFP_KERNEL)?;
        let through = (0..100).filter(|_| limit.allow()).count();
        assert_eq!(through, 10);
        Ok(())
    }

    #[test]
    fn reads_are_answered_with_as_many_bytes_as_asked_for() -> Result {
        let fixture = scan(Behaviour::Answer, 0)?;
        assert!(fixture.ended.load(Relaxed) > 0);
        assert_eq!(fixture.wrong.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn what_is_set_aside_comes_back_once() -> Result {
        let fixture = scan(Behaviour::Defer, 0)?;
        assert!(fixture.deferred.load(Relaxed) > 0);
        assert_eq!(
            fixture.deferred.load(Relaxed),
            fixture.offered.load(Relaxed)
        );
        assert_eq!(fixture.wrong.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn what_is_refused_is_offered_again() -> Result {
        let fixture = scan(Behaviour::Answer, 3)?;
        assert_eq!(fixture.refused.load(Relaxed), 3);
        assert_eq!(
            fixture.ended.load(Relaxed),
            fixture.offered.load(Relaxed) - 3
        );
        Ok(())
    }

    #[test]
    fn a_request_that_is_dropped_ends_with_an_error() -> Result {
        // That `scan()` returns is what shows it: a lost request would never.
        for behaviour in [Behaviour::DropStarted, Behaviour::DropIdle] {
            let fixture = scan(behaviour, 0)?;
            assert!(fixture.offered.load(Relaxed) > 0);
            assert_eq!(fixture.ended.load(Relaxed), 0);
        }
        Ok(())
    }

    #[test]
    fn a_name_that_does_not_fit_or_is_taken_is_refused() -> Result {
        let fixture = scan(Behaviour::Answer, 0)?;
        let long = add(fmt!("kunit-with-a-name-of-32-bytes-in"), fixture.clone());
        assert_eq!(long.err(), Some(EINVAL));
        let first = add(fmt!("kunit0"), fixture.clone())?;
        assert!(add(fmt!("kunit0"), fixture.clone()).is_err());
        drop(first);
        // Nobody but us has the data any more.
        drop(add(fmt!("kunit0"), fixture.clone())?);
        assert!(Arc::into_unique_or_drop(fixture).is_some());
        Ok(())
    }
}
