#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Several writes to the same sector may be in flight at once. As long as nobody
# touches their buffers, that is no violation, whatever lands in the end.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 4 fio

overlap() {
	fio --name=overlap --filename="$DEV" --rw=randwrite --bsrange=4k-64k --size=1M \
		--ioengine=libaio --iodepth=16 --numjobs=4 --direct=1 \
		--norandommap --time_based --runtime=$((10 / SHORTEN)) --group_reporting \
		--thread --minimal >"$WORK/log" 2>&1 || cat "$WORK/log"
}

load size_mb=16 window_us=2000
check "64 overlapping writers for a while" overlap
check "many writes were checked" at_least writes_checked "$(counter writes_checked)" $((500 / SHORTEN))
check "no violation" counter_is violations 0
dd if="$DEV" of=/dev/null bs=1M iflag=direct status=none
check "data and tuples agree" counter_is read_mismatches 0
ktap_finished
