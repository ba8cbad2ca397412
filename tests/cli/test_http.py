#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""HTTP over the Unix socket, spoken by hand: what is malformed, oversized, slow or hostile."""
import json
import socket
import subprocess
import sys
import time

import harness
from harness import needs_root, wait_until

BODY_MAX = 64 * 1024     # the API's limits, as its header states them
HEADERS_MAX = 16 * 1024


class RawHttpTest(harness.PortDaddyTest):
    def exchange(self, request, half_close=False):
        """Sends bytes; everything that comes back until the daemon closes, or falls silent."""
        with harness.connect(self.daemon.socket) as s:
            try:
                s.sendall(request)
            except OSError:  # it may hang up in the middle of what it will not read
                pass
            if half_close:
                s.shutdown(socket.SHUT_WR)
            received = b""
            try:
                while True:
                    chunk = s.recv(65536)
                    if not chunk:
                        break
                    received += chunk
            except OSError:
                pass
            return received

    def ask(self, method, path, body=None, headers=()):
        """(status, parsed body) of one request."""
        payload = body if isinstance(body, bytes) else \
            json.dumps(body).encode() if body is not None else b""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close",
                 f"Content-Length: {len(payload)}", *headers]
        answer = self.exchange("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
        head, _, rest = answer.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1."), f"no answer to {method} {path}: {answer[:200]}")
        return int(head.split()[1]), json.loads(rest) if rest.strip() else None

    def refused(self, status, code, method, path, body=None, headers=()):
        got, answer = self.ask(method, path, body, headers)
        self.assertEqual(got, status, answer)
        self.assertEqual((answer["ok"], answer["version"]), (False, 1))
        self.assertEqual(answer["error"]["code"], code)
        self.assertTrue(answer["error"]["message"])
        self.still_there()

    def still_there(self):
        self.assertIsNone(self.daemon.process.poll(), self.daemon.log())
        self.assertEqual(self.ask("GET", "/v1/status")[0], 200)

    # --- the plain cases ---

    def test_curl_over_the_unix_socket_reads_the_status(self):
        done = subprocess.run(["curl", "-sS", "--unix-socket", self.daemon.socket,
                               "http://localhost/v1/status"], capture_output=True, check=True,
                              timeout=20)
        self.assertEqual(json.loads(done.stdout)["daemon"]["pid"], self.daemon.pid)

    def test_curl_claims_and_the_claim_is_pds_too(self):
        done = subprocess.run(["curl", "-sS", "--unix-socket", self.daemon.socket,
                               "-d", '{"id":"curl:web"}', "http://localhost/v1/claims"],
                              capture_output=True, check=True, timeout=20)
        answer = json.loads(done.stdout)
        self.assertTrue(answer["ok"], answer)
        self.assertEqual(self.daemon.service("curl:web")["port"], answer["port"])

    def test_two_requests_on_one_connection_are_both_answered(self):
        one = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        self.assertEqual(self.exchange(one + last).count(b"HTTP/1.1 200"), 2)

    # --- refusals with a body ---

    def test_unknown_path_is_no_route(self):
        self.refused(404, "no_route", "GET", "/v1/nothing")

    def test_wrong_method_is_no_method(self):
        self.refused(405, "no_method", "POST", "/v1/status", {})

    def test_body_that_is_no_json(self):
        self.refused(400, "bad_request", "POST", "/v1/claims", b"id=app")

    def test_body_that_is_cut_json(self):
        self.refused(400, "bad_request", "POST", "/v1/claims", b'{"id": "app:')

    def test_body_with_something_behind_the_json(self):
        self.refused(400, "bad_request", "POST", "/v1/claims", b'{"id":"app:web"} {"id":"b"}')

    def test_body_that_is_a_json_array(self):
        self.refused(400, "bad_request", "POST", "/v1/claims", [])

    def test_empty_body(self):
        self.refused(400, "bad_request", "POST", "/v1/claims")

    def test_member_of_the_wrong_type(self):
        self.refused(400, "bad_request", "POST", "/v1/claims", {"id": 7})
        self.refused(400, "bad_request", "POST", "/v1/claims", {"id": "a", "port": "http"})
        self.refused(400, "bad_request", "POST", "/v1/claims", {"id": "a", "port": 1.5})

    def test_port_out_of_range(self):
        for port in (-1, 65536, 2 ** 40):
            self.refused(400, "bad_request", "POST", "/v1/claims", {"id": "a", "port": port})

    def test_identity_with_a_nul_or_invalid_utf8(self):
        self.refused(400, "bad_request", "POST", "/v1/claims", b'{"id":"a\\u0000b"}')
        self.refused(400, "bad_request", "POST", "/v1/claims", b'{"id":"caf\xe9"}')

    def test_deeply_nested_json(self):
        self.refused(400, "bad_request", "POST", "/v1/claims", b'{"id":' + b"[" * 20000)

    def test_bad_query_values(self):
        for path in ("/v1/why?port=0", "/v1/why?port=99999", "/v1/why?pid=0", "/v1/why?port=3000&proto=x",
                     "/v1/services?status=zombie", "/v1/services?pattern=", "/v1/log?n=many",
                     "/v1/log?from=soon"):
            self.refused(400, "bad_request", "GET", path)

    def test_broken_percent_encoding_does_no_harm(self):
        status, _ = self.ask("GET", "/v1/services?pattern=%zz%")
        self.assertEqual(status, 400)
        self.still_there()

    def test_traversal_is_no_route(self):
        self.refused(404, "no_route", "GET", "/v1/../../etc/passwd")

    def test_body_over_the_limit_is_too_large(self):
        body = b'{"id":"' + b"x" * (BODY_MAX + 1) + b'"}'
        answer = self.exchange(b"POST /v1/claims HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                               b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.assertTrue(answer.startswith(b"HTTP/1.1 413"), answer[:100])
        self.still_there()

    # --- no HTTP at all ---

    def refused_or_dropped(self, request):
        answer = self.exchange(request, half_close=True)
        if answer:
            self.assertRegex(answer[:12].decode(errors="replace"), r"^HTTP/1\.[01] [45]")
        self.still_there()

    def test_headers_over_the_limit(self):
        self.refused_or_dropped(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Long: "
                                + b"y" * (HEADERS_MAX + 4096) + b"\r\n\r\n")

    def test_endless_request_line(self):
        self.refused_or_dropped(b"GET /" + b"a" * (1 << 20))

    def test_garbage(self):
        self.refused_or_dropped(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 50)

    def test_binary_zeros(self):
        self.refused_or_dropped(bytes(5000))

    def test_negative_content_length(self):
        self.refused_or_dropped(b"POST /v1/claims HTTP/1.1\r\nHost: x\r\n"
                                b"Content-Length: -5\r\n\r\n{}")

    def test_huge_content_length(self):
        self.refused_or_dropped(b"POST /v1/claims HTTP/1.1\r\nHost: x\r\n"
                                b"Content-Length: 99999999999999999999\r\n\r\n{}")

    def test_announced_body_that_never_comes(self):
        self.refused_or_dropped(b"POST /v1/claims HTTP/1.1\r\nHost: x\r\n"
                                b"Content-Length: 500\r\n\r\n{")

    def test_broken_chunk(self):
        self.refused_or_dropped(b"POST /v1/claims HTTP/1.1\r\nHost: x\r\n"
                                b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n{}\r\n")

    def test_unknown_http_method(self):
        self.refused_or_dropped(b"BREW /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")

    def test_nothing_that_was_refused_changed_anything(self):
        self.ask("POST", "/v1/claims", {"id": "a", "port": 65536})
        self.ask("POST", "/v1/releases", {"match": ""})
        self.assertEqual(self.daemon.query("SELECT count(*) FROM services"), [(0,)])

    # --- clients that behave badly ---

    def test_slow_client_does_not_stop_the_others(self):
        with harness.connect(self.daemon.socket) as slow:
            slow.sendall(b"POST /v1/claims HTTP/1.1\r\nContent-Le")
            started = time.monotonic()
            self.still_there()
            # far less than a slow client is waited for
            self.assertLess(time.monotonic() - started, 10 * harness.SCALE)

    def test_client_that_leaves_before_the_answer_does_no_harm(self):
        for _ in range(50):
            with harness.connect(self.daemon.socket) as s:
                s.sendall(b"GET /v1/sockets HTTP/1.1\r\nHost: x\r\n\r\n")
        self.still_there()

    def test_watcher_that_never_reads_does_not_stop_the_others(self):
        with harness.connect(self.daemon.socket) as watcher:
            watcher.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            self.spawn_python("for n in range(4000):\n    s = socket.socket()\n"
                              "    s.bind(('127.0.0.1', 0))\n    s.listen()\n    s.close()\n"
                              "ready()").wait(60 * harness.SCALE)
            self.still_there()

    @needs_root
    def test_one_user_cannot_take_all_connections(self):
        crowd = self.spawn_python("""
crowd = []
for n in range(400):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(2)
    try:
        s.connect(sys.argv[1])
        crowd.append(s)
    except OSError:
        break
ready(len(crowd))
rest()
""", self.daemon.socket, uid=harness.NOBODY)
        print(f"# {crowd.ready} connections of one user")
        self.still_there()
        crowd.kill()
        wait_until(lambda: self.daemon.run("status", uid=harness.NOBODY).code == harness.DONE,
                   "the user is served again")


if __name__ == "__main__":
    sys.exit(harness.main())
