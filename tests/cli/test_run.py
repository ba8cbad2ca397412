#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd run: a program on its port, in this terminal, and nobody who is left behind."""
import json
import os
import re
import signal
import socket
import sys
import time

import harness
import trees
from harness import DONE, NO, WRONG, is_free, wait_until

ID = f"shop{os.getpid()}:web"  # two programs at once have ports of their own
PD_FAILED = 125


class RunTest(harness.PortDaddyTest):
    makes_runs = True

    def run_pd(self, program, *arguments, options=(), **more):
        """pd run of a python program; what it says is in the file said."""
        self.said = os.path.join(self.work, "said")
        more.setdefault("stdout", open(self.said, "wb"))
        return self.spawn([self.daemon.pd_program, "run", ID, *options, "--", harness.PYTHON, "-c",
                           program, *arguments], env={**self.daemon.env, **more.pop("env", {})},
                          cwd=self.work, **more)

    def run_with_udp(self, program):
        """pd run of a program that has a UDP socket as well; OTHER in it is the port that returns."""
        udp = harness.free_port()
        other = harness.free_port(but=(udp,))
        self.run_pd(f"""{trees.SERVE}
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.1", {udp}))
OTHER = {other}
{program}""")
        return other

    def words(self):
        return harness.read_text(self.said)

    def wait_words(self, pattern):
        return wait_until(lambda: re.search(pattern, self.words(), re.M), pattern)

    def the_run(self):
        found = self.daemon.json("ps", ID, code=None)["runs"]
        return found[0] if found else None

    def wait_ready(self):
        """Until it listens on its port; its row of pd ps."""
        def there():
            run = self.the_run()
            return run if run and run["state"] == "ready" else None
        try:
            return wait_until(there, f"{ID} is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.the_run()}; it said:\n{self.words()}") from None

    def wait_members(self, n):
        def there():
            run = self.the_run()
            return run if run and len(run["members"]) == n else None
        return wait_until(there, f"{n} members")

    def wait_comms(self, *names):
        """Until the members are programs of these names."""
        def there():
            run = self.the_run()
            return run if run and sorted(m["comm"] for m in run["members"]) == sorted(names) \
                else None
        return wait_until(there, f"members {names}")

    def needs_bpf(self):
        self.need_bpf("who clears its environment is not followed")

    def kill(self, pid, run):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not harness.runs(pid), f"{pid} is gone")

    def assert_nobody_left(self, run):
        self.assertEqual(trees.marked(run["id"]), [])
        self.assertTrue(is_free(run["port"]), f"port {run['port']} is taken")
        wait_until(lambda: self.the_run() is None, "the run is over")

    # --- in the place of the command ---

    def test_exit_code_is_that_of_the_command(self):
        for command, code in ((["true"], 0), (["sh", "-c", "exit 7"], 7),
                              (["sh", "-c", "kill -KILL $$"], 137), (["no-such-program"], 127),
                              (["/etc/passwd"], 126)):
            answer = self.daemon.run("run", ID, "--", *command)
            self.assertEqual(answer.code, code, (command, answer))
        self.assertIn("no-such-program", self.daemon.run("run", ID, "--", "no-such-program").err)
        self.needs_bpf()
        entries = lambda: [e["details"].split(" ", 1)[1] for e in
                           self.daemon.json("log", "--filter", "RUN")["entries"]]
        wait_until(lambda: len(entries()) == 12, "each begin and each end has an entry")
        self.assertRegex(entries()[0], r"^ended after \d+s, exit code 127$")
        self.assertEqual(entries()[1], "began")
        self.assertRegex(entries()[8], r", exit code 7$")

    def test_signal_that_ended_it_is_told_unless_it_was_passed_on(self):
        for line, code in (("run -q x:y", 139), ("run x:y", 139), ("with-lock x", 139)):
            answer = self.daemon.run(*line.split(), "--", "sh", "-c", "kill -SEGV $$")
            self.assertEqual(answer.code, code, answer)
            (self.assertEqual if "-q" in line else self.assertRegex)(
                answer.err, "" if "-q" in line else r"^pd: sh \(pid \d+\): Segmentation fault")
        child = self.run_pd(trees.SERVER)
        self.wait_ready()
        child.process.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(), 128 + signal.SIGTERM)
        self.assertNotIn("Terminated", self.words())

    def test_command_line_is_refused_with_what_is_missing(self):
        for line, words in ((["run", "npm", "start"], '"--" stands in front'),
                            (["run", "--"], "missing"),
                            (["run", ID, "--"], "no command behind"),
                            (["run", ID, "more", "--", "true"], "'more' is too much"),
                            (["run", "no name!", "--", "true"], "no name!"),
                            (["run", "--grace", "soon", "--", "true"], "soon")):
            answer = self.daemon.run(*line)
            self.assertIn(answer.code, (WRONG, PD_FAILED), answer)
            self.assertIn(words, answer.err)

    def test_one_of_several_services_has_to_be_named_in_front_of_the_command(self):
        self.write(".portdaddyrc", '{"project": "shop", "services": {"api": {}, "web": {}}}')
        answer = self.daemon.run("run", "--", "true", cwd=self.work, code=PD_FAILED)
        self.assertRegex(answer.err, r"say which one: pd run api -- CMD\.\.\.")

    def test_what_may_not_be_looked_into_in_the_path_is_not_the_command(self):
        # for root as well a directory is what exec() has no permission for
        os.makedirs(os.path.join(self.work, "bin", "no-such-program"))
        path = {"PATH": os.path.join(self.work, "bin")}
        answer = self.daemon.run("run", ID, "--", "no-such-program", env=path)
        self.assertEqual(answer.code, 127, answer)
        self.assertIn("cannot run no-such-program: No such file", answer.err)
        open(os.path.join(self.work, "bin", "not-executable"), "w", encoding="ascii").close()
        answer = self.daemon.run("run", ID, "--", "not-executable", env=path)
        self.assertEqual(answer.code, 126, answer)
        self.assertIn("Permission denied", answer.err)

    def test_failure_of_pd_itself_has_a_code_of_its_own(self):
        self.daemon.stop()
        self.daemon.run("run", ID, "--", "true", code=PD_FAILED)

    def test_command_finds_its_port_in_the_environment(self):
        answer = self.daemon.run("run", ID, "-q", "--", "env", env={"PORT": "1"})
        found = dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)
        port = self.daemon.claim(ID)
        self.assertEqual(found["PORT"], str(port))
        self.assertEqual(found["PORT_DADDY_ID"], ID)
        self.assertEqual(found["PORT_DADDY_URL"], f"http://localhost:{port}")
        self.assertRegex(found["PORT_DADDY_RUN"], r"^run-[0-9a-f]{8}$")
        self.assertEqual(answer.err, "")

    def test_command_has_stdin_and_process_group(self):
        script = "read line; echo got $line; cut -d' ' -f5 /proc/self/stat"
        answer = self.daemon.run("run", ID, "--", "sh", "-c", script, input_text=b"words\n")
        self.assertEqual(answer.out.splitlines()[0], "got words")
        self.assertEqual(answer.out.splitlines()[1], str(os.getpgrp()))

    def test_json_is_one_object_behind_the_output(self):
        answer = json.loads(self.daemon.run("run", ID, "-j", "--", "sh", "-c", "exit 3").out)
        self.assertEqual(answer["exitCode"], 3)
        self.assertEqual((answer["id"], answer["left"]), (ID, 0))

    # --- what is said ---

    def test_first_listen_is_told_in_one_line(self):
        child = self.run_pd(trees.SERVER)
        run = self.wait_ready()
        self.wait_words(rf"^pd: {ID} serves on http://localhost:{run['port']} "
                        rf"\(python3?[.0-9]*, pid \d+, after \d+\.\ds\)$")
        self.assertEqual(run["members"][0]["ports"], [run["port"]])
        child.kill(signal.SIGTERM)
        self.assertEqual(self.words().count("\n"), 1, self.words())

    def test_listener_of_a_moment_is_told_once_it_lasts(self):
        self.needs_bpf()
        flag = os.path.join(self.work, "go")
        child = self.run_pd(trees.SERVE + f"""
serve().close()
while not os.path.exists({flag!r}):
    time.sleep(0.01)
s = serve(); rest()""")
        wait_until(lambda: "GHOST" in self.daemon.run("log", ID).out,
                   "the end of the trial is written")
        self.assertEqual(self.words(), "")
        open(flag, "w", encoding="ascii").close()
        self.wait_words("serves on")
        child.kill(signal.SIGTERM)
        self.assertEqual(self.words().count("\n"), 1, self.words())

    def test_what_is_bound_beside_its_server_is_not_told(self):
        """Neither by UDP, before and after a trial, nor by a parent of the server a moment later."""
        self.needs_bpf()
        self.run_with_udp("""
serve().close()
time.sleep(0.3)
if not os.fork():
    s = serve(); rest()
time.sleep(0.03)
s = serve(OTHER); rest()""")
        self.wait_words("serves on")
        self.assertEqual(self.words().count("\n"), 1, self.words())

    def test_listen_on_another_port_is_told_and_not_the_socket_before_it(self):
        self.needs_bpf()
        other = self.run_with_udp("s = serve(OTHER); rest()")
        self.wait_words(f"listens on port {other}, its own is")
        self.assertEqual(self.words().count("\n"), 1, self.words())

    def test_quiet_run_says_nothing(self):
        child = self.run_pd(trees.SERVER, options=["-q"])
        self.wait_ready()
        child.kill(signal.SIGTERM)
        self.assertEqual(self.words(), "")

    def test_listen_on_another_port_is_told_with_the_one_that_was_claimed(self):
        port = harness.free_port()
        child = self.run_pd(trees.SERVE + f"s = serve({port}); rest()")
        own = self.daemon.claim(ID)
        self.wait_words(f"listens on port {port}, its own is {own}")
        self.assertIn(f"; --hardcoded {port} makes that of it", self.words())
        self.assertIn(f"{ID} listens on {port}, not on {own}: pd why {port}",
                      self.daemon.run("why", ID).err)
        self.assertRegex(self.daemon.pd("ps", ID), rf"elsewhere .*listens on {port}, not on {own};")
        self.assertEqual(self.the_run()["state"], "starting")
        child.kill(signal.SIGTERM)

    def test_refused_bind_is_told_with_its_holder(self):
        self.needs_bpf()
        port = harness.free_port()
        with socket.socket() as s:
            s.bind(("127.0.0.1", port))
            s.listen()
            child = self.run_pd(trees.SERVE + f"s = serve({port})")
            self.assertEqual(child.wait(), 1)
        self.assertRegex(self.words(), rf"pd: python3?[.0-9]* \(pid \d+\) was refused port {port}, "
                         rf"which \S+ \(pid {os.getpid()}\) holds \(EADDRINUSE\)")
        self.assertIn("in $PORT", self.words())

    # --- who belongs to it ---

    def test_daemon_that_left_its_session_is_a_member(self):
        child = self.run_pd(trees.DAEMON)
        self.assertEqual(child.wait(), DONE)
        output = self.words()
        run = self.wait_members(1)
        self.assertEqual(run["state"], "detached")
        self.assertEqual([m["pid"] for m in run["members"]], trees.marked(run["id"]))
        self.assertEqual(run["members"][0]["comm"], "somebody")
        self.assertIn(f"somebody (pid {run['members'][0]['pid']}) goes on to listen on port "
                      f"{run['port']}; pd stop {ID} ends it", output)
        self.assertEqual(self.daemon.service(ID)["status"], "active")
        self.assertEqual(self.daemon.service(ID)["run"], run["id"])
        self.kill(run["members"][0]["pid"], run)
        self.assert_nobody_left(run)

    def test_program_without_an_environment_is_a_member(self):
        self.needs_bpf()
        child = self.run_pd(trees.NAMELESS)
        self.assertEqual(child.wait(), DONE)
        run = self.wait_members(1)
        run = self.wait_comms("sleep")
        self.assertEqual(run["members"][0]["ports"], [run["port"]])
        self.kill(run["members"][0]["pid"], run)
        self.assert_nobody_left(run)

    def test_members_are_shown_as_a_tree(self):
        self.spawn([self.daemon.pd_program, "run", ID, "--", "sh", "-c",
                    "bash -c 'sleep 600; true'; true"], env=self.daemon.env)
        run = self.wait_comms("sh", "bash", "sleep")
        by_pid = {m["pid"]: m for m in run["members"]}
        sleep = next(m for m in run["members"] if m["comm"] == "sleep")
        self.assertEqual(by_pid[sleep["ppid"]]["comm"], "bash")
        self.assertEqual(sorted(by_pid), trees.marked(run["id"]))
        text = self.daemon.pd("ps")
        self.assertRegex(text, r"\n  sh +\d+.*\n    bash +\d+.*\n      sleep +\d+ ")
        self.assertIn("sleep 600", text)

    def test_ps_without_runs_says_so(self):
        self.assertIn("nothing was started", self.daemon.run("ps").err)
        self.daemon.run("ps", "no:body", code=NO, says="no run of no:body")

    def test_run_inside_a_run_is_of_its_own(self):
        script = (f"{self.daemon.pd_program} run shop:inner -q -- sleep 600 & sleep 600; true")
        outer = self.spawn([self.daemon.pd_program, "run", ID, "-q", "--", "sh", "-c", script],
                           env=self.daemon.env, cwd=self.work)
        run = self.wait_comms("pd", "sh", "sleep")
        inner = wait_until(lambda: next(
            (r for r in self.daemon.json("ps", "shop:inner", code=None)["runs"]
             if [m["comm"] for m in r["members"]] == ["sleep"]), None), "the inner run")
        outer.kill(signal.SIGTERM)
        self.assert_nobody_left(run)
        self.assertEqual(trees.marked(inner["id"]), [])

    # --- when the command ends ---

    def test_members_that_outlive_a_killed_command_are_ended_and_named(self):
        child = self.run_pd(trees.STUBBORN_CHILD, options=["--grace", "200ms"])
        run = self.wait_ready()
        child.process.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(), 128 + signal.SIGTERM)
        output = self.words()
        self.assertRegex(output, r"\(pid \d+\) is left: SIGTERM")
        self.assertRegex(output, r"\(pid \d+\) did not end in its grace: SIGKILL")
        self.assert_nobody_left(run)

    def test_members_that_outlive_a_failed_command_are_ended(self):
        child = self.run_pd(trees.LEAVING_LEADER, "3")
        self.assertEqual(child.wait(), 3)
        self.assertRegex(self.words(), r"\(pid \d+\) is left: SIGTERM")
        self.assertTrue(is_free(self.daemon.claim(ID)))

    def test_child_that_stopped_itself_is_ended(self):
        child = self.run_pd(trees.STOPPED_CHILD, options=["--grace", "20s"])
        run = self.wait_ready()
        began = time.monotonic()
        child.kill(signal.SIGTERM)
        self.assertLess(time.monotonic() - began, 15, "it was not continued for its SIGTERM")
        self.assert_nobody_left(run)

    # --- pd is killed, the daemon is killed ---

    def test_run_of_a_killed_pd_is_unattended_and_its_claim_orphaned(self):
        child = self.run_pd(trees.SERVER)
        run = self.wait_ready()
        child.kill()
        row = self.daemon.wait_status(ID, "orphaned")
        self.assertIn(f"pd stop {ID} ends it", row["reason"])
        table = self.daemon.run("find", ID)
        self.assertIn("orphaned (unattended)", table.out)
        self.assertIn(f"pd stop {ID} ends what it left", table.out + table.err)
        self.assertEqual(self.the_run()["state"], "unattended")
        self.assertIn("pd stop", self.daemon.run("ps").err)
        self.kill(run["members"][0]["pid"], run)
        self.assert_nobody_left(run)

    def test_killed_daemon_finds_the_members_again(self):
        child = self.run_pd(trees.DAEMON)
        child.wait()
        left = self.wait_members(1)
        tree = self.spawn([self.daemon.pd_program, "run", "shop:api", "-q", "--", "sh", "-c",
                           "sleep 600; true"], env=self.daemon.env, cwd=self.work)
        wait_until(lambda: len(self.daemon.json("ps", "shop:api", code=None)["runs"]
                               and self.daemon.json("ps", "shop:api")["runs"][0]["members"]) == 2,
                   "the second tree")
        self.daemon.restart(signal.SIGKILL)
        def known():
            runs = {r["service"]: r for r in self.daemon.json("ps")["runs"]}
            return runs if len(runs.get("shop:api", {"members": []})["members"]) == 2 else None
        again = wait_until(known, "both runs are known again")
        self.assertEqual([m["pid"] for m in again["shop:api"]["members"]],
                         [m["pid"] for m in again["shop:api"]["members"]
                          if m["pid"] in trees.marked(again["shop:api"]["id"])])
        self.assertEqual(again[ID]["members"], left["members"], self.daemon.log())
        self.assertEqual(again[ID]["state"], "detached")
        tree.kill(signal.SIGTERM)
        wait_until(lambda: "shop:api" not in {r["service"] for r in
                                              self.daemon.json("ps")["runs"]}, "it is over")
        self.kill(left["members"][0]["pid"], left)
        self.assert_nobody_left(left)

    def test_end_of_the_command_without_a_daemon_starts_none_and_leaves_nobody(self):
        child = self.run_pd(trees.STUBBORN_CHILD, options=["--grace", "200ms"],
                            env={"PORT_DADDY_NO_AUTOSTART": ""})
        run = self.wait_ready()
        self.daemon.stop()
        child.kill(signal.SIGTERM)
        self.assertEqual(trees.marked(run["id"]), [])
        self.assertTrue(is_free(run["port"]))
        self.assertFalse(os.path.exists(self.daemon.socket), self.words())

    def test_listen_after_a_restart_of_the_daemon_is_told(self):
        flag = os.path.join(self.work, "go")
        child = self.run_pd(trees.SERVE + f"""
while not os.path.exists({flag!r}):
    time.sleep(0.05)
s = serve(); rest()""")
        self.wait_members(1)
        self.daemon.restart(signal.SIGKILL)
        self.wait_members(1)
        wait_until(lambda: self.daemon.clients("03") > 0, "pd follows the new daemon")
        open(flag, "w", encoding="ascii").close()
        self.wait_words("serves on")
        child.kill(signal.SIGTERM)


class RunWithoutBpfTest(harness.PortDaddyTest):
    daemon_arguments = ("--no-bpf",)

    makes_runs = True

    def test_members_are_found_by_their_environment(self):
        child = self.spawn([self.daemon.pd_program, "run", ID, "--grace", "200ms", "--",
                            harness.PYTHON, "-c", trees.STUBBORN_CHILD], env=self.daemon.env,
                           cwd=self.work)
        self.assertIn("without eBPF", child.read_line())
        runs = wait_until(lambda: [r for r in self.daemon.json("ps", ID, code=None)["runs"]
                                   if len(r["members"]) == 2], "both members")
        self.assertEqual([m["pid"] for m in runs[0]["members"]], trees.marked(runs[0]["id"]))
        child.kill(signal.SIGTERM)
        self.assertEqual(trees.marked(runs[0]["id"]), [])
        self.assertEqual(self.daemon.json("ps", ID, code=None)["runs"], [])

    def test_hardcoded_port_that_cannot_be_rewritten_stays_as_it_is_and_that_is_said(self):
        port = harness.free_port()
        code = ("import socket, sys, time\n"
                "s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
                "time.sleep(1000)\n")
        child = self.spawn([self.daemon.pd_program, "run", ID, "--hardcoded", str(port), "--",
                            harness.PYTHON, "-c", code, str(port)], env=self.daemon.env,
                           cwd=self.work)
        self.assertIn("without eBPF", child.read_line())
        self.assertIn(f"port {port} in the source of {ID} stays as it is: the daemon only polls",
                      child.read_line())
        # who asks by a bind of his own takes the port from it
        wait_until(lambda: harness.listens(port), "it has the port of its source")
        run, = self.daemon.json("ps", ID)["runs"]
        self.assertEqual(run["askedPort"], None, run)
        child.kill(signal.SIGTERM)
        with open(os.path.join(self.work, ".portdaddyrc"), "w", encoding="utf-8") as f:
            json.dump({"project": ID.split(":")[0], "services": {"only": {
                "hardcoded": port, "cmd": "sleep 1000"}}}, f)
        up = self.spawn([self.daemon.pd_program, "up"], env=self.daemon.env, cwd=self.work)
        wait_until(lambda: "stays as it is" in up.read_line(), "pd up says so as well")
        up.kill(signal.SIGTERM)

    def test_first_listen_is_told_also_where_the_daemon_cannot_see_whose_it_is(self):
        child = self.spawn([self.daemon.pd_program, "run", ID, "--", harness.PYTHON, "-c",
                            trees.SERVER], env=self.daemon.env, cwd=self.work)
        self.assertIn("without eBPF", child.read_line())
        self.assertRegex(child.read_line(), rf"^pd: {ID} serves on http://localhost:\d+ \(python3, ")
        wait_until(lambda: [r["state"] for r in self.daemon.json("ps", ID)["runs"]] == ["ready"],
                   "the daemon knows it as well")
        child.kill(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(harness.main())
