#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What one user may use up of a daemon that several share, and what the others still get.

Each test floods as one user, is refused or forgotten with a sentence, and asks as another."""
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
import unittest

import harness
from harness import DONE, NO, needs_root, wait_until

ATTACKER, VICTIM = harness.NOBODY, 65533
# The limits of base/quota.c
CLAIMS, LOCKS_HELD, SESSIONS_ACTIVE, NOTE_BYTES = 2000, 256, 256, 16 << 20
NOTES_PER_SESSION_BYTES, NOTE_MAX_BYTES = 2 << 20, 16 * 1024
RUNS, WAITERS, PROMPTS, PROTECTED = 256, 64, 256, 100
PROCESS_FDS, CHECKS = 96, 4096
REFUSALS_KEPT, HISTORY_KEPT, SESSIONS_KEPT, LOCKS_KEPT, PORTS_KEPT = 1000, 20000, 1000, 256, 100000
HISTORY = 1000         # written down at once
RANGE = "10000-31999"  # of claims: other programs take whole ranges of ports, too
PRUNE_EVERY = 1000     # entries of the log between two prunings

# What floods: it speaks to the socket $1 and does as $2 says; it prints one line of JSON and stays.
FLOODER = r"""
import ctypes, json, os, select, signal, socket, sys, time
path, what, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]

def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(120)
    s.connect(path)
    return s

connection, kept = connect(), []

def post(route, **body):
    text = json.dumps(body).encode()
    connection.sendall(b"POST %s HTTP/1.1\r\nHost: pd\r\nContent-Length: %d\r\n\r\n"
                       % (route.encode(), len(text)) + text)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, rest = answer.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(rest) < size:
        rest += connection.recv(65536)
    return int(head[9:12]), json.loads(rest)

def until_refused(ask, most):
    for done in range(most):
        status, answer = ask(done)
        if status != 200:
            return {"done": done, "status": status, **answer["error"]}
    return {"done": most, "status": 200}

def claims():
    ids = lambda i: [{"id": "flood:n%d-%d" % (i, j)} for j in range(100)]
    batches = until_refused(lambda i: post("/v1/claims", services=ids(i), range=arguments[0]), 200)
    single = until_refused(lambda i: post("/v1/claims", id="one:n%d" % i, range=arguments[0]), 200)
    return {**single, "done": 100 * batches["done"] + single["done"]}

def locks():
    return until_refused(lambda i: post("/v1/locks", name="n%d" % i, owner="caller"), 1000)

def sessions():
    return until_refused(lambda i: post("/v1/sessions", purpose="p"), 1000)

def runs():
    return until_refused(lambda i: post("/v1/runs"), 1000)

def protected():
    post("/v1/claims", services=[{"id": "guarded:n%d" % j} for j in range(150)], range=arguments[0])
    return until_refused(lambda i: post("/v1/claims", id="guarded:n%d" % i, protect=True), 150)

def waiters():
    # each connection waits for a lock that is held, until one of them is told at once
    post("/v1/locks", name="held", owner="caller")
    waiting = select.poll()
    for i in range(int(arguments[0])):
        kept.append(connect())
        waiting.register(kept[-1])
        text = json.dumps({"name": "held", "wait": "300s", "holder": "other:n%d" % i}).encode()
        kept[-1].sendall(b"POST /v1/locks HTTP/1.1\r\nHost: pd\r\nContent-Length: %d\r\n\r\n"
                         % len(text) + text)
        waiting.modify(kept[-1], select.POLLIN)
    told = {fd for fd, _ in waiting.poll(60000)}
    (answer,) = [c.recv(65536) for c in kept if c.fileno() in told]
    head, _, rest = answer.partition(b"\r\n\r\n")
    return {"done": i, "status": int(head[9:12]), **json.loads(rest)["error"]}

def prompts():
    # each of a session of its own, which lives on as long as this does
    global connection
    for i in range(int(arguments[0])):
        reader, writer = os.pipe()
        if not os.fork():
            ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
            os.setsid()
            connection = connect()
            status, answer = post("/v1/prompts")
            connection.close()
            os.write(writer, json.dumps([status, answer.get("error")]).encode())
            signal.pause()
        os.close(writer)
        status, error = json.loads(os.read(reader, 65536))
        os.close(reader)
        if status != 200:
            return {"done": i, "status": status, **error}
    return {"done": i + 1, "status": 200}

def notes():
    size, of_session, sessions = (int(a) for a in arguments)
    for i in range(sessions):
        session = post("/v1/sessions", purpose="flood")[1]["id"]
        for _ in range(of_session):
            status, answer = post("/v1/notes", session=session, text="x" * size)
            if status != 200:
                return answer
    return {"status": 200}

def log():
    for i in range(int(arguments[0])):
        post("/v1/claims", services=[{"id": "flood:n%d" % j} for j in range(100)],
             range=arguments[1])
        post("/v1/releases", match="flood:*")
    return {"status": 200}

def over():
    # what is over stays listed: sessions that ended, locks that are free
    for i in range(int(arguments[0])):
        session = post("/v1/sessions", purpose="over %d" % i)[1]["id"]
        post("/v1/sessions/end", session=session)
    for i in range(int(arguments[1])):
        post("/v1/locks", name="free%d" % i, owner="caller")
        post("/v1/unlocks", name="free%d" % i)
    return {"status": 200}

def listens():
    for i in range(int(arguments[0])):
        socket.create_server(("127.0.0.1", 0)).close()
    return {"status": 200}

def health():
    listeners, rounds, held = [], int(arguments[2]), []
    for i in range(int(arguments[1])):
        port = post("/v1/claims", id="silent:n%d" % i, health="/h", range=arguments[0],
                    cwd=os.getcwd())[1]["port"]
        listeners.append(socket.create_server(("127.0.0.1", port), backlog=64))
    for i in range(rounds):
        held.append(connect())
        held[-1].sendall(b"GET /v1/health?match=silent:*&timeout=300s HTTP/1.1\r\nHost: p\r\n\r\n")
        begun = held[-1].recv(65536)
        if not begun.startswith(b"HTTP/1.1 200"):
            head, _, rest = begun.partition(b"\r\n\r\n")
            return {"done": i, "status": int(head[9:12]), **json.loads(rest)["error"]}
    kept.extend((listeners, held))
    return {"status": 200}

print(json.dumps(globals()[what]()), flush=True)
time.sleep(1000)
"""


@needs_root
class UserLimitsTest(harness.PortDaddyTest):
    def flood(self, what, *arguments, uid=ATTACKER):
        """Runs the flooder as that user and returns what it says; it stays until the test's end."""
        child = self.spawn([harness.PYTHON, "-u", "-c", FLOODER, self.daemon.socket, what,
                            *map(str, arguments)], uid=uid)
        line = child.read_line()
        self.assertTrue(line.startswith("{"), f"{what}: {line}\n")
        return json.loads(line)

    def assert_refused(self, said, limit, words, status=413):
        self.assertEqual((said["done"], said["status"]), (limit, status), said)
        for part in (str(limit), *words):
            self.assertIn(part, said["message"])

    def as_victim(self, *arguments, **options):
        return self.daemon.run(*arguments, uid=VICTIM, **options)

    def test_claims_of_one_user_leave_ports_for_others(self):
        said = self.flood("claims", RANGE)
        self.assert_refused(said, CLAIMS, ["claims", "pd release"])
        for uid in (VICTIM, 0):
            self.daemon.pd("claim", f"other:u{uid}", "--range", RANGE, "-q", uid=uid)
        self.daemon.pd("claim", "flood:n0-0", "-q", uid=ATTACKER)
        refused = self.daemon.run("claim", "flood:more", "--range", RANGE, uid=ATTACKER)
        self.assertNotEqual(refused.code, DONE)
        self.assertIn(f"you have {CLAIMS} claims", refused.err)

    def test_locks_of_one_user_leave_some_for_others(self):
        said = self.flood("locks")
        self.assert_refused(said, LOCKS_HELD, ["held locks", "pd unlock"])
        # each is watched; those beyond this are looked at every second
        self.assertLessEqual(self.pidfds(), PROCESS_FDS)
        self.assertEqual(self.as_victim("with-lock", "n1", "--", "true").code, DONE)
        self.flood("locks", uid=VICTIM - 1)
        self.daemon.pd("lock", "of-root")

    def pidfds(self):
        directory = f"/proc/{self.daemon.pid}/fd"
        return sum("pidfd" in os.readlink(os.path.join(directory, fd))
                   for fd in os.listdir(directory))

    def test_sessions_of_one_user_leave_some_for_others(self):
        said = self.flood("sessions")
        self.assert_refused(said, SESSIONS_ACTIVE, ["active sessions", "pd session end"], 409)
        self.assertEqual(self.as_victim("session", "start", "work").code, DONE)

    def test_runs_of_one_user_leave_some_for_others(self):
        self.assert_refused(self.flood("runs"), RUNS, ["runs", "pd ps"])
        self.as_victim("run", "-q", "--", "true", cwd="/", code=DONE)

    def test_waiters_of_one_user_leave_some_for_others(self):
        said = self.flood("waiters", WAITERS + 1)
        self.assert_refused(said, WAITERS, ["wait for locks", "try again"])
        program = harness.public_copy(self.daemon.pd_program)
        holder = self.spawn([program, "with-lock", "theirs", "--", "cat"], env=self.daemon.env,
                            uid=VICTIM, stdin=subprocess.PIPE)
        theirs = lambda: next((l for l in self.daemon.json("locks", code=None)["locks"]
                               if l["name"].startswith("theirs") and l["held"]), None)
        harness.wait_until(theirs, "the victim has its lock")
        waiter = self.spawn([program, "with-lock", "theirs", "--wait", "--", "true"],
                            env=self.daemon.env, uid=VICTIM)
        harness.wait_until(lambda: (theirs() or {}).get("waiters"), "another one waits for it")
        holder.process.stdin.close()
        self.assertEqual((holder.process.wait(harness.DEADLINE_S), waiter.wait()), (DONE, DONE))

    def test_shells_of_one_user_leave_some_for_others(self):
        self.assert_refused(self.flood("prompts", PROMPTS + 1), PROMPTS, ["shells with a hook"])
        self.assertEqual(self.flood("prompts", 1, uid=VICTIM), {"done": 1, "status": 200})

    def test_protected_ports_of_one_user_leave_some_for_others(self):
        self.need_rules("no port is protected")
        self.assert_refused(self.flood("protected", RANGE), PROTECTED, ["protected ports"])
        self.as_victim("claim", "victim:web", "--protect", "-q", "--range", RANGE, code=DONE)
        self.assertEqual(self.daemon.json("status")["services"]["protected"], PROTECTED + 1)

    def test_notes_of_one_user_are_bounded_and_push_out_no_other(self):
        session = self.as_victim("session", "start", "precious", "-q").out.strip()
        for n in range(3):
            self.as_victim("note", f"precious {n}", "--session", session, code=DONE)
        of_session = NOTES_PER_SESSION_BYTES // NOTE_MAX_BYTES + 10
        sessions = NOTE_BYTES // NOTES_PER_SESSION_BYTES + 2
        said = self.flood("notes", NOTE_MAX_BYTES - 256, of_session, sessions)
        self.assertEqual(said, {"status": 200})
        sums = dict(self.daemon.query("SELECT owner, bytes FROM noteSums WHERE kind = 'user'"))
        self.assertLessEqual(sums[ATTACKER], NOTE_BYTES)
        self.assertGreater(sums[ATTACKER], NOTE_BYTES - 2 * NOTE_MAX_BYTES)
        self.assertLessEqual(self.daemon.query(
            "SELECT max(bytes) FROM noteSums WHERE kind = 'session'")[0][0],
            NOTES_PER_SESSION_BYTES)
        notes = json.loads(self.as_victim("notes", session, "-j").out)["notes"]
        self.assertEqual([n["text"] for n in notes], [f"precious {n}" for n in range(3)])

    def test_a_flood_of_log_entries_pushes_out_its_own(self):
        rows = 2000
        self.daemon = self.start_daemon(env={"PORT_DADDY_LOG_ROWS": str(rows)})
        self.assertEqual(self.as_victim("claim", "victim:audit", "-q", "--range", RANGE).code, DONE)
        self.assertEqual(self.flood("log", 60, RANGE), {"status": 200})
        written = self.daemon.query("SELECT max(id) FROM activity")[0][0]
        self.assertGreater(written, 5 * rows)
        kept = dict(self.daemon.query("SELECT uid, count(*) FROM activity GROUP BY uid"))
        self.assertLessEqual(sum(kept.values()), rows + PRUNE_EVERY)
        log = json.loads(self.as_victim("log", "--filter", "victim:audit", "-j").out)
        self.assertIn("CLAIM", [e["action"] for e in log["entries"]])

    def test_silent_services_of_one_user_leave_checks_for_others(self):
        self.daemon.stop()
        self.daemon = self.start_daemon(most_files=256)
        claimed = self.as_victim("claim", "victim:web", "--range", RANGE, "--health", "/", "-q",
                                 cwd=self.work, code=DONE)
        port = int(claimed.out)
        server = self.http_server(port, uid=VICTIM)
        self.daemon.wait_status("victim:web", "active")
        # three rounds of 60 for fewer places: all that there are, if they were one user's to take
        self.assertEqual(self.flood("health", RANGE, 60, 3), {"status": 200})
        answer = self.as_victim("health", "victim:web", "--timeout", "20s", "-j", code=DONE)
        self.assertEqual(json.loads(answer.out)["services"][0]["result"], "ok")
        self.assertIsNone(server.process.poll())

    def test_checks_of_one_user_that_wait_leave_others_theirs(self):
        name = f"victim{os.getpid()}:web"
        claimed = self.as_victim("claim", name, "--range", RANGE, "--health", "/", "-q",
                                 cwd=self.work)
        self.http_server(int(claimed.out), uid=VICTIM)
        self.daemon.wait_status(name, "active")
        said = self.flood("health", RANGE, 60, CHECKS // 60 + 2)
        self.assertEqual((said["done"], said["status"]), (CHECKS // 60 + 1, 413), said)
        self.assertIn(f"{CHECKS} health checks that are not done", said["message"])
        answer = self.as_victim("health", name, "--timeout", "20s", "-j")
        self.assertEqual(json.loads(answer.out)["services"][0]["result"], "ok", answer)

    def fill(self, db, table, columns, rows):
        places = ", ".join("?" * len(columns.split(",")))
        db.executemany(f"INSERT INTO {table}({columns}) VALUES({places})", rows)

    def fill_with_rows_that_are_kept(self):
        """The attacker has all that may be kept, and newer ones than the victim's."""
        now = int(time.time())
        with sqlite3.connect(self.daemon.database) as db:
            self.fill(db, "ports", "id, port, claimedAt, uid",
                      [("victim:old", 20000, now - 9000, VICTIM)] +
                      [(f"flood:{i}", 20001, now - 90, ATTACKER) for i in range(PORTS_KEPT + 50)])
            self.fill(db, "history", "port, proto, uid, comm, since, until, how",
                      [(9, "tcp", VICTIM, "precious", now - 9000, now - 8999, "closed")] +
                      [(9, "tcp", ATTACKER, "flood", now - 90, now - 89, "closed")] * HISTORY_KEPT)
            self.fill(db, "failures", "timestamp, uid, comm, port, error, explanation",
                      [(now - 9000, VICTIM, "precious", 9, 98, "{}")] +
                      [(now - 90, ATTACKER, "flood", 9, 98, "{}")] * (REFUSALS_KEPT + 100))
            self.fill(db, "sessions", "id, purpose, startedAt, endedAt, status, uid",
                      [(f"session-over{i}", "over", now - 90, now - 90, "completed", ATTACKER)
                       for i in range(SESSIONS_KEPT)])
            self.fill(db, "locks", "name, owner, fence, releasedAt",
                      [(f"flood{i}", ATTACKER, i, now - 90) for i in range(LOCKS_KEPT)])

    def owned_rows(self, table, where="1", uid="uid"):
        """{uid: rows} of a table."""
        return dict(self.daemon.query(
            f"SELECT {uid}, count(*) FROM {table} WHERE {where} GROUP BY 1"))

    def test_rows_that_are_kept_of_one_user_push_out_no_others(self):
        self.need_refusals()
        session = self.as_victim("session", "start", "precious", "-q").out.strip()
        self.as_victim("session", "end", "--session", session)
        self.as_victim("with-lock", "precious", "--", "true")
        self.daemon.stop()
        self.fill_with_rows_that_are_kept()
        self.daemon.start()
        self.flood("over", 20, 20)
        self.flood("listens", HISTORY + 500)
        port = harness.free_port()
        server = self.http_server(port, uid=VICTIM)
        refused = self.spawn([harness.PYTHON, "-m", "http.server", str(port)], uid=VICTIM)
        self.assertNotEqual(refused.wait(), 0)
        # what comes of the victim while the attacker has used up all that is his
        wait_until(lambda: self.daemon.query("SELECT 1 FROM history WHERE pid = ?", server.pid),
                   "the victim's server is in the history")
        wait_until(lambda: self.daemon.query("SELECT 1 FROM failures WHERE pid = ?", refused.pid),
                   "the victim's refusal is explained")
        for most, *table in ((HISTORY_KEPT + HISTORY, "history"), (REFUSALS_KEPT + 50, "failures"),
                             (SESSIONS_KEPT + PRUNE_EVERY, "sessions", "status = 'completed'"),
                             (LOCKS_KEPT + PRUNE_EVERY, "locks", "holder IS NULL", "owner"),
                             (PORTS_KEPT, "ports")):
            with self.subTest(table=table[0]):
                rows = self.owned_rows(*table)
                self.assertLessEqual(sum(rows.values()), most, rows)
                self.assertGreaterEqual(rows.get(VICTIM, 0), 1, rows)
        self.assertEqual(self.daemon.query("SELECT comm FROM history WHERE uid = ? AND port = 9",
                                           VICTIM), [("precious",)])

    def test_a_check_that_had_no_turn_is_said_and_stored_nowhere(self):
        self.daemon.stop()
        self.daemon = self.start_daemon(most_files=256)
        self.assertEqual(self.flood("health", RANGE, 60, 2), {"status": 200})
        answer = self.daemon.run("health", "silent:*", "--timeout", "1s", "-j", uid=ATTACKER,
                                 code=NO)
        found = json.loads(answer.out)["services"]
        self.assertEqual({(s["result"], s["healthy"]) for s in found}, {("not_tried", None)})
        self.assertIn("NOT TRIED", self.daemon.run("health", "silent:*", "--timeout", "1s",
                                                   uid=ATTACKER).out)
        self.assertEqual(self.daemon.query("SELECT count(*) FROM health")[0][0], 0)


class TableTest(unittest.TestCase):
    """The test that floods each row of base/quota.c; a row without one is named."""

    FLOODS = {
        "CONNECTIONS": "cli/test_connection_floods.py a_user_with_all_connections",
        "UNSENT_BYTES": "cli/test_connection_floods.py answers_that_nobody_reads",
        "REFUSALS": "cli/test_refusal_floods.py flood_of_one_user_takes_no_explanation",
        "REFUSALS_WAITING": "unit/tracker/test_refusal_queue.c",
        "REFUSALS_KEPT": "cli/test_user_limits.py rows_that_are_kept",
        "HISTORY": "cli/test_user_limits.py rows_that_are_kept",
        "HISTORY_KEPT": "cli/test_user_limits.py rows_that_are_kept",
        "SEARCHES": "unit/explain/test_explain.c",
        "LOCKS_HELD": "cli/test_user_limits.py locks_of_one_user",
        "LOCK_WAITERS": "cli/test_user_limits.py waiters_of_one_user",
        "HEALTH_CHECKS": "cli/test_user_limits.py checks_of_one_user_that_wait",
        "HEALTH_RUNNING": "cli/test_user_limits.py silent_services_of_one_user",
        "PROCESS_FDS": "cli/test_user_limits.py locks_of_one_user",
        "RUNS": "cli/test_user_limits.py runs_of_one_user",
        "PROMPTS": "cli/test_user_limits.py shells_of_one_user",
        "CLAIMS": "cli/test_user_limits.py claims_of_one_user",
        "SESSIONS_ACTIVE": "cli/test_user_limits.py sessions_of_one_user",
        "SESSIONS_KEPT": "cli/test_user_limits.py rows_that_are_kept",
        "NOTE_BYTES": "cli/test_user_limits.py notes_of_one_user",
        "LOG_ROWS": "cli/test_user_limits.py a_flood_of_log_entries",
        "LOCKS_KEPT": "cli/test_user_limits.py rows_that_are_kept",
        "PORTS_KEPT": "cli/test_user_limits.py rows_that_are_kept",
    }

    def read(self, path):
        return harness.read_text(os.path.join(harness.ROOT, path))

    def test_each_limit_of_a_user_has_a_test_that_floods_it(self):
        enum = self.read("userspace/base/quota.h").partition("enum quota_kind {")[2]
        kinds = re.findall(r"^\tQUOTA_(\w+),", enum.partition("}")[0], re.M)
        self.assertEqual(set(kinds), set(self.FLOODS))
        for kind, place in self.FLOODS.items():
            path, _, name = place.partition(" ")
            self.assertIn(f"def test_{name}" if name else kind, self.read(f"tests/{path}"))


if __name__ == "__main__":
    sys.exit(harness.main())
