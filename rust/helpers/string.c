// SPDX-License-Identifier: GPL-2.0
#include <linux/string.h>

#include "helpers.h"

/*
 * Copies out of and into pages that others write at the same time go through
 * C: Rust's own copy assumes that nobody does.
 */
STORAGE_HELPER(void, storage_memcpy, void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
}

STORAGE_HELPER(void, storage_memset, void *dst, int byte, size_t len)
{
	memset(dst, byte, len);
}
