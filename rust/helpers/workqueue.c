// SPDX-License-Identifier: GPL-2.0
#include <linux/workqueue.h>

#include "helpers.h"

STORAGE_HELPER(struct workqueue_struct *, storage_alloc_workqueue, const char *name,
	       unsigned int flags)
{
	return alloc_workqueue("%s", flags, 0, name);
}

STORAGE_HELPER(void, storage_init_work, struct work_struct *work, work_func_t func)
{
	INIT_WORK(work, func);
}
