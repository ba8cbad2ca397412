#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Locks as people and scripts use them: whose they are, what ends them, what waits for them."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import harness
from harness import CONFLICT, DONE, NO, NOT_ALLOWED, SCALE, WRONG, needs_root, wait_until
from terminal import Terminal

DEATH_MAX_S = 0.1 * SCALE


class LockTestBase(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        path = os.path.dirname(self.daemon.pd_program) + ":" + harness.BASE_ENV["PATH"]
        self.env = {**self.daemon.env, "PATH": path}
        self.scripts = harness.temp_dir()
        self.addCleanup(shutil.rmtree, self.scripts)

    def script(self, text, *arguments, **options):
        """Runs a shell script that calls pd; it may wait for ever in `read`."""
        options.setdefault("env", self.env)
        file, path = tempfile.mkstemp(suffix=".sh", dir=self.scripts)
        with open(file, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o644)
        return self.spawn(["sh", path, *arguments], stdin=subprocess.PIPE, **options)

    def holder(self, name="a", *options):
        """A shell that holds the lock until it is killed or its stdin ends."""
        child = self.script('pd lock "$@" >/dev/null && echo locked; read line', name, *options)
        self.assertEqual(child.read_line(), "locked")
        return child

    def lock(self, name="a"):
        found = self.daemon.json("locks")["locks"]
        return next((l for l in found if l["name"] == name), None)

    def wait_free(self, name="a"):
        return wait_until(lambda: not self.lock(name)["held"], f"{name} is free")

    def wait_waiting(self, n, name="a"):
        return wait_until(lambda: len(self.lock(name)["waiters"]) == n, f"{n} wait for {name}")


class StoryTest(LockTestBase):
    def setUp(self):
        super().setUp()
        self.migration = self.script(
            "pd lock payment-config && pd unlock payment-config\n"
            "pd lock db-migrations --ttl 5m --holder myapp:db-init\n"
            "read line")
        for words in ("payment-config locked", "payment-config unlocked", "db-migrations locked"):
            self.assertIn(words, self.migration.read_line())

    def test_locks_are_listed_as_held_and_available(self):
        held, free = self.daemon.pd("locks").splitlines()
        self.assertRegex(held, r"^db-migrations    Held for \d+s by myapp:db-init$")
        self.assertEqual(free, "payment-config   Available")

    def test_status_of_a_lock_says_holder_duration_and_ttl(self):
        lines = self.daemon.pd("lock", "--status", "db-migrations").splitlines()
        self.assertEqual(lines[:2], ["Status: HELD", "Holder: myapp:db-init"])
        self.assertRegex(lines[2], r"^Duration: \d+ seconds?$")
        self.assertRegex(lines[3], r"^TTL: (5m|4m \d+s) remaining$")
        self.assertIn(f"(pid {self.migration.pid},", lines[4])
        free = self.daemon.pd("lock", "--status", "payment-config")
        self.assertEqual(free, "Status: AVAILABLE\n")

    def test_pd_status_names_the_lock(self):
        self.assertRegex(self.daemon.pd("status"), r"(?m)^Locks: +1 active \(db-migrations\)$")
        self.assertEqual(self.daemon.json("status")["locks"],
                         {"held": 1, "names": ["db-migrations"]})

    def test_unlock_with_force_takes_it_and_the_log_says_who_did(self):
        self.daemon.run("unlock", "db-migrations", code=NOT_ALLOWED, says="myapp:db-init")
        self.daemon.pd("unlock", "db-migrations", "--force")
        self.assertEqual(self.daemon.run("unlock", "db-migrations").code, NO)
        entries = self.daemon.json("log", "--filter", "db-migrations")["entries"]
        self.assertEqual([e["action"] for e in entries], ["UNLOCK", "LOCK"])
        self.assertIn("--force", entries[0]["details"])
        self.assertEqual(entries[1]["pid"], self.migration.pid)

    def test_json_has_the_contracts_members(self):
        held, free = self.daemon.json("locks")["locks"]
        self.assertEqual(set(held), {"name", "owner", "machine", "own", "held", "holder", "pid",
                                     "process", "user", "acquiredAt", "ttl", "expiresAt", "fence",
                                     "releasedAt", "waiters"})
        self.assertEqual((held["own"], held["machine"]), (True, False))
        self.assertEqual((held["ttl"], held["pid"]), (300, self.migration.pid))
        self.assertEqual((free["held"], free["holder"]), (False, None))

    def test_the_table_of_people_has_holder_time_and_ttl(self):
        rows = self.daemon.query("SELECT name, holder, ttl FROM locks ORDER BY name")
        self.assertEqual(rows, [("db-migrations", "myapp:db-init", 300),
                                ("payment-config", None, None)])


class OwnerTest(LockTestBase):
    def test_a_lock_is_the_scripts_and_ends_within_a_tenth_of_a_second_of_its_death(self):
        took = []
        for _ in range(harness.ATTEMPTS):
            shell = self.holder()
            self.assertEqual(self.lock()["pid"], shell.pid)
            # a connection that waits tells the moment without polling
            waiter = harness.connect(self.daemon.socket)
            body = b'{"name":"a","holder":"next","wait":"forever"}'
            waiter.sendall(b"POST /v1/locks HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s"
                           % (len(body), body))
            self.wait_waiting(1)
            killed = time.monotonic()
            shell.kill(signal.SIGKILL)
            self.assertIn(b"200", waiter.recv(4096))
            took.append(time.monotonic() - killed)
            waiter.close()
            self.daemon.run("unlock", "a", "--force")
            if took[-1] < DEATH_MAX_S:
                break
        self.assertLess(min(took), DEATH_MAX_S, took)

    def test_a_lock_in_a_command_substitution_is_the_scripts(self):
        shell = self.script('fence=$(pd lock a -q); echo "$fence"; read line')
        fence = int(shell.read_line())
        self.assertEqual((self.lock()["fence"], self.lock()["pid"]), (fence, shell.pid))

    def test_a_lock_ends_with_a_script_that_just_ends(self):
        self.script("pd lock a").wait()
        self.wait_free()

    def test_the_same_script_renews_and_unlocks_without_force(self):
        shell = self.script("pd lock a -q; pd lock a -q; pd lock a; pd unlock a; read line")
        self.assertEqual(shell.read_line(), shell.read_line())
        self.assertIn("already yours", shell.read_line())
        self.assertEqual(shell.read_line(), "a unlocked")
        self.assertFalse(self.lock()["held"])

    def test_what_a_script_starts_may_unlock_for_it(self):
        shell = self.script("pd lock a -q; sh -c 'pd unlock a; true'; read line")
        shell.read_line()
        self.assertEqual(shell.read_line(), "a unlocked")

    def test_a_lock_whose_time_is_over_by_the_clock_is_handed_on(self):
        """As after a night in which the machine slept, and the daemon's timers stood."""
        self.holder("a", "--ttl", "1h")
        self.daemon.execute("UPDATE locks SET expiresAt = ? WHERE name = 'a'", time.time() - 60)
        self.daemon.pd("lock", "a")
        self.assertIn("its time is over", self.daemon.run("log", "--filter", "a").out)

    def test_a_second_script_is_told_who_holds_it(self):
        shell = self.holder("a", "--holder", "myapp:web", "--ttl", "10m")
        answer = self.daemon.run("lock", "a", code=CONFLICT)
        for part in ("myapp:web", f"pid {shell.pid}", "left", "--wait"):
            self.assertIn(part, answer.err)
        error = self.daemon.json("lock", "a", code=CONFLICT)
        self.assertEqual(error["error"]["code"], "conflict")
        self.assertEqual(error["lock"]["holder"], "myapp:web")

    def test_the_holder_is_option_then_session_then_service(self):
        names = {}
        for name, options, env in (
                ("option", ["--holder", "me"], {"PORT_DADDY_SESSION": "session-ab3"}),
                ("session", [], {"PORT_DADDY_SESSION": "session-ab3",
                                 "PORT_DADDY_SERVICE": "myapp:web"}),
                ("service", [], {"PORT_DADDY_SERVICE": "myapp:web"})):
            names[name] = self.daemon.json("lock", name, *options, env=env)["holder"]
        self.assertEqual(names, {"option": "me", "session": "session-ab3",
                                 "service": "myapp:web"})

    def test_a_service_that_the_script_has_claimed_is_the_holder(self):
        shell = self.script("pd claim shop:db -q; pd claim shop:web -q --range 5000-5010\n"
                            "setsid sh -c 'pd claim shop:init -q; pd lock a; read line'")
        for _ in range(3):
            shell.read_line()
        self.assertIn("locked by shop:init", shell.read_line())

    def test_a_ttl_ends_it(self):
        self.holder("a", "--ttl", "1s")
        self.wait_free()
        entry = self.daemon.json("log", "--filter", "a", "-n", "1")["entries"][0]
        self.assertIn("its time of 1s is over", entry["details"])

    @needs_root
    def test_another_users_lock_is_not_unlocked_even_with_force(self):
        self.holder()
        self.daemon.run("unlock", "a", "--force", uid=harness.NOBODY, code=NOT_ALLOWED)
        self.assertTrue(self.lock()["held"])


@needs_root
class NamesOfUsersTest(LockTestBase):
    """Two users and root with one daemon; a name is each user's own."""
    OTHER = 65533

    def held_by(self, uid, name, *options):
        """A shell of that user that holds the lock; and its fence."""
        path = os.path.dirname(harness.public_copy(self.daemon.pd_program))
        shell = self.script('pd lock -q "$@"; read line', name, *options, uid=uid,
                            env={**self.env, "PATH": path + ":" + self.env["PATH"]})
        return shell, int(shell.read_line())

    def rows(self):
        return [(l["name"], l["owner"], l["machine"], l["held"])
                for l in self.daemon.json("locks")["locks"]]

    def test_two_users_hold_locks_of_one_name_with_fences_that_grow(self):
        first, one = self.held_by(harness.NOBODY, "db-migrations")
        second, two = self.held_by(self.OTHER, "db-migrations")
        _, three = self.held_by(0, "db-migrations")
        self.assertLess(one, two)
        self.assertLess(two, three)
        self.assertEqual(self.rows()[0], ("db-migrations", "root", False, True))
        self.assertEqual(len(self.rows()), 3)
        first.kill()
        wait_until(lambda: sum(r[3] for r in self.rows()) == 2, "the first one's is free")
        self.assertIsNone(second.process.poll())
        self.assertEqual(self.daemon.run("lock", "db-migrations", uid=self.OTHER).code, CONFLICT)

    def test_the_list_says_whose_the_others_are_and_quiet_leaves_them_out(self):
        self.held_by(harness.NOBODY, "a")
        self.held_by(0, "b")
        self.held_by(harness.NOBODY, "everybodys", "--machine")
        lines = self.daemon.pd("locks").splitlines()
        self.assertNotIn("[", lines[0])
        self.assertTrue(lines[1].endswith("[machine]"), lines)
        self.assertTrue(lines[2].endswith("[user nobody]"), lines)
        self.assertEqual(self.daemon.pd("locks", "-q").split(), ["b", "everybodys"])

    def test_the_machines_lock_is_one_for_everybody(self):
        _, fence = self.held_by(harness.NOBODY, "apt", "--machine")
        self.daemon.run("lock", "apt", "--machine", uid=self.OTHER, code=CONFLICT, says="nobody")
        self.assertEqual(self.daemon.run("with-lock", "apt", "--machine", "--", "true",
                                         uid=self.OTHER).code, CONFLICT)
        self.assertEqual(self.daemon.run("lock", "apt", uid=self.OTHER).code, DONE)
        status = self.daemon.json("lock", "--status", "apt", "--machine")["locks"][0]
        self.assertEqual((status["machine"], status["fence"]), (True, fence))
        self.daemon.run("unlock", "apt", "--machine", "--force", uid=self.OTHER, code=NOT_ALLOWED)
        self.daemon.pd("unlock", "apt", "--machine", "--force")

    def test_root_takes_anothers_lock_by_the_users_name(self):
        self.held_by(harness.NOBODY, "a")
        self.held_by(self.OTHER, "a")
        self.daemon.run("unlock", "a", "--force", code=CONFLICT, says="--user")
        self.daemon.pd("unlock", "a", "--user", "nobody", "--force")
        self.assertTrue(self.daemon.json("lock", "--status", "a", "--user",
                                         str(self.OTHER))["locks"][0]["held"])
        self.daemon.pd("unlock", "a", "--force")  # one is left: it is clear whose
        self.assertFalse(any(row[3] for row in self.rows()))

    def test_who_has_no_lock_of_the_name_is_told_where_there_is_one(self):
        self.held_by(harness.NOBODY, "a", "--machine")
        self.daemon.run("lock", "--status", "a", uid=self.OTHER, code=NO, says="--machine")
        self.held_by(harness.NOBODY, "b")
        self.daemon.run("lock", "--status", "b", uid=self.OTHER, code=NO, says="--user nobody")
        self.daemon.run("unlock", "b", "--user", "nobody", "--force", uid=self.OTHER,
                        code=NOT_ALLOWED)

    def test_waiters_wait_for_the_lock_of_their_own_user(self):
        mine, _ = self.held_by(self.OTHER, "a")
        self.held_by(harness.NOBODY, "a")
        path = os.path.dirname(harness.public_copy(self.daemon.pd_program))
        waiter = self.script("pd lock a --wait -q; read line", uid=self.OTHER,
                             env={**self.env, "PATH": path + ":" + self.env["PATH"]})
        wait_until(lambda: any(l["waiters"] for l in self.daemon.json("locks")["locks"]), "it waits")
        mine.kill()
        self.assertGreater(int(waiter.read_line()), 0)

    def test_names_and_users_that_cannot_be_are_refused(self):
        for arguments, words in (
                (["lock", "a", "--user", "nobody"], "--status"),
                (["unlock", "a", "--machine", "--user", "nobody"], "exclude"),
                (["unlock", "a", "--user", "no-such-user"], "no user"),
                (["lock", "a@65534"], "letters")):
            self.daemon.run(*arguments, code=WRONG, says=words)


class WaitTest(LockTestBase):
    def waiter(self, *options):
        return self.script('pd lock a --wait "$@" -q && date +%s%N; read line', *options)

    def test_waiters_are_served_in_order(self):
        first = self.holder()
        fences = []
        waiters = []
        for n in range(1, 4):
            waiters.append(self.script("pd lock a --wait -q; read line"))
            self.wait_waiting(n)
        for shell in [first, *waiters[:-1]]:
            shell.kill()
            fences.append(int(waiters[len(fences)].read_line()))
        self.assertEqual(fences, sorted(fences))

    def test_a_wait_that_is_over_is_a_conflict(self):
        self.holder()
        self.daemon.run("lock", "a", "--wait=1s", code=CONFLICT, says="waited 1s")

    def test_a_waiter_that_is_killed_gets_nothing(self):
        holder = self.holder()
        pd = self.spawn([self.daemon.pd_program, "lock", "a", "--wait"], env=self.env)
        self.wait_waiting(1)
        pd.kill(signal.SIGKILL)
        self.wait_waiting(0)
        holder.kill()
        self.wait_free()

    def test_a_waiter_outlives_kill_9_of_the_daemon(self):
        holder = self.holder()
        waiter = self.script("pd lock a --wait=2m -q; read line")
        self.wait_waiting(1)
        before = self.lock()
        self.daemon.restart(signal.SIGKILL)
        self.wait_waiting(1)
        self.assertEqual((self.lock()["pid"], self.lock()["fence"]),
                         (before["pid"], before["fence"]))
        holder.kill()
        self.assertGreater(int(waiter.read_line()), before["fence"])

    def test_after_a_restart_the_lock_of_a_dead_process_is_free(self):
        holder = self.holder()
        self.daemon.stop(signal.SIGKILL)
        holder.kill(signal.SIGKILL)
        self.daemon.start()
        self.assertFalse(self.lock()["held"])


class WithLockTest(LockTestBase):
    def with_lock(self, *arguments, **options):
        return self.daemon.run("with-lock", "a", *arguments, **options)

    def start(self, *arguments, **options):
        return self.spawn([self.daemon.pd_program, "with-lock", "a", *arguments], env=self.env,
                          **options)

    def test_exit_codes_are_the_commands(self):
        for script, code in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137),
                             ("kill -TERM $$", 143)):
            self.assertEqual(self.with_lock("--", "sh", "-c", script).code, code, script)
        self.assertEqual(self.with_lock("--", "no-such-command").code, 127)
        self.assertEqual(self.with_lock("--", "/etc/passwd").code, 126)
        self.assertFalse(self.lock()["held"])

    def test_input_output_and_fence_are_the_commands(self):
        answer = self.with_lock("--", "sh", "-c", "cat; echo $PORT_DADDY_LOCK_FENCE; echo e >&2",
                                input_text=b"in\n")
        self.assertRegex(answer.out, r"^in\n\d+\n$")
        self.assertEqual(answer.err, "e\n")

    def test_json_comes_behind_the_commands_output(self):
        out = self.with_lock("-j", "--", "sh", "-c", "echo x; exit 3").out.splitlines()
        self.assertEqual(out[0], "x")
        self.assertEqual(json.loads("".join(out[1:]))["exitCode"], 3)

    def test_a_held_lock_is_a_conflict_and_nothing_runs(self):
        self.holder()
        answer = self.with_lock("--", "echo", "ran")
        self.assertEqual((answer.code, answer.out), (CONFLICT, ""))
        self.assertEqual(self.with_lock("--wait=1s", "--", "echo", "ran").code, CONFLICT)

    def test_it_renews_while_the_command_runs(self):
        child = self.start("--ttl", "3s", "--", "sh", "-c", "echo on; read line; echo off",
                           stdin=subprocess.PIPE)
        self.assertEqual(child.read_line(), "on")
        before = self.lock()
        # the lock's end has moved by more than its whole time
        wait_until(lambda: self.lock()["expiresAt"] >= before["expiresAt"] + 4, "renewals")
        self.assertEqual(self.lock()["fence"], before["fence"])
        child.process.stdin.close()
        self.assertEqual(child.wait(), 0)

    def test_a_command_whose_lock_was_taken_is_ended(self):
        child = self.start("--ttl", "3s", "--", "sleep", "1000")
        wait_until(lambda: self.lock() and self.lock()["held"], "it is locked")
        self.daemon.pd("unlock", "a", "--force")
        self.assertEqual(child.wait(), CONFLICT)
        self.assertIn("ending the command", child.output())

    def test_killed_with_9_it_frees_the_lock_and_ends_the_command(self):
        harness.make_subreaper()
        self.addCleanup(harness.make_subreaper, False)
        child = self.start("--", "sh", "-c", "echo $$; exec sleep 1000")
        command = int(child.read_line())
        self.strays.append(command)
        child.kill(signal.SIGKILL)
        self.wait_free()
        _, status = os.waitpid(command, 0)
        self.strays.remove(command)
        self.assertEqual(os.WTERMSIG(status), signal.SIGTERM)

    def test_signals_are_passed_on(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            child = self.start("--", "sh", "-c",
                               f"trap 'echo got; exit 9' {int(number)}; echo on\n"
                               "while :; do sleep 0.01; done")
            self.assertEqual(child.read_line(), "on")
            os.kill(child.pid, number)
            self.assertEqual(child.read_line(), "got", number)
            self.assertEqual(child.wait(), 9)

    def test_an_interrupt_of_the_terminal_reaches_the_command_once(self):
        counter = ("import signal, sys\n"
                   "n = 0\n"
                   "def count(*_):\n    global n\n    n += 1\n    print('int', n, flush=True)\n"
                   "signal.signal(signal.SIGINT, count)\n"
                   "print('ready', flush=True)\n"
                   "for line in iter(sys.stdin.readline, ''): print('line', n, flush=True)\n")
        terminal = Terminal(self, [self.daemon.pd_program, "with-lock", "a", "--", harness.PYTHON,
                                   "-c", counter], self.env)
        for words, keys in (("ready", b"\x03"), ("int 1", b"go\n"), ("line 1", b"\x04")):
            terminal.wait_for(words)
            terminal.send(keys)
        wait_until(terminal.ended, "the command has read the end")
        self.assertEqual(terminal.status, 0)
        self.assertNotIn("int 2", terminal.shown())


class InputTest(LockTestBase):
    def test_names_and_times_that_cannot_be_are_refused_with_a_sentence(self):
        for arguments, words in (
                (["lock"], "missing"),
                (["lock", "a b"], "letters"),
                (["lock", "a\x1b[2J"], "letters"),
                (["lock", "x" * 10000], "at most 128"),
                (["lock", "a", "--ttl", "0"], "duration"),
                (["lock", "a", "--ttl", "2h30"], "duration"),
                (["lock", "a", "--wait=soon"], "duration"),
                (["lock", "a", "--wait", "soon"], "too many"),
                (["lock", "--status", "a", "--ttl", "5s"], "--status"),
                (["lock", "a", "--holder", "x\ny"], "control"),
                (["unlock"], "missing"),
                (["with-lock", "a"], "missing"),
                (["locks", "a"], "too many")):
            answer = self.daemon.run(*arguments)
            self.assertEqual(answer.code, WRONG, arguments)
            self.assertIn(words, answer.err, arguments)
            self.assertNotIn("\x1b", answer.err)
        self.assertEqual(self.daemon.json("locks")["locks"], [])

    def test_time_to_wait_is_a_word_of_its_own_or_follows_an_equals_sign(self):
        for arguments in (["--wait", "5s"], ["--wait=5s"]):
            self.assertEqual(self.daemon.run("lock", "a", *arguments).code, DONE, arguments)
        self.assertEqual([l["name"] for l in self.daemon.json("locks")["locks"]], ["a"])

    def test_a_lock_that_nobody_used_is_a_no(self):
        self.assertEqual(self.daemon.run("lock", "--status", "never").code, NO)
        self.assertEqual(self.daemon.run("unlock", "never").code, NO)
        self.daemon.pd("lock", "ever")
        for line in ("unlock evre", "lock --status evre"):
            self.assertIn("did you mean ever?", self.daemon.run(*line.split()).err, line)
        self.assertEqual(self.daemon.run("locks").code, DONE)

    def test_every_command_has_help_with_an_example(self):
        for command in ("lock", "unlock", "locks", "with-lock"):
            self.assertRegex(self.daemon.pd(command, "--help"),
                             rf"(?s)usage: pd {command}.*Examples\n  pd {command}")

    def test_a_held_lock_whose_row_is_deleted_leaves_the_daemon_well(self):
        shells = [self.holder(name) for name in ("a", "b")]
        self.daemon.execute("DELETE FROM locks WHERE name = 'a'")
        self.assertEqual([l["name"] for l in self.daemon.json("locks")["locks"]], ["b"])
        self.assertEqual(self.daemon.run("lock", "a").code, DONE)
        self.assertTrue(self.lock("b")["held"])
        self.assertIsNone(self.daemon.process.poll(), self.daemon.log())
        self.assertEqual([s.process.poll() for s in shells], [None, None])

    def test_rows_that_people_write_are_noticed_at_the_next_look(self):
        shell = self.holder()
        subprocess.run([harness.PYTHON, "-c",
                        "import sqlite3, sys\n"
                        "c = sqlite3.connect(sys.argv[1], timeout=10)\n"
                        "c.execute(\"UPDATE locks SET holder = NULL WHERE name = 'a'\")\n"
                        "c.execute(\"INSERT INTO locks(name, holder, acquiredAt, ttl) "
                        "VALUES('by-hand', 'me', 'soon', -1)\")\n"
                        "c.commit()", self.daemon.database], check=True)
        self.assertFalse(self.lock("a")["held"])
        self.assertFalse(self.lock("by-hand")["held"], "nobody's process holds it")
        self.assertEqual(self.daemon.run("lock", "a").code, DONE)
        self.assertIsNone(shell.process.poll())


if __name__ == "__main__":
    sys.exit(harness.main())
