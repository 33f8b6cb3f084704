// SPDX-License-Identifier: GPL-2.0

//! Module parameters that say what is allowed.
//!
//! The parameters of `module!` are numbers and are parsed before the module can say a word about
//! them. These keep the text that user space gave; the module checks it when it is loaded, with one
//! line in the log that names the parameter, the value and what is allowed.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)

use crate::{
    bindings,
    setting::{Allowed, Invalid},
};
use kernel::{error::from_result, prelude::*, str::BStr, sync::SetOnce};

/// Longest value that is kept, in bytes.
const MAX_LEN: usize = 31;

/// The text of a parameter.
#[derive(Clone, Copy)]
struct Text {
    bytes: [u8; MAX_LEN],
    len: usize,
}

/// A module parameter: a name and the text it was given, or its default.
///
/// Made by [`module_params!`](crate::module_params).
pub struct Param {
    name: &'static str,
    default: &'static str,
    given: SetOnce<Text>,
}

// SAFETY: `SetOnce` is written at most once, before the module's init function runs, and the rest
// is constant.
unsafe impl Sync for Param {}

impl Param {
    #[doc(hidden)]
    pub const fn new(name: &'static str, default: &'static str) -> Self {
        Self {
            name,
            default,
            given: SetOnce::new(),
        }
    }

    /// What it was given, or its default.
    pub fn text(&self) -> &BStr {
        BStr::from_bytes(match self.given.as_ref() {
            Some(text) => text.bytes.get(..text.len).unwrap_or(&[]),
            None => self.default.as_bytes(),
        })
    }

    /// Its value. What isn't allowed is told as text, see [`Invalid`].
    pub fn value(&self, allowed: Allowed) -> Result<u64, Invalid<'_>> {
        allowed.value(self.name, self.text())
    }

    /// # Safety
    ///
    /// Called by the kernel's parameter code, for a parameter made by `module_params!`, with `val` a
    /// C string or null. One call at a time.
    unsafe extern "C" fn set(val: *const c_char, param: *const bindings::kernel_param) -> c_int {
        from_result(|| {
            if val.is_null() {
                return Err(EINVAL);
            }
            // SAFETY: By the caller's promise.
            let val = unsafe { CStr::from_char_ptr(val) }.to_bytes();
            // SAFETY: `arg` was set to a static `Param` by `module_params!`.
            let this = unsafe { &*(*param).__bindgen_anon_1.arg.cast::<Self>() };
            let mut text = Text {
                bytes: [0; MAX_LEN],
                len: val.len(),
            };
            text.bytes
                .get_mut(..val.len())
                .ok_or(EINVAL)?
                .copy_from_slice(val);
            if this.given.populate(text) {
                Ok(0)
            } else {
                // Given twice.
                Err(EINVAL)
            }
        })
    }

    /// # Safety
    ///
    /// Called by sysfs, for a parameter made by `module_params!`, with `buffer` a page.
    unsafe extern "C" fn get(buffer: *mut c_char, param: *const bindings::kernel_param) -> c_int {
        // SAFETY: As in `set()`.
        let this = unsafe { &*(*param).__bindgen_anon_1.arg.cast::<Self>() };
        let text = this.text();
        // SAFETY: `buffer` is a page of its own, and the text is shorter than that by far.
        unsafe {
            core::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast(), text.len());
            buffer.add(text.len()).write(b'\n' as c_char);
        }
        (text.len() + 1) as c_int
    }
}

#[doc(hidden)]
pub static OPS: bindings::kernel_param_ops = bindings::kernel_param_ops {
    flags: 0,
    set: Some(Param::set),
    get: Some(Param::get),
    free: None,
};

/// A `struct kernel_param` in the module's table of parameters.
#[doc(hidden)]
#[repr(transparent)]
pub struct Entry(bindings::kernel_param);

// SAFETY: The kernel reads it only.
unsafe impl Sync for Entry {}

impl Entry {
    #[doc(hidden)]
    pub const fn new(name: &'static CStr, param: &'static Param) -> Self {
        Self(bindings::kernel_param {
            name: kernel::str::as_char_ptr_in_const_context(name),
            mod_: (&raw const bindings::__this_module).cast_mut(),
            ops: &OPS,
            perm: 0o444,
            level: -1,
            flags: 0,
            __bindgen_anon_1: bindings::kernel_param__bindgen_ty_1 {
                arg: core::ptr::from_ref(param).cast_mut().cast(),
            },
        })
    }
}

/// Defines the parameters of a module: for each a static [`Param`], readable in
/// `/sys/module/NAME/parameters/`, and its line in `modinfo`.
///
/// # Examples
///
/// ```ignore
/// storage::module_params! {
///     /// How long, in microseconds.
///     window_us = "0", "time between submit and transfer, in microseconds (0 to 10000000)";
/// }
/// let window = window_us.value(Allowed::Range(0, 10_000_000))?;
/// ```
#[macro_export]
macro_rules! module_params {
    ($($(#[$attr:meta])* $name:ident = $default:literal, $description:literal;)*) => {$(
        $(#[$attr])*
        #[allow(non_upper_case_globals)]
        pub(crate) static $name: $crate::module_param::Param =
            $crate::module_param::Param::new(stringify!($name), $default);

        const _: () = {
            const TEXT: &str = concat!(
                "parm=", stringify!($name), ":", $description, "\0",
                "parmtype=", stringify!($name), ":charp\0",
            );

            #[link_section = "__param"]
            #[used(compiler)]
            static ENTRY: $crate::module_param::Entry = $crate::module_param::Entry::new(
                ::kernel::c_str!(stringify!($name)),
                &$name,
            );

            #[link_section = ".modinfo"]
            #[used(compiler)]
            static MODINFO: [u8; TEXT.len()] = $crate::module_param::bytes(TEXT);
        };
    )*};
}

#[doc(hidden)]
pub const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let text = text.as_bytes();
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = text[i];
        i += 1;
    }
    bytes
}
