# SPDX-License-Identifier: MIT
"""What pd prints when its stdout is a terminal."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unicodedata


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
