#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Real servers of every kind: each is found with its port, protocol and processes."""
import os
import sys

import harness
from harness import needs_root, wait_until

NODE_SERVER = "require('http').createServer((q, r) => r.end('ok'))" \
              ".listen(+process.argv[1], () => console.log('ready'))"


CROWD = 900  # listeners of one process; more than any queue between the daemon's rooms holds
BIG_PAGES = 65536  # of 4 kB: a quarter of a gigabyte, which takes the kernel some 30 ms to free


class RealServersTest(harness.PortDaddyTest):
    def holders(self, port):
        """All pids that `pd find --all` shows on a port."""
        return sorted({pid for s in self.sockets(port) for pid in s["pids"]})

    def sockets(self, port):
        return [s for s in self.daemon.json("find", "--all")["sockets"] if s["port"] == port]

    def test_node_server_is_active(self):
        port = self.daemon.claim("demo:node")
        server = self.spawn(["node", "-e", NODE_SERVER, str(port)])
        self.assertEqual(server.read_line(), "ready")
        row = self.daemon.wait_status("demo:node", "active")
        self.assertEqual(row["pids"], [server.pid])
        self.assertEqual(row["process"], "node")

    def test_reuseport_listeners_are_all_named(self):
        port = self.daemon.claim("demo:shared")
        parent = self.spawn([self.helper("reuseport"), str(port)])
        pids = sorted(int(parent.read_line().split()[1]) for _ in range(2))
        self.strays.extend(pids)

        def both():
            row = self.daemon.service("demo:shared")
            return row["status"] == "active" and sorted(row["pids"]) == pids
        wait_until(both, "both processes hold the port")

    def test_reuseport_service_is_active_until_the_last_listener_ends(self):
        port = self.daemon.claim("demo:shared")
        parent = self.spawn([self.helper("reuseport"), str(port)])
        pids = {int(parent.read_line().split()[1]) for _ in range(2)}
        self.strays.extend(pids)
        child = (pids - {parent.pid}).pop()
        self.daemon.wait_status("demo:shared", "active")
        os.kill(child, 9)
        wait_until(lambda: self.daemon.service("demo:shared")["pids"] == [parent.pid],
                   "the parent alone")
        self.assertEqual(self.daemon.service("demo:shared")["status"], "active")
        parent.kill()
        self.daemon.wait_status("demo:shared", "ghost")

    def test_udp_socket_makes_a_service_active_and_its_close_a_ghost(self):
        port = self.daemon.claim("demo:udp")
        server = self.listener(port, "kind=socket.SOCK_DGRAM")
        self.assertEqual(self.daemon.wait_status("demo:udp", "active")["pids"], [server.pid])
        server.kill()
        self.daemon.wait_status("demo:udp", "ghost")

    def big_server(self, port):
        """Its end takes long: the kernel tells of it, frees the memory, and closes the socket."""
        return self.spawn_python("memory = bytearray(os.urandom(4096)) * int(sys.argv[2])\n"
                                 "s = listener(int(sys.argv[1]))\nready()\nrest()",
                                 port, BIG_PAGES)

    def log_of(self, service):
        return [e[0] for e in self.daemon.query(
            "SELECT details FROM activity WHERE service = ? AND action IN"
            " ('GHOST', 'ORPHAN', 'SQUAT')", service)]

    def test_server_whose_end_takes_long_leaves_no_hidden_process_in_the_log(self):
        port = self.daemon.claim("demo:big")
        server = self.big_server(port)
        self.daemon.wait_status("demo:big", "active")
        server.process.kill()
        self.daemon.wait_status("demo:big", "ghost")
        self.assertEqual(wait_until(lambda: self.log_of("demo:big"), "an entry"),
                         [f"Port {port}: nothing listens on the port any more"])

    def test_daemon_that_stops_while_a_server_ends_calls_nobody_hidden(self):
        port = self.daemon.claim("demo:big")
        server = self.big_server(port)
        self.daemon.wait_status("demo:big", "active")
        server.process.kill()
        self.daemon.pd("daemon", "stop")
        self.assertEqual([d for d in self.log_of("demo:big") if "hidden" in d], [])
        self.daemon.process.wait(harness.DEADLINE_S)
        self.daemon.start()
        self.daemon.wait_status("demo:big", "ghost")

    def test_dual_stack_listener_is_active_and_one_row(self):
        port = self.daemon.claim("demo:dual")
        server = self.listener(port, "'::', socket.AF_INET6")
        self.assertEqual(self.daemon.wait_status("demo:dual", "active")["pids"], [server.pid])
        self.assertEqual(len(self.sockets(port)), 1)

    def test_ipv6_only_and_ipv4_servers_on_one_port_are_both_shown(self):
        port = harness.free_port()
        first = self.spawn_python(
            "s = socket.socket(socket.AF_INET6)\n"
            "s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)\n"
            "s.bind(('::1', int(sys.argv[1])))\ns.listen()\nready()\nrest()", port)
        second = self.listener(port)
        wait_until(lambda: self.holders(port) == sorted([first.pid, second.pid]), "both holders")

    def test_server_that_ran_before_the_daemon_is_found(self):
        port = harness.free_port()
        server = self.http_server(port)
        late = self.start_daemon()
        self.daemon = late
        self.assertEqual(self.holders(port), [server.pid])

    def crowd(self):
        """A process with CROWD listening sockets."""
        child = self.spawn_python(
            "crowd = []\nfor p in range(20000, 32000):\n"
            "    try:\n        crowd.append(listener(p, '127.0.0.9'))\n    except OSError:\n"
            "        continue\n    if len(crowd) == int(sys.argv[1]):\n        break\n"
            "ready(len(crowd))\nrest()", CROWD)
        self.assertEqual(child.ready, f"ready {CROWD}")
        return child

    def sockets_of(self, child):
        return [s for s in self.daemon.json("find", "--all")["sockets"] if child.pid in s["pids"]]

    def test_crowd_of_listeners_does_not_hide_one(self):
        port = self.daemon.claim("demo:one")
        crowd = self.crowd()
        server = self.http_server(port)
        self.assertEqual(self.daemon.wait_status("demo:one", "active")["pids"], [server.pid])
        wait_until(lambda: len(self.sockets_of(crowd)) == CROWD, "the crowd is there")

    def test_daemon_that_starts_in_a_crowd_sees_everyone_in_it(self):
        port = self.daemon.claim("demo:one")
        server = self.http_server(port)
        crowd = self.crowd()
        self.daemon.restart()
        self.assertEqual(self.daemon.wait_status("demo:one", "active")["pids"], [server.pid])
        wait_until(lambda: len(self.sockets_of(crowd)) == CROWD, "the crowd is there")

    def test_crowd_that_leaves_at_once_leaves_an_empty_table(self):
        port = self.daemon.claim("demo:one")
        server = self.http_server(port)
        crowd = self.crowd()
        wait_until(lambda: len(self.sockets_of(crowd)) == CROWD, "the crowd is there")
        crowd.kill()
        wait_until(lambda: not self.sockets_of(crowd), "the crowd is gone")
        self.assertEqual(self.daemon.wait_status("demo:one", "active")["pids"], [server.pid])


@needs_root
class NamespaceTest(harness.PortDaddyTest):
    """A listener in another network namespace owns nothing here."""

    def in_namespace(self, port):
        code = harness.LISTEN + "s = listener(int(sys.argv[1]), '0.0.0.0')\nready()\nrest()"
        child = self.spawn(["unshare", "--net", harness.PYTHON, "-u", "-c", code, str(port)])
        self.assertEqual(child.read_line(), "ready")
        return child

    def test_listener_in_another_namespace_does_not_make_a_claim_active(self):
        port = self.daemon.claim("demo:here")
        other = self.in_namespace(port)

        def seen():
            rows = self.daemon.json("find", "--all").get("sockets", [])
            return [s for s in rows if s["port"] == port and other.pid in s["pids"]]
        if self.daemon.uses_bpf():
            wait_until(seen, "the other namespace's listener is shown")
        self.assertEqual(self.daemon.service("demo:here")["status"], "claimed")
        server = self.http_server(port)
        self.assertEqual(self.daemon.wait_status("demo:here", "active")["pids"], [server.pid])

    def test_why_says_that_the_port_is_busy_in_another_namespace(self):
        self.need_bpf("other namespaces are not seen")
        port = harness.free_port()
        other = self.in_namespace(port)

        def verdict():
            return self.daemon.json("why", str(port), code=None)["verdict"] == "other_netns"
        wait_until(verdict, "the verdict names the other namespace")
        answer = self.daemon.json("why", str(port))
        self.assertTrue(answer["free"])
        self.assertIn(other.pid, [h["pid"] for h in answer["holders"]])


if __name__ == "__main__":
    sys.exit(harness.main())
