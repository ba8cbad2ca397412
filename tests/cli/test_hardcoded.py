#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Ports that stand in a program's source: two checkouts side by side, each reaching its own."""
import json
import os
import re
import signal
import sys
import urllib.request

import harness
import trees
from harness import DONE, NO, NOBODY, WRONG, wait_until

NAME = f"shop{os.getpid()}"

# A front end that answers with what its API says, and an API that says which checkout it is of.
SERVER = """
import http.server, os, socket, sys, urllib.request
port, api, word = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = urllib.request.urlopen(f"http://localhost:{api}{self.path}").read().decode() \\
            if api else word
        self.send_response(200)
        self.end_headers()
        self.wfile.write(said.encode())
    def log_message(self, format, *words):
        print(self.path, flush=True)
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[4] else socket.AF_INET
Server((sys.argv[4], port), Handler).serve_forever()
"""


def ask(port, path="/", host="127.0.0.1"):
    with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=harness.DEADLINE_S) as a:
        return a.read().decode()


TWO_PORTS = """
import socket, sys, time
sockets = [socket.create_server(("127.0.0.1", int(port))) for port in sys.argv[1:]]
time.sleep(1000)
"""


class HardcodedTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(trees.kill_all, self.daemon.home)
        self.need_rules("ports are not rewritten")
        self.front = harness.free_port()
        self.api = harness.free_port(self.front + 1, self.front + 300)

    def checkout(self, name, uid=None):
        directory = os.path.join(self.work, name)
        os.mkdir(directory)
        with open(os.path.join(directory, ".portdaddyrc"), "w", encoding="utf-8") as f:
            json.dump({"project": f"{NAME}{name}", "services": {
                "web": {"hardcoded": self.front, "needs": ["api"]},
                "api": {"hardcoded": [self.api]}}}, f)
        if uid:
            os.chmod(self.work, 0o755)
            os.chown(directory, uid, uid)
            os.chown(os.path.join(directory, ".portdaddyrc"), uid, uid)
        return directory

    def pd(self, uid):
        return harness.public_copy(self.daemon.pd_program) if uid else self.daemon.pd_program

    def run_pd(self, directory, *arguments, uid=None):
        said = os.path.join(self.work, f"said{len(self.children)}")
        child = self.spawn([self.pd(uid), "run", *arguments], env=self.daemon.env, uid=uid,
                           cwd=directory, stdout=open(said, "wb"))
        child.said = said
        return child

    def serve(self, directory, service, port, api, host, uid=None):
        return self.run_pd(directory, service, "--", "setsid", harness.PYTHON, "-c", SERVER,
                           str(port), str(api or 0), os.path.basename(directory), host, uid=uid)

    def words(self, child):
        with open(child.said, encoding="utf-8") as f:
            return f.read()

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

    # --- side by side ---

    def test_two_checkouts_run_side_by_side_and_each_reaches_its_own(self):
        watch = self.watch_services()
        uids = {"a": None, "b": NOBODY if os.geteuid() == 0 else None}
        servers = {}
        for name, uid in uids.items():
            directory = self.checkout(name, uid)
            servers[name, "api"] = self.serve(directory, "api", self.api, None, "127.0.0.1", uid)
            servers[name, "web"] = self.serve(directory, "web", self.front, self.api, "::", uid)
        for (name, service), child in servers.items():
            asked = self.front if service == "web" else self.api
            port = int(self.wait_words(child, rf"{service} serves on http://localhost:(\d+) "
                                              rf"\({asked}(?:→|->)\1, python3").group(1))
            self.assertNotIn(port, (self.front, self.api))
            servers[name, service].port = port
        for name in uids:
            self.assertEqual(ask(servers[name, "web"].port, f"/of-{name}"), name)
            self.assertEqual(re.findall(r"^/of-.*", self.words(servers[name, "api"]), re.M),
                             [f"/of-{name}"])
        self.wait_told(watch, "LISTEN", servers.values())
        self.check_what_is_shown(servers)
        self.check_after_a_restart(servers, uids)
        watch = self.watch_services()
        for child in servers.values():
            child.kill(signal.SIGTERM)
        self.wait_told(watch, "CLOSE", servers.values())

    def watch_services(self):
        """pd watch of all of them, once it is connected; others open and close thousands."""
        watch = self.pd_stream("watch", "*", "-j")
        wait_until(lambda: self.daemon.claim(f"{NAME}:seen") and
                   self.daemon.pd("release", f"{NAME}:seen") and watch.lines, "the watch has begun")
        return watch

    def wait_told(self, watch, event, children):
        """Of each of them, with both ports."""
        for child in children:
            watch.wait_for(lambda line: json.loads(line).get("event") == event and
                           json.loads(line)["port"] == child.port and
                           json.loads(line)["askedPort"] in (self.front, self.api), event)

    def check_what_is_shown(self, servers):
        """Every row of a listener that the kernel has says both ports, and no other does."""
        rows = {s["port"]: s for s in self.daemon.json("find", "--all")["sockets"]
                if s["state"] == "LISTEN" and s["ownNetns"]}
        claims = {s["port"]: s for s in self.daemon.json("find")["services"]}
        for (name, service), child in servers.items():
            asked = self.front if service == "web" else self.api
            self.assertEqual(rows[child.port]["askedPort"], asked, rows[child.port])
            self.assertEqual(claims[child.port]["askedPort"], asked, claims[child.port])
            self.assertEqual(claims[child.port]["status"], "active", claims[child.port])
            run = self.run_of(claims[child.port]["id"])
            self.assertEqual(run["hardcoded"], [{"askedPort": asked, "port": child.port}])
            self.check_history(child.port, asked)
            self.assertIn(f"Port {asked}→{child.port}: ",
                          self.daemon.pd("log", str(child.port), "--filter", "ACTIVE"))
        ours = {child.port for child in servers.values()}
        self.assertEqual({p for p, row in rows.items() if row.get("askedPort")} - ours, set())
        why = self.daemon.json("why", str(self.front))
        self.assertTrue(why["free"], why)
        self.assertEqual({h["port"] for h in why["hardcoded"]},
                         {servers[n, "web"].port for n in ("a", "b")})
        self.assertRegex(self.daemon.pd("find"), rf"{self.front}(→|->)")

    def check_history(self, port, asked):
        def past():
            answer = self.daemon.json("history", str(port), code=None)
            # left out where others listen hundreds of times a second
            return answer["entries"] or answer["leftOut"]
        entries = wait_until(past, "it has a row")
        if isinstance(entries, list):
            self.assertEqual({(e["port"], e["askedPort"]) for e in entries}, {(port, asked)})
            self.assertRegex(self.daemon.pd("history", str(port)), rf"{asked}→{port} ")

    def check_after_a_restart(self, servers, uids):
        """A daemon that comes later finds the rules, and who has which port."""
        self.daemon.stop(signal.SIGKILL)
        self.daemon.start()
        for name in uids:
            wait_until(lambda: self.run_of(self.id_of(servers[name, "web"].port)), "the run")
            self.assertEqual(ask(servers[name, "web"].port, f"/again-{name}"), name)
        self.check_what_is_shown(servers)

    def refusal_of(self, port):
        """Of all that this daemon has heard of: refusals of other programs' are among them."""
        found = self.daemon.json("why", "--last", "50", code=None).get("refusals") or []
        return next((why for why in found if why["port"] == port), None)

    def id_of(self, port):
        return next(s["id"] for s in self.daemon.json("find")["services"] if s["port"] == port)

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
        self.check_who_asks_by_the_asked_port(f"{NAME}:two")

    def test_second_port_is_no_stranger_to_pd_up(self):
        with open(os.path.join(self.work, "two.py"), "w", encoding="utf-8") as f:
            f.write(TWO_PORTS)
        with open(os.path.join(self.work, ".portdaddyrc"), "w", encoding="utf-8") as f:
            json.dump({"project": f"{NAME}up", "services": {"two": {
                "cmd": f"exec {harness.PYTHON} two.py {self.api} {self.front}",
                "hardcoded": [self.front, self.api]}}}, f)
        for _ in ("begun", "adopted"):
            answer = self.daemon.run("up", "-d", cwd=self.work)
            self.assertEqual(answer.code, DONE, answer)
            self.assertNotIn("listens on port", answer.err)
        self.assertEqual(self.daemon.run("down", cwd=self.work).code, DONE)

    def check_who_asks_by_the_asked_port(self, identity):
        """It is of nobody, or of a stranger, and is told whose program has it in its source."""
        port = self.port_of(identity)
        for command in ("stop", "wait", "find"):
            options = ("--timeout", "100ms") if command == "wait" else ()
            asked = f":{self.front}" if command == "find" else str(self.front)
            answer = self.daemon.run(command, asked, *options)
            self.assertEqual(answer.code, NO, answer)
            self.assertRegex(answer.err, rf"{self.front}(→|->){port} is of {identity}, whose "
                                         rf"source has {self.front}: pd {command} {identity}")
        self.spawn_python("s = listener(int(sys.argv[1])); ready(); rest()", self.front)
        answer = self.daemon.run("stop", str(self.front), "--dry-run")
        self.assertIn(f": pd stop {identity}", answer.err)

    def test_refusal_of_a_hardcoded_port_says_both_and_who_is_in_the_way(self):
        identity, begin = f"{NAME}:taken", os.path.join(self.work, "begin")
        bind = ("import os, socket, sys, time\n"
                "while not os.path.exists(sys.argv[2]): time.sleep(0.01)\n"
                "socket.socket().bind(('127.0.0.1', int(sys.argv[1])))\n")
        child = self.run_pd(self.work, identity, "--hardcoded", str(self.front), "--",
                            harness.PYTHON, "-c", bind, str(self.front), begin)
        port = wait_until(lambda: self.port_of(identity), "the claim")
        wait_until(lambda: self.run_of(identity), "the run")
        holder = self.spawn_python("s = listener(int(sys.argv[1])); ready(); rest()", port)
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
            answer = self.daemon.run("run", f"{NAME}:bad", *options, "--", "touch",
                                     os.path.join(self.work, "ran"))
            self.assertEqual(answer.code, WRONG, answer)
            self.assertIn(word, answer.err)
        self.assertFalse(os.path.exists(os.path.join(self.work, "ran")))
        self.assertEqual(self.daemon.json("ps", code=None)["runs"], [])


if __name__ == "__main__":
    sys.exit(harness.main())
