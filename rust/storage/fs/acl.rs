// SPDX-License-Identifier: GPL-2.0

//! Access control lists.
//!
//! C header: [`include/linux/posix_acl.h`](srctree/include/linux/posix_acl.h)

use super::{
    inode::{INode, New},
    FileSystem, Type,
};
use crate::bindings;
use core::{
    mem::ManuallyDrop,
    ptr::{self, NonNull},
};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
};

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Who may use the inode.
    Access,
    /// What inodes get that are made in the directory.
    Default,
}

impl Kind {
    fn from_type(kind: c_int) -> Result<Self> {
        match kind as u32 {
            bindings::ACL_TYPE_ACCESS => Ok(Self::Access),
            bindings::ACL_TYPE_DEFAULT => Ok(Self::Default),
            _ => Err(EINVAL),
        }
    }

    fn to_type(self) -> c_int {
        match self {
            Self::Access => bindings::ACL_TYPE_ACCESS as c_int,
            Self::Default => bindings::ACL_TYPE_DEFAULT as c_int,
        }
    }
}

/// One entry: the tag and the permissions as `ACL_*` has them, and the user or group, in the initial
/// user namespace, for those that name one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `ACL_USER_OBJ`, `ACL_USER`, ...
    pub tag: u16,
    /// `ACL_READ`, `ACL_WRITE`, `ACL_EXECUTE`.
    pub perm: u16,
    /// Of a user or a group.
    pub id: u32,
}

/// An access control list.
///
/// C: `struct posix_acl`.
///
/// # Invariants
///
/// A live list, with a reference, whose `a_count` entries are initialised.
pub struct PosixAcl(NonNull<bindings::posix_acl>);

impl PosixAcl {
    /// A list of these entries. `EUCLEAN` if they make none, `ENOMEM`. May sleep.
    pub fn new(entries: &[Entry]) -> Result<Self> {
        let count = u32::try_from(entries.len())?;
        // SAFETY: Makes room for so many entries.
        let acl = unsafe { bindings::posix_acl_alloc(count, bindings::GFP_KERNEL) };
        let acl = NonNull::new(acl).ok_or(ENOMEM)?;
        for (index, entry) in entries.iter().enumerate() {
            // SAFETY: Room for `count` entries was made, and `index` is less. The list is nobody else's.
            unsafe {
                bindings::storage_posix_acl_set_entry(
                    acl.as_ptr(),
                    index as c_uint,
                    entry.tag,
                    entry.perm,
                    entry.id,
                )
            };
        }
        // INVARIANT: All entries are initialised now.
        let acl = Self(acl);
        // SAFETY: A live list.
        to_result(unsafe { bindings::storage_posix_acl_valid(acl.0.as_ptr()) })
            .map_err(|_| EUCLEAN)?;
        Ok(acl)
    }

    /// Its entries. `ENOMEM`. May sleep.
    pub fn entries(&self) -> Result<KVec<Entry>> {
        let acl = self.0.as_ptr();
        // SAFETY: Live, by the type's invariant; lists don't change.
        let count = unsafe { bindings::storage_posix_acl_count(acl) };
        let mut entries = KVec::with_capacity(count as usize, GFP_KERNEL)?;
        for index in 0..count {
            let mut entry = Entry {
                tag: 0,
                perm: 0,
                id: 0,
            };
            // SAFETY: As above, and `index` is less than the count.
            unsafe {
                bindings::storage_posix_acl_get_entry(
                    acl,
                    index,
                    &mut entry.tag,
                    &mut entry.perm,
                    &mut entry.id,
                )
            };
            entries.push(entry, GFP_KERNEL)?;
        }
        Ok(entries)
    }

    fn into_raw(self) -> *mut bindings::posix_acl {
        ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for PosixAcl {
    fn drop(&mut self) {
        // SAFETY: The reference is ours.
        unsafe { bindings::storage_posix_acl_release(self.0.as_ptr()) };
    }
}

/// Where lists are kept. May sleep.
pub trait Operations: Type {
    /// Reads a list. `Ok(None)` if there is none.
    fn get_acl(inode: &INode<Self>, kind: Kind) -> Result<Option<PosixAcl>>;

    /// Keeps a list; `None` removes it. The inode is locked for writing, or being made.
    fn set_acl(inode: &INode<Self>, kind: Kind, acl: Option<&PosixAcl>) -> Result;
}

/// `get_inode_acl` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS calls this for an inode of a filesystem of type `T`, which may be locked: a live one, or with
/// `rcu` one whose memory stays for a path walk that may not sleep.
pub(super) unsafe extern "C" fn get<T: FileSystem>(
    inode: *mut bindings::inode,
    kind: c_int,
    rcu: bool,
) -> *mut kernel::bindings::posix_acl {
    if rcu {
        return ECHILD.to_ptr();
    }
    // SAFETY: A live inode of this filesystem. The VFS keeps what is returned.
    let inode = unsafe { INode::<T>::from_raw(inode) };
    match Kind::from_type(kind).and_then(|kind| T::get_acl(inode, kind)) {
        Ok(Some(acl)) => acl.into_raw().cast(),
        Ok(None) => ptr::null_mut(),
        Err(error) => error.to_ptr(),
    }
}

/// Keeps a list, or none, on the device and in the VFS.
///
/// # Safety
///
/// `acl` is NULL or a live list.
unsafe fn keep<T: FileSystem>(
    inode: &INode<T>,
    kind: Kind,
    acl: *mut bindings::posix_acl,
) -> Result {
    // The reference stays the caller's.
    let borrowed = NonNull::new(acl).map(|acl| ManuallyDrop::new(PosixAcl(acl)));
    if kind == Kind::Default && !inode.is_directory() {
        return if borrowed.is_some() {
            Err(EACCES)
        } else {
            Ok(())
        };
    }
    T::set_acl(inode, kind, borrowed.as_deref())?;
    // SAFETY: As the caller says; this takes a reference of its own.
    unsafe { bindings::set_cached_acl(inode.as_ptr(), kind.to_type(), acl.cast()) };
    Ok(())
}

/// `set_acl` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS, nfsd or ksmbd calls this with live arguments; `acl` may be NULL. The inode of the dentry is one
/// of a filesystem of type `T`. All but ksmbd have it locked for writing.
pub(super) unsafe extern "C" fn set<T: FileSystem>(
    idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    acl: *mut kernel::bindings::posix_acl,
    kind: c_int,
) -> c_int {
    from_result(|| {
        let kind = Kind::from_type(kind)?;
        let mut acl = acl;
        // SAFETY: All are live.
        unsafe {
            let inode = INode::<T>::from_raw((*dentry).d_inode);
            let mut mode = inode.mode();
            let access = kind == Kind::Access && !acl.is_null();
            if access {
                // What the mode can say isn't kept twice: the list may be NULL after that.
                to_result(bindings::posix_acl_update_mode(
                    idmap,
                    inode.as_ptr(),
                    &mut mode,
                    (&raw mut acl).cast(),
                ))?;
            }
            keep(inode, kind, acl.cast())?;
            if access {
                inode.set_mode(mode);
            }
            inode.changed_now();
            inode.mark_dirty();
            inode.sync_if_needed()?;
        }
        Ok(0)
    })
}

impl<T: FileSystem> New<'_, T> {
    /// The lists that an inode made in `dir` gets, and the mode that follows. After
    /// [`init_owner`](New::init_owner). May sleep.
    pub fn init_acl(&mut self, dir: &INode<T>) -> Result {
        if self.is_symlink() {
            return Ok(());
        }
        let mut default: *mut bindings::posix_acl = ptr::null_mut();
        let mut access: *mut bindings::posix_acl = ptr::null_mut();
        let mut mode = self.mode();
        // SAFETY: `dir` is live. Each list that comes back has a reference that is ours.
        let lists = unsafe {
            to_result(bindings::storage_posix_acl_create(
                dir.as_ptr(),
                &mut mode,
                &mut default,
                &mut access,
            ))?;
            [
                (Kind::Default, NonNull::new(default).map(PosixAcl)),
                (Kind::Access, NonNull::new(access).map(PosixAcl)),
            ]
        };
        self.set_mode(mode);
        for (kind, acl) in lists {
            if let Some(acl) = acl {
                // SAFETY: A live list.
                unsafe { keep(self, kind, acl.0.as_ptr())? };
            } else {
                // SAFETY: The inode is live. None, and the VFS knows.
                unsafe { bindings::set_cached_acl(self.as_ptr(), kind.to_type(), ptr::null_mut()) };
            }
        }
        Ok(())
    }
}
