#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Servers that close their socket and listen again: what of it the log says."""
import sys

import harness
from harness import wait_until

# Tries the port on each address, as vite does, then serves; at a line of input it closes for good.
PROBING = """
port = int(sys.argv[1])
for host, family in (("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6)) * 2:
    listener(port, host, family).close()
s = listener(port)
ready()
sys.stdin.readline()
s.close()
ready()
rest()
"""


class ClosesTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.need_bpf("so short a pause is not seen")
        self.port = self.daemon.claim("app:web")

    def actions(self):
        log = self.daemon.json("log", "--filter", "app:web")["entries"]
        return [e["action"] for e in reversed(log)]

    def serve(self):
        server = self.spawn_python(PROBING, self.port, stdin=harness.subprocess.PIPE)
        self.daemon.wait_status("app:web", "active")
        return server

    def test_port_that_is_tried_before_it_is_served_is_one_entry(self):
        self.serve()
        self.assertEqual(self.actions(), ["CLAIM", "ACTIVE"])

    def test_socket_that_is_closed_for_good_is_written_down_although_its_process_lives(self):
        server = self.serve()
        server.process.stdin.write(b"\n")
        server.process.stdin.flush()
        self.daemon.wait_status("app:web", "ghost")  # the status does not wait
        wait_until(lambda: self.actions() == ["CLAIM", "ACTIVE", "GHOST"], "the end is written")

    def test_death_is_written_down_at_once_and_before_what_comes_next(self):
        for _ in range(2):
            self.serve().kill()
            self.daemon.wait_status("app:web", "ghost")
        self.assertEqual(self.actions(), ["CLAIM", "ACTIVE", "GHOST", "ACTIVE", "GHOST"])

    def test_end_that_waits_is_not_lost_with_the_daemon(self):
        server = self.serve()
        server.process.stdin.write(b"\n")
        server.process.stdin.flush()
        self.daemon.wait_status("app:web", "ghost")
        self.daemon.stop()
        self.assertEqual(self.daemon.query("SELECT count(*) FROM activity WHERE action = 'GHOST'"),
                         [(1,)])


if __name__ == "__main__":
    sys.exit(harness.main())
