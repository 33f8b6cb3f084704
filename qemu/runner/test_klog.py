# SPDX-License-Identifier: GPL-2.0
"""python3 -m unittest discover -s qemu -t qemu"""

import unittest

from runner import klog


class Offending(unittest.TestCase):
    """Single lines."""

    def test_reports_are_seen(self):
        for line in (
                "WARNING: fs/x.c:7 at f+0x1/0x2, CPU#0: sh/1",
                "BUG: kernel NULL pointer dereference, address: 0000000000000010",
                "kernel BUG at rust/helpers/bug.c:7!",
                "Oops: general protection fault, probably for non-canonical address",
                "rust_kernel: panicked at a.rs:7:118:",
                "INFO: task mount:12 blocked for more than 120 seconds.",
                "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
                "rcu: INFO: rcu_preempt self-detected stall on CPU",
                "watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
                "WARNING: possible circular locking dependency detected",
                "WARNING: suspicious RCU usage",
                "inconsistent lock state",
                "BUG: KASAN: slab-use-after-free in f",
                "UBSAN: array-index-out-of-bounds in f.c:1",
                "kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
                "kmemleak: Kernel memory leak detector disabled",
                "INFO: trying to register non-static key.\n"
                "turning off the locking correctness validator.",
                "Kernel panic - not syncing: sysrq triggered crash"):
            self.assertTrue(klog.offending(f"[    1.000000] {line}"), line)

    def test_harmless_lines_are_not(self):
        for line in (
                "traps: prog[12] general protection fault ip:55 sp:7f error:0 in prog",
                "> WARNING: written by a test",
                "debug: unmapping init memory",
                "dif_blk: violation: sector 8, inode 12"):
            self.assertFalse(klog.offending(f"[    1.000000] {line}"), line)


class Logs(unittest.TestCase):
    """Whole logs."""

    def test_records_become_lines(self):
        data = b"4,10,1500000,-;one\\x0atwo\n SUBSYSTEM=block\n12,11,1600000,-;mine\n"
        self.assertEqual(klog.from_kmsg(data), [
            "[    1.500000] one", "[    1.500000] two", "[    1.600000] > mine"])

    def test_the_serial_console_adds_what_came_last(self):
        kmsg = ["[    1.000000] a", "[    2.000000] b"]
        serial = ["[    2.000000] b", "[    3.000000] Kernel panic", ""]
        self.assertEqual(klog.merge(kmsg, serial), kmsg + serial[1:2])
        self.assertEqual(klog.merge([], serial), serial[:2])

    def test_a_rust_panic_is_one_report(self):
        lines = ["[    1.0] rust_kernel: panicked at a.rs:1:1:", "[    1.0] reason",
                 f"[    1.0] {klog.BEGIN}", "[    1.0] kernel BUG at bug.c:7!",
                 "[    1.1] Oops: invalid opcode: 0000"]
        self.assertEqual(len(klog.reports(lines)), 1)

    def test_two_warnings_are_two_reports(self):
        filler = [f"[    1.0]  f{n}+0x1" for n in range(20)]
        lines = [f"[    1.0] {klog.BEGIN}", "[    1.0] WARNING: a", *filler,
                 f"[    1.0] {klog.BEGIN}", "[    1.0] WARNING: b"]
        found = klog.reports(lines)
        self.assertEqual([r.title for r in found], ["[    1.0] WARNING: a", "[    1.0] WARNING: b"])


if __name__ == "__main__":
    unittest.main()
