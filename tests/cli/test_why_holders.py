#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`pd why` after a refusal, where the holder is not simply a server that may be killed: a Go program
with Multipath TCP, the proxy of a container engine, a process that a supervisor starts again.
"""
import os
import signal
import socket
import sys
import unittest

import harness
from harness import needs_root, wait_until

# net.Listen("tcp", ":PORT") of Go 1.24 and newer
GO_LISTEN = """
s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 262)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", int(sys.argv[1])))
s.listen(4096)
ready()
rest()
"""
FIRST_UID = 2100000  # of users that no machine has: whose newest refusal is a test's own


def has_mptcp():
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 262).close()
        return True
    except OSError:
        return False


class HoldersTest(harness.RefusalTest):
    def setUp(self):
        super().setUp()
        self.user = {"uid": FIRST_UID + os.getpid() % 100000, "cwd": "/"}

    def go_argv(self):
        return [harness.PYTHON, "-u", "-c", harness.LISTEN + GO_LISTEN, str(self.port)]

    def python_argv(self):
        return [harness.PYTHON, "-m", "http.server", str(self.port)]

    def install_docker(self):
        for name in ("dockerd", "docker-proxy"):
            os.symlink(harness.public_copy(self.helper("proxy")), os.path.join(self.work, name))

    def docker_proxies(self):
        """A "dockerd" with two proxies for the port; their pids."""
        self.install_docker()
        engine = self.spawn([os.path.join(self.work, "dockerd"), str(self.port)])
        pids = [int(engine.read_line()) for _ in range(2)]
        self.strays.extend(pids)
        return sorted(pids)

    def explain(self, argv, **options):
        """What plain `pd why` says to the user whose server has just failed; JSON and text."""
        victim = self.refuse(argv, **options)
        # root's newest refusal may be another test's
        arguments = () if "uid" in options else ("--pid", str(victim))
        answer = self.recorded(*arguments, pid=victim, **options)
        text = self.daemon.run("why", *arguments, **options).out
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80, line)
        return answer, text

    def names(self, answer, *pids):
        self.assertEqual(answer["errno"], "EADDRINUSE")
        self.assertEqual(sorted(h["pid"] for h in answer["holders"]), sorted(pids), answer)

    def commands(self, answer):
        return [r["command"] for r in answer["remedies"] if r["command"]]

    # --- Go ---

    def go_server_meets_python(self, **options):
        server = self.http_server(self.port)
        answer, text = self.explain(self.go_argv(), **options)
        self.names(answer, server.pid)
        self.assertEqual(answer["verdict"], "reuseaddr_vs_listener")
        self.assertEqual(answer["asked"]["addr"], "::")
        self.assertIn(f"(pid {server.pid})", text.splitlines()[0] + text.splitlines()[1])

    @unittest.skipUnless(has_mptcp(), "no Multipath TCP here")
    def test_failed_go_server_is_explained_without_a_port(self):
        self.go_server_meets_python()

    @needs_root
    @unittest.skipUnless(has_mptcp(), "no Multipath TCP here")
    def test_failed_go_server_of_an_ordinary_user_is_explained_to_that_user(self):
        self.go_server_meets_python(**self.user)

    def python_meets_go_server(self, **options):
        server = self.spawn_python(GO_LISTEN, self.port)
        answer, text = self.explain([harness.PYTHON, "-m", "http.server", "-b", "127.0.0.1",
                                     str(self.port)], **options)
        self.names(answer, server.pid)
        self.assertIn("Multipath TCP", text)

    @unittest.skipUnless(has_mptcp(), "no Multipath TCP here")
    def test_go_server_in_the_way_is_named(self):
        self.python_meets_go_server()

    @needs_root
    @unittest.skipUnless(has_mptcp(), "no Multipath TCP here")
    def test_go_server_in_the_way_is_named_to_an_ordinary_user(self):
        self.python_meets_go_server(**self.user)

    def test_node_whose_main_thread_has_a_name_is_called_by_its_program(self):
        self.spawn_python("open('/proc/self/comm', 'w').write('MainThread')\n"
                          "s = listener(int(sys.argv[1]))\nready()\nrest()", self.port)
        answer = wait_until(lambda: self.daemon.json("why", str(self.port), code=None),
                            "the answer")
        self.assertIn("python3 (pid", answer["summary"])

    # --- containers ---

    def proxy_meets_python(self, **options):
        server = self.http_server(self.port)
        self.install_docker()
        answer, _ = self.explain([os.path.join(self.work, "docker-proxy"), "-proto", "tcp",
                                  "-host-ip", "0.0.0.0", "-host-port", str(self.port),
                                  "-container-ip", "172.17.0.2", "-container-port", "80"],
                                 **options)
        self.names(answer, server.pid)
        self.assertEqual(answer["asked"]["comm"], "docker-proxy")
        self.assertEqual(answer["verdict"], "reuseaddr_vs_listener")

    def test_failed_docker_proxy_is_explained_without_a_port(self):
        self.proxy_meets_python()

    @needs_root
    def test_failed_docker_proxy_of_an_ordinary_user_is_explained_to_that_user(self):
        self.proxy_meets_python(**self.user)

    def python_meets_proxy(self, **options):
        pids = self.docker_proxies()
        answer, text = self.explain(self.python_argv(), **options)
        self.assertTrue(set(h["pid"] for h in answer["holders"]) <= set(pids), answer)
        self.assertIn("docker-proxy", text.splitlines()[0])
        self.assertIn("172.17.0.2 port 80", " ".join(text.split()))
        listed = f"docker ps -q --filter publish={self.port}"
        stop = f"docker stop $({listed})"
        self.assertEqual(self.commands(answer)[0], f"sudo sh -c '{stop}'" if options else stop)
        self.assertFalse([c for c in self.commands(answer) if "kill" in c], answer)
        self.assertFalse(answer["warning"], "its two halves are one server")

    def test_docker_proxy_in_the_way_is_named_with_what_it_forwards_to(self):
        self.python_meets_proxy()

    @needs_root
    def test_docker_proxy_in_the_way_is_named_to_an_ordinary_user(self):
        self.python_meets_proxy(**self.user)

    # --- supervisors ---

    def restarted_by(self, argv):
        """The pid of a server that something keeps alive."""
        supervisor = self.spawn(argv, env={**harness.BASE_ENV, "PORT": str(self.port)})

        def server():
            answer = self.daemon.json("why", str(self.port), code=None)
            pids = [h["pid"] for h in answer["holders"]]
            return pids[0] if pids and answer["verdict"] == "listener" else None
        return supervisor, wait_until(server, "the server listens")

    def comes_back(self, argv, name):
        supervisor, server = self.restarted_by(argv)
        self.strays.append(server)
        answer = self.daemon.json("why", str(self.port), code=None)
        self.assertIn("comes back", answer["summary"])
        self.assertIn(name, answer["summary"])
        command = self.commands(answer)[0]
        self.assertEqual(command, f"kill {supervisor.pid} {server}")
        for pid in command.split()[1:]:
            os.kill(int(pid), signal.SIGTERM)
        supervisor.wait()
        wait_until(lambda: self.daemon.json("why", str(self.port), code=None)["free"],
                   "the port is free")

    def test_shell_loop_is_stopped_before_the_server_that_it_starts_again(self):
        self.comes_back(["sh", "-c", f"while true; do {harness.PYTHON} -m http.server $PORT; done"],
                        "a shell loop")

    def test_nodemon_is_stopped_before_the_server_that_it_starts_again(self):
        nodemon = os.path.join(self.work, "nodemon")
        with open(nodemon, "w", encoding="ascii") as f:
            f.write("import os, subprocess, sys\nwhile True:\n    subprocess.call([sys.executable, "
                    "'-m', 'http.server', os.environ['PORT']])\n")
        self.comes_back([harness.PYTHON, nodemon], "nodemon")


if __name__ == "__main__":
    sys.exit(harness.main())
