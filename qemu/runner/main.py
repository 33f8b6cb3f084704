# SPDX-License-Identifier: GPL-2.0
"""The order of things, and the exit status."""

import os
import signal
import sys
import time

from . import accel, channels, errors, klog, options, paths, stage
from .machine import Machine

SHOWN_REPORTS = 5
SHOWN_LINES = 50


class Signalled(Exception):
    """SIGTERM or SIGHUP."""


def say(text):
    """A message of the runner's own, apart from the guest's output."""
    print(f"qemu/run: {text}", file=sys.stderr, flush=True)


def main(argv):
    """Returns the exit status."""
    def signalled(*_):
        raise Signalled

    chosen = options.parse(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signalled)
    try:
        return Run(chosen).run()
    except errors.RunError as error:
        say(error)
        return errors.NOT_STARTED
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except Signalled:
        say("ended by a signal")
        return errors.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return errors.INTERRUPTED


class Run:
    """One command in one guest."""

    def __init__(self, chosen):
        self.options = chosen
        self.paths = paths.environment(chosen.kernel)
        self.accel = accel.choose(self.paths, self.options.icount)
        self.deadline = time.monotonic() + chosen.timeout if chosen.timeout else None

    def run(self):
        """Boot (again, if it dies before the command), run, judge."""
        modules, lock = stage.modules(self.paths, self.options.modules)
        with lock:
            for attempt in (1, 2):
                started, status = self.boot(modules)
                if started or status is not None:
                    return status
                if attempt == 1:
                    say("the guest ended before the command was started; once more")
        say("the guest ended before the command was started, twice")
        return errors.NOT_STARTED

    def boot(self, modules):
        """One boot: (whether the command was started, the exit status if settled)."""
        with stage.run_directory(self.paths) as directory:
            session = os.path.join(directory, "session")
            os.mkdir(session)
            stage.session(session, self.options, self.paths, channels.terminal_size())
            machine = Machine(self.options, self.paths, self.accel, directory, modules)
            guest = channels.Channels(machine, self.deadline, self.options.verbose)
            timeout = False
            if self.options.interactive:
                say("the checkout is at /src, the modules in $MODULES (modprobe dif_blk); "
                    "exit ends it, Ctrl-] at once")
            try:
                machine.start()
                with channels.raw_terminal(self.options.interactive):
                    guest.pump()
            except channels.Deadline:
                timeout = True
            except channels.NoBoot:
                say(f"the guest is not up after {channels.BOOT_SECONDS} seconds")
            except channels.Escape:
                say("left; the guest was ended")
                return True, 0
            finally:
                machine.stop()
                lines = self.log(machine)
                kept = self.keep(lines, machine)
            for complaint in guest.complaints:
                say(complaint)
            if timeout:
                self.tail(lines, kept)
                say(f"not finished after {self.options.timeout:g} seconds"
                    f"{'' if guest.started else ', the command was not started'}; "
                    f"the kernel log: {kept}")
                return True, errors.TIMEOUT
            if not guest.started:
                self.tail(lines, kept)
                if machine.complaint():
                    say(machine.complaint())
                return False, None
            return True, self.judge(guest.status, klog.reports(lines), kept)

    def log(self, machine):
        """The lines of the whole kernel log."""
        def content(path):
            try:
                with open(path, "rb") as file:
                    return file.read()
            except OSError:
                return b""

        lines = klog.merge(klog.from_kmsg(content(os.path.join(machine.session, "kmsg"))),
                           klog.from_serial(content(machine.serial)))
        leaks = content(os.path.join(machine.session, "kmemleak")).decode("utf-8", "replace")
        return lines + leaks.splitlines()

    def keep(self, lines, machine):
        """Write the log where it can be found: the latest few, by number of process."""
        kept = self.options.log
        if not kept:
            directory = os.path.join(self.paths["cache"], "log", "guest")
            os.makedirs(directory, exist_ok=True)
            logs = sorted((os.path.join(directory, name) for name in os.listdir(directory)),
                          key=os.path.getmtime)
            for old in logs[:-50]:
                os.unlink(old)
            kept = os.path.join(directory, f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
        with open(kept, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            if machine.complaint():
                file.write(f"QEMU: {machine.complaint()}\n")
        return kept

    def tail(self, lines, kept):
        """The last lines of the log of a guest that went wrong."""
        if not self.options.verbose:
            for line in lines[-15:]:
                print(f"    | {line}", file=sys.stderr)
            say(f"these were the last lines of {kept}")

    def judge(self, status, found, kept):
        """The exit status from the command's and the kernel log's reports."""
        expected = self.options.expect_log
        unexpected = [r for r in found if not (expected and r.matches(expected))]
        for report in unexpected[:SHOWN_REPORTS]:
            for line in report.text[:SHOWN_LINES]:
                print(f"    | {line}", file=sys.stderr)
            print("    |", file=sys.stderr)
        if unexpected:
            more = len(unexpected) - SHOWN_REPORTS
            say(f"the kernel reported {unexpected[0].title.strip()}"
                f"{f' and {more} more' if more > 0 else ''}; "
                f"{'the command said ' + str(status) + '; ' if status is not None else ''}"
                f"the whole log: {kept}")
            return errors.KERNEL_REPORT
        if expected and len(unexpected) == len(found):
            say(f"no report in the kernel log matches '{expected}'; the whole log: {kept}")
            return errors.EXPECTED_MISSING
        if status is None:
            if expected:
                return 0
            say(f"the guest ended without the command's status; the kernel log: {kept}")
            return errors.GUEST_DIED
        return status
