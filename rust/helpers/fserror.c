// SPDX-License-Identifier: GPL-2.0
#include <linux/fserror.h>

#include "helpers.h"

STORAGE_HELPER(void, storage_fserror_report_write, struct inode *inode, loff_t pos, u64 len,
	       int error)
{
	fserror_report_io(inode, FSERR_BUFFERED_WRITE, pos, len, error, GFP_ATOMIC);
}
