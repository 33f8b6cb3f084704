# SPDX-License-Identifier: GPL-2.0
"""What the Python tests of stablefs share: a mounted filesystem, system calls that
Python has no name for, and running the tests of a file by name."""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import struct
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_SYMLINK_FOLLOW = 0x400
FIBMAP = 1
WAIT_BEFORE, WRITE, WAIT_AFTER = 1, 2, 4


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


def read(path):
    """What is in a file."""
    with open(path, "rb") as file:
        return file.read()


def same(what, actual, expected):
    """Both are equal, or this fails, and says how."""
    if actual != expected:
        actual, expected = (f"{value!r}"[:300] for value in (actual, expected))
        raise AssertionError(f"{what} is {actual}, not {expected}")


@contextlib.contextmanager
def fails(*codes):
    """What is inside must fail with one of these errnos."""
    try:
        yield
    except OSError as failure:
        if failure.errno not in codes:
            raise AssertionError(f"{failure}, not {[errno.errorcode[code] for code in codes]}"
                                 ) from failure
    else:
        raise AssertionError(f"no error, not {[errno.errorcode[code] for code in codes]}")


def call(name, *arguments):
    """A function of the C library that returns -1 and sets errno."""
    encoded = [argument.encode() if isinstance(argument, str) else argument
               for argument in arguments]
    result = getattr(LIBC, name)(*encoded)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
    return result


def sync_file_range(file, length, flags):
    """sync_file_range(2), from the beginning."""
    call("sync_file_range", file, ctypes.c_long(0), ctypes.c_long(length), flags)


@contextlib.contextmanager
def opened(path, flags, mode=0o644):
    """A file descriptor, closed at the end."""
    file = os.open(path, flags, mode)
    try:
        yield file
    finally:
        os.close(file)


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


def main(tests):
    """--list prints the names of the tests; DEVICE MOUNTPOINT NAME runs one."""
    tests = {name: test for name, test in tests.items()
             if name.startswith("test_") and callable(test)}
    if sys.argv[1:] == ["--list"]:
        print("\n".join(name.removeprefix("test_") for name in tests))
        return 0
    device, top, name = sys.argv[1:]
    tests["test_" + name](Filesystem(device, top, name))
    return 0
