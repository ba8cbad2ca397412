#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Protected ports: between the claim and its release nobody else binds them."""
import os
import signal
import sys

import harness
import trees
from harness import CONFLICT, NOBODY, wait_until

NAME = f"safe{os.getpid()}"
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
    def setUp(self):
        super().setUp()
        self.addCleanup(trees.kill_all, self.daemon.home)
        self.need_rules("nothing is refused for a claim")

    def tried(self, port, uid=None):
        child = self.spawn([harness.PYTHON, "-c", TRY, str(port)], uid=uid)
        return set(child.output().split())

    def protect(self, service, *options):
        return self.daemon.json("claim", service, "--protect", *options)["port"]

    def test_nobody_but_its_run_gets_a_protected_port(self):
        port = self.protect(f"{NAME}:web")
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
            answer = self.daemon.run("claim", f"{NAME}:p{port}", "-p", str(port), "--protect")
            self.assertEqual(answer.code, CONFLICT, answer)
            self.assertIn(word, answer.err)
        port = self.daemon.claim(f"{NAME}:held")
        self.spawn_python("import os; os.chdir('/'); s = listener(int(sys.argv[1])); ready(); rest()",
                          port, cwd="/", start_new_session=True,
                          **({"uid": NOBODY} if os.geteuid() == 0 else {}))
        answer = self.daemon.run("claim", f"{NAME}:held", "-p", str(port), "--protect")
        if os.geteuid() == 0:
            self.assertEqual(answer.code, CONFLICT, answer)
            self.assertIn(str(port), answer.err)


if __name__ == "__main__":
    sys.exit(harness.main())
