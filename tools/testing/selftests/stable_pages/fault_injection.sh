#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every allocation made when the driver is loaded, by reads and writes, and for snapshots
# and power cuts, fails in turn: each time the operation ends well or, where it
# was the caller's, with ENOMEM, and nothing is left behind; a request for which only the
# driver lacks memory is tried again. Requests that the block layer fails reach the caller
# as EIO. Needs a kernel with fault injection (KERNEL=debug).

. "$(dirname "$(readlink -f "$0")")/lib.sh"

readonly INJECT=/sys/kernel/debug
if [ ! -d $INJECT/failslab ] || [ ! -d $INJECT/fail_make_request ]; then
	ktap_print_header
	ktap_skip_all "this kernel can't inject faults (make check KERNEL=debug)"
	exit "$KSFT_SKIP"
fi
begin 34 python3

# fail-nth counts every allocation that may fail, those that may sleep too.
for attribute in failslab fail_page_alloc; do
	echo 0 >$INJECT/$attribute/verbose
	for ignore in "$INJECT/$attribute"/ignore-gfp-*; do
		echo N >"$ignore"
	done
done
echo 0 >$INJECT/fail_page_alloc/min-order

module=$(modinfo -n dif_blk)
# logged COMMAND...: what it prints is in $WORK/log; all of it is shown if it fails.
logged() {
	"$@" >"$WORK/log" || {
		cat "$WORK/log"
		return 1
	}
}

each() {
	logged "$HERE/fail_nth.py" "$@"
}

in_module() {
	logged "$HERE/fail_in_module.py" dif_blk "$DEV" "$@" && grep -q 'failed [1-9]' "$WORK/log"
}

# summary NAME: a check that some did fail, and the numbers.
summary() {
	echo "# $1: $(tail -n 1 "$WORK/log")"
	check "$1: some did fail" grep -q 'failed [1-9]' "$WORK/log"
}

unload
check "load: each allocation fails in turn" each load "$module" size_mb=16
summary load
check "loading works after that" modprobe dif_blk size_mb=256 window_us=100
check "write: each allocation fails in turn" each write "$DEV"
echo "# write: $(tail -n 1 "$WORK/log")"
check "read: each allocation fails in turn" each read "$DEV"
echo "# read: $(tail -n 1 "$WORK/log")"
# A worker finishes a write after its window, and fail-nth is about one thread only.
for kind in failslab fail_page_alloc; do
	check "write, in any thread: each $kind in turn" in_module $kind
	echo "# write, in any thread, $kind: $(tail -n 1 "$WORK/log")"
done
check "nothing stored was found wrong" counter_is read_mismatches 0
check "nothing had changed in flight" counter_is violations 0
# Without a window.
for pi in none dif dix; do
	load size_mb=256 pi=$pi
	check "write, without a window, pi=$pi: each failslab in turn" in_module failslab 32
	echo "# write, without a window, pi=$pi: $(tail -n 1 "$WORK/log")"
done
echo take >"$COUNTERS/snapshot"
check "write, with a snapshot: each failslab in turn" in_module failslab 32
echo "# write, with a snapshot: $(tail -n 1 "$WORK/log")"
# After its window a write is stored where there was no memory for it. It is counted once.
load size_mb=256 window_us=100 pi_type=3
sectors write 0 32 32
echo 'write misdirect sectors=0-31 to=8192' >"$COUNTERS/faults"
reset_counters
check "transfer: each failslab in turn" in_module failslab 32 $((8192 * 512))
echo "# transfer: $(tail -n 1 "$WORK/log")"
calls=$(sed -n 's/calls \([0-9]*\),.*/\1/p' "$WORK/log")
check "the fault was asked for once for each" is faults "$(cat "$COUNTERS/faults")" \
	"write misdirect to=8192 sectors=0-31: $calls matched, $calls applied"
check "each was looked at once" counter_is writes_checked "$calls"

# With a cache a write keeps what it replaces, and itself.
load size_mb=256 window_us=100 cache_size=64
for kind in 'failslab 32' fail_page_alloc; do
	# shellcheck disable=SC2086 # a kind and perhaps a step
	check "write to a cache, in any thread: each ${kind% *} in turn" in_module $kind
	echo "# write to a cache, in any thread, ${kind% *}: $(tail -n 1 "$WORK/log")"
done
echo off >"$COUNTERS/power"
echo 'on none' >"$COUNTERS/power"
check "nothing kept was found wrong" dd if="$DEV" of=/dev/null bs=1M iflag=direct status=none
for operation in on take restore; do
	check "$operation: each allocation fails in turn" logged "$HERE/fail_cache.py" $operation "$DEV"
	summary $operation
done
# It keeps what it takes: 3 MiB, which isn't done at once.
check "discard: the driver tries again, and does all or nothing" \
	logged "$HERE/fail_cache.py" discard "$DEV" 50000
sed 's/^/# discard: /' "$WORK/log"
check "discard: some did fail" grep -q 'failed [1-9][0-9]' "$WORK/log"
check "nothing that came back was found wrong" counter_is read_mismatches 0

# There is room for those that it makes at first, and no more.
load size_mb=64 window_us=1000000 on_violation=report records=128
check "record: each allocation fails in turn, and none is lost" \
	each record "$COUNTERS/records" "$DEV"
summary record
"$HERE/flip_in_flight.py" "$DEV" 0 4096 0 0.3 >/dev/null
check "record: there is room for as many as were read" is "violations, and records dropped" \
	"$(counter violations) $(counter records_dropped)" '129 0'

fails() {
	local output
	output=$(dd "$@" status=none 2>&1) && {
		echo "it succeeded"
		return 1
	}
	grep -q 'Input/output error' <<<"$output"
}
echo 0 >$INJECT/fail_make_request/verbose
echo 100 >$INJECT/fail_make_request/probability
echo -1 >$INJECT/fail_make_request/times
echo 1 >/sys/block/dif0/make-it-fail
check "a write that the block layer fails: EIO" fails if=/dev/zero of="$DEV" bs=4k count=1 oflag=direct
check "a read that the block layer fails: EIO" fails if="$DEV" of=/dev/null bs=4k count=1 iflag=direct
echo 0 >/sys/block/dif0/make-it-fail
echo 0 >$INJECT/fail_make_request/probability
check "after that both work" dd if="$DEV" of=/dev/null bs=4k count=1 iflag=direct status=none
ktap_finished
