// SPDX-License-Identifier: GPL-2.0

//! Mount options.

use crate::strategy::Strategy;
use ext2::superblock::OnError;
use kernel::{
    fmt,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::atomic::{Atomic, Relaxed},
};
use storage::fs::{
    context::{Log, Value},
    snapshot::LEAST_LIMIT,
};

/// What was said, or not.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    pub(crate) stable: Strategy,
    /// As much memory as copies may take, in bytes. By default a part of all.
    pub(crate) snapshot_max: Option<u64>,
    pub(crate) discard: bool,
    /// By default what the superblock says.
    pub(crate) errors: Option<OnError>,
    pub(crate) resuid: Option<u32>,
    pub(crate) resgid: Option<u32>,
}

impl Options {
    /// Takes one option. See `storage::fs::sb::Operations::parse_option`.
    pub(crate) fn parse(&mut self, key: &CStr, value: Value<'_>, log: &Log) -> Result<bool> {
        match key.to_bytes() {
            b"stable" => self.stable = choice(key, value, &STRATEGIES, log)?,
            b"snapshot_max" => self.snapshot_max = Some(size(key, value, log)?),
            b"errors" => self.errors = Some(choice(key, value, &ERRORS, log)?),
            b"discard" => self.discard = flag(key, value, log)?,
            b"nodiscard" => self.discard = !flag(key, value, log)?,
            b"resuid" => self.resuid = Some(number(key, value, log)?),
            b"resgid" => self.resgid = Some(number(key, value, log)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

const STRATEGIES: [(&CStr, Strategy); 5] = [
    (c"wait", Strategy::Wait),
    (c"snapshot", Strategy::Snapshot),
    (c"detached", Strategy::Detached),
    (c"auto", Strategy::Auto),
    (c"off", Strategy::Off),
];

const ERRORS: [(&CStr, OnError); 3] = [
    (c"continue", OnError::Continue),
    (c"remount-ro", OnError::ReadOnly),
    (c"panic", OnError::Panic),
];

/// The words of a choice, with a bar between them.
struct Words<'a, V>(&'a [(&'static CStr, V)]);

impl<V> fmt::Display for Words<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (word, _)) in self.0.iter().enumerate() {
            if index != 0 {
                f.write_str("|")?;
            }
            f.write_fmt(fmt!("{word}"))?;
        }
        Ok(())
    }
}

/// What is wrong with an option, for a person.
struct Given<'a>(Value<'a>);

impl fmt::Display for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Text(text) => f.write_fmt(fmt!("'{text}'")),
            Value::Flag => f.write_str("no value"),
            Value::Other => f.write_str("something that is no text"),
        }
    }
}

fn choice<V: Copy>(
    key: &CStr,
    value: Value<'_>,
    from: &[(&'static CStr, V)],
    log: &Log,
) -> Result<V> {
    if let Value::Text(text) = value {
        let found = from
            .iter()
            .find(|(word, _)| word.to_bytes() == text.to_bytes());
        if let Some((_, found)) = found {
            return Ok(*found);
        }
    }
    let (words, given) = (Words(from), Given(value));
    Err(log.invalid(fmt!("{key}={words} is allowed, not {given}")))
}

fn flag(key: &CStr, value: Value<'_>, log: &Log) -> Result<bool> {
    match value {
        Value::Flag => Ok(true),
        _ => {
            let given = Given(value);
            Err(log.invalid(fmt!("{key} takes no value, not {given}")))
        }
    }
}

fn number(key: &CStr, value: Value<'_>, log: &Log) -> Result<u32> {
    if let Value::Text(text) = value {
        if let Some(number) = text.to_str().ok().and_then(|text| text.parse().ok()) {
            return Ok(number);
        }
    }
    let given = Given(value);
    Err(log.invalid(fmt!(
        "{key}=ID is allowed, from 0 to 4294967295, not {given}"
    )))
}

/// Bytes, with K, M or G behind them or not.
fn size(key: &CStr, value: Value<'_>, log: &Log) -> Result<u64> {
    let parsed = match value {
        Value::Text(text) => text.to_str().ok().and_then(bytes_of),
        _ => None,
    };
    if let Some(bytes) = parsed.filter(|bytes| (LEAST_LIMIT..=LARGEST_LIMIT).contains(bytes)) {
        return Ok(bytes);
    }
    let given = Given(value);
    Err(log.invalid(fmt!(
        "{key}=BYTES is allowed, from 4M to 1024G, not {given}"
    )))
}

const LARGEST_LIMIT: u64 = 1 << 40;

fn bytes_of(text: &str) -> Option<u64> {
    let (number, shift) = [("K", 10), ("M", 20), ("G", 30)]
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)))
        .unwrap_or((text, 0));
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// The options of a mount, while a remount may change them.
pub(crate) struct InForce {
    stable: Atomic<u32>,
    discard: Atomic<bool>,
    errors: Atomic<u32>,
    resuid: Atomic<u32>,
    resgid: Atomic<u32>,
    /// What holds where nothing is said.
    defaults: Defaults,
}

/// What the superblock says.
#[derive(Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) errors: OnError,
    pub(crate) resuid: u32,
    pub(crate) resgid: u32,
}

impl InForce {
    pub(crate) fn new(options: &Options, defaults: Defaults) -> Self {
        let in_force = Self {
            stable: Atomic::new(0),
            discard: Atomic::new(false),
            errors: Atomic::new(0),
            resuid: Atomic::new(0),
            resgid: Atomic::new(0),
            defaults,
        };
        in_force.set(options);
        in_force
    }

    pub(crate) fn set(&self, options: &Options) {
        let defaults = self.defaults;
        self.stable.store(options.stable as u32, Relaxed);
        self.discard.store(options.discard, Relaxed);
        self.errors
            .store(options.errors.unwrap_or(defaults.errors) as u32, Relaxed);
        self.resuid
            .store(options.resuid.unwrap_or(defaults.resuid), Relaxed);
        self.resgid
            .store(options.resgid.unwrap_or(defaults.resgid), Relaxed);
    }

    pub(crate) fn get(&self) -> Options {
        Options {
            stable: self.stable(),
            snapshot_max: None,
            discard: self.discard(),
            errors: Some(self.errors()),
            resuid: Some(self.resuid()),
            resgid: Some(self.resgid()),
        }
    }

    pub(crate) fn stable(&self) -> Strategy {
        let stored = self.stable.load(Relaxed);
        value_of(&STRATEGIES, |strategy| strategy as u32 == stored).unwrap_or_default()
    }

    pub(crate) fn discard(&self) -> bool {
        self.discard.load(Relaxed)
    }

    pub(crate) fn errors(&self) -> OnError {
        let stored = self.errors.load(Relaxed);
        value_of(&ERRORS, |errors| errors as u32 == stored).unwrap_or(self.defaults.errors)
    }

    pub(crate) fn resuid(&self) -> u32 {
        self.resuid.load(Relaxed)
    }

    pub(crate) fn resgid(&self) -> u32 {
        self.resgid.load(Relaxed)
    }

    /// As `/proc/self/mounts` has it.
    pub(crate) fn show(&self, out: &SeqFile) {
        let word = self.stable().word();
        seq_print!(out, ",stable={word}");
        let errors = self.errors();
        let (word, _) = ERRORS
            .iter()
            .find(|(_, value)| *value == errors)
            .unwrap_or(&ERRORS[0]);
        seq_print!(out, ",errors={word}");
        if self.discard() {
            seq_print!(out, ",discard");
        }
        if self.resuid() != 0 {
            seq_print!(out, ",resuid={}", self.resuid());
        }
        if self.resgid() != 0 {
            seq_print!(out, ",resgid={}", self.resgid());
        }
    }
}

fn value_of<V: Copy>(from: &[(&CStr, V)], is: impl Fn(V) -> bool) -> Option<V> {
    from.iter()
        .map(|(_, value)| *value)
        .find(|value| is(*value))
}

impl Strategy {
    pub(crate) fn word(self) -> &'static CStr {
        STRATEGIES
            .iter()
            .find(|(_, value)| *value == self)
            .map_or(c"wait", |(word, _)| word)
    }
}
