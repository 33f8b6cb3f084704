#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A violation is a record that says where, whose, what, when and by whom; as JSON lines, from
# a file that can be waited for.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 10 python3 mkfs.ext4

load size_mb=64 stable_writes=0 window_us=2000000 on_violation=report
mkfs.ext4 -q -O ^has_journal "$DEV" && mount "$DEV" "$MNT"
check "a file's page" "$HERE/records.py" "$MNT" file
mount_tracefs
check "the event says the same" "$HERE/records.py" "$MNT" event
umount "$MNT"

load size_mb=64 stable_writes=0 window_us=2000000 on_violation=report
check "a page of the block device" "$HERE/records.py" "$MNT" device

for action in fail report; do
	load size_mb=64 window_us=1000000 keep_copy=0 on_violation=$action
	check "nothing was kept, $action: all of the interval" "$HERE/records.py" "$MNT" changed
done

load size_mb=64 window_us=1000000
check "a buffer of direct I/O" "$HERE/records.py" "$MNT" direct
check "poll and waiting" "$HERE/records.py" "$MNT" poll
load size_mb=64 window_us=1000000 records=2
check "what there is no room for is counted" "$HERE/records.py" "$MNT" dropped

load nr_devices=0
mkdir "$CONFIG/dif0"
echo 64 >"$CONFIG/dif0/size"
echo 1 >"$CONFIG/dif0/power"
check "a reader comes to an end when the disk goes" "$HERE/records.py" "$MNT" removed
check "and the directory, too" rmdir "$CONFIG/dif0"
ktap_finished
