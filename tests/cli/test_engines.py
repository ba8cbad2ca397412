#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Ports that an engine has for its containers, and those that it has for itself: the first remedy of
`pd why`, followed literally, frees the port, and every other container goes on.

Engines are stand-ins that know their containers by the processes which have their ports: to stop one
ends these, as it does with the real ones.
"""
import sys

import harness
from harness import PYTHON, needs_root, wait_until
from remedies import RemedyTest

CONTAINER = "0123456789ab" * 5 + "cdef"
AT_ONCE_S = 0  # nobody starts it again
ENGINE = """#!{python}
import os, signal, sys
words = sys.argv[3:] if sys.argv[1] == "-H" else sys.argv[1:]
with open("{work}/told", "a") as f:
    f.write(os.path.basename(sys.argv[0]) + " " + " ".join(sys.argv[1:]) + "\\n")
containers = {{}}
with open("{work}/containers") as f:
    for line in f:
        name, pid, published = line.split()
        if os.path.exists("/proc/" + pid):
            containers.setdefault(name, []).append((int(pid), published))
if words[0] == "ps":
    wanted = words[words.index("--filter") + 1].partition("=")[2] if "--filter" in words else ""
    for name, ports in containers.items():
        numbers = [p.rpartition(":")[2].replace("->80", "") for _, p in ports]
        if not wanted or (wanted if "/" in wanted else wanted + "/tcp") in numbers:
            print(name, *([", ".join(p for _, p in ports)] if "-q" not in words else []))
elif words[0] == "stop":
    for name in words[1:]:
        for pid, _ in containers[name]:
            os.kill(pid, signal.SIGTERM)
"""
PROXY = """
import socket, sys, time
kind = socket.SOCK_DGRAM if "udp" in sys.argv else socket.SOCK_STREAM
addr = sys.argv.pop()
s = socket.socket(socket.AF_INET6 if ":" in addr.rpartition(":")[0] else socket.AF_INET, kind)
if s.family == socket.AF_INET6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.bind((addr.rpartition(":")[0], int(addr.rpartition(":")[2])))
if kind == socket.SOCK_STREAM:
    s.listen()
print("ready", flush=True)
while True:
    time.sleep(1)
"""
SUDO = """#!/bin/sh
[ "$1" = -u ] || exit 1
user=$2
shift 2
exec setpriv --reuid="$user" --clear-groups "$@"
"""


class EngineTest(RemedyTest):
    def setUp(self):
        super().setUp()
        self.write("containers", "")
        self.write("told", "", 0o666)
        for name in "docker", "podman":
            self.write(f"programs/{name}", ENGINE.format(python=PYTHON, work=self.work), 0o755)

    def told(self):
        """What the engines were told, without their questions to themselves."""
        with open(f"{self.work}/told", encoding="ascii") as f:
            return [line for line in f.read().splitlines() if " ps " not in line]

    def holds(self, name, *arguments, port=None, host="127.0.0.1", **options):
        """A program with this name and these arguments that has the port; its pid."""
        program = self.named(name, PROXY)
        child = self.tree([program, *arguments, f"{host}:{port or self.port}"], **options)
        self.assertEqual(child.read_line(), "ready")
        return child.pid

    def publish(self, container, name, *arguments, port=None, host="127.0.0.1", proto="tcp",
                **options):
        """The same for a container, which its engine knows."""
        pid = self.holds(name, *arguments, port=port, host=host, **options)
        with open(f"{self.work}/containers", "a", encoding="ascii") as f:
            f.write(f"{container} {pid} {host}:{port or self.port}->80/{proto}\n")
        return pid

    def proxy(self, container, *, host="127.0.0.1", port=None, proto="tcp", to="172.17.0.2",
              **options):
        return self.publish(container, "docker-proxy", "-proto", proto, "-host-ip", host,
                            "-host-port", str(port or self.port), "-container-ip", to,
                            "-container-port", "80", host=host, port=port, proto=proto, **options)

    def stops(self, command, spared, answer=None):
        """The first remedy makes the engine do this, which frees the port and spares these pids."""
        remedy = self.first(answer)
        self.assertEqual((remedy["kills"], remedy["alsoHits"]), ([], []))
        self.is_freed_by(remedy, stays_s=AT_ONCE_S)
        self.assertEqual(self.told(), [command])
        for pid in spared:
            self.assertTrue(harness.runs(pid), remedy)

    # --- docker ---

    @needs_root
    def test_container_behind_docker_proxy_is_stopped_by_the_port_that_it_publishes(self):
        other = self.proxy("beef", port=self.other, to="172.17.0.3")
        self.proxy("cafe")
        self.stops("docker stop cafe", [other])

    @needs_root
    def test_container_that_publishes_on_ipv4_and_ipv6_is_one(self):
        other = self.proxy("beef", port=self.other, to="172.17.0.3")
        self.proxy("cafe", host="0.0.0.0")
        self.proxy("cafe", host="::")
        self.stops("docker stop cafe", [other])

    @needs_root
    def test_containers_that_publish_one_port_on_two_addresses_are_both_shown(self):
        self.proxy("cafe")
        self.proxy("beef", host="127.0.0.2", to="172.17.0.3")
        remedy = self.first()
        shown = self.follow(remedy).stdout
        self.assertIn("cafe", shown)
        self.assertIn("beef", shown)
        self.assertEqual(self.told(), [], "which of them is to go, a person decides")
        self.assertIn("then: docker stop NAME", remedy["text"])

    @needs_root
    def test_container_on_the_address_that_was_asked_for_is_stopped_alone(self):
        other = self.proxy("cafe")
        self.proxy("beef", host="127.0.0.2", to="172.17.0.3")
        self.follow(self.first(self.why("--addr", "127.0.0.2")))
        self.assertEqual(self.told(), ["docker stop beef"])
        self.assertTrue(harness.runs(other))
        wait_until(lambda: self.why("--addr", "127.0.0.2")["free"], "the address is free")

    @needs_root
    def test_udp_port_of_a_container_is_given_up_and_tcp_on_its_number_goes_on(self):
        other = self.proxy("cafe")
        self.proxy("beef", proto="udp", to="172.17.0.3")
        self.follow(self.first(self.why("--udp")))
        self.assertEqual(self.told(), ["docker stop beef"])
        self.assertTrue(harness.runs(other))
        wait_until(lambda: self.why("--udp")["free"], "the UDP port is free")

    @needs_root
    def test_stop_of_a_containers_port_names_the_engines_command_and_kills_no_proxy(self):
        pid = self.proxy("cafe")
        answer = self.daemon.run("stop", str(self.port), "-y", code=harness.NO)
        self.assertIn(f"docker stop $(docker ps -q --filter publish={self.port})", answer.err)
        self.assertTrue(harness.runs(pid))

    @needs_root
    def test_name_of_an_engines_proxy_alone_does_not_lead_to_the_engine(self):
        for start in lambda: self.holds("docker-proxy"), \
                lambda: self.proxy("cafe", uid=harness.NOBODY):
            pid = start()
            answer = self.why()
            self.assertEqual(self.first(answer)["command"], f"kill {pid}", answer)
            self.assertFalse([r for r in answer["remedies"] if "docker " in (r["command"] or "")])
            self.is_freed_by(self.first(answer), stays_s=AT_ONCE_S)

    @needs_root
    def test_container_without_a_proxy_is_stopped_by_the_port_that_dockerd_has_for_it(self):
        other = self.proxy("beef", port=self.other, to="172.17.0.3")
        self.publish("cafe", "dockerd", "-H", "unix:///run/docker.sock", "-H",
                     f"tcp://127.0.0.1:{self.other}")
        self.assertNotIn("API", self.why()["summary"])
        self.stops("docker stop cafe", [other])

    @needs_root
    def test_rootless_docker_is_asked_as_its_user_at_its_own_socket(self):
        self.write("programs/sudo", SUDO, 0o755)
        other = self.publish("beef", "rootlesskit", "dockerd-rootless.sh", port=self.other,
                             uid=harness.NOBODY)
        self.publish("cafe", "rootlesskit", "--net=slirp4netns", "dockerd-rootless.sh",
                     uid=harness.NOBODY)
        socket_of_user = f"unix:///run/user/{harness.NOBODY}/docker.sock"
        self.assertTrue(self.first()["command"].startswith("sudo -u nobody "))
        self.stops(f"docker -H {socket_of_user} stop cafe", [other])

    # --- an engine's own port ---

    def is_its_own(self, what, *arguments, name="dockerd", **options):
        """It is said what the port is, and how it is closed: no container is searched for it, and
        nothing is killed."""
        pid = self.holds(name, *arguments, **options)
        answer = self.why()
        self.assertIn(f"It is the {what} of docker itself, of no container.", answer["summary"])
        self.assertEqual([r["command"] for r in answer["remedies"]], [None, "pd claim NAME"])
        return pid, answer["remedies"][0]["text"]

    def is_closed_by(self, advice, own, name, *arguments, spared=(), **options):
        """The advice: it is started again without the option."""
        pid, text = own
        self.assertIn(advice, text)
        self.end_session(pid)
        wait_until(lambda: not harness.runs(pid), "it has ended")
        self.holds(name, *arguments, port=self.other, **options)
        self.is_freed_by({"kills": [], "command": ":"}, stays_s=AT_ONCE_S)
        for each in spared:
            self.assertTrue(harness.runs(each))

    @needs_root
    def test_api_of_docker_is_closed_by_its_option(self):
        container = self.proxy("beef", port=harness.free_port(but=(self.port, self.other)))
        own = self.is_its_own("API", "-H", "unix:///run/docker.sock", "-H",
                              f"tcp://[::1]:{self.other},tcp://0.0.0.0:{self.port}")
        self.is_closed_by("out of dockerd's -H options", own, "dockerd", "-H",
                          "unix:///run/docker.sock", spared=[container])

    @needs_root
    def test_metrics_of_docker_are_no_container(self):
        own = self.is_its_own("metrics", "--metrics-addr", f"127.0.0.1:{self.port}")
        self.is_closed_by("take --metrics-addr out of dockerd's options", own, "dockerd")

    def test_api_of_rootless_docker_is_no_container(self):
        own = self.is_its_own("API", "-p", f"127.0.0.1:{self.port}:2376/tcp", "dockerd-rootless.sh",
                              name="rootlesskit")
        self.is_closed_by("take its -p out of DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS", own,
                          "rootlesskit", "dockerd-rootless.sh")

    @needs_root
    def test_api_of_podman_is_ended_and_its_containers_go_on(self):
        container = self.publish("beef", "conmon", "-c", CONTAINER, port=self.other)
        pid = self.holds("podman", "system", "service", f"tcp:127.0.0.1:{self.port}")
        answer = self.why()
        self.assertNotIn("container", answer["summary"])
        self.assertEqual(self.first(answer)["kills"], [pid])
        self.is_freed_by(self.first(answer), stays_s=AT_ONCE_S)
        self.assertTrue(harness.runs(container))

    # --- podman ---

    def test_container_behind_rootlesskit_is_stopped_by_the_port_that_it_publishes(self):
        other = self.publish("beef", "rootlesskit", "dockerd-rootless.sh", port=self.other)
        self.publish("cafe", "rootlesskit", "--net=slirp4netns", "dockerd-rootless.sh")
        self.is_freed_by(self.first(), stays_s=AT_ONCE_S)
        self.assertTrue(self.told()[0].endswith(" stop cafe"), self.told())
        self.assertTrue(harness.runs(other))

    def test_container_whose_monitor_has_its_port_is_named_by_the_monitor(self):
        other = self.publish("beef", "rootlessport", port=self.other)
        self.publish(CONTAINER[:12], "conmon", "--api-version", "1", "-c", CONTAINER)
        self.stops(f"podman stop {CONTAINER[:12]}", [other])

    def test_container_behind_pasta_is_found_by_the_port_that_it_publishes(self):
        other = self.publish("cafe", "pasta", "--netns", "/run/netns/netns-2", port=self.other)
        self.publish("beef", "pasta", "--config-net", "-t", f"{self.port}-{self.port}:80-80",
                     "--netns", "/run/netns/netns-1")
        self.stops("podman stop beef", [other])

    def test_container_behind_slirp4netns_is_named_by_its_socket(self):
        other = self.publish("beef", "rootlessport", port=self.other)
        self.publish(CONTAINER[:12], "slirp4netns", "-c", "--api-socket",
                     f"/run/libpod/tmp/{CONTAINER}.net", "tap0")
        self.stops(f"podman stop {CONTAINER[:12]}", [other])

    def test_container_behind_rootlessport_is_found_by_the_port_that_it_publishes(self):
        other = self.publish("cafe", "rootlessport", port=self.other)
        self.publish("beef", "rootlessport")
        self.stops("podman stop beef", [other])

    @needs_root
    def test_engine_of_a_user_is_asked_as_that_user(self):
        self.write("programs/sudo", SUDO, 0o755)
        self.publish("beef", "rootlessport", uid=harness.NOBODY)
        self.assertIn("sudo -u nobody", self.first(uid=2100001)["command"])
        self.assertTrue(self.first()["command"].startswith("sudo -u nobody sh -c "))
        self.stops("podman stop beef", [])


if __name__ == "__main__":
    sys.exit(harness.main())
