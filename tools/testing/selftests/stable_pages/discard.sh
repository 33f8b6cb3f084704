#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Discard and write-zeroes: the blocks read as zeroes and their memory is given
# back, and the neighbours keep their content.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 17 blkdiscard

fill() {
	dd if=/dev/urandom of="$WORK/data" bs=1M count=4 status=none
	dd if="$WORK/data" of="$DEV" bs=1M oflag=direct status=none
}

# same: the device is what the file is.
same() {
	dd if="$DEV" of="$WORK/back" bs=1M count=4 iflag=direct status=none &&
		cmp "$WORK/data" "$WORK/back"
}

zero() {
	dd if=/dev/zero of="$WORK/data" bs=512 seek="$1" count="$2" conv=notrunc status=none
}

load size_mb=16
fill
check "4 MiB are stored" counter_is stored_bytes $((4 << 20))
check "discard of 1 MiB" blkdiscard --offset 1M --length 1M "$DEV"
zero 2048 2048
check "reads as zeroes, the rest as it was" same
check "1 MiB is given back" counter_is stored_bytes $((3 << 20))

check "discard of 5 sectors, not aligned to 4 KiB" \
	blkdiscard --offset $((3 * 512)) --length $((5 * 512)) "$DEV"
check "write-zeroes of 7 sectors" \
	blkdiscard --zeroout --offset $((4097 * 512)) --length $((7 * 512)) "$DEV"
zero 4097 7
# The block layer may round a discard inwards: then the content stays.
cp "$WORK/data" "$WORK/as-it-was"
zero 3 5
either() {
	same || { cp "$WORK/as-it-was" "$WORK/data" && same; }
}
check "zeroes where asked, the rest as it was" either

check "discard of the whole disk" blkdiscard "$DEV"
check "all memory is given back" counter_is stored_bytes 0
dd if=/dev/zero of="$WORK/data" bs=1M count=4 status=none
check "reads as zeroes" same
check "nothing was found wrong on the way" counter_is read_mismatches 0

# Memory of the system's, not only what the disk says: 128 MiB, a quarter of it, then the rest.
load size_mb=256
before=$(free_kb)
dd if=/dev/zero of="$DEV" bs=1M count=128 oflag=direct status=none
check "128 MiB are stored" counter_is stored_bytes $((128 << 20))
full=$(free_kb)
check "the system has less by that" at_least "kB less" $((before - full)) $((112 << 10))
check "discard of 32 MiB" blkdiscard --offset 64M --length 32M "$DEV"
# memory_back allows the debug kernel three times as much.
check "the system has some of it back" memory_back $((full + (32 << 10))) $((8 << 10))
check "discard of the whole disk" blkdiscard "$DEV"
check "the system has all of it back" memory_back "$before" $((24 << 10))
ktap_finished
