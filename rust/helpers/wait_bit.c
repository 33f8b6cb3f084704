// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/wait_bit.h>

#include "helpers.h"

/* wait_var_event() is a macro. Woken by storage_wake_up_var(). */
STORAGE_HELPER(void, storage_wait_var_zero, atomic64_t *var)
{
	wait_var_event(var, atomic64_read(var) == 0);
}

/* Until there is room for @bytes below *@limit, or there is nothing. */
STORAGE_HELPER(void, storage_wait_var_room, atomic64_t *var, atomic64_t *limit, s64 bytes)
{
	wait_var_event(var, atomic64_read(var) == 0 ||
			    atomic64_read(var) + bytes <= atomic64_read(limit));
}

STORAGE_HELPER(void, storage_wake_up_var, atomic64_t *var)
{
	smp_mb__after_atomic();
	wake_up_var(var);
}
