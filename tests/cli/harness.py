# SPDX-License-Identifier: MIT
"""What the command-line tests stand on: a daemon of one's own, real servers, and waiting.

Every daemon has a state directory of its own under /tmp and is reached through PORT_DADDY_HOME, so
tests disturb neither each other nor a daemon that really serves this machine.  Everything that is
started is ended by its pid.  Nothing sleeps for a fixed time: wait_until() polls a condition.
"""
import collections
import glob
import json
import os
import pwd
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import trees
# The tests know them by this module's name
from proc import (connections, listens, make_subreaper,  # noqa: F401
                  proc_status, runs, socket_inodes)
from tap import TapResult, flatten

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _path(variable, default):
    return os.path.abspath(os.path.join(ROOT, os.environ.get(variable) or default))


BUILD = _path("PD_BUILD", "build")
PD = _path("PD_BIN", os.path.join(BUILD, "pd"))
DAEMON = _path("PORTDADDYD_BIN", os.path.join(BUILD, "portdaddyd"))
# Built as users get them: what is measured (memory, reaction time) is measured on these.
PLAIN_PD, PLAIN_DAEMON = os.path.join(BUILD, "pd"), os.path.join(BUILD, "portdaddyd")
PLAIN = {"program": PLAIN_DAEMON, "pd": PLAIN_PD}  # as daemon_options
PYTHON = "/usr/bin/python3"

# Whoever runs this in the background may ignore them, and then no shell could ever trap them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.umask(0o022)  # what a test writes, other users' processes read

IS_ROOT = os.geteuid() == 0
NOBODY = 65534
SCALE = float(os.environ.get("PD_TIMEOUT_SCALE", "1"))  # for emulated machines
DEADLINE_S = 30 * SCALE  # for what takes milliseconds on a machine that has nothing else to do
ATTEMPTS = 5  # of a measurement: somebody else may have the processor for a moment

# Exit codes of the contract.
DONE, NO, WRONG, NO_DAEMON, CONFLICT, NOT_ALLOWED, FAILED = range(7)

# Neither whoever runs this nor a service manager above decides how the programs behave.
BASE_ENV = {k: v for k, v in os.environ.items()
            if not k.startswith(("PORT_DADDY", "SUDO_", "NO_COLOR", "LC_", "LANG", "COLUMNS",
                                 "LINES", "NOTIFY_", "LISTEN_", "WATCHDOG_", "INVOCATION_",
                                 "JOURNAL_", "RUNTIME_DIRECTORY"))}
BASE_ENV["LC_ALL"] = "C.UTF-8"
# A zone in which it is noon: what is shown with a date on another day, is not at midnight either.
BASE_ENV["TZ"] = f"NOON{time.gmtime().tm_hour - 12:+d}"
# The distribution's programs first: what pyenv or nvm put before them runs under another name.
BASE_ENV["PATH"] = "/usr/bin:/bin:" + BASE_ENV.get("PATH", "") + ":/usr/sbin:/sbin"
# A process that gave up its capabilities cannot be examined for leaks by itself.
BASE_ENV["ASAN_OPTIONS"] = "detect_leaks=0:abort_on_error=0"
BASE_ENV["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"

needs_root = unittest.skipUnless(IS_ROOT, "needs root")


def wait_until(condition, what="the condition", deadline_s=DEADLINE_S, every_s=0.005):
    """Calls condition() until it returns something true, and returns that."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline_s:g} s; last seen: {value!r}")
        time.sleep(every_s)


def read_text(path):
    with open(path, encoding="utf-8", errors="backslashreplace") as f:
        return f.read()


def temp_dir(prefix="pd-", mode=0o755):
    path = tempfile.mkdtemp(prefix=prefix, dir="/tmp")
    os.chmod(path, mode)
    return path


_public = {}  # directory of programs: its copy


def empty_dir(path):
    """Removes all that is in it."""
    for entry in os.scandir(path):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def public_copy(program):
    """The program at a path that every user can execute; a checkout may lie in a private home."""
    source, name = os.path.split(program)
    if source not in _public:
        _public[source] = temp_dir("pd-bin-")
    # pd starts the daemon that lies beside it
    for each in ("pd", "portdaddyd") if name in ("pd", "portdaddyd") else (name,):
        target = os.path.join(_public[source], each)
        if not os.path.exists(target):
            shutil.copy(os.path.join(source, each), target)
    return os.path.join(_public[source], name)


def becoming(uid):
    """Options of Popen: another user, who has logged in himself and was not made by sudo of ours."""
    def become():
        try:
            with open("/proc/self/loginuid", "w", encoding="ascii") as f:
                f.write(str(uid))
        except OSError:
            pass  # a container, or a login that cannot be changed
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    return {"preexec_fn": become}


class Child:
    """A process of a test; killed by its pid at the test's end."""

    def __init__(self, argv, uid=None, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.STDOUT)
        options.setdefault("env", BASE_ENV)
        if uid is not None:
            options.update(becoming(uid))
        self.argv = argv
        self.process = subprocess.Popen(argv, **options)
        self.pid = self.process.pid

    def kill(self, number=signal.SIGKILL):
        """Kills it and waits until it is gone."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self, deadline_s=DEADLINE_S):
        return self.process.wait(deadline_s)

    def output(self):
        """All that it printed; it must have ended or be about to."""
        text, _ = self.process.communicate(timeout=DEADLINE_S)
        return text.decode(errors="backslashreplace") if isinstance(text, bytes) else text

    def read_line(self):
        line = self.process.stdout.readline()
        return line.decode(errors="backslashreplace").strip()


class LineReader:
    """Collects the lines of a stream (pd watch, pd log -f) while the test goes on."""

    def __init__(self, child):
        self.child, self.lines = child, []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for raw in self.child.process.stdout:
            self.lines.append(raw.decode(errors="backslashreplace").rstrip("\n"))

    def wait_for(self, predicate, what="a line", deadline_s=DEADLINE_S):
        try:
            return wait_until(lambda: next((l for l in list(self.lines) if predicate(l)), None),
                              what, deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; lines so far:\n" + "\n".join(self.lines)) from None


def clients_of(path, state):
    """How many connections a socket has, by state: "02" not accepted yet, "03" accepted."""
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as f:
        rows = [line.split() for line in f]
    return sum(r[-1] == path and r[5] == state for r in rows)


Answer = collections.namedtuple("Answer", "code out err")


class Daemon:
    """A portdaddyd with a state directory of its own."""

    def __init__(self, *arguments, uid=None, home=None, program=None, pd=None, env=None,
                 most_files=None):
        self.arguments, self.uid, self.most_files = arguments, uid, most_files
        self.home = home or temp_dir("pd-home-")
        self.owns_home = home is None
        if uid is not None and home is None:
            os.chown(self.home, uid, uid)
        self.program, self.pd_program = program or DAEMON, pd or PD
        if uid is not None:
            self.program, self.pd_program = public_copy(self.program), public_copy(self.pd_program)
        self.env = {**BASE_ENV, "PORT_DADDY_HOME": self.home, "PORT_DADDY_NO_AUTOSTART": "1",
                    **(env or {})}
        if uid is not None:
            self.env["HOME"] = self.home
        self.log_path = os.path.join(self.home, "test-daemon.log")
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def socket(self):
        return os.path.join(self.home, "pd.sock")

    @property
    def database(self):
        return os.path.join(self.home, "port-registry.db")

    def launch(self):
        """Starts the process and does not wait for it to answer."""
        options = {}
        if self.uid is not None:
            options.update(becoming(self.uid))
        if self.most_files:
            options["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                                               (self.most_files,) * 2)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.program, *self.arguments], env=self.env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd="/", **options)
        return self

    def start(self):
        self.launch()
        try:
            wait_until(self.answers, "the daemon answers", 20 * SCALE)
        except AssertionError as error:
            raise AssertionError(f"{error}; exit status {self.process.poll()}, it said:\n"
                                 + self.log()) from None
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("the daemon ended")
        return self.is_reached()

    def is_reached(self):
        try:
            connect(self.socket).close()
            return True
        except OSError:
            return False

    def log(self):
        try:
            return read_text(self.log_path)
        except FileNotFoundError:
            return ""

    def stop(self, number=signal.SIGTERM):
        """Ends it; returns its exit status."""
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the daemon did not end within its deadline") from None

    def restart(self, number=signal.SIGTERM):
        self.stop(number)
        return self.start()

    def discard(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.owns_home:
            shutil.rmtree(self.home, ignore_errors=True)

    # --- asking it ---

    def run(self, *arguments, uid=None, cwd=None, env=None, input_text=None, code=None,
            says=(), deadline_s=30 * SCALE):
        """Runs pd, which must end with this exit code (None: that is the caller's business) and say
        this, or each of these, on stderr."""
        program, options = self.pd_program, {}
        if uid is not None:
            program = public_copy(program)
            options.update(becoming(uid))
        done = subprocess.run([program, *arguments], env={**self.env, **(env or {})},
                              cwd=cwd or self.home, input=input_text, capture_output=True,
                              timeout=deadline_s,
                              **({} if input_text is not None else {}), **options)
        answer = Answer(done.returncode, done.stdout.decode(errors="surrogateescape"),
                        done.stderr.decode(errors="surrogateescape"))
        unsaid = [words for words in ([says] if isinstance(says, str) else says)
                  if words not in answer.err]
        if unsaid or code not in (None, answer.code):
            raise AssertionError(f"pd {' '.join(arguments)}: exit {answer.code}, for {code}; "
                                 f"not said: {unsaid}\nstdout: {answer.out}\n"
                                 f"stderr: {answer.err}\n{self.log()}")
        return answer

    def pd(self, *arguments, **options):
        """Runs pd, which must succeed; its stdout."""
        return self.run(*arguments, code=DONE, **options).out

    def json(self, *arguments, code=DONE, **options):
        answer = self.run(*arguments, "-j", **options)
        try:
            parsed = json.loads(answer.out)
        except ValueError:
            raise AssertionError(f"pd {' '.join(arguments)} -j: exit {answer.code}, no JSON:\n"
                                 f"{answer.out}\n{answer.err}") from None
        if code is not None and answer.code != code:
            raise AssertionError(f"pd {' '.join(arguments)} -j: exit {answer.code}: {answer.out}")
        return parsed

    def get(self, path):
        return exchange(self.socket, "GET", path)[1]

    def post(self, path, body):
        return exchange(self.socket, "POST", path, body)[1]

    def clients(self, state):
        return clients_of(self.socket, state)

    def is_decided(self):
        """Behind launch(): it can be reached, or has ended."""
        return self.process.poll() is not None or self.is_reached()

    def waits_for_writer(self):
        """It has a request, and sleeps until somebody else's transaction ends (by SQLite's way)."""
        return "nanosleep" in read_text(f"/proc/{self.pid}/wchan") and self.clients("03") > 0

    def claim(self, identity, *arguments, **options):
        return int(self.pd("claim", identity, "-q", *arguments, **options))

    def service(self, identity):
        """The row of pd find, or None."""
        found = self.json("find", identity, code=None)
        return next((s for s in found.get("services", []) if s["id"] == identity), None)

    def wait_status(self, identity, status, deadline_s=DEADLINE_S):
        def there():
            row = self.service(identity)
            return row if row and row["status"] == status else None
        try:
            return wait_until(there, f"{identity} is {status}", deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.service(identity)}\n{self.log()}") from None

    def orphan(self, port):
        found = self.json("find", code=None)
        return next((o for o in found.get("orphans", []) if o["port"] == port), None)

    def query(self, sql, *values):
        """Reads the database as a person with sqlite3 would: past the daemon, read-only."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def execute(self, sql, *values):
        """Writes into the database as that person would."""
        connection = sqlite3.connect(self.database, timeout=DEADLINE_S, isolation_level=None)
        try:
            connection.execute(sql, values)
        finally:
            connection.close()

    def uses_bpf(self):
        return self.json("status")["kernel"]["mode"] == "bpf"


def connect(path, timeout_s=DEADLINE_S):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # It waits for its place in a queue that is full; with a time of its own it would not.
        s.connect(path)
    except OSError:
        s.close()
        raise
    s.settimeout(timeout_s)
    return s


def exchange(path, method, target, body=None, timeout_s=DEADLINE_S):
    """(status, parsed body) of one request without pd, whose start takes longer than some things
    last; OSError where the daemon is not there or ends meanwhile."""
    text = b"" if body is None else json.dumps(body).encode()
    answer = b""
    with connect(path, timeout_s) as s:
        s.sendall(f"{method} {target} HTTP/1.0\r\nContent-Length: {len(text)}\r\n\r\n".encode()
                  + text)
        while chunk := s.recv(65536):
            answer += chunk
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not rest:
        raise ConnectionResetError("no answer")
    return int(head.split()[1]), json.loads(rest)


# Behind those of tests/cases/run.py, and all below the ports that the kernel gives to connections.
PORTS_FIRST, PORTS_OF_A_PROGRAM, PORTS_END = 18500, 200, 32768


def own_ports():
    """The ports that this program takes from: each test file has its own.  Two run at once, and the
    daemon of each sees the other's network namespace, too."""
    names = sorted(glob.glob(os.path.join(ROOT, "tests/cli/test_*.py")))
    own = os.path.join(ROOT, "tests/cli", os.path.basename(sys.argv[0]))
    number = names.index(own) if own in names else len(names)
    first = PORTS_FIRST + number * PORTS_OF_A_PROGRAM
    assert first + PORTS_OF_A_PROGRAM <= PORTS_END, "there are too many test files"
    return first, first + PORTS_OF_A_PROGRAM


def is_free(port):
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as tcp, \
             socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
            tcp.bind(("::", port))
            udp.bind(("::", port))
            return True
    except OSError:
        return False


def free_port(first=None, last=None, but=()):
    """A port outside the range of services and of outgoing connections, free on every address;
    not one of `but`, which their test is yet to bind."""
    if first is None:
        first, last = own_ports()
    # the upper half is left to who wants another one above it
    start = os.getpid() % ((last - first + 1) // 2)
    for port in [*range(first + start, last), *range(first, first + start)]:
        if port not in but and is_free(port):
            return port
    raise AssertionError("no free port")


# Listens on a port and says so; the rest of the behaviour comes with the tests.
LISTEN = """
import os, signal, socket, sys, time
def listener(port, host="127.0.0.1", family=socket.AF_INET, kind=socket.SOCK_STREAM):
    s = socket.socket(family, kind)
    s.bind((host, port))
    if kind == socket.SOCK_STREAM:
        s.listen()
    return s
def ready(*words):
    print("ready", *words, flush=True)
def rest():
    while True:
        signal.pause()
"""


class PortDaddyTest(unittest.TestCase):
    """A test with a daemon (self.daemon) and children that end with it."""

    daemon_arguments, daemon_options = (), {}
    makes_runs = False  # what they leave ends with the test
    longMessage = True

    def setUp(self):
        self.children, self.daemons, self.strays = [], [], []
        self.work = temp_dir("pd-work-")
        self.addCleanup(shutil.rmtree, self.work, True)
        self.addCleanup(self._end_everything)
        self.daemon = self.start_daemon(*self.daemon_arguments, **self.daemon_options)
        if self.makes_runs:
            self.addCleanup(trees.kill_all, self.daemon.home)

    def write(self, name, text, mode=0o644):
        """A file in self.work; its path."""
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def need_bpf(self, missing):
        """Skips a test that needs more than polling; missing: what there is not without eBPF."""
        if not self.daemon.uses_bpf():
            self.skipTest(f"no eBPF here: {missing}")

    def records_refusals(self):
        """Not where the daemon polls, nor where it traces no calls (--trace hooks)."""
        kernel = self.daemon.json("status")["kernel"]
        return kernel["mode"] == "bpf" and kernel["trace"] != "hooks"

    def need_refusals(self):
        if not self.records_refusals():
            self.skipTest("no calls are traced here: refusals are not recorded")

    def need_rules(self, missing):
        """Skips a test that needs what the kernel does to the ports of runs and claims."""
        probes = {p["name"]: p for p in self.daemon.json("status")["kernel"]["probes"]}
        if probes.get("rules", {}).get("state") != "works":
            self.skipTest(f"no eBPF here: {missing}")

    def start_daemon(self, *arguments, **options):
        return self.new_daemon(*arguments, **options).start()

    def new_daemon(self, *arguments, **options):
        """One that is not started yet; discarded with the test."""
        daemon = Daemon(*arguments, **options)
        self.daemons.append(daemon)
        return daemon

    def spawn(self, argv, **options):
        options.setdefault("cwd", self.work)
        child = Child(argv, **options)
        self.children.append(child)
        return child

    def spawn_python(self, code, *arguments, **options):
        """Runs code behind LISTEN's helpers; returns once it has printed "ready"."""
        child = self.spawn([PYTHON, "-u", "-c", LISTEN + code, *map(str, arguments)], **options)
        child.ready = child.read_line()
        if not child.ready.startswith("ready"):
            raise AssertionError(f"the helper did not start: {child.ready}\n{child.output()}")
        return child

    def listener(self, port, more="", **options):
        """A process that listens and does nothing else; more: arguments of LISTEN's listener()."""
        return self.spawn_python(f"s = listener(int(sys.argv[1]), {more})\nready()\nrest()", port,
                                 **options)

    def http_server(self, port, **options):
        """`python3 -m http.server PORT`, as people start it; returns once it listens."""
        child = self.spawn([PYTHON, "-m", "http.server", str(port)], **options)
        self.wait_listening(child, port)
        return child

    def serve_claim(self, identity):
        """Claims a port and starts a server there: both, once the claim is active."""
        port = self.daemon.claim(identity)
        server = self.http_server(port)
        self.daemon.wait_status(identity, "active")
        return port, server

    def wait_listening(self, child, port):
        def there():
            if child.process.poll() is not None:
                raise AssertionError(f"{child.argv} ended: {child.output()}")
            return listens(port, child.pid)
        wait_until(there, f"port {port} is listened on")

    def helper(self, name):
        return os.path.join(BUILD, "tests/cli/helpers", name)

    def pd_stream(self, *arguments, uid=None):
        """pd watch or pd log -f in the background, as a LineReader."""
        program = self.daemon.pd_program if uid is None else public_copy(self.daemon.pd_program)
        child = self.spawn([program, *arguments], env=self.daemon.env, uid=uid)
        return LineReader(child)

    def watch_service(self, service, port, *options):
        """pd watch of that claim alone, once it is connected: of all that neighbours open and close
        it may be cut off, for reading too slowly.  UDP on the port's number is in nobody's way."""
        watch = self.pd_stream("watch", service, *options)

        def seen():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind(("127.0.0.1", port))
            return watch.lines
        wait_until(seen, "the watch is connected", every_s=0.05)
        return watch

    def _end_everything(self):
        for child in self.children:
            if child.process.poll() is None:
                child.process.kill()
            child.process.wait()
            if child.process.stdout:
                child.process.stdout.close()
        for pid in self.strays:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        faults = []
        for daemon in self.daemons:
            log = daemon.log()
            if re.search(r"(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:", log):
                faults.append(log)
            daemon.discard()
        if faults:
            self.fail("a sanitizer complained about the daemon:\n" + "\n".join(faults))


class UserTest(PortDaddyTest):
    """A test that one kind of user makes: root himself, a user whose daemon root started for him (as
    `sudo make run` does), a user with a daemon of his own."""

    user = None  # a uid, where it is not who runs the tests
    by_root = False

    def start_daemon(self, *arguments, **options):
        if self.user is None:
            return super().start_daemon(*arguments, **options)
        options = {**PLAIN, **options}  # under the sanitizers it is root's that runs
        os.chown(self.work, self.user, -1)
        if not self.by_root:
            return super().start_daemon(*arguments, uid=self.user, **options)
        daemon = self.new_daemon("--user", pwd.getpwuid(self.user).pw_name, *arguments, **options)
        os.chown(daemon.home, self.user, -1)
        daemon.pd_program = public_copy(daemon.pd_program)
        daemon.env["HOME"] = daemon.home
        return daemon.start()


class RefusalTest(PortDaddyTest):
    """A test of what is recorded of refused binds: with a free port of its own (self.port)."""

    def setUp(self):
        super().setUp()
        self.need_refusals()
        self.port = free_port()

    def recorded(self, *arguments, pid=None, **options):
        """The newest refusal, once the daemon has heard of it."""
        def there():
            answer = self.daemon.json("why", *arguments, code=None, **options)
            return answer if pid is None or (answer.get("asked") or {}).get("pid") == pid else None
        return wait_until(there, f"the refusal of {pid} is recorded")

    def refuse(self, argv, **options):
        """Runs a server that cannot have the port; its pid."""
        victim = self.spawn(argv, **options)
        self.assertNotEqual(victim.wait(), 0, victim.argv)
        return victim.pid


def main():
    """Runs the tests of the calling file.  Arguments, or $PD_TEST_NAME, select by name: those that
    contain one of the texts."""
    wanted = [text.lower().replace(" ", "_")
              for text in sys.argv[1:] or [os.environ.get("PD_TEST_NAME", "")]]
    tests = [t for t in flatten(unittest.defaultTestLoader.loadTestsFromModule(
        sys.modules["__main__"])) if any(text in t._testMethodName.lower() for text in wanted)]
    print(f"1..{len(tests)}", flush=True)
    result = TapResult(sys.stdout)
    try:
        unittest.TestSuite(tests).run(result)
    finally:
        for directory in _public.values():
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if result.wasSuccessful() else 1
