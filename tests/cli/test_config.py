# SPDX-License-Identifier: MIT
""".portdaddyrc: what it says is done, what it says wrongly is told with its place."""
import json
import subprocess
import sys

import harness
from harness import CONFLICT, DONE, WRONG

SHOP = """{
  // the shop
  "project": "shop",
  "services": {
    "web": { "cmd": "npm run dev -- --port ${PORT}", "needs": ["api"] },
    "api": {
      "healthPath": "/health" /* No "port" field */
    },
  },
}
"""


class ConfigTest(harness.PortDaddyTest):
    def configure(self, text):
        self.write(".portdaddyrc", text)

    def claim(self, *arguments, **options):
        return self.daemon.run("claim", *arguments, cwd=self.work, **options)

    def port(self, identity):
        return self.daemon.service(identity)["port"]

    def services(self):
        return self.daemon.query("SELECT id FROM services ORDER BY id")

    def test_all_services_are_claimed_and_shown_as_a_table(self):
        self.configure(SHOP)
        answer = self.claim(code=DONE)
        self.assertNotIn(".portdaddyrc", answer.err)
        rows = [line.split() for line in answer.out.splitlines()]
        self.assertEqual(rows[0], ["Service", "Port", "Claim"])
        self.assertEqual(rows[2:], [["shop:web", str(self.port("shop:web")), "claimed"],
                                    ["shop:api", str(self.port("shop:api")), "claimed"]])
        self.assertEqual(self.daemon.service("shop:api")["healthPath"], "/health")
        self.assertIn("already yours", self.claim().out)

    def test_log_takes_the_name_of_a_service_of_the_project(self):
        self.configure('{"project": "shop", "services": {"web": {}, "claim": {}}}')
        self.claim()
        def told(word):
            log = self.daemon.json("log", word, cwd=self.work)["entries"]
            return sorted((e["action"], e["service"]) for e in log)
        self.assertEqual(told("web"), [("CLAIM", "shop:web")])
        self.assertEqual(told("web,claim"), [("CLAIM", "shop:web")])
        self.assertEqual(told("claim"), [("CLAIM", "shop:claim"), ("CLAIM", "shop:web")])
        self.daemon.pd("lock", "web")
        self.assertIn(("LOCK", "web"), told("web"))

    def test_quiet_prints_the_ports_in_the_order_of_the_file(self):
        self.configure(SHOP)
        self.assertEqual(self.claim("-q").out,
                         f"{self.port('shop:web')}\n{self.port('shop:api')}\n")

    def test_json_lists_the_services(self):
        self.configure(SHOP)
        answer = json.loads(self.claim("-j").out)
        self.assertEqual([(s["id"], s["existing"]) for s in answer["services"]],
                         [("shop:web", False), ("shop:api", False)])
        self.assertEqual((answer["ok"], answer["version"]), (True, 1))

    def test_export_is_for_eval(self):
        self.configure(SHOP)
        shell = subprocess.run(
            ["sh", "-c", f'eval "$({self.daemon.pd_program} claim --export)"; '
             'echo $WEB_PORT $API_PORT $PORT'],
            cwd=self.work, env=self.daemon.env, capture_output=True, text=True, check=True)
        self.assertEqual(shell.stdout.split(),
                         [str(self.port("shop:web")), str(self.port("shop:api"))])

    def test_a_services_name_means_that_of_the_file_by_whatever_spelling(self):
        self.configure('{"project": "shop", "range": "31520-31529", '
                       '"services": {"api": {"healthPath": "/up"}, "web": {}}}')
        port = int(self.daemon.pd("claim", "api", "-q", cwd=self.work))
        self.assertIn(port, range(31520, 31530))
        self.assertEqual(int(self.daemon.pd("claim", "shop:api", "-q", cwd=self.work)), port)
        self.assertEqual(self.services(), [("shop:api",)])
        self.assertEqual(self.daemon.service("shop:api")["healthPath"], "/up")
        self.assertIn(f"export API_PORT={port}", self.claim("--export").out)
        for name in ("api", "shop:api"):
            found = self.daemon.json("find", name, cwd=self.work)["services"]
            self.assertEqual([s["port"] for s in found], [port])
            checked = self.daemon.json("health", name, cwd=self.work, code=None)["services"]
            self.assertEqual([s["port"] for s in checked], [port])
            self.assertEqual(self.daemon.json("why", name, cwd=self.work, code=None)["port"], port)
            # nothing serves there: the service that was meant is named
            self.daemon.run("open", name, cwd=self.work, says="shop:api is claimed")
        self.daemon.pd("release", "api", cwd=self.work)
        self.assertEqual(self.services(), [("shop:web",)])

    def test_new_name_that_is_near_to_one_of_the_file_is_told_once(self):
        self.configure(SHOP)
        answer = self.claim("wbe")
        self.assertRegex(answer.err, r"\.portdaddyrc has no service 'wbe'; if 'web' was meant: "
                                     r"pd release wbe\n")
        self.assertEqual(self.claim("wbe").err, "")
        self.assertEqual(self.claim("other").err, "")
        answer = self.daemon.run("run", "shop:wbe", "--", "true", cwd=self.work)
        self.assertIn("if 'shop:web' was meant: pd release shop:wbe\n", answer.err)

    def test_a_changed_health_path_works_without_a_new_claim(self):
        """http.server has a page for each file, and none for /gone."""
        def write(path):
            self.configure('{"project": "shop", "services": {"api": {"healthPath": "%s"}}}' % path)

        write("/gone")
        port = int(self.daemon.pd("claim", "api", "-q", cwd=self.work))
        self.http_server(port, cwd=self.work)
        self.daemon.wait_status("shop:api", "active")
        for path, result in (("/gone", "http"), ("/", "ok"), ("/gone", "http")):
            write(path)
            for words in ((), ("api",), ("shop:*",), (f":{port}",)):
                checked = self.daemon.json("health", *words, cwd=self.work, code=None)["services"]
                self.assertEqual([(s["result"] == "ok", s["url"]) for s in checked],
                                 [(result == "ok", f"http://localhost:{port}{path}")], words)
        # elsewhere the claim's own counts
        write("/")
        checked = self.daemon.json("health", "shop:api", cwd="/", code=None)["services"]
        self.assertEqual(checked[0]["url"], f"http://localhost:{port}/gone")

    def test_what_a_file_says_holds_for_its_own_project_alone(self):
        self.configure('{"project": "shop", "range": "31530-31539", "services": {"api": {}}}')
        self.assertNotIn(self.daemon.claim("other:api", cwd=self.work), range(31530, 31540))
        self.assertIn(self.daemon.claim("shop:extra", cwd=self.work), range(31530, 31540))
        self.assertEqual(self.services(), [("other:api",), ("shop:extra",)])

    def test_one_service_has_its_own_variable_and_port(self):
        self.configure('{"project": "shop", "services": {"api": {}}}')
        port = int(self.claim("-q").out)
        for arguments in ((), ("api",), ("shop:api",)):
            self.assertEqual(self.daemon.pd("claim", *arguments, "--export", cwd=self.work),
                             f"export API_PORT={port}\nexport PORT={port}\n")
        self.assertEqual(self.daemon.pd("claim", "--env", cwd=self.work),
                         f"API_PORT={port}\nPORT={port}\n")

    def test_env_prints_a_line_for_each_service(self):
        self.configure(SHOP)
        self.assertRegex(self.claim("--env").out, r"^WEB_PORT=\d+\nAPI_PORT=\d+\n$")

    def test_exported_names_are_names_of_variables(self):
        self.configure('{"project": "shop", "services": {"web-2.x": {}, "2nd": {}}}')
        self.assertRegex(self.claim("--export").out,
                         r"^export WEB_2_X_PORT=\d+\nexport _2ND_PORT=\d+\n$")

    def test_exported_names_that_collide_are_said_and_nothing_is_claimed(self):
        self.configure('{"project": "shop", "services": {"a-b": {}, "a.b": {}}}')
        answer = self.claim("--export")
        self.assertEqual((answer.code, answer.out), (WRONG, ""))
        self.assertIn("'a-b' and 'a.b' would both be A_B_PORT", answer.err)
        self.assertEqual(self.services(), [])
        self.assertEqual(self.claim().code, DONE)

    def test_all_or_none_are_claimed(self):
        self.configure('{"project": "shop", "range": "31510-31510", '
                       '"services": {"web": {}, "api": {}}}')
        self.claim(code=CONFLICT, says="none of the 2 services")
        self.assertEqual(self.services(), [])
        self.assertEqual(self.daemon.json("log", "--filter", "shop:web", code=None)["entries"], [])
        self.assertEqual(self.daemon.json("find", "shop:web", code=None)["services"], [])

    def test_range_of_the_file_is_where_the_ports_come_from(self):
        self.configure('{"project": "shop", "range": "31500-31501", '
                       '"services": {"a": {}, "b": {}}}')
        self.assertEqual(sorted(self.claim("-q").out.split()), ["31500", "31501"])
        self.configure('{"project": "shop", "range": "31500-31501", '
                       '"services": {"c": {}}}')
        self.assertEqual(self.claim().code, CONFLICT)
        self.assertEqual(self.claim("--range", "31600-31600", "-q").out, "31600\n")

    def test_unknown_names_are_warned_of_and_the_rest_is_obeyed(self):
        self.configure('{"project": "shop",\n "services": {"web": {\n  "healthpath": "/up"}}}')
        answer = self.claim("-q", code=DONE)
        self.assertEqual(answer.out, f"{self.port('shop:web')}\n")
        self.assertIn('.portdaddyrc: line 3, column 3: "healthpath" is not known of a service; '
                      'did you mean "healthPath"?', answer.err)

    def test_port_is_not_obeyed_but_said(self):
        self.configure('{"project": "shop", "services": {"web": {"port": 3000}}}')
        answer = self.claim("-q")
        self.assertNotEqual(answer.out, "3000\n")
        self.assertIn("pd claim shop:web -p 3000", answer.err)

    def test_faults_are_told_with_their_place_and_change_nothing(self):
        cases = {
            '{"services": {"a": {},\n "a": {}}}': 'line 2, column 2: "a" stands here twice',
            '{"services": {"we\0b": {}}}': "line 1, column 18: a NUL byte",
            '{"services": {"web': "line 1, column 19: unexpected end",
            '{"services": {"web": {} "api": {}}}': "line 1, column 25",
            '{"services": {"web": {"healthPath": "up"}}}': "line 1, column 23: the healthPath",
            '{"services": {"web\x1b[2J": {}}}': "no name of a service",
            '{"services": {}}': "names no services",
            "[]": "is no object",
            "": "is empty",
            " " * 1048577: "1048577 bytes long; at most 1048576",
        }
        for text, words in cases.items():
            with self.subTest(text=text[:40]):
                self.configure(text)
                answer = self.claim()
                self.assertEqual((answer.code, answer.out), (WRONG, ""))
                self.assertIn(words, answer.err)
                self.assertIn(".portdaddyrc", answer.err)
                self.assertNotIn("\x1b", answer.err)
                self.assertEqual(len(answer.err.splitlines()), 1, answer.err)
                refused = json.loads(self.claim("-j").out)
                self.assertEqual(refused["error"]["code"], "bad_request")
        self.assertEqual(self.services(), [])

    def test_api_refuses_what_a_list_of_services_may_not_hold(self):
        for body, words in (('{"services": []}', "no list"), ('{"services": [3]}', "no object"),
                            ('{"services": [{"id": "a", "x": 1}]}', "unknown member"),
                            ('{"services": [{"id": "a"}], "port": 80}', "exclude each other"),
                            ('{"services": [{"id": "a"}, {}]}', '"id" is missing')):
            with self.subTest(body=body):
                done = subprocess.run(
                    ["curl", "-s", "--unix-socket", self.daemon.socket, "-d", body,
                     "http://localhost/v1/claims"], capture_output=True, text=True, check=True)
                self.assertIn(words, json.loads(done.stdout)["error"]["message"])
        self.assertEqual(self.services(), [])


if __name__ == "__main__":
    sys.exit(harness.main())
