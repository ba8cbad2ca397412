#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The terminal's width: nothing is wider, nothing is cut without a mark, a pipe gets all of it."""
import sys

import harness
from terminal import run_on_terminal, width, without_colours

COLUMNS = (40, 79, 80, 200)
LONG = "a-very-long-project-name:with-a-long-stack-{}:and-the-context-of-a-feature-branch"
PURPOSE = "Building the checkout with all of its forms, and what the payment provider asks for"
NOTE = "Blocked: the types of the payment API come from the other team, and nobody is awake there"


class WidthTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.names = [LONG.format(letter) for letter in ("one", "two", "three")]
        for name in self.names:
            self.daemon.claim(name)
        self.port, _ = self.serve_claim("shop:web")
        # the shell of `pd session` has ended by the time of its note
        session = self.daemon.pd("session", "start", PURPOSE, "-q").strip()
        self.daemon.pd("note", "--session", session, NOTE)
        self.daemon.pd("lock", "migrations-of-the-database-with-all-customers-and-orders")
        self.session = session

    def shown(self, *command, columns):
        return without_colours(run_on_terminal(self.daemon, *command, columns=columns))

    def test_no_line_is_wider_than_the_terminal(self):
        commands = (["find"], ["find", "--all"], ["why", str(self.port)], ["status"], ["log"],
                    ["log", "-v"], ["sessions"], ["notes", self.session], ["locks"], ["health"])
        for columns in COLUMNS:
            for command in commands:
                with self.subTest(command=" ".join(command), columns=columns):
                    text = self.shown(*command, columns=columns)
                    self.assertTrue(text)
                    wide = [l for l in text.splitlines() if width(l) > columns]
                    self.assertEqual(wide, [], text)

    def test_names_that_differ_in_the_middle_are_told_apart_at_any_width(self):
        for columns in COLUMNS:
            lines = self.shown("find", columns=columns).splitlines()[2:]
            shown = [l.split()[0] for l in lines if l.startswith("a")]
            self.assertEqual(len(set(shown)), len(self.names), lines)
            for name in shown:
                self.assertTrue(name in self.names or "…" in name, name)

    def test_mark_is_plain_where_the_locale_is_not_utf8(self):
        text = run_on_terminal(self.daemon, "find", columns=79, env={"LC_ALL": "C"})
        self.assertTrue(text.isascii(), text)
        self.assertIn("...", text)

    def test_wide_terminal_and_pipe_show_everything(self):
        for text in (self.shown("find", columns=200), self.daemon.pd("find")):
            for name in self.names:
                self.assertIn(name, text)
            self.assertNotIn("…", text)

    def test_what_is_narrow_loses_no_word_of_a_sentence(self):
        for command in (["why", str(self.port)], ["notes", self.session], ["locks"]):
            narrow, wide = (self.shown(*command, columns=c).split() for c in (40, 200))
            self.assertEqual("".join(narrow).replace("justnow", ""),
                             "".join(wide).replace("justnow", ""))

    def test_pipe_has_one_line_for_each_entry(self):
        for line in self.daemon.pd("log").splitlines():
            self.assertTrue(line.startswith("["), line)


if __name__ == "__main__":
    sys.exit(harness.main())
