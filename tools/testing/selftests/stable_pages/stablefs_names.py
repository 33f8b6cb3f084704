#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Names: making, linking, renaming, reading directories. See stablefs_lib.py."""

import ctypes
import errno
import os
import random
import socket
import stat
import sys
import threading

from lib import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, call, fails, opened, read, same
from stablefs_lib import main

RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT = 1, 2, 4


def rename2(old, new, flags):
    """renameat2(2)"""
    call("renameat2", AT_FDCWD, old, AT_FDCWD, new, flags)


def test_create(fs):
    """Files of all lengths of names; what can't be."""
    names = ["x" * length for length in range(1, 256)] + ["with space", "ü" * 127, "\udcff\udcfe"]
    for name in names:
        fs.write(name, os.fsencode(name))
    with fails(errno.ENAMETOOLONG):
        fs.write("x" * 256)
    with fails(errno.EEXIST):
        os.close(os.open(fs.path("x"), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    with fails(errno.EISDIR):
        os.close(os.open(fs.here, os.O_WRONLY))
    with fails(errno.ENOTDIR):
        os.stat(fs.path("x", "y"))
    fs.remount()
    same("names", sorted(os.listdir(fs.here)), sorted(names))
    for name in names:
        same("content", read(fs.path(name)), os.fsencode(name))
        os.unlink(fs.path(name))
    with fails(errno.ENOENT):
        os.unlink(fs.path("x"))
    same("what is left", os.listdir(fs.here), [])


def test_link(fs):
    """Several names of one file; a file lives as long as it is open."""
    fs.write("one", b"content")
    for number in range(100):
        os.link(fs.path("one"), fs.path(f"link{number}"))
    same("links", os.stat(fs.path("one")).st_nlink, 101)
    with fails(errno.EEXIST):
        os.link(fs.path("one"), fs.path("link1"))
    with fails(errno.EPERM):
        os.link(fs.here, fs.path("directory"))
    fs.remount()
    same("links", os.stat(fs.path("link99")).st_nlink, 101)
    same("inode", os.stat(fs.path("link99")).st_ino, os.stat(fs.path("one")).st_ino)
    with open(fs.path("link7"), "r+b") as file:
        for name in os.listdir(fs.here):
            os.unlink(fs.path(name))
        same("links", os.fstat(file.fileno()).st_nlink, 0)
        file.write(b"C")
        file.seek(0)
        same("content", file.read(), b"Content")


def test_most_links(fs):
    """A file has 32000 links, and no more."""
    fs.write("0")
    number = 1
    # In many directories, as finding a name takes longer the more there are.
    for sub in range(330):
        os.mkdir(fs.path(f"d{sub}"))
    try:
        while number < 33000:
            os.link(fs.path("0"), fs.path(f"d{number // 100}", str(number)))
            number += 1
    except OSError as failure:
        same("errno", failure.errno, errno.EMLINK)
    same("links", number, 32000)
    same("links", os.stat(fs.path("0")).st_nlink, 32000)
    os.unlink(fs.path("0"))
    for number in range(1, 32000):
        os.unlink(fs.path(f"d{number // 100}", str(number)))


def test_symlink(fs):
    """Targets of all lengths, in the inode and in a block."""
    most = min(fs.block - 1, 4095)
    lengths = [*range(1, 130), 255, 500, 1000, 1022, 1023, 1024, 2000, 4000, 4094, 4095]
    for length in lengths:
        if length <= most:
            os.symlink("t" * length, fs.path(f"l{length}"))
        else:
            with fails(errno.ENAMETOOLONG):
                os.symlink("t" * length, fs.path(f"l{length}"))
    fs.remount()
    for length in lengths:
        if length <= most:
            same("target", os.readlink(fs.path(f"l{length}")), "t" * length)
            found = os.lstat(fs.path(f"l{length}"))
            same("size", found.st_size, length)
            same(f"blocks of {length}", found.st_blocks, 0 if length < 60 else fs.block // 512)
            same("mode", found.st_mode, stat.S_IFLNK | 0o777)
    fs.write("file", b"there")
    os.symlink("file", fs.path("to-file"))
    os.symlink("to-file", fs.path("to-link"))
    os.symlink("loop", fs.path("loop"))
    same("content", read(fs.path("to-link")), b"there")
    with fails(errno.ELOOP):
        read(fs.path("loop"))
    same("names", len(os.listdir(fs.here)), len([n for n in lengths if n <= most]) + 4)


def test_directories(fs):
    """Made, filled, emptied, removed; their links."""
    os.mkdir(fs.path("a"))
    same("links", os.stat(fs.path("a")).st_nlink, 2)
    for number in range(50):
        os.mkdir(fs.path("a", str(number)))
    same("links", os.stat(fs.path("a")).st_nlink, 52)
    with fails(errno.EEXIST):
        os.mkdir(fs.path("a"))
    with fails(errno.ENOTEMPTY):
        os.rmdir(fs.path("a"))
    with fails(errno.EISDIR):
        os.unlink(fs.path("a"))
    fs.write("file")
    with fails(errno.ENOTDIR):
        os.rmdir(fs.path("file"))
    with fails(errno.EINVAL):
        os.rmdir(fs.path("a", "1", "."))
    with fails(errno.ENOTEMPTY):
        os.rmdir(fs.path("a", "1", ".."))
    fs.remount()
    for number in range(50):
        os.rmdir(fs.path("a", str(number)))
    same("links", os.stat(fs.path("a")).st_nlink, 2)
    with opened(fs.path("a"), os.O_RDONLY) as directory:
        os.rmdir(fs.path("a"))
        same("links", os.fstat(directory).st_nlink, 0)
        with fails(errno.ENOENT):
            os.mkdir("b", dir_fd=directory)
        same("names", os.listdir(directory), [])
    deep = fs.here
    for _ in range(300):
        deep = os.path.join(deep, "d")
        os.mkdir(deep)
    while deep != fs.here:
        os.rmdir(deep)
        deep = os.path.dirname(deep)


def test_rename(fs):
    """Files and directories, over others, into others."""
    fs.write("a", b"a")
    fs.write("b", b"b")
    os.rename(fs.path("a"), fs.path("b"))
    same("content", read(fs.path("b")), b"a")
    same("names", os.listdir(fs.here), ["b"])
    os.link(fs.path("b"), fs.path("c"))
    os.rename(fs.path("b"), fs.path("c"))
    same("names of one file", sorted(os.listdir(fs.here)), ["b", "c"])
    for name in ("d", "e", "d/sub", "full"):
        os.mkdir(fs.path(name))
    fs.write("full/file")
    same("links", os.stat(fs.path("d")).st_nlink, 3)
    os.rename(fs.path("d", "sub"), fs.path("e", "sub"))
    same("links", os.stat(fs.path("d")).st_nlink, 2)
    same("links", os.stat(fs.path("e")).st_nlink, 3)
    same("parent", os.stat(fs.path("e", "sub", "..")).st_ino, os.stat(fs.path("e")).st_ino)
    fs.remount()
    same("parent", os.stat(fs.path("e", "sub", "..")).st_ino, os.stat(fs.path("e")).st_ino)
    with fails(errno.ENOTEMPTY, errno.EEXIST):
        os.rename(fs.path("d"), fs.path("full"))
    with fails(errno.EISDIR):
        os.rename(fs.path("b"), fs.path("d"))
    with fails(errno.ENOTDIR):
        os.rename(fs.path("d"), fs.path("b"))
    with fails(errno.EINVAL):
        os.rename(fs.path("e"), fs.path("e", "sub", "below"))
    os.rename(fs.path("full"), fs.path("d"))
    same("names", os.listdir(fs.path("d")), ["file"])
    before = os.stat(fs.here).st_nlink
    os.mkdir(fs.path("g"))
    os.rename(fs.path("g"), fs.path("e", "sub", "g"))
    same("links", os.stat(fs.here).st_nlink, before)
    with opened(fs.path("b"), os.O_RDONLY) as file:
        fs.write("over")
        os.rename(fs.path("over"), fs.path("c"))
        same("links", os.fstat(file).st_nlink, 1)


def test_rename_flags(fs):
    """RENAME_NOREPLACE and RENAME_EXCHANGE."""
    fs.write("a", b"a")
    fs.write("b", b"b")
    with fails(errno.EEXIST):
        rename2(fs.path("a"), fs.path("b"), RENAME_NOREPLACE)
    rename2(fs.path("a"), fs.path("c"), RENAME_NOREPLACE)
    same("names", sorted(os.listdir(fs.here)), ["b", "c"])
    rename2(fs.path("b"), fs.path("c"), RENAME_EXCHANGE)
    same("contents", (read(fs.path("b")), read(fs.path("c"))), (b"a", b"b"))
    with fails(errno.ENOENT):
        rename2(fs.path("b"), fs.path("none"), RENAME_EXCHANGE)
    for name in ("d", "d/sub", "e", "e/other"):
        os.mkdir(fs.path(name))
    # A directory and a file, in different directories.
    rename2(fs.path("d", "sub"), fs.path("b"), RENAME_EXCHANGE)
    same("links", [os.stat(fs.path(name)).st_nlink for name in (".", "d", "b")], [5, 2, 2])
    same("content", read(fs.path("d", "sub")), b"a")
    same("parent", os.stat(fs.path("b", "..")).st_ino, os.stat(fs.here).st_ino)
    # Two directories.
    rename2(fs.path("b"), fs.path("e", "other"), RENAME_EXCHANGE)
    same("parent", os.stat(fs.path("e", "other", "..")).st_ino, os.stat(fs.path("e")).st_ino)
    same("links", [os.stat(fs.path(name)).st_nlink for name in (".", "e", "b")], [5, 3, 2])
    with fails(errno.EINVAL):
        rename2(fs.path("e"), fs.path("e", "other"), RENAME_EXCHANGE)
    with fails(errno.EINVAL):
        rename2(fs.path("c"), fs.path("w"), 1 << 10)
    fs.remount()
    same("content", read(fs.path("d", "sub")), b"a")
    same("parent", os.stat(fs.path("b", "..")).st_ino, os.stat(fs.here).st_ino)


def test_whiteout(fs):
    """RENAME_WHITEOUT leaves a device behind, or is refused."""
    fs.write("a", b"a")
    try:
        rename2(fs.path("a"), fs.path("b"), RENAME_WHITEOUT)
    except OSError as failure:
        same("errno", failure.errno, errno.EINVAL)
        return
    found = os.stat(fs.path("a"))
    same("what is left", (stat.S_ISCHR(found.st_mode), found.st_rdev), (True, 0))
    same("content", read(fs.path("b")), b"a")


def test_tmpfile(fs):
    """A file without a name, which may get one."""
    before = os.statvfs(fs.top)
    with opened(fs.here, os.O_TMPFILE | os.O_RDWR, 0o640) as file:
        same("links", os.fstat(file).st_nlink, 0)
        os.write(file, b"content" * 5000)
        os.fsync(file)
    after = os.statvfs(fs.top)
    same("inodes", after.f_ffree, before.f_ffree)
    same("blocks", after.f_bfree, before.f_bfree)
    with opened(fs.here, os.O_TMPFILE | os.O_RDWR, 0o640) as file:
        os.write(file, b"content")
        call("linkat", AT_FDCWD, f"/proc/self/fd/{file}", AT_FDCWD, fs.path("named"),
             AT_SYMLINK_FOLLOW)
        same("links", os.fstat(file).st_nlink, 1)
        call("linkat", file, "", AT_FDCWD, fs.path("again"), AT_EMPTY_PATH)
    with opened(fs.here, os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o640) as file:
        with fails(errno.ENOENT):
            call("linkat", AT_FDCWD, f"/proc/self/fd/{file}", AT_FDCWD, fs.path("never"),
                 AT_SYMLINK_FOLLOW)
    fs.remount()
    same("content", read(fs.path("named")), b"content")
    same("links", os.stat(fs.path("again")).st_nlink, 2)
    same("mode", stat.S_IMODE(os.stat(fs.path("named")).st_mode), 0o640)


def test_mknod(fs):
    """Devices with small and large numbers, pipes, sockets."""
    devices = [(1, 3), (255, 255), (256, 0), (0, 256), (4095, 0xfffff)]
    for kind in (stat.S_IFCHR, stat.S_IFBLK):
        for major, minor in devices:
            os.mknod(fs.path(f"{kind}-{major}-{minor}"), kind | 0o600, os.makedev(major, minor))
    os.mkfifo(fs.path("pipe"))
    with socket.socket(socket.AF_UNIX) as unix:
        os.chdir(fs.here)
        unix.bind("socket")
        os.chdir("/")
    fs.remount()
    for kind in (stat.S_IFCHR, stat.S_IFBLK):
        for major, minor in devices:
            found = os.stat(fs.path(f"{kind}-{major}-{minor}"))
            same("mode", found.st_mode, kind | 0o600)
            same("device", (os.major(found.st_rdev), os.minor(found.st_rdev)), (major, minor))
    same("pipe", stat.S_ISFIFO(os.stat(fs.path("pipe")).st_mode), True)
    same("socket", stat.S_ISSOCK(os.stat(fs.path("socket")).st_mode), True)
    with opened(fs.path(f"{stat.S_IFCHR}-1-3"), os.O_WRONLY) as null:
        same("written to /dev/null", os.write(null, b"xyz"), 3)
    with opened(fs.path("pipe"), os.O_RDWR) as pipe:
        os.write(pipe, b"through")
        same("from the pipe", os.read(pipe, 100), b"through")


def test_readdir(fs):
    """What stays is seen once by each reader, while others come and go."""
    stay = {f"stay-{number:04}" for number in range(1500)}
    rng = random.Random(1)
    for number, name in enumerate(sorted(stay)):
        fs.write(name)
        if number % 3 == 0:
            fs.write(f"gone-{number}" + "g" * rng.randrange(100))
    over = threading.Event()

    def change():
        rng = random.Random(2)
        while not over.is_set():
            path = fs.path(f"come-{rng.randrange(300)}" + "c" * rng.randrange(120))
            if rng.randrange(3):
                fs.write(os.path.basename(path))
            else:
                for name in os.listdir(fs.here)[:20]:
                    if not name.startswith("stay"):
                        os.unlink(fs.path(name))

    other = threading.Thread(target=change)
    other.start()
    try:
        for _ in range(15):
            seen = []
            with os.scandir(fs.here) as entries:
                for entry in entries:
                    if entry.name.startswith("stay"):
                        seen.append(entry.name)
            same("names seen twice", len(seen), len(set(seen)))
            same("names not seen", stay - set(seen), set())
    finally:
        over.set()
        other.join()


def test_seekdir(fs):
    """A position of a directory is good again later, also in another opening of it."""
    for number in range(700):
        fs.write(f"{number}-" + "n" * (number % 90))

    libc = ctypes.CDLL(None, use_errno=True)
    libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
    libc.telldir.restype = ctypes.c_long
    libc.telldir.argtypes = libc.readdir.argtypes = libc.closedir.argtypes = [ctypes.c_void_p]
    libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]

    def next_name(directory):
        entry = libc.readdir(directory)
        return ctypes.string_at(entry + 19) if entry else None

    directory = libc.opendir(fs.here.encode())
    found = []
    while True:
        at = libc.telldir(directory)
        name = next_name(directory)
        if name is None:
            break
        found.append((at, name))
    same("entries", len(found), 702)
    same("positions", len({at for at, _ in found}), 702)
    again = libc.opendir(fs.here.encode())
    random.Random(3).shuffle(found)
    for at, name in found:
        for one in (directory, again):
            libc.seekdir(one, at)
            same("name", next_name(one), name)
    libc.closedir(directory)
    libc.closedir(again)


def test_types(fs):
    """readdir() says what each name is."""
    fs.write("file")
    os.mkdir(fs.path("directory"))
    os.symlink("x", fs.path("link"))
    os.mkfifo(fs.path("pipe"))
    fs.remount()
    with os.scandir(fs.here) as entries:
        found = {entry.name: (entry.is_file(follow_symlinks=False),
                              entry.is_dir(follow_symlinks=False), entry.is_symlink(),
                              entry.inode() == os.lstat(entry.path).st_ino)
                 for entry in entries}
    same("types", found, {"file": (True, False, False, True),
                          "directory": (False, True, False, True),
                          "link": (False, False, True, True), "pipe": (False, False, False, True)})


class Handle(ctypes.Structure):
    """struct file_handle"""
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("handle", ctypes.c_ubyte * 128)]


def test_handles(fs):
    """open_by_handle_at(2): a file is found again, also after it was moved, and after a
    remount; one that was removed is stale."""
    os.mkdir(fs.path("deep"))
    os.mkdir(fs.path("deep", "er"))
    handles = {}
    for name in ("file", "deep/er/file", "deep/er", "gone"):
        if name != "deep/er":
            fs.write(name, name.encode())
        handle, mount = Handle(bytes=128), ctypes.c_int()
        call("name_to_handle_at", AT_FDCWD, fs.path(name), ctypes.byref(handle),
             ctypes.byref(mount), 0)
        handles[name] = handle

    def by_handle(name):
        with opened(fs.top, os.O_RDONLY) as top:
            return call("open_by_handle_at", top, ctypes.byref(handles[name]), os.O_RDONLY)

    os.rename(fs.path("file"), fs.path("moved"))
    os.unlink(fs.path("gone"))
    for _ in range(2):
        for name in ("file", "deep/er/file"):
            file = by_handle(name)
            same("content", os.read(file, 100), name.encode())
            os.close(file)
        directory = by_handle("deep/er")
        same("names", os.listdir(directory), ["file"])
        same("path", os.readlink(f"/proc/self/fd/{directory}"), fs.path("deep/er"))
        os.close(directory)
        with fails(errno.ESTALE):
            by_handle("gone")
        # Its inode may be another file's now.
        for number in range(20):
            fs.write(f"new-{number}")
        with fails(errno.ESTALE):
            by_handle("gone")
        fs.remount()


if __name__ == "__main__":
    sys.exit(main(globals()))
