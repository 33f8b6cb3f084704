#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A buffer of direct I/O is changed between the time that a device has filled it and the time that the
block layer checks it against its tuples.

On a device whose tuples go to the block layer, and that ends requests late. See
stablefs_lib.main for the arguments. Fails if a read does."""

import mmap
import os
import sys

from lib import opened, same
from stablefs_direct import LENGTH, rewritten
from stablefs_lib import main


def test_read(fs):
    """preadv(2)"""
    buffer = mmap.mmap(-1, LENGTH)
    with opened(fs.path("file"), os.O_RDWR | os.O_CREAT) as file:
        os.pwrite(file, b"\xaa" * LENGTH, 0)
        os.fsync(file)
    with opened(fs.path("file"), os.O_RDONLY | os.O_DIRECT) as file:
        rewritten(buffer, lambda: same("bytes", os.preadv(file, [buffer], 0), LENGTH))


if __name__ == "__main__":
    sys.exit(main(globals()))
