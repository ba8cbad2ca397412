# SPDX-License-Identifier: MIT
"""The night at 2:47 am, command by command: what each of them is promised to say, it says.

One shell types everything, as a person would, against real servers: two that are well, one that
answers 500, one that accepts and never answers, one behind a self-signed certificate, and one that
is gone.  The words are those of the story; what differs from night to night (pids, ports, times)
is a pattern.
"""
import os
import re
import sqlite3
import subprocess
import sys

import harness
from shell import Shell

AGE = r"\d+[smhd]"
CREATED = rf"(just now|{AGE} ago)"
TOOK = r"\(<?\d+(\.\d+)?ms\)"
DAY_S = 86400
PATIENCE = "3s"  # with a server that is well on a machine that is not

SERVER = """
import http.server, ssl, sys
port, kind = int(sys.argv[1]), sys.argv[2]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if kind == "broken" else 200)
        self.end_headers()
    def log_message(self, *a):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
if kind == "tls":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert.pem", "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
"""
SILENT = 'keep = listener(int(sys.argv[1]))\nready()\nrest()'  # accepts, never answers


class StoryTest(harness.UserTest):
    def setUp(self):
        super().setUp()
        self.pd("claim", "myapp:api", "--health", "/health")
        self.shell = Shell(self.daemon, self.work, self.user)
        self.addCleanup(self.shell.close)

    def pd(self, *arguments):
        self.daemon.pd(*arguments, uid=self.user)

    def said(self, command, *patterns, code=0):
        """Types it; every pattern must match a whole line, in this order."""
        output, exit_code = self.shell.type(command)
        lines = output.splitlines()
        at = 0
        for pattern in patterns:
            found = next((i for i in range(at, len(lines)) if re.fullmatch(pattern, lines[i])), None)
            self.assertIsNotNone(found, f"$ {command}\nno line {pattern!r} in:\n{output}")
            at = found + 1
        self.assertEqual(exit_code, code, f"$ {command}\n{output}")
        return output

    def serve(self, identity, kind):
        port = self.daemon.service(identity)["port"]
        if kind == "silent":
            self.spawn_python(SILENT, port, uid=self.user)
        else:
            self.spawn_python(SERVER, port, kind, uid=self.user)
        self.daemon.wait_status(identity, "active")

    def age(self, identity, seconds):
        """As a person would with sqlite3: the service was claimed that long ago."""
        with sqlite3.connect(self.daemon.database, timeout=5) as db:
            db.execute("UPDATE services SET createdAt = createdAt - ?, updatedAt = updatedAt - ? "
                       "WHERE id = ?", (seconds, seconds, identity))
        db.close()
        self.daemon.wait_status(identity, "stale")

    def certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"],
                       cwd=self.work, check=True, capture_output=True)
        if self.user is not None:
            os.chown(os.path.join(self.work, "key.pem"), self.user, -1)

    def furnish(self):
        """The machine as it is found that night."""
        claims = {"myapp:web": "/", "other:service": "/health", "pay:gate": "https:/health",
                  "broken:api": "/health", "frontend:react": None}
        for identity, health in claims.items():
            self.pd("claim", identity, *(["--health", health] if health else []))
        self.pd("claim", "legacy:service", "-p", str(self.legacy))
        self.certificate()
        for identity, kind in (("myapp:api", "well"), ("myapp:web", "well"),
                               ("other:service", "silent"), ("pay:gate", "tls"),
                               ("broken:api", "broken")):
            self.serve(identity, kind)
        self.age("frontend:react", 31 * 60)
        self.age("legacy:service", 5 * DAY_S)

    def tell(self):
        self.legacy = harness.free_port()
        self.furnish()
        self.look_around()
        self.check_health()
        self.read_the_log()
        self.free_the_port()
        self.hold_locks()
        self.follow_sessions()
        self.ask_the_database()
        self.ask_for_metrics()

    # --- what is listening? ---

    def look_around(self):
        self.said("pd find", "Service +Port .*Created +Status", "─+",
                  rf"frontend:react +\d+ .*{AGE} ago +stale",
                  rf"legacy:service +{self.legacy} .*5d ago +stale",
                  rf"myapp:api +\d+ .*{CREATED} +active", rf"myapp:web +\d+ .*{CREATED} +active",
                  rf"other:service +\d+ .*{CREATED} +active")
        only = self.said("pd find myapp:*", r"myapp:api .*active", r"myapp:web .*active")
        self.assertNotIn("other:service", only)
        self.said("pd find '*:api'", r"broken:api .*active", r"myapp:api .*active")
        self.said("pd find | grep stale", r"frontend:react .*stale", r"legacy:service .*stale")
        self.said("pd status",
                  rf"Daemon: +✅ Running \(pid {self.daemon.pid}, {AGE}( {AGE})? uptime\)",
                  r"Kernel: +.*", rf"Database: +✅ Healthy \({re.escape(self.daemon.database)}\)",
                  r"Services: +5 active, 2 stale(, \d+ unclaimed)?", r"Locks: +none", r"Sessions: +none",
                  r"Activity: +\d+ events in last 5 minutes")

    # --- is it well? ---

    def check_health(self):
        self.said(f"pd health --timeout {PATIENCE}",
                  rf"broken:api +❌ 500 Internal Server Error {TOOK}",
                  r"frontend:react +⚠️ +STALE \(claimed 3\dm ago, no heartbeat\)",
                  r"legacy:service +⚠️ +STALE \(claimed 5d ago, no heartbeat\)",
                  rf"myapp:api +✅ 200 OK {TOOK}.*", rf"myapp:web +✅ 200 OK {TOOK}.*",
                  rf"other:service +❌ TIMEOUT \(no response for {PATIENCE}\)",
                  rf"pay:gate +✅ 200 OK {TOOK}.*", code=1)
        port = self.daemon.service("myapp:api")["port"]
        self.said("pd health myapp:api", r"✅ 200 OK", r"Response time: <?\d+(\.\d+)?ms",
                  r"Last checked: .*", rf"URL: http://(localhost|127\.0\.0\.1):{port}/health")
        self.said("pd health legacy:service", r"⚠️ +STALE \(claimed 5d ago, no heartbeat\)",
                  r"Last claimed: 5d ago", rf"Port: {self.legacy}", code=1)

    # --- what happened? ---

    def read_the_log(self):
        clock = r"\[\d+:\d\d:\d\d\]"
        any_entry = rf"{clock} [A-Z]+ .*"
        # refusals and losses of the whole machine stand there, too, and may fill what is shown
        self.said("pd log", any_entry)
        self.said("pd log --filter legacy:service", rf"{clock} STALE   legacy:service +.*",
                  rf"{clock} CLAIM   legacy:service +Port {self.legacy} assigned")
        self.said("pd log --filter 'myapp:*'", rf"{clock} ACTIVE  myapp:api +.*",
                  rf"{clock} CLAIM   myapp:web +Port \d+ assigned",
                  rf"{clock} CLAIM   myapp:api +Port \d+ assigned")
        only = self.said("pd log --filter myapp:api", rf"{clock} CLAIM   myapp:api .*")
        self.assertNotIn("myapp:web", only)
        only = self.said("pd log --filter CLAIM", rf"{clock} CLAIM   myapp:web .*")
        self.assertNotIn("ACTIVE", only)
        self.said("pd log --since 1h", any_entry)
        self.said("pd log --since 30m --filter CLAIM", rf"{clock} CLAIM   myapp:api .*")
        self.said('pd log --from "2024-02-28 2:00am" --to "2024-02-28 3:00am"', code=1)

    # --- away with it ---

    def free_the_port(self):
        self.said("pd release legacy:service", f"Port {self.legacy} released")
        self.said("pd log --filter RELEASE", rf".* RELEASE legacy:service +Port {self.legacy} "
                  "released")
        self.said(f"pd claim myapp -p {self.legacy} -q", str(self.legacy))
        self.said("PORT=$(pd claim myapp -q); echo $PORT", str(self.legacy))
        self.said("python3 -m http.server $PORT >/dev/null 2>&1 & SERVER=$!")
        self.daemon.wait_status("myapp", "active")
        self.said("kill $SERVER; wait $SERVER", code=143)
        self.daemon.wait_status("myapp", "ghost")
        for identity, days in (("old:api", 30), ("abandoned:worker", 20)):
            self.pd("claim", identity)
            self.age(identity, days * DAY_S)
        self.said("pd cleanup --dry-run", r".*2 stale services.*")
        self.said("pd cleanup", r"✅ Released 2 stale services", r"- abandoned:worker +\(20d old\)",
                  r"- old:api +\(30d old\)")
        self.said("pd find old:api", code=1)

    # --- who is in whose way? ---

    def hold_locks(self):
        self.said("pd lock payment-config", r".*payment-config.*")
        self.said("pd unlock payment-config", r".*payment-config.*")
        self.said("pd lock db-migrations --holder myapp:db-init --ttl 5m", r".*db-migrations.*")
        self.said("pd locks", rf"db-migrations +Held for {AGE} by myapp:db-init",
                  r"payment-config +Available")
        self.said("pd lock --status db-migrations", r"Status: HELD", r"Holder: myapp:db-init",
                  r"Duration: \d+ seconds?", r"TTL: (5m|4m.*) remaining")
        self.said("pd status", r"Locks: +1 active \(db-migrations\)")
        self.said("bash -c 'pd lock db-migrations'", r".*myapp:db-init.*", code=4)
        self.said("bash -c 'pd unlock db-migrations --force'", r".*db-migrations.*")
        self.said("pd log --filter db-migrations --since 2h30m", r".* UNLOCK +db-migrations .*",
                  r".* LOCK +db-migrations .*")

    # --- who works on what? ---

    def follow_sessions(self):
        session = self.said('pd session start "Building checkout UI" --agent "Agent 1" -q',
                            r"session-\w+").strip()
        self.said('pd note "Started building CheckoutForm component"', r".*")
        self.said('pd note "Blocked waiting on payment API types"', r".*")
        self.said("pd sessions", rf"{session} +Building checkout UI +active, {AGE}.*")
        self.said(f"pd notes {session}", r"\[\d+:\d\d[ap]m\] Started building CheckoutForm component",
                  r"\[\d+:\d\d[ap]m\] Blocked waiting on payment API types")
        self.said("pd status", r"Sessions: +1 active \(Agent 1\)")
        self.said('pd session end "Component complete, ready for integration"', r".*")
        self.said("pd sessions", rf"{session} +Building checkout UI +completed, {AGE}.*")

    # --- deep dive ---

    def ask_the_database(self):
        ask = f"sqlite3 {self.daemon.database} "
        self.said(ask + "\"SELECT id, port, status FROM services WHERE status = 'active'\"",
                  r"myapp:api\|\d+\|active")
        self.said(ask + "\"SELECT id, updatedAt FROM services WHERE id = 'myapp:api'\"",
                  r"myapp:api\|\d{10}")
        self.said(ask + "\"SELECT action, service, details, datetime(timestamp, 'unixepoch') FROM "
                  "activity WHERE timestamp > unixepoch('now', '-1 hour')\"",
                  r"CLAIM\|myapp:api\|Port \d+ assigned\|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
        self.said(ask + "\"SELECT id, port, datetime(updatedAt, 'unixepoch') FROM services WHERE "
                  "updatedAt < strftime('%s', datetime('now', '-30 minutes'))\"",
                  r"frontend:react\|\d+\|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")

    def ask_for_metrics(self):
        self.said("pd metrics", r"Uptime: +.*", r"Requests: +[\d,]+", r"Avg Response Time: +[\d.]+(us|ms|s)",
                  r"Max Response Time: +[\d.]+(ms|s)", r"Database Queries: +[\d,]+", r"Errors: +0",
                  r"Memory Usage: +[\d.]+MB")
        self.said("pd metrics --slow --over 1ms", r"Slowest requests.*", r"(GET|POST) /v1/.*ms.*")


class AsRoot(StoryTest):
    def test_a_stuck_port_is_a_detour_of_seconds(self):
        self.tell()


@harness.needs_root
class ThroughSudo(StoryTest):
    user, by_root = harness.NOBODY, True

    def test_a_stuck_port_is_a_detour_for_a_user_whose_daemon_root_started(self):
        self.tell()


@harness.needs_root
class WithoutRoot(StoryTest):
    user = harness.NOBODY

    def test_a_stuck_port_is_a_detour_for_a_user_whose_daemon_polls(self):
        self.tell()


if __name__ == "__main__":
    sys.exit(harness.main())
