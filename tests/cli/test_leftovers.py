#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Servers whose launcher is gone: npm killed, a terminal closed, an agent that has crashed."""
import os
import pty
import re
import shutil
import signal
import subprocess
import sys

import harness
from harness import wait_until

SERVER = "s = listener(int(sys.argv[1]))\nrest()\n"

# Starts a server as its child, says its pid, then does as it is told.
LAUNCHER = """
import os, signal, subprocess, sys
port, way = sys.argv[1:3]
options = {}
if way == "setsid":
    options["start_new_session"] = True
server = subprocess.Popen([sys.executable, sys.argv[3], port], **options)
print(server.pid, flush=True)
if sys.stdin.readline().strip():
    sys.exit(int(way) if way.isdigit() else 0)
"""


class LeftoverTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.need_bpf("how a process ended is not known")
        self.port = self.daemon.claim("app:web", cwd=self.work)
        self.server_file = self.write("server.py", harness.LISTEN + SERVER)
        self.launcher_file = self.write("launcher.py", LAUNCHER)

    def launch(self, way, wrapper=()):
        """A launcher and the pid of the server that it has started."""
        launcher = self.spawn([*wrapper, harness.PYTHON, self.launcher_file, str(self.port), way,
                               self.server_file], stdin=subprocess.PIPE, start_new_session=True)
        self.addCleanup(launcher.process.stdin.close)
        server = int(launcher.read_line())
        self.strays.append(server)
        self.daemon.wait_status("app:web", "active")
        return launcher, server

    def let_go(self, launcher):
        launcher.process.stdin.write(b"go\n")
        launcher.process.stdin.flush()
        launcher.wait()

    def stays_active(self, server):
        """What was told of the launcher's end came before what is told of this process's."""
        other = self.spawn_python("s = listener(0)\nready(s.getsockname()[1])\nrest()")
        port = int(other.ready.split()[1])
        wait_until(lambda: self.daemon.orphan(port) or self.daemon.json(
            "why", str(port), code=None)["holders"], "the later listener is known")
        row = self.daemon.service("app:web")
        self.assertEqual((row["status"], row["pids"]), ("active", [server]), row)

    def is_left_behind(self, server, words):
        row = self.daemon.wait_status("app:web", "orphaned")
        self.assertEqual(row["pids"], [server])
        self.assertRegex(row["reason"], rf"\({server}\) was left behind by {words}")
        entry = self.daemon.pd("log", "-n", "1", "--filter", "ORPHAN,app:web")
        self.assertRegex(entry, rf"ORPHAN +app:web .* by {words}")
        holder = self.daemon.json("why", str(self.port), code=None)["holders"][0]
        self.assertRegex(holder["leftBehindBy"], words)
        text = self.daemon.run("why", str(self.port)).out
        self.assertRegex(" ".join(text.split()), f"orphaned left behind by {words}")
        self.assertIn(" (ended)", text)
        answer = self.daemon.run("health", "app:web", code=harness.DONE)
        self.assertRegex(answer.out, rf", but orphaned: \S+ \({server}\) was left behind by {words}")

    def test_server_of_a_killed_launcher_is_orphaned(self):
        launcher, server = self.launch("stay")
        launcher.kill()
        self.is_left_behind(server, rf"\S+ \({launcher.pid}\), which was killed at \d+:\d\d:\d\d")

    def test_server_of_a_launcher_that_failed_is_orphaned(self):
        launcher, server = self.launch("3")
        self.let_go(launcher)
        self.is_left_behind(server, rf"\S+ \({launcher.pid}\), which ended with exit code 3 at ")

    def test_the_ancestor_above_the_parent_counts_as_well(self):
        # npm start: npm, a shell, the program
        shell = self.write("start.sh", '"$@"; true\n')
        launcher, server = self.launch("stay", wrapper=("sh", shell))
        self.strays.append(int(harness.proc_status(server)["PPid"]))
        launcher.kill()
        self.is_left_behind(server, rf"sh \({launcher.pid}\), which was killed at ")

    def test_ended_launcher_and_its_server_end_as_a_ghost(self):
        launcher, server = self.launch("stay")
        launcher.kill()
        self.daemon.wait_status("app:web", "orphaned")
        os.kill(server, signal.SIGKILL)
        self.daemon.wait_status("app:web", "ghost")

    def test_launcher_that_left_with_success_has_done_its_work(self):
        launcher, server = self.launch("0")
        self.let_go(launcher)
        self.stays_active(server)

    def test_server_in_a_session_of_its_own_wants_to_stay(self):
        launcher, server = self.launch("setsid")
        launcher.kill()
        self.stays_active(server)

    # --- daemons that come later ---

    def restart(self):
        """By pd, as people do: the daemon that comes is no child of the test's."""
        self.daemon.pd("daemon", "restart", env={"PORT_DADDY_NO_AUTOSTART": ""})
        pid = self.daemon.get("/v1/status")["daemon"]["pid"]
        self.assertNotEqual(pid, self.daemon.pid)
        self.addCleanup(lambda: wait_until(lambda: not harness.runs(pid), "it ends"))
        self.addCleanup(os.kill, pid, signal.SIGTERM)

    def crash(self):
        self.daemon.restart(signal.SIGKILL)

    def stored(self):
        return self.daemon.query("SELECT serverPid, pid FROM launchers")

    def test_restarted_daemon_knows_who_left_a_server_behind(self):
        launcher, server = self.launch("stay")
        launcher.kill()
        words = rf"\S+ \({launcher.pid}\), which was killed at \d+:\d\d:\d\d"
        self.is_left_behind(server, words)
        reason = self.daemon.service("app:web")["reason"]
        self.crash()
        self.is_left_behind(server, words)
        self.restart()
        self.is_left_behind(server, words)
        self.assertEqual(self.daemon.service("app:web")["reason"], reason)
        entries = self.daemon.pd("log", "--filter", "app:web")
        self.assertEqual(len(re.findall(r" ORPHAN ", entries)), 1, entries)

    def test_the_ancestor_above_the_parent_is_known_to_a_later_daemon(self):
        shell = self.write("start.sh", '"$@"; true\n')
        launcher, server = self.launch("stay", wrapper=("sh", shell))
        self.strays.append(int(harness.proc_status(server)["PPid"]))
        launcher.kill()
        words = rf"sh \({launcher.pid}\), which was killed at "
        self.is_left_behind(server, words)
        self.crash()
        self.is_left_behind(server, words)

    def test_what_was_stored_of_a_server_goes_with_it(self):
        launcher, server = self.launch("stay")
        launcher.kill()
        self.daemon.wait_status("app:web", "orphaned")
        wait_until(lambda: self.stored() == [(server, launcher.pid)], "it is stored")
        os.kill(server, signal.SIGKILL)
        wait_until(lambda: self.stored() == [], "it is forgotten")

    def test_server_that_took_its_place_while_no_daemon_ran_is_not_left_behind(self):
        launcher, server = self.launch("stay")
        launcher.kill()
        self.daemon.wait_status("app:web", "orphaned")
        self.daemon.stop(signal.SIGKILL)
        os.kill(server, signal.SIGKILL)
        wait_until(lambda: not harness.runs(server), "it has ended")
        other = self.spawn([harness.PYTHON, self.server_file, str(self.port)])
        wait_until(lambda: harness.listens(self.port), "its successor listens")
        self.daemon.start()
        row = self.daemon.wait_status("app:web", "active")
        self.assertEqual(row["pids"], [other.pid])
        wait_until(lambda: self.stored() == [], "it is forgotten")

    def test_what_ended_while_no_daemon_ran_is_not_called_a_failure(self):
        launcher, server = self.launch("stay")
        self.daemon.stop(signal.SIGKILL)
        launcher.kill()
        self.daemon.start()
        self.stays_active(server)

    def test_unclaimed_leftover_is_known_to_a_later_daemon(self):
        launcher, server = self.launch("stay")
        self.daemon.pd("release", "app:web")
        launcher.kill()
        wait_until(lambda: self.stored() == [(server, launcher.pid)], "it is stored")
        self.crash()
        holder = self.daemon.json("why", str(self.port), code=None)["holders"][0]
        self.assertIn(f"({launcher.pid}), which was killed", holder["leftBehindBy"])

    def on_terminal(self, command):
        """A shell on a terminal of its own, and the pid of the server that it runs."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvp("bash", ["bash", "--norc", "-i"])
        self.addCleanup(os.close, terminal)
        self.strays.append(pid)
        os.write(terminal, f"{command} {harness.PYTHON} {self.server_file} {self.port} "
                           f">{self.work}/out 2>&1 & echo $! >{self.work}/pid\n".encode())
        self.daemon.wait_status("app:web", "active")
        server = self.daemon.service("app:web")["pids"][0]
        self.strays.append(server)
        return pid, server

    def test_server_of_a_shell_that_was_killed_is_orphaned(self):
        shell, server = self.on_terminal("")
        os.kill(shell, signal.SIGKILL)
        os.waitpid(shell, 0)
        self.is_left_behind(server, rf"bash \({shell}\), which was killed at ")

    def test_server_below_nohup_outlives_its_terminal(self):
        shell, server = self.on_terminal("nohup")
        os.kill(shell, signal.SIGHUP)
        os.waitpid(shell, 0)
        self.stays_active(server)

    def test_unclaimed_leftover_is_told_by_why_as_well(self):
        launcher, server = self.launch("stay")
        self.daemon.pd("release", "app:web")
        launcher.kill()

        def told():
            holders = self.daemon.json("why", str(self.port), code=None)["holders"]
            return holders and holders[0]["leftBehindBy"]
        self.assertIn(f"({launcher.pid}), which was killed", wait_until(told, "its launcher is gone"))

    def test_real_npm_that_is_killed_leaves_an_orphan(self):
        npm = shutil.which("npm")
        if not npm:
            self.skipTest("no npm here")
        self.write("package.json", '{"name": "x", "scripts": {"start": "node server.js"}}')
        self.write("server.js", "require('http').createServer().listen(process.env.PORT)")
        launcher = self.spawn([npm, "start"], cwd=self.work, start_new_session=True,
                              env={**os.environ, "PORT": str(self.port)})
        row = self.daemon.wait_status("app:web", "active")
        self.strays.extend(row["pids"])
        launcher.kill()
        self.is_left_behind(row["pids"][0], rf"npm start[^(]* \({launcher.pid}\), which was killed")


if __name__ == "__main__":
    sys.exit(harness.main())
