#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd with-lock that is killed: its lock is held until all that its command has started has ended."""
import os
import random
import signal
import sys
import time

import harness
from harness import wait_until

# How often a wrapper is killed; the work of each takes some milliseconds.
KILLS = int(os.environ.get("PD_KILLS", "40"))
SEED = int(os.environ.get("PD_SEED", "1"))

# Does its work in a process that has left its parents, its session and its group.
WORK = """
import os, sys, time
name, log, milliseconds = sys.argv[1:4]
done, works = os.pipe()
if os.fork():
    os.close(works)
    if len(sys.argv) < 5:
        os.read(done, 1)
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(fd, f"{name} begins\\n".encode())
time.sleep(int(milliseconds) / 1000)
os.write(fd, f"{name} ends\\n".encode())
"""


class LockRunTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.need_bpf("nobody follows what a command starts")
        self.log = os.path.join(self.work, "log")
        self.script = os.path.join(self.work, "work.py")
        with open(self.script, "w", encoding="ascii") as f:
            f.write(WORK)

    def with_lock(self, name, milliseconds, *more):
        """The shell stands between pd and the work, as npm and make do."""
        words = " ".join(["python3", self.script, name, self.log, str(milliseconds), *more])
        return self.spawn([self.daemon.pd_program, "with-lock", "work", "--wait=60s", "--", "sh",
                           "-c", f"{words}; true"], env=self.daemon.env)

    def lines(self):
        try:
            return harness.read_text(self.log).split("\n")[:-1]
        except FileNotFoundError:
            return []

    def is_held(self):
        return self.daemon.pd("lock", "work", "--status", "-q").strip() == "held"

    def test_lock_of_a_killed_wrapper_is_held_until_its_work_has_ended(self):
        wrapper = self.with_lock("first", 1500)
        wait_until(lambda: self.lines() == ["first begins"], "it works")
        self.assertTrue(self.is_held())
        wrapper.kill()
        second = self.with_lock("second", 1)
        self.assertEqual(second.wait(), harness.DONE, second.argv)
        wait_until(lambda: len(self.lines()) == 4, "both have worked")
        self.assertEqual(self.lines(), ["first begins", "first ends", "second begins",
                                        "second ends"])
        text = self.daemon.pd("log", "--filter", "UNLOCK", "-n", "5")
        self.assertIn("the last process of its command has ended", text)

    def test_wrapper_that_ends_by_itself_gives_its_lock_back(self):
        wrapper = self.with_lock("first", 3000, "leave")
        self.assertEqual(wrapper.wait(), harness.DONE)
        self.assertFalse(self.is_held())

    def test_never_two_at_once_whenever_the_wrapper_is_killed(self):
        chance = random.Random(SEED)
        print(f"# PD_SEED={SEED} PD_KILLS={KILLS}")
        for i in range(KILLS):
            wrappers = [self.with_lock(f"{i}-{k}", 5) for k in range(2)]
            time.sleep(chance.random() * 0.15)
            chance.choice(wrappers).process.send_signal(signal.SIGKILL)
            for wrapper in wrappers:
                wrapper.wait()
        wait_until(lambda: not self.is_held(), "everybody has ended")
        works = None
        for line in self.lines():
            name, what = line.split()
            self.assertEqual(works is None, what == "begins", f"{works} and {line}")
            self.assertIn(works, (None, name))
            works = name if what == "begins" else None
        print(f"# {len(self.lines()) // 2} of them worked")


if __name__ == "__main__":
    sys.exit(harness.main())
