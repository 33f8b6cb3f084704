#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# How long things take: each of the times, alone, makes what it is for as slow as it says,
# and nothing else; so do the bandwidths. Changes that are undone again are seen by samples.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 29 python3

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

# Random time on top: ten writes of 100 to 300 ms.
set_to window_us 100000 jitter_us 200000
jittered() {
	local took
	took=$("$HERE/duration.py" /dev/a write)
	echo "$took ms"
	[ "$took" -ge 100 ] && [ "$took" -lt 450 ]
}
check "jitter_us: between the two" jittered
set_to window_us 0
check "jitter_us: not on top of nothing" between 0 150 write
set_to jitter_us 0

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
set_to write_mbps 0

COUNTERS_OF_A=/sys/kernel/debug/dif_blk/a
# undone: a byte that is another only for a third of the window. What the write returned.
undone() {
	echo 1 >$COUNTERS_OF_A/reset
	RESULT=$("$HERE/flip_in_flight.py" /dev/a 0 4096 700 1 1)
	VIOLATIONS=$(cat $COUNTERS_OF_A/violations)
}
set_to window_us 3000000 samples 0
undone
check "a change that is undone is not seen at the end" is "result and violations" "$RESULT $VIOLATIONS" "4096 0"
set_to samples 9
undone
check "it is seen by samples, once" is "result and violations" "$RESULT $VIOLATIONS" "EILSEQ 1"
set_to keep_copy 0
undone
check "without a copy, too" is "result and violations" "$RESULT $VIOLATIONS" "EILSEQ 1"
ktap_finished
