# SPDX-License-Identifier: GPL-2.0
"""What a check sees of a file, and how it reports."""

import os
import sys


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
