#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""fail_nth.py load|write|read|record FILE [PARAMETERS]

Does the one system call with FILE (a module to load, a device to write to or read
from, or a file with records of violations on the device PARAMETERS) again and again,
and each time lets another allocation that the kernel makes in it fail, from the first
one until none is left: /proc/<pid>/fail-nth. When a module is loaded, those that are
made in its init, and of those each STABLE_PAGES_SHORTEN-th only.

Prints a line for each time it did not end well, or as it may:

	N ERRNO what is wrong

and at the end "allocations A, calls N, failed M": how many allocations there are,
how often it was done, and how often it said ENOMEM. Exits with 1 if something was
wrong.
"""

import contextlib
import ctypes
import errno
import itertools
import json
import mmap
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import faults
from lib import opened

SYS_FINIT_MODULE = 313
LENGTH = 65536
LIBC = ctypes.CDLL(None, use_errno=True)

# What stays behind if a load that failed is not undone.
LEFT = ("/sys/module/dif_blk", "/dev/dif0", "/sys/kernel/debug/dif_blk", "/sys/block/dif0")


class Armed:
    """The N-th allocation of this thread fails while this is open."""

    def __init__(self, number):
        self.file = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
        self.number = number
        self.reached = False
        self.counted = 0

    def __enter__(self):
        os.write(self.file, str(self.number).encode())
        return self

    def __exit__(self, *_):
        left = os.pread(self.file, 32, 0)
        self.reached = int(left) == 0
        self.counted = self.number - int(left)
        os.write(self.file, b"0")
        os.close(self.file)


def load(path, parameters):
    """Load the module; unload it again if that worked."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    arguments = parameters.encode()

    def call(armed):
        with armed:
            status = LIBC.syscall(SYS_FINIT_MODULE, file, arguments, 0)
            error = ctypes.get_errno() if status else 0
        if error == 0:
            subprocess.run(["rmmod", "dif_blk"], check=True)
        left = [path for path in LEFT if os.path.exists(path)]
        wrong = f"left: {' '.join(left)}" if left else ""
        if error not in (0, errno.ENOMEM):
            wrong += " neither loaded nor ENOMEM"
        return error, wrong
    return call


def transfer(path, write):
    """Write what is then read, or read what was written."""
    file = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
    buffer = mmap.mmap(-1, LENGTH, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    content = os.urandom(LENGTH)
    buffer[:] = content
    os.pwrite(file, buffer, 0)
    offset = 0

    def call(armed):
        nonlocal offset
        # Each write goes where nothing was stored before: it allocates.
        if write:
            offset += LENGTH
        buffer[:] = content if write else bytes(LENGTH)
        error = 0
        with armed:
            try:
                done = (os.pwrite if write else lambda f, b, o: os.preadv(f, [b], o))(
                    file, buffer, offset)
            except OSError as failure:
                done, error = 0, failure.errno
        if error not in (0, errno.ENOMEM):
            return error, "neither done nor ENOMEM"
        if error == 0 and done != LENGTH:
            return error, f"only {done} bytes"
        if error == 0:
            buffer[:] = bytes(LENGTH)
            os.preadv(file, [buffer], offset)
            if buffer[:] != content:
                return error, "other content"
        return error, ""
    return call


def violate(device, buffer):
    """A violation in each sector of one write."""
    with ThreadPoolExecutor(1) as pool, opened(device, os.O_RDWR | os.O_DIRECT) as file:
        write = pool.submit(os.pwrite, file, buffer, 0)
        time.sleep(0.2)
        for at in range(0, len(buffer), 512):
            buffer[at] ^= 1
        write.result()


def record(path, device):
    """Read the next record, which stays the next one until it is read."""
    buffer = mmap.mmap(-1, LENGTH, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # What was never written is the zero page, and another one as soon as it is.
    buffer[:] = bytes(LENGTH)
    violate(device, buffer)
    numbers = itertools.count(1)

    def call(armed):
        error = 0
        # What an open file has memory for it keeps.
        with opened(path, os.O_RDONLY | os.O_NONBLOCK) as file:
            try:
                with armed:
                    line = os.read(file, LENGTH)
            except OSError as failure:
                error = failure.errno
                if error != errno.ENOMEM:
                    return error, "neither read nor ENOMEM"
        if error:
            with opened(path, os.O_RDONLY | os.O_NONBLOCK) as file:
                line = os.read(file, LENGTH)
        expected, number = next(numbers), json.loads(line)["seq"]
        return error, "" if number == expected else f"record {number}, not {expected}"
    return call


def each(call, stride=1):
    """Let one allocation after the other fail, or each of so many, and say how that went."""
    number, failed, wrong = 1 - stride, 0, 0
    all_of_them = Armed(1 << 30)
    call(all_of_them)
    calls, reached = 0, True
    while reached:
        calls += 1
        number += stride
        armed = Armed(number)
        error, complaint = call(armed)
        failed += error == errno.ENOMEM
        if complaint:
            print(number, errno.errorcode.get(error, "ok"), complaint)
            wrong += 1
        reached = armed.reached
    print(f"allocations {all_of_them.counted}, calls {calls}, failed {failed}")
    return 1 if wrong else 0


def main():
    what, path = sys.argv[1:3]
    if what == "record":
        return each(record(path, sys.argv[3]))
    if what != "load":
        return each(transfer(path, what == "write"))
    with contextlib.ExitStack() as filters:
        # add_disk() doesn't look at what dev_set_name() returns, and device_add() says
        # EINVAL of a device without a name: the kernel's, not the driver's.
        init, unlooked = faults.function("do_one_initcall"), faults.function("dev_set_name")
        for kind in faults.KINDS:
            filters.enter_context(faults.Fault(kind).only(init, unlooked))
        return each(load(path, " ".join(sys.argv[3:])),
                    int(os.environ.get("STABLE_PAGES_SHORTEN", "1")))


if __name__ == "__main__":
    sys.exit(main())
