// SPDX-License-Identifier: GPL-2.0

//! What is done with names. A call that fails half-way takes back what it did.

use crate::{
    dir, ialloc, map,
    mount::StableFs,
    node,
    report::{self, Where},
    INode, Locked, NewINode, Ref, SuperBlock,
};
use ext2::{inode::GOOD_OLD_SIZE, superblock::Ino, Corrupt, FileType, Structure};
use kernel::prelude::*;
use storage::{
    fs::{
        attr,
        dir::{IdMap, Made, Operations, Rename},
        inode::Device,
    },
    random,
};

/// The inode that a name says it has. One that isn't in use is damage.
fn named<'a>(sb: &'a SuperBlock, dir: &INode, ino: Ino) -> Result<Ref<'a>> {
    node::get(sb, ino).map_err(|error| {
        if error != ESTALE {
            return error;
        }
        let what = "an entry with an inode that isn't in use";
        let damage = Corrupt::new(Structure::Directory, what, ino.get().into());
        report::corrupt(sb, Where::Inode(dir.ino()), damage)
    })
}

/// Puts what was changed onto the device, where that was asked for.
fn sync(inodes: &[&INode]) -> Result {
    inodes.iter().try_for_each(|inode| inode.sync_if_needed())
}

/// An inode with a number, owner and lists, and no content. It has one link.
fn new_inode<'a>(
    idmap: &IdMap,
    dir: &'a INode,
    name: Option<&[u8]>,
    mode: u16,
) -> Result<NewINode<'a>> {
    let sb = dir.sb();
    let file_type = FileType::of_mode(mode).ok_or(EINVAL)?;
    let is_directory = file_type == FileType::Directory;
    let mut new = sb.new_inode()?;
    let taken = ialloc::allocate(sb, dir, is_directory, random::u32())?;
    new.init_owner(idmap, dir, mode)?;
    new.set_generation(random::u32());
    let ino = taken.ino();
    if new.insert(ino.get().into()).is_err() {
        // It stays taken: the next one who looks would find it again.
        taken.keep();
        let damage = Corrupt::new(
            Structure::InodeBitmap,
            "an inode in use is free",
            ino.get().into(),
        );
        return Err(report::corrupt(sb, Where::Inode(ino.get().into()), damage));
    }
    taken.keep();
    ialloc::empty(sb, ino)?;
    {
        let parent = dir.data().lock().flags;
        let born = new.attributes().ctime;
        let mut map = new.data().lock();
        map.flags = parent.inherited(file_type);
        // Where the inode has room for it.
        let room = sb.data().superblock.inode_size() as usize > GOOD_OLD_SIZE;
        map.crtime = room.then(|| node::to_timestamp(born));
    }
    let flags = new.data().lock().flags;
    attr::apply_flags(&new, flags.bits());
    new.init_acl(dir)?;
    new.init_security(dir, name)?;
    Ok(new)
}

/// What is shorter than this is kept in the inode, where the block map would be.
const FAST: usize = 60;

fn set_target(new: &mut NewINode<'_>, target: &[u8]) -> Result {
    let room = new.sb().data().superblock.block_size().bytes() as usize;
    // With the zero byte that ext2 has after it.
    if target.len() >= room {
        return Err(ENAMETOOLONG);
    }
    if target.len() < FAST {
        let mut raw = ext2::Inode::new(FileType::Symlink);
        raw.set_fast_target(target).ok_or(ENAMETOOLONG)?;
        new.data().lock().pointers = raw.block;
    } else {
        let buffer = map::new_metadata_block(new, 0)?;
        buffer.modify_of(new, |locked| locked.write(0, target))?;
    }
    new.set_size(target.len() as u64)?;
    new.set_symlink(target)
}

fn set_device(new: &mut NewINode<'_>, device: Device) -> Result {
    if let Some(device_on_disk) = ext2::inode::Device::new(device.major, device.minor) {
        let mut raw = ext2::Inode::new(FileType::CharDevice);
        raw.set_device(device_on_disk);
        new.data().lock().pointers = raw.block;
        return new.set_special(device);
    }
    Err(EINVAL)
}

fn drop_link(inode: &Locked<'_>, count: u32) {
    inode.set_links(inode.links().saturating_sub(count));
    inode.changed_now();
    inode.mark_dirty();
}

fn file_type(inode: &INode) -> Result<FileType> {
    FileType::of_mode(inode.mode()).ok_or(EUCLEAN)
}

fn slot<'a>(dir: &'a INode, name: &[u8], inode: &INode) -> Result<dir::Slot<'a>> {
    let slot = dir::find(dir, name)?.ok_or(ENOENT)?;
    if u64::from(slot.ino().get()) != inode.ino() {
        return Err(ENOENT);
    }
    Ok(slot)
}

impl Operations for StableFs {
    const MAX_NAME: usize = ext2::dir::MAX_NAME;

    fn lookup<'a>(dir: &'a INode, name: &[u8]) -> Result<Option<Ref<'a>>> {
        dir::find(dir, name)?
            .map(|slot| named(dir.sb(), dir, slot.ino()))
            .transpose()
    }

    fn parent(dir: &INode) -> Result<Ref<'_>> {
        named(dir.sb(), dir, dir::parent(dir)?)
    }

    fn make<'a>(
        idmap: &IdMap,
        dir: &'a Locked<'_>,
        name: &[u8],
        mode: u16,
        what: Made<'_>,
    ) -> Result<NewINode<'a>> {
        let mut new = new_inode(idmap, dir, Some(name), mode)?;
        let own = node::ino(&new)?;
        match what {
            Made::Directory => {
                dir::begin(&mut new, own, node::ino(dir)?)?;
                new.set_links(2);
                new.set_directory()?;
            }
            Made::Symlink(target) => set_target(&mut new, target)?,
            Made::Node(_) if new.is_regular() => new.set_regular()?,
            Made::Node(device) => set_device(&mut new, device)?,
        }
        new.mark_dirty();
        dir::add(dir, name, own, file_type(&new)?)?;
        if new.is_directory() {
            dir.set_links(dir.links() + 1);
            dir.mark_dirty();
        }
        if let Err(error) = sync(&[dir, &new]) {
            // Without its name, the inode is deleted when `new` is dropped.
            if let Some(slot) = dir::find(dir, name)? {
                slot.remove(dir)?;
            }
            if new.is_directory() {
                drop_link(dir, 1);
            }
            return Err(error);
        }
        Ok(new)
    }

    fn make_unnamed<'a>(idmap: &IdMap, dir: &'a INode, mode: u16) -> Result<NewINode<'a>> {
        let mut new = new_inode(idmap, dir, None, mode)?;
        new.set_regular()?;
        new.mark_dirty();
        Ok(new)
    }

    fn link(dir: &Locked<'_>, name: &[u8], inode: &Locked<'_>) -> Result {
        dir::add(dir, name, node::ino(inode)?, file_type(inode)?)?;
        inode.set_links(inode.links() + 1);
        inode.changed_now();
        inode.mark_dirty();
        sync(&[dir, inode])
    }

    fn unlink(dir: &Locked<'_>, name: &[u8], inode: &Locked<'_>) -> Result {
        slot(dir, name, inode)?.remove(dir)?;
        drop_link(inode, 1);
        sync(&[dir])
    }

    fn remove_directory(dir: &Locked<'_>, name: &[u8], inode: &Locked<'_>) -> Result {
        if !dir::is_empty(inode)? {
            return Err(ENOTEMPTY);
        }
        slot(dir, name, inode)?.remove(dir)?;
        drop_link(inode, 2);
        drop_link(dir, 1);
        sync(&[dir])
    }

    fn rename(rename: &Rename<'_, Self>) -> Result {
        match rename.new_inode {
            Some(new_inode) if rename.exchange => exchange(rename, new_inode)?,
            _ => move_to(rename)?,
        }
        // Its `..` is another, if it moved.
        sync(&[&rename.old_dir, &rename.new_dir, rename.old_inode])?;
        rename.new_inode.map_or(Ok(()), |inode| sync(&[inode]))
    }

    fn iterate(dir: &INode, out: &mut storage::fs::dir::Emitter<'_>) -> Result {
        dir::iterate(dir, out)
    }
}

fn move_to(rename: &Rename<'_, StableFs>) -> Result {
    let Rename {
        old_dir,
        old_name,
        old_inode,
        new_dir,
        new_name,
        new_inode,
        ..
    } = rename;
    let is_directory = old_inode.is_directory();
    let moves = is_directory && old_dir.ino() != new_dir.ino();
    let ino = node::ino(old_inode)?;
    let kind = file_type(old_inode)?;
    // Everything that can fail by itself comes first.
    slot(old_dir, old_name, old_inode)?;
    if moves {
        dir::parent(old_inode)?;
    }
    if let Some(new_inode) = new_inode {
        if new_inode.is_directory() && !dir::is_empty(new_inode)? {
            return Err(ENOTEMPTY);
        }
        slot(new_dir, new_name, new_inode)?.set(new_dir, ino, kind)?;
    } else {
        dir::add(new_dir, new_name, ino, kind)?;
    }
    // The entry may be in the block that was just changed.
    let removed = slot(old_dir, old_name, old_inode).and_then(|slot| slot.remove(old_dir));
    if let Err(error) = removed {
        let undone = dir::find(new_dir, new_name).and_then(|slot| match (slot, new_inode) {
            (Some(mut slot), Some(new_inode)) => {
                slot.set(new_dir, node::ino(new_inode)?, file_type(new_inode)?)
            }
            (Some(slot), None) => slot.remove(new_dir),
            (None, _) => Ok(()),
        });
        return undone.and(Err(error));
    }
    if let Some(new_inode) = new_inode {
        let gone = rename.replaced().ok_or(EIO)?;
        drop_link(&gone, if new_inode.is_directory() { 2 } else { 1 });
        if new_inode.is_directory() {
            drop_link(new_dir, 1);
        }
    }
    old_inode.changed_now();
    old_inode.mark_dirty();
    if moves {
        dir::set_parent(old_inode, node::ino(new_dir)?)?;
        old_dir.set_links(old_dir.links().saturating_sub(1));
        new_dir.set_links(new_dir.links() + 1);
        old_dir.mark_dirty();
        new_dir.mark_dirty();
    }
    Ok(())
}

fn exchange(rename: &Rename<'_, StableFs>, new_inode: &INode) -> Result {
    let Rename {
        old_dir,
        old_name,
        old_inode,
        new_dir,
        new_name,
        ..
    } = rename;
    let old_is_directory = old_inode.is_directory();
    let new_is_directory = new_inode.is_directory();
    let moves = old_dir.ino() != new_dir.ino();
    let (old, new) = (node::ino(old_inode)?, node::ino(new_inode)?);
    let (old_type, new_type) = (file_type(old_inode)?, file_type(new_inode)?);
    if moves && new_is_directory != old_is_directory {
        let gains = if old_is_directory { new_dir } else { old_dir };
        if gains.links() >= node::MAX_LINKS {
            return Err(EMLINK);
        }
    }
    slot(new_dir, new_name, new_inode)?;
    slot(old_dir, old_name, old_inode)?.set(old_dir, new, new_type)?;
    // Read now: both may be in one block.
    let changed =
        slot(new_dir, new_name, new_inode).and_then(|mut slot| slot.set(new_dir, old, old_type));
    if let Err(error) = changed {
        let undone = slot(old_dir, old_name, new_inode)
            .and_then(|mut slot| slot.set(old_dir, old, old_type));
        return undone.and(Err(error));
    }
    for inode in [*old_inode, new_inode] {
        inode.changed_now();
        inode.mark_dirty();
    }
    if !moves {
        return Ok(());
    }
    if old_is_directory {
        dir::set_parent(old_inode, node::ino(new_dir)?)?;
    }
    if new_is_directory {
        dir::set_parent(new_inode, node::ino(old_dir)?)?;
    }
    if old_is_directory != new_is_directory {
        let (gains, loses) = if old_is_directory {
            (new_dir, old_dir)
        } else {
            (old_dir, new_dir)
        };
        gains.set_links(gains.links() + 1);
        loses.set_links(loses.links().saturating_sub(1));
        gains.mark_dirty();
        loses.mark_dirty();
    }
    Ok(())
}
