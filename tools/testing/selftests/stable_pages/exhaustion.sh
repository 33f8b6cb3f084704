#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A disk that is as large as the machine's memory, and is filled: who writes waits, the rest
# of the system has what it needs, and goes on as soon as something is discarded; and the
# disk can be removed meanwhile.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 10 taskset blkdiscard

readonly OF_A=/sys/kernel/debug/dif_blk/a
total=$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)

# Each processor has a queue. What waits for memory holds up its own.
fill() {
	taskset --cpu-list 0 dd if=/dev/zero of=/dev/a bs=1M oflag=direct status=none 2>"$WORK/error"
}

# full: nothing more has come for five seconds.
full() {
	local i before=-1 now
	for ((i = 0; i < 100; i++)); do
		now=$(cat $OF_A/stored_bytes)
		[ "$now" != "$before" ] || return 0
		before=$now
		sleep 5
	done
	echo "it goes on and on: $now bytes"
	return 1
}

load nr_devices=0
before=$(free_kb)
mkdir "$CONFIG/a"
set_to size $(((total >> 10) + 1)) power 1
log_mark
fill &
writer=$!
check "what is written comes to an end" full
stored=$(cat $OF_A/stored_bytes)
echo "# $((stored >> 20)) of $((total >> 10)) MiB are stored"
check "who writes waits" kill -0 $writer
# What the debug kernel keeps of each piece is more than the piece.
least=$((before << 10))
if [ -e /sys/kernel/debug/kmemleak ]; then least=$((least / 8)); else least=$((least * 3 / 4)); fi
check "most of the memory was used" at_least "bytes stored" "$stored" $least
check "nobody was killed for it" log_has 'Out of memory\|invoked oom-killer' 0

check "a discard goes by" timeout 60 taskset --cpu-list 1 blkdiscard -o 0 -l 32M /dev/a
check "what waits goes on" full
more() {
	at_least "bytes stored" "$(cat $OF_A/stored_bytes)" $((stored - (16 << 20)))
}
check "as far as there is memory again" more

check "it can be removed" timeout 60 sh -c "echo 0 >$CONFIG/a/power"
wait $writer
check "who wrote is told" grep -q 'Input/output error' "$WORK/error"
rmdir "$CONFIG/a"
check "memory is back" memory_back "$before" $((32 << 10))
ktap_finished
