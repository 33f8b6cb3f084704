# SPDX-License-Identifier: GPL-2.0
"""Tests of inside/kernel-choose.py: which packages make a kernel."""

import importlib.util
import os
import unittest

PATH = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../inside/kernel-choose.py")
SPEC = importlib.util.spec_from_file_location("kernel_choose", PATH)
CHOOSE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CHOOSE)

RELEASE = "7.3.4+deb13-amd64"
BASE = {f"linux-headers-{RELEASE}", "linux-source-7.3", f"linux-modules-{RELEASE}",
        f"linux-base-{RELEASE}"}


def image(names):
    """The package that the image is taken from."""
    found = CHOOSE.complete_set(names, "7")
    return found and found[1][2]


class CompleteSet(unittest.TestCase):
    """complete_set"""

    def test_no_image(self):
        """Not a whole kernel."""
        self.assertIsNone(image(BASE))

    def test_before_it_is_signed(self):
        """The image alone."""
        names = BASE | {f"linux-binary-unsigned-{RELEASE}"}
        self.assertEqual(image(names), f"linux-binary-unsigned-{RELEASE}")

    def test_after_it_is_signed(self):
        """linux-image is there as well, and has no image."""
        names = BASE | {f"linux-binary-unsigned-{RELEASE}", f"linux-image-{RELEASE}"}
        self.assertEqual(image(names), f"linux-binary-unsigned-{RELEASE}")
        names = BASE | {f"linux-binary-{RELEASE}", f"linux-image-{RELEASE}"}
        self.assertEqual(image(names), f"linux-binary-{RELEASE}")

    def test_older_packages(self):
        """linux-image has it all."""
        names = {f"linux-headers-{RELEASE}", "linux-source-7.3", f"linux-image-{RELEASE}"}
        self.assertEqual(image(names), f"linux-image-{RELEASE}")


if __name__ == "__main__":
    unittest.main()
