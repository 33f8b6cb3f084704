#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stablefs_tree.py DIRECTORY COUNT [change]: makes COUNT files below DIRECTORY, of all types,
with odd names, sizes, holes, modes, owners, times, links and attributes. Always the same
ones. With "change", COUNT of the files that are there go, grow, shrink, move, and so on."""

import os
import random
import stat
import sys


def odd_name(rng):
    """A name that no person gives a file."""
    length = rng.choice((1, 2, 7, 8, 9, 30, 120, 255))
    while True:
        name = rng.randbytes(length).replace(b"/", b"_").replace(b"\0", b"\n")
        if name not in (b".", b".."):
            return name


def fill(path, rng):
    """A file with holes, some of them at its end."""
    with open(path, "wb") as file:
        # Rarely: whoever compares, reads them.
        file.seek((70 << 20) * (rng.randrange(300) == 0))
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            file.seek(rng.choice((0, 0, 1, 4096, 12 * 1024, 40000, 300000)), os.SEEK_CUR)
            file.write(rng.randbytes(rng.choice((1, 100, 1023, 1024, 1025, 4096, 30000))))
        file.truncate(file.tell() + rng.choice((0, 0, 0, 0, 0, 1, 100000)))


def attributes(path, rng):
    """A few, small and large."""
    found = os.lstat(path)
    mode = found.st_mode
    if not stat.S_ISDIR(mode) and found.st_nlink > 1:
        # It would get them once for each name, and there is room for some only.
        return
    # Others have none of a user's.
    spaces = ("user", "trusted", "security") if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else (
        "trusted",)
    for number in range(rng.choice((0, 0, 1, 3))):
        name = rng.choice(spaces)
        value = rng.randbytes(rng.choice((0, 1, 20, 100, 200)))
        os.setxattr(path, f"{name}.{number}{'n' * rng.randrange(20)}".encode(), value,
                    follow_symlinks=False)


def make(path, rng, files):
    """Something. Returns whether it is a directory."""
    kind = rng.randrange(20)
    if kind < 3:
        os.mkdir(path)
    elif kind == 3:
        os.symlink(b"t" * rng.choice((1, 59, 60, 61, 500)), path)
    elif kind == 4:
        os.mknod(path, rng.choice((stat.S_IFCHR, stat.S_IFBLK)) | 0o600,
                 os.makedev(rng.randrange(4096), rng.randrange(1 << 20)))
    elif kind == 5:
        os.mkfifo(path)
    elif kind == 6 and files:
        os.link(rng.choice(files), path)
        return False
    else:
        fill(path, rng)
        files.append(path)
    return kind < 3


def change(path, number, top):
    """One of several changes."""
    kind = number % 7
    if kind == 0:
        os.unlink(path)
    elif kind == 1:
        with open(path, "ab") as file:
            file.write(b"more" * 1000)
    elif kind == 2:
        os.truncate(path, 2000)
    elif kind == 3:
        os.rename(path, os.path.join(top, b"moved-%d" % number))
    elif kind == 4:
        os.setxattr(path, "trusted.new", b"v" * 150)
    elif kind == 5:
        os.link(path, os.path.join(top, b"linked-%d" % number))
    else:
        with open(path, "r+b") as file:
            file.seek(90000)
            file.write(b"beyond")


def main():
    top, count = os.fsencode(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(count)
    if sys.argv[3:] == ["change"]:
        found = sorted(os.path.join(directory, name) for directory, _, names in os.walk(top)
                       for name in names)
        files = [path for path in found if stat.S_ISREG(os.lstat(path).st_mode)]
        for number, path in enumerate(files[:count]):
            change(path, number, top)
        return 0
    directories, files, made = [top], [], []
    while len(made) < count:
        path = os.path.join(rng.choice(directories), odd_name(rng))
        if os.path.lexists(path) or len(path) > 3000:
            continue
        if make(path, rng, files):
            directories.append(path)
        made.append(path)
    # From the last, as a directory's time changes with what is in it.
    for path in reversed(made):
        attributes(path, rng)
        os.lchown(path, rng.choice((0, 1000, 70000, 4294967294)), rng.choice((0, 5, 65536)))
        if not os.path.islink(path):
            os.chmod(path, rng.choice((0o644, 0o7777, 0o1700, 0o2755, 0o4711)))
        time = rng.randrange(1 << 31) * 10 ** 9
        os.utime(path, ns=(time, time), follow_symlinks=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
