#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd history: who had a port, claimed or not, and how it ended."""
import os
import signal
import sys

import harness
from harness import NO, WRONG, free_port, wait_until

ID = f"shop{os.getpid()}:web"  # two programs at once have ports of their own

# Serves on a port for some milliseconds, and then ends as it is told.
SHORT = """
import os, signal, socket, sys, time
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(0.005)
if sys.argv[2] == "exit":
    os._exit(3)
if sys.argv[2] == "signal":
    os.kill(os.getpid(), signal.SIGKILL)
s.close()
print("closed", flush=True)
sys.stdin.read()
"""


class HistoryTest(harness.PortDaddyTest):
    def short(self, port, how, **options):
        child = self.spawn([harness.PYTHON, "-c", SHORT, str(port), how],
                           stdin=harness.subprocess.PIPE, **options)
        if how == "closed":
            child.read_line()
        else:
            child.wait()
        return child

    def named(self, port, how):
        """The same until it is in the history: on a busy machine events may be lost (GAP)."""
        for _ in range(harness.ATTEMPTS):
            child = self.short(port, how)
            if any(e["pid"] == child.pid and e["ended"]["how"] == how
                   for e in self.history(port)):
                return child
            child.kill()
        raise AssertionError(f"{how}: {self.history(port)}")

    def history(self, *arguments):
        return self.daemon.json("history", *map(str, arguments), code=None)["entries"]

    def test_holders_of_five_milliseconds_are_named_with_how_they_ended(self):
        self.need_bpf("what lived between two looks is not seen")
        port = free_port()
        killed = self.named(port, "signal")
        ended = self.named(port, "exit")
        closed = self.named(port, "closed")
        mine = {killed.pid, ended.pid, closed.pid}  # neighbours may have tried the port, too
        found = [e for e in self.history(port) if e["pid"] in mine]
        self.assertEqual([(e["pid"], e["ended"]) for e in found],
                         [(closed.pid, {"how": "closed", "code": None}),
                          (ended.pid, {"how": "exit", "code": 3}),
                          (killed.pid, {"how": "signal", "code": 9})])
        self.assertEqual((found[0]["comm"], found[0]["addr"], found[0]["proto"],
                          found[0]["service"]), ("python3", "127.0.0.1", "tcp", None))
        self.assertTrue(all(e["since"] <= e["until"] for e in found))
        table = self.daemon.pd("history", str(port))
        self.assertRegex(table, rf"(?m)^{port} .* {ended.pid} .*exit code 3$")
        self.assertRegex(table, rf"(?m)^{port} .* {killed.pid} .*signal 9$")
        self.assertEqual(len(self.history(port, "-n", 2)), 2)

        # it is kept over a restart, and what ended meanwhile ended unseen
        self.daemon.claim(ID, "-p", str(port))
        server = self.http_server(port)
        wait_until(lambda: self.history(ID), "the claim's server has a row")
        self.assertIsNone(self.history(ID)[0]["until"])
        wait_until(lambda: self.daemon.query("SELECT 1 FROM history WHERE pid = ?", server.pid),
                   "it is kept")
        self.daemon.stop(signal.SIGKILL)
        server.kill()
        self.daemon.start()
        found = wait_until(lambda: self.history(ID)[0]["ended"] and self.history(port),
                           "the row has an end")
        self.assertEqual(found[0]["ended"], {"how": "unknown", "code": None})
        mine.add(server.pid)
        self.assertEqual([e["pid"] for e in found if e["pid"] in mine],
                         [server.pid, closed.pid, ended.pid, killed.pid])
        self.assertEqual(self.history(ID)[0]["pid"], server.pid)

    def test_command_line_and_what_nobody_had(self):
        answer = self.daemon.run("history", "9")  # one that no test tries
        self.assertEqual(answer.code, NO)
        self.assertIn("nobody is known", answer.err)
        for line, words in ((["history", "70000"], "70000"), (["history", "no name!"], "no name!"),
                            (["history", "-n", "0"], "0"), (["history", "run-12345678"], "a run"),
                            (["history", "--since", "soon"], "soon")):
            self.daemon.run(*line, code=WRONG, says=words)
        self.assertIn("example", self.daemon.pd("help", "history").lower())


class HistoryWithoutBpfTest(harness.PortDaddyTest):
    daemon_arguments = ("--no-bpf",)

    def test_holder_that_a_look_has_seen_is_named(self):
        port = free_port()
        server = self.http_server(port)
        row = lambda: (self.daemon.json("history", str(port), code=None)["entries"] or [None])[0]
        wait_until(row, "it is seen")
        server.kill()
        wait_until(lambda: row()["until"], "its end is seen")
        self.assertIn(row()["ended"]["how"], ("unknown", "closed"))


if __name__ == "__main__":
    sys.exit(harness.main())
