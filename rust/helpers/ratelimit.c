// SPDX-License-Identifier: GPL-2.0
#include <linux/ratelimit.h>

#include "helpers.h"

STORAGE_HELPER(void, storage_ratelimit_default_init, struct ratelimit_state *rs)
{
	ratelimit_default_init(rs);
}
