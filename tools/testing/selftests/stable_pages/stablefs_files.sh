#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# All that a program may do with files does what it does elsewhere: names, contents,
# what is said about files, and what is done to the whole filesystem. Afterwards e2fsck
# finds nothing.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
mapfile -t names < <("$HERE/stablefs_names.py" --list)
mapfile -t data < <("$HERE/stablefs_data.py" --list)
mapfile -t attrs < <("$HERE/stablefs_attrs.py" --list)
images=("-b 1024 -I 128" "-b 1024 -I 256" "-b 4096 -I 256")
[ "$SHORTEN" -eq 1 ] || images=("-b 1024 -I 256")
begin_stablefs $((${#images[@]} * (${#names[@]} + ${#data[@]} + ${#attrs[@]} + 13))) \
	setfacl getfacl filefrag fstrim fsfreeze mkswap swapon

# theme NAME TEST...: stablefs_NAME.py has them.
theme() {
	local name
	for name in "${@:2}"; do
		check "$image: $1: $name" "$HERE/stablefs_$1.py" "$DEV" "$MNT" "$name"
	done
	check "$image: $1: the filesystem is whole" whole
	mount_fs
}

# What is free, here and with df.
statfs() {
	local before after
	sync -f "$MNT"
	before=$(stat -f -c '%f %d' "$MNT")
	dd if=/dev/zero of="$MNT/counted" bs=1M count=1 conv=fsync status=none &&
		after=$(stat -f -c '%f %d' "$MNT") && rm "$MNT/counted" || return
	# shellcheck disable=SC2086 # two numbers each
	set -- $before $after
	local block
	block=$(stat -f -c %S "$MNT")
	echo "$before before, $after after 1 MiB"
	[ $((($1 - $3) * block)) -ge $((1 << 20)) ] && [ $((($1 - $3) * block)) -le $(((1 << 20) + 8192)) ] &&
		[ $(($2 - $4)) -eq 1 ] && is "name length" "$(stat -f -c %l "$MNT")" 255 &&
		is type "$(stat -f -c %t "$MNT")" ef53 && sync -f "$MNT" &&
		is "free again" "$(stat -f -c '%f %d' "$MNT")" "$before"
}

trim() {
	local before
	dd if=/dev/urandom of="$MNT/trimmed" bs=1M count=8 conv=fsync status=none
	cp "$MNT/trimmed" "$MNT/kept"
	rm "$MNT/trimmed"
	sync -f "$MNT"
	before=$(counter stored_bytes)
	sha256sum "$MNT/kept" >"$WORK/sum" && fstrim -v "$MNT" &&
		at_least "bytes given back" $((before - $(counter stored_bytes))) $((7 << 20)) &&
		again && sha256sum --check --quiet "$WORK/sum" && rm "$MNT/kept"
}

# While it is frozen the image is clean, and who writes waits.
freeze() {
	local pid status=0
	cp -r /usr/lib/python3/. "$MNT/frozen" && fsfreeze --freeze "$MNT" || return
	e2fsck -fn "$DEV" || status=1
	touch "$MNT/frozen/later" &
	pid=$!
	sleep 0.5
	kill -0 $pid || status=1
	[ ! -e "$MNT/frozen/later" ] || status=1
	fsfreeze --unfreeze "$MNT" && wait $pid && [ -e "$MNT/frozen/later" ] &&
		rm -r "$MNT/frozen" && return $status
}

# What is open and has no name any more is e2fsck's matter, should the freezing be the end.
freeze_unlinked() {
	local status=0
	exec 3>"$MNT/unlinked" && rm "$MNT/unlinked" && fsfreeze --freeze "$MNT" || return
	dumpe2fs -h "$DEV" 2>/dev/null | grep 'Filesystem state: *not clean' || status=1
	fsfreeze --unfreeze "$MNT" && exec 3>&- && return $status
}

swap() {
	dd if=/dev/zero of="$MNT/swap" bs=1M count=2 conv=fsync status=none
	chmod 600 "$MNT/swap"
	mkswap "$MNT/swap" && log_mark && refuse swapon "$MNT/swap" &&
		log_has 'stablefs: .*swap files are not supported' && rm "$MNT/swap"
}

loop_mount() {
	modprobe loop
	mkdir -p "$WORK/inner"
	truncate -s 20M "$MNT/image" && mke2fs -q -t ext4 "$MNT/image" &&
		mount -o loop "$MNT/image" "$WORK/inner" && cp -r /usr/lib/python3/. "$WORK/inner/" &&
		umount "$WORK/inner" && e2fsck -fn "$MNT/image" && rm "$MNT/image"
}

bind_read_only() {
	mkdir "$MNT/of-bind" "$WORK/bound" && mount --bind "$MNT/of-bind" "$WORK/bound" &&
		mount -o remount,ro,bind "$WORK/bound" && refuse touch "$WORK/bound/x" &&
		touch "$MNT/of-bind/x" && ls "$WORK/bound/x" && umount "$WORK/bound" &&
		rmdir "$WORK/bound" && rm -r "$MNT/of-bind"
}

read_only() {
	mount -o remount,ro "$MNT" || return
	refuse touch "$MNT/x" && refuse mkdir "$MNT/y" && refuse ln -s x "$MNT/z" &&
		refuse chmod 700 "$MNT" && refuse fstrim "$MNT" && mount -o remount,rw "$MNT"
}

for image in "${images[@]}"; do
	load_with_fs size_mb=256
	# shellcheck disable=SC2086 # words
	make_fs $image -N 40000 && mount_fs
	log_mark
	mark=$LOG_MARK
	theme names "${names[@]}"
	theme data "${data[@]}"
	theme attrs "${attrs[@]}"
	check "$image: statfs" statfs
	check "$image: fstrim gives back what is free" trim
	check "$image: fsfreeze: the image is clean, writers wait" freeze
	check "$image: fsfreeze: with an unlinked file open, it isn't" freeze_unlinked
	check "$image: a filesystem in a file" loop_mount
	check "$image: a read-only bind mount" bind_read_only
	check "$image: remounted read-only, nothing can be changed" read_only
	LOG_MARK=$mark
	check "$image: nothing was said" no_damage
	check "$image: swapon is refused, and why" swap
	check "$image: the filesystem is whole" whole
done
ktap_finished
