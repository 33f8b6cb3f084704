# SPDX-License-Identifier: GPL-2.0
"""The pages that rustdoc made."""

import os


def paths(top):
    """Each page, as a path relative to top."""
    for folder, _, names in os.walk(top):
        for name in names:
            if name.endswith(".html"):
                yield os.path.relpath(os.path.join(folder, name), top)


def read(top, name):
    """The text of a page."""
    with open(os.path.join(top, name), encoding="utf-8") as file:
        return file.read()


def write(top, name, text):
    """Puts another text in its place."""
    with open(os.path.join(top, name), "w", encoding="utf-8") as file:
        file.write(text)
