// SPDX-License-Identifier: GPL-2.0

//! A power cut, and what is left of a volatile write cache when the power is back.
//!
//! ```text
//! off
//! on all
//! on random seed=7
//! on torn seed=7
//! ```

use crate::{text::named, Wrong};

/// What is lost of the writes that were in the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// All of them. `all`
    #[default]
    All,
    /// None: the cache had just been written back. `none`
    None,
    /// Some, at random: each is there or is not, whatever came before or after it. `random`
    Random,
    /// Likewise; and of some only the beginning is there. `torn`
    Torn,
}

impl Loss {
    const ALL: [(&'static str, Self); 4] = [
        ("all", Self::All),
        ("none", Self::None),
        ("random", Self::Random),
        ("torn", Self::Torn),
    ];

    /// How many of so many protection intervals of a write are there, from its first. `random` is any number, a new
    /// one for each write.
    pub fn kept(self, intervals: usize, random: u64) -> usize {
        // Each case is drawn from bits of its own.
        let (case, cut) = (random >> 32, random & u64::from(u32::MAX));
        match self {
            Self::All => 0,
            Self::None => intervals,
            Self::Random => match case % 2 {
                0 => 0,
                _ => intervals,
            },
            Self::Torn => match case % 3 {
                0 => 0,
                1 => intervals,
                // Less than what it is taken from.
                _ => cut.checked_rem(intervals as u64).unwrap_or(0) as usize,
            },
        }
    }
}

/// What happens to the power of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It goes. `off`
    Off,
    /// It is back, and that was lost; with a seed of random numbers. `on`
    On(Loss, u64),
}

const POWERS: &str = "off or on";
const LOSSES: &str = "all, none, random or torn";
const SEED: &str = "seed= with a number, behind random or torn";
const NOTHING: &str = "left out";

impl Power {
    /// What `text` says: `off`, or `on` and what is lost (`all`, if it doesn't say), and a seed (0).
    ///
    /// # Errors
    ///
    /// The first word that is wrong.
    pub fn parse(text: &str) -> Result<Self, Wrong<'_>> {
        let mut words = text.split_ascii_whitespace();
        let power = match words.next() {
            Some("off") => Self::Off,
            Some("on") => {
                let loss = words
                    .next()
                    .map_or(Ok(Loss::default()), |word| named(&Loss::ALL, word, LOSSES))?;
                let seed = match loss {
                    Loss::Random | Loss::Torn => words.next(),
                    Loss::All | Loss::None => None,
                };
                let seed = seed.map_or(Ok(0), |word| {
                    let wrong = Wrong {
                        word,
                        allowed: SEED,
                    };
                    let seed = word.strip_prefix("seed=").map(str::parse);
                    seed.and_then(Result::ok).ok_or(wrong)
                })?;
                Self::On(loss, seed)
            }
            word => {
                return Err(Wrong {
                    word: word.unwrap_or_default(),
                    allowed: POWERS,
                })
            }
        };
        match words.next() {
            Some(word) => Err(Wrong {
                word,
                allowed: NOTHING,
            }),
            None => Ok(power),
        }
    }
}
