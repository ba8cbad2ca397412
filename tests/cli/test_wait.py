#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd wait: until a port listens, is free, or a service is healthy, and what it says meanwhile."""
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import harness
from harness import DONE, NO, WRONG, free_port, needs_root, proc_status, wait_until

ID = f"shop{os.getpid()}:web"  # two programs at once have ports of their own

# In a network namespace of its own: a server without SO_REUSEADDR is gone, its last connection is
# in FIN_WAIT2, and the kernel tells nobody when it forgets that.
CLOSED_CONNECTION = """
import socket, subprocess, sys, time
server = socket.create_server(("127.0.0.1", 3000), reuse_port=False)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
client = socket.create_connection(("127.0.0.1", 3000))
accepted, _ = server.accept()
accepted.close()
server.close()
began = time.monotonic()
code = subprocess.run([sys.argv[1], "wait", "3000", "--free", "-q"]).returncode
print(code, time.monotonic() - began)
socket.create_server(("127.0.0.1", 3000), reuse_port=False)
"""


def listener(port, host="127.0.0.1", family=socket.AF_INET):
    return socket.create_server((host, port), family=family)


def switches(pid):
    """How often a process has gone to sleep, which is how often it has woken up."""
    return int(proc_status(pid)["voluntary_ctxt_switches"])


def sleeps_on(pid):
    """For longer than anything would that looks again and again."""
    before = switches(pid)
    time.sleep(0.7)
    return switches(pid) == before


class WaitTest(harness.PortDaddyTest):
    def pd_wait(self, *arguments):
        """pd wait in the background, once it has looked and listens to the daemon."""
        wait_until(lambda: not self.daemon.clients("03"), "nobody else does")
        child = self.spawn([self.daemon.pd_program, "wait", *map(str, arguments)],
                           env=self.daemon.env, cwd=self.work)
        wait_until(lambda: self.daemon.clients("03") or child.process.poll() is not None,
                   "it listens to the daemon")
        return child

    def test_listens_and_closes_are_told_when_they_happen(self):
        port = free_port()
        other = free_port(but=(port,))
        self.daemon.claim(ID, "-p", str(other))
        both = self.pd_wait(port, ID, "--timeout", "1m")
        first = listener(port)
        one = self.daemon.json("wait", str(port))
        self.assertEqual((one["port"], one["state"]), (port, "listening"))
        self.assertLess(one["waited"], 20)
        self.assertIsNone(both.process.poll(), "the service does not listen yet")
        second = listener(other)
        self.assertEqual(both.wait(), DONE)
        self.assertIn(f"{ID} is listening on port {other}", both.output())

        freed = self.pd_wait(port, ID, "--free", "-j")
        first.close()
        second.close()
        self.assertEqual(freed.wait(), DONE)
        self.assertEqual(self.daemon.run("wait", str(port), "--free", "-q").out, "")

    def test_end_of_a_killed_holder_is_waited_for(self):
        port = free_port()
        server = self.http_server(port)
        waits = self.pd_wait(port, "--free")
        server.kill(signal.SIGKILL)
        self.assertEqual(waits.wait(), DONE)
        listener(port).close()

    def test_nothing_wakes_it_and_it_waits_on_with_the_next_daemon(self):
        port = free_port()
        v6 = listener(port, "::1", socket.AF_INET6)
        waits = self.pd_wait(port, "--timeout", "1m")
        self.assertEqual(waits.read_line(), f"pd: still waiting for port {port}: "
                         "listens on ::1 only")
        self.assertTrue(any(sleeps_on(waits.pid) for _ in range(harness.ATTEMPTS)))
        self.daemon.restart(signal.SIGKILL)
        v4 = listener(port)
        self.assertEqual(waits.wait(), DONE)
        v4.close()
        v6.close()

    def test_time_that_is_over_is_a_no_with_the_reason(self):
        port = free_port()
        answer = self.daemon.run("wait", str(port), f"no{os.getpid()}:such", "--timeout", "100ms",
                                 code=NO)
        self.assertIn(f"not within 100ms; port {port}: nothing listens yet; "
                      f"no{os.getpid()}:such: is not claimed yet", answer.err)
        error = self.daemon.json("wait", str(port), "--timeout", "50ms", code=NO)["error"]
        self.assertIn("nothing listens yet", error["message"])
        for line, words in ((["wait"], "missing"), (["wait", "70000"], "70000"),
                            (["wait", "run-12345678"], "is a run"),
                            (["wait", "3000", "--free", "--healthy"], "exclude"),
                            (["wait", "3000", "--timeout", "soon"], "soon"),
                            (["wait", "no name!"], "no name!")):
            self.daemon.run(*line, code=WRONG, says=words)

    def test_healthy_answer_is_waited_for(self):
        port, status = free_port(), [503]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status[0])
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.daemon.claim(ID, "-p", str(port), "--health", "/up")
        waits = self.pd_wait(ID, "--healthy", "--timeout", "1m")
        server = HTTPServer(("127.0.0.1", port), Handler)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        wait_until(lambda: self.daemon.json("health", ID, code=None)["services"][0]["httpStatus"]
                   == 503, "it answers")
        self.assertIsNone(waits.process.poll())
        status[0] = 204
        self.assertEqual(waits.wait(), DONE)
        self.assertIn("is healthy", waits.output())

    @needs_root
    def test_end_of_a_closed_connection_of_which_nothing_is_told(self):
        home = harness.temp_dir()
        self.addCleanup(harness.shutil.rmtree, home)
        env = {**self.daemon.env, "PORT_DADDY_HOME": home}
        env.pop("PORT_DADDY_SOCKET", None)
        child = self.spawn(
            ["unshare", "--net", "sh", "-ec", 'echo 2 >/proc/sys/net/ipv4/tcp_fin_timeout; '
             'ip link set lo up; "$0" 2>/dev/null & daemon=$!; trap "kill $daemon" EXIT; '
             'until [ -S "$PORT_DADDY_HOME/pd.sock" ]; do sleep 0.05; done; "$@"',
             self.daemon.program, harness.PYTHON, "-c", CLOSED_CONNECTION,
             self.daemon.pd_program], env=env)
        code, waited = child.read_line().split()
        self.assertEqual(int(code), DONE)
        self.assertGreater(float(waited), 1)
        self.assertEqual(child.wait(), 0)


if __name__ == "__main__":
    sys.exit(harness.main())
