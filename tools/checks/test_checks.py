#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Each check finds what it is there to find, and nothing in a clean tree."""

import os
import subprocess
import tempfile
import unittest

import paths
import spdx
import unsafe

HEAD = "// SPDX-License-Identifier: GPL-2.0\n"


class Tree(unittest.TestCase):
    """A git tree made for one test."""

    def setUp(self):
        # pylint: disable-next=consider-using-with
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        subprocess.run(["git", "init", "-q", self.directory.name], check=True)

    def found(self, check, files):
        """What the check says of a tree with these files."""
        for name, text in files.items():
            path = os.path.join(self.directory.name, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return [what for _, _, what in check.find(self.directory.name)]


class Spdx(Tree):
    """spdx.py"""

    def test_clean(self):
        self.assertEqual(self.found(spdx, {"a.rs": HEAD, "COPYING": "words"}), [])

    def test_missing(self):
        self.assertEqual(len(self.found(spdx, {"a.rs": "fn f() {}\n"})), 1)

    def test_too_late(self):
        self.assertEqual(len(self.found(spdx, {"a.rs": "\n\n\n" + HEAD})), 1)


class Unsafe(Tree):
    """unsafe.py"""

    def test_clean(self):
        self.assertEqual(self.found(unsafe, {
            "rust/storage/a.rs": "// SAFETY: it is.\nlet a =\n    unsafe { f() };\n"
                                 "/// # Safety\n///\n/// None.\nunsafe fn f() {}\n",
            "rust/pi/pi.rs": "#![forbid(unsafe_code)]\n// unsafe\n",
            "rust/pi/Kbuild": "# pi.o\n"}), [])

    def test_in_a_driver(self):
        self.assertEqual(self.found(unsafe, {"samples/d/d.rs": "fn f() { unsafe { g() } }\n"}),
                         ["`unsafe` outside rust/storage"])

    def test_without_an_argument(self):
        self.assertEqual(self.found(unsafe, {"rust/storage/a.rs": "f();\nunsafe { g() };\n"}),
                         ["`unsafe` without a `// SAFETY:` comment"])
        self.assertEqual(len(self.found(unsafe, {
            "rust/storage/a.rs": "// SAFETY: for f.\nunsafe { f() };\nunsafe impl Send for A {}\n",
        })), 1)

    def test_without_a_contract(self):
        self.assertEqual(self.found(unsafe, {"rust/storage/a.rs": "/// Does.\nunsafe fn f() {}\n"}),
                         ["`unsafe fn` without a `# Safety` section"])

    def test_crate_that_does_not_forbid(self):
        self.assertEqual(len(self.found(unsafe, {"samples/d/d.rs": "", "samples/d/Kbuild": "d.o"})),
                         1)


class Paths(Tree):
    """paths.py"""

    def test_clean(self):
        self.assertEqual(self.found(paths, {"a": "see /sys/block and https://docs.kernel.org/\n"}),
                         [])

    def test_home(self):
        self.assertEqual(len(self.found(paths, {"a": "cd " + "/home/" + "me/src\n"})), 1)

    def test_mirror(self):
        self.assertEqual(len(self.found(paths, {"a": "deb http://" + "host/debian main\n"})), 2)

    def test_white_space(self):
        self.assertEqual(len(self.found(paths, {"a": "x \n"})), 1)


if __name__ == "__main__":
    unittest.main()
