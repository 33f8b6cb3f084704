// SPDX-License-Identifier: GPL-2.0

//! Mount options.
//!
//! C header: [`include/linux/fs_context.h`](srctree/include/linux/fs_context.h);
//! `Documentation/filesystems/mount_api.rst`

use super::{sb, FileSystem};
use crate::bindings;
use kernel::{
    error::{from_result, to_result},
    fmt,
    prelude::*,
    str::CString,
    types::ForeignOwnable,
};

/// Where mistakes of whoever mounts are explained: the log of the mount, or the kernel's for the old
/// system call.
pub struct Log(*mut bindings::fs_context);

impl Log {
    /// Says what is wrong, in one line, and returns `EINVAL`.
    pub fn invalid(&self, message: fmt::Arguments<'_>) -> Error {
        self.error(message);
        EINVAL
    }

    /// Says what is wrong, in one line.
    pub fn error(&self, message: fmt::Arguments<'_>) {
        if let Ok(message) = CString::try_from_fmt(message) {
            // SAFETY: The context is live: a `Log` exists during a callback of it only. The message is a
            // C string, and copied.
            unsafe { bindings::storage_errorfc(self.0, message.as_char_ptr()) };
        }
    }
}

/// What stands after the `=` of an option.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// Nothing.
    Flag,
    /// Some text.
    Text(&'a CStr),
    /// Something that is no text, as `fsconfig(2)` can pass it.
    Other,
}

/// # Safety
///
/// `fc` is a context made by `init::<T>`, and the caller the only one who uses its options.
unsafe fn options<'a, T: FileSystem>(fc: *mut bindings::fs_context) -> &'a mut T::Options {
    // SAFETY: `init` puts a box of options there.
    unsafe { &mut *(*fc).fs_private.cast() }
}

/// `init_fs_context` of `struct file_system_type`.
///
/// # Safety
///
/// The VFS calls this for a live context of the type `T`, which nobody else uses meanwhile, before any
/// other function. For a remount, its `root` is a live dentry of a mounted filesystem of that type.
pub(super) unsafe extern "C" fn init<T: FileSystem>(
    fc: *mut kernel::bindings::fs_context,
) -> c_int {
    let fc: *mut bindings::fs_context = fc.cast();
    from_result(|| {
        // SAFETY: The context is live and nobody else's. On remount `root` is a dentry of a superblock
        // of this type.
        let options = unsafe {
            if (*fc).purpose() == bindings::fs_context_purpose_FS_CONTEXT_FOR_RECONFIGURE {
                T::options_in_force(sb::SuperBlock::from_raw((*(*fc).root).d_sb))
            } else {
                T::Options::default()
            }
        };
        let options = KBox::new(options, GFP_KERNEL)?;
        // SAFETY: As above; the table is static.
        unsafe {
            (*fc).fs_private = KBox::into_foreign(options).cast();
            (*fc).ops = &raw const *Tables::<T>::OPERATIONS;
        }
        Ok(0)
    })
}

struct Tables<T>(T);

impl<T: FileSystem> Tables<T> {
    const OPERATIONS: &'static bindings::fs_context_operations = &bindings::fs_context_operations {
        free: Some(free::<T>),
        dup: None,
        parse_param: Some(parse_param::<T>),
        parse_monolithic: None,
        get_tree: Some(get_tree::<T>),
        reconfigure: Some(reconfigure::<T>),
    };
}

/// `free` of `struct fs_context_operations`.
///
/// # Safety
///
/// The VFS calls this for a context that `init::<T>` set up, which nobody else uses meanwhile. It is set
/// up again before anything else is done with it.
unsafe extern "C" fn free<T: FileSystem>(fc: *mut bindings::fs_context) {
    // SAFETY: `init` put it there, and this is the last that is done with it.
    drop(unsafe { KBox::<T::Options>::from_foreign((*fc).fs_private.cast()) });
}

/// `parse_param` of `struct fs_context_operations`.
///
/// # Safety
///
/// The VFS calls this with a context that `init::<T>` set up, which nobody else uses meanwhile, and a
/// parameter that is live for the call.
unsafe extern "C" fn parse_param<T: FileSystem>(
    fc: *mut bindings::fs_context,
    param: *mut bindings::fs_parameter,
) -> c_int {
    from_result(|| {
        // SAFETY: Both are live for the call, and nobody else uses the context: the caller holds its lock, or has not
        // shown it to anybody, as mount(2).
        let (options, key, value) = unsafe {
            let value = match (*param).type_() {
                bindings::fs_value_type_fs_value_is_flag => Value::Flag,
                bindings::fs_value_type_fs_value_is_string => {
                    Value::Text(CStr::from_char_ptr((*param).__bindgen_anon_1.string))
                }
                _ => Value::Other,
            };
            (options::<T>(fc), CStr::from_char_ptr((*param).key), value)
        };
        // The VFS says of an option that is not known that it isn't.
        if T::parse_option(options, key, value, &Log(fc))? {
            Ok(0)
        } else {
            Err(ENOPARAM)
        }
    })
}

/// `get_tree` of `struct fs_context_operations`.
///
/// # Safety
///
/// The VFS calls this with a context that `init::<T>` set up, which nobody else uses meanwhile.
unsafe extern "C" fn get_tree<T: FileSystem>(fc: *mut bindings::fs_context) -> c_int {
    // SAFETY: The context is live; `fill_super` is called with a new superblock of this type.
    unsafe { bindings::get_tree_bdev(fc, Some(fill_super::<T>)) }
}

/// What `get_tree` passes to `get_tree_bdev()`.
///
/// # Safety
///
/// That calls it once for a new superblock of type `T`, which has its block device, and whose
/// `s_umount` is held for writing. `fc` is the context that `get_tree::<T>` was called with.
unsafe extern "C" fn fill_super<T: FileSystem>(
    sb: *mut bindings::super_block,
    fc: *mut bindings::fs_context,
) -> c_int {
    from_result(|| {
        // SAFETY: The VFS calls this once for a superblock, locked, that has its block device.
        let new = unsafe { sb::New::<T>::from_raw(sb) };
        // SAFETY: The context is live and the caller's alone.
        let options = unsafe { options::<T>(fc) };
        T::fill_super(new, options, &Log(fc))?;
        // SAFETY: The superblock is live.
        if unsafe { (*sb).s_root.is_null() } {
            return Err(EINVAL);
        }
        Ok(0)
    })
}

/// `reconfigure` of `struct fs_context_operations`.
///
/// # Safety
///
/// The VFS calls this with a context for a remount that `init::<T>` set up, which nobody else uses
/// meanwhile. `s_umount` of the superblock of its `root` is held for writing.
unsafe extern "C" fn reconfigure<T: FileSystem>(fc: *mut bindings::fs_context) -> c_int {
    from_result(|| {
        // SAFETY: The context is live, `root` that of a superblock of this type, whose `s_umount` the
        // caller holds.
        unsafe {
            let sb = (*(*fc).root).d_sb;
            to_result(bindings::sync_filesystem(sb))?;
            let sb = sb::SuperBlock::from_raw(sb);
            // What isn't in the mask stays as it is: fspick(2) begins with nothing in it.
            let read_only = if (*fc).sb_flags_mask & bindings::SB_RDONLY as c_uint == 0 {
                sb.is_read_only()
            } else {
                (*fc).sb_flags & bindings::SB_RDONLY as c_uint != 0
            };
            T::reconfigure(sb, options::<T>(fc), read_only, &Log(fc))?;
        }
        Ok(0)
    })
}
