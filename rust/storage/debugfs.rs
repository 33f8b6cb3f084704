// SPDX-License-Identifier: GPL-2.0

//! Directories in debugfs with files that show data, and take text.
//!
//! As the kernel crate's module of that name, with what it lacks: a file that is open keeps the module. Without
//! that, closing it when the module has gone calls what isn't there any more.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

use crate::bindings;
use core::{
    marker::{PhantomData, PhantomPinned},
    mem::size_of,
    ops::Deref,
    ptr::{self, NonNull},
};
use kernel::{
    error::from_result,
    fmt,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    str::CStr,
    sync::Arc,
    uaccess::{UserPtr, UserSlice, UserSliceReader},
};

/// A directory, or an error in place of one: with debugfs, what can't be made isn't there.
///
/// # Invariants
///
/// What `debugfs_create_dir()` returned, and not removed; or null.
struct Entry(*mut bindings::dentry);

// SAFETY: debugfs does its own locking.
unsafe impl Send for Entry {}
// SAFETY: As above.
unsafe impl Sync for Entry {}

impl Entry {
    fn dir(name: &CStr, parent: *mut bindings::dentry) -> Self {
        // SAFETY: The name is a C string, and the parent null, for the root, or a directory or an error.
        Self(unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), parent) })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant; errors are passed over. Nobody is in a function of a file in it when
        // this returns.
        unsafe { bindings::debugfs_remove(self.0) };
    }
}

/// A directory at the top of debugfs, which goes when the last clone does. May sleep.
#[derive(Clone)]
pub struct Dir(Arc<Entry>);

impl Dir {
    /// `ENOMEM`. May sleep.
    pub fn new(name: &CStr) -> Result<Self> {
        Ok(Self(Arc::new(
            Entry::dir(name, ptr::null_mut()),
            GFP_KERNEL,
        )?))
    }

    /// Data with a directory in this one, in which `init` makes files that show it.
    pub fn scope<'a, T: 'a>(
        &'a self,
        data: impl PinInit<T, Error> + 'a,
        name: &'a CStr,
        init: impl for<'data> FnOnce(&'data T, &ScopedDir<'data>) + 'a,
    ) -> impl PinInit<Scope<T>, Error> + 'a {
        try_pin_init!(Scope {
            entry: Entry(ptr::null_mut()),
            _top: self.clone(),
            data <- data,
            _pin: PhantomPinned,
        })
        .pin_chain(move |scope| {
            let entry = Entry::dir(name, scope._top.0 .0);
            init(
                &scope.data,
                &ScopedDir {
                    dir: entry.0,
                    _data: PhantomData,
                },
            );
            // SAFETY: The entry isn't pinned.
            unsafe { scope.get_unchecked_mut() }.entry = entry;
            Ok(())
        })
    }
}

/// Data with a directory that shows it, and goes before it does.
#[pin_data]
pub struct Scope<T> {
    // Goes first.
    entry: Entry,
    // Goes after what is in it.
    _top: Dir,
    #[pin]
    data: T,
    #[pin]
    _pin: PhantomPinned,
}

impl<T> Deref for Scope<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

/// A directory whose files show data that stays longer than they do.
pub struct ScopedDir<'data> {
    dir: *mut bindings::dentry,
    /// Invariant: files keep pointers to the data.
    _data: PhantomData<fn(&'data ()) -> &'data ()>,
}

/// A function without a state, which is known by its type.
///
/// # Safety
///
/// There is a value of this type that is never dropped.
unsafe fn stateless<'a, F: 'static>() -> &'a F {
    const { assert!(size_of::<F>() == 0) };
    // SAFETY: It has no bytes, and by the caller's promise there is one.
    unsafe { NonNull::<F>::dangling().as_ref() }
}

impl<'data> ScopedDir<'data> {
    fn file<T>(
        &self,
        name: &CStr,
        mode: u16,
        data: &'data T,
        operations: &'static bindings::file_operations,
    ) {
        // SAFETY: The directory is one, or an error. The operations are for data of this type, which stays
        // until the directory has been removed.
        unsafe {
            bindings::debugfs_create_file_full(
                name.as_char_ptr(),
                mode,
                self.dir,
                ptr::from_ref(data).cast_mut().cast(),
                ptr::null(),
                operations,
            );
        }
    }

    /// A file with what `Debug` says of `data`, and a line end.
    pub fn read_only_file<T: fmt::Debug + Sync + 'static>(&self, name: &CStr, data: &'data T) {
        self.read_callback_file(name, data, &<T as fmt::Debug>::fmt);
    }

    /// A file with what `show` writes, and a line end.
    pub fn read_callback_file<T, F>(&self, name: &CStr, data: &'data T, _show: &'static F)
    where
        T: Sync + 'static,
        F: Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result + Sync + 'static,
    {
        self.file(name, 0o444, data, Operations::<T, F, ()>::READ);
    }

    /// A file that `store` takes text from.
    pub fn write_only_callback_file<T, W>(&self, name: &CStr, data: &'data T, _store: &'static W)
    where
        T: Sync + 'static,
        W: Fn(&T, &mut UserSliceReader) -> Result + Sync + 'static,
    {
        self.file(name, 0o200, data, Operations::<T, (), W>::WRITE);
    }

    /// Both.
    pub fn read_write_callback_file<T, F, W>(
        &self,
        name: &CStr,
        data: &'data T,
        _show: &'static F,
        _store: &'static W,
    ) where
        T: Sync + 'static,
        F: Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result + Sync + 'static,
        W: Fn(&T, &mut UserSliceReader) -> Result + Sync + 'static,
    {
        self.file(name, 0o644, data, Operations::<T, F, W>::BOTH);
    }
}

/// Calls `f` with the text that was written to a file: `E2BIG` for more than `max` bytes, `EINVAL` if it isn't
/// UTF-8, `EFAULT`, `ENOMEM`.
pub fn with_text(
    reader: &mut UserSliceReader,
    max: usize,
    f: impl FnOnce(&str) -> Result,
) -> Result {
    if reader.len() > max {
        return Err(E2BIG);
    }
    let mut bytes = KVec::from_elem(0, reader.len(), GFP_KERNEL)?;
    reader.read_slice(&mut bytes)?;
    f(core::str::from_utf8(&bytes).map_err(|_| EINVAL)?)
}

struct Operations<T, F, W>(PhantomData<(T, F, W)>);

/// What `F` says of the data, as text.
struct Shown<'a, T, F>(&'a T, PhantomData<F>);

impl<T, F> fmt::Display for Shown<'_, T, F>
where
    F: Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: Files are only made by methods of `ScopedDir`, which are given a `&'static F`.
        let show: &F = unsafe { stateless() };
        show(self.0, f)
    }
}

impl<T, F, W> Operations<T, F, W>
where
    T: Sync + 'static,
    F: Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result + Sync + 'static,
{
    const READ: &'static bindings::file_operations = &bindings::file_operations {
        owner: (&raw const bindings::__this_module).cast_mut(),
        open: Some(Self::open),
        read: Some(bindings::seq_read),
        llseek: Some(bindings::seq_lseek),
        release: Some(bindings::single_release),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// debugfs calls this with a file that `ScopedDir::file` made for data of type `T`, which is being opened.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The caller's.
        unsafe { bindings::single_open(file, Some(Self::show), (*inode).i_private) }
    }

    /// # Safety
    ///
    /// seq_file calls this for a file that `open` opened. It isn't taken away meanwhile, so the data is there.
    unsafe extern "C" fn show(seq: *mut bindings::seq_file, _: *mut c_void) -> c_int {
        // SAFETY: The caller's.
        let (data, out) = unsafe { (&*(*seq).private.cast::<T>(), SeqFile::from_raw(seq.cast())) };
        let shown = Shown::<T, F>(data, PhantomData);
        seq_print!(out, "{shown}\n");
        0
    }
}

impl<T, F, W> Operations<T, F, W>
where
    T: Sync + 'static,
    W: Fn(&T, &mut UserSliceReader) -> Result + Sync + 'static,
{
    const WRITE: &'static bindings::file_operations = &bindings::file_operations {
        owner: (&raw const bindings::__this_module).cast_mut(),
        open: Some(bindings::simple_open),
        write: Some(Self::write),
        llseek: Some(bindings::noop_llseek),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// debugfs calls this with an open file that `ScopedDir::file` made for data of type `T`, and text in user
    /// space. It isn't taken away meanwhile, so the data is there.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        text: *const c_char,
        len: usize,
        _pos: *mut bindings::loff_t,
    ) -> isize {
        from_result(|| {
            // SAFETY: The caller's.
            let data = unsafe { &*(*(*file).f_inode).i_private.cast::<T>() };
            let text = UserPtr::from_ptr(text.cast_mut().cast());
            // SAFETY: As in `Shown`.
            let store: &W = unsafe { stateless() };
            store(data, &mut UserSlice::new(text, len).reader())?;
            Ok(isize::try_from(len)?)
        })
    }
}

impl<T, F, W> Operations<T, F, W>
where
    T: Sync + 'static,
    F: Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result + Sync + 'static,
    W: Fn(&T, &mut UserSliceReader) -> Result + Sync + 'static,
{
    const BOTH: &'static bindings::file_operations = &bindings::file_operations {
        write: Some(Self::write),
        ..*Self::READ
    };
}
