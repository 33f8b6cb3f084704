// SPDX-License-Identifier: GPL-2.0

//! Where the data of a request lies.
//!
//! The pages of a request belong to somebody else: the page cache, a process that does direct I/O.
//! Their owner can write to them at any time, whatever the block layer is doing, and finding that out
//! is what this project is about. So no reference to their bytes is ever formed; the only accesses
//! are copies, made by the kernel's `memcpy()`, and each copy may be torn.
//!
//! C headers: [`include/linux/bio.h`](srctree/include/linux/bio.h),
//! [`include/linux/bvec.h`](srctree/include/linux/bvec.h),
//! [`include/linux/highmem.h`](srctree/include/linux/highmem.h)

use crate::bindings;
use core::{marker::PhantomData, mem::MaybeUninit, ptr};
use kernel::{
    alloc::{Allocator, Vec},
    fmt::{self, Write},
    prelude::*,
    sync::rcu,
};

/// A piece of a request's data that lies within one page.
///
/// C: the `struct bio_vec` that `bio_for_each_segment()` yields.
///
/// # Invariants
///
/// `page` is a page of a bio of a request that is in flight for `'a`; the submitter holds a reference
/// on it until the request has ended. `offset + len` is at most the size of a page.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    page: *mut bindings::page,
    offset: usize,
    len: usize,
    _request: PhantomData<&'a ()>,
}

impl<'a> Segment<'a> {
    /// Copies the first bytes to `to`, which is at most as long.
    fn copy_to(&self, to: &mut [MaybeUninit<u8>]) {
        let len = to.len().min(self.len);
        // SAFETY: `page` is a live page, of which there are so many bytes from `offset` on, by the type's
        // invariant. `to` is as long, and ours alone: they don't overlap. The bytes are read by C code and
        // may be any.
        unsafe {
            bindings::storage_memcpy_from_page(to.as_mut_ptr().cast(), self.page, self.offset, len)
        };
    }

    /// Copies `from`, which is at most as long, over the first bytes.
    ///
    /// # Safety
    ///
    /// The page is there to be filled.
    unsafe fn fill(&self, from: &[u8]) {
        let len = from.len().min(self.len);
        // SAFETY: `page` is a live page, of which there are so many bytes from `offset` on, by the type's
        // invariant, and may be written to, as the caller says. They don't overlap: nobody submits kernel
        // memory that is borrowed here. The bytes are written by C code, whoever else looks.
        unsafe {
            bindings::storage_memcpy_to_page(self.page, self.offset, from.as_ptr().cast(), len)
        };
    }

    /// The first `n` bytes, and the rest.
    ///
    /// `n` is at most `len`.
    fn split_at(self, n: usize) -> (Self, Self) {
        let n = n.min(self.len);
        // INVARIANT: Both parts lie within what was one segment.
        (
            Self { len: n, ..self },
            Self {
                offset: self.offset + n,
                len: self.len - n,
                ..self
            },
        )
    }

    fn state(&self) -> PageState {
        // SAFETY: `page` is a live page by the type's invariant; any kind will do.
        PageState(unsafe { bindings::storage_page_state(self.page) })
    }

    fn origin(&self) -> Origin {
        // Keeps the memory of an inode that is being evicted, as a path walk does.
        let _rcu = rcu::read_lock();
        // SAFETY: `page` is a live page by the type's invariant. `folio_mapping()` takes any page,
        // slab and anonymous ones too, and returns NULL where there is no mapping.
        let mapping = unsafe { bindings::storage_page_mapping(self.page) };
        if mapping.is_null() {
            return Origin::None;
        }
        // SAFETY: A mapping is part of an inode (or a static one, of swap), and inodes are freed
        // after an RCU grace period, so it can be read from under `rcu_read_lock()` even where the
        // page has just been truncated from the file; while it is under writeback it can't be.
        let host = unsafe { ptr::read_volatile(&raw const (*mapping).host) };
        if host.is_null() {
            return Origin::None;
        }
        // SAFETY: As above, `host` being the inode around the mapping. The superblock of an inode that
        // was there when the grace period began is freed after one of its own; its `s_id` doesn't
        // change once it is mounted.
        let (ino, mode, fs, dev) = unsafe {
            (
                ptr::read_volatile(&raw const (*host).i_ino),
                ptr::read_volatile(&raw const (*host).i_mode),
                ptr::read_volatile(&raw const (*(*host).i_sb).s_id),
                ptr::read_volatile(&raw const (*(*host).i_sb).s_dev),
            )
        };
        // SAFETY: `page` is a live page that is, or just was, in a page cache.
        let position = unsafe { bindings::storage_page_offset(self.page) };
        let offset = position.unsigned_abs() + self.offset as u64;
        if u32::from(mode) & bindings::S_IFMT == bindings::S_IFBLK {
            Origin::BlockDevice { offset }
        } else {
            Origin::File {
                fs: FsId(fs),
                dev: Dev(dev),
                ino,
                offset,
            }
        }
    }
}

/// What a page is like, at some moment.
///
/// | name | what it is |
/// | --- | --- |
/// | `dirty` | `folio_test_dirty()` |
/// | `locked` | `folio_test_locked()` |
/// | `writeback` | `folio_test_writeback()` |
/// | `mapped` | A process has it in its address space. `folio_mapped()` |
/// | `pinned` | Somebody may write to it by DMA, or as if. `folio_maybe_dma_pinned()` |
/// | `anonymous` | It is a process's memory, and no file's. `folio_test_anon()` |
/// | `direct` | It was pinned for direct I/O, by this request. `BIO_PAGE_PINNED` |
///
/// Header: `rust/helpers/page_state.h`
#[derive(Clone, Copy, Debug, Default)]
pub struct PageState(u32);

impl PageState {
    const NAMES: [(&'static str, u32); 7] = [
        ("dirty", bindings::STORAGE_PAGE_DIRTY),
        ("locked", bindings::STORAGE_PAGE_LOCKED),
        ("writeback", bindings::STORAGE_PAGE_WRITEBACK),
        ("mapped", bindings::STORAGE_PAGE_MAPPED),
        ("pinned", bindings::STORAGE_PAGE_PINNED),
        ("anonymous", bindings::STORAGE_PAGE_ANONYMOUS),
        ("direct", bindings::STORAGE_PAGE_DIRECT),
    ];

    /// All of this, in that order: the name, and whether it is so.
    pub fn iter(self) -> impl Iterator<Item = (&'static str, bool)> {
        let is = move |(name, bit)| (name, self.0 & bit != 0);
        Self::NAMES.into_iter().map(is)
    }

    pub(crate) fn to_raw(self) -> u32 {
        self.0
    }
}

/// The number of a device, or of a filesystem that is on none.
///
/// C: `dev_t`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Dev(bindings::dev_t);

impl Dev {
    pub(crate) fn to_raw(self) -> bindings::dev_t {
        self.0
    }
}

/// As major:minor.
impl fmt::Display for Dev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0 >> 20, self.0 & ((1 << 20) - 1))
    }
}

/// Name of a mounted filesystem: that of its device, or its type's where it has none.
///
/// C: `s_id` of `struct super_block`.
#[derive(Clone, Copy)]
pub struct FsId([c_char; 32]);

impl FsId {
    /// As it is, without the NUL.
    pub fn as_bytes(&self) -> impl Iterator<Item = u8> + Clone + '_ {
        self.0.iter().copied().take_while(|c| *c != 0)
    }

    pub(crate) fn new(s_id: [c_char; 32]) -> Self {
        Self(s_id)
    }

    pub(crate) fn to_raw(self) -> [c_char; 32] {
        self.0
    }
}

impl fmt::Display for FsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .take_while(|c| **c != 0)
            .try_for_each(|c| f.write_char(char::from(*c)))
    }
}

/// Whose bytes these are.
#[derive(Clone, Copy)]
pub enum Origin {
    /// Data of a file.
    File {
        /// The filesystem, which need not be on the disk that the request is for.
        fs: FsId,
        /// Its number.
        dev: Dev,
        /// Inode number.
        ino: u64,
        /// Offset in the file, in bytes.
        offset: u64,
    },
    /// The page cache of a block device itself: metadata of a filesystem, or buffered writes to the
    /// device.
    BlockDevice {
        /// Offset in the device (the whole disk or the partition that is open), in bytes.
        offset: u64,
    },
    /// Not in a page cache: anonymous memory of a process (direct I/O), or the kernel's own.
    None,
}

/// What of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    /// The data.
    Data,
    /// The metadata that goes with it, if any does. C: `struct bio_integrity_payload`.
    Integrity,
}

/// The segments of a request's payload, in order.
///
/// # Invariants
///
/// `bio` is null or a bio of a request that the driver owns for `'a`; `iter` is a position in `bvecs`, which
/// are those of its payload.
pub(super) struct Segments<'a> {
    payload: Payload,
    bio: *mut bindings::bio,
    bvecs: *const bindings::bio_vec,
    iter: bindings::bvec_iter,
    _request: PhantomData<&'a ()>,
}

impl Segments<'_> {
    /// # Safety
    ///
    /// `rq` is a request with data (or none at all: then there are no segments) that the driver
    /// owns for the lifetime of the result.
    pub(super) unsafe fn new(rq: *const bindings::request, payload: Payload) -> Self {
        // SAFETY: `rq` is valid by the caller's promise, and its list of bios is the driver's.
        let bio = unsafe { (*rq).bio };
        let mut segments = Segments {
            payload,
            bio,
            bvecs: ptr::null(),
            iter: pin_init::zeroed(),
            _request: PhantomData,
        };
        // INVARIANT: The driver owns the bios for as long as it owns the request.
        segments.enter(bio);
        segments
    }

    fn enter(&mut self, bio: *mut bindings::bio) {
        self.bio = bio;
        if bio.is_null() {
            return;
        }
        // SAFETY: `bio` is live by the type's invariant; the block layer doesn't move its iterators while
        // the driver owns the request, and a bio keeps its integrity payload until it ends.
        unsafe {
            match self.payload {
                Payload::Data => {
                    self.iter = (*bio).bi_iter;
                    self.bvecs = (*bio).bi_io_vec;
                }
                Payload::Integrity => {
                    let integrity = bindings::storage_bio_integrity(bio);
                    if integrity.is_null() {
                        self.iter = pin_init::zeroed();
                    } else {
                        self.iter = (*integrity).bip_iter;
                        self.bvecs = (*integrity).bip_vec;
                    }
                }
            }
        }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        while !self.bio.is_null() && self.iter.bi_size == 0 {
            // SAFETY: `bio` is live by the type's invariant; the list belongs to the request.
            let next = unsafe { (*self.bio).bi_next };
            self.enter(next);
        }
        if self.bio.is_null() {
            return None;
        }
        // SAFETY: `iter` is a position in `bvecs` that is not the end, by the type's invariant and the
        // loop above; it advances by what is left of the payload at most.
        let bvec = unsafe { bindings::storage_bvec_iter_next(self.bvecs, &mut self.iter) };
        // INVARIANT: `bvec_iter_bvec()` cuts at page boundaries.
        Some(Segment {
            page: bvec.bv_page,
            offset: bvec.bv_offset as usize,
            len: bvec.bv_len as usize,
            _request: PhantomData,
        })
    }
}

/// A position in the data of a request.
struct Cursor<'a> {
    segments: Segments<'a>,
    rest: Option<Segment<'a>>,
}

impl<'a> Cursor<'a> {
    fn new(segments: Segments<'a>) -> Self {
        Self {
            segments,
            rest: None,
        }
    }

    /// Takes the next piece, of at most `max` bytes, at least one.
    fn take(&mut self, max: usize) -> Option<Segment<'a>> {
        let segment = self.rest.take().or_else(|| self.segments.next())?;
        let (piece, rest) = segment.split_at(max);
        if rest.len > 0 {
            self.rest = Some(rest);
        }
        Some(piece)
    }
}

/// The data of a write request, read from its start to its end.
///
/// Two sources over one request are independent: each reads the pages as they are at that moment.
pub struct Source<'a>(Cursor<'a>);

impl<'a> Source<'a> {
    pub(super) fn new(segments: Segments<'a>) -> Self {
        Self(Cursor::new(segments))
    }

    /// Copies the next `dst.len()` bytes out of the pages. `EIO` if the request has fewer.
    ///
    /// The owner of the pages may be writing to them: the copy may mix old and new bytes.
    pub fn read(&mut self, dst: &mut [u8]) -> Result {
        // SAFETY: Bytes are bytes, and `copy` writes nothing but such.
        let dst = unsafe { &mut *(ptr::from_mut(dst) as *mut [MaybeUninit<u8>]) };
        self.copy(dst)
    }

    /// Likewise the next `len` bytes, to the end of `dst`. `ENOMEM`, too, if there is no room. May sleep then.
    pub fn append<A: Allocator>(&mut self, dst: &mut Vec<u8, A>, len: usize) -> Result {
        dst.reserve(len, GFP_KERNEL)?;
        self.copy(dst.spare_capacity_mut().get_mut(..len).ok_or(EIO)?)?;
        // SAFETY: They were copied, and there was room.
        unsafe { dst.inc_len(len) };
        Ok(())
    }

    fn copy(&mut self, dst: &mut [MaybeUninit<u8>]) -> Result {
        let mut rest = dst;
        while !rest.is_empty() {
            let piece = self.0.take(rest.len()).ok_or(EIO)?;
            let (to, after) = rest.split_at_mut_checked(piece.len).ok_or(EIO)?;
            piece.copy_to(to);
            rest = after;
        }
        Ok(())
    }
}

/// The data of a read request, filled from its start to its end.
pub struct Sink<'a>(Cursor<'a>);

impl<'a> Sink<'a> {
    pub(super) fn new(segments: Segments<'a>) -> Self {
        Self(Cursor::new(segments))
    }

    /// Copies `src` to the next `src.len()` bytes of the pages. `EIO` if the request has fewer.
    pub fn write(&mut self, src: &[u8]) -> Result {
        let mut rest = src;
        while !rest.is_empty() {
            let piece = self.0.take(rest.len()).ok_or(EIO)?;
            let (from, after) = rest.split_at_checked(piece.len).ok_or(EIO)?;
            // SAFETY: The request is a read, whose pages are there to be filled.
            unsafe { piece.fill(from) };
            rest = after;
        }
        Ok(())
    }
}

/// What is to be checked of metadata.
///
/// C: `bip_flags` and `app_tag` of `struct bio_integrity_payload`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// `BIP_CHECK_GUARD`
    pub guard: bool,
    /// `BIP_CHECK_REFTAG`
    pub ref_tag: bool,
    /// The application tag that is expected. `BIP_CHECK_APPTAG`
    pub app_tag: Option<u16>,
}

/// # Safety
///
/// `bio` is null or that of a request that the driver owns.
pub(super) unsafe fn checks(bio: *mut bindings::bio) -> Option<Checks> {
    if bio.is_null() {
        return None;
    }
    // SAFETY: As the caller says: the bio and its payload are there until the request ends.
    unsafe {
        let integrity = bindings::storage_bio_integrity(bio).as_ref()?;
        let flags = c_uint::from(integrity.bip_flags);
        Some(Checks {
            guard: flags & bindings::bip_flags_BIP_CHECK_GUARD != 0,
            ref_tag: flags & bindings::bip_flags_BIP_CHECK_REFTAG != 0,
            app_tag: (flags & bindings::bip_flags_BIP_CHECK_APPTAG != 0)
                .then_some(integrity.app_tag),
        })
    }
}

/// Whose the byte at `index` of `segments` is, and what its page is like now.
pub(super) fn origin(mut segments: Segments<'_>, index: usize) -> (Origin, PageState) {
    let mut skip = index;
    while let Some(segment) = segments.next() {
        if skip < segment.len {
            let (_, at) = segment.split_at(skip);
            // SAFETY: The bio that the segment is of: live, by the type's invariant.
            let flags = unsafe { (*segments.bio).bi_flags };
            let mut state = at.state();
            if u32::from(flags) & 1 << bindings::BIO_PAGE_PINNED != 0 {
                state.0 |= bindings::STORAGE_PAGE_DIRECT;
            }
            return (at.origin(), state);
        }
        skip -= segment.len;
    }
    (Origin::None, PageState::default())
}
