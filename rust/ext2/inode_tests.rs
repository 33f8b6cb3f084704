// SPDX-License-Identifier: GPL-2.0

//! Inodes: round trips, what stays, what is refused.

extern crate std;

use crate::{
    inode::{self, Device, FileType, Flags, Inode, Parsed},
    le,
    superblock::Superblock,
    superblock_tests::{parsed, with_groups},
    time::Timestamp,
    Corrupt, Structure,
};
use proptest::prelude::*;
use std::{vec, vec::Vec};

const TYPES: [FileType; 7] = [
    FileType::Fifo,
    FileType::CharDevice,
    FileType::Directory,
    FileType::BlockDevice,
    FileType::Regular,
    FileType::Symlink,
    FileType::Socket,
];

/// The bytes of a file of one link, for inodes of 256 bytes.
fn bytes(kind: FileType) -> [u8; 256] {
    let mut bytes = [0; 256];
    inode::initialise(&mut bytes);
    let mut inode = Inode::new(kind);
    inode.links = 1;
    if kind == FileType::Symlink {
        inode.set_fast_target(b"target").unwrap();
    }
    inode.encode(&mut bytes).unwrap();
    bytes
}

fn in_use(bytes: &[u8], superblock: &Superblock) -> Inode {
    match Inode::parse(bytes, superblock) {
        Ok(Parsed::InUse(inode)) => inode,
        other => panic!("{other:?}"),
    }
}

fn refused(bytes: &[u8]) -> Corrupt {
    let corrupt = Inode::parse(bytes, &parsed()).unwrap_err();
    assert_eq!(corrupt.structure, Structure::Inode);
    corrupt
}

fn with_u32(kind: FileType, offset: usize, value: u32) -> [u8; 256] {
    let mut bytes = bytes(kind);
    le::put_u32(&mut bytes, offset, value).unwrap();
    bytes
}

#[test]
fn all_types_are_known_by_their_mode() {
    for kind in TYPES {
        assert_eq!(FileType::of_mode(kind.mode() | 0o7777), Some(kind));
        let inode = in_use(&bytes(kind), &parsed());
        assert_eq!((inode.kind, inode.mode()), (kind, kind.mode()));
    }
    assert_eq!(FileType::of_mode(0o644), None);
    assert_eq!(FileType::of_mode(0o170_000), None);
}

#[test]
fn unused_and_deleted_inodes_are_told_from_corrupt_ones() {
    let superblock = parsed();
    let mut raw = [0; 256];
    assert_eq!(Inode::parse(&raw, &superblock), Ok(Parsed::Deleted));
    inode::initialise(&mut raw);
    assert_eq!(Inode::parse(&raw, &superblock), Ok(Parsed::Deleted));

    let mut raw = bytes(FileType::Regular);
    le::put_u16(&mut raw, 26, 0).unwrap();
    assert_eq!(refused(&raw).what, "has no links and was not deleted");
    le::put_u32(&mut raw, 20, 12345).unwrap();
    assert_eq!(Inode::parse(&raw, &superblock), Ok(Parsed::Deleted));
}

#[test]
fn an_orphan_has_no_links_and_leads_to_the_next() {
    let superblock = parsed();
    for next in [0, 13] {
        let mut raw = with_u32(FileType::Symlink, 20, next);
        le::put_u16(&mut raw, 26, 0).unwrap();
        let orphan = Inode::parse_orphan(&raw, &superblock).unwrap();
        assert_eq!((orphan.links, orphan.dtime), (0, next));
    }
    assert!(Inode::parse_orphan(&[0; 256], &superblock).is_err());
}

#[test]
fn what_is_wrong_is_named() {
    use FileType::{Directory, Regular, Symlink};
    for (bytes, what) in [
        (with_u32(Regular, 0, 0o644), "type is unknown"),
        (
            with_u32(Regular, 32, 0x0008_0000),
            "has flags of a feature that is not supported",
        ),
        (with_u32(Regular, 108, 5), "size is out of range"),
        (with_u32(Regular, 108, u32::MAX), "size is out of range"),
        (
            with_u32(Directory, 4, 1025),
            "directory's size is not a multiple of the block size",
        ),
        (with_u32(Regular, 104, 1), "block number is out of range"),
        (
            with_u32(Regular, 104, 20480),
            "block number is out of range",
        ),
        (with_u32(Regular, 128, 132), "extra size is out of range"),
        (with_u32(Regular, 128, 30), "extra size is out of range"),
        (
            with_u32(Symlink, 4, 0),
            "symbolic link's length is out of range",
        ),
        (
            with_u32(Symlink, 4, 60),
            "symbolic link's length is out of range",
        ),
        (
            with_u32(Symlink, 4, 7),
            "symbolic link's target ends before its length",
        ),
    ] {
        assert_eq!(refused(&bytes).what, what);
    }
    assert_eq!(refused(&bytes(Regular)[..255]).what, "is cut short");
}

#[test]
fn the_high_part_of_a_size_is_that_of_regular_files() {
    let superblock = parsed();
    let file = in_use(&with_u32(FileType::Regular, 108, 1), &superblock);
    assert_eq!(file.size, 1 << 32);
    assert!(file.is_large());
    assert!(!in_use(&with_u32(FileType::Regular, 4, 0x7fff_ffff), &superblock).is_large());
    let dir = in_use(&with_u32(FileType::Directory, 108, 1), &superblock);
    assert_eq!(dir.size, 0);
    // What a directory has there stays.
    let mut raw = with_u32(FileType::Directory, 108, 1);
    dir.encode(&mut raw).unwrap();
    assert_eq!(le::get_u32(&raw, 108), Some(1));
}

#[test]
fn fast_links_are_those_without_data_blocks() {
    let superblock = parsed();
    let raw = bytes(FileType::Symlink);
    let link = in_use(&raw, &superblock);
    assert!(link.is_fast_symlink(&superblock));
    assert_eq!(link.fast_target()[..link.size as usize], *b"target");

    // A block of attributes is no data.
    let mut raw = with_u32(FileType::Symlink, 104, 1000);
    le::put_u32(&mut raw, 28, 2).unwrap();
    assert!(in_use(&raw, &superblock).is_fast_symlink(&superblock));
    le::put_u32(&mut raw, 28, 4).unwrap();
    assert!(!in_use(&raw, &superblock).is_fast_symlink(&superblock));

    let slow = with_u32(FileType::Symlink, 28, 2);
    assert!(!in_use(&slow, &superblock).is_fast_symlink(&superblock));
    assert!(!in_use(&bytes(FileType::Fifo), &superblock).is_fast_symlink(&superblock));
}

#[test]
fn a_slow_link_is_shorter_than_a_block() {
    let superblock = parsed();
    let mut raw = with_u32(FileType::Symlink, 28, 2);
    le::put_u32(&mut raw, 4, 1023).unwrap();
    assert_eq!(in_use(&raw, &superblock).size, 1023);
    le::put_u32(&mut raw, 4, 1024).unwrap();
    assert_eq!(refused(&raw).what, "symbolic link's length is out of range");
}

#[test]
fn targets_of_1_to_59_bytes_fit() {
    let mut link = Inode::new(FileType::Symlink);
    assert_eq!(link.set_fast_target(b""), None);
    assert_eq!(link.set_fast_target(&[b'x'; 60]), None);
    assert_eq!(link, Inode::new(FileType::Symlink));
    assert_eq!(link.set_fast_target(&[b'x'; 59]), Some(()));
    assert_eq!(link.set_fast_target(b"short"), Some(()));
    assert_eq!(link.size, 5);
    assert_eq!(link.fast_target()[..6], *b"short\0");
}

#[test]
fn small_devices_are_in_the_first_pointer_and_large_ones_in_the_second() {
    let mut inode = Inode::new(FileType::BlockDevice);
    for (major, minor, old, new) in [
        (0, 0, 0, 0),
        (8, 1, 0x0801, 0),
        (255, 255, 0xffff, 0),
        (256, 0, 0, 0x0001_0000),
        (8, 256, 0, 0x0010_0800),
        (0xfff, 0xf_ffff, 0, 0xffff_ffff),
    ] {
        let device = Device::new(major, minor).unwrap();
        assert_eq!((device.major(), device.minor()), (major, minor));
        inode.set_device(device);
        assert_eq!(inode.block[..3], [old, new, 0]);
        assert_eq!(inode.device(), Some(device));
    }
    assert_eq!(Device::new(1 << 12, 0), None);
    assert_eq!(Device::new(0, 1 << 20), None);
    assert_eq!(Inode::new(FileType::Regular).device(), None);
}

#[test]
fn flags_are_inherited_if_they_make_sense() {
    let parent = Flags::SYNC
        .with(Flags::DIRSYNC)
        .with(Flags::NOATIME)
        .with(Flags::TOPDIR)
        .with(Flags::IMMUTABLE)
        .with(Flags::INDEX);
    let for_dir = Flags::SYNC.with(Flags::DIRSYNC).with(Flags::NOATIME);
    assert_eq!(parent.inherited(FileType::Directory), for_dir);
    assert_eq!(
        parent.inherited(FileType::Regular),
        for_dir.without(Flags::DIRSYNC)
    );
    assert_eq!(parent.inherited(FileType::Symlink), Flags::NOATIME);
    assert!(Flags::USER_VISIBLE.contains(Flags::USER_MODIFIABLE));
}

#[test]
fn fresh_inodes_have_room_for_timestamps_if_they_are_large() {
    let mut large = [0xff; 256];
    inode::initialise(&mut large);
    assert_eq!(le::get_u16(&large, 128), Some(32));
    assert!(large.iter().filter(|byte| **byte != 0).count() == 1);
    let mut small = [0xff; 128];
    inode::initialise(&mut small);
    assert_eq!(small, [0; 128]);
}

#[test]
fn timestamps_lose_what_there_is_no_room_for() {
    let time = Timestamp {
        seconds: 1 << 32,
        nanoseconds: 5,
    };
    let mut inode = Inode::new(FileType::Regular);
    inode.links = 1;
    (inode.atime, inode.crtime) = (time, Some(time));

    let superblock = parsed();
    let mut raw = bytes(FileType::Regular);
    inode.encode(&mut raw).unwrap();
    let back = in_use(&raw, &superblock);
    assert_eq!((back.atime, back.crtime), (time, Some(time)));

    // As another driver makes them: large, but without those fields. Attributes may follow at once.
    let mut raw = with_u32(FileType::Regular, 128, 0);
    raw[132..].fill(0x5a);
    inode.encode(&mut raw).unwrap();
    assert_eq!(raw[132..], [0x5a; 124]);
    let back = in_use(&raw, &superblock);
    assert_eq!(back.atime.seconds, i32::MAX.into());
    assert_eq!((back.atime.nanoseconds, back.crtime), (0, None));

    // Room for the first three, but not for the time of creation.
    let mut raw = with_u32(FileType::Regular, 128, 16);
    raw[144..].fill(0x5a);
    inode.encode(&mut raw).unwrap();
    let back = in_use(&raw, &superblock);
    assert_eq!((back.atime, back.crtime), (time, None));
    assert_eq!(raw[144..], [0x5a; 112]);
}

#[test]
fn small_inodes_end_after_128_bytes() {
    let superblock = with_groups(1);
    let mut raw = [0; 128];
    inode::initialise(&mut raw);
    let mut inode = Inode::new(FileType::Regular);
    inode.links = 1;
    inode.mtime.seconds = -5;
    inode.crtime = Some(Timestamp::default());
    assert_eq!(inode.encode(&mut raw), Some(()));
    inode.crtime = None;
    assert_eq!(in_use(&raw, &superblock), inode);
    assert_eq!(inode.encode(&mut raw[1..]), None);
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (-0x8000_0000_i64..=0x3_7fff_ffff, 0u32..1_000_000_000).prop_map(|(seconds, nanoseconds)| {
        Timestamp {
            seconds,
            nanoseconds,
        }
    })
}

/// Inodes that have no target.
fn any_inode() -> impl Strategy<Value = Inode> {
    let kind = prop::sample::select(
        TYPES
            .into_iter()
            .filter(|kind| *kind != FileType::Symlink)
            .collect::<Vec<_>>(),
    );
    let times = (any_time(), any_time(), any_time(), any_time());
    let numbers: [BoxedStrategy<u32>; 6] = core::array::from_fn(|_| any::<u32>().boxed());
    let block = any::<[u32; 15]>();
    let rest = (0u16..0o10000, 1u16.., 0u64..1 << 34, 2u32..20480, block);
    (kind, times, numbers, rest).prop_map(|(kind, times, numbers, rest)| {
        let [uid, gid, sectors, flags, version, generation] = numbers;
        let (permissions, links, size, xattr_block, block) = rest;
        let size = match kind {
            FileType::Regular => size,
            _ => size & 0xffff_fc00,
        };
        Inode {
            kind,
            permissions,
            uid,
            gid,
            size,
            atime: times.0,
            ctime: times.1,
            mtime: times.2,
            crtime: Some(times.3),
            dtime: 0,
            links,
            sectors,
            flags: Flags::from_bits(flags & !0x503c_0800),
            version,
            block,
            generation,
            xattr_block: parsed().data_block(xattr_block, Structure::Inode).ok(),
        }
    })
}

proptest! {
    #[test]
    fn inodes_come_back(inode in any_inode(), old: u8) {
        let superblock = parsed();
        prop_assume!(inode.size <= superblock.max_size());
        // What was there before, and what is not ours.
        let mut raw = [old; 256];
        le::put_u16(&mut raw, 128, 28).unwrap();
        let before = raw;
        inode.encode(&mut raw).unwrap();
        prop_assert_eq!(in_use(&raw, &superblock), inode);
        for range in [112..120, 124..128, 128..132, 152..256] {
            prop_assert_eq!(&raw[range.clone()], &before[range]);
        }
    }

    /// Bytes that are accepted are not changed by writing what they mean.
    #[test]
    fn what_is_read_is_written(
        raw in prop::collection::vec(any::<u8>(), 256), mode in 0u16..16, size: u32, extra in 0u16..33,
    ) {
        let superblock = parsed();
        let mut raw = raw;
        for (offset, value) in [(4, size & !1023), (32, 0x1000), (104, size % 22000), (108, 0)] {
            le::put_u32(&mut raw, offset, value).unwrap();
        }
        le::put_u16(&mut raw, 0, (mode << 12) | 0o755).unwrap();
        le::put_u16(&mut raw, 128, extra * 4).unwrap();
        for offset in [132, 136, 140, 148] {
            // Nanoseconds of less than a second.
            raw[offset + 3] &= 0x7f;
        }
        if let Ok(Parsed::InUse(inode)) = Inode::parse(&raw, &superblock) {
            let mut written = raw.clone();
            inode.encode(&mut written).unwrap();
            prop_assert_eq!(written, raw);
        }
    }

    #[test]
    fn no_bytes_panic(
        short in prop::collection::vec(any::<u8>(), 0..256),
        long in prop::collection::vec(any::<u8>(), 256),
        kind in 0usize..7, offset in 0usize..252, value: u32, shift in 0u32..32,
    ) {
        let superblock = parsed();
        let mut changed = bytes(TYPES[kind]).to_vec();
        le::put_u32(&mut changed, offset, value >> shift).unwrap();
        let mut all = vec![short, long, changed];
        for raw in &mut all {
            let _ = Inode::parse(raw, &superblock);
            if let Ok(inode) = Inode::parse_orphan(raw, &superblock) {
                inode.is_fast_symlink(&superblock);
                inode.device();
                inode.fast_target();
                inode.encode(raw).unwrap();
            }
            let _ = Inode::new(TYPES[kind]).encode(raw);
            inode::initialise(raw);
        }
    }
}
