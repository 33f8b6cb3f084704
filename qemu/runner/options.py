# SPDX-License-Identifier: GPL-2.0
"""The command line of qemu/run."""

import argparse
import os
import re

from .errors import NOT_STARTED

EPILOG = """\
The status is the command's, unless:
  120  the kernel log holds a report (WARNING, BUG, Oops, hung task, RCU stall,
       lockdep, KASAN, UBSAN, kmemleak, panic ...), whatever the command said
  121  the guest died without one
  122  the report that --expect-log asks for did not appear
  123  ended by a signal (130 for Ctrl-C)
  124  the command took longer than --timeout
  125  wrong usage, no environment, or the guest did not come up (tried twice)

In the guest: the checkout at /src (read-only), --out at /out, the modules in
$MODULES (insmod $MODULES/dif_blk.ko, or modprobe dif_blk), the host-built tools
in PATH. QEMU_ACCEL=tcg|kvm overrides the choice of the accelerator.
"""


class Parser(argparse.ArgumentParser):
    """argparse says 2 for wrong usage; that may be the command's own status."""

    def error(self, message):
        self.print_usage()
        self.exit(NOT_STARTED, f"qemu/run: {message}\n")


def parser():
    """The parser, for --help as well."""
    p = Parser(prog="qemu/run", epilog=EPILOG,
               usage="qemu/run [options] -- COMMAND [ARGUMENT...]",
               description="Run COMMAND in a virtual machine.",
               formatter_class=argparse.RawDescriptionHelpFormatter)
    add = p.add_argument
    add("--timeout", type=float, metavar="SECONDS",
        help="hard limit for the whole run (default 600; --interactive: none)")
    add("--mem", default="2048M", metavar="SIZE", help="memory (default 2048M)")
    add("--smp", type=int, default=2, metavar="N", help="processors (default 2)")
    add("--icount", nargs="?", const=1, type=int, choices=range(11), metavar="SHIFT",
        help="time is counted in instructions, 2^SHIFT ns each (default 1: 500 million a second)")
    add("--append", action="append", default=[], metavar="ARGS",
        help="more words for the kernel's command line")
    add("--kernel", default="stock", metavar="NAME", help="which kernel (default stock)")
    add("--disk", action="append", default=[], metavar="FILE[:ro]|SIZE",
        help="one more virtio disk: an image file, or an empty one of that size (64M)")
    add("--modules", metavar="DIR",
        help="where the built .ko files are (default: where make modules puts them)")
    add("--out", metavar="DIR", help="host directory at /out, read and write")
    add("--put", action="append", default=[], metavar="FILE:GUESTPATH",
        help="copy a file or directory of the host into the guest first")
    add("--env", action="append", default=[], metavar="K=V",
        help="set a variable for the command")
    add("--cwd", default="/src", metavar="DIR", help="where it starts (default /src)")
    add("--expect-log", metavar="REGEX",
        help="the kernel log must hold a report that matches (negative tests)")
    add("--log", metavar="FILE", help="keep the kernel log there")
    add("--verbose", action="store_true", help="show the kernel log while it comes")
    add("--interactive", action="store_true",
        help="connect the terminal; the command is a shell if none is given")
    add("--gdb", nargs="?", const="localhost:1234", metavar="HOST:PORT",
        help="QEMU's gdb stub (default localhost:1234), the kernel not randomised")
    return p


def parse(argv):
    """argv -> options, checked, with options.command."""
    p = parser()
    if "--" in argv:
        split = argv.index("--")
        options = p.parse_args(argv[:split])
        options.command = argv[split + 1:]
    else:
        options = p.parse_args(argv)
        options.command = []
    if not options.command and not options.interactive:
        p.error("no command; it comes after --")
    if not options.command:
        options.command = ["bash", "-l"]
    if options.timeout is None:
        options.timeout = 0 if options.interactive else 600
    for env in options.env:
        if not re.match(r"[A-Za-z_][A-Za-z0-9_]*=", env):
            p.error(f"--env {env}: K=V is needed")
    for put in options.put:
        source, _, target = put.partition(":")
        if not os.path.exists(source):
            p.error(f"--put {put}: {source} does not exist")
        if not target.startswith("/"):
            p.error(f"--put {put}: an absolute path in the guest is needed after the colon")
    if options.out and not os.path.isdir(options.out):
        p.error(f"--out {options.out}: not a directory")
    if options.modules and not os.path.isdir(options.modules):
        p.error(f"--modules {options.modules}: not a directory")
    for disk in options.disk:
        if not os.path.exists(disk.removesuffix(":ro")) and not re.fullmatch(r"\d+[kKMGT]?", disk):
            p.error(f"--disk {disk}: neither a file nor a size")
    if options.expect_log:
        try:
            re.compile(options.expect_log)
        except re.error as error:
            p.error(f"--expect-log {options.expect_log}: {error}")
    return options
