#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kill -9 of the daemon at random moments, of its start and of its work, while several clients claim
and release: what was printed is in the database each time, with its port, and nothing else is.

PD_SEED repeats a run, PD_KILLS=1000 makes a long one.
"""
import os
import random
import signal
import subprocess
import sys
import threading
import time

import harness
from harness import DONE, wait_until

KILLS = int(os.environ.get("PD_KILLS", "6"))
CLIENTS, NAMES = 4, 30  # names of each client
PORTS = "10000-19999"
START_S, WORK_S = 0.25, 0.08  # what a kill is chosen from: since the launch, since the first answer
ANY = object()                # a port that nobody was told


class Client(threading.Thread):
    """Claims and releases names of its own.  What each may be by now is in self.known: None where it
    is not claimed, a port that was printed, or ANY; two where a daemon was killed before it said."""

    def __init__(self, test, number, seed):
        super().__init__(daemon=True)
        self.test, self.random = test, random.Random(seed)
        self.known = {f"kill{number}:n{i}": [None] for i in range(NAMES)}
        self.works = threading.Event()  # set while a daemon may be there
        self.idle = threading.Event()
        self.answered, self.printed, self.ends = threading.Event(), 0, False

    def run(self):
        while not self.ends:
            if not self.works.is_set():
                self.idle.set()
                self.works.wait(0.05)
                continue
            name = self.random.choice(sorted(self.known))
            act = self.release if self.known[name] != [None] and self.random.random() < 0.4 \
                else self.claim
            if not act(name):
                time.sleep(0.001)  # no daemon: the processor is its start's

    def claim(self, name):
        if None in self.known[name]:
            self.known[name] = [*self.known[name], ANY]
        port = self.ask_for_port(name)
        if port is None:
            return False
        self.known[name] = [port]
        self.printed += 1
        self.answered.set()
        return True

    def ask_for_port(self, name):
        answer = self.post("/v1/claims", {"id": name, "cwd": "/", "range": PORTS})
        return answer and answer["port"]

    def release(self, name):
        self.known[name] = [*self.known[name], None]
        if not self.post("/v1/releases", {"match": name}, or_missing=ANY in self.known[name]):
            return False
        self.known[name] = [None]
        self.answered.set()
        return True

    def post(self, target, body, or_missing=False):
        """The answer, or None where the daemon ended before it was whole."""
        try:
            answer = self.test.daemon.post(target, body)
        except (OSError, ValueError):
            return None
        if not answer["ok"] and not (or_missing and answer["error"]["code"] == "not_found"):
            self.test.faults.append(f"{target} {body}: {answer}")
            return None
        return answer


class Printing(Client):
    """The same by pd, as a script claims."""

    def ask_for_port(self, name):
        done = subprocess.run([harness.PD, "claim", name, "-q", "--range", PORTS], cwd="/",
                              env=self.test.daemon.env, capture_output=True, check=False,
                              timeout=harness.DEADLINE_S)
        return int(done.stdout) if done.returncode == DONE else None


class KillsTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.faults = []
        seed = int(os.environ.get("PD_SEED", time.time_ns() % 10**9))
        print(f"# PD_SEED={seed} PD_KILLS={KILLS}", flush=True)
        self.random = random.Random(seed)
        self.clients = [(Printing if n == 0 else Client)(self, n, seed + n) for n in range(CLIENTS)]
        self.addCleanup(self.end_clients)

    def end_clients(self):
        for client in self.clients:
            client.ends = True
            client.join()

    def let_work(self, works):
        for client in self.clients:
            client.idle.clear()
            client.answered.clear()
            client.works.set() if works else client.works.clear()

    def kill_at_random(self, first):
        """Of four kills one comes while it starts, but not the first."""
        if not first and self.random.random() < 0.25:
            time.sleep(self.random.uniform(0, START_S))
        else:
            wait_until(lambda: self.faults or any(c.answered.is_set() for c in self.clients),
                       "somebody has an answer", every_s=0.002)
            time.sleep(self.random.uniform(0, WORK_S))
        self.daemon.stop(signal.SIGKILL)
        self.let_work(False)
        for client in self.clients:
            self.assertTrue(client.idle.wait(harness.DEADLINE_S))

    def check_printed(self):
        """How many claims that were printed are there."""
        rows = dict(self.daemon.query("SELECT id, port FROM services"))
        n = 0
        for client in self.clients:
            for name, known in client.known.items():
                port = rows.pop(name, None)
                if port not in known and not (port and ANY in known):
                    self.faults.append(f"{name} was {known}, and the database has {port}")
                client.known[name] = [port]
                n += port is not None
        self.faults.extend(f"nobody claimed {name}" for name in rows)
        self.assertEqual(self.faults, [], self.daemon.log())
        return n

    def test_no_printed_claim_is_lost_by_kills_at_random(self):
        self.daemon.stop()
        for client in self.clients:
            client.start()
        found = 0
        for number in range(KILLS):
            self.daemon.arguments = ("--no-bpf",) if self.random.random() < 0.25 else ()
            self.daemon.launch()
            self.let_work(True)
            self.kill_at_random(first=number == 0)
            found += self.check_printed()
        self.daemon.start()
        self.assertEqual(self.daemon.query("PRAGMA integrity_check"), [("ok",)])
        printed = sum(client.printed for client in self.clients)
        self.assertGreater(printed, 0)
        print(f"# {KILLS} kills: {printed} claims were printed, {found} looked for and found",
              flush=True)


if __name__ == "__main__":
    sys.exit(harness.main())
