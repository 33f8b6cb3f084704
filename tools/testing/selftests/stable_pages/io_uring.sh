#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Protection information from user space: io_uring's attributes of a request reach the disk,
# which checks what it was asked to check, and come back.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 12 python3

mapfile -t tests < <("$HERE/io_uring_pi.py" --list)
for guard in crc crc64; do
	load size_mb=16 pi=dix guard=$guard
	for name in "${tests[@]}"; do
		check "$guard: $name" "$HERE/io_uring_pi.py" "$DEV" $guard "$name"
	done
	check "$guard: the block layer agrees with what is left" \
		dd if="$DEV" of=/dev/null bs=4k iflag=direct status=none
done
ktap_finished
