// SPDX-License-Identifier: GPL-2.0

//! Memory that others write at the same time: file mappings and I/O buffers.
//!
//! What its `unsafe` guards:
//!
//! * Contents are reached through `AtomicU64` only, one aligned word at a time.
//!   No `&[u8]`, `&u64` or `&mut` to them ever exists, so that other threads,
//!   other processes and the kernel may change them at any moment.
//! * Every access is checked against the length of the mapping.
//! * A store to a file mapping can be answered with `SIGBUS` (I/O error, no
//!   space, file truncated). The handler puts an anonymous page where the fault
//!   was, so the store completes into nowhere, and counts the fault against the
//!   mapping; [`SharedMapping::store_words`] then returns [`BusError`], and
//!   [`SharedMapping::repair`] maps the file again.
//!
//! # Invariants
//!
//! `base` is page-aligned and `len` bytes from there are mapped readable and
//! writable from construction until drop; `len` is a positive multiple of the page
//! size. A mapping of a file has a slot in `SLOTS` with the same bounds.

#![expect(
    unsafe_code,
    reason = "shared memory has no safe interface; this module is one"
)]

use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MsyncFlags, ProtFlags};
use std::ffi::c_void;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::OnceLock;

/// A store was answered with `SIGBUS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusError;

/// A piece of shared memory.
#[derive(Debug)]
pub struct SharedMapping {
    base: NonNull<c_void>,
    len: usize,
    file: Option<Mapped>,
}

/// What only the mapping of a file has.
#[derive(Debug)]
struct Mapped {
    fd: OwnedFd,
    slot: &'static Slot,
}

// SAFETY: The mapping belongs to the process, not to a thread, and is unmapped by
// its one owner.
unsafe impl Send for SharedMapping {}

// SAFETY: `&self` gives access to the contents through atomics only, and to
// system calls, which may be made from several threads at once.
unsafe impl Sync for SharedMapping {}

impl SharedMapping {
    /// Maps the first `len` bytes (rounded up to whole pages) of the file `fd`,
    /// shared. Keeps `fd` for [`SharedMapping::repair`].
    ///
    /// # Errors
    ///
    /// What `mmap()` returns; `ENFILE` if there are 1024 such mappings already.
    pub fn of_file(fd: OwnedFd, len: u64) -> Result<SharedMapping, Errno> {
        install_handler()?;
        let len = whole_pages(len)?;
        let slot = Slot::claim().ok_or(Errno::NFILE)?;
        // SAFETY: With a null hint and without MAP_FIXED the kernel picks a range
        // that is not in use, so no memory that Rust knows of is touched.
        let mapped = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                &fd,
                0,
            )
        };
        let base = match mapped.map(NonNull::new) {
            Ok(Some(base)) => base,
            Ok(None) => {
                slot.release();
                return Err(Errno::NOMEM);
            }
            Err(errno) => {
                slot.release();
                return Err(errno);
            }
        };
        slot.set(base.as_ptr() as usize, len);
        Ok(SharedMapping {
            base,
            len,
            file: Some(Mapped { fd, slot }),
        })
    }

    /// Private zeroed memory of `len` bytes, rounded up to whole pages: a
    /// page-aligned I/O buffer.
    ///
    /// # Errors
    ///
    /// What `mmap()` returns.
    pub fn anonymous(len: u64) -> Result<SharedMapping, Errno> {
        let len = whole_pages(len)?;
        // SAFETY: As in `of_file`.
        let mapped = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        }?;
        Ok(SharedMapping {
            base: NonNull::new(mapped).ok_or(Errno::NOMEM)?,
            len,
            file: None,
        })
    }

    /// Number of words.
    pub fn words(&self) -> usize {
        self.len / 8
    }

    /// The word at `index`.
    ///
    /// # Panics
    ///
    /// If `index` is outside the mapping.
    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.words(), "word {index} of {}", self.words());
        // SAFETY: By the type's invariants and the check above the word lies
        // within the mapping.
        let pointer = unsafe { self.base.as_ptr().cast::<u64>().add(index) };
        // SAFETY: The pointer is valid and aligned for as long as `self` is, by the
        // type's invariants. All accesses from Rust go through this function and
        // so are atomic; what the kernel, devices and other processes do to the
        // memory is no access of this program, and an atomic may change under it.
        unsafe { AtomicU64::from_ptr(pointer) }
    }

    /// Loads a word; little-endian memory is turned into a number.
    pub fn load(&self, index: usize) -> u64 {
        u64::from_le(self.word(index).load(Ordering::Relaxed))
    }

    /// Stores `words` from word `first` on, each with one eight-byte store.
    ///
    /// # Errors
    ///
    /// [`BusError`] if the kernel answered one of the stores with `SIGBUS`. The
    /// words of that page, and any later store to it, went nowhere.
    ///
    /// # Panics
    ///
    /// If the range is not inside the mapping.
    pub fn store_words(&self, first: usize, words: &[u64]) -> Result<(), BusError> {
        let before = self.faults();
        for (index, word) in (first..).zip(words) {
            self.word(index).store(word.to_le(), Ordering::Relaxed);
        }
        if self.faults() == before {
            Ok(())
        } else {
            Err(BusError)
        }
    }

    /// Replaces the word at `index` by `new` if it is `current`; tells whether it was.
    pub fn replace(&self, index: usize, current: u64, new: u64) -> bool {
        self.word(index)
            .compare_exchange(
                current.to_le(),
                new.to_le(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// Number of `SIGBUS` so far.
    fn faults(&self) -> usize {
        match &self.file {
            Some(mapped) => mapped.slot.faults.load(Ordering::Acquire),
            None => 0,
        }
    }

    /// Maps the file again over the whole range, after a [`BusError`].
    ///
    /// # Errors
    ///
    /// What `mmap()` returns; the old pages are then still there.
    pub fn repair(&self) -> Result<(), Errno> {
        let Some(mapped) = &self.file else {
            return Ok(());
        };
        // SAFETY: MAP_FIXED replaces exactly the range that this mapping owns, by
        // memory with the same protection; nothing refers to its contents but
        // atomics, to which a change of contents is just another store.
        unsafe {
            rustix::mm::mmap(
                self.base.as_ptr(),
                self.len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::FIXED,
                &mapped.fd,
                0,
            )
        }?;
        Ok(())
    }

    /// `msync(MS_SYNC)` of the pages that hold the bytes `range`.
    ///
    /// # Errors
    ///
    /// What `msync()` returns; `EINVAL` if the range is not inside the mapping.
    pub fn msync(&self, range: Range<usize>) -> Result<(), Errno> {
        self.check(&range)?;
        let start = range.start & !(page_size() - 1);
        // SAFETY: `start` is inside the mapping, by the check.
        let address = unsafe { self.base.as_ptr().byte_add(start) };
        // SAFETY: The range is part of this mapping, so `msync` refers to memory
        // that is mapped; it does not change the contents.
        unsafe { rustix::mm::msync(address, range.end - start, MsyncFlags::SYNC) }
    }

    /// `pwrite()` of the bytes `range` of this memory to `offset` of `fd`. Others
    /// may change them meanwhile. Returns the number of bytes written.
    ///
    /// # Errors
    ///
    /// What `pwrite()` returns; `EINVAL` if the range is not inside the mapping.
    pub fn write_to(
        &self,
        fd: BorrowedFd<'_>,
        range: Range<usize>,
        offset: u64,
    ) -> Result<usize, Errno> {
        let offset = libc::off_t::try_from(offset).map_err(|_| Errno::FBIG)?;
        let address = self.address(&range)?;
        // SAFETY: The kernel reads `range.len()` bytes from there, all of them
        // inside the mapping. It takes them as they are when it gets to them.
        let written = unsafe { libc::pwrite(fd.as_raw_fd(), address, range.len(), offset) };
        usize::try_from(written).map_err(|_| last_errno())
    }

    /// Where it is.
    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.base.as_ptr()
    }

    /// Where the bytes `range` are. `EINVAL` if they are not inside the mapping.
    pub(crate) fn address(&self, range: &Range<usize>) -> Result<*const c_void, Errno> {
        self.check(range)?;
        // SAFETY: `range.start` is inside the mapping, by the check.
        Ok(unsafe { self.base.as_ptr().byte_add(range.start) })
    }

    fn check(&self, range: &Range<usize>) -> Result<(), Errno> {
        if range.start < range.end && range.end <= self.len {
            Ok(())
        } else {
            Err(Errno::INVAL)
        }
    }
}

impl Drop for SharedMapping {
    fn drop(&mut self) {
        if let Some(mapped) = &self.file {
            mapped.slot.unset();
        }
        // SAFETY: The range belongs to this object, by the type's invariants, and
        // with `&mut self` nobody holds a reference into it.
        let unmapped = unsafe { rustix::mm::munmap(self.base.as_ptr(), self.len) };
        debug_assert_eq!(unmapped, Ok(()));
        if let Some(mapped) = &self.file {
            mapped.slot.release();
        }
    }
}

/// `sync_file_range()`: starts writeback of `len` bytes from `offset` of `fd` and
/// does not wait for it. It has nothing to do with mappings; it is here because
/// no crate in use wraps it, and this is the module that may.
///
/// # Errors
///
/// What `sync_file_range()` returns.
pub fn start_writeback(fd: BorrowedFd<'_>, offset: u64, len: u64) -> Result<(), Errno> {
    let to_off = |value: u64| libc::off64_t::try_from(value).map_err(|_| Errno::FBIG);
    let (offset, len) = (to_off(offset)?, to_off(len)?);
    // SAFETY: The call takes numbers only, and `fd` is open.
    let result =
        unsafe { libc::sync_file_range(fd.as_raw_fd(), offset, len, libc::SYNC_FILE_RANGE_WRITE) };
    if result == 0 {
        Ok(())
    } else {
        Err(last_errno())
    }
}

fn last_errno() -> Errno {
    std::io::Error::last_os_error()
        .raw_os_error()
        .map_or(Errno::IO, Errno::from_raw_os_error)
}

fn page_size() -> usize {
    rustix::param::page_size()
}

fn whole_pages(len: u64) -> Result<usize, Errno> {
    usize::try_from(len)
        .ok()
        .filter(|len| *len > 0)
        .and_then(|len| len.checked_next_multiple_of(page_size()))
        .ok_or(Errno::INVAL)
}

/// The bounds of one file mapping, where the signal handler can see them.
#[derive(Debug)]
struct Slot {
    taken: AtomicBool,
    /// Address, 0 while there is no mapping. Written after, read before `end`.
    base: AtomicUsize,
    end: AtomicUsize,
    faults: AtomicUsize,
}

/// All file mappings of the process.
static SLOTS: [Slot; 1024] = [const {
    Slot {
        taken: AtomicBool::new(false),
        base: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        faults: AtomicUsize::new(0),
    }
}; 1024];

impl Slot {
    fn claim() -> Option<&'static Slot> {
        SLOTS
            .iter()
            .find(|slot| !slot.taken.swap(true, Ordering::Acquire))
    }

    fn release(&self) {
        self.taken.store(false, Ordering::Release);
    }

    fn set(&self, base: usize, len: usize) {
        self.end.store(base + len, Ordering::Relaxed);
        self.base.store(base, Ordering::Release);
    }

    fn unset(&self) {
        self.base.store(0, Ordering::Release);
    }

    fn holds(&self, address: usize) -> bool {
        let base = self.base.load(Ordering::Acquire);
        base != 0 && (base..self.end.load(Ordering::Relaxed)).contains(&address)
    }
}

/// What handled `SIGBUS` before, and the page size, which the handler can not ask for.
struct Before {
    action: libc::sigaction,
    page_size: usize,
}

static BEFORE: OnceLock<Before> = OnceLock::new();

fn install_handler() -> Result<(), Errno> {
    if BEFORE.get().is_some() {
        return Ok(());
    }
    // SAFETY: All-zero bytes are a valid `sigaction`: default action, empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: As above.
    let mut previous: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: A null new action only asks for the present one.
    let asked = unsafe { libc::sigaction(libc::SIGBUS, std::ptr::null(), &mut previous) };
    if asked != 0 {
        return Err(last_errno());
    }
    // Only the first caller gets to keep its answer, so that the handler below
    // is never taken for the previous one.
    let mut first = false;
    BEFORE.get_or_init(|| {
        first = true;
        Before {
            action: previous,
            page_size: page_size(),
        }
    });
    if !first {
        return Ok(());
    }
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    action.sa_sigaction = on_sigbus as *const () as usize;
    // SAFETY: `on_sigbus` has the signature that SA_SIGINFO asks for and does only
    // what a signal handler may do: atomics, mmap and sigaction.
    let set = unsafe { libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut()) };
    if set == 0 {
        Ok(())
    } else {
        Err(last_errno())
    }
}

extern "C" fn on_sigbus(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    let Some(before) = BEFORE.get() else {
        return;
    };
    // SAFETY: The kernel passes a valid `siginfo_t` to a handler with SA_SIGINFO.
    let info = unsafe { &*info };
    // SAFETY: For SIGBUS the kernel has filled in the address.
    let address = unsafe { info.si_addr() } as usize;
    if let Some(slot) = SLOTS.iter().find(|slot| slot.holds(address)) {
        let page = address & !(before.page_size - 1);
        // SAFETY: The page belongs to a `SharedMapping`: slots are cleared before
        // memory is unmapped. Its contents are reached by atomics only, and the
        // new page has the same protection. `mmap` is a plain system call here.
        let mapped = unsafe {
            libc::mmap(
                page as *mut c_void,
                before.page_size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if mapped != libc::MAP_FAILED {
            slot.faults.fetch_add(1, Ordering::Release);
            return;
        }
    }
    // Not one of ours: let whoever was there before have it. The faulting
    // instruction runs again and raises the signal again.
    // SAFETY: The action is one that the kernel gave us.
    unsafe { libc::sigaction(libc::SIGBUS, &before.action, std::ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn stores_reach_the_file() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        let mapping = SharedMapping::of_file(file.try_clone().unwrap().into(), 8192).unwrap();
        mapping.store_words(1023, &[0x0102_0304_0506_0708]).unwrap();
        mapping.msync(8184..8192).unwrap();
        let mut bytes = [0; 8];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 8184).unwrap();
        assert_eq!(bytes, [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(mapping.load(1023), 0x0102_0304_0506_0708);
    }

    #[test]
    fn sigbus_becomes_an_error_and_can_be_repaired() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        let mapping = SharedMapping::of_file(file.try_clone().unwrap().into(), 8192).unwrap();
        file.set_len(4096).unwrap();
        assert_eq!(mapping.store_words(0, &[1]), Ok(()));
        assert_eq!(mapping.store_words(600, &[1, 2, 3]), Err(BusError));
        file.set_len(8192).unwrap();
        mapping.repair().unwrap();
        assert_eq!(mapping.store_words(600, &[1, 2, 3]), Ok(()));
        assert_eq!(read_word(&file, 602), 3);
        assert_eq!(read_word(&file, 0), 1);
    }

    fn read_word(file: &File, index: u64) -> u64 {
        let mut bytes = [0; 8];
        std::os::unix::fs::FileExt::read_exact_at(file, &mut bytes, index * 8).unwrap();
        u64::from_le_bytes(bytes)
    }

    #[test]
    fn a_buffer_is_written_and_replaced_word_by_word() {
        let buffer = SharedMapping::anonymous(100).unwrap();
        buffer.store_words(0, &[5, 6]).unwrap();
        assert!(buffer.replace(0, 5, 7));
        assert!(!buffer.replace(0, 5, 8));
        let file = tempfile::tempfile().unwrap();
        let fd: &std::os::fd::BorrowedFd<'_> = &std::os::fd::AsFd::as_fd(&file);
        assert_eq!(buffer.write_to(*fd, 0..16, 0), Ok(16));
        assert_eq!((read_word(&file, 0), read_word(&file, 1)), (7, 6));
        assert_eq!(buffer.write_to(*fd, 0..1 << 20, 0), Err(Errno::INVAL));
        assert_eq!(buffer.msync(8..1 << 20), Err(Errno::INVAL));
    }

    #[test]
    #[should_panic(expected = "word 512 of 512")]
    fn a_store_outside_panics() {
        let buffer = SharedMapping::anonymous(4096).unwrap();
        let _ = buffer.store_words(511, &[1, 2]);
    }
}
