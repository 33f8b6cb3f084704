// SPDX-License-Identifier: GPL-2.0
#include <linux/backing-dev.h>

#include "helpers.h"

STORAGE_HELPER(void, storage_bdi_wb_stat_mod, struct inode *inode, int item, s64 amount)
{
	bdi_wb_stat_mod(inode, item, amount);
}
