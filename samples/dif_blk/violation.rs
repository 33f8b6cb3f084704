// SPDX-License-Identifier: GPL-2.0

//! What is said of a page that changed: a line in the log, a record as JSON, and an event in tracefs.

use kernel::{fmt, prelude::*, str::CStr, time::Delta};
use storage::{
    block::{
        bio::{Origin, PageState},
        trace,
    },
    task::Task,
};

/// Bytes that a record shows of an interval, before and after.
const SHOWN: usize = 64;

/// Ranges that a record has.
const RANGES: usize = 8;

/// What changed in one protection interval, and whose it is.
pub(crate) struct Violation {
    circumstances: Circumstances,
    /// Bytes of an interval.
    interval: usize,
    origin: Origin,
    page: PageState,
    changes: Changes,
}

/// The write that the interval is of.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) sector: u64,
    pub(crate) bytes: usize,
}

/// When a change was seen.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) after_submit: Delta,
    /// How many looks there were before this one.
    pub(crate) look: u64,
    /// How many there are in all.
    pub(crate) looks: u64,
}

/// Which bytes are others than they were.
struct Changes {
    ranges: Ranges,
    /// From the first byte that differs on.
    before: Shown,
    after: Shown,
}

/// First and last byte of each range that differs. What there are too many of is in the last.
#[derive(Default)]
struct Ranges {
    all: [(usize, usize); RANGES],
    count: usize,
}

impl Ranges {
    fn push(&mut self, range: (usize, usize)) {
        match self.all.get_mut(self.count) {
            Some(place) => {
                *place = range;
                self.count += 1;
            }
            None => {
                if let Some(last) = self.all.last_mut() {
                    last.1 = range.1;
                }
            }
        }
    }

    fn whole(is: &[u8]) -> Self {
        let mut ranges = Self::default();
        ranges.push((0, is.len().saturating_sub(1)));
        ranges
    }

    fn of(was: &[u8], is: &[u8]) -> Self {
        let mut ranges = Self::default();
        let mut open: Option<(usize, usize)> = None;
        for (n, _) in was
            .iter()
            .zip(is)
            .enumerate()
            .filter(|(_, (was, is))| was != is)
        {
            open = match open {
                Some((first, last)) if last + 1 == n => Some((first, n)),
                Some(range) => {
                    ranges.push(range);
                    Some((n, n))
                }
                None => Some((n, n)),
            };
        }
        if let Some(range) = open {
            ranges.push(range);
        }
        ranges
    }

    fn iter(&self) -> impl Iterator<Item = &(usize, usize)> {
        self.all.iter().take(self.count)
    }

    fn first(&self) -> usize {
        self.iter().next().map_or(0, |range| range.0)
    }

    fn last(&self) -> usize {
        self.iter().last().map_or(0, |range| range.1)
    }
}

/// Some bytes of an interval.
struct Shown {
    bytes: [u8; SHOWN],
    len: usize,
}

impl Shown {
    fn new(interval: &[u8], from: usize) -> Self {
        let mut bytes = [0; SHOWN];
        let rest = interval.get(from..).unwrap_or_default();
        let len = rest.len().min(SHOWN);
        for (to, from) in bytes.iter_mut().zip(rest) {
            *to = *from;
        }
        Self { bytes, len }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// In hexadecimal.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Changes {
    /// All of the interval is taken for changed where nothing was kept.
    fn new(was: Option<&[u8]>, is: &[u8]) -> Self {
        let ranges = was.map_or_else(|| Ranges::whole(is), |was| Ranges::of(was, is));
        let was = was.unwrap_or_default();
        let first = ranges.first();
        Self {
            before: Shown::new(was, first),
            after: Shown::new(is, first),
            ranges,
        }
    }
}

/// What is known of a violation besides its bytes.
pub(crate) struct Circumstances {
    /// Counted from 1 since the disk was made.
    pub(crate) number: u64,
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) time_ns: i64,
    /// Where the interval is on the disk, in units of 512 bytes.
    pub(crate) sector: u64,
    pub(crate) request: Request,
    /// The guard as submitted, and now.
    pub(crate) guard: (u64, u64),
    /// Who submitted the write.
    pub(crate) task: Task,
    pub(crate) seen: Seen,
}

impl Violation {
    /// Compares what an interval was, if that was kept, with what it is. `origin` tells whose the byte at an
    /// index is, and what its page is like.
    pub(crate) fn new(
        circumstances: Circumstances,
        was: Option<&[u8]>,
        is: &[u8],
        origin: impl FnOnce(usize) -> (Origin, PageState),
    ) -> Self {
        let changes = Changes::new(was, is);
        let (origin, page) = origin(changes.ranges.first());
        Self {
            circumstances,
            interval: is.len(),
            origin,
            page,
            changes,
        }
    }

    /// Whose the first byte is that changed.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The line in the log.
    pub(crate) fn log(&self, name: &CStr) {
        let Circumstances {
            sector,
            guard: (was, is),
            seen,
            ..
        } = &self.circumstances;
        let whose = Whose(&self.origin);
        let (first, last) = (self.changes.ranges.first(), self.changes.ranges.last());
        let after = seen.after_submit.as_micros_ceil();
        pr_warn!(
            "{name}: page changed in flight: sector {sector}, {whose}, bytes {first}-{last}, guard {was:#06x} -> {is:#06x}, {after} us after submit\n"
        );
    }

    /// The event in tracefs.
    pub(crate) fn trace(&self, name: &CStr) {
        let circumstances = &self.circumstances;
        let mut ranges = [[0; 2]; RANGES];
        for (pair, (first, last)) in ranges.iter_mut().zip(self.changes.ranges.iter()) {
            // An interval has at most 4096 bytes.
            *pair = [*first as u16, *last as u16];
        }
        trace::Violation {
            disk: name,
            seq: circumstances.number,
            sector: circumstances.sector,
            interval: self.interval,
            request: (circumstances.request.sector, circumstances.request.bytes),
            origin: self.origin,
            page: self.page,
            ranges: ranges.get(..self.changes.ranges.count).unwrap_or_default(),
            before: self.changes.before.bytes(),
            after: self.changes.after.bytes(),
            guard: circumstances.guard,
            after_submit: circumstances.seen.after_submit,
            look: (circumstances.seen.look, circumstances.seen.looks),
            task: &circumstances.task,
        }
        .trace();
    }
}

/// In the log.
struct Whose<'a>(&'a Origin);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Origin::File {
                fs, ino, offset, ..
            } => f.write_fmt(fmt!("inode {ino} of {fs}, offset {offset}")),
            Origin::BlockDevice { dev, offset } => {
                f.write_fmt(fmt!("block device {dev}, offset {offset}"))
            }
            Origin::None => f.write_str("no inode"),
        }
    }
}

/// A string of JSON. What is no printable ASCII is escaped, as if it were Latin-1.
struct Json<I>(I);

impl<I: Iterator<Item = u8> + Clone> fmt::Display for Json<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for byte in self.0.clone() {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                b' '..=b'~' => write!(f, "{}", char::from(byte))?,
                _ => write!(f, "\\u{byte:04x}")?,
            }
        }
        f.write_str("\"")
    }
}

/// A record, as JSON: Documentation/dif_blk.rst says what is in it.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Circumstances {
            number,
            time_ns,
            sector,
            request,
            guard: (was, is),
            task,
            seen,
        } = &self.circumstances;
        write!(
            f,
            "{{\"seq\":{number},\"time_ns\":{time_ns},\"sector\":{sector},\"interval\":{},\"request\":{{\"sector\":{},\"bytes\":{}}},",
            self.interval, request.sector, request.bytes
        )?;
        match &self.origin {
            Origin::File {
                fs,
                dev,
                ino,
                offset,
            } => f.write_fmt(fmt!(
                "\"kind\":\"file\",\"fs\":{},\"dev\":\"{dev}\",\"inode\":{ino},\"offset\":{offset},",
                Json(fs.as_bytes())
            ))?,
            Origin::BlockDevice { dev, offset } => f.write_fmt(fmt!(
                "\"kind\":\"block device\",\"dev\":\"{dev}\",\"offset\":{offset},"
            ))?,
            Origin::None => f.write_str("\"kind\":\"memory\",")?,
        }
        f.write_str("\"ranges\":[")?;
        for (n, (first, last)) in self.changes.ranges.iter().enumerate() {
            write!(f, "{}[{first},{last}]", if n == 0 { "" } else { "," })?;
        }
        f.write_fmt(fmt!(
            "],\"before\":\"{}\",\"after\":\"{}\",\"guard\":[\"{was:#06x}\",\"{is:#06x}\"],",
            self.changes.before,
            self.changes.after
        ))?;
        f.write_str("\"page\":{")?;
        for (n, (name, is)) in self.page.iter().enumerate() {
            write!(f, "{}\"{name}\":{is}", if n == 0 { "" } else { "," })?;
        }
        f.write_str("},")?;
        let Seen {
            after_submit,
            look,
            looks,
        } = seen;
        f.write_fmt(fmt!(
            "\"after_submit_ns\":{},\"look\":{look},\"looks\":{looks},\"comm\":{},\"pid\":{}}}",
            after_submit.as_nanos(),
            Json(task.comm().iter().copied()),
            task.pid
        ))
    }
}
