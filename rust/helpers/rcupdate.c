// SPDX-License-Identifier: GPL-2.0
#include <linux/rcupdate.h>

#include "helpers.h"

/* A macro without CONFIG_TASKS_RCU. */
STORAGE_HELPER(void, storage_synchronize_rcu_tasks, void)
{
	synchronize_rcu_tasks();
}
