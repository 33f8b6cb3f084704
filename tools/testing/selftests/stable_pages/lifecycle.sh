#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Fifty times load, I/O, unload: all memory comes back.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 3

cycles=$((50 / SHORTEN))

# A leak of what one cycle stores would add up to many times what is allowed.
readonly mb=16 allowed_kb=$((64 * 1024))

cycle() {
	modprobe dif_blk size_mb=64 window_us=100 &&
		dd if=/dev/zero of="$DEV" bs=1M count=$mb oflag=direct status=none &&
		dd if="$DEV" of=/dev/null bs=1M count=$mb status=none &&
		modprobe --remove dif_blk
}

run() {
	local i
	for ((i = 0; i < cycles; i++)); do
		cycle || {
			echo "cycle $i failed"
			return 1
		}
	done
}

cycle
before=$(free_kb)
check "$cycles cycles" run
check "memory is back" memory_back "$before" $allowed_kb
check "nothing is left in debugfs" test ! -e /sys/kernel/debug/dif_blk
ktap_finished
