// SPDX-License-Identifier: GPL-2.0

//! Where the data of a request lies.
//!
//! The pages of a request belong to somebody else: the page cache, a process that does direct I/O.
//! Their owner can write to them at any time, whatever the block layer is doing, and finding that out
//! is what this project is about. So no reference to their bytes is ever formed; the only accesses
//! are made by C: copies (`memcpy()`, `copy_page()`), each of which may be torn, and comparisons (`memcmp()`).
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

/// Where a byte of a request's data lies.
///
/// # Invariants
///
/// `page` is a page of a bio of a request that is in flight for `'a`; the submitter holds a reference
/// on it until the request has ended. `offset` is within it.
struct Place<'a> {
    page: *mut bindings::page,
    offset: usize,
    _request: PhantomData<&'a ()>,
}

impl Place<'_> {
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
            // SAFETY: As above. Of an inode of a block device this is its number, which stays.
            let dev = Dev(unsafe { ptr::read_volatile(&raw const (*host).i_rdev) });
            Origin::BlockDevice { dev, offset }
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
        /// Its number.
        dev: Dev,
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

/// A position in a request's payload: its bytes are taken in order.
///
/// # Invariants
///
/// `bio` is null or a bio of a request that the driver owns for `'a`. `iter.bi_size` is 0 if it is null or has no
/// such payload; otherwise `iter` is a position in `bvecs`, which are those of its payload.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    payload: Payload,
    bio: *mut bindings::bio,
    bvecs: *const bindings::bio_vec,
    iter: bindings::bvec_iter,
    _request: PhantomData<&'a ()>,
}

impl<'a> Cursor<'a> {
    /// At its start.
    ///
    /// # Safety
    ///
    /// `rq` is a request with data (or none at all: then there is no payload) that the driver
    /// owns for the lifetime of the result.
    pub(super) unsafe fn new(rq: *const bindings::request, payload: Payload) -> Self {
        // SAFETY: `rq` is valid by the caller's promise, and its list of bios is the driver's.
        let bio = unsafe { (*rq).bio };
        let mut cursor = Cursor {
            payload,
            bio,
            bvecs: ptr::null(),
            iter: pin_init::zeroed(),
            _request: PhantomData,
        };
        cursor.enter(bio);
        cursor
    }

    /// Goes to the start of a bio of the request, or, with null, to the end of all. Nothing is left of the one before.
    fn enter(&mut self, bio: *mut bindings::bio) {
        // INVARIANT: The driver owns the bios for as long as it owns the request. Without one `bi_size` stays 0; what
        // has no payload gets an empty iterator.
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

    /// How many of the next `max` bytes are in one bio, to which it moves on; `None` at the end of all.
    fn settle(&mut self, max: usize) -> Option<c_uint> {
        while !self.bio.is_null() && self.iter.bi_size == 0 {
            // SAFETY: `bio` is live by the type's invariant; the list belongs to the request.
            let next = unsafe { (*self.bio).bi_next };
            self.enter(next);
        }
        match self.iter.bi_size {
            0 => None,
            left => Some(max.min(left as usize) as c_uint),
        }
    }

    /// Passes over `bytes`. False if there are fewer.
    fn skip(&mut self, mut bytes: usize) -> bool {
        while bytes > 0 {
            let Some(now) = self.settle(bytes) else {
                return false;
            };
            // SAFETY: `iter` is a position in `bvecs` by the type's invariant, with at least so many bytes left.
            unsafe { bindings::storage_bvec_iter_advance(self.bvecs, &mut self.iter, now) };
            bytes -= now as usize;
        }
        true
    }

    /// Where the next byte is; `None` at the end.
    fn place(&mut self) -> Option<Place<'a>> {
        self.settle(1)?;
        // SAFETY: `iter` is a position in `bvecs` by the type's invariant, and a byte is left.
        let bvec = unsafe { bindings::storage_bvec_iter_bvec(self.bvecs, self.iter) };
        // INVARIANT: `bvec_iter_bvec()` gives the page, and the offset in it.
        Some(Place {
            page: bvec.bv_page,
            offset: bvec.bv_offset as usize,
            _request: PhantomData,
        })
    }
}

/// The data of a write request, read from its start to its end.
///
/// Two sources over one request are independent: each reads the pages as they are at that moment.
pub struct Source<'a>(Cursor<'a>);

impl<'a> Source<'a> {
    pub(super) fn new(cursor: Cursor<'a>) -> Self {
        Self(cursor)
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

    /// Whether the next bytes are these, each at some moment of the call. If so, it passes over them, else over none.
    /// `EIO` if the request has fewer.
    pub fn matches(&mut self, bytes: &[u8]) -> Result<bool> {
        let mut end = self.0.clone();
        let mut rest = bytes;
        while !rest.is_empty() {
            let now = end.settle(rest.len()).ok_or(EIO)?;
            let (with, after) = rest.split_at_checked(now as usize).ok_or(EIO)?;
            // SAFETY: `iter` is a position in `bvecs` by the type's invariant, with so many bytes left, all in
            // live pages; `with` is as long. C code reads both, and whatever it finds it returns a `bool`.
            let same = unsafe {
                bindings::storage_bvecs_match(end.bvecs, &mut end.iter, with.as_ptr().cast(), now)
            };
            if !same {
                return Ok(false);
            }
            rest = after;
        }
        self.0 = end;
        Ok(true)
    }

    fn copy(&mut self, dst: &mut [MaybeUninit<u8>]) -> Result {
        let mut rest = dst;
        while !rest.is_empty() {
            let now = self.0.settle(rest.len()).ok_or(EIO)?;
            let (to, after) = rest.split_at_mut_checked(now as usize).ok_or(EIO)?;
            // SAFETY: `iter` is a position in `bvecs` by the type's invariant, with so many bytes left, all in
            // live pages. `to` is as long, and ours alone: they don't overlap. The bytes are read by C code and
            // may be any.
            unsafe {
                bindings::storage_memcpy_from_bvecs(
                    to.as_mut_ptr().cast(),
                    self.0.bvecs,
                    &mut self.0.iter,
                    now,
                )
            };
            rest = after;
        }
        Ok(())
    }
}

/// The data of a read request, filled from its start to its end.
///
/// # Invariants
///
/// The pages are there to be filled.
pub struct Sink<'a>(Cursor<'a>);

impl<'a> Sink<'a> {
    /// # Safety
    ///
    /// The request is a read.
    pub(super) unsafe fn new(cursor: Cursor<'a>) -> Self {
        // INVARIANT: Those of a read are, as the caller promises.
        Self(cursor)
    }

    /// Copies `src` to the next `src.len()` bytes of the pages. `EIO` if the request has fewer.
    pub fn write(&mut self, src: &[u8]) -> Result {
        let mut rest = src;
        while !rest.is_empty() {
            let now = self.0.settle(rest.len()).ok_or(EIO)?;
            let (from, after) = rest.split_at_checked(now as usize).ok_or(EIO)?;
            // SAFETY: `iter` is a position in `bvecs` by the invariant of `Cursor`, with so many bytes left, all in
            // live pages that may be written to, by that of the type. `from` is as long, and only read; they don't
            // overlap: nobody submits kernel memory that is borrowed here. The bytes are written by C code, whoever
            // else looks.
            unsafe {
                bindings::storage_memcpy_to_bvecs(
                    self.0.bvecs,
                    &mut self.0.iter,
                    from.as_ptr().cast(),
                    now,
                )
            };
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

/// Whose the byte is that is `index` further than the cursor, and what its page is like now.
pub(super) fn origin(mut cursor: Cursor<'_>, index: usize) -> (Origin, PageState) {
    let place = if cursor.skip(index) {
        cursor.place()
    } else {
        None
    };
    let Some(place) = place else {
        return (Origin::None, PageState::default());
    };
    // SAFETY: The bio that it is in: live, by the type's invariant.
    let flags = unsafe { (*cursor.bio).bi_flags };
    let mut state = place.state();
    if u32::from(flags) & 1 << bindings::BIO_PAGE_PINNED != 0 {
        state.0 |= bindings::STORAGE_PAGE_DIRECT;
    }
    (place.origin(), state)
}
