// SPDX-License-Identifier: GPL-2.0
#include <linux/sched/mm.h>

#include "helpers.h"

STORAGE_HELPER(unsigned int, storage_memalloc_noio_save, void)
{
	return memalloc_noio_save();
}

STORAGE_HELPER(void, storage_memalloc_noio_restore, unsigned int flags)
{
	memalloc_noio_restore(flags);
}

STORAGE_HELPER(unsigned int, storage_memalloc_nofs_save, void)
{
	return memalloc_nofs_save();
}

STORAGE_HELPER(void, storage_memalloc_nofs_restore, unsigned int flags)
{
	memalloc_nofs_restore(flags);
}
