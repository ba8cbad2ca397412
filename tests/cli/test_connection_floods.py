#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One user floods the daemon with connections and with answers that nobody reads."""
import json
import os
import socket
import sys
import threading

import harness
from harness import NOBODY, needs_root, proc_status, wait_until

CONNECTIONS_PER_USER = 128
CONNECTIONS = 256           # of all users
ACCEPTED_IN_A_TURN = 64     # and not judged yet
PAGE_ROWS = 500
MEMORY_MAX_KB = 64 * 1024   # while it is flooded
UNREAD_CONNECTIONS = 60
NOTE_BYTES = 16000
NOTES = 100
# Has nothing to say, whatever others do on this machine: it is never dropped as too slow.
QUIET_STREAM = "/v1/activity?filter=nobody:nothing"

# Holds streams, says so, then connects and leaves as fast as it can until it is killed.
STORM = """
held = []
for i in range(int(sys.argv[3])):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(f"GET {sys.argv[2]} HTTP/1.1\\r\\n\\r\\n".encode())
    held.append(s)
ready()
while True:
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(sys.argv[1])
    except OSError:
        pass
    s.close()
"""

# Asks the same on many connections, says so when each has an answer, and reads none.
UNREAD = """
import select
held = []
for i in range(int(sys.argv[3])):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    try:
        s.sendall(f"GET {sys.argv[2]} HTTP/1.1\\r\\n\\r\\n".encode())
    except OSError:
        pass  # refused already; the answer is there all the same
    held.append(s)
for s in held:
    select.select([s], [], [])
ready(sum(s.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200" for s in held))
rest()
"""


class FloodTest(harness.PortDaddyTest):
    """Measured on the programs as users get them, not on the sanitizers'."""

    daemon_options = harness.PLAIN

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    def memory_kb(self):
        return int(proc_status(self.daemon.pid)["VmRSS"].split()[0])

    def accepted(self):
        return self.daemon.json("metrics")["connections"]

    @needs_root
    def test_a_storm_of_connections_takes_few_descriptors_and_others_are_answered(self):
        idle = self.descriptors()
        for _ in range(2):
            self.spawn_python(STORM, self.daemon.socket, QUIET_STREAM,
                              CONNECTIONS_PER_USER // 2, uid=NOBODY)
        before, most = self.accepted(), 0
        # the daemon goes on serving: thousands come and go while each question is answered
        while self.accepted() < before + 5000:
            most = max(most, self.descriptors())
        self.assertLess(most - idle, CONNECTIONS + ACCEPTED_IN_A_TURN)

    @needs_root
    def test_a_user_with_all_connections_is_told_and_others_are_not_hindered(self):
        held = self.spawn_python(UNREAD, self.daemon.socket, QUIET_STREAM,
                                 CONNECTIONS_PER_USER + 10, uid=NOBODY)
        self.assertEqual(held.ready, f"ready {CONNECTIONS_PER_USER}")
        refused = self.daemon.run("status", uid=NOBODY)
        self.assertIn(f"you have {CONNECTIONS_PER_USER} open connections, the limit of a user; "
                      "close one and try again", refused.err)
        self.daemon.pd("status")

    @needs_root
    def test_where_few_files_may_be_open_a_user_gets_his_share_and_others_theirs(self):
        for most in 128, 200:
            daemon = self.start_daemon(most_files=most)
            held = self.spawn_python(UNREAD, daemon.socket, QUIET_STREAM, CONNECTIONS_PER_USER,
                                     uid=NOBODY)
            share = int(held.ready.split()[1])
            self.assertTrue(2 <= share <= most // 8, held.ready)
            daemon.run("status", uid=NOBODY, says=f"you have {share} open connections")
            daemon.pd("status", uid=NOBODY - 1)
            daemon.pd("status")
            self.assertNotIn("not accepted", daemon.log())
            held.kill()
            daemon.stop()

    def test_daemon_that_may_open_too_few_files_says_how_many_it_needs(self):
        arguments = () if self.daemon.uses_bpf() else ("--no-bpf",)
        daemon = self.new_daemon(*arguments, most_files=40).launch()
        self.assertEqual(daemon.process.wait(harness.DEADLINE_S), harness.FAILED)
        self.assertRegex(daemon.log(), r"^.*may open 40 files, and it needs \d+: .*LimitNOFILE=.*"
                                       r"ulimit -n.*\n$")

    @needs_root
    def test_answers_that_nobody_reads_do_not_fill_the_memory(self):
        session = self.daemon.json("session", "start", "flood")["id"]
        for _ in range(NOTES):
            self.daemon.pd("note", "--session", session, "n" * NOTE_BYTES)
        held = self.spawn_python(UNREAD, self.daemon.socket, f"/v1/notes?session={session}",
                                 UNREAD_CONNECTIONS, uid=NOBODY)
        answered = int(held.ready.split()[1])
        self.assertTrue(0 < answered < UNREAD_CONNECTIONS, held.ready)
        self.assertLess(self.memory_kb(), MEMORY_MAX_KB)
        # what is read and gone is given back
        held.kill()
        wait_until(lambda: self.daemon.run("notes", session, uid=NOBODY).code == 0,
                   "the user is served again")

    @needs_root
    def test_watchers_that_do_not_read_are_dropped_within_bounds(self):
        self.spawn_python(UNREAD, self.daemon.socket, "/v1/events", 100, uid=NOBODY)
        most = 0
        for round_ in range(200):
            services = [{"id": f"flood:{n}"} for n in range(250)]
            self.daemon.post("/v1/claims", {"services": services})
            self.daemon.post("/v1/releases", {"match": "flood:*"})
            most = max(most, self.memory_kb())
            if self.daemon.json("metrics")["droppedWatchers"] == 100:
                break
        print(f"# memory {most} kB, rounds {round_ + 1}")
        self.assertEqual(self.daemon.json("metrics")["droppedWatchers"], 100)
        self.assertLess(most, MEMORY_MAX_KB)


class PagesTest(harness.PortDaddyTest):
    def claim(self, n):
        ids = sorted(f"page:{i}" for i in range(n))
        for first in range(0, n, 250):
            services = [{"id": i} for i in ids[first:first + 250]]
            self.assertTrue(self.daemon.post("/v1/claims", {"services": services})["ok"])
        return ids

    def test_pd_shows_all_pages_of_a_list(self):
        ids = self.claim(2 * PAGE_ROWS + 100)
        found = self.daemon.json("find", "page:*")
        self.assertEqual([s["id"] for s in found["services"]], ids)
        self.assertNotIn("next", found)
        log = self.daemon.json("log", "-n", str(PAGE_ROWS + 7), "--filter", "CLAIM")
        self.assertEqual(len(log["entries"]), PAGE_ROWS + 7)
        self.assertEqual(len(self.daemon.json("log")["entries"]), 50)

    def test_pd_takes_the_whole_list_of_a_daemon_that_knows_no_pages(self):
        """An older daemon refuses parameters that it does not know, and gives no "next"."""
        home = harness.temp_dir("pd-older-")
        questions = []

        def serve(server):
            with server.accept()[0] as s:
                questions.append(s.recv(4096).split(b" ")[1].decode())
                body = json.dumps({"ok": True, "version": 1, "orphans": [], "services": [
                    {"id": f"old:{n}", "port": 3000 + n, "status": "claimed"}
                    for n in range(PAGE_ROWS + 1)]}).encode()
                s.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.join(home, "pd.sock"))
            server.listen()
            thread = threading.Thread(target=serve, args=(server,))
            thread.start()
            found = self.daemon.json("find", env={"PORT_DADDY_HOME": home})
            thread.join(harness.DEADLINE_S)
        self.assertEqual(len(found["services"]), PAGE_ROWS + 1)
        self.assertEqual(questions, ["/v1/services"])


if __name__ == "__main__":
    sys.exit(harness.main())
