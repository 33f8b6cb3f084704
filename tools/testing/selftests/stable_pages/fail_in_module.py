#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""fail_in_module.py MODULE DEVICE failslab|fail_page_alloc [STEP]

Writes to DEVICE and reads back, again and again, and each time lets another
allocation fail that was made through MODULE's code, whatever thread makes it: a
write that is checked after a window is finished by a worker. The "space" that is
allocated before the first failure grows from one write to the next by STEP, which is
less than the smallest allocation, until none fails. See Documentation/fault-injection in
the kernel.

Prints a line for each time it did not end well:

	SPACE ERRNO what is wrong

and at the end "writes N, failed M allocations". Exits with 1 if something was wrong.
"""

import errno
import mmap
import os
import sys

import faults

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


def main():
    module, device, kind = sys.argv[1:4]
    step = int(sys.argv[4]) if len(sys.argv) > 4 else STEP[kind]
    file = os.open(device, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
    size = os.lseek(file, 0, os.SEEK_END)
    space, offset, writes, failed, wrong = 0, 0, 0, 0, 0
    with faults.Fault(kind).only(faults.text_of(module)) as fault:
        hit = True
        while hit:
            # Each write goes where nothing was stored before: it allocates.
            offset = (offset + LENGTH) % size
            content = os.urandom(LENGTH)
            fault.set(interval=1, times=1, space=space, probability=100)
            error = write(file, content, offset)
            fault.set(probability=0)
            hit = fault.left() == 0
            writes += 1
            failed += hit
            complaint = ""
            # The driver says that it is busy, and the block layer asks again.
            if error:
                complaint = "not done"
            elif read(file, offset) != content:
                complaint = "other content"
            if complaint:
                print(space, errno.errorcode.get(error, "ok"), complaint)
                wrong += 1
            space += step
    print(f"writes {writes}, failed {failed} allocations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
