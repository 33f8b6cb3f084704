#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The counters in debugfs count exactly.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 12

# io SECTOR_SIZE: 1 MiB written and read, in requests of 64 KiB.
io() {
	dd if=/dev/urandom of="$WORK/data" bs=1M count=1 status=none
	dd if="$WORK/data" of="$DEV" bs=64k oflag=direct status=none
	dd if="$DEV" of="$WORK/back" bs=64k count=16 iflag=direct status=none
}

for size in 512 4096; do
	load size_mb=16 block_size=$size
	reset_counters
	io
	check "$size: what was written is read" cmp "$WORK/data" "$WORK/back"
	check "$size: 16 writes" counter_is writes_checked 16
	check "$size: every interval is checked" counter_is intervals_checked $(((1 << 20) / size))
	check "$size: memory holds what was written" counter_is stored_bytes $((1 << 20))
done

# The partition scan at load reads, so compare before and after.
reset_counters
dd if="$DEV" of=/dev/null bs=64k count=16 iflag=direct status=none
check "every interval that is read is verified" counter_is intervals_read 256
check "none of them is wrong" counter_is read_mismatches 0
check "no violation" is violations "$(counter violations) $(counter first_violation_us)" '0 none'
reset_counters
check "reset sets them to zero, and leaves what is stored" is counters \
	"$(counter writes_checked) $(counter intervals_read) $(counter stored_bytes)" \
	"0 0 $((1 << 20))"
ktap_finished
