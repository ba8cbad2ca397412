#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The first remedy of `pd why`, followed literally: the port is free and stays so, whatever would
start its holder again, and everything else still runs.

The supervisors are the real programs where they are packages (scripts/bootstrap), and else programs
with the same name, arguments and user.
"""
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

import harness
from harness import PYTHON, needs_root, wait_until

NPM = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                   "port-daddy/npm/node_modules/.bin")
STAYS_S = 2.0  # for so long a port stays free; who starts a server again does so in less
CONTAINER = "0123456789ab" * 5 + "cdef"
NODE_SERVER = "require('http').createServer((q, r) => r.end('x')).listen(+process.env.PORT)\n"
LISTENER = """
import os, socket, sys, time
sockets = [socket.create_server(("127.0.0.1", int(p))) for p in os.environ["PORTS"].split()]
{more}
while True:
    time.sleep(1)
"""


def starts_a_server(port):
    """What node, Go and nearly all others ask the kernel for."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("0.0.0.0", port))
            s.listen()
        except OSError:
            return False
    return True


class RemedyTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.port, self.other = harness.free_port(), None
        self.other = harness.free_port(self.port + 1, harness.own_ports()[1])
        self.programs = os.path.join(self.work, "programs")
        os.mkdir(self.programs)
        self.env = {**harness.BASE_ENV, "HOME": self.work, "PORT": str(self.port),
                    "PORTS": str(self.port),
                    "PATH": f"{self.programs}:{NPM}:{harness.BASE_ENV['PATH']}"}

    # --- what stands on the port ---

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def tree(self, argv, **options):
        """Starts argv in a session of its own, which ends with the test, whatever comes of it."""
        options.setdefault("env", self.env)
        child = self.spawn(argv, start_new_session=True, **options)
        self.addCleanup(self.end_session, child.pid)
        return child

    @staticmethod
    def end_session(sid):
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.getsid(int(name)) == sid:
                    os.kill(int(name), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def named(self, name, code):
        """A Python program whose name, as the kernel has it, is `name`."""
        return self.write(f"programs/{name}", f"#!{PYTHON}\n{code}", 0o755)

    def listens(self, port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def wait_listening_on(self, *ports):
        for port in ports:
            wait_until(lambda: self.listens(port), f"port {port} is listened on")

    # --- what pd says ---

    def why(self, *arguments, **options):
        return self.daemon.json("why", str(self.port), *arguments, code=None, **options)

    def first(self, answer=None, **options):
        """The first remedy, which is to have a command."""
        answer = answer or self.why(**options)
        self.assertTrue(answer["remedies"][0]["command"], answer)
        return answer["remedies"][0]

    def follow(self, remedy):
        for pid in remedy["kills"]:
            os.kill(pid, 0)
        done = subprocess.run(["sh", "-c", remedy["command"]], env=self.env, cwd="/",
                              capture_output=True, text=True, timeout=harness.DEADLINE_S,
                              check=False)
        self.said = done.stdout + done.stderr
        return done

    def is_freed_by(self, remedy, touch=None):
        self.follow(remedy)
        wait_until(lambda: starts_a_server(self.port), f"the port is free by {remedy}; it said "
                   + self.said)
        if touch:
            os.utime(touch)
        end = time.monotonic() + STAYS_S
        while time.monotonic() < end:
            self.assertTrue(starts_a_server(self.port), f"it came back after {remedy}")
            time.sleep(0.05)


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
        if not self.daemon.uses_bpf():
            self.skipTest("no eBPF here: nobody sees who starts whom")
        self.write("server.py", self.SERVER)
        watchdog = self.tree(argv)
        self.wait_listening_on(self.port)
        self.assertIsNone(self.why()["restartedBy"])
        back = self.back_after(self.first())
        answer = self.why()
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
        if not self.daemon.uses_bpf():
            self.skipTest("no eBPF here: nobody sees who starts whom")
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
        with open(os.path.join(self.work, "my pm2/pm2.pid"), encoding="ascii") as f:
            return int(f.read())

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
        wait_until(lambda: self.supervisorctl().count("RUNNING") == 2, "both run")
        self.wait_listening_on(self.port, self.other)
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
    def test_program_of_a_user_that_calls_itself_inetd_is_none(self):
        inetd = self.inetd(uid=harness.NOBODY)
        self.assertEqual(self.first()["command"], f"kill {inetd.pid}")


class EngineTest(RemedyTest):
    """Engines are stand-ins: a command of the engine's name writes down what it was told to do."""

    def engine(self, name):
        self.write(f"programs/{name}", f"""#!/bin/sh
echo "$@" >> {self.work}/told
case "$*" in *"ps -q --filter publish={self.port}") echo cafe ;; esac
case "$*" in ps*format*) echo "beef 127.0.0.1:{self.port}->80/tcp" ;; esac
""", 0o755)

    def told(self):
        with open(f"{self.work}/told", encoding="ascii") as f:
            return f.read().splitlines()[-1]

    def published_by(self, name, *arguments, **options):
        """A program with this name and these arguments that has the port; its pid."""
        program = self.named(name, LISTENER.format(more=""))
        child = self.tree([program, *arguments], **options)
        self.wait_listening_on(self.port)
        return child.pid

    def proxy_arguments(self):
        return ("-proto", "tcp", "-host-ip", "127.0.0.1", "-host-port", str(self.port),
                "-container-ip", "172.17.0.2", "-container-port", "80")

    @needs_root
    def test_container_behind_docker_proxy_is_stopped_by_the_port_that_it_publishes(self):
        self.engine("docker")
        self.published_by("docker-proxy", *self.proxy_arguments())
        remedy = self.first()
        self.assertEqual((remedy["kills"], remedy["alsoHits"]), ([], []))
        self.follow(remedy)
        self.assertEqual(self.told(), "stop cafe")

    @needs_root
    def test_name_of_an_engines_proxy_alone_does_not_lead_to_the_engine(self):
        for arguments, uid in ((), None), (self.proxy_arguments(), harness.NOBODY):
            pid = self.published_by("docker-proxy", *arguments, uid=uid)
            answer = self.why()
            self.assertEqual(self.first(answer)["command"], f"kill {pid}", answer)
            self.assertFalse([r for r in answer["remedies"] if "docker " in (r["command"] or "")])
            self.is_freed_by(self.first(answer))

    @needs_root
    def test_api_of_docker_is_no_container(self):
        self.published_by("dockerd", "-H", f"tcp://127.0.0.1:{self.port}")
        answer = self.why()
        self.assertIn("API of docker", answer["summary"])
        self.assertEqual([r["command"] for r in answer["remedies"]], [None, "pd claim NAME"])

    def test_container_behind_slirp4netns_is_named_by_its_socket(self):
        self.engine("podman")
        self.published_by("slirp4netns", "-c", "--api-socket", f"/run/libpod/tmp/{CONTAINER}.net",
                          "tap0")
        self.follow(self.first())
        self.assertEqual(self.told(), f"stop {CONTAINER[:12]}")

    def test_container_behind_rootlessport_is_found_by_the_port_that_it_publishes(self):
        self.engine("podman")
        self.published_by("rootlessport")
        self.follow(self.first())
        self.assertEqual(self.told(), "stop beef")

    @needs_root
    def test_engine_of_a_user_is_asked_as_that_user(self):
        self.published_by("rootlessport", uid=harness.NOBODY)
        self.assertTrue(self.first()["command"].startswith("sudo -u nobody sh -c "))
        self.assertIn("sudo -u nobody", self.first(uid=2100001)["command"])


class TunnelTest(RemedyTest):
    """Stand-ins: a program named ssh that listens, and writes a title over its arguments or not."""

    def ssh(self, *arguments):
        return self.tree([self.named("ssh", LISTENER.format(more="")), *arguments])

    def test_tunnel_of_ssh_is_called_that_with_where_it_goes(self):
        ssh = self.ssh("-N", "-L", f"127.0.0.1:{self.port}:db.internal:5432", "bastion")
        self.wait_listening_on(self.port)
        answer = self.why()
        self.assertIn(f"an ssh tunnel: ssh -L 127.0.0.1:{self.port}:db.internal:5432",
                      answer["summary"])
        self.assertEqual(self.first(answer)["kills"], [ssh.pid])
        self.is_freed_by(self.first(answer))

    def shared(self, control, *arguments):
        """As an ssh that went into the background: its arguments are gone from /proc by now."""
        program = self.named("ssh", f"""
import ctypes, socket, time
s = socket.create_server(("127.0.0.1", {self.port}))
time.sleep(0.5)
with open("/proc/self/stat") as f:
    fields = f.read().rpartition(")")[2].split()
begin, end = int(fields[45]), int(fields[46])
title = b"ssh: {control} [mux]"
assert end - begin > len(title)
ctypes.memset(begin, 0, end - begin)
ctypes.memmove(begin, title, len(title))
while True:
    time.sleep(1)
""")
        return self.tree([program, *arguments, "a-host-with-a-name-that-leaves-room-for-a-title"])

    def test_forward_in_a_shared_connection_is_closed_alone(self):
        if not self.daemon.uses_bpf():
            self.skipTest("no eBPF here: nobody hears when it begins to listen")
        spec = f"{self.port}:localhost:9"
        ssh = self.shared("/tmp/cm it", "-L", spec)
        self.wait_listening_on(self.port)
        answer = wait_until(lambda: self.why() if "ControlMaster" in self.why()["summary"] else None,
                            "it shares its connection")
        remedy = self.first(answer)
        self.assertEqual(remedy["command"],
                         f"ssh -S '/tmp/cm it' -O cancel -L {spec} localhost")
        self.assertEqual(remedy["kills"], [])
        self.assertFalse([r for r in answer["remedies"] if ssh.pid in r["kills"]])

    def test_server_of_an_editor_is_not_killed(self):
        place = os.path.join(self.work, ".vscode-server", "bin")
        os.makedirs(place)
        script = os.path.join(place, "server.py")
        with open(script, "w", encoding="ascii") as f:
            f.write(LISTENER.format(more=""))
        self.tree([PYTHON, script])
        self.wait_listening_on(self.port)
        answer = self.why()
        self.assertIn("editor", answer["summary"])
        self.assertEqual([r["command"] for r in answer["remedies"]], [None, "pd claim NAME"])


class HarmTest(RemedyTest):
    def serve(self, *ports, more=""):
        child = self.tree([PYTHON, "-c", LISTENER.format(more=more)],
                          env={**self.env, "PORTS": " ".join(map(str, ports))})
        self.wait_listening_on(*ports)
        return child

    def test_other_ports_of_the_holder_are_named_and_listed(self):
        server = self.serve(self.port, self.other)
        remedy = self.first()
        self.assertEqual(remedy["kills"], [server.pid])
        self.assertEqual(remedy["alsoHits"],
                         [{"pid": server.pid, "comm": "python3", "ports": [self.other]}])
        self.assertIn(f"also ends port {self.other} of python3 ({server.pid})", remedy["text"])
        self.is_freed_by(remedy)

    def test_server_of_one_port_hits_nothing_else(self):
        self.serve(self.port)
        self.assertEqual(self.first()["alsoHits"], [])
        self.is_freed_by(self.first())

    def test_server_that_ignores_sigterm_is_killed_outright(self):
        server = self.serve(self.port, more="import signal\n"
                            "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
        remedy = wait_until(lambda: self.first() if "KILL" in self.first()["command"] else None,
                            "it ignores SIGTERM")
        self.assertEqual(remedy["command"], f"kill -KILL {server.pid}")
        self.assertIn("lost", remedy["text"])
        self.is_freed_by(remedy)

    def test_server_that_catches_sigterm_may_need_more(self):
        self.serve(self.port, more="import signal\n"
                   "signal.signal(signal.SIGTERM, lambda *_: None)")
        wait_until(lambda: "kill -KILL" in self.first()["text"], "what comes after SIGTERM")

    def test_holder_that_the_asker_runs_under_is_not_killed_first(self):
        code = LISTENER.format(more="import subprocess\nsys.stdout.write(subprocess.run("
                               "['sh', '-c', os.environ['ASK'] + '; true'], "
                               "capture_output=True, text=True).stdout)\nsys.exit()")
        child = self.spawn([PYTHON, "-c", code], env={
            **self.daemon.env, "PORTS": str(self.port),
            "ASK": f"{self.daemon.pd_program} why {self.port}"})
        text = " ".join(child.output().split())
        self.assertIn(f"python3 (pid {child.pid}) is what this shell runs under", text)
        self.assertNotIn(f"kill {child.pid}", text)

    def imitate_pm2(self, title):
        """A server below a process that says that it is pm2's daemon."""
        code = (f"import os, subprocess, sys\nopen('/proc/self/comm', 'w').write('PM2 v6.0: God')\n"
                f"subprocess.call([{PYTHON!r}, '-c', {LISTENER.format(more='')!r}])")
        imitation = self.tree([title, "-c", code], executable=PYTHON)
        self.wait_listening_on(self.port)
        return imitation

    def test_command_made_of_hostile_names_runs_nothing_of_them(self):
        mark = os.path.join(self.work, "mark")
        for hostile in (f"/tmp/x'; touch {mark}; '", f"/tmp/$(touch {mark})", f"/tmp/`touch {mark}`",
                        f"/tmp/x\n touch {mark}\n", "/tmp/\x1b[2J", f"/tmp/x\" ; touch {mark} #"):
            imitation = self.imitate_pm2(f"PM2 v6.0: God Daemon ({hostile})")
            answer = self.why()
            self.assertEqual(answer["restartedBy"]["pid"], imitation.pid)
            for remedy in answer["remedies"]:
                if remedy["command"] and remedy["command"] != "pd claim NAME":
                    self.assertNotRegex(remedy["command"], r"[\x00-\x1f\x7f]")
                    self.follow(remedy)
            self.assertFalse(os.path.exists(mark), answer["remedies"])
            self.end_session(imitation.pid)
            imitation.wait()

    def test_program_that_calls_itself_pm2_stops_nothing_in_the_real_one(self):
        self.write("programs/pm2", f"#!/bin/sh\necho \"$#:$2\" > {self.work}/stopped\n", 0o755)
        os.makedirs(f"{self.work}/real/pids")
        self.write("real/pids/web-0.pid", "1")
        self.imitate_pm2(f"PM2 v6.0: God Daemon ({self.work}/real)")
        self.follow(self.first())
        with open(f"{self.work}/stopped", encoding="ascii") as f:
            self.assertEqual(f.read(), "2:\n", "no name is found: nothing is stopped")


class SinceTest(RemedyTest):
    """What `pd why` says of a refusal of the past, by what has become of the port since."""

    def setUp(self):
        super().setUp()
        if not self.daemon.uses_bpf():
            self.skipTest("no eBPF here: refusals are not recorded")

    def serve(self):
        return self.spawn_python("s = listener(int(sys.argv[1]))\nready()\nrest()", self.port)

    def refused(self):
        """The pid of a server that the port was refused to."""
        victim = self.spawn([PYTHON, "-m", "http.server", str(self.port)])
        self.assertNotEqual(victim.wait(), 0)
        return victim.pid

    def of(self, victim):
        return self.daemon.json("why", "--pid", str(victim), code=None)

    def since(self, victim, state):
        """The answer once it says so."""
        def there():
            answer = self.of(victim)
            return answer if (answer.get("since") or {}).get("state") == state else None
        try:
            return wait_until(there, f"it is {state}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.of(victim)}") from None

    def names_nobody(self, answer, pid):
        for remedy in answer["remedies"]:
            self.assertNotIn(pid, remedy["kills"])
            self.assertNotRegex(remedy["command"] or "", rf"\b{pid}\b")

    def test_holder_that_is_still_there_is_said_to_be_and_can_be_stopped(self):
        server = self.serve()
        answer = self.since(self.refused(), "held")
        self.assertEqual(answer["since"]["by"], {"pid": server.pid, "comm": "python3"})
        self.assertEqual(self.first(answer)["kills"], [server.pid])
        self.is_freed_by(self.first(answer))

    def test_holder_that_is_gone_is_not_to_be_killed_and_the_port_is_said_to_be_free(self):
        server = self.serve()
        victim = self.refused()
        self.since(victim, "held")
        server.kill()
        answer = self.since(victim, "free")
        self.assertIsNone(answer["since"]["by"])
        self.assertIn("was taken", answer["summary"])
        self.assertIn("the port is free now", answer["summary"])
        self.assertEqual(self.first(answer)["command"], f"pd why {self.port}")
        self.names_nobody(answer, server.pid)

    def test_somebody_else_who_has_the_port_since_is_named_in_place_of_who_had_it(self):
        first = self.serve()
        victim = self.refused()
        self.since(victim, "held")
        first.kill()
        second = self.serve()
        answer = self.since(victim, "moved")
        self.assertEqual(answer["since"]["by"]["pid"], second.pid)
        self.assertIn(f"(pid {second.pid}) has the port now", answer["summary"])
        self.names_nobody(answer, first.pid)
        self.assertEqual(self.first(answer)["kills"], [second.pid])
        self.is_freed_by(self.first(answer))

    def test_what_keeps_a_refusal_from_coming_back_is_said_when_the_port_is_free(self):
        victim = self.spawn_python(
            "s = listener(int(sys.argv[1]))\n"
            "try:\n    listener(int(sys.argv[1]), '0.0.0.0')\nexcept OSError:\n    ready()\n"
            "rest()", self.port)
        self.assertEqual(self.since(victim.pid, "held")["verdict"], "self")
        victim.kill()
        answer = self.since(victim.pid, "free")
        self.assertTrue([r for r in answer["remedies"] if "bind once" in r["text"]], answer)
        self.names_nobody(answer, victim.pid)

    @needs_root
    @unittest.skipUnless(os.path.exists("/proc/sys/kernel/ns_last_pid"),
                         "no kernel that lets a pid be chosen")
    def test_process_that_got_the_pid_of_the_holder_is_never_named(self):
        server = self.serve()
        victim = self.refused()
        self.since(victim, "held")
        server.kill()
        server.process.stdout.close()

        def successor():
            with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as f:
                f.write(str(server.pid - 1))
            child = self.spawn(["sleep", "1000"])
            return child if child.pid == server.pid else child.kill() and None
        innocent = wait_until(successor, "somebody has the pid")
        answer = self.since(victim, "free")
        self.names_nobody(answer, innocent.pid)
        other = self.serve()
        self.names_nobody(self.since(victim, "moved"), innocent.pid)
        other.kill()

    def test_list_of_refusals_is_brought_up_to_date_one_by_one(self):
        server = self.serve()
        victims = [self.refused(), self.refused()]
        self.since(victims[1], "held")
        server.kill()
        self.since(victims[1], "free")
        listed = self.daemon.json("why", "--last", "2", code=None)["refusals"]
        self.assertEqual([r["since"]["state"] for r in listed], ["free", "free"])
        for refusal in listed:
            self.names_nobody(refusal, server.pid)


if __name__ == "__main__":
    sys.exit(harness.main())
