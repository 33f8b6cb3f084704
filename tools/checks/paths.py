#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""No paths of one machine, no host of a package registry, no stray white space."""

import os
import re

import files
import tree

RULES = (
    (re.compile(r"(?<![\w./})-])/(home|Users|root)/[\w.]"), "a path in somebody's home"),
    (re.compile(r"https?://[^ /]*/(debian|simple|crates|artifactory)(/|\b)"),
     "the host of a package registry or mirror"),
    (re.compile(r"\b(((deb|security|ftp(\.\w+)?|snapshot)\.debian|(static|index)\.crates"
                r"|registry\.npmjs|proxy\.golang)\.(org|io)|files\.pythonhosted\.org)\b"),
     "the host of a package registry or mirror"),
    (re.compile(r"^\s*(deb|URIs:?)\s.*https?://"), "the host of a package mirror"),
    (re.compile(r"[ \t]+$"), "white space at the end of the line"),
)
EXEMPT = {"COPYING", "Cargo.lock"}
# An empty line of context is a space there.
EXEMPT_SUFFIX = ".patch"


def find(top):
    """Yields what is wrong."""
    for name in files.files(top):
        if os.path.basename(name) in EXEMPT or name.endswith(EXEMPT_SUFFIX):
            continue
        for number, line in enumerate(tree.lines(top, name), 1):
            for pattern, what in RULES:
                if pattern.search(line):
                    yield name, number, what


if __name__ == "__main__":
    tree.main(find)
