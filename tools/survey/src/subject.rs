// SPDX-License-Identifier: GPL-2.0

//! What is surveyed: a file in TOML for each, which says how it is made, mounted and taken down. README.md
//! describes the keys.

use crate::disk::Pi;
use crate::way::Way;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use survey_lib::report::{self, Capability, Kind};

/// A subject. The file's name, without `.toml`, is its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subject {
    #[serde(skip)]
    pub(crate) name: String,
    title: String,
    kind: Kind,
    #[serde(default)]
    about: String,
    /// Disks that it is made of.
    #[serde(default = "one")]
    pub(crate) disks: u32,
    /// What these are like.
    #[serde(default)]
    pub(crate) disk: Disk,
    /// What it can't do without.
    #[serde(default)]
    pub(crate) needs: Needs,
    /// Makes it, from `$DISK` or all of `$DISKS`, and mounts it at `$MNT`.
    pub(crate) up: String,
    /// Undoes that, also where it was left half-made.
    pub(crate) down: String,
    /// The block device that the filesystem is on; what is written to where there is none.
    #[serde(default = "disk")]
    pub(crate) top: String,
    /// Of a stack that is no more than a device: the subjects that are made on it. Each is one then.
    #[serde(default)]
    under: Vec<String>,
    /// The stack is under another subject, too, which comes later in [`under`](Self::under).
    #[serde(skip)]
    pub(crate) again: bool,
    /// What has no file to write to: the device is.
    #[serde(default)]
    pub(crate) raw: bool,
    /// Inodes that are no files of a user, and what they have.
    #[serde(default)]
    pub(crate) inodes: BTreeMap<String, String>,
    /// Of a stack that writes memory of its own: a script that says what is at `$SECTOR` of `$DISK`.
    pub(crate) what: Option<String>,
    /// What starts writeback, where sync_file_range() doesn't.
    pub(crate) sync: Option<Sync>,
    /// The flusher writes what is dirty at once, where nothing that a writer calls does.
    #[serde(default)]
    early_writeback: bool,
    /// What the kernel says when data didn't agree with its digest on the way to the disks.
    pub(crate) digest: Option<String>,
    /// Ways that make no sense, and why.
    #[serde(default)]
    pub(crate) not_applicable: BTreeMap<String, String>,
    /// Of a stack that something is made on: how much of `up` makes the stack, in bytes.
    #[serde(skip)]
    below: usize,
    /// How much of `down` is of what is on it.
    #[serde(skip)]
    above: usize,
    /// Each is a subject, with that to say about it: `$VARIANT` is its name.
    #[serde(default)]
    variants: BTreeMap<String, String>,
}

/// What disks are like, besides what the survey varies.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disk {
    #[serde(default)]
    pub(crate) pi: Pi,
}

/// What a subject can't do without.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Needs {
    #[serde(default)]
    pub(crate) commands: Vec<String>,
    #[serde(default)]
    pub(crate) modules: Vec<String>,
}

/// What a writer calls after each block.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sync {
    Fsync,
    Fdatasync,
}

impl Sync {
    /// As wac has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fsync => "fsync",
            Self::Fdatasync => "fdatasync",
        }
    }
}

/// The flusher writes at once. First of all: a filesystem that is mounted before has its timer at five seconds.
const EARLY: &str = "echo 1 >/proc/sys/vm/dirty_writeback_centisecs
echo 1 >/proc/sys/vm/dirty_expire_centisecs
";

/// As it is in a kernel that was just booted.
const USUAL: &str = "echo 500 >/proc/sys/vm/dirty_writeback_centisecs
echo 3000 >/proc/sys/vm/dirty_expire_centisecs
";

fn one() -> u32 {
    1
}

fn disk() -> String {
    "$DISK".to_owned()
}

/// The files of a directory that are descriptions.
fn descriptions(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let said = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut paths = fs::read_dir(directory)
        .map_err(said)?
        .map(|entry| entry.map(|entry| entry.path()).map_err(said))
        .collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    paths.sort();
    Ok(paths)
}

impl Subject {
    /// All of some directories, in each by their names.
    pub(crate) fn all(directories: &[PathBuf]) -> Result<Vec<Self>, String> {
        let mut read: Vec<Self> = Vec::new();
        for directory in directories {
            for path in descriptions(directory)? {
                for subject in Self::read(&path)?.variants() {
                    if read.iter().any(|other| other.name == subject.name) {
                        return Err(format!(
                            "{}: there is another subject called '{}'",
                            path.display(),
                            subject.name
                        ));
                    }
                    read.push(subject);
                }
            }
        }
        let mut all = Vec::new();
        for subject in &read {
            if subject.under.is_empty() {
                all.push(subject.clone());
            }
            for (index, name) in subject.under.iter().enumerate() {
                let upper = read.iter().find(|other| other.name == *name);
                let upper = upper.filter(|upper| upper.under.is_empty() && upper.disks == 1);
                let upper = upper.ok_or_else(|| {
                    format!(
                        "{}: under = '{name}' is no subject of one disk",
                        subject.name
                    )
                })?;
                all.push(Self {
                    again: index + 1 < subject.under.len(),
                    ..subject.with(upper)
                });
            }
        }
        Ok(all)
    }

    /// Itself, or each of its variants.
    fn variants(self) -> Vec<Self> {
        if self.variants.is_empty() {
            return vec![self];
        }
        let one = |(variant, about): (&String, &String)| {
            let named = |text: &str| text.replace("$VARIANT", variant);
            let all = |texts: &[String]| texts.iter().map(|text| named(text)).collect();
            Self {
                name: format!("{}-{variant}", self.name),
                title: named(&self.title),
                about: about.clone(),
                needs: Needs {
                    commands: all(&self.needs.commands),
                    modules: all(&self.needs.modules),
                },
                up: named(&self.up),
                down: named(&self.down),
                top: named(&self.top),
                variants: BTreeMap::new(),
                ..self.clone()
            }
        };
        self.variants.iter().map(one).collect()
    }

    /// The stack, with that on top.
    fn with(&self, upper: &Self) -> Self {
        let both = |a: &[String], b: &[String]| [a, b].concat();
        let below = format!("{}DISK={}\n", self.up, self.top);
        Self {
            name: format!("{}-{}", self.name, upper.name),
            title: format!("{}, {}", self.title, upper.title),
            needs: Needs {
                commands: both(&self.needs.commands, &upper.needs.commands),
                modules: both(&self.needs.modules, &upper.needs.modules),
            },
            below: below.len(),
            up: below + &upper.up,
            down: format!("{}\n{}", upper.down, self.down),
            above: upper.down.len(),
            under: Vec::new(),
            inodes: upper.inodes.clone(),
            sync: upper.sync,
            not_applicable: upper.not_applicable.clone(),
            ..self.clone()
        }
    }

    /// Whether not all that it writes is of who uses it.
    pub(crate) fn writes_own_memory(&self) -> bool {
        self.what.is_some()
    }

    /// How it is made if the device on top asks for stable pages, whether it does of itself or not.
    pub(crate) fn asking(&self) -> Option<String> {
        let (below, above) = self.up.split_at_checked(self.below)?;
        let ask = "echo 1 >$(stat -Lc /sys/dev/block/%Hr:%Lr $DISK)/queue/stable_writes";
        (!below.is_empty()).then(|| format!("{below}{ask}\n{above}"))
    }

    /// The stack with nothing on it, if something is made on it.
    pub(crate) fn bare(&self) -> Self {
        let up = self.up.get(..self.below).filter(|up| !up.is_empty());
        let down = self.down.get(self.above..);
        Self {
            up: up.unwrap_or(&self.up).to_owned(),
            down: down.unwrap_or(&self.down).to_owned(),
            ..self.clone()
        }
    }

    fn read(path: &Path) -> Result<Self, String> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = bench_lib::system::read(path)?;
        Self::parse(&name, &text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut subject: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if !(1..=8).contains(&subject.disks) {
            return Err(format!(
                "disks = {} is not valid: must be a number from 1 to 8",
                subject.disks
            ));
        }
        let mut ways = Way::ALL.to_vec();
        ways.push(Way::App(""));
        for way in subject.not_applicable.keys() {
            Way::of_name(way, &ways)?;
        }
        if !subject.variants.is_empty() && !subject.about.is_empty() {
            return Err("about is not valid with variants: each has its own".to_owned());
        }
        if subject.early_writeback {
            subject.up.insert_str(0, EARLY);
            subject.down.insert_str(0, USUAL);
        }
        name.clone_into(&mut subject.name);
        Ok(subject)
    }

    /// Whether it is a device on top of others.
    pub(crate) fn is_stack(&self) -> bool {
        self.kind == Kind::Stack
    }

    /// As it is in the report; with whether the device on top asks for stable pages.
    pub(crate) fn to_report(&self, asks: impl Fn(Capability) -> Option<bool>) -> report::Subject {
        let propagates = asks(Capability::On).filter(|_| self.is_stack());
        let asks = match (propagates, asks(Capability::Off)) {
            (Some(true), Some(true)) => {
                "The device on top asks for stable pages by itself, also where the disks don't."
            }
            (Some(true), Some(false)) => {
                "The device on top asks for stable pages only where the disks do: it passes that on."
            }
            _ => "",
        };
        report::Subject {
            name: self.name.clone(),
            title: self.title.clone(),
            kind: self.kind,
            about: [&self.about, " ", asks].concat().trim().to_owned(),
            recipe: self.up.trim().to_owned(),
            propagates,
        }
    }

    /// What it lacks here, if it does.
    pub(crate) fn lacks(&self) -> Option<String> {
        let there = |program: &str, args: &[&str]| bench_lib::system::call(program, args).is_ok();
        let command = self
            .needs
            .commands
            .iter()
            .find(|name| !there("sh", &["-c", &format!("command -v {name}")]))
            .map(|name| format!("{name} is not installed"));
        let module = || {
            self.needs
                .modules
                .iter()
                .find(|name| !there("modprobe", &["--quiet", name]))
                .map(|name| format!("this kernel has no module {name}"))
        };
        command.or_else(module)
    }
}

#[cfg(test)]
mod tests {
    use super::Subject;
    use survey_lib::report::Capability;

    const GOOD: &str = "title = 'a'\nkind = 'filesystem'\nup = 'true'\ndown = 'true'\n";

    #[test]
    fn what_is_wrong_is_said() {
        assert!(Subject::parse("a", GOOD).is_ok());
        for (more, said) in [
            (
                "disks = 9",
                "disks = 9 is not valid: must be a number from 1 to 8",
            ),
            ("colour = 1", "unknown field `colour`"),
            ("disks = 'x'", "invalid type"),
            (
                "sync = 'none'",
                "unknown variant `none`, expected `fsync` or `fdatasync`",
            ),
            ("not_applicable = { fly = 'no' }", "way 'fly' is not known"),
            (
                "disk = { pi = 'none' }",
                "unknown variant `none`, expected `dif` or `dix`",
            ),
            (
                "about = 'a'\nvariants = { x = 'b' }",
                "about is not valid with variants",
            ),
            ("[", "keys"),
        ] {
            let error = Subject::parse("a", &format!("{GOOD}{more}\n")).unwrap_err();
            assert!(error.contains(said), "{more}: {error}");
        }
        let error = Subject::parse("a", "title = 'a'").unwrap_err();
        assert!(error.contains("missing field"), "{error}");
    }

    #[test]
    fn the_flusher_is_fast_while_it_is_there() {
        let subject = Subject::parse("a", &format!("{GOOD}early_writeback = true\n")).unwrap();
        let set = |text: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(" >"));
            lines.map(|(_, path)| path.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(set(&subject.up).len(), 2);
        assert_eq!(set(&subject.up), set(&subject.down));
    }

    #[test]
    fn each_variant_is_a_subject() {
        let text = GOOD.replace("'a'", "'a $VARIANT'") + "variants = { x = 'b', y = 'c' }\n";
        let subjects = Subject::parse("a", &text).unwrap().variants();
        let said: Vec<[&str; 3]> = subjects
            .iter()
            .map(|subject| [&*subject.name, &*subject.title, &*subject.about])
            .collect();
        assert_eq!(said, [["a-x", "a x", "b"], ["a-y", "a y", "c"]]);
    }

    #[test]
    fn those_that_come_with_it_are_good() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("subjects");
        let subjects = Subject::all(std::slice::from_ref(&directory)).unwrap();
        let named = |name: &str| subjects.iter().find(|subject| subject.name == name);
        assert!(named("ext4").is_some());
        let stack = named("linear-ext4").unwrap();
        assert!(stack.up.contains("DISK=/dev/mapper/"), "{}", stack.up);
        assert!(stack.down.starts_with("umount"), "{}", stack.down);
        let asking = stack.asking().unwrap();
        assert!(asking.contains("stable_writes\nmkfs.ext4"), "{asking}");
        assert_eq!(named("ext4").unwrap().asking(), None);
        let bare = stack.bare();
        assert!(bare
            .up
            .trim_end()
            .ends_with("DISK=/dev/mapper/survey-linear"));
        assert_eq!(bare.down.trim(), "dmsetup remove --retry survey-linear");
        let about = |on, off| {
            let asks = |capability| match capability {
                Capability::On => Some(on),
                Capability::Off => Some(off),
            };
            stack.to_report(asks).about
        };
        assert!(about(true, true).ends_with("where the disks don't."));
        assert!(about(true, false).ends_with("it passes that on."));
        assert_eq!(about(false, false), "As LVM has it.");
        let error = Subject::all(&[directory.clone(), directory]).unwrap_err();
        assert!(error.contains("there is another subject called"), "{error}");
    }
}
