#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Each check finds what it is there to find, and nothing in a clean tree."""

import os
import shutil
import subprocess
import tempfile
import unittest

import files
import paths
import spdx
import unsafe

HEAD = "// SPDX-License-Identifier: GPL-2.0\n"


class Tree(unittest.TestCase):
    """A tree made for one test."""

    def setUp(self):
        # pylint: disable-next=consider-using-with
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def write(self, texts):
        """Makes these files in it."""
        for name, text in texts.items():
            path = os.path.join(self.directory.name, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def found(self, check, texts):
        """What the check says of a tree with these files."""
        self.write(texts)
        return [what for _, _, what in check.find(self.directory.name)]


class Files(Tree):
    """files.py"""

    OURS = ("Kbuild", "rust/pi/pi.rs", "sub/build/kept", ".config")
    BUILT = ("rust/pi/pi.o", "rust/pi/.pi.o.cmd", "build/log", "target/a/b", "modules.order",
             "tools/__pycache__/a.pyc", "rust/bindings/bindings_generated.rs", "a.ko")

    def setUp(self):
        super().setUp()
        with open(os.path.join(os.path.dirname(__file__), "../../.gitignore"),
                  encoding="utf-8") as file:
            self.write({".gitignore": file.read(), **{name: "" for name in self.OURS + self.BUILT}})
        self.expected = sorted(self.OURS + (".gitignore",))

    def test_without_git(self):
        self.assertEqual(list(files.files(self.directory.name)), self.expected)

    @unittest.skipUnless(shutil.which("git"), "there is no git")
    def test_with_git(self):
        subprocess.run(["git", "init", "-q", self.directory.name], check=True)
        self.assertEqual(list(files.files(self.directory.name)), self.expected)

    @unittest.skipUnless(shutil.which("git"), "there is no git")
    def test_in_the_repository_of_somebody_else(self):
        subprocess.run(["git", "init", "-q", self.directory.name], check=True)
        self.write({"sub/.gitignore": "", "sub/b.o": ""})
        self.assertEqual(list(files.files(os.path.join(self.directory.name, "sub"))),
                         [".gitignore", "b.o", "build/kept"])


class Spdx(Tree):
    """spdx.py"""

    def test_clean(self):
        self.assertEqual(self.found(spdx, {"a.rs": HEAD, "COPYING": "words"}), [])

    def test_missing(self):
        self.assertEqual(len(self.found(spdx, {"a.rs": "fn f() {}\n"})), 1)

    def test_too_late(self):
        self.assertEqual(len(self.found(spdx, {"a.rs": "\n\n\n" + HEAD})), 1)

    def test_in_the_comments_of_another_language(self):
        for name in ("a.py", "a.h", "a.css", "a.md", "a.rst", "Makefile"):
            self.assertEqual(len(self.found(spdx, {name: HEAD})), 1, name)
            os.remove(os.path.join(self.directory.name, name))

    def test_other_licences(self):
        tag = HEAD.strip()
        for good in (" WITH Linux-syscall-note", " OR MIT", "-only"):
            self.assertEqual(self.found(spdx, {"a.rs": f"{tag}{good}\n"}), [])
        for bad in ("-or-later", "+", " AND MIT", " OR"):
            self.assertEqual(len(self.found(spdx, {"a.rs": f"{tag}{bad}\n"})), 1, bad)


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

        self.assertEqual(self.found(unsafe, {"rust/storage/a.rs": "f();\nunsafe trait T {}\n"}),
                         ["`unsafe trait` without a `# Safety` section"])

    def test_what_only_looks_like_it(self):
        self.assertEqual(self.found(unsafe, {"samples/d/d.rs": (
            'const A: &str = "a\nunsafe b\\" unsafe c\n";\n/* a /* b */\nunsafe c\n*/\n'
            'const B: &str = r#"x " unsafe "#; // unsafe\nfn f<\'unsafe_>() {}\n')}), [])

    def test_behind_a_literal_or_comment(self):
        for before in ("g('\"');", "g(b'\"');", r"g('\\'); g('\"');", '/* " */', r'g(r"\");',
                       'g(r#"""#);', "fn g<'a>(a: &'a str) {} g(\"'\");", "/* /* */ */", '// "\n'):
            self.assertEqual(self.found(unsafe, {"samples/d/d.rs": f'{before} unsafe {{ h("x") }}'}),
                             ["`unsafe` outside rust/storage"], before)

    def test_with_an_argument_for_something_else(self):
        for text in ("f(\n    // SAFETY: a.\n    unsafe { a() },\n    unsafe { b() },\n);\n",
                     "// SAFETY: gone.\n\nunsafe { a() };\n",
                     "// SAFETY: for f.\nf();\nunsafe\n{\n    a();\n}\n",
                     'f();\nunsafe { a("SAFETY:") };\n',
                     "// SAFETY: for one.\nlet a = (unsafe { a() },\n    unsafe { b() });\n"):
            self.assertEqual(self.found(unsafe, {"rust/storage/a.rs": text}),
                             ["`unsafe` without a `// SAFETY:` comment"], text)

    def test_argued_across_lines(self):
        self.assertEqual(self.found(unsafe, {"rust/storage/a.rs": (
            "// SAFETY: it is.\nlet a = b\n    .c()\n    .d(unsafe { f() });\n"
            "// SAFETY: it is.\n#[expect(\n    dead_code,\n    reason = \"r\"\n)]\n"
            "unsafe impl Send for A {}\ntype F = unsafe extern \"C\" fn(u32);\n"
            "/// # Safety\n///\n/// None.\n#[inline]\n"
            "pub unsafe extern \"C\" fn g() {}\n")}), [])

    def test_crate_that_does_not_forbid(self):
        self.assertEqual(len(self.found(unsafe, {
            "rust/ext2/src/lib.rs": "", "rust/ext2/Cargo.toml": ""})), 1)
        self.assertEqual(len(self.found(unsafe, {
            "rust/ext2/src/lib.rs": "/*\n#![forbid(unsafe_code)]\n*/\n"})), 1)
        os.remove(os.path.join(self.directory.name, "rust/ext2/src/lib.rs"))
        self.assertEqual(len(self.found(unsafe, {"samples/d/d.rs": "", "samples/d/Kbuild": "d.o"})),
                         1)


class Paths(Tree):
    """paths.py"""

    def test_clean(self):
        self.assertEqual(self.found(paths, {"a": "see /sys/block and https://docs.kernel.org/\n"}),
                         [])

    def test_home(self):
        self.assertEqual(len(self.found(paths, {"a": "cd " + "/home/" + "me/src\n"})), 1)
        self.assertEqual(len(self.found(paths, {"a": "cd " + "/root/" + ".cache\n"})), 1)

    def test_folders_called_root(self):
        self.assertEqual(self.found(paths, {"a": "$tmp/root/a ${tmp}/root/a HOME=/root\n"}), [])

    def test_mirror(self):
        self.assertEqual(len(self.found(paths, {"a": "deb http://" + "host/debian main\n"})), 2)
        self.assertEqual(len(self.found(paths, {"a": "wget static.crates" + ".io/x\n"})), 1)

    def test_white_space(self):
        self.assertEqual(len(self.found(paths, {"a": "x \n"})), 1)


if __name__ == "__main__":
    unittest.main()
