#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What goes wrong on purpose is found in exactly the sectors, fields and numbers that were
# asked for, and nowhere else.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 72 python3 blkdiscard

FAULTS=$COUNTERS/faults
COUNT=512

# fresh RULE...: a device on which all was written, then the rules, alone.
fresh() {
	load size_mb=16 "${params[@]}"
	sectors write 0 $COUNT 8
	echo 1 >"$COUNTERS/requests"
	printf '%s\n' "$@" >"$FAULTS"
	log_mark
}

# said RULE MATCHED APPLIED
said() {
	is faults "$(cat "$FAULTS")" "$1: $2 matched, $3 applied"
}

params=()
wrong() {
	check_not "'$1' is refused" add "$1"
	check "one line says why" log_has "dif_blk: dif0: fault '$1': $2"
}
add() {
	echo "$1" >"$FAULTS"
} 2>/dev/null
fresh
wrong 'write error sectors=5-4' "'5-4' is not valid: must be a number, or two with a hyphen"
wrong 'read flip-guard' "'read' is not valid: must be an operation that the rule can happen to"
check "what was refused left nothing" is faults "$(cat "$FAULTS")" ''

# Bad sectors.
fresh 'read error sectors=100-103 status=medium'
check "reads of bad sectors fail" is failures "$(sectors read 0 $COUNT)" \
	"$(printf '%s ENODATA\n' 100 101 102 103)"
check "writes don't" is failures "$(sectors write 0 $COUNT)" ''
check "it is counted" said 'read error status=medium sectors=100-103' 4 4
fresh 'read,write error sectors=100'
check "both fail" is failures "$(sectors read 96 8; sectors write=2 96 8)" \
	"$(printf '100 EIO\n100 EIO')"
echo clear >"$FAULTS"
check "what failed was not written" is different "$(sectors verify=2 96 8)" '100 stale 1'
check "cleared, nothing fails" is failures "$(sectors read 0 $COUNT)" ''

# When.
fresh 'write error after=10 every=7 count=3'
check "every 7th after the first 10, 3 times" is failures "$(sectors write 0 100)" \
	"$(printf '%s EIO\n' 16 23 30)"
check "and no more" said 'write error after=10 every=7 count=3' 100 3
fresh 'write error probability=100000'
random=$(sectors write 0 $COUNT)
share() {
	local count
	count=$(wc -l <<<"$random")
	echo "$count of $COUNT"
	[ "$count" -gt 25 ] && [ "$count" -lt 85 ]
}
check "about a tenth" share
fresh 'write error probability=100000'
check "the same ones each time" is failures "$(sectors write 0 $COUNT)" "$random"
# Also with other rules behind it, other requests between, and jitter, which is random, too.
params=(window_us=100 jitter_us=100)
fresh 'write error probability=100000' 'read error probability=500000'
noise() {
	while [ ! -e "$WORK/stop" ]; do
		sectors read 0 64
	done >/dev/null
}
noise &
check "the same ones whatever else there is" is failures "$(sectors write 0 $COUNT)" "$random"
touch "$WORK/stop"
wait
params=(seed=7)
fresh 'write error probability=100000'
others() {
	[ "$(sectors write 0 $COUNT)" != "$random" ]
}
check "others with another seed" others
params=()

# flipped FIELD PATTERN: one bit of that, in sector 200.
flipped() {
	fresh "write $1 sectors=200 count=1"
	check "$1: the write succeeds" is failures "$(sectors write=2 192 16 16)" ''
	check "$1: that sector is found, alone" is failures "$(sectors verify=2 192 16)" '200 EILSEQ'
	check "$1: it is that field" log_has "dif0: stored block 200: $2"
	check "$1: so it is counted, alone" is kinds \
		"$(awk '$3 > 0 { print $1, $2, $3 }' "$COUNTERS/kinds")" "read_mismatches $3 1"
	check "$1: as one of the reads" is checked "$(awk '
		$2 == "read" { c += $8; v += $9 + $10 + $11; m += $12 + $13 + $14 }
		END { print c, v, m }' "$COUNTERS/requests")" '16 0 1'
}
flipped flip-data 'guard tag' guard
flipped flip-guard 'guard tag' guard
flipped flip-app 'application tag' app_tag
flipped flip-ref 'reference tag' ref_tag
params=(guard=crc64 metadata_size=64 pi_offset=48 block_size=4096)
flipped_of_4096() {
	fresh "write flip-ref bit=40 sectors=200 count=1"
	sectors write=2 192 64 8 && is failures "$(sectors read 192 64 8)" '200 EILSEQ' &&
		log_has "dif0: stored block 25: reference tag is 0x000000000018, not 0x000000000019"
}
check "a bit of a tuple of 16 bytes" flipped_of_4096

# Tuples that came with the write are stored first, and flipped then.
params=(pi=dix)
fresh 'write flip-guard sectors=200 count=1'
check "pi=dix: the write succeeds" is failures "$(sectors write=2 192 16 16)" ''
reset_counters
check "pi=dix: that sector is found, alone" is failures "$(sectors verify=2 192 16)" '200 EILSEQ'
check "pi=dix: once" is "intervals and mismatches, read and written" \
	"$(counter intervals_read) $(counter read_mismatches) $(counter write_mismatches)" "16 1 0"
check "pi=dix: it says so once" log_has "dif0: stored block 200: guard tag"
check "pi=dix: the disk found it, the block layer nothing" \
	log_has 'guard tag error\|ref tag error' 0
check "pi=dix: written again, it is right" is failures \
	"$(sectors write=3 200 1; sectors verify=3 200 1)" ''

# Random bits: one in each sector, the same ones with the same seed.
# Without tuples they can be read.
flips() {
	params=(pi=none seed="$1")
	fresh 'write flip-data'
	sectors write=2 0 64
	dd if="$DEV" of="$WORK/flipped.$2" bs=32k count=1 iflag=direct status=none
}
flips 5 once
flips 5 again
flips 6 other
echo clear >"$FAULTS"
sectors write=2 0 64
dd if="$DEV" of="$WORK/right" bs=32k count=1 iflag=direct status=none
one_in_each() {
	local at was is last=-1 count=0
	while read -r at was is; do
		local sector=$(((at - 1) / 512)) bits=$((8#$was ^ 8#$is))
		if [ $sector -le $last ] || [ $((bits & (bits - 1))) -ne 0 ]; then
			echo "sector $sector: byte $at is $is, not $was"
			return 1
		fi
		last=$sector
		count=$((count + 1))
	done < <(cmp -l "$WORK/right" "$WORK/flipped.once")
	is "sectors with another bit" $count 64
}
check "a random bit in each sector" one_in_each
places() {
	local places
	places=$(cmp -l "$WORK/right" "$WORK/flipped.once" |
		awk '{ print ($1 - 1) % 512 }' | sort -u | wc -l)
	at_least "places in 64 sectors" "$places" 32
}
check "not always the same" places
check "the same ones with the same seed" cmp "$WORK/flipped.once" "$WORK/flipped.again"
check_not "others with another seed" cmp --quiet "$WORK/flipped.once" "$WORK/flipped.other"
params=()

# What no checksum finds.
fresh 'write drop sectors=300'
sectors write=2 296 8
check "a dropped write leaves what was there" is different "$(sectors verify=2 296 8)" '300 stale 1'
fresh 'write misdirect to=400 sectors=300'
sectors write=2 296 8
echo clear >"$FAULTS"
check "a misdirected one, too" is different "$(sectors verify=2 296 8)" '300 stale 1'
check "where it went, the reference tag is wrong" is failures "$(sectors verify 396 8)" '400 EILSEQ'
check "it says where it belongs" log_has \
	'dif0: stored block 400: reference tag is 0x0000012c, not 0x00000190'
fresh 'write torn keep=3 sectors=304'
sectors write=2 304 8 8
check "of a torn one the first sectors are new" is different "$(sectors verify=2 304 8)" \
	"$(printf '%s stale 1\n' 307 308 309 310 311)"
fresh 'write torn keep=18446744073709551615'
sectors write=2 304 8 8
check "one that is cut nowhere is all there" is different "$(sectors verify=2 304 8)" ''
# Cut inside of an interval: it has some sectors of both, and the old tuple.
params=(block_size=4096)
fresh 'write torn keep=11'
sectors write=2 304 24 24
echo clear >"$FAULTS"
check "4096: what was written whole is new, what wasn't is old" is different \
	"$(sectors verify=2 296 8 8; sectors verify=2 304 8 8; sectors verify=2 320 16 8)" \
	"$(for ((n = 296; n < 304; n++)); do echo "$n stale 1"; done
	for ((n = 320; n < 336; n++)); do echo "$n stale 1"; done)"
reset_counters
check "4096: the one that is cut is found" is failures "$(sectors read 304 24 8)" '312 EILSEQ'
check "4096: alone" is "intervals and mismatches" \
	"$(counter intervals_read) $(counter read_mismatches)" "3 1"
check "4096: its tuple is the old one" log_has "dif0: stored block 39: guard tag"
params=(block_size=4096 pi=none)
fresh 'write torn keep=11'
sectors write=2 304 24 24
check "4096: no tuple: it is cut at that sector" is different "$(sectors verify=2 304 24 8)" \
	"$(for ((n = 315; n < 328; n++)); do echo "$n stale 1"; done)"

# Off the end of the disk, which has 32768 sectors: there is no such place.
params=()
for to in 32768 32761 18446744073709551615; do
	fresh "write misdirect to=$to sectors=304"
	reset_counters
	check "misdirected to $to: the write fails" is failures "$(sectors write=2 304 8 8)" '304 EIO'
	check "misdirected to $to: nothing was written" is different \
		"$(sectors verify=1 296 24 8) $(counter stored_bytes) $(counter read_mismatches)" \
		" $((COUNT * 512)) 0"
done
fresh 'write misdirect to=32760 sectors=304'
check "misdirected to the last place: it succeeds" is failures "$(sectors write=2 304 8 8)" ''

fresh 'discard drop'
blkdiscard "$DEV"
check "a dropped discard leaves all" is different "$(sectors verify 0 $COUNT 8)" ''

# Hanging.
fresh 'write hang sectors=320 count=1'
sectors write=2 320 1 >"$WORK/result" &
pid=$!
sleep 1
check "a write hangs" kill -0 $pid
check "others go on" is failures "$(sectors write=2 328 8)" ''
echo 1 >"$COUNTERS/release"
wait $pid
check "released, it succeeds" is status $? 0
check "it was written" is different "$(sectors verify=2 320 1)$(cat "$WORK/result")" ''
fresh 'read hang count=1'
sectors read 320 1 >"$WORK/result" &
pid=$!
sleep 1
exec 3<&-
mkdir "$CONFIG/a"
set_to size 16 power 1
echo 'any hang' >/sys/kernel/debug/dif_blk/a/faults
dd if=/dev/a of=/dev/null bs=4k count=1 iflag=direct status=none &
sleep 1
check "a disk on which all hangs can be removed" timeout 30 rmdir "$CONFIG/a"
echo 1 >"$COUNTERS/release"
wait $pid
ktap_finished
