#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the disk tells the block layer, and that stable_writes can be toggled.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 12

limit_is() {
	is "$1" "$(cat "$QUEUE/$1")" "$2"
}

load stable_writes=0
check "stable_writes=0 is shown in sysfs" limit_is stable_writes 0
load stable_writes=1
check "stable_writes=1 is shown in sysfs" limit_is stable_writes 1
echo 0 >"$QUEUE/stable_writes"
check "sysfs turns it off" limit_is stable_writes 0
echo 1 >"$QUEUE/stable_writes"
check "sysfs turns it on" limit_is stable_writes 1

check "one hardware queue for each CPU" \
	is queues "$(find /sys/block/dif0/mq -mindepth 1 -maxdepth 1 | wc -l)" "$(nproc)"
check "the write cache is known" limit_is write_cache 'write back'
check "FUA is accepted" limit_is fua 1
check "requests can be 1 MiB" limit_is max_hw_sectors_kb 1024
check "discard works in units of 4 KiB" limit_is discard_granularity 4096
check "a flush succeeds" sync "$DEV"
check "a FUA write succeeds" \
	dd if=/dev/zero of="$DEV" bs=4k count=1 oflag=direct,dsync status=none
check "write-zeroes is offered" at_least write_zeroes "$(cat "$QUEUE/write_zeroes_max_bytes")" 4096
ktap_finished
