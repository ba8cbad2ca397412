#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A claimed port on which somebody else listens as well: by SO_REUSEPORT, on another address, for
the other family."""
import getpass
import os
import sys

import harness
from harness import wait_until

SHARED = """
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("0.0.0.0", int(sys.argv[1])))
s.listen()
ready()
rest()
"""
ON_ADDRESS = "s = listener(int(sys.argv[1]), sys.argv[2])\nready()\nrest()"


class StrangerTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.need_bpf("who works where is not known in time")
        self.own, self.other = (os.path.join(self.work, name) for name in ("own", "other"))
        os.mkdir(self.own)
        os.mkdir(self.other)
        # by a shell of its own: whoever descends from the claimer, or shares its session, fits
        shell = self.spawn(["sh", "-c", '"$0" claim app:web -q; :', self.daemon.pd_program],
                           env=self.daemon.env, cwd=self.own, start_new_session=True)
        self.port = int(shell.read_line())
        shell.wait()

    def serve(self, code, *arguments, cwd):
        return self.spawn_python(code, self.port, *arguments, cwd=cwd, start_new_session=True)

    def statuses(self):
        """By the pid of who holds it, what find --all says of each socket."""
        rows = self.daemon.json("find", "--all", f":{self.port}")["sockets"]
        return {row["pids"][0]: row["status"] for row in rows if row["pids"]}

    def warned(self, words):
        row = self.daemon.service("app:web")
        self.assertEqual(row["status"], "active", row)
        self.assertRegex(row["warning"], words)
        self.assertIn("warning: ", self.daemon.run("find").err)
        self.assertRegex(self.daemon.run("health").out, r", but .* of this claim")
        self.assertRegex(self.daemon.json("why", str(self.port), code=None)["warning"], words)

    def check(self, own, stranger, words):
        wait_until(lambda: self.statuses() == {own.pid: "active", stranger.pid: "squatted"},
                   "each socket has a status of its own")
        self.warned(words)
        own.kill()
        row = self.daemon.wait_status("app:web", "squatted")
        self.assertEqual(row["pids"], [stranger.pid])

    def test_stranger_that_shares_the_port_is_squatted_and_warned_of(self):
        own = self.serve(SHARED, cwd=self.own)
        stranger = self.serve(SHARED, cwd=self.other)
        self.check(own, stranger, rf"(?=.*pid {own.pid}\b)(?=.*pid {stranger.pid}\b)two "
                                  rf"servers share port {self.port} with SO_REUSEPORT: ")

    def test_stranger_on_another_address_is_squatted_and_warned_of(self):
        stranger = self.serve(ON_ADDRESS, "127.0.0.2", cwd=self.other)
        own = self.serve(ON_ADDRESS, "127.0.0.1", cwd=self.own)
        self.check(own, stranger, rf"\({stranger.pid}\) of user {getpass.getuser()} listens on "
                                  rf"127.0.0.2:{self.port} as well, and is not of this claim")

    def test_workers_of_one_server_are_not_warned_of(self):
        parent = self.serve("""
workers = []
for _ in range(2):
    pid = os.fork()
    if not pid:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("0.0.0.0", int(sys.argv[1])))
        s.listen()
        rest()
    workers.append(pid)
ready(*workers)
rest()
""", cwd=self.own)
        workers = [int(pid) for pid in parent.ready.split()[1:]]
        self.strays.extend(workers)
        wait_until(lambda: self.statuses() == {pid: "active" for pid in workers}, "both serve")
        self.assertIsNone(self.daemon.service("app:web")["warning"])


if __name__ == "__main__":
    sys.exit(harness.main())
