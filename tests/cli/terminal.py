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
import time
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
    """An interactive program on a terminal of its own; what it shows, without escape sequences."""

    def __init__(self, argv, env, cwd):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execvpe(argv[0], argv, env)
        self.bytes = b""

    def shown(self):
        text = re.sub(rb"\x1b(\[[0-9;?]*[a-zA-Z]|[=>]|\([A-B]|\][^\x07\x1b]*(\x07|\x1b\\))", b"",
                      self.bytes)
        return text.replace(b"\r", b"").decode(errors="replace")

    def type(self, line):
        """Enters a line; what is shown from here on counts."""
        self.bytes = b""
        os.write(self.fd, line.encode() + b"\r")

    def wait_for(self, text):
        end = time.monotonic() + harness.DEADLINE_S
        while text not in self.shown():
            if select.select([self.fd], [], [], 0.1)[0]:
                chunk = os.read(self.fd, 65536)
                self.bytes += chunk
                if b"\x1b[c" in chunk or b"\x1b[0c" in chunk:  # fish asks: what are you?
                    os.write(self.fd, b"\x1b[?62;c")
            if time.monotonic() > end:
                raise AssertionError(f"{text!r} was not shown, but {self.shown()!r}")
        return self.shown()

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)
