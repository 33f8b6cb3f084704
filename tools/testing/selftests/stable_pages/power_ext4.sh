#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Power cuts under a filesystem that nobody here wrote: ext4 with a journal finds back what
# fsync() said was there, whatever else is lost. The control: without barriers it doesn't.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 33 python3 mkfs.ext4 e2fsck

SEEDS=$((6 / SHORTEN > 0 ? 6 / SHORTEN : 1))

# work: writes and renames files, and says which of them fsync() has said are there, until
# the power goes.
work() {
	python3 - "$MNT" "$HERE" <<-'END'
		import os, random, struct, sys
		sys.path.insert(0, sys.argv[2])
		from lib import WRITE, sync_file_range
		top = sys.argv[1]
		draw = random.Random(1)
		try:
		    directory = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
		    other = os.open(f"{top}/other", os.O_RDWR | os.O_CREAT)
		    for turn in range(100000):
		        name = f"{top}/{turn % 40}"
		        with open(f"{name}.new", "wb", buffering=0) as file:
		            count = draw.randrange(2, 8000)
		            words = [turn, count] + [turn] * (count - 2)
		            file.write(struct.pack(f"<{count}I", *words))
		            os.fsync(file)
		        # On its way, and nobody asked for it to be durable.
		        for at in range(0, 1 << 20, 16384):
		            os.pwrite(other, turn.to_bytes(4, "little") * 1024, at)
		        sync_file_range(other, 1 << 20, WRITE)
		        os.rename(f"{name}.new", name)
		        if turn % 3 == 0:
		            os.unlink(f"{top}/{(turn + 20) % 40}") if turn > 40 else None
		        os.fsync(directory)
		        print(turn, flush=True)
		except OSError:
		    pass
	END
}

# found LAST: the names that the last turns made are there, with all of their content.
found() {
	python3 - "$MNT" "$1" <<-'END'
		import os, struct, sys
		top, last = sys.argv[1], int(sys.argv[2])
		gone = {(turn + 20) % 40: turn for turn in range(41, last + 2) if turn % 3 == 0}
		for turn in range(max(last - 39, 0), last + 1):
		    # The next turn may have been under way, or a later one have removed it.
		    if gone.get(turn % 40, -1) > turn or turn % 40 == (last + 1) % 40:
		        continue
		    data = open(f"{top}/{turn % 40}", "rb").read()
		    # Each has its turn, its length in words, and its turn in all others.
		    words = struct.unpack(f"<{len(data) // 4}I", data[:len(data) // 4 * 4])
		    if len(words) < 2 or words[0] < turn or len(data) != words[1] * 4 \
		            or set(words[2:]) - {words[0]}:
		        sys.exit(f"{turn % 40}: {len(data)} bytes {words[:3]}, not of turn {turn}")
	END
}

# survives LOSS LAST SEED...: after each of these cuts the filesystem is whole.
survives() {
	local loss=$1 last=$2 seed
	shift 2
	for seed; do
		echo restore >"$COUNTERS/snapshot" || return
		echo "on $loss${seed:+ seed=$seed}" >"$COUNTERS/power" || return
		mount "$DEV" "$MNT" || { echo "seed $seed: mount"; return 1; }
		found "$last" || { echo "seed $seed"; umount "$MNT"; return 1; }
		umount "$MNT"
		e2fsck -fn "$DEV" >"$WORK/fsck" 2>&1 || { cat "$WORK/fsck"; echo "seed $seed"; return 1; }
	done
}

# cut OPTIONS WHEN: the filesystem works until the power goes, which a snapshot then is of.
cut() {
	load size_mb=64 cache_size=64
	mkfs.ext4 -q "$DEV"
	mount -o "$1" "$DEV" "$MNT"
	echo "${2% *} crash after=$((${2#* } / SHORTEN)) count=1" >"$COUNTERS/faults"
	work >"$WORK/turns"
	umount "$MNT"
	echo take >"$COUNTERS/snapshot"
	last=$(tail -n 1 "$WORK/turns")
	echo "# $2: $last turns, $(xargs <"$COUNTERS/power")"
}

for when in 'write 3000' 'flush 100' 'flush 221' 'flush 342' 'flush 463' 'write 6001'; do
	cut defaults "$when"
	check "$when: fsync() was called often" at_least turns "$last" $((16 / SHORTEN))
	for loss in random torn; do
		# shellcheck disable=SC2046 # one word for each seed
		check "$loss: all that was synced is there" survives $loss "$last" $(seq "$SEEDS")
	done
	check "all lost: all that was synced is there" survives all "$last" ''
	check "what is stored agrees with its protection information" counter_is read_mismatches 0
done
cut barrier=0 "write 9999"
check "without barriers: fsync() was called often" at_least turns "$last" $((16 / SHORTEN))
check "nothing lost: all that was synced is there" survives none "$last" ''
# shellcheck disable=SC2046 # likewise
check_not "some lost: it isn't" survives random "$last" $(seq "$SEEDS")
ktap_finished
