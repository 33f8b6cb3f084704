#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""files.py [TOP]: the files of the project, each ended by a NUL. In a clone, what git tracks or
would track; in what was unpacked from a tarball, all that .gitignore doesn't name."""

import fnmatch
import os
import subprocess
import sys


def of_git(top):
    """What git says of a clone."""
    listed = subprocess.run(
        ["git", "-C", top, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, stdout=subprocess.PIPE)
    return listed.stdout.decode().split("\0")


def is_ignored(patterns, path, is_directory):
    """Whether .gitignore names it: a name anywhere, or a path from the top. No more than that is
    used there."""
    for pattern in patterns:
        if pattern.endswith("/") and not is_directory:
            continue
        pattern = pattern.rstrip("/")
        subject = path if "/" in pattern else os.path.basename(path)
        if fnmatch.fnmatchcase(subject, pattern.lstrip("/")):
            return True
    return False


def of_tree(top):
    """What is in a tree that git knows nothing of."""
    patterns = []
    ignore = os.path.join(top, ".gitignore")
    if os.path.exists(ignore):
        with open(ignore, encoding="utf-8") as file:
            patterns = [line.strip() for line in file if line.strip() and line[0] != "#"]
    for folder, folders, names in os.walk(top):
        def kept(name, is_directory):
            path = os.path.relpath(os.path.join(folder, name), top)
            return not is_ignored(patterns, path, is_directory)
        folders[:] = [name for name in folders if kept(name, True)]
        for name in names:
            if kept(name, False):
                yield os.path.relpath(os.path.join(folder, name), top)


def files(top):
    """Paths, relative to top, in order."""
    # A repository further up is somebody else's, and knows of none of these.
    listed = of_git(top) if os.path.exists(os.path.join(top, ".git")) else of_tree(top)
    for name in sorted(set(listed)):
        if name and os.path.isfile(os.path.join(top, name)):
            yield name


if __name__ == "__main__":
    for path in files(sys.argv[1] if len(sys.argv) > 1 else "."):
        sys.stdout.write(f"{path}\0")
