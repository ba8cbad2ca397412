# SPDX-License-Identifier: MIT
"""What tests of remedies stand on: something on a port, and what `pd why` says is done about it."""
import os
import signal
import socket
import subprocess
import time

import harness
from harness import PYTHON, wait_until

NPM = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                   "port-daddy/npm/node_modules/.bin")
STAYS_S = 2.0  # for so long a port stays free; who starts a server again does so in less
NODE_SERVER = "require('http').createServer((q, r) => r.end('x')).listen(+process.env.PORT)\n"
LISTENER = """
import os, socket, sys, time
sockets = [socket.create_server(("127.0.0.1", int(p))) for p in os.environ["PORTS"].split()]
{more}
while True:
    time.sleep(1)
"""


def starts_a_server(port):
    """What node, Go and nearly all others ask the kernel for."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("0.0.0.0", port))
            s.listen()
        except OSError:
            return False
    return True


class RemedyTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.port, self.other = harness.free_port(), None
        self.other = harness.free_port(but=(self.port,))
        self.programs = os.path.join(self.work, "programs")
        os.mkdir(self.programs)
        self.env = {**harness.BASE_ENV, "HOME": self.work, "PORT": str(self.port),
                    "PORTS": str(self.port),
                    "PATH": f"{self.programs}:{NPM}:{harness.BASE_ENV['PATH']}"}

    # --- what stands on the port ---

    def tree(self, argv, **options):
        """Starts argv in a session of its own, which ends with the test, whatever comes of it."""
        options.setdefault("env", self.env)
        child = self.spawn(argv, start_new_session=True, **options)
        self.addCleanup(self.end_session, child.pid)
        return child

    @staticmethod
    def end_session(sid):
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.getsid(int(name)) == sid:
                    os.kill(int(name), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def named(self, name, code):
        """A Python program whose name, as the kernel has it, is `name`."""
        return self.write(f"programs/{name}", f"#!{PYTHON}\n{code}", 0o755)

    def listens(self, port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def wait_listening_on(self, *ports):
        for port in ports:
            wait_until(lambda: self.listens(port), f"port {port} is listened on")

    # --- what pd says ---

    def why(self, *arguments, **options):
        return self.daemon.json("why", str(self.port), *arguments, code=None, **options)

    def first(self, answer=None, **options):
        """The first remedy, which is to have a command."""
        answer = answer or self.why(**options)
        self.assertTrue(answer["remedies"][0]["command"], answer)
        return answer["remedies"][0]

    def follow(self, remedy):
        for pid in remedy["kills"]:
            os.kill(pid, 0)
        done = subprocess.run(["sh", "-c", remedy["command"]], env=self.env, cwd="/",
                              capture_output=True, text=True, timeout=harness.DEADLINE_S,
                              check=False)
        self.said = done.stdout + done.stderr
        return done

    def is_freed_by(self, remedy, touch=None, stays_s=STAYS_S):
        self.follow(remedy)
        wait_until(lambda: starts_a_server(self.port), f"the port is free by {remedy}; it said "
                   + self.said)
        if touch:
            os.utime(touch)
        end = time.monotonic() + stays_s
        while time.monotonic() < end:
            self.assertTrue(starts_a_server(self.port), f"it came back after {remedy}")
            time.sleep(0.05)
