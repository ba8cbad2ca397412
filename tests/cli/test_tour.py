# SPDX-License-Identifier: MIT
"""The README's first screen and the tour are real sessions: typed again, every command prints what
stands there.

Lines that begin with "$ " are typed, those below them are expected, in their order; a line "…"
stands for any others.  Numbers, ages and the ids of sessions differ from run to run.
"""
import os
import pwd
import re
import sys

import harness
from harness import wait_until
from shell import Shell

README = os.path.join(harness.ROOT, "README.md")
TOUR = os.path.join(harness.ROOT, "scripts/packaging/doc/tour.md")


def steps_of(path):
    """[(command, [expected lines])] of a page."""
    text = harness.read_text(path)
    steps = []
    for block in re.findall(r"```console\n(.*?)```", text, re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return steps


# What varies from one run to the next, and what may stand in its place.
VARIES = [
    (r"just now|a moment(?: ago)?|\d+[smhd](?: ago)?\b",
     r"(?:just now|a moment(?: ago)?|\d+[smhd](?: \d+[smhd])?(?: ago)?)"),
    (r"\b\d+ seconds?\b", r"\d+ seconds?"),
    (r"session-\w+", r"session-\w+"),
    (r"run-[0-9a-f]{8}", r"run-[0-9a-f]{8}"),
    (r"\b\d+:\d\d[ap]m", r"\d+:\d\d[ap]m"),
    (r"<?\d[\d.,]*(?:us|ms)", r"<?\d[\d.,]*(?:us|ms|s)"),
    (r"<?\d[\d.,]*", r"<?\d[\d.,]*"),
    (r"traced by .*", "traced by.*"),  # the way in which this kernel can be traced
    (r"─+", "─+"),
    (r" +", " +"),
    (r"…", ".*"),
]
TOKEN = re.compile("|".join(f"({written})" for written, _ in VARIES))


# What the rest of the machine adds to an answer: its servers, and more events than could be read.
NEIGHBOURS = [
    (re.compile(r"^(Services: .*), \d+ unclaimed$", re.M), r"\1"),
    (re.compile(r"^(Kernel: +)⚠️ +eBPF \((\d+) of \2 probes, [1-9]\d* events lost\)$"
                r"(\n +events were lost; the table of sockets is being read anew$)?", re.M),
     r"\1✅ eBPF (\2 of \2 probes, 0 events lost)"),
]


# What a daemon that only polls says of itself.
POLLING = [(re.compile(r"^(Kernel: +)⚠️ +Polling once a second: .*$", re.M),
            r"\1✅ eBPF (15 of 15 probes, 0 events lost)\n            traced by")]


def pattern(line):
    """The line as a regular expression that takes other runs' numbers, ages and ids."""
    found, at = "", 0
    for token in TOKEN.finditer(line):
        found += re.escape(line[at:token.start()]) + VARIES[token.lastindex - 1][1]
        at = token.end()
    return found + re.escape(line[at:])


class TourTest(harness.UserTest):
    without = NEIGHBOURS
    service = "shop:api"  # that the session is about

    def settle(self, command):
        """What a person's eyes take to move on, the kernel needs too."""
        if command.startswith("pd run"):
            wait_until(lambda: any(m["ports"] for r in self.daemon.json("ps")["runs"]
                                   for m in r["members"]), "the run listens")
        elif command.endswith("&"):
            self.daemon.wait_status(self.service, "active")
        elif command.startswith("kill"):
            self.daemon.wait_status(self.service, "ghost")

    def compare(self, command, output, expected):
        plain = output
        for differs, alike in self.without:
            plain = differs.sub(alike, plain)
        lines, at = plain.splitlines(), 0
        for line in expected:
            if line == "…":
                continue
            found = next((i for i in range(at, len(lines)) if re.fullmatch(pattern(line), lines[i].rstrip())),
                         None)
            self.assertIsNotNone(found, f"$ {command}\n{line}\nis not what it prints:\n{output}")
            at = found + 1
        if "…" not in expected:
            self.assertEqual(len(lines), len(expected), f"$ {command}\n{output}")

    def take(self, path=TOUR, at_least=15):
        steps = steps_of(path)
        self.assertGreater(len(steps), at_least)
        project = os.path.join(self.work, "shop")
        os.makedirs(project, exist_ok=True)
        if self.user is not None:
            os.chown(project, self.user, -1)
        shell = Shell(self.daemon, project, self.user)
        # what left the shell's session does not end with it, should the tour break off
        self.addCleanup(self.daemon.run, "stop", "shop:web", "--kill", "-y", uid=self.user)
        try:
            for command, expected in steps:
                output, _ = shell.type(command)
                self.compare(command, output, expected)
                self.settle(command)
        finally:
            shell.close()


class AsRoot(TourTest):
    def test_tour_shows_what_pd_prints(self):
        self.need_bpf("the tour shows what it sees")
        self.take()


@harness.needs_root
class FirstScreen(TourTest):
    """Of a user whom no other test has: `pd why` explains the newest refusal of his."""

    user, by_root = pwd.getpwnam("mail").pw_uid, True
    service = "blog:web"

    def test_first_screen_of_the_readme_is_a_real_session(self):
        self.need_bpf("it shows a refusal")
        for left in reversed(range(harness.ATTEMPTS)):  # a flood beside it loses the refusal
            try:
                self.take(README, at_least=7)
                return
            except AssertionError:
                if not left or not self.daemon.json("status")["kernel"]["lost"]:
                    raise
            self.daemon.stop()
            self.daemon = self.start_daemon()


@harness.needs_root
class ThroughSudo(TourTest):
    user, by_root = harness.NOBODY, True

    def test_tour_shows_what_a_user_gets_whose_daemon_root_started(self):
        self.need_bpf("the tour shows what it sees")
        self.take()


@harness.needs_root
class WithoutRoot(TourTest):
    user = harness.NOBODY
    without = [*NEIGHBOURS, *POLLING]

    def test_tour_shows_what_a_user_gets_whose_daemon_polls(self):
        self.take()


if __name__ == "__main__":
    sys.exit(harness.main())
