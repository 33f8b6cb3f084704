// SPDX-License-Identifier: GPL-2.0
#include <linux/pagemap.h>

#include "helpers.h"

STORAGE_HELPER(struct address_space *, storage_page_mapping, struct page *page)
{
	return folio_mapping(page_folio(page));
}

STORAGE_HELPER(loff_t, storage_page_offset, struct page *page)
{
	return page_offset(page);
}
