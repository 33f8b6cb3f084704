// SPDX-License-Identifier: GPL-2.0
#include <linux/cred.h>
#include <linux/uidgid.h>

#include "helpers.h"

STORAGE_HELPER(bool, storage_current_is, uid_t uid, gid_t gid)
{
	kgid_t kgid = make_kgid(&init_user_ns, gid);

	return uid_eq(current_fsuid(), make_kuid(&init_user_ns, uid)) ||
	       (!gid_eq(kgid, GLOBAL_ROOT_GID) && in_group_p(kgid));
}
