#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Protection information from user space: io_uring's attributes of a request reach the disk,
# which checks what it was asked to check, and come back.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 22 python3

mapfile -t tests < <("$HERE/io_uring_pi.py" --list)
for kind in crc crc64 crc64-64; do
	case $kind in
	*-64)	load size_mb=16 pi=dix guard=crc64 metadata_size=64 pi_offset=48 ;;
	*)	load size_mb=16 pi=dix guard=$kind ;;
	esac
	for name in "${tests[@]}"; do
		check "$kind: $name" "$HERE/io_uring_pi.py" "$DEV" $kind "$name"
	done
	check "$kind: the block layer agrees with what is left" \
		dd if="$DEV" of=/dev/null bs=4k iflag=direct status=none
done
load size_mb=16 pi=dix pi_type=0 metadata_size=8
check "opaque" "$HERE/io_uring_pi.py" "$DEV" opaque opaque
ktap_finished
