#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What is in files: writing, truncating, mapping, holes. See stablefs_lib.py."""

import ctypes
import errno
import mmap
import os
import random
import subprocess
import sys

from lib import LIBC, call, fails, opened, read, same
from stablefs_lib import blocks, main

FALLOC_FL_KEEP_SIZE = 1


def pattern(length, seed=0):
    """Bytes that are like no others."""
    return random.Random(seed).randbytes(length)


def test_truncate(fs):
    """Shorter and longer; what was behind an end never comes back."""
    content = pattern(100000)
    path = fs.write("file", content)
    os.truncate(path, 12345)
    os.truncate(path, 100000)
    expected = content[:12345] + bytes(100000 - 12345)
    same("content", read(path), expected)
    fs.remount()
    same("content", read(path), expected)
    os.truncate(path, 12346)
    with opened(path, os.O_WRONLY) as file:
        os.pwrite(file, b"far", 50000)
    same("content", read(path), expected[:12346] + bytes(50000 - 12346) + b"far")
    os.truncate(path, 0)
    same("blocks", os.stat(path).st_blocks, 0)
    with opened(path, os.O_WRONLY | os.O_APPEND) as file:
        os.write(file, b"a")
        os.write(file, b"b")
    with opened(path, os.O_WRONLY | os.O_TRUNC) as file:
        same("size", os.fstat(file).st_size, 0)
    with fails(errno.EFBIG):
        os.truncate(path, 1 << 62)


def test_truncate_everywhere(fs):
    """At each border of the tree of blocks, against a model."""
    per_block = fs.block // 4
    borders = [0, 1, 11, 12, 13, 12 + per_block - 1, 12 + per_block, 12 + per_block + 1,
               12 + 2 * per_block, 12 + per_block + per_block ** 2 - 1,
               12 + per_block + per_block ** 2, 12 + per_block + per_block ** 2 + 1]
    path = fs.write("file")
    before = os.statvfs(fs.top).f_bfree
    for end in borders:
        with opened(path, os.O_RDWR) as file:
            for border in borders:
                os.pwrite(file, pattern(fs.block, border), border * fs.block)
            os.fsync(file)
        for length in (end * fs.block + 5, end * fs.block):
            os.truncate(path, length)
        os.truncate(path, (borders[-1] + 1) * fs.block)
        with opened(path, os.O_RDONLY) as file:
            for border in borders:
                expected = pattern(fs.block, border) if border < end else bytes(fs.block)
                same(f"block {border}, cut at {end}", os.pread(file, fs.block, border * fs.block),
                     expected)
    os.truncate(path, 0)
    os.sync()
    same("free blocks", os.statvfs(fs.top).f_bfree, before)


def test_random(fs):
    """Writing, truncating, mapping, direct I/O at random, against a model."""
    rng = random.Random(7)
    path, size = fs.write("file"), 1 << 20
    model = bytearray()
    with opened(path, os.O_RDWR) as file, opened(path, os.O_RDWR | os.O_DIRECT) as direct:
        for number in range(600):
            at, length = rng.randrange(size), rng.randrange(1, 30000)
            kind = rng.randrange(8)
            if kind < 4:
                piece = rng.randbytes(length)
                if kind == 3:
                    at, length = at & ~4095, (length + 4095) & ~4095
                    piece = rng.randbytes(length)
                    buffer = mmap.mmap(-1, length)
                    buffer[:] = piece
                    same("written", os.pwritev(direct, [buffer], at), length)
                else:
                    os.pwrite(file, piece, at)
                model.extend(bytes(max(0, at + length - len(model))))
                model[at:at + length] = piece
            elif kind == 4:
                os.ftruncate(file, at)
                model = model[:at] + bytes(max(0, at - len(model)))
            elif kind == 5 and len(model) > 10:
                with mmap.mmap(file, len(model)) as view:
                    at = rng.randrange(len(model))
                    piece = rng.randbytes(min(length, len(model) - at))
                    view[at:at + len(piece)] = piece
                    model[at:at + len(piece)] = piece
            elif kind == 6:
                rng.choice((os.fsync, os.fdatasync))(file)
            same(f"step {number}: at {at}", os.pread(file, length, at), bytes(model[at:at + length]))
    fs.remount()
    same("content", read(path), bytes(model))


def test_holes(fs):
    """SEEK_HOLE, SEEK_DATA; holes take no room and read as zeroes."""
    path, step = fs.path("file"), 64 * 1024
    with opened(path, os.O_RDWR | os.O_CREAT) as file:
        for number in (1, 3, 4, 9):
            os.pwrite(file, pattern(step, number), number * step)
        os.ftruncate(file, 12 * step)

        def look():
            found, at = [], 0
            try:
                while True:
                    data = os.lseek(file, at, os.SEEK_DATA)
                    at = os.lseek(file, data, os.SEEK_HOLE)
                    found.append((data, at))
            except OSError as failure:
                same("errno", failure.errno, errno.ENXIO)
            return found

        expected = [(step, 2 * step), (3 * step, 5 * step), (9 * step, 10 * step)]
        same("data, not written back", look(), expected)
        os.fsync(file)
        same("data", look(), expected)
        same("end", os.lseek(file, 11 * step, os.SEEK_HOLE), 11 * step)
        with fails(errno.ENXIO):
            os.lseek(file, 12 * step, os.SEEK_HOLE)
        same("hole", os.pread(file, step, 0), bytes(step))
        blocks = os.fstat(file).st_blocks * 512
        assert 4 * step <= blocks <= 4 * step + 8 * fs.block, f"{blocks} bytes of blocks"


def test_fiemap(fs):
    """filefrag sees where data is."""
    path = fs.path("file")
    with opened(path, os.O_RDWR | os.O_CREAT) as file:
        os.pwrite(file, pattern(fs.block * 8), 0)
        os.pwrite(file, pattern(fs.block * 4), fs.block * 20)
        os.fsync(file)
    output = subprocess.run(["filefrag", "-e", "-b" + str(fs.block), path], check=True,
                            capture_output=True, text=True).stdout
    lines = [line.split(":") for line in output.splitlines() if line.strip()[:1].isdigit()]
    logical = set()
    for line in lines:
        first, last = (int(word) for word in line[1].replace("..", " ").split())
        logical |= set(range(first, last + 1))
        same("length", int(line[3]), last - first + 1)
    same("blocks with data", logical, set(range(8)) | set(range(20, 24)))
    same("the last one is marked", "last" in lines[-1][-1], True)


def test_large(fs):
    """A file of more than 2 GiB, up to the largest that there can be."""
    per_block = fs.block // 4
    # C: the largest s_maxbytes that blocks can be found for; i_blocks may allow less.
    tree = 12 + per_block + per_block ** 2 + per_block ** 3
    path = fs.path("file")
    far = [(1 << 31) - 2, 1 << 31, (1 << 32) - 3, (12 + per_block + per_block ** 2) * fs.block,
           min((tree - 5) * fs.block, (1 << 40))]
    with opened(path, os.O_RDWR | os.O_CREAT) as file:
        for at in far:
            os.pwrite(file, pattern(5000, at), at)
    fs.remount()
    with opened(path, os.O_RDWR) as file:
        for at in far[2:]:
            same(f"at {at}", os.pread(file, 5000, at), pattern(5000, at))
        same("size", os.fstat(file).st_size, max(far) + 5000)
        most = os.fstat(file).st_size
        with fails(errno.EFBIG):
            os.pwrite(file, b"x", tree * fs.block + fs.block)
        same("size", os.fstat(file).st_size, most)
        os.ftruncate(file, (1 << 31) + 1)
        os.ftruncate(file, 100)
        same("size", os.fstat(file).st_size, 100)


def test_mmap(fs):
    """Shared and private mappings, of data and of holes."""
    content = pattern(3 * 65536 + 100)
    path = fs.write("file", content)
    with opened(path, os.O_RDWR) as file:
        with mmap.mmap(file, len(content), mmap.MAP_PRIVATE) as view:
            view[10:20] = b"0123456789"
        same("content", read(path), content)
        with mmap.mmap(file, len(content), mmap.MAP_SHARED) as view:
            view[10:20] = b"0123456789"
            view[len(content) - 1] = 0
            same("content", os.pread(file, 10, 10), b"0123456789")
            os.pwrite(file, b"seen", 70000)
            same("in the mapping", view[70000:70004], b"seen")
            view.flush()
        os.ftruncate(file, 1 << 20)
        with mmap.mmap(file, 1 << 20, mmap.MAP_SHARED) as view:
            same("hole", view[700000:700010], bytes(10))
            view[700000:700010] = b"abcdefghij"
    fs.remount()
    expected = bytearray(content + bytes((1 << 20) - len(content)))
    expected[10:20] = b"0123456789"
    expected[len(content) - 1] = 0
    expected[70000:70004] = b"seen"
    expected[700000:700010] = b"abcdefghij"
    same("content", read(path), bytes(expected))
    # Behind the end, in the last page, nothing stays.
    with opened(path, os.O_RDWR) as file:
        os.ftruncate(file, 4096 + 10)
        # Python makes no mapping that is longer than its file.
        os.ftruncate(file, 8192)
        with mmap.mmap(file, 8192, mmap.MAP_SHARED) as view:
            os.ftruncate(file, 4096 + 10)
            view[4096 + 10:4096 + 20] = b"x" * 10
            view.flush()
        os.fsync(file)
        os.ftruncate(file, 8192)
        same("behind the end", os.pread(file, 100, 4096 + 10), bytes(100))


def test_truncated_mapping(fs):
    """A store behind the end is a SIGBUS."""
    path = fs.write("file", pattern(20000))
    script = """if True:
        import mmap, os, sys
        file = os.open(sys.argv[1], os.O_RDWR)
        view = mmap.mmap(file, 20000)
        os.ftruncate(file, 100)
        view[12000] = 1"""
    result = subprocess.run([sys.executable, "-c", script, path], check=False).returncode
    same("status", result, -7)


def test_splice(fs):
    """sendfile(), splice(), copy_file_range()"""
    content = pattern(300000)
    path = fs.write("from", content)
    with opened(path, os.O_RDONLY) as source, \
            opened(fs.path("to"), os.O_RDWR | os.O_CREAT) as target:
        sent = 0
        while sent < len(content):
            sent += os.sendfile(target, source, sent, len(content) - sent)
    same("sendfile", read(fs.path("to")), content)
    with opened(path, os.O_RDONLY) as source, \
            opened(fs.path("spliced"), os.O_RDWR | os.O_CREAT) as target:
        reader, writer = os.pipe()
        while (count := os.splice(source, writer, 65536)) > 0:
            while count:
                count -= os.splice(reader, target, count)
        os.close(reader)
        os.close(writer)
    same("splice", read(fs.path("spliced")), content)
    with opened(path, os.O_RDONLY) as source, \
            opened(fs.path("copied"), os.O_RDWR | os.O_CREAT) as target:
        while os.copy_file_range(source, target, 1 << 20):
            pass
    same("copy_file_range", read(fs.path("copied")), content)


def test_sync(fs):
    """fsync, fdatasync, sync_file_range, syncfs, O_SYNC, and on directories."""
    path = fs.write("file", pattern(10000))
    with opened(path, os.O_RDWR) as file, opened(fs.here, os.O_RDONLY) as directory:
        for call in (os.fsync, os.fdatasync):
            os.pwrite(file, b"x", 5)
            call(file)
            call(directory)
        same("syncfs", LIBC.syncfs(file), 0)
        same("sync_file_range", LIBC.sync_file_range(file, ctypes.c_long(0), ctypes.c_long(0), 7), 0)
    os.sync()
    for flag in (os.O_SYNC, os.O_DSYNC):
        with opened(path, os.O_WRONLY | flag) as file:
            same("written", os.write(file, b"abc" * 5000), 15000)


def test_direct(fs):
    """O_DIRECT: aligned, unaligned, extending, into holes, and with the page cache."""
    path = fs.path("file")
    buffer = mmap.mmap(-1, 1 << 16)
    buffer[:] = pattern(1 << 16)
    with opened(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT) as file, \
            opened(path, os.O_RDWR) as cached:
        same("extending", os.pwritev(file, [buffer], 0), 1 << 16)
        same("size", os.fstat(file).st_size, 1 << 16)
        same("extending, behind a hole", os.pwritev(file, [buffer], 1 << 18), 1 << 16)
        same("a hole", os.pread(cached, 100, 100000), bytes(100))
        same("into a hole", os.pwritev(file, [buffer], 1 << 17), 1 << 16)
        for at in (0, 1 << 17, 1 << 18):
            same("cached", os.pread(cached, 1 << 16, at), buffer[:])
        os.pwrite(cached, b"dirty", 4096)
        into = mmap.mmap(-1, 4096)
        same("read", os.preadv(file, [into], 4096), 4096)
        same("what was dirty", into[:5], b"dirty")
        same("behind the end", os.preadv(file, [into], 1 << 20), 0)
        # Not aligned: it fails, or it does what it would without O_DIRECT.
        for at, length in ((100, 512), (512, 100), (0, 1000)):
            try:
                written = os.pwritev(file, [memoryview(buffer)[:length]], at)
            except OSError as failure:
                same("errno", failure.errno, errno.EINVAL)
            else:
                same("content", os.pread(cached, written, at), buffer[:written])
        # A last block that is not full.
        os.ftruncate(cached, 70000)
        into = mmap.mmap(-1, 1 << 16)
        same("to the end", os.preadv(file, [into], 1 << 16), 70000 - (1 << 16))
    fs.remount()
    same("size", os.stat(path).st_size, 70000)


def test_direct_while_filled(fs):
    """Direct reads of holes that are stored to by mapping: nothing of the files before."""
    length = 8 << 20
    path = fs.write("secret", b"\xee" * length)
    with opened(path, os.O_RDWR) as file:
        os.fsync(file)
    os.unlink(path)
    buffer = mmap.mmap(-1, length)
    for turn in range(4):
        path = fs.write(f"file-{turn}")
        os.truncate(path, length)
        child = os.fork()
        if child == 0:
            with opened(path, os.O_RDWR) as file, mmap.mmap(file, length) as mapped:
                for at in range(0, length, mmap.PAGESIZE):
                    mapped[at] = 1
            os._exit(0)
        with opened(path, os.O_RDONLY | os.O_DIRECT) as file:
            while os.waitpid(child, os.WNOHANG) == (0, 0):
                same("bytes read", os.preadv(file, [buffer], 0), length)
                at = buffer.find(b"\xee")
                assert at < 0, f"turn {turn}: what was there before is read at {at}"
        os.unlink(path)


def test_short_copy(fs):
    """A write whose buffer ends in memory that isn't there: what it did not reach is zeroes, and not what
    another file had in that block. One that got nothing changes nothing."""
    old = fs.write("old", b"old!" * (1 << 21))
    with opened(old, os.O_RDWR) as file:
        os.fsync(file)
        theirs = set(blocks(fs, file, 1 << 23))
    os.unlink(old)
    os.sync()
    pages = mmap.mmap(-1, 8192)
    pages[:4096] = b"n" * 4096
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages)) + 4096
    call("mprotect", ctypes.c_void_p(address), ctypes.c_size_t(4096), 0)

    def write(file, before, length, at):
        return call("pwrite", file, ctypes.c_void_p(address - before), ctypes.c_size_t(length),
                    ctypes.c_long(at))

    path = fs.write("file")
    for at, length in (100, 16384), (100000, 2000), (1 << 18, 1 << 16):
        with opened(path, os.O_RDWR) as file:
            os.ftruncate(file, 0)
            os.ftruncate(file, 1 << 20)
            same("written", write(file, 1000, length, at), 1000)
            same("content", os.pread(file, 1 << 20, 0),
                 (bytes(at) + b"n" * 1000).ljust(1 << 20, b"\0"))
            if at == 100:
                same("in a block of the other", blocks(fs, file, fs.block)[0] in theirs, True)
    os.truncate(path, 100)
    with opened(path, os.O_RDWR | os.O_DIRECT) as file:
        for at, length in (512, 512), (4096, 4096):
            with fails(errno.EFAULT):
                write(file, 0, length, at)
            same("size", os.fstat(file).st_size, 100)


def test_fallocate(fs):
    """ext2 has no blocks that are set aside: it is refused."""
    path = fs.write("file", b"content")
    with opened(path, os.O_RDWR) as file:
        same("fallocate", LIBC.fallocate(file, FALLOC_FL_KEEP_SIZE, ctypes.c_long(0),
                                         ctypes.c_long(100000)), -1)
        same("errno", ctypes.get_errno(), errno.EOPNOTSUPP)
    same("content", read(path), b"content")


def test_many_writers(fs):
    """Processes that append to one file, and write to their own."""
    script = """if True:
        import os, sys
        log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        own = os.open(sys.argv[1] + sys.argv[2], os.O_WRONLY | os.O_CREAT, 0o644)
        for number in range(400):
            os.write(log, (sys.argv[2] * 99 + "\\n").encode())
            os.write(own, sys.argv[2].encode() * 1000)"""
    workers = [subprocess.Popen([sys.executable, "-c", script, fs.path("log"), letter])
               for letter in "abcdefgh"]
    same("status", [worker.wait() for worker in workers], [0] * 8)
    fs.remount()
    lines = read(fs.path("log")).split(b"\n")[:-1]
    same("lines", sorted(lines), sorted([letter.encode() * 99 for letter in "abcdefgh"] * 400))
    for letter in "abcdefgh":
        same("content", read(fs.path("log" + letter)), letter.encode() * 400000)


if __name__ == "__main__":
    sys.exit(main(globals()))
