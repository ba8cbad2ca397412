# SPDX-License-Identifier: MIT
"""pd log: the audit trail and its filters."""
import os
import re
import socket
import sqlite3
import sys
import time

import harness
from harness import NO, WRONG, wait_until

# Their rules, written out: a machine need not have the zones' files.
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
NEW_YORK = "EST5EDT,M3.2.0,M11.1.0"


class LogFilterTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        for name in ("shop:api", "shop:web", "blog:api"):
            self.daemon.claim(name)
        self.daemon.pd("release", "shop:api")
        self.daemon.pd("release", "blog:api")

    def entries(self, *arguments, code=harness.DONE):
        """("CLAIM", "shop:api") of each entry, newest first."""
        log = self.daemon.json("log", *arguments, code=code)
        return [(e["action"], e["service"]) for e in log["entries"]]

    def test_action_and_pattern_are_both_met(self):
        self.assertEqual(self.entries("--filter", "CLAIM", "--filter", "shop:*"),
                         [("CLAIM", "shop:web"), ("CLAIM", "shop:api")])

    def test_subjects_are_alternatives(self):
        self.assertEqual(self.entries("--filter", "blog:api", "--filter", "shop:web"),
                         [("RELEASE", "blog:api"), ("CLAIM", "blog:api"), ("CLAIM", "shop:web")])

    def test_actions_are_alternatives_and_come_with_commas_in_any_case(self):
        self.assertEqual(self.entries("--filter", "release,Claim", "--filter", "*:api"),
                         [("RELEASE", "blog:api"), ("RELEASE", "shop:api"),
                          ("CLAIM", "blog:api"), ("CLAIM", "shop:api")])

    def test_action_wins_over_a_service_of_its_name_and_a_pattern_reaches_that(self):
        self.daemon.claim("claim")
        self.assertEqual(len(self.entries("--filter", "claim")), 4)
        self.assertEqual(self.entries("--filter", "clai?"), [("CLAIM", "claim")])

    def test_action_that_never_happened_is_no(self):
        self.assertEqual(self.entries("--filter", "UNLOCK", code=NO), [])
        answer = self.daemon.run("log", "--filter", "UNLOCK")
        self.assertEqual((answer.code, answer.out), (NO, ""))
        self.assertIn("no entry fits", answer.err)

    def test_word_that_cannot_be_a_filter_is_refused_by_name(self):
        for word in ("two words", "shop:api,", "", "a\x1b[2J"):
            with self.subTest(word=word):
                answer = self.daemon.run("log", "--filter", word, code=WRONG, says="the filter")
                self.assertNotIn("\x1b", answer.err)

    def test_too_many_subjects_are_refused_with_the_limit(self):
        self.daemon.run("log", "--filter", ",".join(f"s{i}" for i in range(17)),
                        code=WRONG, says="16")
        self.daemon.run("log", "--filter", "x" * 250 + ",", "--filter", "y", code=WRONG)

    def test_from_after_to_is_refused_with_both(self):
        self.daemon.run("log", "--from", "2024-02-28 3:00am", "--to", "2024-02-28 2:00am",
                        code=WRONG, says="'2024-02-28 3:00am' lies after --to '2024-02-28 2:00am'")

    def test_near_misses_of_moments_and_durations_are_refused_with_the_place(self):
        for option, text, place in (("--since", "2h30", "only the beginning"),
                                    ("--since", "30", "without a unit"),
                                    ("--since", "0m", "a number of at least 1"),
                                    ("--since", "500ms", "whole seconds"),
                                    ("--since", "30m2h", "character 5"),
                                    ("--from", "25:00", "character 1"),
                                    ("--from", "2024-13-01", "character 6"),
                                    ("--to", "2024-02-30", "character 9"),
                                    ("--to", "14:60", "character 4"),
                                    ("--to", "13:00pm", "character 1"),
                                    ("--from", "tomorrow", "character 1")):
            with self.subTest(text=text):
                answer = self.daemon.run("log", option, text, code=WRONG)
                self.assertRegex(answer.err, rf"{option} '{text}' is .*; for example")
                self.assertIn(place, answer.err)

    def test_words_beside_the_options_are_filters_too(self):
        self.assertEqual(self.entries("blog:api", "shop:web"),
                         self.entries("--filter", "blog:api", "--filter", "shop:web"))
        self.assertEqual(self.entries("CLAIM", "--filter", "blog:api"), [("CLAIM", "blog:api")])

    def test_port_finds_what_happened_on_it_claimed_or_not(self):
        port = self.daemon.json("find", "shop:web")["services"][0]["port"]
        self.assertEqual(self.entries(f":{port}"), [("CLAIM", "shop:web")])
        self.assertEqual(self.entries("--filter", f"{port}"), [("CLAIM", "shop:web")])
        self.assertEqual(self.entries(f":{port}", "RELEASE", code=NO), [])
        self.assertEqual(self.entries(f":{port},blog:api"),
                         [("RELEASE", "blog:api"), ("CLAIM", "blog:api"), ("CLAIM", "shop:web")])
        taken = harness.free_port()
        with socket.create_server(("127.0.0.1", taken)), socket.socket() as second:
            self.assertRaises(OSError, second.bind, ("127.0.0.1", taken))
            if self.records_refusals():
                wait_until(lambda: self.daemon.run("log", f":{taken}").code == 0, "the refusal")
                self.assertEqual(self.entries(f"{taken}")[-1][0], "FAIL")
        self.daemon.run("log", "--filter", ":99999", code=WRONG, says="99999")

    def test_since_from_and_to_take_moments_and_ages_alike(self):
        stamps = re.findall(r"^\[(.*?)\]", self.daemon.pd("log"), re.M)
        for option in ("--since", "--from"):
            for text in ("1h", "yesterday", stamps[-1]):
                with self.subTest(option=option, text=text):
                    self.assertIn(("CLAIM", "shop:web"), self.entries(option, text))
        self.assertEqual(self.entries("--to", "1h", code=NO), [])

    def test_time_that_clocks_skip_is_refused_with_the_way_out(self):
        answer = self.daemon.run("log", "--from", "2024-03-31 2:30am", env={"TZ": BERLIN},
                                 code=WRONG)
        self.assertRegex(answer.err, "put forward over it; for example 'Mar 31 2024 3:00:00'")
        self.daemon.pd("log", "--from", "Mar 31 2024 3:00:00", env={"TZ": BERLIN})

    def test_every_form_of_a_moment_is_read(self):
        for text in ("2024-02-28T02:00:00Z", "2024-02-28T02:00:00+01:00", "2024-02-28 2:00am",
                     "2024-02-28T02:00:00+0100", "2024-02-28 02:00:00 +0100", "Feb 28 2024 2:47:23",
                     "2024-02-28 14:00", "2024-02-28", "yesterday 9pm", "yesterday", "today"):
            with self.subTest(text=text):
                self.assertIn(("CLAIM", "shop:web"), self.entries("--from", text, "-n", "1000"))
        self.assertEqual(self.entries("--to", "2024-02-28T02:00:00Z", code=NO), [])
        self.assertIn(("CLAIM", "shop:web"), self.entries("--to", "now"))

    def test_moments_mean_the_callers_zone(self):
        self.daemon.execute("INSERT INTO activity(action, service, timestamp) "
                            "VALUES('NOTE', 'noon', 1719828000)")  # 2024-07-01 12:00 in Berlin
        span = ("--from", "2024-07-01 12:00", "--to", "2024-07-01 12:00")
        berlin = self.daemon.run("log", *span, env={"TZ": BERLIN})
        self.assertIn("noon", berlin.out)
        self.assertIn("12:00:00]", berlin.out)
        self.assertEqual(self.daemon.run("log", *span, env={"TZ": NEW_YORK}).code, NO)

    def test_entry_of_another_day_shows_its_date(self):
        self.daemon.execute("INSERT INTO activity(action, service, details, timestamp) "
                            "VALUES('CLAIM', 'old', 'Port 3101 assigned', ?)",
                            int(time.time()) - 3 * 86400)
        self.assertRegex(self.daemon.pd("log", "--filter", "old"),
                         r"^\[[A-Z][a-z]{2} \d+ (\d{4} )?\d+:\d\d:\d\d\] CLAIM   old  ")

    def claim_at_home(self):
        """The port of shop:home: an entry says more where another program has a service's home."""
        return self.daemon.claim("shop:home", "-p", str(harness.free_port()))

    def test_lines_look_as_in_the_tutorial(self):
        port = self.claim_at_home()
        self.assertRegex(self.daemon.pd("log", "--filter", "shop:home"),
                         rf"^\[\d+:\d\d:\d\d\] CLAIM   shop:home         Port {port} assigned\n$")

    def test_who_did_it_is_in_the_json_and_shown_by_verbose(self):
        self.claim_at_home()
        entry = self.daemon.json("log", "--filter", "shop:home")["entries"][0]
        self.assertEqual((entry["uid"], entry["comm"]), (os.geteuid(), "pd"))
        self.assertGreater(entry["pid"], 1)
        self.assertTrue(entry["user"])
        self.assertIn(f"assigned  (by {entry['user']}: pd {entry['pid']})\n",
                      self.daemon.pd("log", "-v", "--filter", "shop:home"))

    def test_follow_takes_the_same_filters(self):
        stream = self.pd_stream("log", "-f", "--filter", "CLAIM,RELEASE", "--filter", "shop:n*")
        wait_until(lambda: self._again("shop:next") and any("RELEASE" in l for l in stream.lines),
                   "the release is followed", every_s=0.1)
        self.assertFalse([l for l in stream.lines if "shop:next" not in l])

    def _again(self, name):
        self.daemon.claim(name)
        self.daemon.claim("other:name")
        return self.daemon.pd("release", name)


class LogOfTheDaemonTest(harness.PortDaddyTest):
    def test_start_of_another_daemon_is_no_failure(self):
        self.need_refusals()
        other, port = self.start_daemon(), harness.free_port()
        self.http_server(port)
        victim = self.spawn([harness.PYTHON, "-m", "http.server", str(port)])
        self.assertNotEqual(victim.wait(), 0)

        def failed():
            entries = self.daemon.json("log", "--filter", "FAIL", "-n", "1000", code=None)["entries"]
            return {e["pid"] for e in entries}
        wait_until(lambda: victim.pid in failed(), "what happened behind that start is told")
        self.assertNotIn(other.pid, failed())

    def test_start_end_and_the_gap_between_are_entries(self):
        first = self.daemon.pid
        self.daemon.restart()
        entries = [e for e in self.daemon.json("log", "--filter", "DAEMON,GAP")["entries"]
                   if e["action"] == "DAEMON" or "no daemon" in e["details"]]
        told = [(e["action"], e["details"]) for e in entries]
        self.assertEqual([a for a, _ in told], ["GAP", "DAEMON", "DAEMON", "DAEMON"])
        self.assertRegex(told[0][1], r"^no daemon listened for up to \d+s before this$")
        self.assertIn(f"pid {self.daemon.pid}", told[1][1])
        self.assertEqual(told[2][1], "stopped")
        self.assertIn(f"pid {first}", told[3][1])
        self.assertTrue(all(e["comm"] == "portdaddyd" for e in entries))

    def fill(self, rows, age_s):
        with sqlite3.connect(self.daemon.database) as db:
            db.executemany("INSERT INTO activity(action, service, timestamp) VALUES('NOTE', ?, ?)",
                           [(f"old:{i}", int(time.time()) - age_s) for i in range(rows)])

    def kept(self):
        return self.daemon.query("SELECT count(*) FROM activity WHERE service LIKE 'old:%'")[0][0]

    def restart(self, *arguments, env=None):
        self.daemon.stop()
        self.daemon.arguments = arguments
        self.daemon.env.update(env or {})
        self.daemon.start()
        self.daemon.json("status")  # it can be connected to before it answers

    def test_entries_beyond_a_lower_number_are_dropped_at_start(self):
        self.fill(6000, 60)
        self.restart("--log-rows", "2000")
        # what the daemon said of itself and of the machine's other programs counts, too
        self.assertTrue(1800 <= self.kept() <= 2000, self.kept())
        self.restart(env={"PORT_DADDY_LOG_ROWS": "1000"})
        self.assertTrue(800 <= self.kept() <= 1000, self.kept())

    def test_entries_beyond_a_lower_age_are_dropped_but_the_newest_thousand(self):
        self.fill(3000, 7200)
        self.restart("--log-keep", "1d")
        self.assertEqual(self.kept(), 3000)
        self.restart(env={"PORT_DADDY_LOG_KEEP": "1h"})
        self.assertTrue(800 <= self.kept() <= 1000, self.kept())

    def test_limits_that_cannot_be_are_refused(self):
        for arguments, env, words in (
                (("--log-rows", "999"), {}, "--log-rows '999'.*1000"),
                (("--log-rows", "1e9"), {}, "--log-rows '1e9'"),
                (("--log-keep", "30"), {}, "--log-keep '30'"),
                ((), {"PORT_DADDY_LOG_KEEP": "never"}, "PORT_DADDY_LOG_KEEP 'never'"),
                ((), {"PORT_DADDY_LOG_ROWS": ""}, "PORT_DADDY_LOG_ROWS ''")):
            with self.subTest(arguments=arguments, env=env):
                daemon = self.new_daemon(*arguments, env=env).launch()
                self.assertEqual(daemon.process.wait(harness.DEADLINE_S), WRONG)
                self.assertRegex(daemon.log(), words)


if __name__ == "__main__":
    sys.exit(harness.main())
