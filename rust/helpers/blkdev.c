// SPDX-License-Identifier: GPL-2.0
#include <linux/blkdev.h>

#include "helpers.h"

STORAGE_HELPER(bool, storage_bdev_stable_writes, struct block_device *bdev)
{
	return bdev_stable_writes(bdev);
}

STORAGE_HELPER(u64, storage_bdev_nr_bytes, struct block_device *bdev)
{
	return bdev_nr_bytes(bdev);
}

STORAGE_HELPER(unsigned int, storage_bdev_max_discard_sectors, struct block_device *bdev)
{
	return bdev_max_discard_sectors(bdev);
}

STORAGE_HELPER(unsigned int, storage_bdev_logical_block_size, struct block_device *bdev)
{
	return bdev_logical_block_size(bdev);
}
