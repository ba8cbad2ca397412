#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What `pd why` says of a refusal of the past, by what has become of the port since."""
import os
import sys
import unittest

import harness
from harness import PYTHON, needs_root, wait_until
from remedies import RemedyTest


class SinceTest(RemedyTest):
    def setUp(self):
        super().setUp()
        self.need_refusals()

    def serve(self):
        return self.listener(self.port)

    def refused(self):
        """The pid of a server that the port was refused to."""
        victim = self.spawn([PYTHON, "-m", "http.server", str(self.port)])
        self.assertNotEqual(victim.wait(), 0)
        return victim.pid

    def of(self, victim):
        return self.daemon.json("why", "--pid", str(victim), code=None)

    def since(self, victim, state):
        """The answer once it says so."""
        def there():
            answer = self.of(victim)
            return answer if (answer.get("since") or {}).get("state") == state else None
        try:
            return wait_until(there, f"it is {state}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.of(victim)}") from None

    def names_nobody(self, answer, pid):
        for remedy in answer["remedies"]:
            self.assertNotIn(pid, remedy["kills"])
            self.assertNotRegex(remedy["command"] or "", rf"\b{pid}\b")

    def test_holder_that_is_still_there_is_said_to_be_and_can_be_stopped(self):
        server = self.serve()
        answer = self.since(self.refused(), "held")
        self.assertEqual(answer["since"]["by"], {"pid": server.pid, "comm": "python3"})
        self.assertEqual(self.first(answer)["kills"], [server.pid])
        self.is_freed_by(self.first(answer))

    def test_search_that_was_left_out_is_made_up_while_the_socket_is_there(self):
        server = self.serve()
        victim = self.refused()
        self.since(victim, "held")
        # as it is written down where there was no time left for a search
        self.daemon.execute("UPDATE failures SET explanation = json_set(explanation, '$.holders', "
                            "json('[]'), '$.complete', json('false')) WHERE pid = ?", victim)
        answer = self.since(victim, "held")
        self.assertEqual(answer["since"]["by"]["pid"], server.pid)
        self.assertEqual([h["pid"] for h in answer["holders"]], [server.pid])
        self.assertTrue(answer["complete"])
        self.is_freed_by(self.first(answer))

    def test_refusal_of_one_address_says_nothing_of_another(self):
        server = self.listener(self.port, "'0.0.0.0'")
        victim = self.spawn([PYTHON, "-m", "http.server", "--bind", "0.0.0.0", str(self.port)])
        self.assertNotEqual(victim.wait(), 0)
        self.since(victim.pid, "held")
        def verdict(address):
            return self.daemon.json("why", str(self.port), "--addr", address,
                                    code=None)["verdict"]
        self.assertNotEqual(verdict("::1"), "gone")
        server.kill()
        wait_until(lambda: verdict("0.0.0.0") == "gone", "what was in the way is gone")
        self.assertNotEqual(verdict("::1"), "gone")

    def test_holder_that_is_gone_is_not_to_be_killed_and_the_port_is_said_to_be_free(self):
        server = self.serve()
        victim = self.refused()
        self.since(victim, "held")
        server.kill()
        answer = self.since(victim, "free")
        self.assertIsNone(answer["since"]["by"])
        self.assertIn("was taken", answer["summary"])
        self.assertIn("the port is free now", answer["summary"])
        self.assertEqual(self.first(answer)["command"], f"pd why {self.port}")
        self.names_nobody(answer, server.pid)

    def test_somebody_else_who_has_the_port_since_is_named_in_place_of_who_had_it(self):
        first = self.serve()
        victim = self.refused()
        self.since(victim, "held")
        first.kill()
        second = self.serve()
        answer = self.since(victim, "moved")
        self.assertEqual(answer["since"]["by"]["pid"], second.pid)
        self.assertIn(f"(pid {second.pid}) has the port now", answer["summary"])
        self.names_nobody(answer, first.pid)
        self.assertEqual(self.first(answer)["kills"], [second.pid])
        self.is_freed_by(self.first(answer))

    def test_what_keeps_a_refusal_from_coming_back_is_said_when_the_port_is_free(self):
        victim = self.spawn_python(
            "s = listener(int(sys.argv[1]))\n"
            "try:\n    listener(int(sys.argv[1]), '0.0.0.0')\nexcept OSError:\n    ready()\n"
            "rest()", self.port)
        self.assertEqual(self.since(victim.pid, "held")["verdict"], "self")
        victim.kill()
        answer = self.since(victim.pid, "free")
        self.assertTrue([r for r in answer["remedies"] if "bind once" in r["text"]], answer)
        self.names_nobody(answer, victim.pid)

    @needs_root
    @unittest.skipUnless(os.path.exists("/proc/sys/kernel/ns_last_pid"),
                         "no kernel that lets a pid be chosen")
    def test_process_that_got_the_pid_of_the_holder_is_never_named(self):
        server = self.serve()
        victim = self.refused()
        self.since(victim, "held")
        server.kill()
        server.process.stdout.close()

        def successor():
            with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as f:
                f.write(str(server.pid - 1))
            child = self.spawn(["sleep", "1000"])
            return child if child.pid == server.pid else child.kill() and None
        innocent = wait_until(successor, "somebody has the pid")
        answer = self.since(victim, "free")
        self.names_nobody(answer, innocent.pid)
        other = self.serve()
        self.names_nobody(self.since(victim, "moved"), innocent.pid)
        other.kill()

    def test_list_of_refusals_is_brought_up_to_date_one_by_one(self):
        server = self.serve()
        victims = [self.refused(), self.refused()]
        self.since(victims[1], "held")
        server.kill()
        self.since(victims[1], "free")
        # root's newest may be another test's
        listed = [r for r in self.daemon.json("why", "--last", "50", code=None)["refusals"]
                  if r["asked"]["pid"] in victims]
        self.assertEqual([r["since"]["state"] for r in listed], ["free", "free"])
        for refusal in listed:
            self.names_nobody(refusal, server.pid)


if __name__ == "__main__":
    sys.exit(harness.main())
