#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd stop: ends who serves on a port, and what a service has started, and nobody else."""
import os
import signal
import sys

import harness
import trees
from harness import CONFLICT, DONE, NO, NOBODY, NOT_ALLOWED, WRONG, is_free, needs_root, wait_until
from terminal import Terminal

ID = f"shop{os.getpid()}:web"  # two programs at once have ports of their own


class StopTest(harness.PortDaddyTest):
    makes_runs = True

    def run_pd(self, program, *arguments):
        child = self.spawn([self.daemon.pd_program, "run", ID, "-q", "--", harness.PYTHON, "-c",
                            program, *arguments], env=self.daemon.env, cwd=self.work,
                           stdout=open(os.path.join(self.work, "said"), "wb"))

        def ready():
            runs = self.daemon.json("ps", ID, code=None)["runs"]
            return runs and runs[0]["state"] == "ready" and runs[0]
        return child, wait_until(ready, f"{ID} is ready")

    def foreign_server(self, **options):
        """One that no claim accounts for; its port and child."""
        port = harness.free_port()
        return port, self.http_server(port, **options)

    def assert_nobody_left(self, run):
        self.assertEqual(trees.marked(run["id"]), [])
        self.assertTrue(is_free(run["port"]), f"port {run['port']} is taken")

    # --- a service ---

    def test_every_tree_is_ended_and_its_port_binds_at_once(self):
        for name in ("SERVER", "STOPPED_CHILD", "STUBBORN_CHILD"):
            with self.subTest(name):
                child, run = self.run_pd(getattr(trees, name))
                self.assertTrue(trees.marked(run["id"]))
                answer = self.daemon.run("stop", ID, "--grace", "300ms", code=DONE)
                self.assert_nobody_left(run)
                self.assertIn(f"port {run['port']} is free", answer.out)
                child.wait()

    def test_daemon_that_left_everything_is_ended(self):
        child = self.spawn([self.daemon.pd_program, "run", ID, "-q", "--", harness.PYTHON, "-c",
                            trees.DAEMON], env=self.daemon.env, stdout=open(os.devnull, "wb"))
        child.wait()
        run = self.daemon.json("ps", ID)["runs"][0]
        self.assertEqual(len(trees.marked(run["id"])), 1)
        self.daemon.pd("stop", ID)
        self.assert_nobody_left(run)

    def test_run_whose_pd_was_killed_is_ended(self):
        child, run = self.run_pd(trees.STUBBORN_CHILD)
        child.kill()
        self.daemon.wait_status(ID, "orphaned")
        self.daemon.run("stop", ID, "--grace", "200ms", code=DONE, says="SIGKILL")
        self.assert_nobody_left(run)

    def test_run_is_ended_by_its_port_by_its_own_id_and_as_pd_why_says(self):
        for by in ("port", "id", "remedy"):
            with self.subTest(by):
                child, run = self.run_pd(trees.STUBBORN_CHILD)
                why = self.daemon.json("why", str(run["port"]), code=NO)
                run["remedy"] = why["remedies"][0]["command"].removeprefix("pd stop ")
                self.assertEqual(run["remedy"], ID)
                self.assertEqual(why["remedies"][0]["kills"], [why["holders"][0]["pid"]])
                self.daemon.pd("stop", str(run[by]), "--kill")
                self.assert_nobody_left(run)
                child.wait()

    def test_run_is_ended_after_the_daemon_was_killed(self):
        child, run = self.run_pd(trees.STUBBORN_CHILD)
        child.kill()
        self.daemon.restart(signal.SIGKILL)
        self.daemon.pd("stop", ID, "--kill")
        self.assert_nobody_left(run)

    # --- a port ---

    def test_holder_of_no_claim_is_ended_with_yes_alone(self):
        port, server = self.foreign_server()
        self.daemon.run("stop", str(port), code=CONFLICT, says=(f"(pid {server.pid})", "-y"))
        self.assertIsNone(server.process.poll())
        self.assertEqual(self.daemon.run("stop", f":{port}", "-y").code, DONE)
        self.assertEqual(server.wait(), -signal.SIGTERM)
        self.assertTrue(is_free(port))

    def test_holder_of_an_own_claim_needs_no_yes(self):
        port = self.daemon.claim("shop:api", cwd=self.work)
        server = self.http_server(port)
        self.assertEqual(self.daemon.run("stop", "shop:api").code, DONE)
        self.assertEqual(server.wait(), -signal.SIGTERM)

    def test_client_of_a_server_is_not_touched(self):
        port, server = self.foreign_server()
        client = self.spawn_python(f"s = socket.create_connection(('127.0.0.1', {port}))\n"
                                   "ready()\nrest()")
        wait_until(lambda: harness.connections(port), "it is connected")
        self.assertEqual(self.daemon.run("stop", str(port), "-y").code, DONE)
        server.wait()
        self.assertIsNone(client.process.poll())

    def test_ancestor_of_the_caller_is_not_ended(self):
        port = harness.free_port()
        script = (f"import subprocess, sys; s = listener({port}); ready();"
                  f"d = subprocess.run([{self.daemon.pd_program!r}, 'stop', '{port}', '-y'],"
                  f" stderr=subprocess.STDOUT, stdout=subprocess.PIPE);"
                  f"print(d.returncode, d.stdout.decode(), flush=True)")
        shell = self.spawn_python(script, env=self.daemon.env)
        output = shell.process.stdout.read().decode()
        self.assertEqual(shell.wait(), 0, output)
        self.assertTrue(output.startswith(f"{NO} "), output)
        self.assertIn("this pd descends from it", output)

    @needs_root
    def test_another_users_process_is_not_signalled(self):
        port, server = self.foreign_server()
        os.chmod(self.daemon.home, 0o755)
        answer = self.daemon.run("stop", str(port), "-y", uid=NOBODY, code=NOT_ALLOWED)
        self.assertIn("nothing was signalled", answer.err)
        self.assertRegex(answer.err, rf"sudo .*pd stop {port}\n")
        self.assertIsNone(server.process.poll())

        child, run = self.run_pd(trees.STUBBORN_CHILD)
        before = trees.marked(run["id"])
        for by in (run["id"], str(run["port"])):
            answer = self.daemon.run("stop", by, "-y", uid=NOBODY, code=NOT_ALLOWED)
            self.assertIn("nothing was signalled", answer.err)
            self.assertEqual(len(answer.err.splitlines()), 1, answer)
        self.assertEqual(trees.marked(run["id"]), before)
        child.kill(signal.SIGINT)

    def test_dry_run_ends_nobody(self):
        child, run = self.run_pd(trees.STUBBORN_CHILD)
        before = trees.marked(run["id"])
        answer = self.daemon.run("stop", ID, "--dry-run", code=DONE)
        for pid in before:
            self.assertIn(f"(pid {pid})", answer.err)
        self.assertEqual(trees.marked(run["id"]), before)
        self.assertIsNone(child.process.poll())

    def test_udp_server_is_ended(self):
        port = harness.free_port()
        server = self.spawn_python(f"s = listener({port}, kind=socket.SOCK_DGRAM)\nready()\nrest()")
        answer = self.daemon.json("stop", str(port), "-y")
        self.assertEqual([p["pid"] for p in answer["stopped"]], [server.pid])
        self.assertTrue(answer["free"] and is_free(port))

    def test_port_of_nobody_is_told(self):
        port = harness.free_port()
        self.daemon.run("stop", str(port), code=NO, says=f"port {port}: nobody serves there")
        self.assertEqual(self.daemon.run("stop", "no:body").code, NO)

    def test_command_line_is_refused_with_the_way_to_the_daemon(self):
        self.daemon.run("stop", code=WRONG, says="pd daemon stop")
        self.assertEqual(self.daemon.run("stop", "70000").code, WRONG)
        self.assertEqual(self.daemon.run("stop", "3000", "--grace", "soon").code, WRONG)

    def test_json_names_who_ended(self):
        port, server = self.foreign_server()
        answer = self.daemon.json("stop", str(port), "-y")
        self.assertEqual(answer["port"], port)
        self.assertEqual([p["pid"] for p in answer["stopped"]], [server.pid])
        self.assertEqual((answer["left"], answer["free"], answer["restartedBy"]),
                         ([], True, None))

    def test_terminal_is_asked_first(self):
        port, server = self.foreign_server()
        for typed, code in ((b"n\n", NO), (b"y\n", DONE)):
            terminal = Terminal(self, [self.daemon.pd_program, "stop", str(port)], self.daemon.env)
            self.assertIn(f"(pid {server.pid})", terminal.wait_for("[y/N]"))
            self.assertIsNone(server.process.poll())
            terminal.send(typed)
            wait_until(terminal.ended, "pd has its answer")
            self.assertEqual(terminal.status, code)
        self.assertEqual(server.wait(), -signal.SIGTERM)

    def test_holder_that_is_started_again_is_said_to_be_so(self):
        port = harness.free_port()
        loop = self.spawn(["sh", "-c", f"while :; do {harness.PYTHON} -m http.server {port}; done"])
        wait_until(lambda: harness.listens(port), "it listens")
        first = self.daemon.run("stop", str(port), "-y")
        self.assertIn(first.code, (DONE, NO), first)
        wait_until(lambda: harness.listens(port), "it is started again")
        again = self.daemon.run("stop", str(port), "-y")
        self.assertRegex(again.err, rf"sh \(pid {loop.pid}\) may start it again")
        self.assertNotIn("is free", again.out)
        loop.kill()
        self.daemon.run("stop", str(port), "-y")

    def test_restarter_that_is_ended_as_well_starts_nobody_again(self):
        child, run = self.run_pd(
            "import os, subprocess, sys\n"
            "loop = 'while :; do %s -m http.server $PORT; done' % sys.executable\n"
            "sys.exit(subprocess.call(['sh', '-c', loop]))\n")

        def holder():
            why = self.daemon.json("why", str(run["port"]), code=None)
            return why["holders"] and why

        first = wait_until(holder, "it listens")["holders"][0]["pid"]
        os.kill(first, signal.SIGTERM)
        why = wait_until(lambda: (found := holder()) and found["holders"][0]["pid"] != first and
                         found, "it is started again")
        self.assertEqual(why["restartedBy"]["comm"], "sh", why)
        answer = self.daemon.run("stop", ID, code=DONE)
        self.assertNotIn("may start it again", answer.err)
        self.assert_nobody_left(run)
        child.wait()


if __name__ == "__main__":
    sys.exit(harness.main())
