// SPDX-License-Identifier: GPL-2.0

//! Extended attributes and access control lists: in the inode, where it has room, or in a block of their
//! own.
//!
//! A block that several inodes share, as ext2 and ext4 make them, is read, and copied before it is changed;
//! none is made here.

use crate::{
    balloc::{self, Who},
    ialloc, map,
    mount::{self, StableFs},
    node,
    node::LockedMap,
    report::{self, Where},
    INode,
};
use ext2::{
    acl::{self, Tag},
    alloc,
    features::Compat,
    inode::GOOD_OLD_SIZE,
    le,
    superblock::Block,
    xattr::{self, index, Attributes, Key, Layout, Refused, Remaining},
    Structure,
};
use kernel::prelude::*;
use storage::fs::{
    acl::{Entry, Kind, Operations as AclOperations, PosixAcl},
    buffer::Buffer,
    xattr::{Mode, Names, Namespace, Operations},
};

fn index_of(namespace: Namespace) -> u8 {
    match namespace {
        Namespace::User => index::USER,
        Namespace::Trusted => index::TRUSTED,
        Namespace::Security => index::SECURITY,
    }
}

fn damaged(inode: &INode) -> impl Fn(ext2::Corrupt) -> Error + '_ {
    |damage| report::corrupt(inode.sb(), Where::Inode(inode.ino()), damage)
}

/// The part of an inode on disk that has attributes.
struct Area<'a> {
    buffer: Buffer<'a>,
    offset: usize,
    bytes: KVec<u8>,
}

/// Where in an inode `i_extra_isize` is, in bytes.
const EXTRA_ISIZE: usize = 128;

impl<'a> Area<'a> {
    /// `None` if the inode has no such part.
    fn read(inode: &'a INode) -> Result<Option<Self>> {
        let sb = inode.sb();
        let size = sb.data().superblock.inode_size() as usize;
        if size <= GOOD_OLD_SIZE {
            return Ok(None);
        }
        let (buffer, place) = ialloc::place_of(sb, node::ino(inode)?)?;
        let mut raw = KVec::from_elem(0, size, GFP_KERNEL)?;
        buffer.copy_to(place, &mut raw)?;
        let extra = le::get_u16(&raw, EXTRA_ISIZE).unwrap_or(0);
        let start = GOOD_OLD_SIZE.saturating_add(extra.into());
        if extra == 0 || start >= size {
            return Ok(None);
        }
        let mut bytes = KVec::new();
        bytes.extend_from_slice(raw.get(start..).ok_or(EUCLEAN)?, GFP_KERNEL)?;
        Ok(Some(Self {
            buffer,
            offset: place + start,
            bytes,
        }))
    }

    fn attributes(&self, inode: &INode) -> Result<Attributes<'_>> {
        Attributes::inode(&self.bytes).map_err(damaged(inode))
    }

    fn write(&self, image: &[u8]) -> Result {
        self.buffer
            .modify(|locked| locked.write(self.offset, image))
    }
}

/// The block that has attributes.
struct XattrBlock<'a> {
    buffer: Buffer<'a>,
    bytes: KVec<u8>,
}

impl<'a> XattrBlock<'a> {
    fn read(inode: &'a INode, block: Block) -> Result<Self> {
        let place = Where::Inode(inode.ino());
        let buffer = report::read(inode.sb(), place, Structure::XattrBlock, block.get())?;
        let bytes = buffer.copy()?;
        Ok(Self { buffer, bytes })
    }

    fn attributes(&self, inode: &INode) -> Result<Attributes<'_>> {
        Attributes::block(&self.bytes).map_err(damaged(inode))
    }
}

/// Both.
struct Everything<'a> {
    area: Option<Area<'a>>,
    block: Option<XattrBlock<'a>>,
}

impl<'a> Everything<'a> {
    fn read(inode: &'a INode, map: &LockedMap<'_>) -> Result<Self> {
        let area = Area::read(inode)?;
        let block = map
            .xattr_block
            .map(|block| XattrBlock::read(inode, block))
            .transpose()?;
        Ok(Self { area, block })
    }

    fn find(&self, inode: &INode, key: Key<'_>) -> Result<Option<&[u8]>> {
        if let Some(area) = &self.area {
            if let Some(value) = area.attributes(inode)?.find(key) {
                return Ok(Some(value));
            }
        }
        match &self.block {
            Some(block) => Ok(block.attributes(inode)?.find(key)),
            None => Ok(None),
        }
    }
}

fn key(index: u8, name: &[u8]) -> Result<Key<'_>> {
    Key::new(index, name).ok_or(ERANGE)
}

fn get(inode: &INode, key: Key<'_>) -> Result<Option<KVec<u8>>> {
    let map = inode.data().lock();
    let everything = Everything::read(inode, &map)?;
    let Some(found) = everything.find(inode, key)? else {
        return Ok(None);
    };
    let mut value = KVec::new();
    value.extend_from_slice(found, GFP_KERNEL)?;
    Ok(Some(value))
}

fn set(inode: &INode, key: Key<'_>, value: Option<&[u8]>, mode: Mode) -> Result {
    let mut map = inode.data().lock();
    let everything = Everything::read(inode, &map)?;
    match (mode, everything.find(inode, key)?) {
        (Mode::Create, Some(_)) => return Err(EEXIST),
        (Mode::Replace, None) => return Err(ENODATA),
        _ => {}
    }
    match value {
        Some(value) => put(inode, &mut map, &everything, key, value)?,
        None => take(inode, &mut map, &everything, key)?,
    }
    drop(map);
    inode.changed_now();
    inode.mark_dirty();
    Ok(())
}

/// Sets an attribute. First in the inode, so that most need no block.
fn put(
    inode: &INode,
    map: &mut LockedMap<'_>,
    everything: &Everything<'_>,
    key: Key<'_>,
    value: &[u8],
) -> Result {
    if let Some(area) = &everything.area {
        let mut image = KVec::from_elem(0, area.bytes.len(), GFP_KERNEL)?;
        let fits = area
            .attributes(inode)?
            .set(key, value, xattr::Mode::Any, &mut image);
        if fits.is_ok() {
            area.write(&image)?;
            return take_from_block(inode, map, everything, key);
        }
    }
    let size = inode.sb().data().superblock.block_size().bytes() as usize;
    let mut image = KVec::from_elem(0, size, GFP_KERNEL)?;
    let present = match &everything.block {
        Some(block) => block.attributes(inode)?,
        None => Attributes::none(Layout::Block),
    };
    present
        .set(key, value, xattr::Mode::Any, &mut image)
        .map_err(|refused| match refused {
            Refused::NoRoom => ENOSPC,
            Refused::NoSuch => ENODATA,
            Refused::Exists => EEXIST,
        })?;
    write_block(inode, map, everything, Some(&image))?;
    take_from_area(inode, everything, key)
}

fn take(
    inode: &INode,
    map: &mut LockedMap<'_>,
    everything: &Everything<'_>,
    key: Key<'_>,
) -> Result {
    take_from_area(inode, everything, key)?;
    take_from_block(inode, map, everything, key)
}

fn take_from_area(inode: &INode, everything: &Everything<'_>, key: Key<'_>) -> Result {
    let Some(area) = &everything.area else {
        return Ok(());
    };
    let mut image = KVec::from_elem(0, area.bytes.len(), GFP_KERNEL)?;
    match area.attributes(inode)?.remove(key, &mut image) {
        Ok(_) => area.write(&image),
        Err(_) => Ok(()),
    }
}

fn take_from_block(
    inode: &INode,
    map: &mut LockedMap<'_>,
    everything: &Everything<'_>,
    key: Key<'_>,
) -> Result {
    let Some(block) = &everything.block else {
        return Ok(());
    };
    let mut image = KVec::from_elem(0, block.bytes.len(), GFP_KERNEL)?;
    match block.attributes(inode)?.remove(key, &mut image) {
        Ok(Remaining::Some) => write_block(inode, map, everything, Some(&image)),
        Ok(Remaining::Nothing) => write_block(inode, map, everything, None),
        Err(_) => Ok(()),
    }
}

/// Makes `image` the inode's block of attributes; `None`: it has none.
fn write_block(
    inode: &INode,
    map: &mut LockedMap<'_>,
    everything: &Everything<'_>,
    image: Option<&[u8]>,
) -> Result {
    let sb = inode.sb();
    let fs = sb.data();
    let own = match &everything.block {
        Some(block) => xattr::refcount(&block.bytes).map_err(damaged(inode))? == 1,
        None => false,
    };
    match (image, &everything.block) {
        (Some(image), Some(block)) if own => block
            .buffer
            .modify_of(inode, |locked| locked.write(0, image)),
        (Some(image), _) => {
            let group = fs.superblock.inode_location(node::ino(inode)?).group;
            let goal = alloc::data_goal(&fs.superblock, None, group, 0);
            let (new, _) = balloc::allocate(sb, None, goal, 1, Who::Current)?;
            let buffer = match Buffer::zeroed(sb, new.get().into()) {
                Ok(buffer) => buffer,
                Err(error) => {
                    balloc::free(sb, new, 1)?;
                    return Err(error);
                }
            };
            let done = buffer
                .modify_of(inode, |locked| locked.write(0, image))
                .and_then(|()| mount::need_compat(sb, Compat::EXT_ATTR))
                .and_then(|()| release(inode, map));
            if let Err(error) = done {
                drop(buffer);
                balloc::free(sb, new, 1)?;
                return Err(error);
            }
            map::count(inode, 1);
            map.xattr_block = Some(new);
            Ok(())
        }
        (None, _) => release(inode, map),
    }
}

/// The inode has no block of attributes any more; if nobody else has it, it is free. May sleep.
pub(crate) fn release(inode: &INode, map: &mut LockedMap<'_>) -> Result {
    let Some(block) = map.xattr_block else {
        return Ok(());
    };
    let sb = inode.sb();
    map::check_data(sb, block.get(), 1, Structure::XattrBlock).map_err(damaged(inode))?;
    let XattrBlock { buffer, mut bytes } = XattrBlock::read(inode, block)?;
    // Others that have it count, too: with its lock, which is the only one that all of them take.
    let last = buffer.modify(|locked| {
        locked.copy_to(0, &mut bytes)?;
        let last = xattr::refcount(&bytes).and_then(|count| {
            let changed = (count > 1).then(|| xattr::set_refcount(&mut bytes, count - 1));
            changed.transpose()
        });
        match last {
            Ok(Some(changed)) => locked.write_range(&bytes, changed).map(|()| Ok(false)),
            Ok(None) => Ok(Ok(true)),
            Err(damage) => Ok(Err(damage)),
        }
    })?;
    drop(buffer);
    if last.map_err(damaged(inode))? {
        balloc::free(sb, block, 1)?;
    }
    map.xattr_block = None;
    map::count(inode, -1);
    Ok(())
}

impl Operations for StableFs {
    fn get(inode: &INode, namespace: Namespace, name: &[u8]) -> Result<KVec<u8>> {
        get(inode, key(index_of(namespace), name)?)?.ok_or(ENODATA)
    }

    fn set(
        inode: &INode,
        namespace: Namespace,
        name: &[u8],
        value: Option<&[u8]>,
        mode: Mode,
    ) -> Result {
        set(inode, key(index_of(namespace), name)?, value, mode)
    }

    fn list(inode: &INode, trusted: bool, names: &mut Names<'_>) -> Result {
        let map = inode.data().lock();
        let everything = Everything::read(inode, &map)?;
        let mut push = |attributes: Attributes<'_>| -> Result {
            for attribute in attributes.list() {
                let index = attribute.key.index();
                if index == index::TRUSTED && !trusted {
                    continue;
                }
                // What nobody can ask for isn't listed.
                if let Some(prefix) = index::prefix(index) {
                    names.push(&[prefix.as_bytes(), attribute.key.name()])?;
                }
            }
            Ok(())
        };
        if let Some(area) = &everything.area {
            push(area.attributes(inode)?)?;
        }
        if let Some(block) = &everything.block {
            push(block.attributes(inode)?)?;
        }
        Ok(())
    }
}

fn acl_key(kind: Kind) -> Result<Key<'static>> {
    let index = match kind {
        Kind::Access => index::POSIX_ACL_ACCESS,
        Kind::Default => index::POSIX_ACL_DEFAULT,
    };
    key(index, b"")
}

impl AclOperations for StableFs {
    fn get_acl(inode: &INode, kind: Kind) -> Result<Option<PosixAcl>> {
        let Some(value) = get(inode, acl_key(kind)?)? else {
            return Ok(None);
        };
        let list = acl::decode(&value).map_err(damaged(inode))?;
        if list.is_empty() {
            return Ok(None);
        }
        let mut entries = KVec::with_capacity(list.len(), GFP_KERNEL)?;
        for entry in list.iter() {
            let entry = Entry {
                tag: entry.tag.code(),
                perm: entry.perm,
                id: entry.tag.id().unwrap_or(0),
            };
            entries.push(entry, GFP_KERNEL)?;
        }
        PosixAcl::new(&entries).map(Some)
    }

    fn set_acl(inode: &INode, kind: Kind, list: Option<&PosixAcl>) -> Result {
        let key = acl_key(kind)?;
        let Some(list) = list else {
            return set(inode, key, None, Mode::Any);
        };
        let entries = list.entries()?;
        let len = acl::encoded_len(entries.len()).ok_or(EINVAL)?;
        let mut value = KVec::from_elem(0, len, GFP_KERNEL)?;
        let mut on_disk = KVec::with_capacity(entries.len(), GFP_KERNEL)?;
        for entry in &entries {
            let tag = tag(*entry).ok_or(EINVAL)?;
            let entry = acl::Entry {
                tag,
                perm: entry.perm,
            };
            on_disk.push(entry, GFP_KERNEL)?;
        }
        acl::encode(on_disk.iter().copied(), &mut value).ok_or(EINVAL)?;
        set(inode, key, Some(&value), Mode::Any)
    }
}

fn tag(entry: Entry) -> Option<Tag> {
    [
        Tag::UserObj,
        Tag::User(entry.id),
        Tag::GroupObj,
        Tag::Group(entry.id),
        Tag::Mask,
        Tag::Other,
    ]
    .into_iter()
    .find(|tag| tag.code() == entry.tag)
}
