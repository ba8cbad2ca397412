#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The first remedy of `pd why`, followed literally, where somebody would start the holder again: the
port is free and stays so, and what else that one runs goes on.

The supervisors are the real programs where they are packages (scripts/bootstrap), and else programs
with the same name, arguments and user.
"""
import os
import subprocess
import sys

import harness
from harness import ATTEMPTS, PYTHON, needs_root, wait_until
from remedies import LISTENER, NODE_SERVER, NPM, RemedyTest


class SupervisorTest(RemedyTest):
    def restarts(self, argv, kind, touch=None, others=()):
        """The tree of argv serves the port (and others); its first remedy helps."""
        child = self.tree(argv)
        self.wait_listening_on(self.port, *others)
        answer = self.why()
        self.assertEqual(answer["restartedBy"]["kind"], kind, answer)
        self.assertIn(kind, answer["summary"])
        self.is_freed_by(self.first(answer), touch)
        return child, answer

    def kills_supervisor(self, argv, kind, touch):
        child, answer = self.restarts(argv, kind, touch)
        self.assertEqual(self.first(answer)["kills"],
                         [answer["restartedBy"]["pid"], answer["holders"][0]["pid"]])
        self.assertEqual(self.first(answer)["alsoHits"], [])
        child.wait()

    def test_nodemon_above_npm_and_two_shells_is_ended_with_the_server(self):
        server = self.write("server.js", NODE_SERVER)
        self.write("package.json", '{"name": "a", "scripts": {"start": "node server.js"}}')
        self.kills_supervisor([f"{NPM}/nodemon", "-q", "--exec", "npm start"], "nodemon", server)

    def test_node_that_watches_is_ended_with_the_server(self):
        server = self.write("server.js", NODE_SERVER)
        self.kills_supervisor(["node", "--watch", "server.js"], "node --watch", server)

    def test_tsx_that_watches_is_ended_with_the_server(self):
        server = self.write("server.ts", NODE_SERVER.replace("require('http')", "http"))
        with open(server, "r+", encoding="utf-8") as f:
            text = f.read()
            f.seek(0)
            f.write("import http from 'http'\n" + text)
        self.kills_supervisor([f"{NPM}/tsx", "watch", "server.ts"], "tsx watch", server)

    def test_loop_of_a_shell_is_ended_with_the_server(self):
        self.write("server.js", NODE_SERVER)
        self.restarts(["sh", "-c", "while true; do node server.js; done"], "a shell loop")

    def test_concurrently_is_ended_and_what_else_it_runs_is_named(self):
        self.write("server.js", NODE_SERVER)
        _, answer = self.restarts(
            [f"{NPM}/concurrently", "--restart-tries", "-1", "node server.js",
             f"PORT={self.other} node server.js"], "concurrently", others=[self.other])
        hits = self.first(answer)["alsoHits"]
        self.assertEqual([h["ports"] for h in hits], [[self.other]], answer)
        self.assertIn(f"also ends port {self.other} of node ({hits[0]['pid']})",
                      self.first(answer)["text"])

    # --- known by what they do alone ---

    SERVER = LISTENER.format(more="")
    WATCHDOG = """
import subprocess, sys, time
while True:
    subprocess.call([sys.executable, "server.py"])
    time.sleep(0.1)
"""

    def holders(self):
        return [h["pid"] for h in self.why()["holders"]]

    def back_after(self, remedy):
        """The one that has the port after what had it was killed."""
        gone = self.holders()
        self.follow(remedy)
        return wait_until(lambda: [p for p in self.holders() if p not in gone], "it is back")[0]

    def is_learned(self, argv, name):
        """A watchdog that no table knows: named once it was seen to start the server again."""
        self.need_bpf("nobody sees who starts whom")
        self.write("server.py", self.SERVER)
        watchdog = self.tree(argv)
        self.wait_listening_on(self.port)
        self.assertIsNone(self.why()["restartedBy"])
        for _ in range(ATTEMPTS):  # of which events are lost where others flood the kernel's ring
            lost = self.daemon.json("status")["kernel"]["lost"]
            back = self.back_after(self.first())
            answer = self.why()
            if answer["restartedBy"] or self.daemon.json("status")["kernel"]["lost"] == lost:
                break
        self.assertEqual(answer["restartedBy"]["kind"], "observed")
        self.assertIn(f"comes back: {name} (pid {watchdog.pid}) starts it again",
                      answer["summary"])
        self.assertEqual(self.first(answer)["kills"], [watchdog.pid, back])
        self.is_freed_by(self.first(answer))

    def test_loop_in_python_is_learned(self):
        self.write("dog.py", self.WATCHDOG)
        self.is_learned([PYTHON, "dog.py"], "python3 dog.py")

    def test_watchdog_in_a_script_above_another_shell_is_learned(self):
        self.write("dog.sh", f"while true; do sh -c '{PYTHON} server.py; exit 1'; sleep 0.1; done")
        self.is_learned(["bash", "dog.sh"], "bash dog.sh")

    def test_watchdog_whose_server_is_refused_the_port_is_known_when_it_gets_it(self):
        self.need_bpf("nobody sees who starts whom")
        self.write("server.py", self.SERVER)
        self.write("dog.py", self.WATCHDOG)
        stray = self.tree([PYTHON, "server.py"])
        self.wait_listening_on(self.port)
        watchdog = self.tree([PYTHON, "dog.py"])
        wait_until(lambda: len(self.why()["failures"]) > 2, "it is refused the port")
        self.assertEqual(self.first()["kills"], [stray.pid])
        self.back_after(self.first())
        self.assertEqual(self.why()["restartedBy"]["pid"], watchdog.pid)
        self.is_freed_by(self.first())

    def test_who_starts_a_server_again_by_hand_is_no_supervisor(self):
        self.write("server.py", self.SERVER)
        for _ in range(3):  # by this program, below which pd asks
            server = self.tree([PYTHON, "server.py"])
            self.wait_listening_on(self.port)
            self.assertIsNone(self.why()["restartedBy"])
            self.is_freed_by(self.first())
            server.wait()

    # --- pm2 ---

    def pm2(self, *arguments, **env):
        home = os.path.join(self.work, "my pm2")
        subprocess.run([f"{NPM}/pm2", *arguments], env={**self.env, "PM2_HOME": home, **env},
                       cwd=self.work, check=True, capture_output=True,
                       timeout=harness.DEADLINE_S)

    def god(self):
        """The pid of pm2's daemon."""
        return int(harness.read_text(os.path.join(self.work, "my pm2/pm2.pid")))

    def start_in_pm2(self, *arguments):
        """An app of this test, beside another one on self.other."""
        self.write("app.js", NODE_SERVER)
        self.write("other.js", NODE_SERVER)
        self.addCleanup(self.pm2, "kill")
        self.pm2("start", "other.js", PORT=str(self.other))
        self.pm2("start", "app.js", *arguments)
        self.wait_listening_on(self.port, self.other)
        return self.god()

    def test_app_of_pm2_is_stopped_in_its_own_place(self):
        god = self.start_in_pm2("--name", "it's web")
        answer = self.why()
        self.assertEqual(answer["restartedBy"]["pid"], god)
        self.assertEqual(answer["restartedBy"]["kind"], "pm2")
        self.assertEqual(self.first(answer)["kills"], [answer["holders"][0]["pid"]])
        self.is_freed_by(self.first(answer))
        self.assertTrue(self.listens(self.other), "its other app goes on")

    def test_daemon_of_pm2_that_listens_for_several_apps_is_asked_and_not_killed(self):
        god = self.start_in_pm2("-i", "2")
        answer = self.why()
        self.assertEqual([h["pid"] for h in answer["holders"]], [god])
        self.assertFalse([r for r in answer["remedies"] if god in r["kills"]
                          or "kill" in (r["command"] or "")], answer)
        self.assertIn("app", self.follow(self.first(answer)).stdout)
        self.assertTrue(self.listens(self.port))

    def test_only_app_of_pm2_is_stopped_in_cluster_mode_and_its_daemon_goes_on(self):
        self.write("app.js", NODE_SERVER)
        self.addCleanup(self.pm2, "kill")
        self.pm2("start", "app.js", "-i", "2")
        god = self.god()
        self.wait_listening_on(self.port)
        wait_until(lambda: "pm2 stop" in self.first()["command"], "all instances have started")
        self.is_freed_by(self.first())
        os.kill(god, 0)

    # --- supervisord, inetd ---

    def test_program_of_supervisord_is_stopped_by_the_file_that_it_runs_from(self):
        self.write("server.py", LISTENER.format(more=""))
        self.write("sv.conf", f"""
[supervisord]
nodaemon=true
pidfile={self.work}/s.pid
logfile={self.work}/s.log
[unix_http_server]
file={self.work}/s.sock
[supervisorctl]
serverurl=unix://{self.work}/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[program:web]
command={PYTHON} {self.work}/server.py
[program:other]
command={PYTHON} {self.work}/server.py
environment=PORTS="{self.other}"
""")
        self.tree(["supervisord", "-c", "sv.conf"])
        self.wait_listening_on(self.port, self.other)
        wait_until(self.supervisorctl, "it can be asked")
        answer = self.why()
        self.assertEqual(answer["restartedBy"]["kind"], "supervisord")
        self.is_freed_by(self.first(answer))
        self.assertIn("web: stopped", self.said)
        self.assertTrue(self.listens(self.other), "its other program goes on")

    def supervisorctl(self):
        return subprocess.run(["supervisorctl", "-c", "sv.conf", "status"], cwd=self.work,
                              capture_output=True, text=True, check=False).stdout

    def inetd(self, **options):
        configuration = self.write("inetd.conf", "".join(
            f"127.0.0.1:{port} stream tcp nowait root /bin/cat cat\n"
            for port in (self.port, self.other)), 0o666)
        program = self.named("inetd", """
import os, signal, socket, sys
def read(*_):
    with open(sys.argv[1]) as f:
        wanted = {int(l.split()[0].split(":")[1]) for l in f if not l.startswith("#")}
    for port in set(listening) - wanted:
        listening.pop(port).close()
    for port in wanted - set(listening):
        listening[port] = socket.create_server(("127.0.0.1", port))
listening = {}
signal.signal(signal.SIGHUP, read)
read()
while True:
    signal.pause()
""")
        child = self.tree([program, configuration], **options)
        self.wait_listening_on(self.port, self.other)
        return child

    @needs_root
    def test_line_of_inetd_is_taken_out_and_its_other_services_go_on(self):
        inetd = self.inetd()
        remedy = self.first()
        self.assertEqual(remedy["kills"], [])
        self.is_freed_by(remedy)
        self.assertTrue(self.listens(self.other), "its other service goes on")
        self.assertIsNone(inetd.process.poll())

    @needs_root
    def test_unit_that_runs_a_supervisor_is_not_stopped_for_one_of_its_services(self):
        with open("/proc/mounts", encoding="ascii", errors="replace") as f:
            mounts = [line.split()[1] for line in f if line.split()[2] == "cgroup2"]
        unit = os.path.join(mounts[0], f"pd-test-{os.getpid()}.service")
        inetd = self.inetd()
        os.mkdir(unit)
        self.addCleanup(os.rmdir, unit)
        self.addCleanup(inetd.kill)
        with open(f"{unit}/cgroup.procs", "w", encoding="ascii") as f:
            f.write(str(inetd.pid))
        answer = wait_until(lambda: self.why() if self.why()["holders"][0]["unit"] else None,
                            "it is in the unit")
        self.assertEqual(answer["restartedBy"]["kind"], "inetd")
        self.assertFalse([r for r in answer["remedies"] if "systemctl" in (r["command"] or "")])
        self.is_freed_by(self.first(answer))
        self.assertTrue(self.listens(self.other), "its other service goes on")

    @needs_root
    def test_program_of_a_user_that_calls_itself_inetd_is_none(self):
        inetd = self.inetd(uid=harness.NOBODY)
        self.assertEqual(self.first()["command"], f"kill {inetd.pid}")


if __name__ == "__main__":
    sys.exit(harness.main())
