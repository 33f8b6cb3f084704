# SPDX-License-Identifier: GPL-2.0
"""Bytes between the guest and this process's terminal or files."""

import contextlib
import fcntl
import os
import selectors
import signal
import struct
import sys
import termios
import time
import tty

ESCAPE = b"\x1d"  # Ctrl-], as in telnet
BOOT_SECONDS = 300  # thirty times what it takes: the machine may be busy


class Closed(Exception):
    """The guest's end is gone: QEMU has ended."""


class Deadline(Exception):
    """The time is over."""


class NoBoot(Exception):
    """The guest does not come up."""


class Escape(Exception):
    """The person at the terminal wants to leave."""


def terminal_size():
    """(rows, columns)"""
    try:
        size = fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8)
        rows, columns = struct.unpack("HHHH", size)[:2]
    except OSError:
        rows = columns = 0
    return rows or 24, columns or 80


@contextlib.contextmanager
def raw_terminal(wanted):
    """Keys go to the guest as they are, Ctrl-C among them."""
    if not wanted or not os.isatty(0):
        yield
        return
    saved = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)


def write_all(fd, data):
    """Write to a descriptor that may be in non-blocking mode."""
    while data:
        try:
            data = data[os.write(fd, data):]
        except BlockingIOError:
            time.sleep(0.01)


class Channels:
    """Copies until the guest is done. `started` and `status` tell how far it got."""

    def __init__(self, machine, deadline, verbose):
        self.started = False
        self.status = None
        self.complaints = []
        self._machine = machine
        self._deadline = deadline
        self._boot_deadline = time.monotonic() + BOOT_SECONDS
        self._verbose = verbose
        self._serial_seen = 0
        self._control = b""
        self._selector = selectors.PollSelector()

    def pump(self):
        """Until the guest says that it is done, QEMU ends, or the time is over."""
        sinks = {"stdout": 1, "stderr": 2, "console": 1}
        for name, channel in self._machine.channels.items():
            handler = self._control_input if name == "control" else None
            self._selector.register(channel, selectors.EVENT_READ,
                                    handler or self._copier(channel, sinks[name]))
        previous = None
        if "console" in self._machine.channels:
            self._selector.register(0, selectors.EVENT_READ, self._keyboard)
            previous = signal.signal(signal.SIGWINCH, lambda *_: self._resize())
        try:
            while not self._step():
                pass
        except Closed:
            pass
        finally:
            self._drain()
            if previous is not None:
                signal.signal(signal.SIGWINCH, previous)
            self._selector.close()
            self.show_serial()

    def _step(self):
        wait = 0.2 if self._verbose else 1.0
        if self._deadline:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise Deadline
            wait = min(wait, left)
        if not self.started and time.monotonic() > self._boot_deadline:
            raise NoBoot
        done = False
        for key, _ in self._selector.select(wait):
            done = key.data() or done
        self.show_serial()
        if not done and self._machine.process.poll() is not None:
            raise Closed
        return done

    def _drain(self):
        """What is still in the sockets: a channel's last bytes may be read after
        the word on another channel that came later."""
        for key in list(self._selector.get_map().values()):
            with contextlib.suppress(Closed, BlockingIOError):
                while key.fd != 0:
                    key.data()

    def _read(self, channel):
        try:
            data = channel.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed
        return data

    def _copier(self, channel, fd):
        def copy():
            write_all(fd, self._read(channel))
        return copy

    def _keyboard(self):
        data = os.read(0, 4096)
        if ESCAPE in data and os.isatty(0):
            raise Escape
        if not data:
            self._selector.unregister(0)
            data = b"\x04"
        write_all(self._machine.channels["console"].fileno(), data)

    def _resize(self):
        rows, columns = terminal_size()
        if self.started:
            write_all(self._machine.channels["control"].fileno(),
                      f"size {rows} {columns}\n".encode())

    def _control_input(self):
        self._control += self._read(self._machine.channels["control"])
        *lines, self._control = self._control.split(b"\n")
        for line in lines:
            word, _, rest = line.decode("utf-8", "replace").partition(" ")
            if word == "started":
                self.started = True
                self._resize()
            elif word == "status":
                self.status = int(rest)
            elif word == "done":
                return True
            else:
                self.complaints.append(f"{word} {rest}")
        return False

    def show_serial(self):
        """With --verbose: the console's new lines."""
        if not self._verbose:
            return
        with contextlib.suppress(OSError), open(self._machine.serial, "rb") as file:
            file.seek(self._serial_seen)
            data = file.read()
            self._serial_seen += len(data)
            sys.stderr.buffer.write(data)
            sys.stderr.flush()
