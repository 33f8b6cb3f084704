#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""links.py PAGES: each link to another page leads somewhere. Exit status 1 if one does not."""

import html
import os
import re
import sys

import pages

SCRIPT = re.compile(r"<script>.*?</script>", re.DOTALL)
LINK = re.compile(r'\b(?:href|src)="([^"#?]+)')
ELSEWHERE = re.compile(r"\w+:")


def main():
    """See the top."""
    top = sys.argv[1]
    seen = set()
    dead = False
    for name in pages.paths(top):
        folder = os.path.dirname(name)
        for link in set(LINK.findall(SCRIPT.sub("", pages.read(top, name)))):
            if ELSEWHERE.match(link):
                continue
            path = os.path.normpath(os.path.join(folder, html.unescape(link)))
            if path not in seen and not os.path.exists(os.path.join(top, path)):
                print(f"{name}: no {path}", file=sys.stderr)
                dead = True
            seen.add(path)
    sys.exit(1 if dead else 0)


if __name__ == "__main__":
    main()
