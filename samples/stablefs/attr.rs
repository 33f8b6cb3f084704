// SPDX-License-Identifier: GPL-2.0

//! Flags of `chattr(1)`.

use crate::{mount::StableFs, node, INode, Locked};
use ext2::{inode::Flags, FileType};
use kernel::prelude::*;
use storage::fs::{attr::Operations, inode::Time};

impl Operations for StableFs {
    fn flags(inode: &INode) -> u32 {
        let flags = inode.data().lock().flags;
        flags.intersection(Flags::USER_VISIBLE).bits()
    }

    fn set_flags(inode: &Locked<'_>, flags: u32) -> Result {
        let kind = FileType::of_mode(inode.mode()).ok_or(EUCLEAN)?;
        let wanted = Flags::from_bits(flags);
        let mut map = inode.data().lock();
        // What can't be set here must be as it is.
        let fixed = Flags::USER_VISIBLE.without(Flags::USER_MODIFIABLE);
        if wanted.without(Flags::USER_MODIFIABLE) != map.flags.intersection(fixed) {
            return Err(EOPNOTSUPP);
        }
        let settable = wanted.intersection(Flags::USER_MODIFIABLE).for_type(kind);
        map.flags = map.flags.without(Flags::USER_MODIFIABLE).with(settable);
        Ok(())
    }

    fn birth(inode: &INode) -> Option<Time> {
        inode.data().lock().crtime.map(node::to_time)
    }
}
