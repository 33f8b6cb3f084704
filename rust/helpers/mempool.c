// SPDX-License-Identifier: GPL-2.0
#include <linux/mempool.h>

#include "helpers.h"

STORAGE_HELPER(mempool_t *, storage_mempool_create_page_pool, int min_nr)
{
	return mempool_create_page_pool(min_nr, 0);
}

STORAGE_HELPER(int, storage_mempool_alloc_bulk, mempool_t *pool, void **elems,
	       unsigned int count)
{
	return mempool_alloc_bulk(pool, elems, count);
}
