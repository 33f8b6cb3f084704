#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Without stable pages, wac on ext4 finds a page that changes in flight within
# five seconds, ten times out of ten. This is also the control of wac_stable.sh:
# the same workload, and it does find something.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 13 wac mkfs.ext4

runs=10
load size_mb=256 stable_writes=0 window_us=2000 on_violation=report
mkfs.ext4 -q -F "$DEV"
mount "$DEV" "$MNT"

# Exit status 1 is "violation seen". The counter tells how soon; wac's own
# start does not count.
find_one() {
	local status
	reset_counters
	wac --profile C --time 20s --until-violation --no-readback \
		--violations "$COUNTERS/violations" --json "$WORK/result" "$MNT/file" \
		>"$WORK/log" 2>&1
	status=$?
	[ "$status" -eq 1 ] || {
		echo "wac exited with $status"
		cat "$WORK/log"
		return 1
	}
	first=$(python3 -c 'import json, sys
print(int(1000 * json.load(open(sys.argv[1]))["first_violation_s"]))' "$WORK/result")
	echo "first violation after $first ms" >>"$WORK/times"
	[ "$first" -le 5000 ] || {
		echo "the first violation came after $first ms"
		return 1
	}
}

for ((i = 1; i <= runs; i++)); do
	log_mark
	check "run $i: a violation within 5 s" find_one
done
sed 's/^/# /' "$WORK/times"

# The log is rate-limited; one line at least is there for all runs.
names_file() {
	local inode
	inode=$(stat -c %i "$MNT/file")
	dmesg | grep -q "dif0: page changed in flight: sector [0-9]*, inode $inode of dif0, offset [0-9]*, bytes [0-9]*-[0-9]*, "
}
check "a violation names the file's inode and offset" names_file
umount "$MNT"
check "what is stored agrees with its tuples" dd if="$DEV" of=/dev/null bs=1M status=none
check "no mismatch was read" counter_is read_mismatches 0
ktap_finished
