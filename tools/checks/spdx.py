#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Every file says on its first lines that it is under GPL-2.0, as the kernel has it said."""

import os
import re

import files
import tree

# Not written by hand, or nothing to protect.
EXEMPT = {"COPYING", "Cargo.lock"}
# What stands before and after it, by the end of the name. See the kernel's license-rules.rst.
COMMENTS = {
    ".rs": ("// ", ""),
    ".c": ("// ", ""),
    ".h": ("/* ", " */"),
    ".css": ("/* ", " */"),
    ".js": ("// ", ""),
    ".md": ("<!-- ", " -->"),
    ".rst": (".. ", ""),
}
OTHERS = ("# ", "")
TAG = "SPDX-License-Identifier:"
# GPL-2.0-or-later is another licence.
LICENCE = r"GPL-2\.0(-only)?( WITH [\w.-]+)?( OR [\w.-]+)*"


def find(top):
    """Yields the files that do not."""
    for name in files.files(top):
        if os.path.basename(name) in EXEMPT:
            continue
        begin, end = COMMENTS.get(os.path.splitext(name)[1], OTHERS)
        line = re.compile(f"{re.escape(begin)}{TAG} {LICENCE}{re.escape(end)}")
        head = tree.lines(top, name)[:3]
        if any(map(line.fullmatch, head)):
            continue
        for number, text in enumerate(head, 1):
            if TAG in text:
                yield name, number, f"not '{begin}{TAG} GPL-2.0{end}'"
                break
        else:
            yield name, 1, f"no line '{begin}{TAG} GPL-2.0{end}' at the top"


if __name__ == "__main__":
    tree.main(find)
