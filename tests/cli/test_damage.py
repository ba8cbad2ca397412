#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A page is overwritten, wherever: no intact claim is lost, and what is lost is named."""
import os
import random
import shutil
import signal
import sqlite3
import sys

import harness
from harness import DONE, FAILED, NO, wait_until

PAGE = 4096
CLAIMS = 30
# The head of a page, its list of cells, free room or cells, the end; and all of it.
PLACES = ((0, 16), (8, 64), (PAGE // 2, 512), (PAGE - 256, 256), (0, PAGE))
SEED = int(os.environ.get("PD_SEED", random.randrange(1 << 31)))


class DamageTest(harness.PortDaddyTest):
    daemon_arguments = ("--no-bpf",)

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        print(f"# PD_SEED={SEED}")

    def keep(self):
        self.whole = os.path.join(self.work, "whole")
        shutil.copytree(self.daemon.home, self.whole,
                        ignore=lambda _, names: [n for n in names if n.endswith((".sock", ".log"))])

    def put_back(self):
        for entry in os.scandir(self.daemon.home):
            if not entry.is_dir():
                os.unlink(entry.path)
        shutil.copytree(self.whole, self.daemon.home, dirs_exist_ok=True)

    def overwrite(self, path, offset, size):
        with open(path, "r+b") as f:
            f.seek(offset)
            f.write(self.random.randbytes(size))

    def served(self):
        """The claims that are there; None where they are refused, with the file and a way out."""
        found = self.daemon.run("find", "app:*", "-j")
        parsed = harness.json.loads(found.out)
        if found.code in (DONE, NO):
            return {s["id"]: s["port"] for s in parsed["services"]}
        self.assertEqual(found.code, FAILED, found)
        self.assertIn(self.daemon.database, parsed["error"]["message"])
        self.assertRegex(parsed["error"]["message"], "restore|try again")
        return None


class DamageSweepTest(DamageTest):
    def setUp(self):
        super().setUp()
        self.ports = {f"app:n{n}": self.daemon.claim(f"app:n{n}") for n in range(CLAIMS)}
        self.daemon.pd("session", "start", "work")
        self.daemon.pd("note", "a note")
        self.daemon.pd("lock", "a-lock")
        for n in range(40):
            self.daemon.run("release", f"app:none{n}")

    def check(self, where):
        self.daemon.launch()
        wait_until(self.daemon.is_decided, f"it starts or says why not ({where})")
        if self.daemon.process.poll() is not None:  # a file that does not even begin as one of ours
            line = self.daemon.log().splitlines()[-1]
            self.assertIn(self.daemon.database, line, where)
            return "ended"
        self.assertIn(self.daemon.run("why", "1").code, (DONE, NO), where)
        self.served()  # what a question meets is mended before the next
        claims = self.served()
        status = self.daemon.json("status", code=None)["database"]
        if claims is None:
            self.assertEqual(status["state"], "damaged", (where, status))
            self.assertIn(self.daemon.database, status["detail"], where)
            self.assertNotEqual(self.daemon.run("claim", "app:late").code, DONE, where)
        else:
            self.assertEqual(claims, self.ports, where)
            self.assertEqual(self.daemon.run("claim", "app:late").code, DONE, where)
        self.assertIsNone(self.daemon.process.poll(), where)
        self.daemon.stop()
        return "refused" if claims is None else "mended" if status["detail"] else "whole"

    def sweep(self, path, offsets):
        outcomes = {}
        for offset, size in offsets:
            self.put_back()
            self.overwrite(path, offset, size)
            outcome = self.check(f"{size} bytes at {offset} of {os.path.basename(path)}")
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
        print(f"# {outcomes}")
        return outcomes

    def test_page_overwritten_anywhere_in_the_database_loses_no_intact_claim(self):
        self.daemon.stop()
        self.keep()
        pages = os.path.getsize(self.daemon.database) // PAGE
        (claims,), = sqlite3.connect(f"file:{self.daemon.database}?mode=ro&immutable=1",
                                     uri=True).execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'services'")
        places = [(page * PAGE + at, size) for page in range(1, pages) for at, size in
                  ([PLACES[page % 4], PLACES[4]] if page != claims - 1 else [PLACES[0], PLACES[4]])]
        outcomes = self.sweep(self.daemon.database, places)
        self.assertGreater(outcomes.get("mended", 0), 0)
        self.assertGreater(outcomes.get("refused", 0), 0)
        self.assertLess(outcomes.get("refused", 0), len(places) // 4, outcomes)

    def test_first_page_overwritten_is_named(self):
        self.daemon.stop()
        self.keep()
        self.sweep(self.daemon.database, [(0, 16), (16, 8), (24, 76), (100, 64), (0, PAGE)])


class LogDamageTest(DamageTest):
    """The write-ahead log: claims up to EARLY are in the file already, the others in the log."""

    early, late = 5, 10
    # In a frame: the page's number, whether it is a commit, the salt, the checksum; then the page.
    fields = ((0, 4), (4, 4), (8, 8), (16, 8), (24, 16), (24 + PAGE // 2, 64), (24, PAGE))

    def setUp(self):
        super().setUp()
        self.log = self.daemon.database + "-wal"
        self.first = {f"app:e{n}": self.daemon.claim(f"app:e{n}") for n in range(self.early)}
        self.daemon.restart()
        self.then = {f"app:l{n}": self.daemon.claim(f"app:l{n}") for n in range(self.late)}
        self.ports = self.first | self.then

    def frames(self):
        return (os.path.getsize(self.log) - 32) // (24 + PAGE)

    def places(self):
        """An offset of each class, in a frame each, and those of the header."""
        frames = self.frames()
        yield from ((at, size, 0) for at, size in ((0, 4), (8, 4), (16, 8), (24, 8), (0, 32)))
        for n, (at, size) in enumerate(self.fields * 3):
            frame = (n * 5 + n // len(self.fields)) % frames
            yield 32 + frame * (24 + PAGE) + at, size, frame
        for at, size in self.fields:  # the last one
            yield 32 + (frames - 1) * (24 + PAGE) + at, size, frames - 1

    def test_frame_overwritten_while_no_daemon_runs_loses_only_what_is_behind_it_and_that_is_said(
            self):
        self.daemon.stop(signal.SIGKILL)
        self.keep()
        lossy = 0
        for offset, size, frame in list(self.places()):
            with self.subTest(offset=offset, size=size, frame=frame):
                self.put_back()
                self.overwrite(self.log, offset, size)
                self.daemon.start()
                claims = self.served()
                status = self.daemon.json("status")["database"]
                self.assertEqual(claims, {name: self.ports[name] for name in claims})
                self.assertLessEqual(self.first.keys(), claims.keys())
                kept = [name for name in self.then if name in claims]
                self.assertEqual(kept, list(self.then)[:len(kept)])  # the oldest
                if len(kept) < self.late:
                    lossy += 1
                    self.assertIn(self.log, status["detail"])
                    self.assertRegex(status["detail"], r"[0-9]+ commits? from there on (is|are) "
                                                       r"lost; a copy of it is ")
                    self.assertIn("from there on", self.daemon.log())
                self.assertEqual(self.daemon.run("claim", "app:more").code, DONE)
                # it is told once, also when this daemon does not end in order
                self.daemon.restart(signal.SIGKILL)
                self.assertIsNone(self.daemon.json("status")["database"]["detail"])
                self.assertIn("app:more", self.served())
                self.daemon.stop()
        self.assertGreater(lossy, 5)

    def test_log_of_a_killed_daemon_that_is_whole_is_taken_without_a_word(self):
        self.daemon.restart(signal.SIGKILL)
        self.assertEqual(self.served(), self.ports)
        self.assertIsNone(self.daemon.json("status")["database"]["detail"])

    def test_frame_overwritten_while_a_daemon_runs_loses_no_claim_in_silence(self):
        self.daemon.stop(signal.SIGKILL)
        self.keep()
        places, n = list(self.places()), len(self.fields)
        for offset, size, frame in places[:5 + n] + places[-n:]:  # of each class, and the last frame
            with self.subTest(offset=offset, size=size, frame=frame):
                self.put_back()
                self.daemon.start()
                self.served()
                self.overwrite(self.log, offset, size)
                for restart in range(2):
                    claims = self.served()
                    if claims is not None:
                        self.assertEqual({n: p for n, p in claims.items() if n in self.ports},
                                         self.ports)
                    self.daemon.run("claim", f"app:more{restart}")
                    self.assertIsNone(self.daemon.process.poll())
                    self.daemon.restart()
                self.daemon.stop()


if __name__ == "__main__":
    sys.exit(harness.main())
