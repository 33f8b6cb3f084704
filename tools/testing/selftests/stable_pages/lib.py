# SPDX-License-Identifier: GPL-2.0
"""What the Python tests share: system calls that Python has no name for, and saying what
is not as it should be, and the tests of a file by name."""

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_SYMLINK_FOLLOW = 0x400
BLKDISCARD = 0x1277
DEBUGFS = "/sys/kernel/debug/dif_blk/dif0"
WAIT_BEFORE, WRITE, WAIT_AFTER = 1, 2, 4


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


def discard(file, offset, length):
    """Of a block device, in bytes."""
    fcntl.ioctl(file, BLKDISCARD, struct.pack("QQ", offset, length))


@contextlib.contextmanager
def opened(path, flags, mode=0o644):
    """A file descriptor, closed at the end."""
    file = os.open(path, flags, mode)
    try:
        yield file
    finally:
        os.close(file)


def counter(name):
    """What a file of the disk in debugfs has."""
    return int(read(f"{DEBUGFS}/{name}"))


def requests(operation, *columns):
    """What the columns of the disk's requests of that operation add up to, on all queues."""
    head, *lines = (line.split() for line in read(f"{DEBUGFS}/requests").decode().splitlines())
    return sum(int(line[head.index(column)])
               for line in lines if line[1] == operation for column in columns)


def crc16(data):
    """CRC-16/T10-DIF, bit by bit."""
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1) ^ (0x18bb7 if value & 0x8000 else 0)
    return value


def tests_in(names):
    """The tests of a file, by name; --list prints them, and is all."""
    tests = {name.removeprefix("test_"): test for name, test in names.items()
             if name.startswith("test_") and callable(test)}
    if sys.argv[1:] == ["--list"]:
        print("\n".join(tests))
        sys.exit()
    return tests
