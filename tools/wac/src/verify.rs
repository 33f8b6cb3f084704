// SPDX-License-Identifier: GPL-2.0

//! The read-back check: does the file hold what the workers wrote, and does the
//! page cache agree with the disk?
//!
//! # What is legal
//!
//! Workers overlap on purpose, so the check can not know *which* worker's words
//! are in a block. What it does know follows from how they write, word by word:
//!
//! * **A word is somebody's, whole.** Files start on a page, blocks are at least
//!   64 bytes and aligned, and a mapper stores aligned eight-byte words, which no
//!   CPU splits. Buffered writes exclude each other (the inode's lock, or at
//!   least the folio's). So with buffered writers only, or mappers only, every
//!   word decodes.
//! * **Blocks may be mixtures.** Nothing makes a mapper's stores, or two direct
//!   writes, exclude each other over more than a word. Any mixture of whole
//!   legal words is legal.
//! * **Words may be torn only where two agents copy at once with no order:** a
//!   `write()` copying into a page that a mapper stores to, two direct writes of
//!   the same sectors, a buffer rewritten in flight. A copy may go byte by byte,
//!   so the word may hold the first bytes of one legal word and the last bytes of
//!   another. Where the plan has such agents ([`Plan::tears_legal`]), a word that
//!   is exactly that is counted as `torn` and is not an error; anywhere else it
//!   is `foreign`.
//! * **A word is not older than its own worker allows.** A worker's operations
//!   follow one another, each over a whole block. Once its operation `t` on a
//!   block has succeeded, words of its earlier operations on that block can not
//!   be there any more, whatever the others did; nor can the initial fill, once
//!   anyone's has. A word that is older is `superseded`: a write was lost, or an
//!   old page came back. An operation that failed may have left any part of the
//!   block. This holds while all workers go through the page cache, or none.
//!   With direct *and* mapped workers a stale cached page may legally overwrite
//!   newer data on disk, and this rule, and the next, do not count.
//! * **After `fsync()` the page cache and the disk hold the same.** The file is
//!   read through the page cache, the cache is dropped, the file is read again
//!   with `O_DIRECT`, and both are compared block by block. The words that come
//!   from disk are judged by the same rules. Where `O_DIRECT` is not to be had
//!   the second reading is a buffered one after dropping the cache.
//!
//! Everything else, and a read that fails, is an error. After a write error
//! (`EIO` from `fsync()`) the kernel keeps the unwritten page as if it were
//! clean, so disagreement and superseded words are then to be expected; they are
//! reported, next to the error that caused them.

use crate::errors::{Code, Op, Tally};
use crate::pattern::{Offsets, Pattern, Stamp, FILL, VARIANTS};
use crate::plan::Plan;
use crate::report::Report;
use crate::target::{self, SetupError};
use crate::worker::Outcome;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// At most this many bad words are described one by one.
const MAX_EXAMPLES: usize = 16;
/// Largest (workers × blocks) for which superseded words are looked for; four
/// bytes of memory each.
const MAX_FLOORS: u64 = 1 << 26;
/// A bad word's true place is looked for in files of up to this many blocks.
const MAX_SEARCH: u64 = 1 << 16;
/// Alignment that satisfies `O_DIRECT` everywhere.
const ALIGN: usize = 4096;
/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// What the check has to know about one worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Number of the worker.
    pub id: u16,
    /// Operations it began.
    pub attempts: u64,
    /// Numbers of those that failed.
    pub failed: Vec<u32>,
    /// More failed than are in `failed`.
    pub failed_truncated: bool,
}

/// The traces of all workers.
pub fn traces(outcomes: &[Outcome]) -> Vec<Trace> {
    outcomes
        .iter()
        .map(|outcome| Trace {
            id: outcome.id,
            attempts: outcome.attempts,
            failed: outcome.failed.clone(),
            failed_truncated: outcome.failed_truncated,
        })
        .collect()
}

/// How the second reading got past the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// With `O_DIRECT`.
    Direct,
    /// Buffered, after asking the kernel to drop the cache.
    DroppedCache,
}

/// One of the two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Through the page cache.
    Cache,
    /// From disk.
    Disk,
}

/// Words of one reading, by what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// Words that belong there.
    pub good: u64,
    /// Halves of two words that belong there, where that is legal.
    pub torn: u64,
    /// Nobody wrote this there.
    pub foreign: u64,
    /// Overwritten since, by the same worker.
    pub superseded: u64,
}

impl Words {
    /// Words that should not be there.
    pub fn bad(&self) -> u64 {
        self.foreign + self.superseded
    }
}

/// One bad word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// In which reading.
    pub reading: Reading,
    /// Byte offset in the file.
    pub offset: u64,
    /// What was there, in hexadecimal.
    pub found: String,
    /// What is wrong with it.
    pub what: String,
}

/// The result of the check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadBack {
    /// How the second reading got past the page cache.
    pub method: Method,
    /// Blocks in the file.
    pub blocks: u64,
    /// What the page cache holds.
    pub cache: Words,
    /// What the disk holds.
    pub disk: Words,
    /// Blocks in which cache and disk differ.
    pub mismatched_blocks: u64,
    /// Byte offset of the first of them.
    pub first_mismatch: Option<u64>,
    /// Cache and disk may differ, because direct and mapped workers shared the file.
    pub mismatch_legal: bool,
    /// Torn words are legal for this plan.
    pub torn_legal: bool,
    /// Superseded words were looked for.
    pub superseded_checked: bool,
    /// Reads that failed.
    pub read_errors: Tally,
    /// The first bad words.
    pub examples: Vec<Example>,
}

impl ReadBack {
    /// Number of words, in both readings, that should not be there.
    pub fn bad_words(&self) -> u64 {
        self.cache.bad() + self.disk.bad()
    }

    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.bad_words() == 0
            && self.read_errors.entries().is_empty()
            && (self.mismatched_blocks == 0 || self.mismatch_legal)
    }
}

/// Checks a file against the report of an earlier run.
///
/// # Errors
///
/// If the file can not be opened or has another size than the run's.
pub fn verify_file(path: &Path, report: &Report) -> Result<ReadBack, SetupError> {
    let refuse = |what: String| SetupError {
        message: format!("{}: {what}", path.display()),
        io: false,
    };
    let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
    let size = rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0))
        .map_err(|errno| refuse(Code::from(errno).name()))?;
    if size < report.plan.file_size {
        return Err(refuse(format!(
            "has {size} bytes, the run wrote {}",
            report.plan.file_size
        )));
    }
    // Read-only, so what fsync() says is not this check's business.
    let _ = file.sync_all();
    Ok(read_back(path, &file, &report.plan, &report.traces()))
}

/// Checks `file`, which is open at `path` and has been synced, against what the
/// workers did.
pub fn read_back(path: &Path, file: &File, plan: &Plan, traces: &[Trace]) -> ReadBack {
    let mut check = Check::new(plan, traces);
    let cache = check.read(file, Reading::Cache);
    target::drop_cache(file);
    let flags = OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC;
    let direct: Option<File> = rustix::fs::open(path, flags, Mode::empty())
        .ok()
        .map(File::from)
        .filter(can_read);
    let disk = check.read(direct.as_ref().unwrap_or(file), Reading::Disk);

    let mut result = check.result;
    result.method = if direct.is_some() {
        Method::Direct
    } else {
        Method::DroppedCache
    };
    for (block, pair) in (0_u64..).zip(cache.iter().zip(&disk)) {
        // A block that could not be read is counted as a read error.
        if let (Some(cache), Some(disk)) = pair {
            if cache != disk {
                result.mismatched_blocks += 1;
                result.first_mismatch.get_or_insert(block * plan.block_size);
            }
        }
    }
    result
}

/// Whether `O_DIRECT`, once opened, takes our alignment.
fn can_read(file: &File) -> bool {
    let mut buffer = Aligned::new(ALIGN);
    !matches!(
        file.read_at(buffer.bytes(), 0),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL)
    )
}

/// A buffer that starts at a multiple of [`ALIGN`].
struct Aligned {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    fn new(len: usize) -> Aligned {
        let memory = vec![0; len + ALIGN];
        let start = memory.as_ptr().align_offset(ALIGN);
        Aligned { memory, start, len }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

/// Why a word is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It does not decode.
    Garbage,
    /// It decodes, but this worker is not in the plan, or never got that far.
    NeverDone(Stamp),
    /// It decodes, but that operation went to another block.
    Elsewhere(Stamp),
    /// A later operation of the same worker has overwritten it.
    Superseded(Stamp),
}

/// What the check knows of one worker.
struct Known {
    attempts: u64,
    offsets: Offsets,
    /// Per block: number of the worker's last successful operation there plus
    /// one, 0 for none. Empty if that is not known.
    floors: Vec<u32>,
}

struct Check<'a> {
    plan: &'a Plan,
    pattern: Pattern,
    workers: BTreeMap<u16, Known>,
    result: ReadBack,
}

impl<'a> Check<'a> {
    fn new(plan: &'a Plan, traces: &[Trace]) -> Check<'a> {
        let blocks = plan.blocks();
        let affordable = blocks.saturating_mul(traces.len() as u64) <= MAX_FLOORS;
        let workers: BTreeMap<_, _> = traces
            .iter()
            .map(|trace| {
                let mut offsets = Offsets::new(plan.seed, trace.id, blocks);
                let floors = if affordable && !trace.failed_truncated {
                    floors(&mut offsets, trace, blocks)
                } else {
                    Vec::new()
                };
                let known = Known {
                    attempts: trace.attempts,
                    offsets,
                    floors,
                };
                (trace.id, known)
            })
            .collect();
        let mixed = plan.mixes_direct_and_mapped();
        let result = ReadBack {
            method: Method::DroppedCache,
            blocks,
            cache: Words::default(),
            disk: Words::default(),
            mismatched_blocks: 0,
            first_mismatch: None,
            mismatch_legal: mixed,
            torn_legal: plan.tears_legal(),
            superseded_checked: !mixed && workers.values().all(|known| !known.floors.is_empty()),
            read_errors: Tally::default(),
            examples: Vec::new(),
        };
        Check {
            plan,
            pattern: Pattern::new(plan.seed),
            workers,
            result,
        }
    }

    /// Reads and judges the whole file. Returns a hash of each block, `None` for
    /// those that could not be read.
    fn read(&mut self, file: &File, reading: Reading) -> Vec<Option<u64>> {
        let block_size = usize::try_from(self.plan.block_size).expect("at most 16 MiB");
        let mut buffer = Aligned::new(CHUNK.max(block_size));
        let mut hashes = Vec::new();
        let mut offset = 0;
        while offset < self.plan.file_size {
            let bytes = buffer.bytes();
            let want = (self.plan.file_size - offset).min(bytes.len() as u64);
            let want = usize::try_from(want).expect("at most a buffer");
            let readable = self.read_range(file, offset, &mut bytes[..], want);
            for (n, block) in bytes[..want].chunks_exact(block_size).enumerate() {
                let start = n * block_size;
                let whole = readable
                    .iter()
                    .all(|bad| bad.end <= start || bad.start >= start + block_size);
                if whole {
                    hashes.push(Some(xxh3_64(block)));
                    self.block(reading, (offset + start as u64) / 8, block);
                } else {
                    hashes.push(None);
                }
            }
            offset += want as u64;
        }
        hashes
    }

    /// Reads `want` bytes; after a failure, piece by piece. Returns the ranges that
    /// could not be read.
    fn read_range(
        &mut self,
        file: &File,
        offset: u64,
        bytes: &mut [u8],
        want: usize,
    ) -> Vec<std::ops::Range<usize>> {
        if read_full(file, offset, bytes, want).is_ok() {
            return Vec::new();
        }
        let mut bad = Vec::new();
        let mut start = 0;
        while start < want {
            let end = bytes.len().min(start + ALIGN);
            let part = want.min(end) - start;
            let position = offset + start as u64;
            if let Err(error) = read_full(file, position, &mut bytes[start..end], part) {
                self.result
                    .read_errors
                    .record(self.plan, Op::Read, Code::from(&error), 0.0);
                bad.push(start..end);
            }
            start = end;
        }
        bad
    }

    /// Judges one block; `first` is the position of its first word.
    fn block(&mut self, reading: Reading, first: u64, bytes: &[u8]) {
        let block = first * 8 / self.plan.block_size;
        let mut judged: HashMap<Stamp, Result<(), Fault>> = HashMap::new();
        let mut bad = Vec::new();
        let mut words = Words::default();
        for (index, word) in (first..).zip(bytes.chunks_exact(8)) {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            let verdict = match self.pattern.decode(index, word) {
                None => Err(Fault::Garbage),
                Some(stamp) => *judged
                    .entry(stamp)
                    .or_insert_with(|| self.workers_judge(stamp, block)),
            };
            match verdict {
                Ok(()) => words.good += 1,
                Err(fault) => bad.push((index, word, fault)),
            }
        }
        if !bad.is_empty() {
            let seen: BTreeSet<Stamp> = judged
                .iter()
                .filter(|(_, verdict)| verdict.is_ok())
                .map(|(stamp, _)| Stamp {
                    variant: 0,
                    ..*stamp
                })
                .collect();
            let candidates = self.candidates(block, seen);
            for (index, word, fault) in bad {
                if matches!(fault, Fault::Superseded(_)) {
                    words.superseded += 1;
                } else if self.result.torn_legal && self.is_torn(&candidates, index, word) {
                    words.torn += 1;
                    continue;
                } else {
                    words.foreign += 1;
                }
                self.example(reading, index, word, fault);
            }
        }
        let total = match reading {
            Reading::Cache => &mut self.result.cache,
            Reading::Disk => &mut self.result.disk,
        };
        total.good += words.good;
        total.torn += words.torn;
        total.foreign += words.foreign;
        total.superseded += words.superseded;
    }

    /// Whether a word with this stamp may be in this block.
    fn workers_judge(&mut self, stamp: Stamp, block: u64) -> Result<(), Fault> {
        let at = usize::try_from(block).expect("a block that was read");
        let superseded_checked = self.result.superseded_checked;
        if stamp.worker == FILL.worker {
            let overwritten = || {
                self.workers
                    .values()
                    .any(|known| known.floors.get(at).is_some_and(|floor| *floor > 0))
            };
            return if stamp != FILL {
                Err(Fault::NeverDone(stamp))
            } else if superseded_checked && overwritten() {
                Err(Fault::Superseded(stamp))
            } else {
                Ok(())
            };
        }
        let rewritten = self.plan.rewrite_in_flight && stamp.worker <= self.plan.writers;
        let Some(known) = self.workers.get_mut(&stamp.worker) else {
            return Err(Fault::NeverDone(stamp));
        };
        if u64::from(stamp.seq) >= known.attempts || (stamp.variant > 0 && !rewritten) {
            return Err(Fault::NeverDone(stamp));
        }
        if known.offsets.block_at(u64::from(stamp.seq)) != block {
            return Err(Fault::Elsewhere(stamp));
        }
        // `floor` is one more than the number of the last success.
        let floor = known.floors.get(at).copied().unwrap_or(0);
        if superseded_checked && stamp.seq.saturating_add(1) < floor {
            return Err(Fault::Superseded(stamp));
        }
        Ok(())
    }

    /// Stamps whose words may have met in this block.
    fn candidates(&self, block: u64, mut seen: BTreeSet<Stamp>) -> BTreeSet<Stamp> {
        let at = usize::try_from(block).expect("a block that was read");
        seen.insert(FILL);
        for (&worker, known) in &self.workers {
            if let Some(seq) = known.floors.get(at).and_then(|floor| floor.checked_sub(1)) {
                seen.insert(Stamp {
                    worker,
                    variant: 0,
                    seq,
                });
            }
        }
        seen
    }

    /// Whether `word` is the first bytes of one candidate and the last of another.
    fn is_torn(&self, candidates: &BTreeSet<Stamp>, index: u64, word: u64) -> bool {
        let variants = if self.plan.rewrite_in_flight {
            VARIANTS
        } else {
            1
        };
        let words: Vec<u64> = candidates
            .iter()
            .flat_map(|stamp| (0..variants).map(|variant| Stamp { variant, ..*stamp }))
            .map(|stamp| self.pattern.word(index, stamp))
            .collect();
        (1..8).any(|bytes| {
            let low = (1 << (8 * bytes)) - 1;
            let starts = words.iter().any(|w| (w ^ word) & low == 0);
            starts && words.iter().any(|w| (w ^ word) & !low == 0)
        })
    }

    fn example(&mut self, reading: Reading, index: u64, word: u64, fault: Fault) {
        if self.result.examples.len() == MAX_EXAMPLES {
            return;
        }
        let who = |stamp: Stamp| {
            if stamp.worker == FILL.worker {
                "the initial fill".to_owned()
            } else {
                format!("worker {}, operation {}", stamp.worker, stamp.seq)
            }
        };
        let what = match fault {
            Fault::Garbage => match self.find(index, word) {
                Some((offset, stamp)) => {
                    format!("misplaced: belongs at offset {offset} ({})", who(stamp))
                }
                None => "not written by any worker".to_owned(),
            },
            Fault::NeverDone(stamp) => format!("{}: never done", who(stamp)),
            Fault::Elsewhere(stamp) => format!("{}: went to another block", who(stamp)),
            Fault::Superseded(stamp) => format!("{}: overwritten since", who(stamp)),
        };
        self.result.examples.push(Example {
            reading,
            offset: index * 8,
            found: format!("{word:016x}"),
            what,
        });
    }

    /// Looks for the block that a word at this place within a block belongs to.
    fn find(&self, index: u64, word: u64) -> Option<(u64, Stamp)> {
        let words = self.plan.block_size / 8;
        let blocks = self.plan.blocks();
        if blocks > MAX_SEARCH {
            return None;
        }
        (0..blocks)
            .map(|block| block * words + index % words)
            .find_map(|place| {
                let stamp = self.pattern.decode(place, word)?;
                let known = stamp.worker == FILL.worker || self.workers.contains_key(&stamp.worker);
                known.then_some((place * 8, stamp))
            })
    }
}

/// The last successful operation of a worker on each block, plus one.
fn floors(offsets: &mut Offsets, trace: &Trace, blocks: u64) -> Vec<u32> {
    let Ok(len) = usize::try_from(blocks) else {
        return Vec::new();
    };
    let failed: HashSet<u32> = trace.failed.iter().copied().collect();
    let mut floors = vec![0; len];
    let mut missing = len;
    let mut end = trace.attempts.min(u64::from(u32::MAX));
    // Backwards, in pieces: nearly always the last few operations name every block.
    while end > 0 && missing > 0 {
        let start = end.saturating_sub(4096);
        offsets.seek(start);
        let piece: Vec<u64> = (start..end).map(|_| offsets.next_block()).collect();
        for (seq, block) in (start..end).rev().zip(piece.into_iter().rev()) {
            let seq = u32::try_from(seq).expect("below u32::MAX");
            let floor = &mut floors[usize::try_from(block).expect("below blocks")];
            if *floor == 0 && !failed.contains(&seq) {
                *floor = seq + 1;
                missing -= 1;
            }
        }
        end = start;
    }
    floors
}

/// Reads until `want` bytes are there; asks for all of `bytes`, so that an
/// `O_DIRECT` request stays aligned at the end of the file.
fn read_full(file: &File, offset: u64, bytes: &mut [u8], want: usize) -> std::io::Result<()> {
    let mut done = 0;
    while done < want {
        match file.read_at(&mut bytes[done..], offset + done as u64) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    /// A file in which worker 1 has written operations 0 to `attempts`.
    struct Written {
        file: tempfile::NamedTempFile,
        plan: Plan,
        traces: Vec<Trace>,
    }

    fn written(attempts: u64) -> Written {
        let plan = Plan {
            writers: 1,
            mappers: 0,
            ..sample()
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        drop(target::prepare(file.path(), &plan).unwrap());
        let written = Written {
            file,
            plan,
            traces: vec![Trace {
                id: 1,
                attempts,
                failed: Vec::new(),
                failed_truncated: false,
            }],
        };
        let mut offsets = Offsets::new(1, 1, 16);
        for seq in 0..attempts {
            written.put(offsets.next_block(), seq);
        }
        written
    }

    impl Written {
        fn put(&self, block: u64, seq: u64) {
            let mut words = vec![0; 512];
            let stamp = Stamp {
                worker: 1,
                variant: 0,
                seq: u32::try_from(seq).unwrap(),
            };
            Pattern::new(1).fill(&mut words, block * 512, stamp);
            let mut bytes = vec![0; 4096];
            crate::pattern::to_bytes(&words, &mut bytes);
            self.file
                .as_file()
                .write_all_at(&bytes, block * 4096)
                .unwrap();
        }

        fn check(&self) -> ReadBack {
            let file = self.file.as_file();
            file.sync_all().unwrap();
            read_back(self.file.path(), file, &self.plan, &self.traces)
        }
    }

    #[test]
    fn what_was_written_is_good() {
        let result = written(100).check();
        assert!(result.is_clean(), "{result:?}");
        assert_eq!(result.cache.good, 8192);
        assert_eq!(result.disk.good, 8192);
        assert!(result.superseded_checked);
    }

    #[test]
    fn a_flipped_bit_is_foreign_and_located() {
        let written = written(100);
        let mut byte = [0];
        let file = written.file.as_file();
        file.read_exact_at(&mut byte, 5003).unwrap();
        file.write_all_at(&[byte[0] ^ 4], 5003).unwrap();
        let result = written.check();
        assert!(!result.is_clean());
        assert_eq!((result.cache.foreign, result.disk.foreign), (1, 1));
        assert_eq!(result.examples[0].offset, 5000);
        assert_eq!(result.examples[0].what, "not written by any worker");
    }

    #[test]
    fn a_block_in_the_wrong_place_is_foreign_and_its_home_is_named() {
        let written = written(200);
        let mut block = vec![0; 4096];
        let file = written.file.as_file();
        file.read_exact_at(&mut block, 4096).unwrap();
        file.write_all_at(&block, 12288).unwrap();
        let result = written.check();
        assert_eq!(result.cache.foreign, 512);
        let what = &result.examples[0].what;
        assert!(
            what.starts_with("misplaced: belongs at offset 4096 (worker 1"),
            "{what}"
        );
    }

    #[test]
    fn an_older_operation_that_comes_back_is_superseded() {
        let mut written = written(200);
        let first = Offsets::new(1, 1, 16).block_at(0);
        written.put(first, 0);
        let result = written.check();
        assert_eq!(result.cache.superseded, 512, "{result:?}");
        assert!(result.examples[0].what.ends_with("overwritten since"));
        // With nothing but failures after it, it may be there.
        written.traces[0].failed = (1..200).collect();
        assert_eq!(written.check().cache.superseded, 0);
    }

    #[test]
    fn an_operation_that_never_happened_is_foreign() {
        let mut written = written(100);
        written.traces[0].attempts = 50;
        assert!(written.check().cache.foreign > 0);
    }

    #[test]
    fn a_torn_word_is_legal_only_where_two_copy_at_once() {
        let mut written = written(200);
        let block = Offsets::new(1, 1, 16).block_at(199);
        let index = block * 512;
        let stamp = |seq| Stamp {
            worker: 1,
            variant: 0,
            seq,
        };
        let pattern = Pattern::new(1);
        let (new, fill) = (pattern.word(index, stamp(199)), pattern.word(index, FILL));
        let torn = (new & 0xffff_ff00_0000_0000) | (fill & 0xff_ffff_ffff);
        let file = written.file.as_file();
        file.write_all_at(&torn.to_le_bytes(), index * 8).unwrap();
        let result = written.check();
        assert_eq!((result.cache.torn, result.cache.foreign), (0, 1));
        written.plan.mappers = 1;
        let result = written.check();
        assert_eq!((result.cache.torn, result.cache.foreign), (1, 0));
        assert!(result.is_clean());
    }

    #[test]
    fn floors_are_the_last_successes() {
        let trace = Trace {
            id: 1,
            attempts: 10_000,
            failed: vec![9_999],
            failed_truncated: false,
        };
        let mut offsets = Offsets::new(5, 1, 300);
        let floors = floors(&mut offsets, &trace, 300);
        let mut expected = vec![0; 300];
        offsets.seek(0);
        for seq in 0..9_999 {
            expected[usize::try_from(offsets.next_block()).unwrap()] = seq + 1;
        }
        assert_eq!(floors, expected);
    }
}
