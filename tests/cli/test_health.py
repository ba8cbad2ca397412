#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd health: real servers, well and ill, and one round over all of them."""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (ATTEMPTS, DONE, FAILED, LISTEN, NO, PYTHON, SCALE, WRONG, PortDaddyTest,
                     connect, connections, free_port, main, needs_root, proc_status, wait_until)

SPARE_MS = 500 * SCALE  # behind the deadline of a round: another would be as long as the first
TOOK = r"(<1|\d+)ms"
AGO = r"(just now|\d+s ago)"

# One server of each habit, told by its argument.  HTTP/1.1 unless it says otherwise.
SERVER = """
import http.server, ssl, struct, threading
habit, port = sys.argv[1], int(sys.argv[2])

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0" if habit == "http10" else "HTTP/1.1"
    def do_GET(self):
        if self.headers["Host"] != f"localhost:{port}" or self.headers["User-Agent"] != "port-daddy":
            self.send_error(421)
            return
        code = {"error": 500, "redirect": 302}.get(habit, 200 if self.path == "/health" else 404)
        self.send_response(code)
        self.send_header("Location", f"http://localhost:{port}/elsewhere")
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"hi\\n")
    def log_message(self, *arguments):
        pass

def serve_http():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if habit == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    ready()
    server.serve_forever()

def drip(c):
    try:
        for byte in b"HTTP/1.1 200 OK\\r\\nX: " + b"y" * 100000:
            c.send(bytes([byte]))
            time.sleep(0.05)
    except OSError:
        pass

def flood(c, head):
    try:
        c.sendall(head)
        while True:
            c.sendall(b"x" * 65536)
    except OSError:
        pass

def serve_raw():
    s, kept = listener(port), []
    ready()
    while True:
        c, _ = s.accept()
        kept.append(c)
        if habit == "garbage":
            c.send(b"SSH-2.0-\\x1b[31mEvil\\r\\n")
        elif habit == "mysql":
            c.send(b"J\\0\\0\\0\\x0a8.0")
        elif habit == "close":
            c.recv(65536)
            c.close()
        elif habit == "reset":
            c.recv(65536)
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.close()
        elif habit == "drip":
            threading.Thread(target=drip, args=(c,), daemon=True).start()
        elif habit == "endless_body":
            threading.Thread(target=flood, args=(c, b"HTTP/1.1 200 OK\\r\\n\\r\\n"), daemon=True).start()
        elif habit == "endless_head":
            threading.Thread(target=flood, args=(c, b"HTTP/1.1 200 OK\\r\\nX: "), daemon=True).start()
        elif habit == "go_tls":
            c.recv(65536)
            c.send(b"HTTP/1.0 400 Bad Request\\r\\n\\r\\nClient sent an HTTP request to an HTTPS server.\\n")
            c.close()

(serve_http if habit in ("well", "http10", "error", "redirect", "https") else serve_raw)()
"""


def time_wait_on(port):
    """Sockets in TIME_WAIT whose local port this is: what would be in a server's way."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        return [line for line in f.readlines()[1:]
                if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "06"]


class HealthTest(PortDaddyTest):
    def service(self, habit, *arguments, health="/health", wait=True):
        """A server with a claim; returns its port."""
        port = free_port()
        words = ["claim", f"t:{habit.replace('_', '-')}", "-p", str(port)]
        self.daemon.pd(*words, *(["--health", health] if health else []), cwd=self.work)
        child = self.spawn_python(SERVER, habit, port, *arguments)
        self.daemon.wait_status(f"t:{habit.replace('_', '-')}", "active")
        child.port = port
        return child

    def certificate(self):
        path = os.path.join(self.work, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path,
                        "-out", path + ".crt", "-days", "2", "-subj", "/CN=localhost"],
                       check=True, capture_output=True)
        with open(path, "ab") as f, open(path + ".crt", "rb") as crt:
            f.write(crt.read())
        return path

    def check(self, name, code=None, timeout="25s"):
        """The one service of pd health NAME -j.  What answers does so in milliseconds, on a busy
        machine in seconds."""
        answer = self.daemon.json("health", f"t:{name}", "--timeout", timeout, code=code)
        self.assertEqual(len(answer["services"]), 1)
        return answer["services"][0]

    def halt(self, server):
        """SIGSTOP; returns once the kernel has it stopped, which is a moment later."""
        os.kill(server.pid, signal.SIGSTOP)
        wait_until(lambda: proc_status(server.pid)["State"].startswith("T"), "it is stopped")

    def quickest_ms(self, limit_ms, *arguments):
        """Of a few rounds, by the daemon's own clock; the rest do not run once one is good."""
        took = []
        for _ in range(ATTEMPTS):
            took.append(self.daemon.json("health", *arguments, code=None)["elapsedMs"])
            if took[-1] < limit_ms:
                break
        return min(took)


class OneService(HealthTest):
    def test_a_well_service_is_shown_as_the_story_shows_it(self):
        server = self.service("well")
        answer = self.daemon.run("health", "t:well", code=DONE)
        self.assertRegex(answer.out, rf"^✅ 200 OK\nResponse time: {TOOK}\n"
                         rf"Last checked: {AGO}\nURL: http://localhost:{server.port}/health\n$")

    def test_an_error_of_the_server_is_ill_with_its_words(self):
        self.service("error")
        self.assertRegex(self.daemon.run("health", "t:error").out, "^❌ 500 Internal Server Error\n")
        found = self.check("error", code=NO)
        self.assertEqual((found["result"], found["healthy"], found["httpStatus"], found["reason"]),
                         ("http_error", False, 500, "Internal Server Error"))

    def test_a_redirect_is_well_and_not_followed(self):
        self.service("redirect")
        found = self.check("redirect", code=DONE)
        self.assertEqual((found["healthy"], found["httpStatus"]), (True, 302))

    def test_a_path_that_is_not_there_is_ill(self):
        self.service("well", health="/nowhere")
        self.assertEqual(self.check("well", code=NO)["httpStatus"], 404)

    def test_a_silent_server_times_out_at_the_deadline(self):
        server = self.service("silent")
        answer = self.daemon.run("health", "t:silent", "--timeout", "1s", code=NO)
        self.assertRegex(answer.out, r"^❌ TIMEOUT \(no response for 1s\)\nLast checked: .*\n"
                         rf"Last claimed: .* ago\nURL: .*\nPort: {server.port}\n$")
        took = self.quickest_ms(1100 * SCALE, "t:silent", "--timeout", "1s")
        self.assertLess(took, 1100 * SCALE)

    def test_a_head_that_drips_in_times_out_all_the_same(self):
        self.service("drip")
        found = self.check("drip", code=NO, timeout="2s")
        self.assertEqual((found["result"], found["elapsedMs"]), ("timeout", 2000))

    def test_a_head_without_end_is_no_http(self):
        self.service("endless_head")
        found = self.check("endless-head", code=NO)
        self.assertEqual(found["result"], "not_http")
        self.assertIn("longer than", found["details"])

    def test_a_body_without_end_is_not_read(self):
        self.service("endless_body")
        answer = self.daemon.json("health", "t:endless-body", code=DONE)
        self.assertEqual(answer["services"][0]["httpStatus"], 200)
        self.assertLess(self.quickest_ms(1000 * SCALE, "t:endless-body"), 1000 * SCALE)

    def test_what_is_no_http_is_named_without_its_escape_codes(self):
        self.service("garbage")
        answer = self.daemon.run("health", "t:garbage")
        self.assertTrue(answer.out.startswith("❌ NOT HTTP (its answer begins with \"SSH-2.0-"))
        self.assertNotIn("\x1b", answer.out)

    def test_bytes_without_a_line_are_no_http_at_once(self):
        self.service("mysql")
        answer = self.daemon.json("health", "t:mysql", code=NO)
        self.assertEqual(answer["services"][0]["result"], "not_http")
        self.assertLess(self.quickest_ms(2000 * SCALE, "t:mysql"), 2000 * SCALE)

    def test_closed_and_reset_are_told_apart(self):
        self.service("close")
        self.service("reset")
        self.assertEqual(self.check("close", code=NO)["result"], "closed")
        self.assertEqual(self.check("reset", code=NO)["result"], "reset")

    def test_without_a_path_a_connection_is_enough(self):
        server = self.service("silent", health=None)
        answer = self.daemon.run("health", "t:silent", code=DONE)
        self.assertRegex(answer.out, rf"^✅ TCP OK\nResponse time: .*\nLast checked: {AGO}\n"
                         rf"Port: {server.port}\n$")

    def test_a_stopped_server_is_called_that_and_not_waited_for(self):
        server = self.service("well")
        self.halt(server)
        self.assertEqual(self.check("well", code=NO)["result"], "stopped")
        answer = self.daemon.run("health", "t:well", code=NO)
        self.assertRegex(answer.out, rf"^❌ STOPPED \(.*\({server.pid}\) is stopped.*kill -CONT "
                         rf"{server.pid}\)\n")
        self.assertIn("active (stopped)", self.daemon.pd("find", "t:well"))
        found, = self.daemon.json("find", "t:well")["services"]
        self.assertEqual((found["status"], found["stopped"], found["run"]), ("active", True, None))
        os.kill(server.pid, signal.SIGCONT)
        self.assertEqual(self.check("well", code=DONE)["result"], "ok")
        self.assertNotIn("stopped", self.daemon.pd("find", "t:well"))

    def test_no_time_wait_stays_on_the_port(self):
        # a server of HTTP/1.0 closes first when it likes: what that leaves is its own affair
        server = self.service("well")
        for _ in range(5):
            self.assertEqual(self.check("well")["httpStatus"], 200)
        self.assertEqual(time_wait_on(server.port), [])

    def test_a_port_names_its_service(self):
        server = self.service("well")
        self.assertRegex(self.daemon.pd("health", f":{server.port}"), "^✅ 200 OK\n")

    def test_the_last_check_is_remembered(self):
        self.service("well")
        self.check("well")
        first = self.check("well")
        self.assertEqual(first["previous"]["result"], "ok")
        self.assertEqual(self.daemon.query("SELECT result, httpStatus, url FROM health"),
                         [("ok", 200, first["url"])])
        self.daemon.restart()
        self.daemon.wait_status("t:well", "active")
        self.assertEqual(self.check("well")["previous"]["httpStatus"], 200)


class Https(HealthTest):
    def test_a_certificate_of_ones_own_is_accepted_and_said(self):
        server = self.service("https", self.certificate(), health="https:/health")
        answer = self.daemon.run("health", "t:https", code=DONE)
        self.assertRegex(answer.out, r"^✅ 200 OK\n")
        self.assertIn(f"URL: https://localhost:{server.port}/health\n", answer.out)
        self.assertIn("Details: certificate not verified\n", answer.out)

    def test_a_plain_path_of_a_tls_server_is_asked_over_tls(self):
        self.service("https", self.certificate())
        found = self.check("https", code=DONE)
        self.assertTrue(found["url"].startswith("https:"))
        self.assertIn("HTTPS, not HTTP", found["details"])
        self.assertIn("✅ 200 OK, https (", self.daemon.run("health").out)

    def test_a_url_that_was_pasted_is_kept_as_its_path(self):
        port = free_port()
        self.daemon.pd("claim", "t:web", "-p", str(port), "--health",
                       "https://localhost/health?deep=1")
        self.assertEqual(self.daemon.service("t:web")["healthPath"], "https:/health?deep=1")

    def test_a_server_without_tls_fails_as_that(self):
        self.service("well", health="https:/health")
        found = self.check("well", code=NO)
        self.assertEqual(found["result"], "tls_failed")
        self.assertIn("TLS: ", found["details"])

    def test_a_400_that_tls_does_not_explain_stays_a_400(self):
        self.service("go_tls")
        self.assertEqual(self.check("go-tls", code=NO)["httpStatus"], 400)


class KnownByTheKernel(HealthTest):
    def test_what_never_listened_is_waited_for_and_not_connected_to(self):
        self.daemon.claim("t:new", "--health", "/health")
        answer = self.daemon.run("health", "t:new", code=NO)
        self.assertRegex(answer.out, r"^⚠️  WAITING \(claimed (a moment|\d+s) ago, nothing listens yet\)\n")

    def test_what_died_is_a_ghost_at_once(self):
        server = self.service("well")
        server.kill()
        self.daemon.wait_status("t:well", "ghost")
        answer = self.daemon.json("health", "t:well", code=NO)
        found = answer["services"][0]
        self.assertEqual((found["result"], found["elapsedMs"]), ("ghost", None))
        self.assertRegex(found["details"], rf"^nothing listens on {server.port} since (a moment|\d+s) ago$")
        self.assertLess(self.quickest_ms(500 * SCALE, "t:well"), 500 * SCALE)

    def test_a_stale_claim_says_since_when(self):
        self.daemon.claim("t:old")
        self.daemon.stop()
        subprocess.run(["sqlite3", self.daemon.database, "UPDATE services SET "
                        "createdAt = createdAt - 1810, updatedAt = updatedAt - 1810"], check=True)
        self.daemon.start()
        self.assertEqual(self.daemon.run("health").out,
                         "t:old ⚠️  STALE (claimed 30m ago, no heartbeat)\n")

    @needs_root
    def test_a_squatter_is_named_and_not_asked(self):
        port = free_port()
        self.daemon.claim("t:mine", "-p", str(port), "--health", "/health")
        self.spawn_python(SERVER, "well", port, uid=65534, cwd="/")
        self.daemon.wait_status("t:mine", "squatted")
        found = self.check("mine", code=NO)
        self.assertEqual(found["result"], "squatted")
        self.assertIn("not by this claim", found["details"])

    @needs_root
    def test_a_listener_in_another_network_namespace_is_named(self):
        port = free_port()
        self.daemon.claim("t:inside", "-p", str(port), "--health", "/health", cwd=self.work)
        child = self.spawn(["unshare", "--net", PYTHON, "-u", "-c", LISTEN + "s = listener("
                            f"{port}, '0.0.0.0')\nready()\nrest()"])
        self.assertEqual(child.read_line(), "ready")
        found = wait_until(lambda: next((s for s in [self.check("inside", code=NO)]
                                         if s["result"] != "waiting"), None), "it is seen")
        self.assertEqual(found["result"], "other_namespace")
        self.assertIn(f"({child.pid}) listens in another network namespace", found["details"])

    def test_a_child_that_kept_the_port_is_asked_and_called_orphaned(self):
        port = free_port()
        self.daemon.claim("t:heir", "-p", str(port), "--health", "/health", cwd=self.work)
        self.spawn([PYTHON, "-c", LISTEN + f"""
s = listener({port})
if os.fork():
    while not os.path.exists("go"): time.sleep(0.005)
    os._exit(1)
open("go", "w").write(str(os.getpid()))
while True:
    c, _ = s.accept()
    c.recv(4096)
    c.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
"""])
        go = os.path.join(self.work, "go")
        self.strays.append(int(wait_until(lambda: os.path.exists(go) and open(go).read(), "fork")))
        self.daemon.wait_status("t:heir", "orphaned")
        found = self.check("heir", code=DONE)
        self.assertEqual((found["status"], found["httpStatus"]), ("orphaned", 200))

    def test_udp_is_not_checked_and_not_ill(self):
        port = free_port()
        self.daemon.claim("t:udp", "-p", str(port), cwd=self.work)
        child = self.listener(port, "kind=socket.SOCK_DGRAM")
        self.daemon.wait_status("t:udp", "active")
        answer = self.daemon.run("health")
        self.assertEqual((answer.code, answer.out),
                         (DONE, f"t:udp UDP (held by {child.pid}; not checked)\n"))

    def test_ipv6_and_odd_addresses_are_connected_to_where_they_listen(self):
        for host, family, expected in (("::1", "AF_INET6", "localhost"),
                                       ("::", "AF_INET6", "localhost"),
                                       ("0.0.0.0", "AF_INET", "localhost"),
                                       ("127.0.0.7", "AF_INET", "127.0.0.7")):
            port = free_port()
            name = f"t:{host.replace(':', 'c')}"
            self.daemon.claim(name, "-p", str(port), "--health", "/", cwd=self.work)
            self.spawn_python(
                "import http.server\n"
                "class V6(http.server.HTTPServer): address_family = socket." + family + "\n"
                f"server = V6((\"{host}\", {port}), http.server.SimpleHTTPRequestHandler)\n"
                "ready()\nserver.serve_forever()", stderr=subprocess.DEVNULL)
            self.daemon.wait_status(name, "active")
            found = self.check(name[2:], code=DONE)
            self.assertEqual(found["url"], f"http://{expected}:{port}/", host)


class Rounds(HealthTest):
    def test_all_services_are_listed_and_one_ill_decides(self):
        self.service("well")
        self.assertEqual(self.daemon.run("health").code, DONE)
        self.service("error")
        answer = self.daemon.run("health", code=NO)
        self.assertRegex(answer.out, rf"^t:error ❌ 500 Internal Server Error \({TOOK}\)\n"
                         rf"t:well  ✅ 200 OK \({TOOK}\)\n$")
        counts = self.daemon.json("health", code=NO)
        self.assertEqual((counts["healthy"], counts["unhealthy"], counts["stored"]), (1, 1, True))

    def test_patterns_select_and_nothing_is_no(self):
        self.service("well")
        self.daemon.claim("other:web")
        self.assertEqual(self.daemon.run("health", "t:*").code, DONE)
        for words in ("u:*", "t:nobody", ":1"):
            answer = self.daemon.run("health", words)
            self.assertEqual((answer.code, answer.out), (NO, ""), words)
            self.assertRegex(answer.err, "^pd: (no service|there is no service)")

    def test_without_any_service_there_is_nothing_ill(self):
        answer = self.daemon.run("health")
        self.assertEqual((answer.code, answer.out), (DONE, ""))
        self.assertEqual(self.daemon.json("health")["services"], [])

    def test_wrong_words_are_refused_before_any_daemon(self):
        for words in (["--timeout", "5"], ["--timeout", "6m"], ["--interval", "2s"],
                      ["--watch", "--interval", "0s"], ["no service"], ["a", "b"]):
            self.assertEqual(self.daemon.run("health", *words).code, WRONG, words)
        self.assertIn("pd health --watch", self.daemon.pd("health", "--help"))

    def test_quiet_prints_the_result_alone(self):
        self.service("error")
        self.assertEqual(self.daemon.run("health", "t:error", "-q").out, "http_error\n")
        self.assertEqual(self.daemon.run("health", "-q").out, "t:error http_error\n")

    def test_a_change_of_health_is_in_the_log_once(self):
        server = self.service("well")
        for _ in range(2):
            self.check("well")
        self.halt(server)
        for _ in range(2):
            self.check("well", code=NO)
        server.process.send_signal(signal.SIGCONT)
        for _ in range(2):
            self.check("well")
        entries = self.daemon.json("log", "--filter", "HEALTH")["entries"]
        self.assertEqual([e["details"].split(" (")[0] for e in entries],
                         ["healthy: 200 OK", "unhealthy: python3"])  # … is stopped
        self.assertEqual((entries[0]["comm"], entries[0]["port"]), ("pd", server.port))

    def test_a_client_that_leaves_cancels_its_checks(self):
        server = self.service("silent")
        client = connect(self.daemon.socket)
        client.sendall(b"GET /v1/health?timeout=60s HTTP/1.0\r\n\r\n")
        peers = lambda: connections(server.port)
        wait_until(peers, "the check connects")
        client.close()
        wait_until(lambda: not peers(), "the check ends with its client")
        self.assertEqual(self.daemon.run("status").code, DONE)

    def test_a_daemon_that_stops_amid_a_round_ends_well(self):
        server = self.service("silent")
        asker = self.spawn([self.daemon.pd_program, "health", "--timeout", "60s"],
                           env=self.daemon.env)
        wait_until(lambda: connections(server.port), "the check connects")
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(asker.wait(), FAILED)

    def test_300_services_of_which_ten_are_silent_end_with_the_slowest_deadline(self):
        self.spawn_python(MANY, *claim_all(self, 300))
        wait_until(lambda: self.daemon.json("status")["services"]["active"] == 300, "all listen",
                   60 * SCALE)
        # by the daemon's own clock: how soon a busy machine starts pd is another question
        for _ in range(ATTEMPTS):
            answer = self.daemon.json("health", "many:*", "--timeout", "2s", code=NO)
            print(f"# 300 services: {answer['elapsedMs']} ms")
            if answer["elapsedMs"] < 2000 + SPARE_MS:
                break
        self.assertEqual((answer["healthy"], answer["unhealthy"]), (290, 10))
        self.assertEqual({s["result"] for s in answer["services"]}, {"ok", "timeout"})
        self.assertGreaterEqual(answer["elapsedMs"], 2000)
        self.assertLess(answer["elapsedMs"], 2000 + SPARE_MS)


# A process for each port; those of the first ten accept and say nothing.
MANY = """
import ctypes
ports = [int(p) for p in sys.argv[1:]]
def serve(port, silent):
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    l, kept = listener(port), []
    while True:
        c, _ = l.accept()
        kept.append(c)
        if not silent:
            c.recv(4096)
            c.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
            c.recv(1)
            kept.pop().close()
for i, port in enumerate(ports):
    if not os.fork():
        serve(port, i < 10)
ready()
rest()
"""


def claim_all(test, n):
    """Claims many:0…, and returns their ports: off the ones that tests beside this one are given."""
    first = 10000 + os.getpid() % 20 * 2 * n % 9000
    return [test.daemon.claim(f"many:{i}", "--health", "/health", "--range",
                              f"{first}-{first + 2 * n}", cwd=test.work) for i in range(n)]


class Watching(HealthTest):
    def test_watch_prints_changes_only_where_nobody_draws(self):
        server = self.service("well")
        stream = self.pd_stream("health", "--watch", "--interval", "1s", "--timeout", "1s")
        stream.wait_for(lambda l: re.fullmatch(r"\[.*\] t:well ✅ 200 OK \(.*\)", l), "the first")
        server.kill()
        stream.wait_for(lambda l: "GHOST" in l, "the change")
        # a check that the end of the server met is a change, too
        shown = [re.sub(r"^\[.*\] | \(.*", "", l) for l in stream.lines]
        self.assertEqual(len(shown), len(set(shown)), stream.lines)
        self.assertLessEqual(len(shown), 3)
        stream.child.process.send_signal(signal.SIGINT)
        self.assertEqual(stream.child.wait(), DONE)

    def test_watch_as_json_is_a_line_for_each_change(self):
        self.service("well")
        stream = self.pd_stream("health", "--watch", "-j")
        line = stream.wait_for(lambda l: l.startswith("{"), "the first")
        self.assertIn('"result":"ok"', line)
        stream.child.process.send_signal(signal.SIGTERM)
        self.assertEqual(stream.child.wait(), DONE)

    def test_a_terminal_sees_the_progress_and_a_redrawn_list(self):
        self.service("silent")
        text = self.on_terminal(["health", "--watch", "--timeout", "2s"],
                                until=b"TIMEOUT")
        self.assertIn("waiting for 1 of 1", text)
        self.assertIn("\x1b[H\x1b[J", text)
        self.assertIn("TIMEOUT (no response for 2s)", re.sub(r"\x1b\[[0-9;]*m", "", text))

    def on_terminal(self, words, until):
        """Runs pd on a terminal of its own until it has printed some bytes, then ^C."""
        leader, follower = pty.openpty()
        child = self.spawn([self.daemon.pd_program, *words], env={**self.daemon.env,
                           "TERM": "xterm"}, stdin=follower, stdout=follower, stderr=follower,
                           start_new_session=True)
        os.close(follower)
        self.addCleanup(os.close, leader)
        seen, end = b"", time.monotonic() + 20 * SCALE
        while until not in seen and time.monotonic() < end:
            if select.select([leader], [], [], 0.1)[0]:
                seen += os.read(leader, 65536)
        child.process.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(), DONE)
        return seen.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
