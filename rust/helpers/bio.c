// SPDX-License-Identifier: GPL-2.0
#include <linux/bio.h>

#include "helpers.h"

/* bio_iter_iovec() is a macro: the page-bounded segment that @iter points to. */
STORAGE_HELPER(void, storage_bio_iter_iovec, const struct bio *bio,
	       const struct bvec_iter *iter, struct bio_vec *bv)
{
	*bv = bio_iter_iovec(bio, *iter);
}

STORAGE_HELPER(void, storage_bio_advance_iter_single, const struct bio *bio,
	       struct bvec_iter *iter, unsigned int bytes)
{
	bio_advance_iter_single(bio, iter, bytes);
}

STORAGE_HELPER(void, storage_bio_clone_blkg_association, struct bio *dst, struct bio *src)
{
	bio_clone_blkg_association(dst, src);
}

STORAGE_HELPER(struct folio *, storage_bio_first_folio, struct bio *bio)
{
	return page_folio(bio_first_page_all(bio));
}

/* Whether a page of it must not be looked at: reading it would be a machine check. */
STORAGE_HELPER(bool, storage_bio_has_hwpoison, struct bio *bio)
{
	struct folio_iter fi;

	bio_for_each_folio_all(fi, bio)
		if (folio_contain_hwpoisoned_page(fi.folio))
			return true;
	return false;
}

STORAGE_HELPER(void, storage_bio_set_flag, struct bio *bio, unsigned int bit)
{
	bio_set_flag(bio, bit);
}
