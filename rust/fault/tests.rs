// SPDX-License-Identifier: GPL-2.0

//! Rules, as text and against made requests.

use crate::{Field, History, Kind, Loss, Op, Power, Rule, Status};
use proptest::prelude::*;
use std::{format, string::String, string::ToString, vec::Vec};

fn rule(text: &str) -> Rule {
    Rule::parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}"))
}

fn wrong(text: &str) -> String {
    Rule::parse(text).unwrap_err().to_string()
}

/// To which of so many requests for sector 7 it happens.
fn hits(text: &str, requests: u64) -> Vec<u64> {
    let (rule, mut history) = (rule(text), History::default());
    (0..requests)
        .filter(|_| rule.applies(&mut history, Op::Write, &(7..8), || 0))
        .collect()
}

#[test]
fn kinds_by_their_words() {
    for (text, kind) in [
        ("read error", Kind::Error(Status::IoErr)),
        ("any error status=medium", Kind::Error(Status::Medium)),
        (
            "write flip-data bit=4095",
            Kind::Flip(Field::Data, Some(4095)),
        ),
        ("write flip-guard", Kind::Flip(Field::Guard, None)),
        ("any flip-app", Kind::Flip(Field::AppTag, None)),
        ("write flip-ref bit=0", Kind::Flip(Field::RefTag, Some(0))),
        ("write misdirect to=100", Kind::Misdirect(100)),
        ("discard,flush drop", Kind::Drop),
        ("write torn keep=3", Kind::Torn(3)),
        ("flush hang", Kind::Hang),
        ("write crash after=99", Kind::Crash),
    ] {
        assert_eq!(rule(text).kind(), kind, "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    for (text, what) in [
        ("", "a word is missing: must be any, or some of"),
        ("write", "a word is missing: must be error, flip-data"),
        ("wrte error", "'wrte' is not valid: must be any, or some of"),
        ("read,,write error", "'read,,write' is not valid"),
        ("write flip", "'flip' is not valid: must be error"),
        (
            "write error sector=1",
            "'sector=1' is not valid: must be sectors=,",
        ),
        ("write error sectors", "'sectors' is not valid"),
        ("write error count=1 count=2", "'count=2' is not valid"),
        (
            "write error sectors=9-8",
            "'9-8' is not valid: must be a number, or two",
        ),
        ("write error sectors=-1", "'-1' is not valid"),
        ("write error after=x", "'x' is not valid: must be a number"),
        (
            "write error every=0",
            "'0' is not valid: must be a number from 1",
        ),
        ("write error probability=1000001", "'1000001' is not valid"),
        (
            "write error status=EIO",
            "'EIO' is not valid: must be ioerr",
        ),
        ("write flip-data bit=4096", "'4096' is not valid"),
        ("write flip-app bit=16", "'16' is not valid"),
        ("write misdirect", "a word is missing: must be to="),
        (
            "read misdirect to=1",
            "'read' is not valid: must be an operation",
        ),
        ("read drop", "'read' is not valid"),
        ("flush torn keep=1", "'flush' is not valid"),
        (
            "flush hang sectors=1",
            "'1' is not valid: must be no sectors",
        ),
        ("write error bit=1", "'1' is not valid: must be sectors="),
        ("write drop keep=1", "'1' is not valid"),
    ] {
        let said = wrong(text);
        assert!(said.starts_with(what), "{text}: {said}");
    }
}

#[test]
fn each_third_after_the_first_four_three_times() {
    let text = "write error after=4 every=3 count=3";
    assert_eq!(hits(text, 100), [6, 9, 12]);
    assert_eq!(hits("write error count=1", 100), [0]);
    assert_eq!(hits("write error after=5 count=2", 100), [5, 6]);
    assert_eq!(hits("write error every=1", 3), [0, 1, 2]);
    assert_eq!(hits("read error", 3), []);
    assert_eq!(hits("write error sectors=8-9", 3), []);
    assert_eq!(hits("write error probability=0", 3), []);
}

#[test]
fn sectors_are_met_at_both_ends() {
    let rule = rule("any error sectors=100-199");
    for (sectors, first) in [
        (90..100, None),
        (90..101, Some(100)),
        (150..160, Some(150)),
        (199..300, Some(199)),
        (200..300, None),
        (0..1000, Some(100)),
        (150..150, None),
    ] {
        assert_eq!(rule.sector_in(&sectors), first, "{sectors:?}");
        let mut history = History::default();
        let applies = rule.applies(&mut history, Op::Read, &sectors, || 0);
        assert_eq!(applies, first.is_some());
        assert_eq!(history.matched, u64::from(first.is_some()));
    }
    // A flush has no sectors.
    assert!(!rule.applies(&mut History::default(), Op::Flush, &(0..0), || 0));
    let rule = self::rule("any error");
    assert!(rule.applies(&mut History::default(), Op::Flush, &(0..0), || 0));
}

#[test]
fn it_is_over_when_it_has_happened_often_enough() {
    let (rule, mut history) = (rule("write error count=2"), History::default());
    for over in [false, false, true] {
        assert_eq!(rule.is_over(&history), over);
        rule.applies(&mut history, Op::Write, &(0..1), || 0);
    }
    assert_eq!((history.matched, history.applied), (3, 2));
}

fn any_rule() -> impl Strategy<Value = String> {
    let kinds = prop::sample::select(std::vec![
        "error",
        "error status=nospc",
        "flip-data",
        "flip-guard bit=7",
        "flip-app",
        "flip-ref bit=3",
        "misdirect to=8",
        "drop",
        "torn keep=9",
        "torn",
        "hang",
    ]);
    (kinds, any::<[u16; 5]>(), any::<bool>()).prop_map(|(kind, [a, b, c, d, e], all)| {
        let ops = if all { "any" } else { "write" };
        let (first, last) = (a.min(b), a.max(b));
        format!(
            "{ops} {kind} sectors={first}-{last} after={c} every={} probability={e} count={d}",
            d.max(1)
        )
    })
}

proptest! {
    #[test]
    fn what_is_shown_is_what_is_parsed(text in any_rule()) {
        let rule = rule(&text);
        let shown = rule.to_string();
        prop_assert_eq!(Rule::parse(&shown), Ok(rule), "{}", shown);
    }

    #[test]
    fn no_text_is_a_panic(text in ".{0,80}") {
        let _ = Rule::parse(&text);
    }

    #[test]
    fn one_in_so_many(probability in 0u32..=1_000_000, seed: u64) {
        let rule = rule(&format!("write error probability={probability}"));
        let mut history = History::default();
        let mut random = seed;
        for _ in 0..4000 {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            rule.applies(&mut history, Op::Write, &(0..1), || random >> 20);
        }
        let expected = 4000.0 * f64::from(probability) / 1e6;
        let distance = (history.applied as f64 - expected).abs();
        prop_assert!(distance < 200.0, "{} of {}", history.applied, expected);
    }
}

#[test]
fn power_as_text() {
    for (text, power) in [
        ("off", Power::Off),
        ("on", Power::On(Loss::All, 0)),
        ("on none", Power::On(Loss::None, 0)),
        (" on  random ", Power::On(Loss::Random, 0)),
        ("on torn seed=7\n", Power::On(Loss::Torn, 7)),
    ] {
        assert_eq!(Power::parse(text), Ok(power), "{text}");
    }
    for (text, word) in [
        ("", ""),
        ("on some", "some"),
        ("off now", "now"),
        ("on all seed=7", "seed=7"),
        ("on torn seed=x", "seed=x"),
        ("on torn 7", "7"),
        ("on random seed=7 seed=8", "seed=8"),
    ] {
        assert_eq!(Power::parse(text).unwrap_err().word, word, "{text}");
    }
}

proptest! {
    /// A loss keeps the beginning of a write: all, none, or, torn, less than all.
    #[test]
    fn losses(intervals in 0usize..300, random: u64) {
        prop_assert_eq!(Loss::All.kept(intervals, random), 0);
        prop_assert_eq!(Loss::None.kept(intervals, random), intervals);
        let kept = Loss::Random.kept(intervals, random);
        prop_assert!(kept == 0 || kept == intervals);
        prop_assert!(Loss::Torn.kept(intervals, random) <= intervals);
    }
}

#[test]
fn losses_are_of_every_kind() {
    // Any generator will do; this is Weyl's.
    let draws = (1..1000u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let kept: Vec<usize> = draws
        .clone()
        .map(|random| Loss::Torn.kept(8, random))
        .collect();
    for count in 0..=8 {
        assert!(kept.contains(&count), "{count}");
    }
    let whole = draws
        .filter(|random| Loss::Random.kept(8, *random) == 8)
        .count();
    assert!((400..600).contains(&whole), "{whole}");
}
