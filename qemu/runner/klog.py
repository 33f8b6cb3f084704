# SPDX-License-Identifier: GPL-2.0
"""The kernel log: putting it together, and finding the reports in it."""

import re

# A line that makes a run fail. What a user-space process does to itself
# ("traps: prog[1] general protection fault") is no business of the kernel's.
OFFENDING = re.compile("|".join((
    r"\bWARNING: ",
    r"\bBUG: ",
    r"\bBUG at ",
    r"kernel BUG\b",
    r"\bOops\b",
    r"(?<!traps: )\bgeneral protection fault\b(?! ip:)",
    r"double fault:",
    r"Kernel panic",
    r"rust_kernel: .*panicked",
    r"INFO: task .* blocked (for more than|in I/O wait)",
    r"\brcu.*detected .*stalls?\b",
    r"\brcu.*self-detected stall\b",
    r"soft lockup|hard LOCKUP",
    r"possible circular locking|possible recursive locking",
    r"possible irq lock inversion|possible unsafe locking",
    r"inconsistent lock state|suspicious RCU usage",
    r"Invalid wait context|bad unlock balance|held lock freed|lock held when returning",
    r"\b(KASAN|KCSAN|KMSAN|KFENCE|UBSAN): ",
    r"kmemleak: \d+ new suspected",
    r"kmemleak: .*detector disabled",
    r"turning off the locking correctness validator",
    r"\bODEBUG: ",
    r"(list_add|list_del) corruption",
    r"refcount_t: ",
    r"DEBUG_LOCKS_WARN_ON|slab.*(Poison|Redzone) overwritten",
)))

USER_FAULT = re.compile(r"traps: \S+\[\d+\]")
BEGIN = "------------[ cut here ]------------"
STAMP = re.compile(r"\[\s*(\d+\.\d+)\]")

# Lines of one report are not further apart than this; what is, is another.
REPORT_LINES = 60
REPORT_SECONDS = 2.0
CONTEXT_BEFORE = 3
CONTEXT_AFTER = 25
# A Rust panic's message stands right before the BUG that it ends in.
TOGETHER = 5


def from_kmsg(data):
    """Records of /dev/kmsg -> lines [time] text; only what the kernel said.

    Lines that user space wrote into the log (facility not 0) are kept but marked
    with a '>', so that a test may name the trouble that it is about to provoke.
    """
    lines = []
    for record in data.decode("utf-8", "replace").split("\n"):
        head, semicolon, text = record.partition(";")
        if not semicolon or record.startswith(" ") or head.count(",") < 3:
            continue
        prio, _, stamp = head.split(",")[:3]
        seconds, micros = divmod(int(stamp), 1000000)
        mark = "" if int(prio) >> 3 == 0 else "> "
        text = re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m.group(1), 16)), text)
        lines.extend(f"[{seconds:5d}.{micros:06d}] {mark}{part}"
                     for part in text.split("\n"))
    return lines


def from_serial(data):
    """The serial console's bytes -> lines."""
    return [line.rstrip("\r") for line in data.decode("utf-8", "replace").split("\n")]


def merge(kmsg, serial):
    """The whole log. kmsg is complete but ends before a crash; the serial console
    lacks what came while it was quiet but goes on to the last line."""
    if not kmsg:
        return [line for line in serial if line.strip()]
    known = set(kmsg)
    known.update(line.replace("] > ", "] ", 1) for line in kmsg)
    last = stamp_of(kmsg[-1])
    return kmsg + [line for line in serial
                   if line.strip() and line not in known and stamp_of(line) >= last]


def stamp_of(line):
    """Seconds since boot that a line begins with, or 0."""
    match = STAMP.match(line)
    return float(match.group(1)) if match else 0.0


def offending(line):
    """Whether this line alone makes a run fail."""
    if "] > " in line[:20] or not OFFENDING.search(line):
        return False
    return not USER_FAULT.search(line)


class Report:
    """Consecutive lines of a log that tell of one trouble."""

    def __init__(self, lines, first, last):
        self.text = lines[max(0, first - CONTEXT_BEFORE):last + 1 + CONTEXT_AFTER]
        self.title = lines[first]

    def matches(self, regex):
        """Whether a line of it matches."""
        return any(re.search(regex, line) for line in self.text)


def reports(lines):
    """All reports in a log."""
    found, first, last = [], None, None
    for number, line in enumerate(lines):
        if not offending(line):
            continue
        if first is not None:
            between = lines[last + 1:number]
            if (number - last > REPORT_LINES or any(BEGIN in b for b in between[TOGETHER:]) or
                    stamp_of(line) - stamp_of(lines[last]) > REPORT_SECONDS):
                found.append(Report(lines, first, last))
                first = None
        if first is None:
            first = number
        last = number
    if first is not None:
        found.append(Report(lines, first, last))
    return found
