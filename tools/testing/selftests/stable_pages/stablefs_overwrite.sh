#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Direct writes to blocks that a file has don't wait for each other, and are right beside
# everything else that happens to the file.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
mapfile -t tests < <("$HERE/stablefs_overwrite.py" --list)
# Each strategy with one size of blocks.
circumstances=('1024 wait' '4096 snapshot' '1024 detached' '4096 auto')
begin_stablefs $((${#circumstances[@]} * (2 * ${#tests[@]} + 1)))

for circumstance in "${circumstances[@]}"; do
	read -r size strategy <<<"$circumstance"
	load_with_fs size_mb=64 window_us=500000 cache_size=16 on_violation=report
	make_fs -b "$size" && mount_with "stable=$strategy"
	for name in "${tests[@]}"; do
		check "$strategy, blocks of $size: $name" \
			"$HERE/stablefs_overwrite.py" "$TARGET" "$MNT" "$name"
		check "$strategy, blocks of $size: $name: nothing changed in flight" counter_is violations 0
		rm -rf "${MNT:?}/$name"
	done
	check "$strategy, blocks of $size: the filesystem is whole" whole
done
ktap_finished
