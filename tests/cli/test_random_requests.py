#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Whole requests that nobody sane would send, to a daemon: of every route that it names, with values
of any kind, mutated, cut, pipelined, and so slow that others come between.  It answers or closes,
goes on to serve everybody else, and nothing is left of it.

PD_SEED repeats a run, PD_STEPS=100000 makes a long one.
"""
import json
import os
import random
import re
import socket
import sys
import time
import urllib.parse

import harness
from harness import wait_until

STEPS = int(os.environ.get("PD_STEPS", "250"))
SLOW_MAX = 6        # connections that are in the midst of a request
PATIENCE_S = 20 * harness.SCALE
QUIET_S = 1.5 * harness.SCALE  # longer than anything that is waited for
HOSTILE = ["\x1b[2J\x1b]0;x\x07", "a\u202eb", "'; id; '", "$(id)", "../../etc/passwd", "%s%n%x",
           "\x00", "x" * 300, "", " ", "-1", "-p", "*", "?*?*?*?*", "a:b:c:d", "é" * 64, "\ufeff"]
OF_KIND = {
    "port": [1, 3000, 65535, 0, 65536, -1, "3000", "080", 2 ** 63, 1.5],
    "path": ["/", "/tmp", "/" + "x" * 5000, "tmp", "//"],
    "boolean": [True, False, 1, "true", None],
    "1 or 0": ["1", "0", "2"],
    "1": ["1", "0"],
    "yes or no": ["yes", "no", "maybe"],
    "number": [1, "1", "0", "500", "501", -1, 2 ** 63, 2 ** 64, "1e3"],
    "duration": ["1s", "30m", "0s", "2h30", "-1s", "99999999999d", "1s1s"],
    "moment": ["now", "yesterday 9pm", "1709150400", "2024-02-30", "25:99", "9" * 30],
    "since": ["1h", "1709150400", "-1h"],
    "text": ["shop:web", "shop:*", ":3000", "3000", "ghost", "tcp", "127.0.0.1", "::1", "run-00000001",
             "session-ab3", "1000", "lo", "4000-4010", "3000.17", "CLAIM"],
}
# What is taken, of parameters that are texts.
GOOD = {"id": "shop:web", "match": "shop:*", "name": "lock", "purpose": "a purpose", "text": "a note",
        "range": "4000-4010", "health": "/health", "status": "ghost", "proto": "udp", "addr": "::1",
        "services": [{"id": "shop:api", "health": "/"}, {"id": "shop:db"}], "hardcoded": [3000],
        "owner": "process", "environment": "session-ab3"}
WHOLE = [{}, [], "", 0, None, [[]] * 9, {"id": "a:b"}, [{"id": "a:b"}, {"id": "c"}], "x" * 70000]
WAITS = ("wait", "timeout")  # for what nobody will do
STREAMS = ("/v1/events", "/v1/activity")


class Requests:
    """Makes them, by what the daemon says of its routes."""

    def __init__(self, seed, routes):
        self.random, self.routes = random.Random(seed), routes

    def value(self, name, kind):
        if name in WAITS:
            return self.random.choice(["1s", "0s", "soon"])
        pick = self.random.random()
        if pick < 0.4 and name in GOOD:
            return GOOD[name]
        if pick < 0.7:
            return self.random.choice(OF_KIND.get(kind, OF_KIND["text"]))
        if pick < 0.85:
            return self.random.choice(HOSTILE)
        return self.random.choice(self.random.choice([*OF_KIND.values(), WHOLE]))

    def parameters(self, route):
        chosen = [p for p in route["parameters"]
                  if p["required"] or self.random.random() < 0.4]
        pairs = [(p["name"], self.value(p["name"], p["kind"])) for p in chosen]
        if self.random.random() < 0.05:
            pairs.append((self.random.choice(HOSTILE), 1))
        return pairs

    def query(self, pairs):
        text = urllib.parse.urlencode([(k, str(v)[:2000]) for k, v in pairs], errors="replace")
        return urllib.parse.unquote(text) if self.random.random() < 0.05 else text

    def request(self, last=True):
        route = self.random.choice(self.routes)
        method, path, body = route["method"], route["path"], b""
        pairs = self.parameters(route)
        if method == "GET" and pairs:
            path += "?" + self.query(pairs)
        elif method == "POST":
            body = json.dumps(dict(pairs) if self.random.random() < 0.95
                              else self.random.choice(WHOLE)).encode()
        head = [f"{method} {path} HTTP/1.{self.random.randrange(2)}", "Host: x"]
        if last:
            head.append("Connection: close")
        if self.random.random() < 0.2:
            head.append(self.random.choice(["Connection: keep-alive", "Expect: 100-continue",
                                            "User-Agent: pd/9.9 (abc; 1)", "X: " + "y" * 20000]))
        if body:
            head.append(f"Content-Length: {len(body)}")
        return "\r\n".join(head).encode(errors="replace") + b"\r\n\r\n" + body

    def mutated(self):
        text = bytearray(self.request())
        for _ in range(self.random.randrange(1, 8)):
            at = self.random.randrange(len(text) + 1)
            what = self.random.randrange(4)
            if what == 0:
                text[at:at + 1] = bytes([self.random.randrange(256)])
            elif what == 1:
                del text[at:at + self.random.randrange(1, 20)]
            elif what == 2:
                text[at:at] = text[self.random.randrange(len(text) + 1):][:40]
            else:
                text[at:at] = self.random.choice([
                    b"\r\n", b"\0", b"\n\n", b"%", b"\xff\xfe", b"\r\nContent-Length: 3",
                    b"\r\nTransfer-Encoding: chunked"])
        return bytes(text)


class Client:
    """One connection: what was sent, what came."""

    def __init__(self, path):
        self.socket = harness.connect(path, PATIENCE_S)
        self.answer = b""

    def send(self, text):
        try:
            self.socket.sendall(text)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has closed: that is an answer, too

    def read(self, timeout_s):
        """All that comes; False: neither the end nor anything else for so long."""
        self.socket.settimeout(timeout_s)
        try:
            while chunk := self.socket.recv(65536):
                self.answer += chunk
        except TimeoutError:
            return False
        except OSError:
            pass  # a reset is an end
        return True

    def finish(self, at_once):
        """Reads until the end; where that does not come, once nothing more is said from here."""
        try:
            if not at_once and self.read(QUIET_S):
                return True
            self.socket.shutdown(socket.SHUT_WR)
            return self.read(PATIENCE_S)
        except OSError:
            return True  # it has closed already
        finally:
            self.socket.close()


def answers_in(text):
    """Splits what came into answers; each is HTTP, with a body of JSON where it says so."""
    answers = []
    while text:
        head, end, rest = text.partition(b"\r\n\r\n")
        assert re.match(rb"HTTP/1\.\d+ [1-5]\d\d ", head) and end, text[:200]
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        body, text = (rest[:int(length[1])], rest[int(length[1]):]) if length else (rest, b"")
        if b"application/json" in head and length and len(body) == int(length[1]):
            json.loads(body)  # of an answer that its reader has left half may be missing
        answers.append(int(head.split()[1]))
    return answers


class RandomRequestsTest(harness.PortDaddyTest):
    def connections(self):
        """Sockets of the daemon; what sessions and runs watch are pidfds."""
        directory, found = f"/proc/{self.daemon.pid}/fd", 0
        for fd in os.listdir(directory):
            try:
                found += os.readlink(f"{directory}/{fd}").startswith("socket:")
            except FileNotFoundError:
                pass
        return found

    def still_there(self):
        self.assertIsNone(self.daemon.process.poll(), self.daemon.log())
        self.assertTrue(self.daemon.get("/v1/status")["ok"])

    def setUp(self):
        super().setUp()
        self.routes = self.daemon.get("/v1/")["routes"]
        self.slow, self.answered = [], {}

    def count(self, text):
        for status in answers_in(text):
            self.answered[status] = self.answered.get(status, 0) + 1

    def exchange(self, text, at_once):
        client = Client(self.daemon.socket)
        client.send(text)
        if any(path.encode() in text for path in STREAMS):  # it lasts until one side has enough
            client.read(0.01)
            client.socket.close()
            return
        self.assertTrue(client.finish(at_once), f"neither an answer nor the end: {text[:500]}")
        try:
            self.count(client.answer)
        except AssertionError as error:
            raise AssertionError(f"{error}; to {text[:1000]}: {client.answer[:1000]}") from None

    # --- steps ---

    def one(self, requests):
        self.exchange(requests.request(), False)

    def mutated(self, requests):
        self.exchange(requests.mutated(), True)

    def pipelined(self, requests):
        texts = [requests.request(last=False) for _ in range(requests.random.randrange(1, 6))]
        self.exchange(b"".join(texts) + requests.request(), requests.random.randrange(2))

    def half(self, requests):
        text = requests.request()
        client = Client(self.daemon.socket)
        client.send(text[:requests.random.randrange(len(text))])
        client.socket.close()

    def slowly(self, requests):
        """Goes on with one of those that were begun, by some bytes, or begins another."""
        if len(self.slow) < SLOW_MAX:
            self.slow.append((Client(self.daemon.socket), requests.request()))
            return
        client, text = self.slow.pop(0)
        n = requests.random.randrange(1, 40)
        client.send(text[:n])
        if text[n:]:
            self.slow.append((client, text[n:]))
        else:
            client.socket.close()

    def leave(self, requests):
        """Asks for much, and reads nothing of it."""
        client = Client(self.daemon.socket)
        client.send(b"GET /v1/sockets HTTP/1.1\r\n\r\n" * requests.random.randrange(1, 20))
        client.socket.close()

    def test_daemon_answers_or_closes_whatever_it_is_asked(self):
        seed = int(os.environ.get("PD_SEED", time.time_ns() % 10 ** 9))
        print(f"# PD_SEED={seed} PD_STEPS={STEPS}", flush=True)
        requests, before = Requests(seed, self.routes), self.connections()
        steps = [self.one] * 10 + [self.mutated] * 8 + [self.pipelined, self.half] * 2 + \
            [self.slowly] * 4 + [self.leave]
        for n in range(STEPS):
            requests.random.choice(steps)(requests)
            if n % 50 == 0:
                self.still_there()
        for client, _ in self.slow:
            client.socket.close()
        print(f"# answers by status: {dict(sorted(self.answered.items()))}")
        self.assertTrue({200, 400} <= self.answered.keys(), self.answered)
        self.still_there()
        wait_until(lambda: self.connections() <= before, "connections are given back")
        self.assertEqual(self.daemon.stop(), 0, self.daemon.log())


if __name__ == "__main__":
    sys.exit(harness.main())
