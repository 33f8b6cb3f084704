// SPDX-License-Identifier: GPL-2.0
/* An object of its own, see trace_block.h. Bindings are made of this, too. */
#ifndef __BINDGEN__
#define CREATE_TRACE_POINTS
#endif
#include "trace_block.h"

#include "helpers.h"

STORAGE_HELPER(void, storage_trace_violation, const char *disk, const struct storage_violation *v)
{
	trace_dif_blk_violation(disk, v);
}
