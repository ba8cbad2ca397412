# SPDX-License-Identifier: MIT
"""pd cleanup: what has long not been touched goes, what lives stays."""
import os
import sqlite3
import sys
import time

import harness
from harness import DONE, WRONG

HOUR, DAY = 3600, 86400
STALE_AGE = 30 * 60


class CleanupTest(harness.PortDaddyTest):
    def age(self, identity, seconds, status="stale"):
        """Makes a claim look as if nothing had touched it for that long."""
        then = int(time.time()) - seconds
        self.daemon.execute("UPDATE services SET createdAt = ?, updatedAt = ?, status = ? "
                            "WHERE id = ?", then, then, status, identity)

    def stale(self, identity, seconds):
        self.daemon.claim(identity)
        self.age(identity, seconds)

    def cleanup(self, *arguments, **options):
        return self.daemon.run("cleanup", *arguments, **options)

    def ids(self):
        return [row[0] for row in self.daemon.query("SELECT id FROM services ORDER BY id")]

    def test_released_services_are_listed_with_their_ages(self):
        self.stale("legacy:service", 9 * DAY)
        self.stale("old:api", 8 * DAY)
        self.daemon.claim("new:one")
        answer = self.cleanup(code=DONE)
        self.assertEqual(answer.out, "✅ Released 2 stale services\n"
                                     "- legacy:service (9d old)\n"
                                     "- old:api        (8d old)\n")
        self.assertEqual(self.ids(), ["new:one"])

    def test_younger_stale_ones_are_left_and_said(self):
        self.stale("a:a", 5 * DAY)
        self.stale("a:b", 3 * DAY + HOUR)
        answer = self.cleanup(code=DONE)
        self.assertIn("2 younger stale services were left; pd cleanup --older-than 3d releases "
                      "them", answer.err)
        self.assertEqual(self.ids(), ["a:a", "a:b"])
        self.assertIn("Released 2 stale", self.cleanup("--older-than", "3d").out)
        self.assertEqual(self.ids(), [])

    def test_nothing_to_release_is_no_error(self):
        answer = self.cleanup()
        self.assertEqual((answer.code, answer.out, answer.err),
                         (DONE, "Nothing is untouched for longer than 7d\n", ""))

    def test_dry_run_changes_nothing(self):
        self.stale("a:a", 8 * DAY)
        before = self.daemon.query("SELECT * FROM services")
        answer = self.cleanup("--dry-run")
        self.assertIn("Would release 1 stale service\n- a:a (8d old)\n", answer.out)
        self.assertEqual(self.daemon.query("SELECT * FROM services"), before)
        self.assertEqual(self.daemon.json("log", "--filter", "RELEASE,CLEANUP", code=None)
                         ["entries"], [])

    def test_service_with_a_live_socket_stays_whatever_its_row_says(self):
        port, _ = self.serve_claim("a:live")
        self.age("a:live", 30 * DAY, "ghost")
        # whether the row is still a ghost then is the daemon's affair: it may have judged it anew
        self.assertEqual(self.daemon.json("cleanup", "--stale")["released"], [])
        self.assertEqual(self.ids(), ["a:live"])

    def test_stale_takes_what_find_shows_as_stale_whatever_its_age(self):
        self.stale("a:hour", HOUR)
        self.daemon.claim("a:fresh")
        self.age("a:fresh", 60, "claimed")
        self.assertEqual(self.daemon.service("a:hour")["status"], "stale")
        self.assertEqual(self.cleanup("--stale", "-q").out, "a:hour\n")
        self.assertEqual(self.ids(), ["a:fresh"])

    @harness.needs_root
    def test_only_the_callers_own_are_released_and_root_takes_all(self):
        self.stale("root:old", 8 * DAY)
        self.daemon.claim("nobody:old", uid=harness.NOBODY)
        self.age("nobody:old", 8 * DAY)
        answer = self.cleanup(uid=harness.NOBODY)
        self.assertIn("- nobody:old (8d old)", answer.out)
        self.assertIn("1 service of other users was left", answer.err)
        self.assertEqual(self.ids(), ["root:old"])
        self.daemon.claim("nobody:old", uid=harness.NOBODY)
        self.age("nobody:old", 8 * DAY)
        self.assertIn("Released 2", self.cleanup().out)

    def test_age_comes_from_the_configuration_unless_it_is_typed(self):
        self.write(".portdaddyrc", '{"project": "a", "cleanupAge": "1d"} // no services\n')
        self.stale("a:old", 2 * DAY)
        self.assertEqual(self.cleanup("--older-than", "3d", "-q", cwd=self.work).out, "")
        self.assertEqual(self.cleanup("-q", cwd=self.work).out, "a:old\n")

    def test_each_release_and_the_cleanup_are_entries_with_who_did_it(self):
        self.stale("a:a", 8 * DAY)
        self.stale("a:b", 9 * DAY)
        ports = {i: self.daemon.service(i)["port"] for i in self.ids()}
        self.cleanup()
        entries = self.daemon.json("log", "--filter", "RELEASE,CLEANUP")["entries"]
        self.assertEqual([(e["action"], e["service"], e["details"]) for e in entries], [
            ("CLEANUP", None, "2 services released: untouched for longer than 7d"),
            ("RELEASE", "a:b", f"Port {ports['a:b']} released: untouched for 9d"),
            ("RELEASE", "a:a", f"Port {ports['a:a']} released: untouched for 8d")])
        self.assertEqual({(e["comm"], e["uid"]) for e in entries}, {("pd", os.geteuid())})

    def test_released_name_gets_its_port_again(self):
        self.stale("a:a", 8 * DAY)
        port = self.daemon.service("a:a")["port"]
        self.cleanup()
        self.assertEqual(self.daemon.claim("a:a"), port)

    def test_json_has_the_age_and_what_was_left(self):
        self.stale("a:a", 8 * DAY)
        self.stale("a:b", 2 * DAY)
        answer = self.daemon.json("cleanup")
        (released,) = answer["released"]
        self.assertEqual((released["id"], released["status"]), ("a:a", "stale"))
        self.assertLess(abs(released["age"] - 8 * DAY), 60)
        self.assertEqual((answer["olderThan"], answer["dryRun"]), (7 * DAY, False))
        self.assertEqual(answer["left"]["younger"], 1)
        self.assertLess(abs(answer["left"]["youngestAge"] - 2 * DAY), 60)

    def statuses(self):
        return {row[0] for row in self.daemon.query("SELECT status FROM services")}

    def test_claims_that_nothing_was_seen_of_turn_stale_by_themselves(self):
        self.daemon.claim("a:first")
        self.daemon.stop()
        with sqlite3.connect(self.daemon.database, timeout=10) as db:
            then = int(time.time()) - STALE_AGE + 2
            db.execute("UPDATE services SET updatedAt = ?", (then,))
            db.executemany("INSERT INTO services(id, port, createdAt, updatedAt, status, uid) "
                           "VALUES(?, ?, ?, ?, 'claimed', 0)",
                           ((f"many:s{n}", 20000 + n, then, then) for n in range(200)))
        db.close()
        self.daemon.start()
        self.assertEqual(self.statuses(), {"claimed"})
        harness.wait_until(lambda: self.statuses() == {"stale"}, "all are stale")

    def test_claims_whose_time_is_over_are_released_by_themselves(self):
        for n in range(3):
            self.daemon.claim(f"a:s{n}", "--ttl", "1s")
        self.daemon.claim("a:stays", "--ttl", "1h")
        harness.wait_until(lambda: self.ids() == ["a:stays"], "the others are released")
        entries = self.daemon.json("log", "--filter", "release")["entries"]
        self.assertEqual({e["service"] for e in entries}, {"a:s0", "a:s1", "a:s2"})
        self.assertIn("its time is over", entries[0]["details"])

    def test_wrong_words_are_refused(self):
        for arguments in (["--older-than", "3"], ["--older-than", "0d"], ["--older-than", "d3"],
                          ["--older-than", ""], ["everything"], ["--old"]):
            with self.subTest(arguments=arguments):
                answer = self.cleanup(*arguments)
                self.assertEqual((answer.code, answer.out), (WRONG, ""))

    def test_help_has_examples(self):
        self.assertIn("pd cleanup --older-than 2d", self.daemon.pd("cleanup", "--help"))


if __name__ == "__main__":
    sys.exit(harness.main())
