#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`pd why PORT`: would a bind succeed now, and if not, who is in the way by which rule.
`pd why`: why was the newest one refused.

Each answer is held against the kernel's own: the test binds the port itself.
"""
import errno
import json
import os
import shutil
import signal
import socket
import sys
import unittest

import harness
from harness import wait_until


def kernel_says(port, family=socket.AF_INET6, address="::", kind=socket.SOCK_STREAM, flags=()):
    """What bind and listen really answer: an errno, 0 for success."""
    with socket.socket(family, kind) as s:
        for flag in flags:
            s.setsockopt(socket.SOL_SOCKET, flag, 1)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            s.bind((address, port))
            if kind == socket.SOCK_STREAM:
                s.listen()
        except OSError as error:
            return error.errno
    return 0


class WhyTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.port = harness.free_port()

    def why(self, *arguments):
        return self.daemon.json("why", str(self.port), *arguments, code=None)

    def agrees(self, answer, kernel):
        self.assertEqual(answer["free"], kernel == 0, answer)
        if kernel:
            self.assertEqual(answer["errno"], errno.errorcode[kernel])

    def wait_verdict(self, verdict, *arguments):
        def there():
            answer = self.why(*arguments)
            return answer if answer["verdict"] == verdict else None
        try:
            return wait_until(there, f"the verdict is {verdict}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.why(*arguments)}") from None

    def test_free_port_is_free_and_exit_0(self):
        answer = self.daemon.run("why", str(self.port), code=harness.DONE)
        self.assertIn("free", answer.out)
        self.assertEqual(self.why()["verdict"], "free")

    def test_live_listener_is_named_with_pid_and_exit_1(self):
        server = self.http_server(self.port)
        answer = self.wait_verdict("listener")
        self.agrees(answer, kernel_says(self.port))
        self.assertIn(server.pid, [h["pid"] for h in answer["holders"]])
        text = self.daemon.run("why", str(self.port), code=harness.NO)
        self.assertIn(str(server.pid), text.out)

    def test_all_holders_of_a_shared_listener_are_named(self):
        parent = self.spawn_python("s = listener(int(sys.argv[1]), '0.0.0.0')\nchild = os.fork()\n"
                                   "if child == 0:\n    rest()\nready(child)\nrest()", self.port)
        child = int(parent.ready.split()[1])
        self.strays.append(child)
        wait_until(lambda: sorted(h["pid"] for h in self.why()["holders"])
                   == sorted([parent.pid, child]), "both holders")

    def test_answer_is_complete_when_every_reference_to_the_socket_is_a_holder(self):
        self.need_bpf("references are not counted")
        # not http.server: a process that sleeps in poll() has a second reference for as long
        self.listener(self.port)
        wait_until(lambda: self.why()["complete"], "one process, one descriptor, nothing else")

    def test_json_has_the_contracts_members(self):
        self.http_server(self.port)
        answer = self.why()
        for member in ("port", "proto", "free", "verdict", "summary", "rule", "sockets", "holders",
                       "service", "errno", "complete", "remedies"):
            self.assertIn(member, answer)
        for member in ("proto", "family", "addr", "port", "state", "netns", "uid", "inode",
                       "cookie", "v6only"):
            self.assertIn(member, answer["sockets"][0])
        for member in ("pid", "startTime", "comm", "cmdline", "exe", "cwd", "user", "fds", "since",
                       "ancestry"):
            self.assertIn(member, answer["holders"][0])
        for remedy in answer["remedies"]:
            self.assertIn("text", remedy)

    def test_socket_that_is_bound_and_does_not_listen(self):
        holder = self.spawn_python("s = socket.socket()\ns.bind(('0.0.0.0', int(sys.argv[1])))\n"
                                   "ready()\nrest()", self.port)
        answer = self.wait_verdict("bound_not_listening")
        self.agrees(answer, kernel_says(self.port))
        self.assertIn(holder.pid, [h["pid"] for h in answer["holders"]])

    def test_time_wait_is_explained_and_has_no_holder(self):
        self.leave_time_wait(reuseaddr=False)
        answer = self.wait_verdict("time_wait", "--no-reuseaddr")
        self.agrees(answer, kernel_says(self.port))
        self.assertEqual(answer["holders"], [])

    def leave_time_wait(self, reuseaddr):
        """An old server that served one connection and closed it first."""
        self.spawn_python(f"""
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, {int(reuseaddr)})
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen()
client = socket.create_connection(server.getsockname())
accepted, _ = server.accept()
accepted.close()
client.close()
server.close()
ready()
""", self.port).wait()

    def kernel_says_of_server(self):
        """A server as nearly all are: on every address, with SO_REUSEADDR."""
        return kernel_says(self.port, flags=[socket.SO_REUSEADDR])

    def needs_flags(self):
        self.need_bpf("flags cannot be read")

    def test_server_that_restarts_is_told_that_it_may_and_who_may_not(self):
        self.needs_flags()
        self.leave_time_wait(reuseaddr=True)
        answer = self.why()
        self.agrees(answer, self.kernel_says_of_server())
        self.assertTrue(answer["asked"]["reuseaddr"])
        self.assertRegex(answer["summary"], r"free for a server that sets SO_REUSEADDR.*; one that "
                         r"does not waits until .*\(TIME_WAIT\).* in \d+ seconds|1 minute")
        without = self.why("--no-reuseaddr")
        self.assertEqual(without["verdict"], "time_wait")
        self.agrees(without, kernel_says(self.port))

    def test_server_whose_predecessor_did_not_set_reuseaddr_has_to_wait(self):
        self.needs_flags()
        self.leave_time_wait(reuseaddr=False)
        answer = self.why()
        self.agrees(answer, self.kernel_says_of_server())
        self.assertEqual(answer["verdict"], "time_wait_reuse_one_sided")

    def test_connections_of_a_server_that_drains_leave_the_port_free_for_most(self):
        self.needs_flags()
        self.spawn_python("""
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
clients = [socket.create_connection(server.getsockname()) for _ in range(2)]
accepted = [server.accept() for _ in range(2)]
server.close()
ready()
rest()
""", self.port)
        answer = self.why()
        self.agrees(answer, self.kernel_says_of_server())
        self.assertIn("until 2 connections of an old server are gone", answer["summary"])
        self.agrees(self.why("--no-reuseaddr"), kernel_says(self.port))

    def test_server_that_listens_is_named_before_the_one_that_drains(self):
        self.needs_flags()
        old = self.spawn_python("""
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
client = socket.create_connection(server.getsockname())
accepted, _ = server.accept()
server.close()
ready()
rest()
""", self.port)
        new = self.spawn_python("s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
                                "ready()\nrest()", self.port)
        answer = self.wait_verdict("listener")
        self.assertEqual([h["pid"] for h in answer["holders"]], [new.pid])
        answer = self.why("--no-reuseaddr")
        self.assertEqual([h["pid"] for h in answer["holders"]], [new.pid, old.pid])
        self.assertRegex(answer["summary"],
                         rf"python3 \(pid {new.pid}\) has been listening on it for .*\. "
                         rf"python3 \(pid {old.pid}\) does not listen any more, but still has 1 "
                         "connection\\.")

    def test_what_an_interpreter_runs_is_told_to_who_may_see_it(self):
        server = self.http_server(self.port)
        answer = self.why()
        self.assertEqual(answer["holders"][0]["runs"], "http.server")
        self.assertIn("It runs http.server.", answer["summary"])
        text = self.daemon.run("why", str(self.port)).out
        own = os.path.basename(sys.argv[0])
        self.assertRegex(text, rf"started by +{own}", f"by this program, not by {server.argv[0]}")
        if harness.IS_ROOT:
            stranger = self.daemon.json("why", str(self.port), code=None, uid=harness.NOBODY)
            self.assertIsNone(stranger["holders"][0]["runs"])
            self.assertNotIn("http.server", json.dumps(stranger))

    def test_flag_that_is_named_gives_the_verdict_about_it(self):
        self.needs_flags()
        self.spawn_python("s = socket.create_server(('', int(sys.argv[1])))\nready()\nrest()",
                          self.port)
        self.assertEqual(self.wait_verdict("listener")["errno"], "EADDRINUSE")
        self.assertEqual(self.why("--reuseaddr")["verdict"], "reuseaddr_vs_listener")
        self.daemon.run("why", str(self.port), "--reuseaddr", "--no-reuseaddr", code=harness.WRONG)

    def test_other_protocol_on_the_number_is_mentioned(self):
        udp = self.listener(self.port, "kind=socket.SOCK_DGRAM")
        answer = wait_until(lambda: self.why() if "UDP" in self.why()["summary"] else None,
                            "UDP is mentioned")
        self.agrees(answer, kernel_says(self.port))
        self.assertIn(f"UDP port {self.port} is another one: python3 (pid {udp.pid}) has it "
                      f"(pd why {self.port} --udp)", answer["summary"])
        self.assertNotIn("no socket owns", answer["rule"])
        self.http_server(self.port)
        udp.kill()
        answer = wait_until(lambda: self.why("--udp") if self.why("--udp")["free"] else None,
                            "the UDP port is free")
        self.assertIn(f"(pd why {self.port})", answer["summary"])

    def test_port_with_a_colon_and_a_service_stand_for_the_port(self):
        port = self.daemon.claim("shop:web")
        for target in str(port), f":{port}", "shop:web":
            self.assertEqual(self.daemon.json("why", target)["port"], port)
        for pasted, addr in ((f":::{port}", "::"), (f"127.0.0.1:{port}", "127.0.0.1"),
                             (f"http://localhost:{port}/x", "::")):
            answer = self.daemon.json("why", pasted)
            self.assertEqual((answer["port"], answer["asked"]["addr"]), (port, addr))
        server = self.http_server(port)
        answer = self.daemon.run("why", "shop:web", code=harness.NO)
        self.assertIn(str(server.pid), answer.out)
        unknown = self.daemon.run("why", "shop:db")
        self.assertEqual((unknown.code, unknown.out), (harness.NO, ""))
        self.assertIn("no service is called 'shop:db'", unknown.err)
        self.daemon.run("why", "shop", code=harness.NO,
                        says=("no service is called 'shop' alone", "pd find 'shop:*'"))
        self.assertEqual(self.daemon.json("why", "shop:db", code=harness.NO)["ok"], False)
        self.assertEqual(self.daemon.run("why", ":0").code, harness.WRONG)

    def test_listener_on_another_address_leaves_a_specific_address_free(self):
        self.listener(self.port, "'127.0.0.2'")
        answer = self.wait_verdict("free", "--addr", "127.0.0.1")
        self.agrees(answer, kernel_says(self.port, socket.AF_INET, "127.0.0.1"))
        refused = self.why("--addr", "0.0.0.0")
        self.agrees(refused, kernel_says(self.port, socket.AF_INET, "0.0.0.0"))
        self.assertEqual(refused["verdict"], "listener_wildcard_overlap")

    def test_dual_stack_listener_blocks_ipv4(self):
        self.spawn_python("s = socket.socket(socket.AF_INET6)\n"
                          "s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)\n"
                          "s.bind(('::', int(sys.argv[1])))\ns.listen()\nready()\nrest()",
                          self.port)
        answer = self.wait_verdict("dual_stack", "--addr", "0.0.0.0")
        self.agrees(answer, kernel_says(self.port, socket.AF_INET, "0.0.0.0"))

    def test_udp_holder_blocks_udp_and_not_tcp(self):
        holder = self.listener(self.port, "'0.0.0.0', kind=socket.SOCK_DGRAM")
        answer = self.wait_verdict("udp_bound", "--udp")
        self.agrees(answer, kernel_says(self.port, kind=socket.SOCK_DGRAM))
        self.assertIn(holder.pid, [h["pid"] for h in answer["holders"]])
        self.agrees(self.why(), kernel_says(self.port))

    def test_claim_on_the_port_is_named(self):
        self.daemon.claim("app:owner", "-p", str(self.port))
        self.http_server(self.port)
        self.wait_verdict("listener")
        self.assertIn("app:owner", self.daemon.run("why", str(self.port)).out)

    def test_holder_that_ended_is_not_named(self):
        server = self.http_server(self.port)
        self.wait_verdict("listener")
        server.kill()
        answer = self.wait_verdict("free")
        self.assertEqual(answer["holders"], [])

    def test_flags_are_asked_about_and_shown(self):
        self.need_bpf("flags cannot be read")
        self.spawn_python("s = socket.socket()\n"
                          "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
                          "s.bind(('127.0.0.1', int(sys.argv[1])))\ns.listen()\nready()\nrest()",
                          self.port)
        asked = ("--addr", "127.0.0.1")
        plain = self.wait_verdict("reuseport_missing_victim", *asked)
        self.agrees(plain, kernel_says(self.port, socket.AF_INET, "127.0.0.1"))
        self.assertTrue(plain["sockets"][0]["reuseport"])
        self.assertFalse(plain["sockets"][0]["reuseaddr"])
        shared = self.why(*asked, "--reuseport")
        self.agrees(shared, kernel_says(self.port, socket.AF_INET, "127.0.0.1",
                                        flags=[socket.SO_REUSEPORT]))
        self.assertTrue(shared["free"])
        if harness.IS_ROOT:
            self.assertEqual(self.why(*asked, "--reuseport", "--uid", "12345")["verdict"],
                             "reuseport_uid")

    @harness.needs_root
    def test_namespace_of_a_process_is_asked_by_its_pid(self):
        self.need_bpf("other namespaces cannot be read")
        holder = self.spawn_python("import ctypes\nctypes.CDLL(None).unshare(0x40000000)\n"
                                   "s = listener(int(sys.argv[1]), '0.0.0.0')\nready()\nrest()",
                                   self.port)
        there = ("--netns", str(holder.pid), "--addr", "0.0.0.0")
        answer = self.wait_verdict("listener", *there)
        self.assertEqual([h["pid"] for h in answer["holders"]], [holder.pid])
        self.assertEqual(self.wait_verdict("other_netns")["free"], True)

    def test_two_servers_on_one_port_are_warned_of(self):
        self.listener(self.port, "'127.0.0.1'")
        self.spawn_python("s = socket.socket(socket.AF_INET6)\n"
                          "s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)\n"
                          "s.bind(('::1', int(sys.argv[1])))\ns.listen()\nready()\nrest()",
                          self.port)
        harness.wait_until(lambda: self.why()["warning"], "the warning")
        self.assertIn("localhost", self.daemon.run("why", str(self.port)).out)

    def test_lines_fit_80_columns_but_for_commands(self):
        self.http_server(self.port)
        self.wait_verdict("listener")
        for line in self.daemon.run("why", str(self.port)).out.splitlines():
            self.assertLessEqual(len(line), 80, line)


class TeardownTest(harness.PortDaddyTest):
    def kill_and_ask(self):
        """What pd why says right after the end of a process that listened through a ring."""
        child = self.spawn([self.helper("ring"), str(self.port)])
        if child.read_line() != "ready":
            self.skipTest("no io_uring here")
        wait_until(lambda: not self.ask()["free"], "the ring's port is taken")
        child.kill()
        answer = self.ask()
        wait_until(lambda: self.ask()["free"], "the ring is gone")
        return answer

    def ask(self):
        return self.daemon.get(f"/v1/why?port={self.port}")

    def test_ring_of_a_dead_process_is_named_while_it_is_torn_down(self):
        """The kernel takes some 25 ms for it: not every question comes in time, one does."""
        self.need_bpf("nobody knows whose ring it was")
        self.port = harness.free_port()

        def seen():
            answer = self.kill_and_ask()
            self.assertIn(answer["verdict"], ("io_uring_teardown", "free"))
            return answer if not answer["free"] else None

        answer = wait_until(seen, "a ring that is torn down")
        self.assertEqual((answer["errno"], answer["holders"]), ("EADDRINUSE", []))
        self.assertIn("for a moment", answer["summary"])


class RefusalTest(harness.RefusalTest):
    """`pd why` right after a server could not start."""

    def agree(self, answer, victim, holder):
        self.assertEqual(answer["errno"], "EADDRINUSE", answer)
        self.assertEqual(answer["asked"]["pid"], victim)
        self.assertEqual(answer["asked"]["port"], self.port)
        self.assertIn(holder, [h["pid"] for h in answer["holders"]])
        self.assertFalse(answer["free"])

    def test_failed_python_server_is_explained_without_a_port(self):
        server = self.http_server(self.port)
        victim = self.refuse([harness.PYTHON, "-m", "http.server", str(self.port)])
        answer = self.recorded("--pid", str(victim), pid=victim)
        self.agree(answer, victim, server.pid)
        text = self.daemon.run("why", "--pid", str(victim), code=harness.NO)
        self.assertIn(f"pid {server.pid}", text.out)
        self.assertRegex(text.out, rf"\(pid {victim}\) asked for .*:{self.port}, ")

    @unittest.skipUnless(shutil.which("node"), "needs node")
    def test_failed_node_server_is_explained_without_a_port(self):
        script = os.path.join(self.work, "server.js")
        with open(script, "w", encoding="ascii") as f:
            f.write("require('http').createServer().listen(+process.argv[2]);\n")
        node = [shutil.which("node"), script, str(self.port)]
        server = self.spawn(node)
        self.wait_listening(server, self.port)
        victim = self.refuse(node)
        answer = self.recorded("--pid", str(victim), pid=victim)
        self.agree(answer, victim, server.pid)
        self.assertEqual(answer["verdict"], "same_service")
        self.assertEqual(answer["asked"]["addr"], "::")

    def test_server_that_ended_before_anybody_looked_is_the_same_service_nevertheless(self):
        argv = [harness.PYTHON, "-m", "http.server", str(self.port)]
        server = self.http_server(self.port)
        for other, verdict in (([], "same_service"),
                               (["--bind", "0.0.0.0"], "reuseaddr_vs_listener")):
            os.kill(self.daemon.pid, signal.SIGSTOP)
            try:
                victim = self.refuse(argv + other)  # and reaped
            finally:
                os.kill(self.daemon.pid, signal.SIGCONT)
            answer = self.recorded("--pid", str(victim), pid=victim)
            self.agree(answer, victim, server.pid)
            self.assertEqual(answer["verdict"], verdict)

    def test_bind_with_an_address_that_cannot_be_read_is_recorded(self):
        victim = self.spawn_python("import ctypes\ns = socket.socket()\n"
                                   "ctypes.CDLL(None).bind(s.fileno(), ctypes.c_void_p(8), 16)\n"
                                   "ready()\nrest()")
        answer = self.recorded("--pid", str(victim.pid), pid=victim.pid)
        self.assertEqual((answer["verdict"], answer["errno"]), ("unknown", "EFAULT"))
        self.assertIn("fault of the program", answer["summary"])

    def test_program_that_calls_itself_like_the_daemon_is_explained(self):
        victim = self.spawn_python("""
with open("/proc/self/comm", "w") as name:
    name.write("portdaddyd")
first, second = socket.socket(), socket.socket()
first.bind(("127.0.0.1", 0))
first.listen()
try:
    second.bind(first.getsockname())
except OSError:
    ready()
rest()
""")
        answer = self.recorded("--pid", str(victim.pid), pid=victim.pid)
        self.assertEqual(answer["errno"], "EADDRINUSE")

    def test_holder_that_has_gone_is_still_named(self):
        server = self.http_server(self.port)
        victim = self.refuse([harness.PYTHON, "-m", "http.server", str(self.port)])
        server.kill()
        answer = self.recorded("--pid", str(victim), pid=victim)
        self.agree(answer, victim, server.pid)

    def test_connection_in_the_way_has_one_holder_in_why_log_and_watch(self):
        port = self.daemon.claim("app:web", "-p", str(self.port))
        watch = self.watch_service("app:web", port, "-j")
        client = self.spawn_python("""
server = listener(0)
c = socket.create_connection(server.getsockname(), source_address=("", int(sys.argv[1])))
ready()
rest()""", port)
        with socket.socket() as s:
            self.assertRaises(OSError, s.bind, ("0.0.0.0", port))
        entry = next(e for e in self.daemon.json("log", f":{port}")["entries"]
                     if e["action"] == "FAIL")
        self.assertRegex(entry["details"], rf"held by a connection of python3 \({client.pid}\)")
        answer = self.daemon.json("why", str(port), code=None)
        self.assertEqual([h["pid"] for h in answer["holders"]], [client.pid])
        self.assertEqual(answer["failures"][0]["details"], entry["details"])
        line = watch.wait_for(lambda l: "FAIL" in l and f'"port":{port}' in l, "the refusal")
        self.assertEqual(json.loads(line)["holder"], {"pid": client.pid, "comm": "python3"})

    def test_refusals_survive_a_restart_of_the_daemon(self):
        server = self.http_server(self.port)
        victim = self.refuse([harness.PYTHON, "-m", "http.server", str(self.port)])
        self.recorded("--pid", str(victim), pid=victim)
        self.daemon.restart()
        self.agree(self.recorded("--pid", str(victim), pid=victim), victim, server.pid)

    def test_last_lists_the_newest_first(self):
        self.http_server(self.port)
        # a user whose refusals no other program adds to
        alone = {"uid": 3000000 + os.getpid(), "cwd": "/"}
        victims = [self.refuse([harness.PYTHON, "-m", "http.server", str(self.port)], **alone)
                   for _ in range(2)]
        self.recorded("--pid", str(victims[1]), pid=victims[1], **alone)
        answer = self.daemon.json("why", "--last", "50", code=None, **alone)
        pids = [r["asked"]["pid"] for r in answer["refusals"]]
        self.assertLess(pids.index(victims[1]), pids.index(victims[0]))

    def test_nothing_recorded_says_what_to_do(self):
        self.daemon.run("why", "--pid", "1", code=harness.NO, says="again")
        self.assertEqual(json.loads(self.daemon.run("why", "--pid", "1", "-j").out)["error"]["code"],
                         "not_found")

    @harness.needs_root
    def test_ordinary_user_hears_of_the_own_refusals_only(self):
        server = self.http_server(self.port)
        roots = self.refuse([harness.PYTHON, "-m", "http.server", str(self.port)])
        theirs = self.refuse([harness.PYTHON, "-m", "http.server", str(self.port)],
                             uid=harness.NOBODY, cwd="/")
        as_user = {"uid": harness.NOBODY, "cwd": "/"}
        answer = self.recorded("--pid", str(theirs), pid=theirs, **as_user)
        self.agree(answer, theirs, server.pid)
        self.assertIsNone(answer["holders"][0]["cmdline"])
        self.recorded("--pid", str(roots), pid=roots)
        self.assertEqual(self.daemon.run("why", "--pid", str(roots), **as_user).code, harness.NO)


if __name__ == "__main__":
    sys.exit(harness.main())
