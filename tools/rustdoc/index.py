#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""index.py PAGES: in rustdoc's list of crates, the first sentence of each beside it."""

import re
import sys

import pages

# As rustdoc writes its list, and the beginning of a crate's own text.
ENTRY = re.compile(r'<li><a href="(\w+)/index\.html">\w+</a></li>')
FIRST = re.compile(r'<div class="docblock"><p>(.*?)(?:\.\s|\.?</p>)', re.DOTALL)
TAGS = re.compile(r"<[^>]*>")


def describe(top, crate):
    """A crate in one sentence."""
    first = FIRST.search(pages.read(top, f"{crate}/index.html"))
    if not first:
        sys.exit(f"{crate} has no text to begin with")
    return " ".join(TAGS.sub("", first[1]).split())


def main():
    """See the top."""
    top = sys.argv[1]
    text = pages.read(top, "index.html")
    text, count = ENTRY.subn(
        lambda entry: f"{entry[0].removesuffix('</li>')}: {describe(top, entry[1])}</li>", text)
    if count == 0:
        sys.exit("rustdoc has made no list of crates")
    pages.write(top, "index.html", text)


if __name__ == "__main__":
    main()
