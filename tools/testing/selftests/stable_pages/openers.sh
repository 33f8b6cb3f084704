#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Several may have the disk open, and an open disk pins the module. Removal while
# I/O is going on is refused, and clean as soon as the last opener is gone.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 18 fio

load size_mb=64 window_us=2000
exec 3<"$DEV"
exec 4<"$DEV"
check_not "two openers: the module stays" rmmod dif_blk
exec 3>&-
check_not "one opener: the module stays" rmmod dif_blk
exec 4<&-
check "none: it goes" rmmod dif_blk
check "the device goes with it" test ! -e "$DEV"

# A file of debugfs, read-only, write-only, both, and a stream; also of a disk that has gone.
load size_mb=64
for file in violations reset faults records; do
	if [ $file = reset ]; then
		exec 3>"$COUNTERS/$file"
	else
		exec 3<"$COUNTERS/$file"
	fi
	check_not "$file is open: the module stays" rmmod dif_blk
	exec 3>&-
done
log_mark
check_not "the name of the disk that there is, is taken" mkdir "$CONFIG/dif0"
check "one line says why" log_has "dif_blk: dif0: is the disk that nr_devices=1 made"
mkdir "$CONFIG/a"
set_to power 1
exec 3</sys/kernel/debug/dif_blk/a/violations
rmdir "$CONFIG/a"
check_not "the file of a disk that has gone says so" cat <&3
exec 3<&-
check "closed, all goes" rmmod dif_blk

# The disk is full: what a leak would lose is four times what is allowed for the
# caches of fio and others.
before=$(free_kb)
load size_mb=128 window_us=20000
dd if=/dev/zero of="$DEV" bs=1M oflag=direct status=none 2>/dev/null
reset_counters
fio --name=load --filename="$DEV" --rw=randrw --bs=4k --ioengine=libaio --iodepth=32 \
	--direct=1 --time_based --runtime=60 --thread --minimal >/dev/null 2>&1 &
pid=$!
for ((i = 0; i < 60 && $(counter writes_checked) == 0; i++)); do
	sleep 0.5
done
check "I/O is going on" at_least writes_checked "$(counter writes_checked)" 1
check_not "the module stays while it is" rmmod dif_blk
kill -KILL "$pid"
wait "$pid" 2>/dev/null
check "it goes as soon as it is over" rmmod dif_blk
check "and its memory is back" memory_back "$before" 32768
mounted() {
	load size_mb=64
	mkfs.ext4 -q -F "$DEV" && mount "$DEV" "$MNT" && refuse rmmod dif_blk && umount "$MNT"
}
check "a mounted filesystem pins it too" mounted
check "until it is unmounted" rmmod dif_blk
ktap_finished
