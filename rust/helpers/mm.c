// SPDX-License-Identifier: GPL-2.0
#include <linux/mm.h>

#include "helpers.h"

STORAGE_HELPER(unsigned long, storage_totalram_pages, void)
{
	return totalram_pages();
}
