# SPDX-License-Identifier: GPL-2.0
"""QEMU: its command line, its process."""

import ctypes
import os
import re
import signal
import socket
import subprocess

from .paths import CHECKOUT, enter

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)

# quiet: printing costs a second of boot; guest/session turns it up afterwards.
# panic=-1: the machine ends at once. log_buf_len: nothing is lost by the end.
KERNEL_ARGUMENTS = ("console=ttyS0 quiet panic=-1 log_buf_len=8M nomodeset "
                    "cryptomgr.notests raid=noautodetect random.trust_cpu=on "
                    "8250.nr_uarts=1 mitigations=off")


def without_mode(disk):
    """The path of `--disk FILE` or `--disk FILE:ro`, and qemu's flags for it."""
    if disk.endswith(":ro"):
        return disk[:-len(":ro")], "readonly=on"
    return disk, "readonly=off,discard=unmap"


class Machine:
    """One boot. The host's ends of the channels are in `channels`, by name."""

    def __init__(self, options, paths, accel, directory, stage):
        self.serial = os.path.join(directory, "serial")
        self.messages = os.path.join(directory, "qemu")
        self.session = os.path.join(directory, "session")
        self.channels = {}
        self.process = None
        self._guest_ends = []
        self._binds = [directory]
        self._command = self._machine(options, paths, accel)
        self._command += self._disks(options, paths, directory)
        self._command += self._shares(options, paths, stage)
        self._command += self._ports(options)

    def _machine(self, options, paths, accel):
        arguments = [KERNEL_ARGUMENTS, paths["append"], *options.append]
        command = [
            "qemu-system-x86_64", "-M", "q35", *accel, "-smp", str(options.smp),
            "-m", options.mem, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-monitor", "none",
            "-kernel", paths["vmlinuz"], "-initrd", paths["initramfs"],
            "-serial", f"file:{self.serial}"]
        if options.gdb:
            command += ["-gdb", f"tcp:{options.gdb}"]
            arguments.append("nokaslr")
        return command + ["-append", " ".join(arguments)]

    def _disks(self, options, paths, directory):
        disks = [(paths["guest"], "readonly=on", "raw")]
        for number, disk in enumerate(options.disk):
            if not os.path.exists(without_mode(disk)[0]):
                size, disk = disk, os.path.join(directory, f"disk-{number}")
                with open(disk, "wb") as file:
                    file.truncate(size_of(size))
            path, flags = without_mode(disk)
            path = os.path.realpath(path)
            kind = "qcow2" if path.endswith(".qcow2") else "raw"
            disks.append((path, flags, kind))
            self._binds.append(path)
        command = []
        for number, (disk, flags, kind) in enumerate(disks):
            command += ["-drive", f"if=none,id=disk{number},file={disk},format={kind},{flags},"
                                  "cache=writeback",
                        "-device", f"virtio-blk-pci,drive=disk{number},serial=disk{number}"]
        return command

    def _shares(self, options, paths, stage):
        shares = [("session", self.session, ""), ("src", CHECKOUT, ",readonly=on"),
                  ("modules", os.path.join(stage, "lib/modules"), ",readonly=on")]
        tools = os.path.join(paths["target"], "release")
        if os.path.isdir(tools):
            shares.append(("tools", tools, ",readonly=on"))
        if options.out:
            out = os.path.realpath(options.out)
            shares.append(("out", out, ""))
            self._binds.append(out)
        command = []
        for tag, path, flags in shares:
            command += ["-fsdev", f"local,id={tag},path={path},security_model=none,"
                                  f"multidevs=remap{flags}",
                        "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        return command

    def _ports(self, options):
        ports = [("control", "virtserialport")]
        if options.interactive:
            ports.append(("console", "virtconsole"))
        else:
            ports += [("stdout", "virtserialport"), ("stderr", "virtserialport")]
        command = ["-device", "virtio-serial-pci"]
        for name, device in ports:
            ours, guests = socket.socketpair()
            ours.setblocking(False)
            self.channels[name] = ours
            self._guest_ends.append(guests)
            command += ["-chardev", f"socket,id={name},fd={guests.fileno()}",
                        "-device", f"{device},chardev={name},name={name}"]
        return command

    def start(self):
        """Start QEMU. It is in a process group of its own, so that the terminal's
        Ctrl-C does not reach it, and dies with this process however that ends."""
        parent = os.getpid()

        def before_exec():
            os.setsid()
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        with open(self.messages, "wb") as messages:
            # pylint: disable-next=consider-using-with,subprocess-popen-preexec-fn
            self.process = subprocess.Popen(
                enter(self._binds, self._command), stdin=subprocess.DEVNULL,
                stdout=messages, stderr=messages, preexec_fn=before_exec,
                pass_fds=[end.fileno() for end in self._guest_ends])
        for end in self._guest_ends:
            end.close()

    def stop(self):
        """End it: politely, so that it flushes disks, then not."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for channel in self.channels.values():
            channel.close()

    def complaint(self):
        """What QEMU itself had to say."""
        with open(self.messages, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        return "\n".join(line for line in lines if "terminating on signal" not in line)


def size_of(text):
    """64M -> bytes."""
    number, unit = re.fullmatch(r"(\d+)([kKMGT]?)", text).groups()
    return int(number) << {"": 0, "k": 10, "K": 10, "M": 20, "G": 30, "T": 40}[unit]
