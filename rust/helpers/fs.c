// SPDX-License-Identifier: GPL-2.0
#include <linux/fs.h>
#include <linux/fileattr.h>
#include <linux/fs_context.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>

#include "helpers.h"

static void storage_inode_init_once(void *object)
{
	inode_init_once(object);
}

/* A cache of objects that begin with a struct inode. */
STORAGE_HELPER(struct kmem_cache *, storage_inode_cache_create, const char *name,
	       unsigned int size, unsigned int align)
{
	return kmem_cache_create(name, size, align, SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
				 storage_inode_init_once);
}

STORAGE_HELPER(void *, storage_alloc_inode_sb, struct super_block *sb,
	       struct kmem_cache *cache)
{
	return alloc_inode_sb(sb, cache, GFP_KERNEL);
}

STORAGE_HELPER(void, storage_inode_lock, struct inode *inode)
{
	inode_lock(inode);
}

STORAGE_HELPER(bool, storage_inode_trylock, struct inode *inode)
{
	return inode_trylock(inode);
}

STORAGE_HELPER(void, storage_inode_unlock, struct inode *inode)
{
	inode_unlock(inode);
}

STORAGE_HELPER(void, storage_inode_lock_shared, struct inode *inode)
{
	inode_lock_shared(inode);
}

STORAGE_HELPER(bool, storage_inode_trylock_shared, struct inode *inode)
{
	return inode_trylock_shared(inode);
}

STORAGE_HELPER(void, storage_inode_unlock_shared, struct inode *inode)
{
	inode_unlock_shared(inode);
}

STORAGE_HELPER(loff_t, storage_i_size_read, const struct inode *inode)
{
	return i_size_read(inode);
}

STORAGE_HELPER(void, storage_i_size_write, struct inode *inode, loff_t size)
{
	i_size_write(inode, size);
}

STORAGE_HELPER(uid_t, storage_i_uid_read, const struct inode *inode)
{
	return i_uid_read(inode);
}

STORAGE_HELPER(gid_t, storage_i_gid_read, const struct inode *inode)
{
	return i_gid_read(inode);
}

STORAGE_HELPER(void, storage_i_uid_write, struct inode *inode, uid_t uid)
{
	i_uid_write(inode, uid);
}

STORAGE_HELPER(void, storage_i_gid_write, struct inode *inode, gid_t gid)
{
	i_gid_write(inode, gid);
}

STORAGE_HELPER(struct timespec64, storage_inode_get_ctime, const struct inode *inode)
{
	return inode_get_ctime(inode);
}

STORAGE_HELPER(bool, storage_inode_is_new, struct inode *inode)
{
	return inode_state_read_once(inode) & I_NEW;
}

STORAGE_HELPER(void, storage_set_inode_metadata_writeback, struct inode *inode)
{
	set_inode_metadata_writeback(inode);
}

STORAGE_HELPER(void, storage_mark_inode_dirty, struct inode *inode)
{
	mark_inode_dirty(inode);
}

STORAGE_HELPER(void, storage_sb_start_intwrite, struct super_block *sb)
{
	sb_start_intwrite(sb);
}

STORAGE_HELPER(void, storage_sb_end_intwrite, struct super_block *sb)
{
	sb_end_intwrite(sb);
}

STORAGE_HELPER(void, storage_sb_start_pagefault, struct super_block *sb)
{
	sb_start_pagefault(sb);
}

STORAGE_HELPER(void, storage_sb_end_pagefault, struct super_block *sb)
{
	sb_end_pagefault(sb);
}

STORAGE_HELPER(void, storage_filemap_invalidate_lock, struct address_space *mapping)
{
	filemap_invalidate_lock(mapping);
}

STORAGE_HELPER(void, storage_filemap_invalidate_unlock, struct address_space *mapping)
{
	filemap_invalidate_unlock(mapping);
}

STORAGE_HELPER(void, storage_filemap_invalidate_lock_shared, struct address_space *mapping)
{
	filemap_invalidate_lock_shared(mapping);
}

STORAGE_HELPER(void, storage_filemap_invalidate_unlock_shared,
	       struct address_space *mapping)
{
	filemap_invalidate_unlock_shared(mapping);
}

STORAGE_HELPER(ssize_t, storage_generic_write_sync, struct kiocb *iocb, ssize_t count)
{
	return generic_write_sync(iocb, count);
}

STORAGE_HELPER(bool, storage_dir_emit, struct dir_context *ctx, const char *name,
	       int namelen, u64 ino, unsigned int type)
{
	return dir_emit(ctx, name, namelen, ino, type);
}

/* errorfc() takes a format; the message is whole. */
STORAGE_HELPER(void, storage_errorfc, struct fs_context *fc, const char *message)
{
	errorfc(fc, "%s", message);
}

STORAGE_HELPER(void, storage_super_set_uuid, struct super_block *sb, const u8 *uuid)
{
	super_set_uuid(sb, uuid, UUID_SIZE);
}

STORAGE_HELPER(int, storage_finish_open_simple, struct file *file, int error)
{
	return finish_open_simple(file, error);
}

STORAGE_HELPER(int, storage_posix_acl_chmod, struct mnt_idmap *idmap,
	       struct dentry *dentry, umode_t mode)
{
	return posix_acl_chmod(idmap, dentry, mode);
}

STORAGE_HELPER(bool, storage_fileattr_has_fsx, const struct file_kattr *fa)
{
	return fileattr_has_fsx(fa);
}

STORAGE_HELPER(void, storage_file_accessed, struct file *file)
{
	file_accessed(file);
}
