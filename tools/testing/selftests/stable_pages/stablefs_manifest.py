#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stablefs_manifest.py DIRECTORY: one line for each file of a tree, in the order of
their names, with all that a filesystem keeps: type and mode, links, owner, size, mtime,
device number, target, attributes, the sum of what it holds."""

import hashlib
import os
import stat
import sys


def content(path):
    """The sum of what a file holds."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def line(top, path):
    """What there is to say about one file."""
    found = os.lstat(path)
    words = [os.fsencode(os.path.relpath(path, top)).hex() if not path.isprintable()
             else repr(os.path.relpath(path, top)),
             f"{found.st_mode:o}", found.st_nlink, f"{found.st_uid}:{found.st_gid}",
             found.st_mtime_ns]
    if stat.S_ISREG(found.st_mode):
        words += [found.st_size, content(path)]
    elif stat.S_ISLNK(found.st_mode):
        words += [found.st_size, os.fsencode(os.readlink(path)).hex()]
    elif stat.S_ISBLK(found.st_mode) or stat.S_ISCHR(found.st_mode):
        words += [f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"]
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        words.append(f"{name}={os.getxattr(path, name, follow_symlinks=False).hex()}")
    return " ".join(map(str, words))


def main():
    top = sys.argv[1]
    lines = []
    for directory, directories, files in os.walk(top):
        if directory == top and "lost+found" in directories:
            directories.remove("lost+found")
        lines += [line(top, os.path.join(directory, name)) for name in directories + files]
    print("\n".join(sorted(lines)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
