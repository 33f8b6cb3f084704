#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Protection information of all types, with all checksums, in any metadata: made by the
# disk, or by the block layer, which is another implementation. What is written is read,
# and nothing is found wrong.

. "$(dirname "$(readlink -f "$0")")/lib.sh"

# KIND: mode, type, checksum, block, interval, metadata, offset, and the format that
# integrity/format has.
kinds=(
	"none 1 crc 512 block 0 0 -"
	"dif 1 crc 512 block 0 0 -"
	"dif 2 ip 4096 512 0 0 -"
	"dif 3 crc64 4096 block 64 40 -"
	"dix 1 crc 512 block 0 0 T10-DIF-TYPE1-CRC"
	"dix 2 crc 4096 block 0 0 T10-DIF-TYPE1-CRC"
	"dix 3 crc 4096 512 0 0 T10-DIF-TYPE3-CRC"
	"dix 1 ip 512 block 16 8 T10-DIF-TYPE1-IP"
	"dix 1 crc64 4096 block 0 0 EXT-DIF-TYPE1-CRC64"
	"dix 3 crc64 4096 4096 64 48 EXT-DIF-TYPE3-CRC64"
	"dix 0 crc 512 block 8 0 nop"
)
begin $((${#kinds[@]} * 6 + 4)) fio mkfs.ext4 python3

INTEGRITY=/sys/block/dif0/integrity

# What the block layer was told.
told() {
	local format
	format=$(cat $INTEGRITY/format)
	if [ "$mode" = dix ]; then
		local bytes=$block
		[ "$interval" = block ] || bytes=$interval
		is format "$format" "$expected" &&
			is interval "$(cat $INTEGRITY/protection_interval_bytes)" "$bytes" &&
			is capable "$(cat $INTEGRITY/device_is_integrity_capable)" 1
	else
		is format "$format" none
	fi
}

verified() {
	fio --name=x --filename="$DEV" --direct=1 --rw=randwrite --bsrange=4k-256k --bs_unaligned=0 \
		--size=16m --verify=crc32c --do_verify=1 --ioengine=libaio --iodepth=8 \
		--group_reporting --output="$WORK/fio.log" || { cat "$WORK/fio.log"; return 1; }
}

filesystem() {
	mkfs.ext4 -q -b 4096 "$DEV" && mount "$DEV" "$MNT" &&
		dd if=/dev/urandom of="$MNT/file" bs=64k count=64 conv=fsync status=none || return
	sha256sum "$MNT/file" >"$WORK/sum"
	umount "$MNT" && mount "$DEV" "$MNT" && sha256sum --check --quiet "$WORK/sum" && umount "$MNT"
}

for kind in "${kinds[@]}"; do
	read -r mode type guard block interval metadata offset expected <<<"$kind"
	load size_mb=64 pi="$mode" pi_type="$type" guard="$guard" block_size="$block" \
		pi_interval="$interval" metadata_size="$metadata" pi_offset="$offset" on_violation=report
	log_mark
	check "$kind: what the block layer knows" told
	check "$kind: fio reads what it wrote" verified
	check "$kind: a filesystem does" filesystem
	check "$kind: what was never written can be read" \
		dd if="$DEV" of=/dev/null bs=1M skip=56 count=8 iflag=direct status=none
	mismatches() {
		counter_is read_mismatches 0 && counter_is write_mismatches 0 &&
			log_has 'ref tag error\|guard tag error' 0
	}
	check "$kind: nothing was wrong" mismatches
	looked() {
		# Tuples of type 0 are nobody's, and not verified.
		if [ "$mode" = none ] || [ "$type" = 0 ]; then
			counter_is intervals_read 0
		else
			at_least intervals_read "$(counter intervals_read)" 4096
		fi
	}
	check "$kind: it was looked at" looked
done

# A bit of it is another: which tells what it was.
tag_is() {
	sectors write 0 8 8
	echo 'write flip-app sectors=3 bit=0 count=1' >"$COUNTERS/faults"
	sectors write 0 8 8
	log_mark
	sectors read 0 8 8 >"$WORK/result"
	if [ -n "$2" ]; then
		is result "$(cat "$WORK/result")" '0 EILSEQ' &&
			log_has "dif0: stored block 3: application tag is $1, not $2"
	else
		is result "$(cat "$WORK/result")" ''
	fi
}
load size_mb=16 app_tag=4660
check "app_tag: the disk's tuples have it" tag_is 0x1334 0x1234
load size_mb=16 app_tag=4660 guard=crc64 metadata_size=64 pi_offset=48
check "app_tag: in tuples of 16 bytes, too" tag_is 0x1334 0x1234
load size_mb=16
check "app_tag: none at first" tag_is 0x0100 0x0000
# All ones say that nothing is checked.
load size_mb=16 app_tag=65535
sectors write 0 8 8
echo 'write flip-data sectors=3 bit=0 count=1' >"$COUNTERS/faults"
sectors write 0 8 8
check "app_tag=65535: they are never checked" is result "$(sectors read 0 8 8)" ''
ktap_finished
