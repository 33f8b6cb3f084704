// SPDX-License-Identifier: GPL-2.0

//! Extended attributes.
//!
//! C header: [`include/linux/xattr.h`](srctree/include/linux/xattr.h)

use super::{
    inode::{INode, New},
    FileSystem, Type,
};
use crate::bindings;
use core::{ptr, slice};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
};

/// Whose attributes they are: the part of the name before the first dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// `user.`
    User,
    /// `trusted.`: of the administrator.
    Trusted,
    /// `security.`: of security modules.
    Security,
}

impl Namespace {
    const ALL: [Self; 3] = [Self::User, Self::Trusted, Self::Security];

    const fn prefix(self) -> &'static CStr {
        match self {
            Self::User => c"user.",
            Self::Trusted => c"trusted.",
            Self::Security => c"security.",
        }
    }

    fn from_flags(flags: c_int) -> Self {
        *Self::ALL
            .iter()
            .find(|namespace| **namespace as c_int == flags)
            .unwrap_or(&Self::User)
    }
}

/// What [`Operations::set`] expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The attribute, or none.
    Any,
    /// None: `EEXIST` otherwise.
    Create,
    /// The attribute: `ENODATA` otherwise.
    Replace,
}

/// What can be done with attributes. Each may sleep.
pub trait Operations: Type {
    /// The value. `ENODATA` if there is none of that name.
    fn get(inode: &INode<Self>, namespace: Namespace, name: &[u8]) -> Result<KVec<u8>>;

    /// Sets the value; `None` removes it. The inode is locked for writing, unless it is being made.
    fn set(
        inode: &INode<Self>,
        namespace: Namespace,
        name: &[u8],
        value: Option<&[u8]>,
        mode: Mode,
    ) -> Result;

    /// Passes on each name, whole and with its prefix. Names in `trusted.` only if `trusted`.
    fn list(inode: &INode<Self>, trusted: bool, names: &mut Names<'_>) -> Result;
}

/// Takes the names of attributes.
pub struct Names<'a> {
    // NULL if only the length is asked for.
    to: *mut u8,
    room: usize,
    len: usize,
    _buffer: core::marker::PhantomData<&'a mut [u8]>,
}

impl Names<'_> {
    /// Passes on one, in parts. `ERANGE` if there is no room.
    pub fn push(&mut self, parts: &[&[u8]]) -> Result {
        for part in Iterator::chain(parts.iter().copied(), [&[0][..]]) {
            let end = self.len.checked_add(part.len()).ok_or(ERANGE)?;
            if !self.to.is_null() {
                if end > self.room {
                    return Err(ERANGE);
                }
                // SAFETY: `to..to + room` is the buffer, and `len..end` lies in it.
                unsafe {
                    ptr::copy_nonoverlapping(part.as_ptr(), self.to.add(self.len), part.len())
                };
            }
            self.len = end;
        }
        Ok(())
    }
}

pub(super) struct Tables<T>(T);

impl<T: FileSystem> Tables<T> {
    const fn handler(namespace: Namespace) -> bindings::xattr_handler {
        bindings::xattr_handler {
            name: ptr::null(),
            prefix: namespace.prefix().to_bytes_with_nul().as_ptr().cast(),
            flags: namespace as c_int,
            list: None,
            get: Some(get::<T>),
            set: Some(set::<T>),
        }
    }

    const USER: &'static bindings::xattr_handler = &Self::handler(Namespace::User);
    const TRUSTED: &'static bindings::xattr_handler = &Self::handler(Namespace::Trusted);
    const SECURITY: &'static bindings::xattr_handler = &Self::handler(Namespace::Security);

    /// Ends with NULL.
    pub(super) const HANDLERS: &'static [*const kernel::bindings::xattr_handler; 4] = &[
        (&raw const *Self::USER).cast(),
        (&raw const *Self::TRUSTED).cast(),
        (&raw const *Self::SECURITY).cast(),
        ptr::null(),
    ];
}

/// `get` of `struct xattr_handler`.
///
/// # Safety
///
/// The VFS calls this with a handler of `Tables::<T>`, a live inode of a filesystem of type `T` and a C
/// string. `buffer` is NULL, or nobody else's and `size` bytes long.
unsafe extern "C" fn get<T: FileSystem>(
    handler: *const bindings::xattr_handler,
    _dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    name: *const c_char,
    buffer: *mut c_void,
    size: usize,
) -> c_int {
    from_result(|| {
        // SAFETY: One of the handlers above, a live inode of this filesystem, and a C string.
        let (namespace, inode, name) = unsafe {
            (
                Namespace::from_flags((*handler).flags),
                INode::<T>::from_raw(inode),
                CStr::from_char_ptr(name).to_bytes(),
            )
        };
        let value = T::get(inode, namespace, name)?;
        if !buffer.is_null() {
            if value.len() > size {
                return Err(ERANGE);
            }
            // SAFETY: The caller's buffer of `size` bytes.
            unsafe { ptr::copy_nonoverlapping(value.as_ptr(), buffer.cast(), value.len()) };
        }
        Ok(c_int::try_from(value.len())?)
    })
}

/// `set` of `struct xattr_handler`.
///
/// # Safety
///
/// The VFS calls this with a handler of `Tables::<T>`, a live inode of a filesystem of type `T`, locked
/// for writing, and a C string. `value` is NULL or `size` bytes that don't change.
unsafe extern "C" fn set<T: FileSystem>(
    handler: *const bindings::xattr_handler,
    _idmap: *mut bindings::mnt_idmap,
    _dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    name: *const c_char,
    value: *const c_void,
    size: usize,
    flags: c_int,
) -> c_int {
    from_result(|| {
        // SAFETY: As in `get`; the value is a kernel buffer of `size` bytes, or NULL to remove it.
        let (namespace, inode, name, value) = unsafe {
            (
                Namespace::from_flags((*handler).flags),
                INode::<T>::from_raw(inode),
                CStr::from_char_ptr(name).to_bytes(),
                (!value.is_null()).then(|| slice::from_raw_parts(value.cast(), size)),
            )
        };
        let mode = match flags as u32 {
            bindings::XATTR_CREATE => Mode::Create,
            bindings::XATTR_REPLACE => Mode::Replace,
            _ => Mode::Any,
        };
        T::set(inode, namespace, name, value, mode)?;
        inode.sync_if_needed()?;
        Ok(0)
    })
}

impl<T: FileSystem> New<'_, T> {
    /// The attributes that security modules want an inode to have which is made in `dir`, with that name, if it gets
    /// one. After [`init_owner`](New::init_owner). May sleep.
    ///
    /// C: `security_inode_init_security()`.
    pub fn init_security(&mut self, dir: &INode<T>, name: Option<&[u8]>) -> Result {
        let mut qstr: bindings::qstr = pin_init::zeroed();
        if let Some(name) = name {
            qstr.name = name.as_ptr();
            qstr.__bindgen_anon_1.__bindgen_anon_1.len = name.len() as u32;
        }
        let qstr = name.map_or(ptr::null(), |_| ptr::from_ref(&qstr));
        // SAFETY: Both inodes are live. The name is used during the call only, and so is the inode by the callback,
        // which is one for inodes of `T`.
        to_result(unsafe {
            bindings::storage_security_inode_init_security(
                self.as_ptr(),
                dir.as_ptr(),
                qstr,
                Some(init::<T>),
                ptr::null_mut(),
            )
        })
    }
}

/// `initxattrs` of `security_inode_init_security()`.
///
/// # Safety
///
/// It calls this with the inode that it was called with, one of a filesystem of type `T`, and with attributes, behind
/// the last of which there is one without a name.
unsafe extern "C" fn init<T: FileSystem>(
    inode: *mut bindings::inode,
    attributes: *const bindings::xattr,
    _data: *mut c_void,
) -> c_int {
    from_result(|| {
        let mut at = attributes;
        // SAFETY: As the caller says: up to the one without a name, they are there, with values as long as they say.
        unsafe {
            while !(*at).name.is_null() {
                T::set(
                    INode::from_raw(inode),
                    Namespace::Security,
                    CStr::from_char_ptr((*at).name).to_bytes(),
                    Some(slice::from_raw_parts((*at).value.cast(), (*at).value_len)),
                    Mode::Any,
                )?;
                at = at.add(1);
            }
        }
        Ok(0)
    })
}

/// `listxattr` of `struct inode_operations`.
///
/// # Safety
///
/// The VFS calls this with a live dentry that has an inode of a filesystem of type `T`. `buffer` is
/// NULL, or nobody else's and `size` bytes long.
pub(super) unsafe extern "C" fn list<T: FileSystem>(
    dentry: *mut bindings::dentry,
    buffer: *mut c_char,
    size: usize,
) -> isize {
    let mut names = Names {
        to: buffer.cast(),
        room: size,
        len: 0,
        _buffer: core::marker::PhantomData,
    };
    // SAFETY: A live dentry with an inode of this filesystem.
    let inode = unsafe { INode::<T>::from_raw((*dentry).d_inode) };
    // SAFETY: Any context of a thread.
    let trusted = unsafe { bindings::capable(bindings::CAP_SYS_ADMIN as c_int) };
    match T::list(inode, trusted, &mut names) {
        Ok(()) => names.len as isize,
        Err(error) => error.to_errno() as isize,
    }
}
