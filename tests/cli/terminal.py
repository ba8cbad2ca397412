# SPDX-License-Identifier: MIT
"""What pd prints when its stdout is a terminal, and shells that run on one."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import unicodedata

import harness


def run_on_terminal(daemon, *arguments, env=None, columns=80):
    """What pd prints when its stdout is a terminal of some width."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        process = subprocess.Popen([daemon.pd_program, *arguments], stdin=slave, stdout=slave,
                                   stderr=slave, env={**daemon.env, "TERM": "xterm", **(env or {})})
        os.close(slave)
        text = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # EIO: the last writer closed it
                break
            if not chunk:
                break
            text += chunk
        process.wait()
        return text.decode(errors="surrogateescape").replace("\r\n", "\n")
    finally:
        os.close(master)


def without_colours(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def width(line):
    """The columns that a line fills on a terminal."""
    def of(char):
        if unicodedata.combining(char) or char == "\ufe0f":
            return 0
        return 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return sum(map(of, line))


class Terminal:
    """A program on a terminal of its own, whose session it leads; it ends with its test."""

    def __init__(self, test, argv, env):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(test.work)
            os.execvpe(argv[0], argv, env)
        os.set_inheritable(self.fd, False)  # another terminal's program would keep this one open
        self.bytes, self.status = b"", None
        test.addCleanup(self.discard)

    def read(self):
        while self.fd >= 0 and select.select([self.fd], [], [], 0)[0]:
            try:
                more = os.read(self.fd, 65536)
            except OSError:  # nobody has the other end any more
                break
            if not more:
                break
            self.bytes += more
            if b"\x1b[c" in more or b"\x1b[0c" in more:  # fish asks: what are you?
                os.write(self.fd, b"\x1b[?62;c")

    def shown(self):
        """What it shows by now, without escape sequences."""
        self.read()
        text = re.sub(rb"\x1b(\[[0-9;?]*[a-zA-Z]|[=>]|\([A-B]|\][^\x07\x1b]*(\x07|\x1b\\))", b"",
                      self.bytes)
        return text.replace(b"\r", b"").decode(errors="replace")

    def send(self, keys):
        os.write(self.fd, keys)

    def type(self, line):
        """Enters a line; what is shown from here on counts."""
        self.bytes = b""
        self.send(line.encode() + b"\r")

    def wait_match(self, pattern):
        try:
            return harness.wait_until(lambda: re.search(pattern, self.shown()), pattern)
        except AssertionError as error:
            raise AssertionError(f"{error}; shown was {self.shown()!r}") from None

    def wait_for(self, text):
        """All that is shown once the text is."""
        return self.wait_match(re.escape(text)).string

    def ended(self):
        self.read()
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is not None

    def close(self):
        """Takes the terminal away."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def discard(self):
        self.close()
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
