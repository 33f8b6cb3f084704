#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A large file that is written in small pieces goes to the device in large bios. The
# control: scattered blocks, each with an fsync, go in small ones.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
begin_stablefs 10

mb=$((256 / SHORTEN))

stat_of() {
	cat "$STABLEFS/dif0/$1"
}

average() {
	echo $(($(stat_of write_bytes) / $(stat_of write_bios)))
}

stream() {
	dd if=/dev/zero of="$MNT/stream" bs=64k count=$((mb * 16)) conv=fsync status=none
}

scatter() {
	local i
	for ((i = 0; i < 200 / SHORTEN; i++)); do
		dd if=/dev/urandom of="$MNT/scattered" bs=4k count=1 seek=$((i * 37)) conv=notrunc,fsync \
			status=none || return
	done
}

for size in 1024 4096; do
	load_with_fs size_mb=$((mb + 64))
	make_fs -b $size && mount_fs
	echo 1 >"$STABLEFS/dif0/reset"
	check "$size: $mb MiB in pieces of 64 KiB" stream
	check "$size: all of them went to the device" \
		at_least write_bytes "$(stat_of write_bytes)" $((mb << 20))
	echo "# $size: a bio has $(average) bytes on average, of $(stat_of write_bios)"
	check "$size: a bio has 512 KiB on average" at_least average "$(average)" $((512 << 10))
	echo 1 >"$STABLEFS/dif0/reset"
	scatter
	echo "# $size: scattered blocks: $(average) bytes"
	check "$size: the control: those of scattered blocks are small" test "$(average)" -le 8192
	check "$size: the filesystem is whole" whole
done
ktap_finished
