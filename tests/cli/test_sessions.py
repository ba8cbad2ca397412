#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd session, sessions, note and notes: real shells, real terminals, and shells that are killed."""
import json
import os
import re
import signal
import subprocess
import sys
import time

import harness
from harness import CONFLICT, DONE, NO, NOBODY, NOT_ALLOWED, WRONG, PortDaddyTest, wait_until
from terminal import Terminal

ID = r"session-[a-z][a-z2-9]{2,}"
NOTE_MAX_BYTES = 16 * 1024
DAY_S = 86400


class Shell:
    """bash behind a pipe: it lives between the commands that it is told."""

    def __init__(self, test, cwd=None, env=None, **options):
        self.test = test
        self.child = test.spawn(["bash", "--norc", "--noprofile"], stdin=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, cwd=cwd or test.work,
                                env={**test.daemon.env, "PD": test.daemon.pd_program,
                                     **(env or {})}, **options)
        self.pid = self.child.pid

    def type(self, command):
        """Runs it; its stdout, and its exit code in self.code."""
        self.child.process.stdin.write(f"{command}; echo \"END $?\"\n".encode())
        self.child.process.stdin.flush()
        lines = []
        while True:
            line = self.child.process.stdout.readline().decode()
            if not line:
                raise AssertionError(f"the shell ended at {command}: {lines}")
            match = re.fullmatch(r"END (\d+)\n", line)
            if match:
                self.code = int(match[1])
                return "".join(lines)
            lines.append(line)

    def kill(self):
        self.child.kill(signal.SIGKILL)


class SessionsTest(PortDaddyTest):
    def start(self, *words, **options):
        options.setdefault("cwd", self.work)
        return self.daemon.pd("session", "start", *words, "-q", **options).strip()

    def terminal(self, *argv):
        return Terminal(self, argv, {**self.daemon.env, "PD": self.daemon.pd_program, "PS1": ""})

    def row(self, session):
        listed = self.daemon.json("sessions", "--all", code=None)["sessions"]
        return next((s for s in listed if s["id"] == session), None)

    def wait_status(self, session, status):
        return wait_until(lambda: (self.row(session) or {}).get("status") == status and
                          self.row(session), f"{session} is {status}")

    def entries(self, session):
        return [(e["action"], e["details"]) for e in
                reversed(self.daemon.json("log", "--filter", session)["entries"])]

    # --- starting, noting, ending ---

    def test_story_of_a_session_is_shown_as_it_was_told(self):
        shell = Shell(self)
        session = shell.type('$PD session start "Building checkout UI" --agent "Agent 1"').strip()
        self.assertRegex(session, f"^{ID}$")
        for note in ("Started building CheckoutForm component", "Integrated Stripe library"):
            shell.type(f"$PD note {note}")
            self.assertEqual(shell.code, DONE)
        self.assertRegex(self.daemon.pd("sessions"),
                         rf"^{session}  Building checkout UI +active, \d+s +Agent 1  "
                         r"Integrated Stripe library \((just now|\d+s ago)\)\n$")
        self.assertRegex(self.daemon.pd("notes", session),
                         r"^\[\d{1,2}:\d\d[ap]m\] Started building CheckoutForm component\n"
                         r"\[\d{1,2}:\d\d[ap]m\] Integrated Stripe library\n$")
        self.assertIn("Sessions:   1 active (Agent 1)", self.daemon.pd("status"))
        ended = shell.type("$PD session end 'Component complete'")
        self.assertRegex(ended, rf"^{session} ended after \d+s: Building checkout UI\n$")
        self.assertRegex(self.daemon.pd("sessions"), "completed, [0-9]+s")
        self.assertIn("Sessions:   none", self.daemon.pd("status"))
        self.assertEqual(self.entries(session), [
            ("SESSION", "started: Building checkout UI"),
            ("NOTE", "Started building CheckoutForm component"),
            ("NOTE", "Integrated Stripe library"),
            ("NOTE", "Component complete"),
            ("SESSION", "ended")])
        entry = self.daemon.json("log", "--filter", session)["entries"][0]
        self.assertEqual((entry["comm"], entry["uid"]), ("pd", os.geteuid()))

    def test_json_of_each_command_is_complete(self):
        shell = Shell(self)
        started = json.loads(shell.type("$PD session start 'A purpose' --agent Ann -j"))
        for key in ("ok", "version", "id", "purpose", "agent", "startedAt", "pid", "others"):
            self.assertIn(key, started)
        self.assertEqual(started["pid"], shell.pid)
        noted = json.loads(shell.type("$PD note one two -j"))
        self.assertEqual(noted["session"], started["id"])
        notes = json.loads(shell.type("$PD notes -j"))
        self.assertEqual([n["text"] for n in notes["notes"]], ["one two"])
        self.assertEqual(notes["session"]["id"], started["id"])
        row = self.row(started["id"])
        self.assertEqual((row["status"], row["agent"], row["notes"], row["pid"], row["cwd"]),
                         ("active", "Ann", 1, shell.pid, self.work))
        self.assertEqual(row["lastNote"]["text"], "one two")
        status = self.daemon.json("status")["sessions"]
        self.assertEqual(status, {"active": 1, "stalled": 0, "names": ["Ann"]})
        ended = json.loads(shell.type("$PD session end -j"))
        self.assertEqual(ended["id"], started["id"])
        self.assertGreaterEqual(ended["endedAt"], ended["startedAt"])

    def test_bare_values_and_a_line_for_eval(self):
        shell = Shell(self)
        self.assertRegex(shell.type("$PD session start one -q"), f"^{ID}\n$")
        exported = shell.type("$PD session start two --export")
        self.assertRegex(exported, f"^export PORT_DADDY_SESSION={ID}\n$")
        own = exported.strip().split("=")[1]
        shell.type(exported.strip())
        # two stand on this shell: the environment decides
        self.assertEqual(shell.type("$PD note x -q").strip(), own)
        self.assertEqual(shell.type("$PD session end -q").strip(), own)

    def test_a_terminals_session_needs_nothing_exported(self):
        terminal = self.terminal("/bin/bash", "--norc", "--noprofile")
        terminal.type("$PD session start on a terminal; $PD note x")
        match = terminal.wait_match(rf"({ID})\nNoted in ({ID})")
        self.assertEqual(match[1], match[2])

    def test_words_are_joined_and_dash_reads_standard_input(self):
        session = self.start("p")
        self.daemon.pd("note", "several", "words", "--session", session)
        self.daemon.pd("note", "-", "--session", session, input_text=b"from\nstdin\n")
        texts = [n["text"] for n in self.daemon.json("notes", session)["notes"]]
        self.assertEqual(texts, ["several words", "from\nstdin"])

    # --- which session ---

    def test_any_unique_beginning_of_an_id_is_enough(self):
        session = self.start("p")
        short = session[len("session-"):]
        for name in (session, short, short[:1], session[:9]):
            self.assertEqual(self.daemon.pd("note", "x", "--session", name, "-q").strip(), session)

    def test_ambiguous_beginning_lists_the_candidates(self):
        ids = {self.start("p") for _ in range(2)}
        answer = self.daemon.json("notes", "session-", code=CONFLICT)
        self.assertEqual({c["id"] for c in answer["candidates"]}, ids)
        for session in ids:
            self.assertIn(session, answer["error"]["message"])

    def test_no_session_is_an_error_with_the_way_out(self):
        self.daemon.run("note", "x", cwd=self.work, code=NO, says="pd session start")
        self.assertEqual(self.daemon.run("notes", "zzz").code, NO)
        self.assertEqual(self.daemon.run("sessions").code, NO)
        self.assertEqual(self.daemon.run("session", "end", cwd=self.work).code, NO)

    def test_newest_session_of_a_shell_is_its_own_and_the_one_before_again_behind_it(self):
        shell = Shell(self)
        ids = [shell.type(f"$PD session start p{i}").strip() for i in range(12)]
        for current in (ids[-1], ids[-2]):
            self.assertEqual(shell.type("$PD note x -q").strip(), current)
            self.assertTrue(shell.type("$PD session end").startswith(current))

    def test_inner_shell_has_its_own_session(self):
        shell = Shell(self)
        outer = shell.type("$PD session start outer").strip()
        out = shell.type("bash -c '$PD session start inner; $PD note mine -q; true'").split()
        self.assertEqual(out[0], out[1])
        self.assertNotEqual(out[0], outer)
        self.assertEqual(shell.type("$PD note x -q").strip(), outer)

    def test_other_shell_of_the_same_terminal_finds_its_session(self):
        elsewhere = harness.temp_dir("pd-elsewhere-")
        self.addCleanup(os.rmdir, elsewhere)
        terminal = self.terminal("/bin/bash", "--norc", "--noprofile")
        # a sibling that is no child of the shell with the session: only the terminal is shared
        terminal.type("bash -c '$PD session start here -q; echo started; exec sleep 1000' &")
        session = terminal.wait_match(rf"({ID})\s+started")[1]
        terminal.type(f"cd {elsewhere} && $PD note from the same terminal")
        terminal.wait_for(f"Noted in {session}")

    def test_worktree_finds_its_session_and_another_does_not(self):
        for name in ("a", "b"):
            os.makedirs(os.path.join(self.work, name, ".git"))
            os.makedirs(os.path.join(self.work, name, "deep/er"))
        shell = Shell(self, cwd=os.path.join(self.work, "a"))
        session = shell.type("$PD session start p").strip()
        found = self.daemon.run("note", "x", "-q", cwd=os.path.join(self.work, "a/deep/er"))
        self.assertEqual(found.out.strip(), session)
        self.assertEqual(self.daemon.run("note", "x", cwd=os.path.join(self.work, "b")).code, NO)

    def test_environment_that_names_no_session_is_said(self):
        answer = self.daemon.run("note", "x", env={"PORT_DADDY_SESSION": "session-zzz"}, code=NO)
        self.assertIn("$PORT_DADDY_SESSION", answer.err)
        answer = self.daemon.run("note", "x", env={"PORT_DADDY_SESSION": "no such;"}, code=WRONG)

    def test_ended_session_takes_no_note_and_stays_visible(self):
        session = self.start("p")
        self.daemon.pd("session", "end", "--session", session)
        self.daemon.run("note", "x", "--session", session, code=NO, says="ended")
        self.assertEqual(self.row(session)["status"], "completed")

    def test_only_the_newest_ended_ones_are_shown_unless_all_are_asked_for(self):
        for i in range(23):
            self.daemon.pd("session", "end", "--session", self.start(f"p{i}"))
        listed = self.daemon.run("sessions")
        self.assertEqual(len(listed.out.splitlines()), 20)
        self.assertIn("3 older ones", listed.err)
        self.assertEqual(len(self.daemon.pd("sessions", "--all").splitlines()), 23)

    @harness.needs_root
    def test_nobody_elses_session_is_meant_or_changed(self):
        os.chmod(self.daemon.home, 0o755)
        session = self.start("of root")
        os.chmod(self.work, 0o777)
        self.assertEqual(self.daemon.run("note", "x", uid=NOBODY, cwd=self.work).code, NO)
        for arguments in (("note", "x"), ("session", "end")):
            self.daemon.run(*arguments, "--session", session, uid=NOBODY, cwd=self.work,
                            code=NOT_ALLOWED)
        self.daemon.run("note", "x", uid=NOBODY, cwd=self.work,
                        env={"PORT_DADDY_SESSION": session}, code=NOT_ALLOWED)
        # looking is free
        self.assertIn("of root", self.daemon.run("sessions", uid=NOBODY).out)

    # --- what a session stands on ---

    def test_killed_shell_stalls_its_session_and_a_note_revives_it(self):
        shell = Shell(self)
        session = shell.type("$PD session start p").strip()
        stream = self.pd_stream("log", "-f", "--filter", session)
        stream.wait_for(lambda l: "started" in l)
        shell.kill()
        stream.wait_for(lambda l: f"stalled: its shell {shell.pid} is gone" in l)
        row = self.wait_status(session, "stalled")
        self.assertAlmostEqual(row["stalledAt"], time.time(), delta=harness.DEADLINE_S)
        self.assertEqual(row["since"], row["stalledAt"])
        self.assertIn("Sessions:   1 stalled", self.daemon.pd("status"))
        other = Shell(self)
        other.type("$PD note back again")
        self.assertEqual(other.code, DONE)
        row = self.row(session)
        self.assertEqual((row["status"], row["pid"], row["stalledAt"]), ("active", other.pid, None))
        self.assertIn(("SESSION", f"active again, on {other.pid}"), self.entries(session))
        other.kill()
        self.wait_status(session, "stalled")

    def test_session_of_a_shell_that_ends_at_once_stalls_at_once(self):
        out = subprocess.run(["bash", "-c", f"{harness.PD} session start p; true"], check=True,
                             env=self.daemon.env, cwd=self.work, capture_output=True)
        self.wait_status(out.stdout.decode().strip(), "stalled")

    def test_closed_terminal_stalls_the_session(self):
        terminal = self.terminal("/bin/bash", "--norc", "--noprofile")
        terminal.type("$PD session start p -q")
        session = terminal.wait_match(f"{ID}(?=\n)")[0]
        terminal.close()
        self.wait_status(session, "stalled")

    def test_shell_that_outlives_its_terminal_is_stalled_by_the_terminals_end(self):
        # what is neither ended by the hangup nor reads from the terminal
        survivor = ("import os, signal, subprocess, time\n"
                    "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
                    "subprocess.run([os.environ['PD'], 'session', 'start', 'p', '-q'])\n"
                    "while True: signal.pause()\n")
        terminal = self.terminal(harness.PYTHON, "-c", survivor)
        session = terminal.wait_match(f"{ID}(?=\n)")[0]
        self.assertRegex(self.row(session)["tty"], r"^pts/\d+$")
        terminal.close()
        self.wait_status(session, "stalled")
        self.assertTrue(os.path.exists(f"/proc/{terminal.pid}"))
        self.assertRegex(self.entries(session)[-1][1], r"stalled: its terminal pts/\d+ is gone")

    def test_shells_that_died_while_no_daemon_ran_are_noticed_at_its_start(self):
        dies, lives = Shell(self), Shell(self)
        gone = dies.type("$PD session start p").strip()
        there = lives.type("$PD session start q").strip()
        self.daemon.stop(signal.SIGKILL)
        dies.kill()
        self.daemon.start()
        self.wait_status(gone, "stalled")
        self.assertEqual(self.row(there)["status"], "active")
        lives.kill()
        self.wait_status(there, "stalled")

    # --- bad input ---

    def test_notes_over_the_limit_are_refused_with_it(self):
        session = self.start("p")
        for size in (NOTE_MAX_BYTES + 1, 1024 * 1024):
            answer = self.daemon.run("note", "-", "--session", session, input_text=b"a" * size,
                                     code=WRONG)
            self.assertIn(str(NOTE_MAX_BYTES), answer.err)
        self.daemon.pd("note", "-", "--session", session, input_text=b"a" * NOTE_MAX_BYTES)
        notes = self.daemon.json("notes", session)["notes"]
        self.assertEqual([len(n["text"]) for n in notes], [NOTE_MAX_BYTES])
        self.assertIn("a" * NOTE_MAX_BYTES, self.daemon.pd("notes", session))

    def test_texts_that_are_none_are_refused(self):
        session = self.start("p")
        for arguments in (("session", "start"), ("session", "start", "  "),
                          ("session", "start", "a" * 257), ("session", "start", b"\xff"),
                          ("session", "start", "p", "--agent", "a" * 65),
                          ("session", "start", "p", "--agent", ""), ("session",),
                          ("session", "begin"), ("note", ""), ("note", b"\xff", "-s", session),
                          ("note",), ("note", "x", "-s", "a;b"), ("notes", "a b"),
                          ("notes", session, "-n", "0"), ("notes", session, "-n", "2001")):
            self.daemon.run(*arguments, code=WRONG)
        self.daemon.run("note", "-", "-s", session, input_text=b"a\0b", code=WRONG, says="NUL")

    def test_hostile_bytes_are_kept_and_escaped_when_shown(self):
        text = "line one\nline \x1b[31mtwo\x07 \u202egnp \u0085"
        session = self.start(f"evil \x1b]0;title\x07")
        self.daemon.pd("note", text, "-s", session)
        self.assertEqual(self.daemon.json("notes", session)["notes"][0]["text"], text)
        for command in (("notes", session), ("sessions",), ("log",), ("status",)):
            shown = self.daemon.pd(*command)
            self.assertNotRegex(shown, "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
        self.assertIn(r"line one\nline \e[31mtwo", self.daemon.pd("notes", session))
        self.assertEqual(len(self.daemon.pd("notes", session).splitlines()), 1)

    def test_change_of_day_is_shown_with_its_date(self):
        session = self.start("p")
        now = int(time.time())
        for days, text in ((400, "long ago"), (2, "older"), (2, "same day"), (0, "today")):
            self.daemon.execute("INSERT INTO notes(session, timestamp, text) VALUES(?, ?, ?)",
                                session, now - days * DAY_S, text)
        lines = self.daemon.pd("notes", session).splitlines()
        self.assertRegex(lines[0], r"^\[[A-Z][a-z]{2} \d+ \d{4} \d+:\d\d[ap]m\] long ago$")
        self.assertRegex(lines[1], r"^\[[A-Z][a-z]{2} \d+(?: \d{4})? \d+:\d\d[ap]m\] older$")
        self.assertRegex(lines[2], r"^\[\d+:\d\d[ap]m\] same day$")
        self.assertRegex(lines[3], r"^\[[A-Z][a-z]{2} \d+ \d+:\d\d[ap]m\] today$")
        newest = self.daemon.pd("notes", session, "-n", "1")
        self.assertRegex(newest, r"^\[\d+:\d\d[ap]m\] today\n$")

    def test_rows_that_people_typed_are_shown(self):
        self.daemon.execute("INSERT INTO sessions(id, purpose, startedAt, endedAt, status) VALUES"
                            "('session-ef2', 'Database schema', ?, ?, 'completed')",
                            time.time() - 600, time.time() - 120)
        self.assertRegex(self.daemon.pd("sessions"),
                         r"^session-ef2  Database schema +completed, 2m\n$")

    def test_terminal_gets_the_last_note_beside_or_below_and_never_wraps(self):
        session = self.start("Building checkout UI")
        self.daemon.pd("note", "ä" * 300, "-s", session)
        for columns, lines in ((80, 2), (120, 1)):
            terminal = self.terminal("/bin/bash", "--norc", "--noprofile")
            terminal.type(f"stty cols {columns}; $PD sessions --color never; echo DONE")
            shown = terminal.wait_match(rf"(?s)({session}.*)\nDONE\n")[1].split("\n")
            self.assertEqual(len(shown), lines, shown)
            self.assertLessEqual(max(map(len, shown)), columns)
            self.assertRegex(shown[-1], r"ää… \((just now|\d+s ago)\)$")
            self.assertEqual(shown, [line.rstrip() for line in shown])

    def test_help_has_examples(self):
        for command in ("session", "sessions", "note", "notes"):
            shown = self.daemon.pd(command, "--help")
            self.assertIn("Examples", shown)
            self.assertIn(f"pd {command}", shown)


if __name__ == "__main__":
    sys.exit(harness.main())
