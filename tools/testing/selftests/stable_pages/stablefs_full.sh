#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A full filesystem says so, and loses nothing: what was written before is there, and
# when it is deleted as much is free as at first. With large files, small ones, inodes,
# directories, attributes, and with what is found to be full only later.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
sizes=(1024 4096)
[ "$SHORTEN" -eq 1 ] || sizes=(1024)
begin_stablefs $((${#sizes[@]} * 42 + 11))

# free: blocks and inodes, as statfs(2) has them and as dumpe2fs does.
free() {
	sync -f "$MNT"
	stat -f -c '%f blocks, %d inodes' "$MNT"
}

# fill WITH: until it is full; what is there is in the manifest.
fill() {
	# A directory that has grown stays so; with this one it goes, too.
	mkdir "$MNT/full" && "$HERE/stablefs_fill.py" "$MNT/full" "$1" && manifest "$MNT" >"$WORK/manifest"
}

emptied() {
	rm -r "${MNT:?}"/* && mkdir "$MNT/lost+found" && is free "$(free)" "$1"
}

for size in "${sizes[@]}"; do
	load_with_fs size_mb=32
	make_fs -b "$size" -N 3000 && mount_fs
	# One that is larger, mke2fs has made.
	rm -r "$MNT/lost+found" && mkdir "$MNT/lost+found"
	before=$(free)
	log_mark
	for with in large small inodes directories names xattrs mapped stored direct appending; do
		check "$size: $with: ENOSPC" fill $with
		check "$size: $with: e2fsck" whole
		mount_fs
		check "$size: $with: all of it is there" same_tree "$WORK/manifest" "$MNT"
		check "$size: $with: deleted, as much is free as before" emptied "$before"
	done
	check "$size: nothing was said" no_damage
	check "$size: the filesystem is whole" whole
done

# What is not root's.
make_fs -b 1024 -m 10 && mount_fs && chmod 777 "$MNT"
user_fills() {
	refuse setpriv --reuid=99 --regid=99 --clear-groups \
		dd if=/dev/zero of="$MNT/user" bs=64k status=none conv=fsync
}
check "a user gets ENOSPC" user_fills
check "none is available" is "blocks" "$(stat -f -c %a "$MNT")" 0
check "what is root's is free" at_least "blocks" "$(stat -f -c %f "$MNT")" 3000
check "root may have it" dd if=/dev/zero of="$MNT/root" bs=1M count=2 status=none conv=fsync
check "the filesystem is whole" whole

# Many at once.
full_by_many() {
	local pids=() pid i
	for i in {1..8}; do
		dd if=/dev/zero of="$MNT/by-$i" bs=4k conv=fsync 2>/dev/null &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		! wait "$pid" || return
	done
	is "free blocks" "$(stat -f -c %f "$MNT")" 0
}
make_fs -b 1024 -m 0 && mount_fs
rm -r "$MNT/lost+found" && mkdir "$MNT/lost+found"
before=$(free)
check "eight at once, to the last block" full_by_many
check "e2fsck" whole
mount_fs
check "deleted, as much is free as before" emptied "$before"
check "the filesystem is whole" whole
check "no violation" counter_is violations 0
check "nothing was said of it" no_damage
ktap_finished
