#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Each way of keeping pages stable keeps them stable, whatever wac does, and a mount can
# be given another one at any time. (make soak: longer, and with larger files.)

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"

seconds=${STABLE_PAGES_WAC_SECONDS:-$((3 / SHORTEN + 1))}
read -ra sizes <<<"${STABLE_PAGES_WAC_SIZES:-64k}"
read -ra windows <<<"${STABLE_PAGES_WINDOWS:-2000}"
read -ra strategies <<<"${STABLE_PAGES_STRATEGIES:-wait snapshot detached auto}"
read -ra blocks <<<"${STABLE_PAGES_BLOCKS:-1024 4096}"
combinations=$((${#blocks[@]} * ${#windows[@]} * ${#sizes[@]}))
begin_stablefs $((combinations * ${#strategies[@]} * 7 + ${#blocks[@]} * ${#windows[@]} + 6)) wac
# wac asks for what it writes to be written. The flusher comes as well: what it takes is detached, and what is asked
# for isn't.
flusher 5 5

run() {
	wac --profile "$1" --time "${seconds}s" --file-size "$2" \
		--violations "$COUNTERS/violations" "${@:3}" "$MNT/file" >"$WORK/log" 2>&1 || {
		echo "wac exited with $?"
		cat "$WORK/log"
		return 1
	}
	# Without a window nothing is looked at twice, but tuples come from outside, and are checked.
	[ "$window" = 0 ] || at_least writes_checked "$(counter writes_checked)" 10
	counter_is write_mismatches 0
}

# Whether that was it, where somebody asks, and where nobody does.
is_in_effect() {
	local treatment=$1
	case $treatment in
	wait | auto) treatment=in_place ;;
	esac
	echo 1 >"$STABLEFS/dif0/reset"
	run C "$2" --writer-sync none --mapper-sync none &&
		at_least "$treatment" "$(decided "$treatment")" 1
}

copies() {
	awk -v name="$1" '$1 == name { print $2 }' "$STABLEFS/dif0/copies"
}

for block in "${blocks[@]}"; do
	for window in "${windows[@]}"; do
		pi=dif
		[ "$window" != 0 ] || pi=dix
		load_with_fs size_mb=256 window_us="$window" pi=$pi
		make_fs -b "$block" && mount_fs
		for size in "${sizes[@]}"; do
			for strategy in "${strategies[@]}"; do
				mount -o "remount,stable=$strategy" "$MNT"
				for profile in A B C D E F; do
					reset_counters
					echo 1 >"$STABLEFS/dif0/reset"
					check "$block, $window us, $size: $strategy: profile $profile: clean" \
						run $profile "$size"
					echo "# $(counter writes_checked) writes," \
						"$(cat "$STABLEFS/dif0/waits") waits, $(copies copies) copies"
					rm -f "$MNT/file"
				done
				check "$block, $window us, $size: $strategy: in effect" \
					is_in_effect "$strategy" "$size"
				rm -f "$MNT/file"
			done
		done
		check "$block, $window us: the filesystem is whole" whole
	done
done

# Another strategy, again and again, under load: from each to each.
load_with_fs size_mb=256 window_us=2000
make_fs && mount_fs
change() {
	local until=$((SECONDS + seconds * 4)) strategy
	while [ $SECONDS -lt $until ]; do
		for strategy in snapshot wait detached auto snapshot detached wait auto wait snapshot auto \
			detached; do
			mount -o "remount,stable=$strategy" "$MNT" || return
		done
	done
}
run_and_change() {
	local status=0
	change &
	# The flusher alone has what is dirty written, so that it finds some.
	wac --profile C --time $((seconds * 4))s --violations "$COUNTERS/violations" \
		--writer-sync none --mapper-sync none "$MNT/file" >"$WORK/log" 2>&1 || status=$?
	wait $! || status=1
	[ $status = 0 ] || cat "$WORK/log"
	return $status
}
reset_counters
check "strategies change while pages are written: clean" run_and_change
check "and the flusher has detached some of them" at_least detached "$(decided detached)" 1
flusher 500 3000

# The limit of memory for copies.
umount "$MNT"
mount_with stable=snapshot,snapshot_max=4M
check "snapshot_max is shown" grep -q "stable=snapshot.*snapshot_max=4194304" /proc/self/mounts
dd if=/dev/zero of="$MNT/large" bs=1M count=64 2>/dev/null
sync -f "$MNT"
check "so much memory is taken, and not more" test "$(copies in_flight_peak)" -le 4194304
check "for all that is written" test "$(copies bytes)" -ge $((64 << 20))
check "the filesystem is whole" whole
ktap_finished
