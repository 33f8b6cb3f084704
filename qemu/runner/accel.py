# SPDX-License-Identifier: GPL-2.0
"""KVM or TCG.

/dev/kvm can exist, open and run a micro-guest and still hang every Linux guest.
So KVM is used only if the processor and the module are there and the guest's
kernel has come up with it once; what that showed is kept for this boot of the
host. QEMU_ACCEL=tcg|kvm overrides it.

With --icount it is TCG, which counts instructions: time in the guest is how many it
has run, and jumps to the next timer when it has nothing to do. What is measured there
doesn't depend on what else this machine does.
"""

import os
import subprocess

from .errors import RunError
from .paths import enter

# TCG does string instructions byte by byte: with erms a 4 KiB copy is three times slower.
CPU = ["-cpu", "max,-erms,-fsrm,-fsrs"]
TCG = ["-accel", "tcg,thread=multi", *CPU]
KVM = ["-accel", "kvm", "-cpu", "host"]

PROBE_SECONDS = 20


def choose(paths, icount):
    """QEMU's arguments for the accelerator."""
    wish = os.environ.get("QEMU_ACCEL", "")
    if wish not in ("", "tcg", "kvm"):
        raise RunError(f"QEMU_ACCEL={wish}: allowed are tcg and kvm")
    if icount is not None:
        if wish == "kvm":
            raise RunError("QEMU_ACCEL=kvm: --icount is for tcg")
        # One thread runs all processors, in turn: instructions have an order.
        return ["-accel", "tcg,thread=single", *CPU, "-rtc", "clock=vm",
                "-icount", f"shift={icount},sleep=off"]
    if wish == "kvm" or (not wish and possible() and probed(paths)):
        return KVM
    return TCG


def possible():
    """Whether it is worth a probe."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        flags = next((line.split() for line in info if line.startswith("flags")), [])
    return (("svm" in flags or "vmx" in flags) and os.access("/dev/kvm", os.W_OK) and
            any(os.path.isdir(f"/sys/module/kvm_{vendor}") for vendor in ("amd", "intel")))


def probed(paths):
    """Whether a guest comes up; asked once per boot of the host and kernel."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    state = os.path.join(paths["cache"], f"kvm-{os.path.basename(paths['kernel'])}")
    try:
        with open(state, encoding="ascii") as file:
            known_boot, answer = file.read().split()
        if known_boot == boot:
            return answer == "yes"
    except (OSError, ValueError):
        pass
    answer = boots(paths)
    temporary = f"{state}.{os.getpid()}"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(f"{boot} {'yes' if answer else 'no'}\n")
    os.replace(temporary, state)
    return answer


def boots(paths):
    """Boot without a root: with KVM it is a second or two to user space, where
    the initramfs finds no disk and powers off."""
    command = enter([], [
        "qemu-system-x86_64", *KVM, "-M", "q35", "-m", "512M", "-nodefaults",
        "-display", "none", "-no-reboot", "-kernel", paths["vmlinuz"],
        "-initrd", paths["initramfs"], "-serial", "stdio",
        "-append", "console=ttyS0 quiet panic=-1"])
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return b"init: mounting the guest's image failed" in done.stdout
