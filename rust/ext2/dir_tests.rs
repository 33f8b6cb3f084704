// SPDX-License-Identifier: GPL-2.0

//! Directories against a model, against any bytes, and against e2fsprogs as a second judge.

extern crate std;

use crate::{
    dir::{self, Name, Params},
    FileType, Structure,
};
use judge::Image;
use proptest::{prelude::*, sample::Index};
use std::{
    collections::{BTreeMap, HashMap},
    format, fs,
    ops::Range,
    string::{String, ToString},
    vec,
    vec::Vec,
};

/// e2fsprogs: images made, read, changed and checked with its tools.
pub(crate) mod judge {
    use super::std::{
        env,
        ffi::OsStr,
        format, fs,
        os::unix::fs::FileExt,
        path::{Path, PathBuf},
        process::{self, Command, Output},
        string::String,
        sync::atomic::{AtomicU32, Ordering},
        vec,
        vec::Vec,
    };

    /// An image, and a folder of its own for it that goes with it.
    pub(crate) struct Image {
        pub(crate) folder: PathBuf,
        block_size: usize,
    }

    impl Image {
        /// An ext2 image of 16 MiB with the files that `fill` makes in a folder.
        pub(crate) fn new(block_size: usize, options: &[&str], fill: impl Fn(&Path)) -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let folder = env::temp_dir().join(format!("ext2-test-{}-{count}", process::id()));
            let image = Self { folder, block_size };
            let files = image.folder.join("files");
            fs::create_dir_all(&files).unwrap();
            fill(&files);
            let size = format!("{block_size}");
            Command::new("mke2fs")
                .args(["-q", "-F", "-t", "ext2", "-b", &size])
                .args(options)
                .arg("-d")
                .arg(&files)
                .arg(image.path())
                .arg("16M")
                .succeed();
            image
        }

        fn path(&self) -> PathBuf {
            self.folder.join("image")
        }

        /// What debugfs says to one request.
        pub(crate) fn debugfs(&self, request: impl AsRef<OsStr>) -> String {
            let output = Command::new("debugfs")
                .args(["-w", "-R"])
                .arg(request)
                .arg(self.path())
                .succeed();
            String::from_utf8_lossy(&output.stdout).into_owned()
        }

        /// e2fsck finds nothing wrong.
        pub(crate) fn assert_clean(&self) {
            Command::new("e2fsck").arg("-fn").arg(self.path()).succeed();
        }

        /// Has e2fsck make indexes for large directories.
        pub(crate) fn index_directories(&self) {
            Command::new("e2fsck")
                .arg("-fyD")
                .arg(self.path())
                .succeed();
        }

        /// The content of a file or directory, such as `<2>`.
        pub(crate) fn content(&self, file: &str) -> Vec<u8> {
            let copy = self.folder.join("dump");
            self.debugfs(format!("dump {file} {}", copy.display()));
            fs::read(copy).unwrap()
        }

        /// The numbers of a file's blocks, those of pointers among them.
        pub(crate) fn blocks(&self, file: &str) -> Vec<u64> {
            let blocks = self.debugfs(format!("blocks {file}"));
            blocks
                .split_whitespace()
                .map(|n| n.parse().unwrap())
                .collect()
        }

        /// The inode number of a file.
        pub(crate) fn inode(&self, file: &str) -> u32 {
            let stat = self.debugfs(format!("stat {file}"));
            number_after(&stat, "Inode: ").try_into().unwrap()
        }

        /// The block of a file's extended attributes.
        pub(crate) fn xattr_block(&self, file: &str) -> u64 {
            number_after(&self.debugfs(format!("stat {file}")), "File ACL: ")
        }

        pub(crate) fn read_block(&self, number: u64) -> Vec<u8> {
            self.read(number * self.block_size as u64, self.block_size)
        }

        pub(crate) fn write_block(&self, number: u64, block: &[u8]) {
            assert_eq!(block.len(), self.block_size);
            self.write(number * self.block_size as u64, block);
        }

        pub(crate) fn read(&self, offset: u64, len: usize) -> Vec<u8> {
            let mut bytes = vec![0; len];
            let image = fs::File::open(self.path()).unwrap();
            image.read_exact_at(&mut bytes, offset).unwrap();
            bytes
        }

        pub(crate) fn write(&self, offset: u64, bytes: &[u8]) {
            let image = fs::File::options().write(true).open(self.path()).unwrap();
            image.write_all_at(bytes, offset).unwrap();
        }
    }

    impl Drop for Image {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    /// The decimal number after the first `label` in `text`.
    pub(crate) fn number_after(text: &str, label: &str) -> u64 {
        let (_, rest) = text.split_once(label).unwrap_or_else(|| panic!("{text}"));
        let digits = rest.trim_start().split(|c: char| !c.is_ascii_digit());
        digits.into_iter().next().unwrap().parse().unwrap()
    }

    trait Succeed {
        fn succeed(&mut self) -> Output;
    }

    impl Succeed for Command {
        fn succeed(&mut self) -> Output {
            let output = self.output().expect("e2fsprogs is not installed");
            assert!(output.status.success(), "{self:?}: {output:?}");
            output
        }
    }
}

const PARAMS: Params = Params {
    inodes_count: 1000,
    has_file_type: true,
};

const OLD: Params = Params {
    has_file_type: false,
    ..PARAMS
};

const TYPES: [FileType; 7] = [
    FileType::Regular,
    FileType::Directory,
    FileType::CharDevice,
    FileType::BlockDevice,
    FileType::Fifo,
    FileType::Socket,
    FileType::Symlink,
];

fn name(bytes: &[u8]) -> Name<'_> {
    Name::new(bytes).unwrap()
}

fn empty(len: usize) -> Vec<u8> {
    let mut block = vec![0xa5; len];
    dir::empty_block(&mut block).unwrap();
    block
}

fn first(len: usize) -> Vec<u8> {
    let mut block = vec![0xa5; len];
    dir::first_block(&mut block, PARAMS, 11, 2).unwrap();
    block
}

fn insert(block: &mut [u8], bytes: &[u8], inode: u32) -> Option<Range<usize>> {
    dir::insert(block, PARAMS, name(bytes), inode, FileType::Regular).unwrap()
}

fn offset_of(block: &[u8], bytes: &[u8]) -> usize {
    dir::find(block, PARAMS, bytes).unwrap().unwrap().offset
}

/// Used entries by name.
fn names(block: &[u8], params: Params) -> BTreeMap<Vec<u8>, (u32, Option<FileType>)> {
    dir::entries(block, params)
        .map(Result::unwrap)
        .filter(|entry| entry.inode != 0)
        .map(|entry| (entry.name.to_vec(), (entry.inode, entry.file_type)))
        .collect()
}

fn complaint(block: &[u8], params: Params) -> &'static str {
    let corrupt = dir::check(block, params).unwrap_err();
    assert_eq!(corrupt.structure, Structure::Directory);
    corrupt.what
}

/// All that differs between `before` and `after` lies in `range`.
fn assert_changed_only(before: &[u8], after: &[u8], range: &Range<usize>) {
    assert_eq!(before[..range.start], after[..range.start]);
    assert_eq!(before[range.end..], after[range.end..]);
}

#[test]
fn entries_take_their_name_and_eight_bytes_rounded_up() {
    for (name_len, bytes) in [(0, 8), (1, 12), (4, 12), (5, 16), (255, 264)] {
        assert_eq!(dir::needed(name_len), bytes);
    }
    assert!(dir::needed(usize::MAX) > dir::MAX_NAME);
}

#[test]
fn file_types_go_to_code_and_mode_and_back() {
    for (index, file_type) in TYPES.into_iter().enumerate() {
        assert_eq!(usize::from(file_type.code()), index + 1);
        assert_eq!(FileType::from_code(file_type.code()), Some(file_type));
        let mode = file_type.mode() | 0o7777;
        assert_eq!(FileType::of_mode(mode), Some(file_type));
    }
    for code in [0, 8, 0xde, 0xff] {
        assert_eq!(FileType::from_code(code), None);
    }
    for mode in [0, 0o777, 0o050_000, 0o170_000] {
        assert_eq!(FileType::of_mode(mode), None);
    }
}

#[test]
fn names_are_one_to_255_bytes_without_slash_and_nul() {
    assert!(Name::new(b"a").is_some());
    assert!(Name::new(&[0xff; 255]).is_some());
    assert!(Name::new(b"").is_none());
    assert!(Name::new(&[b'a'; 256]).is_none());
    assert!(Name::new(b"a/b").is_none());
    assert!(Name::new(b"a\0").is_none());
}

#[test]
fn a_new_directory_has_dot_and_dot_dot() {
    let block = first(1024);
    let expected = [
        &[11, 0, 0, 0, 12, 0, 1, 2, b'.', 0, 0, 0][..],
        &[2, 0, 0, 0, 0xf4, 3, 2, 2, b'.', b'.', 0, 0],
        &[0; 1000],
    ];
    assert_eq!(block, expected.concat());

    let dots = dir::check_first(&block, PARAMS).unwrap();
    assert_eq!((dots.own, dots.parent, dots.parent_offset), (11, 2, 12));
    assert_eq!(dir::is_empty(&block, PARAMS, 11, true), Ok(true));
}

#[test]
fn a_directory_with_a_name_or_another_dot_is_not_empty() {
    let mut block = first(1024);
    assert_eq!(dir::is_empty(&block, PARAMS, 12, true), Ok(false));
    assert_eq!(dir::is_empty(&block, PARAMS, 11, false), Ok(false));
    insert(&mut block, b"a", 12);
    assert_eq!(dir::is_empty(&block, PARAMS, 11, true), Ok(false));
    let a = offset_of(&block, b"a");
    dir::remove(&mut block, PARAMS, a).unwrap();
    assert_eq!(dir::is_empty(&block, PARAMS, 11, true), Ok(true));
    assert_eq!(dir::is_empty(&empty(1024), PARAMS, 11, false), Ok(true));
}

#[test]
fn a_first_block_without_dots_in_their_place_is_corrupt() {
    let mut block = first(1024);
    dir::remove(&mut block, PARAMS, 12).unwrap();
    assert!(dir::check_first(&block, PARAMS).is_err());
    assert!(dir::check_first(&empty(1024), PARAMS).is_err());
    assert!(dir::check_first(&[], PARAMS).is_err());

    let mut swapped = empty(1024);
    insert(&mut swapped, b"..", 2);
    insert(&mut swapped, b".", 11);
    assert!(dir::check_first(&swapped, PARAMS).is_err());
}

#[test]
fn dot_dot_can_be_given_another_inode() {
    let mut block = first(1024);
    let at = dir::check_first(&block, PARAMS).unwrap().parent_offset;
    let range = dir::replace(&mut block, PARAMS, at, 77, FileType::Directory).unwrap();
    assert_eq!(range, 12..20);
    assert_eq!(dir::check_first(&block, PARAMS).unwrap().parent, 77);
}

#[test]
fn without_the_feature_types_are_neither_written_nor_read() {
    let mut block = vec![0; 1024];
    dir::first_block(&mut block, OLD, 11, 2).unwrap();
    dir::insert(&mut block, OLD, name(b"a"), 12, FileType::Fifo).unwrap();
    dir::replace(&mut block, OLD, 24, 13, FileType::Fifo).unwrap();
    for offset in [0, 12, 24] {
        assert_eq!(block[offset + 7], 0);
    }
    block[24 + 7] = 1;
    let found = dir::find(&block, OLD, b"a").unwrap().unwrap();
    assert_eq!(found.file_type, None);
}

#[test]
fn the_first_room_is_taken_and_a_removed_entry_gives_room_to_the_one_before() {
    let mut block = empty(1024);
    assert_eq!(insert(&mut block, b"first", 1), Some(0..16));
    assert_eq!(insert(&mut block, b"second", 2), Some(0..32));
    assert_eq!(insert(&mut block, b"third", 3), Some(16..48));
    assert_eq!(dir::remove(&mut block, PARAMS, 16), Ok(0..24));
    assert_eq!(dir::room(&block, PARAMS, 8), Ok(Some(16)));
    assert_eq!(dir::room(&block, PARAMS, 9), Ok(Some(48)));
    assert_eq!(insert(&mut block, b"again", 4), Some(0..32));
    // The first of the block has nobody to give to.
    assert_eq!(dir::remove(&mut block, PARAMS, 0), Ok(0..8));
    assert_eq!(dir::room(&block, PARAMS, 8), Ok(Some(0)));
    assert_eq!(insert(&mut block, b"12345678", 5), Some(0..16));
    assert_eq!(
        names(&block, PARAMS).keys().collect::<Vec<_>>(),
        [&b"12345678"[..], b"again", b"third"]
    );
}

#[test]
fn a_full_block_takes_no_more_and_stays_as_it_is() {
    let mut block = empty(1024);
    let mut count = 0_u32;
    while insert(&mut block, format!("{count:04}").as_bytes(), 1).is_some() {
        count += 1;
    }
    assert_eq!(count, 1024 / 12);
    let before = block.clone();
    assert_eq!(insert(&mut block, b"long name", 1), None);
    assert_eq!(block, before);
    assert_eq!(dir::room(&block, PARAMS, 1), Ok(None));
    assert_eq!(dir::room(&empty(1024), PARAMS, 0), Ok(None));
    assert_eq!(dir::room(&empty(1024), PARAMS, 256), Ok(None));
}

#[test]
fn only_used_entries_can_be_removed_or_replaced() {
    let mut block = first(1024);
    insert(&mut block, b"abcdefgh", 12);
    let gone = offset_of(&block, b"abcdefgh");
    insert(&mut block, b"next", 12);
    dir::remove(&mut block, PARAMS, gone).unwrap();
    let before = block.clone();
    for offset in [gone, 4, 13, 1000, 1024, usize::MAX] {
        assert!(dir::remove(&mut block, PARAMS, offset).is_err());
        assert!(dir::replace(&mut block, PARAMS, offset, 1, FileType::Fifo).is_err());
    }
    let mut unused = empty(1024);
    assert!(dir::remove(&mut unused, PARAMS, 0).is_err());
    assert_eq!(block, before);
}

#[test]
fn inode_numbers_that_are_none_are_not_written() {
    let mut block = first(1024);
    let before = block.clone();
    for inode in [0, 1001, u32::MAX] {
        assert!(dir::insert(&mut block, PARAMS, name(b"a"), inode, FileType::Fifo).is_err());
        assert!(dir::replace(&mut block, PARAMS, 12, inode, FileType::Fifo).is_err());
        assert!(dir::first_block(&mut block, PARAMS, inode, 2).is_err());
        assert!(dir::first_block(&mut block, PARAMS, 2, inode).is_err());
    }
    assert_eq!(block, before);
    assert!(insert(&mut block, b"a", 1000).is_some());
}

#[test]
fn lengths_that_no_block_has_are_refused() {
    for len in [0, 8, 11, 13, 1023, 65536] {
        let mut block = vec![0; len];
        assert!(dir::empty_block(&mut block).is_err());
        assert!(dir::first_block(&mut block, PARAMS, 11, 2).is_err());
    }
}

#[test]
fn what_is_wrong_with_an_entry_is_said() {
    let mut good = first(1024);
    insert(&mut good, b"name", 12);
    assert_eq!(dir::check(&good, PARAMS), Ok(()));

    // Where, what to write there, and what is said of it. The entry "name" is at 24.
    for (offset, bytes, what) in [
        (28, [0, 0], "rec_len is too short"),
        (28, [8, 0], "rec_len is too short"),
        (28, [14, 0], "rec_len is not a multiple of 4"),
        (28, [0xf0, 3], "entry crosses the end of the block"),
        (28, [0xff, 0xff], "rec_len is not a multiple of 4"),
        (
            28,
            [0xe4, 3],
            "no room for an entry before the end of the block",
        ),
        (28, [0xe0, 3], "rec_len is too short"),
        (18, [5, 2], "rec_len is too small for name_len"),
        (24, [0xe9, 3], "inode out of bounds"),
        (30, [0, 1], "a used entry has no name"),
        (33, [b'/', b'm'], "a name holds a slash or NUL"),
        (33, [b'a', 0], "a name holds a slash or NUL"),
    ] {
        let mut block = good.clone();
        block[offset..offset + 2].copy_from_slice(&bytes);
        assert_eq!(complaint(&block, PARAMS), what);
    }
}

#[test]
fn iteration_ends_after_an_error() {
    let mut block = first(1024);
    insert(&mut block, b"name", 12);
    block[33] = b'/';
    insert(&mut block, b"more", 12);
    let mut entries = dir::entries(&block, PARAMS).skip(2);
    assert!(entries.next().unwrap().is_err());
    assert!(entries.next().is_none());
    block[16] = 0;
    let mut entries = dir::entries(&block, PARAMS).skip(1);
    assert!(entries.next().unwrap().is_err());
    assert!(entries.next().is_none());
}

#[test]
fn nothing_is_changed_in_a_block_that_is_wrong_anywhere() {
    let mut block = first(1024);
    insert(&mut block, b"name", 12);
    insert(&mut block, b"last", 12);
    let last = offset_of(&block, b"last");
    block[last + 4] ^= 4;
    let before = block.clone();
    assert!(dir::insert(&mut block, PARAMS, name(b"a"), 1, FileType::Fifo).is_err());
    assert!(dir::remove(&mut block, PARAMS, 24).is_err());
    assert!(dir::replace(&mut block, PARAMS, 24, 1, FileType::Fifo).is_err());
    assert_eq!(block, before);
}

#[test]
fn reading_goes_on_at_the_next_entry_that_is_still_there() {
    let mut block = first(1024);
    for bytes in [b"aaaa", b"bbbb", b"cccc"] {
        insert(&mut block, bytes, 12);
    }
    assert_eq!(dir::resume(&block, PARAMS, 36), Ok(36));
    dir::remove(&mut block, PARAMS, 36).unwrap();
    assert_eq!(dir::resume(&block, PARAMS, 36), Ok(48));
    assert_eq!(dir::resume(&block, PARAMS, 0), Ok(0));
    assert_eq!(dir::resume(&block, PARAMS, 1), Ok(12));
    assert_eq!(dir::resume(&block, PARAMS, 49), Ok(1024));
    assert_eq!(dir::resume(&block, PARAMS, usize::MAX), Ok(1024));
    let rest: Vec<_> = dir::entries_from(&block, PARAMS, 48)
        .map(|entry| entry.unwrap().name.to_vec())
        .collect();
    assert_eq!(rest, [b"cccc"]);
    assert!(dir::entries_from(&block, PARAMS, usize::MAX)
        .next()
        .is_none());
}

/// All that can be done to a block, whatever is in it. What is written must not make it wrong.
fn do_everything(block: &[u8], params: Params, offset: usize, inode: u32) {
    let count = dir::entries(block, params).count();
    assert!(count <= block.len() / 12 + 1);
    assert!(dir::entries_from(block, params, offset).count() <= block.len() / 12 + 1);
    let _ = dir::find(block, params, b"name");
    let _ = dir::is_empty(block, params, inode, true);
    let _ = dir::check_first(block, params);
    if let Ok(at) = dir::resume(block, params, offset) {
        assert!(at <= block.len());
    }
    let good = dir::check(block, params).is_ok();
    let judge = |block: &[u8]| assert!(!good || dir::check(block, params).is_ok());

    let mut copy = block.to_vec();
    if let Ok(Some(range)) = dir::insert(&mut copy, params, name(b"name"), inode, TYPES[0]) {
        assert_changed_only(block, &copy, &range);
        judge(&copy);
    }
    for entry in dir::entries(block, params).map_while(Result::ok) {
        let mut copy = block.to_vec();
        if let Ok(range) = dir::remove(&mut copy, params, entry.offset) {
            assert_changed_only(block, &copy, &range);
            judge(&copy);
        }
        let mut copy = block.to_vec();
        if let Ok(range) = dir::replace(&mut copy, params, entry.offset, inode, TYPES[1]) {
            assert_changed_only(block, &copy, &range);
            judge(&copy);
        }
    }
    let mut copy = block.to_vec();
    let _ = dir::remove(&mut copy, params, offset);
}

/// What may happen to a block.
#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<u8>, u32, FileType),
    Remove(Index),
    Replace(Index, u32, FileType),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = prop_oneof![
        3 => prop::collection::vec(1..=255_u8, 1..12),
        1 => prop::collection::vec(1..=255_u8, 1..=255),
    ]
    .prop_filter("a name", |bytes| Name::new(bytes).is_some());
    let file_type = || prop::sample::select(TYPES.to_vec());
    let inode = 1..=PARAMS.inodes_count;
    prop_oneof![
        4 => (bytes, inode.clone(), file_type()).prop_map(|(n, i, t)| Step::Insert(n, i, t)),
        2 => any::<Index>().prop_map(Step::Remove),
        1 => (any::<Index>(), inode, file_type()).prop_map(|(n, i, t)| Step::Replace(n, i, t)),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(
        block in prop::collection::vec(any::<u8>(), 0..300),
        inodes_count: u32,
        has_file_type: bool,
        offset in 0..320_usize,
        inode: u32,
    ) {
        let params = Params { inodes_count, has_file_type };
        do_everything(&block, params, offset, inode);
    }

    #[test]
    fn damaged_blocks_are_read_without_panic(
        names in prop::collection::vec("[a-z]{1,20}", 0..30),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        offset in 0..1100_usize,
        inode in 0..1002_u32,
    ) {
        let mut block = first(1024);
        for bytes in &names {
            insert(&mut block, bytes.as_bytes(), 12);
        }
        for (at, byte) in damage {
            // Headers of the first entries are hit most.
            let at = at.index(1024);
            block[at / (1 + at % 7)] = byte;
        }
        do_everything(&block, PARAMS, offset, inode);
    }

    #[test]
    fn blocks_hold_what_was_done_to_them(
        size in prop::sample::select(vec![1024, 2048, 4096]),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut block = empty(size);
        let mut model = HashMap::new();
        for step in steps {
            let before = block.clone();
            let nth = |index: Index| {
                let mut known: Vec<&Vec<u8>> = model.keys().collect();
                known.sort();
                (!known.is_empty()).then(|| known[index.index(known.len())].clone())
            };
            let changed = match step {
                Step::Insert(bytes, inode, file_type) => {
                    if model.contains_key(&bytes) {
                        continue;
                    }
                    let room = dir::room(&block, PARAMS, bytes.len()).unwrap();
                    let range =
                        dir::insert(&mut block, PARAMS, name(&bytes), inode, file_type).unwrap();
                    prop_assert_eq!(room.is_some(), range.is_some());
                    match range {
                        Some(range) => {
                            prop_assert_eq!(room, Some(offset_of(&block, &bytes)));
                            model.insert(bytes, (inode, Some(file_type)));
                            range
                        }
                        None => {
                            // Really no room: no entry has that much to spare.
                            for entry in dir::entries(&block, PARAMS) {
                                let entry = entry.unwrap();
                                let used = match entry.inode {
                                    0 => 0,
                                    _ => dir::needed(entry.name.len()),
                                };
                                let spare = entry.rec_len.bytes() - used;
                                prop_assert!(spare < dir::needed(bytes.len()));
                            }
                            0..0
                        }
                    }
                }
                Step::Remove(index) => {
                    let Some(bytes) = nth(index) else { continue };
                    model.remove(&bytes);
                    let offset = offset_of(&block, &bytes);
                    let range = dir::remove(&mut block, PARAMS, offset).unwrap();
                    prop_assert_eq!(dir::find(&block, PARAMS, &bytes), Ok(None));
                    range
                }
                Step::Replace(index, inode, file_type) => {
                    let Some(bytes) = nth(index) else { continue };
                    model.insert(bytes.clone(), (inode, Some(file_type)));
                    let offset = offset_of(&block, &bytes);
                    dir::replace(&mut block, PARAMS, offset, inode, file_type).unwrap()
                }
            };
            assert_changed_only(&before, &block, &changed);
            prop_assert_eq!(dir::check(&block, PARAMS), Ok(()));
            let all = names(&block, PARAMS);
            prop_assert_eq!(all.len(), model.len());
            prop_assert!(all.iter().all(|(n, entry)| model.get(n) == Some(entry)));
            prop_assert_eq!(
                dir::is_empty(&block, PARAMS, 11, false),
                Ok(model.is_empty())
            );
        }
    }
}

/// Params of the judge's images.
const IMAGE: Params = Params {
    inodes_count: 4096,
    has_file_type: true,
};

fn file_names(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("{n}-{}", "x".repeat(n * 37 % 200)))
        .collect()
}

/// An image whose root has a folder "d" with these empty files.
fn image_with(block_size: usize, options: &[&str], names: &[String]) -> Image {
    let options = [&["-N", "4096"], options].concat();
    Image::new(block_size, &options, |files| {
        fs::create_dir(files.join("d")).unwrap();
        for name in names {
            fs::write(files.join("d").join(name), "").unwrap();
        }
    })
}

/// The names of a directory of several blocks, with inodes.
fn all_names(content: &[u8], block_size: usize, params: Params) -> BTreeMap<String, u32> {
    let blocks = content.chunks(block_size);
    let all = blocks.flat_map(|block| names(block, params));
    all.map(|(name, (inode, _))| (String::from_utf8(name).unwrap(), inode))
        .collect()
}

fn expected_names(files: &[String]) -> Vec<String> {
    let dots = [".".to_string(), "..".to_string()];
    let mut all = [&dots, files].concat();
    all.sort();
    all
}

#[test]
fn directories_of_mke2fs_are_read() {
    for (block_size, feature) in [(1024, true), (2048, true), (4096, true), (1024, false)] {
        let files = file_names(100);
        let option = if feature { "filetype" } else { "^filetype" };
        let image = image_with(block_size, &["-O", option], &files);
        let content = image.content("/d");
        let params = Params {
            has_file_type: feature,
            ..IMAGE
        };
        let found = all_names(&content, block_size, params);
        assert!(found.keys().eq(&expected_names(&files)));
        assert_eq!(found["0-"], image.inode("/d/0-"));

        let first_block = &content[..block_size];
        let dots = dir::check_first(first_block, params).unwrap();
        assert_eq!((dots.own, dots.parent), (image.inode("/d"), 2));
        let file = dir::find(first_block, params, b"0-").unwrap();
        let known = file.map(|file| file.file_type);
        if let Some(known) = known {
            assert_eq!(known, feature.then_some(FileType::Regular));
        }
    }
}

#[test]
fn indexed_directories_are_read_linearly() {
    // Enough blocks that the index has an inner level.
    let files: Vec<_> = (0..900)
        .map(|n| format!("{n}-{}", "x".repeat(230)))
        .collect();
    let image = image_with(1024, &["-O", "dir_index"], &files);
    image.index_directories();
    assert!(image
        .debugfs("htree_dump /d")
        .contains("Indirect levels: 1"));
    let found = all_names(&image.content("/d"), 1024, IMAGE);
    assert!(found.keys().eq(&expected_names(&files)));
}

#[test]
fn e2fsck_finds_nothing_wrong_with_directories_made_here() {
    for block_size in [1024, 4096] {
        let files = file_names(60);
        let image = image_with(block_size, &[], &files);
        let content = image.content("/d");
        let mut inodes = all_names(&content, block_size, IMAGE);
        let own = inodes.remove(".").unwrap();
        let parent = inodes.remove("..").unwrap();

        // The same number of blocks with the same files under other names: made, half of them
        // removed, made again.
        let count = content.len() / block_size;
        let mut blocks = vec![empty(block_size); count];
        dir::first_block(&mut blocks[0], IMAGE, own, parent).unwrap();
        let enter = |blocks: &mut Vec<Vec<u8>>, bytes: &str, inode| {
            let done = blocks.iter_mut().any(|block| {
                let name = name(bytes.as_bytes());
                dir::insert(block, IMAGE, name, inode, FileType::Regular)
                    .unwrap()
                    .is_some()
            });
            assert!(done);
        };
        let mut expected = vec![".".to_string(), "..".to_string()];
        for (n, (_, inode)) in inodes.iter().enumerate() {
            enter(&mut blocks, &format!("first-{n}"), *inode);
        }
        for (n, (_, inode)) in inodes.iter().enumerate() {
            let old = format!("first-{n}");
            if n % 2 == 0 {
                expected.push(old);
                continue;
            }
            for block in &mut blocks {
                if let Some(found) = dir::find(block, IMAGE, old.as_bytes()).unwrap() {
                    dir::remove(block, IMAGE, found.offset).unwrap();
                }
            }
            let new = format!("n-{n}-{}", "y".repeat(n % 20));
            enter(&mut blocks, &new, *inode);
            expected.push(new);
        }
        for (number, block) in image.blocks("/d").into_iter().zip(&blocks) {
            image.write_block(number, block);
        }
        image.assert_clean();
        expected.sort();
        let listed = image.debugfs("ls -p /d");
        let mut listed: Vec<_> = listed
            .lines()
            .filter_map(|line| line.split('/').nth(5))
            // Unused entries.
            .filter(|name| !name.is_empty())
            .map(ToString::to_string)
            .collect();
        listed.sort();
        assert_eq!(listed, expected);
    }
}

#[test]
fn e2fsck_complains_of_what_is_complained_of_here() {
    let image = image_with(1024, &[], &file_names(5));
    let number = image.blocks("/d")[0];
    let good = image.read_block(number);
    for (offset, byte) in [(4, 0), (4, 14), (16, 8), (30, 0), (33, b'/'), (27, 0x80)] {
        let mut block = good.clone();
        block[offset] = byte;
        assert!(dir::check(&block, IMAGE).is_err());
        image.write_block(number, &block);
        let verdict = std::panic::catch_unwind(|| image.assert_clean());
        assert!(verdict.is_err());
    }
    image.write_block(number, &good);
    image.assert_clean();
}
