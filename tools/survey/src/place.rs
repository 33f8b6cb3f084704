// SPDX-License-Identifier: GPL-2.0

//! What is stored where: the kind of block that a violation is in.

use crate::cell::Site;
use crate::disk::Record;
use crate::fat;
use crate::shell;
use crate::subject::Subject;
use crate::way::Way;
use std::time::Duration;

/// What a file of a filesystem is that has a device on top in it.
pub(crate) const BELOW: &str = "file below the device";

/// How long it may take to look something up.
const LOOKUP: Duration = Duration::from_secs(20);

/// What it is, as well as it can be said.
pub(crate) fn of(record: &Record, site: &Site<'_>, way: Way) -> String {
    let subject = site.subject;
    let direct = [Way::Direct, Way::IoUring].contains(&way);
    match (record.kind.as_str(), record.inode) {
        // The filesystem is on the disk itself, where the device on top isn't.
        ("file", Some(_)) if record.on_disk() && !site.is_top(&record.disk) => BELOW.to_owned(),
        ("file", Some(inode)) => subject
            .inodes
            .get(&inode.to_string())
            .cloned()
            .unwrap_or_else(|| "file data".to_owned()),
        ("block device", _) if subject.raw => "data of the device".to_owned(),
        ("block device", _) => record
            .offset
            .and_then(|offset| {
                let device = record.device()?;
                of_ext(&device, offset).or_else(|| fat::of(&device, offset).map(str::to_owned))
            })
            .unwrap_or_else(|| "metadata".to_owned()),
        // What is registered with io_uring isn't pinned for each request, nor is it known of a request that came
        // by way of another driver.
        _ if record.page.direct || direct && record.page.anonymous => {
            "buffer of direct I/O".to_owned()
        }
        _ if record.page.anonymous => "anonymous memory".to_owned(),
        _ => of_stack(record, subject).unwrap_or_else(|| "memory of the kernel".to_owned()),
    }
}

/// What a stack has there that writes memory of its own, as the subject says.
fn of_stack(record: &Record, subject: &Subject) -> Option<String> {
    let sector = record.sector.to_string();
    let variables = [("DISK", record.disk.as_str()), ("SECTOR", &sector)];
    let ended = shell::script(subject.what.as_ref()?, true, &variables, LOOKUP).ok()?;
    let what = ended.output.trim();
    (ended.status == Some(0) && !what.is_empty()).then(|| what.to_owned())
}

/// What ext2, 3 and 4 have there, as e2fsprogs see it.
fn of_ext(device: &str, offset: u64) -> Option<String> {
    let ask = |program: &str, args: &[&str]| {
        let ended = shell::program(program, args, LOOKUP).ok()?;
        (ended.status == Some(0)).then_some(ended.output)
    };
    let about = ask("dumpe2fs", &[device])?;
    let size: u64 = value(&about, "Block size:")?;
    let block = offset / size;
    if let Some(found) = about.lines().find_map(|line| structure(line, block)) {
        return Some(found.to_owned());
    }
    let inode = ask("debugfs", &["-R", &format!("icheck {block}"), device])?;
    let inode = inode.lines().nth(1)?.split_whitespace().nth(1)?;
    let journal: u64 = value(&about, "Journal inode:").unwrap_or(8);
    Some(match inode.parse::<u64>() {
        Ok(inode) if inode == journal => "journal".to_owned(),
        Ok(2) => "root directory".to_owned(),
        Ok(inode) => {
            let stat = ask("debugfs", &["-R", &format!("stat <{inode}>"), device])?;
            match part(&stat, block) {
                // Of a program that has the filesystem: the kernel's has it in the file's own pages.
                "file data" => "file data".to_owned(),
                part => format!("{part} of inode {inode}"),
            }
        }
        Err(_) => "metadata".to_owned(),
    })
}

/// What an inode has in that block, by what debugfs says of it:
/// `Inode: 12   Type: directory ...`, `File ACL: 38 ...`, `(ETB0):33, (IND):44, (0-1):34-35`.
fn part(stat: &str, block: u64) -> &'static str {
    let block = block.to_string();
    let after = |key: &str| {
        let (_, rest) = stat.split_once(key)?;
        rest.split_whitespace().next()
    };
    let map = |word: &str| {
        let word = word.trim_end_matches(',');
        let (name, at) = word.split_once("):").unwrap_or_default();
        at == block
            && ["(ETB", "(IND", "(DIND", "(TIND"]
                .iter()
                .any(|kind| name.starts_with(kind))
    };
    if after("File ACL:") == Some(&block) {
        "attributes"
    } else if stat.split_whitespace().any(map) {
        "block map"
    } else {
        match after("Type:") {
            Some("directory") => "directory",
            Some("regular") => "file data",
            _ => "metadata",
        }
    }
}

fn value(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().parse().ok()
}

/// What a line of dumpe2fs says that the block is, if it says so:
/// `  Primary superblock at 0, Group descriptors at 1-1`, `  Inode table at 38-549 (+38)`.
fn structure(line: &str, block: u64) -> Option<&'static str> {
    const KINDS: [(&str, &str); 5] = [
        ("superblock at ", "superblock"),
        ("Group descriptors at ", "group descriptors"),
        ("Block bitmap at ", "block bitmap"),
        ("Inode bitmap at ", "inode bitmap"),
        ("Inode table at ", "inode table"),
    ];
    KINDS.into_iter().find_map(|(text, kind)| {
        let (_, rest) = line.split_once(text)?;
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-');
        let range = rest.get(..end.unwrap_or(rest.len()))?;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let range = first.parse::<u64>().ok()?..=last.parse().ok()?;
        range.contains(&block).then_some(kind)
    })
}

#[cfg(test)]
mod tests {
    use super::{part, structure};

    #[test]
    fn lines_of_dumpe2fs() {
        let first = "  Primary superblock at 0, Group descriptors at 1-2";
        let table = "  Inode table at 38-549 (+38)";
        assert_eq!(structure(first, 0), Some("superblock"));
        assert_eq!(structure(first, 2), Some("group descriptors"));
        assert_eq!(structure(first, 3), None);
        assert_eq!(structure(table, 549), Some("inode table"));
        assert_eq!(structure(table, 550), None);
        assert_eq!(
            structure("  Block bitmap at 5 (+5), csum 0x1", 5),
            Some("block bitmap")
        );
        assert_eq!(structure("  5 free blocks", 5), None);
    }

    #[test]
    fn what_debugfs_says_of_an_inode() {
        let stat = "Inode: 12   Type: regular    Mode:  0644\nFile ACL: 38\nEXTENTS:\n(ETB0):33, (0-1):34-35\n";
        assert_eq!(part(stat, 38), "attributes");
        assert_eq!(part(stat, 33), "block map");
        assert_eq!(part(stat, 34), "file data");
        assert_eq!(part(&stat.replace("regular", "directory"), 35), "directory");
    }
}
