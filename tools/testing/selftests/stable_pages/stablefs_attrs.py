#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What is said about files: modes, owners, times, attributes, lists, flags. See
stablefs_lib.py."""

import contextlib
import ctypes
import errno
import fcntl
import os
import stat
import struct
import subprocess
import sys
import time

from lib import LIBC, fails, opened, same
from stablefs_lib import main

FS_IOC_GETFLAGS, FS_IOC_SETFLAGS = 0x80086601, 0x40086602
SYNC, IMMUTABLE, APPEND, NODUMP, NOATIME, DIRSYNC = 8, 0x10, 0x20, 0x40, 0x80, 0x10000


def inode_size(fs):
    """From the superblock."""
    with open(fs.device, "rb") as device:
        device.seek(1024 + 88)
        return struct.unpack("<H", device.read(2))[0]


def test_modes(fs):
    """All bits of a mode, on files and directories; the set-id bits go when they must."""
    for number, mode in enumerate((0, 0o777, 0o1777, 0o2755, 0o4755, 0o7777, 0o4111, 0o600)):
        os.chmod(fs.write(f"f{number}"), mode)
        os.mkdir(fs.path(f"d{number}"))
        os.chmod(fs.path(f"d{number}"), mode)
        same("mode", stat.S_IMODE(os.stat(fs.path(f"f{number}")).st_mode), mode)
    fs.remount()
    for number, mode in enumerate((0, 0o777, 0o1777, 0o2755, 0o4755, 0o7777, 0o4111, 0o600)):
        for kind in "fd":
            same("mode", stat.S_IMODE(os.stat(fs.path(f"{kind}{number}")).st_mode), mode)
    os.chown(fs.path("f5"), 1, 1)
    same("mode after chown", stat.S_IMODE(os.stat(fs.path("f5")).st_mode), 0o1777)
    os.umask(0o027)
    os.close(os.open(fs.path("masked"), os.O_CREAT | os.O_WRONLY, 0o666))
    same("mode", stat.S_IMODE(os.stat(fs.path("masked")).st_mode), 0o640)
    os.umask(0o022)
    # Writing as another user drops the bit.
    os.chmod(fs.path("f1"), 0o4777)
    os.chown(fs.here, 77, 77)
    subprocess.run([sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write('x')",
                    fs.path("f1")], user=77, group=77, extra_groups=[], check=True)
    same("mode after write", stat.S_IMODE(os.stat(fs.path("f1")).st_mode), 0o777)


def test_owners(fs):
    """Ids of 32 bits."""
    owners = [(0, 0), (65535, 65534), (65536, 70000), (4294967294, 4294967293), (1, 4294967294)]
    for uid, gid in owners:
        os.chown(fs.write(f"{uid}-{gid}"), uid, gid)
        os.symlink("x", fs.path(f"l{uid}-{gid}"))
        os.lchown(fs.path(f"l{uid}-{gid}"), uid, gid)
    fs.remount()
    for uid, gid in owners:
        for prefix in ("", "l"):
            found = os.lstat(fs.path(f"{prefix}{uid}-{gid}"))
            same("owner", (found.st_uid, found.st_gid), (uid, gid))


def test_setgid(fs):
    """What is made in a directory with the bit has its group, and directories the bit."""
    os.chown(fs.here, 5, 4321)
    os.chmod(fs.here, 0o2777)
    fs.write("file")
    os.mkdir(fs.path("directory"))
    os.mkdir(fs.path("directory", "below"))
    for name in ("file", "directory", "directory/below"):
        found = os.stat(fs.path(name))
        same(f"group of {name}", found.st_gid, 4321)
        same(f"owner of {name}", found.st_uid, 0)
        same(f"bit of {name}", bool(found.st_mode & stat.S_ISGID), name != "file")


def test_times(fs):
    """As fine and as far as inodes have room for; what is further is cut off."""
    large = inode_size(fs) > 128
    first, last = -(1 << 31), (1 << 34) - (1 << 31) - 1 if large else (1 << 31) - 1
    moments = [0, 1, 999999999, 1234567890123456789, -1, -1000000001, -(1 << 31) * 10 ** 9,
               ((1 << 31) - 1) * 10 ** 9, (1 << 31) * 10 ** 9 + 123456789,
               (1 << 32) * 10 ** 9 + 5, (1 << 33) * 10 ** 9 + 7, 15032385535 * 10 ** 9 + 999999999,
               20000000000 * 10 ** 9, -3000000000 * 10 ** 9]
    expected = {}
    for number, moment in enumerate(moments):
        path = fs.write(f"f{number}")
        os.utime(path, ns=(moment + 10 ** 9, moment))
        kept = []
        for wanted in (moment + 10 ** 9, moment):
            seconds, rest = divmod(wanted, 10 ** 9)
            if not first <= seconds <= last:
                seconds, rest = min(max(seconds, first), last), 0
            elif seconds in (first, last):
                # C: timestamp_truncate(): no part of a second there.
                rest = 0
            kept.append(seconds * 10 ** 9 + (rest if large else 0))
        expected[path] = kept
    for _ in range(2):
        for path, kept in expected.items():
            found = os.stat(path)
            same(f"times of {path}", [found.st_atime_ns, found.st_mtime_ns], kept)
        fs.remount("noatime")


def test_clock(fs):
    """What changes which time."""
    path = fs.write("file", b"content")

    def times(of):
        found = os.stat(of)
        return found.st_mtime_ns, found.st_ctime_ns

    def changes(action, of, mtime, ctime):
        old = 10 ** 18
        os.utime(of, ns=(old, old))
        # As fine as times are.
        time.sleep(0.02 if inode_size(fs) > 128 else 1.05)
        before = times(of)
        action()
        after = times(of)
        same("mtime changed", after[0] != before[0], mtime)
        same("ctime changed", after[1] != before[1], ctime)

    def append():
        with open(path, "ab") as file:
            file.write(b"x")

    changes(append, path, True, True)
    changes(lambda: os.chmod(path, 0o600), path, False, True)
    changes(lambda: os.link(path, fs.path("link")), path, False, True)
    changes(lambda: os.unlink(fs.path("link")), path, False, True)
    changes(lambda: os.truncate(path, 3), path, True, True)
    changes(lambda: os.setxattr(path, "user.x", b"y"), path, False, True)
    changes(lambda: os.rename(path, path + "2"), fs.here, True, True)
    changes(lambda: fs.write("file"), fs.here, True, True)
    changes(lambda: os.mkdir(fs.path("d")), fs.here, True, True)
    changes(lambda: os.rmdir(fs.path("d")), fs.here, True, True)


def test_atime(fs):
    """strictatime, noatime"""
    path = fs.write("file", b"content")
    for options, changed in (("strictatime", True), ("noatime", False)):
        fs.remount(options)
        os.utime(path, ns=(10 ** 18, 10 ** 18))
        with open(path, "rb") as file:
            file.read()
        same(f"{options}: atime changed", os.stat(path).st_atime_ns != 10 ** 18, changed)
    fs.remount()


def test_birth(fs):
    """statx() tells when a file was made, if inodes have room for that."""
    path = fs.write("file")
    output = subprocess.run(["stat", "-c", "%W", path], check=True, capture_output=True).stdout
    made = int(output.decode().replace("-", "0"))
    if inode_size(fs) > 128:
        same("made now", abs(made - os.stat(path).st_ctime) < 60, True)
    else:
        same("made", made, 0)


def everything(path):
    """All attributes of a file."""
    return {name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)}


def test_xattr_small(fs):
    """In the inode, or in a block: set, changed, removed."""
    before = os.statvfs(fs.top).f_bfree
    path = fs.write("file")
    os.symlink("x", fs.path("link"))
    expected = {"user.a": b"1", "trusted.b": b"22", "security.c": b"333", "user.empty": b""}
    for name, value in expected.items():
        os.setxattr(path, name, value)
    os.setxattr(fs.path("link"), "trusted.of-link", b"x", follow_symlinks=False)
    with fails(errno.EPERM):
        os.setxattr(fs.path("link"), "user.of-link", b"x", follow_symlinks=False)
    same("attributes", everything(path), expected)
    fs.remount()
    same("attributes", everything(path), expected)
    same("attributes", everything(fs.path("link")), {"trusted.of-link": b"x"})
    os.setxattr(fs.write("little"), "user.a", b"1")
    same("blocks", os.stat(fs.path("little")).st_blocks,
         0 if inode_size(fs) > 128 else fs.block // 512)
    os.unlink(fs.path("little"))
    with fails(errno.EEXIST):
        os.setxattr(path, "user.a", b"", os.XATTR_CREATE)
    with fails(errno.ENODATA):
        os.setxattr(path, "user.none", b"", os.XATTR_REPLACE)
    with fails(errno.ENODATA):
        os.getxattr(path, "user.none")
    with fails(errno.ENODATA):
        os.removexattr(path, "user.none")
    with fails(errno.EOPNOTSUPP):
        os.setxattr(path, "nothing.x", b"")
    os.setxattr(path, "user.a", b"another", os.XATTR_REPLACE)
    os.removexattr(path, "trusted.b")
    expected = {"user.a": b"another", "security.c": b"333", "user.empty": b""}
    same("attributes", everything(path), expected)
    subprocess.run([sys.executable, "-c", """if True:
        import os, sys
        found = os.listxattr(sys.argv[1])
        assert "user.a" in found and "trusted.t" not in found, found
        try:
            os.setxattr(sys.argv[1], "trusted.t", b"")
        except PermissionError:
            sys.exit(0)
        sys.exit("trusted attributes are for everyone")""", path],
                   user=77, group=77, extra_groups=[], check=True)
    os.unlink(path)
    os.unlink(fs.path("link"))
    same("free blocks", os.statvfs(fs.top).f_bfree, before)


def test_xattr_large(fs):
    """Up to what a block has room for, and no more."""
    free = os.statvfs(fs.top).f_bfree
    path = fs.write("file")
    # Header 32, entry 16 with a name of 5, rounded to 24, four bytes of zeroes.
    most = fs.block - 32 - 24 - 4
    os.setxattr(path, "user.large", b"L" * most)
    with fails(errno.ENOSPC, errno.E2BIG):
        os.setxattr(path, "user.large", b"L" * (fs.block + 500))
    same("value", os.getxattr(path, "user.large"), b"L" * most)
    same("blocks", os.stat(path).st_blocks, fs.block // 512)
    fs.remount()
    same("value", os.getxattr(path, "user.large"), b"L" * most)
    count = 0
    try:
        while count < 10000:
            os.setxattr(path, f"user.{count}", b"v" * 20)
            count += 1
    except OSError as failure:
        same("errno", failure.errno, errno.ENOSPC)
    os.removexattr(path, "user.large")
    expected = {f"user.{number}": b"v" * 20 for number in range(count)}
    same("attributes", everything(path), expected)
    for number in range(count, count + 10):
        os.setxattr(path, f"user.{number}", b"w" * number)
        expected[f"user.{number}"] = b"w" * number
    fs.remount()
    same("attributes", everything(path), expected)
    for name in expected:
        os.removexattr(path, name)
    same("attributes", everything(path), {})
    same("blocks", os.stat(path).st_blocks, 0)
    os.unlink(path)
    same("free blocks", os.statvfs(fs.top).f_bfree, free)


def test_xattr_long_names(fs):
    """Names of up to 255 bytes."""
    path = fs.write("file")
    for length in (1, 100, 250):
        os.setxattr(path, "user." + "n" * length, b"x" * length)
    with fails(errno.ERANGE):
        os.setxattr(path, "user." + "n" * 251, b"")
    fs.remount()
    same("lengths", sorted(len(name) - 5 for name in os.listxattr(path)), [1, 100, 250])


def run(*words, user=0):
    """A command; returns what it prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True, user=user,
                          group=user, extra_groups=[]).stdout


@contextlib.contextmanager
def fails_to_run():
    """A command in this must fail."""
    try:
        yield
    except subprocess.CalledProcessError:
        return
    raise AssertionError("it did not fail")


def test_acl(fs):
    """Lists decide who may; the mode shows the mask."""
    os.chmod(fs.here, 0o755)
    path = fs.write("file", b"content")
    os.chmod(path, 0o600)
    with fails_to_run():
        run("cat", path, user=1234)
    run("setfacl", "-m", "u:1234:r,g:4294967294:rwx,m::rx", path)
    same("list", run("getfacl", "-nEc", path).split(),
         ["user::rw-", "user:1234:r--", "group::---", "group:4294967294:rwx", "mask::r-x",
          "other::---"])
    fs.remount()
    same("content", run("cat", path, user=1234), "content")
    with fails_to_run():
        run("cat", path, user=1235)
    with fails_to_run():
        run("sh", "-c", f"echo x >>{path}", user=1234)
    same("mode", stat.S_IMODE(os.stat(path).st_mode), 0o650)
    os.chmod(path, 0o600)
    with fails_to_run():
        run("cat", path, user=1234)
    run("setfacl", "-b", path)
    same("attributes", everything(path), {})


def test_default_acl(fs):
    """What is made in a directory inherits its default list."""
    os.mkdir(fs.path("d"))
    run("setfacl", "-d", "-m", "u:1234:rw,g::r,o::-", fs.path("d"))
    with fails(errno.EACCES, errno.EINVAL, errno.EOPNOTSUPP):
        os.setxattr(fs.write("f"), "system.posix_acl_default",
                    os.getxattr(fs.path("d"), "system.posix_acl_default"))
    fs.remount()
    os.umask(0)
    fs.write("d/file", b"content")
    os.mkdir(fs.path("d", "sub"))
    os.close(os.open(fs.path("d", "secret"), os.O_CREAT | os.O_WRONLY, 0o600))
    os.symlink("x", fs.path("d", "link"))
    os.umask(0o022)
    same("list", run("getfacl", "-nEc", fs.path("d", "file")).split(),
         ["user::rw-", "user:1234:rw-", "group::r--", "mask::rw-", "other::---"])
    same("mode", stat.S_IMODE(os.stat(fs.path("d", "secret")).st_mode), 0o600)
    same("default", os.getxattr(fs.path("d", "sub"), "system.posix_acl_default"),
         os.getxattr(fs.path("d"), "system.posix_acl_default"))
    with opened(fs.path("d"), os.O_TMPFILE | os.O_RDWR, 0o666) as file:
        same("of a file without a name", "system.posix_acl_access" in os.listxattr(file), True)


def flags(path):
    """As lsattr has them."""
    with opened(path, os.O_RDONLY | os.O_NONBLOCK) as file:
        value = ctypes.c_int(0)
        fcntl.ioctl(file, FS_IOC_GETFLAGS, value)
        return value.value


def set_flags(path, value):
    """chattr"""
    with opened(path, os.O_RDONLY | os.O_NONBLOCK) as file:
        fcntl.ioctl(file, FS_IOC_SETFLAGS, ctypes.c_int(value))


def test_immutable(fs):
    """chattr +i: nothing can be done to it."""
    path = fs.write("file", b"content")
    with opened(path, os.O_RDWR) as file:
        set_flags(path, IMMUTABLE)
        with fails(errno.EPERM):
            os.ftruncate(file, 0)
    fs.remount()
    same("flags", flags(path), IMMUTABLE)
    for action in (lambda: os.open(path, os.O_WRONLY), lambda: os.unlink(path),
                   lambda: os.rename(path, path + "2"), lambda: os.link(path, path + "2"),
                   lambda: os.chmod(path, 0), lambda: os.truncate(path, 0),
                   lambda: os.setxattr(path, "user.x", b"")):
        with fails(errno.EPERM, errno.EACCES):
            action()
    set_flags(path, 0)
    os.unlink(path)


def test_append_only(fs):
    """chattr +a: it grows."""
    path = fs.write("file", b"content")
    set_flags(path, APPEND)
    fs.remount()
    for action in (lambda: os.open(path, os.O_WRONLY), lambda: os.unlink(path),
                   lambda: os.truncate(path, 0)):
        with fails(errno.EPERM):
            action()
    with open(path, "ab") as file:
        file.write(b" more")
    same("size", os.stat(path).st_size, 12)
    os.mkdir(fs.path("d"))
    set_flags(fs.path("d"), APPEND)
    fs.write("d/file")
    with fails(errno.EPERM):
        os.unlink(fs.path("d", "file"))
    set_flags(path, 0)
    set_flags(fs.path("d"), 0)


def test_flags(fs):
    """Others stay, and are inherited; what ext2 hasn't is refused."""
    os.mkdir(fs.path("d"))
    set_flags(fs.path("d"), NODUMP | NOATIME | DIRSYNC | SYNC)
    fs.write("d/file")
    os.mkdir(fs.path("d", "sub"))
    fs.remount()
    same("flags", flags(fs.path("d")), NODUMP | NOATIME | DIRSYNC | SYNC)
    same("flags of a file", flags(fs.path("d", "file")), NODUMP | NOATIME | SYNC)
    same("flags of a directory", flags(fs.path("d", "sub")), NODUMP | NOATIME | DIRSYNC | SYNC)
    # FS_EXTENT_FL
    with fails(errno.EOPNOTSUPP):
        set_flags(fs.path("d", "file"), 0x80000)
    for name in ("d/file", "d/sub", "d"):
        set_flags(fs.path(name), 0)


def test_generation(fs):
    """lsattr -v: another file has another number."""
    numbers = set()
    for number in range(5):
        with opened(fs.write(f"f{number}"), os.O_RDONLY) as file:
            value = ctypes.c_long(0)
            same("ioctl", LIBC.ioctl(file, 0x80087601, ctypes.byref(value)), 0)
            numbers.add(value.value)
    same("numbers", len(numbers) > 1, True)


if __name__ == "__main__":
    sys.exit(main(globals()))
