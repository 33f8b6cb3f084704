#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# One bit of a buffer is flipped between submit and transfer, from user space,
# by direct I/O to the raw device: exactly that sector and that byte are
# reported. Without the flip nothing is.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 23 python3

# flip SECTOR LENGTH BYTE: what the write returned
flip() {
	log_mark
	reset_counters
	RESULT=$("$HERE/flip_in_flight.py" "$DEV" "$1" "$2" "$3" 0.3)
}

# one SIZE SECTOR LENGTH BYTE: BYTE is reported where it is.
one() {
	local size=$1 sector=$2 length=$3 byte=$4
	flip "$sector" "$length" "$byte"
	local at=$((byte % size)) hit=$((sector + (byte - byte % size) / 512))
	check "$size: byte $byte of $length: the write fails" is result "$RESULT" EILSEQ
	check "$size: byte $byte of $length: one violation" counter_is violations 1
	check "$size: byte $byte of $length: exactly there" log_has \
		"dif0: page changed in flight: sector $hit, no inode, bytes $at-$at, guard 0x[0-9a-f]* -> 0x[0-9a-f]*, [0-9]* us after submit"
	check "$size: byte $byte of $length: it is counted as what it is" is kinds \
		"$(awk '$3 > 0' "$COUNTERS/kinds")" "violations memory 1"
}

for size in 512 4096; do
	load size_mb=16 block_size=$size window_us=1000000
	flip 8 65536 -1
	check "$size: no flip: the write succeeds" is result "$RESULT" 65536
	check "$size: no flip: no violation" counter_is violations 0
	one "$size" 8 4096 0
	one "$size" 64 65536 30001
done

flip 64 1048576 1048575
check "last byte of 1 MiB: one violation" counter_is violations 1
check "the first violation is timed" at_least first_violation_us \
	"$(counter first_violation_us)" 300000
reported_after() {
	local us
	us=$(log_since | sed -n 's/.*, \([0-9]*\) us after submit$/\1/p')
	[ -n "$us" ] && at_least "us after submit" "$us" 1000000
}
check "the time since submit is that of the window" reported_after
ktap_finished
