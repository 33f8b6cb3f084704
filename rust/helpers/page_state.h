/* SPDX-License-Identifier: GPL-2.0 */
/* What a page is like: for its helper in pagemap.c, and the event in trace_block.h. */
#ifndef STORAGE_PAGE_STATE_H
#define STORAGE_PAGE_STATE_H

#define STORAGE_PAGE_DIRTY	0x01
#define STORAGE_PAGE_LOCKED	0x02
#define STORAGE_PAGE_WRITEBACK	0x04
#define STORAGE_PAGE_MAPPED	0x08
#define STORAGE_PAGE_PINNED	0x10
#define STORAGE_PAGE_ANONYMOUS	0x20
/* Of its bio, not of its folio. */
#define STORAGE_PAGE_DIRECT	0x40

#endif
