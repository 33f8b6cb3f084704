#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The counters in debugfs count exactly.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 38 fio python3 taskset

# io SECTOR_SIZE: 1 MiB written and read, in requests of 64 KiB.
io() {
	dd if=/dev/urandom of="$WORK/data" bs=1M count=1 status=none
	dd if="$WORK/data" of="$DEV" bs=64k oflag=direct status=none
	dd if="$DEV" of="$WORK/back" bs=64k count=16 iflag=direct status=none
}

# sums OPERATION: requests, bios, merges, segments and bytes, of all queues.
sums() {
	awk -v op="$1" '$2 == op { r += $3; b += $4; m += $5; s += $6; n += $7 }
		END { print r, b, m, s, n }' "$COUNTERS/requests"
}
# sum OPERATION: without segments.
sum() {
	sums "$1" | cut -d ' ' -f 1-3,5
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
	check "$size: 16 requests of 64 KiB to write" is requests "$(sum write)" "16 16 0 $((1 << 20))"
	check "$size: and as many to read" is requests "$(sum read)" "16 16 0 $((1 << 20))"
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

# Scattered memory: a segment for each piece. What lies together in one page is one.
load size_mb=16 window_us=100
for operation in read write; do
	echo 1 >"$COUNTERS/requests"
	check "$operation: one request of 16 pieces" "$HERE/pieces.py" "$DEV" $operation 16
	check "$operation: it has 16 segments" is "requests, bios, merges, segments and bytes" \
		"$(sums $operation)" "1 1 0 16 8192"
done
echo 1 >"$COUNTERS/requests"
check "one piece" "$HERE/pieces.py" "$DEV" write 1
check "it has one" is "requests, bios, merges, segments and bytes" "$(sums write)" "1 1 0 1 512"

# merged BIOS: 64 KiB, of so many bios, were fewer requests.
merged() {
	local requests bios merges segments bytes
	read -r requests bios merges segments bytes <<<"$(sums write)"
	echo "$requests requests, $bios bios, $merges merges, $segments segments, $bytes bytes"
	[ "$bytes" -eq 65536 ] && [ "$bios" -eq "$1" ] && [ "$requests" -ge 1 ] &&
		[ "$merges" -eq $((bios - requests)) ] &&
		[ "$requests" -lt "$bios" ] && [ "$segments" -ge "$requests" ] &&
		[ "$segments" -le "$bios" ]
}
# 16 writes of 4 KiB, next to each other, in one call: the block layer holds them back until it
# has all of them.
batch() {
	fio --name=x --filename="$DEV" --direct=1 --rw=write --bs=4k --size=64k --ioengine=libaio \
		--iodepth=16 --iodepth_batch=16 --output="$WORK/fio.log" ||
		{ cat "$WORK/fio.log"; return 1; }
}
echo 1 >"$COUNTERS/requests"
check "16 adjacent writes at once" batch
check "are merged: more bios than requests" merged 16
# A bio for each page.
dd if="$WORK/data" of="$DEV" bs=64k count=1 status=none
echo 1 >"$COUNTERS/requests"
dd if="$WORK/data" of="$DEV" bs=64k count=1 conv=fsync status=none
check "so are buffered writes" merged 16

# Two queues: which one a request comes on is up to the processor.
load nr_devices=0
mkdir "$CONFIG/a"
set_to size 16 submit_queues 2 power 1
check "two queues are there" is queues "$(find /sys/block/a/mq -mindepth 1 -maxdepth 1 | wc -l)" 2
for queue in 0 1; do
	cpus=$(tr -d ' ' <"/sys/block/a/mq/$queue/cpu_list")
	for file in requests request_sizes; do
		echo 1 >/sys/kernel/debug/dif_blk/a/requests
		taskset --cpu-list "$cpus" \
			dd if=/dev/zero of=/dev/a bs=4k count=8 oflag=direct status=none
		case $file in
		requests)	expected="$queue write 8 8 0 8 32768 0 0 0 0 0 0 0" ;;
		request_sizes)	expected="$queue write 4096 8" ;;
		esac
		check "from processors $cpus: queue $queue alone has them in $file" \
			is $file "$(tail -n +2 /sys/kernel/debug/dif_blk/a/$file)" "$expected"
	done
done

# So are violations, and what does not agree.
set_to window_us 1000000
for queue in 0 1; do
	cpus=$(tr -d ' ' <"/sys/block/a/mq/$queue/cpu_list")
	echo 1 >/sys/kernel/debug/dif_blk/a/requests
	check "from processors $cpus: a page changes" is result "$(taskset --cpu-list "$cpus" \
		"$HERE/flip_in_flight.py" /dev/a 0 4096 700 0.3)" EILSEQ
	check "from processors $cpus: one of 8 intervals, a process's memory, on queue $queue" \
		is requests "$(tail -n +2 /sys/kernel/debug/dif_blk/a/requests)" \
		"$queue write 1 1 0 1 4096 8 0 0 1 0 0 0"
done
set_to window_us 0
dd if=/dev/zero of=/dev/a bs=4k count=1 oflag=direct status=none
echo 'write flip-ref sectors=3 count=1' >/sys/kernel/debug/dif_blk/a/faults
dd if=/dev/zero of=/dev/a bs=4k count=1 oflag=direct status=none
echo 1 >/sys/kernel/debug/dif_blk/a/requests
taskset --cpu-list "$cpus" dd if=/dev/a of=/dev/null bs=4k count=1 iflag=direct status=none 2>/dev/null
check "a tuple that does not agree: of that part, of the read" is requests \
	"$(awk '$2 == "read" { print }' /sys/kernel/debug/dif_blk/a/requests)" \
	"$queue read 1 1 0 1 4096 8 0 0 0 0 0 1"
ktap_finished
