#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A write that failed is told of by fsync(), once to each who has the file open. What
# can't be read is EIO. Damage is EUCLEAN, with a line that names the structure, and the
# filesystem does what errors= says; it never confuses the kernel.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
begin_stablefs 129 dmsetup debugfs dumpe2fs filefrag
modprobe dm-mod

# Above the disk: a device, parts of which fail.
TARGET=/dev/mapper/stable_pages_fs
sectors=$((64 * 2048))

# table: the lines of a table with a row of sectors (first, count) that fail.
table() {
	local first=${1:-0} count=${2:-0}
	[ "$first" -eq 0 ] || echo "0 $first linear $DEV 0"
	[ "$count" -eq 0 ] || echo "$first $count error"
	[ $((first + count)) -eq $sectors ] ||
		echo "$((first + count)) $((sectors - first - count)) linear $DEV $((first + count))"
}

# breaks [FIRST COUNT]: these sectors, from now on. Without any: all work.
breaks() {
	table "$@" | dmsetup reload stable_pages_fs && dmsetup suspend --noflush --nolockfs stable_pages_fs &&
		dmsetup resume stable_pages_fs
}

fresh() {
	load_with_fs size_mb=64
	table | dmsetup create stable_pages_fs && make_fs "$@"
}

# no_report: the kernel has not said anything of itself.
no_report() {
	! log_since | grep -e 'WARNING:' -e 'BUG:' -e 'Oops' -e 'panicked' -e 'general protection' -e 'kernel BUG'
}

# contents: those of the file; errors have their own errno with direct I/O only.
contents() {
	cat "$MNT/file" >/dev/null && dd if="$MNT/file" of=/dev/null bs=64k iflag=direct status=none
}
direct_contents() {
	cat "$MNT/file" >/dev/null
	dd if="$MNT/file" of=/dev/null bs=64k iflag=direct status=none
}

# extent FILE: its first sector on the device, and how many.
extent() {
	filefrag -e -b512 "$1" | awk -F '[:. ]+' '$2 == "0" { print $5, $7 }'
}

# mended: e2fsck can repair it, and then finds nothing.
mended() {
	! mountpoint -q "$MNT" || umount "$MNT" || return
	breaks
	e2fsck -fy "$TARGET" >"$WORK/fsck" 2>&1
	[ $? -le 1 ] || {
		cat "$WORK/fsck"
		return 1
	}
	whole
}

# Writes that fail.
for size in 1024 4096; do
	fresh -b $size
	mount_fs
	log_mark
	dd if=/dev/urandom of="$MNT/file" bs=64k count=2 conv=fsync status=none
	# shellcheck disable=SC2046 # two numbers
	set -- $(extent "$MNT/file")
	check "$size: a file is in one piece" at_least sectors "${2:-0}" 8
	for how in fsync fdatasync msync osync syncfs direct; do
		export FAIL="dmsetup suspend --noflush --nolockfs stable_pages_fs && dmsetup resume stable_pages_fs"
		table "$1" "$2" | dmsetup reload stable_pages_fs
		check "$size: $how says EIO, once to each" \
			"$HERE/stablefs_eio.py" "$MNT/file" $how
		breaks
		check "$size: $how: when it works again, all is well" \
			dd if=/dev/urandom of="$MNT/file" bs=64k count=2 conv=notrunc,fsync status=none
	done
	breaks "$1" "$2"
	again
	check_not "$size: what can't be read is an error" contents
	breaks
	check "$size: and is read later" contents
	check "$size: no report" no_report
	check "$size: the filesystem is whole" whole
done

# A device that is gone, under a filesystem in use.
gone() {
	cp -r /usr/lib/python3/. "$MNT/"
	exec 3>"$MNT/open"
	echo content >&3
	breaks 0 $sectors
	refuse sync "$MNT/open"
	cp -r /usr/lib/python3/. "$MNT/more"
	rm -rf "$MNT"/dist-packages
	mv "$MNT/open" "$MNT/moved"
	ls -R "$MNT"
	sync -f "$MNT"
	exec 3>&-
	umount "$MNT"
}
for errors in continue remount-ro; do
	fresh -b 1024
	mount_with errors=$errors
	log_mark
	check "the device is gone, errors=$errors: it can be unmounted" gone
	check "the device is gone, errors=$errors: no report" no_report
	check "the device is gone, errors=$errors: e2fsck can repair it" mended
done

# Metadata that can't be read.
# group_block FIELD: of group 0
group_block() {
	dumpe2fs "$TARGET" 2>/dev/null | sed -n "s/.*$1 at \([0-9]*\).*/\1/p" | head -n 1
}
populate() {
	mount_fs && mkdir "$MNT/d" && cp -r /usr/lib/python3/. "$MNT/d" && touch "$MNT/d/"{1..60} &&
		dd if=/dev/urandom of="$MNT/file" bs=64k count=16 status=none &&
		echo attributed >"$MNT/attributed" &&
		setfattr -n user.x -v "$(printf 'v%.0s' {1..600})" "$MNT/attributed" &&
		ln -s "$(printf 't%.0s' {1..100})" "$MNT/link" && umount "$MNT"
}
# eio BLOCK COMMAND...: with this block broken, the command fails with EIO.
eio() {
	local block=$1
	shift
	breaks $((block * 2)) 2
	mount_with errors=continue || return
	log_mark
	"$@" 2>&1 | tee "$WORK/said"
	grep -q 'Input/output error' "$WORK/said" && no_report && return
	log_since
	return 1
}
fresh -b 1024 -I 128 -N 4096
check "a tree" populate
block_of() {
	debugfs -R "$1" "$TARGET" 2>/dev/null
}
indirect=$(block_of 'stat /file' | grep -o '(IND):[0-9]*' | head -n 1 | cut -d: -f2)
check "an indirect block: EIO" eio "$indirect" contents
check "mended" mended
check "a directory: EIO" eio "$(block_of 'blocks /d' | awk '{ print $1 }')" ls "$MNT/d"
check "mended" mended
check "an attribute block: EIO" eio "$(block_of 'stat /attributed' | grep -o 'File ACL: [0-9]*' | cut -d' ' -f3)" \
	getfattr -d "$MNT/attributed"
check "mended" mended
check "a link's target: EIO" eio "$(block_of 'blocks /link' | awk '{ print $1 }')" readlink -v "$MNT/link"
check "mended" mended
check "a block bitmap: EIO" eio "$(group_block 'Block bitmap')" \
	dd if=/dev/zero of="$MNT/new" bs=64k count=700 conv=fsync
check "mended" mended
check "an inode bitmap: EIO" eio "$(group_block 'Inode bitmap')" touch "$MNT/newer"
check "mended" mended
root=$(group_block 'Inode table')
unmountable() {
	log_mark
	breaks "$1" 2
	is errno "$(mount_errno '')" EIO && log_has "stablefs: $2" && no_report
}
check "the superblock: EIO" unmountable 2 "the superblock can't be read"
check "the group descriptors: EIO" unmountable 4 "the group descriptors can't be read"
check "the root directory: EIO" unmountable $((root * 2)) \
	"the root directory can't be used"
check "mended" mended

# A bitmap that can't be written once: what is in memory is newer than what the device has.
not_reverted() {
	mount_with errors=continue && head -c 2000000 /dev/urandom >"$WORK/one" &&
		cp "$WORK/one" "$MNT/one" || return
	breaks $((bitmap * 2)) 2
	refuse sync -f "$MNT"
	breaks
	head -c 3000000 /dev/urandom >"$WORK/two" && cp "$WORK/two" "$MNT/two" && sync -f "$MNT"
	umount "$MNT" && mount_fs && cmp "$WORK/one" "$MNT/one" && cmp "$WORK/two" "$MNT/two" && no_report
}
bitmap=$(group_block 'Block bitmap')
log_mark
check "a block bitmap that wasn't written isn't read again" not_reverted
check "the filesystem is whole" mended
rm -f "$WORK/one" "$WORK/two"

# Damage. What follows is done to a copy of one image.
dd if="$TARGET" of="$WORK/image" bs=1M conv=sparse status=none
bitmap=$(group_block 'Block bitmap')
blocks=$(dumpe2fs -h "$TARGET" 2>/dev/null | awk '/^Block count:/ { print $3 }')

# damaged NAME STRUCTURE "DEBUGFS" COMMAND...: the command finds damage, and EUCLEAN. With
# errors=continue it can still be written to, with errors=remount-ro no more.
damaged() {
	local name=$1 structure=$2 damage=$3
	shift 3
	check "$name: EUCLEAN, and why" finds continue "$structure" "$damage" "$@"
	check "$name: errors=continue: goes on" goes_on
	check "$name: errors=remount-ro: EUCLEAN, read-only" finds remount-ro "$structure" "$damage" "$@"
	check "$name: errors=remount-ro: stays so, and e2fsck will look" stopped
	check "$name: mended" mended
}
finds() {
	local errors=$1 structure=$2 damage=$3
	shift 3
	! mountpoint -q "$MNT" || umount "$MNT"
	dd if="$WORK/image" of="$TARGET" bs=1M conv=fsync status=none
	case $damage in
	bytes*)	# bytes OFFSET OCTAL...
		# shellcheck disable=SC2086 # words
		set_bytes ${damage#bytes } ;;
	*)	debugfs -w -R "$damage" "$TARGET" 2>/dev/null ;;
	esac
	cmp -s "$WORK/image" "$TARGET" && echo "nothing is damaged" && return 1
	mount_with errors="$errors" || return
	log_mark
	"$@" 2>&1 | tee "$WORK/said"
	grep -q 'Structure needs cleaning' "$WORK/said" || {
		log_since
		return 1
	}
	no_report || return
	log_since | grep -q "stablefs: .*$structure: " || {
		echo "the log doesn't name '$structure':"
		log_since
		return 1
	}
}
set_bytes() {
	# shellcheck disable=SC2059 # escapes
	printf "$2" | dd of="$TARGET" bs=1 seek="$1" conv=notrunc,fsync status=none
}
state() {
	dumpe2fs -h "$TARGET" 2>/dev/null | sed -n 's/^Filesystem state: *//p'
}
goes_on() {
	grep -q " $MNT stablefs rw," /proc/self/mounts && touch "$MNT/more" && umount "$MNT" &&
		is state "$(state)" 'clean with errors'
}
stopped() {
	grep -q " $MNT stablefs ro," /proc/self/mounts && refuse touch "$MNT/more" && umount "$MNT" &&
		is state "$(state)" 'not clean with errors'
}
# entry DIRECTORY OFFSET: where that is on the device.
entry() {
	echo $(($(block_of "blocks $1" | awk '{ print $1 }') * 1024 + $2))
}
damaged "an indirect block beyond the end" 'indirect block' \
	"sif /file block[IND] $((blocks + 5))" direct_contents
damaged "an indirect block that is a bitmap" 'indirect block' "sif /file block[IND] $bitmap" direct_contents
damaged "a pointer to the superblock" 'inode' 'sif /file block[3] 1' direct_contents
damaged "a pointer in an indirect block" 'indirect block' "bytes $((indirect * 1024 + 40)) \\377\\377\\377\\177" \
	direct_contents
damaged "truncating what points to a bitmap" 'inode' "sif /file block[5] $bitmap" truncate -s 0 "$MNT/file"
damaged "rec_len is 3" directory "bytes $(entry /d 28) \\003\\000" ls "$MNT/d"
damaged "rec_len is 0" directory "bytes $(entry /d 28) \\000\\000" ls "$MNT/d"
damaged "rec_len crosses the block" directory "bytes $(entry /d 28) \\000\\020" ls "$MNT/d"
damaged "a name is longer than its entry" directory "bytes $(entry /d 30) \\377" ls "$MNT/d"
damaged "an entry's inode is too large" directory "bytes $(entry /d 24) \\377\\377\\377\\000" \
	sh -c "ls $MNT/d; ls -l $MNT/d; stat $MNT/d/*"
damaged "an entry's inode is free" directory "bytes $(entry /d 24) \\000\\017\\000\\000" \
	sh -c "ls -l $MNT/d; stat $MNT/d/*"
damaged "a mode that is none" inode 'sif /file mode 0170644' direct_contents
damaged "an attribute block without its magic" 'extended attribute block' \
	"bytes $(($(block_of 'stat /attributed' | grep -o 'File ACL: [0-9]*' | cut -d' ' -f3) * 1024)) \\001" \
	getfattr -d "$MNT/attributed"
damaged "an attribute block that is a bitmap" 'inode' "sif /attributed file_acl $bitmap" \
	getfattr -d "$MNT/attributed"
ktap_finished
