#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Every file says on its first lines that it is under GPL-2.0."""

import tree

# Not written by hand, or nothing to protect.
EXEMPT = {"COPYING", "Cargo.lock"}
LINE = "SPDX-License-Identifier: GPL-2.0"


def find(top):
    """Yields the files that do not."""
    for name in tree.files(top):
        if name in EXEMPT:
            continue
        head = tree.lines(top, name)[:3]
        if not any(LINE in line for line in head):
            yield name, 1, f"no line '{LINE}' at the top"


if __name__ == "__main__":
    tree.main(find)
