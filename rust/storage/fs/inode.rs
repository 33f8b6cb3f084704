// SPDX-License-Identifier: GPL-2.0

//! Inodes.
//!
//! An inode that nobody may use yet is a [`New`]: it is found or made, filled in, and then handed over.
//! Dropping it takes it back, so that a half-made inode is never seen. One whose `i_rwsem` is held is a
//! [`Locked`]; what may be changed under that lock only has its methods there.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{attr, dir, file, flight::Flights, sb::SuperBlock, snapshot, FileSystem, Type};
use crate::bindings;
use core::{
    marker::PhantomData,
    mem::{ManuallyDrop, MaybeUninit},
    ops::Deref,
    ptr::{self, NonNull},
};
use kernel::{error::to_result, prelude::*, types::Opaque};

/// An inode as it lies in memory. `inode` comes first: the cache's constructor relies on that.
#[repr(C)]
pub(super) struct Container<T: Type> {
    inode: bindings::inode,
    metadata: bindings::mapping_metadata_bhs,
    flights: MaybeUninit<Flights>,
    data: MaybeUninit<T::INodeData>,
}

/// An inode of a mounted filesystem of type `T`.
///
/// C: `struct inode`.
///
/// # Invariants
///
/// The inode is part of a `Container<T>` whose `metadata`, `flights` and `data` are initialised, and `i_sb` is a
/// superblock of type `T`.
#[repr(transparent)]
pub struct INode<T: Type> {
    inode: Opaque<bindings::inode>,
    _fs: PhantomData<T>,
}

// SAFETY: Inodes are shared between threads by their nature; the methods do the C side's locking, or
// ask for it by their types.
unsafe impl<T: Type> Send for INode<T> {}
// SAFETY: As above.
unsafe impl<T: Type> Sync for INode<T> {}

/// A reference to an inode: it stays in memory. There is no way to make one from an `&INode`, which may
/// be of an inode that is on its way out; and it doesn't outlive the borrow of the superblock that it
/// was found by. Dropping it may sleep.
///
/// C: `iget_locked()`, `iput()`.
///
/// # Invariants
///
/// A reference to the inode is owned.
pub struct Ref<'a, T: Type> {
    inode: NonNull<INode<T>>,
    _sb: PhantomData<&'a SuperBlock<T>>,
}

impl<T: Type> Ref<'_, T> {
    /// The reference is the caller's now.
    pub(super) fn into_raw(self) -> NonNull<bindings::inode> {
        ManuallyDrop::new(self).inode.cast()
    }
}

impl<T: Type> Deref for Ref<'_, T> {
    type Target = INode<T>;

    fn deref(&self) -> &INode<T> {
        // SAFETY: Live by the type's invariant.
        unsafe { self.inode.as_ref() }
    }
}

impl<T: Type> Drop for Ref<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The reference is ours.
        unsafe { bindings::iput(self.inode.as_ptr().cast()) };
    }
}

/// A point in time, in seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Seconds, before 1970 too.
    pub seconds: i64,
    /// Less than 10⁹.
    pub nanoseconds: u32,
}

impl Time {
    /// Now, as the system's clock has it. Any context.
    pub fn now() -> Self {
        let mut now = bindings::timespec64 {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `now` can be written to.
        unsafe { bindings::ktime_get_real_ts64(&mut now) };
        Self::of(now)
    }

    fn of(time: bindings::timespec64) -> Self {
        Self {
            seconds: time.tv_sec,
            nanoseconds: time.tv_nsec as u32,
        }
    }
}

/// Numbers of a device file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// At most 12 bits.
    pub major: u32,
    /// At most 20 bits.
    pub minor: u32,
}

impl Device {
    const MINOR_BITS: u32 = 20;

    pub(super) fn from_dev_t(dev: bindings::dev_t) -> Self {
        Self {
            major: dev >> Self::MINOR_BITS,
            minor: dev & ((1 << Self::MINOR_BITS) - 1),
        }
    }

    fn to_dev_t(self) -> bindings::dev_t {
        self.major << Self::MINOR_BITS | self.minor
    }
}

/// What is known of an inode without looking into it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes {
    /// Type and permissions, `S_IF*` and the lower 12 bits.
    pub mode: u16,
    /// As the filesystem has it: in the initial user namespace.
    pub uid: u32,
    /// As `uid`.
    pub gid: u32,
    /// `i_nlink`
    pub links: u32,
    /// In bytes.
    pub size: u64,
    /// In units of 512 bytes.
    pub sectors: u64,
    /// Last access.
    pub atime: Time,
    /// Last change of the content.
    pub mtime: Time,
    /// Last change of anything.
    pub ctime: Time,
    /// Tells inodes apart that had the same number, one after the other.
    pub generation: u32,
}

impl<T: Type> INode<T> {
    /// # Safety
    ///
    /// `inode` is a live inode of a superblock of type `T`, for `'a`.
    pub(super) unsafe fn from_raw<'a>(inode: *mut bindings::inode) -> &'a Self {
        // SAFETY: `INode` is transparent; inodes of such superblocks are made by `alloc` only.
        unsafe { &*inode.cast() }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::inode {
        self.inode.get()
    }

    fn container(&self) -> *mut Container<T> {
        // By the type's invariant, `inode` being the first field.
        self.as_ptr().cast()
    }

    pub(super) fn metadata(&self) -> *mut bindings::mapping_metadata_bhs {
        // SAFETY: The container is live by the type's invariant.
        unsafe { &raw mut (*self.container()).metadata }
    }

    /// What of it is on its way to the device.
    pub(super) fn flights(&self) -> &Flights {
        // SAFETY: Initialised by the type's invariant, and stays while somebody has the inode.
        unsafe { (*self.container()).flights.assume_init_ref() }
    }

    pub(super) fn mapping(&self) -> *mut bindings::address_space {
        // SAFETY: The inode is live.
        unsafe { &raw mut (*self.as_ptr()).i_data }
    }

    /// What the filesystem keeps with the inode.
    pub fn data(&self) -> &T::INodeData {
        // SAFETY: Initialised by the type's invariant, dropped when nobody has the inode any more.
        unsafe { (*self.container()).data.assume_init_ref() }
    }

    /// The filesystem that the inode is in.
    pub fn sb(&self) -> &SuperBlock<T> {
        // SAFETY: `i_sb` is set when the inode is made, and the superblock outlives its inodes.
        unsafe { SuperBlock::from_raw((*self.as_ptr()).i_sb) }
    }

    /// Its number.
    pub fn ino(&self) -> u64 {
        // SAFETY: The inode is live, and the number doesn't change once others know it.
        unsafe { (*self.as_ptr()).i_ino }
    }

    /// Type and permissions. The permissions may change at any time.
    pub fn mode(&self) -> u16 {
        // SAFETY: The inode is live. Others may write to it meanwhile.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).i_mode) }
    }

    fn is(&self, kind: u32) -> bool {
        u32::from(self.mode()) & bindings::S_IFMT == kind
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.is(bindings::S_IFDIR)
    }

    /// Whether it is a regular file.
    pub fn is_regular(&self) -> bool {
        self.is(bindings::S_IFREG)
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.is(bindings::S_IFLNK)
    }

    /// Length in bytes. It may change at any time, unless the inode is [`Locked`].
    pub fn size(&self) -> u64 {
        // SAFETY: The inode is live.
        let size = unsafe { bindings::storage_i_size_read(self.as_ptr()) };
        size.unsigned_abs()
    }

    /// How many names it has. It may change at any time, unless the inode is [`Locked`].
    pub fn links(&self) -> u32 {
        // SAFETY: The inode is live. Others may write to it meanwhile.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).__bindgen_anon_1.i_nlink) }
    }

    /// How many units of 512 bytes it has.
    pub fn sectors(&self) -> u64 {
        // SAFETY: The inode is live. Others may write to it meanwhile.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).i_blocks) }
    }

    /// See [`Attributes::generation`].
    pub fn generation(&self) -> u32 {
        // SAFETY: The inode is live.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).i_generation) }
    }

    /// Of a device file.
    pub fn device(&self) -> Device {
        // SAFETY: The inode is live, and this doesn't change.
        Device::from_dev_t(unsafe { (*self.as_ptr()).i_rdev })
    }

    /// The target of a symbolic link.
    pub fn link(&self) -> Option<&CStr> {
        if !self.is_symlink() {
            return None;
        }
        // SAFETY: The inode is live, and a symbolic link: `i_link` is that variant of the union.
        let link = unsafe { (*self.as_ptr()).__bindgen_anon_5.i_link };
        if link.is_null() {
            return None;
        }
        // SAFETY: `New::set_symlink` puts a C string there, which is freed with the inode.
        Some(unsafe { CStr::from_char_ptr(link) })
    }

    /// All of it, each read for itself.
    pub fn attributes(&self) -> Attributes {
        let inode = self.as_ptr();
        // SAFETY: The inode is live.
        let (uid, gid) = unsafe {
            (
                bindings::storage_i_uid_read(inode),
                bindings::storage_i_gid_read(inode),
            )
        };
        // SAFETY: The inode is live. Others may write to it meanwhile.
        let (atime, mtime, ctime) = unsafe {
            (
                time(
                    &raw const (*inode).i_atime_sec,
                    &raw const (*inode).i_atime_nsec,
                ),
                time(
                    &raw const (*inode).i_mtime_sec,
                    &raw const (*inode).i_mtime_nsec,
                ),
                // Its nanoseconds have a flag in them.
                Time::of(bindings::storage_inode_get_ctime(inode)),
            )
        };
        Attributes {
            mode: self.mode(),
            uid,
            gid,
            links: self.links(),
            size: self.size(),
            sectors: self.sectors(),
            atime,
            mtime,
            ctime,
            generation: self.generation(),
        }
    }

    /// The inode is to be written. May sleep.
    pub fn mark_dirty(&self) {
        // SAFETY: The inode is live.
        unsafe { bindings::storage_mark_inode_dirty(self.as_ptr()) };
    }

    /// Counts `bytes` more, or less, that it has on the device. Any context.
    pub fn add_bytes(&self, bytes: i64) {
        // SAFETY: The inode is live; both take its `i_lock`.
        unsafe {
            if bytes < 0 {
                bindings::inode_sub_bytes(self.as_ptr(), bytes.unsigned_abs() as i64);
            } else {
                bindings::inode_add_bytes(self.as_ptr(), bytes);
            }
        }
    }

    /// Writes the inode now, with what belongs to it. May sleep.
    pub fn sync(&self) -> Result {
        // SAFETY: The inode is live.
        to_result(unsafe { bindings::sync_inode_metadata(self.as_ptr(), 1) })
    }

    /// Writes the inode now, as [`sync`](Self::sync), if its changes are to be on the device when a call returns:
    /// with `-o sync`, `chattr +S`, and for directories `-o dirsync` and `chattr +D`. May sleep.
    ///
    /// C: `inode_needs_sync()`.
    pub fn sync_if_needed(&self) -> Result {
        // SAFETY: The inode is live.
        if unsafe { bindings::inode_needs_sync(self.as_ptr()) } != 0 {
            self.sync()?;
        }
        Ok(())
    }

    /// The time of the last change is now. The inode must still be marked dirty.
    pub fn changed_now(&self) {
        // SAFETY: The inode is live. Racing updates leave one of the times.
        unsafe { bindings::inode_set_ctime_current(self.as_ptr()) };
    }

    /// Sets the mode; the type stays. Of two who do that at once, one has the last word.
    pub(super) fn set_mode(&self, mode: u16) {
        // SAFETY: The inode is live.
        unsafe { ptr::write_volatile(&raw mut (*self.as_ptr()).i_mode, mode) };
    }

    /// Whether it is known that a write takes no privileges from the file. Who gives it some locks it for writing.
    ///
    /// C: `IS_NOSEC()`.
    pub(super) fn is_nosec(&self) -> bool {
        // SAFETY: The inode is live. Others may change flags meanwhile.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).i_flags) & bindings::S_NOSEC != 0 }
    }

    /// The `S_*` flags that the VFS enforces: those in `mask` become as in `flags`.
    ///
    /// C: `inode_set_flags()`.
    pub(super) fn set_vfs_flags(&self, flags: u32, mask: u32) {
        // SAFETY: The inode is live; this is atomic.
        unsafe { bindings::inode_set_flags(self.as_ptr(), flags, mask) };
    }
}

/// # Safety
///
/// Both can be read.
unsafe fn time(seconds: *const i64, nanoseconds: *const u32) -> Time {
    // SAFETY: As the caller says.
    unsafe {
        Time {
            seconds: ptr::read_volatile(seconds),
            nanoseconds: ptr::read_volatile(nanoseconds),
        }
    }
}

/// An inode whose `i_rwsem` is held for writing: nobody else changes its names, its size or its
/// attributes.
///
/// # Invariants
///
/// The lock is held for `'a`, by the VFS for the call, or by a `Guard`.
pub struct Locked<'a, T: Type>(&'a INode<T>);

impl<'a, T: Type> Locked<'a, T> {
    /// # Safety
    ///
    /// As [`INode::from_raw`], and its `i_rwsem` is held for writing, for `'a`.
    pub(super) unsafe fn from_raw(inode: *mut bindings::inode) -> Self {
        // SAFETY: As the caller says.
        Self(unsafe { INode::from_raw(inode) })
    }

    /// Sets the number of names.
    pub fn set_links(&self, links: u32) {
        // SAFETY: The inode is live and locked.
        unsafe { bindings::set_nlink(self.as_ptr(), links) };
    }

    /// Sets the length of a directory: its blocks are no matter of the page cache. `EINVAL` of others.
    pub fn set_directory_size(&self, size: u64) -> Result {
        if !self.is_directory() {
            return Err(EINVAL);
        }
        let size = i64::try_from(size).map_err(|_| EFBIG)?;
        // SAFETY: The inode is live and locked.
        unsafe { bindings::storage_i_size_write(self.as_ptr(), size) };
        Ok(())
    }

    /// Times of a change of the content: now. The inode must still be marked dirty.
    pub fn modified_now(&self) {
        let inode = self.as_ptr();
        // SAFETY: The inode is live and locked.
        unsafe {
            let now = bindings::inode_set_ctime_current(inode);
            ptr::write_volatile(&raw mut (*inode).i_mtime_sec, now.tv_sec);
            ptr::write_volatile(&raw mut (*inode).i_mtime_nsec, now.tv_nsec as u32);
        }
    }
}

impl<T: Type> Deref for Locked<'_, T> {
    type Target = INode<T>;

    fn deref(&self) -> &INode<T> {
        self.0
    }
}

/// A lock of `i_rwsem` that was taken here.
pub(super) struct Guard<'a, T: Type>(Locked<'a, T>);

impl<'a, T: Type> Guard<'a, T> {
    /// Locks, or fails with `EAGAIN` where it may not wait.
    pub(super) fn new(inode: &'a INode<T>, nowait: bool) -> Result<Self> {
        if nowait {
            // SAFETY: The inode is live.
            if !unsafe { bindings::storage_inode_trylock(inode.as_ptr()) } {
                return Err(EAGAIN);
            }
        } else {
            // SAFETY: The inode is live.
            unsafe { bindings::storage_inode_lock(inode.as_ptr()) };
        }
        // INVARIANT: Just locked, until this is dropped.
        Ok(Self(Locked(inode)))
    }
}

impl<'a, T: Type> Deref for Guard<'a, T> {
    type Target = Locked<'a, T>;

    fn deref(&self) -> &Locked<'a, T> {
        &self.0
    }
}

impl<T: Type> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: Locked by this.
        unsafe { bindings::storage_inode_unlock(self.0.as_ptr()) };
    }
}

/// `i_rwsem`, held for reading.
pub(super) struct SharedGuard<'a, T: Type>(&'a INode<T>);

impl<'a, T: Type> SharedGuard<'a, T> {
    /// Locks, or fails with `EAGAIN` where it may not wait.
    pub(super) fn new(inode: &'a INode<T>, nowait: bool) -> Result<Self> {
        if nowait {
            // SAFETY: The inode is live.
            if !unsafe { bindings::storage_inode_trylock_shared(inode.as_ptr()) } {
                return Err(EAGAIN);
            }
        } else {
            // SAFETY: The inode is live.
            unsafe { bindings::storage_inode_lock_shared(inode.as_ptr()) };
        }
        Ok(Self(inode))
    }
}

impl<T: Type> Drop for SharedGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: Locked by this.
        unsafe { bindings::storage_inode_unlock_shared(self.0.as_ptr()) };
    }
}

/// How a [`New`] is taken back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Looked for by its number; `I_NEW`.
    Found,
    /// Made, and known to nobody yet.
    Made,
    /// Made, and in the hash: `I_NEW`.
    Inserted,
}

/// An inode that only its maker may use.
///
/// Dropped before it was handed over, it is gone: one that was looked for counts as bad, one that was
/// made is deleted (`delete` and `free` of [`sb::Operations`](super::sb::Operations) are called, since
/// it has no links then).
///
/// # Invariants
///
/// A reference to the inode is owned. It is not hashed (`Made`), or it is and has `I_NEW`.
pub struct New<'a, T: Type> {
    inode: NonNull<INode<T>>,
    origin: Origin,
    /// It has its operations, and the type in its mode must stay.
    has_kind: bool,
    _sb: PhantomData<&'a SuperBlock<T>>,
}

impl<T: FileSystem> New<'_, T> {
    /// The kind is set once, and as the mode says.
    fn claim_kind(&mut self, matches: bool) -> Result {
        if self.has_kind || !matches {
            return Err(EINVAL);
        }
        self.has_kind = true;
        Ok(())
    }

    /// A regular file. Its data goes through the page cache, in folios of up to 512 blocks. `EINVAL` if the mode
    /// says something else, or the kind was set.
    pub fn set_regular(&mut self) -> Result {
        self.claim_kind(self.is_regular())?;
        let inode = self.as_ptr();
        // SAFETY: Nobody else uses the inode yet; the tables are static.
        unsafe {
            (*inode).i_op = &raw const *attr::Tables::<T>::FILE;
            (*inode).__bindgen_anon_3.i_fop = &raw const *file::Tables::<T>::FILE;
            (*inode).i_data.a_ops = &raw const *super::aops::Tables::<T>::AOPS;
            let block = u32::from((*inode).i_blkbits).min(bindings::PAGE_SHIFT);
            let order = snapshot::FOLIO_BLOCKS.ilog2() + block - bindings::PAGE_SHIFT;
            bindings::storage_mapping_set_folio_order_range(self.mapping(), 0, order);
        }
        Ok(())
    }

    /// A directory. `EINVAL` as for [`set_regular`](Self::set_regular).
    pub fn set_directory(&mut self) -> Result {
        self.claim_kind(self.is_directory())?;
        let inode = self.as_ptr();
        // SAFETY: As above.
        unsafe {
            (*inode).i_op = &raw const *dir::Tables::<T>::INODE;
            (*inode).__bindgen_anon_3.i_fop = &raw const *dir::Tables::<T>::FILE;
        }
        Ok(())
    }

    /// A symbolic link to `target`: 1 to 4095 bytes, none of them zero. `EINVAL` if that isn't so, or the
    /// mode says something else.
    pub fn set_symlink(&mut self, target: &[u8]) -> Result {
        let possible = 1..bindings::PATH_MAX as usize;
        if !possible.contains(&target.len()) || target.contains(&0) {
            return Err(EINVAL);
        }
        let link = link_alloc(target)?;
        // The pointer is in a union with those of other kinds.
        self.claim_kind(self.is_symlink())?;
        let inode = self.as_ptr();
        let link = ManuallyDrop::new(link).as_mut_ptr();
        // SAFETY: As above. The link is freed in `free_inode`.
        unsafe {
            (*inode).__bindgen_anon_5.i_link = link.cast();
            (*inode).i_op = &raw const *attr::Tables::<T>::SYMLINK;
            bindings::inode_nohighmem(inode);
        }
        Ok(())
    }

    /// A device file, a pipe or a socket, as the mode says. `EINVAL` if it says something else.
    pub fn set_special(&mut self, device: Device) -> Result {
        let other = self.is_regular() || self.is_directory() || self.is_symlink();
        self.claim_kind(!other)?;
        let inode = self.as_ptr();
        // SAFETY: As above.
        unsafe {
            (*inode).i_op = &raw const *attr::Tables::<T>::SPECIAL;
            bindings::init_special_inode(inode, (*inode).i_mode, device.to_dev_t());
        }
        Ok(())
    }
}

/// A copy of `target` that ends with a zero byte, from `kmalloc()`.
fn link_alloc(target: &[u8]) -> Result<KVec<u8>> {
    let mut link = KVec::with_capacity(target.len() + 1, GFP_KERNEL)?;
    link.extend_from_slice(target, GFP_KERNEL)?;
    link.push(0, GFP_KERNEL)?;
    Ok(link)
}

impl<'a, T: Type> New<'a, T> {
    /// A fresh inode, with no number and no attributes. `ENOMEM`. May sleep.
    pub(super) fn made(sb: &'a SuperBlock<T>) -> Result<Self> {
        // SAFETY: The superblock is live.
        let inode = unsafe { bindings::new_inode(sb.as_ptr()) };
        // INVARIANT: The reference is ours, and nobody else knows the inode.
        Ok(Self {
            inode: NonNull::new(inode.cast()).ok_or(ENOMEM)?,
            origin: Origin::Made,
            has_kind: false,
            _sb: PhantomData,
        })
    }

    /// The inode with this number, if it is in memory, or a new one for it to be read into.
    pub(super) fn found(
        sb: &'a SuperBlock<T>,
        ino: u64,
    ) -> Result<core::result::Result<Ref<'a, T>, Self>> {
        // SAFETY: The superblock is live.
        let inode = unsafe { bindings::iget_locked(sb.as_ptr(), ino) };
        let inode = NonNull::new(inode).ok_or(ENOMEM)?;
        // SAFETY: The inode is live, a reference being ours.
        if unsafe { bindings::storage_inode_is_new(inode.as_ptr()) } {
            // INVARIANT: A reference to an inode with I_NEW, which this thread made.
            Ok(Err(Self {
                inode: inode.cast(),
                origin: Origin::Found,
                has_kind: false,
                _sb: PhantomData,
            }))
        } else {
            // INVARIANT: The reference is handed on.
            Ok(Ok(Ref {
                inode: inode.cast(),
                _sb: PhantomData,
            }))
        }
    }

    /// Gives it a number and makes it known by that, still closed. `EIO` if the number is in use: the
    /// caller took one that isn't free. `EINVAL` if it has one.
    pub fn insert(&mut self, ino: u64) -> Result {
        if self.origin != Origin::Made {
            return Err(EINVAL);
        }
        // SAFETY: The inode is live and nobody else's.
        unsafe { (*self.as_ptr()).i_ino = ino };
        // SAFETY: As above.
        if unsafe { bindings::insert_inode_locked(self.as_ptr()) } < 0 {
            // Without a number it has nothing to free.
            // SAFETY: As above.
            unsafe { (*self.as_ptr()).i_ino = 0 };
            return Err(EIO);
        }
        // INVARIANT: The inode is hashed with I_NEW.
        self.origin = Origin::Inserted;
        Ok(())
    }

    /// Owner, group and mode of an inode that is made in `dir`, and times of now.
    ///
    /// C: `inode_init_owner()`, which knows about set-group-ID directories.
    pub fn init_owner(&mut self, idmap: &dir::IdMap, dir: &INode<T>, mode: u16) -> Result {
        if self.has_kind {
            return Err(EINVAL);
        }
        let inode = self.as_ptr();
        // SAFETY: Both inodes are live, and `inode` is nobody else's.
        unsafe {
            bindings::inode_init_owner(idmap.as_ptr(), inode, dir.as_ptr(), mode);
            let now = bindings::inode_set_ctime_current(inode);
            (*inode).i_mtime_sec = now.tv_sec;
            (*inode).i_mtime_nsec = now.tv_nsec as u32;
            (*inode).i_atime_sec = now.tv_sec;
            (*inode).i_atime_nsec = now.tv_nsec as u32;
        }
        Ok(())
    }

    /// See [`Attributes::generation`].
    pub fn set_generation(&mut self, generation: u32) {
        // SAFETY: Nobody else uses the inode yet.
        unsafe { (*self.as_ptr()).i_generation = generation };
    }

    /// Sets the length, in bytes.
    pub fn set_size(&mut self, size: u64) -> Result {
        let size = i64::try_from(size).map_err(|_| EFBIG)?;
        // SAFETY: Nobody else uses the inode yet.
        unsafe { bindings::storage_i_size_write(self.as_ptr(), size) };
        Ok(())
    }

    /// Sets the number of names.
    pub fn set_links(&mut self, links: u32) {
        // SAFETY: Nobody else uses the inode yet.
        unsafe { bindings::set_nlink(self.as_ptr(), links) };
    }

    /// What was read of it. `EUCLEAN` if the size is none, `EINVAL` if the kind was set.
    pub fn set_attributes(&mut self, attributes: &Attributes) -> Result {
        if self.has_kind {
            return Err(EINVAL);
        }
        let size = i64::try_from(attributes.size).map_err(|_| EUCLEAN)?;
        let inode = self.as_ptr();
        // SAFETY: Nobody else uses the inode yet.
        unsafe {
            (*inode).i_mode = attributes.mode;
            bindings::storage_i_uid_write(inode, attributes.uid);
            bindings::storage_i_gid_write(inode, attributes.gid);
            bindings::set_nlink(inode, attributes.links);
            bindings::storage_i_size_write(inode, size);
            (*inode).i_blocks = attributes.sectors;
            (*inode).i_atime_sec = attributes.atime.seconds;
            (*inode).i_atime_nsec = attributes.atime.nanoseconds;
            (*inode).i_mtime_sec = attributes.mtime.seconds;
            (*inode).i_mtime_nsec = attributes.mtime.nanoseconds;
            bindings::inode_set_ctime_to_ts(
                inode,
                bindings::timespec64 {
                    tv_sec: attributes.ctime.seconds,
                    tv_nsec: attributes.ctime.nanoseconds as c_long,
                },
            );
            (*inode).i_generation = attributes.generation;
        }
        Ok(())
    }

    /// Makes a lock that shows that nobody else uses it.
    pub fn locked(&mut self) -> Locked<'_, T> {
        // INVARIANT: Nobody else uses the inode yet, and `self` is borrowed: as good as the lock.
        Locked(self)
    }

    /// Hands over one that was looked for or made.
    ///
    /// `EINVAL` if its kind was not set.
    pub(super) fn finish(self) -> Result<Ref<'a, T>> {
        if !self.has_kind {
            return Err(EINVAL);
        }
        if self.origin != Origin::Made {
            // SAFETY: I_NEW by the type's invariant.
            unsafe { bindings::unlock_new_inode(self.as_ptr()) };
        }
        // INVARIANT: The reference is handed on.
        Ok(Ref {
            inode: ManuallyDrop::new(self).inode,
            _sb: PhantomData,
        })
    }

    /// The reference is the caller's now, and the inode still closed, with I_NEW. `EINVAL` if it has no
    /// number, or its kind was not set.
    pub(super) fn into_inserted(self) -> Result<NonNull<bindings::inode>> {
        if self.origin != Origin::Inserted || !self.has_kind {
            return Err(EINVAL);
        }
        Ok(ManuallyDrop::new(self).inode.cast())
    }
}

impl<T: Type> Deref for New<'_, T> {
    type Target = INode<T>;

    fn deref(&self) -> &INode<T> {
        // SAFETY: Live by the type's invariant.
        unsafe { self.inode.as_ref() }
    }
}

impl<T: Type> Drop for New<'_, T> {
    fn drop(&mut self) {
        let inode = self.as_ptr();
        match self.origin {
            // SAFETY: The reference is ours, and I_NEW set: nobody gets to use it. It is a regular file
            // from then on, so `free` wouldn't know of its link.
            Origin::Found => unsafe {
                if self.has_kind && self.is_symlink() {
                    bindings::kfree((*inode).__bindgen_anon_5.i_link.cast());
                    (*inode).__bindgen_anon_5.i_link = ptr::null_mut();
                }
                bindings::iget_failed(inode);
            },
            // SAFETY: The reference is ours. With no links it is deleted.
            Origin::Made => unsafe {
                bindings::set_nlink(inode, 0);
                bindings::iput(inode);
            },
            // SAFETY: As above, and I_NEW is set.
            Origin::Inserted => unsafe {
                bindings::set_nlink(inode, 0);
                bindings::discard_new_inode(inode);
            },
        }
    }
}

/// Memory for an inode: `alloc_inode` of the superblock's operations.
///
/// # Safety
///
/// The VFS calls this with a live superblock of type `T` that has its operations.
pub(super) unsafe extern "C" fn alloc<T: Type>(
    sb: *mut bindings::super_block,
) -> *mut bindings::inode {
    // SAFETY: The superblock's type is one that was registered, with its cache.
    let cache = unsafe { super::registration::inode_cache(sb) };
    // SAFETY: The cache has objects of the size of a container.
    let object = unsafe { bindings::storage_alloc_inode_sb(sb, cache) };
    let container: *mut Container<T> = object.cast();
    if container.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: The memory is ours. The cache's constructor made the inode; the rest is filled in here.
    unsafe {
        bindings::mmb_init(
            &raw mut (*container).metadata,
            &raw mut (*container).inode.i_data,
        );
        // What a former inode here left: the union says so to `free`.
        (*container).inode.i_mode = 0;
        pin_init::raw_init((&raw mut (*container).flights).cast(), Flights::new());
        pin_init::raw_init((&raw mut (*container).data).cast(), T::inode_data());
    }
    // The inode comes first.
    container.cast()
}

/// What the filesystem kept with the inode goes: `destroy_inode`. A path walk may still look at the
/// inode itself.
///
/// # Safety
///
/// The VFS calls this once for an inode of `alloc::<T>` that has no references left and gets none.
pub(super) unsafe extern "C" fn destroy<T: Type>(inode: *mut bindings::inode) {
    // SAFETY: The inode is one of `alloc`, with no references left: a walk under RCU doesn't look at
    // the filesystem's data.
    unsafe {
        let container: *mut Container<T> = inode.cast();
        (*container).data.assume_init_drop();
        (*container).flights.assume_init_drop();
    }
}

/// The memory goes, after a grace period: `free_inode`. By then the superblock may be gone.
///
/// # Safety
///
/// The VFS calls this once for an inode of `alloc`, after `destroy`, when nobody looks at the inode any
/// more.
pub(super) unsafe extern "C" fn free(inode: *mut bindings::inode) {
    // SAFETY: The inode is one of `alloc`, and nobody's any more. kfree() takes objects of a cache too.
    unsafe {
        if u32::from((*inode).i_mode) & bindings::S_IFMT == bindings::S_IFLNK {
            bindings::kfree((*inode).__bindgen_anon_5.i_link.cast());
        }
        bindings::kfree(inode.cast());
    }
}
