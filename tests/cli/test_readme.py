#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The README is short enough to be read to its end and leads to what is there, and the table of speed is
what the benchmark prints, and not of another benchmark."""
import json
import os
import re
import sys
import unittest

import harness

BENCH = os.path.join(harness.ROOT, "tests", "bench")
sys.path.insert(0, BENCH)
import lines  # noqa: E402


class Readme(unittest.TestCase):
    def setUp(self):
        self.text = harness.read_text(os.path.join(harness.ROOT, "README.md"))

    def test_it_is_short_and_its_links_lead_somewhere(self):
        self.assertLess(self.text.count("\n"), 150)
        for path in re.findall(r"\]\(([^)#]+)", self.text):
            self.assertTrue(os.path.exists(os.path.join(harness.ROOT, path)), path)


class Speed(unittest.TestCase):
    def setUp(self):
        self.section = harness.read_text(os.path.join(BENCH, "README.md"))
        with open(os.path.join(BENCH, "baseline.json"), encoding="utf-8") as f:
            self.stored = json.load(f)

    def rows(self):
        return [row for row in self.section.splitlines() if " ≤ " in row or " ≥ " in row]

    def test_table_has_every_line_and_its_target(self):
        self.assertEqual(len(self.rows()), len(lines.LINES))
        for line, row in zip(lines.LINES, self.rows()):
            self.assertTrue(row.startswith(line.name), row)
            self.assertIn(f" {line.target}", row)

    def test_table_is_the_stored_one(self):
        for line, row in zip(self.stored["lines"], self.rows(), strict=True):
            if "skipped" in line:
                self.assertTrue(row.endswith(line["skipped"]), row)
                continue
            self.assertIn(f" {line['value']:g}{line['unit']} ", row)
            self.assertEqual(row.endswith("missed"), not line["reached"], row)


if __name__ == "__main__":
    sys.exit(harness.main())
