// SPDX-License-Identifier: GPL-2.0
#include <linux/panic.h>

#include "helpers.h"

STORAGE_HELPER(void, storage_panic, const char *who)
{
	panic("%s: panic forced after error\n", who);
}
