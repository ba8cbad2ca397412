#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checkouts of one project, whose source has 3000 and 4000, up at the same time and by two users:
each front end reaches its own API, and what pd says of them is what the kernel has."""
import json
import os
import signal
import subprocess
import sys

import harness
import trees
from harness import NO, NOBODY, PYTHON, wait_until

PROJECT = f"shop{os.getpid()}"
WEB, API = 3000, 4000

WEB_JS = """
const http = require("http");
http.createServer((question, answer) => {
  http.get("http://localhost:4000" + question.url, (said) => said.pipe(answer))
    .on("error", (error) => { answer.statusCode = 502; answer.end(String(error)); });
}).listen(3000);
"""

API_PY = """
import http.server, os, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        word = os.getcwd()
        if self.path == "/again":
            with socket.socket(socket.AF_INET6) as s:
                word = str(bind_again(s))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(word.encode())
    def log_message(self, format, *words):
        print("asked for", self.path, flush=True)
def bind_again(s):
    try:
        s.bind(("::", 4000))
    except OSError as error:
        return error.errno
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
Server(("::", 4000), Handler).serve_forever()
"""

SERVICES = {"api": {"cmd": f"exec {PYTHON} api.py", "hardcoded": API},
            "web": {"cmd": "exec node web.js", "hardcoded": WEB, "needs": ["api"]}}


class Checkout:
    def __init__(self, directory, branch, uid):
        self.directory, self.branch, self.uid = directory, branch, uid
        self.by_run = {}  # service: its pd, where pd run has started it

    def id(self, service):
        """As root sees it."""
        return ":".join([PROJECT, service, *([self.branch] if self.branch else [])]) + \
            ("@nobody" if self.uid else "")

    def is_of(self, pid):
        try:
            return os.readlink(f"/proc/{pid}/cwd") == self.directory
        except OSError:
            return False


class CheckoutsTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.need_rules("ports are not rewritten")
        self.homes = {None: self.daemon.home}
        self.checkouts = []
        for uid in (None, NOBODY):
            self.clone(uid)
        for home in self.homes.values():
            self.addCleanup(trees.kill_all, home)

    # --- a repository, and a second working tree of it, of each user ---

    def clone(self, uid):
        top = os.path.join(self.work, "of-nobody" if uid else "of-root")
        os.mkdir(top)
        main, other = os.path.join(top, "main"), os.path.join(top, "other")
        os.mkdir(main)
        files = {"web.js": WEB_JS, "api.py": API_PY,
                 ".portdaddyrc": json.dumps({"project": PROJECT, "services": SERVICES})}
        for name, text in files.items():
            with open(os.path.join(main, name), "w", encoding="utf-8") as f:
                f.write(text)
        if uid:
            self.homes[uid] = top
            subprocess.run(["chown", "-R", str(uid), top], check=True)
        git = ["git", "-C", main, "-c", "user.name=x", "-c", "user.email=x@example.com"]
        for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"],
                          ["worktree", "add", "-q", "-b", "other", other]):
            subprocess.run([*git, *arguments], check=True, env={**harness.BASE_ENV, "HOME": top},
                           **(harness.becoming(uid) if uid else {}))
        self.checkouts += [Checkout(main, "", uid), Checkout(other, "other", uid)]

    def options(self, checkout):
        """Of whoever calls pd: an ordinary user has a state directory of his own."""
        home = self.homes[checkout.uid]
        return {"cwd": checkout.directory, "uid": checkout.uid,
                "env": {**self.daemon.env, "PORT_DADDY_HOME": home, "HOME": home,
                        "PORT_DADDY_SOCKET": self.daemon.socket}}

    def pd(self, checkout, *arguments):
        return self.daemon.pd(*arguments, **self.options(checkout))

    # --- up and down ---

    def begin(self, checkout, by_run):
        if not by_run:
            self.pd(checkout, "up", "-d")
            return
        program = harness.public_copy(self.daemon.pd_program)
        for service, what in SERVICES.items():
            said = open(os.path.join(self.work, f"said-{len(self.children)}"), "w+b")
            child = self.spawn([program, "run", service, "--", "sh", "-c", what["cmd"]],
                               stdout=said, **self.options(checkout))
            child.said = said.name
            checkout.by_run[service] = child

    def end(self, checkout):
        for child in checkout.by_run.values():
            child.kill(signal.SIGTERM)
        if not checkout.by_run:
            self.pd(checkout, "down")
        checkout.by_run = {}

    def api_log(self, checkout):
        if not checkout.by_run:
            return self.pd(checkout, "logs", "api")
        with open(checkout.by_run["api"].said, encoding="utf-8") as f:
            return f.read()

    # --- what the kernel has ---

    def kernel_listeners(self):
        """id: (port, pid, program) of each server of ours, from /proc alone."""
        ports = {}
        for name in ("tcp", "tcp6"):
            with open(f"/proc/net/{name}", encoding="ascii") as f:
                rows = [line.split() for line in f.readlines()[1:]]
            ports.update({r[9]: int(r[1].rpartition(":")[2], 16) for r in rows if r[3] == "0A"})
        found = {}
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            checkout = next((c for c in self.checkouts if c.is_of(pid)), None)
            for inode in harness.socket_inodes(pid) & ports.keys() if checkout else ():
                comm = harness.read_text(f"/proc/{pid}/comm").strip()
                service = "web" if comm.startswith("node") else "api"
                found[checkout.id(service)] = (ports[inode], pid, comm)
        return found

    def wait_listeners(self):
        n = 2 * len(self.checkouts)
        return wait_until(lambda: (l := self.kernel_listeners()) and len(l) == n and l,
                          f"{n} servers listen")

    @staticmethod
    def asked(identity):
        return WEB if identity.split(":")[1].startswith("web") else API

    # --- what is said of it ---

    def told(self, watch, event):
        """(asked, port, pid) of each event about a port that was asked for by another number."""
        lines = [json.loads(line) for line in list(watch.lines)]
        return {(e["askedPort"], e["port"], e["pid"]) for e in lines
                if e.get("event") == event and e.get("askedPort")}

    def wait_told(self, watch, event, listeners):
        wanted = {(self.asked(i), port, pid) for i, (port, pid, _) in listeners.items()}
        wait_until(lambda: self.told(watch, event) >= wanted, f"{event} of each")
        self.assertEqual(self.told(watch, event), wanted)

    def check_find(self, listeners):
        rows = {s["id"]: (s["port"], s["pids"], s["process"], s["askedPort"], s["status"])
                for s in self.daemon.json("find", f"{PROJECT}:*")["services"]}
        self.assertEqual(rows, {i: (port, [pid], comm, self.asked(i), "active")
                                for i, (port, pid, comm) in listeners.items()})
        rows = {(s["askedPort"], s["port"], *s["pids"]) for s in
                self.daemon.json("find", "--all")["sockets"] if s.get("askedPort")}
        self.assertEqual(rows, {(self.asked(i), port, pid)
                                for i, (port, pid, _) in listeners.items()})

    def check_ps(self, listeners):
        runs = {r["service"]: (r["port"], r["hardcoded"],
                               [(m["pid"], m["ports"]) for m in r["members"] if m["ports"]])
                for r in self.daemon.json("ps")["runs"]}
        self.assertEqual(runs, {
            i: (port, [{"askedPort": self.asked(i), "port": port}], [(pid, [port])])
            for i, (port, pid, _) in listeners.items()})

    def check_why(self, listeners):
        """By the number in the source, of one's own; by the real one, who has it."""
        for number in (WEB, API):
            why = self.daemon.json("why", str(number), code=None)  # somebody may really have it
            said = {h["service"]: h["port"] for h in why["hardcoded"]}
            self.assertEqual(said, {i: port for i, (port, _, _) in listeners.items()
                                    if self.asked(i) == number})
        checkout = self.checkouts[-1]
        own = self.daemon.json("why", str(WEB), code=None, **self.options(checkout))["hardcoded"]
        self.assertEqual({h["port"] for h in own},
                         {p for i, (p, _, _) in listeners.items() if "@" in i and "web" in i})
        for identity, (port, pid, _) in listeners.items():
            why = self.daemon.json("why", str(port), code=NO)
            self.assertEqual((why["verdict"], [h["pid"] for h in why["holders"]]),
                             ("listener", [pid]), why)
            self.assertEqual([(h["askedPort"], h["port"], h["service"]) for h in why["hardcoded"]],
                             [(self.asked(identity), port, identity)])

    def check_history(self, listeners, ended):
        for identity, (port, pid, _) in listeners.items():
            def row():
                answer = self.daemon.json("history", str(port), code=None)
                found = [e for e in answer["entries"] if e["pid"] == pid and
                         (e["until"] is not None) == ended]
                # left out where others listen hundreds of times a second
                return found or answer["leftOut"]
            found = wait_until(row, f"the row of {identity}")
            if isinstance(found, list):
                self.assertEqual([(e["askedPort"], e["service"]) for e in found],
                                 [(self.asked(identity), identity)])

    def check_refusals(self, listeners):
        """A member that binds 4000 once more, and a stranger that binds the real port."""
        for checkout in self.checkouts:
            api, web = checkout.id("api"), checkout.id("web")
            port, pid, _ = listeners[api]
            self.assertEqual(self.ask(listeners[web][0], "/again"), "98")
            self.check_refusal(pid, port, API, pid)
            port, holder, _ = listeners[web]
            stranger = self.spawn([PYTHON, "-c", "import socket, sys\n"
                                   "socket.socket(socket.AF_INET6).bind(('::', int(sys.argv[1])))",
                                   str(port)])
            self.assertNotEqual(stranger.wait(), 0)
            self.check_refusal(stranger.pid, port, None, holder)

    def check_refusal(self, pid, port, asked, holder):
        def there():
            why = self.daemon.json("why", "--pid", str(pid), code=None)
            return why if why.get("port") == port else None
        why = wait_until(there, f"the refusal of {pid}")
        self.assertEqual((why["askedPort"], why["asked"]["port"], why["verdict"]),
                         (asked, asked or port, "self" if pid == holder else "listener"), why)
        self.assertEqual([h["pid"] for h in why["holders"]], [holder], why)

    def check_words(self, listeners):
        """People read both numbers, too."""
        identity, (port, pid, _) = next(iter(listeners.items()))
        both = f"{self.asked(identity)}→{port}"
        for arguments in (("find",), ("find", "--all"), ("ps",), ("why", str(port)),
                          ("log", str(port), "--filter", "ACTIVE")):
            self.assertIn(both, self.daemon.run(*arguments).out, arguments)
        if self.daemon.json("history", str(port), code=None)["entries"]:
            self.assertIn(both, self.daemon.pd("history", str(port)))

    def check_everything(self, listeners):
        self.check_words(listeners)
        self.check_find(listeners)
        self.check_ps(listeners)
        self.check_why(listeners)
        self.check_history(listeners, False)

    # --- what their clients get ---

    def ask(self, port, path):
        done = subprocess.run(["curl", "-sS", "--max-time", str(int(harness.DEADLINE_S)),
                               f"http://localhost:{port}{path}"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def check_answers(self, listeners, word):
        for n, checkout in enumerate(self.checkouts):
            port = listeners[checkout.id("web")][0]
            self.assertEqual(self.ask(port, f"/{word}-{n}"), checkout.directory)
        for n, checkout in enumerate(self.checkouts):
            asked = [line.split("/")[-1] for line in self.api_log(checkout).splitlines()
                     if f"/{word}-" in line]
            self.assertEqual(asked, [f"{word}-{n}"])

    def watch(self):
        watch = self.pd_stream("watch", "*", "-j")
        wait_until(lambda: self.daemon.claim(f"{PROJECT}-seen") and
                   self.daemon.pd("release", f"{PROJECT}-seen") and watch.lines, "the watch began")
        return watch

    # --- all of it ---

    def play(self, word, users_of_run):
        watch = self.watch()
        for checkout in self.checkouts:
            self.begin(checkout, checkout.uid in users_of_run)
        listeners = self.wait_listeners()
        self.assertEqual(len({port for port, _, _ in listeners.values()} - {WEB, API}),
                         len(listeners), listeners)
        self.wait_told(watch, "LISTEN", listeners)
        self.check_answers(listeners, word)
        self.check_everything(listeners)
        return watch, listeners

    def finish(self, watch, listeners):
        for checkout in self.checkouts:
            self.end(checkout)
        self.assertEqual(self.kernel_listeners(), {})
        self.wait_told(watch, "CLOSE", listeners)
        self.check_history(listeners, True)

    def check_after_a_restart(self, listeners):
        self.daemon.restart(signal.SIGKILL)
        wait_until(lambda: all(r["members"] for r in self.daemon.json("ps")["runs"]), "the runs")
        self.check_answers(listeners, "after-a-restart")
        self.check_everything(listeners)

    @harness.needs_root
    def test_checkouts_of_two_users_run_side_by_side_and_all_is_as_the_kernel_has_it(self):
        watch, listeners = self.play("first", {None})
        self.check_refusals(listeners)
        self.finish(watch, listeners)
        _, listeners = self.play("second", {NOBODY})
        self.check_after_a_restart(listeners)
        self.finish(self.watch(), listeners)


if __name__ == "__main__":
    sys.exit(harness.main())
