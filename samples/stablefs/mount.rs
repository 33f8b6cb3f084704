// SPDX-License-Identifier: GPL-2.0

//! What is kept with a mount; mounting, remounting, unmounting.

use crate::{
    counters::Counters,
    cut,
    groups::{self, Groups, Unreadable},
    ialloc,
    node::{self, LockedMap, Node},
    options::{Defaults, InForce, Options},
    strategy::{self, Copies, Learned, Watch},
    xattr, INode, Ref, SuperBlock,
};

use ext2::{
    features::{Compat, Feature, RoCompat},
    superblock::{self, Edit, Ino, Refused, State, Superblock},
    time,
};
use kernel::{
    fmt, new_mutex,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    str::CString,
    sync::{Arc, Mutex},
};
use storage::{
    debugfs::Scope,
    fs::{
        buffer::{Buffer, Kept, OnDevice},
        context::{Log, Value},
        export,
        inode::Time,
        sb::{New, Operations, Settings, StatFs},
        FileSystem, Type,
    },
    ratelimit::RateLimit,
};

/// A mount.
#[pin_data]
pub(crate) struct StableFs {
    /// As it was read: what doesn't change.
    pub(crate) superblock: Superblock,
    pub(crate) options: InForce,
    #[pin]
    pub(crate) groups: Groups,
    pub(crate) learned: Arc<Learned>,
    pub(crate) copies: Arc<Copies>,
    #[pin]
    pub(crate) counters: Scope<Counters>,
    /// For messages about damage.
    #[pin]
    pub(crate) log: RateLimit,
    #[pin]
    state: Mutex<Changing>,
    /// The block that the superblock is in, and where.
    buffer: Kept,
    offset: usize,
}

/// What changes in the superblock, besides the counts.
struct Changing {
    /// As it was when it was mounted, with what was found since.
    state: State,
    compat: Compat,
    ro_compat: RoCompat,
    mount_count: u16,
}

impl Changing {
    fn of(superblock: &Superblock) -> Self {
        Self {
            state: superblock.state(),
            compat: superblock.compat(),
            ro_compat: superblock.ro_compat(),
            mount_count: superblock.mount_count(),
        }
    }
}

impl Type for StableFs {
    const NAME: &'static CStr = c"stablefs";
    // ext2's: tools that ask statfs() know what to do.
    const MAGIC: u32 = superblock::MAGIC as u32;
    /// C: `EXT2_LINK_MAX`.
    const MAX_LINKS: u32 = 32000;

    type INodeData = Node;

    fn inode_data() -> impl PinInit<Node> {
        Node::new()
    }
}

impl FileSystem for StableFs {}

/// The time, as the superblock has it. It wraps in 2106.
fn now() -> u32 {
    Time::now().seconds as u32
}

/// Changes the superblock's buffer.
fn edit(sb: &SuperBlock, change: impl FnOnce(&mut Edit<'_>)) -> Result {
    let fs = sb.data();
    fs.buffer.buffer(sb)?.modify(|locked| {
        let mut bytes = [0; superblock::SIZE];
        locked.copy_to(fs.offset, &mut bytes)?;
        change(&mut Edit::new(&mut bytes).ok_or(EIO)?);
        locked.write(fs.offset, &bytes)
    })
}

/// Writes what is known now. `clean`: nothing else will be written.
fn write_super(sb: &SuperBlock, clean: bool, wait: bool) -> Result {
    let fs = sb.data();
    let totals = fs.groups.lock().totals;
    {
        let changing = fs.state.lock();
        let state = if clean {
            changing.state
        } else {
            changing.state.clean(false)
        };
        edit(sb, |edit| {
            edit.free_blocks(totals.free_blocks);
            edit.free_inodes(totals.free_inodes);
            edit.wtime(now());
            edit.state(state);
            edit.mount_count(changing.mount_count);
        })?;
    }
    if wait {
        fs.buffer.buffer(sb)?.sync()?;
    }
    Ok(())
}

/// It can be written to from now on: e2fsck is to look at it if this isn't undone.
fn begin_writing(sb: &SuperBlock) -> Result {
    {
        let fs = sb.data();
        let mut changing = fs.state.lock();
        changing.mount_count = changing.mount_count.saturating_add(1);
    }
    edit(sb, |edit| edit.mtime(now()))?;
    write_super(sb, false, true)
}

/// Something is wrong, and e2fsck is to look at it. Any of this filesystem's locks but `state` may be held.
pub(crate) fn note_error(sb: &SuperBlock) {
    let fs = sb.data();
    let mut changing = fs.state.lock();
    changing.state = changing.state.with_errors();
    let state = changing.state.clean(false);
    // If it can't be written, that is no news.
    let _ = edit(sb, |edit| edit.state(state));
}

/// There is a file that is longer than 2 GiB.
pub(crate) fn need_large_file(sb: &SuperBlock) -> Result {
    let fs = sb.data();
    let mut changing = fs.state.lock();
    if changing.ro_compat.contains(RoCompat::LARGE_FILE) {
        return Ok(());
    }
    let features = changing.ro_compat.with(RoCompat::LARGE_FILE);
    edit(sb, |edit| edit.ro_compat(features))?;
    changing.ro_compat = features;
    Ok(())
}

/// There is something that these features are about.
pub(crate) fn need_compat(sb: &SuperBlock, compat: Compat) -> Result {
    let fs = sb.data();
    let mut changing = fs.state.lock();
    if changing.compat.contains(compat) {
        return Ok(());
    }
    let features = changing.compat.with(compat);
    edit(sb, |edit| edit.compat(features))?;
    changing.compat = features;
    Ok(())
}

/// A feature, for a person.
struct Named(Feature);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (set, bit) = (self.0.set().as_str(), self.0.bit());
        match self.0.name() {
            Some(name) => f.write_fmt(fmt!("{set} feature {name}")),
            None => f.write_fmt(fmt!("{set} feature bit {bit}")),
        }
    }
}

/// Says why an image can't be mounted. Returns the errno for that.
fn refuse(log: &Log, refused: Refused) -> Error {
    let why = refused.as_str();
    match refused {
        Refused::Corrupt(damage) => {
            let (structure, what, value) = (damage.structure.as_str(), damage.what, damage.value);
            log.error(fmt!("{structure}: {what} ({value})"));
            return EUCLEAN;
        }
        Refused::Incompatible(feature) => {
            let feature = Named(feature);
            log.error(fmt!("{feature} is not supported"));
        }
        Refused::NeedsRecovery => {
            log.error(fmt!(
                "the journal needs recovery: mount it as ext3 or ext4 once, or run e2fsck"
            ));
        }
        Refused::NotExt2(magic) => {
            log.error(fmt!(
                "no ext2 superblock: its magic number is {magic:#x}, not 0xef53"
            ));
        }
        Refused::TooLarge { bytes, device } => {
            log.error(fmt!(
                "the filesystem has {bytes} bytes, its device {device}"
            ));
        }
        Refused::Revision(value) | Refused::BlockSize(value) => {
            log.error(fmt!("{why} ({value})"));
        }
    }
    EINVAL
}

/// A superblock that was read, and where it is.
struct Found {
    superblock: Superblock,
    buffer: Kept,
    offset: usize,
}

fn read_super(sb: &mut New<'_, StableFs>, log: &Log) -> Result<Found> {
    let device = sb.device_bytes();
    // Once to know the block size, and once in blocks of that size.
    let mut size = sb.device_block_size().max(1024);
    loop {
        if sb.set_block_size(size).is_err() {
            log.error(fmt!("the device can't do blocks of {size} bytes"));
            return Err(EINVAL);
        }
        let place = superblock::OFFSET;
        let block = place / u64::from(size.max(1));
        let offset = (place % u64::from(size.max(1))) as usize;
        let mut bytes = [0; superblock::SIZE];
        let buffer = Buffer::read(sb, block).inspect_err(|_| {
            log.error(fmt!("the superblock can't be read"));
        })?;
        buffer.copy_to(offset, &mut bytes)?;
        let superblock =
            Superblock::parse(&bytes, device).map_err(|refused| refuse(log, refused))?;
        let wanted = superblock.block_size().bytes();
        if wanted == size {
            return Ok(Found {
                superblock,
                buffer: buffer.keep(),
                offset,
            });
        }
        if wanted < size {
            log.error(fmt!(
                "blocks of {wanted} bytes are smaller than the device's"
            ));
            return Err(EINVAL);
        }
        drop(buffer);
        size = wanted;
    }
}

/// What stands against writing to it.
fn check_writable(superblock: &Superblock, log: &Log) -> Result {
    if let Some(feature) = superblock.read_only_because() {
        let feature = Named(feature);
        log.error(fmt!(
            "{feature} is not supported: it can be mounted read-only"
        ));
        return Err(EROFS);
    }
    match superblock.last_orphan() {
        Ok(None) => Ok(()),
        Ok(Some(ino)) => {
            let ino = ino.get();
            log.error(fmt!(
                "inode {ino} is an orphan: run e2fsck, or mount it read-only"
            ));
            Err(EROFS)
        }
        Err(damage) => Err(refuse(log, Refused::Corrupt(damage))),
    }
}

fn read_groups(sb: &impl OnDevice, superblock: &Superblock, log: &Log) -> Result<groups::Read> {
    groups::read(sb, superblock).map_err(|unreadable| match unreadable {
        Unreadable::Refused(refused) => refuse(log, refused),
        Unreadable::Error(error) => {
            log.error(fmt!("the group descriptors can't be read"));
            error
        }
    })
}

/// State and counts are taken from the device once more, before it can be written to: e2fsck may have mended them
/// while it was mounted read-only.
fn reread(sb: &SuperBlock, log: &Log) -> Result {
    let fs = sb.data();
    let mut bytes = [0; superblock::SIZE];
    fs.buffer.buffer(sb)?.copy_to(fs.offset, &mut bytes)?;
    let superblock =
        Superblock::parse(&bytes, sb.device_bytes()).map_err(|refused| refuse(log, refused))?;
    check_writable(&superblock, log)?;
    let read = read_groups(sb, &superblock, log)?;
    if !superblock.has_layout_of(&fs.superblock) || !fs.groups.refresh(read) {
        log.error(fmt!(
            "it isn't laid out as when it was mounted: unmount it, and mount it again"
        ));
        return Err(EBUSY);
    }
    *fs.state.lock() = Changing::of(&superblock);
    remark(sb.id(), &superblock);
    Ok(())
}

/// Says what a person should know of its state.
fn remark(id: storage::block::bio::FsId, superblock: &Superblock) {
    if superblock.state().has_errors() {
        pr_warn!("{id}: it has errors: run e2fsck\n");
    } else if !superblock.state().is_clean() {
        pr_warn!("{id}: it was not unmounted: run e2fsck\n");
    } else if let Some(max) = superblock.max_mount_count() {
        if superblock.mount_count() >= max {
            pr_warn!("{id}: it was mounted {max} times since it was checked: run e2fsck\n");
        }
    }
}

impl Operations for StableFs {
    type Options = Options;

    fn parse_option(
        options: &mut Options,
        key: &CStr,
        value: Value<'_>,
        log: &Log,
    ) -> Result<bool> {
        options.parse(key, value, log)
    }

    fn fill_super(mut sb: New<'_, Self>, options: &Options, log: &Log) -> Result {
        let Found {
            superblock,
            buffer,
            offset,
        } = read_super(&mut sb, log)?;
        let writable = !sb.is_read_only();
        if writable {
            check_writable(&superblock, log)?;
        }
        let read = read_groups(&sb, &superblock, log)?;
        let id = sb.id();
        let times = time::Limits::of_inode_size(superblock.inode_size());
        let settings = Settings {
            max_bytes: superblock.max_size(),
            times: (times.first, times.last),
            time_granularity: times.granularity,
            uuid: superblock.uuid(),
        };
        let defaults = Defaults {
            errors: superblock.on_error(),
            resuid: superblock.reserved_uid().into(),
            resgid: superblock.reserved_gid().into(),
        };
        let state = Changing::of(&superblock);
        let name = CString::try_from_fmt(fmt!("{id}"))?;
        let debugfs = sb.debugfs();
        if writable {
            remark(id, &superblock);
        }
        let learned = Arc::pin_init(Learned::new(), GFP_KERNEL)?;
        let limit = options.snapshot_max.unwrap_or_else(strategy::default_limit);
        let watch = Watch(learned.clone());
        let copies = Arc::pin_init(Copies::new(limit, watch), GFP_KERNEL)?;
        let shared = (learned.clone(), copies.clone());
        let counters = Counters::new(debugfs, &name, learned, copies);
        let data = try_pin_init!(Self {
            learned: shared.0,
            copies: shared.1,
            superblock,
            options: InForce::new(options, defaults),
            groups <- Groups::new(read),
            counters <- counters,
            log <- RateLimit::new(c"stablefs"),
            state <- new_mutex!(state, "stablefs superblock"),
            buffer,
            offset,
        });
        sb.finish(&settings, data, |sb| {
            let root = root(sb)?;
            if writable {
                begin_writing(sb)?;
            }
            Ok(root)
        })
        .inspect_err(|error| {
            let errno = error.to_errno();
            log.error(fmt!("the root directory can't be used ({errno})"));
        })
    }

    fn options_in_force(sb: &SuperBlock) -> Options {
        let fs = sb.data();
        Options {
            snapshot_max: Some(fs.copies.limit()),
            ..fs.options.get()
        }
    }

    fn reconfigure(sb: &SuperBlock, options: &Options, read_only: bool, log: &Log) -> Result {
        match (sb.is_read_only(), read_only) {
            (true, false) => {
                reread(sb, log)?;
                begin_writing(sb)?;
            }
            (false, true) => write_super(sb, true, true)?,
            _ => {}
        }
        // What fails has changed nothing.
        let fs = sb.data();
        if let Some(limit) = options.snapshot_max {
            fs.copies.set_limit(limit);
        }
        fs.options.set(options);
        Ok(())
    }

    fn show_options(sb: &SuperBlock, out: &SeqFile) {
        let fs = sb.data();
        fs.options.show(out);
        if fs.options.stable().copies() {
            seq_print!(out, ",snapshot_max={}", fs.copies.limit());
        }
    }

    fn statfs(sb: &SuperBlock) -> Result<StatFs> {
        let fs = sb.data();
        let totals = fs.groups.lock().totals;
        let superblock = &fs.superblock;
        let uuid = superblock.uuid();
        let (low, high) = uuid.split_at(8);
        let half = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        Ok(StatFs {
            blocks: u64::from(
                superblock
                    .blocks_count()
                    .saturating_sub(superblock.overhead()),
            ),
            free_blocks: totals.free_blocks.into(),
            available_blocks: totals
                .free_blocks
                .saturating_sub(superblock.reserved_blocks())
                .into(),
            files: superblock.inodes_count().into(),
            free_files: totals.free_inodes.into(),
            name_len: ext2::dir::MAX_NAME,
            fsid: half(low) ^ half(high),
        })
    }

    fn sync_fs(sb: &SuperBlock, wait: bool) -> Result {
        if sb.is_read_only() {
            return Ok(());
        }
        write_super(sb, false, wait)
    }

    fn freeze(sb: &SuperBlock) -> Result {
        if sb.is_read_only() {
            return Ok(());
        }
        // Whoever mounts a copy of the device meanwhile has e2fsck free what is open and has no name.
        write_super(sb, sb.unlinked() == 0, true)
    }

    fn thaw(sb: &SuperBlock) -> Result {
        if sb.is_read_only() {
            return Ok(());
        }
        write_super(sb, false, true)
    }

    fn put_super(sb: &SuperBlock) {
        if !sb.is_read_only() && write_super(sb, true, true).is_err() {
            let id = sb.id();
            pr_err!("{id}: the superblock can't be written\n");
        }
    }

    fn write_inode(inode: &INode, sync: bool) -> Result {
        node::write(inode, sync)
    }

    fn delete_inode(inode: &INode) {
        {
            let mut map = inode.data().lock();
            map.dtime = now();
            if has_blocks(inode, &map) {
                // Damage has been reported, and there is nobody to tell.
                let _ = cut::punch(inode, &mut map, 0..u64::MAX);
            }
            // It has been reported.
            let _ = xattr::release(inode, &mut map);
        }
        let _ = node::write(inode, false);
    }

    fn free_inode(sb: &SuperBlock, ino: u64, mode: u16) {
        let ino = u32::try_from(ino)
            .ok()
            .and_then(|ino| sb.data().superblock.ino(ino).ok());
        if let Some(ino) = ino {
            let is_directory = ext2::FileType::of_mode(mode) == Some(ext2::FileType::Directory);
            ialloc::free(sb, ino, is_directory);
        }
    }

    fn release_inode(inode: &INode) {
        let fs = inode.sb().data();
        fs.groups.lock().windows.drop_of(inode.ino());
    }
}

/// Whether the pointers of an inode lead to blocks, and aren't a link's target or a device's number.
fn has_blocks(inode: &INode, map: &LockedMap<'_>) -> bool {
    let fs = inode.sb().data();
    let attributes = map
        .xattr_block
        .map_or(0, |_| fs.superblock.block_size().bytes() >> 9);
    inode.is_regular()
        || inode.is_directory()
        || (inode.is_symlink() && inode.sectors() > attributes.into())
}

fn root(sb: &SuperBlock) -> Result<Ref<'_>> {
    node::get(sb, Ino::ROOT)
}

impl export::Operations for StableFs {
    fn by_handle(sb: &SuperBlock, ino: u64, generation: u32) -> Result<Ref<'_>> {
        let raw = u32::try_from(ino).map_err(|_| ESTALE)?;
        let ino = sb.data().superblock.named_ino(raw).map_err(|_| ESTALE)?;
        let inode = node::get(sb, ino)?;
        if generation != 0 && inode.generation() != generation {
            return Err(ESTALE);
        }
        Ok(inode)
    }
}
