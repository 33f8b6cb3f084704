#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""damage.py DEVICE IMAGE MOUNTPOINT COUNT SEED

COUNT times: writes IMAGE (ext2) to DEVICE, damaged at random where its metadata is,
mounts it as stablefs, walks through all of it, writes to it, and unmounts it. Any
errno is right but one that means that the kernel is confused; what the kernel says of
itself is for the caller to look at, and for the time limit of whoever waits.

Each image has a seed of its own, printed if something is wrong; with it as SEED and
COUNT 1 that image comes again. Prints "images N, mounted M, errors: EUCLEAN K, ..."
at the end. Exits with 1 if something was wrong.
"""

import collections
import contextlib
import ctypes
import errno
import os
import random
import stat
import struct
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
# What an operation on a damaged filesystem may say.
EXPECTED = {errno.EUCLEAN, errno.EIO, errno.EINVAL, errno.ENOSPC, errno.ENOENT, errno.EEXIST,
            errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR, errno.EROFS, errno.EFBIG, errno.ESTALE,
            errno.ENAMETOOLONG, errno.EMLINK, errno.EPERM, errno.EACCES, errno.ENXIO, errno.ENODEV,
            errno.ENODATA, errno.ERANGE, errno.EOVERFLOW, errno.ELOOP, errno.EOPNOTSUPP,
            errno.ETXTBSY, errno.EBUSY}
# More of a damaged directory's names, or of a file, than this shows nothing new.
ENOUGH_NAMES = 200
ENOUGH_BYTES = 1 << 18
# A walk or a change that takes longer is one without end, also in an emulated machine.
SECONDS = 60

MS_NOATIME = 1024


class Image:
    """An ext2 image, and where its metadata is."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        fields = struct.unpack_from("<IIIIIIIIIII", self.bytes, 1024)
        self.first, self.block = fields[5], 1024 << fields[6]
        blocks, per_group, inodes = fields[1], fields[8], fields[10]
        self.inode_size = struct.unpack_from("<H", self.bytes, 1024 + 88)[0]
        groups = -(-(blocks - self.first) // per_group)
        # (offset, length), and how likely it is damaged.
        self.places = [(1024, 264, 2), ((self.first + 1) * self.block, groups * 32, 2)]
        for group in range(groups):
            offset = (self.first + 1) * self.block + group * 32
            bitmaps_and_table = struct.unpack_from("<III", self.bytes, offset)
            self.places.append((bitmaps_and_table[0] * self.block, self.block, 1))
            self.places.append((bitmaps_and_table[1] * self.block, self.block, 1))
            self.inodes(bitmaps_and_table[2] * self.block, inodes)

    def inodes(self, table, count):
        """Those in use, and what belongs to their directories, links and attributes."""
        for offset in range(table, table + count * self.inode_size, self.inode_size):
            mode, links = (struct.unpack_from("<H", self.bytes, offset + at)[0] for at in (0, 26))
            if not links:
                continue
            self.places.append((offset, self.inode_size, 3))
            pointers = struct.unpack_from("<15I", self.bytes, offset + 40)
            xattrs = struct.unpack_from("<I", self.bytes, offset + 104)[0]
            if stat.S_ISDIR(mode):
                owned = pointers[:12]
            elif stat.S_ISREG(mode):
                owned = pointers[12:]
            else:
                owned = ()
            for block in (*owned, xattrs):
                if 0 < block * self.block < len(self.bytes):
                    self.places.append((block * self.block, self.block, 3))

    def damaged(self, rng):
        """A copy with some bytes changed."""
        copy = bytearray(self.bytes)
        weights = [weight for _, _, weight in self.places]
        for _ in range(rng.choice((1, 1, 2, 4, 8, 32))):
            start, length, _ = rng.choices(self.places, weights)[0]
            at = start + rng.randrange(length)
            kind = rng.randrange(5)
            if kind == 0:
                copy[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                copy[at] = rng.choice((0, 1, 0x7f, 0x80, 0xff))
            elif kind == 2:
                at &= ~3
                value = rng.choice((0, 1, 2, 0xffffffff, 0x7fffffff, rng.randrange(1 << 32),
                                    rng.randrange(len(copy) // self.block)))
                copy[at:at + 4] = struct.pack("<I", value)
            elif kind == 3:
                at &= ~1
                copy[at:at + 2] = struct.pack("<H", rng.choice((0, 1, 4, 12, 0xffff,
                                                                rng.randrange(1 << 16))))
            else:
                # A piece of other metadata, where this was.
                other, other_length, _ = rng.choice(self.places)
                size = min(rng.choice((32, 128, self.block)), length, other_length)
                copy[start:start + size] = self.bytes[other:other + size]
        return copy


class Run:
    """One damaged image, mounted."""

    def __init__(self, mountpoint, rng, errors):
        self.top = mountpoint
        self.rng = rng
        self.errors = errors
        self.files = []
        self.dirs = [mountpoint]
        self.until = time.monotonic() + SECONDS

    def wrong(self):
        """What went on for too long, or None."""
        return "no end" if time.monotonic() > self.until else None

    @contextlib.contextmanager
    def may_fail(self):
        """An operation: its errno is counted."""
        try:
            yield
        except OSError as failure:
            self.errors[failure.errno] += 1
            if failure.errno not in EXPECTED:
                raise

    def walk(self):
        """Look at everything."""
        seen = set()
        todo = [self.top]
        while todo and not self.wrong():
            directory = todo.pop()
            names = []
            with self.may_fail():
                names = os.listdir(directory)
            for name in names[:ENOUGH_NAMES]:
                path = os.path.join(directory, name)
                with self.may_fail():
                    found = os.lstat(path)
                    os.listxattr(path, follow_symlinks=False)
                    if stat.S_ISLNK(found.st_mode):
                        os.readlink(path)
                    elif stat.S_ISREG(found.st_mode):
                        self.files.append(path)
                        self.read(path)
                    elif stat.S_ISDIR(found.st_mode) and found.st_ino not in seen:
                        seen.add(found.st_ino)
                        self.dirs.append(path)
                        todo.append(path)

    def read(self, path):
        """Read its beginning and its end."""
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            size = os.fstat(file).st_size
            for offset in {0, max(0, size - 8192), size // 2}:
                with self.may_fail():
                    os.pread(file, min(ENOUGH_BYTES, 65536), offset)
            for whence in (os.SEEK_DATA, os.SEEK_HOLE):
                with self.may_fail():
                    os.lseek(file, 0, whence)
        finally:
            os.close(file)

    def write(self):
        """Change this and that."""
        rng = self.rng
        for number in range(24):
            if self.wrong():
                return
            directory = rng.choice(self.dirs)
            path = os.path.join(directory, f"new-{number}")
            with self.may_fail():
                kind = rng.randrange(9)
                if kind == 0:
                    os.mkdir(path)
                    self.dirs.append(path)
                elif kind == 1:
                    os.symlink("x" * rng.choice((10, 59, 60, 300)), path)
                elif kind == 2 and self.files:
                    os.unlink(rng.choice(self.files))
                elif kind == 3 and self.files:
                    os.truncate(rng.choice(self.files), rng.choice((0, 1, 5000, 1 << 20)))
                elif kind == 4 and self.files:
                    os.rename(rng.choice(self.files), path)
                elif kind == 5 and self.files:
                    os.setxattr(rng.choice(self.files), "user.x", b"y" * rng.choice((1, 500)))
                elif kind == 6 and self.files:
                    os.link(rng.choice(self.files), path)
                elif kind == 7:
                    os.rmdir(rng.choice(self.dirs))
                else:
                    self.fill(rng.choice(self.files) if self.files and kind else path)

    def fill(self, path):
        """Write at its beginning and far away."""
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o644)
        try:
            for offset in (0, 50000, 5 << 20):
                with self.may_fail():
                    os.pwrite(file, b"z" * 9000, offset)
            with self.may_fail():
                os.fsync(file)
        finally:
            os.close(file)


def mount(device, mountpoint):
    """Returns the errno, or 0."""
    result = LIBC.mount(device.encode(), mountpoint.encode(), b"stablefs", MS_NOATIME,
                        b"errors=continue")
    return ctypes.get_errno() if result else 0


def umount(mountpoint):
    """Unmount; what is kept in memory of the device goes, too."""
    if LIBC.umount(mountpoint.encode()):
        raise OSError(ctypes.get_errno(), "umount")


def once(device, image, mountpoint, seed, errors):
    """Whether it was mounted, and what was wrong."""
    rng = random.Random(seed)
    with open(device, "wb") as file:
        file.write(image.damaged(rng))
        file.flush()
        os.fsync(file.fileno())
    failed = mount(device, mountpoint)
    if failed:
        errors[failed] += 1
        return False, None if failed in EXPECTED else f"mount: {errno.errorcode.get(failed)}"
    run = Run(mountpoint, rng, errors)
    wrong = None
    try:
        run.walk()
        run.write()
        wrong = run.wrong()
    except OSError as failure:
        wrong = f"{failure}"
    umount(mountpoint)
    return True, wrong


def main():
    device, path, mountpoint, count, seed = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
    image = Image(path)
    errors = collections.Counter()
    mounted, failures = 0, 0
    for number in range(count):
        was, wrong = once(device, image, mountpoint, seed + number, errors)
        mounted += was
        if wrong:
            print(f"seed {seed + number}: {wrong}", flush=True)
            failures += 1
    said = ", ".join(f"{errno.errorcode.get(number, number)} {times}"
                     for number, times in errors.most_common())
    print(f"images {count}, mounted {mounted}, errors: {said}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
