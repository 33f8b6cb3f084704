#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# With stable pages, none of wac's six profiles finds a page that changes in
# flight on ext4. (make soak: two minutes each.)

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 13 wac mkfs.ext4

seconds=${STABLE_PAGES_WAC_SECONDS:-$((10 / SHORTEN))}
load size_mb=256 stable_writes=1 window_us=2000
mkfs.ext4 -q -F "$DEV"
mount "$DEV" "$MNT"

run() {
	wac --profile "$1" --time "${seconds}s" --violations "$COUNTERS/violations" \
		"$MNT/file" >"$WORK/log" 2>&1 || {
		echo "wac exited with $?"
		cat "$WORK/log"
		return 1
	}
}

for profile in A B C D E F; do
	reset_counters
	check "profile $profile: $seconds s, clean" run $profile
	check "profile $profile: many writes were checked" \
		at_least writes_checked "$(counter writes_checked)" 20
	echo "# $(counter writes_checked) writes, $(counter intervals_checked) intervals"
	rm "$MNT/file"
done
umount "$MNT"
check "the filesystem is whole" e2fsck -fn "$DEV"
ktap_finished
