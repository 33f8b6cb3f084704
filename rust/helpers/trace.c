// SPDX-License-Identifier: GPL-2.0
/* An object of its own, see trace.h. Bindings are made of this, too. */
#ifndef __BINDGEN__
#define CREATE_TRACE_POINTS
#endif
#include "trace.h"

#include "helpers.h"

STORAGE_HELPER(void, storage_trace_writeback, const struct inode *inode, struct folio *folio,
	       const char *treatment, const char *strategy, const char *reason)
{
	trace_stable_pages_writeback(inode, folio, treatment, strategy, reason);
}

STORAGE_HELPER(void, storage_trace_writer, const struct inode *inode, struct folio *folio,
	       const char *outcome, u64 ns)
{
	trace_stable_pages_writer(inode, folio, outcome, ns);
}
