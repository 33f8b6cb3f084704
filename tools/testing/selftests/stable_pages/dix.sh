#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A page that changes in flight when the tuples came with the write (pi=dix): it is found in
# that interval alone, with a copy of what was submitted and without, and the disk's tuple is
# right afterwards, for the disk and for the block layer, which both verify what is read.

. "$(dirname "$(readlink -f "$0")")/lib.sh"

# The rest of the parameters.
kinds=(
	"keep_copy=1 on_violation=report"
	"keep_copy=1 on_violation=fail"
	"keep_copy=0 on_violation=report"
	"keep_copy=0 on_violation=fail"
	"keep_copy=1 on_violation=report block_size=4096 metadata_size=16 pi_offset=8"
	"keep_copy=0 on_violation=report block_size=4096 metadata_size=16 pi_offset=8"
	"keep_copy=1 on_violation=report pi_type=3"
	"keep_copy=0 on_violation=report pi_type=0"
)
begin $((${#kinds[@]} * 3)) python3

for kind in "${kinds[@]}"; do
	# shellcheck disable=SC2086 # parameters
	load size_mb=16 pi=dix window_us=1000000 $kind
	# Where records.py changes a byte.
	sector=33 bytes=188-188
	case $kind in
	*block_size=4096*)	sector=32 bytes=700-700 ;;
	esac
	case $kind in
	*keep_copy=0*block_size=4096*)	bytes=0-4095 ;;
	*keep_copy=0*)			bytes=0-511 ;;
	esac
	log_mark
	check "$kind: one record, and the block can be read" "$HERE/records.py" "$MNT" changed
	check "$kind: one line says where" log_has \
		"dif0: page changed in flight: sector $sector, no inode, bytes $bytes, guard 0x"
	check "$kind: no tuple was wrong" log_has \
		'stored block\|written block\|guard tag error\|ref tag error' 0
done
ktap_finished
