# SPDX-License-Identifier: MIT
"""What is on the disk is what is said: files that go away, are replaced, cut or damaged while the
daemon runs, and files that are not the daemon's to remove."""
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys

import harness
from harness import DONE, FAILED, NO, needs_root, wait_until

PAGE = 4096
SIDECARS = ("", "-wal", "-shm")
MANY_CLAIMS = 40


def ended(daemon):
    """The exit status of a daemon that ends by itself."""
    wait_until(lambda: daemon.process.poll() is not None, f"it ends by itself\n{daemon.log()}")
    return daemon.process.returncode


class DiskTest(harness.PortDaddyTest):
    def said(self, word):
        return [line for line in self.daemon.log().splitlines() if word in line]

    def database_line(self):
        answer = self.daemon.run("status", code=NO)
        return next(l for l in answer.out.splitlines() if l.startswith("Database"))

    def assert_one_line(self, answer, *words):
        self.assertEqual(len(answer.err.splitlines()), 1, answer)
        for word in words:
            self.assertIn(word, answer.err)


class LostDatabaseTest(DiskTest):
    """The files at the paths are not those that the daemon has open."""

    def setUp(self):
        super().setUp()
        self.before = self.daemon.claim("app:before")

    def expect_refusal(self, path):
        answer = self.daemon.run("claim", "app:late", code=FAILED)
        self.assert_one_line(answer, path, "pd daemon stop")
        self.assertNotIn("Healthy", self.database_line())
        self.assertIn(path, self.database_line())
        self.assertIn("pd daemon stop", self.database_line())
        status = self.daemon.json("status", code=NO)["database"]
        self.assertEqual((status["healthy"], status["state"]), (False, "lost"))
        self.assertIn(path, status["detail"])
        self.assertEqual(self.daemon.run("status", "-q").out, "lost\n")
        # what was known is still answered
        self.assertEqual(self.daemon.service("app:before")["port"], self.before)
        self.assertIsNone(self.daemon.service("app:late"))

    def remove(self, *suffixes):
        for suffix in suffixes:
            os.unlink(self.daemon.database + suffix)

    def test_claim_into_a_deleted_database_is_refused_and_status_says_so(self):
        self.remove(*SIDECARS)
        self.expect_refusal(self.daemon.database)
        # also of a claim that is there already: after a restart it would not be
        self.assertEqual(self.daemon.run("claim", "app:before").code, FAILED)
        self.daemon.pd("daemon", "stop")
        self.daemon.start()
        self.assertIsNone(self.daemon.service("app:before"))
        self.daemon.claim("app:after")

    def test_claim_into_a_replaced_database_is_refused_and_a_restart_takes_the_new_one(self):
        other = self.new_daemon().start()
        port = other.claim("other:one")
        other.stop()
        os.rename(other.database, self.daemon.database)
        self.expect_refusal(self.daemon.database)
        self.remove("-wal", "-shm")
        self.daemon.pd("daemon", "stop")
        self.daemon.start()
        self.assertEqual(self.daemon.service("other:one")["port"], port)

    def test_deleted_log_of_the_database_is_noticed(self):
        self.remove("-wal")
        self.expect_refusal(self.daemon.database + "-wal")

    def test_deleted_index_of_the_log_is_noticed(self):
        self.remove("-shm")
        self.expect_refusal(self.daemon.database + "-shm")

    def test_database_that_is_put_back_is_written_again(self):
        aside = os.path.join(self.work, "aside.db")
        os.rename(self.daemon.database, aside)
        self.expect_refusal(self.daemon.database)
        os.rename(aside, self.daemon.database)
        port = self.daemon.claim("app:after")
        self.assertEqual(self.daemon.json("status")["database"]["state"], "healthy")
        self.daemon.restart()
        self.assertEqual(self.daemon.service("app:after")["port"], port)

    def test_other_writes_are_refused_like_claims(self):
        self.daemon.pd("session", "start", "Before")
        self.remove(*SIDECARS)
        for command in (("release", "app:before"), ("lock", "a-lock"), ("note", "a note"),
                        ("session", "start", "After")):
            answer = self.daemon.run(*command, code=FAILED)
            self.assert_one_line(answer, self.daemon.database, "pd daemon stop")

    def test_events_of_the_kernel_fill_no_log(self):
        self.remove(*SIDECARS)
        for _ in range(40):
            server = self.http_server(self.before)
            server.kill()
        self.daemon.run("find")
        self.assertLess(len(self.daemon.log().splitlines()), 60, self.daemon.log())


class LostPlaceTest(DiskTest):
    """A daemon that nobody can reach, or whose place another one can take, ends by itself."""

    def setUp(self):
        super().setUp()
        self.daemon.pd("status")

    def assert_ends(self, path):
        self.assertEqual(ended(self.daemon), FAILED, self.daemon.log())
        (line,) = self.said("ending")
        self.assertIn(path, line)

    def keep_log(self):
        """The daemon's stderr in a file that no test removes."""
        self.daemon.stop()
        self.daemon.log_path = os.path.join(self.work, "daemon.log")
        self.daemon.start()
        self.daemon.pd("status")  # connected to it may be before its start is over

    def test_daemon_whose_socket_was_removed_ends_and_the_next_has_its_claims(self):
        port = self.daemon.claim("app:web")
        os.unlink(self.daemon.socket)
        self.assert_ends(self.daemon.socket)
        self.daemon.start()
        self.assertEqual(self.daemon.service("app:web")["port"], port)

    def test_daemon_whose_socket_was_replaced_ends_and_leaves_it(self):
        aside = self.daemon.socket + ".new"
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(aside)
            os.rename(aside, self.daemon.socket)
            self.assert_ends(self.daemon.socket)
            self.assertTrue(stat.S_ISSOCK(os.lstat(self.daemon.socket).st_mode))

    def test_daemon_whose_lock_file_was_removed_ends_before_another_shares_its_directory(self):
        lock = os.path.join(self.daemon.home, "daemon.lock")
        os.unlink(lock)
        self.assert_ends(lock)

    def test_daemon_whose_directory_was_removed_ends(self):
        self.keep_log()
        shutil.rmtree(self.daemon.home)
        self.assertEqual(ended(self.daemon), FAILED)
        self.assertEqual(len(self.said("ending")), 1, self.daemon.log())
        os.mkdir(self.daemon.home)

    def test_daemon_whose_directory_was_renamed_ends(self):
        self.keep_log()
        moved = self.daemon.home + "-moved"
        self.addCleanup(shutil.rmtree, moved, True)
        os.rename(self.daemon.home, moved)
        self.assertEqual(ended(self.daemon), FAILED)
        self.assertEqual(len(self.said("ending")), 1, self.daemon.log())

    def test_daemon_ends_when_a_directory_above_its_own_is_renamed(self):
        above = os.path.join(self.work, "above")
        os.makedirs(os.path.join(above, "home"))
        self.daemon = self.new_daemon(home=os.path.join(above, "home"))
        self.daemon.log_path = os.path.join(self.work, "daemon.log")
        self.daemon.start()
        self.daemon.pd("status")
        os.rename(above, os.path.join(self.work, "elsewhere"))
        self.assertEqual(ended(self.daemon), FAILED)
        self.assertEqual(len(self.said("ending")), 1, self.daemon.log())

    def test_daemon_whose_socket_lies_elsewhere_watches_it_there(self):
        elsewhere = os.path.join(self.work, "elsewhere.sock")
        daemon = self.new_daemon(env={"PORT_DADDY_SOCKET": elsewhere}).launch()
        wait_until(lambda: daemon.run("status").code == DONE, "it answers")
        os.unlink(elsewhere)
        self.assertEqual(ended(daemon), FAILED, daemon.log())

    def test_successor_in_a_directory_that_was_made_anew_keeps_its_files(self):
        self.keep_log()
        self.daemon.process.send_signal(signal.SIGSTOP)  # it hears of nothing yet
        shutil.rmtree(self.daemon.home)
        os.mkdir(self.daemon.home)
        second = self.new_daemon(home=self.daemon.home)
        second.log_path = os.path.join(self.work, "second.log")
        second.start()
        port = second.claim("app:web")
        files = sorted(os.listdir(second.home))
        self.daemon.process.send_signal(signal.SIGCONT)
        ended(self.daemon)
        self.assertEqual(sorted(os.listdir(second.home)), files)
        self.assertEqual(second.claim("app:web"), port)
        self.assertEqual(second.run("status").code, DONE)
        second.stop(signal.SIGKILL)
        second.start()
        self.assertEqual(second.service("app:web")["port"], port)

    def test_two_daemons_of_one_directory_with_two_sockets_are_one(self):
        os.unlink(os.path.join(self.daemon.home, "daemon.lock"))
        second = self.new_daemon(home=self.daemon.home,
                                 env={"PORT_DADDY_SOCKET": os.path.join(self.work, "2.sock")})
        second.launch()
        ended(self.daemon)


class ForeignFileTest(DiskTest):
    """What is at the socket's path and is not ours stays."""

    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.work, "notes.txt")

    def refused(self, *words):
        daemon = self.new_daemon(env={"PORT_DADDY_SOCKET": self.path}).launch()
        self.assertNotEqual(ended(daemon), DONE)
        errors = [line for line in daemon.log().splitlines() if "error" in line]
        self.assertEqual(len(errors), 1, daemon.log())
        for word in (self.path, *words):
            self.assertIn(word, errors[0])

    def test_file_at_the_sockets_path_is_kept_and_named(self):
        with open(self.path, "w", encoding="ascii") as f:
            f.write("my notes\n")
        self.refused("is not a socket", "PORT_DADDY_SOCKET")
        self.assertEqual(harness.read_text(self.path), "my notes\n")

    def test_link_at_the_sockets_path_is_kept(self):
        os.symlink("nowhere", self.path)
        self.refused("is not a socket")
        self.assertEqual(os.readlink(self.path), "nowhere")

    def test_socket_of_another_kind_that_somebody_reads_is_kept(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind(self.path)
            self.refused()
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.connect(self.path)

    def test_socket_whose_server_is_too_busy_to_answer_is_kept(self):
        with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as client:
            other.bind(self.path)
            other.listen(0)
            client.connect(self.path)  # and its queue is full
            self.refused()
            self.assertTrue(os.path.exists(self.path))

    def test_socket_that_nobody_listens_on_is_replaced(self):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(self.path)
        daemon = self.new_daemon(env={"PORT_DADDY_SOCKET": self.path}).launch()
        wait_until(lambda: daemon.run("status").code == DONE, "it answers")


class DamageTest(DiskTest):
    """Bytes of the files are overwritten while the daemon runs."""

    def setUp(self):
        super().setUp()
        self.ports = {f"app:n{n}": self.daemon.claim(f"app:n{n}") for n in range(MANY_CLAIMS)}

    def damage(self, tree):
        """The first page of a table or an index is nonsense, also to a daemon that has read it."""
        db = sqlite3.connect(self.daemon.database, timeout=10, isolation_level=None)
        self.addCleanup(db.close)
        (root,), = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (tree,))

        def is_in_the_file():  # and no newer page in the log hides it
            return db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        wait_until(is_in_the_file, "the log is empty")
        with open(self.daemon.database, "r+b") as f:
            f.seek((root - 1) * PAGE)
            f.write(b"\xa5" * PAGE)
        # another's commit makes the daemon read again
        db.execute("INSERT INTO meta(key, value) VALUES('test', 1)")

    def expect_mended(self, lost):
        """The question that meets the damage says so; then everything that can be read is there."""
        def mended():
            found = self.daemon.json("status", code=None)["database"]
            return found if found["state"] == "healthy" and found["detail"] else None
        database = wait_until(mended, "it is mended")
        self.assertIn(self.daemon.database, database["detail"])
        self.assertIn(lost, database["detail"])
        aside = re.search(r"\S*\.damaged-\d+-\d+", database["detail"])[0]
        self.assertTrue(os.path.exists(aside), aside)
        self.assertIn(aside, self.daemon.pd("log", "--filter", "DAEMON"))
        self.assertEqual({s["id"]: s["port"] for s in self.daemon.json("find")["services"]},
                         self.ports)
        self.daemon.claim("app:after")
        self.daemon.restart(signal.SIGKILL)
        self.assertIsNotNone(self.daemon.service("app:after"))

    def test_damaged_log_is_set_aside_and_claims_go_on(self):
        self.damage("activity")
        self.expect_mended("entries of the log")

    def test_damaged_index_of_the_log_loses_nothing(self):
        self.damage("activityByTime")
        self.expect_mended("nothing is lost")

    def test_damaged_refusals_are_set_aside(self):
        self.damage("failures")
        self.expect_mended("refused binds")

    def test_damaged_sessions_are_set_aside(self):
        self.damage("sessions")
        self.expect_mended("sessions")

    def test_damaged_index_of_locks_loses_none(self):
        fence = self.daemon.json("lock", "kept")["fence"]
        self.damage("sqlite_autoindex_locks_1")
        self.expect_mended("nothing is lost")
        lock, = self.daemon.json("lock", "kept", "--status")["locks"]
        self.assertEqual((lock["held"], lock["fence"]), (True, fence))

    def test_damaged_index_of_claims_loses_none_and_gives_no_port_twice(self):
        self.damage("servicesByPort")
        self.expect_mended("nothing is lost")

    def backup(self):
        return os.path.join(self.daemon.home, "port-registry.backup.db")

    def expect_refusal_of_claims(self, command):
        answers = []

        def refuses():
            answers.append(self.daemon.run("claim", "app:late"))
            return "refused" in answers[-1].err
        try:
            wait_until(refuses, "it refuses")
        except AssertionError as error:
            raise AssertionError(f"{error}; {answers[-1]}\n{self.daemon.log()}") from None
        for words in (("claim", "app:late"), ("find",), ("lock", "l"), ("release", "app:n1")):
            answer = self.daemon.run(*words, code=FAILED)
            self.assert_one_line(answer, self.daemon.database, "damaged", command)
        self.assertIn("Damaged", self.database_line())
        self.assertIn(command, self.database_line())
        self.assertIn(self.daemon.run("why", str(harness.free_port())).code, (DONE, NO))
        self.assertIn(self.daemon.run("find", "--all").code, (DONE, NO))

    def test_damaged_claims_are_refused_and_come_back_from_the_backup(self):
        wait_until(lambda: os.path.exists(self.backup()), "the backup is made")
        self.daemon.restart(signal.SIGKILL)
        self.daemon.pd("status")
        self.damage("services")
        self.expect_refusal_of_claims("daemon restore")
        port = harness.free_port()
        watch = self.pd_stream("watch")

        def seen():
            self.http_server(port).kill()
            return any(f":{port}" in line for line in list(watch.lines))
        if self.daemon.get("/v1/status")["kernel"]["mode"] == "bpf":
            wait_until(seen, "the watcher is told of servers")
        # a start says the same
        self.daemon.restart()
        self.expect_refusal_of_claims("daemon restore")
        env = {"PORT_DADDY_NO_AUTOSTART": ""}
        self.daemon.pd("daemon", "restore", env=env)
        try:
            self.assertEqual({s["id"]: s["port"] for s in self.daemon.json("find")["services"]},
                             self.ports)
            self.daemon.claim("app:after")
        finally:
            self.daemon.pd("daemon", "stop")

    def test_damaged_claims_without_a_backup_say_what_is_left_to_do(self):
        self.daemon.stop()
        if os.path.exists(self.backup()):
            os.unlink(self.backup())
        self.daemon.start()
        self.daemon.pd("status")  # its start, which reads, is over
        self.damage("services")
        self.expect_refusal_of_claims("pd daemon stop")

    def test_lost_row_of_an_index_is_found_at_the_start(self):
        self.daemon.stop()
        db = sqlite3.connect(self.daemon.database, isolation_level=None)
        # a row that the index does not know: written while the index was another's
        db.execute("PRAGMA writable_schema = ON")
        sql, = db.execute("SELECT sql FROM sqlite_master WHERE name = 'servicesByPort'").fetchone()
        db.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'servicesByPort'",
                   (sql + " WHERE port < 0",))
        db.execute("PRAGMA writable_schema = RESET")
        db.execute("UPDATE services SET port = 9998 WHERE id = 'app:n1'")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'servicesByPort'", (sql,))
        db.execute("PRAGMA writable_schema = RESET")
        db.close()
        self.ports["app:n1"] = 9998
        self.daemon.start()
        self.daemon.run("claim", "app:other", "-p", "9998", code=harness.CONFLICT)
        self.expect_mended("nothing is lost")

    def test_claims_survive_a_daemon_that_a_cut_index_killed(self):
        self.daemon.stop()
        self.daemon.env["ASAN_OPTIONS"] += ":handle_sigbus=0"
        self.daemon.start()
        ports = {f"app:n{n}": self.daemon.claim(f"app:n{n}") for n in range(MANY_CLAIMS)}
        new = self.daemon.claim("app:newest")
        os.truncate(self.daemon.database + "-shm", 0)
        self.daemon.run("claim", "app:lost")
        self.assertEqual(self.daemon.process.wait(harness.DEADLINE_S), -signal.SIGBUS)
        self.daemon.start()
        self.assertEqual(self.daemon.service("app:newest")["port"], new)
        for identity, port in ports.items():
            self.assertEqual(self.daemon.service(identity)["port"], port)


class BusyTest(DiskTest):
    def test_claim_behind_anothers_transaction_names_the_database_and_the_way_out(self):
        self.daemon.pd("status")  # its start, which writes, is over
        writer = sqlite3.connect(self.daemon.database, isolation_level=None)
        self.addCleanup(writer.close)
        writer.execute("BEGIN IMMEDIATE")
        answer = self.daemon.run("claim", "late:one", code=FAILED)
        self.assert_one_line(answer, self.daemon.database, "another program", "try again")

    def test_daemon_that_cannot_start_on_a_locked_database_says_what_to_do(self):
        self.daemon.stop()
        holder = sqlite3.connect(self.daemon.database, isolation_level=None)
        self.addCleanup(holder.close)
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        self.daemon.launch()
        self.assertNotEqual(ended(self.daemon), DONE)
        (line,) = self.said("error")
        self.assertIn(self.daemon.database, line)
        self.assertIn("another program", line)

    def test_pd_says_why_its_daemon_could_not_start_and_what_to_do(self):
        self.daemon.stop()
        os.chmod(self.daemon.home, 0o755)
        os.unlink(self.daemon.database)
        os.mkdir(self.daemon.database)
        answer = self.daemon.run("find", env={"PORT_DADDY_NO_AUTOSTART": ""},
                                 code=harness.NO_DAEMON)
        self.assert_one_line(answer, self.daemon.database, "PORT_DADDY_HOME")


class PrivateFilesTest(DiskTest):
    def modes(self):
        return {suffix: stat.S_IMODE(os.stat(self.daemon.database + suffix).st_mode)
                for suffix in SIDECARS if os.path.exists(self.daemon.database + suffix)}

    def test_files_that_others_could_read_are_made_private(self):
        self.daemon.claim("app:web")
        self.daemon.stop(signal.SIGKILL)
        for suffix in self.modes():
            os.chmod(self.daemon.database + suffix, 0o644)
        self.daemon.start()
        self.assertEqual(self.modes(), dict.fromkeys(SIDECARS, 0o600))
        self.assertIsNotNone(self.daemon.service("app:web"))


class LogFileTest(DiskTest):
    """daemon.log, which pd opens for the daemon that it starts."""

    def setUp(self):
        super().setUp()
        self.daemon.stop()
        self.path = os.path.join(self.daemon.home, "daemon.log")

    def lines(self, word):
        """All of them, once the word is in one."""
        text = harness.read_text(self.path)
        return text.splitlines() if word in text else None

    def test_log_of_a_daemon_that_pd_started_stays_bounded_and_keeps_its_newest_lines(self):
        with open(self.path, "w", encoding="ascii") as f:
            for n in range(60000):
                f.write(f"2024-02-28 02:47:23 an old line, number {n}\n")
        before = os.path.getsize(self.path)
        self.assertGreater(before, 2 * 1024 * 1024)
        self.daemon.pd("daemon", "start", env={"PORT_DADDY_NO_AUTOSTART": ""})
        try:
            self.assertLess(os.path.getsize(self.path), 1024 * 1024)
            lines = wait_until(lambda: self.lines("listening on"), "its start is in the log")
            self.assertIn("number 59999", "\n".join(lines))
            self.assertTrue(any("older lines" in l for l in lines), lines[:3])
            for line in lines:
                self.assertRegex(line, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
        finally:
            pid = self.daemon.json("status")["daemon"]["pid"]
            self.daemon.pd("daemon", "stop")
            wait_until(lambda: not harness.runs(pid), "it ends")

    def test_log_that_somebody_else_opened_is_not_cut(self):
        with open(self.daemon.log_path, "a", encoding="ascii") as f:
            f.write("mine\n" * 500000)
        before = os.path.getsize(self.daemon.log_path)
        self.daemon.start()
        self.assertGreater(os.path.getsize(self.daemon.log_path), before)


@needs_root
class FewPrivilegesTest(DiskTest):
    """Root that lacks what giving up asks for has less to give up."""

    def setUp(self):
        super().setUp()
        self.daemon.stop()

    def start_behind(self, *prefix):
        wrapper = os.path.join(self.work, "wrapper")
        with open(wrapper, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\nexec " + " ".join(prefix) + f" {harness.DAEMON} \"$@\"\n")
        os.chmod(wrapper, 0o755)
        self.daemon.program = wrapper
        self.daemon.start()
        port = self.daemon.claim("app:web")
        self.assertEqual(self.daemon.service("app:web")["port"], port)
        status = harness.proc_status(self.daemon.pid)
        for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[which], 16), 0, which)
        self.assertEqual(status["NoNewPrivs"], "1")

    def test_root_without_setpcap_starts(self):
        self.start_behind("setpriv", "--bounding-set=-setpcap")

    def test_root_without_setgid_and_setuid_starts(self):
        self.start_behind("setpriv", "--bounding-set=-setgid,-setuid")

    def test_root_without_any_capability_starts(self):
        self.start_behind("setpriv", "--bounding-set=-all")

    def test_root_of_a_user_namespace_starts(self):
        probe = subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False)
        if probe.returncode:
            self.skipTest("no user namespaces here")
        self.start_behind("unshare", "-Ur")

    def test_root_that_cannot_become_the_user_that_was_asked_for_does_not_start(self):
        self.daemon.arguments = ("--user", "nobody")
        with self.assertRaises(AssertionError):
            self.start_behind("setpriv", "--bounding-set=-setgid,-setuid")
        (line,) = self.said("error")
        self.assertRegex(line, re.escape("nobody"))


if __name__ == "__main__":
    sys.exit(harness.main())
