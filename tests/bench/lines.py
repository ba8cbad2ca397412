# SPDX-License-Identifier: MIT
"""The lines of the benchmark: what is held against what, and how far it has to reach."""
import collections
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import threading
import time
import typing
from functools import partial

import stand
from stand import harness

FIRST_PORT = 20000    # of the herd: outside of the services' range and of outgoing connections
HERD = 2000
SOCKETS = 18000       # of few processes: below the usual hard limit of 20,000 descriptors
CLAIMS = 2000         # of one sample
MANY_SERVICES = 50000
FLOOD = 200000
IDLE_S = 60
UP_ROUNDS = 20        # of eight services each
WAITS = 300           # of one sample: p99 is the fourth worst
UP_IDLE_S, UP_STILL_S = 10, 2
SAMPLES = 10          # of a line that alternates whole daemons; each is often a median itself

Figures = collections.namedtuple("Figures", "value ours theirs")


@dataclasses.dataclass
class Line:
    name: str
    against: str
    worse_when: str  # "less": a ratio that has to be large; "more": a figure that has to be small
    limit: float
    unit: str        # "×", " ms", …
    measure: typing.Callable

    @property
    def target(self):
        return f"{'≥' if self.worse_when == 'less' else '≤'} {self.limit:g}{self.unit}"

    def reaches(self, value):
        return value >= self.limit if self.worse_when == "less" else value <= self.limit


LINES = []


def line(name, against, worse_when, limit, unit="×"):
    def add(function):
        LINES.append(Line(name, against, worse_when, limit, unit, function))
        return function
    return add


def faster(ours, theirs, unit="ms"):
    return Figures(theirs / ours, f"{ours:.2f} {unit}", f"{theirs:.2f} {unit}")


def costlier(ours, theirs, unit="ms"):
    return Figures(ours / theirs, f"{ours:.2f} {unit}", f"{theirs:.2f} {unit}")


def percentile_99(samples):
    return sorted(samples)[int(len(samples) * 0.99)]


# --- asking, on a machine with many processes ----------------------------------------------------

@line("pd find --all, herd of 2,000", "ss -ltnp", "less", 60)
def find_all():
    ss = stand.needs("ss")
    with stand.herd(HERD, 100, FIRST_PORT), stand.daemon() as d:
        return faster(*stand.turns(d.env, [harness.PLAIN_PD, "find", "--all"], [ss, "-ltnp"]))


def find_among_many_sockets(processes):
    ss = stand.needs("ss")
    with stand.herd(processes, processes, FIRST_PORT, SOCKETS // processes), \
            stand.daemon() as d:
        return faster(*stand.turns(d.env, [harness.PLAIN_PD, "find", "--all"], [ss, "-ltnp"]))


def per_row(processes, *how):
    """Microseconds of the whole process for each row, the worst of its kind first."""
    descriptors = 0 if processes == SOCKETS else stand.DESCRIPTORS
    with stand.herd(processes, processes, FIRST_PORT, SOCKETS // processes, *how,
                    descriptors=descriptors), stand.daemon() as d:
        rows = len(d.json("find", "--all")["sockets"])
        d.claim("bench:web")
        asked = [["find", "--all"], ["find"], ["why", str(FIRST_PORT)], ["status"]]
        took = stand.turns(d.env, *([harness.PLAIN_PD, *words] for words in asked))
    return Figures(took[0] * 1000 / rows, f"{took[0]:.1f} ms, {rows} rows",
                   f"find {took[1]:.1f}, why {took[2]:.1f}, status {took[3]:.1f} ms")


for whose, n in (("1 process", 1), ("18 processes", 18)):
    line(f"pd find --all, 18,000 sockets of {whose}", "ss -ltnp", "less", 1)(
        partial(find_among_many_sockets, n))
for whose, *how in (("18 processes", 18), ("18,000 processes", SOCKETS),
                    ("1,000 namespaces", 1000, "alone")):
    line(f"each row of pd find --all, {whose}", "", "more", 10, " µs")(partial(per_row, *how))


@line("pd why PORT, herd of 2,000", "lsof -nP -iTCP:PORT -sTCP:LISTEN", "less", 100)
def why_port():
    lsof = stand.needs("lsof")
    with stand.herd(HERD, 100, FIRST_PORT), stand.daemon() as d:
        return faster(*stand.turns(d.env, [harness.PLAIN_PD, "why", str(FIRST_PORT + 50)],
                                   [lsof, "-nP", f"-iTCP:{FIRST_PORT + 50}", "-sTCP:LISTEN"]))


@line("pd find :PORT, 10,000 processes", "the same, 100 processes", "more", 1.2)
def find_is_flat():
    """Shows as well what a program costs there that asks nobody: that may grow by itself."""
    few, many = [], []
    with stand.daemon() as d, stand.herd(100, 100, FIRST_PORT):
        commands = [harness.PLAIN_PD, "find", f":{FIRST_PORT + 50}"], [stand.needs("true")]
        for _ in range(3):
            few.append(stand.turns(d.env, *commands))
            with stand.herd(9900):
                many.append(stand.turns(d.env, *commands))
    (find_few, true_few), (find_many, true_many) = (
        [statistics.median(column) for column in zip(*samples)] for samples in (few, many))
    return Figures(find_many / find_few, f"{find_many:.2f} ms (true {true_many:.2f})",
                   f"{find_few:.2f} ms (true {true_few:.2f})")


@line("full resync, herd of 2,000", "the bare iterator pass", "more", 1.5)
def resync():
    with stand.herd(HERD, 100, FIRST_PORT):
        samples = stand.tool("resync", stand.ROUNDS)
    return costlier(*(statistics.median(column) for column in zip(*samples)))


# --- asking, as a process ------------------------------------------------------------------------

def claim_again(d, *others):
    """pd claim of a service that is there, in turn with other commands."""
    d.claim("bench:web")
    return stand.turns(d.env, [harness.PLAIN_PD, "claim", "bench:web", "-q"], *others, rounds=60)


@line("pd claim ID -q, whole process", "a program that connects, sends, reads", "more", 1.5)
def claim_process():
    with stand.daemon() as d:
        least = [os.path.join(stand.TOOLS, "asks"), d.socket, "POST", "/v1/claims",
                 json.dumps({"id": "bench:web", "cwd": os.getcwd()})]  # as pd sends it
        return costlier(*claim_again(d, least))


@line("pd claim ID -q, whole process", "true", "more", 2.5)
def claim_against_true():
    with stand.daemon() as d:
        return costlier(*claim_again(d, [stand.needs("true")]))


@line("what Tab asks pd, 200 services to choose from", "", "more", 10, " ms")
def completion():
    with stand.daemon() as d:
        for i in range(200):
            d.claim(f"bench:s{i}")
        ours, theirs = stand.turns(d.env, [harness.PLAIN_PD, "completion", "bash", "--", "find", ""],
                                   [stand.needs("true")], rounds=60)
        return Figures(ours, f"{ours:.2f} ms", f"{theirs:.2f} ms")


# --- runs ----------------------------------------------------------------------------------------

@line("pd run -- true, whole process, beyond true", "", "more", 3, " ms")
def run_against_true():
    with stand.daemon() as d:
        d.claim("bench:web")
        ours, theirs = stand.turns(
            d.env, [harness.PLAIN_PD, "run", "bench:web", "-q", "--", "true"],
            [stand.needs("true")], rounds=60, of=min)
        return Figures(ours - theirs, f"{ours:.2f} ms", f"{theirs:.2f} ms")


def wait_tail(begin, what_happens, *options):
    """From what happens to the end of the pd wait that has waited for it, p99 in ms.  `begin` makes
    what is there before, and what_happens() is given that."""
    with stand.daemon() as d:
        lags = []
        for _ in range(WAITS):
            there = begin()
            waits = subprocess.Popen([harness.PLAIN_PD, "wait", str(FIRST_PORT), "-q", *options],
                                     env=d.env)
            harness.wait_until(lambda: d.clients("03"), "pd wait listens to the daemon")
            time.sleep(0.01)  # it has looked, and sleeps
            start = time.monotonic_ns()
            left = what_happens(there)
            waits.wait()
            lags.append((time.monotonic_ns() - start) / 1e6)
            if left:
                left.close()
            harness.wait_until(lambda: not d.clients("03"), "the daemon has seen it leave")
        return Figures(statistics.quantiles(lags, n=100)[98],
                       f"median {statistics.median(lags):.2f} ms", "")


@line("pd wait, from the listen to its end, p99", "", "more", 5, " ms")
def wait_for_listen():
    return wait_tail(lambda: None, lambda _: socket.create_server(("127.0.0.1", FIRST_PORT)))


@line("pd wait --free, from a holder's end to its own, p99", "", "more", 5, " ms")
def wait_for_end():
    def holder():
        s = socket.create_server(("127.0.0.1", FIRST_PORT))
        pid = os.fork()
        if not pid:
            while True:
                signal.pause()
        s.close()
        return pid

    def end(pid):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return wait_tail(holder, end, "--free")


@line("a prompt with pd hook, nothing refused", "", "more", 0.2, " ms")
def prompt():
    loop = ('code=$($0 hook bash) || exit; eval "$code"; start=$EPOCHREALTIME; for i in {1..2000}; do __pd_prompt; done;'
            ' echo $(( (${EPOCHREALTIME/./} - ${start/./}) ))')
    with stand.daemon() as d:
        bash = stand.needs("bash")
        us = min(int(subprocess.run([bash, "-c", loop, harness.PLAIN_PD], env=d.env, check=True,
                                    capture_output=True, text=True).stdout) for _ in range(5))
        return Figures(us / 2000 / 1000, "", "")


@line("fork and exit in a run, beyond those outside", "", "more", 1, " µs")
def fork_in_a_run():
    with stand.daemon() as d:
        inside, outside = [], []
        run = [harness.PLAIN_PD, "run", "bench:web", "-q", "--"]
        for _ in range(4 * SAMPLES):
            outside.append(stand.tool("loops", "fork", 400, env=d.env)[0][0])
            inside.append(stand.tool("loops", "fork", 400, env=d.env, below=run)[0][0])
        # a fork takes thirty times as long as what is looked for here: medians of the fastest
        ours, theirs = (statistics.median(ns) / 1e3 for ns in (inside, outside))
        return Figures(ours - theirs, f"{ours:.2f} µs", f"{theirs:.2f} µs")


@line("pd up idle for 10 s, 8 services: wake-ups of pd", "", "more", 0, "")
def up_idle():
    with up_project() as (d, directory, _), \
         subprocess.Popen([d.pd_program, "up"], env=d.env, cwd=directory,
                          stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as up:
        while b"services are ready" not in up.stderr.readline():
            pass
        pids = [up.pid, *(r["pid"] for r in d.json("ps")["runs"])]
        time.sleep(UP_STILL_S)  # what the last services write has been read
        woken = sum(map(stand.wake_ups, pids))
        time.sleep(UP_IDLE_S)
        woken = sum(map(stand.wake_ups, pids)) - woken
        up.send_signal(signal.SIGINT)
        up.stderr.read()
    return Figures(woken, f"{len(pids)} processes", "")


UP = {"db": [], "queue": [], "mail": [], "api": ["db", "queue"], "auth": ["db"],
      "jobs": ["queue", "mail"], "web": ["api", "auth"], "admin": ["web", "jobs"]}


def lines_in(path):
    with open(path, encoding="ascii") as f:
        return f.read().count("\n")


@contextlib.contextmanager
def up_project():
    """A daemon, the directory of a project of eight services, and the file that they write."""
    with stand.daemon() as d:
        directory = harness.temp_dir()
        notes = os.path.join(directory, "notes")
        with open(os.path.join(directory, ".portdaddyrc"), "w", encoding="utf-8") as f:
            json.dump({"project": "bench", "services": {
                name: {"cmd": f"exec {stand.TOOLS}/service {name} {notes}", "needs": needs}
                for name, needs in UP.items()}}, f)
        yield d, directory, notes
        harness.shutil.rmtree(directory)


def up_rounds(rounds):
    """pd up of eight services: ms from the listen of its last need to each one's first
    instruction, and from its own listen to the line that says so."""
    begun, told = [], []
    with up_project() as (d, directory, notes):
        for _ in range(rounds):
            with open(notes, "w", encoding="ascii"):
                pass
            said = {}
            with subprocess.Popen([d.pd_program, "up"], env=d.env, cwd=directory,
                                  stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as up:
                for words in map(bytes.split, up.stderr):
                    if words[2] == b"serves":
                        said[words[1].decode()] = time.monotonic_ns()
                    if b"ready" in words:
                        break
                harness.wait_until(lambda: lines_in(notes) == len(UP), "all have noted it")
                up.send_signal(signal.SIGINT)
                up.stderr.read()
            with open(notes, encoding="ascii") as f:
                times = {n: (int(b), int(l)) for n, b, l in map(str.split, f)}
            for name, needs in UP.items():
                told.append((said[name] - times[name][1]) / 1e6)
                if needs:
                    begun.append((times[name][0] - max(times[n][1] for n in needs)) / 1e6)
    return begun, told


@line("pd up: last need listens → it runs, 99th percentile", "", "more", 20, " ms")
def up_begins():
    begun, _ = up_rounds(UP_ROUNDS)
    return Figures(percentile_99(begun), f"{statistics.median(begun):.2f} ms median", "")


@line("pd up: it listens → is told ready, 99th percentile", "", "more", 5, " ms")
def up_tells():
    _, told = up_rounds(UP_ROUNDS)
    return Figures(percentile_99(told), f"{statistics.median(told):.2f} ms median", "")


# --- claims --------------------------------------------------------------------------------------

def claims(d, clients, prefix, count=CLAIMS, sockets="3100-9999"):
    rate, median_us = stand.tool("claims", d.socket, clients, count, prefix, sockets)[0]
    return rate, median_us


def alone(directory):
    """SQLite alone, on a database that a daemon has made; (rate, median of microseconds)."""
    with stand.daemon() as d:
        d.stop()
        return stand.tool("commits", d.database, CLAIMS, 10000)[0]


def claim_samples(clients, rounds=SAMPLES):
    ours, theirs = [], []
    for i in range(rounds):
        with stand.daemon() as d:
            ours.append(claims(d, clients, f"c{i}"))
        theirs.append(alone(d.home))
    return [[statistics.median(column) for column in zip(*s)] for s in (ours, theirs)]


@line("claim of a new name, 1 client, latency", "SQLite alone, the same writes", "more", 1.5)
def claim_latency():
    ours, theirs = claim_samples(1)
    return costlier(ours[1], theirs[1], "µs")


@line("claims of new names, 16 clients, rate", "SQLite alone, one by one", "less", 4)
def claim_rate():
    ours, theirs = claim_samples(16)
    return Figures(ours[0] / theirs[0], f"{ours[0]:.0f}/s", f"{theirs[0]:.0f}/s")


def fill(path, services, free):
    """Rows as many people's claims would leave them; ports of `free` stay unclaimed."""
    ports = [p for p in range(1024, 65536) if p not in free][:services]
    with sqlite3.connect(path) as db:
        now = int(time.time())
        db.executemany(
            "INSERT INTO services(id, port, createdAt, updatedAt, status, uid, everActive, "
            "expiresAt) VALUES(?, ?, ?, ?, 'claimed', 0, 0, 0)",
            ((f"many:s{p}", p, now, now) for p in ports))
        db.executemany("INSERT INTO ports(id, port, claimedAt) VALUES(?, ?, ?)",
                       ((f"many:s{p}", p, now) for p in ports))
    db.close()


def filled_daemon(services, free=range(3100, 10000)):
    """The state directory of a daemon that has that many services."""
    home = harness.temp_dir("pd-bench-")
    with stand.daemon(home=home) as d:
        d.stop()
        fill(d.database, services, free)
    return home


@line("claim of a new name, 50,000 services", "the same, 10 services", "more", 1.3)
def claim_is_flat():
    few, many = [], []
    homes = filled_daemon(10), filled_daemon(MANY_SERVICES)
    for _ in range(SAMPLES):
        for home, samples in zip(homes, (few, many)):
            # a copy: claims of the last sample would be services of the next
            copy = harness.temp_dir("pd-bench-")
            harness.shutil.copytree(home, copy, dirs_exist_ok=True)
            with stand.daemon(home=copy) as d:
                samples.append(claims(d, 1, "new", 500)[1])
            harness.shutil.rmtree(copy)
    for home in homes:
        harness.shutil.rmtree(home)
    return costlier(statistics.median(many), statistics.median(few), "µs")


# --- what others pay -----------------------------------------------------------------------------

def with_and_without(kind, count, trace, rounds=SAMPLES):
    """Nanoseconds of a loop, without and with the probes of a daemon that traces calls so."""
    without, attached = [], []
    for _ in range(rounds):
        without.append(stand.tool("loops", kind, count)[0][0])
        with stand.daemon("--trace", trace) as d:
            refused = next(p for p in d.json("status")["kernel"]["probes"] if p["name"] == "bind")
            if refused["state"] != "works" and trace != "hooks":
                raise stand.Unavailable(f"{trace}: {refused['reason']}")
            attached.append(stand.tool("loops", kind, count)[0][0])
    return statistics.median(attached), statistics.median(without)


def listen_loop(trace):
    return costlier(*(ns / 1e3 for ns in with_and_without("listen", 20000, trace)), "µs")


def other_call(trace):
    return costlier(*with_and_without("call", 2000000, trace), "ns")


TRACES = (("tracepoints", "syscalls"), ("fexit", "fexit"), ("hooks alone", "hooks"))
for how, trace in TRACES:
    line(f"socket, bind, listen, close, by {how}", "without probes", "more",
         1.25 if trace == "syscalls" else 1.15)(partial(listen_loop, trace))
for how, trace in TRACES:
    line(f"a system call without sockets, by {how}", "without probes", "more", 1.03)(
        partial(other_call, trace))


# As the kernel counts the time of each program: the calls take a hundred times as long.

def rules():
    return stand.tool("rules", 6)[0]


@line("the hook of connect() where there is no rule", "", "more", 60, " ns")
def connect_without_rules():
    return Figures(rules()[2], "", "")


@line("bind() of a member, 1,000 rules, beyond none", "", "more", 150, " ns")
def bind_by_rules():
    none, thousand, _, _ = rules()
    return Figures(thousand - none, f"{thousand:.0f} ns", f"{none:.0f} ns")


@line("connect() of a member, 1,000 rules, beyond none", "", "more", 150, " ns")
def connect_by_rules():
    _, _, none, thousand = rules()
    return Figures(thousand - none, f"{thousand:.0f} ns", f"{none:.0f} ns")


# --- events --------------------------------------------------------------------------------------

@line("listen() returned → line of the stream, median", "", "more", 0.3, " ms")
def watch_median():
    with stand.daemon() as d:
        return Figures(stand.tool("watchlag", d.socket, 1000)[0][0] / 1e3, "", "")


@line("the same, 99th percentile", "", "more", 2, " ms")
def watch_tail():
    with stand.daemon() as d:
        return Figures(stand.tool("watchlag", d.socket, 1000)[0][1] / 1e3, "", "")


def kernel_listeners():
    done = harness.subprocess.run([stand.needs("ss"), "-Hltn"], capture_output=True, text=True,
                                  check=True)
    return sorted(int(l.split()[3].rpartition(":")[2]) for l in done.stdout.splitlines())


def table_listeners(d):
    own = os.stat("/proc/self/ns/net").st_ino
    return sorted(s["port"] for s in d.json("find", "--all")["sockets"]
                  if s["netns"] == own and s["state"] == "LISTEN" and s["proto"] == "tcp")


def peak_mb(pid):
    return int(harness.proc_status(pid)["VmHWM"].split()[0]) / 1024


@line("200,000 × bind, listen, close: sockets wrong in the table", "", "more", 0, "")
def flood():
    with stand.daemon() as d:
        with open(f"/proc/{d.pid}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")  # the peak of loading BPF is no part of this
        before = peak_mb(d.pid)
        stand.tool("loops", "listen", FLOOD)
        harness.wait_until(lambda: table_listeners(d) == kernel_listeners(), "the table is right",
                           30)
        kernel = d.json("status")["kernel"]
        peak = peak_mb(d.pid)
        wrong = set(table_listeners(d)) ^ set(kernel_listeners())
    return Figures(len(wrong), f"{kernel['lost']} lost, {kernel['events']} seen",
                   f"peak {peak:.1f} MB, {before:.1f} before")


FLOOD_S, FLOOD_A_SECOND = 15, 100000 // 60


@contextlib.contextmanager
def flooded():
    """As many sockets as FLOOD_A_SECOND come and go meanwhile."""
    ended = threading.Event()

    def flood():
        begins = time.monotonic()
        while not ended.wait(max(0, begins - time.monotonic())):
            stand.tool("loops", "listen", FLOOD_A_SECOND)
            begins += 1
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        flooding = threads.submit(flood)
        try:
            yield
        finally:
            ended.set()
        flooding.result()  # raises what went wrong there


@line("longest answer beside 100,000 sockets a minute", "", "more", 250, " ms")
def answers_beside_a_flood():
    """Of what pd's commands ask, on a machine with 18,000 listeners; and the table is right then."""
    longest = {f"/v1/{path}": 0 for path in (
        "status", "services?details=no", "sockets?details=no", f"why?port={FIRST_PORT}")}
    with stand.herd(18, 18, FIRST_PORT, SOCKETS // 18), stand.daemon() as d:
        with flooded():
            until = time.monotonic() + FLOOD_S
            while time.monotonic() < until:
                for path in longest:
                    longest[path] = max(longest[path], stand.time_of_answer(d.socket, path))
        harness.wait_until(lambda: table_listeners(d) == kernel_listeners(), "the table is right",
                           30)
    return Figures(max(longest.values()), "", f"status {longest['/v1/status']:.1f} ms")


# --- having it -----------------------------------------------------------------------------------

@contextlib.contextmanager
def hundred_services():
    """A daemon with a hundred claims that are served."""
    with stand.daemon() as d:
        for i in range(100):
            d.claim(f"bench:s{i}", "-p", str(FIRST_PORT + i))
        with stand.herd(100, 100, FIRST_PORT):
            harness.wait_until(lambda: d.json("status")["services"]["active"] == 100,
                               "all are active")
            yield d


@line("memory (PSS), 100 active services", "", "more", 8, " MB")
def memory_of_hundred():
    with hundred_services() as d:
        return Figures(stand.memory(d.pid) / 2**20, "", "")


@line("memory (PSS), 50,000 services", "", "more", 48, " MB")
def memory_of_many():
    home = filled_daemon(MANY_SERVICES)
    with stand.daemon(home=home) as d:
        d.run("find", "-q")
        value = stand.memory(d.pid) / 2**20
    harness.shutil.rmtree(home)
    return Figures(value, "", "")


@line("idle for 60 s, 100 active services: wake-ups", "", "more", 1, "")
def idle():
    with hundred_services() as d:
        stand.until_still(d.pid)  # what the last claims left to do is done
        woken, ticks = stand.wake_ups(d.pid), stand.cpu_ticks(d.pid)
        time.sleep(IDLE_S)
        woken = stand.wake_ups(d.pid) - woken
        ticks = stand.cpu_ticks(d.pid) - ticks
    return Figures(woken, f"{ticks} ticks of CPU", "")


@line("daemon's start → first answer", "", "more", 120, " ms")
def start():
    """The first one in a directory makes the database, and keeps the kernel's types."""
    first, again = [], []
    for _ in range(SAMPLES):
        d = harness.Daemon(program=harness.PLAIN_DAEMON, pd=harness.PLAIN_PD)
        for samples in (first, again):
            samples.append(stand.time_to_first_answer(d))
            d.stop()
        d.discard()
    return Figures(statistics.median(again), f"{statistics.median(first):.1f} ms for the first", "")
