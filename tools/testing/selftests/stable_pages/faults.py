# SPDX-License-Identifier: GPL-2.0
"""Fault injection: its attributes, and whose allocations are meant. See
Documentation/fault-injection/ in the kernel."""

import contextlib

FAULTS = "/sys/kernel/debug"
KINDS = ("failslab", "fail_page_alloc")
# As many frames as the kernel looks at, at most.
DEPTH = 32
ALL = (0, (1 << 64) - 1)
NONE = (0, 0)


def code():
    """(address, name, module or "") of each function, by address."""
    found = []
    with open("/proc/kallsyms", encoding="ascii") as symbols:
        for line in symbols:
            words = line.split()
            if words[1] in "tTwW":
                found.append((int(words[0], 16), words[2], words[3] if words[3:] else ""))
    return sorted(found)


def function(name):
    """Where a function of the kernel begins, and where the next one does."""
    symbols = code()
    at = next(i for i, symbol in enumerate(symbols) if symbol[1:] == (name, ""))
    return symbols[at][0], next(s[0] for s in symbols[at:] if s[0] > symbols[at][0])


def text_of(module):
    """The first address of a module's code, and one behind its last function."""
    places = [address for address, _, owner in code() if owner == f"[{module}]"]
    return min(places), max(places) + 4096


class Fault:
    """The attributes of one kind of fault."""

    def __init__(self, kind):
        self.kind = kind

    def set(self, **attributes):
        """Write each attribute to the file that is called like it."""
        for name, value in attributes.items():
            path = f"{FAULTS}/{self.kind}/{name.replace('_', '-')}"
            with open(path, "w", encoding="ascii") as file:
                file.write(str(value))

    def left(self):
        """How often it may still happen."""
        with open(f"{FAULTS}/{self.kind}/times", encoding="ascii") as file:
            return int(file.read())

    @contextlib.contextmanager
    def only(self, through, but_not=NONE):
        """While this is open: only what is called through code in one range of
        addresses, and not through that in another, fails or is counted."""
        self.set(stacktrace_depth=DEPTH, require_start=through[0], require_end=through[1],
                 reject_start=but_not[0], reject_end=but_not[1])
        try:
            yield self
        finally:
            self.set(stacktrace_depth=0, require_start=ALL[0], require_end=ALL[1],
                     reject_start=NONE[0], reject_end=NONE[1])
