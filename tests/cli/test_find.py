#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What `pd find` shows beside its claims, whose it is, and where a browser finds it."""
import json
import os
import shutil
import subprocess
import sys
import unittest

import harness
from fake_daemon import FakeDaemon
from harness import NOBODY, needs_root, wait_until
from terminal import run_on_terminal, width, without_colours

# Listens on so many ports of the range from the first on; says which.
MANY_PORTS = """
held, port = [], int(sys.argv[1])
while len(held) < int(sys.argv[2]):
    try:
        held.append(listener(port))
    except OSError:
        assert not held, "somebody else's port in between"
    port += 1
ready(port - len(held))
rest()
"""

# Dies with very many descriptors before the one that listens: the kernel closes them in order.
LONG_END = """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
n = min(int(sys.argv[2]), hard - 100)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
s = listener(int(sys.argv[1]))
os.dup2(s.fileno(), n + 50)
s.close()
for _ in range(n):
    os.dup(0)
ready()
rest()
"""
DESCRIPTORS = 300000


class UnclaimedTest(harness.PortDaddyTest):
    def rows(self, **options):
        lines = self.daemon.pd("find", **options).splitlines()[2:]
        return [l for l in lines if l.startswith("(unclaimed)")]

    def test_process_with_many_ports_is_one_row(self):
        server = self.spawn_python(MANY_PORTS, 7300, 80)
        first = int(server.ready.split()[-1])
        wanted = f"80 ports, {first}–{first + 79} "
        wait_until(lambda: any(wanted in row for row in self.rows()), "the row is there")
        self.assertEqual(len([r for r in self.rows() if f" {server.pid} " in r]), 1)

    def test_ports_that_are_not_neighbours_are_named_and_both_families_are_one_port(self):
        ports = [harness.free_port(9000, 9399), harness.free_port(9500, 9999)]
        code = ("held = [listener(int(p), a, f) for p in sys.argv[1:] for a, f in "
                "(('127.0.0.1', socket.AF_INET), ('::1', socket.AF_INET6))]\nready()\nrest()")
        server = self.spawn_python(code, *ports)
        wanted = f"2 ports, {ports[0]}, {ports[1]} "
        wait_until(lambda: any(wanted in row for row in self.rows()), "the row is there")

    def test_json_has_every_socket(self):
        server = self.spawn_python(MANY_PORTS, 7400, 3)

        def seen():
            orphans = self.daemon.json("find")["orphans"]
            return len([o for o in orphans if o["pids"] == [server.pid]]) == 3
        wait_until(seen, "each port is an element")

    def test_quiet_prints_claims_only_and_orphans_where_those_are_asked_for(self):
        port, stray = self.daemon.claim("app:web"), harness.free_port(9000, 9999)
        self.http_server(stray)
        wait_until(lambda: self.daemon.orphan(stray), "the orphan is seen")
        self.assertEqual(self.daemon.pd("find", "-q").split(), [str(port)])
        self.assertIn(str(stray), self.daemon.pd("find", "--status", "orphan", "-q").split())

    @needs_root
    def test_others_rows_come_behind_ones_own(self):
        low, high = harness.free_port(9000, 9399), harness.free_port(9500, 9999)
        theirs = self.http_server(low, uid=NOBODY)
        own = self.http_server(high)
        pids = [theirs.pid, own.pid]

        def order():
            return [p for row in self.rows() for p in pids if f" {p} " in row]
        wait_until(lambda: sorted(order()) == sorted(pids), "both rows are there")
        self.assertEqual(order(), [own.pid, theirs.pid])

    @needs_root
    def test_others_claims_come_behind_and_with_their_users_name(self):
        self.daemon.pd("claim", "aa:web", uid=NOBODY)
        self.daemon.claim("zz:web")
        lines = self.daemon.pd("find").splitlines()
        names = [l.split()[0] for l in lines[2:] if not l.startswith("(")]
        self.assertEqual(names[0], "zz:web")
        self.assertTrue(names[1].startswith("aa:web"), names)
        theirs = next(l for l in lines if l.startswith("aa:web"))
        self.assertIn(" nobody ", theirs)


class PagesTest(unittest.TestCase):
    """Of a list, by a daemon that gives one row in each page."""

    def ports_of(self, give):
        """What pd shows, and how often it asked; give(page, its bytes) answers."""
        place = harness.temp_dir("pd-fake-")
        self.addCleanup(shutil.rmtree, place)
        asked = []

        def answer(path):
            if path != "/v1/sockets":
                raise OSError
            asked.append(path)
            return give(len(asked))
        fake = FakeDaemon(place, answer)
        self.addCleanup(fake.close)
        done = subprocess.run([harness.PD, "find", "--all"], capture_output=True, text=True,
                              env={**harness.BASE_ENV, "PORT_DADDY_SOCKET": fake.path,
                                   "PORT_DADDY_NO_AUTOSTART": "1"}, check=False,
                              timeout=harness.DEADLINE_S)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [p for p in ("4001", "4002", "4003") if p in done.stdout], len(asked)

    @staticmethod
    def page(n, head):
        following = f"{4000 + n}.{n}" if n < 3 else None
        row = {"proto": "tcp", "addr": "127.0.0.1", "port": 4000 + n, "state": "LISTEN",
               "netns": 1, "ownNetns": True, "user": "root", "pids": [n], "process": "x"}
        header = f"Port-Daddy-Next: {following}\r\n" if head and following else ""
        body = {"ok": True, "version": 1, "sockets": [row], "next": following}
        return f"HTTP/1.0 200 OK\r\n{header}\r\n{json.dumps(body)}".encode()

    def test_every_page_is_shown_whether_the_head_of_the_one_before_names_it_or_not(self):
        for head in True, False:
            shown = self.ports_of(lambda n, head=head: self.page(n, head))
            self.assertEqual(shown, (["4001", "4002", "4003"], 3))

    def test_page_that_was_asked_for_ahead_and_never_came_is_asked_for_again(self):
        def give(n):
            if n == 2:
                raise OSError
            return self.page(n - (n > 2), True)
        self.assertEqual(self.ports_of(give), (["4001", "4002", "4003"], 4))


class EndingTest(harness.PortDaddyTest):
    def test_killed_server_is_never_active_without_a_process(self):
        port = self.daemon.claim("app:web")
        seen = set()
        for _ in range(3):
            server = self.spawn_python(LONG_END, port, DESCRIPTORS)
            self.daemon.wait_status("app:web", "active")
            server.process.kill()

            def is_over():
                row = self.daemon.get("/v1/services")["services"][0]
                seen.add((row["status"], bool(row["pids"])))
                return row["status"] == "ghost"
            wait_until(is_over, "the server is a ghost", every_s=0)
            server.wait()
        print(f"# seen: {sorted(seen)}")
        self.assertNotIn(("active", False), seen)

    def test_ending_is_a_status_that_can_be_asked_for(self):
        self.daemon.claim("app:web")
        self.assertEqual(self.daemon.run("find", "--status", "ending").code, harness.NO)


class UrlTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.port = self.daemon.claim("shop:web")
        self.tls = self.daemon.claim("shop:tls", "--health", "https:/health")

    def serve(self):
        self.http_server(self.port)
        self.daemon.wait_status("shop:web", "active")

    def test_urls_stand_in_json_in_the_table_and_alone(self):
        urls = [f"https://localhost:{self.tls}", f"http://localhost:{self.port}"]
        self.assertEqual([s["url"] for s in self.daemon.json("find")["services"]], urls)
        self.assertEqual(self.daemon.pd("find", "--url", "-q").split(), urls)
        for url in urls:
            self.assertIn(url, self.daemon.pd("find", "--url"))
        self.assertNotIn("http", self.daemon.pd("find"))

    def test_urls_fit_a_terminal_of_40_columns(self):
        text = without_colours(run_on_terminal(self.daemon, "find", "--url", columns=40))
        self.assertIn(f"http://localhost:{self.port}", text)
        self.assertLessEqual(max(map(width, text.splitlines())), 40, text)

    def test_project_without_a_service_of_its_name_offers_the_pattern(self):
        self.daemon.run("find", "shop", code=harness.NO, says="pd find 'shop:*'")
        self.assertNotIn(":*", self.daemon.run("find", "shoe").err)

    def opened(self, *arguments, browser, path=None):
        env = {"BROWSER": browser, **({"PATH": path} if path else {})}
        return self.daemon.run("open", *arguments, env=env)

    def browser(self):
        """A program that writes down what it was given."""
        program = os.path.join(self.work, "my browser")
        with open(program.replace(" ", "-"), "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nprintf "%s\\n" "$#" "$@" >"$0.log"\necho noise\n')
        os.chmod(program.replace(" ", "-"), 0o755)
        return program.replace(" ", "-")

    def given(self, browser):
        return harness.read_text(browser + ".log").split("\n")[:-1]

    def test_open_hands_the_url_to_the_browser_by_name_and_by_port(self):
        self.serve()
        browser = self.browser()
        for name in ("shop:web", f":{self.port}", str(self.port)):
            answer = self.opened(name, browser=browser)
            self.assertEqual((answer.code, answer.out), (harness.DONE, ""))
            self.assertEqual(self.given(browser), ["1", f"http://localhost:{self.port}"])

    def test_open_prints_the_url_for_scripts_and_nothing_of_the_browsers(self):
        self.serve()
        url, browser = f"http://localhost:{self.port}", self.browser()
        self.assertEqual(self.opened("shop:web", "-q", browser=browser).out, url + "\n")
        answer = self.daemon.json("open", "shop:web", env={"BROWSER": browser})
        self.assertEqual((answer["id"], answer["port"], answer["url"]),
                         ("shop:web", self.port, url))

    def test_open_knows_arguments_of_the_browser_and_no_shell(self):
        self.serve()
        browser = self.browser()
        self.opened("shop:web", browser=f"{browser} --new %s $(id) ;x")
        self.assertEqual(self.given(browser),
                         ["4", "--new", f"http://localhost:{self.port}", "$(id)", ";x"])

    def test_open_without_a_browser_says_so_with_the_url(self):
        self.serve()
        for browser, words in (("", "xdg-open"), ("/no/such", "/no/such"), ("false", "exit code")):
            answer = self.opened("shop:web", browser=browser, path="/nowhere:/bin/false")
            self.assertEqual(answer.code, harness.FAILED)
            if browser != "false":
                self.assertIn(words, answer.err)
            self.assertIn(f"http://localhost:{self.port}", answer.err)

    def test_open_of_what_does_not_serve_opens_nothing(self):
        browser = self.browser()
        for name in ("shop:web", "shop:none"):
            self.assertEqual(self.opened(name, browser=browser).code, harness.NO)
        self.assertFalse(os.path.exists(browser + ".log"))


if __name__ == "__main__":
    sys.exit(harness.main())
