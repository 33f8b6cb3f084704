#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`unsafe` only where DESIGN allows it, and never without an argument."""

import os
import re

import tree

# Where it may stand.
ALLOWED = ("rust/storage/", "rust/bindings/", "tools/wac/src/mapping.rs")
# Crates that must forbid it: each file that is a crate root here.
FORBIDDEN = ("samples/", "rust/pi/", "rust/ext2/", "rust/stability/")

UNSAFE = re.compile(r"\bunsafe\b")
NEEDS_SAFETY = re.compile(r"\bunsafe\s*(\{|impl\b)")
# `unsafe fn(..)` and `unsafe extern "C" fn(` are types, where no name follows.
NEEDS_CONTRACT = re.compile(r'\bunsafe\s+(extern\s+"C"\s+)?fn\s+\w')
FORBIDS = "#![forbid(unsafe_code)]"


def code_of(line):
    """A line without its strings and comments, near enough for one word."""
    line = re.sub(r'b?"(\\.|[^"\\])*"', '""', line)
    return line.split("//")[0]


def crate_roots(top, names):
    """The .rs files in a forbidding folder that a Kbuild or Cargo.toml beside them names."""
    for name in names:
        folder, base = os.path.split(name)
        if not name.endswith(".rs") or not name.startswith(FORBIDDEN):
            continue
        stem = base[:-len(".rs")]
        for build, needle in (("Kbuild", f"{stem}.o"), ("Cargo.toml", f'"{base}"')):
            beside = os.path.join(folder, build)
            if beside in names and any(needle in line for line in tree.lines(top, beside)):
                yield name
                break


def comment_above(lines, number):
    """The comments and attributes that stand directly above a line, and what the statement
    begins with: rustfmt may have put `unsafe` on a later line of it."""
    above = []
    for line in reversed(lines[max(0, number - 30):number]):
        text = line.strip()
        if text.startswith(("//", "#[")) or not above and not text.endswith((";", "}", "{")):
            above.append(text)
        else:
            break
    return "\n".join(above)


def find(top):
    """Yields what is wrong."""
    names = set(tree.files(top))
    for name in sorted(crate_roots(top, names)):
        if not any(line.strip() == FORBIDS for line in tree.lines(top, name)):
            yield name, 1, f"crate root without {FORBIDS}"
    for name in sorted(names):
        if not name.endswith(".rs"):
            continue
        lines = tree.lines(top, name)
        for number, line in enumerate(lines):
            code = code_of(line)
            if not UNSAFE.search(code):
                continue
            if not name.startswith(ALLOWED):
                yield name, number + 1, "`unsafe` outside rust/storage"
                continue
            above = comment_above(lines, number)
            if NEEDS_SAFETY.search(code) and "SAFETY:" not in above + line:
                yield name, number + 1, "`unsafe` without a `// SAFETY:` comment"
            if NEEDS_CONTRACT.search(code) and "# Safety" not in above:
                yield name, number + 1, "`unsafe fn` without a `# Safety` section"


if __name__ == "__main__":
    tree.main(find)
