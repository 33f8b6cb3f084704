#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The events in tracefs: each folio that is written back, how and why, and each writer that
# comes to one, with what it waited.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
begin_stablefs 12
mount_tracefs

# Writes the first page of a file, sends it, and writes it again.
rewrite() {
	python3 - "$MNT/file" <<-'END'
		import ctypes, os, sys
		file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.pwrite(file, bytes(4096), 0)
		ctypes.CDLL(None).sync_file_range(file, ctypes.c_long(0), ctypes.c_long(4096), 2)
		os.pwrite(file, b"again", 0)
		print(os.fstat(file).st_ino)
	END
}

# traced STRATEGY: what the events say of that, without what comes before.
traced() {
	mount_with "stable=$1" && sync -f "$MNT" || return
	echo >"$TRACING/trace"
	ino=$(rewrite)
	sed -n 's/.*: \(stable_pages_[a-z]*: \)/\1/p' "$TRACING/trace" >"$WORK/trace"
	rm "$MNT/file"
	umount "$MNT"
	at="dev $device ino $ino pos 0 bytes 4096"
}

# said PATTERN: exactly one event is that, all of it.
said() {
	[ "$(grep -cEx "$1" "$WORK/trace")" = 1 ] || {
		echo "not in the trace, once: $1"
		cat "$WORK/trace"
		return 1
	}
}

load_with_fs size_mb=64 window_us=500000
make_fs
check "the events are there" test -d "$TRACING/events/stable_pages/stable_pages_writer"
echo 1 >"$TRACING/events/stable_pages/enable"
device=$(lsblk -dno MAJ:MIN "$DEV" | tr -d ' ' | tr : ,)

traced wait
check "wait: the device reads the folio" \
	said "stable_pages_writeback: $at treatment in_place strategy wait reason strategy"
check "wait: the writer waited, and how long" \
	said "stable_pages_writer: $at waited ns [1-9][0-9]{7,8}"

traced snapshot
check "snapshot: it reads a copy" \
	said "stable_pages_writeback: $at treatment snapshot strategy snapshot reason strategy"
check "snapshot: the writer was spared" said "stable_pages_writer: $at spared ns 0"

traced off
check "off: neither" said "stable_pages_writeback: $at treatment in_place strategy off reason not_needed"
check "off: nobody waits" is writers "$(grep -c 'stable_pages_writer.* waited' "$WORK/trace")" 0

traced auto
check "auto: says what it took the folio for" \
	said "stable_pages_writeback: $at treatment (in_place|snapshot) strategy auto reason (hot|last|other)"

echo 0 >"$TRACING/events/stable_pages/enable"
traced wait
check "nothing is traced that nobody asked for" is events "$(wc -l <"$WORK/trace")" 0
check "the filesystem is whole" whole
check "the modules go" unload
check "and the events with them" test ! -e "$TRACING/events/stable_pages"
ktap_finished
