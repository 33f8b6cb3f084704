#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Waiting is for a folio, however large. Where somebody had to wait for a large one, what
# is written to next is small, and large ones come back later. (The events say how large.)

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
begin_stablefs 9
mount_tracefs

# rewrite STRATEGY: a file in two pieces, each a large folio; one is written to while it is
# on its way, and then both are. Prints how large the folio was at each of the three writes.
rewrite() {
	mount_with "stable=$1" || return
	echo 1 >"$TRACING/events/stable_pages/stable_pages_writer/enable"
	python3 - "$MNT/file" "$TRACING/trace" <<-'END'
		import ctypes, os, re, sys
		PIECE, HERE, OTHER, NEW = 256 << 10, 1 << 20, 2 << 20, 3 << 20
		name, trace = sys.argv[1:]
		file = os.open(name, os.O_RDWR | os.O_CREAT)
		for at in (HERE, OTHER):
		    os.pwrite(file, b"a" * PIECE, at)
		    os.fsync(file)
		os.pwrite(file, b"a", HERE)
		ctypes.CDLL(None).sync_file_range(file, ctypes.c_long(HERE), ctypes.c_long(PIECE), 2)
		open(trace, "w").close()
		os.pwrite(file, b"b" * 4096, HERE)
		os.fsync(file)
		os.pwrite(file, b"b" * 4096, HERE + 8192)
		os.pwrite(file, b"bb", OTHER + 8191)
		print(*re.findall(r"stable_pages_writer:.* bytes (\d+)", open(trace).read()))
		os.fsync(file)
		for turn in range(4100):
		    os.pwrite(file, b"c" * 4096, NEW + turn % 256 * 4096)
		open(trace, "w").close()
		os.pwrite(file, b"d" * PIECE, 8 << 20)
		sizes = re.findall(r"stable_pages_writer:.* bytes (\d+)", open(trace).read())
		print(max(map(int, sizes)))
	END
	echo 0 >"$TRACING/events/stable_pages/stable_pages_writer/enable"
}

content() {
	python3 - "$MNT/file" <<-'END'
		import sys
		PIECE, HERE, OTHER = 256 << 10, 1 << 20, 2 << 20
		expected = bytearray(3 << 20)
		for at, length, what in ((HERE, PIECE, b"a"), (OTHER, PIECE, b"a"), (HERE, 4096, b"b"),
		                         (HERE + 8192, 4096, b"b"), (OTHER + 8191, 2, b"b")):
		    expected[at:at + length] = what * length
		sys.exit(open(sys.argv[1], "rb").read(3 << 20) != expected)
	END
}

load_with_fs size_mb=64 window_us=300000
make_fs -b 4096
mapfile -t sizes < <(rewrite wait)
echo "# bytes of the folios: ${sizes[*]}"
read -ra written <<<"${sizes[0]}"
check "wait: somebody waited for a large folio" at_least bytes "${written[0]}" 65536
check "wait: the next one is small" is bytes "${written[1]}" 4096
check "wait: so are those of another one" is bytes "${written[2]} ${written[3]}" "4096 4096"
check "wait: large ones come back" at_least bytes "${sizes[1]}" 65536
check "wait: the file has what was written" content
again
check "and the device, too" content
umount "$MNT"
make_fs -b 4096
mapfile -t sizes < <(rewrite snapshot)
read -ra written <<<"${sizes[0]}"
check "snapshot: nobody waits, and they stay large" at_least bytes "${written[1]}" 65536
check "snapshot: new ones are large" at_least bytes "${sizes[1]}" 65536
check "the filesystem is whole" whole
ktap_finished
