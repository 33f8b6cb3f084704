#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A volatile write cache: what a power cut leaves of it is what flushes and FUA writes made
# durable, and of the rest what was asked for, whole or torn; the same each time for a seed.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 78 python3 blkdiscard

COUNT=512

power() {
	echo "$*" >"$COUNTERS/power"
}

state() {
	xargs <"$COUNTERS/power"
}

snapshot() {
	echo "$1" >"$COUNTERS/snapshot"
}

# fresh [MIB [PARAMETER=VALUE...]]: a device with such a cache, on which all was written, and
# is durable.
fresh() {
	load size_mb=16 cache_size="${1:-4}" "${@:2}"
	sectors write=1 0 $COUNT $COUNT
	sectors flush
}

# cut [WHAT...]: the power goes, and is back.
cut() {
	power off && power on "$@"
}

# has GENERATION FIRST COUNT: all of these sectors are of then.
has() {
	local different
	different=$(sectors verify="$1" "$2" "$3" 8) && is "what is different" "$different" ''
}

# generations COUNT: that of each of the first sectors, in a line.
generations() {
	sectors verify=0 0 "$1" 8 | awk '{ printf "%s ", $3 }'
}

fresh
check "on, and nothing in the cache" is power "$(state)" \
	"on writes 0 bytes 0 discards 0"
sectors write=2 0 64 8
check "writes are in it" is power "$(state)" \
	"on writes 8 bytes 32768 discards 0"
check "reads find them" has 2 0 64
check "the power can be cut" power off
check "it says so" is power "$(state)" "off writes 8 bytes 32768 discards 0"
check "reads fail" is failures "$(sectors read 0 8 8)" '0 EIO'
check "writes do" is failures "$(sectors write=9 128 8 8)" '128 EIO'
check "flushes do" is failures "$(sectors flush)" 'EIO'
check "discards do" refuse blkdiscard -o 0 -l 4096 "$DEV"
check "the power can come back" power on all
check "all is as it was, and what failed left nothing" has 1 0 $COUNT
check "the cache is empty" is power "$(state)" "on writes 0 bytes 0 discards 0"

sectors write=2 0 64 8
cut none
check "none: all was written back" has 2 0 64

sectors write=3 0 64 8
sectors flush
sectors write=4 0 64 8
cut
check "what was flushed is there, what came after isn't" has 3 0 64

sectors write=4 0 64 8
# A synchronous write to a disk is one with FUA, and a flush, which would be enough.
echo 'flush drop' >"$COUNTERS/faults"
sectors fua=5 8 8 8
sectors write=6 16 8 8
cut all
expected() {
	printf '3 %.0s' {1..8}
	printf '5 %.0s' {1..8}
	printf '3 %.0s' {1..48}
}
check "a FUA write is there, nothing else" is generations "$(generations 64)" "$(expected)"
sectors fua=6 0 8 8
sectors write=7 0 8 8
cut none
check "what came after a FUA write comes after it" has 7 0 8

fresh
blkdiscard -o 0 -l 8192 "$DEV"
check "a discard" is generations "$(generations 24)" \
	"$(printf '0 %.0s' {1..15} && printf '1 %.0s' {1..8})"
check "it is in the cache" is power "$(state)" "on writes 0 bytes 0 discards 1"
cut all
check "it may be lost, too" has 1 0 $COUNT
blkdiscard -o 0 -l 8192 "$DEV"
sectors write=2 0 8 8
cut none
check "or not, and what was written after it is there" is generations "$(generations 24)" \
	"$(printf '2 %.0s' {1..8} && printf '0 %.0s' {1..8} && printf '1 %.0s' {1..8})"

# Many ends of one run: the snapshot is of when the power was off.
fresh
sectors write=2 0 256 8
sectors write=3 0 256 8
power off
check "a snapshot" snapshot take
check "that keeps nothing yet" is snapshot "$(cat "$COUNTERS/snapshot")" 0
ends() {
	local seed
	for seed in $2; do
		snapshot restore && power on "$1" seed="$seed" || return
		generations 256
		echo
	done
}
ends random "1 2 3 4" >"$WORK/ends"
check "the same seed, the same end" is ends "$(ends random "1 2 3 4")" "$(cat "$WORK/ends")"
check "another, another" is ends "$(sort -u "$WORK/ends" | wc -l)" 4
check "what is there is the first write, the second, or neither" is generations \
	"$(tr ' ' '\n' <"$WORK/ends" | sort -u | xargs)" "1 2 3"
# Any order, as long as nothing was flushed: a write can be lost, and one that came later be there.
reordered() {
	awk '{ for (n = 1; n < 249; n += 8) if ($n != 3 && $(n + 8) == 3) found++ }
		END { print found + 0 }' "$WORK/ends"
}
check "a later write is there, and not the one before" at_least reordered "$(reordered)" 10
# in_eights WHAT: in how many ways eight sectors of one write are.
in_eights() {
	awk "{ for (n = 1; n <= 256; n += 8) {
		for (k = 1; k < 8 && \$(n + k) == \$n; k++);
		if (k < 8) torn++
	} } END { print torn + 0 }" "$WORK/ends"
}
check "each write is whole, or isn't there" is torn "$(in_eights)" 0
ends torn "1 2 3 4" >"$WORK/ends"
check "torn: some are not" at_least torn "$(in_eights)" 10
# A write that is torn has its beginning, and behind it what was there before.
rises() {
	awk '{ for (n = 1; n <= 256; n += 8) for (k = 1; k < 8; k++)
		if ($(n + k) > $(n + k - 1)) rises++ } END { print rises + 0 }' "$WORK/ends"
}
check "of those only the beginning is there" is rises "$(rises)" 0
check "nothing is wrong with what is stored" counter_is read_mismatches 0
snapshot restore
check "the snapshot has the cache" is power "$(state)" \
	"off writes 64 bytes 262144 discards 0"
power on none
check "all of it" has 3 0 256
snapshot drop
check "it can be dropped" is snapshot "$(cat "$COUNTERS/snapshot")" none

# Also where nobody protects, and where tuples come with requests.
for pi in none dix; do
	fresh 4 pi=$pi
	sectors write=2 0 64 8
	cut all
	check "$pi: lost" has 1 0 $COUNT
	sectors write=2 0 64 8
	cut none
	check "$pi: kept" has 2 0 64
done

# What is on its way when the power goes fails, also if that is back before it ends.
# under_way COMMAND...: what it prints that was begun before a cut.
under_way() {
	local before
	before=$(counter requests)
	"$@" >"$WORK/result" &
	await_request "$before"
	cut all
	echo 1 >"$COUNTERS/release"
	wait $!
	cat "$WORK/result"
}
fresh 4 window_us=2000000
check "a write in its window fails" is result "$(under_way sectors write=2 0 8 8)" '0 EIO'
check "nothing of it is there" has 1 0 $COUNT
fresh 4 write_us=2000000
check "one that was only to end fails" is result "$(under_way sectors write=2 0 8 8)" '0 EIO'
check "nothing of that is there" has 1 0 $COUNT
fresh
for operation in read flush; do
	echo "$operation hang count=1" >"$COUNTERS/faults"
	case $operation in
	read)	check "a read that hung fails" is result "$(under_way sectors read 0 8 8)" '0 EIO' ;;
	flush)
		sectors write=2 0 8 8
		check "a flush that hung fails" is result "$(under_way sectors flush)" EIO
		check "since what it was to keep is lost" has 1 0 $COUNT ;;
	esac
done

# What went wrong on purpose stays so.
fresh
echo 'write flip-data sectors=3 bit=0 count=1' >"$COUNTERS/faults"
sectors write=2 0 8 8
cut none
check "a flipped bit is still flipped" is failures "$(sectors read 0 8)" '3 EILSEQ'
fresh
sectors write=2 0 8 8
echo 'write torn keep=4 count=1' >"$COUNTERS/faults"
sectors fua=3 0 8 8
cut none
check "a torn write is still torn" is generations "$(generations 8)" "3 3 3 3 2 2 2 2 "

# A discard comes before a write that is in its window: that has to be long enough for it.
fresh 4 window_us=$((2000000 * SHORTEN))
before=$(counter requests)
sectors write=2 0 8 8 &
await_request "$before"
blkdiscard -o 0 -l 4096 "$DEV"
wait $!
check "a write that ends after a discard is there" has 2 0 8
cut none
check "it is after a power cut" has 2 0 8

# Without a cache.
fresh 0
sectors write=2 0 64 8
cut all
check "without a cache all is durable" has 2 0 64
snapshot take
sectors write=3 0 128 8
blkdiscard -o 131072 -l 131072 "$DEV"
check "a snapshot keeps what was there" is snapshot "$(cat "$COUNTERS/snapshot")" \
	$(((64 + 64 + 256) * 512))
for turn in first second; do
	snapshot restore
	check "all is there again, the $turn time" has 2 0 64
	check "also what was not changed before, or discarded" has 1 64 $((COUNT - 64))
	sectors write=4 0 $COUNT 8
done
snapshot drop

load size_mb=16
sectors write=1 0 8 8
stored=$(counter stored_bytes)
snapshot take
sectors write=2 8 256 8
check "where nothing was nothing is kept" is snapshot "$(cat "$COUNTERS/snapshot")" 0
snapshot restore
check "and nothing is stored again" counter_is stored_bytes "$stored"

# A cache that is full.
load size_mb=16 cache_size=1
sectors write=1 0 8192 8
sectors flush
sectors write=2 0 8192 8
cut all
lost=$(sectors verify=2 0 8192 8 | wc -l)
echo "# $lost sectors were lost"
check "what there is no room for is durable" test "$lost" -le 2048
check "what there is room for isn't" test "$lost" -gt 0

# What a discard took counts, too; none is half lost for that.
load size_mb=16 cache_size=1
sectors write=1 0 32768 64
sectors flush
before=$(counter stored_bytes)
blkdiscard -o 0 -l 8M "$DEV"
check "memory is given back on a discard that is larger than the cache" is stored_bytes \
	"$(counter stored_bytes)" $((before - (8 << 20)))
check "and none of it is kept" is power "$(state)" "on writes 0 bytes 0 discards 0"
cut all
# zeroes BEGIN COUNT: in half MiB.
zeroes() {
	dd if="$DEV" bs=512k skip="$1" count="$2" iflag=direct status=none |
		cmp --bytes=$(($2 << 19)) - /dev/zero
}
check "it isn't lost" zeroes 0 16
check "the rest is there" is "what is gone" "$(sectors verify=1 16384 16384 64)" ''
# Three parts: the first two fill the cache, and the last is alone in it.
blkdiscard -o 8M -l 2560k "$DEV"
check "what is left of one is in the cache" is power "$(state)" "on writes 0 bytes 0 discards 1"
cut all
check "and isn't lost, since the beginning isn't" zeroes 16 5

# At a moment.
fresh
echo 'write crash after=5 count=1' >"$COUNTERS/faults"
check "at the sixth write: five succeed" is failures "$(sectors write=2 0 10 | head -1)" '5 EIO'
check "the others fail" is failures "$(sectors read 0 8 8)" '0 EIO'
power on none
check "five are there" is generations "$(generations 16)" \
	"$(printf '2 %.0s' {1..5} && printf '1 %.0s' {1..11})"
echo 'flush crash after=1 count=1' >"$COUNTERS/faults"
sectors write=3 0 8 8
check "at the second flush: the first succeeds" is failures "$(sectors flush)" ''
sectors write=4 0 8 8
check "the second fails" is failures "$(sectors flush)" EIO
power on all
check "what came before the first is there" has 3 0 8

# wrong FILE TEXT ERRNO LINE
wrong() {
	log_mark
	check "$1 '$2': $3" is errno "$(errno eval "echo '$2' >$COUNTERS/$1")" "$3"
	check "one line says why" log_has "dif_blk: dif0: $1 '$2'$4\$"
}
wrong power 'on some' EINVAL ": 'some' is not valid: must be all, none, random or torn"
wrong power 'on' EBUSY ': it is on'
wrong snapshot 'restore' ENOENT ': there is none'
wrong snapshot 'make' EINVAL ' is not valid: must be take, restore or drop'
ktap_finished
