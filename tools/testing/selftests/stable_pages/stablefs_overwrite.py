#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Direct writes to blocks that a file has, beside each other and beside everything else.

On a device with a long window, at whose end it takes the data. See stablefs_lib.main for
the arguments."""

import ctypes
import errno
import itertools
import mmap
import os
import resource
import stat
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from lib import call, fails, opened, read, requests, same
from stablefs_direct import Aio, address
from stablefs_lib import main

INFLIGHT = "/sys/block/dif0/inflight"
PAGE = mmap.PAGESIZE
WRITERS = 8
# Each has a place of its own, and those of two don't touch. The first are mapped by the inode,
# the others by an indirect block.
PLACES = [2 * PAGE * number for number in range(WRITERS)]
END = 2 * PAGE * WRITERS
# Any user but root.
USER = 1000
# What is written is never what was there before.
FRESH = itertools.count(1)


def buffer_of(content):
    """A buffer for direct I/O."""
    buffer = mmap.mmap(-1, len(content))
    buffer[:] = content
    return buffer


def fresh(length=PAGE):
    """A buffer with something new."""
    return buffer_of(struct.pack("=Q", next(FRESH)) * (length // 8))


def on_disk(file, place, length=PAGE):
    """What a direct read finds."""
    buffer = mmap.mmap(-1, length)
    same("bytes read", os.preadv(file, [buffer], place), length)
    return buffer[:]


def prepared(fs, name="file", mode=0o644):
    """A file that has all its blocks, but nothing in its pages, for direct I/O. It is known that
    it has no privileges."""
    file = os.open(fs.path(name), os.O_RDWR | os.O_CREAT | os.O_DIRECT)
    with opened(fs.path(name), os.O_RDWR) as buffered:
        os.fchmod(buffered, mode)
        os.pwrite(buffered, bytes(END), 0)
        os.fsync(buffered)
        os.posix_fadvise(buffered, 0, END, os.POSIX_FADV_DONTNEED)
    return os.fdopen(file, "r+b", buffering=0)


def together(file, places=tuple(PLACES), length=PAGE):
    """Each place is written by a thread of its own. Returns how many writes the device had at
    most at once."""
    buffers = [fresh(length) for _ in places]
    most = 0
    with ThreadPoolExecutor(len(places)) as pool:
        writes = [pool.submit(os.pwritev, file.fileno(), [buffer], place)
                  for buffer, place in zip(buffers, places)]
        while not all(write.done() for write in writes):
            most = max(most, int(read(INFLIGHT).split()[1]))
            time.sleep(0.005)
        for write in writes:
            same("bytes", write.result(), length)
    for buffer, place in zip(buffers, places):
        same(f"what is at {place}", on_disk(file.fileno(), place, length), buffer[:])
    return most


class Meanwhile:
    """Does something again and again, in a thread, as long as this is open."""

    def __init__(self, what):
        self.what = what
        self.stop = threading.Event()
        self.pool = ThreadPoolExecutor(1)
        self.rounds = 0

    def run(self):
        """The thread."""
        while not self.stop.is_set():
            self.what()
            self.rounds += 1

    def __enter__(self):
        self.end = self.pool.submit(self.run)
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.end.result()
        self.pool.shutdown()
        if self.rounds < 2:
            raise AssertionError(f"it was done {self.rounds} times")


def test_all_at_once(fs):
    """All are on their way at once, if the threads are: on a busy machine some are late."""
    with prepared(fs) as file:
        most = [together(file)]
        while most[-1] < WRITERS:
            if len(most) == 10:
                raise AssertionError(f"{most} at once")
            most.append(together(file))


def test_holes(fs):
    """Blocks that are not there are written one after the other."""
    with open(os.open(fs.path("file"), os.O_RDWR | os.O_CREAT | os.O_DIRECT), "r+b",
              buffering=0) as file:
        os.ftruncate(file.fileno(), END)
        most = together(file)
        # The flusher may have something, too.
        if most >= WRITERS // 2:
            raise AssertionError(f"{most} at once")


def test_long(fs):
    """Of many blocks, mapped here and there; and with a hole among them."""
    half = END // 2
    with prepared(fs) as file:
        if together(file, [0, half], half) < 2:
            raise AssertionError("one after the other")
    with prepared(fs, "hole") as file:
        os.ftruncate(file.fileno(), half)
        os.ftruncate(file.fileno(), END)
        together(file, [0, half], half)
        together(file, [PAGE], END - 2 * PAGE)


def test_cached(fs):
    """Who reads through the page cache sees it, also if the pages were there before."""
    with prepared(fs) as file, opened(fs.path("file"), os.O_RDONLY) as buffered:
        for _ in range(2):
            os.pread(buffered, END, 0)
            together(file)
            for place in PLACES:
                same(f"the page at {place}", os.pread(buffered, PAGE, place),
                     on_disk(file.fileno(), place))


def test_mapped(fs):
    """Somebody stores to a mapping of the same page, but to another block, or of the next page:
    neither is lost."""
    block = os.statvfs(fs.path(".")).f_frsize
    with prepared(fs) as file:
        mapping = mmap.mmap(file.fileno(), END)
        turns = itertools.count(1)

        def store():
            mapping[block:block + 8] = struct.pack("=Q", next(turns))
            time.sleep(0.001)

        with Meanwhile(store):
            for _ in range(4):
                buffer = fresh(block)
                same("bytes", os.pwritev(file.fileno(), [buffer], 0), block)
        mapping.flush()
        same("what was written", on_disk(file.fileno(), 0, block), buffer[:])
        same("what was stored", on_disk(file.fileno(), block, block)[:8],
             struct.pack("=Q", next(turns) - 1))


def test_same_place(fs):
    """Two writers and a reader of one place: what is there is of one of them."""
    with prepared(fs) as file:
        both = [fresh(), fresh()]
        with Meanwhile(lambda: on_disk(file.fileno(), 0)), ThreadPoolExecutor(2) as pool:
            writes = [pool.submit(os.pwritev, file.fileno(), [buffer], 0) for buffer in both]
            same("bytes", [write.result() for write in writes], [PAGE, PAGE])
        if on_disk(file.fileno(), 0) not in [buffer[:] for buffer in both]:
            raise AssertionError("it is neither")


def test_length(fs):
    """The file gets longer and shorter meanwhile."""
    def resize():
        with opened(fs.path("file"), os.O_RDWR) as other:
            os.pwrite(other, bytes(3 * PAGE), END + PAGE)
            os.ftruncate(other, END)

    with prepared(fs) as file:
        with Meanwhile(resize):
            for _ in range(3):
                together(file)
        same("size", os.fstat(file.fileno()).st_size, END)


def test_cut(fs):
    """What is on its way when its blocks go doesn't come to another file that gets them."""
    aio = Aio(WRITERS)
    with prepared(fs) as file:
        buffers = [fresh() for _ in PLACES]
        for buffer, place in zip(buffers, PLACES):
            aio.write(file.fileno(), buffer, place)
        os.ftruncate(file.fileno(), 0)
        with prepared(fs, "other") as other:
            content = fresh(END)
            same("bytes", os.pwritev(other.fileno(), [content], 0), END)
            same("results", [aio.end() for _ in buffers], [PAGE] * WRITERS)
            same("the other file", on_disk(other.fileno(), 0, END), content[:])
    aio.close()


def test_append(fs):
    """O_APPEND goes to the end, wherever it is told to go."""
    with prepared(fs):
        pass
    buffers = [fresh(), fresh()]
    with opened(fs.path("file"), os.O_RDWR | os.O_DIRECT | os.O_APPEND) as file:
        with ThreadPoolExecutor(2) as pool:
            writes = [pool.submit(os.pwritev, file, [buffer], 0) for buffer in buffers]
            same("bytes", [write.result() for write in writes], [PAGE, PAGE])
        same("the end", sorted(on_disk(file, place) for place in (END, END + PAGE)),
             sorted(buffer[:] for buffer in buffers))
        same("the beginning", on_disk(file, 0), bytes(PAGE))


def test_sync(fs):
    """O_DSYNC: one flush for each, and no more, whatever it has to do besides."""
    with prepared(fs), opened(fs.path("file"), os.O_RDWR | os.O_DIRECT | os.O_DSYNC) as file:
        for place in (0, PAGE, END):
            before = requests("flush", "requests")
            same("bytes", os.pwritev(file, [fresh()], place), PAGE)
            same(f"flushes for {place}", requests("flush", "requests") - before, 1)


def in_child(work):
    """Does it in a process of its own, which must end well."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(f"in the child: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    same("its end", os.waitpid(child, 0)[1], 0)


def test_limit(fs):
    """RLIMIT_FSIZE within a block: what is below is written, and no more."""
    buffer = fresh(2 * PAGE)
    with prepared(fs) as file:
        def write():
            resource.setrlimit(resource.RLIMIT_FSIZE, (PAGE + 512, PAGE + 512))
            same("bytes", os.pwritev(file.fileno(), [buffer], 0), PAGE + 512)
        in_child(write)
        same("what is there", on_disk(file.fileno(), 0, 2 * PAGE),
             buffer[:PAGE + 512] + bytes(PAGE - 512))


def test_memory(fs):
    """Memory that begins anywhere a device takes it from."""
    with prepared(fs) as file:
        content = fresh(2 * PAGE)
        view = memoryview(content)[512:512 + PAGE]
        same("bytes", os.pwritev(file.fileno(), [view], PAGE), PAGE)
        same("what is there", on_disk(file.fileno(), PAGE), bytes(view))
        view.release()


def test_nowait(fs):
    """RWF_NOWAIT: done, or EAGAIN and nothing done. A hole is never filled."""
    with prepared(fs) as file:
        os.ftruncate(file.fileno(), END - PAGE)
        os.ftruncate(file.fileno(), END)
        for place in [*PLACES, END - PAGE]:
            before, buffer = on_disk(file.fileno(), place), fresh()
            try:
                same("bytes", os.pwritev(file.fileno(), [buffer], place, os.RWF_NOWAIT), PAGE)
                before = buffer[:]
            except BlockingIOError:
                pass
            same(f"what is at {place}", on_disk(file.fileno(), place), before)
        same("the hole", before, bytes(PAGE))


def test_bad_memory(fs):
    """Memory that can't be read behind some that can: EFAULT, or what is before it is written."""
    buffer = fresh(2 * PAGE)
    call("mprotect", ctypes.c_void_p(address(buffer) + PAGE), ctypes.c_long(PAGE), 0)
    with prepared(fs) as file:
        try:
            same("bytes", os.pwritev(file.fileno(), [buffer], 0), PAGE)
            same("what is there", on_disk(file.fileno(), 0), buffer[:PAGE])
        except OSError as failure:
            same("the error", failure.errno, errno.EFAULT)
        same("what is behind", on_disk(file.fileno(), PAGE), bytes(PAGE))


def test_privileges(fs):
    """They are taken away as by any other write, also when it was known that there were none."""
    # struct vfs_cap_data of version 2, with CAP_NET_BIND_SERVICE.
    capability = struct.pack("<5I", 0x2000000, 1 << 10, 0, 0, 0)
    with prepared(fs, mode=0o777) as file:
        def write():
            os.setuid(USER)
            same("bytes", os.pwritev(file.fileno(), [fresh()], 0), PAGE)

        in_child(write)
        os.fchmod(file.fileno(), 0o4777)
        in_child(write)
        same("the mode", stat.S_IMODE(os.fstat(file.fileno()).st_mode), 0o777)
        os.setxattr(file.fileno(), "security.capability", capability)
        in_child(write)
        with fails(errno.ENODATA):
            os.getxattr(file.fileno(), "security.capability")


if __name__ == "__main__":
    sys.exit(main(globals()))
