// SPDX-License-Identifier: GPL-2.0

//! Names of features, and what is supported.

extern crate std;

use crate::features::{Compat, Incompat, RoCompat, Set};
use std::{string::ToString, vec::Vec};

#[test]
fn features_are_named_from_the_lowest_bit_up() {
    let names: Vec<_> = Compat::from_bits(0x38)
        .features()
        .map(|feature| feature.name())
        .collect();
    assert_eq!(
        names,
        [Some("ext_attr"), Some("resize_inode"), Some("dir_index")]
    );
    assert_eq!(Compat::NONE.features().next(), None);
}

#[test]
fn a_feature_without_a_name_says_its_bit() {
    let feature = Incompat::from_bits(1 << 31).features().next().unwrap();
    assert_eq!(feature.name(), None);
    assert_eq!((feature.set(), feature.bit()), (Set::Incompat, 31));
    assert_eq!(feature.to_string(), "incompat bit 31");
}

#[test]
fn all_bits_make_thirty_two_features() {
    assert_eq!(RoCompat::from_bits(u32::MAX).features().count(), 32);
}

#[test]
fn supported_features_forbid_nothing() {
    assert_eq!(Incompat::FILETYPE.unsupported(), None);
    let ro_compat = RoCompat::SPARSE_SUPER.with(RoCompat::LARGE_FILE);
    assert_eq!(ro_compat.unsupported(), None);
}

#[test]
fn the_first_unsupported_feature_is_told() {
    let name = |bits| {
        let feature = Incompat::from_bits(bits).unsupported().unwrap();
        feature.name().unwrap()
    };
    assert_eq!(name(0x12), "meta_bg");
    assert_eq!(name(0x0a), "journal_dev");
    // With another reason, there is no point in replaying the journal.
    assert_eq!(name(0x46), "extent");
    assert_eq!(name(0x06), "needs_recovery");
    let feature = RoCompat::from_bits(0x403).unsupported().unwrap();
    assert_eq!(feature.name(), Some("metadata_csum"));
}

#[test]
fn sets_are_added_and_taken_away() {
    let both = Compat::EXT_ATTR.with(Compat::DIR_INDEX);
    assert!(both.contains(Compat::EXT_ATTR));
    assert!(!both.contains(Compat::EXT_ATTR.with(Compat::HAS_JOURNAL)));
    assert_eq!(both.without(Compat::DIR_INDEX), Compat::EXT_ATTR);
    assert_eq!(both.bits(), 0x28);
}
