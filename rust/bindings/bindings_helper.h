/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Header that gives bindgen what kernel::bindings does not have.
 *
 * Three kinds of things come from here: functions and types of the headers
 * named in bindgen_parameters, the helpers in rust/helpers/, and constants
 * that bindgen can't evaluate because they are casts. The latter are declared
 * with the prefix STORAGE_CONST_, which the build strips.
 */
#include <linux/backing-dev.h>
#include <linux/bio-integrity.h>
#include <linux/blk-integrity.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/buffer_head.h>
#include <linux/crc-t10dif.h>
#include <linux/exportfs.h>
#include <linux/fiemap.h>
#include <linux/fileattr.h>
#include <linux/filelock.h>
#include <linux/fs_context.h>
#include <linux/iomap.h>
#include <linux/mempool.h>
#include <linux/posix_acl.h>
#include <linux/statfs.h>
#include <linux/workqueue.h>
#include <linux/writeback.h>
#include <linux/xattr.h>

#include "../helpers/helpers.c"
#include "../helpers/trace.c"
#include "../helpers/trace_block.c"

#define STORAGE_CONST(type, name) const type STORAGE_CONST_##name = name

STORAGE_CONST(blk_status_t, BLK_STS_IOERR);
STORAGE_CONST(blk_status_t, BLK_STS_MEDIUM);
STORAGE_CONST(blk_status_t, BLK_STS_NOSPC);
STORAGE_CONST(blk_status_t, BLK_STS_NOTSUPP);
STORAGE_CONST(blk_status_t, BLK_STS_PROTECTION);
STORAGE_CONST(blk_status_t, BLK_STS_RESOURCE);
STORAGE_CONST(blk_status_t, BLK_STS_TIMEOUT);

STORAGE_CONST(blk_features_t, BLK_FEAT_FUA);
STORAGE_CONST(blk_features_t, BLK_FEAT_STABLE_WRITES);
STORAGE_CONST(blk_features_t, BLK_FEAT_WRITE_CACHE);
STORAGE_CONST(blk_opf_t, REQ_FUA);

STORAGE_CONST(unsigned long, SB_RDONLY);
STORAGE_CONST(unsigned long, SB_POSIXACL);

STORAGE_CONST(fmode_t, FMODE_WRITE);
STORAGE_CONST(fmode_t, FMODE_NOWAIT);
STORAGE_CONST(fmode_t, FMODE_CAN_ODIRECT);

STORAGE_CONST(int, IOCB_APPEND);
STORAGE_CONST(int, IOCB_NOWAIT);

STORAGE_CONST(int, WB_WRITEBACK);
STORAGE_CONST(int, WB_SYNC_ALL);

STORAGE_CONST(fop_flags_t, FOP_BUFFER_RASYNC);
STORAGE_CONST(fop_flags_t, FOP_BUFFER_WASYNC);
STORAGE_CONST(fop_flags_t, FOP_DIO_PARALLEL_WRITE);
