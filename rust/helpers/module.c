// SPDX-License-Identifier: GPL-2.0

#include <linux/module.h>
#include <linux/stringify.h>

/* The macro module! of the kernel crate has no key for it. */
MODULE_VERSION(__stringify(STABLE_PAGES_VERSION));
