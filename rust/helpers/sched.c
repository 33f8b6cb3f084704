// SPDX-License-Identifier: GPL-2.0
#include <linux/sched.h>

#include "helpers.h"

STORAGE_HELPER(pid_t, storage_current_comm_and_pid, char *comm)
{
	strscpy_pad(comm, current->comm, TASK_COMM_LEN);
	return task_pid_nr(current);
}
