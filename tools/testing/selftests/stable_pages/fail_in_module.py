#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""fail_in_module.py MODULE DEVICE failslab|fail_page_alloc [STEP [TO]]

Writes to DEVICE and reads back, again and again, and each time lets another
allocation fail that was made through MODULE's code, whatever thread makes it: a
write that is checked after a window is finished by a worker. The "space" that is
allocated before the first failure grows from one write to the next by STEP, which is
less than the smallest allocation, until none fails. See Documentation/fault-injection in
the kernel.

With TO the disk has a rule that what is written to its beginning goes there, where
nothing is before each write: memory for it is asked for when it is stored.

Prints a line for each time it did not end well:

	SPACE ERRNO what is wrong

and at the end "calls N, failed M allocations". Exits with 1 if something was wrong.
"""

import errno
import mmap
import os
import sys

import faults
from lib import discard

LENGTH = 16384
# In bytes, and in pages.
STEP = {"failslab": 8, "fail_page_alloc": 1}


def write(file, content, offset):
    """Write, without the page cache. Returns the errno, or 0."""
    buffer = mmap.mmap(-1, LENGTH)
    buffer[:] = content
    try:
        done = os.pwrite(file, buffer, offset)
    except OSError as failure:
        return failure.errno
    return 0 if done == LENGTH else errno.EIO


def read(file, offset):
    """What is there."""
    buffer = mmap.mmap(-1, LENGTH)
    os.preadv(file, [buffer], offset)
    return buffer[:]


class Armed:
    """One allocation fails while this is open: the first after so much space."""

    def __init__(self, fault, space):
        self.fault = fault
        self.space = space
        self.hit = False

    def __enter__(self):
        self.fault.set(interval=1, times=1, space=self.space, probability=100)
        return self

    def __exit__(self, *_):
        self.fault.set(probability=0)
        self.hit = self.fault.left() == 0


def each(call, module, kind, step):
    """Let one allocation after the other fail, and say how that went."""
    space, calls, failed, wrong = 0, 0, 0, 0
    with faults.Fault(kind).only(faults.text_of(module)) as fault:
        hit = True
        while hit:
            armed = Armed(fault, space)
            error, complaint = call(armed)
            hit = armed.hit
            calls += 1
            failed += hit
            if complaint:
                print(space, errno.errorcode.get(error, "ok"), complaint)
                wrong += 1
            space += step
    print(f"calls {calls}, failed {failed} allocations")
    return 1 if wrong else 0


def main():
    module, device, kind = sys.argv[1:4]
    file = os.open(device, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
    size = os.lseek(file, 0, os.SEEK_END)
    to = int(sys.argv[5]) if len(sys.argv) > 5 else None
    offset = 0

    def call(armed):
        nonlocal offset
        # Each write goes where nothing was stored before: it allocates.
        if to is None:
            offset = (offset + LENGTH) % size
        else:
            discard(file, to, LENGTH)
        content = os.urandom(LENGTH)
        with armed:
            error = write(file, content, offset)
        # The driver says that it is busy, and the block layer asks again.
        if error:
            return error, "not done"
        is_there = read(file, offset if to is None else to) == content
        return 0, "" if is_there else "other content"
    return each(call, module, kind, int(sys.argv[4]) if len(sys.argv) > 4 else STEP[kind])


if __name__ == "__main__":
    sys.exit(main())
