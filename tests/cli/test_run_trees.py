#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Trees that people really start, each ended in three ways: nobody is left behind.

What is left is not asked of pd: /proc is searched for the run's mark in the environment."""
import json
import os
import shutil
import signal
import sys

import harness
import trees
from harness import DONE, NO, PYTHON, is_free, wait_until
from remedies import NPM
from terminal import Terminal

ID = f"shop{os.getpid()}:web"  # two programs at once have ports of their own

WORKER_SERVER = """
const { fork } = require("child_process");
if (process.argv[2] === "worker") {
  process.on("SIGTERM", () => {});
  setInterval(() => {}, 1000);
} else {
  fork(__filename, ["worker"], { detached: true });
  require("http").createServer((q, a) => a.end("ok")).listen(+process.env.PORT, "127.0.0.1");
}
"""

GUNICORN_APP = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"ok"]
"""


class TerminalTest(harness.PortDaddyTest):
    makes_runs = True

    def terminal(self, *argv):
        return Terminal(self, argv, {**self.daemon.env, "TERM": "xterm"})


class Tree:
    """A shell's command, and how many processes with the run's mark it is at least once it serves;
    needs: its program; watched: a file whose change has it start its server anew; bpf: /proc does
    not show all of it."""

    def __init__(self, command, at_least, needs="sh", watched=None, bpf=False):
        self.command, self.at_least = command, at_least
        self.needs, self.watched, self.bpf = needs, watched, bpf


def python(program):
    return f"{PYTHON} -SE {program}.py"


INNER = f"inner{os.getpid()}:web"
TREES = {
    "npm": Tree("npm start", 4, "npm"),
    "nodemon": Tree(f"{NPM}/nodemon -q --watch again.js again.js", 3, f"{NPM}/nodemon", "again.js"),
    "concurrently": Tree(f"{NPM}/concurrently 'node server.js' 'sleep 600'", 4,
                         f"{NPM}/concurrently"),
    # vite does not read $PORT
    "vite": Tree(f"{NPM}/vite --port $PORT --strictPort; exit $?", 3, f"{NPM}/vite"),
    "gunicorn": Tree("exec gunicorn -w 3 -b 127.0.0.1:$PORT app:app", 4, "gunicorn"),
    "daemon": Tree(f"{python('daemon')}; sleep 600; exit", 3),
    "nameless": Tree(f"{python('nameless')}; sleep 600; exit", 2, bpf=True),
    "stubborn": Tree(f"exec {python('stubborn')}", 2),
    "storm": Tree("i=0; while [ $i -lt 3000 ]; do (:); i=$((i+1)); done; "
                  f"setsid {python('server')} & wait", 2),
    "stopped": Tree(f"exec {python('stopped')}", 2),
    "inner": Tree(f"{harness.PD} run {INNER} -q --grace 300ms -- {python('stubborn')} & "
                  f"exec {python('server')}", 4),
}
FILES = {"server.js": WORKER_SERVER, "again.js": WORKER_SERVER, "app.py": GUNICORN_APP,
         "index.html": "<p>shop</p>", "server.py": trees.SERVER, "daemon.py": trees.DAEMON,
         "stubborn.py": trees.STUBBORN_CHILD, "stopped.py": trees.STOPPED_CHILD,
         "nameless.py": trees.NAMELESS,
         "package.json": '{"scripts": {"start": "node server.js"}}'}


class TreeTest(TerminalTest):
    """All trees side by side; each way to end them starts them where the last one left nobody."""

    def setUp(self):
        super().setUp()
        self.project = f"trees{os.getpid()}"
        self.trees = {name: tree for name, tree in TREES.items()
                      if shutil.which(tree.needs, path=harness.BASE_ENV["PATH"])
                      and (not tree.bpf or self.daemon.uses_bpf())}
        services = {name: {"cmd": tree.command, "stopTimeout": "300ms",
                           "stopSignal": "SIGINT" if name == "stopped" else "SIGTERM"}
                    for name, tree in self.trees.items()}
        config = json.dumps({"project": self.project, "services": services})
        for name, text in {**FILES, ".portdaddyrc": config}.items():
            self.write(name, text)

    def test_program_of_every_tree_is_here(self):
        missing = sorted(name for name, tree in TREES.items()
                         if not shutil.which(tree.needs, path=harness.BASE_ENV["PATH"]))
        if missing:
            self.skipTest("left out for want of their programs: " + ", ".join(missing))

    def runs(self):
        """All that there are, by the name of their tree."""
        return {"inside" if r["service"] == INNER else r["service"].partition(":")[2]: r
                for r in self.daemon.json("ps", code=None)["runs"]}

    def marked(self, runs, name):
        """A tree's processes by their environment; a run inside another marks its own."""
        inside = trees.marked(runs["inside"]["id"]) if name == "inner" else []
        return trees.marked(runs[name]["id"]) + inside

    def wait_whole(self, terminals=()):
        """Until every tree serves and has grown up; the runs."""
        def ready():
            for terminal in terminals:
                terminal.read()
            runs = self.runs()
            return self.trees.keys() | {"inside"} == runs.keys() and \
                all(r["state"] == "ready" for r in runs.values()) and runs
        runs = wait_until(ready, "all are ready", every_s=0.05)
        for name, tree in self.trees.items():
            wait_until(lambda: len(self.marked(runs, name)) >= tree.at_least,
                       f"the whole tree of {name}", every_s=0.02)
            if tree.watched:
                self.start_server_anew(name, tree)
            wait_until(lambda: set(self.marked(runs, name)) <= self.members(),
                       f"pd knows all of {name}", every_s=0.02)
        return runs

    def members(self):
        return {m["pid"] for run in self.runs().values() for m in run["members"]}

    def start_server_anew(self, name, tree):
        def servers():
            return {m["pid"] for m in self.runs()[name]["members"] if m["ports"]}
        before = servers()
        os.utime(os.path.join(self.work, tree.watched))
        wait_until(lambda: servers() and not servers() & before, f"{name} has another server",
                   every_s=0.02)

    def assert_nobody_left(self, runs, name):
        self.assertEqual(self.marked(runs, name), [], name)
        self.assertTrue(is_free(runs[name]["port"]), f"the port of {name} is taken")

    def run_all(self):
        """Each tree by pd run on a terminal of its own, which that pd leads."""
        return {name: self.terminal(self.daemon.pd_program, "run", f"{self.project}:{name}",
                                    "--grace", "300ms", "--", "sh", "-c", tree.command)
                for name, tree in self.trees.items()}

    def up_all(self):
        self.daemon.pd("up", "-d", cwd=self.work)
        return self.wait_whole()

    def stop_all(self, runs):
        stops = {name: self.spawn([self.daemon.pd_program, "stop", runs[name]["service"],
                                   "--grace", "300ms"], env=self.daemon.env)
                 for name in self.trees}
        for name, stop in stops.items():
            # the end of a session's leader may have ended them all
            self.assertIn(stop.wait(), (DONE, NO), (name, stop.argv))
            self.assert_nobody_left(runs, name)

    def wait_over(self):
        wait_until(lambda: not self.runs(), "no run is left")

    def pd_run_ends(self, how):
        terminals = self.run_all()
        runs = self.wait_whole(terminals.values())
        for terminal in terminals.values():
            how(terminal)
        for name, terminal in terminals.items():
            wait_until(terminal.ended, f"pd run of {name} has ended")
        return runs

    def test_nobody_of_any_tree_is_left_by_pd_run(self):
        for way, how in (("ctrl-c", lambda terminal: terminal.send(b"\x03")),
                         ("hangup", Terminal.close),
                         ("kill -9, and pd stop", lambda t: os.kill(t.pid, signal.SIGKILL))):
            with self.subTest(way):
                runs = self.pd_run_ends(how)
                if way.startswith("kill"):
                    self.stop_all(runs)
                for name in self.trees:
                    self.assert_nobody_left(runs, name)
                self.wait_over()

    def test_nobody_of_any_tree_is_left_by_pd_up(self):
        runs = self.up_all()
        answer = self.daemon.run("down", cwd=self.work)
        for name in self.trees:
            self.assert_nobody_left(runs, name)
        self.assertEqual(answer.code, DONE, answer)
        self.wait_over()

        runs = self.up_all()
        for name in self.trees:
            os.kill(runs[name]["pid"], signal.SIGKILL)
        self.stop_all(runs)
        self.wait_over()


class JobControlTest(TerminalTest):
    def test_stopped_job_is_continued_and_interrupted_as_without_pd(self):
        shell = self.terminal("bash", "--norc", "-i")
        shell.type(f"{self.daemon.pd_program} run {ID} -q -- sleep 600")
        members = lambda: [m for r in self.daemon.json("ps", ID, code=None)["runs"]
                           for m in r["members"]]
        sleep = wait_until(members, "it runs")[0]["pid"]
        shell.wait_for("sleep 600")
        shell.send(b"\x1a")
        shell.wait_for("Stopped")
        wait_until(lambda: "(stopped)" in harness.proc_status(sleep)["State"], "it is stopped")
        shell.type("fg")
        wait_until(lambda: "(sleeping)" in harness.proc_status(sleep)["State"], "it goes on")
        shell.send(b"\x03")
        shell.type("echo code $?")
        shell.wait_for("code 130")
        self.assertEqual(members(), [])

    def test_command_that_stops_itself_stops_the_job(self):
        shell = self.terminal("bash", "--norc", "-i")
        script = "kill -STOP $$; echo went on; exit 4"
        shell.type(f"{self.daemon.pd_program} run {ID} -q -- sh -c '{script}'")
        shell.wait_for("Stopped")
        shell.type("fg")
        shell.wait_for("went on\n")
        shell.type("echo code $?")
        shell.wait_for("code 4")

    def test_window_size_is_that_of_the_terminal(self):
        shell = self.terminal("bash", "--norc", "-i")
        shell.type(f"stty cols 77 rows 33; {self.daemon.pd_program} run {ID} -q -- stty size")
        shell.wait_for("33 77\n")


if __name__ == "__main__":
    sys.exit(harness.main())
