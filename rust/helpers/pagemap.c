// SPDX-License-Identifier: GPL-2.0
#include <linux/pagemap.h>

#include "helpers.h"
#include "page_state.h"

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

STORAGE_HELPER(void, storage_folio_get, struct folio *folio)
{
	folio_get(folio);
}

STORAGE_HELPER(void, storage_folio_put, struct folio *folio)
{
	folio_put(folio);
}

STORAGE_HELPER(bool, storage_mapping_tagged_dirty, const struct address_space *mapping)
{
	return mapping_tagged(mapping, PAGECACHE_TAG_DIRTY);
}

STORAGE_HELPER(void, storage_mapping_set_folio_order_range, struct address_space *mapping,
	       unsigned int min, unsigned int max)
{
	mapping_set_folio_order_range(mapping, min, max);
}

/* What a filesystem may use PG_owner_2 for. */
STORAGE_HELPER(bool, storage_folio_test_owner_2, struct folio *folio)
{
	return folio_test_owner_2(folio);
}

STORAGE_HELPER(void, storage_folio_set_owner_2, struct folio *folio)
{
	folio_set_owner_2(folio);
}

STORAGE_HELPER(void, storage_folio_clear_owner_2, struct folio *folio)
{
	folio_clear_owner_2(folio);
}

STORAGE_HELPER(bool, storage_folio_maybe_dma_pinned, struct folio *folio)
{
	return folio_maybe_dma_pinned(folio);
}

/* What the page's folio is like just now. */
STORAGE_HELPER(unsigned int, storage_page_state, struct page *page)
{
	struct folio *folio = page_folio(page);

	return (folio_test_dirty(folio) ? STORAGE_PAGE_DIRTY : 0) |
	       (folio_test_locked(folio) ? STORAGE_PAGE_LOCKED : 0) |
	       (folio_test_writeback(folio) ? STORAGE_PAGE_WRITEBACK : 0) |
	       (folio_mapped(folio) ? STORAGE_PAGE_MAPPED : 0) |
	       (folio_maybe_dma_pinned(folio) ? STORAGE_PAGE_PINNED : 0) |
	       (folio_test_anon(folio) ? STORAGE_PAGE_ANONYMOUS : 0);
}

STORAGE_HELPER(bool, storage_folio_test_dirty, struct folio *folio)
{
	return folio_test_dirty(folio);
}

STORAGE_HELPER(bool, storage_folio_mapped, struct folio *folio)
{
	return folio_mapped(folio);
}

STORAGE_HELPER(bool, storage_folio_test_uptodate, struct folio *folio)
{
	return folio_test_uptodate(folio);
}

STORAGE_HELPER(void, storage_mapping_set_error, struct address_space *mapping, int error)
{
	mapping_set_error(mapping, error);
}

STORAGE_HELPER(bool, storage_filemap_range_needs_writeback, struct address_space *mapping,
	       loff_t start, loff_t end)
{
	return filemap_range_needs_writeback(mapping, start, end);
}

/* As __folio_mark_dirty() does, without the folio being dirty; undone by the next. */
STORAGE_HELPER(void, storage_mapping_tag_dirty, struct address_space *mapping, pgoff_t index)
{
	unsigned long flags;

	xa_lock_irqsave(&mapping->i_pages, flags);
	__xa_set_mark(&mapping->i_pages, index, PAGECACHE_TAG_DIRTY);
	xa_unlock_irqrestore(&mapping->i_pages, flags);
}

/*
 * Takes the tag from what is clean, but for folios in whose bytes, from a first to an end, @busy finds
 * something. A folio that is locked may be between folio_clear_dirty_for_io() and folio_start_writeback():
 * then the tag is all that tells of it.
 */
STORAGE_HELPER(void, storage_mapping_untag_clean, struct address_space *mapping, pgoff_t first,
	       pgoff_t last, bool (*busy)(const void *data, u64 start, u64 end), const void *data)
{
	XA_STATE(xas, &mapping->i_pages, first);
	struct folio *folio;
	unsigned long flags;

	xas_lock_irqsave(&xas, flags);
	xas_for_each_marked(&xas, folio, last, PAGECACHE_TAG_DIRTY) {
		if (xa_is_value(folio) || folio_test_dirty(folio) || folio_test_locked(folio))
			continue;
		if (!busy(data, folio_pos(folio), folio_pos(folio) + folio_size(folio)))
			xas_clear_mark(&xas, PAGECACHE_TAG_DIRTY);
	}
	xas_unlock_irqrestore(&xas, flags);
}
