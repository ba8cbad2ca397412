#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The daemon's start, end and replacement: by its user, by root, after a crash, by another build."""
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import unittest

import harness
from harness import DONE, NOBODY, NOT_ALLOWED, WRONG, needs_root, wait_until

# Directories with a pd and a portdaddyd of other commits each, separated by colons.
OTHER_BUILDS = [d for d in os.environ.get("PD_OTHER_BUILDS", "").split(":") if d]


class LifeTest(harness.PortDaddyTest):
    """Daemons that pd starts are no children of the test's."""

    def setUp(self):
        super().setUp()
        self.daemon.stop()
        self.addCleanup(self.end_started)
        self.env = {"PORT_DADDY_NO_AUTOSTART": ""}

    def end_started(self):
        try:
            pid = self.daemon.get("/v1/status").get("daemon", {}).get("pid")
        except OSError:
            return
        if not pid:
            return
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not harness.runs(pid), "it ends")

    def pid(self):
        return self.daemon.get("/v1/status")["daemon"]["pid"]

    def mode(self):
        return self.daemon.get("/v1/status")["kernel"]["mode"]


class VerbTest(LifeTest):
    def test_bare_start_and_stop_say_pd_daemon_and_do_nothing(self):
        self.daemon.start()
        for words in (("start",), ("stop",), ("restart",)):
            answer = self.daemon.run(*words, code=WRONG)
            self.assertEqual(len(answer.err.splitlines()), 1, answer)
            self.assertIn(f"pd daemon {words[0]}", answer.err)
        self.daemon.pd("status")

    def test_start_right_after_a_kill_is_another_daemon(self):
        self.daemon.pd("daemon", "start", env=self.env)
        killed = self.pid()
        os.kill(killed, signal.SIGKILL)
        answer = self.daemon.pd("daemon", "start", env=self.env)
        self.assertIn("Daemon started", answer)
        self.assertNotEqual(self.pid(), killed)

    def test_restart_is_another_daemon_with_the_same_claims_and_locks(self):
        self.daemon.pd("daemon", "start", env=self.env)
        port, first = self.daemon.claim("app:web"), self.pid()
        session = self.daemon.pd("session", "start", "work", "-q").strip()
        # on the shell of this test, which lasts
        fence = self.daemon.json("lock", "migrations")["fence"]
        self.daemon.pd("daemon", "restart", env=self.env)
        self.assertNotEqual(self.pid(), first)
        self.assertFalse(harness.runs(first))
        self.assertEqual(self.daemon.service("app:web")["port"], port)
        self.assertIn(session, self.daemon.pd("sessions"))
        lock, = self.daemon.json("lock", "migrations", "--status")["locks"]
        self.assertEqual((lock["held"], lock["fence"]), (True, fence))

    def test_watchers_go_on_with_the_daemon_that_takes_its_place(self):
        self.daemon.pd("daemon", "start", env=self.env)
        watch, log = self.pd_stream("watch", "app:*", "-j"), self.pd_stream("log", "-f")
        names = (f"app:before{n}" for n in itertools.count())

        def both_follow():  # what was claimed before it is connected pd watch does not show
            self.daemon.claim(next(names))
            return all(any("app:before" in line for line in lines.lines) for lines in (watch, log))
        wait_until(both_follow, "both follow", every_s=0.1)
        self.daemon.pd("daemon", "restart", env=self.env)
        watch.wait_for(lambda line: '"event":"GAP"' in line.replace(" ", ""), "the mark")
        log.wait_for(lambda line: "DAEMON" in line and "started" in line, "the start")
        self.daemon.claim("app:after")
        for lines in (watch, log):
            lines.wait_for(lambda line: "app:after" in line, "it follows on")
        told = [line for line in log.lines if "app:before" in line]
        self.assertEqual(len(told), len(set(told)), told)

    def test_waiter_for_a_lock_waits_on_behind_a_restart(self):
        self.daemon.pd("daemon", "start", env=self.env)
        holder = self.spawn([self.daemon.pd_program, "with-lock", "l", "--", "cat"],
                            env=self.daemon.env, stdin=subprocess.PIPE)
        self.addCleanup(holder.process.stdin.close)

        def held():
            locks = self.daemon.json("lock", "l", "--status", code=None).get("locks")
            return locks and locks[0]["held"]
        wait_until(held, "it is held")
        waiter = self.spawn([self.daemon.pd_program, "with-lock", "l", "--wait=60s", "--", "echo",
                             "granted"], env=self.daemon.env)
        wait_until(lambda: self.daemon.clients("03") > 0, "it waits")
        self.daemon.pd("daemon", "restart", env=self.env)
        self.assertTrue(held())
        self.assertIsNone(waiter.process.poll())
        holder.process.stdin.close()
        self.assertEqual(waiter.wait(), DONE, waiter.output())

    def test_what_is_no_verb_is_refused(self):
        for words in (("daemon",), ("daemon", "halt"), ("daemon", "stop", "3000")):
            self.daemon.run(*words, code=WRONG)

    def test_version_names_both_builds(self):
        self.assertIn("does not run", self.daemon.pd("version"))
        self.daemon.start()
        lines = self.daemon.pd("version").splitlines()
        self.assertEqual([l.split()[0] for l in lines], ["pd", "portdaddyd"])
        self.assertEqual(lines[0].split()[1:], lines[1].split()[1:])
        both = self.daemon.json("version")
        self.assertEqual((both["program"], both["commit"]),
                         (both["daemon"]["program"], both["daemon"]["commit"]))

    def test_relative_home_is_refused_by_name(self):
        for command in (("find",), ("daemon", "start")):
            answer = self.daemon.run(*command, env={**self.env, "PORT_DADDY_HOME": "state"},
                                     code=harness.NO_DAEMON)
            self.assertEqual(len(answer.err.splitlines()), 1, answer)
            self.assertIn("PORT_DADDY_HOME", answer.err)
            self.assertIn("absolute", answer.err)
        done = subprocess.run([self.daemon.program], env={**self.daemon.env,
                                                          "PORT_DADDY_HOME": "state"},
                              cwd=self.work, capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, DONE)
        self.assertIn("absolute", done.stderr)
        self.assertEqual(os.listdir(self.work), [])


@needs_root
class PollingTest(LifeTest):
    """An ordinary user's daemon, and root's for that user."""

    def setUp(self):
        super().setUp()
        os.chown(self.daemon.home, NOBODY, NOBODY)
        for name in os.listdir(self.daemon.home):
            os.chown(os.path.join(self.daemon.home, name), NOBODY, NOBODY)
        self.program = harness.public_copy(harness.PD)

    def as_nobody(self, *words):
        return self.daemon.run(*words, uid=NOBODY, env={**self.env, "HOME": self.daemon.home})

    def as_sudo(self, command):
        """What sudo would run, in root's environment: nothing of the user's is left."""
        words = shlex.split(command)
        self.assertEqual(words[0], "sudo", command)
        return subprocess.run(words[1:], env={**harness.BASE_ENV, "SUDO_UID": str(NOBODY),
                                              "SUDO_GID": str(NOBODY), "SUDO_USER": "nobody",
                                              "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                              cwd="/", capture_output=True, text=True, check=False)

    def command_of(self, answer):
        line, = [line for line in answer.err.splitlines() if "only polls" in line]
        return re.search(r"with eBPF: (.*)$", line)[1]

    def starts_with_bpf(self):
        probe = self.start_daemon()
        works = probe.uses_bpf()
        probe.stop()
        if not works:
            self.skipTest("no eBPF here")

    def test_whoever_starts_a_polling_daemon_is_told_the_command_that_gives_ebpf(self):
        self.starts_with_bpf()
        answer = self.as_nobody("claim", "app:web", "-q")
        self.assertEqual(answer.code, DONE, answer)
        first = self.pid()
        started = self.as_sudo(self.command_of(answer))
        self.assertEqual(started.returncode, DONE, started)
        self.assertEqual(self.mode(), "bpf")
        self.assertNotEqual(self.pid(), first)
        self.assertEqual(harness.proc_status(self.pid())["Uid"].split(), [str(NOBODY)] * 4)
        self.assertEqual(self.as_nobody("claim", "app:web", "-q").out, answer.out)
        # and once more it is left alone
        second = self.pid()
        self.as_sudo(self.command_of(answer))
        self.assertEqual(self.pid(), second)

    def test_daemon_start_by_a_user_says_that_it_only_polls(self):
        answer = self.as_nobody("daemon", "start")
        self.assertEqual(answer.code, DONE, answer)
        self.assertIn("only polls", answer.err)

    def test_after_a_crash_of_roots_daemon_the_next_pd_says_that_polling_is_left(self):
        self.starts_with_bpf()
        self.as_sudo(self.command_of(self.as_nobody("find")))
        self.assertEqual(self.mode(), "bpf")
        crashed = self.pid()
        os.kill(crashed, signal.SIGKILL)
        wait_until(lambda: not harness.runs(crashed), "it is gone")
        answer = self.as_nobody("find")
        self.assertIn(f"eBPF (pid {crashed}) was killed or has crashed", answer.err)
        self.as_sudo(self.command_of(answer))
        self.assertEqual(self.mode(), "bpf")
        # one that was stopped has not crashed
        self.as_nobody("daemon", "stop")
        self.assertNotIn("crashed", self.as_nobody("find").err)

    def test_what_roots_daemon_has_left_is_named_with_its_owner_and_goes_as_is_said(self):
        os.chown(self.daemon.home, 0, 0)
        answer = self.as_nobody("find")
        self.assertEqual(answer.code, harness.NO_DAEMON, answer)
        self.assertIn("it is user root's", answer.err)
        self.as_sudo(re.search(r"\((sudo chown .*) gives", answer.err)[1])
        self.assertEqual(self.as_nobody("claim", "app:web").code, DONE)
        self.assertEqual(self.as_nobody("daemon", "stop").code, DONE)
        place = harness.temp_dir("pd-left-", 0o1777)
        self.addCleanup(shutil.rmtree, place)
        path = os.path.join(place, "pd.sock")
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)
        os.chmod(path, 0o666)
        here = {"uid": NOBODY, "env": {**self.env, "HOME": place, "PORT_DADDY_SOCKET": path}}
        answer = self.daemon.run("find", **here)
        self.assertIn(f"cannot replace {path}, which a daemon of user root has left", answer.err)
        self.as_sudo(re.search(r"\((sudo rm .*) removes", answer.err)[1])
        self.assertEqual(self.daemon.run("find", "app:web", **here).code, DONE)
        self.assertEqual(self.daemon.run("daemon", "stop", **here).code, DONE)

    def test_restart_by_a_user_does_not_take_ebpf_away(self):
        self.starts_with_bpf()
        self.as_sudo(self.command_of(self.as_nobody("find")))
        first = self.pid()
        answer = self.as_nobody("daemon", "restart")
        self.assertEqual(answer.code, NOT_ALLOWED, answer)
        self.assertEqual(self.pid(), first)
        done = self.as_sudo(re.search(r"sudo .*$", answer.err.strip())[0])
        self.assertEqual(done.returncode, DONE, done)
        self.assertEqual(self.mode(), "bpf")
        self.assertNotEqual(self.pid(), first)


class OlderDaemon:
    """Answers as daemons did before they told their build."""

    def __init__(self, path, known):
        self.known, self.asked = known, []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def answer(self, target):
        path, _, query = target.partition("?")
        self.asked.append(target)
        if path not in self.known:
            return 404, {"ok": False, "version": 1, "error": {
                "code": "no_route", "message": f"there is no {path} here"}}
        for name in (part.partition("=")[0] for part in query.split("&") if part):
            if name not in self.known[path]:
                return 400, {"ok": False, "version": 1, "error": {
                    "code": "bad_request",
                    "message": f'unknown parameter "{name}"; {path} takes: id'}}
        return 200, {"ok": True, "version": 1, "services": [], "orphans": []}

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(65536).decode()
                if not request:
                    continue
                status, body = self.answer(request.split()[1])
                text = json.dumps(body)
                connection.sendall(f"HTTP/1.0 {status} X\r\nContent-Length: {len(text)}\r\n\r\n"
                                   f"{text}".encode())


class OtherBuildTest(LifeTest):
    def older(self, known):
        daemon = OlderDaemon(self.daemon.socket, known)
        self.addCleanup(daemon.socket.close)
        return daemon

    def test_parameter_that_an_older_daemon_does_not_know_is_left_out_and_said_once(self):
        self.older({"/v1/services": []})
        answer = self.daemon.run("find", "shop:*", code=harness.NO)
        said = [l for l in answer.err.splitlines() if "older" in l]
        self.assertEqual(len(said), 1, answer)
        self.assertIn("pattern", said[0])
        self.assertIn("pd daemon restart", said[0])

    def test_question_that_an_older_daemon_cannot_answer_says_so(self):
        self.older({})
        answer = self.daemon.run("find", code=harness.FAILED)
        self.assertEqual(len(answer.err.splitlines()), 1, answer)
        self.assertIn("older", answer.err)
        self.assertIn("daemon restart", answer.err)


@unittest.skipUnless(OTHER_BUILDS, "no other builds to play with (PD_OTHER_BUILDS)")
class RealBuildTest(LifeTest):
    """pd and daemons of other commits, both ways, on one database."""

    commands = (("claim", "app:web"), ("find",), ("find", "--all"), ("find", "app:*"),
                ("why", "3000"), ("why", "3000", "--no-reuseaddr"), ("why",), ("status",),
                ("log",), ("log", "--filter", "CLAIM"), ("health",), ("locks",),
                ("lock", "l"), ("lock", "l", "--status"), ("unlock", "l"), ("sessions",),
                ("session", "start", "work"), ("note", "text"), ("notes",), ("session", "end"),
                ("metrics",), ("cleanup", "--dry-run"), ("version",), ("release", "app:web"))

    def play(self, pd):
        for words in self.commands:
            done = subprocess.run([pd, *words], env=self.daemon.env, cwd=self.work, text=True,
                                  capture_output=True, check=False, timeout=harness.DEADLINE_S)
            with self.subTest(words=words):
                # what the older one does not have is said; nothing else fails
                if not re.search(r"unknown (command|option)|has no answer to this", done.stderr):
                    self.assertIn(done.returncode, (DONE, harness.NO), (pd, words, done))
                    self.assertNotIn("unknown", done.stderr)

    def test_new_pd_works_with_an_older_daemon_and_replaces_it(self):
        for build in OTHER_BUILDS:
            with self.subTest(build=build):
                shutil.rmtree(self.daemon.home)
                os.mkdir(self.daemon.home)
                self.daemon.program = os.path.join(build, "portdaddyd")
                self.daemon.start()
                self.play(harness.PD)
                port = self.daemon.claim("app:kept")
                fence = self.daemon.json("lock", "kept")["fence"]
                self.assertIn("older", self.daemon.run("version").err)
                self.daemon.pd("daemon", "start", env=self.env)
                self.assertEqual(self.daemon.process.wait(harness.DEADLINE_S), 0)
                self.assertEqual(self.daemon.run("version").err, "")
                self.assertEqual(self.daemon.service("app:kept")["port"], port)
                lock, = self.daemon.json("lock", "kept", "--status")["locks"]
                self.assertEqual((lock["held"], lock["fence"]), (True, fence))
                self.end_started()

    def test_older_pd_works_with_a_new_daemon(self):
        self.daemon.program = harness.DAEMON
        self.daemon.start()
        for build in OTHER_BUILDS:
            with self.subTest(build=build):
                self.play(os.path.join(build, "pd"))


if __name__ == "__main__":
    sys.exit(harness.main())
