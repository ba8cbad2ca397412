#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Trees that people really start, each ended in three ways: nobody is left behind.

What is left is not asked of pd: /proc is searched for the run's mark in the environment."""
import os
import pty
import select
import shutil
import signal
import sys

import harness
import trees
from harness import DONE, NO, is_free, wait_until
from remedies import NPM

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


class Terminal:
    """A program in a terminal of its own, whose session it leads."""

    def __init__(self, argv, env, cwd):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(cwd)
            os.execvpe(argv[0], argv, env)
        self.seen, self.status = b"", None

    def read(self):
        while self.fd >= 0 and select.select([self.fd], [], [], 0)[0]:
            try:
                more = os.read(self.fd, 65536)
            except OSError:  # nobody has the other end any more
                break
            if not more:
                break
            self.seen += more
        return self.seen

    def wait_for(self, text):
        wait_until(lambda: text in self.read(), f"{text!r} on the terminal")

    def type(self, text):
        os.write(self.fd, text)

    def ended(self):
        self.read()
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is not None

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def discard(self):
        self.close()
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


class TerminalTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(trees.kill_all, self.daemon.home)
    def terminal(self, *argv):
        terminal = Terminal(argv, {**self.daemon.env, "TERM": "xterm"}, self.work)
        self.addCleanup(terminal.discard)
        return terminal


class TreeTest(TerminalTest):
    def setUp(self):
        super().setUp()
        if not shutil.which("node"):
            self.skipTest("there is no node here")
        self.write("server.js", WORKER_SERVER)
        self.write("package.json", '{"name": "shop", "scripts": {"start": "node server.js"}}')
        self.write("app.py", GUNICORN_APP)

    def write(self, name, text):
        with open(os.path.join(self.work, name), "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, *command):
        terminal = self.terminal(self.daemon.pd_program, "run", ID, "--grace", "500ms", "--",
                                 *command)

        def ready():
            terminal.read()
            runs = self.daemon.json("ps", ID, code=None)["runs"]
            return runs and runs[0]["state"] == "ready" and runs[0]
        return terminal, wait_until(ready, f"{command} is ready")

    def members(self):
        runs = self.daemon.json("ps", ID)["runs"]
        return sorted(m["pid"] for m in runs[0]["members"])

    def assert_nobody_left(self, run):
        self.assertEqual(trees.marked(run["id"]), [])
        self.assertTrue(is_free(run["port"]), f"port {run['port']} is taken")

    def ends_with_nobody_left(self, *command, at_least=2):
        for way in ("ctrl-c", "hangup", "stop after kill -9"):
            with self.subTest(way):
                terminal, run = self.start(*command)
                wait_until(lambda: len(trees.marked(run["id"])) >= at_least, "the whole tree")
                wait_until(lambda: self.members() == trees.marked(run["id"]), "pd knows them all")
                if way == "ctrl-c":
                    terminal.type(b"\x03")
                elif way == "hangup":
                    terminal.close()
                else:
                    os.kill(terminal.pid, signal.SIGKILL)
                wait_until(terminal.ended, "pd has ended")
                if way == "stop after kill -9":
                    answer = self.daemon.run("stop", ID, "--grace", "500ms")
                    # the end of a session's leader may have ended them all
                    self.assertIn(answer.code, (DONE, NO), answer)
                self.assert_nobody_left(run)
                wait_until(lambda: not self.daemon.json("ps", ID, code=None)["runs"], "it is over")

    def test_npm_start_with_a_detached_worker(self):
        self.ends_with_nobody_left("npm", "start", at_least=3)

    def test_nodemon(self):
        if not os.path.exists(f"{NPM}/nodemon"):
            self.skipTest("there is no nodemon here")
        self.ends_with_nobody_left(f"{NPM}/nodemon", "-q", "server.js", at_least=3)

    def test_nodemon_that_has_started_its_server_anew(self):
        if not os.path.exists(f"{NPM}/nodemon"):
            self.skipTest("there is no nodemon here")
        terminal, run = self.start(f"{NPM}/nodemon", "-q", "--watch", "server.js", "server.js")
        before = set(trees.marked(run["id"]))
        self.write("server.js", WORKER_SERVER + "\n")

        def anew():
            terminal.read()
            now = self.daemon.json("ps", ID)["runs"][0]
            servers = [m["pid"] for m in now["members"] if m["ports"]]
            return servers and not set(servers) & before
        wait_until(anew, "the server is another one")
        terminal.type(b"\x03")
        wait_until(terminal.ended, "pd has ended")
        self.assert_nobody_left(run)

    def test_concurrently(self):
        if not os.path.exists(f"{NPM}/concurrently"):
            self.skipTest("there is no concurrently here")
        self.ends_with_nobody_left(f"{NPM}/concurrently", "node server.js", "sleep 600",
                                   at_least=4)

    def test_vite(self):
        if not os.path.exists(f"{NPM}/vite"):
            self.skipTest("there is no vite here")
        self.write("index.html", "<p>shop</p>")
        # vite does not read $PORT
        self.ends_with_nobody_left("sh", "-c", f"{NPM}/vite --port $PORT --strictPort; exit $?",
                                   at_least=3)

    def test_gunicorn_with_workers(self):
        if not shutil.which("gunicorn"):
            self.skipTest("there is no gunicorn here")
        self.ends_with_nobody_left("sh", "-c", "exec gunicorn -w 3 -b 127.0.0.1:$PORT app:app",
                                   at_least=4)


class JobControlTest(TerminalTest):
    def test_stopped_job_is_continued_and_interrupted_as_without_pd(self):
        shell = self.terminal("bash", "--norc", "-i")
        shell.type(f"{self.daemon.pd_program} run {ID} -q -- sleep 600\n".encode())
        members = lambda: [m for r in self.daemon.json("ps", ID, code=None)["runs"]
                           for m in r["members"]]
        sleep = wait_until(members, "it runs")[0]["pid"]
        wait_until(lambda: b"sleep 600" in shell.read(), "the shell has it")
        shell.type(b"\x1a")
        shell.wait_for(b"Stopped")
        wait_until(lambda: "(stopped)" in harness.proc_status(sleep)["State"], "it is stopped")
        shell.type(b"fg\n")
        wait_until(lambda: "(sleeping)" in harness.proc_status(sleep)["State"], "it goes on")
        shell.type(b"\x03")
        shell.type(b"echo code $?\n")
        shell.wait_for(b"code 130")
        self.assertEqual(members(), [])

    def test_command_that_stops_itself_stops_the_job(self):
        shell = self.terminal("bash", "--norc", "-i")
        script = "kill -STOP $$; echo went on; exit 4"
        shell.type(f"{self.daemon.pd_program} run {ID} -q -- sh -c '{script}'\n".encode())
        shell.wait_for(b"Stopped")
        shell.type(b"fg\n")
        shell.wait_for(b"went on\r\n")
        shell.type(b"echo code $?\n")
        shell.wait_for(b"code 4")

    def test_window_size_is_that_of_the_terminal(self):
        shell = self.terminal("bash", "--norc", "-i")
        shell.type(f"stty cols 77 rows 33; {self.daemon.pd_program} run {ID} -q -- stty size\n"
                   .encode())
        shell.wait_for(b"33 77\r\n")


if __name__ == "__main__":
    sys.exit(harness.main())
