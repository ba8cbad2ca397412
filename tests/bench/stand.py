# SPDX-License-Identifier: MIT
"""What a line of the benchmark stands on: a daemon, a herd of processes, and runs in turn."""
import contextlib
import os
import resource
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "cli"))
import harness  # noqa: E402

TOOLS = os.path.join(harness.BUILD, "tests", "bench")
DESCRIPTORS = 20  # of each process in a herd
ROUNDS = 15       # samples of a line that alternates whole processes


class Unavailable(Exception):
    """Why a line cannot be measured here."""


def tool(name, *arguments, env=None, below=()):
    """Runs one of the C programs beside this file, as `below` runs it; the figures that it printed."""
    done = subprocess.run([*below, os.path.join(TOOLS, name), *map(str, arguments)], env=env,
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{name} {' '.join(map(str, arguments))}: {done.stderr}")
    return [[float(x) for x in line.split()] for line in done.stdout.splitlines()]


def needs(program):
    path = next((os.path.join(d, program) for d in harness.BASE_ENV["PATH"].split(":")
                 if os.access(os.path.join(d, program), os.X_OK)), None)
    if not path:
        raise Unavailable(f"{program} is not installed")
    return path


@contextlib.contextmanager
def daemon(*arguments, **options):
    d = harness.Daemon(*arguments, program=harness.PLAIN_DAEMON, pd=harness.PLAIN_PD, **options)
    d.start()
    try:
        yield d
    finally:
        d.stop()
        d.discard()


def raise_limits():
    for limit in (resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE):
        hard = resource.getrlimit(limit)[1]
        resource.setrlimit(limit, (hard, hard))


@contextlib.contextmanager
def herd(processes, listeners=0, first_port=0, each=1, *how, descriptors=DESCRIPTORS):
    before = count_of("herd")
    with subprocess.Popen([os.path.join(TOOLS, "herd"), str(processes), str(descriptors),
                           str(listeners), str(first_port), str(each), *how], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, preexec_fn=raise_limits) as child:
        if child.stdout.readline() != b"ready\n":
            raise Unavailable(f"no herd of {processes} processes with {each} sockets each (limits "
                              f"{resource.getrlimit(resource.RLIMIT_NPROC)[1]}, "
                              f"{resource.getrlimit(resource.RLIMIT_NOFILE)[1]})")
        try:
            yield child
        finally:
            child.stdin.close()
            child.wait()
    harness.wait_until(lambda: count_of("herd") <= before, "the herd's end", 60)


def count_of(comm):
    n = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", "rb") as f:
            n += f.read() == comm.encode() + b"\n"
    return n


def turns(env, *commands, rounds=ROUNDS, of=statistics.median):
    """Medians of the whole processes' milliseconds, run in turn; or what else is made of them."""
    arguments = []
    for command in commands:
        words = ["\\--" if word == "--" else word for word in command]
        arguments += ["--", *words] if arguments else words
    samples = tool("turns", rounds, *arguments, env=env)
    return [of(column) / 1e6 for column in zip(*samples)]


def memory(pid, field="Pss"):
    """Bytes of the daemon; Pss shares a library's pages among those who map it."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
        return next(int(l.split()[1]) for l in f if l.startswith(field + ":")) * 1024


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def wake_ups(pid):
    return sum(int(harness.proc_status(pid)[k])
               for k in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"))


def until_still(pid):
    """Waits until the process is not woken any more: a first backup rests for five seconds."""
    still = 0
    for _ in range(90):
        before = wake_ups(pid)
        time.sleep(1)
        still = still + 1 if wake_ups(pid) == before else 0
        if still == 6:
            return
    raise AssertionError(f"process {pid} is woken again and again")


def time_of_answer(path_of_socket, path):
    """Milliseconds until all of an answer is there."""
    began, answer = time.monotonic(), b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.connect(path_of_socket)
        s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        while chunk := s.recv(1 << 20):
            answer += chunk
    if answer.split()[1:2] != [b"200"]:
        raise AssertionError(f"{path}: {answer[:200]}")
    return (time.monotonic() - began) * 1e3


def time_to_first_answer(d):
    """Milliseconds from the daemon's start to its first answer."""
    began = time.monotonic()
    d.launch()
    while True:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                s.connect(d.socket)
                s.sendall(b"GET /v1/services HTTP/1.0\r\n\r\n")
                if s.recv(16).startswith(b"HTTP/1."):
                    return (time.monotonic() - began) * 1e3
        except OSError:
            if d.process.poll() is not None or time.monotonic() - began > 20:
                raise AssertionError("the daemon does not answer: " + d.log()) from None
            time.sleep(0.0005)
