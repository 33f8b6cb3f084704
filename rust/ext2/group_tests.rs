// SPDX-License-Identifier: GPL-2.0

//! Group descriptors: what may be where.

extern crate std;

use crate::{
    bitmap,
    group::{Descriptor, SIZE},
    le,
    superblock::{Block, Group, Superblock},
    superblock_tests::parsed,
    Corrupt, Structure,
};
use proptest::prelude::*;
use std::{vec, vec::Vec};

/// The descriptor of group `group` of the sample, as dumpe2fs shows it.
fn sample(group: u32) -> [u8; SIZE] {
    let (block_bitmap, free_blocks, free_inodes, dirs) = match group {
        0 => (82, 7580, 1674, 8),
        1 => (8274, 7683, 1704, 0),
        _ => (16385, 3667, 1704, 0),
    };
    descriptor(
        [block_bitmap, block_bitmap + 1, block_bitmap + 2],
        [free_blocks, free_inodes, dirs],
    )
}

fn descriptor(blocks: [u32; 3], counts: [u16; 3]) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    for (number, block) in blocks.into_iter().enumerate() {
        le::put_u32(&mut bytes, number * 4, block).unwrap();
    }
    for (number, count) in counts.into_iter().enumerate() {
        le::put_u16(&mut bytes, 12 + number * 2, count).unwrap();
    }
    bytes
}

fn parse(superblock: &Superblock, group: u32, bytes: &[u8]) -> Result<Descriptor, Corrupt> {
    Descriptor::parse(bytes, superblock, superblock.group(group).unwrap())
}

#[test]
fn descriptors_of_mke2fs_are_accepted() {
    let superblock = parsed();
    for group in superblock.all_groups() {
        let bytes = sample(group.get());
        let descriptor = Descriptor::parse(&bytes, &superblock, group).unwrap();
        let start = descriptor.block_bitmap().get();
        assert_eq!(descriptor.inode_bitmap().get(), start + 1);
        assert_eq!(descriptor.inode_table().get(), start + 2);
        let last = descriptor.inode_table_block(&superblock, 425).unwrap();
        assert_eq!(last.get(), start + 2 + 425);
        assert_eq!(descriptor.inode_table_block(&superblock, 426), None);
    }
}

#[test]
fn what_is_out_of_place_is_named() {
    let superblock = parsed();
    let group_1 = [8274, 8275, 8276];
    for (index, block, what) in [
        (0, 0, "block bitmap is not in its group"),
        (0, 8192, "block bitmap is not in its group"),
        (0, 16385, "block bitmap is not in its group"),
        (0, u32::MAX, "block bitmap is not in its group"),
        (1, 8192, "inode bitmap is not in its group"),
        (2, 8192, "inode table is not in its group"),
        (2, 16385 - 425, "inode table is not in its group"),
        (2, u32::MAX, "inode table is not in its group"),
        (
            0,
            8193,
            "block bitmap is where the superblock or descriptors are",
        ),
        (
            0,
            8273,
            "block bitmap is where the superblock or descriptors are",
        ),
        (1, 8273, "inode bitmap is where something else is"),
        (1, 8274, "inode bitmap is where something else is"),
        (2, 8273, "inode table is where something else is"),
        (2, 8275, "inode table is where something else is"),
        (0, 8276 + 425, "inode table is where something else is"),
    ] {
        let mut blocks = group_1;
        blocks[index] = block;
        let corrupt = parse(&superblock, 1, &descriptor(blocks, [0; 3])).unwrap_err();
        assert_eq!(corrupt.what, what, "{index} {block}");
        assert_eq!(corrupt.structure, Structure::GroupDescriptor);
    }
    // In another order, and far apart.
    assert!(parse(&superblock, 1, &descriptor([16384, 9000, 9001], [0; 3])).is_ok());
}

#[test]
fn counts_are_within_bounds() {
    let superblock = parsed();
    let place = [16385, 16386, 16387];
    let check = |counts| parse(&superblock, 2, &descriptor(place, counts));
    assert!(check([4095, 1704, 1704]).is_ok());
    for (counts, what) in [
        ([4096, 0, 0], "more blocks are free than there are"),
        ([0, 1705, 0], "more inodes are free than there are"),
        ([0, 0, 1705], "more inodes are directories than there are"),
    ] {
        assert_eq!(check(counts).unwrap_err().what, what);
    }
}

#[test]
fn only_the_counts_are_written() {
    let superblock = parsed();
    let mut bytes = sample(1);
    bytes[18..].fill(0x5a);
    let mut descriptor = parse(&superblock, 1, &bytes).unwrap();
    (descriptor.free_blocks, descriptor.free_inodes) = (1, 2);
    descriptor.used_dirs = 3;
    assert!(descriptor.has_layout_of(&parse(&superblock, 1, &sample(1)).unwrap()));
    assert!(!descriptor.has_layout_of(&parse(&superblock, 2, &sample(2)).unwrap()));
    assert_eq!(descriptor.encode_counts(&mut bytes), Some(()));
    assert_eq!(bytes[12..18], [1, 0, 2, 0, 3, 0]);
    assert_eq!(bytes[..12], sample(1)[..12]);
    assert_eq!(bytes[18..], [0x5a; 14]);
    assert_eq!(descriptor.encode_counts(&mut bytes[1..]), None);
}

fn block(superblock: &Superblock, number: u32) -> Block {
    superblock.data_block(number, Structure::Inode).unwrap()
}

#[test]
fn files_cannot_have_metadata() {
    let superblock = parsed();
    let group = superblock.group(1).unwrap();
    let descriptor = Descriptor::parse(&sample(1), &superblock, group).unwrap();
    let overlaps = |number, count| {
        descriptor.overlaps_metadata(&superblock, group, block(&superblock, number), count)
    };
    assert!(overlaps(8193, 1));
    assert!(overlaps(8273, 1));
    assert!(overlaps(8275, 1));
    assert!(overlaps(8701, 1));
    assert!(!overlaps(8702, 1000));
    assert!(!overlaps(8275, 0));
    assert!(overlaps(8192, u32::MAX));
}

#[test]
fn a_bitmap_must_say_that_metadata_is_in_use() {
    let superblock = parsed();
    let group = superblock.group(1).unwrap();
    let descriptor = Descriptor::parse(&sample(1), &superblock, group).unwrap();
    let mut map = vec![0; 1024];
    bitmap::set_range(&mut map, 0, 509, Structure::BlockBitmap).unwrap();
    assert_eq!(
        descriptor.check_block_bitmap(&superblock, group, &map),
        Ok(())
    );
    for bit in [0, 80, 81, 82, 83, 508] {
        bitmap::clear_range(&mut map, bit, 1, Structure::BlockBitmap).unwrap();
        let corrupt = descriptor
            .check_block_bitmap(&superblock, group, &map)
            .unwrap_err();
        assert_eq!(corrupt.structure, Structure::BlockBitmap);
        assert_eq!(corrupt.value, u64::from(8193 + bit));
        bitmap::set_range(&mut map, bit, 1, Structure::BlockBitmap).unwrap();
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, all: [u8; SIZE], group in 0u32..3) {
        let superblock = parsed();
        let _ = parse(&superblock, group, &bytes);
        let _ = parse(&superblock, group, &all);
    }

    #[test]
    fn what_is_accepted_is_in_its_group_and_apart(
        blocks in [0u32..20490, 0u32..20490, 0u32..20490], counts: [u16; 3], group in 0u32..3,
        near in 0u32..600,
    ) {
        let superblock = parsed();
        let first = superblock.first_block(superblock.group(group).unwrap()).get();
        for blocks in [blocks, [first + near, first + near / 2, first + 600 - near]] {
            let Ok(descriptor) = parse(&superblock, group, &descriptor(blocks, counts.map(|c| c % 2000)))
            else { continue };
            let group = superblock.group(group).unwrap();
            let mut seen = vec![0; 1024];
            for blocks in descriptor.metadata(&superblock, group) {
                let start = blocks.first - superblock.first_block(group).get();
                prop_assert!(start + blocks.count <= superblock.blocks_in_group(group));
                // Fails if something is there already.
                bitmap::set_range(&mut seen, start, blocks.count, Structure::BlockBitmap).unwrap();
            }
            let check = descriptor.check_block_bitmap(&superblock, group, &seen);
            prop_assert_eq!(check, Ok(()));
        }
    }
}

#[test]
fn group_0_holds_the_superblock() {
    let superblock = parsed();
    let descriptor = parse(&superblock, 0, &sample(0)).unwrap();
    let [supers, ..] = descriptor.metadata(&superblock, Group::FIRST);
    assert_eq!((supers.first, supers.count), (1, 81));
}
