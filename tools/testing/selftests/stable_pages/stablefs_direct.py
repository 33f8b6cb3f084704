#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Buffers of direct I/O, and pages that are pinned for it, are changed in flight.

On a device whose window is long. See stablefs_lib.main for the arguments; what the
device saw is for the caller to look at."""

import ctypes
import mmap
import os
import struct
import sys
import threading
import time

from lib import call, opened, same
from stablefs_lib import main

LENGTH = 64 << 10
SYS = {"io_setup": 206, "io_destroy": 207, "io_getevents": 208, "io_submit": 209,
       "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}


def syscall(name, *arguments):
    """A system call that libc has no function for."""
    return call("syscall", ctypes.c_long(SYS[name]), *arguments)


def address(buffer):
    """Where a writable buffer is."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def scribble(buffer, stop):
    """Changes the buffer all the time."""
    turn = 0
    while not stop.is_set():
        turn = (turn + 1) % 256
        for at in range(0, LENGTH, 256):
            buffer[at] = turn


def rewritten(buffer, write):
    """Calls `write` a few times while the buffer is being changed."""
    stop = threading.Event()
    other = threading.Thread(target=scribble, args=(buffer, stop))
    other.start()
    try:
        for _ in range(2):
            write()
    finally:
        stop.set()
        other.join()


def prepared(fs):
    """A file that has its blocks, opened for direct I/O."""
    with opened(fs.path("file"), os.O_RDWR | os.O_CREAT) as file:
        os.pwrite(file, bytes(LENGTH), 0)
        os.fsync(file)
    return opened(fs.path("file"), os.O_RDWR | os.O_DIRECT)


def test_sync(fs):
    """pwritev(2)"""
    buffer = mmap.mmap(-1, LENGTH)
    with prepared(fs) as file:
        rewritten(buffer, lambda: same("bytes", os.pwritev(file, [buffer], 0), LENGTH))


class Aio:
    """A context of io_submit(2)."""

    def __init__(self, room):
        self.context = ctypes.c_ulong(0)
        syscall("io_setup", room, ctypes.byref(self.context))

    def write(self, file, buffer, offset):
        """Begins to write the buffer, which must stay until that has ended."""
        # struct iocb: IOCB_CMD_PWRITE is 1.
        request = ctypes.create_string_buffer(struct.pack(
            "=QIIHhIQQqQII", 0, 0, 0, 1, 0, file, address(buffer), len(buffer), offset, 0, 0, 0))
        requests = (ctypes.c_void_p * 1)(ctypes.addressof(request))
        same("submitted", syscall("io_submit", self.context, ctypes.c_long(1), requests), 1)

    def end(self):
        """Waits for one to end, and returns its result."""
        event = ctypes.create_string_buffer(32)
        same("ended", syscall("io_getevents", self.context, ctypes.c_long(1), ctypes.c_long(1),
                              event, None), 1)
        return struct.unpack("=QQqq", event.raw)[2]

    def close(self):
        """All of it."""
        syscall("io_destroy", self.context)


def test_aio(fs):
    """io_submit(2)"""
    buffer = mmap.mmap(-1, LENGTH)
    aio = Aio(8)

    def write():
        aio.write(file, buffer, 0)
        same("bytes", aio.end(), LENGTH)

    with prepared(fs) as file:
        rewritten(buffer, write)
    aio.close()


class Uring:
    """A ring of one entry."""

    def __init__(self):
        self.parameters = ctypes.create_string_buffer(120)
        self.file = syscall("io_uring_setup", 1, self.parameters)
        fields = struct.unpack("=30I", self.parameters.raw)
        # sq_off begins at 10: head, tail, mask, entries, flags, dropped, array; cq_off at 20.
        self.sq_tail, self.sq_array = fields[11], fields[16]
        self.cq_head, self.cqes = fields[20], fields[25]
        size = max(self.sq_array + 4 * fields[0], self.cqes + 16 * fields[1])
        self.ring = mmap.mmap(self.file, size, offset=0)
        self.entries = mmap.mmap(self.file, 64 * fields[0], offset=0x10000000)

    def submit(self, opcode, file, where, length):
        """One request, and its result. IORING_OP_READ is 22, _WRITE 23."""
        self.entries[:64] = struct.pack("=BBHiQQIIQ", opcode, 0, 0, file, 0, where, length, 0,
                                        0).ljust(64, b"\0")
        self.ring[self.sq_array:self.sq_array + 4] = struct.pack("=I", 0)
        tail = struct.unpack_from("=I", self.ring, self.sq_tail)[0]
        struct.pack_into("=I", self.ring, self.sq_tail, tail + 1)
        # IORING_ENTER_GETEVENTS
        same("entered", syscall("io_uring_enter", self.file, 1, 1, 1, None, 0), 1)
        head = struct.unpack_from("=I", self.ring, self.cq_head)[0]
        result = struct.unpack_from("=Qi", self.ring, self.cqes + 16 * (head % 2))[1]
        struct.pack_into("=I", self.ring, self.cq_head, head + 1)
        return result

    def register(self, where, length):
        """A fixed buffer."""
        vector = struct.pack("=QQ", where, length)
        return syscall("io_uring_register", self.file, 0, vector, 1)

    def close(self):
        """All of it."""
        os.close(self.file)


def test_io_uring(fs):
    """IORING_OP_WRITE"""
    buffer = mmap.mmap(-1, LENGTH)
    ring = Uring()
    with prepared(fs) as file:
        rewritten(buffer, lambda: same(
            "bytes", ring.submit(23, file, address(buffer), LENGTH), LENGTH))
    ring.close()


def test_pinned(fs):
    """Pages of a file into which a slow device transfers while they are written back.

    io_uring would keep them longer, but no kernel since 6.5 lets it register pages of a
    file that is to be told of writes: EFAULT (FOLL_LONGTERM).
    """
    with opened(fs.path("file"), os.O_RDWR | os.O_CREAT) as file, \
            opened(os.environ["SLOW"], os.O_RDONLY | os.O_DIRECT) as slow:
        os.pwrite(file, bytes(LENGTH), 0)
        os.fsync(file)
        mapping = mmap.mmap(file, LENGTH)
        ring = Uring()
        try:
            ring.register(address(mapping), LENGTH)
            print("io_uring took pages of a file: use that here")
        except OSError as error:
            same("io_uring's answer", os.strerror(error.errno), "Bad address")
        ring.close()
        mapping[0] = 1
        reader = threading.Thread(target=os.preadv, args=(slow, [mapping], 0))
        reader.start()
        # The pages are pinned now, and written to after 1.2 s, while the device has them.
        time.sleep(0.3)
        os.pwrite(file, b"\2" * 16, LENGTH - 16)
        os.fdatasync(file)
        reader.join()


if __name__ == "__main__":
    sys.exit(main(globals()))
