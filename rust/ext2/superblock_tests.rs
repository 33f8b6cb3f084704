// SPDX-License-Identifier: GPL-2.0

//! Superblocks: which are refused and why, and the geometry of those that aren't.

extern crate std;

use crate::{
    le,
    superblock::{self, BlockSize, Edit, Group, Ino, OnError, Refused, Superblock, SIZE},
    Structure,
};
use proptest::prelude::*;
use std::{string::ToString, vec::Vec};

/// Size of the device that [`sample`] is on.
pub(crate) const DEVICE: u64 = 20480 * 1024;

/// A superblock as mke2fs makes it for 20 MiB: blocks of 1 KiB, 3 groups, inodes of 256 bytes.
pub(crate) fn sample() -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    for (offset, value) in [
        (0, 5112),
        (4, 20480),
        (8, 1024),
        (12, 18930),
        (16, 5082),
        (20, 1),
        (32, 8192),
        (36, 8192),
        (40, 1704),
        (76, 1),
        (84, 11),
        (92, 0x38),
        (96, 2),
        (100, 3),
        (256, 0xc),
    ] {
        le::put_u32(&mut bytes, offset, value).unwrap();
    }
    for (offset, value) in [
        (54, 0xffff),
        (56, 0xef53),
        (58, 1),
        (60, 1),
        (88, 256),
        (206, 79),
    ] {
        le::put_u16(&mut bytes, offset, value).unwrap();
    }
    bytes[120..125].copy_from_slice(b"label");
    bytes
}

/// [`sample`], parsed.
pub(crate) fn parsed() -> Superblock {
    Superblock::parse(&sample(), DEVICE).unwrap()
}

/// A superblock of `groups` groups of 8192 blocks of 1 KiB, with 1024 inodes of 128 bytes each.
pub(crate) fn with_groups(groups: u32) -> Superblock {
    let mut bytes = sample();
    for (offset, value) in [(0, groups * 1024), (4, groups * 8192 + 1), (40, 1024)] {
        le::put_u32(&mut bytes, offset, value).unwrap();
    }
    le::put_u16(&mut bytes, 88, 128).unwrap();
    Superblock::parse(&bytes, u64::MAX).unwrap()
}

fn with_u32(offset: usize, value: u32) -> Result<Superblock, Refused> {
    let mut bytes = sample();
    le::put_u32(&mut bytes, offset, value).unwrap();
    Superblock::parse(&bytes, DEVICE)
}

fn with_u16(offset: usize, value: u16) -> Result<Superblock, Refused> {
    let mut bytes = sample();
    le::put_u16(&mut bytes, offset, value).unwrap();
    Superblock::parse(&bytes, DEVICE)
}

#[test]
fn fields_are_read() {
    let superblock = parsed();
    assert_eq!(superblock.block_size(), BlockSize::K1);
    assert_eq!(superblock.inode_size(), 256);
    assert_eq!(superblock.groups().get(), 3);
    assert_eq!(superblock.inode_table_blocks(), 426);
    assert_eq!(superblock.descriptor_blocks(), 1);
    assert_eq!(superblock.reserved_descriptor_blocks(), 79);
    assert_eq!(superblock.volume_name(), b"label");
    assert_eq!(superblock.last_mounted(), b"");
    assert_eq!(superblock.max_mount_count(), None);
    assert_eq!(superblock.on_error(), OnError::Continue);
    assert_eq!(superblock.last_orphan(), Ok(None));
    assert!(superblock.state().is_clean());
    assert!(!superblock.state().has_errors());
    assert!(superblock.default_options().acl());
    assert!(superblock.default_options().user_xattr());
    assert!(!superblock.default_options().debug());
    assert_eq!(superblock.read_only_because(), None);
}

#[test]
fn a_layout_is_more_than_counts_and_state() {
    let superblock = parsed();
    // Free blocks, the time it was written, the state.
    let other = [with_u32(12, 1), with_u32(48, 1), with_u16(58, 2)];
    for superblock_with in other {
        assert!(superblock.has_layout_of(&superblock_with.unwrap()));
    }
    assert!(!superblock.has_layout_of(&with_groups(3)));
}

#[test]
fn what_is_not_ext2_is_told_from_what_is_corrupt() {
    assert_eq!(with_u16(56, 0x1234), Err(Refused::NotExt2(0x1234)));
    let short = Superblock::parse(&sample()[1..], DEVICE);
    assert!(matches!(short, Err(Refused::Corrupt(_))));
}

#[test]
fn contradictions_are_named() {
    for (offset, value, what) in [
        (24, 7, "block size is out of range"),
        (28, 1, "fragment size is not the block size"),
        (20, 0, "first data block is not the superblock's"),
        (8, 20481, "more blocks are reserved than there are"),
        (36, 8191, "fragments per group are not the blocks per group"),
        (40, 0, "inodes per group are out of range"),
        (40, 3, "inodes per group are out of range"),
        (40, 8193, "inodes per group are out of range"),
        (0, 5113, "inode count is not that of all groups"),
        (0, 0, "inode count is not that of all groups"),
        (84, 10, "first inode is out of range"),
        (84, 5113, "first inode is out of range"),
        (88, 0, "inode size is out of range"),
        (88, 64, "inode size is out of range"),
        (88, 384, "inode size is out of range"),
        (88, 2048, "inode size is out of range"),
    ] {
        match with_u32(offset, value) {
            Err(Refused::Corrupt(corrupt)) => {
                assert_eq!(corrupt.what, what, "offset {offset}");
                assert_eq!(corrupt.structure, Structure::Superblock);
                assert_eq!(corrupt.value, u64::from(value), "offset {offset}");
            }
            other => panic!("offset {offset}: {other:?}"),
        }
    }
}

#[test]
fn contradictions_of_several_fields_are_named() {
    for (changes, what) in [
        (&[(4, 1), (8, 0)][..], "there are no blocks"),
        (&[(40, 1700)][..], "inode count is not that of all groups"),
        (&[(32, 0), (36, 0)][..], "blocks per group are out of range"),
        (
            &[(32, 8193), (36, 8193)][..],
            "blocks per group are out of range",
        ),
        (
            // Groups of 500 blocks: table, bitmaps, superblock and reserved blocks need more.
            &[(32, 500), (36, 500), (0, 41 * 1704)][..],
            "metadata doesn't fit into the first group",
        ),
    ] {
        let mut bytes = sample();
        for (offset, value) in changes {
            le::put_u32(&mut bytes, *offset, *value).unwrap();
        }
        match Superblock::parse(&bytes, DEVICE) {
            Err(Refused::Corrupt(corrupt)) => assert_eq!(corrupt.what, what),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn the_file_system_must_fit_on_the_device() {
    let refused = Superblock::parse(&sample(), DEVICE - 1).unwrap_err();
    assert_eq!(
        refused,
        Refused::TooLarge {
            bytes: DEVICE,
            device: DEVICE - 1
        }
    );
    assert_eq!(
        refused.to_string(),
        "the file system is larger than the device (20971520 > 20971519 bytes)"
    );
}

#[test]
fn unknown_formats_are_refused() {
    assert_eq!(with_u32(76, 2), Err(Refused::Revision(2)));
    assert_eq!(with_u32(24, 3), Err(Refused::BlockSize(3)));
    assert_eq!(with_u32(96, 6), Err(Refused::NeedsRecovery));
    for (bits, name) in [
        (0x12, "meta_bg"),
        (0x0a, "journal_dev"),
        (0x46, "extent"),
        (0x8000_0002, "incompat bit 31"),
    ] {
        match with_u32(96, bits) {
            Err(Refused::Incompatible(feature)) => assert_eq!(feature.to_string(), name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn features_that_may_be_ignored_are() {
    // A journal that need not be replayed, and whatever comes yet.
    assert!(with_u32(92, 0xffff_fdff).is_ok());
}

#[test]
fn features_for_writing_only_make_it_read_only() {
    let superblock = with_u32(100, 0x400).unwrap();
    let feature = superblock.read_only_because().unwrap();
    assert_eq!(feature.name(), Some("metadata_csum"));
}

#[test]
fn revision_0_has_fixed_inodes() {
    let mut bytes = sample();
    // What the fields hold that revision 0 doesn't have is of no meaning.
    for (offset, value) in [(76, 0), (84, 0), (88, 0)] {
        le::put_u32(&mut bytes, offset, value).unwrap();
    }
    let superblock = Superblock::parse(&bytes, DEVICE).unwrap();
    assert_eq!(superblock.inode_size(), 128);
    assert_eq!(superblock.first_ino(), 11);
    assert_eq!(superblock.inode_table_blocks(), 213);
}

#[test]
fn wrong_counts_of_free_things_are_no_reason_to_refuse() {
    assert_eq!(with_u32(12, u32::MAX).unwrap().free_blocks(), u32::MAX);
    assert_eq!(with_u32(16, u32::MAX).unwrap().free_inodes(), u32::MAX);
}

#[test]
fn behaviour_on_errors_is_cautious_when_unknown() {
    for (value, behaviour) in [
        (0, OnError::ReadOnly),
        (1, OnError::Continue),
        (2, OnError::ReadOnly),
        (3, OnError::Panic),
        (4, OnError::ReadOnly),
    ] {
        assert_eq!(with_u16(60, value).unwrap().on_error(), behaviour);
    }
}

#[test]
fn table_blocks_are_rounded_up() {
    let mut bytes = sample();
    for (offset, value) in [(0, 3 * 1701), (40, 1701)] {
        le::put_u32(&mut bytes, offset, value).unwrap();
    }
    let superblock = Superblock::parse(&bytes, DEVICE).unwrap();
    assert_eq!(superblock.inode_table_blocks(), 426);
}

#[test]
fn the_largest_files() {
    // What ext2_max_size() returns.
    assert_eq!(BlockSize::K1.max_file_size(), 17_247_252_480);
    assert_eq!(BlockSize::K2.max_file_size(), 275_415_851_008);
    assert_eq!(BlockSize::K4.max_file_size(), 2_196_873_666_560);
}

#[test]
fn numbers_of_blocks_that_a_file_can_have() {
    let superblock = parsed();
    let ok = |raw| superblock.data_block(raw, Structure::IndirectBlock).is_ok();
    assert!(!ok(0) && !ok(1) && ok(2) && ok(20479) && !ok(20480) && !ok(u32::MAX));
    let ok = |raw, count| superblock.data_blocks(raw, count, Structure::Inode).is_ok();
    assert!(ok(20478, 2) && !ok(20478, 3) && !ok(20478, u32::MAX));
    let corrupt = superblock
        .data_block(1, Structure::IndirectBlock)
        .unwrap_err();
    assert_eq!(corrupt.structure, Structure::IndirectBlock);
    assert_eq!(
        corrupt.to_string(),
        "indirect block: block number is out of range (1)"
    );
}

#[test]
fn numbers_of_inodes() {
    let superblock = parsed();
    assert!(superblock.ino(0).is_err());
    assert_eq!(superblock.ino(1).unwrap().get(), 1);
    assert_eq!(superblock.ino(2), Ok(Ino::ROOT));
    assert!(superblock.ino(5112).is_ok());
    assert!(superblock.ino(5113).is_err());
    let ok = |raw| superblock.named_ino(raw).is_ok();
    assert!(!ok(0) && !ok(1) && ok(2) && !ok(3) && !ok(10) && ok(11) && !ok(5113));
    assert_eq!(superblock.orphan(0), Ok(None));
    assert!(superblock.orphan(11).is_ok());
    let corrupt = superblock.orphan(2).unwrap_err();
    assert_eq!(corrupt.structure, Structure::OrphanList);
}

#[test]
fn copies_of_the_superblock_are_in_powers_of_3_5_and_7() {
    let superblock = with_groups(400);
    let with_super: Vec<_> = superblock
        .all_groups()
        .filter(|group| superblock.has_super(*group))
        .map(Group::get)
        .collect();
    assert_eq!(
        with_super,
        [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343]
    );
}

#[test]
fn without_sparse_super_copies_are_everywhere() {
    let superblock = with_u32(100, 2).unwrap();
    assert!(superblock
        .all_groups()
        .all(|group| superblock.super_and_descriptor_blocks(group) == 81));
}

#[test]
fn sparse_super2_says_where_copies_are() {
    let mut bytes = sample();
    le::put_u32(&mut bytes, 92, 0x238).unwrap();
    le::put_u32(&mut bytes, 588, 2).unwrap();
    le::put_u32(&mut bytes, 592, 7).unwrap();
    let superblock = Superblock::parse(&bytes, DEVICE).unwrap();
    let has: Vec<_> = superblock
        .all_groups()
        .map(|group| superblock.has_super(group))
        .collect();
    assert_eq!(has, [true, false, true]);
    assert_eq!(superblock.overhead(), naive_overhead(&superblock));
}

/// As `ext2_statfs()` counts it.
fn naive_overhead(superblock: &Superblock) -> u32 {
    let supers = superblock
        .all_groups()
        .filter(|group| superblock.has_super(*group))
        .count() as u32;
    superblock.first_data_block()
        + supers * (1 + superblock.descriptor_blocks())
        + superblock.groups().get() * (2 + superblock.inode_table_blocks())
}

#[test]
fn overhead_is_that_of_all_groups() {
    for groups in (1..100).chain([342, 343, 344, 5000]) {
        let superblock = with_groups(groups);
        assert_eq!(superblock.overhead(), naive_overhead(&superblock));
    }
    let everywhere = with_u32(100, 2).unwrap();
    assert_eq!(everywhere.overhead(), naive_overhead(&everywhere));
}

#[test]
fn descriptors_follow_the_superblock() {
    let superblock = with_groups(400);
    let location = |group| {
        let (block, offset) = superblock.descriptor_location(superblock.group(group).unwrap());
        (block.get(), offset)
    };
    assert_eq!(location(0), (2, 0));
    assert_eq!(location(31), (2, 31 * 32));
    assert_eq!(location(32), (3, 0));
    assert_eq!(location(399), (2 + 12, 15 * 32));
    assert_eq!(superblock.descriptor_blocks(), 13);
}

#[test]
fn the_last_group_may_be_small() {
    let superblock = parsed();
    let blocks: Vec<_> = superblock
        .all_groups()
        .map(|group| {
            let first = superblock.first_block(group).get();
            (first, superblock.blocks_in_group(group))
        })
        .collect();
    assert_eq!(blocks, [(1, 8192), (8193, 8192), (16385, 4095)]);
    let last = superblock.group(2).unwrap();
    assert_eq!(superblock.group(3), None);
    assert_eq!(superblock.next_group(last), Group::FIRST);
    assert_eq!(superblock.block_in_group(last, 4095), None);
    assert_eq!(superblock.block_in_group(last, 4094).unwrap().get(), 20479);
}

#[test]
fn inodes_are_where_debugfs_says() {
    // debugfs: imap <12> of a file system like the sample: block 86, which is block 2 of the table.
    let superblock = parsed();
    let place = superblock.inode_location(superblock.ino(12).unwrap());
    assert_eq!((place.group, place.index), (Group::FIRST, 11));
    assert_eq!((place.block, place.offset), (2, 0x300));
}

#[test]
fn edits_change_their_field_only() {
    let mut bytes = sample();
    let mut edit = Edit::new(&mut bytes).unwrap();
    let before = parsed();
    edit.free_blocks(7);
    edit.free_inodes(8);
    edit.state(before.state().clean(false).with_errors());
    edit.mtime(9);
    edit.wtime(10);
    edit.mount_count(11);
    edit.last_orphan(Some(before.ino(12).unwrap()));
    edit.last_mounted(b"/mnt\0rest");
    edit.compat(before.compat());
    edit.incompat(before.incompat());
    edit.ro_compat(before.ro_compat());

    let after = Superblock::parse(&bytes, DEVICE).unwrap();
    assert_eq!((after.free_blocks(), after.free_inodes()), (7, 8));
    assert!(!after.state().is_clean() && after.state().has_errors());
    assert_eq!((after.mtime(), after.wtime()), (9, 10));
    assert_eq!(after.mount_count(), 11);
    assert_eq!(after.last_orphan().unwrap().unwrap().get(), 12);
    assert_eq!(after.last_mounted(), b"/mnt");

    let original = sample();
    let changed = |at: usize| bytes[at] != original[at];
    let fields = [12..20, 44..54, 58..60, 136..200, 232..236];
    let outside = (0..SIZE).filter(|at| changed(*at) && !fields.iter().any(|f| f.contains(at)));
    assert_eq!(outside.count(), 0);
}

#[test]
fn a_long_mount_point_is_cut_and_ends() {
    let mut bytes = sample();
    Edit::new(&mut bytes).unwrap().last_mounted(&[b'x'; 100]);
    assert_eq!(bytes[136..199], [b'x'; 63]);
    assert_eq!(bytes[199], 0);
}

#[test]
fn setting_a_feature_makes_revision_1_of_revision_0() {
    let mut bytes = sample();
    for offset in [76, 84, 88, 100] {
        le::put_u32(&mut bytes, offset, 0).unwrap();
    }
    let before = Superblock::parse(&bytes, DEVICE).unwrap();
    let large = before
        .ro_compat()
        .with(crate::features::RoCompat::LARGE_FILE);
    Edit::new(&mut bytes).unwrap().ro_compat(large);
    let after = Superblock::parse(&bytes, DEVICE).unwrap();
    assert_eq!((before.revision(), after.revision()), (0, 1));
    assert_eq!(after.ro_compat(), large);
    assert_eq!(after.inode_size(), before.inode_size());
    assert_eq!(after.first_ino(), before.first_ino());
}

#[test]
fn a_short_superblock_is_not_edited() {
    assert!(Edit::new(&mut [0; SIZE - 1]).is_none());
}

/// Everything that can be asked of a superblock.
fn ask(superblock: &Superblock, a: u32, b: u32) {
    let _ = superblock.data_blocks(a, b, Structure::Inode);
    let _ = superblock.named_ino(a);
    let _ = superblock.last_orphan();
    let _ = superblock.read_only_because();
    let _ = superblock.volume_name();
    let _ = superblock.overhead();
    let groups = superblock.groups().get();
    let group = superblock.group(a % groups).unwrap();
    superblock.has_super(group);
    superblock.descriptor_location(group);
    superblock.next_group(group);
    if let Some(block) = superblock.block_in_group(group, b % superblock.blocks_per_group()) {
        assert!(block.get() < superblock.blocks_count());
        assert_eq!(
            superblock.group_of(block),
            (group, b % superblock.blocks_per_group())
        );
    }
    let index = b % superblock.inodes_per_group();
    let ino = superblock.inode_in_group(group, index).unwrap();
    let place = superblock.inode_location(ino);
    assert_eq!((place.group, place.index), (group, index));
    assert!(place.block < superblock.inode_table_blocks());
    assert!(place.offset + superblock.inode_size() <= superblock.block_size().bytes());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, tail in prop::collection::vec(any::<u8>(), SIZE), a: u32, b: u32) {
        let _ = Superblock::parse(&bytes, a.into());
        let mut tail = tail;
        le::put_u16(&mut tail, 56, superblock::MAGIC).unwrap();
        if let Ok(superblock) = Superblock::parse(&tail, u64::MAX) {
            ask(&superblock, a, b);
        }
    }

    /// Of superblocks that are nearly right, many are accepted.
    #[test]
    fn no_change_of_a_superblock_panics(
        changes in prop::collection::vec((0usize..1020, any::<u32>(), 0u32..32), 0..4),
        field in 0usize..64, value: u32, shift in 0u32..32, device: u64, a: u32, b: u32,
    ) {
        let mut bytes = sample();
        le::put_u32(&mut bytes, field * 4, value >> shift).unwrap();
        for (offset, value, shift) in changes {
            le::put_u32(&mut bytes, offset, value >> shift).unwrap();
        }
        let _ = Superblock::parse(&bytes, device);
        if let Ok(superblock) = Superblock::parse(&bytes, u64::MAX) {
            ask(&superblock, a, b);
        }
    }

    #[test]
    fn any_geometry_that_is_accepted_is_consistent(
        log in 0u32..3, per_group in 1u32..40000, inodes in 1u32..40000, groups in 1u32..5000,
        rest in 0u32..40000, inode_log in 7u32..13, a: u32, b: u32,
    ) {
        let mut bytes = sample();
        let first = u32::from(log == 0);
        let blocks = first + (groups - 1) * per_group + 1 + rest % per_group;
        for (offset, value) in [
            (24, log), (28, log), (20, first), (32, per_group), (36, per_group), (40, inodes),
            (4, blocks), (8, 0), (0, groups.wrapping_mul(inodes)), (92, 0), (88, 1 << inode_log),
        ] {
            le::put_u32(&mut bytes, offset, value).unwrap();
        }
        if let Ok(superblock) = Superblock::parse(&bytes, u64::MAX) {
            prop_assert_eq!(superblock.groups().get(), groups);
            ask(&superblock, a, b);
            let all: u32 = superblock.all_groups().map(|group| superblock.blocks_in_group(group)).sum();
            prop_assert_eq!(all + first, blocks);
        }
    }
}
