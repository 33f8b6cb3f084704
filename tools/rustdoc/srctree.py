#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""srctree.py PAGES KDIR: links to srctree/FILE go to the kernel's sources on the web.

That is how kernel code refers to a file of the kernel. Exit status 1 if there is no such
file in the tree that the crates were built against."""

import os
import re
import sys

import pages

WEB = "https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git/tree"
LINK = re.compile(r'href="srctree/([^"#]*)')


def tag(release):
    """The tag of a release: v7.3.4 of 7.3.4+deb13-amd64, v7.3 of 7.3.0, v7.4-rc2 of 7.4.0-rc2."""
    version = re.match(r"(\d+\.\d+)(\.\d+)?(-rc\d+)?", release)
    sub = version[2] if version[2] not in (None, ".0") else ""
    return f"v{version[1]}{sub}{version[3] or ''}"


def main():
    """See the top."""
    top, kernel = sys.argv[1:]
    with open(os.path.join(kernel, "include/config/kernel.release"), encoding="utf-8") as file:
        query = f"?h={tag(file.read().strip())}"
    missing = set()
    for name in pages.paths(top):
        text = pages.read(top, name)
        files = set(LINK.findall(text))
        missing |= {(name, file) for file in files
                    if not os.path.exists(os.path.join(kernel, file))}
        if files:
            pages.write(top, name, LINK.sub(lambda link: f'href="{WEB}/{link[1]}{query}', text))
    for name, file in sorted(missing):
        print(f"{name}: the kernel has no {file}", file=sys.stderr)
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
