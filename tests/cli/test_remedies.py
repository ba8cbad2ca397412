#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The first remedy of `pd why`, followed literally: the port is free and stays so, and everything else
still runs; or it is said what would be hit.
"""
import os
import signal
import sys

import harness
from harness import PYTHON, needs_root, wait_until
from remedies import LISTENER, RemedyTest

CONTAINER = "0123456789ab" * 5 + "cdef"


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
    def test_stop_of_a_containers_port_names_the_engines_command_and_kills_no_proxy(self):
        self.engine("docker")
        pid = self.published_by("docker-proxy", *self.proxy_arguments())
        answer = self.daemon.run("stop", str(self.port), "-y")
        self.assertEqual(answer.code, harness.NO, answer)
        self.assertIn(f"docker stop $(docker ps -q --filter publish={self.port})", answer.err)
        self.assertTrue(harness.runs(pid))

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

    @needs_root
    def test_api_of_docker_is_told_from_a_port_beside_it(self):
        self.engine("docker")
        self.published_by("dockerd", "-H", "unix:///run/docker.sock", "-H",
                          f"tcp://[::1]:{self.other},tcp://0.0.0.0:{self.port}")
        self.assertIn("API of docker", self.why()["summary"])

    @needs_root
    def test_container_without_a_proxy_is_stopped_by_the_port_that_dockerd_has_for_it(self):
        self.engine("docker")
        self.published_by("dockerd", "-H", "unix:///run/docker.sock", "-H",
                          f"tcp://127.0.0.1:{self.other}")
        self.assertNotIn("API", self.why()["summary"])
        self.follow(self.first())
        self.assertEqual(self.told(), "stop cafe")

    def test_container_behind_rootlesskit_is_stopped_by_the_port_that_it_publishes(self):
        self.engine("docker")
        self.published_by("rootlesskit", "--net=slirp4netns", "dockerd-rootless.sh")
        self.follow(self.first())
        self.assertEqual(self.told(), "stop cafe")

    def test_container_whose_monitor_has_its_port_is_named_by_the_monitor(self):
        self.engine("podman")
        self.published_by("conmon", "--api-version", "1", "-c", CONTAINER, "-u", CONTAINER)
        self.follow(self.first())
        self.assertEqual(self.told(), f"stop {CONTAINER[:12]}")

    def test_container_behind_pasta_is_found_by_the_port_that_it_publishes(self):
        self.engine("podman")
        self.published_by("pasta", "--config-net", "-t", f"{self.port}-{self.port}:80-80",
                          "--netns", "/run/netns/netns-1")
        self.follow(self.first())
        self.assertEqual(self.told(), "stop beef")

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
        if harness.IS_ROOT:
            stranger = self.why(uid=harness.NOBODY)
            self.assertIn("an ssh tunnel", stranger["summary"])
            self.assertNotIn("db.internal", str(stranger), "where it goes is its user's business")
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
        self.need_bpf("nobody hears when it begins to listen")
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

    def test_sigterm_that_had_no_effect_is_not_advised_again(self):
        if not self.daemon.uses_bpf():
            self.skipTest("no eBPF here: signals are not seen")
        server = self.serve(self.port, more="import signal\n"
                            "signal.signal(signal.SIGTERM, lambda *_: None)")
        self.assertEqual(self.first()["command"], f"kill {server.pid}")
        os.kill(server.pid, signal.SIGTERM)
        remedy = wait_until(lambda: next((r for r in self.why()["remedies"][:1]
                                          if "SIGTERM" in r["text"]), None), "the signal is told")
        self.assertRegex(remedy["text"], rf"^wait: .* kill -KILL {server.pid}, which loses")
        self.assertEqual((remedy["command"], remedy["kills"]), (None, []))
        remedy = wait_until(lambda: next((r for r in self.why()["remedies"][:1] if r["command"]),
                                         None), "it had its time")
        self.assertEqual(remedy["command"], f"kill -KILL {server.pid}")
        self.assertRegex(remedy["text"], "was sent SIGTERM [0-9]+s ago and has not ended: .* lost")
        self.is_freed_by(remedy)

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

    def restarted_by(self, supervisor):
        """The answer about the port, once it names the one that starts the holder again."""
        answer = self.why()
        return answer if (answer["restartedBy"] or {}).get("pid") == supervisor.pid else None

    def test_command_made_of_hostile_names_runs_nothing_of_them(self):
        mark = os.path.join(self.work, "mark")
        for hostile in (f"/tmp/x'; touch {mark}; '", f"/tmp/$(touch {mark})", f"/tmp/`touch {mark}`",
                        f"/tmp/x\n touch {mark}\n", "/tmp/\x1b[2J", f"/tmp/x\" ; touch {mark} #"):
            imitation = self.imitate_pm2(f"PM2 v6.0: God Daemon ({hostile})")
            answer = wait_until(lambda i=imitation: self.restarted_by(i), "it is named")
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


if __name__ == "__main__":
    sys.exit(harness.main())
