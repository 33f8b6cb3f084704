#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A write whose window is longer than the block layer's timeout is late, not
# lost: it stays the driver's, ends once, and well.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 5

load size_mb=16 window_us=5000000
echo 1000 >"$QUEUE/io_timeout"
check "the timeout is a second" is io_timeout "$(cat "$QUEUE/io_timeout")" 1000
log_mark
dd if=/dev/urandom of="$WORK/data" bs=64k count=1 status=none
check "a write with a window of five succeeds" \
	dd if="$WORK/data" of="$DEV" bs=64k oflag=direct status=none
check "the log has nothing to say" log_has 'dif0' 0
check "it was checked once" counter_is writes_checked 1
back() {
	dd if="$DEV" of="$WORK/back" bs=64k count=1 iflag=direct status=none &&
		cmp "$WORK/data" "$WORK/back"
}
check "and is stored" back
ktap_finished
