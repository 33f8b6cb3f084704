#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What fsync and the like have acknowledged is on the device, with each way of keeping
# pages stable, while others rewrite the bytes next to it in the same folio.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
mapfile -t tests < <("$HERE/stablefs_integrity.py" --list)
strategies=(wait snapshot detached auto)
sizes=(1024 4096)
[ "$SHORTEN" -eq 1 ] || sizes=(4096)
begin_stablefs $((${#sizes[@]} * (${#strategies[@]} * (${#tests[@]} + 1) + 2)))
# What it takes is detached.
flusher 5 5

for size in "${sizes[@]}"; do
	load_with_fs size_mb=64 window_us=2000
	make_fs -b "$size" && mount_fs
	for strategy in "${strategies[@]}"; do
		mount -o "remount,stable=$strategy" "$MNT"
		reset_counters
		echo 1 >"$(mount_stats)/reset"
		for name in "${tests[@]}"; do
			check "$size: $strategy: $name" "$HERE/stablefs_integrity.py" "$DEV" "$MNT" "$name"
			rm -rf "${MNT:?}/$name"
		done
		check "$size: $strategy: no page changed in flight" \
			counter_is violations 0
		[ "$strategy" != detached ] ||
			check "$size: some was detached" at_least detached "$(decided detached)" 1
	done
	check "$size: the filesystem is whole" whole
done
flusher 500 3000
ktap_finished
