#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the README tells people to type first, typed."""
import os
import shutil
import subprocess
import sys
import time
import unittest

import harness
from harness import ROOT, wait_until

BOOTSTRAP_MAX_S = 0.3 * harness.SCALE


class FirstStepsTest(unittest.TestCase):
    def setUp(self):
        self.home = harness.temp_dir("pd-first-")
        self.addCleanup(shutil.rmtree, self.home, True)
        self.env = {**harness.BASE_ENV, "PORT_DADDY_HOME": self.home}
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
            self.env.pop(name, None)

    def type(self, *argv):
        return subprocess.run(argv, cwd=ROOT, env=self.env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=300, check=False)

    def make(self, *arguments):
        done = self.type("make", f"BUILD={harness.BUILD}", *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def pd(self, *arguments):
        return self.type(harness.PLAIN_PD, *arguments)

    def stop_daemon(self):
        status = self.pd("status", "-j")
        pid = harness.json.loads(status.stdout)["daemon"]["pid"]
        self.pd("daemon", "stop")
        wait_until(lambda: not harness.runs(pid), "the daemon ends")

    def test_make_run_starts_a_daemon_and_a_second_one_changes_nothing(self):
        first = self.make("run")
        try:
            for part in ("Daemon:", "Kernel:", "Try next:", "pd claim", "pd find"):
                self.assertIn(part, first)
            before = harness.json.loads(self.pd("status", "-j").stdout)["daemon"]["pid"]
            second = self.make("run")
            self.assertIn("runs already", second)
            after = harness.json.loads(self.pd("status", "-j").stdout)["daemon"]["pid"]
            self.assertEqual(before, after)
        finally:
            self.stop_daemon()

    def test_demo_shows_what_it_promises_and_leaves_nothing_behind(self):
        def left():
            return {name for name in os.listdir("/tmp") if name.startswith("pd-demo-")}
        before = left()
        for _ in range(2):
            shown = self.make("demo")
            for part in ("active", "ghost", "orphaned", "EADDRINUSE", "pd why", "released"):
                self.assertIn(part, shown)
        self.assertEqual(left() - before, set())

    def test_bootstrap_with_nothing_to_do_is_silent_and_fast(self):
        took = []
        for _ in range(harness.ATTEMPTS):
            started = time.monotonic()
            done = self.type("scripts/bootstrap", "test")
            took.append(time.monotonic() - started)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            if took[-1] < BOOTSTRAP_MAX_S:
                break
        self.assertLess(min(took), BOOTSTRAP_MAX_S)

    def test_bootstrap_names_what_is_missing_where_it_may_not_install(self):
        # a PATH without compilers and sudo stands for a bare machine of an ordinary user
        tools = os.path.join(self.home, "bin")
        os.mkdir(tools)
        for name in ("sed", "apt-get", "awk", "bash"):
            os.symlink(shutil.which(name) or "/bin/true", os.path.join(tools, name))
        script = os.path.join(self.home, "bootstrap")
        with open(os.path.join(ROOT, "scripts/bootstrap"), encoding="utf-8") as f:
            text = f.read().replace("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin", "")
        with open(script, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(script, 0o755)
        options = {"user": harness.NOBODY, "group": harness.NOBODY} if harness.IS_ROOT else {}
        done = subprocess.run(["/bin/bash", script, "build"], env={"PATH": tools},
                              capture_output=True, text=True, check=False, **options)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("clang", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_help_lists_the_targets(self):
        shown = self.make("help")
        for target in ("run", "demo", "test", "test-unit", "install", "check", "format"):
            self.assertRegex(shown, rf"(?m)^ +{target} ")

    def test_install_and_uninstall_leave_nothing(self):
        # what scripts/check-units shows to systemd lies in such a place, too
        root = os.path.join(self.home, "it's a root")
        self.make("install", f"DESTDIR={root}", "PREFIX=/opt/my own")
        installed = os.path.join(root, "opt/my own/bin/pd")
        self.assertEqual(subprocess.run([installed, "version"], capture_output=True, env=self.env,
                                        check=False).returncode, 0)
        self.assertEqual([*os.listdir(self.home), *os.listdir(root)], ["it's a root", "opt"])
        self.make("uninstall", f"DESTDIR={root}", "PREFIX=/opt/my own")
        files = [f for _, _, names in os.walk(root) for f in names]
        self.assertEqual(files, [])

    def test_second_build_builds_nothing(self):
        self.make("all")
        self.assertNotIn("-o", self.make("all"))


if __name__ == "__main__":
    sys.exit(harness.main())
