#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""duration.py DEVICE OPERATION [MIB [TIMES]]

Prints how many milliseconds it takes to read or to write 4 KiB (or so many MiB; 0: 4 KiB), or
to flush what the device has in its cache: the shortest of three times. Or each of TIMES, in
a line, as they come.
"""

import mmap
import os
import sys
import time


def main():
    device, operation = sys.argv[1:3]
    length = int(sys.argv[3]) << 20 if len(sys.argv) > 3 and sys.argv[3] != "0" else 4096
    each = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    buffer = mmap.mmap(-1, min(length, 1 << 20))
    file = os.open(device, os.O_RDWR | os.O_DIRECT)

    def run():
        if operation == "flush":
            os.fsync(file)
        for at in range(0, 0 if operation == "flush" else length, len(buffer)):
            done = os.preadv(file, [buffer], at) if operation == "read" \
                else os.pwritev(file, [buffer], at)
            if done != len(buffer):
                raise OSError("short")

    # Once without a clock.
    times = []
    for _ in range((each or 3) + 1):
        before = time.monotonic()
        run()
        times.append(time.monotonic() - before)
    shown = times[1:] if each else [min(times[1:])]
    print(*(int(took * 1000) for took in shown))
    return 0


if __name__ == "__main__":
    sys.exit(main())
