#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# on_violation=fail: the write fails and the sector keeps its content.
# on_violation=report: the write succeeds, the sector has what was transferred,
# and it can be read.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 9 python3

sector() {
	dd if="$DEV" bs=512 skip="$1" count=1 iflag=direct status=none | sha256sum
}

flip() {
	RESULT=$("$HERE/flip_in_flight.py" "$DEV" 0 4096 1024 0.3)
}

load size_mb=16 window_us=1000000 on_violation=fail
dd if=/dev/urandom of="$DEV" bs=4k count=1 oflag=direct status=none
before=$(sector 2)
neighbour=$(sector 1)
flip
check "fail: EILSEQ" is result "$RESULT" EILSEQ
check "fail: the sector has its old content" is sector "$(sector 2)" "$before"
changed() {
	[ "$(sector 1)" != "$neighbour" ]
}
check "fail: the one before it was written" changed
check "fail: it is counted" counter_is violations 1

load size_mb=16 window_us=1000000 on_violation=report
dd if=/dev/urandom of="$DEV" bs=4k count=1 oflag=direct status=none
before=$(sector 2)
flip
check "report: the write succeeds" is result "$RESULT" 4096
written() {
	[ "$(sector 2)" != "$before" ]
}
check "report: the sector was written" written
check "report: it is counted" counter_is violations 1
check "report: it reads back" dd if="$DEV" of=/dev/null bs=4k count=1 iflag=direct status=none
check "report: with the right protection information" counter_is read_mismatches 0
ktap_finished
