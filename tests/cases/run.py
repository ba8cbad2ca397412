#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Plays every case of tests/cases and holds `pd why` against what the kernel really did.

One daemon watches them all.  Each case is a program (see case.h) in a network namespace of its own:

  1. `pd why PORT --netns PID …` before anybody tries: the live verdict
  2. the victim binds and listens: the kernel's errno must be the one that the case is about
  3. `pd why --pid VICTIM`: the recorded verdict, of the moment of the refusal
     and plain `pd why`, asked by the victim's user where that is not root, must say the same
  4. the remedy is applied, and the same attempt must succeed

Verdict, errno, holders and completeness are compared each time; no remedy may kill a process that
holds nothing, nor destroy a socket that stays bound.

A second play has the victim try at once, before anybody has asked about the port: the record of that
moment is all there is.  Then each command that pd prints to free the port is run alone, in a play of
its own, and the same attempt must succeed.  In the end a table shows all cases.

With arguments: only the cases whose name contains one of them.  With --hasty every victim ends as
soon as it has its answer, as real ones do; with --herd=N so many idle processes of 20 descriptors
each stand beside them, and every search takes its time:

  tests/cases/run.py --hasty --herd=2000
"""
import argparse
import contextlib
import glob
import json
import os
import re
import select
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "cli"))
import harness  # noqa: E402

STEP_DEADLINE_S = 45 * harness.SCALE
# For facts that reach the daemon by events: a minute is enough, however slow the machine is.
ANSWER_DEADLINE_S = min(10 * harness.SCALE, 60)
COLUMNS = ("case", "verdict", "errno", "live", "recorded", "as user", "holders", "complete", "remedy",
           "at once", "command")
NOT_ASKED = "–"
PORTS_FIRST = 10500
FIRST_UID = 2000000  # of users that no machine has
# What pd prints to free the port, and this may run: it reaches the case's own processes and namespace
# only.  Not among them: what lets a process go on and keep its port, and what only shows something.
THAW = r"echo 0 \| tee '/sys/fs/cgroup/[\w/-]*/pd-case-\d+/cgroup\.freeze'"
FREEING_COMMANDS = re.compile(
    r"(pd (release [\w:]+|claim [\w:]+ --no-protect)"
    rf"|kill( -KILL)?( \d+)+( && kill -CONT( \d+)+)?( && {THAW})?"
    r"|nsenter -t \d+ -n (ss -K -t state [-\w]+ 'sport = :\d+'|bash -c ': < /dev/tcp/[\w.:]+/\d+'"
    r"|sysctl net\.ipv4\.ip_local_port_range=\"\d+ \d+\"|sysctl net\.ipv[46]\.(conf\.)?"
    r"(all\.disable_ipv6|ip_unprivileged_port_start)=\d+))")
COMMANDS_MAX = 3  # that one answer has
# Of a command: the end of a process with 10,000 sockets takes a while, and TIME_WAIT a minute.
HELPS_WITHIN_S = 20 * harness.SCALE


def herd(processes):
    """Ends with its stdin."""
    child = subprocess.Popen([os.path.join(harness.BUILD, "tests/bench/herd"), str(processes),
                              "20", "0", "1", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if child.stdout.readline() != b"ready\n":
        raise AssertionError(f"there is no herd of {processes} processes")
    return child


class Play:
    """A running case program."""

    env = dict(harness.BASE_ENV)

    def __init__(self, name, port, first_uid):
        program = os.path.join(harness.BUILD, "tests/cases", name)
        self.process = subprocess.Popen([program, str(port), str(first_uid)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=self.env, cwd="/")
        self.said = b""

    def read(self):
        end = time.monotonic() + STEP_DEADLINE_S
        while b"\n" not in self.said:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError("the case did not answer in time")
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise AssertionError("the case broke: "
                                     + self.process.stderr.read().decode(errors="replace"))
            self.said += more
        line, _, self.said = self.said.partition(b"\n")
        return json.loads(line)

    def step(self, word):
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()
        return self.read()

    def end(self):
        """It ends all that it started when its stdin ends."""
        self.process.stdin.close()
        try:
            self.process.wait(STEP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def netns_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None


def judge(answer, ready, verdicts, free=None):
    """{column: what is wrong} of one answer of pd why -j."""
    wrong = {}
    if "error" in answer:
        return {"verdict": answer["error"]["code"]}
    if answer.get("verdict") not in verdicts:
        wrong["verdict"] = str(answer.get("verdict"))
    if free is not None and answer.get("free") is not free:
        wrong["free"] = f"free: {answer.get('free')}"
    if not free and answer.get("errno") != ready["errno"]:
        wrong["errno"] = str(answer.get("errno"))
    named = {h["pid"] for h in answer.get("holders", [])}
    must, may = set(ready["holders"]), set(ready["bystanders"])
    if not must <= named or not named <= must | may:
        wrong["holders"] = f"{sorted(named)} for {sorted(must)}"
    if not free and ready["complete"] is not None and answer.get("complete") != ready["complete"]:
        wrong["complete"] = str(answer.get("complete"))
    wrong.update(judge_remedies(answer, must | may, ready))
    return wrong


def judge_remedies(answer, holders, ready):
    """Remedies that harm: what people copy must be right for this very case."""
    remedies = answer.get("remedies") or []
    commands = [r.get("command") or "" for r in remedies]
    for command in commands:
        killed = re.match(r"(?:sudo )?kill(?: -\w+)*((?: \d+)+)", command)
        strangers = {int(p) for p in killed[1].split()} - holders if killed else None
        if strangers:
            return {"remedies": f"kills {sorted(strangers)}"}
        states = {s["state"] for s in answer.get("sockets", [])}
        # a thread in accept() is woken by it; every other socket would stay, unseen by most tools
        if "ss -K" in command and states & {"LISTEN", "BOUND"} and \
           answer.get("verdict") != "syscall_pinned":
            return {"remedies": "destroys a socket that stays bound"}
    if ready["errno"] and not answer.get("free") and not remedies:
        return {"remedies": "none"}
    return {}


def free_ports():
    """Where no other test looks for its ports: one that is in use on the machine is not free here."""
    port = PORTS_FIRST + os.getpid() % 40 * 200
    while True:
        if harness.is_free(port):
            yield port
        port += 1


class Cases(unittest.TestCase):
    """A method for each case is added below."""

    longMessage = True
    rows = {}

    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon().start()
        cls.bpf = cls.daemon.uses_bpf()
        cls.unseen = cls.daemon.json("status")["kernel"].get("unseen") or ""
        Play.env.update(cls.daemon.env, PATH=cls.path_with_pd())
        # One for each case: a network namespace may get the number of one that has just ended.
        cls.ports = free_ports()
        cls.first_uid = FIRST_UID + 10 * (os.getpid() % 100000)

    @classmethod
    def path_with_pd(cls):
        return f"{os.path.dirname(cls.daemon.pd_program)}:{cls.daemon.env['PATH']}"

    @classmethod
    def tearDownClass(cls):
        log = cls.daemon.log()
        cls.daemon.stop()
        cls.daemon.discard()
        if re.search(r"(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:", log):
            raise AssertionError("a sanitizer complained about the daemon:\n" + log)

    def play(self, name, perform):
        """Again where the daemon left a search out: refusals of the whole machine use its time."""
        if not self.bpf:
            self.skipTest("no eBPF here: refusals are not recorded")
        if name == "intercepted_by_seccomp" and "seccomp" in self.unseen:
            self.skipTest(f"this daemon does not see {self.unseen}")
        end, said_before = time.monotonic() + STEP_DEADLINE_S, len(self.daemon.log())
        self.play_once(name, perform)
        while self.faults and self.a_search_was_left_out() and time.monotonic() < end:
            self.play_once(name, perform)
        if self.faults:
            self.fail("\n".join([f"{which} {what}: {text}" for which, what, text in self.faults]
                                + [f"{which}: {json.dumps(answer)}"
                                   for which, answer in self.answers.items()]
                                + [self.daemon.log()[said_before:]]))

    def a_search_was_left_out(self):
        missing = [answer.get("missing") or {} for answer in self.answers.values()]
        return any("many binds were refused at once" in m.get("text", "") for m in missing)

    def play_once(self, name, perform):
        self.row = self.rows.setdefault(name, {**dict.fromkeys(COLUMNS, NOT_ASKED), "case": name})
        self.faults, self.answers = [], {}
        play = Play(name, next(self.ports), self.first_uid)
        try:
            ready = play.read()
            if ready["event"] == "skip":
                self.row["verdict"] = "skipped"
                self.skipTest(ready["reason"])
            self.row["verdict"] = ready["verdict"] or ready["live"]
            perform(self, play, ready)
        finally:
            play.end()

    def explain(self, play, ready):
        """The first play of a case."""
        if not ready["liveAfter"]:
            self.ask_live(ready)
        self.attempt(play, "victim", ready, ready["errno"])
        if ready["liveAfter"]:
            self.ask_live(ready)
        if ready["verdict"]:
            self.ask_recorded("recorded", ready)
        if ready["uid"] and ready["verdict"]:
            self.ask("as user", ("why",), lambda answer: judge(answer, ready, [ready["verdict"]]),
                     uid=ready["uid"])
        if ready["remedy"]:
            self.assertEqual(play.step("remedy")["event"], "remedied")
            self.attempt(play, "again", ready, "")
            self.row["remedy"] = "ok"
        for column in ("holders", "complete"):
            compared = column == "holders" or ready["complete"] is not None
            self.row[column] = (self.column_text(column) if compared and self.answers
                                else NOT_ASKED)

    def record_at_once(self, play, ready):
        """The second play: the victim tries before the daemon was asked about anything."""
        if not ready["verdict"]:
            return
        self.attempt(play, "victim", ready, ready["errno"])
        self.ask_recorded("at once", ready)

    def free_by_a_command(self, play, ready):
        """One more play for each command: number self.number, alone, must free the port."""
        if not ready["verdict"] or not ready["command"]:
            return
        self.attempt(play, "victim", ready, ready["errno"])
        self.ask_recorded("at once", ready)
        commands = [(r.get("command") or "").replace("sudo ", "")
                    for r in self.answers["at once"].get("remedies", [])]
        commands = [c for c in commands if FREEING_COMMANDS.fullmatch(c)]
        self.more = self.number + 1 < len(commands)
        if self.faults or len(commands) <= self.number:
            return
        command = commands[self.number]
        entered = re.match(r"nsenter -t (\d+)", command)
        if entered and netns_of(entered[1]) != netns_of(ready["netns"]):
            self.faults.append(("command", "wrong namespace", command))
        elif not self.command_helps(play, command):
            self.faults.append(("command", "did not help", command))
        self.row["command"] = "no help" if self.faults else f"{self.number + 1} ok"

    def play_commands(self, name):
        for self.number in range(COMMANDS_MAX):
            self.more = False
            self.play(name, Cases.free_by_a_command)
            if not self.more:
                return

    def command_helps(self, play, command):
        subprocess.run(["sh", "-c", command], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, env=Play.env, timeout=STEP_DEADLINE_S)
        end = time.monotonic() + HELPS_WITHIN_S
        while play.step("again")["errno"]:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def attempt(self, play, word, ready, error):
        """The kernel's own answer; a case that does not get it is a case about something else."""
        outcome = play.step(word)
        ready["victim"] = outcome["pid"]
        if word == "victim":
            self.row["errno"] = outcome["errno"] or "0"
        else:
            self.row["remedy"] = outcome["errno"]
        self.assertEqual(outcome["errno"], error, f"of the attempt ({word})")
        if error:
            self.assertEqual(outcome["call"], ready["call"])

    def column_text(self, column):
        faults = [text for which, what, text in self.faults if what == column]
        return faults[0] if faults else "ok"

    def ask_live(self, ready):
        verdicts = ready["live"].split("|")
        if not verdicts[0]:
            return
        free = verdicts[0] in ("free", "other_netns", "gone")
        # another word for a question without an asker: the same sockets, or none
        expected = dict(ready) if not free else {**ready, "bystanders": ready["holders"]
                                                 + ready["bystanders"], "holders": []}
        arguments = ("why", str(ready["port"]), "--netns", str(ready["netns"]), *ready["flags"])
        self.ask("live", arguments, lambda answer: judge(answer, expected, verdicts, free))

    def ask_recorded(self, which, ready):
        self.ask(which, ("why", "--pid", str(ready["victim"])),
                 lambda answer: judge(answer, ready, [ready["verdict"]]))

    def ask(self, which, arguments, judgement, **options):
        """Asks until the answer is right; what the last one had wrong becomes a fault."""
        end = time.monotonic() + ANSWER_DEADLINE_S
        while True:
            answer = self.daemon.json(*arguments, code=None, **options)
            wrong = judgement(answer)
            if not wrong or time.monotonic() > end:
                break
            time.sleep(0.02)
        self.answers[which] = answer
        self.faults += [(which, what, text) for what, text in wrong.items()]
        own = {what: text for what, text in wrong.items() if what not in ("holders", "complete")}
        self.row[which] = own.get("verdict") or "; ".join(own.values()) or "ok"


def add_cases():
    for path in sorted(glob.glob(os.path.join(HERE, "*.c"))):
        name = os.path.splitext(os.path.basename(path))[0]

        def explained(self, name=name):
            self.play(name, Cases.explain)

        def recorded(self, name=name):
            self.play(name, Cases.record_at_once)

        def freed(self, name=name):
            self.play_commands(name)
        setattr(Cases, f"test_{name}_is_explained", harness.needs_root(explained))
        if not name.startswith("free_") and name != "other_netns":
            setattr(Cases, f"test_{name}_is_recorded_at_once", harness.needs_root(recorded))
            setattr(Cases, f"test_{name}_is_freed_by_each_command", harness.needs_root(freed))


def print_table():
    """Behind "#=": tests/run shows such lines as they are."""
    rows = [dict(zip(COLUMNS, COLUMNS)), *Cases.rows.values()]
    widths = {c: max(len(row[c]) for row in rows) for c in COLUMNS}
    for row in rows if Cases.rows else ():
        print("#= " + "  ".join(row[c].ljust(widths[c]) for c in COLUMNS).rstrip())


def main():
    parser = argparse.ArgumentParser(usage="run.py [--hasty] [--herd N] [NAME…]")
    parser.add_argument("--hasty", action="store_true")
    parser.add_argument("--herd", type=int, default=0, metavar="N")
    options, sys.argv[1:] = parser.parse_known_args()
    if options.hasty:
        Play.env["CASE_HASTY"] = "1"
    with herd(options.herd) if options.herd else contextlib.nullcontext():
        status = harness.main()
    print_table()
    return status


add_cases()
if __name__ == "__main__":
    sys.exit(main())
