// SPDX-License-Identifier: GPL-2.0

//! The whole survey: each subject is made once for each kind of disk, and all that is to be done there is done.

use crate::cell::{self, Combination, Site};
use crate::disk::{Disks, Setting};
use crate::journal::{Journal, Line};
use crate::shell::{self, Stuck};
use crate::subject::Subject;
use crate::table::Table;
use crate::way::Way;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use survey_lib::report::{Capability, Cell, Verdict};

/// What is to be done.
pub(crate) struct Plan {
    /// With the ways that each is tried in.
    pub(crate) subjects: Vec<(Subject, Vec<Way>)>,
    /// Capability, window in microseconds, sector in bytes.
    pub(crate) circumstances: Vec<(Capability, u64, u32)>,
    /// Without the capability, only filesystems are tried, and only in ways that they can do something about.
    pub(crate) quick: bool,
    /// For how long pages are changed.
    pub(crate) time: Duration,
}

/// How long a subject may take to be made or taken down.
const SETUP: Duration = Duration::from_secs(120);

/// Where it is mounted.
const MNT: &str = "/tmp/survey";

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) cells: Vec<Cell>,
    /// Whether the device on top of a subject asks for stable pages, on disks that do or that don't.
    asks: HashMap<(String, Capability), bool>,
}

impl Found {
    /// Whether the device on top asks for stable pages on disks of that capability, if that was found.
    pub(crate) fn asks(&self, subject: &str, capability: Capability) -> Option<bool> {
        self.asks.get(&(subject.to_owned(), capability)).copied()
    }
}

/// What a combination of a subject is called in the journal.
fn name(subject: &str, way: &str, capability: Capability, window_us: u64, sector: u32) -> String {
    format!("{subject} {way} {capability:?} {window_us} {sector}")
}

impl Plan {
    /// How many cells.
    pub(crate) fn len(&self) -> usize {
        self.subjects
            .iter()
            .map(|(subject, ways)| self.combinations(subject, ways).count())
            .sum()
    }

    /// All ways that some subject is tried in.
    pub(crate) fn ways(&self) -> Vec<Way> {
        let mut all = Vec::new();
        for way in self.subjects.iter().flat_map(|(_, ways)| ways) {
            if !all.contains(way) {
                all.push(*way);
            }
        }
        all
    }

    /// The subject and the way of a cell, if it is one of this.
    pub(crate) fn find(&self, cell: &Cell) -> Option<(&Subject, Way)> {
        let (subject, ways) = self
            .subjects
            .iter()
            .find(|(subject, _)| subject.name == cell.subject)?;
        let combination = self.combinations(subject, ways).find(|combination| {
            let Combination {
                way,
                capability,
                window_us,
                sector,
            } = *combination;
            (way.name(), capability, window_us, sector)
                == (&*cell.way, cell.capability, cell.window_us, cell.sector)
        })?;
        Some((subject, combination.way))
    }

    /// Those that it is tried in, in their order.
    fn combinations<'a>(
        &'a self,
        subject: &Subject,
        ways: &'a [Way],
    ) -> impl Iterator<Item = Combination> + 'a {
        let is_stack = subject.is_stack();
        self.circumstances
            .iter()
            .flat_map(move |&(capability, window_us, sector)| {
                ways.iter().map(move |&way| Combination {
                    way,
                    capability,
                    window_us,
                    sector,
                })
            })
            .filter(move |combination| {
                let usual = matches!(combination.way, Way::Write | Way::Mmap | Way::App(_));
                let control = !is_stack && usual;
                !self.quick || control || combination.capability == Capability::On
            })
    }

    /// What the journal has of them. What was begun and has no end brought the machine down.
    fn known(&self, journal: &Journal) -> (Found, HashMap<String, bool>) {
        let mut found = Found::default();
        let (mut ended, mut cells) = (HashMap::new(), BTreeMap::new());
        for line in &journal.before {
            match line {
                Line::Begun(name) => {
                    ended.entry(name.clone()).or_insert(false);
                }
                Line::Cell(cell) if self.find(cell).is_some() => {
                    let Cell { subject, way, .. } = &**cell;
                    let name = name(subject, way, cell.capability, cell.window_us, cell.sector);
                    ended.insert(name.clone(), true);
                    // Of two, the later one counts.
                    cells.insert(name, (**cell).clone());
                }
                Line::Cell(_) => {}
                Line::Asks {
                    subject,
                    capability,
                    does,
                } => {
                    found.asks.insert((subject.clone(), *capability), *does);
                }
            }
        }
        found.cells.extend(cells.into_values());
        (found, ended)
    }

    /// Does what the journal doesn't have yet.
    pub(crate) fn run(&self, journal: &mut Journal, table: &mut Table) -> Result<Found, String> {
        let (mut found, ended) = self.known(journal);
        for cell in &found.cells {
            table.add(cell);
        }
        for (subject, ways) in &self.subjects {
            let setting_of = |combination: &Combination| Setting {
                capability: combination.capability,
                sector: combination.sector,
                pi: subject.disk.pi,
                copy: true,
            };
            let mut settings: Vec<Setting> = Vec::new();
            for combination in self.combinations(subject, ways) {
                let setting = setting_of(&combination);
                if !settings.contains(&setting) {
                    settings.push(setting);
                }
            }
            for setting in settings {
                let mut left = Vec::new();
                let all = self.combinations(subject, ways);
                for combination in all.filter(|combination| setting_of(combination) == setting) {
                    let Combination {
                        way,
                        capability,
                        window_us,
                        sector,
                    } = combination;
                    let name = name(&subject.name, way.name(), capability, window_us, sector);
                    match ended.get(&name) {
                        Some(true) => {}
                        Some(false) => {
                            let why = "the machine went down or hung in it".to_owned();
                            let verdict = Verdict::Unsupported;
                            let cell = cell::unchecked(subject, combination, verdict, why);
                            note(journal, table, &mut found, cell)?;
                        }
                        None => left.push((name, combination)),
                    }
                }
                if !left.is_empty() {
                    self.subject(subject, setting, &left, journal, table, &mut found)?;
                }
            }
            let name = format!("{} without the capability", subject.name);
            if !ended.contains_key(&name) {
                unasked(subject, name, journal, &mut found)?;
            }
        }
        Ok(found)
    }

    /// What is left of a subject on disks of that kind.
    fn subject(
        &self,
        subject: &Subject,
        setting: Setting,
        left: &[(String, Combination)],
        journal: &mut Journal,
        table: &mut Table,
        found: &mut Found,
    ) -> Result<(), String> {
        let mut all = |verdict: Verdict, why: &str, found: &mut Found| {
            left.iter().try_for_each(|(_, combination)| {
                let cell = cell::unchecked(subject, *combination, verdict, why.to_owned());
                note(journal, table, found, cell)
            })
        };
        if let Some(why) = subject.lacks() {
            return all(Verdict::Unsupported, &why, found);
        }
        fs::create_dir_all(MNT).map_err(|error| format!("{MNT}: {error}"))?;
        let made = match Made::new(subject, setting) {
            Ok(made) => made,
            Err(Stuck::Failed(why)) => return all(Verdict::Refused, &why, found),
            Err(Stuck::Lost(why)) => return Err(format!("{}: {why}", subject.name)),
        };
        made.asks(setting.capability, journal, found)?;
        for (name, combination) in left {
            journal.add(&Line::Begun(name.clone()))?;
            table.begin();
            let cell = cell::run(&made.site(), *combination, self.time)
                .map_err(|error| format!("{name}: {error}"))?;
            note(journal, table, found, cell)?;
        }
        made.down()
            .map_err(|why| format!("{}: {why}", subject.name))
    }
}

/// Whether a device on top that asks does so by itself, if nothing was surveyed on disks that don't: it is made on
/// such, with nothing on it.
fn unasked(
    subject: &Subject,
    name: String,
    journal: &mut Journal,
    found: &mut Found,
) -> Result<(), String> {
    let Subject { name: of, .. } = subject;
    let asks = |capability| found.asks(of, capability);
    let open = asks(Capability::On) == Some(true) && asks(Capability::Off).is_none();
    if !open || !subject.is_stack() {
        return Ok(());
    }
    journal.add(&Line::Begun(name))?;
    let bare = subject.bare();
    let setting = Setting {
        capability: Capability::Off,
        sector: 512,
        pi: subject.disk.pi,
        copy: true,
    };
    match Made::new(&bare, setting) {
        Ok(made) => {
            made.asks(setting.capability, journal, found)?;
            made.down()
        }
        // Then it isn't known.
        Err(Stuck::Failed(_)) => Ok(()),
        Err(Stuck::Lost(why)) => Err(why),
    }
    .map_err(|why| format!("{of}: {why}"))
}

fn note(
    journal: &mut Journal,
    table: &mut Table,
    found: &mut Found,
    cell: Cell,
) -> Result<(), String> {
    table.add(&cell);
    journal.add(&Line::Cell(Box::new(cell.clone())))?;
    found.cells.push(cell);
    Ok(())
}

/// A subject that was made.
pub(crate) struct Made<'a> {
    subject: &'a Subject,
    disks: Disks,
    /// `/dev/...` of all disks, with spaces.
    paths: String,
    /// The device on top.
    top: String,
}

impl<'a> Made<'a> {
    pub(crate) fn new(subject: &'a Subject, setting: Setting) -> Result<Self, Stuck> {
        Self::by(subject, &subject.up, setting)
    }

    /// With another script than its own.
    pub(crate) fn by(subject: &'a Subject, up: &str, setting: Setting) -> Result<Self, Stuck> {
        // What is left of the one before, mostly.
        let disks = Disks::new(subject.disks, setting).map_err(Stuck::Lost)?;
        let paths = disks.paths().collect::<Vec<_>>().join(" ");
        let mut made = Self {
            subject,
            disks,
            paths,
            top: String::new(),
        };
        let up = made.script(up, true)?;
        if up.status != Some(0) {
            let why = up.complaint();
            // Most of it isn't there to be taken down.
            made.script(&subject.down, false)?;
            return Err(Stuck::Failed(why));
        }
        let top = made.script(&format!("echo {}", subject.top), true)?;
        made.top = top.output.trim().to_owned();
        Ok(made)
    }

    fn script(&self, text: &str, strict: bool) -> Result<shell::Ended, Stuck> {
        let first = self.paths.split(' ').next().unwrap_or_default();
        let variables = [("DISK", first), ("DISKS", &self.paths), ("MNT", MNT)];
        shell::script(text, strict, &variables, SETUP)
    }

    pub(crate) fn site(&self) -> Site<'_> {
        Site {
            subject: self.subject,
            disks: &self.disks,
            mnt: MNT,
            top: &self.top,
        }
    }

    /// Notes whether the device on top asks for stable pages, if it can be told.
    fn asks(
        &self,
        capability: Capability,
        journal: &mut Journal,
        found: &mut Found,
    ) -> Result<(), String> {
        let Some(does) = self.stable_writes() else {
            return Ok(());
        };
        let subject = self.subject.name.clone();
        found.asks.insert((subject.clone(), capability), does);
        journal.add(&Line::Asks {
            subject,
            capability,
            does,
        })
    }

    fn stable_writes(&self) -> Option<bool> {
        // Not by its name: without udev, those of dm are no links.
        let number = fs::metadata(&self.top).ok()?.rdev();
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        let path = format!("/sys/dev/block/{major}:{minor}/queue/stable_writes");
        let text = fs::read_to_string(path).ok()?;
        Some(text.trim() == "1")
    }

    /// Takes it down. The error is why that can't be done: the machine is of no more use.
    pub(crate) fn down(self) -> Result<(), String> {
        match self.script(&self.subject.down, true) {
            Ok(ended) if ended.status == Some(0) => Ok(()),
            Ok(ended) => Err(format!("can't be taken down: {}", ended.complaint())),
            Err(Stuck::Failed(why) | Stuck::Lost(why)) => Err(why),
        }
    }
}
