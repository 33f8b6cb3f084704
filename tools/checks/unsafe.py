#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`unsafe` only where CONTRIBUTING.md allows it, and never without an argument."""

import os
import re

import files
import rust_source
import tree

# Where it may stand.
ALLOWED = ("rust/storage/", "rust/bindings/", "tools/wac/src/mapping.rs",
           "tools/wac/src/uring.rs",
           "tools/testing/tsan/race/race.rs")
# Crates that must forbid it: each file that is a crate root here.
FORBIDDEN = ("samples/", "rust/pi/", "rust/ext2/", "rust/fault/", "rust/stability/")
# Where cargo looks for one that is not named.
DEFAULT_ROOTS = ("src/lib.rs", "src/main.rs")

# Literals are blank in what these see: `extern "C"` is `extern`.
UNSAFE = re.compile(r"\bunsafe\b")
NEEDS_SAFETY = re.compile(r"unsafe\s*(\{|\(|impl\b|extern\s*\{)")
# Where no name follows it is the type of a pointer.
NEEDS_CONTRACT = re.compile(r"unsafe\s+((extern\s+)?fn\s+\w|trait\b)")
FORBIDS = "#![forbid(unsafe_code)]"


def crate_roots(top, names):
    """The crate roots in forbidding folders: .rs files that a Kbuild or Cargo.toml beside them
    names, and where cargo looks for them."""
    for name in names:
        folder, base = os.path.split(name)
        if not name.startswith(FORBIDDEN):
            continue
        if base == "Cargo.toml":
            yield from (path for path in (os.path.join(folder, root) for root in DEFAULT_ROOTS)
                        if path in names)
        if not name.endswith(".rs"):
            continue
        stem = base[:-len(".rs")]
        for build, needle in (("Kbuild", rf"\b{re.escape(stem)}\.o\b"),
                              ("Cargo.toml", f'"{re.escape(base)}"')):
            beside = os.path.join(folder, build)
            if beside in names and any(re.search(needle, line)
                                       for line in tree.lines(top, beside)):
                yield name
                break


def comment_above(code, comments, number):
    """The comments that stand directly above line `number`, attributes aside, or above the
    statement whose later line it is: rustfmt may have put `unsafe` there."""
    above = []
    in_attribute = False
    for line, comment in zip(reversed(code[:number]), reversed(comments[:number])):
        line = line.strip()
        if in_attribute or line.startswith("#[") or line == ")]":
            in_attribute = not line.startswith("#[")
        elif line:
            # Code: of the same statement, or what was argued above is for something else.
            if above or line.endswith((";", ",", "{", "}")) or UNSAFE.search(line):
                break
        elif not comment.strip():
            break
        if comment.strip():
            above.append(comment)
    return "\n".join(above)


def find_in(text):
    """Yields line and fault of each `unsafe` of a file where it may stand."""
    all_code, all_comments = rust_source.split(text)
    code, comments = all_code.split("\n"), all_comments.split("\n")
    for match in UNSAFE.finditer(all_code):
        number = all_code.count("\n", 0, match.start())
        above = comment_above(code, comments, number)
        if NEEDS_SAFETY.match(all_code, match.start()) \
                and "SAFETY:" not in above + comments[number]:
            yield number + 1, "`unsafe` without a `// SAFETY:` comment"
        contract = NEEDS_CONTRACT.match(all_code, match.start())
        if contract and "# Safety" not in above:
            what = "trait" if contract[1] == "trait" else "fn"
            yield number + 1, f"`unsafe {what}` without a `# Safety` section"


def find(top):
    """Yields what is wrong."""
    names = set(files.files(top))
    for name in sorted(set(crate_roots(top, names))):
        code, _ = rust_source.split("\n".join(tree.lines(top, name)))
        if FORBIDS not in (line.strip() for line in code.split("\n")):
            yield name, 1, f"crate root without {FORBIDS}"
    for name in sorted(names):
        if not name.endswith(".rs"):
            continue
        text = "\n".join(tree.lines(top, name))
        if name.startswith(ALLOWED):
            for number, what in find_in(text):
                yield name, number, what
        else:
            code, _ = rust_source.split(text)
            for match in UNSAFE.finditer(code):
                yield name, code.count("\n", 0, match.start()) + 1, "`unsafe` outside rust/storage"


if __name__ == "__main__":
    tree.main(find)
