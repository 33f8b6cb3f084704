#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""check.py BROWSER PAGE [PICTURES]: BROWSER, a command, looks at the page of a survey in a browser, in windows as wide as a
phone's and a desk's, in light and dark, and at pages that are broken on purpose. Prints TAP. Pictures of
what it saw go to the directory PICTURES."""

import os
import sys
import tempfile

from browser import Browser

WIDTHS = (360, 1600)
SCHEMES = ("light", "dark")
# What is broken, how, and what has to be said of it.
BROKEN = (
    ("a table that is too wide", "</style>", "table { min-width: 1700px } </style>",
     "page: the page has"),
    ("a line that is too long", "</style>", "pre { white-space: pre !important } </style>",
     "pre has to be scrolled"),
    ("details that are not shown", ".detail:target {", ".detail:nothing {", "nothing is shown"),
    ("one square that leads nowhere", ' id="ext4/mmap"', "", "ext4/mmap: nothing is shown"),
    ("a part of the details that is hidden", "</style>", ".hex { display: none } </style>",
     "pre is not shown"),
    ("text that is too pale", "</style>", ".note { color: #999 } </style>", "a contrast of"),
    ("a script", "<main>", "<script>document.title = 'run'</script><main>", "there is a script"),
)


class Tap:
    """Tests, numbered, and whether all passed."""

    def __init__(self):
        self.number = 0
        self.failed = False

    def test(self, name, wrong):
        """One that passed if nothing is wrong."""
        self.number += 1
        self.failed |= bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {self.number} {name}")
        for line in wrong[:20]:
            print(f"# {line}")


def inspect(browser, width, most=10000):
    """What inspect.js finds wrong, and how many squares there were."""
    with open(os.path.join(os.path.dirname(__file__), "inspect.js"), encoding="utf-8") as file:
        result = browser.evaluate(f"({file.read()})({width}, {most})")
    return result["wrong"], result["squares"]


def keyboard(browser):
    """What is wrong for somebody without a mouse: the first square, and a combination behind it."""
    shown = "document.querySelector('.detail:target')?.checkVisibility()"
    opened = "document.querySelectorAll('.detail:target details[open]').length"
    browser.evaluate("document.querySelector('.square a').focus()")
    browser.press("Enter", 13)
    if not browser.evaluate(shown):
        return ["Enter on a square shows nothing"]
    before = browser.evaluate(opened)
    browser.evaluate("document.querySelector('.detail:target details:not([open]) summary').focus()")
    browser.press("Enter", 13)
    return [] if browser.evaluate(opened) == before + 1 else ["Enter on a combination does nothing"]


def pictures(browser, url, directory):
    """The top of the page, the table, and what is behind a square."""
    for width in (360, 800, 1600):
        for scheme in SCHEMES:
            for name, fragment in (("top", ""), ("table", "#table"), ("detail", "#ext4/direct")):
                browser.open(url + fragment, width, scheme, 1200)
                browser.picture(os.path.join(directory, f"{name}-{width}-{scheme}.png"))


def main(program, page, directory=None):
    """Exit status 0 if the page is good, and each broken one is found to be."""
    tap = Tap()
    url = "file://" + os.path.abspath(page)
    with Browser(program) as browser, tempfile.TemporaryDirectory() as room:
        for width in WIDTHS:
            for scheme in SCHEMES:
                browser.open(url, width, scheme)
                wrong, squares = inspect(browser, width)
                if squares < 100:
                    wrong.append(f"there are {squares} squares only")
                tap.test(f"{squares} squares, {width} pixels, {scheme}", wrong)
        browser.open(url, 1600, "light")
        tap.test("with the keyboard", keyboard(browser))
        with open(page, encoding="utf-8") as file:
            good = file.read()
        for name, old, new, said in BROKEN:
            broken = os.path.join(room, "broken.html")
            with open(broken, "w", encoding="utf-8") as file:
                file.write(good.replace(old, new, 1))
            browser.open("file://" + broken, 360, "light")
            wrong, _ = inspect(browser, 360, 12)
            found = any(said in line for line in wrong)
            tap.test(f"found: {name}", [] if found else [f"not found: '{said}'", *wrong])
        if directory:
            pictures(browser, url, directory)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (OSError, RuntimeError) as error:
        sys.exit(f"check.py: {error}")
