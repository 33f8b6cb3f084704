#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# With stable=detached, a page counts as written as soon as the device's copy is made.
# Who promises that data is on the device waits for the copies, and nobody else does.
# What a device says late is said by the next fsync.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
mapfile -t tests < <("$HERE/stablefs_detached.py" --list)
sizes=(1024 4096)
[ "$SHORTEN" -eq 1 ] || sizes=(4096)
begin_stablefs $((${#sizes[@]} * (${#tests[@]} + 1) + 4)) dmsetup blockdev

# It comes when stablefs_detached.py wakes it.
flusher 60000 3000

for size in "${sizes[@]}"; do
	load_with_fs size_mb=64 window_us=1000000
	make_fs -b "$size" && mount_with stable=detached
	for name in "${tests[@]}"; do
		check "$size: $name" "$HERE/stablefs_detached.py" "$DEV" "$MNT" "$name"
		rm -rf "${MNT:?}/$name"
	done
	check "$size: the filesystem is whole" whole
done

# A device that says after a second that it can't write.
flusher 5 5
load_with_fs size_mb=64
sectors=$(blockdev --getsz "$DEV")
dmsetup create stable_pages_bad --table "0 $sectors linear $DEV 0"
dmsetup create stable_pages_slow --table "0 $sectors delay $DEV 0 0 /dev/mapper/stable_pages_bad 0 1000"
TARGET=/dev/mapper/stable_pages_slow
make_fs && mount_with stable=detached
late_error() {
	python3 - "$MNT/file" "$(mount_stats)/copies" "$sectors" "$DEV" <<-'END'
		import os, subprocess, sys, time
		name, stats, sectors, device = sys.argv[1:]
		def in_flight():
		    with open(stats, encoding="ascii") as file:
		        return int(dict(line.split() for line in file)["in_flight"])
		def table(line):
		    subprocess.run(["dmsetup", "suspend", "--noflush", "--nolockfs", "stable_pages_bad"], check=True)
		    subprocess.run(["dmsetup", "reload", "stable_pages_bad", "--table", line], check=True)
		    subprocess.run(["dmsetup", "resume", "stable_pages_bad"], check=True)
		first = os.open(name, os.O_RDWR | os.O_CREAT)
		second = os.open(name, os.O_RDWR)
		os.pwrite(first, b"a" * 65536, 0)
		os.fsync(first)
		os.pwrite(first, b"b" * 65536, 0)
		while not in_flight():
		    time.sleep(0.01)
		table(f"0 {sectors} error")
		answers = []
		for file in first, second, first, second:
		    try:
		        os.fsync(file)
		        answers.append(0)
		    except OSError as error:
		        answers.append(error.errno)
		    if len(answers) == 1:
		        table(f"0 {sectors} linear {device} 0")
		print(answers)
		sys.exit(answers != [5, 5, 0, 0])
	END
}
log_mark
check "an error that comes late: fsync says so once for each open file" late_error
check "and the log says of which file" log_has "a copy was not written (-5)"
umount "$MNT"
dmsetup remove stable_pages_slow
dmsetup remove stable_pages_bad
# shellcheck disable=SC2034 # stablefs_lib.sh has it
TARGET=$DEV
flusher 500 3000
check "the filesystem is whole" whole
check "the flusher is as it was" test "$(cat /proc/sys/vm/dirty_expire_centisecs)" = 3000
ktap_finished
