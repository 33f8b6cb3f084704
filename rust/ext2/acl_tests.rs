// SPDX-License-Identifier: GPL-2.0

//! Lists there and back, any bytes, and e2fsprogs as a second judge.

extern crate std;

use crate::{
    acl::{self, Entry, Tag},
    dir_tests::judge::Image,
    xattr::{index, Attributes, Key},
    Structure,
};
use proptest::prelude::*;
use std::{format, fs, vec, vec::Vec};

const fn entry(tag: Tag, perm: u16) -> Entry {
    Entry { tag, perm }
}

/// What `chmod 640` says.
const SHORT: [Entry; 3] = [
    entry(Tag::UserObj, 6),
    entry(Tag::GroupObj, 4),
    entry(Tag::Other, 0),
];

const LONG: [Entry; 6] = [
    entry(Tag::UserObj, 7),
    entry(Tag::User(0x0102_0304), 6),
    entry(Tag::GroupObj, 5),
    entry(Tag::Group(1000), 4),
    entry(Tag::Mask, 7),
    entry(Tag::Other, 1),
];

const LONG_BYTES: [u8; 36] = [
    1, 0, 0, 0, // version
    1, 0, 7, 0, // owner
    2, 0, 6, 0, 4, 3, 2, 1, // user
    4, 0, 5, 0, // the file's group
    8, 0, 4, 0, 0xe8, 3, 0, 0, // group
    0x10, 0, 7, 0, // mask
    0x20, 0, 1, 0, // others
];

fn decode(value: &[u8]) -> Vec<Entry> {
    acl::decode(value).unwrap().iter().collect()
}

fn encode(entries: &[Entry]) -> Option<Vec<u8>> {
    let mut out = vec![0xa5; acl::encoded_len(entries.len())?];
    let len = acl::encode(entries.iter().copied(), &mut out)?;
    assert_eq!(len, out.len());
    Some(out)
}

fn complaint(value: &[u8]) -> &'static str {
    let corrupt = acl::decode(value).unwrap_err();
    assert_eq!(corrupt.structure, Structure::Acl);
    corrupt.what
}

#[test]
fn a_list_is_read_and_stored_byte_for_byte() {
    assert_eq!(decode(&LONG_BYTES), LONG);
    assert_eq!(encode(&LONG).unwrap(), LONG_BYTES);

    let bytes = [1, 0, 0, 0, 1, 0, 6, 0, 4, 0, 4, 0, 0x20, 0, 0, 0];
    assert_eq!(decode(&bytes), SHORT);
    assert_eq!(encode(&SHORT).unwrap(), bytes);
}

#[test]
fn a_list_may_be_empty() {
    let list = acl::decode(&[1, 0, 0, 0]).unwrap();
    assert!(list.is_empty());
    assert_eq!(list.into_iter().count(), 0);
    assert_eq!(encode(&[]), Some(vec![1, 0, 0, 0]));
}

#[test]
fn lengths_and_counts_belong_together() {
    for (count, size) in [(0, 4), (3, 16), (4, 20), (5, 28), (6, 36)] {
        assert_eq!(acl::encoded_len(count), Some(size));
        assert_eq!(acl::count(size), Some(count));
    }
    for size in [0, 3, 5, 18, 21, 24, 32] {
        assert_eq!(acl::count(size), None);
    }
    assert_eq!(acl::encoded_len(usize::MAX), None);
}

#[test]
fn what_is_wrong_with_a_list_is_said() {
    for (at, byte, what) in [
        (0, 2, "unknown version"),
        (3, 1, "unknown version"),
        (4, 0, "unknown tag"),
        (4, 3, "unknown tag"),
        (5, 1, "unknown tag"),
        (6, 8, "unknown permissions"),
        (7, 1, "unknown permissions"),
    ] {
        let mut value = LONG_BYTES;
        value[at] = byte;
        assert_eq!(complaint(&value), what);
    }
    for len in [0, 3, 35] {
        assert_eq!(complaint(&LONG_BYTES[..len]), "no list is that long");
    }
    // A named user where only unnamed ones can be, by the length; and one that is cut.
    assert_eq!(
        complaint(&[1, 0, 0, 0, 2, 0, 7, 0, 0, 0, 0, 0]),
        "no list is that long"
    );
    assert_eq!(
        complaint(&[1, 0, 0, 0, 2, 0, 7, 0]),
        "entry doesn't lie within the list"
    );
}

#[test]
fn what_could_not_be_read_is_not_stored() {
    let unmasked = [SHORT[0], entry(Tag::User(1), 7), SHORT[1], SHORT[2]];
    let mut out = [0; 100];
    assert_eq!(acl::encode(unmasked, &mut out), None);
    assert_eq!(acl::encode([entry(Tag::Other, 8)], &mut out), None);
    assert_eq!(acl::encode(LONG, &mut out[..35]), None);
    assert_eq!(acl::encode(LONG, &mut out[..0]), None);
    assert_eq!(acl::encode(LONG, &mut out), Some(36));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(value in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = acl::decode(&value);
    }

    #[test]
    fn what_is_read_is_stored_as_it_was(
        entries in prop::collection::vec((0..9_u16, 0..9_u16), 0..12),
        version in 0..3_u32,
        cut in 0..5_usize,
    ) {
        let mut value = version.to_le_bytes().to_vec();
        for (tag, perm) in entries {
            value.extend(((1_u16 << tag) >> 1).to_le_bytes());
            value.extend(perm.to_le_bytes());
            if tag == 2 || tag == 4 {
                value.extend([tag, perm].map(u16::to_le_bytes).concat());
            }
        }
        value.truncate(value.len() - cut.saturating_sub(3));
        if let Ok(list) = acl::decode(&value) {
            let entries: Vec<_> = list.iter().collect();
            prop_assert_eq!(entries.len(), list.len());
            prop_assert_eq!(encode(&entries), Some(value));
        }
    }

    #[test]
    fn what_is_stored_is_read_as_it_was(
        named in prop::collection::vec((any::<bool>(), any::<u32>(), 0..8_u16), 0..20),
        perms: [u8; 4],
    ) {
        let tags = [Tag::UserObj, Tag::GroupObj, Tag::Mask, Tag::Other];
        let unnamed = tags.into_iter().zip(perms);
        let mut entries: Vec<_> = unnamed
            .map(|(tag, perm)| entry(tag, u16::from(perm) & 7))
            .collect();
        entries.extend(named.into_iter().map(|(user, id, perm)| {
            entry(if user { Tag::User(id) } else { Tag::Group(id) }, perm)
        }));
        prop_assert_eq!(decode(&encode(&entries).unwrap()), entries);
    }
}

/// A list as programs see it, which e2fsprogs converts: version 2, all entries with an id.
fn for_programs(entries: &[Entry]) -> Vec<u8> {
    let mut value = vec![2, 0, 0, 0];
    for Entry { tag, perm } in entries {
        value.extend(tag.code().to_le_bytes());
        value.extend(perm.to_le_bytes());
        value.extend(tag.id().unwrap_or(u32::MAX).to_le_bytes());
    }
    value
}

#[test]
fn e2fsprogs_stores_lists_in_the_same_way() {
    for list in [&SHORT[..], &LONG] {
        let image = Image::new(1024, &["-I", "128"], |files| {
            fs::write(files.join("f"), "").unwrap();
        });
        let value = image.folder.join("value");
        fs::write(&value, for_programs(list)).unwrap();
        let value = value.display();
        image.debugfs(format!("ea_set -f {value} /f system.posix_acl_access"));

        let block = image.read_block(image.xattr_block("/f"));
        let key = Key::new(index::POSIX_ACL_ACCESS, b"").unwrap();
        let stored = Attributes::block(&block).unwrap().find(key).unwrap();
        assert_eq!(decode(stored), list);
        assert_eq!(encode(list).unwrap(), stored);
    }
}
