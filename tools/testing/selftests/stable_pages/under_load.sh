#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What happens to a disk while it is busy: its queue is stopped and goes on, it is taken
# away, its power is cut. No request is lost, none hangs, and none is done twice.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 15 python3 fio

# The queue is frozen for each of these.
change() {
	local scheduler
	# Those that this kernel has; the present one is in brackets.
	for scheduler in $(tr -d '[]' <"$QUEUE/scheduler"); do
		echo "$scheduler" >"$QUEUE/scheduler" || return
		echo $((16 + RANDOM % 100)) >"$QUEUE/nr_requests" || return
		echo $((RANDOM % 2)) >"$QUEUE/stable_writes" || return
	done
}

modprobe --all kyber-iosched bfq 2>/dev/null
load size_mb=64 window_us=2000 jitter_us=1000
fio --name=verify --filename="$DEV" --size=32M --rw=randrw --bs=4k --iodepth=32 --direct=1 \
	--ioengine=libaio --verify=crc32c --verify_backlog=64 --verify_fatal=1 --thread --minimal \
	--time_based --runtime=$((20 / SHORTEN)) >"$WORK/log" 2>&1 &
pid=$!
changes=0
while [ -d /proc/$pid ]; do
	change || break
	changes=$((changes + 1))
done
check "the queue was stopped often" at_least changes "$changes" $((8 / SHORTEN))
wait "$pid"
check "all that was written meanwhile is there" is "fio's status" $? 0
check "nothing had changed in flight" counter_is violations 0

# What hangs holds the queue until it is released.
echo none >"$QUEUE/scheduler"
echo 'write hang count=1' >"$COUNTERS/faults"
before=$(counter requests)
sectors write=2 0 8 8 >"$WORK/result" &
writer=$!
await_request "$before"
echo mq-deadline >"$QUEUE/scheduler" &
changer=$!
sleep 1
check "the queue isn't stopped while a request hangs" test -d /proc/$changer
echo 1 >"$COUNTERS/release"
wait $changer
check "it is when that is released" is "the status of the change" $? 0
wait $writer
check "which then succeeds" is "the writer's status" $? 0
check "it was written" is different "$(sectors verify=2 0 8 8)$(cat "$WORK/result")" ''

# The disk goes while it is busy, by the hands of another each time.
load nr_devices=0
mkdir "$CONFIG/a"
set_to size 64 window_us 2000 jitter_us 5000 cache_size 1
busy() {
	local n
	while [ ! -e "$WORK/stop" ]; do
		for n in 1 2 3 4; do
			dd if=/dev/zero of=/dev/a bs=64k count=64 oflag=direct conv=nocreat &
		done
		wait
	done 2>>"$WORK/errors"
}
away() {
	local n
	busy &
	for ((n = 0; n < 40 / SHORTEN; n++)); do
		timeout 30 sh -c "echo 1 >'$CONFIG/a/power'" || break
		sleep 0.$((RANDOM % 5))
		[ $((n % 3)) != 0 ] || echo off >/sys/kernel/debug/dif_blk/a/power
		[ $((n % 3)) != 1 ] || echo 'any hang' >/sys/kernel/debug/dif_blk/a/faults
		timeout 30 sh -c "echo 0 >'$CONFIG/a/power'" || break
	done
	touch "$WORK/stop"
	wait
	[ "$n" -ge $((40 / SHORTEN)) ] || echo "it hangs in turn $n"
	[ ! -e /dev/a ] && [ "$n" -ge $((40 / SHORTEN)) ]
}
check "a busy disk goes as often as it likes" away
check "who wrote was told" at_least errors \
	"$(grep -c 'error writing.*Input/output error' "$WORK/errors")" $((20 / SHORTEN))

remove_disks

# The power goes while it is busy: what had ended is there, and the rest isn't half there.
load size_mb=16 cache_size=16 window_us=1000
sectors write=1 0 8192 8
sectors flush
echo 'write crash after=300 count=1' >"$COUNTERS/faults"
sectors write=2 0 8192 8 >"$WORK/result"
check "some writes failed" test -s "$WORK/result"
echo 'on none' >"$COUNTERS/power"
failed=$(head -n 1 "$WORK/result" | cut -d' ' -f1)
check "what had ended is there" is different "$(sectors verify=2 0 "$failed" 8)" ''
check "what failed isn't" is different "$(sectors verify=1 "$failed" $((8192 - failed)) 8)" ''

# Eight at once: of what was on its way, each write is there as a whole, or isn't.
sectors write=1 0 8192 8
sectors flush
echo 'write crash after=300 count=1' >"$COUNTERS/faults"
for ((n = 0; n < 8; n++)); do
	sectors write=2 $((n * 1024)) 1024 8 >"$WORK/result.$n" &
done
wait
# Who began first may have done all of its 128.
check "of eight writers most failed" at_least "writers that failed" \
	"$(find "$WORK" -name 'result.*' -size +0 | wc -l)" 6
echo 'on none' >"$COUNTERS/power"
ended() {
	local n failed
	for ((n = 0; n < 8; n++)); do
		failed=$(head -n 1 "$WORK/result.$n" | cut -d' ' -f1)
		failed=${failed:-$(((n + 1) * 1024))}
		is "what was lost of the $n. writer" \
			"$(sectors verify=2 $((n * 1024)) $((failed - n * 1024)) 8)" '' || return
	done
}
check "of eight writers, what had ended is there" ended
sectors verify=2 0 8192 8 >"$WORK/old"
# parts: how many writes of eight sectors are neither old nor new.
parts() {
	awk '$2 != "stale" || $3 != 1 { wrong++ } { n[int($1 / 8)]++ }
		END { for (i in n) if (n[i] != 8) wrong++; print wrong + 0 }' "$WORK/old"
}
check "nothing is there in part" is parts "$(parts)" 0
ktap_finished
