#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The daemon itself: what it may, what it costs, what it refuses, what it remembers."""
import ctypes
import math
import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time

import harness
from harness import NOBODY, needs_root, proc_status, wait_until

PSS_MAX_KB = 12 * 1024
QUIET_S = 3  # a window in which nothing may run
QUIET_WINDOWS = 10


class PlainBuildTest(harness.PortDaddyTest):
    """Measured on the programs as users get them, not on the sanitizers'."""

    def setUp(self):
        super().setUp()
        self.daemon.discard()
        self.daemon = self.start_daemon(program=harness.PLAIN_DAEMON, pd=harness.PLAIN_PD)

    def pss_kb(self):
        with open(f"/proc/{self.daemon.pid}/smaps_rollup", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))

    def test_memory_is_under_12_mb_when_idle(self):
        for n in range(50):
            self.daemon.claim(f"app:n{n}")
        print(f"# PSS {self.pss_kb()} kB")
        self.assertLess(self.pss_kb(), PSS_MAX_KB)

    def activity(self):
        with open(f"/proc/{self.daemon.pid}/stat", encoding="ascii", errors="replace") as f:
            ticks = sum(map(int, f.read().rpartition(")")[2].split()[11:13]))
        status = proc_status(self.daemon.pid)
        return ticks, int(status["voluntary_ctxt_switches"]), \
            int(status["nonvoluntary_ctxt_switches"])

    def kernel_events(self):
        text = self.daemon.pd("metrics", "--prometheus")
        return int(re.search(r"kernel_events_total (\d+)", text)[1])

    def sleeps_for_s(self):
        """How long it sleeps unless something happens; 0 while it does something."""
        call = harness.read_text(f"/proc/{self.daemon.pid}/syscall").split()
        if len(call) < 5 or not os.readlink(
                f"/proc/{self.daemon.pid}/fd/{int(call[1], 16)}").endswith("[eventpoll]"):
            return 0
        ms = ctypes.c_int(int(call[4], 16)).value  # of epoll_wait(fd, events, maxevents, timeout)
        return ms / 1000 if ms >= 0 else math.inf

    def test_idle_daemon_uses_no_cpu(self):
        self.need_bpf("polling wakes once a second")
        self.daemon.claim("app:web")
        heard = self.kernel_events()
        for _ in range(QUIET_WINDOWS):
            before = self.activity()
            time.sleep(QUIET_S)  # the length of the window is what is measured
            if self.activity() == before:
                return
        self.assertGreater(self.kernel_events(), heard, "nothing happened, and yet it ran in each "
                           f"of {QUIET_WINDOWS} windows of {QUIET_S} s: {before} → "
                           f"{self.activity()} (ticks, context switches)")
        # Other programs bind sockets all the time.  In between it sleeps until the next one does.
        wait_until(lambda: self.sleeps_for_s() >= QUIET_S, "it sleeps without a timer", every_s=0)


@needs_root
class PrivilegeTest(harness.PortDaddyTest):
    def test_running_daemon_has_no_capability_and_cannot_gain_one(self):
        status = proc_status(self.daemon.pid)
        for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[which], 16), 0, which)
        self.assertEqual(status["NoNewPrivs"], "1")

    def test_daemon_for_a_user_becomes_that_user_and_still_sees_everything(self):
        home = harness.temp_dir()
        self.addCleanup(shutil.rmtree, home, True)
        os.chown(home, NOBODY, NOBODY)
        daemon = self.start_daemon("--user", "nobody", home=home,
                                   program=harness.public_copy(harness.DAEMON))
        status = proc_status(daemon.pid)
        self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
        self.assertEqual(set(status["Groups"].split()) - {str(NOBODY)}, set())
        self.assertEqual(int(status["CapEff"], 16), 0)
        port = daemon.claim("demo:web")
        server = self.http_server(port)  # root's process, in another user's eyes
        self.assertEqual(daemon.wait_status("demo:web", "active")["pids"], [server.pid])
        server.kill()
        daemon.wait_status("demo:web", "ghost")

    def test_database_belongs_to_the_daemons_user_and_is_private(self):
        mode = os.stat(self.daemon.database)
        self.assertEqual(stat.S_IMODE(mode.st_mode) & 0o077, 0, oct(mode.st_mode))

    def test_root_daemon_may_be_asked_by_everybody(self):
        self.assertEqual(self.daemon.run("status", uid=NOBODY).code, harness.DONE)

    def test_stop_by_another_user_is_refused_and_names_the_owner(self):
        answer = self.daemon.run("daemon", "stop", uid=NOBODY, code=harness.NOT_ALLOWED)
        owner = pwd.getpwuid(os.stat(f"/proc/{self.daemon.pid}").st_uid).pw_name
        self.assertIn(f"belongs to user {owner}", answer.err)

    def test_socket_is_gone_after_a_stop(self):
        self.assertEqual(self.daemon.stop(), 0)
        self.assertFalse(os.path.exists(self.daemon.socket))


@needs_root
class OrdinaryUserTest(harness.PortDaddyTest):
    """A daemon that an ordinary user starts: no eBPF, his own processes only."""

    def setUp(self):
        super().setUp()
        self.root_daemon = self.daemon
        self.daemon = self.start_daemon(uid=NOBODY)

    def pd(self, *arguments):
        return self.daemon.pd(*arguments, uid=NOBODY)

    def test_it_polls_and_says_so_and_how_to_get_more(self):
        kernel = self.daemon.json("status", uid=NOBODY)["kernel"]
        self.assertEqual(kernel["mode"], "poll")
        line = next(l for l in self.pd("status").splitlines() if l.startswith("Kernel"))
        self.assertRegex(line.lower(), "poll")

    def test_it_follows_its_users_server(self):
        port = int(self.pd("claim", "mine:web", "-q"))
        server = self.http_server(port, uid=NOBODY)

        def status(wanted):
            rows = self.daemon.json("find", uid=NOBODY)["services"]
            return rows[0] if rows and rows[0]["status"] == wanted else None
        row = wait_until(lambda: status("active"), "active")
        self.assertEqual(row["pids"], [server.pid])
        server.kill()
        wait_until(lambda: status("ghost"), "ghost")

    def test_its_socket_is_for_its_user_alone(self):
        mode = stat.S_IMODE(os.stat(self.daemon.socket).st_mode)
        self.assertEqual(mode & 0o077, 0, oct(mode))
        answer = self.daemon.run("status", uid=NOBODY - 1)
        self.assertNotEqual(answer.code, harness.DONE)


class OneDaemonTest(harness.PortDaddyTest):
    def test_second_daemon_on_the_same_state_is_refused_naming_the_first(self):
        second = self.new_daemon(home=self.daemon.home).launch()
        self.assertNotEqual(second.process.wait(harness.DEADLINE_S), 0)
        self.assertIn(str(self.daemon.pid), second.log())
        self.assertEqual(self.daemon.json("status")["daemon"]["pid"], self.daemon.pid)

    def test_daemon_starts_again_after_kill_9(self):
        self.daemon.claim("app:web")
        self.daemon.restart(signal.SIGKILL)
        self.assertIsNotNone(self.daemon.service("app:web"))

    def test_session_is_its_own_unless_a_terminal_controls_it(self):
        try:
            os.close(os.open("/dev/tty", os.O_RDONLY))
            expected = os.getsid(0)
        except OSError:
            expected = self.daemon.get("/v1/status")["daemon"]["pid"]
        pid = self.daemon.get("/v1/status")["daemon"]["pid"]
        self.assertEqual(os.getsid(pid), expected)

    def test_pd_stop_ends_the_daemon(self):
        self.daemon.pd("daemon", "stop")
        self.assertEqual(self.daemon.process.wait(harness.DEADLINE_S), 0)
        self.assertEqual(self.daemon.run("status").code, harness.NO_DAEMON)


def has_peer_pidfd():
    """SO_PEERPIDFD, since Linux 6.5."""
    one, other = socket.socketpair()
    with one, other:
        try:
            os.close(one.getsockopt(socket.SOL_SOCKET, 77))
        except OSError:
            return False
    return True


class AutostartTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.daemon.stop()
        self.env = {"PORT_DADDY_NO_AUTOSTART": "", "HOME": self.work}

    def end_started(self):
        status = self.daemon.run("status", "-j", env=self.env)
        pid = harness.json.loads(status.out)["daemon"]["pid"]
        self.daemon.pd("daemon", "stop", env=self.env)
        wait_until(lambda: not harness.runs(pid), "the started daemon ends")

    def test_pd_starts_a_daemon_and_says_so_in_one_line(self):
        answer = self.daemon.run("claim", "app:web", "-q", env=self.env)
        try:
            self.assertEqual(answer.code, harness.DONE, answer.err)
            self.assertRegex(answer.out, r"^\d+\n$")
            self.assertEqual(len(answer.err.splitlines()), 1, answer.err)
        finally:
            self.end_started()

    def test_pd_start_starts_one_daemon_and_a_second_time_none(self):
        first = self.daemon.run("daemon", "start", env=self.env)
        try:
            self.assertEqual(first.code, harness.DONE, first.err)
            pid = self.daemon.json("status")["daemon"]["pid"]
            self.daemon.run("daemon", "start", env=self.env, code=harness.DONE)
            self.assertEqual(self.daemon.json("status")["daemon"]["pid"], pid)
        finally:
            self.end_started()

    def test_restart_ends_a_daemon_that_hangs_and_says_so(self):
        self.daemon.run("daemon", "start", env=self.env)
        hung = self.daemon.json("status")["daemon"]["pid"]
        os.kill(hung, signal.SIGSTOP)
        answer = self.daemon.run("daemon", "restart", env=self.env)
        try:
            self.assertIn(f"(pid {hung}) has not answered yet", answer.err)
            if not has_peer_pidfd():  # nothing else proves whose pid it is
                self.assertIn("nothing was stopped", answer.err)
                os.kill(hung, signal.SIGCONT)
                return
            self.assertEqual(answer.code, harness.DONE, answer.err)
            self.assertRegex(answer.err, rf"\(pid {hung}\) has neither answered nor ended .*SIGKILL")
            self.assertFalse(harness.runs(hung))
            self.assertNotEqual(self.daemon.json("status")["daemon"]["pid"], hung)
        finally:
            self.end_started()

    def test_autostart_can_be_forbidden(self):
        answer = self.daemon.run("find", code=harness.NO_DAEMON)
        self.assertEqual(len(answer.err.splitlines()), 1, answer.err)

    def test_pd_says_why_the_daemon_did_not_start(self):
        with open(self.daemon.database, "wb") as f:
            f.write(b"this is no database\n" * 100)
        answer = self.daemon.run("find", env=self.env)
        self.assertNotEqual(answer.code, harness.DONE)
        self.assertIn("port-registry.db", answer.err)


class RefusedDatabaseTest(harness.PortDaddyTest):
    """A file that is not ours is refused by name, and stays as it was."""

    def refused(self, *words):
        with open(self.daemon.database, "rb") as f:
            before = f.read()
        files = sorted(os.listdir(self.daemon.home))
        os.truncate(self.daemon.log_path, 0)
        self.daemon.launch()
        self.assertNotEqual(self.daemon.process.wait(harness.DEADLINE_S), 0)
        said = self.daemon.log()
        self.assertIn(self.daemon.database, said)
        for word in words:
            self.assertIn(word, said)
        with open(self.daemon.database, "rb") as f:
            self.assertEqual(f.read(), before, "the file was changed")
        self.assertEqual(sorted(os.listdir(self.daemon.home)), files, "files appeared beside it")

    def setUp(self):
        super().setUp()
        for n in range(40):
            self.daemon.claim(f"app:n{n}")
        self.daemon.stop()

    def test_file_that_is_no_database(self):
        with open(self.daemon.database, "wb") as f:
            f.write(b"2024-02-28 this is a log file\n" * 1000)
        self.refused()

    def test_database_of_another_program(self):
        os.unlink(self.daemon.database)
        with sqlite3.connect(self.daemon.database) as other:
            other.execute("CREATE TABLE bookmarks (id INTEGER PRIMARY KEY, url TEXT)")
            other.execute("INSERT INTO bookmarks (url) VALUES ('http://localhost/')")
        other.close()
        self.refused()

    def test_database_of_a_newer_version(self):
        other = sqlite3.connect(self.daemon.database)
        other.execute("PRAGMA user_version = 9999")
        other.close()
        self.refused("9999")


@needs_root
class FullDiskTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.disk = harness.temp_dir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "pd-test", self.disk],
                       check=True)
        self.addCleanup(os.rmdir, self.disk)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)
        self.daemon = self.start_daemon(home=self.disk)

    def fill(self):
        path = os.path.join(self.disk, "ballast")
        with open(path, "wb", buffering=0) as f:
            for size in (65536, 4096, 512):
                try:
                    while True:
                        f.write(b"x" * size)
                except OSError:
                    continue
        return path

    def claim_until_full(self):
        for n in range(3000):
            answer = self.daemon.run("claim", f"full:n{n}", "-q")
            if answer.code != harness.DONE:
                return answer
        return self.fail("the disk never filled up")

    def test_full_disk_refuses_a_claim_in_one_line_and_loses_nothing(self):
        before = self.daemon.claim("app:before")
        ballast = self.fill()
        answer = self.claim_until_full()
        self.assertEqual(answer.code, harness.FAILED, answer.err)
        self.assertEqual(len(answer.err.splitlines()), 1, answer.err)
        self.assertIn("disk", answer.err)
        self.assertEqual(self.daemon.service("app:before")["port"], before)
        os.unlink(ballast)
        after = self.daemon.claim("app:after")
        self.daemon.restart()
        self.assertEqual(self.daemon.service("app:after")["port"], after)
        self.assertEqual(self.daemon.service("app:before")["port"], before)


class RebuildTest(harness.PortDaddyTest):
    """What happened while no daemon ran."""

    def test_restarted_daemon_finds_out_what_changed_and_logs_it(self):
        died, born, same = (self.daemon.claim(n) for n in ("app:died", "app:born", "app:same"))
        dying, steady = self.http_server(died), self.http_server(same)
        self.daemon.wait_status("app:died", "active")
        self.daemon.wait_status("app:same", "active")
        self.daemon.stop(signal.SIGKILL)
        dying.kill()
        newborn = self.http_server(born)
        seen = self.daemon.query("SELECT max(id) FROM activity")[0][0]
        self.daemon.start()
        self.daemon.wait_status("app:died", "ghost")
        self.assertEqual(self.daemon.wait_status("app:born", "active")["pids"], [newborn.pid])
        self.assertEqual(self.daemon.wait_status("app:same", "active")["pids"], [steady.pid])

        def news_now():
            return self.daemon.query("SELECT action, service FROM activity WHERE id > ?", seen)
        wait_until(lambda: {("ACTIVE", "app:born"), ("GHOST", "app:died")} <= set(news_now()),
                   "the news are written down")
        news = news_now()
        self.assertNotIn("app:same", [service for _, service in news])

    def test_gap_stands_in_the_log(self):
        self.daemon.claim("app:web")
        self.daemon.stop(signal.SIGKILL)
        stopped = time.time()
        wait_until(lambda: time.time() > stopped + 1.1, "a gap that whole seconds can show")
        self.daemon.start()
        wait_until(lambda: self.daemon.query("SELECT * FROM activity WHERE action = 'GAP'"),
                   "the gap is written down")

    def test_another_process_on_a_ghosts_port_is_not_taken_for_the_old_one(self):
        port, first = self.serve_claim("app:web")
        self.daemon.stop(signal.SIGKILL)
        first.kill()
        second = self.http_server(port)
        self.daemon.start()
        self.assertEqual(self.daemon.wait_status("app:web", "active")["pids"], [second.pid])


@needs_root
class ReusedPidTest(harness.PortDaddyTest):
    """A pid that comes back belongs to another process."""

    def setUp(self):
        super().setUp()
        if not os.path.exists("/proc/sys/kernel/ns_last_pid"):
            self.skipTest("this kernel does not let a test choose a pid")
        self.port = self.daemon.claim("app:web")
        self.server = self.http_server(self.port)
        self.daemon.wait_status("app:web", "active")

    def reuse_pid(self):
        """A harmless process under the pid that the server had."""
        def try_again():
            with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as f:
                f.write(str(self.server.pid - 1))
            child = self.spawn(["sleep", "1000"])
            if child.pid == self.server.pid:
                return child
            child.kill()
            return None
        return wait_until(try_again, "the pid comes back")

    def test_reused_pid_does_not_keep_a_ghost_alive(self):
        self.server.kill()
        self.reuse_pid()
        self.assertEqual(self.daemon.wait_status("app:web", "ghost")["pids"], [])

    def test_reused_pid_is_not_taken_for_the_server_after_a_restart(self):
        self.daemon.stop(signal.SIGKILL)
        self.server.kill()
        self.reuse_pid()
        self.daemon.start()
        self.assertEqual(self.daemon.wait_status("app:web", "ghost")["pids"], [])


class LossTest(harness.PortDaddyTest):
    """Thousands of events at once: the table is right afterwards, whatever was lost."""

    def test_storm_of_sockets_ends_in_a_true_table(self):
        port, server = self.serve_claim("app:web")
        storm = self.spawn_python("""
for n in range(20000):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    s.close()
ready()
""")
        storm.wait(60 * harness.SCALE)
        server.kill()
        self.daemon.wait_status("app:web", "ghost")

        def leftovers():
            rows = self.daemon.json("find", "--all", code=None).get("sockets", [])
            return not [r for r in rows if storm.pid in r["pids"]]
        wait_until(leftovers, "no socket of the storm is left in the table")


if __name__ == "__main__":
    sys.exit(harness.main())
