#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""kernel-choose.py SERIES <Packages: which kernel to take.

Prints one line: release, package version, names of the packages. Takes the
newest version of the series for which source, headers and image are there in
the same version: they are not replaced in the archive at the same time.
"""

import functools
import re
import subprocess
import sys


def stanzas(lines):
    """(name, version) of every package in a Packages file."""
    name = version = None
    for line in lines:
        if line.startswith("Package: "):
            name = line[9:].strip()
        elif line.startswith("Version: "):
            version = line[9:].strip()
        elif not line.strip():
            if name and version:
                yield name, version
            name = version = None
    if name and version:
        yield name, version


def compare(a, b):
    """Order of two Debian package versions."""
    if a == b:
        return 0
    less = subprocess.run(["dpkg", "--compare-versions", a, "lt", b], check=False)
    return -1 if less.returncode == 0 else 1


def complete_set(names, series):
    """(release, packages) if these names make a whole kernel, or None."""
    sources = [n for n in names if re.fullmatch(rf"linux-source-{series}\.\d+", n)]
    for headers in sorted(names, reverse=True):
        match = re.fullmatch(r"linux-headers-(\d[^-]*-amd64)", headers)
        if not match or not sources:
            continue
        release = match.group(1)
        # In newer packages, linux-image has nothing but dependencies, and comes days after the
        # others, with the signed image: those that have one go first.
        images = [f"linux-binary-unsigned-{release}", f"linux-binary-{release}",
                  f"linux-image-{release}-unsigned", f"linux-image-{release}"]
        image = next((n for n in images if n in names), None)
        if image is None:
            continue
        extra = [f"linux-modules-{release}", f"linux-base-{release}"]
        return release, [sources[0], headers, image, *(n for n in extra if n in names)]
    return None


def main():
    series = sys.argv[1]
    by_version = {}
    for name, version in stanzas(sys.stdin):
        if name.startswith("linux-") and version.startswith(f"{series}."):
            by_version.setdefault(version, set()).add(name)
    for version in sorted(by_version, key=functools.cmp_to_key(compare), reverse=True):
        found = complete_set(by_version[version], series)
        if found:
            release, packages = found
            print(release, version, *packages)
            return 0
    print(f"no {series}.x kernel in backports has source, headers and image in the "
          f"same version; there is: {', '.join(sorted(by_version)) or 'none'}",
          file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
