#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""fail_cache.py on|take|restore DEVICE

Has the power back after it was cut, takes a snapshot or restores one, on a disk with a
cache, again and again, and each time lets another allocation that the kernel makes in it
fail (see fail_nth.py). What failed is done once more; whenever it was done, what the disk
has must be right: all of it, or none.

Prints what fail_nth.py prints, and exits as that does.
"""

import errno
import fcntl
import mmap
import os
import struct
import sys

from fail_nth import LENGTH, each
from lib import DEBUGFS, read

BLKDISCARD = 0x1277


class Disk:
    """A disk whose first bytes are `content`, for good, and then something else."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        self.buffer = mmap.mmap(-1, LENGTH, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.content = b""

    def write(self):
        """Something new, which can't be lost."""
        self.content = os.urandom(LENGTH)
        self.buffer[:] = self.content
        os.pwrite(self.file, self.buffer, 0)
        os.fsync(self.file)

    def discard(self):
        """Forget it, but a power cut brings it back. What is forgotten has to be allocated then."""
        fcntl.ioctl(self.file, BLKDISCARD, struct.pack("QQ", 0, LENGTH))

    def has(self, content):
        """What is wrong with what is there."""
        os.preadv(self.file, [self.buffer], 0)
        return "" if self.buffer[:] == content else "other content"


def tell(name, text):
    """Write to a file of the disk in debugfs."""
    file = os.open(f"{DEBUGFS}/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def power():
    """Whether it is on or off."""
    return read(f"{DEBUGFS}/power").split()[0].decode()


def attempt(armed, name, text):
    """The errno that it fails with, or 0."""
    with armed:
        try:
            tell(name, text)
        except OSError as failure:
            return failure.errno
    return 0


def on(disk, armed):
    """The power stays off until all is as it was."""
    disk.write()
    tell("snapshot", "take")
    disk.discard()
    tell("power", "off")
    error = attempt(armed, "power", "on all")
    wrong = ""
    if error:
        wrong = "" if power() == "off" else "it is on"
        tell("power", "on all")
    return error, wrong or disk.has(disk.content)


def take(disk, armed):
    """There is that snapshot, or the one before; its cache has something."""
    disk.write()
    before = disk.content
    tell("snapshot", "take")
    disk.write()
    disk.discard()
    error = attempt(armed, "snapshot", "take")
    tell("snapshot", "restore")
    if error:
        return error, disk.has(before)
    wrong = disk.has(bytes(LENGTH))
    tell("power", "off")
    tell("power", "on all")
    return error, wrong or disk.has(disk.content)


def restore(disk, armed):
    """If it fails, the power is off, or nothing was done; and it can be tried again."""
    disk.write()
    tell("snapshot", "take")
    disk.discard()
    error = attempt(armed, "snapshot", "restore")
    wrong = disk.has(bytes(LENGTH)) if error and power() == "on" else ""
    if error:
        tell("snapshot", "restore")
    return error, wrong or disk.has(disk.content)


def main():
    operation = {f.__name__: f for f in (on, take, restore)}[sys.argv[1]]
    disk = Disk(sys.argv[2])

    def call(armed):
        error, wrong = operation(disk, armed)
        if error not in (0, errno.ENOMEM):
            wrong += " neither done nor ENOMEM"
        return error, wrong
    return each(call)


if __name__ == "__main__":
    sys.exit(main())
