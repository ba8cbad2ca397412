# SPDX-License-Identifier: MIT
"""What pd does and says on a kernel, by one daemon: what works everywhere has to work, and what is
seen has to be what pd status says, and pd doctor.

No harness and no servers in Python: on an emulated machine each start of those takes seconds."""
import json
import os
import shutil
import subprocess
import tempfile
import time

from environments import BUILD

SCALE = float(os.environ.get("PD_TIMEOUT_SCALE", "1"))
DEADLINE_S = 5 * SCALE
START_S = 30 * SCALE  # before Linux 5.17 the verifier takes some seconds, a hundred emulated
NOT_SEEN_S = 0.3 * SCALE  # by which time an event would have come
PD, DAEMON = os.path.abspath(f"{BUILD}/pd"), os.path.abspath(f"{BUILD}/portdaddyd")
FIRST_PORT = 20100


class Wrong(Exception):
    pass


def wait_until(condition, what, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        if time.monotonic() > end:
            raise Wrong(f"{what}: not within {deadline_s:g} s")
        time.sleep(0.02)
    return value


def expect(condition, what):
    if not condition:
        raise Wrong(what)


def listens(port):
    """Whether a TCP socket does, of this network namespace."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as f:
            if any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A"
                   for row in list(f)[1:]):
                return True
    return False


class Smoke:
    def __init__(self, environment, arguments):
        self.environment, self.arguments = environment, arguments
        self.faults, self.status, self.children = [], {}, []
        self.directory = tempfile.mkdtemp(prefix="pd-vm-")
        os.chmod(self.directory, 0o755)
        os.chown(self.directory, environment.uid, environment.uid)
        self.env = {**os.environ, "PORT_DADDY_HOME": self.directory, "HOME": self.directory,
                    "PORT_DADDY_NO_AUTOSTART": "1", "LC_ALL": "C.UTF-8"}
        self.log = os.path.join(self.directory, "log")

    def spawn(self, *argv, **options):
        child = subprocess.Popen([*self.environment.prefix, *argv], env=self.env, cwd=self.directory,
                                 stdin=subprocess.DEVNULL, **options)
        self.children.append(child)
        return child

    def pd(self, *arguments):
        """The answer of pd … -j, whatever its exit code."""
        done = subprocess.run([*self.environment.prefix, PD, *arguments, "-j"], env=self.env,
                              cwd=self.directory, capture_output=True, text=True, check=False)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise Wrong(f"pd {' '.join(arguments)}: {done.stdout}{done.stderr}") from None

    def server(self, port):
        child = self.spawn("busybox", "nc", "-l", "-p", str(port), stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        wait_until(lambda: listens(port) or child.poll() is not None, "the server listens")
        return child

    def works(self, name):
        return any(p["name"] == name and p["state"] == "works" for p in self.status["probes"])

    def look(self):
        with open(self.log, "wb") as log:
            daemon = self.spawn(DAEMON, *self.arguments, stdout=log, stderr=log)
        wait_until(lambda: os.path.exists(f"{self.directory}/pd.sock") or daemon.poll() is not None,
                   "the daemon answers", START_S)
        self.status = self.pd("status")["kernel"]
        for step in (self.claim_follows_its_server, self.refusal_is_recorded,
                     self.run_is_followed_and_its_port_rewritten, self.doctor_says_the_same):
            try:
                step()
            except (Wrong, OSError, KeyError) as error:
                self.faults.append(f"{step.__name__.replace('_', ' ')}: {error!r}")

    def find(self, name):
        return next((s for s in self.pd("find", name).get("services", []) if s["id"] == name), {})

    def await_status(self, name, status):
        wait_until(lambda: self.find(name).get("status") == status, f"{name} is {status}")

    def claim_follows_its_server(self):
        server = self.server(self.pd("claim", "smoke:claim")["port"])
        self.await_status("smoke:claim", "active")
        server.kill()
        server.wait()
        self.await_status("smoke:claim", "ghost")

    def refusal_is_recorded(self):
        self.server(FIRST_PORT)
        victim = self.server(FIRST_PORT)
        expect(victim.wait() != 0, "the second server was refused")

        def recorded():
            asked = self.pd("why", "--pid", str(victim.pid)).get("asked") or {}
            return asked.get("pid") == victim.pid
        try:
            wait_until(recorded, "the refusal is recorded",
                       DEADLINE_S if self.works("bind") else NOT_SEEN_S)
        except Wrong:
            if self.works("bind"):
                raise
        else:
            expect(self.works("bind"), "a refusal is recorded that pd status calls unseen")

    def members_of_run(self):
        """The names of its processes."""
        return [member["comm"] for run in self.pd("ps")["runs"] for member in run["members"]]

    def run_is_followed_and_its_port_rewritten(self):
        asked = FIRST_PORT + 1
        with open(f"{self.directory}/.portdaddyrc", "w", encoding="utf-8") as f:
            json.dump({"project": "smoke", "services": {"web": {"hardcoded": asked}}}, f)
        os.chown(f.name, self.environment.uid, self.environment.uid)
        run = self.spawn(PD, "run", "web", "--", "sh", "-c",
                         f"setsid busybox nc -l -p {asked} & wait")
        port = wait_until(lambda: self.find("smoke:web").get("port"), "the run has its claim")
        wait_until(lambda: listens(port) or listens(asked), "the run listens")
        expect(listens(port) == self.works("rules"),
               f"it listens on {port if listens(port) else asked}, the rules of pd status "
               f"{'work' if self.works('rules') else 'do not work'}")
        wait_until(lambda: "busybox" in self.members_of_run(),
                   "the child in a session of its own is a member")
        self.pd("stop", "smoke:web")
        wait_until(lambda: run.poll() is not None and not listens(port) and not listens(asked),
                   "pd stop ends the run with its member")

    def doctor_says_the_same(self):
        checks = {check["id"]: check for check in self.pd("doctor")["checks"]}
        polls = self.status["mode"] != "bpf"
        expect(checks["ebpf"]["state"] == ("warn" if polls else "ok"), checks["ebpf"])
        silent = [] if polls else [p for p in self.status["probes"] if p["state"] != "works"]
        expect(sorted(c for c in checks if c.startswith("probe-")) ==
               sorted(f"probe-{p['name']}" for p in silent), f"probes of {sorted(checks)}")
        for probe in silent:
            fact = checks[f"probe-{probe['name']}"]["fact"]
            expect(probe["blind"] in fact, f"{probe['blind']} is not in {fact}")
        if self.environment.check:
            check = checks[self.environment.check]
            expect(check["state"] != "ok" or "not used" in check["fact"], check)

    def end(self):
        for child in self.children:
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            try:
                child.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                self.faults.append(f"{child.args} did not end")
        with open(self.log, encoding="utf-8", errors="backslashreplace") as f:
            self.log = f.read()
        if "Sanitizer" in self.log or "runtime error:" in self.log:
            self.faults.append("a sanitizer complained")
        shutil.rmtree(self.directory, ignore_errors=True)


def smoke(environment, arguments):
    """A Smoke that has looked: what pd status says of the kernel, and what was wrong."""
    test = Smoke(environment, arguments)
    try:
        test.look()
    except (Wrong, OSError, KeyError) as error:
        test.faults.append(repr(error))
    test.end()
    return test
