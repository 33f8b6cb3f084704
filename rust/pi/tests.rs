// SPDX-License-Identifier: GPL-2.0

//! Published test vectors, and properties. The `crc` crate is the second judge.

extern crate std;

use crate::{Expected, Format, Guard, Mismatch, Part, Profile, Tuple, Type, Verified};
use proptest::prelude::*;
use std::{format, string::String, vec, vec::Vec};

/// CRC-16/T10-DIF, bit by bit from its definition.
fn t10dif(crc: u16, data: &[u8]) -> u16 {
    data.iter().fold(crc, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x8bb7
            }
        })
    })
}

/// CRC-64/NVME, bit by bit from its definition.
fn nvme(crc: u64, data: &[u8]) -> u64 {
    !data.iter().fold(!crc, |crc, byte| {
        (0..8).fold(crc ^ u64::from(*byte), |crc: u64, _| {
            if crc & 1 == 0 {
                crc >> 1
            } else {
                (crc >> 1) ^ 0xad93_d235_94c9_3659_u64.reverse_bits()
            }
        })
    })
}

/// RFC 1071 as C has it: words in the machine's order, so that the result is in memory's order.
fn csum_partial(sum: u32, data: &[u8]) -> u32 {
    let mut sum = u64::from(sum);
    for word in data.chunks(2) {
        let bytes = [word[0], word.get(1).copied().unwrap_or(0)];
        sum += u64::from(u16::from_ne_bytes(bytes));
    }
    while sum >> 32 != 0 {
        sum = (sum & 0xffff_ffff) + (sum >> 32);
    }
    sum as u32
}

fn csum_fold(mut sum: u32) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

const CRC: Guard = Guard::Crc(t10dif);
const IP: Guard = Guard::Ip {
    partial: csum_partial,
    fold: csum_fold,
};
const CRC64: Guard = Guard::Crc64(nvme);
const GUARDS: [Guard; 3] = [CRC, IP, CRC64];

/// Those that protect.
const TYPES: [Type; 3] = [Type::One, Type::Two, Type::Three];

fn any_type() -> impl Strategy<Value = Type> {
    prop::sample::select(TYPES.to_vec())
}

fn any_guard() -> impl Strategy<Value = Guard> {
    prop::sample::select(GUARDS.to_vec())
}

/// Anywhere in metadata of up to 64 bytes.
fn any_profile() -> impl Strategy<Value = Profile> {
    (any_type(), any_guard(), 0usize..24, 0usize..24).prop_map(|(kind, guard, before, after)| {
        let size = before + guard.format().size() + after;
        Profile::new(kind, guard).within(size, before).unwrap()
    })
}

/// A protection interval: 512 or 4096 bytes of anything.
fn interval() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 512),
        prop::collection::vec(any::<u8>(), 4096),
    ]
}

/// The metadata of an interval that had only ones before.
fn made(profile: &Profile, data: &[u8], app_tag: u16, ref_tag: u64) -> Vec<u8> {
    let mut metadata = vec![0xff; profile.metadata_size()];
    profile.generate(data, &mut metadata, app_tag, ref_tag);
    metadata
}

/// The metadata with that tuple, and nothing else.
fn with(profile: &Profile, tuple: Tuple) -> Vec<u8> {
    let mut metadata = vec![0; profile.metadata_size()];
    profile
        .format()
        .encode(tuple, &mut metadata[profile.pi_offset()..])
        .unwrap();
    metadata
}

#[test]
fn crcs_of_the_published_check_string() {
    assert_eq!(CRC.of(b"123456789", &[]), 0xd0db);
    assert_eq!(CRC64.of(b"123456789", &[]), 0xae8b_1486_0a79_9888);
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
        assert_eq!(CRC.of(data, &[]), crc);
    }
}

/// NVM Command Set Specification, "64b CRC Definition": test cases of 4 KiB.
#[test]
fn crc64_of_the_vectors_in_nvme() {
    let up: Vec<u8> = (0..4096).map(|n| n as u8).collect();
    let down: Vec<u8> = (0..4096).map(|n| !(n as u8)).collect();
    for (data, crc) in [
        (&[0; 4096][..], 0x6482_d367_eb22_b64e),
        (&[0xff; 4096][..], 0xc0dd_ba73_02ec_a3ac),
        (&up, 0x3e72_9f5f_6750_449c),
        (&down, 0x9a2d_f64b_8e9e_517e),
    ] {
        assert_eq!(CRC64.of(data, &[]), crc);
    }
}

#[test]
fn ip_checksum_of_the_example_in_rfc_1071() {
    // The sum is 0xddf2, the checksum its complement, stored most significant byte first.
    let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    let metadata = made(&Profile::new(Type::One, IP), &data, 0, 0);
    assert_eq!(metadata[..2], [0x22, 0x0d]);
}

#[test]
fn a_mask_says_which_bits_of_the_application_tag_count() {
    let profile = Profile::new(Type::One, CRC);
    let data = [3; 512];
    let metadata = made(&profile, &data, 0x1234, 1);
    let verify = |app_tag, mask| {
        let expected = Expected::new().app_tag_masked(app_tag, mask);
        profile.verify(&data, &metadata, 1, &expected)
    };
    assert_eq!(verify(0xff34, 0x00ff), Ok(Verified::Checked));
    assert_eq!(verify(0xffff, 0), Ok(Verified::Checked));
    assert_eq!(
        format!("{}", verify(0x1134, 0xff00).unwrap_err()),
        "application tag is 0x1234, not 0x1134 in the bits 0xff00"
    );
}

#[test]
fn a_tuple_is_big_endian() {
    let mut bytes = [0; 16];
    let tuple = Tuple {
        guard: 0x0102,
        app_tag: 0x0304,
        ref_tag: 0x0506_0708,
    };
    assert_eq!(Format::T10.encode(tuple, &mut bytes), Some(()));
    assert_eq!(bytes[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
    let tuple = Tuple {
        guard: 0x0102_0304_0506_0708,
        app_tag: 0x090a,
        ref_tag: 0x0b0c_0d0e_0f10,
    };
    assert_eq!(Format::Crc64.encode(tuple, &mut bytes), Some(()));
    assert_eq!(bytes.to_vec(), (1..=16).collect::<Vec<u8>>());
}

#[test]
fn parts_are_where_they_are_stored() {
    for guard in GUARDS {
        let profile = Profile::new(Type::One, guard).within(64, 10).unwrap();
        let data = [9; 512];
        for (part, tag) in [(Part::Guard, 0), (Part::AppTag, 1), (Part::RefTag, 2)] {
            let mut metadata = made(&profile, &data, 1, 2);
            let before = profile.tuple(&metadata).unwrap();
            profile.part_mut(&mut metadata, part).fill(0xee);
            let after = profile.tuple(&metadata).unwrap();
            let changed = [
                before.guard != after.guard,
                before.app_tag != after.app_tag,
                before.ref_tag != after.ref_tag,
            ];
            assert_eq!(changed, [tag == 0, tag == 1, tag == 2]);
        }
        assert!(profile.part_mut(&mut [0; 11], Part::Guard).is_empty());
    }
}

#[test]
fn no_room_for_a_tuple() {
    for format in [Format::T10, Format::Crc64] {
        let mut short = vec![7; format.size() - 1];
        assert_eq!(format.encode(Tuple::default(), &mut short), None);
        assert!(short.iter().all(|byte| *byte == 7));
        assert_eq!(format.decode(&short), None);
    }
    for guard in GUARDS {
        let (profile, size) = (Profile::new(Type::One, guard), guard.format().size());
        assert!(profile.within(size - 1, 0).is_none());
        assert!(profile.within(size, 1).is_none());
        assert!(profile.within(64, 65 - size).is_none());
        assert!(profile.within(64, 64 - size).is_some());
        let mut short = vec![7; size - 1];
        profile.generate(&[0; 512], &mut short, 0, 0);
        assert!(short.iter().all(|byte| *byte == 7));
        let found = profile.verify(&[0; 512], &short, 0, &Expected::new());
        assert_eq!(found, Err(Mismatch::NoTuple));
    }
}

#[test]
fn reference_tags_by_type() {
    assert_eq!(Format::T10.ref_tag(0x1_2345_6789), 0x2345_6789);
    assert_eq!(Format::Crc64.ref_tag(0x1_2345_6789_abcd), 0x2345_6789_abcd);
    for kind in [Type::One, Type::Two] {
        assert_eq!(kind.ref_tag(7, 3), 10);
        assert_eq!(Format::T10.ref_tag(kind.ref_tag(u32::MAX.into(), 1)), 0);
        assert_eq!(Format::T10.ref_tag(kind.ref_tag(5, 1 << 32)), 5);
    }
    assert_eq!(Type::Three.ref_tag(7, 3), 7);
}

#[test]
fn escapes_turn_checking_off() {
    let expected = Expected::new().app_tag(2);
    let data = [1; 512];
    for guard in GUARDS {
        let escape = guard.format().escape_ref_tag();
        let verify = |kind, app_tag, ref_tag| {
            let profile = Profile::new(kind, guard);
            let tuple = Tuple {
                guard: 0xdead,
                app_tag,
                ref_tag,
            };
            profile.verify(&data, &with(&profile, tuple), 1, &expected)
        };
        for kind in [Type::One, Type::Two] {
            assert_eq!(verify(kind, 0xffff, 9), Ok(Verified::Unchecked));
            assert!(verify(kind, 0xfffe, 9).is_err());
        }
        assert_eq!(verify(Type::Three, 0xffff, escape), Ok(Verified::Unchecked));
        assert!(verify(Type::Three, 0xffff, 9).is_err());
        assert!(verify(Type::Three, 9, escape).is_err());
    }
}

#[test]
fn nothing_is_made_or_checked_for_type_0() {
    let profile = Profile::new(Type::Zero, CRC);
    let metadata = made(&profile, &[5; 512], 1, 2);
    assert_eq!(metadata, [0xff; 8]);
    let expected = Expected::new().app_tag(4);
    assert_eq!(
        profile.verify(&[6; 512], &metadata, 3, &expected),
        Ok(Verified::Unchecked)
    );
}

#[test]
fn the_first_mismatch_is_named_with_both_values() {
    let text = |guard: Guard, change: fn(&mut Tuple)| -> String {
        let profile = Profile::new(Type::One, guard);
        let data = [3; 512];
        let mut tuple = profile.tuple(&made(&profile, &data, 0x11, 0x22)).unwrap();
        change(&mut tuple);
        let expected = Expected::new().app_tag(0x11);
        let found = profile.verify(&data, &with(&profile, tuple), 0x22, &expected);
        format!("{}", found.unwrap_err())
    };
    assert_eq!(
        text(CRC, |tuple| {
            tuple.guard ^= 0xffff;
            tuple.app_tag = 0;
        }),
        "guard tag is 0xf467, the data's is 0x0b98"
    );
    assert_eq!(
        text(CRC, |tuple| {
            tuple.app_tag = 0;
            tuple.ref_tag = 0;
        }),
        "application tag is 0x0000, not 0x0011"
    );
    assert_eq!(
        text(CRC, |tuple| tuple.ref_tag = 0x23),
        "reference tag is 0x00000023, not 0x00000022"
    );
    assert_eq!(
        text(CRC64, |tuple| tuple.ref_tag = 0x23),
        "reference tag is 0x000000000023, not 0x000000000022"
    );
}

#[test]
fn what_is_not_expected_may_be_anything() {
    let profile = Profile::new(Type::One, CRC);
    let metadata = made(&profile, &[3; 512], 5, 6);
    let other = [4; 512];
    let verify = |ref_tag, expected| profile.verify(&other, &metadata, ref_tag, &expected);
    let expected = Expected::new().app_tag(5);
    assert!(verify(6, expected).is_err());
    let any = expected.any_guard();
    assert_eq!(verify(6, any), Ok(Verified::Checked));
    assert!(verify(7, any).is_err());
    assert_eq!(verify(7, any.any_ref_tag()), Ok(Verified::Checked));
}

proptest! {
    #[test]
    fn the_crcs_are_those_of_the_crc_crate(
        data in prop::collection::vec(any::<u8>(), 0..600), cut: prop::sample::Index,
    ) {
        let (first, rest) = data.split_at(cut.index(data.len() + 1));
        let judge = crc::Crc::<u16>::new(&crc::CRC_16_T10_DIF).checksum(&data);
        prop_assert_eq!(CRC.of(first, rest), u64::from(judge));
        let judge = crc::Crc::<u64>::new(&crc::CRC_64_NVME).checksum(&data);
        prop_assert_eq!(CRC64.of(first, rest), judge);
    }

    /// The second judge of the IP checksum: RFC 1071 in the network's order, whatever ours is.
    #[test]
    fn the_ip_checksum_is_stored_in_the_networks_order(data in interval()) {
        let sum: u64 = data.chunks(2).map(|w| u64::from(u16::from_be_bytes([w[0], w[1]]))).sum();
        let folded = match sum % 0xffff {
            0 if sum != 0 => 0xffff,
            rest => rest,
        };
        let metadata = made(&Profile::new(Type::One, IP), &data, 0, 0);
        prop_assert_eq!(metadata[..2].to_vec(), (!(folded as u16)).to_be_bytes().to_vec());
    }

    #[test]
    fn encoding_undoes_decoding(bytes in any::<[u8; 16]>()) {
        for format in [Format::T10, Format::Crc64] {
            let mut again = [0; 16];
            format.encode(format.decode(&bytes).unwrap(), &mut again).unwrap();
            prop_assert_eq!(&again[..format.size()], &bytes[..format.size()]);
        }
    }

    #[test]
    fn what_was_generated_verifies(
        profile in any_profile(), data in interval(), app_tag: u16, ref_tag: u64,
    ) {
        let metadata = made(&profile, &data, app_tag, ref_tag);
        let expected = Expected::new().app_tag(app_tag);
        let found = profile.verify(&data, &metadata, ref_tag, &expected);
        prop_assert_eq!(found, Ok(Verified::Checked));
    }

    #[test]
    fn what_is_beside_the_tuple_stays(profile in any_profile(), data in interval()) {
        let metadata = made(&profile, &data, 0, 0);
        let (before, rest) = metadata.split_at(profile.pi_offset());
        prop_assert!(before.iter().all(|byte| *byte == 0xff));
        prop_assert!(rest[profile.format().size()..].iter().all(|byte| *byte == 0xff));
    }

    /// As a device does it: the reference tag of each interval from that of the first, also where
    /// they wrap. One that is read from another place is found.
    #[test]
    fn reference_tags_count_on(
        profile in any_profile(), first in (u64::from(u32::MAX) - 8)..=(1 << 33), count in 2u64..16,
        data in interval(), app_tag in 0..Tuple::ESCAPE_APP_TAG,
    ) {
        let kind = profile.kind();
        for n in 0..count {
            let metadata = made(&profile, &data, app_tag, kind.ref_tag(first, n));
            if kind != Type::Three {
                let tuple = profile.tuple(&metadata).unwrap();
                prop_assert_eq!(tuple.ref_tag, profile.format().ref_tag(first + n));
            }
            let verify = |n| {
                let ref_tag = kind.ref_tag(first, n);
                profile.verify(&data, &metadata, ref_tag, &Expected::new())
            };
            prop_assert_eq!(verify(n), Ok(Verified::Checked));
            prop_assert_eq!(verify(n + 1).is_ok(), kind == Type::Three);
        }
    }

    /// A CRC finds each burst of errors that is no longer than itself, of which a flipped bit is the
    /// shortest: in the data, in the guard, or across both.
    #[test]
    fn a_burst_of_errors_is_found(
        kind in any_type(), data in interval(), at: prop::sample::Index, burst in 1u16..,
    ) {
        let profile = Profile::new(kind, CRC);
        let mut tuple = profile.tuple(&made(&profile, &data, 1, 2)).unwrap();
        let mut changed = data.clone();
        changed.extend((tuple.guard as u16).to_be_bytes());
        let bit = at.index(changed.len() * 8 - 15);
        for n in 0..16 {
            if (burst >> n) & 1 == 1 {
                changed[(bit + n) / 8] ^= 0x80 >> ((bit + n) % 8);
            }
        }
        let (changed, guard) = changed.split_at(data.len());
        tuple.guard = u16::from_be_bytes([guard[0], guard[1]]).into();
        let found = profile.verify(changed, &with(&profile, tuple), 2, &Expected::new());
        let is_guard = matches!(found, Err(Mismatch::Guard { .. }));
        prop_assert!(is_guard, "{:?}", found);
    }

    /// In the data, or in the metadata before the tuple. The sum misses none: one's complement changes by
    /// a power of two.
    #[test]
    fn a_flipped_bit_is_found(profile in any_profile(), data in interval(), at: prop::sample::Index) {
        let mut metadata = made(&profile, &data, 1, 2);
        let mut changed = data.clone();
        let bit = at.index((data.len() + profile.pi_offset()) * 8);
        match bit.checked_sub(data.len() * 8) {
            None => changed[bit / 8] ^= 1 << (bit % 8),
            Some(bit) => metadata[bit / 8] ^= 1 << (bit % 8),
        }
        let found = profile.verify(&changed, &metadata, 2, &Expected::new());
        let is_guard = matches!(found, Err(Mismatch::Guard { .. }));
        prop_assert!(is_guard, "{:?}", found);
    }

    /// All but the reference tag of type 3.
    #[test]
    fn a_flipped_bit_in_the_tuple_is_found(
        profile in any_profile(), data in interval(), at: prop::sample::Index,
    ) {
        let format = profile.format();
        let mut metadata = made(&profile, &data, 1, 2);
        let bit = at.index(format.size() * 8);
        metadata[profile.pi_offset() + bit / 8] ^= 1 << (bit % 8);
        let found = profile.verify(&data, &metadata, 2, &Expected::new().app_tag(1));
        let in_ref_tag = bit / 8 >= format.size() - format.ref_tag_bits() as usize / 8;
        prop_assert_eq!(found.is_ok(), profile.kind() == Type::Three && in_ref_tag);
    }
}
