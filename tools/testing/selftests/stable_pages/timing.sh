#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# How long things take: each of the times, alone, makes what it is for as slow as it says,
# and nothing else; so do the bandwidths. Changes that are undone again are seen by samples.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 44 python3

# ms OPERATION: how long it takes, in milliseconds. The shortest of three.
ms() {
	"$HERE/duration.py" /dev/a "$@"
}

# between LEAST MOST OPERATION
between() {
	local took
	# shellcheck disable=SC2086 # an operation and perhaps a length
	took=$(ms $3)
	echo "$3 took $took ms"
	[ "$took" -ge "$1" ] && [ "$took" -lt "$2" ]
}

load nr_devices=0
mkdir "$CONFIG/a"
set_to size 64 power 1
for operation in read write flush; do
	check "nothing asked for: $operation is quick" between 0 150 $operation
done

# slow NAME OPERATION...: 300 ms with that, and others as quick as ever.
slow() {
	local name=$1 operation
	shift
	set_to "$name" 300000
	for operation in read write flush; do
		case " $* " in
		*" $operation "*)	check "$name: $operation takes its time" between 300 600 $operation ;;
		*)			check "$name: not so $operation" between 0 150 $operation ;;
		esac
	done
	set_to "$name" 0
}
slow window_us write
slow completion_us read write flush
slow read_us read
slow write_us write
slow flush_us flush

# Random time on top: ten writes of 100 to 900 ms. What a busy machine adds is less than what
# they differ by.
set_to window_us 100000
even=$("$HERE/duration.py" /dev/a write 0 10)
set_to jitter_us 800000
jittered=$("$HERE/duration.py" /dev/a write 0 10)
# spread FEWEST MOST TIME...: the shortest and the longest of the times differ by that.
spread() {
	local fewest=$1 most=$2 took shortest longest
	shift 2
	shortest=$1 longest=$1
	for took in "$@"; do
		[ "$took" -ge "$shortest" ] || shortest=$took
		[ "$took" -le "$longest" ] || longest=$took
	done
	echo "$* ms"
	[ $# -eq 10 ] && [ $((longest - shortest)) -ge "$fewest" ] &&
		[ $((longest - shortest)) -le "$most" ]
}
# within LEAST MOST TIME...
within() {
	local least=$1 most=$2 took
	shift 2
	echo "$* ms"
	for took in "$@"; do
		[ "$took" -ge "$least" ] && [ "$took" -lt "$most" ] || return
	done
}
# shellcheck disable=SC2086 # times
{
	check "without jitter_us: about the same each time" spread 0 300 $even
	check "jitter_us: another each time" spread 400 1200 $jittered
	check "jitter_us: none is shorter than the window, or longer than both" \
		within 100 1300 $jittered
}
set_to window_us 0
check "jitter_us: not on top of nothing" between 0 150 write
set_to jitter_us 0

COUNTERS_OF_A=/sys/kernel/debug/dif_blk/a
# of_a NAME...: counters, in a line.
of_a() {
	local name
	for name in "$@"; do
		cat "$COUNTERS_OF_A/$name"
	done | xargs
}
# flip BYTE DELAY [UNDO]: what the write returned, violations, and writes that were looked at again.
flip() {
	echo 1 >$COUNTERS_OF_A/reset
	dd if=$COUNTERS_OF_A/records of=/dev/null bs=64k iflag=nonblock status=none 2>/dev/null
	FLIPPED="$("$HERE/flip_in_flight.py" /dev/a 0 4096 "$@") $(of_a violations writes_checked)"
}

# On its way for three seconds, but after the transfer.
set_to completion_us 3000000
flip 700 1
check "no window: no second look, whatever changes after the transfer" \
	is "result, violations, looks" "$FLIPPED" "4096 0 0"
set_to completion_us 0 window_us 1
flip_none() {
	echo 1 >$COUNTERS_OF_A/reset
	dd if=/dev/zero of=/dev/a bs=4k count=3 oflag=direct status=none
	is "violations and looks" "$(of_a violations writes_checked)" "0 3"
}
check "a microsecond is a window: a second look at each write" flip_none
set_to window_us 0

# 8 MiB at 8 MiB/s.
set_to mbps 8
check "mbps: reads" between 850 2500 "read 8"
check "mbps: writes" between 850 2500 "write 8"
set_to mbps 0 read_mbps 8
check "read_mbps: reads" between 850 2500 "read 8"
check "read_mbps: not writes" between 0 800 "write 8"
set_to read_mbps 0 write_mbps 8
check "write_mbps: writes" between 850 2500 "write 8"
check "write_mbps: not reads" between 0 800 "read 8"
# All within mbps: both at once take as long as one of twice that.
# both MIB: how long it takes to read and to write that much at once, in milliseconds.
both() {
	local begin
	begin=$(date +%s%N)
	dd if=/dev/zero of=/dev/a bs=1M count="$1" oflag=direct status=none &
	dd if=/dev/a of=/dev/null bs=1M count="$1" iflag=direct status=none || return
	wait $! || return
	echo $((($(date +%s%N) - begin) / 1000000))
}
both_within() {
	local took
	took=$(both "$1") || return
	echo "took $took ms"
	[ "$took" -ge "$2" ] && [ "$took" -lt "$3" ]
}
set_to write_mbps 0 mbps 4
check "mbps: reads and writes share it" both_within 8 3850 7000
set_to read_mbps 64 write_mbps 64
check "mbps: their own don't add to it" both_within 8 3850 7000
set_to mbps 0 read_mbps 4 write_mbps 4
check "read_mbps and write_mbps: neither waits for the other" both_within 8 1850 3850
set_to read_mbps 0 write_mbps 0

# Without any of these there is no timer. What starts one is named with the function it calls.
timers() {
	mount_tracefs
	: >"$TRACING/trace"
	echo 1 >"$TRACING/events/timer/hrtimer_start/enable"
	"$@"
	echo 0 >"$TRACING/events/timer/hrtimer_start/enable"
	grep -c 'function=.*\[dif_blk\]' "$TRACING/trace"
}
io() {
	dd if=/dev/zero of=/dev/a bs=4k count=16 oflag=direct status=none
	dd if=/dev/a of=/dev/null bs=4k count=16 iflag=direct status=none
}
check "nothing asked for: no timer" is timers "$(timers io)" 0
set_to window_us 1
check "a window: one for each write" is timers "$(timers io)" 16
set_to window_us 0

# A byte that is another only for a third of the window.
set_to window_us 3000000 samples 0
flip 700 1 1
check "a change that is undone is not seen at the end" \
	is "result, violations, looks" "$FLIPPED" "4096 0 1"
set_to samples 9
flip 700 1 1
check "it is seen by samples, once" is "result, violations, looks" "$FLIPPED" "EILSEQ 1 1"
set_to keep_copy 0
flip 700 1 1
check "without a copy, too" is "result, violations, looks" "$FLIPPED" "EILSEQ 1 1"

# Looks after 2, 4, 6, 8 and 10 seconds.
# seen LOOK: what the one record says, and that it was then.
seen() {
	local record after
	record=$(dd if=$COUNTERS_OF_A/records bs=64k iflag=nonblock status=none 2>/dev/null)
	echo "$record"
	after=$(sed -n "s/.*\"after_submit_ns\":\([0-9]*\),\"look\":$1,\"looks\":5,.*/\1/p" <<<"$record")
	[ "$(grep -c seq <<<"$record")" -eq 1 ] && [ -n "$after" ] &&
		[ $((after / 1000000)) -ge $((($1 + 1) * 2000)) ] &&
		[ $((after / 1000000)) -lt $((($1 + 2) * 2000)) ]
}
set_to keep_copy 1 window_us 10000000 samples 4
flip 700 5 2
check "4 samples: what is undone is found" is "result, violations, looks" "$FLIPPED" "EILSEQ 1 1"
check "by the third of five looks" seen 2
flip 700 1
check "what stays is found once" is "result, violations, looks" "$FLIPPED" "EILSEQ 1 1"
check "by the first" seen 0
flip 700 9
check "what changes after the last of them, too" \
	is "result, violations, looks" "$FLIPPED" "EILSEQ 1 1"
check "by the transfer" seen 4
ktap_finished
