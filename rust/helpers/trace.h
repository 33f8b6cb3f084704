/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens to folios of file data, in events/stable_pages of tracefs. Only modules
 * of filesystems link this: an event has one owner.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM stable_pages

#if !defined(STABLE_PAGES_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define STABLE_PAGES_TRACE_H

#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/pagemap.h>
#include <linux/tracepoint.h>

/* A folio goes to the device. */
TRACE_EVENT(stable_pages_writeback,
	TP_PROTO(const struct inode *inode, struct folio *folio, const char *treatment,
		 const char *strategy, const char *reason),
	TP_ARGS(inode, folio, treatment, strategy, reason),
	TP_STRUCT__entry(
		__field(dev_t,	dev)
		__field(u64,	ino)
		__field(u64,	pos)
		__field(u64,	bytes)
		__string(treatment, treatment)
		__string(strategy, strategy)
		__string(reason, reason)
	),
	TP_fast_assign(
		__entry->dev	= inode->i_sb->s_dev;
		__entry->ino	= inode->i_ino;
		__entry->pos	= folio_pos(folio);
		__entry->bytes	= folio_size(folio);
		__assign_str(treatment);
		__assign_str(strategy);
		__assign_str(reason);
	),
	TP_printk("dev %d,%d ino %llu pos %llu bytes %llu treatment %s strategy %s reason %s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino, __entry->pos,
		  __entry->bytes, __get_str(treatment), __get_str(strategy),
		  __get_str(reason))
);

/* A writer has come to a folio, and has waited or not. */
TRACE_EVENT(stable_pages_writer,
	TP_PROTO(const struct inode *inode, struct folio *folio, const char *outcome, u64 ns),
	TP_ARGS(inode, folio, outcome, ns),
	TP_STRUCT__entry(
		__field(dev_t,	dev)
		__field(u64,	ino)
		__field(u64,	pos)
		__field(u64,	bytes)
		__string(outcome, outcome)
		__field(u64,	ns)
	),
	TP_fast_assign(
		__entry->dev	= inode->i_sb->s_dev;
		__entry->ino	= inode->i_ino;
		__entry->pos	= folio_pos(folio);
		__entry->bytes	= folio_size(folio);
		__assign_str(outcome);
		__entry->ns	= ns;
	),
	TP_printk("dev %d,%d ino %llu pos %llu bytes %llu %s ns %llu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino, __entry->pos,
		  __entry->bytes, __get_str(outcome), __entry->ns)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
