#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""fail_cache.py on|take|restore|discard DEVICE [STEP]

Has the power back after it was cut, takes a snapshot or restores one, or discards, on a
disk with a cache, again and again, and each time lets another allocation that the kernel
makes in it fail (see fail_nth.py). What failed is done once more, a discard by the driver;
whenever it was done, what the disk has must be right: all of it, or none. Of a discard
the allocations that the driver makes fail, in whatever thread, each STEP bytes
(see fail_in_module.py).

Prints what those print, and exits as they do.
"""

import errno
import mmap
import os
import sys

import fail_in_module
import lib
from fail_nth import LENGTH, each
from lib import DEBUGFS, read

# More than the driver discards at once.
DISCARDED = 3 << 20


class Disk:
    """A disk whose first `length` bytes are `content`, for good, and then something else."""

    def __init__(self, path, length):
        self.file = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        self.length = length
        self.buffer = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.content = b""
        # How often a power cut lost it.
        self.lost = [0, 0]

    def write(self):
        """Something new, which can't be lost."""
        self.content = os.urandom(self.length)
        self.buffer[:] = self.content
        os.pwrite(self.file, self.buffer, 0)
        os.fsync(self.file)

    def discard(self):
        """Forget it, but a power cut brings it back. What is forgotten has to be allocated then."""
        lib.discard(self.file, 0, self.length)

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
    wrong = disk.has(bytes(disk.length))
    tell("power", "off")
    tell("power", "on all")
    return error, wrong or disk.has(disk.content)


def restore(disk, armed):
    """If it fails, the power is off, or nothing was done; and it can be tried again."""
    disk.write()
    tell("snapshot", "take")
    disk.discard()
    error = attempt(armed, "snapshot", "restore")
    wrong = disk.has(bytes(disk.length)) if error and power() == "on" else ""
    if error:
        tell("snapshot", "restore")
    return error, wrong or disk.has(disk.content)


def discard(disk, armed):
    """It is done, however often it has to be tried; a power cut loses all of it, or nothing."""
    disk.write()
    with armed:
        disk.discard()
    zeroes = bytes(disk.length)
    wrong = disk.has(zeroes)
    tell("power", "off")
    tell("power", f"on random seed={sum(disk.lost)}")
    is_lost = not disk.has(disk.content)
    disk.lost[is_lost] += 1
    return 0, wrong or ("" if is_lost else disk.has(zeroes))


def main():
    operation = {f.__name__: f for f in (on, take, restore, discard)}[sys.argv[1]]
    discards = operation is discard
    disk = Disk(sys.argv[2], DISCARDED if discards else LENGTH)

    def call(armed):
        error, wrong = operation(disk, armed)
        if error not in (0, errno.ENOMEM):
            wrong += " neither done nor ENOMEM"
        return error, wrong
    if not discards:
        return each(call)
    status = fail_in_module.each(call, "dif_blk", "failslab", int(sys.argv[3]))
    kept, lost = disk.lost
    print(f"kept {kept}, lost {lost}")
    return status if kept and lost else 1


if __name__ == "__main__":
    sys.exit(main())
