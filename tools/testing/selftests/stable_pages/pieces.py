#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""pieces.py DEVICE read|write COUNT

Reads or writes COUNT sectors of DEVICE with O_DIRECT in one request, from or to as many pieces of
memory: the first 512 bytes of one page each, so that no two of them lie together.
"""

import mmap
import os
import sys

SECTOR = 512


def main():
    device, operation, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    memory = memoryview(mmap.mmap(-1, count * mmap.PAGESIZE,
                                  flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    pieces = [memory[at:at + SECTOR] for at in range(0, len(memory), mmap.PAGESIZE)]
    file = os.open(device, os.O_RDWR | os.O_DIRECT)
    done = (os.preadv if operation == "read" else os.pwritev)(file, pieces, 0)
    os.close(file)
    return 0 if done == count * SECTOR else 1


if __name__ == "__main__":
    sys.exit(main())
