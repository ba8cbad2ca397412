#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Which port a name gets, who may change it, and that nothing printed is ever lost."""
import collections
import concurrent.futures
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import harness
from harness import CONFLICT, NOBODY, NOT_ALLOWED, needs_root, wait_until

PARALLEL = 200


class PortChoiceTest(harness.PortDaddyTest):
    def test_same_name_gets_the_same_port(self):
        self.assertEqual(self.daemon.claim("app:web"), self.daemon.claim("app:web"))

    def test_second_claim_says_that_it_existed(self):
        first = self.daemon.json("claim", "app:web")
        second = self.daemon.json("claim", "app:web")
        self.assertFalse(first["existing"])
        self.assertTrue(second["existing"])
        self.assertEqual(first["port"], second["port"])
        self.assertEqual(first["id"], "app:web")

    def test_same_name_gets_the_same_port_in_a_fresh_registry(self):
        other = self.start_daemon()
        self.assertEqual(self.daemon.claim("app:deterministic"), other.claim("app:deterministic"))

    def test_port_lies_in_the_default_range(self):
        for n in range(20):
            self.assertIn(self.daemon.claim(f"app:n{n}"), range(3100, 10000))

    def test_range_option_is_obeyed(self):
        self.assertIn(self.daemon.claim("app:ranged", "--range", "21000-21009"),
                      range(21000, 21010))

    def test_range_that_is_full_is_refused_and_not_left(self):
        ports = {self.daemon.claim(f"app:r{n}", "--range", "21000-21003") for n in range(4)}
        self.assertEqual(ports, set(range(21000, 21004)))
        answer = self.daemon.run("claim", "app:r4", "--range", "21000-21003", code=CONFLICT)
        self.assertIsNone(self.daemon.service("app:r4"))
        self.assertIn("4 of them by claims of yours that nothing serves", answer.err)
        self.daemon.pd("release", re.search(r"pd release (\S+)", answer.err)[1])
        self.daemon.pd("claim", "app:r4", "--range", "21000-21003")

    def test_exact_port_is_given(self):
        port = harness.free_port()
        self.assertEqual(self.daemon.claim("app:exact", "-p", str(port)), port)

    def test_occupied_ports_are_passed_over(self):
        first = self.daemon.claim("app:busy")
        self.daemon.pd("release", "app:busy")
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as s:
                s.bind(("127.0.0.1", first))  # bound, not listening
                self.assertNotEqual(self.daemon.claim("app:busy"), first)
            self.daemon.pd("release", "app:busy")

    def test_without_a_name_the_directory_is_the_name(self):
        directory = os.path.join(self.work, "my shop")
        os.mkdir(directory)
        self.daemon.pd("claim", "-q", cwd=directory)
        self.assertIsNotNone(self.daemon.service("my-shop"))

    def test_without_a_name_the_configuration_names_the_services(self):
        with open(os.path.join(self.work, ".portdaddyrc"), "w", encoding="utf-8") as f:
            f.write('{ // services\n "project": "shop",\n "services": {\n'
                    '  "api": { "healthPath": "/health" }, /* and */ "web": {},\n }, }\n')
        deeper = os.path.join(self.work, "src", "deep")
        os.makedirs(deeper)
        self.daemon.pd("claim", cwd=deeper)
        ids = [s["id"] for s in self.daemon.json("find")["services"]]
        self.assertEqual(ids, ["shop:api", "shop:web"])
        self.assertEqual(self.daemon.service("shop:api")["healthPath"], "/health")

    def test_broken_configuration_is_refused_with_its_place(self):
        self.write(".portdaddyrc", '{ "services": { "api": \n')
        answer = self.daemon.run("claim", cwd=self.work)
        self.assertNotEqual(answer.code, harness.DONE)
        self.assertIn(".portdaddyrc", answer.err)
        self.assertEqual(self.daemon.query("SELECT count(*) FROM services"), [(0,)])

    def test_a_number_is_no_name_and_what_was_meant_is_said(self):
        answer = self.daemon.run("claim", "3000")
        self.assertEqual((answer.code, answer.out), (harness.WRONG, ""))
        self.assertIn("pd claim NAME -p 3000", answer.err)
        self.assertIn("pd why 3000", answer.err)
        self.assertEqual(self.daemon.query("SELECT count(*) FROM services"), [(0,)])

    def test_export_prints_a_line_for_the_shell(self):
        text = self.daemon.pd("claim", "app:exported", "--export")
        port = self.daemon.service("app:exported")["port"]
        shell = subprocess.run(["sh", "-c", f"{text}\necho $PORT"], capture_output=True, text=True,
                               check=True)
        self.assertEqual(shell.stdout.strip(), str(port))


class ConflictTest(harness.PortDaddyTest):
    def test_claim_of_a_port_that_listens_names_the_holder_and_changes_nothing(self):
        port = harness.free_port()
        server = self.http_server(port)
        before = self.daemon.query("SELECT * FROM services")
        answer = self.daemon.run("claim", "app:taken", "-p", str(port), code=CONFLICT)
        self.assertIn(str(server.pid), answer.err)
        self.assertEqual(self.daemon.query("SELECT * FROM services"), before)

    def test_claim_of_a_port_that_another_service_has_names_it(self):
        port = self.daemon.claim("app:first")
        self.daemon.run("claim", "app:second", "-p", str(port), code=CONFLICT, says="app:first")
        self.assertIsNone(self.daemon.service("app:second"))

    def test_conflict_as_json_has_a_stable_code(self):
        port = self.daemon.claim("app:first")
        error = self.daemon.json("claim", "app:second", "-p", str(port), code=CONFLICT)
        self.assertFalse(error["ok"])
        self.assertEqual(error["error"]["code"], "conflict")


class ReleaseTest(harness.PortDaddyTest):
    def test_release_by_port(self):
        port = self.daemon.claim("app:web")
        self.daemon.pd("release", f":{port}")
        self.assertIsNone(self.daemon.service("app:web"))

    def test_release_by_pattern_takes_what_matches_and_nothing_else(self):
        for name in ("app:web", "app:api", "apple:web", "other:web"):
            self.daemon.claim(name)
        self.daemon.pd("release", "app:*")
        left = [s["id"] for s in self.daemon.json("find")["services"]]
        self.assertEqual(left, ["apple:web", "other:web"])

    def test_underscore_and_percent_are_literal_in_patterns(self):
        self.daemon.claim("a_b")
        self.daemon.claim("axb")
        found = self.daemon.json("find", "a_b")["services"]
        self.assertEqual([s["id"] for s in found], ["a_b"])

    def test_release_of_an_unknown_service_is_a_no(self):
        self.assertEqual(self.daemon.run("release", "no:such").code, harness.NO)

    def test_name_that_is_near_to_a_claim_is_answered_with_it(self):
        self.daemon.claim("shop:web")
        for line in ("release shop:wbe", "release web", "health shop:wbe", "stop shop:wbe",
                     "find shop:wbe", "why shop:wbe", "wait shop:wbe --timeout 1ms"):
            answer = self.daemon.run(*line.split(), code=harness.NO)
            self.assertIn("did you mean shop:web?", answer.err, line)
        self.assertNotIn("did you mean", self.daemon.run("release", "shop:api").err)


@needs_root
class OwnershipTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.port = self.daemon.claim("root:web")

    def test_release_of_another_users_service_is_refused_and_changes_nothing(self):
        before = self.daemon.query("SELECT * FROM services")
        self.daemon.run("release", "root:web", uid=NOBODY, code=NOT_ALLOWED)
        self.assertEqual(self.daemon.query("SELECT * FROM services"), before)

    def test_everybody_may_look(self):
        found = self.daemon.json("find", uid=NOBODY)["services"]
        self.assertEqual([s["id"] for s in found], ["root:web"])

    def test_root_may_release_anybodys_service(self):
        self.daemon.claim("nobody:web", uid=NOBODY)
        self.daemon.pd("release", "nobody:web")
        self.assertIsNone(self.daemon.service("nobody:web"))

    def test_pattern_release_by_another_user_takes_only_his_own(self):
        self.daemon.claim("nobody:web", uid=NOBODY)
        self.daemon.run("release", "*:web", uid=NOBODY)
        self.assertEqual([s["id"] for s in self.daemon.json("find")["services"]], ["root:web"])

    def test_directory_and_command_line_are_hidden_from_other_users(self):
        secret = os.path.join(self.work, "secret-directory")
        os.mkdir(secret)
        port = self.daemon.claim("root:secret", cwd=secret)
        self.spawn_python("s = listener(int(sys.argv[1]))\nready()\nrest()", port,
                          "secret-argument", cwd=secret)
        self.daemon.wait_status("root:secret", "active")
        for command in (("find",), ("find", "--all"), ("why", str(port)), ("log",)):
            text = str(self.daemon.json(*command, uid=NOBODY, code=None))
            self.assertNotIn("secret-argument", text, command)
            self.assertNotIn("secret-directory", text, command)
        mine = str(self.daemon.json("why", str(port), code=None))
        self.assertIn("secret-argument", mine)

    def test_claim_of_an_ordinary_user_follows_his_server(self):
        port = self.daemon.claim("nobody:web", uid=NOBODY)
        server = self.http_server(port, uid=NOBODY)
        self.assertEqual(self.daemon.wait_status("nobody:web", "active")["pids"], [server.pid])


class ParallelTest(harness.PortDaddyTest):
    def claim_all(self, names):
        """Starts a pd for each name at the same time; (name, exit code, port as text)."""
        running = [(name, subprocess.Popen([self.daemon.pd_program, "claim", name, "-q"],
                                           env=self.daemon.env, stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE, cwd=self.work))
                   for name in names]
        results = []
        for name, process in running:
            out, err = process.communicate(timeout=60 * harness.SCALE)
            results.append((name, process.returncode, out.decode().strip() or err.decode()))
        return results

    def test_two_hundred_parallel_claims_get_two_hundred_ports(self):
        results = self.claim_all(f"crowd:n{n}" for n in range(PARALLEL))
        self.assertEqual([r for r in results if r[1] != 0], [])
        twice = [p for p, n in collections.Counter(r[2] for r in results).items() if n > 1]
        self.assertEqual(twice, [])
        stored = dict(self.daemon.query("SELECT id, port FROM services"))
        self.assertEqual({r[0]: int(r[2]) for r in results}, stored)

    def test_parallel_claims_of_one_name_get_one_port(self):
        results = self.claim_all(["crowd:same"] * PARALLEL)
        self.assertEqual([r for r in results if r[1] != 0], [])
        self.assertEqual(len({r[2] for r in results}), 1)
        self.assertEqual(self.daemon.query("SELECT count(*) FROM services"), [(1,)])

    def test_parallel_exact_claims_of_one_port_have_one_winner(self):
        port = str(harness.free_port())
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            codes = list(pool.map(
                lambda n: self.daemon.run("claim", f"rival:n{n}", "-p", port).code, range(40)))
        self.assertEqual(codes.count(harness.DONE), 1, codes)
        self.assertEqual(codes.count(CONFLICT), 39, codes)


class KilledDaemonTest(harness.PortDaddyTest):
    def test_every_printed_claim_survives_kill_9_of_the_daemon(self):
        printed, lock, stop = {}, threading.Lock(), threading.Event()

        def claimer(number):
            for n in range(10000):
                if stop.is_set():
                    return
                name = f"storm{number}:n{n}"
                answer = self.daemon.run("claim", name, "-q")
                if answer.code != harness.DONE:
                    return
                with lock:
                    printed[name] = int(answer.out)

        threads = [threading.Thread(target=claimer, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(printed) > 120, "claims are coming", 60 * harness.SCALE)
            self.daemon.stop(signal.SIGKILL)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.daemon.start()
        stored = {s["id"]: s["port"] for s in self.daemon.json("find")["services"]}
        lost = {name: port for name, port in printed.items() if stored.get(name) != port}
        self.assertEqual(lost, {}, f"of {len(printed)} printed claims")
        self.assertEqual(len(set(stored.values())), len(stored))


if __name__ == "__main__":
    sys.exit(harness.main())
