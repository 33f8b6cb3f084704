// SPDX-License-Identifier: GPL-2.0

//! Rules as text.

use crate::{Field, Kind, Op, Ops, Rule, Status, SURE};
use core::fmt;

/// What is wrong with the text of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong<'a> {
    /// The word; empty if there should be one and is none.
    pub word: &'a str,
    /// What it must be.
    pub allowed: &'static str,
}

impl fmt::Display for Wrong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.word.is_empty() {
            f.write_str("a word is missing: ")?;
        } else {
            write!(f, "'{}' is not valid: ", self.word)?;
        }
        write!(f, "must be {}", self.allowed)
    }
}

impl core::error::Error for Wrong<'_> {}

const OPS: &str = "any, or some of read, write, flush and discard, with commas";
const KINDS: &str =
    "error, flip-data, flip-guard, flip-app, flip-ref, misdirect, drop, torn, hang or crash";
const KEYS: &str =
    "sectors=, after=, every=, probability=, count=, bit=, to=, keep= or status=, each once, where it has a meaning";
const NUMBER: &str = "a number";
const RANGE: &str = "a number, or two with a hyphen, the second not smaller";
const EVERY: &str = "a number from 1";
const MILLIONTHS: &str = "a number from 0 to 1000000";
const BIT: &str = "a number from 0 to 4095 (of data), 63 (of a guard), 15 (of an application tag), 47 (of a reference tag)";
const STATUS: &str = "ioerr, medium, protection, nospc or timeout";
const WRITES: &str = "an operation that the rule can happen to: misdirect, torn and flip- only to writes, drop not to reads";
const FLUSHES: &str = "no sectors: a flush is for all of the device";
const TO: &str = "to= with the sector to which writes go";

/// The keys of a rule, in the order in which they are shown.
#[derive(Default)]
struct Keys<'a> {
    sectors: Option<&'a str>,
    after: Option<&'a str>,
    every: Option<&'a str>,
    probability: Option<&'a str>,
    count: Option<&'a str>,
    bit: Option<&'a str>,
    to: Option<&'a str>,
    keep: Option<&'a str>,
    status: Option<&'a str>,
}

impl<'a> Keys<'a> {
    fn place(&mut self, name: &str) -> Option<&mut Option<&'a str>> {
        Some(match name {
            "sectors" => &mut self.sectors,
            "after" => &mut self.after,
            "every" => &mut self.every,
            "probability" => &mut self.probability,
            "count" => &mut self.count,
            "bit" => &mut self.bit,
            "to" => &mut self.to,
            "keep" => &mut self.keep,
            "status" => &mut self.status,
            _ => return None,
        })
    }

    fn read(words: impl Iterator<Item = &'a str>) -> Result<Self, Wrong<'a>> {
        let mut keys = Self::default();
        for word in words {
            let wrong = Wrong {
                word,
                allowed: KEYS,
            };
            let (name, value) = word.split_once('=').ok_or(wrong)?;
            let place = keys.place(name).ok_or(wrong)?;
            if place.replace(value).is_some() {
                return Err(wrong);
            }
        }
        Ok(keys)
    }
}

/// What `word` stands for among `all`.
pub(crate) fn named<'a, T: Copy>(
    all: &[(&str, T)],
    word: &'a str,
    allowed: &'static str,
) -> Result<T, Wrong<'a>> {
    let found = all.iter().find(|(name, _)| *name == word);
    found
        .map(|(_, known)| *known)
        .ok_or(Wrong { word, allowed })
}

fn number<'a>(
    text: Option<&'a str>,
    default: u64,
    allowed: &'static str,
    is_right: impl FnOnce(u64) -> bool,
) -> Result<u64, Wrong<'a>> {
    let Some(word) = text else {
        return Ok(default);
    };
    word.parse()
        .ok()
        .filter(|number| is_right(*number))
        .ok_or(Wrong { word, allowed })
}

fn range(text: Option<&str>) -> Result<(u64, u64), Wrong<'_>> {
    let Some(word) = text else {
        return Ok((0, u64::MAX));
    };
    let wrong = Wrong {
        word,
        allowed: RANGE,
    };
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
        _ => Err(wrong),
    }
}

fn ops(word: &str) -> Result<Ops, Wrong<'_>> {
    if word == "any" {
        return Ok(Ops::ANY);
    }
    let mut ops = 0;
    for name in word.split(',') {
        // All of them are said to be wrong.
        let op = named(&Op::ALL, name, OPS).map_err(|wrong| Wrong { word, ..wrong })?;
        ops |= op.bit();
    }
    Ok(Ops(ops))
}

/// Which bits a field has, at most.
const fn bits(field: Field) -> u64 {
    match field {
        Field::Data => 512 * 8,
        Field::Guard => 64,
        Field::AppTag => 16,
        Field::RefTag => 48,
    }
}

const FIELDS: [(&str, Field); 4] = [
    ("flip-data", Field::Data),
    ("flip-guard", Field::Guard),
    ("flip-app", Field::AppTag),
    ("flip-ref", Field::RefTag),
];

fn kind<'a>(word: &'a str, keys: &mut Keys<'a>) -> Result<Kind, Wrong<'a>> {
    if let Some((_, field)) = FIELDS.iter().find(|(name, _)| *name == word) {
        let bit = keys.bit.take();
        let number = number(bit, 0, BIT, |bit| bit < bits(*field))?;
        return Ok(Kind::Flip(*field, bit.map(|_| number as u32)));
    }
    Ok(match word {
        "error" => {
            let word = keys.status.take().unwrap_or("ioerr");
            Kind::Error(named(&Status::ALL, word, STATUS)?)
        }
        "misdirect" => {
            let to = keys.to.take();
            if to.is_none() {
                return Err(Wrong {
                    word: "",
                    allowed: TO,
                });
            }
            Kind::Misdirect(number(to, 0, NUMBER, |_| true)?)
        }
        "drop" => Kind::Drop,
        "torn" => Kind::Torn(number(keys.keep.take(), 0, NUMBER, |_| true)?),
        "hang" => Kind::Hang,
        "crash" => Kind::Crash,
        _ => {
            return Err(Wrong {
                word,
                allowed: KINDS,
            })
        }
    })
}

impl Rule {
    /// The rule that `text` says: see the [crate].
    ///
    /// # Errors
    ///
    /// The first word that is wrong.
    pub fn parse(text: &str) -> Result<Self, Wrong<'_>> {
        let missing = |allowed| Wrong { word: "", allowed };
        let mut words = text.split_ascii_whitespace();
        let ops_word = words.next().ok_or(missing(OPS))?;
        let mut ops = ops(ops_word)?;
        let kind_word = words.next().ok_or(missing(KINDS))?;
        let mut keys = Keys::read(words)?;
        let kind = kind(kind_word, &mut keys)?;
        let possible = match kind {
            Kind::Error(_) | Kind::Hang | Kind::Crash => Ops::ANY,
            Kind::Flip(..) | Kind::Misdirect(_) | Kind::Torn(_) => Ops(Op::Write.bit()),
            Kind::Drop => Ops(Ops::ANY.0 & !Op::Read.bit()),
        };
        if ops_word == "any" {
            ops = possible;
        } else if ops.0 & !possible.0 != 0 {
            return Err(Wrong {
                word: ops_word,
                allowed: WRITES,
            });
        }
        // What is left has no meaning with this kind.
        if let Some(word) = keys.bit.or(keys.to).or(keys.keep).or(keys.status) {
            return Err(Wrong {
                word,
                allowed: KEYS,
            });
        }
        let (first, last) = range(keys.sectors)?;
        if let (Some(word), true) = (keys.sectors, ops == Ops(Op::Flush.bit())) {
            return Err(Wrong {
                word,
                allowed: FLUSHES,
            });
        }
        let probability = number(keys.probability, SURE.into(), MILLIONTHS, |number| {
            number <= SURE.into()
        })?;
        Ok(Self {
            ops,
            kind,
            first,
            last,
            after: number(keys.after, 0, NUMBER, |_| true)?,
            every: number(keys.every, 1, EVERY, |number| number > 0)?,
            probability: probability as u32,
            count: number(keys.count, 0, NUMBER, |_| true)?,
        })
    }
}

/// As it would be parsed, with what isn't the default.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        if self.ops == Ops::ANY {
            f.write_str("any")?;
        } else {
            for (name, op) in Op::ALL {
                if self.ops.has(op) {
                    write!(f, "{comma}{name}")?;
                    comma = ",";
                }
            }
        }
        match self.kind {
            Kind::Error(status) => {
                f.write_str(" error")?;
                for (name, known) in Status::ALL {
                    if known == status && status != Status::IoErr {
                        write!(f, " status={name}")?;
                    }
                }
            }
            Kind::Flip(field, bit) => {
                for (name, known) in FIELDS {
                    if known == field {
                        write!(f, " {name}")?;
                    }
                }
                if let Some(bit) = bit {
                    write!(f, " bit={bit}")?;
                }
            }
            Kind::Misdirect(to) => write!(f, " misdirect to={to}")?,
            Kind::Drop => f.write_str(" drop")?,
            Kind::Torn(keep) => write!(f, " torn keep={keep}")?,
            Kind::Hang => f.write_str(" hang")?,
            Kind::Crash => f.write_str(" crash")?,
        }
        if (self.first, self.last) != (0, u64::MAX) {
            write!(f, " sectors={}-{}", self.first, self.last)?;
        }
        for (name, value, default) in [
            ("after", self.after, 0),
            ("every", self.every, 1),
            ("probability", self.probability.into(), SURE.into()),
            ("count", self.count, 0),
        ] {
            if value != default {
                write!(f, " {name}={value}")?;
            }
        }
        Ok(())
    }
}
