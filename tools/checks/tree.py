# SPDX-License-Identifier: GPL-2.0
"""The files that a check looks at, and how it reports."""

import os
import subprocess
import sys


def files(top):
    """Paths, relative to top, of what git tracks or would track."""
    listed = subprocess.run(
        ["git", "-C", top, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, stdout=subprocess.PIPE)
    for name in sorted(set(listed.stdout.decode().split("\0"))):
        if name and os.path.isfile(os.path.join(top, name)):
            yield name


def lines(top, name):
    """The lines of a text file, without their ends; none of a binary one."""
    with open(os.path.join(top, name), "rb") as file:
        data = file.read()
    return [] if b"\0" in data else data.decode("utf-8", "replace").split("\n")


def main(find):
    """Run find(top), which yields (file, line, what is wrong); exit status 1 if it does."""
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../..")
    found = False
    for name, line, what in find(os.path.realpath(top)):
        print(f"{name}:{line}: {what}")
        found = True
    sys.exit(1 if found else 0)
