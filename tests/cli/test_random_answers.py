#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Commands that are answered by somebody who means no good: what a daemon says, with members that are
missing, of another type, far too large, or made to take over a terminal.  pd prints lines of text, or
JSON, ends with a code of its table, and says what is wrong.

PD_SEED repeats a run, PD_STEPS=10000 makes a long one.
"""
import copy
import json
import os
import random
import re
import sys
import time

import harness
from fake_daemon import FakeDaemon

STEPS = int(os.environ.get("PD_STEPS", "20"))
HOSTILE = ["\x1b[2J\x1b]0;x\x07", "a\u202eb\u2066", "\x9b31m", "'; id; '$(id)`id`", "\r\npd: done", "\0x",
           "x" * 20000, "", "é漢🎉" * 50, -1, 0, 2 ** 63, 2 ** 64, 1e300, True, False, None, [], {},
           [[[[]]]], [None] * 5, {"text": "\x1b[A", "command": "\x1b[B", "pid": -1}]
PORT = harness.free_port()
# What is asked; nothing here starts, ends or signals a process.
COMMANDS = {
    "claim": [["a:b"], ["a:b", "-q"], ["a:b", "--export"], ["a:b", "-p", str(PORT)]],
    "release": [["a:b"], ["*"]],
    "find": [[], ["--all"], ["a:*"], ["-q"], [f":{PORT}"]],
    "why": [[str(PORT)], [], ["a:b"], ["--last", "3"], ["--brief", "--pid", "1"]],
    "status": [[]],
    "health": [[], ["a:b"], ["*"]],
    "log": [[], ["--filter", "CLAIM"], ["-n", "5"]],
    "cleanup": [["--dry-run"], ["--stale", "--dry-run"]],
    "lock": [["x"], ["x", "--status"], ["x", "-q"]],
    "unlock": [["x"]],
    "locks": [[]],
    "session": [["start", "why not"], ["end"]],
    "sessions": [[], ["--all"]],
    "note": [["hello"]],
    "notes": [[]],
    "metrics": [[], ["--slow"], ["--prometheus"]],
    "version": [[]],
    "ps": [[], ["a:b"]],
    "history": [[], [str(PORT)], ["a:b"]],
    "stop": [[str(PORT), "--dry-run"], ["a:b", "--dry-run"]],
    "wait": [[str(PORT), "--timeout", "0.1s"], [str(PORT), "--free", "--timeout", "0.1s"]],
    "doctor": [[]],
    "hook": [["bash"]],
    "watch": [[]],
    "completion": [["bash", "--", "release", ""]],
}
# what a terminal would obey, or show in another order
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe]")


class Liar(FakeDaemon):
    """Asks the true daemon, and says something else."""

    def __init__(self, directory, daemon, seed):
        self.daemon, self.random = daemon, random.Random(seed)
        super().__init__(directory, None)

    def _reply(self, connection):
        request = self.read_head(connection)
        if not request:
            return
        head, _, body = request.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        connection.sendall(self.lie(self.ask(head + b"\r\n\r\n" + body)))

    def ask(self, request):
        answer = b""
        with harness.connect(self.daemon.socket) as s:
            s.sendall(request)
            if b" /v1/events" in request or b" /v1/activity" in request:
                return b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(
                    {"at": 1, "event": "LISTEN", "proto": "tcp", "addr": "::", "port": PORT,
                     "netns": 1, "pid": 1, "comm": "x", "service": "a:b"}).encode() + b"\n"
            while chunk := s.recv(65536):
                answer += chunk
        return answer

    def lie(self, answer):
        head, end, body = answer.partition(b"\r\n\r\n")
        pick = self.random.random()
        if pick < 0.05:
            return answer[:self.random.randrange(len(answer) + 1)]
        if pick < 0.1:
            at = self.random.randrange(len(answer))
            return answer[:at] + self.random.randbytes(3) + answer[at:]
        try:
            value = json.loads(body)
        except ValueError:
            return answer
        for _ in range(self.random.randrange(1, 6)):
            value = self.change(value)
        body = json.dumps(value, ensure_ascii=self.random.random() < 0.5).encode(
            errors="surrogatepass")
        head = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head)
        return head + end + body + (b"" if b"Length" in head else b"\n")

    def change(self, value):
        """A copy in which one place, anywhere, is something else, missing, or there twice."""
        value = copy.deepcopy(value)
        places = []

        def collect(o):
            for key in (o if isinstance(o, dict) else range(len(o))):
                places.append((o, key))
                if isinstance(o[key], (dict, list)):
                    collect(o[key])
        if not isinstance(value, (dict, list)):
            return value
        collect(value)
        if not places:
            return value
        o, key = self.random.choice(places)
        pick = self.random.random()
        if pick < 0.1:
            del o[key]
        elif pick < 0.2 and isinstance(o[key], list):
            o[key] *= self.random.choice([2, 40])
        elif pick < 0.25:
            o[key] = [o[key]]
        else:
            o[key] = self.random.choice(HOSTILE)
        return value


class RandomAnswersTest(harness.PortDaddyTest):
    def something_to_tell(self):
        """Claims, a holder, a refusal, a lock and a session, of which answers have rows."""
        self.daemon.pd("claim", "a:b", "-p", str(PORT))
        self.listener(PORT)
        self.spawn_python("try:\n    listener(int(sys.argv[1]))\nexcept OSError:\n    ready()\nrest()",
                          PORT)
        self.daemon.pd("lock", "held", "--ttl", "1h")
        self.daemon.pd("session", "start", "a purpose")
        self.daemon.pd("note", "a note")

    def check(self, arguments, answer, is_json):
        said = f"pd {' '.join(arguments)}: exit {answer.code}\n{answer.out[:3000]}\n{answer.err[:3000]}"
        self.assertNotRegex(answer.err, r"Sanitizer|runtime error:", said)
        self.assertIn(answer.code, range(7), said)
        for stream in answer.out, answer.err:
            found = OBEYED.search(stream.replace("\t", ""))
            self.assertIsNone(found, f"{found and ascii(found[0])} in {ascii(said)}")
        if is_json and answer.out:
            for line in answer.out.splitlines():
                json.loads(line)

    def test_whatever_is_answered_is_told_in_lines_of_text(self):
        seed = int(os.environ.get("PD_SEED", time.time_ns() % 10 ** 9))
        print(f"# PD_SEED={seed} PD_STEPS={STEPS}", flush=True)
        self.something_to_tell()
        directory = harness.temp_dir("pd-liar-")
        self.addCleanup(harness.shutil.rmtree, directory, True)
        liar = Liar(directory, self.daemon, seed)
        self.addCleanup(liar.close)
        everything = [[name, *more] for name, lists in COMMANDS.items() for more in lists]
        choose = random.Random(seed)
        codes = {}
        for _ in range(STEPS):
            arguments, is_json = choose.choice(everything), choose.random() < 0.3
            if is_json:
                arguments = [*arguments[:1], "-j", *arguments[1:]]
            answer = self.daemon.run(*arguments, env={"PORT_DADDY_HOME": directory})
            self.check(arguments, answer, is_json)
            codes[answer.code] = codes.get(answer.code, 0) + 1
        print(f"# exit codes: {dict(sorted(codes.items()))}")


if __name__ == "__main__":
    sys.exit(harness.main())
