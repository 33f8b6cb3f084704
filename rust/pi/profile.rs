// SPDX-License-Identifier: GPL-2.0

//! Making and checking tuples.
//!
//! SBC-4, section "Protection information model"; NVM Command Set Specification, "End-to-end Data
//! Protection". What the application tag is compared with, and the first reference tag of type 2, come
//! with a command: EXPECTED INITIAL LOGICAL BLOCK REFERENCE TAG, EXPECTED LOGICAL BLOCK APPLICATION TAG,
//! LOGICAL BLOCK APPLICATION TAG MASK.

use crate::{Format, Guard, Part, Tuple};
use core::fmt;

/// DIF type: what the reference tag is, and what is checked. SBC-4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// No protection: metadata is whatever its owner wants it to be.
    Zero,
    /// The reference tag is the low bits of the logical block address.
    One,
    /// The reference tag counts up from one that the command brings.
    Two,
    /// The reference tag belongs to the application and is not checked.
    Three,
}

impl Type {
    /// The reference tag of the interval that comes `index` protection intervals after one with
    /// tag `initial`, before it is cut to what a [`Format`] stores. It is the same for all of type 3.
    pub const fn ref_tag(self, initial: u64, index: u64) -> u64 {
        match self {
            // Counting modulo a power of two is what the standards ask for.
            Self::One | Self::Two => initial.wrapping_add(index),
            Self::Zero | Self::Three => initial,
        }
    }

    /// Whether a tuple says that it is not to be checked.
    const fn escapes(self, tuple: &Tuple, format: Format) -> bool {
        tuple.app_tag == Tuple::ESCAPE_APP_TAG
            && match self {
                Self::Zero | Self::One | Self::Two => true,
                Self::Three => tuple.ref_tag == format.escape_ref_tag(),
            }
    }
}

/// How the tuples of a device are made and checked, and where in the metadata of an interval they are.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    kind: Type,
    guard: Guard,
    metadata_size: usize,
    pi_offset: usize,
}

impl Profile {
    /// Tuples of DIF type `kind` with the checksum `guard`. There is no other metadata.
    pub const fn new(kind: Type, guard: Guard) -> Self {
        Self {
            kind,
            guard,
            metadata_size: guard.format().size(),
            pi_offset: 0,
        }
    }

    /// The same tuples `offset` bytes into metadata of `size` bytes. What is before the tuple is guarded
    /// with the data, what comes after it is not. `None` if the tuple does not fit.
    ///
    /// C: `metadata_size` and `pi_offset` of `struct blk_integrity`.
    pub const fn within(self, size: usize, offset: usize) -> Option<Self> {
        match size.checked_sub(self.guard.format().size()) {
            Some(last) if offset <= last => Some(Self {
                metadata_size: size,
                pi_offset: offset,
                ..self
            }),
            _ => None,
        }
    }

    /// The DIF type.
    pub const fn kind(&self) -> Type {
        self.kind
    }

    /// How tuples are stored.
    pub const fn format(&self) -> Format {
        self.guard.format()
    }

    /// Bytes of metadata that go with each interval.
    pub const fn metadata_size(&self) -> usize {
        self.metadata_size
    }

    /// Where in them the tuple is.
    pub const fn pi_offset(&self) -> usize {
        self.pi_offset
    }

    /// Makes the tuple of one interval, whose bytes are `data`, in its `metadata`, of which the rest stays
    /// as it is. The tags are stored as they are: an `app_tag` of [`Tuple::ESCAPE_APP_TAG`] makes a tuple
    /// that is never checked (type 3: with [`Format::escape_ref_tag`]). For `ref_tag` see
    /// [`Type::ref_tag`]. Nothing is made for type 0.
    pub fn generate(&self, data: &[u8], metadata: &mut [u8], app_tag: u16, ref_tag: u64) {
        if self.kind == Type::Zero {
            return;
        }
        if let Some((before, to)) = metadata.split_at_mut_checked(self.pi_offset) {
            let tuple = Tuple {
                guard: self.guard.of(data, before),
                app_tag,
                ref_tag,
            };
            // Metadata is as long as it should be, or nothing is stored.
            let _ = self.format().encode(tuple, to);
        }
    }

    /// The guard tag of an interval, whose bytes are `data`, with what is before the tuple in its `metadata`.
    pub fn guard_of(&self, data: &[u8], metadata: &[u8]) -> u64 {
        self.guard
            .of(data, metadata.get(..self.pi_offset).unwrap_or_default())
    }

    /// The tuple in the `metadata` of an interval, or `None` if that is too short.
    pub fn tuple(&self, metadata: &[u8]) -> Option<Tuple> {
        self.format().decode(metadata.get(self.pi_offset..)?)
    }

    /// The bytes of `metadata` that a part of the tuple is; none if that is too short.
    pub fn part_mut<'a>(&self, metadata: &'a mut [u8], part: Part) -> &'a mut [u8] {
        metadata
            .get_mut(self.pi_offset..)
            .and_then(|tuple| tuple.get_mut(self.format().bytes_of(part)))
            .unwrap_or_default()
    }

    /// Checks one interval, whose bytes are `data`, against the tuple in its `metadata`: of what is
    /// expected the guard, then the application tag, then the reference tag (not of type 3; its low bits, if
    /// `ref_tag` has more than are stored). A tuple that says so is not checked at all, nor is one of type 0.
    ///
    /// # Errors
    ///
    /// The first that is wrong.
    pub fn verify(
        &self,
        data: &[u8],
        metadata: &[u8],
        ref_tag: u64,
        expected: &Expected,
    ) -> Result<Verified, Mismatch> {
        if self.kind == Type::Zero {
            return Ok(Verified::Unchecked);
        }
        let (format, before) = (self.format(), metadata.get(..self.pi_offset));
        let (Some(tuple), Some(before)) = (self.tuple(metadata), before) else {
            return Err(Mismatch::NoTuple);
        };
        if self.kind.escapes(&tuple, format) {
            return Ok(Verified::Unchecked);
        }
        if expected.guard {
            let guard = self.guard.of(data, before);
            if tuple.guard != guard {
                return Err(Mismatch::Guard {
                    format,
                    expected: guard,
                    found: tuple.guard,
                });
            }
        }
        if (tuple.app_tag ^ expected.app_tag) & expected.app_tag_mask != 0 {
            return Err(Mismatch::AppTag {
                expected: expected.app_tag,
                found: tuple.app_tag,
                mask: expected.app_tag_mask,
            });
        }
        let ref_tag = format.ref_tag(ref_tag);
        if expected.ref_tag && self.kind != Type::Three && tuple.ref_tag != ref_tag {
            return Err(Mismatch::RefTag {
                format,
                expected: ref_tag,
                found: tuple.ref_tag,
            });
        }
        Ok(Verified::Checked)
    }
}

/// An interval with which nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It agrees with its tuple.
    Checked,
    /// Its tuple says that it is not to be checked, or is of type 0.
    Unchecked,
}

/// What is expected of tuples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    guard: bool,
    ref_tag: bool,
    app_tag: u16,
    /// The bits of it that are compared: none if it may be any.
    app_tag_mask: u16,
}

impl Default for Expected {
    fn default() -> Self {
        Self::new()
    }
}

impl Expected {
    /// The data's guard, the reference tag that the interval should have, any application tag.
    pub const fn new() -> Self {
        Self {
            guard: true,
            ref_tag: true,
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

    /// Whatever guard. C: no `BIP_CHECK_GUARD`.
    pub const fn any_guard(self) -> Self {
        Self {
            guard: false,
            ..self
        }
    }

    /// Whatever reference tag. C: no `BIP_CHECK_REFTAG`.
    pub const fn any_ref_tag(self) -> Self {
        Self {
            ref_tag: false,
            ..self
        }
    }
}

/// Which part of a tuple does not agree, with both values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The data is not what the guard was made from.
    Guard {
        /// How many digits it has.
        format: Format,
        /// Guard of the data.
        expected: u64,
        /// Guard in the tuple.
        found: u64,
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
        /// How many digits it has.
        format: Format,
        /// The one asked for.
        expected: u64,
        /// The one in the tuple.
        found: u64,
    },
    /// The metadata is too short for one.
    NoTuple,
}

/// As many digits as `bits` have, and those of `0x`.
const fn digits(bits: u32) -> usize {
    2 + (bits / 4) as usize
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guard {
                format,
                expected,
                found,
            } => {
                let width = digits(format.guard_bits());
                write!(
                    f,
                    "guard tag is {found:#0width$x}, the data's is {expected:#0width$x}"
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
            Self::RefTag {
                format,
                expected,
                found,
            } => {
                let width = digits(format.ref_tag_bits());
                write!(
                    f,
                    "reference tag is {found:#0width$x}, not {expected:#0width$x}"
                )
            }
            Self::NoTuple => f.write_str("there is no tuple"),
        }
    }
}

impl core::error::Error for Mismatch {}
