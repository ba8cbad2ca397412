#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd metrics, and what a Prometheus server would read."""
import math
import re
import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

import harness
from harness import DONE, NO_DAEMON, WRONG, PortDaddyTest

LINES = ("Uptime", "Requests", "Avg Response Time", "Max Response Time", "Database Queries",
         "Errors", "Memory Usage")
LATENCY = r"\d+us|\d+\.\d\dms|\d+\.\dms|\d+ms|\d+\.\ds"


class MetricsTest(PortDaddyTest):
    def scrape(self):
        """The families by name, as Prometheus' own parser reads them."""
        return {f.name: f for f in text_string_to_metric_families(self.daemon.pd("metrics",
                                                                                  "--prometheus"))}

    def value(self, family, **labels):
        samples = [s.value for s in self.scrape()[f"port_daddy_{family}"].samples
                   if labels.items() <= s.labels.items() and not s.name.endswith("_created")]
        return sum(samples)

    def test_seven_lines_of_the_story_come_first_and_in_order(self):
        self.daemon.claim("myapp:api")
        lines = self.daemon.pd("metrics").splitlines()
        for line, label in zip(lines, LINES):
            self.assertRegex(line, rf"^{label}: +\S")
            self.assertEqual(len(line) - len(line[len(label) + 1:].lstrip()), 21)
        values = dict(line.split(":", 1) for line in lines[:7])
        self.assertRegex(values["Uptime"].strip(), r"^\d+[smhd]( \d+[smh])?$")
        self.assertRegex(values["Requests"].strip(), r"^\d{1,3}(,\d{3})*$")
        self.assertRegex(values["Avg Response Time"].strip(), f"^({LATENCY})$")
        self.assertRegex(values["Memory Usage"].strip(), r"^\d+(\.\d)?[KM]B$")
        self.assertEqual(values["Errors"].strip(), "0")

    def test_thousands_are_separated(self):
        while self.daemon.json("metrics")["database"]["queries"] < 1000:
            self.daemon.pd("status")
        self.assertRegex(self.daemon.pd("metrics"), r"Database Queries: +\d,\d{3}\n")

    def test_probes_losses_and_resyncs_are_named(self):
        shown = self.daemon.pd("metrics")
        kernel = self.daemon.json("metrics")["kernel"]
        lost = re.search(r"(?m)^Events Lost: +([\d,]+)$", shown)[1]  # others may flood the kernel
        self.assertLessEqual(int(lost.replace(",", "")), kernel["lost"])
        self.assertRegex(shown, r"(?m)^Resyncs: +\d+$")
        self.assertGreaterEqual(kernel["resyncs"], 1)
        for probe in kernel["probes"]:
            self.assertRegex(shown, rf"(?m)^  {probe['name']} +{probe['state']}")

    def test_events_are_counted_by_kind(self):
        if not self.daemon.uses_bpf():
            self.skipTest("without eBPF there are no events to count")
        before = self.daemon.json("metrics")["kernel"]["byKind"]["LISTEN"]
        port = harness.free_port()
        self.listener(port)
        harness.wait_until(
            lambda: self.daemon.json("metrics")["kernel"]["byKind"]["LISTEN"] > before,
            "the listen is counted")

    def test_answers_are_counted_and_refusals_are_no_errors(self):
        before = self.daemon.json("metrics")
        self.daemon.run("release", "no:such")
        self.daemon.pd("status")
        after = self.daemon.json("metrics")
        self.assertEqual(after["requests"] - before["requests"], 3)  # and the metrics themselves
        self.assertEqual(after["refused"] - before["refused"], 1)
        self.assertEqual(after["errors"], 0)
        self.assertIn({"method": "POST", "path": "/v1/releases", "outcome": "not_found",
                       "count": 1}, after["routes"])
        self.assertGreaterEqual(after["maxUs"], after["averageUs"])

    def test_stream_is_counted_and_not_timed(self):
        stream = self.pd_stream("log", "-f", "--filter", "DAEMON,CLAIM")
        stream.wait_for(lambda l: "DAEMON" in l)
        self.daemon.claim("a:b")
        stream.wait_for(lambda l: "a:b" in l)
        routes = self.daemon.json("metrics", "--over", "1us")
        self.assertTrue(any(r["path"] == "/v1/activity" for r in routes["routes"]))
        self.assertFalse(any(r["path"] == "/v1/activity" for r in routes["slow"]["requests"]))

    def test_slow_requests_name_route_subject_and_where_the_time_went(self):
        self.daemon.claim("myapp:api")
        shown = self.daemon.pd("metrics", "--over", "1us")
        self.assertTrue(shown.startswith("Slowest requests (>1us):\n"), shown)
        self.assertRegex(shown, rf"(?m)^POST /v1/claims +myapp:api +({LATENCY})  "
                         rf"\(database ({LATENCY}), queue ({LATENCY})\)$")
        slow = self.daemon.json("metrics", "--over", "1us")["slow"]
        took = [r["tookUs"] for r in slow["requests"]]
        self.assertEqual(took, sorted(took, reverse=True))
        claim = next(r for r in slow["requests"] if r["path"] == "/v1/claims")
        self.assertGreater(claim["databaseUs"], 0)
        self.assertGreaterEqual(claim["tookUs"], claim["databaseUs"])
        self.assertEqual(slow["overUs"], 1)
        self.assertTrue(slow["complete"])

    def test_write_behind_another_programs_transaction_shows_its_time_in_the_database(self):
        # without eBPF it has nothing of its own to write: no event of another test's is before us
        daemon = self.start_daemon("--no-bpf")
        daemon.claim("first:one")  # with all that the daemon had to write by itself
        # a person's shell in a transaction: the daemon's begin waits for it
        db = harness.sqlite3.connect(daemon.database, isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        claim = self.spawn([daemon.pd_program, "claim", "slow:one"], env=daemon.env)
        harness.wait_until(daemon.waits_for_writer, "it waits")
        harness.time.sleep(0.3)  # the length is what is measured
        db.execute("ROLLBACK")
        db.close()
        self.assertEqual(claim.wait(), DONE)
        row = daemon.json("metrics", "--slow")["slow"]["requests"][0]
        self.assertEqual((row["path"], row["subject"]), ("/v1/claims", "slow:one"))
        self.assertGreater(row["databaseUs"], 100_000)
        self.assertIn("slow:one", daemon.pd("metrics", "--slow"))

    def test_many_requests_keep_the_slowest_only(self):
        for _ in range(70):
            self.daemon.run("find", "none")
        slow = self.daemon.json("metrics", "--over", "1us")["slow"]
        self.assertEqual(len(slow["requests"]), 64)
        self.assertFalse(slow["complete"])
        self.assertIn("the slowest 64", self.daemon.run("metrics", "--over", "1us").err)

    def test_nothing_slow_is_said(self):
        self.assertEqual(self.daemon.pd("metrics", "--over", "1h"),
                         "No request took longer than 1h\n")

    def test_prometheus_text_is_what_its_parser_expects(self):
        self.daemon.claim("myapp:api")
        text = self.daemon.pd("metrics", "--prometheus")
        families = list(text_string_to_metric_families(text))
        names = [f.name for f in families]
        self.assertEqual(len(names), len(set(names)), "each family comes in one piece")
        samples = [(s.name, tuple(sorted(s.labels.items()))) for f in families for s in f.samples]
        self.assertEqual(len(samples), len(set(samples)), "no sample comes twice")
        for family in families:
            self.assertTrue(family.name.startswith("port_daddy_"), family.name)
            self.assertIn(family.type, ("counter", "gauge", "histogram"))
            self.assertRegex(family.documentation, r"^[A-Z1].*\.$")
            for sample in family.samples:
                self.assertEqual(sample.name.endswith("_total"), family.type == "counter")
                self.assertTrue(math.isfinite(sample.value), sample)
        for line in text.splitlines():
            self.assertRegex(line, r"^(# (HELP|TYPE) |port_daddy_[a-z_]+(\{.*\})? [0-9.e+-]+$)")

    def test_histogram_grows_to_its_count(self):
        for _ in range(3):
            self.daemon.pd("find", "--all")
        latency = self.scrape()["port_daddy_request_duration_seconds"]
        buckets = [s for s in latency.samples if s.name.endswith("_bucket")]
        counts = [s.value for s in buckets]
        bounds = [float(s.labels["le"]) for s in buckets]
        self.assertEqual(counts, sorted(counts))
        self.assertEqual(bounds, sorted(bounds))
        self.assertEqual(bounds[-1], math.inf)
        count = next(s.value for s in latency.samples if s.name.endswith("_count"))
        total = next(s.value for s in latency.samples if s.name.endswith("_sum"))
        self.assertEqual(counts[-1], count)
        self.assertGreaterEqual(count, 3)
        self.assertGreater(total, 0)

    def test_both_formats_say_the_same(self):
        self.daemon.claim("myapp:api")
        self.daemon.pd("session", "start", "p")
        answer = self.daemon.json("metrics")
        self.assertEqual(self.value("requests", route="/v1/claims", outcome="ok"), 1)
        self.same("database_commits", lambda: self.daemon.json("metrics")["database"]["commits"])
        self.same("resyncs", lambda: self.daemon.json("metrics")["kernel"]["resyncs"])
        self.assertEqual(self.value("probe_works"),
                         sum(p["state"] == "works" for p in answer["kernel"]["probes"]))
        self.assertEqual(self.value("services", status="claimed"), 1)
        self.assertEqual(self.value("sessions"), 1)
        self.assertGreater(self.value("memory_bytes"), 1_000_000)

    def same(self, family, number):
        """What the machine's other programs raise may grow between two questions."""
        def between():
            before, value, after = number(), self.value(family), number()
            self.assertTrue(before <= value <= after, (family, before, value, after))
            return before == after
        harness.wait_until(between, f"{family} stands still for three questions")

    def test_scraper_finds_it_on_the_socket(self):
        done = subprocess.run(["curl", "-si", "--unix-socket", self.daemon.socket,
                               "http://localhost/metrics"], capture_output=True, check=True)
        head, body = done.stdout.decode().split("\r\n\r\n", 1)
        self.assertRegex(head, r"^HTTP/1.1 200 OK")
        self.assertRegex(head, r"(?m)^Content-Type: text/plain; version=0\.0\.4")
        self.assertTrue(list(text_string_to_metric_families(body)))

    def test_command_lines_that_make_no_sense_are_refused(self):
        for arguments in (("--over", "5"), ("--over", "5ns"), ("--over", "0ms"), ("--over", ""),
                          ("--over", "1ms1s"), ("--prometheus", "--slow"), ("--prometheus", "-j"),
                          ("x",)):
            self.daemon.run("metrics", *arguments, code=WRONG)

    def test_without_a_daemon_it_is_exit_3(self):
        self.daemon.stop()
        for arguments in ((), ("--slow",), ("--prometheus",)):
            self.assertEqual(self.daemon.run("metrics", *arguments).code, NO_DAEMON)

    def test_help_has_examples(self):
        self.assertIn("pd metrics --over 5ms", self.daemon.pd("metrics", "--help"))


if __name__ == "__main__":
    sys.exit(harness.main())
