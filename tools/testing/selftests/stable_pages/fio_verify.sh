#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fio's own checksums come back, for block sizes from 4 KiB to 1 MiB, random and
# sequential, with and without a window. Control: one wrong sector is found.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 22 fio

# verify OPTION...
verify() {
	fio --name=verify --filename="$DEV" --size=$((32 / SHORTEN))M --ioengine=libaio \
		--iodepth=8 --direct=1 --verify=crc32c --verify_fatal=1 --thread --minimal "$@" \
		>"$WORK/log" 2>&1 || { cat "$WORK/log"; return 1; }
}

for param in 'block_size=512 window_us=0' 'block_size=4096 window_us=500'; do
	# shellcheck disable=SC2086 # two parameters
	load size_mb=64 $param
	for bs in 4k 16k 64k 256k 1m; do
		for rw in write randwrite; do
			check "$param: $rw $bs" verify --rw=$rw --bs=$bs
		done
	done
done

dd if=/dev/zero of="$DEV" bs=4k seek=3 count=1 oflag=direct status=none
check_not "control: a block of zeroes is found" verify --rw=write --bs=1m --verify_only
check "no violation in all that" counter_is violations 0
ktap_finished
