// SPDX-License-Identifier: GPL-2.0

//! Mounted filesystems.
//!
//! C headers: [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h),
//! [`include/linux/fs/super.h`](srctree/include/linux/fs/super.h)

use super::{
    buffer, context, export,
    inode::{self, INode, New as NewINode, Ref},
    registration, xattr, FileSystem, NoFs, Type,
};
use crate::{bindings, block::bio::FsId, debugfs::Dir};
use core::{marker::PhantomData, pin::Pin, ptr};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
    seq_file::SeqFile,
    types::{ForeignOwnable, Opaque},
};

/// A mounted filesystem of type `T`.
///
/// C: `struct super_block`.
///
/// # Invariants
///
/// A live superblock with a block device, whose `s_fs_info` comes from `Pin<KBox<T>>::into_foreign()`.
#[repr(transparent)]
pub struct SuperBlock<T: Type> {
    sb: Opaque<bindings::super_block>,
    _fs: PhantomData<T>,
}

// SAFETY: A superblock is shared between threads by its nature, and so is a `T`.
unsafe impl<T: Type> Send for SuperBlock<T> {}
// SAFETY: As above.
unsafe impl<T: Type> Sync for SuperBlock<T> {}

/// How full a filesystem is, in blocks and in inodes.
pub struct StatFs {
    /// All blocks that could hold something.
    pub blocks: u64,
    /// Those that are free.
    pub free_blocks: u64,
    /// Those that anyone may use.
    pub available_blocks: u64,
    /// All inodes.
    pub files: u64,
    /// Those that are free.
    pub free_files: u64,
    /// Length of a name, in bytes.
    pub name_len: usize,
    /// Tells filesystems apart.
    pub fsid: u64,
}

/// What a filesystem does as a whole.
pub trait Operations: Type {
    /// The options of a mount.
    type Options: Default + Send + Sync;

    /// Takes one option into `options`. `Ok(false)` if there is none of that name; `EINVAL`, after
    /// saying why in `log`, if it is wrong.
    fn parse_option(
        options: &mut Self::Options,
        key: &CStr,
        value: context::Value<'_>,
        log: &context::Log,
    ) -> Result<bool>;

    /// Reads the superblock, and calls [`New::finish`]. May sleep.
    fn fill_super(sb: New<'_, Self>, options: &Self::Options, log: &context::Log) -> Result;

    /// The options that a mount has, for a remount to begin with.
    fn options_in_force(sb: &SuperBlock<Self>) -> Self::Options;

    /// A remount. Everything was written before that; what is read-only now is the VFS's matter, after
    /// this has succeeded. May sleep.
    fn reconfigure(
        sb: &SuperBlock<Self>,
        options: &Self::Options,
        read_only: bool,
        log: &context::Log,
    ) -> Result;

    /// Writes the options in force, each with a comma before it.
    fn show_options(sb: &SuperBlock<Self>, out: &SeqFile);

    /// See [`StatFs`].
    fn statfs(sb: &SuperBlock<Self>) -> Result<StatFs>;

    /// Writes what belongs to no inode. With `wait` it is on the device on return. May sleep.
    fn sync_fs(sb: &SuperBlock<Self>, wait: bool) -> Result;

    /// Nothing changes until `thaw`: the device is to be complete. May sleep.
    fn freeze(sb: &SuperBlock<Self>) -> Result;

    /// It goes on.
    fn thaw(sb: &SuperBlock<Self>) -> Result;

    /// It is being unmounted: no inode is in use any more. May sleep.
    fn put_super(sb: &SuperBlock<Self>);

    /// Finds the inode's place and writes it there; with `sync` onto the device. May sleep.
    fn write_inode(inode: &INode<Self>, sync: bool) -> Result;

    /// An inode without names isn't in use any more: gives its blocks back, and writes that it is
    /// deleted. May sleep.
    fn delete_inode(inode: &INode<Self>);

    /// The last step of that: the inode is gone, and its number free. May sleep.
    fn free_inode(sb: &SuperBlock<Self>, ino: u64, mode: u16);

    /// An inode leaves memory, deleted or not: gives back what was only kept for it. May sleep.
    fn release_inode(inode: &INode<Self>);
}

impl<T: Type> SuperBlock<T> {
    /// # Safety
    ///
    /// `sb` is a live superblock of type `T`, for `'a`, that was finished ([`New::finish`]).
    pub(super) unsafe fn from_raw<'a>(sb: *mut bindings::super_block) -> &'a Self {
        // SAFETY: `SuperBlock` is transparent; the rest is as the caller says.
        unsafe { &*sb.cast() }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::super_block {
        self.sb.get()
    }

    /// What the filesystem keeps with it.
    pub fn data(&self) -> Pin<&T> {
        // SAFETY: By the type's invariant; it is dropped when the superblock is gone.
        unsafe { <Pin<KBox<T>> as ForeignOwnable>::borrow((*self.as_ptr()).s_fs_info.cast()) }
    }

    /// Its name in messages: that of the device.
    pub fn id(&self) -> FsId {
        // SAFETY: The superblock is live, and `s_id` doesn't change once it is mounted.
        FsId::new(unsafe { (*self.as_ptr()).s_id })
    }

    /// Whether it is read-only now.
    pub fn is_read_only(&self) -> bool {
        let flags = self.flags();
        flags & bindings::SB_RDONLY != 0
    }

    /// How many inodes have no links any more, and are still there since somebody has them open.
    ///
    /// C: `s_remove_count`.
    pub fn unlinked(&self) -> usize {
        // SAFETY: The superblock is live. Others may write to it meanwhile.
        let count =
            unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).s_remove_count.counter) };
        usize::try_from(count).unwrap_or(0)
    }

    fn flags(&self) -> c_ulong {
        // SAFETY: The superblock is live. Others may write to it meanwhile.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).s_flags) }
    }

    /// It is read-only from now on: something is wrong with it. What is being written still is.
    pub fn set_read_only(&self) {
        let flags = self.flags() | bindings::SB_RDONLY;
        // SAFETY: The superblock is live. ext2 and ext4 do this without a lock as well.
        unsafe { ptr::write_volatile(&raw mut (*self.as_ptr()).s_flags, flags) };
    }

    pub(super) fn bdev(&self) -> *mut bindings::block_device {
        // SAFETY: The superblock is live, with a block device that stays.
        unsafe { (*self.as_ptr()).s_bdev }
    }

    /// Length of the device, in bytes. Any context.
    pub fn device_bytes(&self) -> u64 {
        // SAFETY: The block device is live.
        unsafe { bindings::storage_bdev_nr_bytes(self.bdev()) }
    }

    /// Whether the device needs pages to be stable, now: it may change while the filesystem is mounted.
    ///
    /// C: `bdev_stable_writes()`. Any context.
    pub fn needs_stable_writes(&self) -> bool {
        // SAFETY: The block device is live.
        unsafe { bindings::storage_bdev_stable_writes(self.bdev()) }
    }

    /// Tells the device that it need not keep blocks. `EOPNOTSUPP` if it doesn't care. May sleep.
    pub fn discard(&self, first_block: u64, blocks: u64) -> Result {
        // SAFETY: The superblock is live.
        let sectors = unsafe { (*self.as_ptr()).s_blocksize } as u64 >> 9;
        let first = first_block.checked_mul(sectors).ok_or(EINVAL)?;
        let count = blocks.checked_mul(sectors).ok_or(EINVAL)?;
        let _nofs = NoFs::new();
        // SAFETY: The block device is live; the range is checked by the block layer.
        to_result(unsafe {
            bindings::blkdev_issue_discard(self.bdev(), first, count, bindings::GFP_KERNEL)
        })
    }

    /// Whether the device takes [`discard`](Self::discard).
    pub fn can_discard(&self) -> bool {
        // SAFETY: The block device is live.
        unsafe { bindings::storage_bdev_max_discard_sectors(self.bdev()) != 0 }
    }

    /// Blocks of the device become the data of a file: nothing of what they were as metadata may be
    /// written any more. May sleep.
    ///
    /// C: `clean_bdev_aliases()`.
    pub fn clean_aliases(&self, first_block: u64, blocks: u64) {
        // SAFETY: The block device is live.
        unsafe { bindings::clean_bdev_aliases(self.bdev(), first_block, blocks) };
    }

    /// Writes what is dirty of the device's own page cache. May sleep.
    pub fn sync_blockdev(&self) -> Result {
        // SAFETY: The block device is live.
        to_result(unsafe { bindings::sync_blockdev(self.bdev()) })
    }

    /// The inode with this number. If it isn't in memory, `read` fills it in; it must set its attributes
    /// and its kind. May sleep.
    pub fn inode(
        &self,
        ino: u64,
        read: impl FnOnce(&mut NewINode<'_, T>) -> Result,
    ) -> Result<Ref<'_, T>> {
        match NewINode::found(self, ino)? {
            Ok(inode) => Ok(inode),
            Err(mut new) => {
                read(&mut new)?;
                new.finish()
            }
        }
    }

    /// An inode to be made: it has no number yet. `ENOMEM`. May sleep.
    pub fn new_inode(&self) -> Result<NewINode<'_, T>> {
        NewINode::made(self)
    }
}

/// A filesystem that is being mounted.
///
/// # Invariants
///
/// A live superblock with a block device, whose `s_umount` is held for writing and which has no `SB_BORN` yet: who
/// finds it in the list waits. Its `s_fs_info` and `s_root` are not set.
pub struct New<'a, T: Type> {
    sb: *mut bindings::super_block,
    _fs: PhantomData<&'a T>,
}

// SAFETY: Live, with a block device, by the type's invariant.
unsafe impl<T: Type> buffer::OnDevice for SuperBlock<T> {
    fn sb_ptr(&self) -> *mut bindings::super_block {
        self.as_ptr()
    }
}

// SAFETY: As above.
unsafe impl<T: Type> buffer::OnDevice for New<'_, T> {
    fn sb_ptr(&self) -> *mut bindings::super_block {
        self.sb
    }
}

/// What the VFS is told of a filesystem.
pub struct Settings {
    /// Length of the longest file, in bytes.
    pub max_bytes: u64,
    /// First and last time that can be kept, in seconds.
    pub times: (i64, i64),
    /// How exactly, in nanoseconds.
    pub time_granularity: u32,
    /// Its name for `/dev/disk/by-uuid`.
    pub uuid: [u8; 16],
}

impl<'a, T: FileSystem> New<'a, T> {
    /// # Safety
    ///
    /// The type's invariants hold for `sb`.
    pub(super) unsafe fn from_raw(sb: *mut bindings::super_block) -> Self {
        Self {
            sb,
            _fs: PhantomData,
        }
    }

    /// See [`SuperBlock::id`].
    pub fn id(&self) -> FsId {
        // SAFETY: Live and nobody else's.
        FsId::new(unsafe { (*self.sb).s_id })
    }

    /// Whether it is to be mounted read-only.
    pub fn is_read_only(&self) -> bool {
        // SAFETY: Live and nobody else's.
        unsafe { (*self.sb).s_flags & bindings::SB_RDONLY != 0 }
    }

    /// The type's directory in debugfs, for one of the mount's own.
    pub fn debugfs(&self) -> &'a Dir {
        // SAFETY: Live, and its type is registered as long as there are superblocks of it.
        unsafe { registration::debugfs(self.sb) }
    }

    /// Length of the device, in bytes.
    pub fn device_bytes(&self) -> u64 {
        // SAFETY: The block device is live.
        unsafe { bindings::storage_bdev_nr_bytes((*self.sb).s_bdev) }
    }

    /// Length of the device's logical blocks, in bytes.
    pub fn device_block_size(&self) -> u32 {
        // SAFETY: The block device is live.
        unsafe { bindings::storage_bdev_logical_block_size((*self.sb).s_bdev) }
    }

    /// Sets the length of buffers. `EINVAL` if the device can't do that. No buffer of another length is
    /// kept. May sleep.
    pub fn set_block_size(&mut self, bytes: u32) -> Result {
        // SAFETY: Live and nobody else's.
        if unsafe { bindings::sb_set_blocksize(self.sb, bytes as c_int) } == 0 {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Gives it `data` and the operations of its type; then `root` finds its root directory. May sleep.
    pub fn finish(
        self,
        settings: &Settings,
        data: impl pin_init::PinInit<T, Error>,
        root: impl for<'b> FnOnce(&'b SuperBlock<T>) -> Result<Ref<'b, T>>,
    ) -> Result {
        let data = KBox::pin_init(data, GFP_KERNEL)?;
        let sb = self.sb;
        // SAFETY: Live and nobody else's; the tables are static. From here on the data belongs to the
        // superblock, and `kill` drops it.
        unsafe {
            (*sb).s_magic = T::MAGIC as c_ulong;
            (*sb).s_max_links = T::MAX_LINKS;
            (*sb).s_maxbytes = settings.max_bytes.min(i64::MAX as u64) as i64;
            (*sb).s_time_gran = settings.time_granularity;
            (*sb).s_time_min = settings.times.0;
            (*sb).s_time_max = settings.times.1;
            (*sb).s_op = &raw const *Tables::<T>::OPERATIONS;
            (*sb).s_xattr = xattr::Tables::<T>::HANDLERS.as_ptr();
            (*sb).s_export_op = (&raw const *export::Tables::<T>::OPERATIONS).cast();
            // Copied from the device once, by the VFS; the filesystem asks the device itself.
            (*sb).s_flags |= bindings::SB_POSIXACL;
            (*sb).s_iflags &= !bindings::SB_I_STABLE_WRITES as c_ulong;
            bindings::storage_super_set_uuid(sb, settings.uuid.as_ptr());
            (*sb).s_fs_info = data.into_foreign().cast();
        }
        // SAFETY: It has its data now, and nobody else knows it.
        let root = root(unsafe { SuperBlock::from_raw(sb) })?;
        if !root.is_directory() {
            return Err(EUCLEAN);
        }
        // SAFETY: Takes over the reference, also where it fails.
        let dentry = unsafe { bindings::d_make_root(root.into_raw().as_ptr()) };
        if dentry.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: Live and nobody else's.
        unsafe { (*sb).s_root = dentry };
        Ok(())
    }
}

/// `kill_sb` of `struct file_system_type`.
///
/// # Safety
///
/// The VFS calls this once for a superblock of type `T`, finished or not, that nobody uses any more.
/// `s_umount` is held for writing and is the callee's to release.
pub(super) unsafe extern "C" fn kill<T: FileSystem>(sb: *mut bindings::super_block) {
    // SAFETY: The superblock is live until this returns.
    let data = unsafe { (*sb).s_fs_info };
    // What kill_block_super() does, but that `data`, which may have buffers, goes before the device.
    // SAFETY: The VFS calls this once. The superblock's memory stays until this returns.
    let bdev = unsafe {
        let bdev = (*sb).s_bdev;
        bindings::generic_shutdown_super(sb);
        bdev
    };
    if !data.is_null() {
        // SAFETY: From `into_foreign` in `finish`, and nothing uses the superblock any more.
        drop(unsafe { <Pin<KBox<T>> as ForeignOwnable>::from_foreign(data.cast()) });
    }
    if !bdev.is_null() {
        // SAFETY: The superblock's claim on the device is given up here, once.
        unsafe {
            bindings::sync_blockdev(bdev);
            bindings::fs_bdev_file_release((*sb).s_bdev_file, sb);
        }
    }
}

struct Tables<T>(T);

impl<T: FileSystem> Tables<T> {
    const OPERATIONS: &'static bindings::super_operations = &bindings::super_operations {
        alloc_inode: Some(inode::alloc::<T>),
        destroy_inode: Some(inode::destroy::<T>),
        free_inode: Some(inode::free),
        write_inode: Some(write_inode::<T>),
        sync_inode_metadata: Some(sync_inode_metadata::<T>),
        evict_inode: Some(evict_inode::<T>),
        put_super: Some(put_super::<T>),
        sync_fs: Some(sync_fs::<T>),
        freeze_fs: Some(freeze_fs::<T>),
        unfreeze_fs: Some(unfreeze_fs::<T>),
        statfs: Some(statfs::<T>),
        show_options: Some(show_options::<T>),
        ..pin_init::zeroed()
    };
}

/// `write_inode` of `struct super_operations`.
///
/// # Safety
///
/// Writeback calls this with a live inode of a filesystem of type `T`.
unsafe extern "C" fn write_inode<T: FileSystem>(
    inode: *mut bindings::inode,
    _wbc: *mut kernel::bindings::writeback_control,
) -> c_int {
    from_result(|| {
        // SAFETY: A live inode of this filesystem.
        T::write_inode(unsafe { INode::<T>::from_raw(inode) }, false)?;
        // It is in a buffer, and must still be written where somebody waits for it.
        // SAFETY: As above.
        unsafe { bindings::storage_set_inode_metadata_writeback(inode) };
        Ok(0)
    })
}

/// `sync_inode_metadata` of `struct super_operations`.
///
/// # Safety
///
/// Writeback calls this with a live inode of a filesystem of type `T`.
unsafe extern "C" fn sync_inode_metadata<T: FileSystem>(
    inode: *mut bindings::inode,
    _wbc: *mut kernel::bindings::writeback_control,
) -> c_int {
    from_result(|| {
        // SAFETY: A live inode of this filesystem.
        let inode = unsafe { INode::<T>::from_raw(inode) };
        // SAFETY: The list is initialised. This writes and waits.
        to_result(unsafe { bindings::mmb_sync(inode.metadata()) })?;
        T::write_inode(inode, true)?;
        Ok(0)
    })
}

/// `evict_inode` of `struct super_operations`.
///
/// # Safety
///
/// The VFS calls this once for an inode of a filesystem of type `T` that has no references left and
/// gets none.
unsafe extern "C" fn evict_inode<T: FileSystem>(inode: *mut bindings::inode) {
    // SAFETY: The inode has no references left, and nobody gets one until this returns.
    unsafe { bindings::truncate_inode_pages_final(&raw mut (*inode).i_data) };
    // SAFETY: As above: its memory is live.
    unsafe { INode::<T>::from_raw(inode) }
        .flights()
        .wait_for_all();
    // SAFETY: As above.
    let bad = unsafe { bindings::is_bad_inode(inode) };
    // SAFETY: As above: its memory is live.
    let inode = unsafe { INode::<T>::from_raw(inode) };
    // One that was never given a number has nothing to free.
    let deleted = inode.links() == 0 && !bad && inode.ino() != 0;
    let sb = inode.sb().as_ptr();
    // Reclaim for memory that is needed now may evict another one without names. A freezer could wait for this
    // one's end, and that one for the freezer.
    let _nofs = deleted.then(NoFs::new);
    if deleted {
        // SAFETY: The superblock is live.
        unsafe { bindings::storage_sb_start_intwrite(sb) };
        T::delete_inode(inode);
    } else {
        // SAFETY: The list is initialised. Errors are kept in the mapping.
        unsafe { bindings::mmb_sync(inode.metadata()) };
    }
    T::release_inode(inode);
    // SAFETY: The list is initialised, and the inode's last user is here.
    unsafe {
        bindings::mmb_invalidate(inode.metadata());
        bindings::clear_inode(inode.as_ptr());
    }
    if deleted {
        T::free_inode(inode.sb(), inode.ino(), inode.mode());
        // SAFETY: Started above.
        unsafe { bindings::storage_sb_end_intwrite(sb) };
    }
}

/// `put_super` of `struct super_operations`.
///
/// # Safety
///
/// The VFS calls this once for a superblock of type `T` that has a root, when its inodes are gone.
unsafe extern "C" fn put_super<T: FileSystem>(sb: *mut bindings::super_block) {
    // SAFETY: Called for superblocks that have a root: it was finished.
    T::put_super(unsafe { SuperBlock::from_raw(sb) });
}

/// `sync_fs` of `struct super_operations`.
///
/// # Safety
///
/// The VFS calls this for a mounted filesystem of type `T`, with `s_umount` held.
unsafe extern "C" fn sync_fs<T: FileSystem>(sb: *mut bindings::super_block, wait: c_int) -> c_int {
    from_result(|| {
        // SAFETY: A mounted filesystem of this type.
        let sb = unsafe { SuperBlock::<T>::from_raw(sb) };
        if wait != 0 {
            T::copies(sb).drain();
        }
        T::sync_fs(sb, wait != 0)?;
        Ok(0)
    })
}

/// `freeze_fs` of `struct super_operations`.
///
/// # Safety
///
/// The VFS calls this for a mounted filesystem of type `T`, with `s_umount` held for writing.
unsafe extern "C" fn freeze_fs<T: FileSystem>(sb: *mut bindings::super_block) -> c_int {
    from_result(|| {
        // SAFETY: A mounted filesystem of this type.
        let sb = unsafe { SuperBlock::<T>::from_raw(sb) };
        T::copies(sb).drain();
        T::freeze(sb)?;
        Ok(0)
    })
}

/// `unfreeze_fs` of `struct super_operations`.
///
/// # Safety
///
/// The VFS calls this for a mounted filesystem of type `T`, with `s_umount` held for writing.
unsafe extern "C" fn unfreeze_fs<T: FileSystem>(sb: *mut bindings::super_block) -> c_int {
    from_result(|| {
        // SAFETY: A mounted filesystem of this type.
        T::thaw(unsafe { SuperBlock::from_raw(sb) })?;
        Ok(0)
    })
}

/// `statfs` of `struct super_operations`.
///
/// # Safety
///
/// The VFS calls this with a live dentry of a mounted filesystem of type `T`; `stat` is zeroed and
/// nobody else's.
unsafe extern "C" fn statfs<T: FileSystem>(
    dentry: *mut bindings::dentry,
    stat: *mut kernel::bindings::kstatfs,
) -> c_int {
    from_result(|| {
        // SAFETY: A live dentry of a mounted filesystem of this type.
        let sb = unsafe { SuperBlock::<T>::from_raw((*dentry).d_sb) };
        let found = T::statfs(sb)?;
        let stat: *mut bindings::kstatfs = stat.cast();
        // SAFETY: The caller's, zeroed.
        unsafe {
            (*stat).f_type = T::MAGIC as c_long;
            (*stat).f_bsize = (*sb.as_ptr()).s_blocksize as c_long;
            (*stat).f_blocks = found.blocks;
            (*stat).f_bfree = found.free_blocks;
            (*stat).f_bavail = found.available_blocks;
            (*stat).f_files = found.files;
            (*stat).f_ffree = found.free_files;
            (*stat).f_namelen = found.name_len as c_long;
            (*stat).f_fsid.val = [found.fsid as c_int, (found.fsid >> 32) as c_int];
        }
        Ok(0)
    })
}

/// `show_options` of `struct super_operations`.
///
/// # Safety
///
/// The VFS calls this with a live `seq` and a live dentry of a mounted filesystem of type `T`.
unsafe extern "C" fn show_options<T: FileSystem>(
    seq: *mut bindings::seq_file,
    root: *mut bindings::dentry,
) -> c_int {
    // SAFETY: Both are live; the dentry is of a mounted filesystem of this type.
    let (out, sb) = unsafe {
        (
            SeqFile::from_raw(seq),
            SuperBlock::<T>::from_raw((*root).d_sb),
        )
    };
    T::show_options(sb, out);
    0
}
