# SPDX-License-Identifier: GPL-2.0
"""Exit statuses of qemu/run that are not the command's, and the error class."""

KERNEL_REPORT = 120     # the kernel log holds a report, whatever the command said
GUEST_DIED = 121        # the guest ended and the command's status never came
EXPECTED_MISSING = 122  # the report that --expect-log asks for did not appear
INTERRUPTED = 123       # SIGTERM or SIGHUP (130 for Ctrl-C)
TIMEOUT = 124           # --timeout
NOT_STARTED = 125       # wrong usage, no environment, or the guest did not boot


class RunError(Exception):
    """Something that ends the run before the command was started."""
