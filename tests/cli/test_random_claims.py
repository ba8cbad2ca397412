#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Random claims, releases, squatters and restarts of three users: no port is given in silence that
cannot be bound, no port twice, and every claim returns home.

PD_SEED repeats a run, PD_STEPS=10000 makes a long one.
"""
import json
import os
import random
import socket
import subprocess
import sys
import time

import harness
from harness import NOBODY, needs_root

USERS = (0, NOBODY, NOBODY - 1)
NAMES = ("shop:web", "shop:api", "blog", "blog:db:feature", "a")
PORTS = range(31700, 31740)
STEPS = int(os.environ.get("PD_STEPS", "300"))
PD_EVERY = 40  # claims, of which one is made by pd itself

# Asks the daemon as its user, and holds that user's sockets: a line of JSON in, one out.
PERSON = harness.LISTEN + """
import json
held = {}
def ask(path, method, target, body):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        text = json.dumps(body).encode()
        s.sendall(f"{method} {target} HTTP/1.0\\r\\nContent-Length: {len(text)}\\r\\n\\r\\n".encode()
                  + text)
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    return json.loads(answer.partition(b"\\r\\n\\r\\n")[2])
def hold(port, how):
    kind = socket.SOCK_DGRAM if how == "udp" else socket.SOCK_STREAM
    s = socket.socket(socket.AF_INET, kind)
    try:
        s.bind(("0.0.0.0", port))
        if how == "listen":
            s.listen()
    except OSError:
        return False
    held[port] = s
    return True
def let_go(port):
    held.pop(port).close()
    return True
ready()
for line in sys.stdin:
    what, *arguments = json.loads(line)
    print(json.dumps(globals()[what](*arguments)), flush=True)
"""


def can_bind(port):
    with socket.socket(socket.AF_INET6) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("::", port))
            return True
        except OSError:
            return False


class World:
    """What there is, as an outsider knows it."""

    def __init__(self, test, seed):
        self.test, self.random = test, random.Random(seed)
        self.people = {uid: test.spawn_python(PERSON, uid=uid, cwd="/", bufsize=0,
                                              stdin=subprocess.PIPE) for uid in USERS}
        self.claims = {}      # (uid, name): (port, home)
        self.remembered = {}  # (uid, name): home
        self.held = {}        # port: uid
        self.counts = {}

    def tell(self, uid, *message):
        person = self.people[uid].process
        person.stdin.write(json.dumps(message).encode() + b"\n")
        person.stdin.flush()
        return json.loads(person.stdout.readline())

    def post(self, uid, target, body):
        return self.tell(uid, "ask", self.test.daemon.socket, "POST", target, body)

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def used_by_others(self, key):
        return {port for k, both in self.claims.items() if k != key for port in both}

    # --- steps ---

    def claim(self):
        self.claim_of((self.random.choice(USERS), self.random.choice(NAMES)))

    def claim_exactly(self):
        key = self.random.choice(USERS), self.random.choice(NAMES)
        self.claim_of(key, self.random.choice(PORTS))

    def claim_of(self, key, asked=None):
        before, was_free = self.claims.get(key), {p: can_bind(p) for p in PORTS}
        answer, said = self.ask_for_claim(key, asked)
        if not answer["ok"]:
            # -p never drifts: somebody has the port, or sits on it
            if not asked or (asked not in self.used_by_others(key) and asked not in self.held):
                raise AssertionError(f"{key} -p {asked} was refused: {answer}")
            self.count("refused")
            return
        port, home = answer["port"], answer["home"]
        self.check_claim(key, asked, before, was_free, port, home, said)
        self.claims[key], self.remembered[key] = (port, home), home

    def ask_for_claim(self, key, asked):
        uid, name = key
        body = {"id": name, "cwd": "/", "range": f"{PORTS[0]}-{PORTS[-1]}"}
        if asked:
            body = {"id": name, "cwd": "/", "port": asked}
        elif self.random.randrange(PD_EVERY) == 0:
            return self.ask_pd(uid, name, body["range"])
        answer = self.post(uid, "/v1/claims", body)
        return answer, answer.get("notices", [])

    def ask_pd(self, uid, name, ports):
        """What a script sees: a number on stdout, a word on stderr."""
        done = self.test.daemon.run("claim", name, "-q", "--range", ports, uid=uid, cwd="/")
        self.test.assertEqual(done.code, harness.DONE, done.err)
        row = self.test.daemon.query("SELECT port, ifnull(home, port) FROM services WHERE port = ?",
                                     int(done.out))
        self.count("by pd")
        return {"ok": True, "port": row[0][0], "home": row[0][1]}, done.err.splitlines()

    def check_claim(self, key, asked, before, was_free, port, home, said):
        where = f"{key} -p {asked}: {port}, home {home}, before {before}, said {said}"
        others = self.used_by_others(key)
        assert port not in others and home not in others, f"given twice: {where}"
        assert can_bind(port) or said, f"given in silence: {where}"
        assert port == home or said, f"moved aside in silence: {where}"
        if asked:
            assert port == home == asked, where
            return
        if before:
            assert home == before[1], f"the home has changed: {where}"
        elif self.remembered.get(key) not in (None, *others):
            assert home == self.remembered[key], f"the port is not remembered: {where}"
        own_server = before and self.held.get(before[0]) == key[0]
        if home not in self.held and was_free[home] and not own_server:
            assert port == home, f"it did not return: {where}"
        if port != home:
            self.count("aside")
        elif before and before[0] != home:
            self.count("returned")

    def release(self):
        if not self.claims:
            return
        key = self.random.choice(sorted(self.claims))
        answer = self.post(key[0], "/v1/releases", {"match": key[1]})
        assert answer["ok"], answer
        assert [r["port"] for r in answer["released"]] == [self.claims.pop(key)[0]], answer

    def hold(self):
        """Somebody sits on a port, often on one that is claimed: a squatter, or its own server."""
        claimed = sorted(port for both in self.claims.values() for port in both)
        port = self.random.choice(claimed or PORTS) if self.random.random() < 0.8 \
            else self.random.choice(PORTS)
        uid = self.random.choice(USERS)
        if port not in self.held and \
                self.tell(uid, "hold", port, self.random.choice(("listen", "listen", "bound", "udp"))):
            self.held[port] = uid

    def let_go(self):
        if self.held:
            port = self.random.choice(sorted(self.held))
            self.tell(self.held.pop(port), "let_go", port)

    def restart(self):
        self.test.daemon.stop(self.random.choice((harness.signal.SIGTERM, harness.signal.SIGKILL)))
        self.test.daemon.start()

    def everybody_returns(self):
        for port in sorted(self.held):
            self.tell(self.held.pop(port), "let_go", port)
        for key, (_, home) in sorted(self.claims.items()):
            self.claim_of(key)
            assert self.claims[key] == (home, home), (key, home, self.claims[key])


STEPS_OF = ((World.claim, 50), (World.claim_exactly, 8), (World.release, 10), (World.hold, 18),
            (World.let_go, 13), (World.restart, 0.3))


@needs_root
class RandomClaimsTest(harness.PortDaddyTest):
    def test_no_port_is_given_in_silence_twice_or_for_good(self):
        seed = int(os.environ.get("PD_SEED", time.time_ns() % 10**9))
        print(f"# PD_SEED={seed} PD_STEPS={STEPS}", flush=True)
        world = World(self, seed)
        steps, weights = zip(*STEPS_OF)
        for step in range(STEPS):
            try:
                world.random.choices(steps, weights)[0](world)
            except AssertionError as error:
                raise AssertionError(f"step {step}: {error}") from None
        world.everybody_returns()
        ports = [row[0] for row in self.daemon.query("SELECT port FROM services")]
        self.assertEqual(sorted(ports), sorted(p for p, _ in world.claims.values()))
        print(f"# {world.counts}", flush=True)


if __name__ == "__main__":
    sys.exit(harness.main())
