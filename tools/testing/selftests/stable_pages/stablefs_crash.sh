#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The device at a moment, as a hard stop would leave it: after syncfs() e2fsck finds
# nothing but that it was not unmounted; after fsync() a file is there with its content,
# whatever else is going on. The control: without either something is missing.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 11 mke2fs e2fsck debugfs python3

load size_mb=64
modprobe stablefs || ktap_exit_fail_msg "modprobe stablefs failed"
image=$WORK/image

# stop: unmounts it. What is on the device is what was there before: nothing that was in memory.
# Reading it while it is mounted would write metadata.
stop() {
	echo take >"$COUNTERS/snapshot" && umount "$MNT" && echo restore >"$COUNTERS/snapshot" &&
		echo drop >"$COUNTERS/snapshot" && dd if="$DEV" of="$image" bs=1M iflag=direct status=none
}

# fresh SIZE
fresh() {
	mke2fs -q -F -t ext2 -b "$1" "$DEV" && mount -t stablefs "$DEV" "$MNT"
}

# random FILE BYTES: new content, of which there is a copy.
random() {
	head -c "$2" /dev/urandom >"$WORK/expected" && cp "$WORK/expected" "$MNT/$1"
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

# content FILE: what it was written with is what the image has.
content() {
	rm -f "$WORK/dumped"
	debugfs -R "dump /$1 $WORK/dumped" "$image" >/dev/null 2>&1
	cmp "$WORK/dumped" "$WORK/expected"
}

for size in 1024 4096; do
	fresh $size
	tree first
	sync -f "$MNT"
	stop
	check "$size: after syncfs there is nothing to mend" whole
	check "$size: the superblock says that it was not unmounted" \
		sh -c "dumpe2fs -h '$image' 2>/dev/null | grep -q 'Filesystem state: *not clean'"
	fresh $size
	tree second
	random second/important 1500000
	sync "$MNT/second/important" "$MNT/second" "$MNT"
	stop
	check "$size: after fsync the file is there" content second/important

	# An indirect block that was another file's, which is still open.
	fresh $size
	random first 200000
	exec 3<"$MNT/first"
	truncate -s 0 "$MNT/first"
	random second 200000
	sync "$MNT/second" "$MNT"
	exec 3<&-
	stop
	check "$size: also with blocks that were another's" content second
done
fresh 1024
sync -f "$MNT"
random unimportant 1500000
stop
check_not "without it, it isn't" content unimportant
mount -t stablefs "$DEV" "$MNT"
tree first
umount "$MNT"
check "unmounted, it is clean" e2fsck -fn "$DEV"
# The control: e2fsck finds what is wrong.
dd if="$DEV" of="$image" bs=1M iflag=direct status=none
debugfs -w -R 'clri /first' "$image" >/dev/null 2>&1
check_not "a missing directory is found" whole
modprobe --remove stablefs
ktap_finished
