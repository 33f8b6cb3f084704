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

STORAGE_HELPER(struct folio *, storage_page_folio, struct page *page)
{
	return page_folio(page);
}

STORAGE_HELPER(loff_t, storage_folio_pos, const struct folio *folio)
{
	return folio_pos(folio);
}

STORAGE_HELPER(size_t, storage_folio_size, const struct folio *folio)
{
	return folio_size(folio);
}

STORAGE_HELPER(bool, storage_folio_test_writeback, struct folio *folio)
{
	return folio_test_writeback(folio);
}

STORAGE_HELPER(void, storage_folio_put, struct folio *folio)
{
	folio_put(folio);
}

STORAGE_HELPER(void, storage_mapping_set_large_folios, struct address_space *mapping)
{
	mapping_set_large_folios(mapping);
}
