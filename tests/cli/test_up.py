#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd up, pd down and pd logs: the services of a project in the order of their needs, each known to
its last process."""
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios

import harness
import trees
from harness import (DONE, NO, NOBODY, PYTHON, WRONG, is_free, needs_root, proc_status,
                     wait_until)

FAST = f"exec {PYTHON} -SE"  # without what a server here does not need

# Notes that it began, that it listens now, and that it was asked to end: argv[1] is its name.  Who
# waits for its listen finds the note before it.
NOTING = trees.SERVE + """
def note(what):
    with open("notes", "a") as f:
        f.write(f"{sys.argv[1]} {what}\\n")
def ended(*_):
    note("ended")
    sys.exit(0)
signal.signal(signal.SIGTERM, ended)
note("began")
print(sys.argv[1], "serves", flush=True)
note("listens")
s = serve()
rest()
"""


class ProjectTest(harness.PortDaddyTest):
    """A project in self.work; as who pd is called there."""
    n_projects, user = 0, None
    makes_runs = True

    def setUp(self):
        super().setUp()
        ProjectTest.n_projects += 1  # each has ports that no earlier connection keeps
        self.project = f"shop{os.getpid()}-{ProjectTest.n_projects}"
        if self.user is not None:
            os.chown(self.work, self.user, self.user)
        self.write("noting.py", NOTING)
        self.write("server.py", trees.SERVER)

    # --- a project ---

    def write(self, name, text):
        path = super().write(name, text)
        if self.user is not None:
            os.chown(path, self.user, self.user)

    def services(self, **services):
        self.write(".portdaddyrc", json.dumps({"project": self.project, "services": services}))

    def noting(self, name, *needs, **more):
        return {"cmd": f"{FAST} noting.py {name}", "needs": needs, **more}

    def notes(self):
        try:
            return harness.read_text(os.path.join(self.work, "notes")).splitlines()
        except FileNotFoundError:
            return []

    # --- pd in it ---

    def pd(self, *arguments, **options):
        return self.daemon.run(*arguments, cwd=self.work, uid=self.user, **options)

    def up(self, *arguments, **options):
        """pd up in the background; its words are in the file said, its lines in the file out."""
        self.out_path, self.said_path = (os.path.join(self.work, n) for n in ("out", "said"))
        options.setdefault("stdout", open(self.out_path, "wb"))
        options.setdefault("stderr", open(self.said_path, "wb"))
        return self.spawn([self.daemon.pd_program, "up", *arguments], env=self.daemon.env, **options)

    def read(self, path):
        return harness.read_text(path)

    def wait_said(self, pattern):
        try:
            return wait_until(lambda: re.search(pattern, self.read(self.said_path), re.M), pattern)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.read(self.said_path)}\n"
                                 f"{self.read(self.out_path)}") from None

    def logged(self, name, n):
        lines = self.pd("logs", name).out.splitlines()
        return lines if len(lines) >= n else None

    def runs(self):
        return {r["service"].split(":")[1]: r for r in self.daemon.json("ps", code=None)["runs"]}

    def assert_nobody_left(self, runs):
        for name, run in runs.items():
            self.assertEqual(trees.marked(run["id"]), [], name)
            self.assertTrue(is_free(run["port"]), f"{name}: port {run['port']} is taken")
        wait_until(lambda: not self.runs(), "no run is left")

    def wait_full(self, pipe):
        """Until whoever writes into it has to wait."""
        def is_full():
            waiting = bytearray(4)
            fcntl.ioctl(pipe, termios.FIONREAD, waiting)
            return int.from_bytes(waiting, sys.byteorder) > 60000
        wait_until(is_full, "the pipe is full")

    def end(self, child, code=DONE):
        child.process.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(), code, self.read(self.said_path))


class UpTest(ProjectTest):
    """One daemon for all of them: each has a project of its own."""
    shared = None

    @classmethod
    def tearDownClass(cls):
        log = cls.shared.log()
        cls.shared.discard()
        if "Sanitizer" in log or "runtime error:" in log:
            raise AssertionError(f"a sanitizer complained about the daemon:\n{log}")

    def start_daemon(self, *arguments, **options):
        if not UpTest.shared:
            UpTest.shared = harness.Daemon(*arguments, **options).start()
        return UpTest.shared

    # --- order ---

    def test_services_begin_behind_their_needs_and_end_before_them(self):
        self.services(web=self.noting("web", "api"), api=self.noting("api", "db", "queue"),
                      db=self.noting("db"), queue=self.noting("queue"), claimed={})
        child = self.up()
        self.wait_said("4 services are ready")
        notes, runs = self.notes(), self.runs()
        for before, behind in (("db listens", "api began"), ("queue listens", "api began"),
                               ("api listens", "web began")):
            self.assertLess(notes.index(before), notes.index(behind), notes)
        self.assertEqual(set(runs), {"web", "api", "db", "queue"})
        self.assertEqual({r["state"] for r in runs.values()}, {"ready"})
        self.wait_said(r"^pd: web serves on http://localhost:\d+ \(python3?[.\d]*, pid \d+, after")
        wait_until(lambda: "web   | web serves\n" in self.read(self.out_path), "a line with a name")
        self.end(child)
        ends = [line for line in self.notes() if line.endswith("ended")]
        self.assertEqual(ends[:2], ["web ended", "api ended"])
        self.assertEqual(len(ends), 4)
        self.assertIn("all have ended", self.read(self.said_path))
        self.assert_nobody_left(runs)

    def test_service_is_ready_when_it_answers_well(self):
        self.write("warming.py", trees.SERVE + """
s = serve()
for answer in (b"503 Not yet", b"503 Not yet", b"200 OK"):
    c, _ = s.accept()
    c.recv(1000)
    open("notes", "a").write(answer.decode() + "\\n")
    c.sendall(b"HTTP/1.0 " + answer + b"\\r\\n\\r\\n")
    c.close()
rest()
""")
        self.services(db={"cmd": f"{FAST} warming.py", "healthPath": "/health"},
                      web=self.noting("web", "db"))
        self.assertEqual(self.pd("up", "-d").code, DONE)
        self.assertEqual(self.notes(), ["503 Not yet", "503 Not yet", "200 OK", "web began",
                                        "web listens"])
        self.assertEqual(self.pd("down").code, DONE)

    # --- detached ---

    def test_detached_services_are_adopted_and_go_down(self):
        script = f"echo $PORT $API_PORT $API_URL $MODE; pwd; {FAST} ../server.py"
        os.mkdir(os.path.join(self.work, "sub"))
        web = {"cmd": script, "cwd": "sub", "env": {"MODE": "test"}, "needs": ["api"]}
        self.services(api=self.noting("api"), web=web)
        answer = self.daemon.json("up", "-d", cwd=self.work)
        self.assertEqual([(s["id"], s["ready"], s["adopted"]) for s in answer["services"]],
                         [(f"{self.project}:{n}", True, False) for n in ("api", "web")])
        runs = self.runs()
        api, port = runs["api"]["port"], runs["web"]["port"]
        # what was written is in the log a moment later
        lines = wait_until(lambda: self.logged("web", 2), "two lines of web")
        wait_until(lambda: self.logged("api", 1), "a line of api")
        self.assertEqual(lines[:2], [f"{port} {api} http://localhost:{api} test",
                                     os.path.join(self.work, "sub")])
        self.assertIn("api | api serves", self.pd("logs").out.splitlines())
        self.assertEqual(self.pd("logs", "-n", "1", "web").out.splitlines(), lines[1:])
        self.assertEqual(self.pd("logs", "web", "--since", "1h").out.splitlines(), lines)
        self.assertEqual(json.loads(self.pd("logs", "api", "-j").out)["line"], "api serves")

        self.services(api=self.noting("api"), web={**web, "env": {"MODE": "other"}})
        again = self.pd("up", "-d", code=DONE)
        self.assertIn(f"api runs already ({runs['api']['id']}, ready; pd {runs['api']['pid']} "
                      "looks after it): adopted", again.err)
        self.assertIn("web would start differently by now", again.err)
        self.assertNotIn("api would start", again.err)
        self.assertEqual(self.runs(), runs)
        self.assertNotIn("was started in", again.err)
        # another checkout has the same claims, and hears whose servers those are
        other = os.path.join(self.work, "other")
        os.mkdir(other)
        os.link(os.path.join(self.work, ".portdaddyrc"), os.path.join(other, ".portdaddyrc"))
        said = self.daemon.run("up", "-d", cwd=other).err
        self.assertIn(f"api was started in {os.path.realpath(self.work)}, and serves what is there",
                      said)
        both = "for both at once \"project\" in one's .portdaddyrc has to be another"
        self.assertIn(both, said)
        self.assertEqual(self.runs(), runs)
        said = self.daemon.run("run", "api", "--", "true", cwd=other).err
        self.assertIn(f"api was started in {os.path.realpath(self.work)}, and serves what is there; "
                      f"pd stop {self.project}:api ends it; {both}", said)
        # and ends them by their names alone
        down = self.daemon.run("down", cwd=other)
        self.assertEqual((down.code, down.out), (NO, ""), down)
        self.assertIn(f"api was started in {os.path.realpath(self.work)}, and goes on; pd down api "
                      "ends it", down.err)
        self.assertEqual(self.runs(), runs)

        down = self.daemon.run("down", "web", cwd=other)
        self.assertEqual((down.code, down.out), (DONE, f"{self.project}:web: 1 process ended; "
                                                       f"port {port} is free\n"))
        self.assertEqual(set(self.runs()), {"api"})
        down = self.daemon.json("down", cwd=self.work)
        self.assertEqual([(s["ran"], s["ended"], s["left"], s["free"]) for s in down["services"]],
                         [(True, 1, 0, True), (False, 0, 0, True)])
        self.assert_nobody_left(runs)
        self.pd("down", code=DONE, says=f"nothing of {self.project} runs")

    def test_server_that_only_tries_the_port_is_not_ready(self):
        self.need_bpf("a moment's listener is not seen")
        self.write("trying.py", trees.SERVE + """
serve().close()
open("tried", "w").close()
while not os.path.exists("go"):
    time.sleep(0.01)
s = serve()
rest()
""")
        self.services(web={"cmd": f"{FAST} trying.py"})
        child = self.up("-d")
        wait_until(lambda: os.path.exists(os.path.join(self.work, "tried")), "it has tried")
        wait_until(lambda: self.runs()["web"]["state"] == "starting", "that is noticed")
        health = self.daemon.json("health", f"{self.project}:web", code=NO)["services"][0]
        self.assertEqual(health["result"], "waiting", health)
        self.assertIsNone(child.process.poll(), self.read(self.said_path))
        self.write("go", "")
        self.assertEqual(child.wait(), DONE)
        self.assertEqual(self.read(self.said_path).count("web serves on"), 1)
        self.assertEqual(self.pd("health", f"{self.project}:web").code, DONE)
        self.assertEqual(self.pd("down").code, DONE)

    def test_service_that_has_listened_and_ends_well_ends_nobody(self):
        self.write("brief.py", trees.SERVE + """
serve().close()
while not os.path.exists("go"):
    time.sleep(0.01)
""")
        self.services(brief={"cmd": f"{FAST} brief.py"}, web=self.noting("web"))
        child = self.up()
        self.wait_said("brief serves on")
        if self.daemon.uses_bpf():
            wait_until(lambda: self.runs()["brief"]["state"] == "starting", "that is taken back")
        self.write("go", "")
        self.wait_said("brief has ended: exit code 0")
        self.wait_said("web serves on")
        self.assertIn("web", self.runs())
        self.assertIsNone(child.process.poll(), self.read(self.said_path))
        self.end(child)

    def test_services_go_on_without_the_pd_that_started_them(self):
        self.services(api=self.noting("api"), web=self.noting("web", "api"))
        child = self.up()
        self.wait_said("2 services are ready")
        runs = self.runs()
        # who only came along ends nothing
        second = self.up()
        self.wait_said("2 services are ready after .*; Ctrl-C leaves them")
        self.end(second)
        self.assertIn("api ran before and goes on; pd down api ends it", self.read(self.said_path))
        self.assertEqual(self.runs(), runs)
        child.kill()
        answer = self.pd("up", "-d")
        self.assertEqual(answer.err.count("adopted"), 2, answer)
        # who looks after one is killed as well: it is unattended, and ends all the same
        os.kill(runs["api"]["pid"], signal.SIGKILL)
        wait_until(lambda: self.runs()["api"]["state"] == "unattended", "api is unattended")
        self.assertEqual(self.pd("down").code, DONE)
        self.assert_nobody_left(runs)

    def test_two_at_once_start_a_service_once(self):
        self.services(api=self.noting("api"), web=self.noting("web", "api"))
        children = [self.spawn([self.daemon.pd_program, "up", "-d"], env=self.daemon.env)
                    for _ in range(3)]
        self.assertEqual([c.wait() for c in children], [DONE] * 3, [c.output() for c in children])
        self.assertEqual(len(self.daemon.json("ps")["runs"]), 2)
        self.assertEqual(self.notes(), ["api began", "api listens", "web began", "web listens"])
        self.assertEqual(self.pd("down").code, DONE)

    def test_project_and_worktree_run_at_the_same_time(self):
        def git(*arguments):
            subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@y", *arguments],
                           cwd=self.work, check=True, capture_output=True)
        self.services(web={"cmd": f"{FAST} server.py"})
        git("init", "-q")
        git("add", ".portdaddyrc", "server.py")
        git("commit", "-qm", "x")
        git("worktree", "add", "-qb", "cart", "tree")
        tree = os.path.join(self.work, "tree")
        self.assertEqual(self.pd("up", "-d").code, DONE)
        self.assertEqual(self.daemon.run("up", "-d", cwd=tree).code, DONE)
        runs = self.daemon.json("ps")["runs"]
        self.assertEqual({r["service"] for r in runs},
                         {f"{self.project}:web", f"{self.project}:web:cart"})
        self.assertEqual(len({r["port"] for r in runs}), 2)
        # a name means the service of the tree in which it is said
        self.assertEqual(self.daemon.run("stop", f"{self.project}:web", cwd=tree).code, DONE)
        wait_until(lambda: [r["service"] for r in self.daemon.json("ps")["runs"]] ==
                   [f"{self.project}:web"], "the run of the worktree has ended")
        self.assertEqual(self.daemon.run("up", "-d", cwd=tree).code, DONE)
        self.assertEqual(self.pd("down").code, DONE)
        self.assertEqual([r["service"] for r in self.daemon.json("ps")["runs"]],
                         [f"{self.project}:web:cart"])
        self.assertEqual(self.daemon.run("down", cwd=tree).code, DONE)

    # --- what fails ---

    def test_service_that_ends_before_it_is_ready_ends_all(self):
        lines = "".join(f"echo line {i};" for i in range(30))
        self.services(db=self.noting("db"), api={"cmd": f"{lines} exit 3", "needs": ["db"]},
                      web=self.noting("web", "api"))
        answer = self.pd("up", "-d", code=NO,
                         says=("api ended before it was ready: exit code 3", "\n  line 10\n"))
        self.assertNotIn("\n  line 9\n", answer.err)
        self.assertEqual(self.notes(), ["db began", "db listens", "db ended"])
        wait_until(lambda: not self.runs(), "no run is left")

        # its command is not found, and the others go on
        self.services(db=self.noting("db"), api={"cmd": "no-such-program"})
        self.pd("up", "-d", "--keep-going", code=NO,
                says=("api ended before it was ready: exit code 127", "no-such-program"))
        self.assertEqual(set(self.runs()), {"db"})
        self.assertEqual(self.pd("down").code, DONE)

    def test_service_is_started_again_on_failure_and_not_for_ever(self):
        again = "[ $(echo x >> tries; wc -l < tries) -gt 2 ] || exit 7; "
        self.services(web={"cmd": again + f"{FAST} server.py", "restart": "on-failure"},
                      hopeless={"cmd": "echo x >> hopeless; exit 7", "restart": "on-failure"})
        answer = self.pd("up", "-d", "web", code=DONE)
        self.assertEqual(answer.err.count("is started again"), 2)
        begun = [f"[pd: {self.runs()['web']['id']} begins again]"] * 2
        self.assertEqual(self.logged("web", 2), begun)
        self.assertEqual(self.pd("down").code, DONE)
        self.assertEqual(self.read(os.path.join(self.work, "tries")), "x\n" * 3)
        self.pd("up", "-d", "hopeless", code=NO, says="is given up")
        self.assertEqual(self.read(os.path.join(self.work, "hopeless")), "x\n" * 6)

        # to be ended is no failure
        self.assertEqual(self.pd("up", "-d", "web").code, DONE)
        runs = self.runs()
        begun.append(f"[pd: {runs['web']['id']} begins]")
        self.assertEqual(self.logged("web", 3), begun)
        self.assertEqual(self.pd("stop", f"{self.project}:web").code, DONE)
        self.assert_nobody_left(runs)

    def test_refused_bind_is_told_with_its_holder_and_what_the_file_lacks(self):
        self.need_refusals()
        port = harness.free_port()
        with harness.socket.socket() as s:
            s.bind(("127.0.0.1", port))
            s.listen()
            self.services(web={"cmd": f"PORT={port} {FAST} server.py"})
            answer = self.pd("up", "-d")
        self.assertEqual(answer.code, NO, answer)
        self.assertRegex(answer.err, rf"was refused port {port}, which \S+ \(pid {os.getpid()}\) "
                         r"holds \(EADDRINUSE\)")
        self.assertIn(f'"hardcoded": {port} in .portdaddyrc makes that of it', answer.err)
        wait_until(lambda: not self.runs(), "no run is left")

    def test_what_cannot_be_started_is_refused_by_name(self):
        for services, arguments, words in (
                ({"a": {}}, [], "no service has a \"cmd\""),
                ({"a": {}, "b": {"cmd": "x"}}, ["a"], "service 'a' has no \"cmd\""),
                ({"a": {}, "b": {"cmd": "x", "needs": ["a"]}}, [], "'a' is needed"),
                ({"a": {"cmd": "x", "needs": ["a"]}}, [], "in a circle: a -> a"),
                ({"a": {"cmd": "x", "needs": ["b"]}}, [], "needs 'b', which is not in this file"),
                ({"a": {"cmd": "x"}}, ["b"], "has no service 'b'"),
                ({"web": {"cmd": "x"}}, ["wbe"], "did you mean 'web'?")):
            self.services(**services)
            self.pd("up", *arguments, code=WRONG, says=words)
        os.unlink(os.path.join(self.work, ".portdaddyrc"))
        for command in ("up", "down", "logs"):
            self.pd(command, code=WRONG, says="there is no .portdaddyrc here")
        self.assertFalse(self.daemon.json("find", f"{self.project}:*", code=None)["services"])
        if harness.IS_ROOT:
            self.refuse_files_of_others()

    def refuse_files_of_others(self):
        self.services(web={"cmd": "touch written"})
        path = os.path.join(self.work, ".portdaddyrc")
        os.chown(path, NOBODY, NOBODY)
        self.pd("up", code=WRONG, says=".portdaddyrc is passed over: it belongs to")
        os.chown(path, 0, 0)
        os.chmod(self.work, 0o777)
        self.pd("up", code=WRONG, says="others may write to its directory")
        self.assertFalse(os.path.exists(os.path.join(self.work, "written")))

    # --- trees ---

    def test_down_is_done_only_where_nobody_lives_who_is_another_process_every_moment(self):
        self.write("chain.py", trees.CHAIN)
        self.services(web={"cmd": f"{FAST} chain.py"})
        self.assertEqual(self.pd("up", "-d").code, DONE)
        runs = self.runs()
        answer = self.pd("down", "--grace", "300ms")
        if answer.code == DONE:
            self.assert_nobody_left(runs)
        else:  # nobody can be as fast as the machine at any time
            self.assertIn(" left; port ", answer.out, answer)
            wait_until(lambda: not trees.marked(runs["web"]["id"]), "it has ended by itself")

    # --- what they write ---

    def test_lines_are_whole_and_bounded_and_nobody_waits_for_ever(self):
        self.write("lines.py", trees.SERVE + """
s = serve()
letter = sys.argv[1]
for i in range(400):
    line = letter * 7000
    for start in range(0, len(line), 999):
        sys.stdout.write(line[start:start + 999])
        sys.stdout.flush()
    print()
print("red \\033[31m" + letter, end="", flush=True)
sys.exit(0)
""")
        self.services(a={"cmd": f"{FAST} lines.py a"}, b={"cmd": f"{FAST} lines.py b"},
                      long={"cmd": f"head -c 100000000 /dev/zero | tr '\\0' x; {FAST} server.py"})
        child = self.up("a", "b")
        child.wait()
        lines = self.read(self.out_path).splitlines()
        self.assertEqual(sorted({(len(line), line[:5]) for line in lines}),
                         [(14, "a | r"), (14, "b | r"), (7004, "a | a"), (7004, "b | b")])
        self.assertEqual(len(lines), 802)
        for line in lines:
            self.assertRegex(line, r"^(.) \| (\1{7000}|red \033\[31m\1)$")

        # a line without an end, and nobody who reads it: no more is kept than fits
        child = self.up("long", stdout=subprocess.PIPE)
        wait_until(lambda: "long" in self.runs() and self.runs()["long"]["members"], "it runs")
        self.wait_full(child.process.stdout)
        self.assertEqual(os.read(child.process.stdout.fileno(), 8), b"long | x")
        runs = self.runs()
        child.process.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(), DONE, self.read(self.said_path))
        self.assert_nobody_left(runs)
        child.process.stdout.close()

        self.assertEqual(self.pd("up", "-d", "long").code, DONE)
        logs = os.path.join(self.daemon.home, "logs")
        sizes = {name: os.path.getsize(os.path.join(logs, name)) for name in os.listdir(logs)
                 if ":long" in name}
        self.assertEqual(len(sizes), 3, sizes)
        self.assertLessEqual(max(sizes.values()), 10 * 1024 * 1024)
        if not os.path.basename(harness.BUILD) == "san":
            self.assertLess(int(proc_status(self.runs()["long"]["pid"])["VmHWM"].split()[0]),
                            20000)
        self.assertEqual(self.pd("down").code, DONE)

    def test_log_is_followed_over_its_rotation(self):
        self.write("talk.py", trees.SERVE + """
s = serve()
while True:
    c, _ = s.accept()
    what = c.recv(100).decode()
    print("x" * 1000 + "\\n" * 0 if what == "much" else what, flush=True)
    if what == "much":
        for i in range(11000):
            print(i, "y" * 1000)
        sys.stdout.flush()
    c.close()
""")
        self.services(web={"cmd": f"{FAST} talk.py"})
        self.assertEqual(self.pd("up", "-d").code, DONE)
        port = self.runs()["web"]["port"]

        def say(what):
            with harness.socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(what.encode())
                s.recv(1)
        say("first words")
        reader = harness.LineReader(self.spawn([self.daemon.pd_program, "logs", "-f"],
                                               env=self.daemon.env))
        reader.wait_for(lambda line: line == "first words")
        say("much")
        reader.wait_for(lambda line: line.startswith("10999 "))
        say("last words")
        reader.wait_for(lambda line: line == "last words")
        self.assertEqual([int(line.split()[0]) for line in reader.lines if line.endswith("yy")],
                         list(range(11000)))
        self.assertIn(f"{self.project}:web.log.1",
                      os.listdir(os.path.join(self.daemon.home, "logs")))
        self.assertEqual(self.pd("down").code, DONE)

    @needs_root
    def test_full_disk_costs_lines_and_no_service(self):
        logs = os.path.join(self.daemon.home, "logs")
        os.makedirs(logs, 0o700, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", logs],
                              capture_output=True, check=False)
        if done.returncode:
            self.skipTest("no tmpfs can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", logs], check=False)
        self.services(web={"cmd": f"{PYTHON} -c 'print((\"z\" * 99 + chr(10)) * 5000)'; "
                                  f"{FAST} server.py"})
        answer = self.pd("up", "-d", code=DONE)
        self.assertIn("the log of web cannot be written: No space left on device", answer.err)
        lines = self.pd("logs").out.splitlines()
        self.assertEqual({line for line in lines if "pd:" not in line} - {""}, {"z" * 99}, lines)
        self.assertEqual(self.pd("down").code, DONE)


@needs_root
class PollingTest(ProjectTest):
    user = NOBODY
    daemon_options = {"uid": NOBODY}

    def test_without_events_services_get_ready_and_nobody_is_left(self):
        self.write("daemon.py", trees.DAEMON)
        self.services(web=self.noting("web", "api"), api={"cmd": f"{FAST} daemon.py"})
        self.pd("up", "-d", code=DONE)
        runs = self.runs()
        self.assertEqual(self.notes(), ["web began", "web listens"])
        self.assertEqual(self.pd("down").code, DONE)
        self.assertEqual(self.notes()[2:], ["web ended"])
        self.assert_nobody_left(runs)


if __name__ == "__main__":
    sys.exit(harness.main())
