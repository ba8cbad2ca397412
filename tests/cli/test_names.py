#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Names belong to users: two people on one repository have a service of one name each."""
import json
import os
import shutil
import subprocess
import sys

import harness
from harness import DONE, NO, NOBODY, NOT_ALLOWED, needs_root

OTHER = NOBODY - 1  # has no name: its number stands for it


@needs_root
class NamesTest(harness.PortDaddyTest):
    """nobody claims first; the other one's is stored as shop:web@65533."""

    def setUp(self):
        super().setUp()
        self.first = self.daemon.claim("shop:web", uid=NOBODY)
        self.second = self.daemon.claim("shop:web", uid=OTHER)

    def ids(self, uid, *arguments):
        found = self.daemon.json("find", *arguments, uid=uid, code=None)
        return [s["id"] for s in found["services"]]

    def test_each_user_gets_a_port_of_his_own_and_keeps_it(self):
        self.assertNotEqual(self.first, self.second)
        self.assertEqual(self.daemon.claim("shop:web", uid=NOBODY), self.first)
        self.assertEqual(self.daemon.claim("shop:web", uid=OTHER), self.second)
        self.assertEqual(self.daemon.query("SELECT id, port FROM services ORDER BY id"),
                         [("shop:web", self.first), (f"shop:web@{OTHER}", self.second)])

    def test_ones_own_is_shown_without_the_user_and_others_with_it(self):
        self.assertEqual(self.ids(NOBODY), ["shop:web", f"shop:web@{OTHER}"])
        self.assertEqual(self.ids(OTHER), ["shop:web@nobody", "shop:web"])
        self.assertEqual(self.daemon.json("claim", "shop:web", uid=OTHER)["id"], "shop:web")

    def test_every_command_takes_a_name_for_ones_own_service(self):
        for uid, port in ((NOBODY, self.first), (OTHER, self.second)):
            self.assertEqual([s["port"] for s in
                              self.daemon.json("find", "shop:web", uid=uid)["services"]], [port])
            self.assertEqual(self.daemon.json("why", "shop:web", uid=uid, code=None)["port"], port)
            self.assertEqual([s["port"] for s in
                              self.daemon.json("health", "shop:web", uid=uid,
                                               code=None)["services"]], [port])
            entries = self.daemon.json("log", "--filter", "shop:web", uid=uid)["entries"]
            self.assertEqual([(e["service"], e["port"]) for e in entries], [("shop:web", port)])

    def test_a_pattern_fits_everybodys(self):
        for pattern in ("shop:*", "*:web", "shop:w?b"):
            self.assertEqual(len(self.ids(NOBODY, pattern)), 2, pattern)

    def test_release_takes_ones_own_alone(self):
        self.assertEqual(self.daemon.run("release", "shop:web", uid=OTHER).code, DONE)
        self.assertEqual(self.daemon.query("SELECT id FROM services"), [("shop:web",)])
        # now there is another's of that name alone
        self.assertEqual(self.daemon.run("release", "shop:web", uid=OTHER).code, NOT_ALLOWED)
        self.assertEqual(self.daemon.claim("shop:web", uid=OTHER), self.second)

    def test_another_users_service_is_named_with_its_user(self):
        self.daemon.run("release", "shop:web@nobody", uid=OTHER, code=NOT_ALLOWED)
        self.daemon.pd("release", f"shop:web@{OTHER}")  # root
        self.assertEqual(self.daemon.query("SELECT id FROM services"), [("shop:web",)])
        self.assertEqual(self.daemon.run("find", f"shop:web@{OTHER}").code, NO)

    def test_conflict_names_the_holder_as_whoever_asks_knows_it(self):
        answer = self.daemon.run("claim", "x:y", "-p", str(self.first), uid=OTHER)
        self.assertIn("claimed by shop:web@nobody", answer.err)
        answer = self.daemon.run("claim", "x:y", "-p", str(self.second), uid=OTHER)
        self.assertIn("claimed by shop:web;", answer.err)

    def test_streams_show_ones_own_without_the_user_as_the_log_does(self):
        def shown(stream):
            entries = [json.loads(line) for line in list(stream.lines)]
            return {e["service"] for e in entries if e.get("port") == self.second}

        for words in (("watch", "-j"), ("log", "-f", "-j", "-n", "1")):
            own, others = (self.pd_stream(*words, uid=uid) for uid in (OTHER, NOBODY))

            def told(streams=(own, others)):
                self.daemon.pd("release", "shop:web", uid=OTHER)
                self.daemon.pd("claim", "shop:web", "-p", str(self.second), uid=OTHER)
                return all(map(shown, streams))

            harness.wait_until(told, "both are told", every_s=0.1)
            self.assertEqual(shown(own), {"shop:web"})
            self.assertEqual(shown(others), {f"shop:web@{OTHER}"})

    def below_sudo(self, script):
        """What a shell of root's prints that the other user has called through sudo."""
        setuid = os.path.join(self.work, "setuid-sh")
        shutil.copy("/bin/bash", setuid)
        os.chmod(setuid, 0o4755)
        pd = harness.public_copy(self.daemon.pd_program)
        command = (f"echo {OTHER} 2>/dev/null >/proc/self/loginuid; "
                   f"exec setpriv --reuid={OTHER} --regid={OTHER} --clear-groups "
                   f"{setuid} -p -c 'pd={pd}; {script}; true'")
        return self.spawn(["/bin/bash", "-c", command], env=self.daemon.env).output().split("\n")

    def test_below_sudo_names_are_those_of_the_user_who_called_it(self):
        lines = self.below_sudo("$pd claim shop:web -q; $pd claim shop:new -q; "
                                "$pd release shop:web -q")
        self.assertEqual(lines[0], str(self.second))
        self.assertEqual(self.daemon.query("SELECT id, uid FROM services ORDER BY id"),
                         [("shop:new", OTHER), ("shop:web", NOBODY)])

    def test_below_sudo_a_lock_is_that_of_the_user_who_called_it(self):
        pd = harness.public_copy(self.daemon.pd_program)
        holder = self.spawn(["/bin/bash", "-c", f"{pd} lock one -q; read -r _"],
                            stdin=subprocess.PIPE, env=self.daemon.env, uid=OTHER)
        self.addCleanup(holder.process.stdin.close)
        self.assertRegex(holder.read_line(), r"^\d+$")
        lines = self.below_sudo("$pd lock one; echo $?; $pd lock --status one; "
                                "$pd unlock one --force")
        self.assertIn("one is held by", lines[0])
        self.assertEqual(lines[1:3], [str(harness.CONFLICT), "Status: HELD"])
        self.assertFalse(self.daemon.json("locks", uid=OTHER)["locks"][0]["held"])


if __name__ == "__main__":
    sys.exit(harness.main())
