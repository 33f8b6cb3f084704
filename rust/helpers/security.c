// SPDX-License-Identifier: GPL-2.0
#include <linux/security.h>

#include "helpers.h"

STORAGE_HELPER(int, storage_security_inode_init_security, struct inode *inode, struct inode *dir,
	       const struct qstr *qstr, initxattrs initxattrs, void *fs_data)
{
	return security_inode_init_security(inode, dir, qstr, initxattrs, fs_data);
}
