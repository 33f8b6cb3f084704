// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros of the kernel, made callable from Rust. One file
 * per C header; thin, no logic. The prefix storage_ keeps them apart from the
 * kernel's own rust_helper_ symbols.
 */

#include "backing_dev.c"
#include "bio.c"
#include "blkdev.c"
#include "buffer_head.c"
#include "checksum.c"
#include "cred.c"
#include "fs.c"
#include "fserror.c"
#include "iomap.c"
#include "mempool.c"
#include "mm.c"
#include "module.c"
#include "pagemap.c"
#include "panic.c"
#include "posix_acl.c"
#include "ratelimit.c"
#include "rcupdate.c"
#include "sched.c"
#include "sched_mm.c"
#include "security.c"
#include "string.c"
#include "wait_bit.c"
#include "workqueue.c"
