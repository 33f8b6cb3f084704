#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stable=detached: who waits for copies to land, and who doesn't.

On a device whose window is long: each call that promises to have data on the device
returns when it is there. See stablefs_lib.main for the arguments."""

import contextlib
import errno
import fcntl
import mmap
import os
import struct
import subprocess
import sys
import time

from lib import WAIT_AFTER, WAIT_BEFORE, WRITE, call, opened, same, sync_file_range
from stablefs_lib import blocks, main, raw, wake_flusher

LENGTH = 64 << 10
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878


def copies(fs, name):
    """A value of the file `copies` in debugfs."""
    with open(stats(fs, "copies"), encoding="ascii") as file:
        return int(dict(line.split() for line in file)[name])


def until(what, condition):
    """Waits for it, twenty seconds at most."""
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"it did not come true: {what}")
        time.sleep(0.005)


def stats(fs, name):
    """The path of a file in debugfs."""
    device = os.path.basename(os.path.realpath(fs.device))
    return f"/sys/kernel/debug/stablefs/{device}/{name}"


def detached(fs):
    """How many bytes were detached."""
    with open(stats(fs, "decisions"), encoding="ascii") as file:
        lines = [line.split() for line in file]
    return sum(int(line[3]) for line in lines if line[0] == "detached")


def fly(fs, file, byte, length=LENGTH):
    """Fills the file with a byte, and returns when the flusher has sent copies of all of it."""
    until("what was before has landed", lambda: copies(fs, "in_flight") == 0)
    before = detached(fs)
    os.pwrite(file, bytes([byte]) * length, 0)

    def all_on_their_way():
        # It may be at the end of a round, and not notice. While it looks for more, it has room for another folio.
        wake_flusher()
        return detached(fs) - before >= length and copies(fs, "in_flight") == length
    until("copies are on their way", all_on_their_way)


def landed(fs):
    """None is on its way."""
    same("bytes on their way", copies(fs, "in_flight"), 0)


def flying(fs):
    """Some are still on their way."""
    same("whether copies are on their way", copies(fs, "in_flight") > 0, True)


def under_writeback():
    """How many bytes are, for the memory management: nothing else is written to here. Processors have up to some
    tens of pages that aren't counted yet."""
    with open("/proc/vmstat", encoding="ascii") as file:
        return int(dict(line.split() for line in file)["nr_writeback"]) * 4096


def throttled(fs):
    """How many bytes are on their way to the device, for the throttling of writers."""
    device = os.stat(fs.device).st_rdev
    name = f"/sys/kernel/debug/bdi/{os.major(device)}:{os.minor(device)}/stats"
    with open(name, encoding="ascii") as file:
        line = next(line for line in file if line.startswith("BdiWriteback:"))
    return int(line.split()[1]) * 1024


@contextlib.contextmanager
def new_file(fs, length=LENGTH):
    """A file that has its blocks."""
    with opened(fs.path("file"), os.O_RDWR | os.O_CREAT) as file:
        os.pwrite(file, bytes(length), 0)
        os.fsync(file)
        yield file


def waits(fs, action, byte=0x31):
    """The action returns when the copies have landed, and the device has the data."""
    with new_file(fs) as file:
        where = blocks(fs, file, LENGTH)
        fly(fs, file, byte)
        action(file)
        landed(fs)
        same("what the device has", raw(fs, where) == bytes([byte]) * LENGTH, True)


def test_detached(fs):
    """Copies are on their way, and nothing is under writeback. But who throttles writers knows of them."""
    length = 2 << 20
    with new_file(fs, length) as file:
        fly(fs, file, 1, length)
        writeback, device = under_writeback(), throttled(fs)
        flying(fs)
        same("whether much is under writeback", writeback >= length // 2, False)
        same("whether the device is known to be busy", device >= length // 2, True)
        os.fsync(file)
        same("whether it still is", throttled(fs) >= length // 2, False)


def test_asked(fs):
    """sync_file_range(2) that only writes: not detached, since who waits for that next is nobody's to notice."""
    length = 2 << 20
    with new_file(fs, length) as file:
        before = detached(fs)
        os.pwrite(file, b"w" * length, 0)
        sync_file_range(file, length, WRITE)
        writeback = under_writeback()
        flying(fs)
        same("whether much is under writeback", writeback >= length // 2, True)
        sync_file_range(file, length, WAIT_AFTER)
        landed(fs)
        same("bytes that were detached", detached(fs), before)


def test_writers_go_on(fs):
    """write() and a store to a mapping don't wait; neither does a read."""
    with new_file(fs) as file, mmap.mmap(file, LENGTH) as mapping:
        fly(fs, file, 2)
        os.pwrite(file, b"z", 0)
        mapping[1] = 7
        same("a read", os.pread(file, 3, 0), b"z\7\2")
        flying(fs)


def test_one_at_a_time(fs):
    """What is written while it is on its way is dirty, and goes out after that."""
    with new_file(fs) as file:
        where = blocks(fs, file, LENGTH)
        fly(fs, file, 3)
        before = copies(fs, "copies")
        os.pwrite(file, b"\4" * LENGTH, 0)
        for _ in range(10):
            wake_flusher()
            time.sleep(0.02)
        after = copies(fs, "copies")
        flying(fs)
        same("copies", after, before)
        os.fsync(file)
        same("what the device has", raw(fs, where) == b"\4" * LENGTH, True)


def test_reclaimed(fs):
    """A page that was reclaimed meanwhile is read when the copy is there."""
    with new_file(fs) as file:
        for action in (lambda: same("a read", os.pread(file, LENGTH, 0) == b"\5" * LENGTH, True),
                       lambda: os.pwrite(file, b"x", 5)):
            fly(fs, file, 5)
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
                drop.write("1\n")
            action()
        same("around a write", os.pread(file, 4096, 0), b"\5" * 5 + b"x" + b"\5" * 4090)


def test_direct_read(fs):
    """O_DIRECT sees what was written through the page cache."""
    with new_file(fs) as file, opened(fs.path("file"), os.O_RDONLY | os.O_DIRECT) as direct:
        buffer = mmap.mmap(-1, LENGTH)
        fly(fs, file, 6)
        os.preadv(direct, [buffer], 0)
        same("a direct read", bytes(buffer) == b"\6" * LENGTH, True)


def test_direct_write(fs):
    """A direct write comes after the copies."""
    with new_file(fs) as file, opened(fs.path("file"), os.O_RDWR | os.O_DIRECT) as direct:
        buffer = mmap.mmap(-1, LENGTH)
        buffer[:] = b"\x08" * LENGTH
        where = blocks(fs, file, LENGTH)
        fly(fs, file, 7)
        os.pwritev(direct, [buffer], 0)
        landed(fs)
        same("what the device has", raw(fs, where) == bytes(buffer), True)
        same("what the cache has", os.pread(file, LENGTH, 0) == bytes(buffer), True)


def test_fsync(fs):
    """fsync(2)"""
    waits(fs, os.fsync)


def test_fdatasync(fs):
    """fdatasync(2)"""
    waits(fs, os.fdatasync)


def test_msync(fs):
    """msync(2) with MS_SYNC"""
    def flush(file):
        with mmap.mmap(file, LENGTH) as mapping:
            mapping.flush()
    waits(fs, flush)


def test_syncfs(fs):
    """syncfs(2)"""
    waits(fs, lambda file: call("syncfs", file))


def test_sync(fs):
    """sync(2)"""
    waits(fs, lambda file: os.sync())


def test_sync_file_range(fs):
    """sync_file_range(2), with all flags, and without waiting before."""
    for flags in WAIT_BEFORE | WRITE | WAIT_AFTER, WRITE | WAIT_AFTER:
        waits(fs, lambda file, flags=flags: sync_file_range(file, LENGTH, flags))


def test_o_sync(fs):
    """A write with O_SYNC comes after the copies."""
    def write(_file):
        with opened(fs.path("file"), os.O_WRONLY | os.O_SYNC) as synced:
            os.pwrite(synced, b"\x31" * LENGTH, 0)
    waits(fs, write)


def test_freeze(fs):
    """FIFREEZE"""
    def freeze(_file):
        with opened(fs.top, os.O_RDONLY) as top:
            fcntl.ioctl(top, FIFREEZE, struct.pack("i", 0))
            fcntl.ioctl(top, FITHAW, struct.pack("i", 0))
    waits(fs, freeze)


def test_truncate(fs):
    """Blocks are given back when nothing is on its way there."""
    with new_file(fs) as file:
        fly(fs, file, 9)
        os.ftruncate(file, 0)
        landed(fs)


def test_unlink(fs):
    """So are those of a file that goes."""
    with new_file(fs) as file:
        fly(fs, file, 10)
        os.unlink(fs.path("file"))
    landed(fs)


def test_remount(fs):
    """Read-only: nothing is on its way. To another strategy, as well."""
    with new_file(fs) as file:
        fly(fs, file, 11)
    subprocess.run(["mount", "-o", "remount,ro", fs.top], check=True)
    landed(fs)
    subprocess.run(["mount", "-o", "remount,rw,stable=detached", fs.top], check=True)


def test_umount(fs):
    """Nothing is lost."""
    with new_file(fs) as file:
        fly(fs, file, 12)
    fs.remount("stable=detached")
    with opened(fs.path("file"), os.O_RDONLY) as file:
        same("the file", os.pread(file, LENGTH, 0) == b"\x0c" * LENGTH, True)


def test_nowait(fs):
    """RWF_NOWAIT: EAGAIN where it would have to wait."""
    with new_file(fs) as file, opened(fs.path("file"), os.O_RDONLY | os.O_DIRECT) as direct:
        buffer = mmap.mmap(-1, LENGTH)
        fly(fs, file, 13)
        try:
            os.preadv(direct, [buffer], 0, os.RWF_NOWAIT)
        except OSError as failure:
            same("errno", failure.errno, errno.EAGAIN)
            flying(fs)
        else:
            raise AssertionError("it did not fail")


if __name__ == "__main__":
    sys.exit(main(globals()))
