#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What goes wrong on purpose is found in exactly the sectors, fields and numbers that were
# asked for, and nowhere else.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 49 python3 blkdiscard

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
	check "$1: as one of the reads" is checked \
		"$(awk '$2 == "read" { c += $7; w += $8 } END { print c, w }' "$COUNTERS/requests")" '16 1'
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
