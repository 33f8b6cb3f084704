#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# With stable=wait no page changes while the device reads it, whatever wac does, nor does
# metadata. Without it, pages do. If the device doesn't ask for stable pages, nobody
# waits; it may change its mind.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
begin_stablefs 50 wac

seconds=${STABLE_PAGES_WAC_SECONDS:-$((5 / SHORTEN))}

waits() {
	cat "$STABLEFS/dif0/waits"
}

reset() {
	reset_counters
	echo 1 >"$STABLEFS/dif0/reset"
}

run() {
	wac --profile "$1" --time "${seconds}s" --violations "$COUNTERS/violations" "${@:2}" \
		"$MNT/file" >"$WORK/log" 2>&1 || {
		echo "wac exited with $?"
		cat "$WORK/log"
		return 1
	}
}

for size in 1024 4096; do
	load_with_fs size_mb=256 window_us=2000
	make_fs -b $size && mount_fs
	waited=0
	for profile in A B C D E F; do
		reset
		check "$size: profile $profile: $seconds s, clean" run $profile
		check "$size: profile $profile: many writes were checked" \
			at_least writes_checked "$(counter writes_checked)" 20
		echo "# $(counter writes_checked) writes, $(waits) waits"
		waited=$((waited + $(waits)))
		rm "$MNT/file"
	done
	check "$size: some waited" at_least waits $waited 1
	check "$size: the filesystem is whole" whole
done

# Many change names while others write them to the device. Not shortened: to begin is what
# takes time on a slow machine.
hammer() {
	local worker pids=() pid status=0 time=$((${STABLE_PAGES_WAC_SECONDS:-5} * 2))
	for worker in {1..16}; do
		"$HERE/stablefs_hammer.py" "$MNT" "$worker" "$time" &
		pids+=($!)
	done
	while [ ! -e "$WORK/over" ]; do
		sync -f "$MNT"
	done &
	for pid in "${pids[@]}"; do
		wait "$pid" || status=1
	done
	touch "$WORK/over"
	wait
	rm "$WORK/over"
	return $status
}
for size in 1024 4096; do
	load_with_fs size_mb=256 window_us=2000
	make_fs -b $size -N 20000 && mount_fs
	reset_counters
	check "$size: names change, and are written" hammer
	# Few writes, of many sectors: they are merged.
	check "$size: many sectors were checked" \
		at_least intervals_checked "$(counter intervals_checked)" $((1000 / SHORTEN))
	check "$size: no violation" counter_is violations 0
	echo "# $(counter writes_checked) writes, $(counter intervals_checked) sectors"
	check "$size: the filesystem is whole" whole
done

# The control: ext4's driver changes metadata that is being written, which is its right.
load_with_fs size_mb=256 window_us=2000 on_violation=report
modprobe ext4
make_fs -b 1024 -N 20000 && mount_with '' ext4
reset_counters
check "the control: the same with ext4's driver" hammer
# A matter of chance, where all is slow and little is written.
for ((turn = 0; turn < 5 && $(counter violations) == 0; turn++)); do
	hammer >/dev/null 2>&1
done
check "the control: there are violations" at_least violations "$(counter violations)" 1
echo "# $(counter violations) violations"
umount "$MNT"

# The control for data.
find_one() {
	local status
	reset
	wac --profile C --time 20s --until-violation --no-readback \
		--violations "$COUNTERS/violations" --json "$WORK/result" "$MNT/file" >"$WORK/log" 2>&1
	status=$?
	[ "$status" -eq 1 ] || {
		echo "wac exited with $status"
		cat "$WORK/log"
		return 1
	}
	python3 -c 'import json, sys
first = json.load(open(sys.argv[1]))["first_violation_s"]
print(f"the first violation came after {first} s")
sys.exit(first > 10)' "$WORK/result"
}
load_with_fs size_mb=256 window_us=2000 on_violation=report
make_fs && mount_with stable=off
check "stable=off: a violation within 10 s" find_one
check "stable=off: nobody waits" is waits "$(waits)" 0
mount -o remount,stable=wait "$MNT"
reset
check "stable=wait: none" run C
check "stable=wait: some wait" at_least waits "$(waits)" 1

# The device says what it needs.
echo 0 >"$QUEUE/stable_writes"
check "the device doesn't ask: a violation within 10 s" find_one
check "the device doesn't ask: nobody waits" is waits "$(waits)" 0
echo 1 >"$QUEUE/stable_writes"
reset
check "it asks again: none" run C
check "it asks again: some wait" at_least waits "$(waits)" 1
check "the filesystem is whole" whole

# And from the beginning.
load_with_fs size_mb=256 window_us=2000 stable_writes=0 on_violation=report
make_fs && mount_with stable=wait
check "a device that doesn't ask: a violation" find_one
check "a device that doesn't ask: nobody waits" is waits "$(waits)" 0
check "the filesystem is whole" whole
ktap_finished
