#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One write of the daemon fails, the first, the second, and so on: what was printed is kept, what
was not done is said with the file, and the daemon goes on or says why it does not."""
import errno
import os
import re
import shutil
import signal
import sys

import harness
from harness import DONE, FAILED, NO, wait_until

NAMES = ("app:a", "app:b", "app:c")
CALLS_MAX = 1000  # of a start, the claims and the end: a sweep that finds no end is wrong


class FailingWritesTest(harness.PortDaddyTest):
    daemon_arguments = ("--no-bpf",)

    def setUp(self):
        super().setUp()
        self.kept = {"app:kept": self.daemon.claim("app:kept")}
        self.daemon.stop()
        self.whole = os.path.join(self.work, "whole")
        shutil.copytree(self.daemon.home, self.whole)
        self.env = dict(self.daemon.env)

    def put_back(self, fresh):
        harness.empty_dir(self.daemon.home)
        if not fresh:
            shutil.copytree(self.whole, self.daemon.home, dirs_exist_ok=True)

    def launch(self, nth, number):
        self.daemon.env.update({
            "LD_PRELOAD": self.helper("failing_writes"), "PD_FAIL_NTH": str(nth),
            "PD_FAIL_ERRNO": str(number),
            "ASAN_OPTIONS": self.env["ASAN_OPTIONS"] + ":verify_asan_link_order=0"})
        self.daemon.launch()
        self.daemon.env = dict(self.env)
        wait_until(self.daemon.is_decided, "it starts, or ends and says why")

    def cpu(self):
        with open(f"/proc/{self.daemon.pid}/stat", encoding="ascii") as f:
            return sum(map(int, f.read().rpartition(")")[2].split()[11:13]))

    def assert_rests(self):
        """Some moment comes in which it needs no processor."""
        before = [self.cpu()]

        def rests():
            last, before[0] = before[0], self.cpu()
            return last == before[0]
        wait_until(rests, "it does not loop", every_s=0.05)

    def claim(self, name):
        """The port; 0 where it was refused, in one sentence with the file and the way out."""
        answer = self.daemon.run("claim", name, "-q")
        if answer.code == DONE:
            return int(answer.out)
        self.assertEqual(answer.code, FAILED, answer)
        self.assertEqual(len(answer.err.splitlines()), 1, answer)
        self.assertIn(self.daemon.database, answer.err)
        self.assertRegex(answer.err, "make room|look at its disk")
        return 0

    def check_running(self):
        printed = {name: self.claim(name) for name in NAMES}
        self.assertIn(self.daemon.run("why", "1").code, (DONE, NO))
        self.assert_rests()
        self.assertIsNone(self.daemon.process.poll(), self.daemon.log())
        # one write fails, the next ones do not
        self.assertLessEqual(list(printed.values()).count(0), 1)
        again = self.claim("app:again") or self.claim("app:again")
        self.assertNotEqual(again, 0, self.daemon.log())
        return {name: port for name, port in printed.items() if port} | {"app:again": again}

    def check_kept(self, expected):
        self.daemon.start()
        found = {s["id"]: s["port"] for s in self.daemon.json("find", "app:*",
                                                              code=None)["services"]}
        self.assertEqual({name: found.get(name) for name in expected}, expected)
        self.assertEqual(len(set(found.values())), len(found), found)
        self.assertEqual(self.daemon.run("status", "-q").out, "ok\n")
        self.daemon.stop()

    def sweep(self, number, fresh=False, end=signal.SIGKILL, step=1):
        outcomes = {}
        for nth in range(1, CALLS_MAX, step):
            with self.subTest(nth=nth):
                self.put_back(fresh)
                expected = {} if fresh else dict(self.kept)
                self.launch(nth, number)
                if self.daemon.process.poll() is None:
                    expected |= self.check_running()
                    self.daemon.stop(end)
                    outcome = "goes on"
                else:
                    lines = [l for l in self.daemon.log().splitlines()
                             if "failing_writes" not in l]
                    self.assertIn(self.daemon.home, lines[-1] if lines else "", lines)
                    outcome = "says why"
                failed = re.search("failing_writes: ([a-z]+)", self.daemon.log())
                self.check_kept(expected)
            if not failed:
                break
            outcomes[failed[1], outcome] = outcomes.get((failed[1], outcome), 0) + 1
        print(f"# {outcomes}")
        self.assertIsNone(failed)  # the sweep has come to its end
        self.assertGreater(nth, 5)

    def test_full_disk_at_any_write_loses_nothing_that_was_printed(self):
        self.sweep(errno.ENOSPC)

    def test_error_of_the_disk_at_any_write_loses_nothing_that_was_printed(self):
        self.sweep(errno.EIO, end=signal.SIGTERM)

    def test_full_disk_at_any_write_of_a_first_start_is_said_or_passed(self):
        self.sweep(errno.ENOSPC, fresh=True, step=9)  # hundreds of calls of one kind


if __name__ == "__main__":
    sys.exit(harness.main())
