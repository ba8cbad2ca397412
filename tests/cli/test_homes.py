#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A port is never handed out in silence when it cannot be used: home ports, and the way back."""
import sys

import harness
from harness import CONFLICT, NOBODY, needs_root


@needs_root
class HomePortTest(harness.PortDaddyTest):
    """The claims are root's, who squats on them is nobody."""

    def setUp(self):
        super().setUp()
        self.home = self.daemon.claim("app:web", "-p", str(harness.free_port()))

    def another_port(self):
        return harness.free_port(but=(self.home,))

    def squat(self, port=None):
        return self.http_server(port or self.home, uid=NOBODY)

    def claim(self, *arguments, name="app:web"):
        """(port, what was said beside it) of a claim that succeeds."""
        answer = self.daemon.run("claim", name, "-q", *arguments, code=harness.DONE)
        return int(answer.out), answer.err

    def test_claim_of_a_free_port_says_nothing(self):
        self.assertEqual(self.claim(), (self.home, ""))

    def test_squatted_claim_moves_aside_and_says_who_has_its_home(self):
        squatter = self.squat()
        port, said = self.claim()
        self.assertNotEqual(port, self.home)
        self.assertTrue(harness.is_free(port))
        self.assertIn(f"({squatter.pid})", said)
        self.assertIn("nobody", said)
        self.assertIn(f"port {self.home}, the home of app:web", said)
        self.assertEqual(self.claim()[0], port)  # and does so no further
        row = self.daemon.json("claim", "app:web")
        self.assertEqual((row["port"], row["home"]), (port, self.home))
        self.assertEqual(len(row["notices"]), 1)

    def test_claim_that_moved_aside_returns_once_its_home_is_free(self):
        squatter = self.squat()
        aside, _ = self.claim()
        self.daemon.restart()
        self.assertEqual(self.claim()[0], aside)
        squatter.kill()
        self.assertEqual(self.claim(), (self.home, ""))
        self.assertEqual(self.daemon.service("app:web")["port"], self.home)

    def test_claim_whose_server_runs_aside_stays_there_and_says_so(self):
        squatter = self.squat()
        aside, _ = self.claim()
        server = self.http_server(aside)
        squatter.kill()
        port, said = self.claim()
        self.assertEqual(port, aside)
        self.assertIn(f"({server.pid})", said)
        self.assertIn(str(self.home), said)
        server.kill()
        self.assertEqual(self.claim(), (self.home, ""))

    def test_port_that_a_stranger_has_merely_bound_is_not_given_either(self):
        self.spawn_python("s = socket.socket()\ns.bind(('127.0.0.1', int(sys.argv[1])))\n"
                          "ready()\nrest()", self.home, uid=NOBODY)
        given, said = self.claim()
        self.assertNotEqual(given, self.home)
        self.assertIn(str(self.home), said)

    def test_claim_of_a_running_service_names_its_server(self):
        server = self.http_server(self.home)
        port, said = self.claim()
        self.assertEqual(port, self.home)
        self.assertIn("in use by app:web itself: ", said)
        self.assertIn(f"({server.pid})", said)

    def test_home_of_a_claim_that_moved_aside_is_given_to_nobody_else(self):
        squatter = self.squat()
        self.claim()
        squatter.kill()
        self.daemon.run("claim", "app:other", "-p", str(self.home), code=CONFLICT, says="app:web")

    def test_exact_port_that_is_squatted_is_a_conflict_for_its_own_claim_too(self):
        squatter = self.squat()
        answer = self.daemon.run("claim", "app:web", "-p", str(self.home), code=CONFLICT)
        self.assertIn(str(squatter.pid), answer.err)
        self.assertEqual(self.daemon.service("app:web")["port"], self.home)

    def test_exact_port_becomes_the_home_and_is_remembered(self):
        port = self.another_port()
        self.claim("-p", str(port))
        squatter = self.squat(port)
        self.assertNotEqual(self.claim()[0], port)
        self.daemon.pd("release", "app:web")
        squatter.kill()
        self.assertEqual(self.claim(), (port, ""))

    def test_move_that_leaves_a_running_server_behind_says_so(self):
        server = self.http_server(self.home)
        port = self.another_port()
        given, said = self.claim("-p", str(port))
        self.assertEqual(given, port)
        self.assertIn(f"({server.pid})", said)
        self.assertIn(str(self.home), said)

    def test_range_that_an_existing_claim_does_not_fit_is_said(self):
        port, said = self.claim("--range", "21000-21099")
        self.assertEqual(port, self.home)
        self.assertIn("21000-21099", said)

    def test_port_below_1024_is_given_to_an_ordinary_user_with_a_word(self):
        answer = self.daemon.run("claim", "nobody:low", "-p", "81", "-q", uid=NOBODY)
        self.assertNotIn(". (see", answer.err)
        self.assertEqual((answer.code, answer.out.strip()), (harness.DONE, "81"))
        self.assertIn("81", answer.err)
        self.assertIn("1024", answer.err)


if __name__ == "__main__":
    sys.exit(harness.main())
