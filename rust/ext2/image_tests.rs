// SPDX-License-Identifier: GPL-2.0

//! File systems that mke2fs made, compared with what dumpe2fs and debugfs say of them.

extern crate std;

use crate::{
    bitmap,
    group::{self, Descriptor},
    inode::{FileType, Inode, Parsed},
    le, path,
    superblock::{self, Block, Group, Ino, OnError, Superblock},
    Structure,
};
use std::{
    env, format, fs,
    path::PathBuf,
    process::{self, Command},
    string::{String, ToString},
    vec::Vec,
};

/// A file system in a file, which goes when this does.
struct Image {
    directory: PathBuf,
    bytes: Vec<u8>,
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// What a program of e2fsprogs prints.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = [program.to_string(), format!("/usr/sbin/{program}")]
        .into_iter()
        .find_map(|program| Command::new(program).args(arguments).output().ok())
        .unwrap_or_else(|| panic!("{program} not found: this test needs e2fsprogs"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Image {
    /// Makes an image of `size` bytes, with files in it.
    fn new(name: &str, size: u64, options: &[&str]) -> Self {
        let directory = env::temp_dir().join(format!("ext2-test-{}-{name}", process::id()));
        let files = directory.join("files");
        fs::create_dir_all(files.join("dir/dir")).unwrap();
        fs::write(files.join("small"), b"contents").unwrap();
        // Through the direct pointers, the indirect block, and into the double indirect one.
        fs::write(files.join("large"), std::vec![0x5a; 300 * 4096]).unwrap();
        let hole = fs::File::create(files.join("hole")).unwrap();
        hole.set_len(5 << 20).unwrap();
        std::os::unix::fs::symlink("target", files.join("fast")).unwrap();
        std::os::unix::fs::symlink("x".repeat(200), files.join("slow")).unwrap();
        let mut image = Self {
            directory,
            bytes: Vec::new(),
        };
        let file = fs::File::create(image.file()).unwrap();
        file.set_len(size).unwrap();
        let source = files.to_str().unwrap();
        let mut arguments = std::vec!["-q", "-t", "ext2", "-L", "a label", "-d", source];
        arguments.extend(options);
        let target = image.file();
        arguments.push(&target);
        run("mke2fs", &arguments);
        run("debugfs", &["-w", "-R", "mknod disk b 8 300", &target]);
        run("debugfs", &["-w", "-R", "mknod null c 1 3", &target]);
        image.bytes = fs::read(&target).unwrap();
        image
    }

    fn file(&self) -> String {
        let path = self.directory.join("image");
        path.to_str().unwrap().to_string()
    }

    /// What debugfs says to `command`.
    fn debugfs(&self, command: &str) -> String {
        run("debugfs", &["-R", command, &self.file()])
    }

    fn superblock(&self) -> Superblock {
        let bytes = &self.bytes[superblock::OFFSET as usize..];
        Superblock::parse(bytes, self.bytes.len() as u64).unwrap()
    }

    fn block(&self, superblock: &Superblock, block: Block) -> &[u8] {
        let size = superblock.block_size().bytes() as usize;
        &self.bytes[block.get() as usize * size..][..size]
    }

    fn descriptor(&self, superblock: &Superblock, group: Group) -> Descriptor {
        let (block, offset) = superblock.descriptor_location(group);
        let bytes = &self.block(superblock, block)[offset as usize..][..group::SIZE];
        Descriptor::parse(bytes, superblock, group).unwrap()
    }

    fn raw_inode(&self, superblock: &Superblock, ino: Ino) -> &[u8] {
        let place = superblock.inode_location(ino);
        let table = self.descriptor(superblock, place.group);
        let block = table.inode_table_block(superblock, place.block).unwrap();
        &self.block(superblock, block)[place.offset as usize..]
    }

    fn inode(&self, superblock: &Superblock, ino: Ino) -> Inode {
        match Inode::parse(self.raw_inode(superblock, ino), superblock).unwrap() {
            Parsed::InUse(inode) => inode,
            Parsed::Deleted => panic!("{ino:?} is deleted"),
        }
    }

    /// The blocks of a file's data, by its pointers. 0 is a hole.
    fn blocks(&self, superblock: &Superblock, inode: &Inode) -> Vec<u32> {
        let size = superblock.block_size();
        let count = inode.size.div_ceil(size.bytes().into());
        let mut blocks = Vec::new();
        while (blocks.len() as u64) < count {
            let path = path::Path::new(size, blocks.len() as u64).unwrap();
            let (last, before) = path.offsets().split_last().unwrap();
            let mut row: Option<&[u8]> = None;
            let mut hole = false;
            for offset in before {
                let pointer = match row {
                    None => inode.block[*offset as usize],
                    Some(bytes) => path::pointer(bytes, *offset).unwrap(),
                };
                if pointer == 0 {
                    hole = true;
                    break;
                }
                let block = superblock.data_block(pointer, Structure::Inode).unwrap();
                row = Some(self.block(superblock, block));
            }
            let max = u64::from(path.run()).min(count - blocks.len() as u64) as u32;
            let run = match row {
                _ if hole => path::Run { block: 0, len: max },
                None => path::run_in(&inode.block[..12], *last, max).unwrap(),
                Some(bytes) => path::run(bytes, *last, max).unwrap(),
            };
            for index in 0..run.len {
                blocks.push(if run.block == 0 { 0 } else { run.block + index });
            }
        }
        blocks
    }
}

/// What comes after `name` in a line of dumpe2fs's, without spaces around it.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("dumpe2fs says nothing of {name}"))
        .trim()
}

fn number(text: &str, name: &str) -> u32 {
    let value = field(text, name);
    value
        .parse()
        .unwrap_or_else(|_| panic!("{name} is {value}"))
}

/// The numbers in a text.
fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

fn compare_superblock(superblock: &Superblock, text: &str) {
    let number = |name| number(text, name);
    assert_eq!(superblock.inodes_count(), number("Inode count"));
    assert_eq!(superblock.blocks_count(), number("Block count"));
    assert_eq!(superblock.reserved_blocks(), number("Reserved block count"));
    assert_eq!(superblock.free_blocks(), number("Free blocks"));
    assert_eq!(superblock.free_inodes(), number("Free inodes"));
    assert_eq!(superblock.first_data_block(), number("First block"));
    assert_eq!(superblock.block_size().bytes(), number("Block size"));
    assert_eq!(
        superblock.blocks_per_group().get(),
        number("Blocks per group")
    );
    assert_eq!(
        superblock.inodes_per_group().get(),
        number("Inodes per group")
    );
    assert_eq!(
        superblock.inode_table_blocks(),
        number("Inode blocks per group")
    );
    if superblock.revision() == 0 {
        assert_eq!(superblock.inode_size(), 128);
    } else {
        assert_eq!(superblock.inode_size(), number("Inode size"));
        assert_eq!(superblock.first_ino(), number("First inode"));
    }
    assert_eq!(field(text, "Filesystem volume name"), "a label");
    assert_eq!(superblock.volume_name(), b"a label");
    assert_eq!(field(text, "Filesystem state"), "clean");
    assert!(superblock.state().is_clean() && !superblock.state().has_errors());
    assert_eq!(field(text, "Errors behavior"), "Continue");
    assert_eq!(superblock.on_error(), OnError::Continue);
    assert_eq!(u32::from(superblock.mount_count()), number("Mount count"));
    assert_eq!(superblock.max_mount_count(), None);
    let options = field(text, "Default mount options");
    assert_eq!(
        superblock.default_options().user_xattr(),
        options.contains("user_xattr")
    );
    assert_eq!(superblock.default_options().acl(), options.contains("acl"));

    let uuid = field(text, "Filesystem UUID").replace('-', "");
    let uuid = u128::from_str_radix(&uuid, 16).unwrap();
    assert_eq!(superblock.uuid(), uuid.to_be_bytes());

    let all = [
        superblock.compat().features(),
        superblock.incompat().features(),
        superblock.ro_compat().features(),
    ];
    let mut ours: Vec<_> = all
        .into_iter()
        .flatten()
        .map(|feature| feature.to_string())
        .collect();
    let mut theirs: Vec<_> = field(text, "Filesystem features")
        .split(' ')
        .filter(|feature| *feature != "(none)")
        .map(String::from)
        .collect();
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
    if superblock.reserved_descriptor_blocks() != 0 {
        let reserved = number("Reserved GDT blocks");
        assert_eq!(superblock.reserved_descriptor_blocks(), reserved);
    }
}

fn compare_groups(image: &Image, superblock: &Superblock, text: &str) {
    let sections: Vec<_> = text.split("\nGroup ").skip(1).collect();
    assert_eq!(sections.len(), superblock.groups().get() as usize);
    let mut free_blocks = 0;
    for (group, section) in superblock.all_groups().zip(sections) {
        let (first, last) = {
            let numbers = numbers(section.lines().next().unwrap());
            assert_eq!(numbers[0], group.get());
            (numbers[1], numbers[2])
        };
        assert_eq!(superblock.first_block(group).get(), first);
        assert_eq!(superblock.blocks_in_group(group), last - first + 1);
        assert_eq!(superblock.has_super(group), section.contains("superblock"));

        let descriptor = image.descriptor(superblock, group);
        let start = |name: &str| {
            let line = section.lines().find(|line| line.contains(name)).unwrap();
            numbers(&line[line.find(name).unwrap()..])[0]
        };
        assert_eq!(descriptor.block_bitmap().get(), start("Block bitmap at"));
        assert_eq!(descriptor.inode_bitmap().get(), start("Inode bitmap at"));
        assert_eq!(descriptor.inode_table().get(), start("Inode table at"));
        let counts = section
            .lines()
            .find(|line| line.contains("directories"))
            .map(numbers)
            .unwrap();
        assert_eq!(
            [
                descriptor.free_blocks,
                descriptor.free_inodes,
                descriptor.used_dirs
            ]
            .map(u32::from),
            counts[..3]
        );

        let blocks = image.block(superblock, descriptor.block_bitmap());
        let bits = superblock.blocks_in_group(group);
        assert_eq!(bitmap::count_zeros(blocks, bits), counts[0]);
        let check = descriptor.check_block_bitmap(superblock, group, blocks);
        assert_eq!(check, Ok(()));
        let inodes = image.block(superblock, descriptor.inode_bitmap());
        let bits = superblock.inodes_per_group().get();
        assert_eq!(bitmap::count_zeros(inodes, bits), counts[1]);
        free_blocks += counts[0];

        // The free ranges, one after the other.
        let free = section
            .lines()
            .find_map(|line| line.trim().strip_prefix("Free blocks:"))
            .unwrap();
        let mut from = 0;
        for range in free.split(',').filter(|range| !range.trim().is_empty()) {
            let ends = numbers(range);
            let (first, last) = (ends[0], *ends.last().unwrap());
            let bits = superblock.blocks_in_group(group);
            let start = bitmap::find_next_zero(blocks, from, bits).unwrap();
            let end = bitmap::find_next_one(blocks, start, bits).unwrap_or(bits);
            let (_, first) =
                superblock.group_of(superblock.data_block(first, Structure::Inode).unwrap());
            let (_, last) =
                superblock.group_of(superblock.data_block(last, Structure::Inode).unwrap());
            assert_eq!((start, end), (first, last + 1));
            from = end;
        }
        assert_eq!(
            bitmap::find_next_zero(blocks, from, superblock.blocks_in_group(group)),
            None
        );
    }
    assert_eq!(free_blocks, superblock.free_blocks());
}

fn compare_files(image: &Image, superblock: &Superblock) {
    for (name, kind) in [
        ("/", FileType::Directory),
        ("dir/dir", FileType::Directory),
        ("lost+found", FileType::Directory),
        ("small", FileType::Regular),
        ("large", FileType::Regular),
        ("hole", FileType::Regular),
        ("fast", FileType::Symlink),
        ("slow", FileType::Symlink),
        ("disk", FileType::BlockDevice),
        ("null", FileType::CharDevice),
    ] {
        let text = image.debugfs(&format!("stat {name}"));
        let after = |name: &str| {
            let at = text.find(name).unwrap_or_else(|| panic!("{name}: {text}"));
            text[at + name.len()..]
                .split_whitespace()
                .next()
                .unwrap_or("")
        };
        let line = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.trim_start().strip_prefix(name))
        };
        let ino = superblock
            .named_ino(after("Inode:").parse().unwrap())
            .unwrap();
        let place = image.debugfs(&format!("imap <{}>", ino.get()));
        let location = superblock.inode_location(ino);
        let table = image.descriptor(superblock, location.group);
        let block = table.inode_table_block(superblock, location.block).unwrap();
        assert!(
            place.contains(&format!(
                "located at block {}, offset {:#06x}",
                block.get(),
                location.offset
            )),
            "{place}"
        );

        let inode = image.inode(superblock, ino);
        assert_eq!(inode.kind, kind, "{name}");
        let mode = u16::from_str_radix(after("Mode:"), 8).unwrap();
        assert_eq!(inode.permissions, mode);
        assert_eq!(inode.uid.to_string(), after("User:"));
        assert_eq!(inode.gid.to_string(), after("Group:"));
        assert_eq!(inode.links.to_string(), after("Links:"));
        assert_eq!(inode.sectors.to_string(), after("Blockcount:"));
        assert_eq!(inode.flags.bits(), parse_hex(after("Flags:")));
        if inode.device().is_none() {
            assert_eq!(inode.size.to_string(), after("Size:"), "{name}");
        }
        for (name, time) in [
            ("ctime: ", Some(inode.ctime)),
            ("atime: ", Some(inode.atime)),
            ("mtime: ", Some(inode.mtime)),
            ("crtime: ", inode.crtime),
        ] {
            let Some(time) = time else {
                assert_eq!(line(name), None);
                continue;
            };
            let (low, extra) = time.encode();
            let expected = match inode.crtime {
                Some(_) => format!("{low:#010x}:{extra:08x}"),
                None => format!("{low:#010x}"),
            };
            assert_eq!(
                line(name).and_then(|line| line.split(' ').next()),
                Some(&*expected)
            );
        }

        // Writing what was read changes nothing.
        let before = &image.raw_inode(superblock, ino)[..superblock.inode_size() as usize];
        let mut written = before.to_vec();
        inode.encode(&mut written).unwrap();
        assert_eq!(written, before, "{name}");

        if kind == FileType::Symlink {
            assert_eq!(inode.is_fast_symlink(superblock), name == "fast");
        }
        match kind {
            FileType::Symlink if name == "fast" => {
                let target = inode.fast_target();
                assert_eq!(target[..inode.size as usize], *b"target");
            }
            FileType::BlockDevice | FileType::CharDevice => {
                let device = inode.device().unwrap();
                let expected = if name == "disk" { (8, 300) } else { (1, 3) };
                assert_eq!((device.major(), device.minor()), expected);
            }
            _ => {
                // All blocks, with the indirect ones, which come first in the file's order.
                let theirs = numbers(&image.debugfs(&format!("blocks {name}")));
                let ours = image.blocks(superblock, &inode);
                let data: Vec<_> = ours.into_iter().filter(|block| *block != 0).collect();
                let of_data: Vec<_> = theirs
                    .iter()
                    .copied()
                    .filter(|b| data.contains(b))
                    .collect();
                assert_eq!(data, of_data, "{name}");
                let sectors = superblock.block_size().sectors() as usize;
                assert_eq!(theirs.len() * sectors, inode.sectors as usize, "{name}");
                let bytes = superblock.block_size().bytes() as usize;
                if name == "large" {
                    assert_eq!(data.len() * bytes, 300 * 4096);
                    assert!(data.iter().all(|block| {
                        let block = superblock.data_block(*block, Structure::Inode).unwrap();
                        image.block(superblock, block) == std::vec![0x5a; bytes]
                    }));
                }
            }
        }
    }
}

fn parse_hex(text: &str) -> u32 {
    u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

fn compare(name: &str, size: u64, options: &[&str]) {
    let image = Image::new(name, size, options);
    let superblock = image.superblock();
    assert_eq!(superblock.read_only_because(), None);
    let text = run("dumpe2fs", &[&image.file()]);
    compare_superblock(&superblock, &text);
    compare_groups(&image, &superblock, &text);
    compare_files(&image, &superblock);
}

#[test]
fn blocks_of_1_kib() {
    compare("1k", 20 << 20, &["-b", "1024"]);
}

#[test]
fn blocks_of_2_kib_and_small_inodes() {
    compare("2k", 40 << 20, &["-b", "2048", "-I", "128"]);
}

#[test]
fn blocks_of_4_kib_and_large_inodes() {
    compare("4k", 200 << 20, &["-b", "4096", "-I", "1024"]);
}

#[test]
fn revision_0() {
    compare("rev0", 20 << 20, &["-b", "1024", "-E", "revision=0"]);
}

#[test]
fn many_small_groups_and_no_sparse_super() {
    let options = [
        "-b",
        "1024",
        "-g",
        "1024",
        "-O",
        "^sparse_super,^resize_inode",
    ];
    compare("small-groups", 20 << 20, &options);
}

#[test]
fn a_journal_that_need_not_be_replayed() {
    compare("journal", 20 << 20, &["-b", "1024", "-O", "has_journal"]);
}

#[test]
fn edits_are_understood_by_e2fsprogs() {
    let mut image = Image::new("edits", 20 << 20, &["-b", "1024"]);
    let superblock = image.superblock();

    let mut raw = image.raw_inode(&superblock, Ino::ROOT)[..256].to_vec();
    let mut root = image.inode(&superblock, Ino::ROOT);
    root.permissions = 0o1777;
    root.uid = 0x1_2345;
    root.mtime.seconds = 1 << 33;
    root.mtime.nanoseconds = 123;
    root.encode(&mut raw).unwrap();
    let place = superblock.inode_location(Ino::ROOT);
    let table = image.descriptor(&superblock, place.group);
    let block = table.inode_table_block(&superblock, place.block).unwrap();
    let at = block.get() as usize * 1024 + place.offset as usize;
    image.bytes[at..at + 256].copy_from_slice(&raw);

    let bytes = &mut image.bytes[superblock::OFFSET as usize..];
    let mut edit = superblock::Edit::new(bytes).unwrap();
    edit.mount_count(17);
    edit.last_mounted(b"/mnt/somewhere");
    edit.last_orphan(superblock.orphan(12).unwrap());
    edit.state(superblock.state().with_errors());
    assert_eq!(le::get_u32(bytes, 232), Some(12));
    fs::write(image.file(), &image.bytes).unwrap();

    let text = run("dumpe2fs", &["-h", &image.file()]);
    assert_eq!(field(&text, "Mount count"), "17");
    assert_eq!(field(&text, "Last mounted on"), "/mnt/somewhere");
    assert_eq!(field(&text, "First orphan inode"), "12");
    assert_eq!(field(&text, "Filesystem state"), "clean with errors");
    let text = image.debugfs("stat /");
    assert!(text.contains("Mode:  01777"), "{text}");
    assert!(text.contains(&format!("User: {}", 0x1_2345)), "{text}");
    assert!(text.contains("mtime: 0x00000000:000001ee"), "{text}");
}
