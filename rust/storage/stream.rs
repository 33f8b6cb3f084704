// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs from which records are read as they come, a line for each.
//!
//! A record is read once, by whoever comes first. A file waits for the next one, unless it is open with
//! `O_NONBLOCK`; `poll()` tells.
//!
//! C headers: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h),
//! [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::bindings;
use core::{marker::PhantomData, ptr};
use kernel::{
    error::from_result,
    fmt::{self, Write},
    new_mutex, new_poll_condvar, new_spinlock,
    prelude::*,
    str::CStr,
    sync::{
        poll::{PollCondVar, PollTable},
        Arc, ArcBorrow, Mutex, SpinLock,
    },
    types::ForeignOwnable,
    uaccess::{UserPtr, UserSlice},
};

/// Records that wait to be read. When there is no room, the next are dropped: the first of many is the one that
/// tells most.
///
/// Its lock is innermost, and not taken in interrupts.
#[pin_data]
pub struct Queue<T> {
    #[pin]
    ring: SpinLock<Ring<T>>,
    #[pin]
    arrived: PollCondVar,
}

struct Ring<T> {
    places: KVVec<Option<T>>,
    /// Where the next one to be read is.
    first: usize,
    count: usize,
    /// So many were taken that may come back: their places, before `first`, are theirs until then.
    taken: usize,
    closed: bool,
}

impl<T> Ring<T> {
    fn push(&mut self, record: T) -> Result<(), T> {
        let len = self.places.len();
        if self.count + self.taken >= len {
            return Err(record);
        }
        match self.places.get_mut((self.first + self.count) % len.max(1)) {
            Some(place) => *place = Some(record),
            None => return Err(record),
        }
        self.count += 1;
        Ok(())
    }

    /// Takes the next; `settle` says what became of it.
    fn take(&mut self) -> Option<T> {
        self.count = self.count.checked_sub(1)?;
        let record = self.places.get_mut(self.first)?.take();
        self.first = (self.first + 1) % self.places.len().max(1);
        self.taken += 1;
        record
    }

    /// One that was taken is read, or comes back and is the next again.
    fn settle(&mut self, back: Option<T>) {
        self.taken = self.taken.saturating_sub(1);
        let len = self.places.len().max(1);
        let first = (self.first + len - 1) % len;
        if let (Some(record), Some(place)) = (back, self.places.get_mut(first)) {
            *place = Some(record);
            self.first = first;
            self.count += 1;
        }
    }
}

impl<T> Queue<T> {
    /// With room for so many. `ENOMEM`.
    pub fn new(room: usize) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            ring <- new_spinlock!(Ring {
                places: {
                    let mut places = KVVec::with_capacity(room, GFP_KERNEL)?;
                    for _ in 0..room {
                        places.push(None, GFP_KERNEL)?;
                    }
                    places
                },
                first: 0,
                count: 0,
                taken: 0,
                closed: false,
            }, "storage stream"),
            arrived <- new_poll_condvar!("storage stream arrived"),
        })
    }

    /// Adds a record, if there is room: whether there was. Not in interrupts; doesn't sleep.
    pub fn push(&self, record: T) -> bool {
        let result = self.ring.lock().push(record);
        self.arrived.notify_all();
        // What there was no room for is freed without the lock.
        result.is_ok()
    }

    /// The next record, until it is settled; `None` when none will come any more. May sleep, if it may `block`.
    /// `EAGAIN`, `ERESTARTSYS`.
    fn next(&self, block: bool) -> Result<Option<T>> {
        let mut ring = self.ring.lock();
        loop {
            if let Some(record) = ring.take() {
                return Ok(Some(record));
            }
            if ring.closed && ring.taken == 0 {
                return Ok(None);
            }
            if !block {
                return Err(EAGAIN);
            }
            if self.arrived.wait_interruptible(&mut ring) {
                return Err(ERESTARTSYS);
            }
        }
    }

    /// A record that was taken is read, or comes `back`, for whoever reads next.
    fn settle(&self, back: Option<T>) {
        let mut ring = self.ring.lock();
        let tells = back.is_some() || ring.closed;
        ring.settle(back);
        drop(ring);
        if tells {
            self.arrived.notify_all();
        }
    }

    /// Nothing more comes: who waits is told.
    fn close(&self) {
        self.ring.lock().closed = true;
        self.arrived.notify_all();
    }
}

/// A file in debugfs in which the records of a queue are read, as text.
///
/// Dropping it takes it away. Who has it open reads what is left, and then an end. It may sleep.
///
/// # Invariants
///
/// `entry` is a file of debugfs, or an error, and its private data a reference to `queue`, which `File` keeps.
pub struct File<T: fmt::Display + Send + 'static> {
    entry: *mut bindings::dentry,
    queue: Arc<Queue<T>>,
}

// SAFETY: debugfs does its own locking, and what is in the queue is `Send`.
unsafe impl<T: fmt::Display + Send> Send for File<T> {}
// SAFETY: As above; there are no methods.
unsafe impl<T: fmt::Display + Send> Sync for File<T> {}

impl<T: fmt::Display + Send> File<T> {
    /// The file `name` in the directory `path` of debugfs, whose parts exist. What can't be made isn't there,
    /// as always with debugfs. May sleep.
    pub fn new(path: &[&CStr], name: &CStr, queue: Arc<Queue<T>>) -> Self {
        let mut parent: *mut bindings::dentry = ptr::null_mut();
        for part in path {
            // SAFETY: The parent is null, for the root, or a directory that we have a reference to, which is
            // given up then.
            parent = unsafe {
                let found = bindings::debugfs_lookup(part.as_char_ptr(), parent);
                bindings::dput(parent);
                found
            };
            if parent.is_null() {
                break;
            }
        }
        if parent.is_null() {
            return Self {
                entry: parent,
                queue,
            };
        }
        // SAFETY: The parent is a directory that we have a reference to. The data is there until the file isn't,
        // and a file that is open has a reference of its own: it needs no protection from being taken away.
        let entry = unsafe {
            let entry = bindings::debugfs_create_file_unsafe(
                name.as_char_ptr(),
                0o400,
                parent,
                Arc::as_ptr(&queue).cast_mut().cast(),
                Operations::<T>::TABLE,
            );
            bindings::dput(parent);
            entry
        };
        Self { entry, queue }
    }
}

impl<T: fmt::Display + Send> Drop for File<T> {
    fn drop(&mut self) {
        // Nobody waits any more for what doesn't come.
        self.queue.close();
        // SAFETY: An entry of debugfs, null or an error, all of which it takes. Nobody opens the file when this
        // returns.
        unsafe { bindings::debugfs_remove(self.entry) };
    }
}

/// An open file.
#[pin_data]
struct Reader<T> {
    queue: Arc<Queue<T>>,
    /// What was taken from the queue and has not been read.
    #[pin]
    rest: Mutex<Text>,
}

/// Lines that are read in pieces.
struct Text {
    bytes: KVec<u8>,
    /// So many have been read.
    read: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes
            .extend_from_slice(text.as_bytes(), GFP_KERNEL)
            .map_err(|_| fmt::Error)
    }
}

impl Text {
    fn is_empty(&self) -> bool {
        self.read >= self.bytes.len()
    }

    /// Copies to user space what fits.
    fn copy_to(&mut self, to: UserPtr, len: usize) -> Result<usize> {
        let rest = self.bytes.get(self.read..).unwrap_or_default();
        let piece = rest.get(..len).unwrap_or(rest);
        UserSlice::new(to, len).writer().write_slice(piece)?;
        let count = piece.len();
        self.read += count;
        if self.is_empty() {
            self.bytes.clear();
            self.read = 0;
        }
        Ok(count)
    }
}

impl<T: fmt::Display> Reader<T> {
    fn read(&self, to: UserPtr, len: usize, block: bool) -> Result<usize> {
        if len == 0 {
            return Ok(0);
        }
        let mut rest = self.rest.lock();
        if rest.is_empty() {
            drop(rest);
            let Some(record) = self.queue.next(block)? else {
                return Ok(0);
            };
            rest = self.rest.lock();
            let len = rest.bytes.len();
            if rest.write_fmt(fmt!("{record}\n")).is_err() {
                // No half a line.
                rest.bytes.truncate(len);
                self.queue.settle(Some(record));
                return Err(ENOMEM);
            }
            self.queue.settle(None);
        }
        rest.copy_to(to, len)
    }
}

struct Operations<T>(PhantomData<T>);

impl<T: fmt::Display + Send + 'static> Operations<T> {
    const TABLE: &'static bindings::file_operations = &bindings::file_operations {
        owner: (&raw const bindings::__this_module).cast_mut(),
        open: Some(Self::open),
        read: Some(Self::read),
        poll: Some(Self::poll),
        release: Some(Self::release),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// debugfs calls this for a file that `File::<T>::new` made and that is not taken away meanwhile.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        from_result(|| {
            // SAFETY: The private data is a pointer to what is in an `Arc`, of which `File` keeps a reference.
            let queue: Arc<Queue<T>> = unsafe {
                let queue: *const Queue<T> = (*inode).i_private.cast_const().cast();
                ArcBorrow::from_raw(queue).into()
            };
            let reader = KBox::pin_init(
                pin_init!(Reader {
                    queue,
                    rest <- new_mutex!(Text { bytes: KVec::new(), read: 0 }, "storage stream rest"),
                }),
                GFP_KERNEL,
            )?;
            // SAFETY: The file is being opened: nobody else has it yet.
            unsafe {
                (*file).private_data = reader.into_foreign().cast();
                Ok(bindings::stream_open(inode, file))
            }
        })
    }

    /// # Safety
    ///
    /// `file` is open, by `open`.
    unsafe fn reader<'a>(file: *mut bindings::file) -> Pin<&'a Reader<T>> {
        // SAFETY: As the caller says; it stays until `release`.
        unsafe { <Pin<KBox<Reader<T>>> as ForeignOwnable>::borrow((*file).private_data.cast()) }
    }

    /// # Safety
    ///
    /// debugfs calls this with a file that is open, by `open`, and a place in user space.
    unsafe extern "C" fn read(
        file: *mut bindings::file,
        to: *mut c_char,
        len: usize,
        _pos: *mut bindings::loff_t,
    ) -> isize {
        from_result(|| {
            // SAFETY: The caller's.
            let (reader, flags) = unsafe { (Self::reader(file), (*file).f_flags) };
            let to = UserPtr::from_ptr(to.cast());
            let block = flags & bindings::O_NONBLOCK == 0;
            Ok(isize::try_from(reader.read(to, len, block)?)?)
        })
    }

    /// # Safety
    ///
    /// debugfs calls this with a file that is open, by `open`, and a table, or none.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) -> bindings::__poll_t {
        // SAFETY: The caller's.
        let reader = unsafe {
            let reader = Self::reader(file);
            PollTable::from_raw(table).register_wait(
                kernel::fs::File::from_raw_file(file.cast()),
                &reader.queue.arrived,
            );
            reader
        };
        let mut events = 0;
        let ring = reader.queue.ring.lock();
        if ring.count > 0 {
            events |= bindings::POLLIN | bindings::POLLRDNORM;
        }
        if ring.closed && ring.taken == 0 {
            events |= bindings::POLLHUP;
        }
        drop(ring);
        if !reader.rest.lock().is_empty() {
            events |= bindings::POLLIN | bindings::POLLRDNORM;
        }
        events
    }

    /// # Safety
    ///
    /// The VFS calls this with a file that `open` opened, which nobody else has any more.
    unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: It comes from `into_foreign`, and is not used after.
        drop(unsafe { <Pin<KBox<Reader<T>>>>::from_foreign((*file).private_data.cast()) });
        0
    }
}
