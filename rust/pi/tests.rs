// SPDX-License-Identifier: GPL-2.0

//! Published test vectors, and properties. The `crc` crate is the second judge.

extern crate std;

use crate::{lba_ref_tag, Expected, Guard, Mismatch, Profile, Tuple, Type};
use proptest::prelude::*;
use std::{format, vec::Vec};

/// CRC-16/T10-DIF, bit by bit from its definition.
fn t10dif(data: &[u8]) -> u16 {
    data.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x8bb7
            }
        })
    })
}

/// RFC 1071 as C has it: words in the machine's order, so that the result is in memory's order.
fn ip_csum(data: &[u8]) -> u16 {
    let mut sum: u64 = 0;
    for word in data.chunks(2) {
        let bytes = [word[0], word.get(1).copied().unwrap_or(0)];
        sum += u64::from(u16::from_ne_bytes(bytes));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn crc_profile(kind: Type) -> Profile {
    Profile::new(kind, Guard::Crc(t10dif))
}

const TYPES: [Type; 3] = [Type::One, Type::Two, Type::Three];

fn any_type() -> impl Strategy<Value = Type> {
    prop::sample::select(TYPES.to_vec())
}

/// A protection interval: 512 or 4096 bytes of anything.
fn interval() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 512),
        prop::collection::vec(any::<u8>(), 4096),
    ]
}

#[test]
fn crc_of_the_published_check_string() {
    assert_eq!(Guard::Crc(t10dif).of(b"123456789"), 0xd0db);
}

#[test]
fn crc_of_the_vectors_in_sbc() {
    let up: Vec<u8> = (0..32).collect();
    let down: Vec<u8> = (0xe0..=0xff).rev().collect();
    let mut two = [0; 32];
    two[..2].fill(0xff);
    for (data, crc) in [
        (&[0; 32][..], 0x0000),
        (&[0xff; 32][..], 0xa293),
        (&up, 0x0224),
        (&two, 0x21b8),
        (&down, 0xa0b7),
    ] {
        assert_eq!(Guard::Crc(t10dif).of(data), crc);
    }
}

#[test]
fn ip_checksum_of_the_example_in_rfc_1071() {
    // The sum is 0xddf2, the checksum its complement, stored most significant byte first.
    let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    let tuple = Profile::new(Type::One, Guard::Ip(ip_csum)).generate(&data, 0, 0);
    assert_eq!(tuple.guard, 0x220d);
    assert_eq!(tuple.encode()[..2], [0x22, 0x0d]);
}

#[test]
fn a_mask_says_which_bits_of_the_application_tag_count() {
    let profile = crc_profile(Type::One);
    let data = [3; 512];
    let tuple = profile.generate(&data, 0x1234, 1);
    let verify = |app_tag, mask| {
        let expected = Expected::new(1).app_tag_masked(app_tag, mask);
        profile.verify(&tuple, &data, expected)
    };
    assert_eq!(verify(0xff34, 0x00ff), Ok(()));
    assert_eq!(verify(0xffff, 0), Ok(()));
    assert_eq!(
        format!("{}", verify(0x1134, 0xff00).unwrap_err()),
        "application tag is 0x1234, not 0x1134 in the bits 0xff00"
    );
}

#[test]
fn a_tuple_is_big_endian() {
    let tuple = Tuple {
        guard: 0x0102,
        app_tag: 0x0304,
        ref_tag: 0x0506_0708,
    };
    assert_eq!(tuple.encode(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn reference_tags_by_type() {
    assert_eq!(lba_ref_tag(0x1_2345_6789), 0x2345_6789);
    for kind in [Type::One, Type::Two] {
        assert_eq!(kind.ref_tag(7, 3), 10);
        assert_eq!(kind.ref_tag(u32::MAX, 1), 0);
        assert_eq!(kind.ref_tag(5, 1 << 32), 5);
    }
    assert_eq!(Type::Three.ref_tag(7, 3), 7);
}

#[test]
fn escapes_turn_checking_off() {
    let escape = |app_tag, ref_tag| Tuple {
        guard: 0xdead,
        app_tag,
        ref_tag,
    };
    let expected = Expected::new(1).app_tag(2);
    let data = [1; 512];
    for kind in [Type::One, Type::Two] {
        let profile = crc_profile(kind);
        assert_eq!(profile.verify(&escape(0xffff, 9), &data, expected), Ok(()));
        assert!(profile.verify(&escape(0xfffe, 9), &data, expected).is_err());
    }
    let profile = crc_profile(Type::Three);
    assert_eq!(
        profile.verify(&escape(0xffff, u32::MAX), &data, expected),
        Ok(())
    );
    assert!(profile.verify(&escape(0xffff, 9), &data, expected).is_err());
    assert!(profile
        .verify(&escape(9, u32::MAX), &data, expected)
        .is_err());
}

#[test]
fn the_first_mismatch_is_named_with_both_values() {
    let profile = crc_profile(Type::One);
    let data = [3; 512];
    let good = profile.generate(&data, 0x11, 0x22);
    let verify = |tuple| profile.verify(&tuple, &data, Expected::new(0x22).app_tag(0x11));
    let text = |tuple| format!("{}", verify(tuple).unwrap_err());

    let guard = !good.guard;
    assert_eq!(
        verify(Tuple {
            guard,
            app_tag: 0,
            ..good
        }),
        Err(Mismatch::Guard {
            expected: good.guard,
            found: guard
        })
    );
    assert_eq!(
        text(Tuple {
            app_tag: 0,
            ref_tag: 0,
            ..good
        }),
        "application tag is 0x0000, not 0x0011"
    );
    assert_eq!(
        text(Tuple {
            ref_tag: 0x23,
            ..good
        }),
        "reference tag is 0x00000023, not 0x00000022"
    );
}

proptest! {
    #[test]
    fn the_crc_is_that_of_the_crc_crate(data in prop::collection::vec(any::<u8>(), 0..600)) {
        let judge = crc::Crc::<u16>::new(&crc::CRC_16_T10_DIF).checksum(&data);
        prop_assert_eq!(Guard::Crc(t10dif).of(&data), judge);
    }

    /// The second judge of the IP checksum: RFC 1071 in the network's order, whatever ours is.
    #[test]
    fn the_ip_checksum_is_stored_in_the_networks_order(data in interval()) {
        let sum: u64 = data.chunks(2).map(|w| u64::from(u16::from_be_bytes([w[0], w[1]]))).sum();
        let folded = match sum % 0xffff {
            0 if sum != 0 => 0xffff,
            rest => rest,
        };
        let tuple = Profile::new(Type::One, Guard::Ip(ip_csum)).generate(&data, 0, 0);
        prop_assert_eq!(tuple.encode()[..2].to_vec(), (!(folded as u16)).to_be_bytes().to_vec());
    }

    #[test]
    fn decoding_undoes_encoding(bytes in any::<[u8; Tuple::SIZE]>()) {
        prop_assert_eq!(Tuple::decode(bytes).encode(), bytes);
    }

    #[test]
    fn what_was_generated_verifies(
        kind in any_type(), data in interval(), app_tag: u16, ref_tag: u32, ip: bool,
    ) {
        let guard = if ip { Guard::Ip(ip_csum) } else { Guard::Crc(t10dif) };
        let profile = Profile::new(kind, guard);
        let tuple = Tuple::decode(profile.generate(&data, app_tag, ref_tag).encode());
        let expected = Expected::new(ref_tag).app_tag(app_tag);
        prop_assert_eq!(profile.verify(&tuple, &data, expected), Ok(()));
    }

    /// As a device does it: the reference tag of each interval from that of the first, also where
    /// they wrap. One that is read from another place is found.
    #[test]
    fn reference_tags_count_on(
        kind in any_type(), first in (u64::from(u32::MAX) - 8)..=(1 << 33), count in 2u64..16,
        data in interval(), app_tag in 0..Tuple::ESCAPE_APP_TAG,
    ) {
        let profile = crc_profile(kind);
        let initial = lba_ref_tag(first);
        for n in 0..count {
            let tuple = profile.generate(&data, app_tag, kind.ref_tag(initial, n));
            if kind != Type::Three {
                prop_assert_eq!(tuple.ref_tag, lba_ref_tag(first + n));
            }
            let next = Expected::new(kind.ref_tag(initial, n + 1));
            prop_assert_eq!(
                profile.verify(&tuple, &data, Expected::new(kind.ref_tag(initial, n))), Ok(()));
            prop_assert_eq!(profile.verify(&tuple, &data, next).is_ok(), kind == Type::Three);
        }
    }

    /// A CRC of 16 bits finds each burst of up to 16 bits, of which a flipped bit is the shortest,
    /// in the data, in the guard, or across both.
    #[test]
    fn a_burst_of_errors_is_found(
        kind in any_type(), data in interval(), at: prop::sample::Index, burst in 1u16..,
    ) {
        let profile = crc_profile(kind);
        let mut tuple = profile.generate(&data, 1, 2);
        let mut changed = data.clone();
        changed.extend(tuple.guard.to_be_bytes());
        let bit = at.index(changed.len() * 8 - 15);
        for n in 0..16 {
            if (burst >> n) & 1 == 1 {
                changed[(bit + n) / 8] ^= 0x80 >> ((bit + n) % 8);
            }
        }
        tuple.guard = u16::from_be_bytes([changed[data.len()], changed[data.len() + 1]]);
        let found = profile.verify(&tuple, &changed[..data.len()], Expected::new(2));
        let is_guard = matches!(found, Err(Mismatch::Guard { .. }));
        prop_assert!(is_guard, "{:?}", found);
    }

    /// The sum misses none: one's complement changes by a power of two.
    #[test]
    fn a_flipped_bit_is_found_by_the_ip_checksum(data in interval(), at: prop::sample::Index) {
        let profile = Profile::new(Type::One, Guard::Ip(ip_csum));
        let tuple = profile.generate(&data, 1, 2);
        let mut changed = data.clone();
        let bit = at.index(data.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(profile.verify(&tuple, &changed, Expected::new(2)).is_err());
    }

    /// All but the reference tag of type 3.
    #[test]
    fn a_flipped_bit_in_the_tuple_is_found(kind in any_type(), data in interval(), bit in 0usize..64) {
        let profile = crc_profile(kind);
        let tuple = profile.generate(&data, 1, 2);
        let mut bytes = tuple.encode();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let found = profile.verify(&Tuple::decode(bytes), &data, Expected::new(2).app_tag(1));
        prop_assert_eq!(found.is_ok(), kind == Type::Three && bit >= 32);
    }
}
