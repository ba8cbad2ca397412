#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The daemon as its units start it: with their user, capabilities, descriptors and environment."""
import configparser
import os
import re
import signal
import socket
import subprocess
import sys

import harness
from harness import DONE, NOBODY, NOT_ALLOWED, needs_root, wait_until

UNITS = os.path.join(harness.ROOT, "scripts/packaging/systemd")
UNIT = os.path.join(UNITS, "portdaddyd.service.in")
SERVICE_UID = 1  # daemon, which every machine has, in the place of port-daddy
WATCHDOG_US = 200000
PLACES = f"""
mount -t tmpfs pd-test /run && mount -t tmpfs pd-test /var/lib || exit
mkdir /run/port-daddy /var/lib/port-daddy
chown {SERVICE_UID}:{SERVICE_UID} /run/port-daddy /var/lib/port-daddy
chmod 0711 /var/lib/port-daddy
echo ready; exec sleep 100000
"""

# systemd as a user's manager, which need not be the first process; as root's it does for a unit what
# it does for the system's.  Its own directories are those of the system: its "configuration" is where
# a unit's StateDirectory= lies.
SYSTEMD = "/lib/systemd/systemd"
MANAGER_ENV = {"XDG_RUNTIME_DIR": "/run", "XDG_CONFIG_HOME": "/var/lib", "XDG_STATE_HOME": "/var/lib"}
MANAGER = f"""
mount -t tmpfs pd-test /run && mount -t tmpfs pd-test /var/lib || exit
umount -R -l /sys/fs/cgroup; mount -t cgroup2 pd-test /sys/fs/cgroup || exit
mkdir -p /run/systemd/system /var/lib/systemd/user /var/lib/bin
cp "$2"/portdaddyd.s* /var/lib/systemd/user && cp "$3" /var/lib/bin || exit
echo $$ >/sys/fs/cgroup/"$1"/cgroup.procs
umask 0
exec {SYSTEMD} --user --log-target=console --unit=portdaddyd.service
"""


def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(UNIT, encoding="utf-8")
    return parser["Service"]


@needs_root
class ServiceTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.places = self.spawn(["unshare", "--mount", "sh", "-c", PLACES])
        self.assertEqual(self.places.read_line(), "ready")
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.told.close)
        self.told.bind(os.path.join(self.work, "notify"))
        self.told.settimeout(harness.DEADLINE_S)
        os.chmod(self.work, 0o755)
        os.chmod(os.path.join(self.work, "notify"), 0o666)

    def inside(self, *argv):
        return ["nsenter", "-t", str(self.places.pid), "-m", "--", *argv]

    def manager(self, socket_unit):
        capabilities = ",".join("+" + c.removeprefix("CAP_").lower()
                                for c in unit()["AmbientCapabilities"].split())
        program, *options = unit()["ExecStart"].split()
        daemon = [harness.public_copy(harness.DAEMON), *options]
        self.assertEqual(os.path.basename(program), "portdaddyd")
        as_service = ["setpriv", f"--reuid={SERVICE_UID}", f"--regid={SERVICE_UID}",
                      "--clear-groups", "--no-new-privs", f"--inh-caps=-all,{capabilities}",
                      f"--ambient-caps=-all,{capabilities}", f"--bounding-set=-all,{capabilities}"]
        self.log = os.path.join(self.work, "log")
        env = {**harness.BASE_ENV, "NOTIFY_SOCKET": os.path.join(self.work, "notify"),
               "WATCHDOG_USEC": str(WATCHDOG_US)}
        with open(self.log, "ab") as log:
            manager = self.spawn(
                self.inside(harness.PYTHON, os.path.join(harness.ROOT, "tests/cli/helpers/manager.py"),
                            "hold" if socket_unit else "leave", *as_service, *daemon),
                env=env, stdin=subprocess.PIPE, stderr=log)
        self.assertEqual(manager.read_line(), "ready")
        return manager

    def start(self, manager):
        manager.process.stdin.write(b"start\n")
        manager.process.stdin.flush()
        pid = int(manager.read_line())
        self.addCleanup(self.end, pid)
        self.wait_told("READY=1")
        return pid

    def end(self, pid, number=signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def wait_told(self, state):
        try:
            while self.told.recv(4096).decode() != state:
                pass
        except TimeoutError:
            with open(self.log, encoding="utf-8") as f:
                raise AssertionError(f"{state} was not told\n{f.read()}") from None

    def pd(self, *words, uid=NOBODY):
        done = subprocess.run(
            self.inside("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
                        harness.public_copy(harness.PD), *words),
            env={**harness.BASE_ENV, "HOME": "/nonexistent", "PORT_DADDY_NO_AUTOSTART": "1"},
            capture_output=True, text=True, check=False, timeout=harness.DEADLINE_S)
        return harness.Answer(done.returncode, done.stdout, done.stderr)

    def json(self, *words):
        answer = self.pd(*words, "-j")
        self.assertEqual(answer.code, DONE, answer)
        return harness.json.loads(answer.out)

    def cgroup(self, inner=""):
        """Makes a group in one of the test's own, and ends all that is in that with the test."""
        with open("/proc/self/mounts", encoding="utf-8") as f:
            root = next((m[1] for m in map(str.split, f) if m[2] == "cgroup2"), None)
        if not root:
            self.skipTest("no cgroup v2 is mounted")
        own = os.path.join(root, f"pd-test-{os.getpid()}")
        group = os.path.join(own, inner)
        os.makedirs(group)
        self.addCleanup(self.remove_cgroup, own)
        return group

    def remove_cgroup(self, group):
        def is_gone():
            for directory, _, _ in os.walk(group, topdown=False):
                try:
                    with open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as f:
                        for pid in f.read().split():
                            self.end(int(pid))
                    os.rmdir(directory)
                except OSError:
                    pass  # who was ended is about to be gone
            return not os.path.exists(group)
        wait_until(is_gone, "its processes are gone")

    def exists(self, path):
        return os.path.exists(f"/proc/{self.places.pid}/root{path}")

    # --- the tests ---

    def test_service_sees_what_root_sees_and_keeps_no_capability(self):
        pid = self.start(self.manager(socket_unit=False))
        own, roots = self.json("status"), self.daemon.json("status")
        self.assertEqual(own["kernel"]["mode"], roots["kernel"]["mode"])
        self.assertEqual({p["name"]: p["state"] for p in own["kernel"]["probes"]},
                         {p["name"]: p["state"] for p in roots["kernel"]["probes"]})
        self.assertEqual(own["daemon"]["uid"], SERVICE_UID)
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")
        # whoever has the right to ends it, and the socket that it has bound itself goes with it
        self.assertEqual(self.json("claim", "shop:web")["id"], "shop:web")
        self.assertEqual(self.pd("daemon", "stop").code, NOT_ALLOWED)
        self.assertEqual(self.pd("daemon", "stop", uid=0).code, DONE)
        self.wait_told("STOPPING=1")
        wait_until(lambda: not self.exists("/run/port-daddy/pd.sock"), "its socket is gone")

    def test_systemd_runs_the_unit_and_its_sandbox_leaves_ebpf_room(self):
        if not os.path.exists(SYSTEMD):
            self.skipTest("no systemd here")
        self.need_bpf("there is nothing to be kept out")
        self.install_units()
        self.places = self.spawn(
            ["unshare", "--mount", "sh", "-c", MANAGER, "sh", os.path.basename(self.cgroup()),
             self.work, harness.PLAIN_DAEMON], env={**harness.BASE_ENV, **MANAGER_ENV})
        wait_until(lambda: self.unit_state() in ("active", "failed"), "the unit is started",
                   every_s=0.1)
        self.assertEqual(self.unit_state(), "active")
        own, roots = self.json("status"), self.daemon.json("status")
        self.assertEqual({p["name"]: (p["state"], p["reason"]) for p in own["kernel"]["probes"]},
                         {p["name"]: (p["state"], p["reason"]) for p in roots["kernel"]["probes"]})
        self.assertEqual(own["daemon"]["uid"], SERVICE_UID)
        self.assertEqual(own["database"]["path"], "/var/lib/port-daddy/port-registry.db")
        self.assertTrue(self.json("claim", "shop:web")["port"])
        status = harness.read_text(f"/proc/{own['daemon']['pid']}/status")
        for line in ("CapEff:\t0+", "CapPrm:\t0+", "NoNewPrivs:\t1", "Seccomp:\t2"):
            self.assertRegex(status, f"(?m)^{line}$")

    def unit_state(self):
        done = subprocess.run(self.inside("systemctl", "--user", "is-active", "portdaddyd.service"),
                              env={**harness.BASE_ENV, **MANAGER_ENV}, capture_output=True, text=True,
                              check=False)
        return done.stdout.strip()

    def install_units(self):
        """As they are, but for the user, whom this machine need not have, and the program's place."""
        for name in ("portdaddyd.service.in", "portdaddyd.socket"):
            text = harness.read_text(os.path.join(UNITS, name)).replace("@bindir@", "/var/lib/bin")
            text = re.sub(r"(User|Group)=port-daddy$", rf"\g<1>={SERVICE_UID}", text, flags=re.M)
            with open(os.path.join(self.work, name.removesuffix(".in")), "w", encoding="utf-8") as f:
                f.write(text)

    def test_manager_is_told_that_the_loop_turns(self):
        self.start(self.manager(socket_unit=False))
        for _ in range(3):
            self.wait_told("WATCHDOG=1")

    def test_clients_of_the_managers_socket_wait_for_the_next_daemon(self):
        manager = self.manager(socket_unit=True)
        first = self.start(manager)
        port = self.json("claim", "shop:web")["port"]
        self.assertEqual(self.json("status")["daemon"]["pid"], first)
        self.end(first, signal.SIGTERM)
        self.assertEqual(manager.read_line(), "ended 0")
        self.assertTrue(self.exists("/run/port-daddy/pd.sock"))
        asks = self.spawn(self.inside(harness.public_copy(harness.PD), "find", "-j"),
                          env={**harness.BASE_ENV, "HOME": "/nonexistent"})
        wait_until(lambda: harness.clients_of("/run/port-daddy/pd.sock", "02"), "pd is connected")
        second = self.start(manager)
        found = harness.json.loads(asks.output())
        self.assertEqual([(s["id"], s["port"]) for s in found["services"]],
                         [("shop:web", port)])
        # the kernel's word for who listens is the daemon's, not the manager's
        self.assertIn(f"(pid {second})", self.pd("daemon", "stop", uid=0).out)

    def test_socket_that_was_removed_is_not_served(self):
        manager = self.manager(socket_unit=True)
        subprocess.run(self.inside("rm", "/run/port-daddy/pd.sock"), check=True)
        manager.process.stdin.write(b"start\n")
        manager.process.stdin.flush()
        int(manager.read_line())
        self.assertRegex(manager.read_line(), "ended [1-9]")
        self.assertIn("was removed: restart its socket unit", harness.read_text(self.log))

    def test_daemon_of_the_system_unit_is_left_to_systemctl(self):
        group = self.cgroup("system.slice/portdaddyd.service")
        with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as f:
            f.write(str(self.daemon.pid))
        self.addCleanup(self.daemon.stop)
        for verb, instead in (("stop", "systemctl stop "), ("restart", "systemctl restart "),
                              ("restore", "systemctl stop ")):
            answer = self.daemon.run("daemon", verb, code=NOT_ALLOWED)
            self.assertIn(f"{instead}portdaddyd.socket portdaddyd.service", answer.err)


if __name__ == "__main__":
    sys.exit(harness.main())
