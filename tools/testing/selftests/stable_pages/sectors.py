#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""sectors.py DEVICE OPERATION FIRST COUNT [LENGTH]

Reads or writes COUNT sectors of DEVICE from FIRST on with O_DIRECT, in requests of LENGTH
sectors (default 1), and prints what failed: "sector errno" for each request. write=N and
fua=N write the sector's number and N (default 1), in each of its words; verify=N reads
that, and prints "sector stale N" or "sector other N" where it is that of another time or
of another sector. flush has no sectors, and prints an errno if it fails.
"""

import errno
import mmap
import os
import struct
import sys

SECTOR = 512


def content(sector, generation):
    """What a sector has."""
    return struct.pack("<II", sector, generation) * (SECTOR // 8)


def main():
    device, operation = sys.argv[1:3]
    first, count = (int(arg) for arg in sys.argv[3:5]) if operation != "flush" else (0, 0)
    length = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    operation, _, generation = operation.partition("=")
    generation = int(generation or 1)
    file = os.open(device, os.O_RDWR | os.O_DIRECT | (os.O_DSYNC if operation == "fua" else 0))
    if operation == "flush":
        try:
            os.fsync(file)
        except OSError as failure:
            print(errno.errorcode[failure.errno])
    buffer = mmap.mmap(-1, length * SECTOR)
    for sector in range(first, first + count, length):
        try:
            if operation in ("write", "fua"):
                buffer[:] = b"".join(content(sector + n, generation) for n in range(length))
                done = os.pwritev(file, [buffer], sector * SECTOR)
            else:
                done = os.preadv(file, [buffer], sector * SECTOR)
        except OSError as failure:
            print(sector, errno.errorcode[failure.errno])
            continue
        if done != len(buffer):
            print(sector, "short")
        for n in range(length if operation == "verify" else 0):
            piece = buffer[n * SECTOR:(n + 1) * SECTOR]
            if piece != content(sector + n, generation):
                number, when = struct.unpack_from("<II", piece)
                if piece == content(number, when):
                    print(sector + n, *(("stale", when) if number == sector + n
                                        else ("other", number)))
                else:
                    print(sector + n, "mixed")
    os.close(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
