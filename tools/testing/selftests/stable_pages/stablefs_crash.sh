#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The device at a moment, as a hard stop would leave it: after syncfs() e2fsck finds
# nothing but that it was not unmounted; after fsync() a file is there with its content,
# whatever else is going on. The control: without either something is missing.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 9 mke2fs e2fsck debugfs python3

load size_mb=64
modprobe stablefs || ktap_exit_fail_msg "modprobe stablefs failed"
image=$WORK/image

# stop: what is on the device now, less what is in memory.
stop() {
	dd if="$DEV" of="$image" bs=1M iflag=direct status=none
}

tree() {
	local i
	mkdir -p "$MNT/$1/sub"
	for i in $(seq 200); do
		head -c $((i * 97)) /dev/urandom >"$MNT/$1/file-$i"
	done
	mv "$MNT/$1/file-1" "$MNT/$1/sub/moved"
	ln "$MNT/$1/file-2" "$MNT/$1/linked"
	ln -s "$(printf 'y%.0s' {1..100})" "$MNT/$1/symlink"
	setfattr -n user.test -v "$(printf 'x%.0s' {1..600})" "$MNT/$1/file-3"
	rm "$MNT/$1"/file-1?
	truncate -s 1000 "$MNT/$1/file-200"
	head -c 3000000 /dev/urandom >"$MNT/$1/large"
}

# whole: e2fsck says that it is clean, or only that it was not unmounted: it finds
# nothing to mend.
whole() {
	e2fsck -fn "$image" >"$WORK/fsck" 2>&1 && ! grep -q 'Fix? no' "$WORK/fsck" && return
	cat "$WORK/fsck"
	return 1
}

# content FILE: FILE of the image is what is in the page cache.
content() {
	debugfs -R "dump /$1 $WORK/dumped" "$image" >/dev/null 2>&1
	cmp "$WORK/dumped" "$MNT/$1"
}

for size in 1024 4096; do
	mke2fs -q -F -t ext2 -b $size "$DEV"
	mount -t stablefs "$DEV" "$MNT"
	tree first
	sync -f "$MNT"
	stop
	check "$size: after syncfs there is nothing to mend" whole
	check "$size: the superblock says that it was not unmounted" \
		sh -c "dumpe2fs -h '$image' 2>/dev/null | grep -q 'Filesystem state: *not clean'"
	tree second
	head -c 1500000 /dev/urandom >"$MNT/second/important"
	sync "$MNT/second/important" "$MNT/second"
	stop
	check "$size: after fsync the file is there" content second/important
	umount "$MNT"
done
mount -t stablefs "$DEV" "$MNT"
sync -f "$MNT"
head -c 1500000 /dev/urandom >"$MNT/unimportant"
stop
check_not "without it, it isn't" content unimportant
umount "$MNT"
check "unmounted, it is clean" e2fsck -fn "$DEV"
# The control: e2fsck finds what is wrong.
stop
debugfs -w -R 'clri /first' "$image" >/dev/null 2>&1
check_not "a missing directory is found" whole
modprobe --remove stablefs
ktap_finished
