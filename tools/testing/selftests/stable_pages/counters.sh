#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The counters in debugfs count exactly.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 20

# io SECTOR_SIZE: 1 MiB written and read, in requests of 64 KiB.
io() {
	dd if=/dev/urandom of="$WORK/data" bs=1M count=1 status=none
	dd if="$WORK/data" of="$DEV" bs=64k oflag=direct status=none
	dd if="$DEV" of="$WORK/back" bs=64k count=16 iflag=direct status=none
}

# sum OPERATION: requests, bios and bytes, of all queues.
sum() {
	awk -v op="$1" '$2 == op { r += $3; b += $4; n += $6 } END { print r, b, n }' "$COUNTERS/requests"
}

for size in 512 4096; do
	load size_mb=16 block_size=$size window_us=100
	reset_counters
	echo 1 >"$COUNTERS/requests"
	io
	check "$size: what was written is read" cmp "$WORK/data" "$WORK/back"
	check "$size: 16 writes" counter_is writes_checked 16
	check "$size: every interval is checked" counter_is intervals_checked $(((1 << 20) / size))
	check "$size: memory holds what was written" counter_is stored_bytes $((1 << 20))
	check "$size: 16 requests of 64 KiB to write" is requests "$(sum write)" "16 16 $((1 << 20))"
	check "$size: and as many to read" is requests "$(sum read)" "16 16 $((1 << 20))"
	check "$size: all of that size" is sizes \
		"$(awk '$2 == "write" { n[$3] += $4 } END { for (i in n) print i, n[i] }' "$COUNTERS/request_sizes")" \
		"65536 16"
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
echo 1 >"$COUNTERS/requests"
check "requests are reset, too" is requests "$(tail -n +2 "$COUNTERS/requests")" ''

# 16 writes of 4 KiB that are merged to one request.
load size_mb=16 window_us=100
echo 1 >"$COUNTERS/requests"
dd if="$WORK/data" of="$DEV" bs=64k count=1 conv=fsync status=none
merged() {
	local requests bios bytes
	read -r requests bios bytes <<<"$(sum write)"
	echo "$requests requests, $bios bios, $bytes bytes"
	[ "$requests" -le "$bios" ] && [ "$bytes" -eq 65536 ]
}
check "buffered writes: bytes are exact" merged
ktap_finished
