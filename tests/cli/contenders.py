# SPDX-License-Identifier: MIT
"""Processes that bind one port again and again, by every kind of socket, and count what they got of
it while it was promised to somebody else: in memory that they share with the test."""
import ctypes
import errno
import itertools
import mmap
import os
import signal
import socket
import subprocess
import time

import harness

KINDS = {(socket.AF_INET, socket.SOCK_STREAM): "127.0.0.1",
         (socket.AF_INET6, socket.SOCK_STREAM): "::",
         (socket.AF_INET, socket.SOCK_DGRAM): "0.0.0.0",
         (socket.AF_INET6, socket.SOCK_DGRAM): "::1"}
REFUSALS = {errno.EADDRINUSE, errno.EPERM}
CLONE_NEWNET = 0x40000000
PAUSE_S = 0.001  # behind each that was had: whoever claims the port finds it free

# For python3 -c: gives a socket of its own, one of each kind, to whoever connects to argv[1].
GIVER = """
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("ready", flush=True)
while True:
    made = [socket.socket(family, kind) for family in (socket.AF_INET, socket.AF_INET6)
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
    with server.accept()[0] as s:
        socket.send_fds(s, [b"x"], [m.fileno() for m in made])
"""


def given_sockets(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        made = [socket.socket(fileno=fd) for fd in socket.recv_fds(s, 1, len(KINDS))[1]]
    return {(s.family, s.type): s for s in made}


def enter_network():
    if ctypes.CDLL(None).unshare(CLONE_NEWNET):
        raise OSError("there is no network namespace to enter")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class Contender:
    """One of them: its figures, and in its own process what it does."""

    FIGURES = 4

    def __init__(self, contest, name, uid=None, netns=False, giver=None):
        first = Contest.FIGURES + len(contest.contenders) * self.FIGURES
        self.figures = contest.numbers[first:first + self.FIGURES]
        self.contest, self.name, self.uid, self.netns, self.giver = contest, name, uid, netns, giver
        self.given = {}
        self.pid = os.fork()
        if not self.pid:
            self.run()

    # While it was promised: how often tried, had, refused as the contract says, failed otherwise.
    tries, had, refused, failed = (property(lambda self, i=i: self.figures[i]) for i in range(4))

    def run(self):
        try:
            os.nice(10)  # there is one for each processor, and who looks at them wants one as well
            os.setsid()
            os.chdir("/")
            if self.netns:
                enter_network()
            if self.uid is not None:
                harness.becoming(self.uid)["preexec_fn"]()
            for kind in itertools.cycle(KINDS):
                if self.contest.numbers[Contest.ENDED] or os.getppid() == 1:
                    os._exit(0)
                self.try_once(kind)
        finally:
            os._exit(1)

    def socket_of(self, kind):
        if not self.giver:
            return socket.socket(*kind)
        if kind not in self.given:
            self.given.update(given_sockets(self.giver))
        return self.given[kind]

    def try_once(self, kind):
        before, error = self.contest.numbers[Contest.PROMISED], 0
        s = self.socket_of(kind)
        try:
            s.bind((KINDS[kind], self.contest.port))
        except OSError as e:
            error = e.errno
        # one that was had before the promise, and is still there, counts as well
        promised = self.contest.numbers[Contest.PROMISED]
        if not error or not self.giver:
            s.close()
            self.given.pop(kind, None)
        if promised and (before == promised or not error):
            self.figures[0] += 1
            self.figures[3 if error and error not in REFUSALS else 2 if error else 1] += 1
        elif not error:
            time.sleep(PAUSE_S)


class Contest:
    FIGURES = 2
    PROMISED, ENDED = range(FIGURES)  # the number of the promise, 0 = none is in force

    def __init__(self, port):
        self.port, self.contenders, self.promises = port, [], 0
        self.numbers = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    def add(self, *arguments, **options):
        self.contenders.append(Contender(self, *arguments, **options))

    def tries(self):
        return sum(c.tries for c in self.contenders)

    def promise(self, on):
        self.promises += on
        self.numbers[self.PROMISED] = self.promises if on else 0

    def are_alive(self):
        return all(os.waitpid(c.pid, os.WNOHANG)[0] == 0 for c in self.contenders)

    def end(self):
        self.numbers[self.ENDED] = 1
        for c in self.contenders:
            os.kill(c.pid, signal.SIGKILL)
            os.waitpid(c.pid, 0)
        self.contenders = []
