#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Twenty processes fight for one lock, and are killed at random: never two holders, nobody starves.

PD_SEED repeats which process is killed when; the rest is the scheduler's.
"""
import collections
import os
import random
import signal
import subprocess
import sys
import time

import harness
from harness import SCALE, runs, wait_until

FIGHTERS = 20
GRANTS = 1000  # in the first fight
EACH_MIN = GRANTS // FIGHTERS // 3  # first come, first served: all get about the same
SLOW_MIN = 5  # of those who start a pd each time: where that takes longer than 20 grants, it is they
THROUGH_PD = range(0, FIGHTERS, 5)  # these fighters take the lock by pd, the others by HTTP
KILL_EVERY = 25  # grants
RECORD = 24  # bytes: fighter, fence


def request(path, target, body):
    """One exchange as pd does it: without a deadline."""
    return harness.exchange(path, "POST", target, body, timeout_s=None)


class Fighter:
    """What one process does: take the lock, leave a mark nobody else may have left, give it back."""

    def __init__(self, arena, index):
        self.arena, self.index = arena, index
        self.mark = os.path.join(arena.work, "mark")
        self.own = os.path.join(arena.work, f"own.{os.getpid()}")
        with open(self.own, "w", encoding="ascii") as f:
            f.write(str(os.getpid()))

    def patiently(self, once):
        """The answer of once(); a daemon that was killed is waited for."""
        while True:
            try:
                return once()
            except OSError:
                time.sleep(0.002)

    def take(self):
        arena = self.arena
        if self.index in THROUGH_PD:
            done = subprocess.run([arena.pd, "lock", "ring", "--wait", "-q"], env=arena.env,
                                  capture_output=True, check=False)
            if done.returncode:
                raise ConnectionError(done.stderr)
            return int(done.stdout)
        status, answer = request(arena.socket, "/v1/locks", {"name": "ring", "wait": "forever"})
        if status != 200:
            self.complain(f"refused: {answer}")
        return answer["fence"]

    def complain(self, text):
        os.write(self.arena.faults, f"fighter {self.index} ({os.getpid()}): {text}\n".encode())
        os._exit(1)

    def hold(self, fence):
        while True:
            try:
                os.link(self.own, self.mark)  # fails when there is one: O_EXCL with content
                break
            except FileExistsError:
                other = int(harness.read_text(self.mark))
                if runs(other):
                    self.complain(f"has fence {fence} while {other} holds the lock")
                os.unlink(self.mark)  # its owner was killed
        os.write(self.arena.record, b"%-4d %-18d\n" % (self.index, fence))

    def give(self, fence):
        os.unlink(self.mark)
        body = {"name": "ring", "fence": fence}
        status, answer = self.patiently(lambda: request(self.arena.socket, "/v1/unlocks", body))
        # not found: it was unlocked, and the daemon was killed before it could say so
        if status not in (200, 404):
            self.complain(f"cannot unlock: {answer}")

    def fight(self):
        while self.arena.count() < self.arena.grants:
            fence = self.patiently(self.take)
            self.hold(fence)
            self.give(fence)


class FightTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("PD_SEED") or time.time_ns())
        print(f"# PD_SEED={self.seed}")
        self.chance = random.Random(self.seed)
        flags = os.O_CREAT | os.O_RDWR | os.O_APPEND
        self.record = os.open(os.path.join(self.work, "record"), flags)
        self.faults = os.open(os.path.join(self.work, "faults"), flags)
        self.addCleanup(os.close, self.record)
        self.addCleanup(os.close, self.faults)
        self.socket, self.pd, self.env = self.daemon.socket, self.daemon.pd_program, self.daemon.env
        self.fighters, self.groups = {}, []  # pid: index
        self.addCleanup(self.end_fighters)

    def count(self):
        return os.fstat(self.record).st_size // RECORD

    def enter(self, index):
        pid = os.fork()
        if pid == 0:
            try:
                os.setpgid(0, 0)  # the pd of a killed fighter is found by its group
                Fighter(self, index).fight()
            finally:
                os._exit(0)
        self.fighters[pid] = index
        self.groups.append(pid)

    def end_fighters(self):
        for pid in self.fighters:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.waitpid(pid, 0)
        for group in self.groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.fighters, self.groups = {}, []

    def kill_one(self):
        """Of those that have not finished; another takes its place."""
        pid = self.chance.choice(sorted(self.fighters))
        index = self.fighters.pop(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.enter(index)

    def fight(self, grants, disturb, every):
        """Calls disturb() once in so many grants, until there were enough."""
        self.grants = grants
        for index in range(FIGHTERS):
            self.enter(index)
        for until in range(every, grants, every):
            wait_until(lambda n=until: self.count() >= n or self.complaints(), f"{until} grants",
                       60 * SCALE, 0.001)
            self.assertEqual(self.complaints(), "")
            disturb()
        wait_until(lambda: self.count() >= grants or self.complaints(), "all grants", 60 * SCALE)
        self.end_fighters()
        self.assertEqual(self.complaints(), "")

    def complaints(self):
        return os.pread(self.faults, 65536, 0).decode()

    def rounds(self):
        text = os.pread(self.record, self.count() * RECORD, 0).decode()
        return [tuple(map(int, line.split())) for line in text.splitlines()]

    def check_fences(self):
        fences = [fence for _, fence in self.rounds()]
        self.assertEqual(fences, sorted(set(fences)), "each fence is greater than all before it")

    def lock(self):
        return self.daemon.json("locks")["locks"][0]

    def test_a_thousand_rounds_have_one_holder_each_and_nobody_starves(self):
        self.fight(GRANTS, self.kill_one, KILL_EVERY)
        self.check_fences()
        won = collections.Counter(index for index, _ in self.rounds())
        for i in range(FIGHTERS):
            self.assertGreaterEqual(won[i], SLOW_MIN if i in THROUGH_PD else EACH_MIN, won)
        wait_until(lambda: not self.lock()["held"], "nobody is left, and the lock is free")

    def test_kill_9_of_the_daemon_leaves_every_lock_free_or_with_a_living_process(self):
        def kill_daemon():
            self.daemon.stop(signal.SIGKILL)
            self.kill_one()  # nobody tells the daemon of this death
            self.daemon.start()
            lock = self.lock()
            self.assertTrue(not lock["held"] or runs(lock["pid"]) or not self.lock()["held"]
                            or self.lock()["fence"] > lock["fence"], lock)

        self.fight(GRANTS // 5, kill_daemon, GRANTS // 25)
        self.check_fences()
        wait_until(lambda: not self.lock()["held"], "nobody is left, and the lock is free")


if __name__ == "__main__":
    sys.exit(harness.main())
