#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Ports that stand in a program's source: what is said of them, and what does not fit."""
import errno
import json
import os
import re
import signal
import socket
import sys

import harness
from harness import DONE, NO, WRONG, wait_until

NAME = f"shop{os.getpid()}"

TWO_PORTS = """
import socket, sys, time
sockets = [socket.create_server(("127.0.0.1", int(port))) for port in sys.argv[1:]]
time.sleep(1000)
"""


class HardcodedTest(harness.PortDaddyTest):
    makes_runs = True

    def setUp(self):
        super().setUp()
        self.need_rules("ports are not rewritten")
        self.front = harness.free_port()
        self.api = harness.free_port(but=(self.front,))

    def run_pd(self, directory, *arguments):
        said = os.path.join(self.work, f"said{len(self.children)}")
        child = self.spawn([self.daemon.pd_program, "run", *arguments], env=self.daemon.env,
                           cwd=directory, stdout=open(said, "wb"))
        child.said = said
        return child

    def words(self, child):
        return harness.read_text(child.said)

    def wait_words(self, child, pattern):
        def there():
            return re.search(pattern, self.words(child), re.M)
        try:
            return wait_until(there, pattern)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.words(child)}") from None

    def port_of(self, service):
        found = self.daemon.service(service)
        return found["port"] if found else None

    def run_of(self, service):
        return next((r for r in self.daemon.json("ps", code=None)["runs"]
                     if r["service"] == service), None)

    def test_daemon_that_may_not_call_bpf_has_its_hooks_write_the_rules(self):
        """As before Linux 5.19, where kernel.unprivileged_bpf_disabled is set."""
        self.assertFalse(self.daemon.json("status")["kernel"]["orders"])
        self.daemon.stop()
        self.daemon.env["PORT_DADDY_MAP_ORDERS"] = "1"
        self.daemon.start()
        kernel = self.daemon.json("status")["kernel"]
        self.assertTrue(kernel["orders"])
        states = {p["name"]: p["state"] for p in kernel["probes"]}
        self.assertEqual((states["rules"], states["holders"]), ("works", "refused"))
        self.assertIn("no call of bpf()", self.daemon.pd("status"))
        child = self.run_pd(self.work, f"{NAME}:orders", "--hardcoded", str(self.front), "--protect",
                            "--", harness.PYTHON, "-c", TWO_PORTS, str(self.front))
        port = int(self.wait_words(child, rf"localhost:(\d+) \({self.front}(→|->)\1").group(1))
        run = wait_until(lambda: self.run_of(f"{NAME}:orders"), "the run")
        self.assertEqual((run["port"], run["protected"], [m["ports"] for m in run["members"]]),
                         (port, True, [[port]]))
        child.kill(signal.SIGTERM)
        with self.assertRaises(OSError):
            socket.create_server(("127.0.0.1", port))
        self.daemon.pd("release", f"{NAME}:orders")
        socket.create_server(("127.0.0.1", port)).close()

    def refusal_of(self, port):
        """Of all that this daemon has heard of: refusals of other programs' are among them."""
        found = self.daemon.json("why", "--last", "50", code=None).get("refusals") or []
        return next((why for why in found if why["port"] == port), None)

    def test_transparent_run_is_told_the_port_of_its_source(self):
        """By getsockname() of the listener and of a connection, by getpeername() of its client."""
        told = ("import socket\n"
                "server = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
                "client = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
                "accepted = server.accept()[0]\n"
                "print('told', server.getsockname()[1], accepted.getsockname()[1],\n"
                "      client.getpeername()[1], flush=True)\n"
                # refused where it was sent to, and connected elsewhere then
                "server.close(), accepted.close(), client.close()\n"
                "bound, client = socket.socket(), socket.socket()\n"
                "bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
                "bound.bind(('127.0.0.1', int(sys.argv[1])))\n"
                "other = socket.create_server(('127.0.0.1', 0))\n"
                "print(client.connect_ex(('127.0.0.1', int(sys.argv[1]))),\n"
                "      client.connect_ex(other.getsockname()),\n"
                "      client.getpeername() == other.getsockname(), flush=True)\n")
        program = [harness.PYTHON, "-c", "import sys\n" + told, str(self.front)]
        for options, transparent in (((), False), (("--transparent",), True)):
            identity = f"{NAME}:told-{transparent}".lower()
            answer = self.daemon.run("run", identity, "--hardcoded", str(self.front), *options,
                                     "--", *program, cwd=self.work)
            port = self.front if transparent else self.port_of(identity)
            self.assertEqual(answer.out, f"told {port} {port} {port}\n"
                             f"{errno.ECONNREFUSED} 0 True\n", answer)
        answer = self.daemon.run("run", f"{NAME}:none", "--transparent", "--", "true", code=WRONG)
        self.assertIn("--hardcoded", answer.err)
        self.assertIsNone(self.daemon.service(f"{NAME}:none"))

    # --- what does not fit ---

    def test_second_port_has_a_claim_beside_the_first(self):
        child = self.run_pd(self.work, f"{NAME}:two", "--hardcoded", str(self.front), "--hardcoded",
                            str(self.api), "--", harness.PYTHON, "-c", TWO_PORTS, str(self.front),
                            str(self.api))
        beside = f"{NAME}:two-{self.api}"
        port = int(self.wait_words(child, rf"also serves on http://localhost:(\d+) "
                                          rf"\({self.api}(→|->)\1").group(1))
        self.daemon.wait_status(beside, "active")
        self.assertEqual(self.daemon.service(beside)["port"], port)
        self.assertEqual(self.daemon.service(beside)["askedPort"], self.api)
        self.assertIn(f"port {self.front} in its source becomes ", self.words(child))
        self.assertIn("not for UDP", self.words(child))
        self.assertIn("not for UDP", " ".join(self.daemon.run("why", str(port)).out.split()))
        self.check_who_asks_by_the_asked_port(f"{NAME}:two")

    def test_second_port_is_no_stranger_to_pd_up(self):
        self.write("two.py", TWO_PORTS)
        with open(os.path.join(self.work, ".portdaddyrc"), "w", encoding="utf-8") as f:
            json.dump({"project": f"{NAME}up", "services": {"two": {
                "cmd": f"exec {harness.PYTHON} two.py {self.api} {self.front}",
                "hardcoded": [self.front, self.api]}}}, f)
        for way in ("begun", "adopted"):
            answer = self.daemon.run("up", "-d", cwd=self.work, code=DONE)
            if way == "begun":
                self.assertRegex(answer.err, rf"localhost:(\d+) \({self.front}(→|->)\1, python3")
            self.assertNotIn("listens on port", answer.err)
        self.assertEqual(self.daemon.run("down", cwd=self.work).code, DONE)

    def check_who_asks_by_the_asked_port(self, identity):
        """It is of nobody, or of a stranger, and is told whose program has it in its source."""
        port = self.port_of(identity)
        for command in ("stop", "wait", "find"):
            options = ("--timeout", "100ms") if command == "wait" else ()
            asked = f":{self.front}" if command == "find" else str(self.front)
            answer = self.daemon.run(command, asked, *options, code=NO)
            self.assertRegex(answer.err, rf"{self.front}(→|->){port} is of {identity}, whose "
                                         rf"source has {self.front}: pd {command} {identity}")
        self.listener(self.front)
        self.daemon.run("stop", str(self.front), "--dry-run", says=f": pd stop {identity}")

    def test_refusal_of_a_hardcoded_port_says_both_and_who_is_in_the_way(self):
        identity, begin = f"{NAME}:taken", os.path.join(self.work, "begin")
        bind = ("import os, socket, sys, time\n"
                "while not os.path.exists(sys.argv[2]): time.sleep(0.01)\n"
                "socket.socket().bind(('127.0.0.1', int(sys.argv[1])))\n")
        child = self.run_pd(self.work, identity, "--hardcoded", str(self.front), "--",
                            harness.PYTHON, "-c", bind, str(self.front), begin)
        port = wait_until(lambda: self.port_of(identity), "the claim")
        wait_until(lambda: self.run_of(identity), "the run")
        holder = self.listener(port)
        open(begin, "wb").close()
        child.wait()
        why = wait_until(lambda: self.refusal_of(port), "the refusal is explained")
        self.assertEqual((why["port"], why["askedPort"], why["asked"]["port"]),
                         (port, self.front, self.front), why)
        self.assertEqual(why["verdict"], "listener", why)
        self.assertEqual([h["pid"] for h in why["holders"]], [holder.pid], why)
        self.assertIn(f"has {self.front} in its source", why["summary"])
        self.assertRegex(self.daemon.pd("log", "--filter", "FAIL"), rf"{self.front}→{port}")

    def test_bad_ports_are_refused_before_anything_runs(self):
        own = self.daemon.claim(f"{NAME}:bad")
        for ports, word in ((["0"], "no port"), (["65536"], "no port"), (["x"], "no port"),
                            (["3000", "3000"], "twice"), ([str(own)], "nothing to rewrite"),
                            ([str(n) for n in range(3000, 3009)], "at most 8")):
            options = [o for p in ports for o in ("--hardcoded", p)]
            self.daemon.run("run", f"{NAME}:bad", *options, "--", "touch",
                            os.path.join(self.work, "ran"), code=WRONG, says=word)
        self.assertFalse(os.path.exists(os.path.join(self.work, "ran")))
        self.assertEqual(self.daemon.json("ps", code=None)["runs"], [])


if __name__ == "__main__":
    sys.exit(harness.main())
