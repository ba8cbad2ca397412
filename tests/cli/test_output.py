#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What people and scripts read: tables, JSON, the log, the stream; and names that attack them."""
import json
import re
import subprocess
import sys
import time

import harness
from harness import wait_until
from terminal import run_on_terminal

MANY = "1000"  # entries: more than other programs' refused binds make beside a test


class FindTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.ports = {name: self.daemon.claim(name) for name in ("app:api", "app:web", "other:api")}

    def names(self, *arguments):
        return [s["id"] for s in self.daemon.json("find", *arguments)["services"]]

    def test_table_has_the_contracts_columns(self):
        head = self.daemon.pd("find").splitlines()[0].lower()
        for column in ("service", "port", "pid", "process", "created", "status"):
            self.assertIn(column, head)

    def test_every_service_has_a_line(self):
        lines = self.daemon.pd("find").splitlines()
        for name, port in self.ports.items():
            self.assertTrue(any(name in l and str(port) in l and "claimed" in l for l in lines))

    def test_json_has_the_contracts_members(self):
        row = self.daemon.json("find", "app:web")["services"][0]
        for member in ("id", "port", "status", "pids", "process", "createdAt", "updatedAt",
                       "healthPath", "user", "cwd"):
            self.assertIn(member, row)
        self.assertLess(abs(row["createdAt"] - time.time()), 60)

    def test_patterns_select(self):
        self.assertEqual(self.names("app:*"), ["app:api", "app:web"])
        self.assertEqual(self.names("*:api"), ["app:api", "other:api"])
        self.assertEqual(self.names("app:???"), ["app:api", "app:web"])

    def test_port_selects(self):
        self.assertEqual(self.names(f":{self.ports['app:web']}"), ["app:web"])

    def test_status_selects(self):
        self.http_server(self.ports["app:web"])
        self.daemon.wait_status("app:web", "active")
        self.assertEqual(self.names("--status", "active"), ["app:web"])
        self.assertEqual(self.names("--status", "claimed"), ["app:api", "other:api"])

    def test_nothing_found_is_a_no(self):
        self.assertEqual(self.daemon.run("find", "no:such").code, harness.NO)

    def test_find_piped_into_grep_finds_the_line(self):
        done = subprocess.run(["sh", "-c", f"'{self.daemon.pd_program}' find | grep app:web"],
                              env=self.daemon.env, capture_output=True, text=True, check=True)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertNotIn("\x1b", done.stdout)

    def test_closed_pipe_ends_it_without_a_word(self):
        done = subprocess.run(["sh", "-c", f"'{self.daemon.pd_program}' find | true"],
                              env=self.daemon.env, capture_output=True, text=True, check=True)
        self.assertEqual(done.stderr, "")

    def test_full_device_is_not_success(self):
        with open("/dev/full", "wb") as full:
            code = subprocess.run([self.daemon.pd_program, "find"], env=self.daemon.env,
                                  stdout=full, stderr=subprocess.PIPE, check=False).returncode
        self.assertNotEqual(code, harness.DONE)

    def test_colours_only_on_a_terminal_and_never_against_no_color(self):
        self.http_server(self.ports["app:web"])
        self.daemon.wait_status("app:web", "active")
        self.assertIn("\x1b[", run_on_terminal(self.daemon, "find"))
        self.assertNotIn("\x1b[3", run_on_terminal(self.daemon, "find", env={"NO_COLOR": "1"}))
        self.assertNotIn("\x1b[", self.daemon.pd("find"))
        self.assertIn("\x1b[", self.daemon.pd("find", "--color", "always"))

    def test_find_all_lists_every_listener_of_the_machine(self):
        port = harness.free_port()
        server = self.http_server(port)
        lines = self.daemon.pd("find", "--all").splitlines()
        line = next((l for l in lines if re.search(rf"\b{port}\b", l)), None)
        self.assertIsNotNone(line, lines)
        self.assertIn(str(server.pid), line)


class StatusTest(harness.PortDaddyTest):
    def test_status_has_the_contracts_lines(self):
        labels = [l.split(":")[0] for l in self.daemon.pd("status").splitlines()
                  if l and not l[0].isspace()]
        for label in ("Daemon", "Kernel", "Database", "Services", "Locks", "Sessions", "Activity"):
            self.assertIn(label, labels)

    def test_status_as_json_has_the_contracts_members(self):
        status = self.daemon.json("status")
        self.assertEqual((status["ok"], status["version"]), (True, 1))
        self.assertEqual(status["daemon"]["pid"], self.daemon.pid)
        self.assertGreaterEqual(status["daemon"]["uptime"], 0)
        self.assertIn(status["kernel"]["mode"], ("bpf", "poll"))
        self.assertIsInstance(status["kernel"]["probes"], list)
        self.assertGreaterEqual(status["kernel"]["lost"], 0)
        self.assertEqual(status["database"]["path"], self.daemon.database)
        self.assertIs(status["database"]["healthy"], True)
        for name in ("active", "claimed", "stale", "ghost", "orphaned", "squatted", "orphans"):
            self.assertIn(name, status["services"])
        for group, member in (("locks", "held"), ("sessions", "active"), ("activity", "recent")):
            self.assertIn(member, status[group])

    def test_counts_follow_the_services(self):
        port = self.daemon.claim("app:web")
        self.daemon.claim("app:api")
        self.http_server(port)
        self.daemon.wait_status("app:web", "active")
        services = self.daemon.json("status")["services"]
        self.assertEqual((services["active"], services["claimed"]), (1, 1))

    def test_signs_are_plain_words_where_the_locale_is_not_utf8(self):
        text = self.daemon.pd("status", env={"LC_ALL": "C"})
        self.assertTrue(text.isascii(), text)
        self.assertRegex(text, r"(?m)^Daemon: +ok ")
        self.assertIn("✅", self.daemon.pd("status", env={"LC_ALL": "C.UTF-8"}))


class LogTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.daemon.claim("app:first")
        self.daemon.claim("app:second")
        self.daemon.pd("release", "app:first")

    def lines(self, *arguments):
        return self.daemon.pd("log", *arguments).splitlines()

    def test_newest_comes_first_in_the_contracts_form(self):
        port = self.daemon.service("app:second")["port"]
        lines = [l for l in self.lines("-n", MANY) if "app:" in l]
        self.assertRegex(lines[0], r"^\[\d{1,2}:\d\d:\d\d\] RELEASE +app:first +Port \d+ released")
        self.assertRegex(lines[1],
                         rf"^\[\d{{1,2}}:\d\d:\d\d\] CLAIM +app:second +Port {port} assigned")

    def test_filter_by_action_in_any_case(self):
        for action in ("CLAIM", "claim"):
            self.assertEqual(len(self.lines("--filter", action)), 2)

    def test_filter_by_service_and_pattern(self):
        self.assertEqual(len(self.lines("--filter", "app:first")), 2)
        self.assertEqual(len(self.lines("--filter", "app:*")), 3)

    def test_number_of_lines_is_obeyed(self):
        self.assertEqual(len(self.lines("-n", "1")), 1)

    def test_time_ranges_select(self):
        self.assertGreaterEqual(len(self.lines("--since", "1h")), 3)
        answer = self.daemon.run("log", "--to", "2020-01-01 2:00am")
        self.assertEqual((answer.out, answer.code), ("", harness.NO))

    def test_json_has_unix_seconds(self):
        log = self.daemon.json("log", "-n", MANY)
        claim = next(e for e in log["entries"] if e["action"] == "CLAIM")
        self.assertLess(abs(claim["at"] - time.time()), 60)

    def test_follow_prints_new_entries(self):
        stream = self.pd_stream("log", "-f")

        def followed():
            self.daemon.claim("app:third")
            self.daemon.pd("release", "app:third")
            return any("app:third" in l for l in stream.lines)
        wait_until(followed, "the new entry is printed", every_s=0.1)

    def test_people_read_the_same_in_the_database(self):
        done = subprocess.run(["sqlite3", self.daemon.database,
                               "SELECT action, service FROM activity WHERE action = 'RELEASE'"],
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "RELEASE|app:first\n")


class WatchTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.need_bpf("there are no events to watch")

    def test_claims_and_kernel_events_come_as_json_lines(self):
        port = self.daemon.claim("app:web")
        watch = self.pd_stream("watch", "app:*", "-j")  # others open and close thousands

        def own(kind):
            events = [json.loads(l) for l in list(watch.lines)]
            return next((e for e in events if e["event"] == kind and e["service"] == "app:web"),
                        None)

        def connected():
            self.http_server(port).kill()
            return own("LISTEN") and own("CLOSE")
        wait_until(connected, "events arrive", every_s=0.1)
        listen = own("LISTEN")
        self.assertEqual((listen["port"], listen["proto"]), (port, "tcp"))
        for member in ("at", "addr", "netns", "pid", "comm"):
            self.assertIn(member, listen)
        self.daemon.pd("release", "app:web")
        watch.wait_for(lambda l: "RELEASE" in l, "the release")

    def test_pattern_shows_only_its_services(self):
        wanted, other = self.daemon.claim("app:web"), self.daemon.claim("other:web")
        watch = self.pd_stream("watch", "app:*", "-j")

        def both_were_there():
            self.http_server(other).kill()
            self.http_server(wanted).kill()
            return any(f'{wanted}' in l for l in watch.lines)
        wait_until(both_were_there, "the wanted service's events arrive", every_s=0.1)
        self.assertEqual([l for l in watch.lines if "other:web" in l], [])

    def test_interrupt_ends_it_quietly(self):
        child = self.spawn([self.daemon.pd_program, "watch"], env=self.daemon.env)
        stream = harness.LineReader(child)

        def connected():
            port = harness.free_port()
            self.http_server(port).kill()
            return stream.lines
        wait_until(connected, "events arrive", every_s=0.1)
        child.kill(2)
        self.assertNotIn("error", "\n".join(stream.lines).lower())


class JsonEverywhereTest(harness.PortDaddyTest):
    def test_every_command_prints_one_object_with_ok_and_version(self):
        self.daemon.claim("app:web")
        commands = (["find"], ["find", "--all"], ["status"], ["log"], ["why", "1"], ["version"],
                    ["claim", "app:api"], ["release", "app:api"], ["cleanup"], ["metrics"],
                    ["lock", "migrations"], ["locks"], ["unlock", "migrations"],
                    ["session", "start", "work"], ["note", "text"], ["notes"], ["sessions"],
                    ["session", "end"], ["health", "--timeout", "1s"], ["help"],
                    ["daemon", "start"], ["daemon", "stop"])
        for command in commands:
            with self.subTest(command=" ".join(command)):
                answer = self.daemon.run(*command, "-j")
                parsed = json.loads(answer.out)
                self.assertEqual((parsed["ok"], parsed["version"]), (True, 1))
                self.assertEqual(answer.err, "")

    def test_no_daemon_as_json(self):
        self.daemon.stop()
        error = self.daemon.json("find", code=harness.NO_DAEMON)
        self.assertEqual(error["error"]["code"], "no_daemon")


class HelpTest(harness.PortDaddyTest):
    promised = {"claim", "release", "find", "open", "why", "status", "health", "log", "watch",
                "cleanup", "lock", "unlock", "locks", "with-lock", "session", "sessions", "note",
                "notes", "metrics", "daemon", "version", "help", "run", "ps", "stop"}

    def listed(self):
        return [c["name"] for c in self.daemon.json("help")["commands"]]

    def test_help_lists_every_command(self):
        text = self.daemon.pd("help")
        self.assertLessEqual(self.promised, set(self.listed()))
        for command in self.listed():
            self.assertRegex(text, rf"(?m)^ +{command}\b")

    def test_every_command_has_help_with_an_example(self):
        for command in self.listed():
            by_name = self.daemon.pd("help", command)
            self.assertRegex(by_name, rf"(?s)Examples\n.*pd {command}")
            self.assertEqual(self.daemon.pd(command, "--help"), by_name)

    def test_help_needs_no_daemon(self):
        self.daemon.stop()
        self.daemon.pd("help")
        self.daemon.pd("version")


class HostileNameTest(harness.PortDaddyTest):
    """A process may call itself anything."""

    def setUp(self):
        super().setUp()
        self.port = self.daemon.claim("app:web")
        self.server = self.spawn([self.helper("hostile"), str(self.port)])
        self.assertEqual(self.server.read_line(), "ready")
        wait_until(lambda: (self.daemon.service("app:web") or {}).get("pids") == [self.server.pid],
                   "the hostile process is seen")

    def commands(self):
        return (["find"], ["find", "--all"], ["find", f":{self.port}"], ["why", str(self.port)],
                ["log"], ["release", "app:web"])

    def test_escapes_and_newlines_never_reach_the_terminal(self):
        for command in self.commands():
            text = run_on_terminal(self.daemon, *command, env={"NO_COLOR": "1"})
            bad = [c for c in text if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0
                   or 0xd800 <= ord(c) < 0xe000 or c in "\u202e\u202a\u2066"]
            self.assertEqual(bad, [], f"{command}: {text!r}")

    def test_the_name_stays_on_its_line(self):
        lines = self.daemon.pd("find").splitlines()
        self.assertEqual(len([l for l in lines if "EVIL" in l or "app:web" in l]), 1, lines)

    def test_json_stays_valid_and_utf8(self):
        for command in self.commands():
            program = [self.daemon.pd_program, *command, "-j"]
            out = subprocess.run(program, env=self.daemon.env, capture_output=True,
                                 check=False).stdout
            json.loads(out.decode("utf-8"))

    def test_refused_bind_of_a_hostile_process_is_logged_harmlessly(self):
        second = self.spawn([self.helper("hostile"), str(self.port)])
        self.assertNotEqual(second.wait(), 0)
        text = self.daemon.pd("log")
        self.assertNotIn("\x1b", text)
        for line in text.splitlines():
            self.assertRegex(line, r"^\[")

    def test_failure_line_in_the_stream_is_valid_json(self):
        self.need_bpf("there are no events to watch")
        watch = self.pd_stream("watch", "-j")

        def refused():
            self.spawn([self.helper("hostile"), str(self.port)]).wait()
            return any('"FAIL"' in l for l in watch.lines)
        wait_until(refused, "a FAIL event", every_s=0.1)
        for line in watch.lines:
            json.loads(line)


if __name__ == "__main__":
    sys.exit(harness.main())
