#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Records of violations. DIRECTORY NAME runs one test. That of a file wants ext4 there, on
/dev/dif0, which has no stable pages, and a window of two seconds; "changed" goes by the
module's parameters."""

import errno
import json
import mmap
import os
import select
import subprocess
import sys
import threading
import time

from lib import DEBUGFS, WRITE, counter, crc16, same, sync_file_range, tests_in

DEVICE = "/dev/dif0"
PARAMETERS = "/sys/module/dif_blk/parameters"
TRACING = "/sys/kernel/tracing"
HERE = os.path.dirname(os.path.abspath(__file__))


def records():
    """All that are there."""
    file = os.open(f"{DEBUGFS}/records", os.O_RDONLY | os.O_NONBLOCK)
    text = b""
    try:
        while True:
            # In pieces, as somebody may.
            piece = os.read(file, 100)
            text += piece
    except BlockingIOError:
        pass
    finally:
        os.close(file)
    same("the end", text[-1:] in (b"", b"\n"), True)
    return [json.loads(line) for line in text.splitlines()]


def parameter(name):
    """What the module was loaded with."""
    with open(f"{PARAMETERS}/{name}", encoding="ascii") as file:
        return file.read().strip()


def in_flight(write, change, delay=0.4):
    """Has another thread call change() while write() is on its way. What that returned: a
    length or the name of an errno."""
    over, late = threading.Event(), []

    def run():
        if over.wait(delay):
            late.append("nothing was changed")
        else:
            change()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        result = write()
    except OSError as failure:
        result = errno.errorcode[failure.errno]
    finally:
        over.set()
        thread.join()
    same("the write was over too soon", late, [])
    return result


def hit(path, changes):
    """Writes a file of zeroes, and changes it while it is written back."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.pwrite(file, bytes(16384), 0)
    # Blocks are there, and the journal has nothing to do with what comes.
    os.fsync(file)
    records()
    os.pwrite(file, bytes(16384), 0)
    sync_file_range(file, 16384, WRITE)
    time.sleep(0.5)
    for at, piece in changes:
        os.pwrite(file, piece, at)
    time.sleep(3)
    inode = os.fstat(file).st_ino
    os.close(file)
    return inode


def test_file(top):
    """Which inode, offset and bytes, and what they were and are."""
    inode = hit(f"{top}/file", [(4096 + 512 + 10, b"abc"), (4096 + 512 + 100, b"x"),
                                (12288, b"last")])
    first, second = sorted(records(), key=lambda record: record["offset"])
    for record, offset, ranges, after in ((first, 4096 + 512 + 10, [[10, 12], [100, 100]],
                                           b"abc" + bytes(61)),
                                          (second, 12288, [[0, 3]], b"last" + bytes(60))):
        same("kind", record["kind"], "file")
        same("inode", record["inode"], inode)
        same("fs", record["fs"], "dif0")
        device = os.stat(top).st_dev
        same("dev", record["dev"], f"{os.major(device)}:{os.minor(device)}")
        same("offset", record["offset"], offset)
        same("ranges", record["ranges"], ranges)
        same("before", record["before"], bytes(64).hex())
        same("after", record["after"], after.hex())
        same("interval", record["interval"], 512)
        same("the page is written back", record["page"]["writeback"], True)
        same("dirty", record["page"]["dirty"], True)
        same("direct", record["page"]["direct"], False)
        same("guards differ", record["guard"][0] != record["guard"][1], True)
        same("looks", (record["look"], record["looks"]), (0, 1))
        same("two seconds later", 2e9 <= record["after_submit_ns"] < 4e9, True)
        # sync_file_range() submits in its own thread.
        same("by", (record["comm"], record["pid"]), ("python3", os.getpid()))
        where = record["request"]
        same("in the request", where["sector"] <= record["sector"]
             < where["sector"] + where["bytes"] // 512, True)
    same("numbers", second["seq"] != first["seq"], True)
    same("time", abs(time.monotonic_ns() - first["time_ns"]) < 60e9, True)


def test_direct(_):
    """A buffer of direct I/O."""
    records()
    result = subprocess.run([f"{HERE}/flip_in_flight.py", DEVICE, "8", "4096", "700", "0.5"],
                            check=True, capture_output=True).stdout
    same("result", result, b"EILSEQ\n")
    record, = records()
    same("kind", record["kind"], "memory")
    same("sector", record["sector"], 9)
    same("ranges", record["ranges"], [[700 - 512, 700 - 512]])
    before, after = (bytes.fromhex(record[name]) for name in ("before", "after"))
    same("the bit", before[0] ^ after[0], 0x10)
    same("the rest", before[1:], after[1:])
    same("a buffer of direct I/O", (record["page"]["direct"], record["page"]["anonymous"]),
         (True, True))
    same("by", record["comm"], "python3")


def test_changed(_):
    """A buffer of direct I/O, as the module's parameters say: what the record has, and what is
    on the disk then."""
    keeps, fails = parameter("keep_copy") == "1", parameter("on_violation") == "fail"
    # Guarded, in metadata, with the data: the block layer leaves zeroes there.
    size, more = int(parameter("block_size")), bytes(int(parameter("pi_offset")))
    # Tuples of type 0 are nobody's.
    tuples = parameter("pi_type") != "0"
    length, first, byte = 8192, 24, 4096 + 700
    n, at = divmod(byte, size)
    begin, end = n * size, (n + 1) * size
    file = os.open(DEVICE, os.O_RDWR | os.O_DIRECT)
    buffer = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def fill():
        content = os.urandom(length)
        buffer[:] = content
        return content

    def write():
        return os.pwrite(file, buffer, first * 512)

    def change():
        buffer[byte] ^= 0x10

    old = fill()
    same("a write", write(), length)
    same("no record of it", records(), [])
    names = ("violations", "writes_checked", "intervals_checked", "write_mismatches",
             "intervals_read", "read_mismatches")
    before = [counter(name) for name in names]
    was = fill()
    same("result", in_flight(write, change), "EILSEQ" if fails else length)
    now = buffer[:]
    record, = records()
    same("kind", record["kind"], "memory")
    same("where", (record["sector"], record["interval"]), (first + begin // 512, size))
    same("request", record["request"], {"sector": first, "bytes": length})
    # Without a copy nobody knows which byte it was.
    shown = at if keeps else 0
    same("ranges", record["ranges"], [[at, at] if keeps else [0, size - 1]])
    same("before", record["before"],
         was[begin + shown:min(end, begin + shown + 64)].hex() if keeps else "")
    same("after", record["after"], now[begin + shown:min(end, begin + shown + 64)].hex())
    if tuples:
        same("guards", record["guard"],
             [f"{crc16(content[begin:end] + more):#06x}" for content in (was, now)])
    same("looks", (record["look"], record["looks"]), (0, 1))
    page = record["page"]
    same("a buffer that is mapped, and pinned for direct I/O",
         [page[name] for name in ("mapped", "pinned", "anonymous", "direct", "writeback")],
         [True, True, True, True, False])
    # Not the thread that changed it.
    same("by", (record["comm"], record["pid"]), ("python3", os.getpid()))

    stored = was[:begin] + (old if fails else now)[begin:end] + was[end:]
    os.preadv(file, [buffer], first * 512)
    same("what is stored", buffer[:] == stored, True)
    intervals = length // size
    same("counted", [counter(name) - start for name, start in zip(names, before)],
         [1, 1, intervals, 0, intervals if tuples else 0, 0])
    os.close(file)


def test_device(_):
    """A page of the block device's own cache, changed by way of a mapping."""
    offset, length = 65536, 1 << 17
    file = os.open(DEVICE, os.O_RDWR)
    memory = mmap.mmap(file, length)
    memory[offset:offset + 4096] = bytes(4096)
    os.fsync(file)
    same("no record yet", records(), [])
    memory[offset] = 1
    sync_file_range(file, length, WRITE)
    time.sleep(0.5)
    memory[offset + 1536 + 5] = 7
    time.sleep(3)
    record, = records()
    same("kind", record["kind"], "block device")
    same("nothing of a file", {"fs", "inode"} & record.keys(), set())
    number = os.stat(DEVICE).st_rdev
    same("which device", record["dev"], f"{os.major(number)}:{os.minor(number)}")
    same("offset", record["offset"], offset + 1536 + 5)
    same("where", (record["sector"], record["interval"]), ((offset + 1536) // 512, 512))
    same("ranges", record["ranges"], [[5, 5]])
    same("before", record["before"], bytes(64).hex())
    same("after", record["after"], (b"\7" + bytes(63)).hex())
    page = record["page"]
    same("dirty, in writeback and mapped", [page[name] for name in (
        "dirty", "writeback", "mapped", "pinned", "anonymous", "direct")],
        [True, True, True, False, False, False])
    same("by", (record["comm"], record["pid"]), ("python3", os.getpid()))
    memory.close()
    os.close(file)


def put(path, text):
    """Writes to a file of tracefs."""
    with open(f"{TRACING}/{path}", "w", encoding="ascii") as file:
        file.write(text)


def test_event(top):
    """The event says the same as the record."""
    put("trace", "")
    put("events/dif_blk/dif_blk_violation/enable", "1")
    hit(f"{top}/event", [(4096 + 10, b"abc"), (4096 + 100, b"x")])
    put("events/dif_blk/dif_blk_violation/enable", "0")
    with open(f"{TRACING}/trace", encoding="ascii") as file:
        lines = [line.partition("dif_blk_violation: ")[2].strip() for line in file
                 if not line.startswith("#")]
    record, = records()
    request, guard = record["request"], record["guard"]
    major, minor = record["dev"].split(":")
    ranges = ",".join(f"{end:#x}" for both in record["ranges"] for end in both)
    page = "|".join(name for name in ("dirty", "locked", "writeback", "mapped", "pinned",
                                      "anonymous", "direct") if record["page"][name])
    same("the event", lines, [
        f"dif0 seq {record['seq']} sector {record['sector']} interval {record['interval']} "
        f"request {request['sector']}+{request['bytes']} file fs 'dif0' dev {major},{minor} "
        f"ino {record['inode']} offset {record['offset']} ranges {{{ranges}}} "
        f"before {record['before']} after {record['after']} guard {guard[0]} -> {guard[1]} "
        f"page {page} after_submit_ns {record['after_submit_ns']} look {record['look']} "
        f"of {record['looks']} by '{record['comm']}' pid {record['pid']}"])


def test_poll(_):
    """Who waits is woken."""
    records()
    file = os.open(f"{DEBUGFS}/records", os.O_RDONLY)
    poll = select.poll()
    poll.register(file, select.POLLIN)
    begin = time.monotonic()
    same("nothing yet", poll.poll(1000), [])
    same("it waited", time.monotonic() - begin >= 1, True)

    # Asleep in poll() for a minute, if nobody wakes it: when that is over, poll() looks again.
    woken = []
    sleeper = threading.Thread(target=lambda: woken.append(poll.poll(60000)), daemon=True)
    sleeper.start()
    subprocess.run([f"{HERE}/flip_in_flight.py", DEVICE, "24", "4096", "0", "0.5"], check=True)
    sleeper.join(10)
    same("woken in poll()", woken, [[(file, select.POLLIN)]])
    same("by this", json.loads(os.read(file, 1 << 16))["sector"], 24)

    # Asleep in read().
    got = []
    reader = threading.Thread(target=lambda: got.append(os.read(file, 1 << 16)))
    reader.start()
    test = threading.Thread(target=subprocess.run, args=(
        [f"{HERE}/flip_in_flight.py", DEVICE, "8", "4096", "0", "0.5"],))
    test.start()
    reader.join(30)
    test.join()
    same("one record", json.loads(got[0])["sector"], 8)
    subprocess.run([f"{HERE}/flip_in_flight.py", DEVICE, "16", "4096", "0", "0.5"], check=True)
    same("poll", poll.poll(0), [(file, select.POLLIN)])
    same("another", json.loads(os.read(file, 1 << 16))["sector"], 16)
    same("nothing any more", poll.poll(0), [])
    os.close(file)


def test_dropped(_):
    """The first are kept: of five there is room for two."""
    records()
    before = counter("records_dropped")
    for sector in range(0, 40, 8):
        subprocess.run([f"{HERE}/flip_in_flight.py", DEVICE, str(sector), "4096", "0", "0.5"],
                       check=True, stdout=subprocess.DEVNULL)
    same("sectors", [record["sector"] for record in records()], [0, 8])
    same("dropped", counter("records_dropped") - before, 3)


def test_removed(_):
    """A reader comes to an end when the disk goes."""
    file = os.open(f"{DEBUGFS}/records", os.O_RDONLY)
    got = []
    reader = threading.Thread(target=lambda: got.append(os.read(file, 100)))
    reader.start()
    time.sleep(0.5)
    with open("/sys/kernel/config/dif_blk/dif0/power", "w", encoding="ascii") as power:
        power.write("0")
    reader.join(30)
    same("an end", got, [b""])
    same("once more", os.read(file, 100), b"")
    poll = select.poll()
    poll.register(file, select.POLLIN)
    same("hung up", [(file, select.POLLHUP)], poll.poll(0))
    os.close(file)


def main():
    tests = tests_in(globals())
    directory, name = sys.argv[1:]
    tests[name](directory)


if __name__ == "__main__":
    main()
