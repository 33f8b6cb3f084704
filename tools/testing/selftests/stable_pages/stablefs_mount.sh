#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What mke2fs makes as ext2 mounts, with any of its features; what stablefs can't
# handle is refused with an errno and one line that says why. Options do what they
# say, and are shown.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
begin_stablefs 94 debugfs dumpe2fs tune2fs blockdev

# used: mounted, written to, the same after mounting again, and e2fsck likes it.
used() {
	log_mark
	mount_fs && cp -r /usr/lib/python3/. "$MNT/tree" &&
		mkdir -p "$MNT/a/b/c" && ln -s a/b "$MNT/short" && ln -s "$(printf 'x%.0s' {1..99})" "$MNT/long" &&
		dd if=/dev/urandom of="$MNT/data" bs=64k count=40 status=none &&
		rm -r "$MNT/tree/dist-packages" "$MNT/lost+found" && mkdir "$MNT/lost+found" &&
		manifest "$MNT" >"$WORK/manifest" && again && same_tree "$WORK/manifest" "$MNT" &&
		whole && no_damage
}

# fits ARGUMENT...: of mke2fs
fits() {
	local output
	output=$(make_fs "$@" 2>&1) || {
		echo "mke2fs $*: $output"
		return 1
	}
	used
}

load_with_fs size_mb=24
for block in 1024 2048 4096; do
	for inode in 128 256; do
		check "-b $block -I $inode" fits -b $block -I $inode
	done
done
for features in ^sparse_super,^resize_inode ^dir_index ^resize_inode ^ext_attr ^large_file ^filetype \
	none none,filetype,sparse_super sparse_super2,^resize_inode,^sparse_super has_journal; do
	check "-O $features" fits -b 1024 -O "$features"
done
# What mke2fs -r 0 made when it still did.
revision_0() {
	make_fs -b "$1" -I 128 -O none && debugfs -w -R 'set_super_value rev_level 0' "$DEV" &&
		dumpe2fs -h "$DEV" | grep -q '^Filesystem revision #: *0' && e2fsck -fn "$DEV" && used
}
check "revision 0, -b 1024" revision_0 1024
check "revision 0, -b 4096" revision_0 4096
check "-I 512 -b 4096" fits -I 512 -b 4096
check "few blocks in a group" fits -b 1024 -g 2048
check "few inodes" fits -b 1024 -N 1200
odd() {
	mke2fs -q -F -t ext2 -b 1024 "$DEV" 17001 && used
}
check "a size that is a multiple of nothing" odd

# What can't be mounted.
make_fs -O extents
check "extents: refused" refused EINVAL 'incompat feature extent is not supported'
check "extents: refused read-only, too" refused EINVAL 'incompat feature extent is not supported' '' ro
make_fs -O inline_data
check "inline_data: refused" refused EINVAL 'incompat feature inline_data is not supported'
mke2fs -q -F -t ext4 "$DEV"
check "ext4: refused" refused EINVAL 'incompat feature [a-z0-9_]* is not supported'
make_fs -O ^resize_inode,meta_bg
check "meta_bg: refused" refused EINVAL 'incompat feature meta_bg is not supported'
make_fs
debugfs -w -R 'set_super_value feature_incompat 0x40000002' "$DEV" 2>/dev/null
check "a feature without a name: refused, with its bit" \
	refused EINVAL 'incompat feature \(bit 30\|0x40000000\) is not supported'

read_only() {
	local before
	refused EROFS "ro_compat feature $1 is not supported.*read-only" &&
		is errno "$(mount_errno stable=auto ro)" 0 && grep -q " $MNT stablefs ro," /proc/self/mounts &&
		ls "$MNT/lost+found" && refuse touch "$MNT/new" && log_mark || return
	before=$(grep " $MNT " /proc/self/mounts)
	[[ $before = *snapshot_max=* ]] &&
		refuse mount -o remount,rw,stable=snapshot,snapshot_max=8M "$MNT" &&
		is "what is mounted" "$(grep " $MNT " /proc/self/mounts)" "$before" && umount "$MNT"
}
for feature in huge_file extra_isize quota metadata_csum; do
	make_fs -O $feature
	check "$feature: read-only" read_only $feature
done
make_fs
debugfs -w -R 'set_super_value feature_ro_compat 0x203' "$DEV" 2>/dev/null
check "bigalloc: read-only" read_only bigalloc

mke2fs -q -F -t ext3 -b 1024 "$DEV"
check "ext3, unmounted: is ext2" used
mke2fs -q -F -t ext3 -b 1024 "$DEV"
debugfs -w -R 'feature needs_recovery' "$DEV" >"$WORK/log" 2>&1
check "a journal to be replayed: refused" refused EINVAL 'the journal needs recovery'
check "read-only, too" refused EINVAL 'the journal needs recovery' '' ro
make_fs
printf '\x34\x12' | dd of="$DEV" bs=1 seek=$((1024 + 56)) conv=notrunc,fsync status=none
check "another magic number: refused" refused EINVAL 'no ext2 superblock.*0x1234'
blkdiscard -q -f "$DEV"
check "zeroes: refused" refused EINVAL 'no ext2 superblock.*0x0'
truncate -s 48M "$WORK/image"
mke2fs -q -F -t ext2 -b 4096 "$WORK/image"
dd if="$WORK/image" of="$DEV" bs=1M count=24 conv=fsync status=none
check "a device that ends before it: refused" refused EINVAL \
	'the filesystem has 50331648 bytes, its device 25165824'
make_fs -b 1024
# The number of blocks, and of fragments, in a group.
head -c 8 /dev/zero | dd of="$DEV" bs=1 seek=$((1024 + 32)) conv=notrunc,fsync status=none
check "no blocks in a group: refused" refused EUCLEAN 'superblock: blocks per group'
make_fs -b 1024
debugfs -w -R 'set_super_value inode_size 200' "$DEV" 2>/dev/null
check "inodes of 200 bytes: refused" refused EUCLEAN 'superblock: inode size .*200'
make_fs -b 1024
debugfs -w -R 'set_super_value rev_level 2' "$DEV" 2>/dev/null
check "revision 2: refused" refused EINVAL '.*revision.*2'
make_fs -b 1024
debugfs -w -R 'set_super_value log_block_size 3' "$DEV" 2>/dev/null
check "blocks of 8 KiB: refused" refused EINVAL '.*block size.*3'
make_fs -b 1024
debugfs -w -R 'set_bg 1 inode_table 7' "$DEV" 2>/dev/null
check "an inode table elsewhere: refused" refused EUCLEAN '.*group descriptor'
rm -f "$WORK/image"
truncate -s 16M "$WORK/image"
mke2fs -q -F -t ext2 -b 1024 "$WORK/image"
load_with_fs size_mb=24 block_size=4096
dd if="$WORK/image" of="$DEV" bs=1M conv=fsync status=none
check "blocks smaller than the device's: refused" refused EINVAL '.*1024.*'
check "4 KiB on a device of 4 KiB" fits -b 4096
load_with_fs size_mb=24

# The state of a superblock.
make_fs -b 1024
state_is() {
	is state "$(dumpe2fs -h "$DEV" 2>/dev/null | sed -n 's/^Filesystem state: *//p')" "$1"
}
mount_fs
check "mounted: not clean" state_is 'not clean'
mount -o remount,ro "$MNT"
check "read-only: clean" state_is clean
mount -o remount,rw "$MNT"
check "writable again: not clean" state_is 'not clean'
umount "$MNT"
check "unmounted: clean" state_is clean
untouched() {
	local before
	before=$(sha256sum <"$DEV")
	mount_with ro && ls -R "$MNT" >/dev/null && umount "$MNT" && blockdev --flushbufs "$DEV" &&
		is "what is on the device" "$(sha256sum <"$DEV")" "$before"
}
check "read-only writes nothing" untouched
orphan() {
	debugfs -w -R 'set_super_value last_orphan 12' "$DEV" 2>/dev/null
	refused EROFS '.*orphan' && mount_with ro && umount "$MNT" &&
		debugfs -w -R 'set_super_value last_orphan 0' "$DEV" 2>/dev/null
}
check "an orphan: read-only" orphan
# As e2fsck does with a root filesystem, before that is remounted.
mended_meanwhile() {
	local free
	free=$(dumpe2fs -h "$DEV" 2>/dev/null | awk '/^Free blocks:/ { print $3 }')
	debugfs -w -R 'set_super_value last_orphan 12' "$DEV" 2>/dev/null
	debugfs -w -R 'set_block_group 0 free_blocks_count 5' "$DEV" 2>/dev/null
	mount_with ro && refuse mount -o remount,rw "$MNT" || return
	debugfs -w -R 'set_super_value last_orphan 0' "$DEV" 2>/dev/null
	e2fsck -fy "$DEV" >"$WORK/fsck" 2>&1
	mount -o remount,rw "$MNT" && touch "$MNT/after" && is free "$(stat -f -c %f "$MNT")" "$free" &&
		umount "$MNT" && whole
}
check "what is mended while it is read-only counts when it is remounted" mended_meanwhile
moved_meanwhile() {
	mount_with ro && debugfs -w -R 'set_super_value first_ino 12' "$DEV" 2>/dev/null &&
		log_mark || return
	# By the older system call the kernel's log has it, by the newer one mount says it.
	{ mount -o remount,rw "$MNT" 2>&1; log_since; } | grep "it isn't laid out as when it was mounted" || return
	umount "$MNT" && make_fs
}
check "not if it is another filesystem by then" moved_meanwhile

# Options.
# shows WORDS: those stand in /proc/self/mounts.
shows() {
	is options "$(awk -v at="$MNT" '$2 == at { print $4 }' /proc/self/mounts | tail -n 1)" "$1"
}
takes() {
	is errno "$(mount_errno "$1")" 0 && shows "$2"
	local status=$?
	umount "$MNT"
	return $status
}
check "by default: wait, continue" takes '' 'rw,relatime,stable=wait,errors=continue'
check "stable=off" takes stable=off 'rw,relatime,stable=off,errors=continue'
check "stable=wait" takes stable=off,stable=wait 'rw,relatime,stable=wait,errors=continue'
for strategy in snapshot detached auto; do
	check "stable=$strategy" takes "stable=$strategy,snapshot_max=5M" \
		"rw,relatime,stable=$strategy,errors=continue,snapshot_max=5242880"
done
check "errors=continue" takes errors=panic,errors=continue 'rw,relatime,stable=wait,errors=continue'
check "errors=remount-ro" takes errors=remount-ro 'rw,relatime,stable=wait,errors=remount-ro'
check "errors=panic" takes errors=panic 'rw,relatime,stable=wait,errors=panic'
check "discard" takes discard 'rw,relatime,stable=wait,errors=continue,discard'
check "nodiscard" takes discard,nodiscard 'rw,relatime,stable=wait,errors=continue'
check "resuid, resgid" takes resuid=1234,resgid=4294967294 \
	'rw,relatime,stable=wait,errors=continue,resuid=1234,resgid=4294967294'
tune2fs -e remount-ro -u 77 -g 78 "$DEV" >/dev/null
check "what the superblock says" takes '' \
	'rw,relatime,stable=wait,errors=remount-ro,resuid=77,resgid=78'
check "but for what is said" takes errors=continue,resgid=0 \
	'rw,relatime,stable=wait,errors=continue,resuid=77'
tune2fs -e continue -u 0 -g 0 "$DEV" >/dev/null

wrong() {
	check "$1: refused" refused EINVAL "$2" "$1"
}
strategies='stable=wait|snapshot|detached|auto|off is allowed'
wrong stable=maybe "$strategies.*maybe"
wrong stable "$strategies"
for value in 4095K 1025G -1M 5T '' 18014398509481984K; do
	wrong "snapshot_max=$value" "snapshot_max=BYTES is allowed, from 4M to 1024G"
done
wrong errors=ignore 'errors=continue|remount-ro|panic is allowed.*ignore'
wrong discard=yes "discard takes no value.*yes"
wrong resuid=root "resuid=ID is allowed.*root"
wrong resuid=-1 "resuid=ID is allowed.*-1"
wrong resgid=4294967296 "resgid=ID is allowed.*4294967296"
wrong resgid 'resgid=ID is allowed'
wrong nosuchthing '.*nosuchthing'
wrong data=journal '.*data'
says_so() {
	mount_with stable=maybe 2>&1 | grep -qF "$strategies"
}
check "mount(8) says why, too" says_so

mount_with stable=wait,errors=remount-ro,resuid=5
check "remount changes one" mount -o remount,stable=off "$MNT"
check "and keeps the rest" shows 'rw,relatime,stable=off,errors=remount-ro,resuid=5'
limit() {
	mount -o remount,stable=auto,snapshot_max=1G "$MNT" &&
		shows 'rw,relatime,stable=auto,errors=remount-ro,resuid=5,snapshot_max=1073741824' &&
		mount -o remount,stable=off "$MNT"
}
check "the limit of copies, too" limit
wrong_remount() {
	refuse mount -o remount,errors=perhaps "$MNT" &&
		shows 'rw,relatime,stable=off,errors=remount-ro,resuid=5'
}
check "a wrong remount changes nothing" wrong_remount
busy() {
	exec 3>"$MNT/open" && refuse mount -o remount,ro "$MNT" && exec 3>&- &&
		mount -o remount,ro "$MNT" && refuse touch "$MNT/new" &&
		mount -o remount,rw "$MNT" && touch "$MNT/new"
}
check "read-only and back, but not with a file being written" busy
check "the filesystem is whole" whole

# stored_after OPTION: bytes in the device, a file having come and gone.
stored_after() {
	make_fs && mount_with "$1" && dd if=/dev/urandom of="$MNT/data" bs=1M count=8 conv=fsync status=none &&
		rm "$MNT/data" && sync -f "$MNT" && whole >&2 && counter stored_bytes
}
given_back() {
	local with without
	blkdiscard -q -f "$DEV"
	without=$(stored_after nodiscard)
	blkdiscard -q -f "$DEV"
	with=$(stored_after discard)
	echo "$without bytes stored without discard, $with with it"
	[ $((without - with)) -ge $((7 << 20)) ]
}
check "discard gives back what was deleted, nodiscard does not" given_back

# fill_as UID GID: kB that are used when no more goes in.
fill_as() {
	setpriv --reuid="$1" --regid="$2" --clear-groups dd if=/dev/zero of="$MNT/by-$1-$2" bs=64k \
		conv=fsync oflag=append 2>/dev/null
	df --output=used -B1k "$MNT" | tail -n 1
}
reserved() {
	make_fs -b 1024 -m 20 -O ^resize_inode && mount_with resuid=1234,resgid=4321 && chmod 777 "$MNT" || return
	local others user group
	others=$(fill_as 99 99)
	user=$(fill_as 1234 99)
	rm "$MNT/by-1234-99"
	group=$(fill_as 99 4321)
	echo "$others kB for others, $user for the user, $group for the group"
	[ $((user - others)) -ge 4000 ] && [ $((group - others)) -ge 4000 ]
}
check "resuid and resgid may fill it" reserved
check "the filesystem is whole" whole
ktap_finished
