#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stablefs_fill.py DIRECTORY WITH: fills the filesystem with large or small files,
inodes, directories, long names, xattrs, mapped pages, stores, direct writes, or by
appending to many files, until it is full; and checks that it stays so, and that what
could be written is what is read."""

import errno
import mmap
import os
import random
import sys

RNG = random.Random(5)
BLOCK = 1 << 20


def full(failure):
    """Whether that is what it says."""
    if failure.errno != errno.ENOSPC:
        raise failure


def until_full(step):
    """Calls step(0), step(1), ... until it says ENOSPC. Returns how often it could."""
    number = 0
    try:
        while True:
            step(number)
            number += 1
    except OSError as failure:
        full(failure)
    return number


def write(path, content, flags=0):
    """A file, on the disk, and what there is of it is right, also when it is full."""
    file = os.open(path, os.O_CREAT | os.O_RDWR | flags, 0o644)
    written = 0
    try:
        while written < len(content):
            written += os.write(file, content[written:])
        os.fsync(file)
    finally:
        os.close(file)
        with open(path, "rb") as again:
            if again.read() != content[:written]:
                raise AssertionError(f"{path} is not what was written")


def large(top):
    """One file after another, each as large as it can be."""
    return until_full(lambda number: write(f"{top}/{number}", RNG.randbytes(BLOCK)))


def small(top):
    """Files of some KiB."""
    return until_full(lambda number: write(f"{top}/{number}", RNG.randbytes(RNG.randrange(1, 60000))))


def inodes(top):
    """Files of nothing."""
    count = until_full(lambda number: os.close(os.open(f"{top}/{number}", os.O_CREAT, 0o600)))
    if os.statvfs(top).f_ffree:
        raise AssertionError("there are inodes")
    for make in (os.mkdir, os.mkfifo, lambda path: os.symlink("x", path)):
        try:
            make(f"{top}/one-more")
        except OSError as failure:
            full(failure)
    if os.path.lexists(f"{top}/one-more"):
        raise AssertionError("there is one more")
    return count


def directories(top):
    """Directories, when there is little left for their blocks."""
    write(f"{top}/first", RNG.randbytes(28 * BLOCK))
    return until_full(lambda number: os.mkdir(f"{top}/{number}"))


def names(top):
    """Long names of one file."""
    until_full(lambda number: write(f"{top}/{number}", RNG.randbytes(BLOCK)))
    return until_full(lambda number: os.link(f"{top}/0", f"{top}/{'n' * 240}{number}"))


def xattrs(top):
    """Attributes that need a block."""
    write(f"{top}/first", RNG.randbytes(29 * BLOCK))

    def step(number):
        path = f"{top}/{number}"
        os.close(os.open(path, os.O_CREAT, 0o600))
        os.setxattr(path, "user.x", RNG.randbytes(700))

    return until_full(step)


def mapped(top):
    """Pages of a mapping. One that there is no room for is a SIGBUS, or ENOSPC when it is written
    back: what was synced is there."""
    count = until_full(lambda number: write(f"{top}/{number}", RNG.randbytes(BLOCK)))
    file = os.open(f"{top}/mapped", os.O_CREAT | os.O_RDWR, 0o644)
    os.ftruncate(file, 4 * BLOCK)
    child = os.fork()
    if not child:
        view = mmap.mmap(file, 4 * BLOCK)
        for at in range(0, 4 * BLOCK, 4096):
            view[at] = 1
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != 7:
        raise AssertionError(f"storing to a full filesystem ended with {status}, not with SIGBUS")
    os.fsync(file)
    os.close(file)
    return count


def stored(top):
    """A store to a page, or a large folio, with a hole that there is no room for: a SIGBUS, and what had its
    place is not lost with it."""
    pieces = {0: b"a" * 1024, 2048: b"b" * 2048, 32768: b"c" * 32768}
    path = f"{top}/stored"
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    os.ftruncate(file, 65536)
    # Reading makes a folio.
    content = bytearray(os.pread(file, 65536, 0))
    for at, piece in pieces.items():
        os.pwrite(file, piece, at)
        content[at:at + len(piece)] = piece
    count = until_full(lambda number: write(f"{top}/{number}", RNG.randbytes(BLOCK)))
    rest = os.open(f"{top}/rest", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
    until_full(lambda _: os.write(rest, b"x" * 1024))
    os.fsync(rest)
    os.close(rest)
    child = os.fork()
    if not child:
        view = mmap.mmap(file, 65536)
        view[0] = ord("A")
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status == 0:
        # The hole is in another folio.
        content[0] = ord("A")
    elif not os.WIFSIGNALED(status) or os.WTERMSIG(status) != 7:
        raise AssertionError(f"storing to a full filesystem ended with {status}")
    elif os.sysconf("SC_PAGE_SIZE") == os.statvfs(top).f_bsize:
        print("a large folio")
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    if os.pread(file, 65536, 0) != content:
        raise AssertionError("what was written is not what is read")
    os.close(file)
    return count


def direct(top):
    """O_DIRECT"""
    buffer = mmap.mmap(-1, BLOCK)
    buffer[:] = RNG.randbytes(BLOCK)

    def step(number):
        file = os.open(f"{top}/{number}", os.O_CREAT | os.O_RDWR | os.O_DIRECT, 0o644)
        try:
            for at in range(0, 4 * BLOCK, BLOCK):
                if os.pwritev(file, [buffer], at) < BLOCK:
                    raise OSError(errno.ENOSPC, "short")
        finally:
            os.close(file)

    return until_full(step)


def appending(top):
    """A little to each of many files, in turn, and only at the end to the disk."""
    files = [os.open(f"{top}/{number}", os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o644)
             for number in range(64)]
    contents = [b""] * len(files)

    def step(number):
        piece = RNG.randbytes(3000)
        written = os.write(files[number % 64], piece)
        contents[number % 64] += piece[:written]

    count = until_full(step)
    for file, content in zip(files, contents):
        # What write() took must not fail later.
        os.fsync(file)
        if os.pread(file, len(content) + 1, 0) != content:
            raise AssertionError("what was written is not what is read")
        os.close(file)
    return count


def main():
    top, name = sys.argv[1:]
    fill = {each.__name__: each for each in (large, small, inodes, directories, names, xattrs,
                                             mapped, stored, direct, appending)}[name]
    if not fill(top):
        raise AssertionError("nothing could be written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
