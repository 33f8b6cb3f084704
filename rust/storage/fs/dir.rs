// SPDX-License-Identifier: GPL-2.0

//! Directories: names, and what is done with them.
//!
//! Dentries are the VFS's matter, and stay there: the filesystem gets names and inodes, and returns
//! inodes. What a call changes is locked when it is called, as its types say; a name that is to be
//! made is not there, and one that is to be removed is.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/dcache.h`](srctree/include/linux/dcache.h)

use super::{
    acl, attr, file,
    inode::{Device, INode, Locked, New, Ref},
    xattr, FileSystem, Type,
};
use crate::bindings;
use core::{ptr, slice};
use kernel::{error::from_result, prelude::*, types::Opaque};

/// How the IDs of a mount are mapped.
///
/// C: `struct mnt_idmap`.
#[repr(transparent)]
pub struct IdMap(Opaque<bindings::mnt_idmap>);

impl IdMap {
    /// # Safety
    ///
    /// `idmap` is live for `'a`.
    pub(super) unsafe fn from_raw<'a>(idmap: *mut bindings::mnt_idmap) -> &'a Self {
        // SAFETY: `IdMap` is transparent.
        unsafe { &*idmap.cast() }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::mnt_idmap {
        self.0.get()
    }
}

/// What is renamed. Everything in it is locked by the VFS: both directories, and both inodes unless
/// they are directories that stay where they are. Only made here: [`replaced`](Self::replaced) relies on
/// that.
#[non_exhaustive]
pub struct Rename<'a, T: Type> {
    /// Where it is.
    pub old_dir: Locked<'a, T>,
    /// Its name there.
    pub old_name: &'a [u8],
    /// What it is.
    pub old_inode: &'a INode<T>,
    /// Where it is to be; may be the same directory.
    pub new_dir: Locked<'a, T>,
    /// Its name there.
    pub new_name: &'a [u8],
    /// What has that name now.
    pub new_inode: Option<&'a INode<T>>,
    /// Both stay, and change places. `new_inode` is there then.
    pub exchange: bool,
}

impl<'a, T: Type> Rename<'a, T> {
    /// `new_inode` as what it is where it is replaced: locked by the VFS (Documentation/filesystems/
    /// directory-locking.rst), whatever its type. Not so where both stay.
    pub fn replaced(&self) -> Option<Locked<'a, T>> {
        if self.exchange {
            return None;
        }
        self.new_inode.map(|inode| {
            // SAFETY: The victim of a rename is locked for the call.
            unsafe { Locked::from_raw(inode.as_ptr()) }
        })
    }
}

/// What kind of inode is made, besides a regular file.
#[derive(Clone, Copy)]
pub enum Made<'a> {
    /// As the mode says: a regular file, a device file, a pipe or a socket.
    Node(Device),
    /// A directory.
    Directory,
    /// A symbolic link to that.
    Symlink(&'a [u8]),
}

/// What can be done with names. Each may sleep.
pub trait Operations: Type {
    /// Longest name, in bytes.
    const MAX_NAME: usize;

    /// The inode of that name, if there is one. The directory is locked at least for reading.
    fn lookup<'a>(dir: &'a INode<Self>, name: &[u8]) -> Result<Option<Ref<'a, Self>>>;

    /// The directory that `dir` is in.
    fn parent(dir: &INode<Self>) -> Result<Ref<'_, Self>>;

    /// Makes an inode and gives it that name.
    fn make<'a>(
        idmap: &IdMap,
        dir: &'a Locked<'_, Self>,
        name: &[u8],
        mode: u16,
        what: Made<'_>,
    ) -> Result<New<'a, Self>>;

    /// Makes a regular file without a name.
    fn make_unnamed<'a>(idmap: &IdMap, dir: &'a INode<Self>, mode: u16) -> Result<New<'a, Self>>;

    /// Gives `inode` one more name.
    fn link(dir: &Locked<'_, Self>, name: &[u8], inode: &Locked<'_, Self>) -> Result;

    /// Takes the name away from `inode`, which is no directory.
    fn unlink(dir: &Locked<'_, Self>, name: &[u8], inode: &Locked<'_, Self>) -> Result;

    /// Removes a directory. `ENOTEMPTY` if it isn't empty.
    fn remove_directory(dir: &Locked<'_, Self>, name: &[u8], inode: &Locked<'_, Self>) -> Result;

    /// Renames, replaces or exchanges.
    fn rename(rename: &Rename<'_, Self>) -> Result;

    /// Passes entries on, from `out.position()`, until there is no more or no room. The directory is
    /// locked at least for reading.
    fn iterate(dir: &INode<Self>, out: &mut Emitter<'_>) -> Result;
}

/// Takes the entries of a directory.
///
/// C: `struct dir_context`.
pub struct Emitter<'a>(&'a mut bindings::dir_context);

impl Emitter<'_> {
    /// Where to go on: what [`emit`](Self::emit) was given last, or where somebody seeked.
    pub fn position(&self) -> u64 {
        self.0.pos.unsigned_abs()
    }

    /// Whatever was before `position` has been passed on.
    pub fn set_position(&mut self, position: u64) {
        self.0.pos = position as i64;
    }

    /// Passes on one entry of type `mode` (its `S_IFMT` bits, or 0 if that isn't known), which is
    /// followed by what is at `next`. `false` if there was no room: the position stays.
    pub fn emit(&mut self, name: &[u8], ino: u64, mode: u16, next: u64) -> bool {
        // SAFETY: The context is live, and `name` is read only.
        let taken = unsafe {
            bindings::storage_dir_emit(
                self.0,
                name.as_ptr().cast(),
                name.len() as c_int,
                ino,
                u32::from(mode >> 12),
            )
        };
        if taken {
            self.set_position(next);
        }
        taken
    }
}

pub(super) struct Tables<T>(T);

impl<T: FileSystem> Tables<T> {
    pub(super) const INODE: &'static bindings::inode_operations = &bindings::inode_operations {
        lookup: Some(lookup::<T>),
        create: Some(create::<T>),
        link: Some(link::<T>),
        unlink: Some(unlink::<T>),
        symlink: Some(symlink::<T>),
        mkdir: Some(mkdir::<T>),
        rmdir: Some(rmdir::<T>),
        mknod: Some(mknod::<T>),
        rename: Some(rename::<T>),
        tmpfile: Some(tmpfile::<T>),
        setattr: Some(attr::setattr::<T>),
        getattr: Some(attr::getattr::<T>),
        listxattr: Some(xattr::list::<T>),
        get_inode_acl: Some(acl::get::<T>),
        set_acl: Some(acl::set::<T>),
        fileattr_get: Some(attr::fileattr_get::<T>),
        fileattr_set: Some(attr::fileattr_set::<T>),
        ..pin_init::zeroed()
    };

    pub(super) const FILE: &'static bindings::file_operations = &bindings::file_operations {
        owner: (&raw const bindings::__this_module).cast_mut(),
        llseek: Some(bindings::generic_file_llseek),
        read: Some(bindings::generic_read_dir),
        iterate_shared: Some(iterate::<T>),
        fsync: Some(bindings::simple_fsync),
        unlocked_ioctl: Some(file::ioctl::<T>),
        compat_ioctl: bindings::compat_ptr_ioctl,
        setlease: Some(bindings::generic_setlease),
        ..pin_init::zeroed()
    };
}

/// The name of a dentry.
///
/// # Safety
///
/// `dentry` is live, and its name stays for `'a`: its parent is locked, or it is in lookup.
unsafe fn name<'a>(dentry: *mut bindings::dentry) -> &'a [u8] {
    // SAFETY: As the caller says; names are never NULL.
    unsafe {
        let name = &raw const (*dentry).__bindgen_anon_1.d_name;
        let len = (*name).__bindgen_anon_1.__bindgen_anon_1.len;
        slice::from_raw_parts((*name).name, len as usize)
    }
}

fn err_ptr<P>(error: Error) -> *mut P {
    error.to_ptr()
}

/// `lookup` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS calls this with a live directory of a filesystem of type `T`, locked at least for reading,
/// and a new dentry in it, which has its name and no inode.
unsafe extern "C" fn lookup<T: FileSystem>(
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    _flags: c_uint,
) -> *mut bindings::dentry {
    // SAFETY: `dir` is locked at least for reading, and the dentry is in lookup.
    let (dir, name) = unsafe { (INode::<T>::from_raw(dir), name(dentry)) };
    if name.len() > T::MAX_NAME {
        return err_ptr(ENAMETOOLONG);
    }
    match T::lookup(dir, name) {
        Ok(found) => {
            let inode = found.map_or(ptr::null_mut(), |inode| inode.into_raw().as_ptr());
            // SAFETY: Takes over the reference, also where it fails.
            unsafe { bindings::d_splice_alias(inode, dentry) }
        }
        Err(error) => err_ptr(error),
    }
}

/// Makes something of that name, and binds the dentry to it.
///
/// # Safety
///
/// `dir` is an inode of this filesystem, locked for writing, and `dentry` a negative dentry in it.
unsafe fn make<T: FileSystem>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    mode: u16,
    what: Made<'_>,
) -> Result {
    // SAFETY: As the caller says; `idmap` is live for the call.
    let (idmap, dir, name) = unsafe {
        (
            IdMap::from_raw(idmap),
            Locked::<T>::from_raw(dir),
            name(dentry),
        )
    };
    let inode = T::make(idmap, &dir, name, mode, what)?.into_inserted()?;
    // SAFETY: Takes over the reference and opens the inode, which has I_NEW.
    unsafe { bindings::d_instantiate_new(dentry, inode.as_ptr()) };
    Ok(())
}

const NO_DEVICE: Device = Device { major: 0, minor: 0 };

/// `create` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS calls this with a live `idmap`, a live directory of a filesystem of type `T`, locked for
/// writing, and a negative dentry in it.
unsafe extern "C" fn create<T: FileSystem>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    mode: bindings::umode_t,
) -> c_int {
    from_result(|| {
        // SAFETY: By the rules of the VFS (Documentation/filesystems/locking.rst), as below.
        unsafe { make::<T>(idmap, dir, dentry, mode, Made::Node(NO_DEVICE))? };
        Ok(0)
    })
}

/// `mknod` of `struct inode_operations`.
///
/// # Safety
///
/// As for `create`.
unsafe extern "C" fn mknod<T: FileSystem>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    mode: bindings::umode_t,
    dev: bindings::dev_t,
) -> c_int {
    from_result(|| {
        let what = Made::Node(Device::from_dev_t(dev));
        // SAFETY: As in `create`.
        unsafe { make::<T>(idmap, dir, dentry, mode, what)? };
        Ok(0)
    })
}

/// `symlink` of `struct inode_operations`.
///
/// # Safety
///
/// As for `create`; `target` is a C string that is live for the call.
unsafe extern "C" fn symlink<T: FileSystem>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    target: *const c_char,
) -> c_int {
    from_result(|| {
        // SAFETY: A C string for the call.
        let target = unsafe { CStr::from_char_ptr(target) }.to_bytes();
        let mode = (bindings::S_IFLNK | 0o777) as u16;
        // SAFETY: As in `create`.
        unsafe { make::<T>(idmap, dir, dentry, mode, Made::Symlink(target))? };
        Ok(0)
    })
}

/// `mkdir` of `struct inode_operations`.
///
/// # Safety
///
/// As for `create`.
unsafe extern "C" fn mkdir<T: FileSystem>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    mode: bindings::umode_t,
) -> *mut bindings::dentry {
    let mode = mode | bindings::S_IFDIR as u16;
    // SAFETY: As in `create`.
    match unsafe { make::<T>(idmap, dir, dentry, mode, Made::Directory) } {
        Ok(()) => ptr::null_mut(),
        Err(error) => err_ptr(error),
    }
}

/// `tmpfile` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS calls this with a live `idmap`, a live directory of a filesystem of type `T`, which isn't
/// locked, and a file that is being opened.
unsafe extern "C" fn tmpfile<T: FileSystem>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    file: *mut bindings::file,
    mode: bindings::umode_t,
) -> c_int {
    // SAFETY: Both are live. The directory isn't locked.
    let made = unsafe { T::make_unnamed(IdMap::from_raw(idmap), INode::<T>::from_raw(dir), mode) };
    match made.and_then(New::into_inserted) {
        // SAFETY: The file is being opened; d_tmpfile() takes over the reference and drops the one link.
        Ok(inode) => unsafe {
            let inode = inode.as_ptr();
            bindings::set_nlink(inode, 1);
            bindings::d_tmpfile(file, inode);
            bindings::unlock_new_inode(inode);
            bindings::storage_finish_open_simple(file, 0)
        },
        Err(error) => error.to_errno(),
    }
}

/// `link` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS calls this with a live directory of a filesystem of type `T`, a negative dentry `dentry` in
/// it, and a positive dentry `old` of the same filesystem. The directory and the inode of `old` are
/// locked for writing.
unsafe extern "C" fn link<T: FileSystem>(
    old: *mut bindings::dentry,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
) -> c_int {
    from_result(|| {
        // SAFETY: `dir` and the inode of `old` are locked; the dentry is a negative one in `dir`.
        let (dir, inode, name) = unsafe {
            (
                Locked::<T>::from_raw(dir),
                Locked::<T>::from_raw((*old).d_inode),
                name(dentry),
            )
        };
        T::link(&dir, name, &inode).map_err(|error| {
            // SAFETY: A live dentry, whose directory is locked.
            unsafe { doubted(dentry, error) }
        })?;
        // SAFETY: As above; the dentry takes over a reference of its own.
        unsafe {
            bindings::ihold(inode.as_ptr());
            bindings::d_instantiate(dentry, inode.as_ptr());
        }
        Ok(0)
    })
}

/// What failed with `error` may have been done, or half of it, if the device failed or the filesystem is damaged: what
/// a dentry says is looked up again.
///
/// # Safety
///
/// The dentry is live, and its directory locked.
unsafe fn doubted(dentry: *mut bindings::dentry, error: Error) -> Error {
    if error == EIO || error == EUCLEAN {
        // SAFETY: As the caller says.
        unsafe { bindings::d_drop(dentry) };
    }
    error
}

/// `unlink` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS calls this with a live directory of a filesystem of type `T` and a positive dentry in it.
/// The directory and the inode of the dentry are locked for writing.
unsafe extern "C" fn unlink<T: FileSystem>(
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
) -> c_int {
    from_result(|| {
        // SAFETY: Both are locked; the dentry is one in `dir`, and positive.
        unsafe {
            T::unlink(
                &Locked::from_raw(dir),
                name(dentry),
                &Locked::from_raw((*dentry).d_inode),
            )
            .map_err(|error| doubted(dentry, error))?
        };
        Ok(0)
    })
}

/// `rmdir` of `struct inode_operations`.
///
/// # Safety
///
/// As for `unlink`.
unsafe extern "C" fn rmdir<T: FileSystem>(
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
) -> c_int {
    from_result(|| {
        // SAFETY: As in `unlink`.
        unsafe {
            T::remove_directory(
                &Locked::from_raw(dir),
                name(dentry),
                &Locked::from_raw((*dentry).d_inode),
            )
            .map_err(|error| doubted(dentry, error))?
        };
        Ok(0)
    })
}

/// `rename` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS calls this with live directories of one filesystem of type `T`, locked for writing, a
/// positive dentry `old` in the first, and a dentry `new` in the second. The inode of `new` is locked
/// for writing too if there is one and it doesn't change places with that of `old`.
unsafe extern "C" fn rename<T: FileSystem>(
    _idmap: *mut bindings::mnt_idmap,
    old_dir: *mut bindings::inode,
    old: *mut bindings::dentry,
    new_dir: *mut bindings::inode,
    new: *mut bindings::dentry,
    flags: c_uint,
) -> c_int {
    from_result(|| {
        // With RENAME_NOREPLACE the VFS has seen to it that there is nothing.
        if flags & !(bindings::RENAME_NOREPLACE | bindings::RENAME_EXCHANGE) != 0 {
            return Err(EINVAL);
        }
        // SAFETY: Both directories are locked, the dentries are in them, `old` is positive.
        let rename = unsafe {
            let new_inode = (*new).d_inode;
            Rename {
                old_dir: Locked::<T>::from_raw(old_dir),
                old_name: name(old),
                old_inode: INode::from_raw((*old).d_inode),
                new_dir: Locked::from_raw(new_dir),
                new_name: name(new),
                new_inode: (!new_inode.is_null()).then(|| INode::from_raw(new_inode)),
                exchange: flags & bindings::RENAME_EXCHANGE != 0,
            }
        };
        T::rename(&rename).map_err(|error| {
            // SAFETY: Live dentries, whose directories are locked.
            unsafe { doubted(old, doubted(new, error)) }
        })?;
        Ok(0)
    })
}

/// `iterate_shared` of `struct file_operations`.
///
/// # Safety
///
/// The VFS calls this with an open directory of a filesystem of type `T`, whose inode is locked at
/// least for reading, and a context that nobody else uses meanwhile.
unsafe extern "C" fn iterate<T: FileSystem>(
    file: *mut bindings::file,
    context: *mut bindings::dir_context,
) -> c_int {
    from_result(|| {
        // SAFETY: An open directory of this filesystem, locked for reading; the context is the caller's.
        let (dir, context) = unsafe { (INode::<T>::from_raw((*file).f_inode), &mut *context) };
        T::iterate(dir, &mut Emitter(context))?;
        Ok(0)
    })
}
