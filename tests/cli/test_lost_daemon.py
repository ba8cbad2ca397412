#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A daemon that ends while pd talks to it: what nobody read is repeated, what was read is not."""
import json
import os
import signal
import socket
import sqlite3
import sys

import harness
from harness import DONE, FAILED, NO_DAEMON, wait_until


class LostDaemonTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.autostart = {**self.daemon.env, "PORT_DADDY_NO_AUTOSTART": "", "HOME": self.work}

    def start_pd(self, *arguments, autostart=True):
        return self.spawn([self.daemon.pd_program, *arguments],
                          env=self.autostart if autostart else self.daemon.env)

    def lose_unread(self, *arguments, **options):
        """pd, whose daemon ends by kill -9 before it even looks at the connection."""
        self.daemon.process.send_signal(signal.SIGSTOP)
        asker = self.start_pd(*arguments, **options)
        wait_until(lambda: self.daemon.clients("02"), "pd is connected")
        self.daemon.stop(signal.SIGKILL)
        return asker

    def end_started(self):
        status = json.loads(self.daemon.run("status", "-j").out)
        self.daemon.pd("daemon", "stop")
        wait_until(lambda: not harness.runs(status["daemon"]["pid"]), "the started daemon ends")

    def test_request_that_was_not_read_is_repeated_with_a_daemon_of_its_own(self):
        for arguments in (("claim", "app:web", "-q"), ("find", "--all")):
            asker = self.lose_unread(*arguments)
            said = asker.output()  # before its end: all sockets of a machine fill a pipe
            self.assertEqual(asker.wait(), DONE, (arguments, said))
            self.assertIn("started the daemon", said)
            self.assertIsNotNone(self.daemon.service("app:web"))
            self.end_started()
            self.daemon.start()

    def test_request_that_was_not_read_and_may_start_no_daemon_finds_none(self):
        asker = self.lose_unread("claim", "app:web", autostart=False)
        self.assertEqual(asker.wait(), NO_DAEMON)
        self.assertIn("no daemon is running", asker.output())

    def test_change_that_was_read_is_not_repeated_and_its_fate_is_said_to_be_unknown(self):
        # without eBPF it has nothing of its own to write, and meets the writer with this claim first
        daemon = self.start_daemon("--no-bpf")
        daemon.claim("app:first")  # with all that it had to write by itself
        writer = sqlite3.connect(daemon.database, isolation_level=None)
        self.addCleanup(writer.close)
        writer.execute("BEGIN IMMEDIATE")
        asker = self.spawn([daemon.pd_program, "claim", "app:web"],
                           env={**self.autostart, "PORT_DADDY_HOME": daemon.home})
        wait_until(daemon.waits_for_writer, "it waits for the writer")
        daemon.stop(signal.SIGKILL)
        self.assertEqual(asker.wait(), FAILED)
        said = asker.output()
        self.assertIn("whether this was carried out is not known", said)
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertEqual(daemon.run("find").code, NO_DAEMON, "nobody started another")

    def lose_read(self, *arguments, meanwhile=lambda: None):
        """pd, whose daemon reads the request and ends: no real one can be killed so exactly."""
        way = os.path.join(self.work, "pd.sock")
        with socket.socket(socket.AF_UNIX) as stand_in:
            stand_in.bind(way)
            stand_in.listen()
            asker = self.spawn([self.daemon.pd_program, *arguments],
                               env={**self.autostart, "PORT_DADDY_SOCKET": way})
            connection, _ = stand_in.accept()
            while not connection.recv(65536).endswith(b"\r\n\r\n"):
                pass
            os.unlink(way)
            meanwhile()
        connection.close()
        return asker

    def test_question_that_was_read_starts_no_daemon(self):
        self.daemon.stop()
        asker = self.lose_read("find")
        self.assertEqual(asker.wait(), FAILED)
        self.assertEqual(asker.output(), "pd: the daemon ended before it answered\n")
        self.assertEqual(self.daemon.run("find").code, NO_DAEMON)

    def test_question_that_was_read_is_put_to_a_daemon_that_is_there(self):
        self.daemon.claim("app:web")
        asker = self.lose_read("find", meanwhile=lambda: os.symlink(
            self.daemon.socket, os.path.join(self.work, "pd.sock")))
        self.assertEqual(asker.wait(), DONE)
        self.assertIn("app:web", asker.output())


if __name__ == "__main__":
    sys.exit(harness.main())
