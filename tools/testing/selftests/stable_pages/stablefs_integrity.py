#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What is acknowledged is on the device, whatever others do to the same pages.

DEVICE MOUNTPOINT NAME: writes, has it acknowledged, and reads the raw device, again and
again, while two others rewrite the bytes next to these."""

import contextlib
import mmap
import os
import sys
import threading

from lib import WAIT_AFTER, WAIT_BEFORE, WRITE, call, opened, same, sync_file_range
from stablefs_lib import blocks, main, raw

LENGTH = 64 << 10
STRIDE = 512
MINE = 256
TURNS = 6


@contextlib.contextmanager
def others(file, mapping):
    """One writes, one stores: all of the bytes that aren't mine."""
    stop = threading.Event()

    def scribble(change):
        while not stop.is_set():
            for at in range(MINE, LENGTH, STRIDE):
                change(at, os.urandom(STRIDE - MINE))

    def store(at, data):
        mapping[at:at + len(data)] = data

    threads = [threading.Thread(target=scribble, args=(change,))
               for change in (lambda at, data: os.pwrite(file, data, at), store)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def missing(fs, acknowledge, flags=0):
    """How many of all that was acknowledged the device doesn't have."""
    lost = 0
    with (opened(fs.path("file"), os.O_RDWR | os.O_CREAT) as file,
          opened(fs.path("file"), os.O_RDWR | flags) as writer):
        os.pwrite(file, bytes(LENGTH), 0)
        os.fsync(file)
        where = blocks(fs, file, LENGTH)
        with mmap.mmap(file, LENGTH) as mapping, others(file, mapping):
            for turn in range(TURNS):
                mine = bytes([0x40 + turn]) * MINE
                for at in range(0, LENGTH, STRIDE):
                    os.pwrite(writer, mine, at)
                acknowledge(file, mapping)
                data = raw(fs, where)
                lost += sum(data[at:at + MINE] != mine for at in range(0, LENGTH, STRIDE))
    return lost


def test_fsync(fs):
    """fsync(2)"""
    same("lost", missing(fs, lambda file, _: os.fsync(file)), 0)


def test_fdatasync(fs):
    """fdatasync(2)"""
    same("lost", missing(fs, lambda file, _: os.fdatasync(file)), 0)


def test_msync(fs):
    """msync(2) with MS_SYNC"""
    same("lost", missing(fs, lambda _, mapping: mapping.flush()), 0)


def test_syncfs(fs):
    """syncfs(2)"""
    same("lost", missing(fs, lambda file, _: call("syncfs", file)), 0)


def test_sync_file_range(fs):
    """sync_file_range(2), as databases use it: the file's blocks are there already."""
    flags = WAIT_BEFORE | WRITE | WAIT_AFTER
    same("lost", missing(fs, lambda file, _: sync_file_range(file, LENGTH, flags)), 0)


def test_o_dsync(fs):
    """Writes with O_DSYNC"""
    same("lost", missing(fs, lambda file, _: None, os.O_DSYNC), 0)


def test_control(fs):
    """Nobody acknowledges: not all can be there."""
    same("whether something is lost", missing(fs, lambda file, _: None) > 0, True)


if __name__ == "__main__":
    sys.exit(main(globals()))
