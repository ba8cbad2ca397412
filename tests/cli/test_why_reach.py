#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What stays out of reach of a daemon is said in the answer of `pd why`, with what would lift it."""
import os
import subprocess
import sys

import harness
from harness import needs_root, wait_until

RESTART_BY_ROOT = "daemon restart"


class ReachTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.port = harness.free_port()

    def start_daemon(self, *arguments, **options):
        """Each test starts its own kind."""
        return super().start_daemon(*arguments, **options) if arguments or options else None

    def stays_hidden(self, daemon, missing, lift, **options):
        """Root's server on a port that the daemon cannot see through."""
        server = self.http_server(self.port)
        answer = daemon.json("why", str(self.port), code=harness.NO, **options)
        self.assertEqual((answer["verdict"], answer["free"], answer["errno"]),
                         ("holder_hidden", False, "EADDRINUSE"))
        self.assertNotIn(server.pid, [h["pid"] for h in answer["holders"]])
        self.assertFalse(answer["complete"])
        self.assertIn(missing, answer["missing"]["text"])
        self.assertTrue(any(lift in (said or "") for said in (answer["missing"]["command"],
                                                      answer["remedies"][0]["text"])), answer)
        self.assertIn(missing, " ".join(daemon.run("why", str(self.port), **options).out.split()))

    def records_nothing(self, daemon, lift, **options):
        daemon.run("why", **options, code=harness.NO, says=lift)

    def knows_nothing_of_another_namespace(self, daemon, **options):
        code = harness.LISTEN + "s = listener(int(sys.argv[1]), '0.0.0.0')\nready()\nrest()"
        other = self.spawn(["unshare", "--net", harness.PYTHON, "-u", "-c", code, str(self.port)])
        self.assertEqual(other.read_line(), "ready")
        answer = daemon.json("why", str(self.port), "--netns", str(other.pid), code=harness.NO,
                             **options)
        self.assertEqual((answer["verdict"], answer["free"]), ("unknown", False))
        self.assertIn("eBPF", answer["missing"]["text"])

    @needs_root
    def test_daemon_of_an_ordinary_user_says_that_root_would_see_the_holder(self):
        user = {"uid": harness.NOBODY}
        daemon = self.start_daemon(**user)
        self.stays_hidden(daemon, "a daemon that root did not start", RESTART_BY_ROOT, **user)
        self.records_nothing(daemon, RESTART_BY_ROOT, **user)
        whose = "a process of user root that is hidden from here"
        wait_until(lambda: whose in daemon.run("stop", str(self.port), "-y", **user).err,
                   "it is seen that somebody has the port")
        home = daemon.claim("demo:web", **user)
        self.http_server(home)
        wait_until(lambda: f"port {home}, the home of demo:web, is held by {whose}"
                   in daemon.run("claim", "demo:web", "-q", **user).err, "the claim moves aside")

    @needs_root
    def test_daemon_of_an_ordinary_user_does_not_guess_about_another_namespace(self):
        user = {"uid": harness.NOBODY}
        self.knows_nothing_of_another_namespace(self.start_daemon(**user), **user)

    @needs_root
    def test_daemon_without_bpf_says_that_it_was_told_so(self):
        daemon = self.start_daemon("--no-bpf")
        self.stays_hidden(daemon, "--no-bpf", "daemon restart")
        self.records_nothing(daemon, "without --no-bpf")

    @needs_root
    def test_daemon_without_bpf_does_not_guess_about_another_namespace(self):
        self.knows_nothing_of_another_namespace(self.start_daemon("--no-bpf"))

    @needs_root
    def test_daemon_in_a_pid_namespace_says_that_the_host_would_see_the_holder(self):
        container = os.path.join(self.work, "container")
        with open(container, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\nexec unshare --pid --fork --kill-child --mount-proc "
                    f"{harness.DAEMON} \"$@\"\n")
        os.chmod(container, 0o755)
        daemon = self.start_daemon(program=container)
        self.stays_hidden(daemon, "PID namespace",
                          "start pd on the host, or the container with --pid=host, to see who has "
                          "it")
        self.records_nothing(daemon, "start pd on the host")

    @needs_root
    def test_daemon_that_traces_no_calls_says_what_it_therefore_does_not_see(self):
        daemon = self.start_daemon("--trace", "hooks")
        kernel = daemon.json("status")["kernel"]
        if kernel["mode"] != "bpf":
            self.skipTest("no eBPF here")
        self.assertEqual(kernel["trace"], "hooks")
        self.assertIn("traced by hooks; not seen: refused binds", daemon.pd("status"))
        self.assertIn("--trace hooks", daemon.run("why").err)
        checks = {c["id"]: c for c in daemon.json("doctor")["checks"]}
        self.assertIn("hooks", checks["trace"]["fact"])
        self.assertIn("left out", checks["probe-bind"]["fact"])

    def test_way_of_tracing_that_there_is_not_is_refused_with_those_that_there_are(self):
        done = subprocess.run([harness.DAEMON, "--trace", "kprobes"], capture_output=True,
                              text=True, check=False, env=harness.BASE_ENV)
        self.assertEqual(done.returncode, harness.WRONG)
        self.assertIn("'kprobes' is none of auto fexit syscalls hooks", done.stderr)


if __name__ == "__main__":
    sys.exit(harness.main())
