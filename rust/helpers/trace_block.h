/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What dif_blk finds, in events/dif_blk of tracefs. Only its module links this: an event
 * has one owner.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dif_blk

#ifndef STABLE_PAGES_TRACE_BLOCK_VIOLATION
#define STABLE_PAGES_TRACE_BLOCK_VIOLATION

#include <linux/types.h>
#include <linux/kdev_t.h>

#include "page_state.h"

/* A protection interval that is not what it was when its write was submitted. */
struct storage_violation {
	u64		seq;
	u64		sector;
	u64		interval;
	u64		request_sector;
	u64		request_bytes;
	u64		offset;
	u64		ino;
	u64		guard_was;
	u64		guard_is;
	u64		after_submit_ns;
	u64		look;
	u64		looks;
	dev_t		dev;
	u32		kind;
	u32		page;
	pid_t		pid;
	char		comm[16];
	char		fs[32];
	const u16	*ranges;
	const u8	*before;
	const u8	*after;
	u32		ranges_len;
	u32		before_len;
	u32		after_len;
};

#define STORAGE_VIOLATION_FILE		0
#define STORAGE_VIOLATION_BLOCK_DEVICE	1
#define STORAGE_VIOLATION_MEMORY	2

#endif

#if !defined(STABLE_PAGES_TRACE_BLOCK_H) || defined(TRACE_HEADER_MULTI_READ)
#define STABLE_PAGES_TRACE_BLOCK_H

#include <linux/tracepoint.h>

TRACE_EVENT(dif_blk_violation,
	TP_PROTO(const char *disk, const struct storage_violation *v),
	TP_ARGS(disk, v),
	TP_STRUCT__entry(
		__string(disk, disk)
		__field(u64,	seq)
		__field(u64,	sector)
		__field(u64,	interval)
		__field(u64,	request_sector)
		__field(u64,	request_bytes)
		__field(u64,	offset)
		__field(u64,	ino)
		__field(u64,	guard_was)
		__field(u64,	guard_is)
		__field(u64,	after_submit_ns)
		__field(u64,	look)
		__field(u64,	looks)
		__field(dev_t,	dev)
		__field(u32,	kind)
		__field(u32,	page)
		__field(pid_t,	pid)
		__array(char,	comm,	16)
		__array(char,	fs,	32)
		__dynamic_array(u16,	ranges,	v->ranges_len)
		__dynamic_array(u8,	before,	v->before_len)
		__dynamic_array(u8,	after,	v->after_len)
	),
	TP_fast_assign(
		__assign_str(disk);
		__entry->seq		= v->seq;
		__entry->sector		= v->sector;
		__entry->interval	= v->interval;
		__entry->request_sector	= v->request_sector;
		__entry->request_bytes	= v->request_bytes;
		__entry->offset		= v->offset;
		__entry->ino		= v->ino;
		__entry->guard_was	= v->guard_was;
		__entry->guard_is	= v->guard_is;
		__entry->after_submit_ns = v->after_submit_ns;
		__entry->look		= v->look;
		__entry->looks		= v->looks;
		__entry->dev		= v->dev;
		__entry->kind		= v->kind;
		__entry->page		= v->page;
		__entry->pid		= v->pid;
		memcpy(__entry->comm, v->comm, sizeof(v->comm));
		memcpy(__entry->fs, v->fs, sizeof(v->fs));
		memcpy(__get_dynamic_array(ranges), v->ranges, v->ranges_len * sizeof(u16));
		memcpy(__get_dynamic_array(before), v->before, v->before_len);
		memcpy(__get_dynamic_array(after), v->after, v->after_len);
	),
	TP_printk("%s seq %llu sector %llu interval %llu request %llu+%llu %s fs '%s' dev %d,%d ino %llu offset %llu ranges %s before %s after %s guard 0x%04llx -> 0x%04llx page %s after_submit_ns %llu look %llu of %llu by '%s' pid %d",
		  __get_str(disk), __entry->seq, __entry->sector, __entry->interval,
		  __entry->request_sector, __entry->request_bytes,
		  __print_symbolic(__entry->kind,
				   { STORAGE_VIOLATION_FILE,		"file" },
				   { STORAGE_VIOLATION_BLOCK_DEVICE,	"block device" },
				   { STORAGE_VIOLATION_MEMORY,		"memory" }),
		  __entry->fs, MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->offset,
		  __print_array(__get_dynamic_array(ranges),
				__get_dynamic_array_len(ranges) / sizeof(u16), sizeof(u16)),
		  __print_hex_str(__get_dynamic_array(before), __get_dynamic_array_len(before)),
		  __print_hex_str(__get_dynamic_array(after), __get_dynamic_array_len(after)),
		  __entry->guard_was, __entry->guard_is,
		  __print_flags(__entry->page, "|",
				{ STORAGE_PAGE_DIRTY,		"dirty" },
				{ STORAGE_PAGE_LOCKED,		"locked" },
				{ STORAGE_PAGE_WRITEBACK,	"writeback" },
				{ STORAGE_PAGE_MAPPED,		"mapped" },
				{ STORAGE_PAGE_PINNED,		"pinned" },
				{ STORAGE_PAGE_ANONYMOUS,	"anonymous" },
				{ STORAGE_PAGE_DIRECT,		"direct" }),
		  __entry->after_submit_ns, __entry->look, __entry->looks,
		  __entry->comm, __entry->pid)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace_block
#include <trace/define_trace.h>
