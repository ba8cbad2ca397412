#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The disk is full at one page after the other, and so at each file operation that needs room: what
was printed is kept, what was not done is said with the file, and with room everything goes on."""
import os
import re
import signal
import subprocess
import sys

import harness
from harness import DONE, NO, NO_DAEMON, needs_root, wait_until

PAGE = 4096
LEFT_PAGES = range(0, 24, 2)  # beside a database that is there already
FIRST_PAGES = range(1, 80, 7)  # of the whole disk, on which a daemon starts for the first time
CLAIMS = 12


@needs_root
class FullDiskSweepTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.daemon.discard()
        self.disk = harness.temp_dir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "pd-test", self.disk],
                       check=True)
        self.addCleanup(os.rmdir, self.disk)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)
        self.addCleanup(self.end)
        self.daemon = self.new_daemon(home=self.disk)
        self.env = {"PORT_DADDY_NO_AUTOSTART": ""}

    def resize(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.disk], check=True)

    def used(self):
        fs = os.statvfs(self.disk)
        return fs.f_blocks - fs.f_bfree

    def pid(self):
        try:
            return self.daemon.get("/v1/status")["daemon"]["pid"]
        except OSError:
            return None

    def end(self, number=signal.SIGTERM):
        pid = self.pid()
        if pid:
            os.kill(pid, number)
            wait_until(lambda: not harness.runs(pid), "it ends")

    def claims(self):
        """What was printed; everything else said why, in one sentence with the file."""
        printed, refused = {}, 0
        for n in range(CLAIMS):
            if refused == 2:  # a start that fails takes seconds
                break
            answer = self.daemon.run("claim", f"full:n{n}", "-q", env=self.env)
            if answer.code == DONE:
                printed[f"full:n{n}"] = int(answer.out)
                continue
            refused += 1
            said = [l for l in answer.err.splitlines() if "started" not in l]
            self.assertEqual(len(said), 1, answer)
            self.assertRegex(said[0], "disk is full|No space left", answer)
            self.assertIn(self.disk, said[0])
            self.assertNotRegex(said[0], "in use by another|said nothing|gave no reason")
        return printed

    def check(self, printed):
        """With room again, and after a kill -9, what was printed is there and the rest works."""
        self.end(signal.SIGKILL)
        self.resize("8m")
        printed["full:after"] = int(self.daemon.pd("claim", "full:after", "-q", env=self.env))
        found = {s["id"]: s["port"] for s in self.daemon.json("find", "full:*")["services"]}
        for identity, port in printed.items():
            self.assertEqual(found.get(identity), port)
        self.assertEqual(self.daemon.run("status", "-q").out, "ok\n")
        self.end()

    def empty(self):
        harness.empty_dir(self.disk)

    def test_first_start_on_a_disk_of_any_size_works_or_says_that_it_is_full(self):
        worked = 0
        for pages in FIRST_PAGES:
            with self.subTest(pages=pages):
                self.empty()
                self.resize(pages * PAGE)
                printed = self.claims()
                worked += bool(printed)
                self.check(printed)
        self.assertGreater(worked, 0)
        self.assertLess(worked, len(FIRST_PAGES))

    def test_start_and_claims_with_any_room_left_lose_nothing_that_was_printed(self):
        kept = {"full:kept": int(self.daemon.pd("claim", "full:kept", "-q", env=self.env))}
        self.end()
        for left in LEFT_PAGES:
            with self.subTest(left=left):
                self.resize((self.used() + left) * PAGE)
                printed = self.claims()
                if self.pid() and len(printed) < CLAIMS:
                    status = self.daemon.run("status", code=NO)
                    self.assertRegex(status.out, r"Database: .* Full: .*" + re.escape(self.disk))
                    self.assertIn(self.daemon.run("why", "1").code, (DONE, NO))
                elif not self.pid():
                    self.assertEqual(self.daemon.run("find").code, NO_DAEMON)
                kept |= printed
                self.check(dict(kept))
                for n in range(CLAIMS):  # they are to need room in the next round, too
                    self.daemon.run("release", f"full:n{n}", env=self.env)
                    kept.pop(f"full:n{n}", None)
                self.end()


if __name__ == "__main__":
    sys.exit(harness.main())
