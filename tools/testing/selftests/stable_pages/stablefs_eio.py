#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stablefs_eio.py FILE HOW: writes to FILE, which two have open; its device then fails
($FAIL makes it). Each is told EIO once, and who opens it later, nothing."""

import contextlib
import errno
import mmap
import os
import subprocess
import sys

from lib import LIBC, fails, opened


def tell_each_once(call, files):
    """A call that says EIO, and then nothing."""
    for file in files:
        with fails(errno.EIO):
            call(file)
        call(file)


def syncfs(file):
    """As Python would have it."""
    if LIBC.syncfs(file):
        raise OSError(errno.EIO, "syncfs")


def main():
    path, how = sys.argv[1:]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(opened(path, os.O_RDWR)) for _ in range(3)]
        view = mmap.mmap(files[0], 65536)
        if how != "direct":
            os.pwrite(files[0], b"lost" * 1000, 0)
            view[8192] = 1
        subprocess.run(["sh", "-c", os.environ["FAIL"]], check=True)
        if how in ("fsync", "fdatasync"):
            tell_each_once(getattr(os, how), files)
        elif how == "msync":
            with fails(errno.EIO):
                view.flush()
            view.flush()
            tell_each_once(os.fsync, files[1:])
        elif how == "syncfs":
            tell_each_once(syncfs, files)
            # The file's own error is another matter.
            tell_each_once(os.fsync, files)
        elif how == "osync":
            with opened(path, os.O_WRONLY | os.O_SYNC) as file:
                with fails(errno.EIO):
                    os.write(file, b"sync")
            tell_each_once(os.fsync, files)
        else:
            buffer = mmap.mmap(-1, 4096)
            with opened(path, os.O_RDWR | os.O_DIRECT) as file:
                for call in (os.pwritev, os.preadv):
                    with fails(errno.EIO):
                        call(file, [buffer], 0)
        with opened(path, os.O_RDWR) as file:
            os.fsync(file)
        view.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
