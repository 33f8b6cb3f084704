#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Images that are damaged at random are mounted, walked through and written to: each
# operation ends, with an errno that fits, and the kernel has nothing to report.
# STABLE_PAGES_DAMAGE is how many (default 100 for each size of STABLE_PAGES_BLOCKS).

. "$(dirname "$(readlink -f "$0")")/lib.sh"
read -ra sizes <<<"${STABLE_PAGES_BLOCKS:-1024 4096}"
begin $((${#sizes[@]} * 2)) mke2fs python3 setfattr

count=${STABLE_PAGES_DAMAGE:-$((100 / SHORTEN))}
seed=${STABLE_PAGES_SEED:-$RANDOM$RANDOM}

# A bit of everything that has metadata.
tree=$WORK/tree
mkdir -p "$tree/d1/d2"
for i in $(seq 60); do
	echo "$i" >"$tree/d1/file-with-a-name-$i"
done
head -c 300000 /dev/urandom >"$tree/big"
truncate -s 80M "$tree/sparse"
echo end >>"$tree/sparse"
ln -s big "$tree/short"
ln -s "$(printf 'x%.0s' {1..200})" "$tree/long"
ln "$tree/big" "$tree/d1/hard"
mkfifo "$tree/fifo"
setfattr -n user.a -v "$(printf 'y%.0s' {1..400})" "$tree/big"
setfattr -n user.b -v c "$tree/d1"

load size_mb=16
modprobe stablefs || ktap_exit_fail_msg "modprobe stablefs failed"
for size in "${sizes[@]}"; do
	# Several groups, so that each has little.
	mke2fs -q -t ext2 -b "$size" -N 256 -g $((size == 1024 ? 2048 : 1024)) \
		-d "$tree" "$WORK/image" 8M
	check "$count images of $size byte blocks, seed $seed" \
		"$HERE/damage.py" "$DEV" "$WORK/image" "$MNT" "$count" "$seed"
	# The control: what is not damaged mounts.
	dd if="$WORK/image" of="$DEV" bs=1M status=none
	check "one that isn't damaged" mount -t stablefs -o ro "$DEV" "$MNT"
	umount "$MNT"
	rm "$WORK/image"
done
modprobe --remove stablefs
ktap_finished
