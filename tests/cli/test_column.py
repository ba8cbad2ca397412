#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""From the kernel's bind to `pd find`: what a claim's status says while real servers come and go."""
import contextlib
import os
import signal
import socket
import statistics
import sys
import time

import harness
from harness import NOBODY, PYTHON, needs_root, wait_until

REACTION_S = 0.1 * harness.SCALE  # a killed server is a ghost in the database within this time

# Listens, hands the socket to a child, says its pid.  "keep" lives on, anything else leaves well;
# the child of "daemonize" has its own session by then, that of "late" only at SIGUSR1.
PARENT_AND_CHILD = """
s = listener(int(sys.argv[1]))
is_settled, settled = os.pipe()
child = os.fork()
if child == 0:
    signal.signal(signal.SIGUSR1, lambda *_: os.setsid())
    if sys.argv[2] == "daemonize":
        os.setsid()
    os.write(settled, b"!")
    rest()
os.read(is_settled, 1)
ready(child)
if sys.argv[2] != "keep":
    os._exit(0)
rest()
"""


class ClaimLifeTest(harness.PortDaddyTest):
    def test_server_on_a_claimed_port_is_active_with_exactly_its_pid(self):
        port = self.daemon.claim("demo:web")
        server = self.http_server(port)
        row = self.daemon.wait_status("demo:web", "active")
        self.assertEqual(row["port"], port)
        self.assertEqual(row["pids"], [server.pid])
        self.assertIn("python", row["process"])

    def test_claim_without_a_server_is_claimed(self):
        self.daemon.claim("demo:idle")
        self.assertEqual(self.daemon.service("demo:idle")["status"], "claimed")

    def test_killed_server_is_a_ghost_and_active_again_after_a_restart(self):
        port = self.daemon.claim("demo:web")
        self.http_server(port).kill()
        self.daemon.wait_status("demo:web", "ghost")
        self.assertEqual(self.daemon.service("demo:web")["pids"], [])
        again = self.http_server(port)
        self.assertEqual(self.daemon.wait_status("demo:web", "active")["pids"], [again.pid])

    def test_ghost_stands_in_the_log_with_its_time(self):
        port, server = self.serve_claim("demo:web")
        server.kill()
        self.daemon.wait_status("demo:web", "ghost")
        line = self.daemon.pd("log", "--filter", "GHOST,demo:web")
        self.assertRegex(line, r"^\[\d{1,2}:\d\d:\d\d\] GHOST +demo:web ")

    def test_server_that_was_killed_for_good_reason_also_leaves_a_ghost(self):
        port, server = self.serve_claim("demo:web")
        server.kill(signal.SIGTERM)
        self.daemon.wait_status("demo:web", "ghost")

    def test_released_service_is_gone_and_its_port_remembered(self):
        port = self.daemon.claim("demo:web")
        self.assertEqual(self.daemon.pd("release", "demo:web").strip(), f"Port {port} released")
        self.assertIsNone(self.daemon.service("demo:web"))
        self.assertEqual(self.daemon.claim("demo:web"), port)

    def test_release_says_that_a_process_still_holds_the_port(self):
        port, server = self.serve_claim("demo:web")
        answer = self.daemon.run("release", "demo:web", code=harness.DONE)
        self.assertIn(str(server.pid), answer.out + answer.err)

    def test_claim_after_the_server_listens_is_active_at_once(self):
        port = harness.free_port()
        server = self.http_server(port)
        # the port is taken by somebody who will fit the claim: the claim must name the holder
        answer = self.daemon.run("claim", "demo:late", "-p", str(port), code=harness.CONFLICT)
        self.assertIn(str(server.pid), answer.err + answer.out)


class ReactionTest(harness.PortDaddyTest):
    """Measured on the programs as users get them."""

    daemon_options = harness.PLAIN

    def setUp(self):
        super().setUp()
        self.need_bpf("polling takes a second")

    def ghost_after(self, identity, port):
        server = self.http_server(port)
        self.status_is(identity, "active")
        started = time.monotonic()
        os.kill(server.pid, signal.SIGKILL)
        self.status_is(identity, "ghost")
        taken = time.monotonic() - started
        server.wait()
        return taken

    def status_is(self, identity, status):
        wait_until(lambda: self.daemon.query("SELECT status FROM services WHERE id = ?",
                                             identity) == [(status,)],
                   f"the database says {status}", every_s=0.0005)

    def test_database_knows_a_killed_server_within_100_ms_with_no_client_asking(self):
        port = self.daemon.claim("demo:web")
        for _ in range(harness.ATTEMPTS):
            times = [self.ghost_after("demo:web", port) for _ in range(7)]
            print(f"# ghost after {', '.join(f'{t * 1000:.1f}' for t in times)} ms")
            if statistics.median(times) < REACTION_S:
                return
        self.fail(f"the last ones: {times}")


class HeirTest(harness.PortDaddyTest):
    def serve_and_fork(self, port, mode):
        parent = self.spawn_python(PARENT_AND_CHILD, port, mode)
        child = int(parent.ready.split()[1])
        self.strays.append(child)
        return parent, child

    def test_child_of_a_killed_parent_is_an_orphan_with_its_pid(self):
        port = self.daemon.claim("demo:workers")
        parent, child = self.serve_and_fork(port, "keep")
        self.daemon.wait_status("demo:workers", "active")
        parent.kill()
        row = self.daemon.wait_status("demo:workers", "orphaned")
        self.assertEqual(row["pids"], [child])

    def test_both_holders_are_named_while_the_parent_lives(self):
        port = self.daemon.claim("demo:workers")
        parent, child = self.serve_and_fork(port, "keep")

        def both():
            row = self.daemon.service("demo:workers")
            return row["status"] == "active" and sorted(row["pids"]) == sorted([parent.pid, child])
        wait_until(both, "parent and child hold the port")

    def test_orphan_becomes_a_ghost_when_the_child_ends_too(self):
        port = self.daemon.claim("demo:workers")
        parent, child = self.serve_and_fork(port, "keep")
        self.daemon.wait_status("demo:workers", "active")
        parent.kill()
        self.daemon.wait_status("demo:workers", "orphaned")
        os.kill(child, signal.SIGKILL)
        self.daemon.wait_status("demo:workers", "ghost")

    def test_server_that_daemonizes_stays_active(self):
        port = self.daemon.claim("demo:daemonized")
        parent, child = self.serve_and_fork(port, "daemonize")
        parent.wait()

        def child_alone():
            row = self.daemon.service("demo:daemonized")
            return row if row["pids"] == [child] else None
        row = wait_until(child_alone, "only the daemonized child holds the port")
        self.assertEqual(row["status"], "active")

    def test_child_that_leaves_the_session_after_its_parents_end_is_a_daemon_then(self):
        port = self.daemon.claim("demo:daemonized")
        parent, child = self.serve_and_fork(port, "late")
        parent.wait()
        self.daemon.wait_status("demo:daemonized", "orphaned")
        os.kill(child, signal.SIGUSR1)
        row = self.daemon.wait_status("demo:daemonized", "active")
        self.assertEqual(row["pids"], [child])


class UnclaimedTest(harness.PortDaddyTest):
    def test_listener_in_the_range_without_a_claim_is_an_orphan_row(self):
        port = harness.free_port(9000, 9999)
        server = self.http_server(port)
        row = wait_until(lambda: self.daemon.orphan(port), "an orphan row")
        self.assertEqual(row["pids"], [server.pid])
        self.assertEqual(row["proto"], "tcp")
        line = next(l for l in self.daemon.pd("find").splitlines() if str(port) in l)
        self.assertIn("(unclaimed)", line)

    def test_orphan_row_goes_when_its_listener_goes(self):
        port = harness.free_port(9000, 9999)
        server = self.http_server(port)
        wait_until(lambda: self.daemon.orphan(port), "an orphan row")
        server.kill()
        wait_until(lambda: not self.daemon.orphan(port), "no orphan row")

    def test_listener_outside_the_range_is_no_orphan(self):
        inside, outside = harness.free_port(9000, 9999), harness.free_port()
        self.http_server(outside)
        self.http_server(inside)
        wait_until(lambda: self.daemon.orphan(inside), "an orphan row")
        self.assertIsNone(self.daemon.orphan(outside))

    def test_listener_on_a_port_that_was_claimed_once_is_an_orphan(self):
        port = harness.free_port()
        self.daemon.claim("demo:once", "-p", str(port))
        self.daemon.pd("release", "demo:once")
        self.http_server(port)
        wait_until(lambda: self.daemon.orphan(port), "an orphan row outside the range")


@needs_root
class ForeignHolderTest(harness.PortDaddyTest):
    def test_someone_elses_process_on_a_claimed_port_is_a_squatter(self):
        port = self.daemon.claim("demo:mine")
        server = self.http_server(port, uid=NOBODY)
        row = self.daemon.wait_status("demo:mine", "squatted")
        self.assertEqual(row["pids"], [server.pid])

    def test_claim_is_active_again_when_the_squatter_left(self):
        port = self.daemon.claim("demo:mine")
        self.http_server(port, uid=NOBODY).kill()
        mine = self.http_server(port)
        self.assertEqual(self.daemon.wait_status("demo:mine", "active")["pids"], [mine.pid])

    def test_same_user_elsewhere_in_another_session_is_a_squatter(self):
        port = self.daemon.claim("demo:mine", cwd=self.work)
        elsewhere = harness.temp_dir()
        # a session of its own, another directory, and no ancestor but the test's reaper
        code = "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n" \
               "        os.execv(sys.argv[2], [sys.argv[2], '-m', 'http.server', sys.argv[1]])\n" \
               "    os._exit(0)\nos.wait()\nready()\nos._exit(0)"
        try:
            self.spawn_python(code, port, PYTHON, cwd=elsewhere, stderr=None).wait()
            wait_until(lambda: harness.listens(port), "it listens")
            row = wait_until(lambda: (self.daemon.service("demo:mine") or {}).get("pids"), "a holder")
            self.strays.extend(row)
            self.daemon.wait_status("demo:mine", "squatted")
        finally:
            os.rmdir(elsewhere)


class RefusedBindTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.need_bpf("refused calls are not seen")
        self.port = self.daemon.claim("demo:web")
        self.holder = self.http_server(self.port)
        self.daemon.wait_status("demo:web", "active")

    def second_server(self):
        second = self.spawn([PYTHON, "-m", "http.server", str(self.port)])
        self.assertNotEqual(second.wait(), 0)
        return second

    def test_refused_bind_shows_in_watch_with_port_errno_and_pid(self):
        # of services alone: beside it other tests open thousands
        watch = self.pd_stream("watch", "*", "-j")
        wait_until(lambda: self.seen_by(watch), "the watch is connected")
        second = self.second_server()
        line = watch.wait_for(lambda l: '"FAIL"' in l and f'{second.pid}' in l, "a FAIL event")
        event = harness.json.loads(line)
        self.assertEqual(event["event"], "FAIL")
        self.assertEqual(event["port"], self.port)
        self.assertEqual(event["errno"], "EADDRINUSE")
        self.assertEqual(event["pid"], second.pid)
        self.assertEqual(event["service"], "demo:web")
        self.assertIn(str(self.holder.pid), line)

    def seen_by(self, watch):
        """Refused by the service's port until the watch shows it: it is connected then."""
        if watch.lines:
            return True
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", self.port))
        return False

    def test_watch_on_a_terminal_names_port_errno_pid_and_holder(self):
        watch = self.pd_stream("watch", "*")
        wait_until(lambda: self.seen_by(watch), "the watch is connected")
        second = self.second_server()
        line = watch.wait_for(lambda l: "FAIL" in l and str(second.pid) in l, "a FAIL line")
        for part in (str(self.port), "EADDRINUSE", str(self.holder.pid)):
            self.assertIn(part, line)

    def test_refused_bind_shows_in_the_log_with_port_errno_pid_and_holder(self):
        second = self.second_server()

        def fail_line():
            lines = self.daemon.pd("log", "--filter", "FAIL").splitlines()
            return next((l for l in lines if f":{self.port}" in l and str(second.pid) in l), None)
        line = wait_until(fail_line, "a FAIL line in the log")
        for part in ("EADDRINUSE", str(second.pid), str(self.holder.pid)):
            self.assertIn(part, line)

    def test_refused_listen_is_recorded_too(self):
        port = harness.free_port()
        code = """
def opened():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", int(sys.argv[1])))
    return s
a, b = opened(), opened()
a.listen()
try:
    b.listen()
except OSError:
    ready()
rest()
"""
        child = self.spawn_python(code, port)

        def fail_line():
            lines = self.daemon.pd("log", "--filter", "FAIL").splitlines()
            return next((l for l in lines if f":{port}" in l), None)
        line = wait_until(fail_line, "a FAIL line in the log")
        self.assertIn("listen", line)
        self.assertIn(str(child.pid), line)


class PollingColumnTest(harness.PortDaddyTest):
    """
    The same without eBPF: slower, and never wrong in the end.  A daemon of root's that gave up its
    capabilities may not look into /proc/PID/fd, so it goes by the socket's owner and names no pid.
    """

    daemon_arguments = ("--no-bpf",)

    def test_polling_daemon_follows_a_server_from_active_to_ghost_and_back(self):
        port, server = self.serve_claim("demo:web")
        server.kill()
        self.daemon.wait_status("demo:web", "ghost")
        self.http_server(port)
        self.daemon.wait_status("demo:web", "active")

    def test_polling_daemon_says_that_it_polls_and_what_it_cannot_see(self):
        self.assertEqual(self.daemon.json("status")["kernel"]["mode"], "poll")
        self.assertRegex(self.daemon.pd("status"), r"(?m)^Kernel: .*[Pp]oll")

    def test_polling_daemon_walks_proc_once_for_a_list_of_ports(self):
        self.spawn_python("""
crowd = [socket.create_server(("127.0.0.1", 0)) for n in range(100)]
ready()
rest()
""")
        processes = sum(name.isdigit() for name in os.listdir("/proc"))

        def reads():
            with open(f"/proc/{self.daemon.pid}/io", encoding="ascii") as f:
                return int(dict(line.split(": ") for line in f)["syscr"])
        before = reads()
        self.daemon.pd("status")
        # each walk reads once of every process; a few of the daemon's own may fall in between
        self.assertLess(reads() - before, 20 * processes)

    def test_polling_daemon_makes_watch_say_that_refusals_are_not_seen(self):
        watch = self.pd_stream("watch")
        watch.wait_for(lambda l: "refused binds" in l, "a note")


if __name__ == "__main__":
    sys.exit(harness.main())
