// SPDX-License-Identifier: GPL-2.0
#include <linux/iomap.h>
#include <linux/uio.h>

#include "helpers.h"

STORAGE_HELPER(void, storage_iomap_bio_read_folio, struct folio *folio,
	       const struct iomap_ops *ops)
{
	iomap_bio_read_folio(folio, ops);
}

STORAGE_HELPER(void, storage_iomap_bio_readahead, struct readahead_control *rac,
	       const struct iomap_ops *ops)
{
	iomap_bio_readahead(rac, ops);
}

STORAGE_HELPER(size_t, storage_iov_iter_count, const struct iov_iter *iter)
{
	return iov_iter_count(iter);
}
