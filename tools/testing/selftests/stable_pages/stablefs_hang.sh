#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# stable=detached on a device that hangs: nobody is held up who has nothing to do with
# it, copies take no more memory than they may, and when the device comes back nothing is
# lost.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
begin_stablefs 14 dmsetup blockdev mkfs.ext4 sfdisk

copies() {
	awk -v name="$1" '$1 == name { print $2 }' "$(mount_stats)/copies"
}

# within SECONDS COMMAND...: it ends by then. One that doesn't is left alone: it may
# not be possible to end it.
within() {
	local pid until=$((SECONDS + $1 * SHORTEN))
	# Whoever reads what this prints must not wait for one that is left alone.
	"${@:2}" >"$WORK/within" 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		[ $SECONDS -lt $until ] || {
			echo "after $1 s it is not done:"
			cat /proc/$pid/stack
			return 1
		}
		sleep 0.1
	done
	wait $pid || {
		cat "$WORK/within"
		return 1
	}
}

until_in_flight() {
	local tries
	for tries in {1..300}; do
		[ "$(copies in_flight)" -lt "$1" ] || return 0
		sleep 0.1
	done
	echo "only $(copies in_flight) bytes after $((tries / 10)) s"
	return 1
}

# Of other filesystems there may be some that ends soon.
nothing_stays_under_writeback() {
	local is tries
	for tries in {1..50}; do
		is=$(awk '$1 == "Writeback:" { print $2 }' /proc/meminfo)
		[ "$is" -ne 0 ] || return 0
		sleep 0.1
	done
	echo "$is KiB are under writeback after $((tries / 10)) s"
	return 1
}

steals() {
	awk '/^pgsteal_(kswapd|direct) / { pages += $2 } END { print pages + 0 }' /proc/vmstat
}

reclaim() {
	local before
	before=$(steals)
	# More than is free: reclaim has to find it.
	head -c 32M /dev/urandom >"$WORK/other/cache" && sync -f "$WORK/other" || return
	python3 -c 'import mmap
free = dict(line.split(":") for line in open("/proc/meminfo"))
size = int(free["MemFree"].split()[0]) * 1024 + (16 << 20)
data = mmap.mmap(-1, size)
data.madvise(mmap.MADV_HUGEPAGE)
for at in range(0, size, 4096):
    data[at] = 1'
	at_least "pages that were reclaimed" "$(steals)" $((before + 1000)) || return
	echo 3 >/proc/sys/vm/drop_caches
}

load_with_fs size_mb=192
two_partitions 96M
sectors=$(blockdev --getsz "$TARGET")
dmsetup create stable_pages_hangs --table "0 $sectors linear $TARGET 0"
TARGET=/dev/mapper/stable_pages_hangs
# Timestamps are metadata, and that is not detached.
make_fs && mount_with stable=detached,snapshot_max=8M,lazytime
# Another filesystem.
mkdir "$WORK/other"
mkfs.ext4 -q -F "${DEV}p2" && mount "${DEV}p2" "$WORK/other"
head -c 32M /dev/urandom >"$WORK/data"
dd if=/dev/zero of="$MNT/file" bs=1M count=32 2>/dev/null
sync -f "$MNT"

flusher 5 5
# The flusher waits for as long as the device hangs, which in the debug kernel is minutes.
readonly PATIENCE=/proc/sys/kernel/hung_task_timeout_secs
patience=$(cat $PATIENCE 2>/dev/null)
[ -z "$patience" ] || echo 0 >$PATIENCE
dmsetup suspend --noflush --nolockfs stable_pages_hangs
check "writing to the file goes on" within 10 dd if="$WORK/data" of="$MNT/file" bs=1M conv=notrunc status=none
check "copies are on their way" until_in_flight $((6 << 20))
sleep 2
check "they take no more than they may" test "$(copies in_flight_peak)" -le $((8 << 20))
check "nothing is under writeback" nothing_stays_under_writeback
check "what is on its way can be read" within 10 cmp "$WORK/data" "$MNT/file"
check "another filesystem is written to" within 10 dd if="$WORK/data" of="$WORK/other/file" bs=1M conv=fsync status=none
check "another filesystem is synced" within 10 sync -f "$WORK/other"
compact() {
	echo 1 >/proc/sys/vm/compact_memory
}
check "memory is compacted" within 30 compact
check "memory is reclaimed" within 240 reclaim
check "still no more memory than they may take" test "$(copies in_flight_peak)" -le $((8 << 20))
dmsetup resume stable_pages_hangs
[ -z "$patience" ] || echo "$patience" >$PATIENCE
flusher 500 3000
check "the device comes back: it is synced" within 60 sync -f "$MNT"
check "and nothing is on its way" test "$(copies in_flight)" -eq 0
umount "$MNT" && mount_fs
check "nothing is lost" cmp "$WORK/data" "$MNT/file"
check "the filesystem is whole" whole
umount "$WORK/other"
dmsetup remove stable_pages_hangs
TARGET=$DEV
ktap_finished
