// SPDX-License-Identifier: GPL-2.0

//! The eight bytes of a tuple.
//!
//! C: `struct t10_pi_tuple` (`include/linux/t10-pi.h`). SBC-4: "protection information" at the end of
//! each logical block.

/// Protection information of one protection interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuple {
    /// Checksum of the data; see [`Guard`](crate::Guard).
    pub guard: u16,
    /// Belongs to the application. [`ESCAPE_APP_TAG`](Self::ESCAPE_APP_TAG) turns checking off.
    pub app_tag: u16,
    /// Ties the data to a place; what it is depends on the [`Type`](crate::Type).
    pub ref_tag: u32,
}

impl Tuple {
    /// Length of an encoded tuple, in bytes.
    pub const SIZE: usize = 8;

    /// An application tag that says "don't check": on its own for types 1 and 2, together with
    /// [`ESCAPE_REF_TAG`](Self::ESCAPE_REF_TAG) for type 3.
    ///
    /// C: `T10_PI_APP_ESCAPE`.
    pub const ESCAPE_APP_TAG: u16 = 0xffff;

    /// See [`ESCAPE_APP_TAG`](Self::ESCAPE_APP_TAG). C: `T10_PI_REF_ESCAPE`.
    pub const ESCAPE_REF_TAG: u32 = 0xffff_ffff;

    /// The tuple as it is stored: guard, application tag, reference tag, each big endian.
    pub const fn encode(self) -> [u8; Self::SIZE] {
        let [g0, g1] = self.guard.to_be_bytes();
        let [a0, a1] = self.app_tag.to_be_bytes();
        let [r0, r1, r2, r3] = self.ref_tag.to_be_bytes();
        [g0, g1, a0, a1, r0, r1, r2, r3]
    }

    /// The tuple that was stored as `bytes`. Any bytes are a tuple.
    pub const fn decode(bytes: [u8; Self::SIZE]) -> Self {
        let [g0, g1, a0, a1, r0, r1, r2, r3] = bytes;
        Self {
            guard: u16::from_be_bytes([g0, g1]),
            app_tag: u16::from_be_bytes([a0, a1]),
            ref_tag: u32::from_be_bytes([r0, r1, r2, r3]),
        }
    }
}
