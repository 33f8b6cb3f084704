// SPDX-License-Identifier: GPL-2.0

//! Values that user space sets as text: what is allowed, and what is said about anything else.

use kernel::{
    fmt,
    prelude::*,
    str::{parse_int::ParseInt, BStr},
};

/// What a value may be. Words are taken for their place in the list.
#[derive(Clone, Copy, Debug)]
pub enum Allowed {
    /// A number in decimal (or with 0x, 0o or 0b), from the first to the second.
    Range(u64, u64),
    /// One of these.
    Words(&'static [&'static str]),
}

impl Allowed {
    /// The value that `text` is; `None` if it isn't allowed.
    fn parse(self, text: &BStr) -> Option<u64> {
        match self {
            Self::Range(min, max) => u64::from_str(text)
                .ok()
                .filter(|number| (min..=max).contains(number)),
            Self::Words(words) => words
                .iter()
                .zip(0..)
                .find_map(|(word, place)| (word.as_bytes() == &**text).then_some(place)),
        }
    }

    /// Likewise, of the setting `name`; what isn't allowed is told as text.
    pub fn value<'a>(self, name: &'a str, value: &'a BStr) -> Result<u64, Invalid<'a>> {
        self.parse(value).ok_or(Invalid {
            name,
            value,
            allowed: self,
        })
    }

    /// The text of a value.
    pub fn show(self, value: u64) -> Shown {
        Shown(self, value)
    }
}

/// As in "must be ...".
impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(min, max) => write!(f, "a number from {min} to {max}"),
            Self::Words(words) => {
                for (i, word) in words.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { " or " })?;
                    f.write_str(word)?;
                }
                Ok(())
            }
        }
    }
}

/// See [`Allowed::show`].
pub struct Shown(Allowed, u64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.0 {
            Allowed::Range(..) => None,
            Allowed::Words(words) => usize::try_from(self.1).ok().and_then(|n| words.get(n)),
        };
        match word {
            Some(word) => f.write_str(word),
            None => write!(f, "{}", self.1),
        }
    }
}

/// A value is not allowed. As text it names the setting, the value and what is allowed.
pub struct Invalid<'a> {
    name: &'a str,
    value: &'a BStr,
    allowed: Allowed,
}

impl fmt::Display for Invalid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "{}={} is not valid: must be {}",
            self.name,
            self.value,
            self.allowed
        ))
    }
}
