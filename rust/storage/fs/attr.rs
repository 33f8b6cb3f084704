// SPDX-License-Identifier: GPL-2.0

//! Attributes of inodes: owner, mode, times and size; flags as `chattr(1)` knows them.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/fileattr.h`](srctree/include/linux/fileattr.h)

use super::{
    acl, file,
    inode::{INode, Locked, Time},
    xattr, FileSystem, Type,
};
use crate::bindings;
use kernel::{
    error::{from_result, to_result},
    prelude::*,
};

/// What the filesystem knows besides what the VFS does.
pub trait Operations: Type {
    /// Flags as `FS_IOC_GETFLAGS` has them: `FS_*_FL`.
    fn flags(inode: &INode<Self>) -> u32;

    /// Sets those of them that can be set; `EOPNOTSUPP` for others. Who may do that has been checked.
    /// May sleep.
    fn set_flags(inode: &Locked<'_, Self>, flags: u32) -> Result;

    /// When the inode was made, if that is kept.
    fn birth(inode: &INode<Self>) -> Option<Time>;
}

/// Makes the VFS enforce what `flags` (`FS_*_FL`) say.
pub fn apply_flags<T: Type>(inode: &INode<T>, flags: u32) {
    const PAIRS: [(u32, u32); 5] = [
        (bindings::FS_SYNC_FL, bindings::S_SYNC),
        (bindings::FS_APPEND_FL, bindings::S_APPEND),
        (bindings::FS_IMMUTABLE_FL, bindings::S_IMMUTABLE),
        (bindings::FS_NOATIME_FL, bindings::S_NOATIME),
        (bindings::FS_DIRSYNC_FL, bindings::S_DIRSYNC),
    ];
    let (set, mask) = PAIRS.iter().fold((0, 0), |(set, mask), (flag, bit)| {
        let bit_or_none = if flags & flag == 0 { 0 } else { *bit };
        (set | bit_or_none, mask | bit)
    });
    inode.set_vfs_flags(set, mask);
}

pub(super) struct Tables<T>(T);

impl<T: FileSystem> Tables<T> {
    pub(super) const FILE: &'static bindings::inode_operations = &bindings::inode_operations {
        setattr: Some(setattr::<T>),
        getattr: Some(getattr::<T>),
        listxattr: Some(xattr::list::<T>),
        get_inode_acl: Some(acl::get::<T>),
        set_acl: Some(acl::set::<T>),
        fiemap: Some(file::fiemap::<T>),
        fileattr_get: Some(fileattr_get::<T>),
        fileattr_set: Some(fileattr_set::<T>),
        ..pin_init::zeroed()
    };

    pub(super) const SYMLINK: &'static bindings::inode_operations = &bindings::inode_operations {
        get_link: Some(bindings::simple_get_link),
        setattr: Some(setattr::<T>),
        getattr: Some(getattr::<T>),
        listxattr: Some(xattr::list::<T>),
        ..pin_init::zeroed()
    };

    pub(super) const SPECIAL: &'static bindings::inode_operations = &bindings::inode_operations {
        setattr: Some(setattr::<T>),
        getattr: Some(getattr::<T>),
        listxattr: Some(xattr::list::<T>),
        get_inode_acl: Some(acl::get::<T>),
        set_acl: Some(acl::set::<T>),
        ..pin_init::zeroed()
    };
}

/// `setattr` of `struct inode_operations`.
///
/// # Safety
///
/// `notify_change()` calls this with live arguments. The inode of the dentry is one of a filesystem of
/// type `T`, locked for writing.
pub(super) unsafe extern "C" fn setattr<T: FileSystem>(
    idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    attr: *mut bindings::iattr,
) -> c_int {
    from_result(|| {
        // SAFETY: All are live, and the inode of the dentry is locked.
        let inode = unsafe {
            to_result(bindings::setattr_prepare(idmap, dentry, attr))?;
            Locked::<T>::from_raw((*dentry).d_inode)
        };
        // SAFETY: As above.
        let (valid, size, mode) = unsafe { ((*attr).ia_valid, (*attr).ia_size, (*attr).ia_mode) };
        // Who has it open already could otherwise.
        // SAFETY: As above.
        let flags = unsafe { (*inode.as_ptr()).i_flags };
        if valid & bindings::ATTR_SIZE != 0
            && flags & (bindings::S_IMMUTABLE | bindings::S_APPEND) != 0
        {
            return Err(EPERM);
        }
        if valid & bindings::ATTR_SIZE != 0 && size.unsigned_abs() != inode.size() {
            file::set_size(&inode, size)?;
            inode.modified_now();
        }
        // SAFETY: As above.
        unsafe { bindings::setattr_copy(idmap, inode.as_ptr(), attr) };
        inode.mark_dirty();
        if valid & bindings::ATTR_MODE != 0 {
            // SAFETY: As above.
            to_result(unsafe { bindings::storage_posix_acl_chmod(idmap, dentry, mode) })?;
        }
        inode.sync_if_needed()?;
        Ok(0)
    })
}

/// `getattr` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS calls this with live arguments. The inode of the path is one of a filesystem of type `T`,
/// not locked; `stat` is nobody else's.
pub(super) unsafe extern "C" fn getattr<T: FileSystem>(
    idmap: *mut bindings::mnt_idmap,
    path: *const bindings::path,
    stat: *mut bindings::kstat,
    request_mask: u32,
    _flags: c_uint,
) -> c_int {
    // SAFETY: All are live; `stat` is the caller's.
    unsafe {
        let inode = INode::<T>::from_raw((*(*path).dentry).d_inode);
        let flags = T::flags(inode);
        let stat = &mut *stat;
        for (flag, attribute) in [
            (bindings::FS_APPEND_FL, bindings::STATX_ATTR_APPEND),
            (bindings::FS_COMPR_FL, bindings::STATX_ATTR_COMPRESSED),
            (bindings::FS_IMMUTABLE_FL, bindings::STATX_ATTR_IMMUTABLE),
            (bindings::FS_NODUMP_FL, bindings::STATX_ATTR_NODUMP),
        ] {
            stat.attributes_mask |= u64::from(attribute);
            if flags & flag != 0 {
                stat.attributes |= u64::from(attribute);
            }
        }
        bindings::generic_fillattr(idmap, request_mask, inode.as_ptr(), stat);
        if let Some(birth) = T::birth(inode) {
            stat.result_mask |= bindings::STATX_BTIME;
            stat.btime.tv_sec = birth.seconds;
            stat.btime.tv_nsec = birth.nanoseconds as c_long;
        }
        if request_mask & bindings::STATX_DIOALIGN != 0 && inode.is_regular() {
            let align = bindings::storage_bdev_logical_block_size(inode.sb().bdev());
            stat.result_mask |= bindings::STATX_DIOALIGN;
            stat.dio_mem_align = align;
            stat.dio_offset_align = align;
        }
    }
    0
}

/// `fileattr_get` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS calls this with live arguments. The inode of the dentry is one of a filesystem of type `T`,
/// which may be locked or not; `attr` is nobody else's.
pub(super) unsafe extern "C" fn fileattr_get<T: FileSystem>(
    dentry: *mut bindings::dentry,
    attr: *mut kernel::bindings::file_kattr,
) -> c_int {
    // SAFETY: Both are live; `attr` is the caller's.
    unsafe {
        let flags = T::flags(INode::<T>::from_raw((*dentry).d_inode));
        bindings::fileattr_fill_flags(attr.cast(), flags);
    }
    0
}

/// `fileattr_set` of `struct inode_operations`.
///
/// # Safety
///
/// `vfs_fileattr_set()` calls this with live arguments. The inode of the dentry is one of a filesystem
/// of type `T`, locked for writing.
pub(super) unsafe extern "C" fn fileattr_set<T: FileSystem>(
    _idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    attr: *mut kernel::bindings::file_kattr,
) -> c_int {
    from_result(|| {
        // SAFETY: All are live, and the inode of the dentry is locked.
        let (inode, flags, extended) = unsafe {
            let attr: *mut bindings::file_kattr = attr.cast();
            (
                Locked::<T>::from_raw((*dentry).d_inode),
                (*attr).flags,
                bindings::storage_fileattr_has_fsx(attr),
            )
        };
        if extended {
            return Err(EOPNOTSUPP);
        }
        T::set_flags(&inode, flags)?;
        apply_flags(&inode, flags);
        inode.changed_now();
        inode.mark_dirty();
        Ok(0)
    })
}
