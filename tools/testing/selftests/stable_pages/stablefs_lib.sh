# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the tests of stablefs share, on top of lib.sh: images, mounting, checking what
# is left, comparing trees. The filesystem is on the disk of dif_blk, or on a device
# that a test puts above it.

# Where the filesystem is.
TARGET=$DEV
# shellcheck disable=SC2034 # for the tests
readonly STABLEFS=/sys/kernel/debug/stablefs

# begin_stablefs N [COMMAND...]: as begin, and skipped without the module.
begin_stablefs() {
	modprobe --dry-run stablefs 2>/dev/null || {
		ktap_print_header
		ktap_skip_all "there is no module stablefs (make modules_install)"
		exit "$KSFT_SKIP"
	}
	begin "$1" mke2fs e2fsck python3 "${@:2}"
	# For users who are not root.
	chmod 755 "$WORK"
	modprobe stablefs || ktap_exit_fail_msg "modprobe stablefs failed"
}

# In lib.sh this unloads the driver only. What stands on the disk goes first.
unload() {
	local name status=0
	for name in $(dmsetup ls 2>/dev/null | awk '/^stable_pages/ { print $1 }'); do
		dmsetup remove "$name" || status=1
	done
	[ ! -d /sys/module/stablefs ] || modprobe --remove stablefs || status=1
	[ ! -d /sys/module/dif_blk ] || modprobe --remove dif_blk || status=1
	return "$status"
}

# load_with_fs [PARAMETER=VALUE...]: a fresh device, and the filesystem's module.
load_with_fs() {
	load "$@"
	modprobe stablefs || ktap_exit_fail_msg "modprobe stablefs failed"
}

# make_fs [ARGUMENT...]: an image, by the tools of everyone else.
make_fs() {
	mke2fs -q -F -t ext2 "$@" "$TARGET" >"$WORK/mke2fs" 2>&1 || {
		cat "$WORK/mke2fs"
		return 1
	}
}

# mount_with OPTIONS [TYPE]
mount_with() {
	mount -t "${2:-stablefs}" ${1:+-o "$1"} "$TARGET" "$MNT"
}

mount_fs() {
	mount_with ''
}

# flusher INTERVAL AGE: how often the flusher comes, and how old what it takes has to be, in
# hundredths of seconds. The kernel's own are 500 and 3000.
flusher() {
	# The interval counts from when it is set.
	echo "$2" >/proc/sys/vm/dirty_expire_centisecs
	echo "$1" >/proc/sys/vm/dirty_writeback_centisecs
}

# decided TREATMENT: how many folios stablefs wrote in that way.
decided() {
	awk -v treatment="$1" '$1 == treatment { folios += $3 } END { print folios + 0 }' \
		"$(mount_stats)/decisions"
}

# two_partitions SIZE: the disk has two; the filesystem is on the first, of that size.
two_partitions() {
	printf 'size=%s\n,\n' "$1" | sfdisk -q "$DEV" || ktap_exit_fail_msg "sfdisk failed"
	TARGET=${DEV}p1
}

# mount_stats: the directory in debugfs, of the one mount that there is.
mount_stats() {
	echo "$STABLEFS"/*
}

# whole: nothing is mounted any more, and e2fsck finds nothing wrong.
whole() {
	! mountpoint -q "$MNT" || umount "$MNT" || return
	e2fsck -fn "$TARGET" || {
		echo "e2fsck says $?"
		return 1
	}
}

# again: mounted once more, with nothing left in memory.
again() {
	umount "$MNT" && mount_fs
}

# mount_errno OPTIONS [ro]: mounts as mount(2) does, whose log is the kernel's, and
# prints the errno, or 0.
mount_errno() {
	python3 -c 'import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
device, where, options, flags = sys.argv[1:]
failed = libc.mount(device.encode(), where.encode(), b"stablefs", flags == "ro", options.encode())
print(errno.errorcode[ctypes.get_errno()] if failed else 0)' "$TARGET" "$MNT" "$1" "${2:-}"
}

# refused ERRNO PATTERN [OPTIONS] [ro]: mounting fails with that, and says why in one line.
refused() {
	local result
	log_mark
	result=$(mount_errno "${3:-}" "${4:-}")
	[ "$result" != 0 ] || umount "$MNT"
	is "errno" "$result" "$1" && log_has "stablefs: $2" && log_has stablefs: 1
}

# no_damage: since the mark, stablefs has said nothing.
no_damage() {
	log_has 'stablefs:' 0
}

# manifest DIRECTORY: what compares one tree with another.
manifest() {
	"$HERE/stablefs_manifest.py" "$1"
}

# same_tree MANIFEST DIRECTORY: prints the first differences.
same_tree() {
	manifest "$2" >"$WORK/manifest-now" || return
	diff "$1" "$WORK/manifest-now" >"$WORK/differences" || {
		wc -l <"$WORK/differences"
		head -n 20 "$WORK/differences"
		return 1
	}
}
