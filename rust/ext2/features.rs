// SPDX-License-Identifier: GPL-2.0

//! Feature bits: what a file system has that the first ext2 had not.
//!
//! C: `EXT2_FEATURE_*` (`fs/ext2/ext2.h`), `EXT4_FEATURE_*` (`fs/ext4/ext4.h`). There are three
//! sets. Who doesn't know a bit may ignore it ([`Compat`]), may only read ([`RoCompat`]), or may
//! not touch the file system ([`Incompat`]). All bits that have a name are named, so that a message
//! can say what it is that isn't supported.

use core::fmt;

/// One of the three sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// May be ignored.
    Compat,
    /// Must be known for any access.
    Incompat,
    /// Must be known for writing.
    RoCompat,
}

impl Set {
    /// What documentation calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compat => "compat",
            Self::Incompat => "incompat",
            Self::RoCompat => "ro_compat",
        }
    }

    /// The bits that have names, with those that e2fsprogs gives them.
    const fn known(self) -> &'static [(u32, &'static str)] {
        match self {
            Self::Compat => &[
                (0x0001, "dir_prealloc"),
                (0x0002, "imagic_inodes"),
                (0x0004, "has_journal"),
                (0x0008, "ext_attr"),
                (0x0010, "resize_inode"),
                (0x0020, "dir_index"),
                (0x0040, "lazy_bg"),
                (0x0080, "exclude_inode"),
                (0x0100, "snapshot_bitmap"),
                (0x0200, "sparse_super2"),
                (0x0400, "fast_commit"),
                (0x0800, "stable_inodes"),
                (0x1000, "orphan_file"),
            ],
            Self::Incompat => &[
                (0x0001, "compression"),
                (0x0002, "filetype"),
                (0x0004, "needs_recovery"),
                (0x0008, "journal_dev"),
                (0x0010, "meta_bg"),
                (0x0040, "extent"),
                (0x0080, "64bit"),
                (0x0100, "mmp"),
                (0x0200, "flex_bg"),
                (0x0400, "ea_inode"),
                (0x1000, "dirdata"),
                (0x2000, "metadata_csum_seed"),
                (0x4000, "large_dir"),
                (0x8000, "inline_data"),
                (0x0001_0000, "encrypt"),
                (0x0002_0000, "casefold"),
            ],
            Self::RoCompat => &[
                (0x0001, "sparse_super"),
                (0x0002, "large_file"),
                (0x0004, "btree_dir"),
                (0x0008, "huge_file"),
                (0x0010, "uninit_bg"),
                (0x0020, "dir_nlink"),
                (0x0040, "extra_isize"),
                (0x0080, "snapshot"),
                (0x0100, "quota"),
                (0x0200, "bigalloc"),
                (0x0400, "metadata_csum"),
                (0x0800, "replica"),
                (0x1000, "read-only"),
                (0x2000, "project"),
                (0x4000, "shared_blocks"),
                (0x8000, "verity"),
                (0x0001_0000, "orphan_present"),
            ],
        }
    }
}

/// One feature: a bit of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    set: Set,
    bit: u32,
}

impl Feature {
    /// The set that it is in.
    pub const fn set(self) -> Set {
        self.set
    }

    /// The number of its bit, from 0 to 31.
    pub const fn bit(self) -> u32 {
        self.bit
    }

    /// The name that e2fsprogs gives it. `None` if it has none.
    pub fn name(self) -> Option<&'static str> {
        let mask = 1u32.wrapping_shl(self.bit);
        let known = self.set.known().iter();
        known
            .filter(|(bits, _)| *bits == mask)
            .map(|(_, name)| *name)
            .next()
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{} bit {}", self.set.as_str(), self.bit),
        }
    }
}

/// The features of one set of bits, from the lowest bit up.
#[derive(Clone, Debug)]
pub struct Features {
    set: Set,
    bits: u32,
}

impl Iterator for Features {
    type Item = Feature;

    fn next(&mut self) -> Option<Feature> {
        let bit = self.bits.trailing_zeros();
        // Clears the lowest bit that is set. Without one, there is no next feature.
        self.bits &= self.bits.checked_sub(1)?;
        Some(Feature { set: self.set, bit })
    }
}

macro_rules! feature_set {
    (
        $(#[$about:meta])*
        $name:ident {
            $($(#[$bit_about:meta])* $bit:ident = $value:literal;)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(u32);

        impl $name {
            $($(#[$bit_about])* pub const $bit: Self = Self($value);)*

            /// No feature.
            pub const NONE: Self = Self(0);

            /// The set as it is stored.
            pub const fn from_bits(bits: u32) -> Self {
                Self(bits)
            }

            /// The set, to be stored.
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// Whether all features of `other` are in the set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The features of both sets.
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The features that are not in `other`.
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// The features one by one, from the lowest bit up.
            pub const fn features(self) -> Features {
                Features {
                    set: Set::$name,
                    bits: self.0,
                }
            }
        }
    };
}

feature_set! {
    /// Features that may be ignored. C: `s_feature_compat`.
    Compat {
        /// There is a journal.
        HAS_JOURNAL = 0x0004;
        /// Inodes may have extended attributes.
        EXT_ATTR = 0x0008;
        /// Blocks are set aside for more group descriptors, and belong to an inode of their own.
        RESIZE_INODE = 0x0010;
        /// Directories may have a hash index.
        DIR_INDEX = 0x0020;
        /// There are at most two backups of the superblock, and the superblock says where.
        SPARSE_SUPER2 = 0x0200;
    }
}

feature_set! {
    /// Features that must be known for any access. C: `s_feature_incompat`.
    Incompat {
        /// Directory entries hold the type of file.
        FILETYPE = 0x0002;
        /// The journal must be replayed before anything else is read.
        RECOVER = 0x0004;
        /// This is a journal, and no file system.
        JOURNAL_DEV = 0x0008;
        /// Group descriptors are spread over the device.
        META_BG = 0x0010;
    }
}

feature_set! {
    /// Features that must be known for writing. C: `s_feature_ro_compat`.
    RoCompat {
        /// Only some groups have a backup of the superblock.
        SPARSE_SUPER = 0x0001;
        /// There is, or was, a file of 2 GiB or more.
        LARGE_FILE = 0x0002;
    }
}

impl Incompat {
    /// The features that this crate knows.
    pub const SUPPORTED: Self = Self::FILETYPE;

    /// The first feature that forbids any access, [`RECOVER`](Self::RECOVER) only if there is no
    /// other: a journal of a file system that can't be used need not be replayed.
    pub fn unsupported(self) -> Option<Feature> {
        let unknown = self.without(Self::SUPPORTED);
        let worst = unknown.without(Self::RECOVER).features().next();
        worst.or_else(|| unknown.features().next())
    }
}

impl RoCompat {
    /// The features that this crate knows.
    pub const SUPPORTED: Self = Self::SPARSE_SUPER.with(Self::LARGE_FILE);

    /// The first feature that forbids writing.
    pub fn unsupported(self) -> Option<Feature> {
        self.without(Self::SUPPORTED).features().next()
    }
}
