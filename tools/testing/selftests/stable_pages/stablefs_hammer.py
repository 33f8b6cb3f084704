#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stablefs_hammer.py DIRECTORY NUMBER SECONDS: creates, links, renames, truncates and
removes names below DIRECTORY, as worker NUMBER of several, for so many seconds. A name
that another worker took away is no error; any other errno is."""

import os
import random
import sys
import time


def step(rng, mine, ours):
    """One change."""
    path = os.path.join(rng.choice((mine, ours)), f"{'n' * rng.randrange(1, 60)}{rng.randrange(40)}")
    other = os.path.join(rng.choice((mine, ours)), f"other{rng.randrange(40)}")
    kind = rng.randrange(7)
    if kind in (0, 1):
        with open(path, "ab") as file:
            file.write(b"x" * rng.choice((1, 3000, 70000)))
    elif kind == 2:
        os.unlink(path)
    elif kind == 3:
        os.rename(path, other)
    elif kind == 4:
        os.truncate(path, rng.choice((0, 5, 50000, 900000)))
    elif kind == 5:
        os.link(path, other)
    else:
        os.mkdir(path + ".d")
        os.symlink("y" * rng.choice((10, 200)), path + ".d/link")
        os.setxattr(path + ".d", "user.hammer", b"z" * rng.choice((20, 700)))
        os.unlink(path + ".d/link")
        os.rmdir(path + ".d")


def main():
    top, number, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    rng = random.Random(number)
    mine, ours = os.path.join(top, f"of-{number}"), os.path.join(top, "of-all")
    for directory in (mine, ours):
        os.makedirs(directory, exist_ok=True)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            step(rng, mine, ours)
        except (FileNotFoundError, FileExistsError):
            pass
        except OSError as failure:
            # Another worker may be at work in a directory of the same name.
            if failure.errno != 39:
                raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
