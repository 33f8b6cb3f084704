# SPDX-License-Identifier: GPL-2.0
"""What the guest gets from the host: the modules' directory, kept in the cache,
and the session's directory, made for one boot."""

import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile

from .errors import RunError
from .paths import QEMU, enter

# Directories of modules that are kept; one that a guest uses is never dropped.
KEPT_STAGES = 4


def find_modules(directory):
    """The .ko files below a directory: what the last build there made, or else all."""
    order = os.path.join(directory, "modules.order")
    found = []
    if os.path.exists(order):
        with open(order, encoding="utf-8") as file:
            for line in file.read().split():
                path = os.path.join(directory, os.path.splitext(line)[0] + ".ko")
                if os.path.exists(path):
                    found.append(path)
    if not found:
        for top, dirs, files in os.walk(directory):
            dirs[:] = sorted(d for d in dirs if not d.startswith("."))
            found.extend(os.path.join(top, f) for f in sorted(files) if f.endswith(".ko"))
    names = [os.path.basename(path) for path in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise RunError(f"{directory}: found twice: {', '.join(sorted(twice))}")
    return found


def modules(paths, directory):
    """A directory for /lib/modules with the kernel's modules, ours in updates/, and
    the indexes of all of them. Returns it and a lock that keeps it while it is open.

    Made on the host: depmod is slow in an emulated guest.
    """
    ours = find_modules(directory or paths["built"])
    digest = hashlib.sha256(paths["modules"].encode())
    for path in ours:
        with open(path, "rb") as file:
            digest.update(os.path.basename(path).encode() + b"\0" +
                          hashlib.sha256(file.read()).digest())
    stages = os.path.join(paths["cache"], "modules")
    os.makedirs(stages, exist_ok=True)
    stage = os.path.join(stages, digest.hexdigest()[:16])
    with open(os.path.join(stages, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(stage):
            prune(stages)
            make_modules(paths, ours, stage)
        os.utime(stage)
        # pylint: disable-next=consider-using-with
        use = open(os.path.join(stage, "lock"), "w", encoding="ascii")
        fcntl.flock(use, fcntl.LOCK_SH)
    return stage, use


def make_modules(paths, ours, stage):
    """Make the directory `stage`."""
    release = paths["release"]
    with tempfile.TemporaryDirectory(dir=os.path.dirname(stage), prefix="tmp-") as temporary:
        target = os.path.join(temporary, "lib/modules", release)
        shutil.copytree(os.path.join(paths["modules"], release), target,
                        copy_function=os.link)
        for name in os.listdir(target):
            if name.startswith("modules.") and not name.startswith(
                    ("modules.builtin", "modules.order")):
                os.unlink(os.path.join(target, name))
        os.mkdir(os.path.join(target, "updates"))
        for path in ours:
            shutil.copy(path, os.path.join(target, "updates"))
        done = subprocess.run(enter([], ["depmod", "-b", temporary, release]), text=True,
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise RunError(f"depmod failed:\n{done.stdout}")
        os.chmod(temporary, 0o755)
        os.rename(temporary, stage)
        os.mkdir(temporary)  # for the with statement to remove


def prune(stages):
    """Drop the oldest directories, and leftovers of dead runs."""
    entries = [os.path.join(stages, name) for name in os.listdir(stages)]
    entries = sorted((e for e in entries if os.path.isdir(e)), key=os.path.getmtime)
    for entry in entries[:-KEPT_STAGES]:
        if not in_use(entry):
            shutil.rmtree(entry)


@contextlib.contextmanager
def run_directory(paths):
    """A directory for one boot, dropped after it, or by a later run if this one is
    killed."""
    runs = os.path.join(paths["cache"], "run")
    os.makedirs(runs, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with open(os.path.join(runs, ".lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for entry in os.scandir(runs):
                if entry.is_dir() and not in_use(entry.path):
                    shutil.rmtree(entry.path)
            new = stack.enter_context(tempfile.TemporaryDirectory(dir=runs, prefix="run-"))
            use = stack.enter_context(open(os.path.join(new, "lock"), "w", encoding="ascii"))
            fcntl.flock(use, fcntl.LOCK_SH)
        yield new


def in_use(directory):
    """Whether a living process holds the lock in it."""
    try:
        with open(os.path.join(directory, "lock"), "rb") as use:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def session(directory, options, paths, size):
    """Fill the session's directory. See guest/session for what is in it."""
    def write(name, text):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)

    shutil.copy(os.path.join(QEMU, "guest/session"), os.path.join(directory, "session"))
    prepare = ["set -e"]
    for number, put in enumerate(options.put):
        source, _, target = put.partition(":")
        copy = os.path.join(directory, f"put-{number}")
        if os.path.isdir(source):
            shutil.copytree(source, copy, symlinks=True)
        else:
            shutil.copy(source, copy)
        prepare.append(f"mkdir -p {shlex.quote(os.path.dirname(target))}")
        prepare.append(f"cp -a /run/session/put-{number} {shlex.quote(target)}")
    write("prepare", "\n".join(prepare) + "\n")

    # No udev in the guest: device-mapper's tools must not wait for it.
    environment = {
        "HOME": "/root", "USER": "root", "LANG": "C.UTF-8", "TERM": "dumb",
        "PATH": "/opt/tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "MODULES": f"/lib/modules/{paths['release']}/updates",
        "DM_DISABLE_UDEV": "1",
    }
    if options.interactive:
        environment["TERM"] = os.environ.get("TERM", "vt100")
        environment["PS1"] = r"guest:\w# "
    environment.update(env.split("=", 1) for env in options.env)
    lines = [f"export {key}={shlex.quote(value)}" for key, value in environment.items()]
    lines.append(f"cd {shlex.quote(options.cwd)} || exit 125")
    lines.append("exec " + " ".join(shlex.quote(word) for word in options.command))
    write("command", "\n".join(lines) + "\n")
    write("mode", f"interactive {size[0]} {size[1]}\n" if options.interactive else "batch\n")
