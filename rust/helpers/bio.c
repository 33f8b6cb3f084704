// SPDX-License-Identifier: GPL-2.0
#include <linux/bio.h>
#include <linux/bio-integrity.h>
#include <linux/highmem.h>
#include <linux/instrumented.h>

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

STORAGE_HELPER(void, storage_bvec_iter_advance, const struct bio_vec *bvecs,
	       struct bvec_iter *iter, unsigned int bytes)
{
	bvec_iter_advance(bvecs, iter, bytes);
}

/* What lies within one page of what @iter points to, which is not the end. */
STORAGE_HELPER(struct bio_vec, storage_bvec_iter_bvec, const struct bio_vec *bvecs,
	       struct bvec_iter iter)
{
	return bvec_iter_bvec(bvecs, iter);
}

/*
 * memcpy(), but whole pages as the processor does them best. Sanitizers don't see
 * copy_page().
 */
static void copy_within_page(void *to, const void *from, size_t len)
{
	if (len == PAGE_SIZE && PAGE_ALIGNED(to) && PAGE_ALIGNED(from)) {
		instrument_memcpy_before(to, from, PAGE_SIZE);
		copy_page(to, (void *)from);
		instrument_memcpy_after(to, from, PAGE_SIZE, 0);
	} else {
		memcpy(to, from, len);
	}
}

/* The @len bytes that @iter points to, which are there. It then points behind them. */
STORAGE_HELPER(void, storage_memcpy_from_bvecs, char *to, const struct bio_vec *bvecs,
	       struct bvec_iter *iter, unsigned int len)
{
	unsigned int rest = iter->bi_size - len;
	struct bio_vec bv;

	iter->bi_size = len;
	for_each_bvec(bv, bvecs, *iter, *iter) {
		void *from = bvec_kmap_local(&bv);

		copy_within_page(to, from, bv.bv_len);
		kunmap_local(from);
		to += bv.bv_len;
	}
	iter->bi_size = rest;
}

/*
 * Whether the @len bytes that @iter points to, which are there, are those at @bytes. If
 * so, it then points behind them.
 */
STORAGE_HELPER(bool, storage_bvecs_match, const struct bio_vec *bvecs, struct bvec_iter *iter,
	       const char *bytes, unsigned int len)
{
	struct bvec_iter end = *iter;
	struct bio_vec bv;

	end.bi_size = len;
	for_each_bvec(bv, bvecs, end, end) {
		void *page = bvec_kmap_local(&bv);
		bool differs = memcmp(page, bytes, bv.bv_len);

		kunmap_local(page);
		if (differs)
			return false;
		bytes += bv.bv_len;
	}
	end.bi_size = iter->bi_size - len;
	*iter = end;
	return true;
}

/* As storage_memcpy_from_bvecs(), the other way round. */
STORAGE_HELPER(void, storage_memcpy_to_bvecs, const struct bio_vec *bvecs, struct bvec_iter *iter,
	       const char *from, unsigned int len)
{
	unsigned int rest = iter->bi_size - len;
	struct bio_vec bv;

	iter->bi_size = len;
	for_each_bvec(bv, bvecs, *iter, *iter) {
		void *to = bvec_kmap_local(&bv);

		copy_within_page(to, from, bv.bv_len);
		flush_dcache_page(bv.bv_page);
		kunmap_local(to);
		from += bv.bv_len;
	}
	iter->bi_size = rest;
}
