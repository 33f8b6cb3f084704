#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""io_uring_pi.py DEVICE KIND NAME: protection information that a program supplies itself,
through io_uring's attributes (struct io_uring_attr_pi), to a disk with blocks of 512 bytes.
KIND is crc or crc64: DIF type 1, with that guard; crc64-64: likewise, in the last of 64
bytes; or opaque: type 0, 8 bytes. --list prints the names but that of the one test for
opaque, which is called so."""

import ctypes
import errno
import mmap
import os
import struct
import sys

from lib import LIBC, counter, crc16, requests, same, tests_in

BLOCK = 512
FIRST, COUNT = 64, 8
# What programs count from, whatever the sector is.
SEED = 0x1000
APP_TAG = 0x1234
SYS_IO_URING_SETUP, SYS_IO_URING_ENTER = 425, 426
OP_READ, OP_WRITE = 22, 23
ATTR_PI = 1
CHK_GUARD, CHK_REFTAG, CHK_APPTAG = 1, 2, 4
CHK_ALL = CHK_GUARD | CHK_REFTAG | CHK_APPTAG
OFF_SQ_RING, OFF_SQES = 0, 0x10000000
GETEVENTS = 1
PARTS = ("guard", "app_tag", "ref_tag")


def crc64(data):
    """CRC-64/NVME."""
    value = (1 << 64) - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x9a6c9329ac4bc9b5 if value & 1 else 0)
    return value ^ ((1 << 64) - 1)


def t10_tuple(data, app_tag, ref_tag):
    """8 bytes."""
    return struct.pack(">HHI", crc16(data), app_tag, ref_tag)


def nvme_tuple(data, app_tag, ref_tag):
    """16 bytes."""
    return struct.pack(">QH", crc64(data), app_tag) + ref_tag.to_bytes(6, "big")


def no_tuple(*_):
    """What is nobody's."""
    return b""


# Bytes for each block, those before the tuple, and the tuple.
KINDS = {"crc": (8, 0, t10_tuple), "crc64": (16, 0, nvme_tuple), "crc64-64": (64, 48, nvme_tuple),
         "opaque": (8, 8, no_tuple)}


def address(buffer):
    """Where a mapping is."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


class Ring:
    """One request at a time."""

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.ring = LIBC.syscall(SYS_IO_URING_SETUP, 1, params)
        if self.ring < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), "io_uring_setup")
        entries, cq_entries = struct.unpack_from("<II", params)
        self.sq = struct.unpack_from("<7I", params, 40)
        self.cq = struct.unpack_from("<6I", params, 80)
        size = max(self.sq[6] + entries * 4, self.cq[5] + cq_entries * 16)
        self.map = mmap.mmap(self.ring, size, offset=OFF_SQ_RING)
        self.sqes = mmap.mmap(self.ring, entries * 64, offset=OFF_SQES)

    def word(self, offset):
        """Of the rings."""
        return struct.unpack_from("<I", self.map, offset)[0]

    def submit(self, operation, file, sector, data, attribute):
        """What the request returned, or the name of its error."""
        struct.pack_into("<BBHiQQIIQHHIQQ", self.sqes, 0, operation, 0, 0, file, sector * BLOCK,
                         address(data), len(data), 0, 0, 0, 0, 0,
                         ctypes.addressof(attribute), ATTR_PI)
        tail = self.word(self.sq[1])
        struct.pack_into("<I", self.map, self.sq[6] + (tail & self.word(self.sq[2])) * 4, 0)
        struct.pack_into("<I", self.map, self.sq[1], tail + 1)
        done = LIBC.syscall(SYS_IO_URING_ENTER, self.ring, 1, 1, GETEVENTS, None, 0)
        same("requests submitted", done, 1)
        head = self.word(self.cq[0])
        at = self.cq[5] + (head & self.word(self.cq[2])) * 16
        _, result = struct.unpack_from("<Qi", self.map, at)
        struct.pack_into("<I", self.map, self.cq[0], head + 1)
        return result if result >= 0 else errno.errorcode[-result]


class Disk:
    """Requests with protection information."""

    def __init__(self, path, kind):
        self.file = os.open(path, os.O_RDWR | os.O_DIRECT)
        self.ring = Ring()
        self.data = mmap.mmap(-1, COUNT * BLOCK)
        self.size, self.offset, self.tuple = KINDS[kind]
        # Where the application tag is in a tuple.
        self.app_tag = self.offset + (2 if kind == "crc" else 8)
        self.tuples = mmap.mmap(-1, 4096)

    def request(self, operation, checks, app_tag=APP_TAG, seed=SEED):
        """All of it."""
        attribute = ctypes.create_string_buffer(struct.pack(
            "<HHIQQQ", checks, app_tag, COUNT * self.size, address(self.tuples), seed, 0), 32)
        return self.ring.submit(operation, self.file, FIRST, self.data, attribute)

    def fill(self, app_tag=APP_TAG, seed=SEED):
        """New data, and tuples for it, behind something that they are for as well."""
        self.data[:] = os.urandom(len(self.data))
        for n in range(COUNT):
            block = self.data[n * BLOCK:(n + 1) * BLOCK]
            other = os.urandom(self.offset)
            self.tuples[n * self.size:(n + 1) * self.size] = \
                other + self.tuple(block + other, app_tag, seed + n)

    def content(self):
        """Data and tuples, as they are in memory."""
        return bytes(self.data), bytes(self.tuples[:COUNT * self.size])

    def write(self, checks, **what):
        """Writes what is in memory."""
        return self.request(OP_WRITE, checks, **what)

    def read(self, checks, **what):
        """Reads to memory, in which nothing was."""
        self.data[:] = bytes(len(self.data))
        self.tuples[:] = bytes(len(self.tuples))
        return self.request(OP_READ, checks, **what)


def test_roundtrip(disk):
    """What is read is what was written, data and tuples, whatever was counted from."""
    for seed in (SEED, FIRST, 0xfffffff0):
        disk.fill(seed=seed)
        was = disk.content()
        same("written", disk.write(CHK_ALL, seed=seed), COUNT * BLOCK)
        same("read", disk.read(CHK_ALL, seed=seed), COUNT * BLOCK)
        same("content", disk.content() == was, True)
    same("another beginning", disk.read(CHK_ALL, seed=7), COUNT * BLOCK)
    _, tuples = disk.content()
    same("first reference tag", int.from_bytes(tuples[disk.size - 4:disk.size], "big"), 7)


def refused(disk, checks, spoil):
    """A write with a tuple that is wrong in that way fails, and leaves what was there."""
    disk.fill()
    was = disk.content()
    same("written", disk.write(CHK_ALL), COUNT * BLOCK)
    before, of_writes = counter("write_mismatches"), requests("write", *PARTS)
    disk.fill()
    spoil(disk.tuples, 3 * disk.size)
    same("the wrong one", disk.write(checks), "EILSEQ")
    same("mismatches", counter("write_mismatches") - before, 1)
    same("mismatches of writes", requests("write", *PARTS) - of_writes, 1)
    same("read", disk.read(CHK_ALL), COUNT * BLOCK)
    same("content", disk.content() == was, True)
    # Whoever doesn't want it checked has it written.
    disk.fill()
    spoil(disk.tuples, 3 * disk.size)
    wrong = disk.content()
    same("unchecked", disk.write(CHK_ALL & ~checks), COUNT * BLOCK)
    before = counter("read_mismatches")
    same("read, checked", disk.read(checks), "EILSEQ")
    same("mismatches of reads", counter("read_mismatches") - before, 1)
    same("read, unchecked", disk.read(CHK_ALL & ~checks), COUNT * BLOCK)
    same("content", disk.content() == wrong, True)


def flip(offset):
    """Changes a byte of a tuple."""
    def spoil(tuples, at):
        tuples[at + offset] ^= 0x40
    return spoil


def test_guard(disk):
    """The guard tag."""
    refused(disk, CHK_GUARD, flip(disk.offset))


def test_before(disk):
    """What is before the tuple is guarded; where nothing is, the data is."""
    refused(disk, CHK_GUARD, flip(0))


def test_app_tag(disk):
    """The application tag, which is compared with the attribute's."""
    refused(disk, CHK_APPTAG, flip(disk.app_tag))


def test_ref_tag(disk):
    """The reference tag."""
    refused(disk, CHK_REFTAG, flip(disk.size - 1))


def test_escape(disk):
    """An application tag of ones: this block isn't checked."""
    disk.fill()
    at = 3 * disk.size
    disk.tuples[at + disk.offset] ^= 1
    disk.tuples[at + disk.app_tag:at + disk.app_tag + 2] = b"\xff\xff"
    same("written", disk.write(CHK_ALL), COUNT * BLOCK)
    same("read", disk.read(CHK_ALL), COUNT * BLOCK)


def opaque(disk):
    """What is nobody's comes back as it was."""
    disk.fill()
    was = disk.content()
    same("written", disk.write(0), COUNT * BLOCK)
    same("read", disk.read(0), COUNT * BLOCK)
    same("content", disk.content() == was, True)


def main():
    tests = tests_in(globals())
    tests["opaque"] = opaque
    device, kind, name = sys.argv[1:]
    tests[name](Disk(device, kind))


if __name__ == "__main__":
    main()
