# SPDX-License-Identifier: GPL-2.0
"""Where things are: asked of qemu/env, which alone knows."""

import os
import subprocess
import sys

from .errors import RunError

QEMU = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
CHECKOUT = os.path.dirname(QEMU)
ENV = os.path.join(QEMU, "env")


def environment(kernel):
    """Paths by name (see `qemu/env path`). Makes what is missing, which says so."""
    if subprocess.run([ENV, "--kernel", kernel, "setup"], stdin=subprocess.DEVNULL,
                      stdout=sys.stderr, check=False).returncode:
        raise RunError("there is no environment to run in")
    done = subprocess.run([ENV, "--kernel", kernel, "paths"], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise RunError(done.stderr.strip())
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def enter(binds, command):
    """The command line that runs `command` in the build root.

    binds: what of the host it sees, at the same paths.
    """
    for path in binds:
        if ":" in path or "=" in path or "," in path:
            raise RunError(f"{path}: paths with ':', '=' or ',' can not be handed to QEMU")
    return [ENV, "exec", *(f"--bind={path}" for path in binds), "--", *command]
