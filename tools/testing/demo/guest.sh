#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demonstration, in the virtual machine. Exits 0 only if a real tree came
# back whole, the device that asks for stable pages saw no page change in flight,
# and the one that does not ask saw some.

set -uo pipefail

readonly dev=/dev/dif0 mnt=/mnt counters=/sys/kernel/debug/dif_blk/dif0
readonly window_us=2000 seconds=10
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

# A fresh disk with ext4 on it. The mount options are the defaults.
fresh() {
	must modprobe dif_blk size_mb=512 window_us=$window_us on_violation=report "$@"
	must mkfs.ext4 -q -F "$dev"
	must mount "$dev" "$mnt"
	echo 1 >"$counters/reset"
}

# row SUBJECT CAPABILITY: the counters as they are now.
row() {
	local first
	first=$(cat "$counters/first_violation_us")
	[ "$first" = none ] && first=- ||
		first=$(printf '%d.%03d' $((first / 1000000)) $((first / 1000 % 1000)))
	table+=$(printf '%-34s  %-10s  %9s  %10s  %12s' "$1" "$2" \
		"$(cat "$counters/writes_checked")" "$(cat "$counters/violations")" "$first")$'\n'
}

gone() {
	must umount "$mnt"
	must modprobe --remove dif_blk
}

tree() {
	local files
	files=$(wc -l </out/files.sha256)
	say "1/3  A real tree on ext4 on $dev: the kernel's Documentation/, $files files"
	fresh stable_writes=1
	must tar -x -C "$mnt" -f /out/docs.tar
	must umount "$mnt"
	must mount "$dev" "$mnt"
	if (cd "$mnt" && sha256sum --check --quiet /out/files.sha256); then
		echo "unpacked, unmounted, mounted again: all SHA-256 sums agree"
	else
		fail "the tree did not come back as it was"
	fi
	row "ext4, $files files unpacked" on
	[ "$(cat "$counters/violations")" -eq 0 ] || fail "pages changed in flight"
	gone
}

# scribble STABLE: wac, 32 write() and 32 mmap workers on 64 KiB.
scribble() {
	local what
	what=$([ "$1" -eq 1 ] && echo on || echo off)
	fresh stable_writes="$1"
	wac --profile C --time "${seconds}s" --seed 1 --no-readback \
		--violations "$counters/violations" "$mnt/file"
	row 'ext4, wac profile C (64 workers)' "$what"
}

tree

say "2/3  wac for $seconds s on a device that asks for stable pages"
scribble 1
[ "$(cat "$counters/violations")" -eq 0 ] || fail "the stable device saw pages change"
gone

say "3/3  wac for $seconds s on a device that does not ask"
scribble 0
[ "$(cat "$counters/violations")" -gt 0 ] || fail "the unstable device saw nothing"
echo "the first ones in the kernel log:"
dmesg | grep 'page changed in flight' | head -n 3
gone

printf '\n%-34s  %-10s  %9s  %10s  %12s\n' subject 'stable' 'writes' violations 'first after'
printf '%-34s  %-10s  %9s  %10s  %12s\n' '' 'pages' 'checked' '' 'seconds'
printf '%s' "$table"
echo
if [ "$failed" -eq 0 ]; then
	echo "Proved: pages that are asked to be stable are; others change under the device."
fi
exit "$failed"
