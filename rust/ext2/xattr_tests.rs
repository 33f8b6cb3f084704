// SPDX-License-Identifier: GPL-2.0

//! Attributes against a model, against any bytes, and against e2fsprogs as a second judge.

extern crate std;

use crate::{
    dir_tests::judge::{number_after, Image},
    xattr::{self, index, Attributes, Key, Layout, Mode, Refused, Remaining},
    Structure,
};
use proptest::{prelude::*, sample::Index};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    format, fs,
    os::unix::ffi::OsStrExt,
    string::{String, ToString},
    vec,
    vec::Vec,
};

const LAYOUTS: [Layout; 2] = [Layout::Block, Layout::Inode];

fn key(index: u8, name: &[u8]) -> Key<'_> {
    Key::new(index, name).unwrap()
}

fn user(name: &str) -> Key<'_> {
    key(index::USER, name.as_bytes())
}

fn read(layout: Layout, bytes: &[u8]) -> crate::Result<Attributes<'_>> {
    match layout {
        Layout::Block => Attributes::block(bytes),
        Layout::Inode => Attributes::inode(bytes),
    }
}

/// An image of `len` bytes with these attributes of users, set one after the other.
fn image(layout: Layout, len: usize, attributes: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![];
    for (name, value) in attributes {
        let mut out = vec![0xa5; len];
        let old = match bytes.len() {
            0 => Attributes::none(layout),
            _ => read(layout, &bytes).unwrap(),
        };
        old.set(user(name), value, Mode::Any, &mut out).unwrap();
        bytes = out;
    }
    bytes
}

fn block(attributes: &[(&str, &[u8])]) -> Vec<u8> {
    image(Layout::Block, 1024, attributes)
}

/// All attributes, in order.
fn list(attributes: &Attributes<'_>) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    attributes
        .list()
        .map(|a| (a.key.index(), a.key.name().to_vec(), a.value.to_vec()))
        .collect()
}

#[test]
fn keys_have_an_index_and_up_to_255_bytes_but_nul() {
    assert!(Key::new(1, b"").is_some());
    assert!(Key::new(255, &[0xff; 255]).is_some());
    assert!(Key::new(0, b"a").is_none());
    assert!(Key::new(1, &[b'a'; 256]).is_none());
    assert!(Key::new(1, b"a\0").is_none());
}

#[test]
fn keys_are_in_order_of_index_then_length_then_bytes() {
    let sorted = [
        key(1, b""),
        key(1, b"b"),
        key(1, b"aa"),
        key(1, b"ab"),
        key(1, b"\xffa"),
        key(2, b""),
    ];
    assert!(sorted.is_sorted());
    assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn known_indexes_have_a_prefix() {
    assert_eq!(index::prefix(index::USER), Some("user."));
    assert_eq!(
        index::prefix(index::POSIX_ACL_DEFAULT),
        Some("system.posix_acl_default")
    );
    for unknown in [0, 5, 8, 255] {
        assert_eq!(index::prefix(unknown), None);
    }
}

#[test]
fn a_block_is_written_byte_for_byte() {
    let bytes = block(&[("name", b"value")]);
    // By hand, after ext2_xattr_hash_entry(): "name", then "valu" and "e" as words.
    let mut hash: u32 = 0;
    for byte in b"name" {
        hash = hash.rotate_left(5) ^ u32::from(*byte);
    }
    hash = hash.rotate_left(16) ^ u32::from_le_bytes(*b"valu");
    hash = hash.rotate_left(16) ^ u32::from(b'e');
    let hash = hash.to_le_bytes();

    let expected = [
        &[0, 0, 2, 0xea, 1, 0, 0, 0, 1, 0, 0, 0][..],
        &hash, // of the block: of one entry, whose hash it is
        &[0; 16],
        &[4, 1, 0xf8, 3, 0, 0, 0, 0, 5, 0, 0, 0],
        &hash,
        b"name",
        &[0; 1024 - 32 - 20 - 8],
        b"value\0\0\0",
    ];
    assert_eq!(bytes, expected.concat());
    let attributes = Attributes::block(&bytes).unwrap();
    assert_eq!(attributes.find(user("name")), Some(&b"value"[..]));
    assert_eq!(attributes.sharing_hash(), Some(u32::from_le_bytes(hash)));
    assert_eq!(attributes.check_hashes(), Ok(()));
}

#[test]
fn an_area_in_an_inode_is_written_byte_for_byte() {
    let bytes = image(Layout::Inode, 96, &[("name", b"value")]);
    let expected = [
        &[0, 0, 2, 0xea][..],
        &[4, 1, 84, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0],
        b"name",
        &[0; 96 - 4 - 20 - 8],
        b"value\0\0\0",
    ];
    assert_eq!(bytes, expected.concat());
    let attributes = Attributes::inode(&bytes).unwrap();
    assert_eq!(attributes.find(user("name")), Some(&b"value"[..]));
    assert_eq!(attributes.sharing_hash(), None);
    assert_eq!(attributes.check_hashes(), Ok(()));
}

#[test]
fn an_area_without_magic_number_has_no_attributes() {
    for area in [&[][..], &[0, 0, 2], &[0; 96], &[0xff; 96]] {
        let attributes = Attributes::inode(area).unwrap();
        assert!(attributes.is_empty());
        assert_eq!(attributes.list().count(), 0);
        assert_eq!(attributes.find(user("name")), None);
    }
}

#[test]
fn an_area_of_a_magic_number_alone_is_corrupt() {
    let corrupt = Attributes::inode(&[0, 0, 2, 0xea, 0, 0]).unwrap_err();
    assert_eq!(corrupt.structure, Structure::Inode);
    assert!(Attributes::inode(&[0, 0, 2, 0xea, 0, 0, 0, 0])
        .unwrap()
        .is_empty());
}

#[test]
fn entries_are_sorted_whatever_the_order_they_came_in() {
    let one = block(&[("bb", b"1"), ("c", b"2"), ("a", b""), ("ab", b"3")]);
    let attributes = Attributes::block(&one).unwrap();
    let names: Vec<_> = attributes.list().map(|a| a.key.name()).collect();
    assert_eq!(names, [&b"a"[..], b"c", b"ab", b"bb"]);
    let other = block(&[("ab", b"3"), ("a", b""), ("bb", b"1"), ("c", b"2")]);
    assert_eq!(one, other);
}

#[test]
fn unsorted_entries_are_found_and_sorted_when_written() {
    let mut bytes = block(&[("a", b"1"), ("b", b"2")]);
    bytes[32 + 16] = b'z';
    let attributes = Attributes::block(&bytes).unwrap();
    assert_eq!(attributes.find(user("b")), Some(&b"2"[..]));
    assert_eq!(attributes.find(user("z")), Some(&b"1"[..]));
    let mut out = vec![0; 1024];
    attributes
        .set(user("c"), b"3", Mode::Any, &mut out)
        .unwrap();
    let names: Vec<_> = list(&Attributes::block(&out).unwrap());
    let expected = [("b", "2"), ("c", "3"), ("z", "1")];
    let expected = expected.map(|(name, value)| (1, name.into(), value.into()));
    assert_eq!(names, expected);
}

#[test]
fn what_is_there_twice_counts_as_it_is_found_and_is_written_once() {
    let mut bytes = block(&[("a", b"1"), ("b", b"2")]);
    bytes[32 + 20 + 16] = b'a';
    let twice = Attributes::block(&bytes).unwrap();
    assert_eq!(twice.find(user("a")), Some(&b"1"[..]));
    let mut out = vec![0; 1024];
    twice.set(user("c"), b"3", Mode::Any, &mut out).unwrap();
    let once = Attributes::block(&out).unwrap();
    assert_eq!(once.find(user("a")), Some(&b"1"[..]));
    assert_eq!(once.list().count(), 2);
    let gone = twice.remove(user("a"), &mut out);
    assert_eq!(gone, Ok(Remaining::Nothing));
}

#[test]
fn create_and_replace_ask_for_what_is_there() {
    for layout in LAYOUTS {
        let bytes = image(layout, 256, &[("a", b"1")]);
        let old = read(layout, &bytes).unwrap();
        let mut out = vec![0; 256];
        let mut set = |name, mode| old.set(user(name), b"2", mode, &mut out);
        assert_eq!(set("a", Mode::Create), Err(Refused::Exists));
        assert_eq!(set("b", Mode::Replace), Err(Refused::NoSuch));
        assert_eq!(set("a", Mode::Replace), Ok(()));
        assert_eq!(set("b", Mode::Create), Ok(()));
        assert_eq!(set("a", Mode::Any), Ok(()));
        assert_eq!(old.remove(user("b"), &mut out), Err(Refused::NoSuch));
    }
}

#[test]
fn the_last_attribute_leaves_nothing() {
    for layout in LAYOUTS {
        let bytes = image(layout, 256, &[("a", b"1"), ("b", b"2")]);
        let mut one = vec![0xa5; 256];
        let old = read(layout, &bytes).unwrap();
        assert_eq!(old.remove(user("a"), &mut one), Ok(Remaining::Some));
        let mut none = vec![0xa5; 256];
        let old = read(layout, &one).unwrap();
        assert_eq!(old.remove(user("b"), &mut none), Ok(Remaining::Nothing));
        assert_eq!(none, [0; 256]);
    }
}

#[test]
fn a_block_is_filled_to_the_last_byte() {
    // Header, entry with a name of four bytes, end marker.
    for (layout, used) in [(Layout::Block, 32 + 20 + 4), (Layout::Inode, 4 + 20 + 4)] {
        let room = 256 - used;
        let mut out = vec![0; 256];
        let none = Attributes::none(layout);
        let mut set = |len| none.set(user("name"), &vec![1; len], Mode::Any, &mut out);
        assert_eq!(set(room), Ok(()));
        assert_eq!(set(room + 1), Err(Refused::NoRoom));
        assert_eq!(set(65536), Err(Refused::NoRoom));
        for short in [0, 1, 3, 4, 31, 40] {
            let mut out = vec![0; short];
            let set = none.set(user("name"), b"value", Mode::Any, &mut out);
            assert!(set == Err(Refused::NoRoom) || (layout, short) == (Layout::Inode, 40));
        }
    }
}

#[test]
fn a_value_may_be_empty_and_a_name_too() {
    for layout in LAYOUTS {
        let mut out = vec![0xa5; 256];
        let acl = key(index::POSIX_ACL_ACCESS, b"");
        let none = Attributes::none(layout);
        none.set(acl, b"", Mode::Any, &mut out).unwrap();
        let attributes = read(layout, &out).unwrap();
        assert_eq!(attributes.find(acl), Some(&b""[..]));
        assert_eq!(list(&attributes), [(2, vec![], vec![])]);
        assert_eq!(attributes.check_hashes(), Ok(()));
    }
}

#[test]
fn unknown_indexes_are_kept_and_listed() {
    let mut one = vec![0; 256];
    let strange = key(99, b"strange");
    Attributes::none(Layout::Block)
        .set(strange, b"x", Mode::Any, &mut one)
        .unwrap();
    let mut two = vec![0; 256];
    let old = Attributes::block(&one).unwrap();
    old.set(user("a"), b"y", Mode::Any, &mut two).unwrap();
    let both = Attributes::block(&two).unwrap();
    assert_eq!(both.find(strange), Some(&b"x"[..]));
    assert_eq!(both.list().count(), 2);
}

#[test]
fn hashes_of_names_above_0x7f_are_accepted_either_way() {
    let name = b"caf\xc3\xa9";
    let mut bytes = vec![0; 256];
    Attributes::none(Layout::Block)
        .set(key(1, name), b"1", Mode::Any, &mut bytes)
        .unwrap();
    let unsigned = xattr::hash(name, b"1");
    let signed = xattr::hash_of_signed(name, b"1");
    assert_ne!(unsigned, signed);
    assert_eq!(bytes[44..48], unsigned.to_le_bytes());

    let with = |hash: u32| {
        let mut bytes = bytes.clone();
        bytes[12..16].copy_from_slice(&hash.to_le_bytes());
        bytes[44..48].copy_from_slice(&hash.to_le_bytes());
        bytes
    };
    let check = |hash| Attributes::block(&with(hash)).unwrap().check_hashes();
    assert_eq!(check(unsigned), Ok(()));
    assert_eq!(check(signed), Ok(()));
    assert!(check(unsigned ^ 1).is_err());
    assert_eq!(
        xattr::hash(b"ascii", b"1"),
        xattr::hash_of_signed(b"ascii", b"1")
    );

    // Others keep the hash they have.
    let old = with(signed);
    let mut out = vec![0; 256];
    let old = Attributes::block(&old).unwrap();
    old.set(user("b"), b"2", Mode::Any, &mut out).unwrap();
    let new = Attributes::block(&out).unwrap();
    assert!(new.list().any(|a| a.hash == signed));
    assert_eq!(new.check_hashes(), Ok(()));
}

#[test]
fn the_hash_of_a_block_is_made_of_those_of_its_entries() {
    let mut bytes = block(&[("a", b"1"), ("b", b"")]);
    // By hand, after ext2_xattr_rehash().
    let [one, two] = [xattr::hash(b"a", b"1"), xattr::hash(b"b", b"")];
    let both = one.rotate_left(16) ^ two;
    let attributes = Attributes::block(&bytes).unwrap();
    assert_eq!(attributes.sharing_hash(), Some(both));
    assert_eq!(attributes.check_hashes(), Ok(()));
    bytes[12] ^= 1;
    assert!(Attributes::block(&bytes).unwrap().check_hashes().is_err());
    bytes[12..16].fill(0);
    assert_eq!(Attributes::block(&bytes).unwrap().check_hashes(), Ok(()));
}

#[test]
fn a_block_with_an_entry_without_hash_is_not_shared() {
    let mut bytes = block(&[("a", b"1")]);
    bytes[44..48].fill(0);
    let mut out = vec![0; 1024];
    let old = Attributes::block(&bytes).unwrap();
    old.set(user("b"), b"2", Mode::Any, &mut out).unwrap();
    assert_eq!(Attributes::block(&out).unwrap().sharing_hash(), None);
}

#[test]
fn blocks_are_the_same_whoever_they_belong_to() {
    let one = block(&[("a", b"1"), ("b", b"2")]);
    let mut two = one.clone();
    assert_eq!(xattr::set_refcount(&mut two, 7), Ok(4..8));
    let other = block(&[("a", b"1"), ("b", b"3")]);
    let fewer = block(&[("a", b"1")]);
    let same = |a: &[u8], b: &[u8]| {
        let (a, b) = (Attributes::block(a).unwrap(), Attributes::block(b).unwrap());
        xattr::same_content(&a, &b)
    };
    assert!(same(&one, &two));
    assert!(!same(&one, &other));
    assert!(!same(&one, &fewer));
    assert!(!same(&fewer, &one));
}

#[test]
fn a_block_counts_its_inodes() {
    let mut bytes = block(&[("a", b"1")]);
    assert_eq!(xattr::refcount(&bytes), Ok(1));
    xattr::set_refcount(&mut bytes, 0x0102_0304).unwrap();
    assert_eq!(bytes[4..8], [4, 3, 2, 1]);
    assert_eq!(xattr::refcount(&bytes), Ok(0x0102_0304));
    xattr::set_refcount(&mut bytes, 0).unwrap();
    assert!(xattr::refcount(&bytes).is_err());
    bytes[0] = 1;
    assert!(xattr::refcount(&bytes).is_err());
    assert!(xattr::set_refcount(&mut bytes, 1).is_err());
    assert!(xattr::refcount(&[]).is_err());

    // A new image belongs to one inode, whatever the old one did.
    let mut old = block(&[("a", b"1")]);
    xattr::set_refcount(&mut old, 9).unwrap();
    let mut out = vec![0; 1024];
    let old = Attributes::block(&old).unwrap();
    old.set(user("a"), b"2", Mode::Any, &mut out).unwrap();
    assert_eq!(xattr::refcount(&out), Ok(1));
}

#[test]
fn what_is_wrong_with_a_block_is_said() {
    let good = block(&[("name", b"value"), ("other", b"12345678")]);
    // The first entry is at 32, the second at 52; values at 1016 and 1008.
    for (at, bytes, what) in [
        (0, &[1][..], "magic number is wrong"),
        (8, &[2], "more or less than one block"),
        (33, &[0], "entry has no proper name"),
        (49, &[0], "entry has no proper name"),
        (36, &[1], "value is in another inode"),
        (40, &[9], "value crosses the end"),
        (40, &[255, 255, 255, 255], "value crosses the end"),
        (34, &[0xfc, 3], "value crosses the end"),
        (34, &[72, 0], "value overlaps the entries"),
        (34, &[0, 0], "value overlaps the entries"),
        (34, &[0xf0, 3], "values overlap"),
        (34, &[0xec, 3], "values overlap"),
    ] {
        let mut block = good.clone();
        block[at..at + bytes.len()].copy_from_slice(bytes);
        let corrupt = Attributes::block(&block).unwrap_err();
        assert_eq!(corrupt.structure, Structure::XattrBlock);
        assert_eq!(corrupt.what, what, "{at}: {bytes:?}");
    }
    let mut endless = good.clone();
    endless[76..].fill(1);
    let corrupt = Attributes::block(&endless).unwrap_err();
    assert_eq!(corrupt.what, "value is in another inode");
    endless.truncate(76);
    let corrupt = Attributes::block(&endless).unwrap_err();
    assert_eq!(corrupt.what, "value crosses the end");
    let cut = Attributes::block(&good[..32]).unwrap_err();
    assert_eq!(cut.what, "entries have no end");
    assert!(Attributes::block(&[]).is_err());
}

/// All that can be done, whatever the bytes are.
fn do_everything(bytes: &[u8], len: usize) {
    let _ = xattr::refcount(bytes);
    let _ = xattr::set_refcount(&mut bytes.to_vec(), 5);
    for layout in LAYOUTS {
        let Ok(old) = read(layout, bytes) else {
            continue;
        };
        let all = list(&old);
        assert!(all.len() <= bytes.len() / 16);
        assert!(xattr::same_content(&old, &old));
        let _ = old.check_hashes();
        let mut out = vec![0; len];
        if old.set(user("new"), b"value", Mode::Any, &mut out).is_ok() {
            let new = read(layout, &out).unwrap();
            assert_eq!(new.find(user("new")), Some(&b"value"[..]));
            assert!(all
                .iter()
                .all(|(index, name, _)| new.find(key(*index, name)).is_some()));
        }
        let mut out = vec![0; bytes.len()];
        for (index, name, _) in all {
            let key = key(index, &name);
            if old.remove(key, &mut out).unwrap() == Remaining::Some {
                assert_eq!(read(layout, &out).unwrap().find(key), None);
            }
        }
    }
}

/// What may happen to attributes.
#[derive(Clone, Debug)]
enum Step {
    Set(u8, Vec<u8>, Vec<u8>, Mode),
    Change(Index, Vec<u8>),
    Remove(Index),
}

fn step() -> impl Strategy<Value = Step> {
    let index = prop::sample::select(vec![1_u8, 2, 4, 6, 7, 42]);
    let name = prop::collection::vec(1..=255_u8, 0..20);
    let value = || {
        prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..30),
            1 => prop::collection::vec(any::<u8>(), 0..800),
        ]
    };
    let mode = prop_oneof![
        4 => Just(Mode::Any),
        1 => Just(Mode::Create),
        1 => Just(Mode::Replace),
    ];
    prop_oneof![
        4 => (index, name, value(), mode).prop_map(|(i, n, v, m)| Step::Set(i, n, v, m)),
        2 => (any::<Index>(), value()).prop_map(|(i, v)| Step::Change(i, v)),
        2 => any::<Index>().prop_map(Step::Remove),
    ]
}

type Model = BTreeMap<(u8, usize, Vec<u8>), Vec<u8>>;

/// Bytes that these attributes take.
fn size(layout: Layout, model: &Model) -> usize {
    let header = match layout {
        Layout::Block => 32,
        Layout::Inode => 4,
    };
    let each = model.iter().map(|((_, _, name), value)| {
        (16 + name.len()).next_multiple_of(4) + value.len().next_multiple_of(4)
    });
    header + each.sum::<usize>() + 4
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        len in 0..400_usize,
    ) {
        do_everything(&bytes, len);
        let magic = [0, 0, 2, 0xea];
        do_everything(&[&magic[..], &bytes].concat(), len);
        let header = [&magic[..], &[1, 0, 0, 0, 1, 0, 0, 0], &[0; 20], &bytes];
        do_everything(&header.concat(), len);
    }

    #[test]
    fn damaged_images_are_read_without_panic(
        attributes in prop::collection::btree_map("[a-z]{0,9}", "[a-z]{0,9}", 1..6),
        damage in prop::collection::vec((0..100_usize, 0..=255_u8), 0..4),
        len in 0..400_usize,
    ) {
        let attributes: Vec<_> = attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        for layout in LAYOUTS {
            let mut bytes = image(layout, 256, &attributes);
            for (at, byte) in &damage {
                bytes[*at] = *byte;
            }
            do_everything(&bytes, len);
        }
    }

    #[test]
    fn images_hold_what_was_done_to_them(
        layout in prop::sample::select(LAYOUTS.to_vec()),
        len in prop::sample::select(vec![96_usize, 352, 1024, 4096]),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut bytes: Vec<u8> = vec![];
        let mut model = Model::new();
        for step in steps {
            let old = match model.len() {
                0 => Attributes::none(layout),
                _ => read(layout, &bytes).unwrap(),
            };
            let nth = |index: Index| {
                let known = model.keys();
                (known.len() > 0).then(|| model.keys().nth(index.index(known.len())).unwrap())
            };
            let mut out = vec![0xa5; len];
            let mut changed = model.clone();
            let (index, name, value, mode) = match step {
                Step::Set(index, name, value, mode) => (index, name, Some(value), mode),
                Step::Change(which, value) => {
                    let Some((index, _, name)) = nth(which) else { continue };
                    (*index, name.clone(), Some(value), Mode::Replace)
                }
                Step::Remove(which) => {
                    let Some((index, _, name)) = nth(which) else { continue };
                    (*index, name.clone(), None, Mode::Any)
                }
            };
            let place = (index, name.len(), name.clone());
            let key = key(index, &name);
            if let Some(value) = value {
                let expected = match (mode, changed.insert(place.clone(), value.clone())) {
                    (Mode::Create, Some(_)) => Err(Refused::Exists),
                    (Mode::Replace, None) => Err(Refused::NoSuch),
                    _ if size(layout, &changed) > len => Err(Refused::NoRoom),
                    _ => Ok(()),
                };
                prop_assert_eq!(old.set(key, &value, mode, &mut out), expected);
                if expected.is_err() {
                    continue;
                }
            } else {
                changed.remove(&place);
                let expected = match changed.len() {
                    0 => Remaining::Nothing,
                    _ => Remaining::Some,
                };
                prop_assert_eq!(old.remove(key, &mut out), Ok(expected));
            }
            bytes = out;
            model = changed;
            if model.is_empty() {
                prop_assert!(bytes.iter().all(|byte| *byte == 0));
                continue;
            }
            let new = read(layout, &bytes).unwrap();
            let expected: Vec<_> = model
                .iter()
                .map(|((index, _, name), value)| (*index, name.clone(), value.clone()))
                .collect();
            prop_assert_eq!(list(&new), expected);
            prop_assert_eq!(new.check_hashes(), Ok(()));
            for ((index, _, name), value) in &model {
                prop_assert_eq!(new.find(Key::new(*index, name).unwrap()), Some(&value[..]));
            }
        }
    }
}

/// An image with an empty file "f", whose inode has `inode_size` bytes.
fn file_image(block_size: usize, inode_size: &str) -> Image {
    Image::new(block_size, &["-I", inode_size], |files| {
        fs::write(files.join("f"), "").unwrap();
    })
}

/// Names, as programs see them, with values.
fn sample() -> Vec<(String, Vec<u8>)> {
    let long = "v".repeat(300);
    [
        ("user.b", "value"),
        ("user.a", ""),
        ("user.empty", ""),
        ("user.long", &long),
        ("user.caf\u{e9}", "\u{fc}"),
        ("trusted.overlay", "y"),
        ("security.selinux", "system_u:object_r:etc_t:s0"),
    ]
    .map(|(name, value)| (name.to_string(), value.into()))
    .into()
}

/// `name` as programs see it.
fn key_of(name: &str) -> Key<'_> {
    let (prefix, rest) = name.split_once('.').unwrap();
    let prefix = format!("{prefix}.");
    let known = (1..=7).find(|number| index::prefix(*number) == Some(&prefix));
    key(known.unwrap(), rest.as_bytes())
}

fn ea_set(image: &Image, name: &str, value: &[u8]) {
    let file = image.folder.join("value");
    fs::write(&file, value).unwrap();
    let file = file.display();
    let request = format!("ea_set -f {file} /f {name}");
    image.debugfs(OsStr::from_bytes(request.as_bytes()));
}

fn assert_judge_reads(image: &Image, name: &str, value: &[u8]) {
    let file = image.folder.join("got");
    let _ = fs::remove_file(&file);
    image.debugfs(format!("ea_get -f {} /f {name}", file.display()));
    assert_eq!(fs::read(file).unwrap(), value, "{name}");
}

/// Where the area of file "f" in its inode begins.
fn area_of(image: &Image, block_size: u64) -> u64 {
    let map = image.debugfs("imap /f");
    let (_, offset) = map.split_once("offset 0x").unwrap();
    let offset = u64::from_str_radix(offset.trim(), 16).unwrap();
    let inode = number_after(&map, "at block ") * block_size + offset;
    let extra = image.read(inode + 128, 2);
    inode + 128 + u64::from(u16::from_le_bytes([extra[0], extra[1]]))
}

#[test]
fn blocks_of_e2fsprogs_are_read_and_would_be_written_with_the_same_hashes() {
    let image = file_image(1024, "128");
    for (name, value) in sample() {
        ea_set(&image, &name, &value);
    }
    let judged = image.read_block(image.xattr_block("/f"));
    let judged = Attributes::block(&judged).unwrap();
    assert_eq!(judged.list().count(), sample().len());
    assert_eq!(judged.check_hashes(), Ok(()));

    let mut ours = vec![0; 1024];
    for (name, value) in sample() {
        assert_eq!(judged.find(key_of(&name)), Some(&value[..]), "{name}");
        let old = ours.clone();
        let old = Attributes::block(&old).unwrap_or(Attributes::none(Layout::Block));
        let key = key_of(&name);
        old.set(key, &value, Mode::Create, &mut ours).unwrap();
    }
    let ours = Attributes::block(&ours).unwrap();
    let sorted = |attributes: &Attributes<'_>| {
        let mut all: Vec<_> = attributes
            .list()
            .map(|a| (a.key.index(), a.key.name().to_vec(), a.hash))
            .collect();
        all.sort();
        all
    };
    assert_eq!(sorted(&ours), sorted(&judged));
    assert!(xattr::same_content(&ours, &judged));
    // It makes no hash of the block.
    assert_eq!(judged.sharing_hash(), None);
    assert!(ours.sharing_hash().is_some());
}

#[test]
fn areas_of_e2fsprogs_in_inodes_are_read() {
    let image = file_image(4096, "512");
    let fitting = || sample().into_iter().filter(|(_, value)| value.len() < 100);
    for (name, value) in fitting() {
        ea_set(&image, &name, &value);
    }
    assert_eq!(image.xattr_block("/f"), 0);
    let area = image.read(area_of(&image, 4096), 512 - 128 - 32);
    let attributes = Attributes::inode(&area).unwrap();
    assert_eq!(attributes.check_hashes(), Ok(()));
    assert_eq!(attributes.list().count(), fitting().count());
    for (name, value) in fitting() {
        assert_eq!(attributes.find(key_of(&name)), Some(&value[..]), "{name}");
    }
}

#[test]
fn e2fsck_finds_nothing_wrong_with_blocks_made_here() {
    for block_size in [1024, 4096] {
        let image = file_image(block_size, "128");
        ea_set(&image, "user.x", b"to have a block");
        let number = image.xattr_block("/f");
        let mut bytes = image.read_block(number);
        let mut next = vec![0; block_size];
        for (name, value) in sample() {
            let old = Attributes::block(&bytes).unwrap();
            let key = key_of(&name);
            old.set(key, &value, Mode::Create, &mut next).unwrap();
            bytes.copy_from_slice(&next);
        }
        let old = Attributes::block(&bytes).unwrap();
        old.remove(user("x"), &mut next).unwrap();

        image.write_block(number, &next);
        image.assert_clean();
        for (name, value) in sample() {
            assert_judge_reads(&image, &name, &value);
        }

        // The judge does look at hashes.
        next[44] ^= 1;
        image.write_block(number, &next);
        let verdict = std::panic::catch_unwind(|| image.assert_clean());
        assert!(verdict.is_err());
    }
}

#[test]
fn e2fsck_finds_nothing_wrong_with_areas_made_here() {
    let image = file_image(4096, "512");
    let at = area_of(&image, 4096);
    let mut bytes = image.read(at, 512 - 128 - 32);
    assert!(Attributes::inode(&bytes).unwrap().is_empty());
    let mut next = bytes.clone();
    let fitting = || sample().into_iter().filter(|(_, value)| value.len() < 100);
    for (name, value) in fitting() {
        let old = Attributes::inode(&bytes).unwrap();
        let key = key_of(&name);
        old.set(key, &value, Mode::Create, &mut next).unwrap();
        bytes.copy_from_slice(&next);
    }
    image.write(at, &bytes);
    image.assert_clean();
    for (name, value) in fitting() {
        assert_judge_reads(&image, &name, &value);
    }

    for (name, _) in fitting() {
        let old = Attributes::inode(&bytes).unwrap();
        old.remove(key_of(&name), &mut next).unwrap();
        bytes.copy_from_slice(&next);
    }
    image.write(at, &bytes);
    image.assert_clean();
    assert_eq!(image.debugfs("ea_list /f"), "");
}
