// SPDX-License-Identifier: GPL-2.0
#include <linux/bio.h>
#include <linux/bio-integrity.h>

#include "helpers.h"

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

STORAGE_HELPER(struct bio_integrity_payload *, storage_bio_integrity, struct bio *bio)
{
	return bio_integrity(bio);
}

/*
 * A step of for_each_bvec(), a macro: the page-bounded segment that @iter points
 * to, which is not the end. It then points to the next.
 */
STORAGE_HELPER(struct bio_vec, storage_bvec_iter_next, const struct bio_vec *bvecs,
	       struct bvec_iter *iter)
{
	struct bio_vec bv = bvec_iter_bvec(bvecs, *iter);

	bvec_iter_advance_single(bvecs, iter, bv.bv_len);
	return bv;
}
