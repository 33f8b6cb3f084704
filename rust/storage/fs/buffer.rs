// SPDX-License-Identifier: GPL-2.0

//! Blocks of metadata, in the page cache of the block device.
//!
//! What is in a buffer may be written by others at any time: the block device can be opened. So its
//! bytes are only ever copied, out of it to be looked at, and into it under its lock. Whoever holds the
//! lock knows that the buffer is not being written to the device: it stays locked until that has
//! ended. **Metadata that is changed by [`Buffer::modify`] alone never changes while it is under I/O.**
//!
//! C header: [`include/linux/buffer_head.h`](srctree/include/linux/buffer_head.h)

use super::{inode::INode, NoFs, Type};
use crate::bindings;
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Range,
    ptr::{self, NonNull},
};
use kernel::{error::to_result, prelude::*};

/// Something with a block device that has blocks of one size: superblocks, mounted or being mounted.
///
/// # Safety
///
/// The pointer is to a live superblock with a block device.
pub unsafe trait OnDevice {
    #[doc(hidden)]
    fn sb_ptr(&self) -> *mut bindings::super_block;
}

/// A reference to a buffer whose content is valid. It doesn't outlive the borrow of the superblock that it
/// was read by: the device would be gone.
///
/// C: `struct buffer_head`.
///
/// # Invariants
///
/// `bh` is a buffer on which a reference is held, of a superblock that stays for `'a`. It has been
/// uptodate when whoever called for it has it.
pub struct Buffer<'a> {
    bh: NonNull<bindings::buffer_head>,
    _sb: PhantomData<&'a ()>,
}

// SAFETY: Nothing about a buffer is tied to a thread.
unsafe impl Send for Buffer<'_> {}
// SAFETY: All methods that take `&self` copy, or do the C side's locking.
unsafe impl Sync for Buffer<'_> {}

/// A buffer that stays in memory, for what is kept with a mount. It is used by way of
/// [`buffer`](Self::buffer), with the superblock.
pub struct Kept(Buffer<'static>);

impl Kept {
    /// Number of the block.
    pub fn block(&self) -> u64 {
        self.0.block()
    }

    /// The buffer. `EIO` if it isn't one of the superblock's device (any more). Any context.
    pub fn buffer<'a>(&self, sb: &'a impl OnDevice) -> Result<Buffer<'a>> {
        let bh = self.0.bh;
        // SAFETY: The superblock is live, with a block device; the buffer has a reference. One whose
        // device is gone has none any more.
        let same = unsafe {
            ptr::read_volatile(&raw const (*bh.as_ptr()).b_bdev) == (*sb.sb_ptr()).s_bdev
        };
        if !same {
            return Err(EIO);
        }
        // SAFETY: There is a reference, so there can be one more.
        unsafe { bindings::storage_get_bh(bh.as_ptr()) };
        // INVARIANT: The reference was just taken; the buffer is one of this superblock's device.
        Ok(Buffer {
            bh,
            _sb: PhantomData,
        })
    }
}

impl<'a> Buffer<'a> {
    /// Keeps it in memory.
    pub fn keep(self) -> Kept {
        // INVARIANT: `Kept` only drops it, or looks at its fields: that takes the reference and no device.
        Kept(Buffer {
            bh: ManuallyDrop::new(self).bh,
            _sb: PhantomData,
        })
    }

    /// Reads a block from the device, unless it is in memory. `EIO` if that failed. May sleep.
    pub fn read(sb: &'a impl OnDevice, block: u64) -> Result<Self> {
        let buffer = Self::get(sb, block).map_err(|_| EIO)?;
        if buffer.write_failed() {
            // That took away that its content is valid. What the device has is older, and would be read over it.
            buffer.locked(|_| ());
        }
        // SAFETY: The buffer is live.
        to_result(unsafe { bindings::storage_bh_read(buffer.bh.as_ptr()) }).map_err(|_| EIO)?;
        Ok(buffer)
    }

    /// The buffer of a block, whose content need not be valid yet: the caller sees to that.
    fn get(sb: &'a impl OnDevice, block: u64) -> Result<Self> {
        // SAFETY: The superblock has a block device and a block size as long as it lives.
        let bh = unsafe { bindings::storage_sb_getblk(sb.sb_ptr(), block) };
        // INVARIANT: sb_getblk() returns a reference.
        Ok(Self {
            bh: NonNull::new(bh).ok_or(ENOMEM)?,
            _sb: PhantomData,
        })
    }

    /// A block that was free, whose content on the device doesn't matter: all zero, and no inode's. It is written once
    /// it was modified. `ENOMEM`. May sleep.
    pub fn zeroed(sb: &'a impl OnDevice, block: u64) -> Result<Self> {
        let buffer = Self::get(sb, block)?;
        let bh = buffer.bh;
        // It may have been a block of another inode's, which it is still listed with: a fsync of the new one would
        // pass it over.
        // SAFETY: There is a reference, so there can be one more, which __bforget() takes.
        unsafe {
            bindings::storage_get_bh(bh.as_ptr());
            bindings::__bforget(bh.as_ptr());
        }
        let locked = LockedBuffer::new(&buffer);
        // SAFETY: The buffer is locked, so that nobody reads it from the device now, and
        // `data..data + len` is its memory. Others may read it; the writes are C's.
        unsafe { bindings::storage_memset(locked.data().cast(), 0, locked.len()) };
        // SAFETY: The buffer is live, locked, and has content now.
        unsafe { bindings::storage_set_buffer_uptodate(bh.as_ptr()) };
        drop(locked);
        Ok(buffer)
    }

    /// Asks the device for a block that will be read soon. Does not wait.
    pub fn read_ahead(sb: &impl OnDevice, block: u64) {
        // SAFETY: As in `read`.
        unsafe { bindings::storage_sb_breadahead(sb.sb_ptr(), block) };
    }

    /// Length in bytes: the block size.
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        // SAFETY: The buffer is live, and its size doesn't change.
        unsafe { (*self.bh.as_ptr()).b_size }
    }

    /// Number of the block.
    pub fn block(&self) -> u64 {
        // SAFETY: The buffer is live, and one of a block device stays where it is.
        unsafe { (*self.bh.as_ptr()).b_blocknr }
    }

    /// Copies bytes out of the block, from `offset` on. `EIO` if it isn't that long.
    pub fn copy_to(&self, offset: usize, to: &mut [u8]) -> Result {
        let end = offset.checked_add(to.len()).ok_or(EIO)?;
        if end > self.len() {
            return Err(EIO);
        }
        // SAFETY: The buffer is live and the range lies in its memory, which is mapped for good. Others
        // may write to it meanwhile; the copy is C's.
        unsafe {
            bindings::storage_memcpy(
                to.as_mut_ptr().cast(),
                self.data().wrapping_add(offset).cast(),
                to.len(),
            )
        };
        Ok(())
    }

    /// A copy of the whole block. `ENOMEM`.
    pub fn copy(&self) -> Result<KVec<u8>> {
        let _nofs = NoFs::new();
        let mut copy = KVec::from_elem(0, self.len(), GFP_KERNEL)?;
        self.copy_to(0, &mut copy)?;
        Ok(copy)
    }

    /// The little-endian number at `offset`, or `EIO`.
    pub fn le32(&self, offset: usize) -> Result<u32> {
        let mut bytes = [0; 4];
        self.copy_to(offset, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Changes the block: waits until it is not under I/O, lets `change` write to it, and marks it to be
    /// written. It counts as changed even where `change` fails.
    ///
    /// May sleep. Buffers are innermost: `change` takes no other lock, and no other buffer's.
    pub fn modify<R>(&self, change: impl FnOnce(&mut LockedBuffer<'_>) -> R) -> R {
        self.locked(|locked| {
            let result = change(locked);
            // Before the lock is given up: a write that fails then takes away that it is uptodate.
            // SAFETY: The buffer is live and uptodate.
            unsafe { bindings::mark_buffer_dirty(self.bh.as_ptr()) };
            result
        })
    }

    /// Like [`modify`](Self::modify), for a block that belongs to one file: its fsync writes it, if the
    /// inode is marked dirty too.
    pub fn modify_of<T: Type, R>(
        &self,
        inode: &INode<T>,
        change: impl FnOnce(&mut LockedBuffer<'_>) -> R,
    ) -> R {
        self.locked(|locked| {
            let result = change(locked);
            // SAFETY: The buffer is live and uptodate; the list is that of a live inode, initialised when
            // the inode was allocated, and emptied before it is freed.
            unsafe { bindings::mmb_mark_buffer_dirty(self.bh.as_ptr(), inode.metadata()) };
            result
        })
    }

    /// `use_it` has the buffer, whose content is valid.
    fn locked<R>(&self, use_it: impl FnOnce(&mut LockedBuffer<'_>) -> R) -> R {
        let mut locked = LockedBuffer::new(self);
        // A write that failed took that away, as if the content was none.
        // SAFETY: The buffer is live and locked, and has had valid content since it was read.
        unsafe { bindings::storage_set_buffer_uptodate(self.bh.as_ptr()) };
        use_it(&mut locked)
    }

    /// Writes the block if it was changed, and waits for that. `EIO`. May sleep.
    pub fn sync(&self) -> Result {
        // SAFETY: The buffer is live.
        to_result(unsafe { bindings::sync_dirty_buffer(self.bh.as_ptr()) })
    }

    /// Whether the last write of this block failed.
    pub fn write_failed(&self) -> bool {
        // SAFETY: The buffer is live.
        unsafe { bindings::storage_buffer_write_io_error(self.bh.as_ptr()) }
    }

    fn data(&self) -> *mut u8 {
        // SAFETY: The buffer is live; where its memory is doesn't change while there is a reference.
        unsafe { (*self.bh.as_ptr()).b_data.cast() }
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        // SAFETY: The reference is ours by the type's invariant.
        unsafe { bindings::storage_brelse(self.bh.as_ptr()) };
    }
}

/// A buffer that is locked: it is not under I/O, and nobody else who locks it changes it.
///
/// # Invariants
///
/// The lock of `buffer` is held by this.
pub struct LockedBuffer<'a> {
    buffer: &'a Buffer<'a>,
}

impl<'a> LockedBuffer<'a> {
    fn new(buffer: &'a Buffer<'a>) -> Self {
        // SAFETY: The buffer is live. May sleep, as the callers say.
        unsafe { bindings::storage_lock_buffer(buffer.bh.as_ptr()) };
        // INVARIANT: Just locked.
        Self { buffer }
    }

    fn data(&self) -> *mut u8 {
        self.buffer.data()
    }

    fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Copies bytes out of the block, as [`Buffer::copy_to`].
    pub fn copy_to(&self, offset: usize, to: &mut [u8]) -> Result {
        self.buffer.copy_to(offset, to)
    }

    /// Copies `bytes` into the block, from `offset` on. `EIO` if it isn't that long.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> Result {
        let end = offset.checked_add(bytes.len()).ok_or(EIO)?;
        if end > self.len() {
            return Err(EIO);
        }
        // SAFETY: The range lies in the buffer's memory, and the lock is held, so the device doesn't
        // read it. Others may read it meanwhile; the copy is C's.
        unsafe {
            bindings::storage_memcpy(
                self.data().wrapping_add(offset).cast(),
                bytes.as_ptr().cast(),
                bytes.len(),
            )
        };
        Ok(())
    }

    /// Copies the bytes of `block` that are in `range` to the same place in the buffer.
    pub fn write_range(&mut self, block: &[u8], range: Range<usize>) -> Result {
        let start = range.start;
        self.write(start, block.get(range).ok_or(EIO)?)
    }
}

impl Drop for LockedBuffer<'_> {
    fn drop(&mut self) {
        // SAFETY: The lock is ours by the type's invariant.
        unsafe { bindings::unlock_buffer(self.buffer.bh.as_ptr()) };
    }
}
