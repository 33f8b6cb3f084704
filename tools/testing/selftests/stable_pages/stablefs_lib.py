# SPDX-License-Identifier: GPL-2.0
"""What the Python tests of stablefs share, on top of lib.py: a mounted filesystem, where
its files are, and running the tests of a file by name."""

import fcntl
import mmap
import os
import struct
import subprocess
import sys

from lib import opened, same, tests_in

FIBMAP = 1


class Filesystem:
    """A filesystem that is mounted at `top`, and an empty directory in it."""

    def __init__(self, device, top, name):
        self.device, self.top = device, top
        self.here = os.path.join(top, name)
        os.mkdir(self.here)
        self.block = os.statvfs(top).f_bsize

    def path(self, *names):
        """The path of something in the directory."""
        return os.path.join(self.here, *names)

    def write(self, name, content=b""):
        """A file, with its content. Returns its path."""
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def remount(self, options="rw"):
        """Forget all that is in memory."""
        subprocess.run(["umount", self.top], check=True)
        subprocess.run(["mount", "-t", "stablefs", "-o", options, self.device, self.top], check=True)


def wake_flusher():
    """Has the flusher write all that is dirty, once: it is woken when its interval becomes another one. That is ten
    minutes: it doesn't come by itself."""
    with open("/proc/sys/vm/dirty_writeback_centisecs", "r+", encoding="ascii") as file:
        interval = 60001 if file.read() == "60000\n" else 60000
        file.seek(0)
        file.write(f"{interval}\n")


def blocks(fs, file, length):
    """Where the file is on the device. FIBMAP writes what is dirty, so this comes early."""
    return [struct.unpack("i", fcntl.ioctl(file, FIBMAP, struct.pack("i", block)))[0]
            for block in range(length // fs.block)]


def raw(fs, where):
    """What the device has in these blocks, past every cache."""
    data = b""
    page = mmap.mmap(-1, 4096)
    with opened(fs.device, os.O_RDONLY | os.O_DIRECT) as disk:
        for block in where:
            view = memoryview(page)[:fs.block]
            same("bytes read", os.preadv(disk, [view], block * fs.block), fs.block)
            data += bytes(view)
    return data


def main(names):
    """--list prints the names of the tests; DEVICE MOUNTPOINT NAME runs one."""
    tests = tests_in(names)
    device, top, name = sys.argv[1:]
    tests[name](Filesystem(device, top, name))
    return 0
