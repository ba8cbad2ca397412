#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd doctor: each check is made to fail, by the real thing where that stays within a namespace of
the test's own, else by a daemon that tells of it."""
import copy
import ctypes
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time

import harness
from fake_daemon import FakeDaemon
from harness import DONE, NO, NO_DAEMON, NOT_ALLOWED, needs_root, wait_until

OLD_KERNEL = ["setarch", "--uname-2.6"]  # which then calls itself 2.6
SERVICE_SOCKET = "/run/port-daddy/pd.sock"
UNKNOWN_UID = 4000000  # a user whom no table of users has


def forbid_unix_sockets(errno_):
    """Options of Popen: behind a seccomp filter that answers socket(AF_UNIX)."""
    number = {"x86_64": 41, "aarch64": 198}.get(os.uname().machine)

    def instruction(code, jt, jf, k):
        return struct.pack("HBBI", code, jt, jf, k)
    code = b"".join([
        instruction(0x20, 0, 0, 0),            # the system call's number
        instruction(0x15, 0, 3, number or 0),  # socket?
        instruction(0x20, 0, 0, 16),           # its first argument
        instruction(0x15, 0, 1, 1),            # AF_UNIX?
        instruction(0x06, 0, 0, 0x00050000 | errno_),
        instruction(0x06, 0, 0, 0x7fff0000)])
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_ = ctypes.create_string_buffer(
        struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer)))
    filter_.code = buffer  # lives as long

    def forbid():
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filter_, 0, 0):
            os._exit(99)
    return {"preexec_fn": forbid} if number else None


class DoctorTest(harness.PortDaddyTest):
    def doctor(self, *prefix, home=None, env=None, **options):
        """The exit code and the checks by their ids."""
        done = subprocess.run(
            [*prefix, self.daemon.pd_program, "doctor", "-j"], capture_output=True, text=True,
            env={**self.daemon.env, **({"PORT_DADDY_HOME": home} if home else {}), **(env or {})},
            cwd=self.work, check=False, timeout=harness.DEADLINE_S, **options)
        try:
            checks = json.loads(done.stdout)["checks"]
        except ValueError:
            raise AssertionError(f"{prefix}: no answer: {done.stdout}{done.stderr}") from None
        return done.returncode, {c["id"]: c for c in checks}

    def assert_found(self, id_, state, words, *prefix, mends=None, **options):
        code, checks = self.doctor(*prefix, **options)
        check = checks.get(id_)
        self.assertIsNotNone(check, f"{id_} is not among {sorted(checks)}")
        self.assertEqual(check["state"], state, check)
        self.assertRegex(check["fact"], words)
        if mends:
            self.assertRegex(check["command"] or "", mends)
        failing = [c for c in checks.values() if c["state"] == "fail"]
        self.assertEqual(code, NO if failing else DONE, failing)

    def with_mounts(self, script):
        return ["unshare", "--mount", "sh", "-ec", script + '\nexec "$@"', "sh"]

    def over(self, path, text):
        """Shows this text at a path, within a namespace of mounts."""
        return self.with_mounts(f"mount --bind {self.write(path.replace('/', '_'), text)} {path}")

    def test_without_anything_wrong_each_check_says_what_it_looked_at(self):
        code, checks = self.doctor()
        self.assertEqual(code, DONE, [c for c in checks.values() if c["state"] == "fail"])
        help_ = self.daemon.pd("help", "doctor")
        for id_, check in checks.items():
            self.assertIn(check["state"], ("ok", "warn", "skip"), check)
            self.assertTrue(check["fact"], check)
            self.assertEqual(set(check), {"id", "state", "fact", "command"})
            if not id_.startswith(("probe-", "leftover-")):
                self.assertIn(f"\n  {id_}: ", help_)
        listed = re.findall(r"^  ([a-z0-9-]+): ", help_, re.M)
        self.assertEqual([i for i in checks if not i.startswith(("probe-", "leftover-"))], listed)
        cases = harness.read_text(__file__)
        self.assertEqual([id_ for id_ in listed if f'"{id_}"' not in cases], [], "without a case")
        lines = self.daemon.pd("doctor").splitlines()
        for id_, check in checks.items():
            line = next((l for l in lines if l.split()[1:2] == [id_]), None)
            self.assertIsNotNone(line, (id_, lines))
            self.assertEqual(line.split()[0], check["state"])
        self.assertIn(self.daemon.pd("doctor", "-q"), ("ok\n", "warn\n"))

    def sandbox_of(self, *arguments):
        self.daemon.stop()
        self.daemon.arguments = arguments
        self.daemon.start()
        with open(f"/proc/{self.daemon.pid}/status", encoding="utf-8") as f:
            filters = [int(n) for n in re.findall(r"^Seccomp_filters:\s*(\d+)$", f.read(),
                                                  re.M)]  # Linux 5.9
        return filters, self.doctor()[1]["sandbox"], self.daemon.json("status")["daemon"]["sandbox"]

    def test_what_the_daemon_is_held_to_is_said(self):
        held, check, told = self.sandbox_of("--no-bpf")
        if not told["systemCalls"]:
            self.skipTest("the kernel takes no filter, or the build has none")
        self.assertEqual((check["state"], told["landlock"]), ("ok", 0))
        self.assertIn("not to its files: ", check["fact"])
        self.assertEqual(len(told["missing"]), 1, told)
        free, check, told = self.sandbox_of("--no-bpf", "--no-sandbox")
        self.assertEqual(check["state"], "warn")
        self.assertTrue(not held or held > free, (held, free))
        self.assertEqual(told, {"systemCalls": False, "landlock": 0,
                                "missing": ["it was started with --no-sandbox"]})
        self.assertIn("every system call: it was started", self.daemon.pd("status"))

    @needs_root
    def test_each_condition_of_the_kernel_is_named(self):
        nobody = harness.temp_dir("pd-none-")
        self.addCleanup(shutil.rmtree, nobody)
        cases = [
            ("btf", "warn", "no eBPF program loads", None,
             self.with_mounts("mount -t tmpfs pd-test /sys/kernel/btf")),
            ("lockdown", "warn", "lockdown=integrity", None, self.with_mounts(
                "mount -t tmpfs pd-test /sys/kernel/security; "
                "echo 'none integrity [confidentiality]' >/sys/kernel/security/lockdown")),
            ("unprivileged-bpf", "warn", "before Linux 5.19", "sysctl -w",
             [*self.over("/proc/sys/kernel/unprivileged_bpf_disabled", "2\n"), *OLD_KERNEL]),
            ("cgroup-v2", "warn", "no cgroup v2", "mount -t cgroup2",
             self.with_mounts("umount -l -a -t cgroup2")),
            ("net-cls", "warn", "has 7 groups", None,
             [*self.over("/proc/cgroups", "#name\nnet_cls\t4\t7\t1\n"), *OLD_KERNEL]),
            ("hidepid", "warn", "hidepid=", "remount,hidepid=0",
             self.with_mounts("mount -t proc -o hidepid=2 pd-test /proc")),
            ("port-range", "warn", "1000 of the 6900 ports", "ip_local_port_range",
             ["unshare", "--net", "sh", "-ec",
              'sysctl -qw net.ipv4.ip_local_port_range="9000 60999"; exec "$@"', "sh"]),
            ("port-range", "fail", "6900 of the 6900 ports", "ip_local_port_range",
             ["unshare", "--net", "sh", "-ec",
              'sysctl -qw net.ipv4.ip_local_port_range="1024 65535"; exec "$@"', "sh"]),
            ("reserved-ports", "fail", "6900 of the 6900", "ip_local_reserved_ports",
             ["unshare", "--net", "sh", "-ec",
              'sysctl -qw net.ipv4.ip_local_reserved_ports=3000-10000; exec "$@"', "sh"]),
            ("docker-proxy", "warn", "userland proxy off", "userland-proxy", self.with_mounts(
                "cp /etc/passwd . && mount -t tmpfs pd-test /etc && cp passwd /etc && "
                "mkdir /etc/docker && echo '{\"userland-proxy\": false}' "
                ">/etc/docker/daemon.json")),
        ]
        for id_, state, words, mends, prefix in cases:
            with self.subTest(id_, state=state):
                self.assert_found(id_, state, words, *prefix, mends=mends)
        # a daemon that found its tracepoints is proof enough, so there is none here
        self.assert_found("tracefs", "warn", "not mounted",
                          *self.with_mounts("umount -l -a -t tracefs"),
                          mends="mount -t tracefs", home=nobody)

    @needs_root
    def test_a_clock_that_was_set_is_found_by_the_moment_of_the_boot(self):
        if subprocess.run(["unshare", "--time", "--boottime", "10", "--fork", "true"],
                          check=False, stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no time namespaces here")
        self.assert_found("clock", "warn", "set back by 3[56]..s", "unshare", "--time",
                          "--boottime", "3600", "--fork", mends="set-ntp")

    def test_the_way_to_the_daemon_is_looked_at(self):
        self.assert_found("daemon", "warn", "none answers", mends="daemon start",
                          home=os.path.join(self.work, "nobody"))
        self.assert_found("socket-path", "fail", "107 bytes", mends="PORT_DADDY_SOCKET=",
                          home="/tmp/" + "long" * 30)
        self.assert_found("home", "fail", "cannot be written", mends="PORT_DADDY_HOME=",
                          home="/proc/no/such")
        nowhere = os.path.join(self.work, "x.sock")
        lost = self.daemon.run("find", env={"PORT_DADDY_SOCKET": nowhere,
                                            "PORT_DADDY_NO_AUTOSTART": "0"}, code=NO_DAEMON)
        self.assertIn(f"nothing listens on {nowhere}, which PORT_DADDY_SOCKET names", lost.err)
        self.assertIn(f"listens on {self.daemon.socket}", lost.err)
        filter_ = forbid_unix_sockets(1)
        if filter_:
            self.assert_found("unix-sockets", "fail", "sandbox.*AF_UNIX", **filter_)

    def test_a_sandbox_without_unix_sockets_is_called_that_and_starts_no_daemon(self):
        for number in (1, 13, 97):  # EPERM, EACCES, EAFNOSUPPORT
            filter_ = forbid_unix_sockets(number)
            if not filter_:
                self.skipTest("the number of socket() is not known here")
            done = subprocess.run([self.daemon.pd_program, "find"], capture_output=True, text=True,
                                  env={**self.daemon.env, "PORT_DADDY_NO_AUTOSTART": "0"},
                                  check=False, **filter_)
            self.assertEqual(done.returncode, NOT_ALLOWED, done)
            self.assertRegex(done.stderr, r"^pd: a sandbox .* forbids Unix sockets")
            self.assertNotIn("no daemon", done.stderr)

    @needs_root
    def test_a_user_without_a_home_and_a_read_only_home_are_named(self):
        program = harness.public_copy(self.daemon.pd_program)
        env = {k: v for k, v in self.daemon.env.items() if k not in ("HOME", "PORT_DADDY_HOME")}
        done = subprocess.run([program, "doctor", "-j"], env=env, capture_output=True, text=True,
                              check=False, cwd="/", **harness.becoming(UNKNOWN_UID))
        checks = {c["id"]: c for c in json.loads(done.stdout)["checks"]}
        if checks["daemon"]["state"] != "ok":  # the machine's own system service
            self.assertEqual(checks["home"]["state"], "fail", checks["home"])
            self.assertIn("no directory", checks["home"]["fact"])
            self.assertEqual(checks["socket-path"]["state"], "skip", checks["socket-path"])
        self.assert_found("home", "fail", "Read-only", *self.with_mounts(
            "mount --bind . . && mount -o remount,bind,ro ."), home=self.work)

    @needs_root
    def test_ones_own_daemon_beside_the_service_is_named(self):
        places = self.spawn(["unshare", "--mount", "sh", "-ec", "mount -t tmpfs pd-test /run; "
                             "mount -t tmpfs pd-test /var/lib; echo ready; exec sleep 1000"])
        self.assertEqual(places.read_line(), "ready")
        inside = ["nsenter", "-t", str(places.pid), "-m", "--"]
        env = {k: v for k, v in self.daemon.env.items() if not k.startswith("PORT_DADDY_HOME")}
        env["HOME"] = self.work
        for arguments in (["--system"], []):
            child = self.spawn([*inside, harness.DAEMON, "--no-bpf", *arguments], env=env,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            path = f"/proc/{places.pid}/root{SERVICE_SOCKET}" if arguments else \
                os.path.join(self.work, ".port-daddy/pd.sock")
            wait_until(lambda p=path, c=child: os.path.exists(p) or c.process.poll() is not None,
                       "it listens")
        done = subprocess.run([*inside, self.daemon.pd_program, "doctor", "-j"], env=env,
                              capture_output=True, text=True, check=False)
        found = {c["id"]: c for c in json.loads(done.stdout)["checks"]}["other-daemon"]
        self.assertEqual(found["state"], "warn", found)
        self.assertIn("beside the system service", found["fact"])
        self.assertIn("daemon stop", found["command"])

    def test_what_the_daemon_tells_is_judged(self):
        real = self.daemon.get("/v1/status")
        place = harness.temp_dir("pd-fake-")
        self.addCleanup(shutil.rmtree, place)
        told = {"/v1/runs": {"ok": True, "version": 1, "runs": []},
                "/v1/services": {"ok": True, "version": 1, "services": []}}
        fake = FakeDaemon(place, lambda path: json.dumps(told[path]).encode()
                          if told.get(path) else b"no")
        self.addCleanup(fake.close)
        probe = {"name": "bind", "attached": "tp/syscalls/sys_enter_bind", "state": "refused",
                 "reason": "Operation not permitted", "blind": "refused binds"}

        def status(part, **members):
            answer = copy.deepcopy(real)
            answer["kernel"].update(mode="bpf", lost=0, probes=[], working=0, total=0)
            answer[part].update(members)
            return answer
        cases = [
            ("build", "warn", "older than this pd", "daemon restart",
             status("daemon", commit="0000000", committedAt=1)),
            ("ebpf", "warn", "only polls", "daemon start", status("kernel", mode="poll")),
            ("trace", "ok", "fexit, which .* does not work: E2BIG; not seen: io_uring", None,
             status("kernel", trace="syscalls", whyNotFexit="E2BIG", unseen="io_uring")),
            ("trace", "warn", "not traced; not seen: refused binds", "daemon restart",
             status("kernel", trace="hooks", unseen="refused binds")),
            ("probes", "warn", "0 of 1 work", None, status("kernel", probes=[probe], total=1)),
            ("probe-bind", "warn", "refused, Operation not permitted: refused binds",
             "daemon restart", status("kernel", probes=[probe], total=1)),
            ("probe-bind", "warn", "refused, Argument list too long: refused binds", None,
             status("kernel", probes=[{**probe, "reason": "Argument list too long"}], total=1)),
            ("losses", "warn", "3 events were lost", "log --filter GAP", status("kernel", lost=3)),
            ("database", "fail", "page 7", "help daemon",
             status("database", healthy=False, state="damaged", detail="page 7 is not whole")),
            ("database-size", "warn", "far more", "VACUUM", status("database", bytes=1 << 30)),
            ("disk", "fail", "0.* are free", "df -h", status("database", freeBytes=0)),
            ("disk", "warn", "are free", "df -h", status("database", freeBytes=1 << 20)),
            ("leftovers", "warn", "1 kind of them", None, status("services", orphaned=2)),
            ("leftover-servers", "warn", "2 servers listen", "find --status orphaned",
             status("services", orphaned=2)),
        ]
        for id_, state, words, mends, answer in cases:
            told["/v1/status"] = answer
            with self.subTest(id_, words=words):
                self.assert_found(id_, state, words, mends=mends, home=place)
        told["/v1/status"] = status("kernel", probes=[probe], total=1)
        if harness.IS_ROOT:
            # what is advised can be done: without root nobody replaces one with eBPF
            os.chmod(fake.path, 0o777)
            other, told["/v1/status"] = told["/v1/status"], cases[0][-1]
            advice = self.daemon.run("version", uid=harness.NOBODY,
                                     env={"PORT_DADDY_HOME": place}).err
            self.assertRegex(advice, "is older than this pd: `sudo .*daemon restart` replaces it")
            told["/v1/status"] = other
            self.assert_found("perf-event-paranoid", "warn", "is 4", mends="paranoid=2",
                              home=place, *self.over("/proc/sys/kernel/perf_event_paranoid", "4\n"))
        told["/v1/runs"]["runs"] = [{"id": "run-1", "service": "a:b", "state": "unattended"}]
        self.assert_found("leftover-runs", "warn", "without the pd that started it: a:b", mends="ps",
                          home=place)
        told["/v1/status"] = None
        self.assert_found("daemon", "fail", "does not answer", home=place)

    def test_claims_that_nobody_uses_and_copies_of_a_damaged_database_are_named(self):
        self.daemon.claim("old:one")
        self.daemon.stop()
        self.daemon.execute("UPDATE services SET createdAt=?1, updatedAt=?1",
                            int(time.time()) - 8 * 86400)
        open(self.daemon.database + ".damaged-2024-01-01", "wb").close()
        self.daemon.start()
        self.assert_found("unused-claims", "warn", "1 of your claims is untouched.*old:one",
                          mends="cleanup")
        self.assert_found("leftover-files", "warn", "damaged-2024", mends="rm -r .*damaged-")


if __name__ == "__main__":
    sys.exit(harness.main())
