// SPDX-License-Identifier: GPL-2.0

//! Placement: where things go when there is room, and when there is not.

extern crate std;

use crate::{
    alloc::{self, GroupCounts, Totals, Window, WindowSize},
    superblock::{Block, Group, Superblock},
    superblock_tests::{parsed, with_groups},
    Structure,
};
use proptest::prelude::*;
use std::{cell::Cell, vec, vec::Vec};

const EMPTY: GroupCounts = GroupCounts {
    free_blocks: 8000,
    free_inodes: 1024,
    used_dirs: 0,
    debt: 0,
};

const FULL: GroupCounts = GroupCounts {
    free_blocks: 0,
    free_inodes: 0,
    used_dirs: 100,
    debt: 0,
};

fn totals(groups: &[GroupCounts]) -> Totals {
    let sum = |count: fn(&GroupCounts) -> u32| groups.iter().map(count).sum();
    Totals {
        free_blocks: sum(|group| group.free_blocks),
        free_inodes: sum(|group| group.free_inodes),
        dirs: sum(|group| group.used_dirs),
    }
}

fn at(groups: &[GroupCounts]) -> impl FnMut(Group) -> GroupCounts + '_ {
    |group| groups[group.get() as usize]
}

fn directory(groups: &[GroupCounts], parent: u32) -> Option<u32> {
    let superblock = with_groups(groups.len() as u32);
    let parent = superblock.group(parent).unwrap();
    alloc::directory_group(&superblock, totals(groups), parent, at(groups)).map(Group::get)
}

fn top(groups: &[GroupCounts], random: u32) -> Option<u32> {
    let superblock = with_groups(groups.len() as u32);
    alloc::top_directory_group(&superblock, totals(groups), random, at(groups)).map(Group::get)
}

fn file(groups: &[GroupCounts], parent: u32) -> Option<u32> {
    let superblock = with_groups(groups.len() as u32);
    let parent = superblock.ino(parent).unwrap();
    alloc::file_group(&superblock, parent, at(groups)).map(Group::get)
}

#[test]
fn a_directory_goes_to_its_parents_group() {
    assert_eq!(directory(&[EMPTY; 8], 5), Some(5));
}

#[test]
fn a_directory_leaves_a_group_that_is_full_of_directories_or_debt() {
    let mut groups = [EMPTY; 8];
    groups[5].used_dirs = 80;
    groups[6].debt = 255;
    groups[7].free_blocks = 100;
    groups[0].free_inodes = 100;
    assert_eq!(directory(&groups, 5), Some(1));
}

#[test]
fn top_directories_are_spread() {
    let mut groups = [EMPTY; 8];
    assert_eq!(top(&groups, 3), Some(3));
    assert_eq!(top(&groups, 8 + 6), Some(6));
    for group in &mut groups {
        group.used_dirs = 10;
    }
    groups[2].used_dirs = 9;
    // Fewer directories, but also fewer inodes than the average.
    groups[4].used_dirs = 1;
    groups[4].free_inodes = 10;
    for random in 0..8 {
        assert_eq!(top(&groups, random), Some(2));
    }
}

#[test]
fn the_last_free_inode_is_found() {
    for free in 0..8 {
        let mut groups = [FULL; 8];
        groups[free].free_inodes = 1;
        for parent in 0..8 {
            assert_eq!(directory(&groups, parent), Some(free as u32));
            assert_eq!(top(&groups, parent), Some(free as u32));
            assert_eq!(file(&groups, parent * 1024 + 11), Some(free as u32));
        }
    }
}

#[test]
fn without_free_inodes_there_is_no_group() {
    let groups = [FULL; 5];
    assert_eq!(directory(&groups, 1), None);
    assert_eq!(top(&groups, 1), None);
    assert_eq!(file(&groups, 11), None);
}

#[test]
fn wrong_totals_do_not_hide_a_free_inode() {
    let superblock = with_groups(4);
    let mut groups = [FULL; 4];
    groups[1].free_inodes = 3;
    let wrong = Totals {
        free_blocks: u32::MAX,
        free_inodes: u32::MAX,
        dirs: 0,
    };
    let parent = Group::FIRST;
    let found = alloc::directory_group(&superblock, wrong, parent, at(&groups));
    assert_eq!(found.map(Group::get), Some(1));
    let found = alloc::top_directory_group(&superblock, wrong, 2, at(&groups));
    assert_eq!(found.map(Group::get), Some(1));
}

#[test]
fn a_file_goes_to_its_directorys_group() {
    assert_eq!(file(&[EMPTY; 8], 3 * 1024 + 11), Some(3));
}

#[test]
fn files_of_one_directory_leave_a_full_group_together() {
    let mut groups = [EMPTY; 64];
    groups[3] = FULL;
    // 3 + inode number + 1, modulo 64, for the first step.
    assert_eq!(file(&groups, 3 * 1024 + 11), Some(15));
    assert_eq!(file(&groups, 3 * 1024 + 12), Some(16));
    groups[15] = FULL;
    assert_eq!(file(&groups, 3 * 1024 + 11), Some(17));
}

#[test]
fn a_file_prefers_groups_with_blocks() {
    let mut groups = vec![FULL; 16];
    groups[1].free_inodes = 5;
    // One that the steps from group 0 and inode 11 come to: 12, 14, 18, 26.
    groups[10] = EMPTY;
    assert_eq!(file(&groups, 11), Some(10));
}

fn block(superblock: &Superblock, number: u32) -> Block {
    superblock.data_block(number, Structure::Inode).unwrap()
}

#[test]
fn data_goes_after_what_came_before() {
    let superblock = parsed();
    let goal = |previous: u32| {
        let previous = Some(block(&superblock, previous));
        alloc::data_goal(&superblock, previous, Group::FIRST, 0).get()
    };
    assert_eq!(goal(700), 701);
    assert_eq!(goal(8192), 8193);
    // After the last block of all, the first.
    assert_eq!(goal(20479), 1);
}

#[test]
fn data_of_an_empty_file_goes_to_its_group_by_colour() {
    let superblock = parsed();
    let group = superblock.group(1).unwrap();
    let goal = |colour| alloc::data_goal(&superblock, None, group, colour).get();
    assert_eq!(goal(0), 8193);
    assert_eq!(goal(15), 8193 + 15 * 512);
    assert_eq!(goal(16), 8193);
}

#[test]
fn windows_grow_if_they_were_of_use() {
    let superblock = parsed();
    let mut window = Window::new(block(&superblock, 100), 8);
    window.hit(4);
    assert_eq!(WindowSize::MIN.after(&window), WindowSize::MIN);
    window.hit(1);
    let mut size = WindowSize::MIN;
    for blocks in [16, 32, 64, 128, 256, 512, 1024, 1024] {
        size = size.after(&window);
        assert_eq!(size.blocks(), blocks);
    }
    assert_eq!(size, WindowSize::MAX);
}

#[test]
fn windows_end() {
    let superblock = parsed();
    let window = |first, len| Window::new(block(&superblock, first), len);
    let here = window(100, 8);
    let left: Vec<_> = [99, 100, 107, 108]
        .into_iter()
        .map(|number| here.left(block(&superblock, number)))
        .collect();
    assert_eq!(left, [0, 8, 1, 0]);
    assert!(here.contains(block(&superblock, 107)));
    assert!(here.overlaps(&window(107, 1)) && window(107, 1).overlaps(&here));
    assert!(here.overlaps(&window(90, 11)) && !here.overlaps(&window(90, 10)));
    assert!(!here.overlaps(&window(108, 8)));
    assert!(!here.overlaps(&window(103, 0)) && window(103, 0).is_empty());
}

fn any_counts() -> impl Strategy<Value = GroupCounts> {
    let count = || prop_oneof![Just(0u32), 0u32..1100, any::<u32>()];
    (count(), count(), count(), any::<u8>()).prop_map(
        |(free_blocks, free_inodes, used_dirs, debt)| GroupCounts {
            free_blocks,
            free_inodes,
            used_dirs,
            debt,
        },
    )
}

proptest! {
    /// Whatever the counts are, a group with a free inode is found if there is one, soon.
    #[test]
    fn a_free_inode_is_found_soon(
        groups in prop::collection::vec(any_counts(), 1..40),
        free_blocks: u32, free_inodes: u32, dirs: u32, random: u32,
    ) {
        let count = groups.len() as u32;
        let superblock = with_groups(count);
        let totals = Totals { free_blocks, free_inodes, dirs };
        let asked = Cell::new(0);
        let counts = |group: Group| {
            asked.set(asked.get() + 1);
            groups[group.get() as usize]
        };
        let parent = superblock.group(random % count).unwrap();
        let ino = superblock.ino(random % superblock.inodes_count() + 1).unwrap();
        let any = groups.iter().any(|group| group.free_inodes != 0);
        for found in [
            alloc::directory_group(&superblock, totals, parent, counts),
            alloc::top_directory_group(&superblock, totals, random, counts),
            alloc::file_group(&superblock, ino, counts),
        ] {
            if any || found.is_some() {
                prop_assert!(groups[found.unwrap().get() as usize].free_inodes != 0);
            }
        }
        // For directories up to three times each; for files some steps, and once each.
        prop_assert!(asked.get() <= 7 * count + 8);
        alloc::data_goal(&superblock, None, parent, random);
    }
}
