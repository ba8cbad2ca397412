#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Protected ports: between the claim and its release nobody else binds them.

PD_TRIES=1000000 has strangers try that often.
"""
import os
import signal
import sys

import contenders
import harness
from harness import CONFLICT, NOBODY, wait_until

NAME = f"safe{os.getpid()}"
HELD = f"{NAME}:held"
TRIES = int(os.environ.get("PD_TRIES", "3000"))
PROMISES = int(os.environ.get("PD_PROMISES", "3"))  # among which they are divided
# Tries to bind, by every kind of socket, and says what it got.
TRY = """
import errno, socket, sys
for family, kind, host in ((socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
                           (socket.AF_INET, socket.SOCK_DGRAM, "0.0.0.0"),
                           (socket.AF_INET6, socket.SOCK_STREAM, "::"),
                           (socket.AF_INET6, socket.SOCK_DGRAM, "::1")):
    try:
        s = socket.socket(family, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind((host, int(sys.argv[1])))
        print("bound", flush=True)
    except OSError as e:
        print(errno.errorcode[e.errno], flush=True)
"""


class ProtectTest(harness.PortDaddyTest):
    makes_runs = True

    def setUp(self):
        super().setUp()
        self.need_rules("nothing is refused for a claim")

    def tried(self, port, uid=None):
        child = self.spawn([harness.PYTHON, "-c", TRY, str(port)], uid=uid)
        return set(child.output().split())

    def protect(self, service, *options):
        return self.daemon.json("claim", service, "--protect", *options)["port"]

    def test_nobody_but_its_run_gets_a_protected_port(self):
        port = self.protect(f"{NAME}:web")
        self.assertIn(", protected", self.daemon.pd("claim", f"{NAME}:web", "--protect"))
        refused = self.tried(port)
        self.assertIn(refused, ({"EADDRINUSE"}, {"EPERM"}))
        if os.geteuid() == 0:
            self.assertEqual(self.tried(port, uid=NOBODY), refused)
        self.check_what_is_said(port, refused.pop())
        run = self.spawn([self.daemon.pd_program, "run", f"{NAME}:web", "-q", "--", "setsid",
                          harness.PYTHON, "-m", "http.server", str(port)], env=self.daemon.env)
        self.daemon.wait_status(f"{NAME}:web", "active")
        self.assertTrue(self.daemon.json("ps")["runs"][0]["protected"])
        answer = self.daemon.run("stop", f"{NAME}:web")
        self.assertEqual(answer.code, 0, answer)
        self.assertIn(f"port {port} is free for its own runs", answer.out)
        self.assertEqual(self.daemon.run("wait", "--free", str(port)).code, 0)
        run.wait()
        wait_until(lambda: not self.daemon.json("ps", code=None)["runs"], "the run is over")
        self.assertEqual(self.daemon.run("claim", f"{NAME}:web", "--no-protect", "-q").code, 0)
        self.assertEqual(self.tried(port), {"bound"})
        self.protect(f"{NAME}:web")
        self.assertNotIn("bound", self.tried(port))
        self.check_after_a_restart(port)
        self.daemon.pd("release", f"{NAME}:web")
        self.assertEqual(self.tried(port), {"bound"})

    def check_what_is_said(self, port, error):
        def recorded():
            found = self.daemon.json("why", "--last", "50", code=None).get("refusals") or []
            return next((why for why in found if why["port"] == port), None)
        for why in (wait_until(recorded, "the refusal is explained"),
                    self.daemon.json("why", str(port), code=None)):
            self.assertEqual(why["verdict"], "protected", why)
            self.assertEqual(why["service"], f"{NAME}:web", why)
            self.assertIn(f"{NAME}:web", why["summary"])
            self.assertIn(f"pd release {NAME}:web", [r["command"] for r in why["remedies"]])
            self.assertFalse(why["free"])
        self.assertEqual(recorded()["errno"], error)

    def check_after_a_restart(self, port):
        """What it promised ends with the daemon, which says so when it comes back."""
        self.daemon.stop(signal.SIGKILL)
        self.assertEqual(self.tried(port), {"bound"})
        self.daemon.arguments = ("--no-bpf",)
        self.daemon.start()
        self.check_loss_is_told()
        self.daemon.stop(signal.SIGKILL)
        self.daemon.arguments = ()
        self.daemon.start()
        wait_until(lambda: "bound" not in self.tried(port), "it is protected again")
        self.assertIn("nobody protected while no daemon ran", self.daemon.pd("log", "-n", "50"))

    def check_loss_is_told(self):
        """A daemon without eBPF has the claim, and cannot keep what another one promised."""
        claim = self.daemon.run("claim", f"{NAME}:web")
        self.assertEqual(claim.code, 0, claim)
        self.assertIn(f"{NAME}:web is protected, but anybody can bind its port", claim.err)
        self.assertEqual(self.daemon.run("claim", f"{NAME}:web", "--protect").code, CONFLICT)
        found = self.daemon.service(f"{NAME}:web")
        self.assertEqual((found["protected"], found["protectionLost"]), (True, True))
        self.assertIn("(protection lost)", self.daemon.pd("find"))
        self.assertIn("anybody can bind 1 of 1 protected ports", self.daemon.pd("status"))

    def test_promise_that_cannot_be_kept_is_refused(self):
        for port, word in ((80, "below 1024"), (40000, "ip_local_port_range")):
            if not harness.is_free(port):
                continue
            self.daemon.run("claim", f"{NAME}:p{port}", "-p", str(port), "--protect",
                            code=CONFLICT, says=word)
        port = self.daemon.claim(f"{NAME}:held")
        self.spawn_python("import os; os.chdir('/'); s = listener(int(sys.argv[1])); ready(); rest()",
                          port, cwd="/", start_new_session=True,
                          **({"uid": NOBODY} if os.geteuid() == 0 else {}))
        answer = self.daemon.run("claim", f"{NAME}:held", "-p", str(port), "--protect")
        if os.geteuid() == 0:
            self.assertEqual(answer.code, CONFLICT, answer)
            self.assertIn(str(port), answer.err)
            self.check_stranger_beside_the_own_server()

    def check_stranger_beside_the_own_server(self):
        """He has it on another address, or only bound, or by UDP."""
        port = self.daemon.claim(f"{NAME}:beside")
        self.listener(port)
        for kind in ("DGRAM", "STREAM"):
            stranger = self.spawn_python(
                f"s = socket.socket(socket.AF_INET6, socket.SOCK_{kind})\n"
                "s.bind(('::1', int(sys.argv[1]))); ready(); rest()",
                port, cwd="/", start_new_session=True, uid=NOBODY)
            answer = self.daemon.run("claim", f"{NAME}:beside", "--protect", code=CONFLICT)
            self.assertIn(f"held by python3 ({stranger.pid}) of user nobody, not by", answer.err)
            stranger.kill()
        self.daemon.pd("claim", f"{NAME}:beside", "--protect")

    # --- by the thousand ---

    def test_strangers_who_try_all_the_time_get_it_only_while_it_is_not_promised(self):
        contest = contenders.Contest(harness.free_port())
        self.addCleanup(contest.end)
        giver = self.begin_giver(contest.port)
        contest.add("the same user")
        contest.add("one with a socket of a member", giver=giver)
        if os.geteuid() == 0:
            contest.add("another user", uid=NOBODY)
            contest.add("one in a network namespace of its own", netns=True)
        for n in range(1, PROMISES + 1):
            self.keep_promise(contest, n * TRIES // PROMISES)
        for c in contest.contenders:
            print(f"# {c.name}: {c.tries} tries, had {c.had}, refused {c.refused}")
            self.assertEqual((c.tries, c.failed), (c.had + c.refused, 0), c.name)
            if c.netns:  # by its own last socket, while the daemon looks at that
                self.assertGreater(c.had, 9 * c.refused)
            else:
                self.assertEqual(c.had, 0, c.name)

    def by_shell(self, *arguments):
        """pd by a shell of its own: who descends from the claimer's is no stranger."""
        return self.spawn(["sh", "-c", '"$0" "$@"; exit $?', self.daemon.pd_program, *arguments],
                          env=self.daemon.env, start_new_session=True)

    def begin_giver(self, port):
        """A member of a run of the service, whose sockets a stranger binds."""
        path = os.path.join(self.work, "giver")
        self.by_shell("claim", HELD, "-p", str(port)).wait()
        giver = self.by_shell("run", HELD, "-q", "--", harness.PYTHON, "-c", contenders.GIVER, path)
        self.assertEqual(giver.read_line(), "ready")
        return path

    def keep_promise(self, contest, tries):
        """Until so many tries have been made, all promises together."""
        def promise():
            claim = self.by_shell("claim", HELD, "-p", str(contest.port), "--protect")
            said, code = claim.output(), claim.wait()
            self.assertIn(code, (0, CONFLICT), said)
            return code == 0
        wait_until(promise, "nobody has it at the moment")
        contest.promise(True)
        wait_until(lambda: self.assertTrue(contest.are_alive()) or contest.tries() >= tries,
                   "the tries are made", deadline_s=harness.DEADLINE_S + TRIES / 1000)
        self.check_refusals_name_the_claim(contest.port)
        contest.promise(False)
        self.daemon.pd("release", HELD)

    def check_refusals_name_the_claim(self, port):
        """That of somebody who tries only now; of the others' some are from between two promises."""
        stranger = self.spawn([harness.PYTHON, "-c", TRY, str(port)])
        stranger.wait()
        why = wait_until(lambda: (w := self.daemon.json("why", "--pid", str(stranger.pid), code=None))
                         and w.get("port") == port and w, "his refusal is explained")
        self.assertEqual((why["verdict"], why["service"]), ("protected", HELD), why)
        kept = [e for e in self.daemon.json("log", "--filter", "FAIL", "-n", "1000")["entries"]
                if e["port"] == port and (e["pid"] == stranger.pid or "protected" in e["details"])]
        self.assertIn(stranger.pid, [e["pid"] for e in kept])
        for e in kept:  # how many more there were stands behind it
            self.assertEqual(e["service"], HELD, e)
            self.assertIn("; the port is protected", e["details"])


if __name__ == "__main__":
    sys.exit(harness.main())
