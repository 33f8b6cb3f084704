// SPDX-License-Identifier: GPL-2.0

//! What FAT and exFAT have where on a device, by its boot sector. The pages of the device itself are metadata: file
//! data is in the files' own.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// More clusters of a directory than these aren't looked for: it may be a circle.
const LONGEST: usize = 1024;

/// What is there, if the device has one of them.
pub(crate) fn of(device: &str, offset: u64) -> Option<&'static str> {
    let file = File::open(device).ok()?;
    let read = |at, length| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at).ok()?;
        Some(bytes)
    };
    part(&Bytes(&read), offset)
}

/// Reads so many bytes from there.
struct Bytes<'a>(&'a dyn Fn(u64, usize) -> Option<Vec<u8>>);

impl Bytes<'_> {
    /// A number in so many bytes, the least first.
    fn number(&self, at: u64, length: usize) -> Option<u64> {
        let bytes = (self.0)(at, length)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |number, &byte| (number << 8) | u64::from(byte)),
        )
    }
}

/// The clusters, and the table that chains them. In bytes.
struct Clusters {
    table: u64,
    /// Of an entry of the table; only these bits of it count.
    mask: u64,
    /// Where the first of them is, which has number 2.
    begin: u64,
    size: u64,
}

impl Clusters {
    fn at(&self, offset: u64) -> u64 {
        2 + (offset - self.begin) / self.size
    }

    /// Those of what begins with that one.
    fn chain(&self, bytes: &Bytes<'_>, first: u64) -> Vec<u64> {
        let next = |&cluster: &u64| {
            let entry = bytes.number(self.table + 4 * cluster, 4)? & self.mask;
            // Bad ones and ends are the highest.
            (2..self.mask - 15).contains(&entry).then_some(entry)
        };
        std::iter::successors(Some(first).filter(|&first| first >= 2), next)
            .take(LONGEST)
            .collect()
    }
}

fn part(bytes: &Bytes<'_>, offset: u64) -> Option<&'static str> {
    if bytes.number(510, 2)? != 0xaa55 {
        return None;
    }
    if (bytes.0)(3, 8)? == b"EXFAT   " {
        of_exfat(bytes, offset)
    } else {
        of_fat(bytes, offset)
    }
}

/// Of FAT12, 16 and 32: reserved sectors, the tables, the root directory of the former two, clusters.
fn of_fat(bytes: &Bytes<'_>, offset: u64) -> Option<&'static str> {
    let number = |at, length| bytes.number(at, length);
    let (sector, size) = (number(11, 2)?, number(13, 1)?);
    let (reserved, tables, entries) = (number(14, 2)?, number(16, 1)?, number(17, 2)?);
    // What else ends with that number, a partition table, say.
    if !(sector.is_power_of_two() && size.is_power_of_two() && reserved > 0 && tables > 0) {
        return None;
    }
    let short = number(22, 2)?;
    let is_32 = short == 0;
    let table = if is_32 { number(36, 4)? } else { short };
    let root = reserved + tables * table;
    let clusters = Clusters {
        table: reserved * sector,
        mask: 0x0fff_ffff,
        begin: (root + (entries * 32).div_ceil(sector)) * sector,
        size: size * sector,
    };
    let is_root = |cluster| Some(clusters.chain(bytes, number(44, 4)?).contains(&cluster));
    let at = offset / sector;
    Some(if at < reserved {
        match at {
            0 => "boot sector",
            _ if is_32 && at == number(50, 2)? => "boot sector",
            _ if is_32 && at == number(48, 2)? => "FSInfo",
            _ => "reserved sectors",
        }
    } else if at < root {
        "FAT"
    } else if offset < clusters.begin || is_32 && is_root(clusters.at(offset))? {
        "root directory"
    } else {
        "directory"
    })
}

/// The boot region and a copy of it, the tables, clusters. What these have the root directory says.
fn of_exfat(bytes: &Bytes<'_>, offset: u64) -> Option<&'static str> {
    let number = |at, length| bytes.number(at, length);
    let (sector, more) = (number(108, 1)?, number(109, 1)?);
    // Sectors of up to 4 KiB, clusters of up to 32 MiB.
    if sector > 12 || sector + more > 25 {
        return None;
    }
    let (sector, size) = (1 << sector, 1 << (sector + more));
    let clusters = Clusters {
        table: number(80, 4)? * sector,
        mask: 0xffff_ffff,
        begin: number(88, 4)? * sector,
        size,
    };
    if offset < clusters.begin {
        let tables = number(84, 4)? * number(110, 1)? * sector;
        return Some(match offset / sector {
            0 | 12 => "boot sector",
            1..24 => "boot region",
            _ if (clusters.table..clusters.table + tables).contains(&offset) => "FAT",
            _ => "alignment",
        });
    }
    let at = clusters.at(offset);
    let root = clusters.chain(bytes, number(96, 4)?);
    if root.contains(&at) {
        return Some("root directory");
    }
    for cluster in root {
        let directory = (bytes.0)(clusters.begin + (cluster - 2) * size, size.try_into().ok()?)?;
        for entry in directory.chunks_exact(32) {
            let kind = match entry.first()? {
                0 => return Some("directory"),
                0x81 => "allocation bitmap",
                0x82 => "up-case table",
                _ => continue,
            };
            let first = u64::from(u32::from_le_bytes(entry.get(20..24)?.try_into().ok()?));
            let length = u64::from_le_bytes(entry.get(24..32)?.try_into().ok()?);
            // mkfs makes them first of all, in one piece.
            if (first..first + length.div_ceil(size)).contains(&at) {
                return Some(kind);
            }
        }
    }
    Some("directory")
}

#[cfg(test)]
mod tests {
    use super::{part, Bytes};

    /// An image, of nothing but these bytes at these places.
    fn image(pieces: &[(usize, &[u8])]) -> Vec<u8> {
        let mut image = vec![0; 64 << 10];
        for (at, bytes) in pieces {
            image[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        image
    }

    fn named(image: &[u8], offset: u64) -> Option<&'static str> {
        let read = |at: u64, length: usize| {
            let at = usize::try_from(at).ok()?;
            Some(image.get(at..at + length)?.to_vec())
        };
        part(&Bytes(&read), offset)
    }

    fn check(image: &[u8], all: &[(u64, &str)]) {
        for &(offset, what) in all {
            assert_eq!(named(image, offset), Some(what), "at {offset}");
        }
    }

    #[test]
    fn fat32() {
        // 32 reserved sectors, two tables of 2 sectors, clusters of 1 KiB from sector 36 on; 2 and 5 are the root.
        let image = image(&[
            (11, &[0, 2, 2, 32, 0, 2]),
            (36, &[2]),
            (44, &[2, 0, 0, 0, 1, 0, 6]),
            (510, &[0x55, 0xaa]),
            (32 * 512 + 8, &[5, 0, 0, 0]),
            (32 * 512 + 20, &[0xff, 0xff, 0xff, 0x0f]),
        ]);
        check(
            &image,
            &[
                (511, "boot sector"),
                (512, "FSInfo"),
                (2 * 512, "reserved sectors"),
                (6 * 512, "boot sector"),
                (32 * 512, "FAT"),
                (36 * 512 - 1, "FAT"),
                (36 * 512, "root directory"),
                (36 * 512 + 1024, "directory"),
                (36 * 512 + 3 * 1024, "root directory"),
            ],
        );
    }

    #[test]
    fn fat16() {
        // A reserved sector, two tables of 3 sectors, a root directory of 32 entries, clusters from sector 9 on.
        let image = image(&[
            (11, &[0, 2, 1, 1, 0, 2, 32, 0]),
            (22, &[3]),
            (510, &[0x55, 0xaa]),
        ]);
        check(
            &image,
            &[
                (0, "boot sector"),
                (512, "FAT"),
                (7 * 512, "root directory"),
                (9 * 512 - 1, "root directory"),
                (9 * 512, "directory"),
            ],
        );
    }

    #[test]
    fn exfat() {
        // A table of a sector at 24, clusters of 1 KiB from sector 32 on: bitmap, up-case table (two), root directory.
        let mut image = image(&[
            (3, b"EXFAT   "),
            (80, &[24, 0, 0, 0, 1, 0, 0, 0, 32]),
            (96, &[5]),
            (108, &[9, 1, 1]),
            (510, &[0x55, 0xaa]),
            (24 * 512 + 20, &[0xff; 4]),
        ]);
        let root = 32 * 512 + 3 * 1024;
        image[root] = 0x83;
        for (at, kind, first, length) in [(1, 0x81, 2, 7_u16), (2, 0x82, 3, 1025)] {
            let entry = &mut image[root + at * 32..][..32];
            entry[0] = kind;
            entry[20] = first;
            entry[24..26].copy_from_slice(&length.to_le_bytes());
        }
        check(
            &image,
            &[
                (0, "boot sector"),
                (11 * 512, "boot region"),
                (12 * 512, "boot sector"),
                (24 * 512 + 4, "FAT"),
                (25 * 512, "alignment"),
                (32 * 512, "allocation bitmap"),
                (32 * 512 + 2 * 1024, "up-case table"),
                (root as u64, "root directory"),
                (root as u64 + 1024, "directory"),
            ],
        );
    }

    #[test]
    fn what_is_none_of_them_has_no_name() {
        assert_eq!(named(&image(&[]), 0), None);
        assert_eq!(named(&image(&[(510, &[0x55, 0xaa])]), 0), None);
        assert_eq!(named(&[], 0), None);
    }

    #[test]
    fn a_circle_ends() {
        let image = image(&[
            (11, &[0, 2, 2, 32, 0, 2]),
            (36, &[2]),
            (44, &[2]),
            (510, &[0x55, 0xaa]),
            (32 * 512 + 8, &[2]),
        ]);
        assert_eq!(named(&image, 36 * 512 + 1024), Some("directory"));
    }
}
