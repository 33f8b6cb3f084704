#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Buffers of direct I/O that are changed in flight, and pages of a file that a device
# writes to while they are written back: the device sees no change, whatever the
# strategy, but for stable=off. And buffers that are changed before what was read into
# them is verified.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
mapfile -t tests < <("$HERE/stablefs_direct.py" --list)
strategies=(wait snapshot detached auto)
begin_stablefs $(((${#strategies[@]} + 1) * (${#tests[@]} * 2 + 1) + 1)) dmsetup sfdisk

load_with_fs size_mb=64 window_us=2000000 on_violation=report
two_partitions 32M
# What reads slowly.
tr '\0' '\252' </dev/zero | dd of="${DEV}p2" bs=64k count=16 oflag=direct status=none
dmsetup create stable_pages_slow --table "0 2048 delay ${DEV}p2 0 1200"
export SLOW=/dev/mapper/stable_pages_slow

make_fs && mount_fs
for strategy in "${strategies[@]}"; do
	mount -o "remount,stable=$strategy" "$MNT"
	for name in "${tests[@]}"; do
		reset_counters
		check "$strategy: $name" "$HERE/stablefs_direct.py" "$TARGET" "$MNT" "$name"
		check "$strategy: $name: no violation" counter_is violations 0
		rm -rf "${MNT:?}/$name"
	done
done
mount -o remount,stable=off "$MNT"
for name in "${tests[@]}"; do
	reset_counters
	check "off: $name" "$HERE/stablefs_direct.py" "$TARGET" "$MNT" "$name"
	check "off: $name: violations" at_least violations "$(counter violations)" 1
	rm -rf "${MNT:?}/$name"
done
check "the filesystem is whole" whole
dmsetup remove stable_pages_slow
TARGET=$DEV

# Its tuples are checked by the block layer, after the pages were filled.
load_with_fs size_mb=64 pi=dix completion_us=200000
make_fs && mount_fs
read_verified() {
	"$HERE/stablefs_direct_read.py" "$TARGET" "$MNT" read
}
for strategy in "${strategies[@]}"; do
	mount -o "remount,stable=$strategy" "$MNT"
	check "$strategy: a direct read that is verified" read_verified
	rm -rf "${MNT:?}/read"
done
mount -o remount,stable=off "$MNT"
check_not "off: it fails" read_verified
umount "$MNT"
ktap_finished
