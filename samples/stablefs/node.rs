// SPDX-License-Identifier: GPL-2.0

//! An inode in memory: what is kept with the VFS's, and how it comes from its table and goes there.

use crate::{
    ialloc, map,
    mount::{self, StableFs},
    report::{self, Where},
    strategy::Writers,
    INode, NewINode, Ref, SuperBlock,
};
use core::ops::{Deref, DerefMut, Range};
use ext2::{
    inode::{Flags, Parsed},
    path::POINTERS,
    superblock::{Block, Ino},
    time::Timestamp,
    FileType, Inode, Structure,
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Release},
        lock::{mutex::MutexBackend, Guard},
        Mutex,
    },
};
use storage::fs::{
    attr,
    inode::{Attributes, Device, Time},
    NoFs, Type as _,
};

/// What is kept with an inode.
#[pin_data]
pub(crate) struct Node {
    #[pin]
    map: Mutex<Map>,
    /// Who writes to it, as far as that matters for keeping it stable.
    #[pin]
    pub(crate) writers: Writers,
    /// Changes whenever the map of a regular file does; see `storage::fs::iomap`.
    cookie: Atomic<u64>,
}

/// Where an inode's things are. It is what the inode on disk says, less what the VFS keeps.
pub(crate) struct Map {
    /// Pointers to blocks. Of a fast symbolic link and a device file: what they are.
    pub(crate) pointers: [u32; POINTERS],
    pub(crate) flags: Flags,
    pub(crate) xattr_block: Option<Block>,
    pub(crate) crtime: Option<Timestamp>,
    version: u32,
    /// When it was deleted.
    pub(crate) dtime: u32,
    /// Blocks of the file, by number, that were allocated for a write that isn't done.
    pub(crate) pending: KVec<Range<u64>>,
    /// If they were all taken back since nothing came of it: the cookie that the writer has, and the one that
    /// stands for the same since.
    pub(crate) undone: Option<(u64, u64)>,
    /// Of a directory: the block that probably has room. None before it has.
    pub(crate) room: u64,
}

/// The lock of an inode's map. No memory is reclaimed through filesystems while it is held.
pub(crate) struct LockedMap<'a> {
    // Goes before the scope.
    map: Guard<'a, Map, MutexBackend>,
    node: &'a Node,
    _nofs: NoFs,
}

impl LockedMap<'_> {
    /// The map changes: who knows a part of it asks again.
    pub(crate) fn changed(&mut self) {
        let cookie = self.cookie().wrapping_add(1);
        self.node.cookie.store(cookie, Release);
    }

    pub(crate) fn cookie(&self) -> u64 {
        self.node.cookie()
    }
}

impl Deref for LockedMap<'_> {
    type Target = Map;

    fn deref(&self) -> &Map {
        &self.map
    }
}

impl DerefMut for LockedMap<'_> {
    fn deref_mut(&mut self) -> &mut Map {
        &mut self.map
    }
}

impl Node {
    pub(crate) fn new() -> impl PinInit<Self> {
        let map = Map {
            pointers: [0; POINTERS],
            flags: Flags::from_bits(0),
            xattr_block: None,
            crtime: None,
            version: 0,
            dtime: 0,
            pending: KVec::new(),
            undone: None,
            room: 0,
        };
        pin_init!(Self {
            map <- new_mutex!(map, "stablefs map"),
            writers <- Writers::new(),
            cookie: Atomic::new(0),
        })
    }

    /// Takes the lock. May sleep.
    pub(crate) fn lock(&self) -> LockedMap<'_> {
        let nofs = NoFs::new();
        LockedMap {
            map: self.map.lock(),
            node: self,
            _nofs: nofs,
        }
    }

    /// Takes the lock, or fails with `EAGAIN` if that may not wait.
    pub(crate) fn lock_unless(&self, nowait: bool) -> Result<LockedMap<'_>> {
        if !nowait {
            return Ok(self.lock());
        }
        let nofs = NoFs::new();
        Ok(LockedMap {
            map: self.map.try_lock().ok_or(EAGAIN)?,
            node: self,
            _nofs: nofs,
        })
    }

    pub(crate) fn cookie(&self) -> u64 {
        self.cookie.load(Acquire)
    }
}

pub(crate) fn to_time(timestamp: Timestamp) -> Time {
    Time {
        seconds: timestamp.seconds,
        nanoseconds: timestamp.nanoseconds,
    }
}

pub(crate) fn to_timestamp(time: Time) -> Timestamp {
    Timestamp {
        seconds: time.seconds,
        nanoseconds: time.nanoseconds,
    }
}

/// The number of an inode in memory.
pub(crate) fn ino(inode: &INode) -> Result<Ino> {
    let ino = u32::try_from(inode.ino()).map_err(|_| EUCLEAN)?;
    inode.sb().data().superblock.ino(ino).map_err(|_| EUCLEAN)
}

/// The inode with this number. `ESTALE` if it isn't in use. May sleep.
pub(crate) fn get(sb: &SuperBlock, ino: Ino) -> Result<Ref<'_>> {
    sb.inode(ino.get().into(), |new| fill(sb, ino, new))
}

fn fill(sb: &SuperBlock, ino: Ino, new: &mut NewINode<'_>) -> Result {
    let fs = sb.data();
    let place = Where::Inode(ino.get().into());
    let (buffer, offset) = ialloc::place_of(sb, ino)?;
    let mut bytes = KVec::from_elem(0, fs.superblock.inode_size() as usize, GFP_KERNEL)?;
    buffer.copy_to(offset, &mut bytes)?;
    let damaged = |damage| report::corrupt(sb, place, damage);
    let inode = match Inode::parse(&bytes, &fs.superblock).map_err(damaged)? {
        Parsed::InUse(inode) => inode,
        Parsed::Deleted => return Err(ESTALE),
    };
    if let Some(block) = inode.xattr_block {
        map::check_data(sb, block.get(), 1, Structure::Inode).map_err(damaged)?;
    }
    new.set_attributes(&Attributes {
        mode: inode.mode(),
        uid: inode.uid,
        gid: inode.gid,
        links: inode.links.into(),
        size: inode.size,
        sectors: inode.sectors.into(),
        atime: to_time(inode.atime),
        mtime: to_time(inode.mtime),
        ctime: to_time(inode.ctime),
        generation: inode.generation,
    })?;
    {
        let mut map = new.data().lock();
        map.pointers = inode.block;
        map.flags = inode.flags;
        map.xattr_block = inode.xattr_block;
        map.crtime = inode.crtime;
        map.version = inode.version;
    }
    attr::apply_flags(new, inode.flags.bits());
    match inode.kind {
        FileType::Regular => new.set_regular()?,
        FileType::Directory => new.set_directory()?,
        FileType::Symlink => {
            let target = target(sb, new, &inode)?;
            new.set_symlink(&target)?;
        }
        _ => {
            let device = inode.device().map_or(NO_DEVICE, |device| Device {
                major: device.major(),
                minor: device.minor(),
            });
            new.set_special(device)?;
        }
    }
    Ok(())
}

const NO_DEVICE: Device = Device { major: 0, minor: 0 };

/// What a symbolic link leads to.
fn target(sb: &SuperBlock, new: &INode, inode: &Inode) -> Result<KVec<u8>> {
    let len = usize::try_from(inode.size)?;
    let mut target = KVec::from_elem(0, len, GFP_KERNEL)?;
    if inode.is_fast_symlink(&sb.data().superblock) {
        let fast = inode.fast_target();
        target.copy_from_slice(fast.get(..len).ok_or(EUCLEAN)?);
    } else {
        map::metadata_block(new, 0)?.copy_to(0, &mut target)?;
    }
    Ok(target)
}

/// Writes an inode to its place in the table; with `sync` onto the device. May sleep.
pub(crate) fn write(inode: &INode, sync: bool) -> Result {
    let sb = inode.sb();
    let fs = sb.data();
    let (buffer, offset) = ialloc::place_of(sb, ino(inode)?)?;
    let mut bytes = KVec::from_elem(0, fs.superblock.inode_size() as usize, GFP_KERNEL)?;
    // What was said of the inode while this is done is written the next time.
    let attributes = inode.attributes();
    let kind = FileType::of_mode(attributes.mode).ok_or(EUCLEAN)?;
    let mut raw = Inode::new(kind);
    raw.permissions = attributes.mode & 0o7777;
    raw.uid = attributes.uid;
    raw.gid = attributes.gid;
    raw.size = attributes.size;
    raw.atime = to_timestamp(attributes.atime);
    raw.mtime = to_timestamp(attributes.mtime);
    raw.ctime = to_timestamp(attributes.ctime);
    raw.links = u16::try_from(attributes.links).map_err(|_| EMLINK)?;
    raw.sectors = u32::try_from(attributes.sectors).map_err(|_| EFBIG)?;
    raw.generation = attributes.generation;
    {
        let map = inode.data().lock();
        raw.flags = map.flags;
        raw.block = map.pointers;
        raw.xattr_block = map.xattr_block;
        raw.crtime = map.crtime;
        raw.version = map.version;
        raw.dtime = map.dtime;
    }
    if raw.is_large() {
        mount::need_large_file(sb)?;
    }
    buffer.modify(|locked| {
        // Attributes of the inode, behind its fields, may be set meanwhile: they stay.
        locked.copy_to(offset, &mut bytes)?;
        raw.encode(&mut bytes).ok_or(EUCLEAN)?;
        locked.write(offset, &bytes)
    })?;
    if sync {
        buffer.sync()?;
        if buffer.write_failed() {
            return Err(EIO);
        }
    }
    Ok(())
}

/// The largest number of links that an inode has room for.
pub(crate) const MAX_LINKS: u32 = StableFs::MAX_LINKS;
