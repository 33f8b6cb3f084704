// SPDX-License-Identifier: GPL-2.0
#include <linux/posix_acl.h>
#include <linux/uidgid.h>

#include "helpers.h"

STORAGE_HELPER(void, storage_posix_acl_release, struct posix_acl *acl)
{
	posix_acl_release(acl);
}

STORAGE_HELPER(int, storage_posix_acl_valid, const struct posix_acl *acl)
{
	return posix_acl_valid(&init_user_ns, acl);
}

STORAGE_HELPER(unsigned int, storage_posix_acl_count, const struct posix_acl *acl)
{
	return acl->a_count;
}

STORAGE_HELPER(int, storage_posix_acl_create, struct inode *dir, umode_t *mode,
	       struct posix_acl **default_acl, struct posix_acl **acl)
{
	return posix_acl_create(dir, mode, default_acl, acl);
}

/* The ID is in one of two members, by the tag. */
STORAGE_HELPER(void, storage_posix_acl_set_entry, struct posix_acl *acl,
	       unsigned int index, u16 tag, u16 perm, u32 id)
{
	struct posix_acl_entry *entry = &acl->a_entries[index];

	entry->e_tag = tag;
	entry->e_perm = perm;
	if (tag == ACL_USER)
		entry->e_uid = make_kuid(&init_user_ns, id);
	else if (tag == ACL_GROUP)
		entry->e_gid = make_kgid(&init_user_ns, id);
}

STORAGE_HELPER(void, storage_posix_acl_get_entry, const struct posix_acl *acl,
	       unsigned int index, u16 *tag, u16 *perm, u32 *id)
{
	const struct posix_acl_entry *entry = &acl->a_entries[index];

	*tag = entry->e_tag;
	*perm = entry->e_perm;
	if (*tag == ACL_USER)
		*id = from_kuid(&init_user_ns, entry->e_uid);
	else if (*tag == ACL_GROUP)
		*id = from_kgid(&init_user_ns, entry->e_gid);
}
