#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""^C, the way to end what runs until somebody does: at any moment, it is an end and no death."""
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import DONE, SCALE, PortDaddyTest, main, proc_status, read_text, wait_until

SIGNALS = 100
FIRST_MS = 50  # of a command: start, questions, the first round and the pause behind it
SEED = int(os.environ.get("PD_SEED") or random.randrange(1 << 32))
ENDLESS = (["health", "--watch", "--interval", "1s"], ["watch"], ["log", "-f"])


def guards(pid, number):
    """Does the process catch the signal by now?"""
    return int(proc_status(pid)["SigCgt"], 16) >> (number - 1) & 1


class StopSignals(PortDaddyTest):
    def setUp(self):
        super().setUp()
        print(f"# PD_SEED={SEED}")
        self.random = random.Random(SEED)

    def guarded(self, words):
        child = self.spawn([self.daemon.pd_program, *words], env=self.daemon.env)
        wait_until(lambda: guards(child.pid, signal.SIGINT), "pd guards itself", every_s=0)
        return child

    def test_signal_at_any_moment_ends_it_with_exit_code_0(self):
        self.daemon.claim("stop:web", cwd=self.work)
        for i in range(SIGNALS):
            words = ENDLESS[i % len(ENDLESS)]
            child = self.guarded(words)
            after_ms = self.random.uniform(0, FIRST_MS)
            time.sleep(after_ms / 1000)
            child.process.send_signal(self.random.choice((signal.SIGINT, signal.SIGTERM)))
            self.assertEqual(child.wait(), DONE, f"{words} after {after_ms:.3f} ms")
            self.assertNotIn("pd:", child.output())

    def test_daemon_that_does_not_answer_is_not_waited_for_after_a_signal(self):
        os.kill(self.daemon.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.daemon.pid, signal.SIGCONT)
        for words in ENDLESS:
            child = self.guarded(words)
            wait_until(lambda: "poll" in wait_channel(child.pid), "pd waits for an answer")
            child.process.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(15 * SCALE), DONE, words)
            # a machine on which this took a while has said so
            self.assertRegex(child.output(), r"\A(pd: the daemon .* has not answered yet\n)?\Z")


def wait_channel(pid):
    return read_text(f"/proc/{pid}/wchan")


if __name__ == "__main__":
    sys.exit(main())
