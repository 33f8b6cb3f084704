// SPDX-License-Identifier: GPL-2.0

//! What is counted, in `/sys/kernel/debug/stablefs/NAME/`.

use crate::strategy::{treatment_word, Copies, Learned, Reason};
use kernel::{c_str, fmt, prelude::*, str::CStr, sync::Arc, time::Delta, uaccess::UserSliceReader};
use storage::{
    counter::{Counter, Histogram, Lines},
    debugfs::{Dir, Scope, ScopedDir},
    fs::writeback::Treatment,
};

/// The counters of one mount. All start again at a reset.
pub(crate) struct Counters {
    /// How often a writer came to a folio under writeback, and didn't wait since the device had a copy.
    pub(crate) spared: Counter,
    /// How often a writer waited for writeback.
    pub(crate) waits: Counter,
    /// For how long, all together, in nanoseconds.
    pub(crate) wait_ns: Counter,
    /// Each wait, in nanoseconds.
    wait_histogram: Histogram<40>,
    /// How folios of file data were written back, and why so.
    decisions: Decisions,
    /// Folios of file data that were written back.
    pub(crate) write_folios: Counter,
    /// Bios of file data that were written.
    pub(crate) write_bios: Counter,
    /// Bytes of those.
    pub(crate) write_bytes: Counter,
    /// Each bio, in bytes.
    write_histogram: Histogram<32>,
    state: State,
}

const REASONS: usize = Reason::ALL.len();

/// For each treatment and reason: folios, and their bytes.
struct Decisions([[[Counter; 2]; REASONS]; 3]);

const TREATMENTS: [Treatment; 3] = [Treatment::InPlace, Treatment::Snapshot, Treatment::Detached];

/// Lines of a treatment, a reason, the number of folios and of their bytes.
impl fmt::Debug for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines::new(f);
        for (treatment, reasons) in TREATMENTS.into_iter().zip(&self.0) {
            for (reason, [folios, bytes]) in Reason::ALL.into_iter().zip(reasons) {
                if folios.get() != 0 {
                    let (treatment, reason) = (treatment_word(treatment), reason.word());
                    let (folios, bytes) = (folios.get(), bytes.get());
                    lines.line(fmt!("{treatment} {reason} {folios} {bytes}"))?;
                }
            }
        }
        Ok(())
    }
}

/// What is known of copies now. Lines of a name and a value.
struct State {
    learned: Arc<Learned>,
    copies: Arc<Copies>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (learned, copies) = (&self.learned, &self.copies);
        let (stall_ns, copy_ns) = learned.averages();
        let mut lines = Lines::new(f);
        for (name, value) in [
            ("copies", learned.copies.get().unsigned_abs()),
            ("bytes", learned.bytes.get().unsigned_abs()),
            ("ns", learned.nanoseconds.get().unsigned_abs()),
            ("in_flight", copies.in_flight()),
            ("in_flight_peak", copies.peak()),
            ("in_flight_max", copies.limit()),
            ("stall_ns_average", stall_ns),
            ("copy_ns_per_4k_typical", copy_ns),
        ] {
            lines.line(fmt!("{name} {value}"))?;
        }
        Ok(())
    }
}

impl Counters {
    /// The counters, with their files in the subdirectory `name` of `dir`.
    pub(crate) fn new<'a>(
        dir: &'a Dir,
        name: &'a CStr,
        learned: Arc<Learned>,
        copies: Arc<Copies>,
    ) -> impl PinInit<Scope<Self>, Error> + 'a {
        let counters = Self {
            spared: Counter::new(),
            decisions: Decisions([const { [const { [const { Counter::new() }; 2] }; REASONS] }; 3]),
            state: State { learned, copies },
            waits: Counter::new(),
            wait_ns: Counter::new(),
            wait_histogram: Histogram::new(),
            write_folios: Counter::new(),
            write_bios: Counter::new(),
            write_bytes: Counter::new(),
            write_histogram: Histogram::new(),
        };
        dir.scope(Ok::<_, Error>(counters), name, Self::files)
    }

    fn files<'data>(&'data self, dir: &ScopedDir<'data>) {
        dir.read_only_file(c_str!("spared"), &self.spared);
        dir.read_only_file(c_str!("decisions"), &self.decisions);
        dir.read_only_file(c_str!("copies"), &self.state);
        dir.read_only_file(c_str!("waits"), &self.waits);
        dir.read_only_file(c_str!("wait_ns"), &self.wait_ns);
        dir.read_only_file(c_str!("wait_histogram"), &self.wait_histogram);
        dir.read_only_file(c_str!("write_folios"), &self.write_folios);
        dir.read_only_file(c_str!("write_bios"), &self.write_bios);
        dir.read_only_file(c_str!("write_bytes"), &self.write_bytes);
        dir.read_only_file(c_str!("write_histogram"), &self.write_histogram);
        dir.write_only_callback_file(c_str!("reset"), self, &Self::reset);
    }

    /// Counts a writer that waited.
    pub(crate) fn waited(&self, time: Delta) {
        let nanoseconds = time.as_nanos().unsigned_abs();
        self.waits.add(1);
        self.wait_ns.add(nanoseconds as usize);
        self.wait_histogram.add(nanoseconds);
    }

    /// Counts a folio that is written back.
    pub(crate) fn treated(&self, treatment: Treatment, reason: Reason, bytes: u64) {
        self.write_folios.add(1);
        let row = self.decisions.0.get(treatment as usize);
        if let Some([folios, in_bytes]) = row.and_then(|row| row.get(reason as usize)) {
            folios.add(1);
            in_bytes.add(bytes as usize);
        }
    }

    /// Counts a bio that is written.
    pub(crate) fn submitted(&self, bytes: u32) {
        self.write_bios.add(1);
        self.write_bytes.add(bytes as usize);
        self.write_histogram.add(bytes.into());
    }

    /// Anything that is written to `reset` resets.
    fn reset(&self, _text: &mut UserSliceReader) -> Result {
        self.decisions
            .0
            .iter()
            .flatten()
            .flatten()
            .for_each(Counter::reset);
        self.state.copies.reset_peak();
        for counter in [
            &self.state.learned.copies,
            &self.state.learned.bytes,
            &self.state.learned.nanoseconds,
            &self.spared,
            &self.waits,
            &self.wait_ns,
            &self.write_folios,
            &self.write_bios,
            &self.write_bytes,
        ] {
            counter.reset();
        }
        self.wait_histogram.reset();
        self.write_histogram.reset();
        Ok(())
    }
}
