#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""flip_in_flight.py DEVICE SECTOR LENGTH BYTE DELAY [UNDO]

Writes LENGTH bytes at SECTOR of DEVICE with O_DIRECT. DELAY seconds later,
while the write is in flight, flips one bit of BYTE (counted from the start of
the buffer; -1: of none), and UNDO seconds after that flips it back. Prints what the write returned: a length or an errno.
"""

import errno
import mmap
import os
import sys
import threading
import time


def main():
    device = sys.argv[1]
    sector, length, byte = (int(arg) for arg in sys.argv[2:5])
    delay = float(sys.argv[5])
    undo = float(sys.argv[6]) if len(sys.argv) > 6 else None
    # Private: a shared mapping is a file of tmpfs, and has an inode.
    buffer = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    buffer.write(os.urandom(length))
    result = []

    def write():
        fd = os.open(device, os.O_RDWR | os.O_DIRECT)
        try:
            result.append(str(os.pwrite(fd, buffer, sector * 512)))
        except OSError as error:
            result.append(errno.errorcode[error.errno])
        finally:
            os.close(fd)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(delay)
    if not writer.is_alive():
        print("the write was over too soon")
        return 1
    if byte >= 0:
        buffer[byte] ^= 0x10
        if undo is not None:
            time.sleep(undo)
            if not writer.is_alive():
                print("the write was over too soon")
                return 1
            buffer[byte] ^= 0x10
    writer.join()
    print(result[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
