#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Refused binds by the thousand: they keep nobody waiting, and take away nobody's explanations.

Nothing here is measured in milliseconds: what is answered while how much still waits is the proof.
"""
import json
import os
import signal
import socket
import sys

import harness
from harness import needs_root, wait_until

BURST = 60    # refused one after the other, each in a process of its own
PORTS = 64    # what a flood tries in turn, so that hardly one is a repetition
VICTIMS = 10
# Two users whom no other test has: what one of them may use up is not used up by neighbours.
FLOODER = 2300000 + os.getpid() % 100000
VICTIM = FLOODER + 100000

# Refused once each in so many processes; tells their pids.
REFUSED = """
port, n = int(sys.argv[1]), int(sys.argv[2])
pids = []
for i in range(n):
    pid = os.fork()
    if not pid:
        try:
            socket.socket().bind(("127.0.0.1", port))
        except OSError:
            pass
        os._exit(0)
    os.waitpid(pid, 0)
    pids.append(pid)
ready(*pids)
"""

# Refused on and on, on ever another port; by one process, or (fork) by one process each.
FLOOD = """
fork, ports = sys.argv[1] == "fork", [int(p) for p in sys.argv[2:]]
ready()
while True:
    for port in ports:
        if fork and os.fork():
            os.wait()
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                pass
        if fork:
            os._exit(0)
"""


def ask(connection, path):
    connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())


def answer(connection):
    said = b""
    while chunk := connection.recv(65536):
        said += chunk
    return json.loads(said.partition(b"\r\n\r\n")[2])


@needs_root
class FloodTest(harness.RefusalTest):
    def setUp(self):
        super().setUp()
        self.held = []
        self.addCleanup(lambda: [s.close() for s in self.held])

    def hold(self, n=1):
        """So many ports that nobody else can have."""
        ports = []
        for _ in range(n):
            s = socket.socket()
            self.held.append(s)
            ports.append(harness.free_port())
            s.bind(("0.0.0.0", ports[-1]))
            s.listen()
        return ports

    def refused(self, port, n=1, uid=VICTIM):
        return [int(w) for w in self.spawn_python(REFUSED, port, n, uid=uid).ready.split()[1:]]

    def recorded_pids(self):
        return [row[0] for row in self.daemon.query("SELECT pid FROM failures ORDER BY id")]

    def count_gaps(self):
        rows = self.daemon.query("SELECT count(*) FROM activity WHERE action = 'GAP' "
                                 "AND details LIKE '% refused calls were not written down%'")
        return rows[0][0]

    # --- a burst ---

    def burst_while_nobody_listens(self, *paths):
        """The daemon finds a burst and these questions at once; the pids, and the answers."""
        os.kill(self.daemon.pid, signal.SIGSTOP)
        try:
            pids = self.refused(self.hold()[0], BURST, uid=FLOODER)
            asked = [harness.connect(self.daemon.socket) for _ in paths]
            for connection, path in zip(asked, paths):
                ask(connection, path.format(first=pids[0], last=pids[-1]))
        finally:
            os.kill(self.daemon.pid, signal.SIGCONT)
        answers = [answer(connection) for connection in asked]
        for connection in asked:
            connection.close()
        return pids, answers

    def lost(self):
        """What of the burst may be missing: neighbours fill the kernel's buffer, too."""
        return self.daemon.get("/v1/status")["kernel"]["lost"]

    def wait_explained(self, pids):
        """Those that are explained once none waits any more, in the order of their rows."""
        wait_until(lambda: self.daemon.get("/v1/why?last=1")["waiting"] == 0, "none waits")
        wait_until(lambda: sum(p in pids for p in self.recorded_pids()) + self.lost() >= len(pids),
                   "all of the burst is explained")
        return [p for p in self.recorded_pids() if p in pids]

    def test_question_is_answered_before_a_burst_is_explained(self):
        pids, (why,) = self.burst_while_nobody_listens("/v1/why?last=1")
        self.assertGreater(why["waiting"], 0)
        self.wait_explained(pids)

    def test_refusal_that_is_asked_about_is_explained_before_its_turn(self):
        pids, (why, newest) = self.burst_while_nobody_listens("/v1/why?pid={last}",
                                                              "/v1/why?last=1")
        self.assertEqual((why["asked"]["pid"], why["errno"]), (pids[-1], "EADDRINUSE"))
        self.assertEqual([h["pid"] for h in why["holders"]], [os.getpid()])
        # of all users' refusals: a neighbour may have been refused since
        self.assertNotIn(newest["asked"]["pid"], pids[:-1])
        self.assertGreaterEqual(newest["asked"]["at"], why["asked"]["at"])
        self.assertGreater(newest["waiting"], 0)

    def test_burst_is_in_the_log_and_among_the_explanations_in_its_order(self):
        pids, _ = self.burst_while_nobody_listens("/v1/why?pid={first}", "/v1/why?pid={last}")
        explained = self.wait_explained(pids)
        self.assertEqual(explained, [p for p in pids if p in explained])
        entries = self.daemon.query("SELECT pid FROM activity WHERE action = 'FAIL' ORDER BY id")
        self.assertEqual([e[0] for e in entries if e[0] in pids], explained)

    def test_holder_that_is_gone_before_its_turn_is_named(self):
        """Its socket, its process, and its place in the table are gone; the evidence is not."""
        port = harness.free_port()
        os.kill(self.daemon.pid, signal.SIGSTOP)
        try:
            holder = self.listener(port)
            first = self.refused(port)[0]
            holder.kill()
            self.refused(self.hold()[0], BURST, uid=FLOODER)
        finally:
            os.kill(self.daemon.pid, signal.SIGCONT)
        why = self.daemon.get(f"/v1/why?pid={first}")
        self.assertEqual([h["pid"] for h in why["holders"]], [holder.pid])

    def test_what_waits_at_the_end_is_explained(self):
        pids, _ = self.burst_while_nobody_listens("/v1/status")
        lost = self.lost()
        self.daemon.stop()
        told = len(set(pids) & set(self.recorded_pids()))
        missing = self.daemon.query("SELECT details FROM activity WHERE action = 'GAP' "
                                    "AND details LIKE '% refused calls were not explained%'")
        if missing:  # a second was too short for all of them
            told += int(missing[0][0].split()[0])
        self.assertGreaterEqual(told + lost, len(pids))

    # --- a flood ---

    def flood(self, uid, how, ports):
        self.spawn_python(FLOOD, how, *ports, uid=uid)
        wait_until(self.count_gaps, "the flood has used up its share")

    def ask_victim(self, port):
        """Of the first whom a full buffer in the kernel did not lose: that is counted."""
        for _ in range(harness.ATTEMPTS):
            lost = self.lost()
            pid = self.refused(port)[0]
            why = self.daemon.get(f"/v1/why?pid={pid}")
            if why["ok"] or self.lost() == lost:
                break
        self.assertTrue(why["ok"], f"{why}\n{self.daemon.log()}")
        return pid, why

    def explains_all_victims(self):
        port = self.hold()[0]
        pids = []
        for _ in range(VICTIMS):
            pid, why = self.ask_victim(port)
            pids.append(pid)
            self.assertEqual(why["asked"]["pid"], pids[-1])
            self.assertEqual([h["pid"] for h in why["holders"]], [os.getpid()])
        for pid in pids:
            self.assertTrue(self.daemon.get(f"/v1/why?pid={pid}")["ok"])

    def test_flood_of_one_user_takes_no_explanation_of_anothers(self):
        self.flood(FLOODER, "loop", self.hold(PORTS))
        self.explains_all_victims()

    def test_flood_of_processes_takes_no_explanation_of_another_users(self):
        self.flood(FLOODER, "fork", self.hold(PORTS))
        self.explains_all_victims()

    def test_program_that_runs_wild_takes_no_explanation_of_its_own_users_others(self):
        self.flood(VICTIM, "loop", self.hold(PORTS))
        self.explains_all_victims()


if __name__ == "__main__":
    sys.exit(harness.main())
