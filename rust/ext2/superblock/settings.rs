// SPDX-License-Identifier: GPL-2.0

//! What the superblock says about how to treat the file system.
//!
//! C: `EXT2_ERRORS_*`, `EXT2_DEFM_*`, `EXT2_VALID_FS` (`fs/ext2/ext2.h`).

/// What to do when something on the disk is wrong. C: `s_errors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// Go on.
    Continue,
    /// Write no more.
    ReadOnly,
    /// Panic.
    Panic,
}

/// Mount options that apply unless others are given. C: `s_default_mount_opts`, `EXT2_DEFM_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DefaultOptions(pub(super) u32);

impl DefaultOptions {
    /// The options as they are stored.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Say more in the log.
    pub const fn debug(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// New files get the group of their directory: option `grpid`.
    pub const fn bsd_groups(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// Extended attributes in `user.`.
    pub const fn user_xattr(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// POSIX access control lists.
    pub const fn acl(self) -> bool {
        self.0 & 0x08 != 0
    }

    /// User and group ids of 16 bits: option `nouid32`.
    pub const fn uid16(self) -> bool {
        self.0 & 0x10 != 0
    }
}

/// Whether the file system is in order. C: `s_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State(pub(super) u16);

impl State {
    const VALID: u16 = 1;
    const ERROR: u16 = 2;

    /// The bits as they are stored.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// It was unmounted cleanly, and is not mounted for writing.
    pub const fn is_clean(self) -> bool {
        self.0 & Self::VALID != 0
    }

    /// Something was found to be wrong.
    pub const fn has_errors(self) -> bool {
        self.0 & Self::ERROR != 0
    }

    /// The same, but clean or not.
    pub const fn clean(self, clean: bool) -> Self {
        if clean {
            Self(self.0 | Self::VALID)
        } else {
            Self(self.0 & !Self::VALID)
        }
    }

    /// The same, but with errors.
    pub const fn with_errors(self) -> Self {
        Self(self.0 | Self::ERROR)
    }
}
