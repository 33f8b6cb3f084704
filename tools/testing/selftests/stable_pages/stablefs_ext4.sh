#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A tree that stablefs wrote is the same through the kernel's ext4 driver, and the other
# way round. Each then changes what the other wrote.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
images=("-b 1024 -I 128" "-b 4096 -I 256")
[ "$SHORTEN" -eq 1 ] || images=("-b 1024 -I 256")
begin_stablefs $((${#images[@]} * 20 + 4)) setfacl
modprobe ext4

count=$((3000 / SHORTEN))

# build: a tree, by whoever has it mounted.
build() {
	cp -a /usr/lib/python3/. /usr/bin /etc "$MNT/" &&
		"$HERE/stablefs_tree.py" "$MNT" $count &&
		mkdir "$MNT/acl" && setfacl -d -m u:1234:rwx,g:99:r "$MNT/acl" &&
		echo inherited >"$MNT/acl/file" && setfacl -m u:5:r "$MNT/acl/file" &&
		manifest "$MNT" >"$WORK/manifest"
}

# change: some of it goes, some grows, some moves.
change() {
	"$HERE/stablefs_tree.py" "$MNT" $count change && rm -r "$MNT/dist-packages" &&
		manifest "$MNT" >"$WORK/manifest"
}

# From one driver to the other.
hand_over() {
	local from=$1 to=$2
	check "$image: $from: a tree of $count odd files, and more" build
	echo "# $(wc -l <"$WORK/manifest") files"
	check "$image: $from: e2fsck" whole
	mount_with '' "$to"
	check "$image: $to: it is the same" same_tree "$WORK/manifest" "$MNT"
	check "$image: $to: it is changed" change
	check "$image: $to: e2fsck" whole
	mount_with '' "$from"
	check "$image: $from: what was changed is the same" same_tree "$WORK/manifest" "$MNT"
	check "$image: $from: all of it goes" find "$MNT" -mindepth 1 -not -name lost+found -delete
	check "$image: $from: e2fsck" whole
}

for image in "${images[@]}"; do
	for order in "stablefs ext4" "ext4 stablefs"; do
		# ext4's driver changes metadata while the device reads it.
		load_with_fs size_mb=400 on_violation=report
		# shellcheck disable=SC2086 # words
		make_fs $image -N 30000
		mount_with '' "${order% *}"
		log_mark
		# shellcheck disable=SC2086 # two names
		hand_over $order
		check "$image: ${order% *} first: stablefs found no damage" no_damage
		free=$(dumpe2fs -h "$DEV" 2>/dev/null | awk '/^Free inodes:/ { print $3 }')
		check "$image: ${order% *} first: all inodes are free" is "free inodes" "$free" \
			$(($(dumpe2fs -h "$DEV" 2>/dev/null | awk '/^Inode count:/ { print $3 }') - 11))
	done
done

# The control: the manifest shows one byte, one time, one attribute.
mount_fs
echo content >"$MNT/file"
manifest "$MNT" >"$WORK/manifest"
check "the control: the same" same_tree "$WORK/manifest" "$MNT"
printf C | dd of="$MNT/file" conv=notrunc status=none
touch -d "$(awk '$1 == "\x27file\x27" { print "@" substr($5, 1, length($5) - 9) "." substr($5, length($5) - 8) }' "$WORK/manifest")" "$MNT/file"
check_not "the control: a byte" same_tree "$WORK/manifest" "$MNT"
manifest "$MNT" >"$WORK/manifest"
setfattr -n user.one -v more "$MNT/file"
check_not "the control: an attribute" same_tree "$WORK/manifest" "$MNT"
check "the filesystem is whole" whole
ktap_finished
