#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Whose a lock is that is taken by something short-lived: it goes to who above it lasts, or stays for
its time, and both are said."""
import os
import shutil
import subprocess
import sys
import time

import harness

SHORT_LIVED_S = 2  # LOCK_SHORT_LIVED_S


class LockOwnerTest(harness.PortDaddyTest):
    """The caller that lasts is a script of the test's own, which stays until it is let go."""

    def last(self, line):
        """Runs a line in a script; the script, and what pd said on both streams."""
        script = os.path.join(self.work, "script.sh")
        with open(script, "w", encoding="utf-8") as f:
            f.write(f"{line}\necho over\nread -r _\n")
        child = self.spawn(["bash", script], env=self.env(), stdin=subprocess.PIPE,
                           start_new_session=True)
        self.addCleanup(child.process.stdin.close)
        said = []
        while (text := child.read_line()) != "over":
            said.append(text)
        return child, "\n".join(said)

    def env(self):
        return {**self.daemon.env, "pd": self.daemon.pd_program}

    def status(self):
        return self.daemon.json("lock", "one", "--status")["locks"][0]

    def belongs_to_script(self, line, named=True):
        child, said = self.last(line)
        harness.wait_until(lambda: self.status()["pid"] == child.pid, "it is the script's")
        self.assertTrue(self.status()["held"])
        if named:
            self.assertRegex(said, rf"if \S+ \(pid \d+\) ends with this command, the lock is that "
                                   rf"of bash \(pid {child.pid}\)")
        child.kill()
        harness.wait_until(lambda: not self.status()["held"], "it ended with the script")

    def test_shell_of_one_command_line(self):
        self.belongs_to_script("bash -c '$pd lock one; true'")

    def test_timeout(self):
        self.belongs_to_script("timeout 60 $pd lock one")

    def test_xargs_in_a_pipe(self):
        self.belongs_to_script("echo one | xargs $pd lock")

    def test_env(self):
        self.belongs_to_script("env A=b $pd lock one", named=False)  # it becomes pd

    def test_pipe_in_a_substitution(self):
        self.belongs_to_script("f=$($pd lock one -q | cat)", named=False)

    def test_subshell(self):
        self.belongs_to_script("($pd lock one; true)")

    def test_nothing_is_said_of_the_script_itself(self):
        child, said = self.last("$pd lock one; true")
        self.assertEqual(self.status()["pid"], child.pid)
        self.assertEqual(len(said.splitlines()), 1, said)

    def test_the_script_that_has_it_may_ask_for_it_again_and_give_it_back(self):
        child, said = self.last("sh -c '$pd lock one; true' 2>/dev/null; sleep 0.3; "
                                "sh -c '$pd lock one; true' 2>/dev/null; sh -c '$pd unlock one'")
        self.assertRegex(said, r"\(already yours\)\none unlocked$")
        self.assertFalse(self.status()["held"])
        child.kill()

    def test_shell_of_one_command_line_that_works_on_has_it_until_it_ends(self):
        out = os.path.join(self.work, "out")
        child = self.spawn(["sh", "-c", f"$pd lock one; echo $$ >{out}; sleep 60"], env=self.env())
        harness.wait_until(lambda: os.path.exists(out) and self.status()["pid"] == child.pid,
                           "it holds the lock")
        time.sleep(SHORT_LIVED_S + 1.5)
        child.kill()
        harness.wait_until(lambda: not self.status()["held"], "it ended with its shell")

    def test_what_was_passed_on_is_in_the_log(self):
        child, _ = self.last("sh -c '$pd lock one; true'")
        harness.wait_until(lambda: self.status()["pid"] == child.pid, "it is the script's")
        self.assertRegex(self.daemon.pd("log", "-n", "1"),
                         rf"LOCK +one +Left to bash \(pid {child.pid}\): sh \(pid \d+\), which took")

    def test_node_that_runs_a_command(self):
        if not shutil.which("node"):
            self.skipTest("no node here")
        self.belongs_to_script(
            "node -e 'require(\"child_process\").execSync(\"$pd lock one; true\", "
            "{stdio: \"inherit\"})'")

    def alone(self, line, **options):
        """Runs a line in a shell that has nobody above it: its launcher is gone."""
        out = os.path.join(harness.temp_dir(), "out")
        self.addCleanup(shutil.rmtree, os.path.dirname(out))
        subprocess.run(["setsid", "-f", "sh", "-c",
                        f"sleep 0.2; ({line}) >{out} 2>&1; echo \"code $?\" >>{out}"],
                       env=self.env(), cwd=self.work, check=True, **options)

        def told():
            text = harness.read_text(out)
            return text if "code " in text else None
        return harness.wait_until(lambda: os.path.exists(out) and told(), "it has ended")

    def test_nobody_above_is_told_that_nobody_holds_it(self):
        said = self.alone("$pd lock one")
        self.assertRegex(said, r"if sh \(pid \d+\) ends with this command, nobody holds the lock; "
                               r"--ttl keeps it")
        harness.wait_until(lambda: not self.status()["held"], "it ended with its shell")

    def test_nobody_above_holds_for_a_time(self):
        said = self.alone("$pd lock one --ttl 5m")
        self.assertIn("the lock is nobody's and ends after 5m", said)
        harness.wait_until(lambda: self.status()["pid"] is None, "it is nobody's")
        self.assertTrue(self.status()["held"])
        self.assertIn("none, it ends with its time", self.daemon.pd("lock", "one", "--status"))
        said = self.alone("$pd unlock one")
        self.assertIn("code 0", said)
        self.assertFalse(self.status()["held"])

    def test_one_command_line_writes_into_the_session_that_it_started(self):
        child, said = self.last("bash -c '$pd session start build -q; $pd note first'")
        session = said.splitlines()[0]
        self.assertRegex(session, r"^session-\w+$")
        self.assertEqual(said.count(f"Noted in {session}"), 1, said)
        child.kill()


if __name__ == "__main__":
    sys.exit(harness.main())
