#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A user's own daemon beside the system service, at the real places, in a namespace of mounts."""
import os
import signal
import subprocess
import sys
import time

import harness
from harness import DONE, NOBODY, needs_root, wait_until

SERVICE_SOCKET = "/run/port-daddy/pd.sock"


@needs_root
class HandoverTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        works = self.daemon.uses_bpf()
        self.daemon.discard()
        if not works:
            self.skipTest("no eBPF here: a service that only polls sees no server of another user")
        self.places = self.spawn(
            ["unshare", "--mount", "sh", "-c", "mount -t tmpfs pd-test /run && "
             "mount -t tmpfs pd-test /var/lib && echo ready && exec sleep 100000"])
        self.assertEqual(self.places.read_line(), "ready")
        os.chown(self.work, NOBODY, NOBODY)
        self.home = harness.temp_dir("pd-home-")
        os.chown(self.home, NOBODY, NOBODY)
        self.addCleanup(subprocess.run, ["rm", "-rf", self.home], check=True)
        self.pd_program = harness.public_copy(harness.PD)
        self.addCleanup(self.end_own)

    # --- at the places of the namespace ---

    def inside(self, *argv, cwd=None):
        return ["nsenter", "-t", str(self.places.pid), "-m", "--", "env", "-C",
                cwd or self.work, *argv]

    def as_user(self, *words):
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *words]

    def pd(self, *words, user=True):
        argv = [self.pd_program, *words]
        done = subprocess.run(self.inside(*(self.as_user(*argv) if user else argv)),
                              env={**harness.BASE_ENV, "HOME": self.home if user else "/root"},
                              capture_output=True, text=True, check=False,
                              timeout=harness.DEADLINE_S)
        return harness.Answer(done.returncode, done.stdout, done.stderr)

    def own_pid(self):
        """Of the user's own daemon; 0 where none runs."""
        try:
            with open(os.path.join(self.home, ".port-daddy/daemon.lock"), encoding="ascii") as f:
                pid = int((f.read().split() or ["0"])[0])
        except FileNotFoundError:
            return 0
        return pid if pid and harness.runs(pid) else 0

    def end_own(self):
        pid = self.own_pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not harness.runs(pid), "it ends")

    def start_service(self):
        with open(os.path.join(self.work, "service.log"), "ab") as log:
            self.service = self.spawn(
                self.inside(harness.public_copy(harness.DAEMON), "--system", "--user",
                            "daemon", cwd="/"),
                env=harness.BASE_ENV, stdout=log, stderr=log)
        socket = f"/proc/{self.places.pid}/root{SERVICE_SOCKET}"

        def answers():
            self.assertIsNone(self.service.process.poll(), self.service_log())
            try:
                harness.connect(socket).close()
                return True
            except OSError:
                return False
        wait_until(answers, "the service answers")

    def service_log(self):
        return harness.read_text(os.path.join(self.work, "service.log"))

    def claim(self, name, *more):
        answer = self.pd("claim", name, "-q", *more)
        self.assertEqual(answer.code, DONE, answer)
        return int(answer.out)

    def found(self):
        answer = self.pd("find", "app:*", "-j")
        self.assertEqual(answer.code, DONE, answer)
        return {s["id"]: s for s in harness.json.loads(answer.out)["services"]}, answer.err

    # --- the tests ---

    def test_claims_are_handed_over_to_the_service_with_their_ports_and_their_servers(self):
        ports = {f"app:{name}": self.claim(f"app:{name}", "--health", "/up")
                 for name in ("web", "idle")}
        server = self.http_server(ports["app:web"], uid=NOBODY)
        own = self.own_pid()
        self.start_service()
        services, said = self.found()
        self.assertEqual(said, f"pd: your own daemon (pid {own}) has handed 2 claims over to the "
                               "system service, and has ended\n")
        self.assertEqual({name: s["port"] for name, s in services.items()}, ports)
        self.assertEqual(services["app:web"]["status"], "active", services)
        self.assertEqual(services["app:web"]["pids"], [server.pid])
        self.assertEqual(services["app:idle"]["status"], "claimed")
        self.assertEqual(services["app:idle"]["healthPath"], "/up")
        self.assertFalse(harness.runs(own))
        self.assertEqual(self.found()[1], "")

    def test_port_that_is_taken_at_the_service_is_named_with_the_one_in_its_place(self):
        port = self.claim("app:web")
        own = self.own_pid()
        os.kill(own, signal.SIGSTOP)  # the claim below is made before it is asked
        self.addCleanup(lambda: harness.runs(own) and os.kill(own, signal.SIGCONT))
        self.start_service()
        taken = self.pd("claim", "other:web", "-p", str(port), user=False)
        self.assertEqual(taken.code, DONE, taken)
        # one that hangs keeps nobody for long
        began = time.monotonic()
        self.assertRegex(self.pd("find").err, r"goes on beside the system service: it does not answer")
        self.assertLess(time.monotonic() - began, 15 * harness.SCALE)
        os.kill(own, signal.SIGCONT)
        services, said = self.found()
        self.assertNotEqual(services["app:web"]["port"], port)
        self.assertIn(f"app:web on {services['app:web']['port']} instead of {port}", said)
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertEqual(self.own_pid(), 0)

    def test_daemon_that_keeps_a_lock_goes_on_until_that_has_ended(self):
        self.claim("app:web")
        holder = self.spawn(self.inside(*self.as_user(self.pd_program, "with-lock", "l", "--",
                                                      "cat")),
                            env={**harness.BASE_ENV, "HOME": self.home}, stdin=subprocess.PIPE)
        self.addCleanup(holder.process.stdin.close)
        wait_until(lambda: harness.json.loads(self.pd("status", "-j").out)["locks"]["held"],
                   "it is held")
        own = self.own_pid()
        self.start_service()
        answer = self.pd("find")
        self.assertRegex(answer.err, rf"own daemon \(pid {own}\) goes on .*1 lock and 0 runs.*"
                                     r"pd daemon stop ends it")
        self.assertEqual(self.own_pid(), own)
        holder.process.stdin.close()
        holder.wait()
        wait_until(lambda: "has ended" in self.pd("find").err, "it is handed over")
        self.assertIn("app:web", self.found()[0])
        self.assertEqual(self.own_pid(), 0)

    def test_daemon_stop_ends_ones_own_and_then_says_whose_the_service_is(self):
        self.claim("app:web")
        own = self.own_pid()
        self.start_service()
        answer = self.pd("daemon", "stop")
        self.assertEqual((answer.code, answer.err), (DONE, ""))
        self.assertIn(f"pid {own}", answer.out)
        self.assertEqual(self.own_pid(), 0)
        answer = self.pd("daemon", "stop")
        self.assertEqual(answer.code, harness.NOT_ALLOWED, answer)
        self.assertIn("daemon", answer.err)
        self.assertIsNone(self.service.process.poll())


if __name__ == "__main__":
    sys.exit(harness.main())
