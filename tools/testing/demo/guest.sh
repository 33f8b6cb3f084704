#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demonstration, in the virtual machine. Exits 0 only if a real tree came
# back whole, the device that asks for stable pages saw no page change in flight,
# and the one that does not ask saw some.

set -uo pipefail

readonly dev=/dev/dif0 mnt=/mnt counters=/sys/kernel/debug/dif_blk/dif0
readonly window_us=2000 seconds=8
table=
failed=0

say() {
	printf '\n\033[1m%s\033[0m\n' "$*"
}

fail() {
	echo "FAILED: $*"
	failed=1
}

must() {
	"$@" || {
		fail "$*"
		exit 1
	}
}

# mkfs and mount, by the filesystem's name. stablefs has ext2's format.
make_fs() {
	if [ "$1" = stablefs ]; then
		must mke2fs -q -F -t ext2 "$dev"
	else
		must "mkfs.$1" -q -F "$dev"
	fi
}

# fresh FILESYSTEM OPTIONS [PARAMETER...]: a fresh disk with that on it.
fresh() {
	fs=$1 options=$2
	shift 2
	must modprobe dif_blk size_mb=512 window_us=$window_us on_violation=report "$@"
	make_fs "$fs"
	mount_it
	echo 1 >"$counters/reset"
}

mount_it() {
	must mount -t "$fs" -o "$options" "$dev" "$mnt"
}

# row SUBJECT CAPABILITY: the counters as they are now.
row() {
	local first
	first=$(cat "$counters/first_violation_us")
	[ "$first" = none ] && first=- ||
		first=$(printf '%d.%03d' $((first / 1000000)) $((first / 1000 % 1000)))
	table+=$(printf '%-38s  %-10s  %9s  %10s  %12s' "$1" "$2" \
		"$(cat "$counters/writes_checked")" "$(cat "$counters/violations")" "$first")$'\n'
}

gone() {
	must umount "$mnt"
	must modprobe --remove dif_blk
}

files=$(wc -l </out/files.sha256)

# tree FILESYSTEM
tree() {
	say "A real tree on $1 on $dev: the kernel's Documentation/, $files files"
	fresh "$1" defaults stable_writes=1
	must tar -x -C "$mnt" -f /out/docs.tar
	must umount "$mnt"
	mount_it
	if (cd "$mnt" && sha256sum --check --quiet /out/files.sha256); then
		echo "unpacked, unmounted, mounted again: all SHA-256 sums agree"
	else
		fail "the tree did not come back as it was"
	fi
	row "$1, $files files unpacked" on
	[ "$(cat "$counters/violations")" -eq 0 ] || fail "pages changed in flight"
	must umount "$mnt"
	must e2fsck -fn "$dev" >/dev/null 2>&1
	must modprobe --remove dif_blk
}

# scribble FILESYSTEM OPTIONS STABLE WHAT: wac, 32 write() and 32 mmap workers on 64 KiB.
scribble() {
	fresh "$1" "$2" stable_writes="$3"
	wac --profile C --time "${seconds}s" --seed 1 --no-readback \
		--violations "$counters/violations" "$mnt/file"
	row "$1, wac profile C (64 workers)" "$4"
}

stable() {
	say "wac for $seconds s on $1, which keeps pages stable ($3)"
	scribble "$1" "$2" 1 "$3"
	[ "$(cat "$counters/violations")" -eq 0 ] || fail "the device saw pages of $1 change"
	gone
}

# unstable FILESYSTEM OPTIONS STABLE WHAT
unstable() {
	say "wac for $seconds s on $1, which doesn't ($4)"
	scribble "$@"
	[ "$(cat "$counters/violations")" -gt 0 ] || fail "the device saw no page of $1 change"
	echo "the first ones in the kernel log:"
	dmesg | grep 'page changed in flight' | head -n 3
	gone
}

must modprobe stablefs
tree ext4
tree stablefs
stable ext4 defaults on
unstable ext4 defaults 0 off
stable stablefs stable=wait wait
unstable stablefs stable=off 1 off

printf '\n%-38s  %-10s  %9s  %10s  %12s\n' subject 'stable' 'writes' violations 'first after'
printf '%-38s  %-10s  %9s  %10s  %12s\n' '' 'pages' 'checked' '' 'seconds'
printf '%s' "$table"
echo
if [ "$failed" -eq 0 ]; then
	echo "Proved: pages that are asked to be stable are; others change under the device."
fi
exit "$failed"
