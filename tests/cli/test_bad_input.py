#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Bad input gets one clear line and the right exit code, and changes nothing."""
import json
import sys

import harness
from harness import WRONG

# name: arguments, what the line must say
REFUSED = {
    "unknown_command": (["clam"], ["clam", "claim"]),
    "unknown_option": (["claim", "app:web", "--prot", "1"], ["--prot"]),
    "missing_operand": (["release"], []),
    "surplus_operand": (["status", "now"], ["now"]),
    "identity_with_a_blank": (["claim", "my app"], ["my app"]),
    "identity_with_a_slash": (["claim", "a/b"], ["a/b"]),
    "identity_with_four_parts": (["claim", "a:b:c:d"], ["a:b:c:d"]),
    "identity_with_an_empty_part": (["claim", "a::c"], ["a::c"]),
    "identity_that_is_empty": (["claim", ""], []),
    "identity_that_is_too_long": (["claim", "x" * 65], ["64"]),
    "identity_in_invalid_utf8": (["claim", b"caf\xe9"], []),
    "identity_with_a_wildcard": (["claim", "app:*"], []),
    "port_0": (["claim", "app:web", "-p", "0"], ["0"]),
    "port_65536": (["claim", "app:web", "-p", "65536"], ["65536"]),
    "port_with_a_leading_zero": (["claim", "app:web", "-p", "080"], ["080"]),
    "port_with_a_sign": (["claim", "app:web", "-p", "+80"], ["+80"]),
    "port_that_is_no_number": (["claim", "app:web", "-p", "http"], ["http"]),
    "port_with_a_tail": (["claim", "app:web", "-p", "80x"], ["80x"]),
    "port_that_overflows": (["claim", "app:web", "-p", "4294967376"], ["4294967376"]),
    "why_port_0": (["why", "0"], ["0"]),
    "why_port_65536": (["why", "65536"], ["65536"]),
    "why_port_with_a_leading_zero": (["why", "080"], ["080"]),
    "range_upside_down": (["claim", "app:web", "--range", "4000-3000"], ["4000-3000"]),
    "range_that_is_no_range": (["claim", "app:web", "--range", "4000"], ["4000"]),
    "duration_without_a_unit": (["claim", "app:web", "--ttl", "30"], ["--ttl 30s"]),
    "duration_that_only_begins": (["claim", "app:web", "--ttl", "2h30"], ["only the beginning"]),
    "duration_that_is_no_duration": (["log", "--since", "soon"], ["soon"]),
    "moment_that_is_no_moment": (["log", "--from", "25:99"], ["25:99"]),
    "number_that_is_no_number": (["log", "-n", "many"], ["many"]),
    "number_that_is_negative": (["log", "-n", "-1"], ["-1"]),
    "empty_pattern_to_find": (["find", ""], []),
    "empty_pattern_to_release": (["release", ""], []),
    "pattern_with_a_blank": (["find", "my app"], ["my app"]),
    "port_pattern_0": (["release", ":0"], ["0"]),
    "port_pattern_65536": (["find", ":65536"], ["65536"]),
    "status_that_does_not_exist": (["find", "--status", "zombie"], ["zombie"]),
    "color_that_does_not_exist": (["find", "--color", "purple"], ["purple"]),
    "address_that_is_no_address": (["why", "3000", "--addr", "300.1.1.1"], ["300.1.1.1"]),
    "daemon_verb_that_is_none": (["daemon", "again"], ["again", "restore"]),
    "run_without_dashes": (["run", "api"], ["pd run api -- CMD", "pd run -- api"]),
    "help_for_an_unknown_command": (["help", "clam"], ["clam", "pd help claim"]),
}


class BadInputTest(harness.PortDaddyTest):
    """One daemon for all: none of this may harm it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = harness.Daemon().start()
        cls.shared.claim("keep:me")

    @classmethod
    def tearDownClass(cls):
        cls.shared.discard()
        super().tearDownClass()

    def start_daemon(self, *arguments, **options):
        return self.shared

    def state(self):
        return self.daemon.query("SELECT id, port, createdAt, updatedAt, status FROM services"), \
            self.daemon.query("SELECT count(*) FROM activity WHERE action IN ('CLAIM', 'RELEASE')")

    def refused(self, arguments, words):
        before = self.state()
        answer = self.daemon.run(*arguments, code=WRONG)
        self.assertEqual(answer.out, "")
        lines = answer.err.splitlines()
        self.assertGreaterEqual(len(lines), 1, "nothing was said")
        self.assertLessEqual(len(lines), 2, "a line, and perhaps where to look")
        for word in words:
            self.assertIn(word, answer.err)
        self.assertEqual(self.state(), before)

    def refused_as_json(self, arguments):
        answer = self.daemon.run(*arguments, "--json", code=WRONG)
        error = json.loads(answer.out)
        self.assertEqual((error["ok"], error["version"]), (False, 1))
        self.assertEqual(error["error"]["code"], "bad_request")
        self.assertTrue(error["error"]["message"])

    def test_a_bare_port_for_a_service_is_answered_with_the_colon(self):
        for command in ("release", "health"):
            self.shared.run(command, "6000", code=harness.NO, says="meant by :6000")

    def test_no_command_prints_the_usage(self):
        answer = self.daemon.run()
        self.assertIn(answer.code, (harness.DONE, WRONG))
        self.assertIn("claim", answer.out + answer.err)

    def test_word_behind_two_dashes_asks_for_no_json(self):
        answer = self.daemon.run("claim", "one", "two", "--", "-j", code=WRONG)
        self.assertEqual(answer.out, "")
        self.assertIn("one argument too many", answer.err)

    def test_very_long_argument_is_refused(self):
        self.refused(["claim", "x" * 100000], [])

    def test_escape_in_a_bad_argument_does_not_reach_the_terminal(self):
        answer = self.daemon.run("claim", "\x1b[31mred\x07", code=WRONG)
        self.assertNotIn("\x1b", answer.err)
        self.assertNotIn("\x07", answer.err)


def add_cases():
    for name, (arguments, words) in REFUSED.items():
        def text(self, arguments=arguments, words=words):
            self.refused(arguments, words)

        def as_json(self, arguments=arguments):
            self.refused_as_json(arguments)
        setattr(BadInputTest, f"test_{name}_is_refused", text)
        setattr(BadInputTest, f"test_{name}_is_refused_as_json", as_json)


add_cases()

if __name__ == "__main__":
    sys.exit(harness.main())
