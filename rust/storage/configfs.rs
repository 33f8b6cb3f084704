// SPDX-License-Identifier: GPL-2.0

//! Directories that user space makes, and their attributes.
//!
//! The kernel crate has a module for this, too; it is left out where configfs is a module, as in the kernels of
//! distributions.
//!
//! C header: [`include/linux/configfs.h`](srctree/include/linux/configfs.h)

use crate::bindings;
use core::{marker::PhantomData, mem::offset_of, ptr, slice};
use kernel::{
    error::{from_result, to_result},
    fmt::{self, Write},
    page::PAGE_SIZE,
    prelude::*,
    static_lock_class,
    str::{BStr, CStr},
    sync::Arc,
    types::Opaque,
};

/// What a directory holds: its attributes are files, one value each.
///
/// Attributes are shown and stored in the context of the process that reads or writes the file: may sleep.
/// Several at once, of one directory, too.
pub trait Directory: Sized + Send + Sync + 'static {
    /// In the order in which they are listed; at most 64.
    const ATTRIBUTES: &'static [Attribute<Self>];
}

/// A file in a directory.
///
/// C: `struct configfs_attribute`.
pub struct Attribute<T> {
    /// Its name.
    pub name: &'static CStr,
    /// What the functions are told, so that one can serve several.
    pub id: usize,
    /// Writes its value; a line end follows on its own. A page is the most.
    pub show: fn(&T, usize, &mut dyn Write) -> fmt::Result,
    /// Takes a new value, what was written without the line end; `None` if it can't be written to.
    pub store: Option<fn(&T, usize, &BStr) -> Result>,
}

/// A directory in which directories can be made.
pub trait Parent: Directory {
    /// What these are.
    type Child: Directory;

    /// A directory of that name is being made. An error is what `mkdir()` says.
    fn make(&self, name: &CStr) -> Result<impl PinInit<Self::Child, Error>>;

    /// It is being removed: nothing of it is shown or stored any more.
    fn removed(&self, child: &Self::Child);
}

/// The largest number of attributes.
const MOST: usize = 64;

/// A type that has the `struct config_item` of a directory inside.
///
/// # Safety
///
/// `ITEM` is the offset of a `struct config_item`, that of a `struct config_group`.
unsafe trait Place: 'static {
    type Data: Directory;

    const ITEM: usize;

    fn data(&self) -> &Self::Data;

    /// # Safety
    ///
    /// `item` is that of a live `Self`, for `'a`.
    unsafe fn from_item<'a>(item: *mut bindings::config_item) -> &'a Self
    where
        Self: Sized,
    {
        // SAFETY: As the caller says; nobody has an exclusive reference to a directory.
        unsafe { &*item.wrapping_byte_sub(Self::ITEM).cast() }
    }
}

/// The directory of a module, in `/sys/kernel/config`.
///
/// Dropping it takes it away. It may sleep. It is to be dropped by the module's end and nowhere else, and made
/// last: each directory in it keeps the module, so none is left then.
///
/// C: `struct configfs_subsystem`.
///
/// # Invariants
///
/// It is registered.
#[pin_data(PinnedDrop)]
pub struct Subsystem<T: Parent> {
    #[pin]
    subsystem: Opaque<bindings::configfs_subsystem>,
    #[pin]
    data: T,
}

// SAFETY: What C has in there has its own locks, and the rest is a `Directory`.
unsafe impl<T: Parent> Send for Subsystem<T> {}
// SAFETY: As above.
unsafe impl<T: Parent> Sync for Subsystem<T> {}

// SAFETY: `struct configfs_subsystem` begins with the group, which begins with the item.
unsafe impl<T: Parent> Place for Subsystem<T> {
    type Data = T;

    const ITEM: usize = offset_of!(Self, subsystem)
        + offset_of!(bindings::configfs_subsystem, su_group)
        + offset_of!(bindings::config_group, cg_item);

    fn data(&self) -> &T {
        &self.data
    }
}

impl<T: Parent> Subsystem<T> {
    /// Makes it, with that name. `EEXIST`, `ENOMEM`. May sleep.
    pub fn new(name: &'static CStr, data: impl PinInit<T, Error>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            data <- data,
            subsystem <- Opaque::try_ffi_init(|subsystem: *mut bindings::configfs_subsystem| {
                // SAFETY: Ours, and large enough. The name is copied, or static; the type is constant. What
                // is before it in the structure is initialized: callbacks may come from here on.
                unsafe {
                    subsystem.write_bytes(0, 1);
                    bindings::config_group_init_type_name(
                        &raw mut (*subsystem).su_group,
                        name.as_char_ptr(),
                        Self::TYPE,
                    );
                    bindings::__mutex_init(
                        &raw mut (*subsystem).su_mutex,
                        c"storage::configfs".as_char_ptr(),
                        static_lock_class!().as_ptr(),
                    );
                    to_result(bindings::configfs_register_subsystem(subsystem))
                }
            }),
        })
    }

    const TYPE: &'static bindings::config_item_type = &bindings::config_item_type {
        ct_owner: (&raw const bindings::__this_module).cast_mut(),
        ct_item_ops: ptr::null(),
        ct_group_ops: &bindings::configfs_group_operations {
            make_item: None,
            make_group: Some(Self::make_group),
            disconnect_notify: None,
            drop_item: Some(Self::drop_item),
            is_visible: None,
            is_bin_visible: None,
        },
        ct_attrs: Files::<Self>::pointer(),
        ct_bin_attrs: ptr::null_mut(),
    };

    /// # Safety
    ///
    /// configfs calls this for `mkdir()` in a directory of this type, with the name.
    unsafe extern "C" fn make_group(
        group: *mut bindings::config_group,
        name: *const c_char,
    ) -> *mut bindings::config_group {
        // SAFETY: The caller's: the group is there while this runs.
        let (parent, name) = unsafe {
            (
                Self::from_item(&raw mut (*group).cg_item),
                CStr::from_char_ptr(name),
            )
        };
        let make = || -> Result<Arc<Group<T::Child>>> {
            let data = T::make(&parent.data, name)?;
            Arc::pin_init(Group::new(name, data), GFP_KERNEL)
        };
        match make() {
            // What `release` takes back.
            Ok(child) => Arc::into_raw(child)
                .cast_mut()
                .wrapping_byte_add(offset_of!(Group<T::Child>, group))
                .cast(),
            Err(error) => error.to_ptr(),
        }
    }

    /// # Safety
    ///
    /// configfs calls this for `rmdir()` of a directory that `make_group` made in this one, with a
    /// reference to it that this gives back.
    unsafe extern "C" fn drop_item(
        group: *mut bindings::config_group,
        item: *mut bindings::config_item,
    ) {
        // SAFETY: The caller's; the reference is given back last.
        unsafe {
            let parent = Self::from_item(&raw mut (*group).cg_item);
            parent
                .data
                .removed(Group::<T::Child>::from_item(item).data());
            bindings::config_item_put(item);
        }
    }
}

#[pinned_drop]
impl<T: Parent> PinnedDrop for Subsystem<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: It is registered, by the type's invariant.
        unsafe { bindings::configfs_unregister_subsystem(self.subsystem.get()) };
    }
}

/// A directory that user space made.
///
/// C: `struct config_group`.
#[pin_data]
struct Group<T: Directory> {
    #[pin]
    group: Opaque<bindings::config_group>,
    #[pin]
    data: T,
}

// SAFETY: What C has in there has its own locks, and the rest is a `Directory`.
unsafe impl<T: Directory> Send for Group<T> {}
// SAFETY: As above.
unsafe impl<T: Directory> Sync for Group<T> {}

// SAFETY: `struct config_group` begins with the item.
unsafe impl<T: Directory> Place for Group<T> {
    type Data = T;

    const ITEM: usize = offset_of!(Self, group) + offset_of!(bindings::config_group, cg_item);

    fn data(&self) -> &T {
        &self.data
    }
}

impl<T: Directory> Group<T> {
    fn new<'a>(
        name: &'a CStr,
        data: impl PinInit<T, Error> + 'a,
    ) -> impl PinInit<Self, Error> + 'a {
        try_pin_init!(Self {
            data <- data,
            group <- Opaque::ffi_init(|group: *mut bindings::config_group| {
                // SAFETY: Ours, and large enough. The name is copied: it is shorter than a directory entry's.
                unsafe {
                    group.write_bytes(0, 1);
                    bindings::config_group_init_type_name(group, name.as_char_ptr(), Self::TYPE);
                }
            }),
        }? Error)
    }

    const TYPE: &'static bindings::config_item_type = &bindings::config_item_type {
        ct_owner: (&raw const bindings::__this_module).cast_mut(),
        ct_item_ops: &bindings::configfs_item_operations {
            release: Some(Self::release),
            allow_link: None,
            drop_link: None,
        },
        ct_group_ops: ptr::null(),
        ct_attrs: Files::<Self>::pointer(),
        ct_bin_attrs: ptr::null_mut(),
    };

    /// # Safety
    ///
    /// configfs calls this when the last reference to a group that `make_group` made is gone.
    unsafe extern "C" fn release(item: *mut bindings::config_item) {
        let group: *const Self = item.wrapping_byte_sub(Self::ITEM).cast();
        // SAFETY: The caller's: this is the reference that `make_group` gave away.
        drop(unsafe { Arc::from_raw(group) });
    }
}

/// The attributes of a directory, as C has them.
struct Files<P>(PhantomData<P>);

impl<P: Place> Files<P> {
    const FILES: &'static [bindings::configfs_attribute; MOST] = &Self::files();
    const POINTERS: &'static [*mut bindings::configfs_attribute; MOST + 1] = &Self::pointers();

    /// For `ct_attrs`, which configfs only reads.
    const fn pointer() -> *mut *mut bindings::configfs_attribute {
        (&raw const *Self::POINTERS).cast_mut().cast()
    }

    const fn files() -> [bindings::configfs_attribute; MOST] {
        let attributes = P::Data::ATTRIBUTES;
        assert!(attributes.len() <= MOST);
        let mut files = [const {
            bindings::configfs_attribute {
                ca_name: ptr::null(),
                ca_owner: ptr::null_mut(),
                ca_mode: 0,
                show: None,
                store: None,
            }
        }; MOST];
        let mut i = 0;
        while i < attributes.len() {
            files[i] = bindings::configfs_attribute {
                ca_name: kernel::str::as_char_ptr_in_const_context(attributes[i].name),
                ca_owner: (&raw const bindings::__this_module).cast_mut(),
                ca_mode: if attributes[i].store.is_some() {
                    0o644
                } else {
                    0o444
                },
                show: Some(Self::CALLBACKS[i].0),
                store: match attributes[i].store {
                    Some(_) => Some(Self::CALLBACKS[i].1),
                    None => None,
                },
            };
            i += 1;
        }
        files
    }

    const fn pointers() -> [*mut bindings::configfs_attribute; MOST + 1] {
        let mut pointers = [ptr::null_mut(); MOST + 1];
        let mut i = 0;
        while i < P::Data::ATTRIBUTES.len() {
            pointers[i] = (&raw const Self::FILES[i]).cast_mut();
            i += 1;
        }
        pointers
    }
}

type Show = unsafe extern "C" fn(*mut bindings::config_item, *mut c_char) -> isize;
type Store = unsafe extern "C" fn(*mut bindings::config_item, *const c_char, usize) -> isize;

/// Callbacks aren't told which attribute they are for: each has its own.
macro_rules! callbacks {
    ($($n:literal)*) => {
        impl<P: Place> Files<P> {
            const CALLBACKS: [(Show, Store); MOST] = [$((show::<P, $n>, store::<P, $n>)),*];
        }
    };
}

callbacks! {
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
}

/// # Safety
///
/// configfs calls this for the attribute `N` of a live directory of type `P`, with a page.
unsafe extern "C" fn show<P: Place, const N: usize>(
    item: *mut bindings::config_item,
    page: *mut c_char,
) -> isize {
    from_result(|| {
        // SAFETY: The caller's; the page is for this call.
        let (place, page) = unsafe {
            (
                P::from_item(item),
                slice::from_raw_parts_mut(page.cast::<u8>(), PAGE_SIZE),
            )
        };
        let attribute = P::Data::ATTRIBUTES.get(N).ok_or(ENOENT)?;
        let mut text = Text { page, len: 0 };
        (attribute.show)(place.data(), attribute.id, &mut text)
            .and_then(|()| text.write_str("\n"))
            .map_err(|_| EFBIG)?;
        Ok(isize::try_from(text.len)?)
    })
}

/// # Safety
///
/// configfs calls this for the attribute `N` of a live directory of type `P`, with what was written, of `len`
/// bytes.
unsafe extern "C" fn store<P: Place, const N: usize>(
    item: *mut bindings::config_item,
    text: *const c_char,
    len: usize,
) -> isize {
    from_result(|| {
        // SAFETY: The caller's; the text is for this call.
        let (place, text) = unsafe {
            (
                P::from_item(item),
                slice::from_raw_parts(text.cast::<u8>(), len),
            )
        };
        let attribute = P::Data::ATTRIBUTES.get(N).ok_or(ENOENT)?;
        let store = attribute.store.ok_or(EACCES)?;
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        store(place.data(), attribute.id, BStr::from_bytes(text))?;
        Ok(isize::try_from(len)?)
    })
}

/// A value as text, in a page.
struct Text<'a> {
    page: &'a mut [u8],
    len: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(fmt::Error)?;
        let to = self.page.get_mut(self.len..end).ok_or(fmt::Error)?;
        to.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
