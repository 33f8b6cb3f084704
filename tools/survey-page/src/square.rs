// SPDX-License-Identifier: GPL-2.0

//! What the combinations of a subject and a way say together: the worst of what they say.

use maud::{html, Markup};
use survey_lib::report::{Capability, Cell, Report, Subject, Verdict, Way};

/// What a combination says, or several together; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Says {
    /// Pages change although the device asks for stable ones.
    Finding,
    /// They change where it doesn't ask.
    Unasked,
    Stable,
    Refused,
    Unsupported,
    NotApplicable,
    NotRun,
}

impl Says {
    pub(crate) const ALL: [Self; 7] = [
        Self::Finding,
        Self::Unasked,
        Self::Stable,
        Self::Refused,
        Self::Unsupported,
        Self::NotApplicable,
        Self::NotRun,
    ];

    pub(crate) fn of(cell: &Cell) -> Self {
        match (cell.verdict, cell.capability) {
            (Verdict::Unstable, Capability::On) => Self::Finding,
            (Verdict::Unstable, Capability::Off) => Self::Unasked,
            (Verdict::Stable, _) => Self::Stable,
            (Verdict::Refused, _) => Self::Refused,
            (Verdict::Unsupported, _) => Self::Unsupported,
            (Verdict::NotApplicable, _) => Self::NotApplicable,
        }
    }

    /// Its class in `page.css`.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Unasked => "unasked",
            Self::Stable => "stable",
            Self::Refused | Self::Unsupported | Self::NotApplicable | Self::NotRun => "none",
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Finding => "▲",
            Self::Unasked => "△",
            Self::Stable => "●",
            Self::Refused => "○",
            Self::Unsupported | Self::NotApplicable | Self::NotRun => "–",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Finding | Self::Unasked => "unstable",
            Self::Stable => "stable",
            Self::Refused => "refused",
            // It may be divided where there is little room.
            Self::Unsupported => "unsup\u{ad}ported",
            Self::NotApplicable => "not applicable",
            Self::NotRun => "not run",
        }
    }

    /// Sign and word.
    pub(crate) fn mark(self) -> Markup {
        html! { span.mark { (self.sign()) " " (self.word()) } }
    }

    /// A sentence for the legend.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Finding => {
                "A page changed under writeback although the device asks for stable pages (capability on). \
                 This is a finding: a candidate for a bug."
            }
            Self::Unasked => {
                "A page changed, but only where the device doesn't ask (capability off). That is what is \
                 expected of whoever relies on the flag, and harms no device that doesn't need it."
            }
            Self::Stable => {
                "Pages were checked, and none had changed. It is as good as the number of writes behind it: \
                 the details have it."
            }
            Self::Refused => "It could not be made, mounted or written to that way, and said so.",
            Self::Unsupported => "This kernel, or what is installed, lacks what it takes.",
            Self::NotApplicable => "There is no such combination.",
            Self::NotRun => "The survey ended before.",
        }
    }
}

/// A square of the table: a subject, a way, and all combinations of the rest.
pub(crate) struct Square<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) way: &'a Way,
    pub(crate) cells: Vec<&'a Cell>,
}

impl<'a> Square<'a> {
    /// Those of all subjects, one after the other, each in all ways.
    pub(crate) fn all(report: &'a Report) -> Vec<Self> {
        let cells = |subject: &Subject, way: &Way| {
            let mine = |cell: &&Cell| cell.subject == subject.name && cell.way == way.name;
            report.cells.iter().filter(mine).collect()
        };
        let pairs = report
            .subjects
            .iter()
            .flat_map(|subject| report.ways.iter().map(move |way| (subject, way)));
        pairs
            .map(|(subject, way)| Self {
                subject,
                way,
                cells: cells(subject, way),
            })
            .collect()
    }

    /// Where its details are, as the fragment of an address. No name has a slash in it.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.subject.name, self.way.name)
    }

    /// The worst that a combination says.
    pub(crate) fn says(&self) -> Says {
        self.cells
            .iter()
            .map(|cell| Says::of(cell))
            .min()
            .unwrap_or(Says::NotRun)
    }

    /// How many combinations say that, of those that could.
    pub(crate) fn scope(&self) -> String {
        let says = self.says();
        let could = |cell: &&&Cell| match says {
            Says::Finding => cell.capability == Capability::On,
            Says::Unasked => cell.capability == Capability::Off,
            _ => true,
        };
        let those = self
            .cells
            .iter()
            .filter(|cell| Says::of(cell) == says)
            .count();
        format!("{those} of {}", self.cells.iter().filter(could).count())
    }
}

#[cfg(test)]
mod tests {
    use super::{Says, Square};
    use survey_lib::report::{Capability, Cell, Report, Verdict};
    use survey_lib::sample;

    use Capability::{Off, On};
    use Verdict::{NotApplicable, Refused, Stable, Unstable, Unsupported};

    /// What a square says that has these combinations.
    fn square(verdicts: &[(Capability, Verdict)]) -> (Says, String) {
        let report = sample::report();
        let cells: Vec<Cell> = verdicts
            .iter()
            .map(|&(capability, verdict)| Cell {
                capability,
                verdict,
                ..report.cells[0].clone()
            })
            .collect();
        let report = Report { cells, ..report };
        let square = Square::all(&report).remove(0);
        (square.says(), square.scope())
    }

    #[test]
    fn the_worst_is_seen() {
        for (verdicts, says, scope) in [
            (
                &[(On, Stable), (On, Unstable), (Off, Unstable), (On, Refused)][..],
                Says::Finding,
                "1 of 3",
            ),
            (&[(On, Stable), (Off, Unstable)], Says::Unasked, "1 of 1"),
            (&[(On, Refused), (Off, Unstable)], Says::Unasked, "1 of 1"),
            (
                &[(On, Stable), (Off, Stable), (Off, Refused)],
                Says::Stable,
                "2 of 3",
            ),
            (
                &[(On, NotApplicable), (Off, Refused)],
                Says::Refused,
                "1 of 2",
            ),
            (
                &[(On, NotApplicable), (Off, Unsupported)],
                Says::Unsupported,
                "1 of 2",
            ),
            (&[(On, NotApplicable)], Says::NotApplicable, "1 of 1"),
            (&[], Says::NotRun, "0 of 0"),
        ] {
            assert_eq!(square(verdicts), (says, scope.to_owned()), "{verdicts:?}");
        }
    }

    #[test]
    fn unasked_and_finding_do_not_look_the_same() {
        for look in [Says::class, Says::sign, Says::meaning] {
            assert_ne!(look(Says::Finding), look(Says::Unasked));
        }
    }

    #[test]
    fn squares_come_in_the_order_of_the_table() {
        let report = sample::report();
        let squares = Square::all(&report);
        assert_eq!(squares.len(), report.subjects.len() * report.ways.len());
        assert_eq!(squares[1].id(), "ext2/mmap");
        assert!(squares.iter().all(|square| square.cells.len() == 8));
    }
}
