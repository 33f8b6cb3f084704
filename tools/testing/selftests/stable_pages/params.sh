#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A wrong module parameter: one line that names it, its value and what is
# allowed, EINVAL, nothing left behind.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 21

# The errno is only to be seen in what modprobe says.
refused() {
	local output
	output=$(modprobe dif_blk "$1" 2>&1) && {
		echo "dif_blk was loaded with $1"
		return 1
	}
	grep -q 'Invalid argument' <<<"$output" || {
		echo "not EINVAL: $output"
		return 1
	}
	[ ! -e /sys/module/dif_blk ] && [ ! -e /dev/dif0 ] && [ ! -e "$COUNTERS" ]
}

# wrong PARAMETER=VALUE ALLOWED
wrong() {
	log_mark
	check "$1: EINVAL, nothing left" refused "$1"
	check "$1: one line says what is allowed" \
		log_has "dif_blk: $1 is not valid: must be $2\$"
}

wrong size_mb=0 'a number from 1 to 16777216'
wrong size_mb=16777217 'a number from 1 to 16777216'
wrong size_mb=64M 'a number from 1 to 16777216'
wrong block_size=256 '512 or 1024 or 2048 or 4096'
wrong stable_writes=2 '0 or 1'
wrong window_us=-1 'a number from 0 to 10000000'
wrong window_us=10000001 'a number from 0 to 10000000'
wrong on_violation=ignore 'fail or report'

accepted() {
	load size_mb=8 block_size=4096 stable_writes=0 window_us=100 on_violation=report
	cd /sys/module/dif_blk/parameters || return
	is parameters "$(head -q -n 1 size_mb block_size stable_writes window_us \
		on_violation | paste -sd ' ')" '8 4096 0 100 report'
}
check "right ones are shown in sysfs" accepted
check "size is what size_mb says" is size "$(blockdev --getsize64 "$DEV")" $((8 << 20))
check "block size is what block_size says" is block_size "$(blockdev --getss "$DEV")" 4096
check "all parameters are described in modinfo" \
	is parameters "$(modinfo -p dif_blk | sed -n 's/:..*//p' | sort)" \
		"$(find /sys/module/dif_blk/parameters -type f -printf '%f\n' | sort)"
unload
check_not "a parameter given twice is refused" modprobe dif_blk size_mb=8 size_mb=16
ktap_finished
