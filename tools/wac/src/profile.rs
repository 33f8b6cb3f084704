// SPDX-License-Identifier: GPL-2.0

//! The six named workloads of the original wac of 2011.
//!
//! A, B and C go through the page cache; D, E and F are the same three with
//! `O_DIRECT`. `O_DIRECT` says nothing about a mapping: a mapped worker of D, E
//! or F maps a descriptor that was opened with `O_DIRECT`, and its stores still
//! go to the page cache. So E puts the same load on the pages as B, by way of a
//! descriptor that has the flag, and F is the mixture of direct and mapped
//! writers on one file.

use crate::plan::SyncAction;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The letter of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[value(rename_all = "UPPER")]
pub enum Letter {
    /// 64 writers: write(), then sync_file_range()
    A,
    /// 64 mappers: store to a mapping, then msync()
    B,
    /// 32 writers as in A and 32 mappers as in B
    C,
    /// as A, with O_DIRECT
    D,
    /// as B, on a descriptor opened with O_DIRECT
    E,
    /// as C: 32 O_DIRECT writers and 32 mappers
    F,
}

/// What a profile stands for, before any option overrides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Number of workers that call `write()`.
    pub writers: u16,
    /// Number of workers that store to a mapping.
    pub mappers: u16,
    /// Whether descriptors are opened with `O_DIRECT`.
    pub direct: bool,
    /// What a writer does after each write.
    pub writer_sync: SyncAction,
    /// What a mapper does after each block it stored.
    pub mapper_sync: SyncAction,
}

impl Letter {
    /// All profiles, in order.
    pub const ALL: [Letter; 6] = [
        Letter::A,
        Letter::B,
        Letter::C,
        Letter::D,
        Letter::E,
        Letter::F,
    ];

    /// The workload this letter stands for.
    pub fn profile(self) -> Profile {
        let (writers, mappers, direct) = match self {
            Letter::A => (64, 0, false),
            Letter::B => (0, 64, false),
            Letter::C => (32, 32, false),
            Letter::D => (64, 0, true),
            Letter::E => (0, 64, true),
            Letter::F => (32, 32, true),
        };
        Profile {
            writers,
            mappers,
            direct,
            writer_sync: SyncAction::SyncFileRange,
            mapper_sync: SyncAction::Msync,
        }
    }
}

impl Profile {
    /// The same mixture with `total` workers, writers getting the odd one.
    ///
    /// Returns the smallest possible total as the error when `total` would leave
    /// one of the profile's two kinds without a worker.
    pub fn scaled(self, total: u16) -> Result<Profile, u16> {
        let kinds = u16::from(self.writers > 0) + u16::from(self.mappers > 0);
        if total < kinds {
            return Err(kinds);
        }
        let writers = match (self.writers, self.mappers) {
            (0, _) => 0,
            (_, 0) => total,
            _ => total.div_ceil(2),
        };
        Ok(Profile {
            writers,
            mappers: total - writers,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_parses_in_both_cases() {
        for letter in Letter::ALL {
            let name = format!("{letter:?}");
            assert_eq!(Letter::from_str(&name, true), Ok(letter));
            assert_eq!(
                Letter::from_str(&name.to_lowercase(), true),
                Ok(letter),
                "lower case"
            );
        }
        assert!(Letter::from_str("G", true).is_err());
    }

    #[test]
    fn d_e_f_are_a_b_c_with_direct_io() {
        for (buffered, direct) in [
            (Letter::A, Letter::D),
            (Letter::B, Letter::E),
            (Letter::C, Letter::F),
        ] {
            let expected = Profile {
                direct: true,
                ..buffered.profile()
            };
            assert_eq!(direct.profile(), expected);
        }
    }

    #[test]
    fn scaling_keeps_the_mixture() {
        let c = Letter::C.profile();
        let five = c.scaled(5).unwrap();
        assert_eq!((five.writers, five.mappers), (3, 2));
        assert_eq!(c.scaled(1), Err(2));
        let b = Letter::B.profile().scaled(7).unwrap();
        assert_eq!((b.writers, b.mappers), (0, 7));
        assert_eq!(Letter::A.profile().scaled(0), Err(1));
    }
}
