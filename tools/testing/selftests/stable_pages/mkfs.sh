#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Stock filesystems can be made on the disk, mounted and written to, and their
# own checkers find nothing. (Another implementation looks at what we stored.)

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 15 mkfs.ext4 mkfs.xfs mkfs.btrfs

use() {
	mount "$DEV" "$MNT" &&
		cp -r /usr/lib/python3/. "$MNT/" &&
		dd if=/dev/urandom of="$MNT/data" bs=64k count=64 status=none &&
		(cd "$MNT" && find . -type f -exec sha256sum {} +) >"$WORK/sums" &&
		umount "$MNT"
}

again() {
	mount "$DEV" "$MNT" &&
		(cd "$MNT" && sha256sum --check --quiet "$WORK/sums") &&
		umount "$MNT"
}

# try NAME "MKFS" "CHECK"
try() {
	load size_mb=1024 block_size="${BLOCK:-512}" window_us=500
	# shellcheck disable=SC2086 # commands
	{
		check "$1: made" $2 "$DEV"
		check "$1: a tree is written" use
		check "$1: it is the same after mounting again" again
		check "$1: its checker finds nothing" $3 "$DEV"
		check "$1: no violation" counter_is violations 0
	}
}

try ext4 'mkfs.ext4 -q -F' 'e2fsck -fn'
BLOCK=4096 try xfs 'mkfs.xfs -q -f' 'xfs_repair -n'
try btrfs 'mkfs.btrfs -q -f' 'btrfs check --readonly'
ktap_finished
