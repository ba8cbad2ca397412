# SPDX-License-Identifier: MIT
"""The database as people use it: with sqlite3, by hand, while the daemon runs."""
import shutil
import sqlite3
import subprocess
import sys
import time
import unittest

import harness
from harness import DONE, NO, wait_until

# The statements of the debugging tutorial as they are pasted; the time of the third compares
# seconds with seconds (reference.md says why).
CLAIMED = "SELECT id, port, status FROM services WHERE status = 'active';"
UPDATED = "SELECT id, updatedAt FROM services WHERE id = 'myapp:api';"
LAST_HOUR = """
SELECT action, service, details, datetime(timestamp, 'unixepoch')
FROM activity
WHERE timestamp > strftime('%s', 'now', '-1 hour');"""
LAST_HOUR_AS_TEXT = """
SELECT action, service, details, datetime(timestamp, 'unixepoch')
FROM activity
WHERE timestamp > datetime('now', '-1 hour');"""
STALE = """
SELECT id, port, datetime(updatedAt, 'unixepoch')
FROM services
WHERE updatedAt < strftime('%s', datetime('now', '-30 minutes'));"""

COLUMNS = {
    "services": "id port createdAt updatedAt healthPath status",
    "sessions": "id purpose startedAt endedAt status",
    "locks": "name holder acquiredAt ttl",
    "activity": "id action service details timestamp",
}


@unittest.skipUnless(shutil.which("sqlite3"), "needs the sqlite3 shell")
class ShellTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.port = self.daemon.claim("myapp:api")

    def shell(self, text):
        """What `sqlite3 FILE` prints when the text is pasted into it."""
        done = subprocess.run(["sqlite3", self.daemon.database], input=text, text=True,
                              capture_output=True, timeout=harness.DEADLINE_S, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def age(self, seconds):
        then = int(time.time()) - seconds
        self.shell(f".timeout 5000\nUPDATE services SET updatedAt = {then};")
        self.shell(f".timeout 5000\nUPDATE activity SET timestamp = {then} "
                   "WHERE service = 'myapp:api';")

    def test_promised_columns_come_first(self):
        for table, columns in COLUMNS.items():
            found = [row[1] for row in self.daemon.query(f"PRAGMA table_info({table})")]
            self.assertEqual(found[:len(columns.split())], columns.split(), table)

    def test_what_is_active_now(self):
        self.assertEqual(self.shell(CLAIMED), [])
        self.http_server(self.port)
        self.daemon.wait_status("myapp:api", "active")
        self.assertEqual(self.shell(CLAIMED), [f"myapp:api|{self.port}|active"])

    def test_when_a_service_was_last_updated(self):
        (row,) = self.shell(UPDATED)
        identity, updated = row.split("|")
        self.assertEqual(identity, "myapp:api")
        self.assertLess(abs(int(updated) - time.time()), 60)

    def test_activity_of_the_last_hour(self):
        def claims():
            return [r for r in self.shell(LAST_HOUR) if r.startswith("CLAIM|myapp:api|Port ")]
        self.assertEqual(len(claims()), 1)
        self.age(3700)
        self.assertEqual(claims(), [])

    def test_seconds_compared_with_a_date_as_text_give_nothing(self):
        # A number is less than every text that is no number: reference.md explains it.
        self.assertEqual(self.shell(LAST_HOUR_AS_TEXT), [])

    def test_services_that_were_not_updated_for_half_an_hour(self):
        self.assertEqual(self.shell(STALE), [])
        self.age(1900)
        (row,) = self.shell(STALE)
        self.assertRegex(row, rf"^myapp:api\|{self.port}\|\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d$")

    def test_open_shell_does_not_disturb_the_daemon(self):
        reader = sqlite3.connect(self.daemon.database)
        self.addCleanup(reader.close)
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM services").fetchone()
        for i in range(20):
            self.daemon.claim(f"other:n{i}")
        self.assertEqual(reader.execute("SELECT count(*) FROM services").fetchone(), before)
        reader.execute("COMMIT")
        self.assertEqual(reader.execute("SELECT count(*) FROM services").fetchone(),
                         (before[0] + 20,))

    def test_open_write_of_a_shell_is_an_error_of_the_claim_and_ends_with_it(self):
        writer = sqlite3.connect(self.daemon.database, isolation_level=None)
        self.addCleanup(writer.close)
        writer.execute("BEGIN IMMEDIATE")
        answer = self.daemon.run("claim", "late:one")
        self.assertNotEqual(answer.code, DONE)
        self.assertEqual(len(answer.err.splitlines()), 1)
        writer.execute("ROLLBACK")
        self.assertEqual(self.daemon.run("claim", "late:one").code, DONE)


class HandWrittenTest(harness.PortDaddyTest):
    """Rows that a person wrote are noticed at the next look, and crash nothing."""

    def execute(self, *statements):
        for statement in statements:
            self.daemon.execute(statement)

    def looks_fine(self):
        for command in (["find"], ["find", "--all"], ["log", "-v"], ["log", "--filter", "x*"],
                        ["status"], ["sessions"], ["locks"], ["health"], ["metrics"],
                        ["cleanup", "--dry-run"]):
            for more in ([], ["-j"]):
                answer = self.daemon.run(*command, *more)
                self.assertIn(answer.code, (DONE, NO), (command, answer.err))
                self.assertNotIn("\x1b", answer.out)
        self.assertIsNone(self.daemon.process.poll(), self.daemon.log())

    def test_service_that_was_inserted_is_found_and_its_port_is_taken(self):
        self.execute("INSERT INTO services(id, port, status) VALUES('by:hand', 31700, 'claimed')")
        self.assertEqual(self.daemon.service("by:hand")["port"], 31700)
        self.daemon.run("claim", "other:one", "-p", "31700", code=harness.CONFLICT, says="by:hand")
        self.looks_fine()

    def test_service_that_was_deleted_is_gone_and_its_port_is_free(self):
        port = self.daemon.claim("soon:gone")
        self.execute("DELETE FROM services")
        self.assertIsNone(self.daemon.service("soon:gone"))
        self.assertEqual(self.daemon.claim("other:one", "-p", str(port)), port)
        self.looks_fine()

    def test_port_that_was_changed_is_the_one_that_is_watched(self):
        self.daemon.claim("moved:one")
        port = harness.free_port()
        self.execute(f"UPDATE services SET port = {port} WHERE id = 'moved:one'")
        self.assertEqual(self.daemon.service("moved:one")["port"], port)
        self.http_server(port)
        self.daemon.wait_status("moved:one", "active")
        self.looks_fine()

    def test_entry_that_was_inserted_is_in_the_log(self):
        self.execute("INSERT INTO activity(action, service, details, timestamp) "
                     "VALUES('NOTE', 'by:hand', 'line one' || char(10, 27) || '[2J', 1700000000)")
        self.assertIn("by:hand", self.daemon.pd("log", "-n", "1000"))
        self.execute("DELETE FROM activity")
        wait_until(lambda: self.daemon.run("log", "--filter", "by:hand").code == NO,
                   "the entry is gone")
        self.looks_fine()

    def test_locks_and_sessions_that_were_written_are_counted_and_crash_nothing(self):
        self.execute("INSERT INTO locks(name, holder, acquiredAt, ttl) "
                     "VALUES('by-hand', 'me', strftime('%s', 'now'), 3600)",
                     "INSERT INTO sessions(id, purpose, startedAt, status) "
                     "VALUES('session-xyz', 'By hand', strftime('%s', 'now'), 'active')")
        self.looks_fine()
        self.execute("UPDATE locks SET holder = NULL", "UPDATE sessions SET status = 'completed'",
                     "DELETE FROM locks", "DELETE FROM sessions")
        self.looks_fine()

    def test_rows_of_nonsense_crash_nothing(self):
        self.execute(
            "INSERT INTO services(id, port, status, createdAt, updatedAt) "
            "VALUES('no name', 'many', 7, 'then', -1), (NULL, 99999, NULL, NULL, NULL), "
            "('ok:but', 31701, 'dancing', 9e18, 9e18), (x'00ff', 31702, 'active', 1, 1)",
            "INSERT INTO activity(action, service, details, timestamp) VALUES"
            "(NULL, NULL, NULL, NULL), ('DANCE', 1, 2, 3), ('CLAIM', x'ff', x'1b5b324a', 'x'), "
            "('claim', 'x' || char(27), char(27) || '[31m', 9e18)",
            "INSERT INTO locks(name, holder, acquiredAt, ttl) VALUES"
            "(NULL, NULL, NULL, NULL), ('a' || char(27), x'ff', 'x', 'y'), ('b', 'c', 9e18, 9e18)",
            "INSERT INTO sessions(id, purpose, startedAt, endedAt, status) VALUES"
            "(NULL, NULL, NULL, NULL, NULL), ('s' || char(27), x'ff', 'x', 'y', 3), "
            "('session-a', char(27), 9e18, -9e18, 'active')")
        self.looks_fine()
        self.assertEqual(self.daemon.claim("still:works"),
                         self.daemon.service("still:works")["port"])

    def test_daemon_starts_on_rows_of_nonsense(self):
        self.test_rows_of_nonsense_crash_nothing()
        self.daemon.restart()
        self.looks_fine()


if __name__ == "__main__":
    sys.exit(harness.main())
