// SPDX-License-Identifier: GPL-2.0
#include <linux/buffer_head.h>

#include "helpers.h"

STORAGE_HELPER(struct buffer_head *, storage_sb_getblk, struct super_block *sb,
	       sector_t block)
{
	return sb_getblk(sb, block);
}

STORAGE_HELPER(void, storage_sb_breadahead, struct super_block *sb, sector_t block)
{
	sb_breadahead(sb, block);
}

STORAGE_HELPER(int, storage_bh_read, struct buffer_head *bh)
{
	return bh_read(bh, 0);
}

STORAGE_HELPER(void, storage_get_bh, struct buffer_head *bh)
{
	get_bh(bh);
}

STORAGE_HELPER(void, storage_brelse, struct buffer_head *bh)
{
	brelse(bh);
}

STORAGE_HELPER(void, storage_lock_buffer, struct buffer_head *bh)
{
	lock_buffer(bh);
}

STORAGE_HELPER(void, storage_set_buffer_uptodate, struct buffer_head *bh)
{
	set_buffer_uptodate(bh);
}

STORAGE_HELPER(bool, storage_buffer_write_io_error, struct buffer_head *bh)
{
	return buffer_write_io_error(bh);
}
