#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The disk can be partitioned, and a partition is written to where it lies.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 6 sfdisk python3

partition() {
	sfdisk --quiet "$DEV" <<-TABLE
	label: gpt
	start=2048, size=8192
	start=16384, size=8192
	TABLE
}

load size_mb=16 window_us=1000000
check "sfdisk writes a table" partition
check "two partitions appear" is partitions \
	"$(find /sys/block/dif0/ -maxdepth 1 -name 'dif0p*' | wc -l)" 2
dd if=/dev/urandom of="$WORK/data" bs=64k count=1 status=none
check "writing to the second" dd if="$WORK/data" of="${DEV}p2" bs=64k oflag=direct status=none
dd if="$DEV" of="$WORK/back" bs=512 skip=16384 count=128 iflag=direct status=none
check "it lies where the table says" cmp "$WORK/data" "$WORK/back"

log_mark
"$HERE/flip_in_flight.py" "${DEV}p2" 16 4096 700 0.3 >/dev/null
check "a violation in a partition names the disk's sector" \
	log_has 'dif0: page changed in flight: sector 16401, no inode, bytes 188-188'
check "the table survives" sfdisk --verify --quiet "$DEV"
ktap_finished
