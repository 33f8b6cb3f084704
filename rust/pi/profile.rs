// SPDX-License-Identifier: GPL-2.0

//! Making and checking tuples.
//!
//! SBC-4, section "Protection information model". What the application tag is compared with, and
//! the first reference tag of type 2, come with a command: EXPECTED INITIAL LOGICAL BLOCK REFERENCE
//! TAG, EXPECTED LOGICAL BLOCK APPLICATION TAG, LOGICAL BLOCK APPLICATION TAG MASK.

use crate::{Guard, Tuple};
use core::fmt;

/// DIF type: what the reference tag is, and what is checked. SBC-4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// The reference tag is the low 32 bits of the logical block address.
    One,
    /// The reference tag counts up from one that the command brings.
    Two,
    /// The reference tag belongs to the application and is not checked.
    Three,
}

impl Type {
    /// The reference tag of the interval that comes `index` protection intervals after one with
    /// tag `initial`. It wraps at 2³² for types 1 and 2, and is the same for all of type 3.
    pub const fn ref_tag(self, initial: u32, index: u64) -> u32 {
        match self {
            // Counting modulo 2³² is what the standard asks for: the cut is meant.
            Self::One | Self::Two => initial.wrapping_add(index as u32),
            Self::Three => initial,
        }
    }

    /// Whether a tuple says that it is not to be checked.
    const fn escapes(self, tuple: &Tuple) -> bool {
        tuple.app_tag == Tuple::ESCAPE_APP_TAG
            && match self {
                Self::One | Self::Two => true,
                Self::Three => tuple.ref_tag == Tuple::ESCAPE_REF_TAG,
            }
    }
}

/// The reference tag of type 1 for the logical block, or protection interval, `lba`: its low 32 bits.
pub const fn lba_ref_tag(lba: u64) -> u32 {
    lba as u32
}

/// How the tuples of a device are made and checked.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    kind: Type,
    guard: Guard,
}

impl Profile {
    /// Tuples of DIF type `kind` with the checksum `guard`.
    pub const fn new(kind: Type, guard: Guard) -> Self {
        Self { kind, guard }
    }

    /// The DIF type.
    pub const fn kind(&self) -> Type {
        self.kind
    }

    /// The tuple of one interval, whose bytes are `data`. The tags are stored as they are: an
    /// `app_tag` of [`Tuple::ESCAPE_APP_TAG`] makes a tuple that is never checked (type 3: with a
    /// `ref_tag` of [`Tuple::ESCAPE_REF_TAG`]). For `ref_tag` see [`lba_ref_tag`] and
    /// [`Type::ref_tag`].
    pub fn generate(&self, data: &[u8], app_tag: u16, ref_tag: u32) -> Tuple {
        Tuple {
            guard: self.guard.of(data),
            app_tag,
            ref_tag,
        }
    }

    /// Checks one interval, whose bytes are `data`, against its tuple: the guard, then the
    /// application tag if one is expected, then the reference tag unless the type is 3. A tuple that
    /// says so is not checked at all.
    ///
    /// # Errors
    ///
    /// The first that is wrong.
    pub fn verify(&self, tuple: &Tuple, data: &[u8], expected: Expected) -> Result<(), Mismatch> {
        if self.kind.escapes(tuple) {
            return Ok(());
        }
        let guard = self.guard.of(data);
        if tuple.guard != guard {
            return Err(Mismatch::Guard {
                expected: guard,
                found: tuple.guard,
            });
        }
        if (tuple.app_tag ^ expected.app_tag) & expected.app_tag_mask != 0 {
            return Err(Mismatch::AppTag {
                expected: expected.app_tag,
                found: tuple.app_tag,
                mask: expected.app_tag_mask,
            });
        }
        if self.kind != Type::Three && tuple.ref_tag != expected.ref_tag {
            return Err(Mismatch::RefTag {
                expected: expected.ref_tag,
                found: tuple.ref_tag,
            });
        }
        Ok(())
    }
}

/// What the tags of a tuple should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    ref_tag: u32,
    app_tag: u16,
    /// The bits of it that are compared: none if it may be any.
    app_tag_mask: u16,
}

impl Expected {
    /// This reference tag (of no meaning for type 3), any application tag.
    pub const fn new(ref_tag: u32) -> Self {
        Self {
            ref_tag,
            app_tag: 0,
            app_tag_mask: 0,
        }
    }

    /// This application tag, too.
    pub const fn app_tag(self, app_tag: u16) -> Self {
        self.app_tag_masked(app_tag, u16::MAX)
    }

    /// An application tag with those bits of this one that are set in `mask`, too.
    pub const fn app_tag_masked(self, app_tag: u16, mask: u16) -> Self {
        Self {
            app_tag,
            app_tag_mask: mask,
            ..self
        }
    }
}

/// Which part of a tuple does not agree, with both values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The data is not what the guard was made from.
    Guard {
        /// Guard of the data.
        expected: u16,
        /// Guard in the tuple.
        found: u16,
    },
    /// The application tag is another.
    AppTag {
        /// The one asked for.
        expected: u16,
        /// The one in the tuple.
        found: u16,
        /// The bits that were compared.
        mask: u16,
    },
    /// The data belongs somewhere else.
    RefTag {
        /// The one asked for.
        expected: u32,
        /// The one in the tuple.
        found: u32,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guard { expected, found } => {
                write!(
                    f,
                    "guard tag is {found:#06x}, the data's is {expected:#06x}"
                )
            }
            Self::AppTag {
                expected,
                found,
                mask,
            } => {
                write!(f, "application tag is {found:#06x}, not {expected:#06x}")?;
                if *mask != u16::MAX {
                    write!(f, " in the bits {mask:#06x}")?;
                }
                Ok(())
            }
            Self::RefTag { expected, found } => {
                write!(f, "reference tag is {found:#010x}, not {expected:#010x}")
            }
        }
    }
}

impl core::error::Error for Mismatch {}
