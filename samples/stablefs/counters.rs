// SPDX-License-Identifier: GPL-2.0

//! What is counted, in `/sys/kernel/debug/stablefs/NAME/`.

use kernel::{
    c_str,
    debugfs::{Dir, Scope, ScopedDir},
    fmt,
    prelude::*,
    str::CStr,
    time::Delta,
    uaccess::UserSliceReader,
};
use storage::counter::Counter;

/// How often something was how large, by powers of two.
pub(crate) struct Histogram<const N: usize>([Counter; N]);

impl<const N: usize> Histogram<N> {
    fn new() -> Self {
        Self([const { Counter::new() }; N])
    }

    /// `value` counts in the last class that begins at or below it.
    fn add(&self, value: u64) {
        let class = value.checked_ilog2().map_or(0, |log| log as usize);
        if let Some(counter) = self.0.get(class.min(N - 1)) {
            counter.add(1);
        }
    }

    fn reset(&self) {
        self.0.iter().for_each(Counter::reset);
    }
}

/// As the file in debugfs shows it: for each class that has something, where it begins and how many.
impl<const N: usize> fmt::Debug for Histogram<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (class, counter) in self.0.iter().enumerate() {
            let begin = if class == 0 { 0 } else { 1u64 << class };
            match counter.get() {
                0 => {}
                count => writeln!(f, "{begin} {count}")?,
            }
        }
        Ok(())
    }
}

/// The counters of one mount. All start again at a reset.
pub(crate) struct Counters {
    /// How often a writer waited for writeback.
    pub(crate) waits: Counter,
    /// For how long, all together, in nanoseconds.
    pub(crate) wait_ns: Counter,
    /// Each wait, in nanoseconds.
    wait_histogram: Histogram<40>,
    /// Folios of file data that were written back.
    pub(crate) write_folios: Counter,
    /// Bios of file data that were written.
    pub(crate) write_bios: Counter,
    /// Bytes of those.
    pub(crate) write_bytes: Counter,
    /// Each bio, in bytes.
    write_histogram: Histogram<32>,
}

impl Counters {
    /// The counters, with their files in the subdirectory `name` of `dir`.
    pub(crate) fn new<'a>(
        dir: &'a Dir,
        name: &'a CStr,
    ) -> impl PinInit<Scope<Self>, core::convert::Infallible> + 'a {
        let counters = Self {
            waits: Counter::new(),
            wait_ns: Counter::new(),
            wait_histogram: Histogram::new(),
            write_folios: Counter::new(),
            write_bios: Counter::new(),
            write_bytes: Counter::new(),
            write_histogram: Histogram::new(),
        };
        dir.scope(counters, name, Self::files)
    }

    fn files<'data>(&'data self, dir: &ScopedDir<'data, '_>) {
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

    /// Counts a bio that is written.
    pub(crate) fn submitted(&self, bytes: u32) {
        self.write_bios.add(1);
        self.write_bytes.add(bytes as usize);
        self.write_histogram.add(bytes.into());
    }

    /// Anything that is written to `reset` resets.
    fn reset(&self, _text: &mut UserSliceReader) -> Result {
        for counter in [
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
