#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The JSON Schemas of scripts/packaging/schema are what pd prints, and what it reads."""
import copy
import json
import os
import sys

import jsonschema

import harness
from harness import CONFLICT, DONE, NO, WRONG, wait_until

NO_OBJECT = ("/v1/events", "/v1/activity", "/v1/health", "/metrics")  # lines, and a text
SCHEMAS = os.path.join(harness.ROOT, "scripts/packaging/schema")
RC = """{
  // as the page portdaddyrc(5) has it
  "project": "shop",
  "services": {
    "web": { "healthPath": "/", "cmd": "true", "needs": ["api"] },
    "api": {},
  },
}
"""


def load(name):
    with open(os.path.join(SCHEMAS, name), encoding="utf-8") as f:
        return json.load(f)


def closed(schema):
    """The same without room for members that it does not name."""
    if isinstance(schema, dict):
        schema = {key: closed(value) for key, value in schema.items()}
        if "properties" in schema and schema.get("additionalProperties") is not True:
            schema.setdefault("additionalProperties", False)
    elif isinstance(schema, list):
        schema = [closed(value) for value in schema]
    return schema


class SchemaTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.schema = load("pd.schema.json")
        self.checked = set()

    def check(self, name, *arguments, code=DONE, **options):
        """Asks pd, and holds what it prints to the definition of that name."""
        options.setdefault("cwd", self.work)
        answer = self.daemon.json(*arguments, code=code, **options)
        return self.hold(name, answer, f"pd {' '.join(arguments)} -j")

    def hold(self, name, answer, asked):
        """Holds an answer to the definition of that name."""
        fault = self.fault_of(answer, self.schema, name)
        if fault:
            raise AssertionError(f"{asked}: {fault}\n{json.dumps(answer)[:2000]}")
        # one that is not described yet breaks nobody who passes over what is new
        fault = self.fault_of(answer, closed(self.schema), name)
        if fault:
            print(f"#= {asked}: {fault}")
        self.checked.add(name)
        return answer

    @staticmethod
    def fault_of(answer, schema, name):
        fault = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(
            {**schema, "$ref": f"#/$defs/{name}"}).iter_errors(answer))
        return fault and f"at /{'/'.join(map(str, fault.absolute_path))}: {fault.message}"

    def test_every_answer_is_as_its_schema_says(self):
        jsonschema.Draft202012Validator.check_schema(self.schema)
        self.write(".portdaddyrc", RC)
        self.check("error", "claim", "a:b:c:d", code=WRONG)
        self.check("claim", "claim")
        port = self.check("claim", "claim", "demo:web", "--ttl", "1h")["port"]
        free = str(harness.free_port())
        self.check("why", "why", free)
        server = self.http_server(port)
        self.check("find", "find")
        self.check("find", "find", "demo:web")
        self.check("find-all", "find", "--all")
        self.check("find", "find", "no:such", code=NO)
        self.check("why", "why", str(port), code=NO)
        self.check("error", "claim", "other:web", "-p", str(port), code=CONFLICT)
        if self.daemon.uses_bpf():
            second = self.spawn([harness.PYTHON, "-m", "http.server", str(port)])
            second.wait()
            # anybody's refusals may be the newest of the machine
            mine = ("why", "--pid", str(second.pid))
            wait_until(lambda: (self.daemon.json(*mine, code=None).get("asked") or {}).get(
                "pid") == second.pid, "the refusal is known")
            self.check("why", *mine, code=NO)
            self.check("why", *mine, "--last", "2", code=None)
        self.check("health", "health", code=None)
        self.check("health", "health", "demo:web")
        self.check("status", "status")
        self.check("locks", "locks")
        self.check("lock", "lock", "one", "--ttl", "1h", "--holder", "me")
        self.check("locks", "locks")
        self.check("lock-status", "lock", "--status", "one")
        self.check("unlock", "unlock", "one", "--force")
        session = self.check("session-start", "session", "start", "Building")["id"]
        self.check("note", "note", "begun", "--session", session)
        self.check("sessions", "sessions")
        self.check("notes", "notes", session)
        self.check("session-end", "session", "end", "done", "--session", session)
        self.check("log", "log")
        run = self.spawn([self.daemon.pd_program, "run", "demo:run", "-q", "--", "sleep", "1000"],
                         env=self.daemon.env)
        wait_until(lambda: self.daemon.json("ps")["runs"], "the run is known")
        self.check("ps", "ps")
        self.check("stop", "stop", "demo:run", "--dry-run")
        self.check("stop", "stop", "demo:run", "-y")
        run.wait()
        self.check("wait", "wait", f":{port}", "--timeout", "30s")
        server.kill()
        self.daemon.wait_status("demo:web", "ghost")
        self.check("health", "health", "demo:web", code=NO)
        self.check("find", "find")
        self.check("cleanup", "cleanup", "--dry-run")
        self.check("release", "release", "demo:*")
        self.check("metrics", "metrics")
        self.check("metrics", "metrics", "--slow")
        self.check("hook", "hook", "bash")
        self.check("completion", "completion", "bash")
        self.check("daemon", "daemon", "start")
        self.check_what_starts_programs()
        for name in sorted(set(self.schema["x-commands"]) - self.checked):
            self.check(name, name)  # of the others there is nothing to choose
        described = set(self.schema["x-commands"]) | set(self.schema["x-lines"])
        self.assertEqual(described, self.checked - {"error"})

    def check_what_starts_programs(self):
        """Their -j is wanted before the --, behind which it would be the program's."""
        watch = self.pd_stream("watch", "up:*", "-j")
        run = self.hold("run", self.ask("run", "demo:run", "-j", "--", "false", code=NO),
                        "pd run -j")
        self.assertEqual(run["exitCode"], 1)
        self.hold("with-lock", self.ask("with-lock", "-j", "one", "--", "true"), "pd with-lock -j")
        words = self.hold("completion-words", self.ask("completion", "bash", "-j", "--", "find",
                                                       "demo:"), "pd completion -j")
        self.assertEqual([w["word"] for w in words["words"]], ["demo:run"])
        with open(os.path.join(self.work, ".portdaddyrc"), "w", encoding="utf-8") as f:
            json.dump({"project": "up", "services": {"web": {
                "cmd": f"exec {harness.PYTHON} -m http.server $PORT", "healthPath": "/"}}}, f)
        self.addCleanup(self.daemon.run, "down", cwd=self.work)
        self.check("up", "up", "-d")
        self.check("open", "open", "up:web", env={"BROWSER": "true"})
        for line in self.daemon.pd("logs", "-j", cwd=self.work).splitlines():
            self.hold("logs", json.loads(line), "pd logs -j")
        self.check("down", "down")
        self.daemon.pd("release", "up:web")
        watch.wait_for(lambda line: '"RELEASE"' in line, "the end of it")
        for event in {e["event"]: e for e in map(json.loads, watch.lines)}.values():
            self.hold("watch", event, "pd watch -j")

    def ask(self, *arguments, code=DONE):
        answer = self.daemon.run(*arguments, cwd=self.work)
        self.assertEqual(answer.code, code, answer)
        return json.loads(answer.out)

    def test_each_command_has_a_definition_of_what_it_prints(self):
        commands = {c["name"] for c in self.daemon.json("help")["commands"]}
        described = {*self.schema["x-commands"], *self.schema["x-lines"]}
        self.assertEqual({c for c in commands if not any(
            name == c or name.startswith(f"{c}-") for name in described)}, set())
        self.assertEqual(described - set(self.schema["$defs"]), set())
        listed = [one["$ref"].rpartition("/")[2] for one in self.schema["anyOf"]]
        self.assertEqual(sorted(listed), sorted(described | {"error"}))

    def test_a_portdaddyrc_is_as_its_schema_says(self):
        schema = load("portdaddyrc.schema.json")
        jsonschema.Draft202012Validator.check_schema(schema)
        good = {"project": "shop", "range": "4000-4999", "cleanupAge": "3d",
                "services": {"web": {"healthPath": "/up", "cmd": "npm start", "needs": ["api"]},
                             "api": {"hardcoded": 3000, "protect": False,
                                     "restart": "on-failure", "stopTimeout": "5s"}}}
        bad = [("/project", {"project": "shop:web"}), ("/range", {"range": "4000"}),
               ("/services/a b", {"services": {"a b": {}}}),
               ("/services/web", {"services": {"web": {"healthPath": "up"}}})]
        path = os.path.join(self.work, ".portdaddyrc")
        for place, change in [("", {}), *bad]:
            text = {**copy.deepcopy(good), **change}
            with open(path, "w", encoding="utf-8") as f:
                json.dump(text, f)
            faults = list(jsonschema.Draft202012Validator(schema).iter_errors(text))
            answer = self.daemon.run("claim", cwd=self.work)
            self.assertEqual(bool(faults), bool(place), (text, faults))
            self.assertEqual(answer.code, WRONG if place else DONE, (text, answer))
            if not place:
                self.assertNotIn(".portdaddyrc", answer.err)

    def test_routes_are_listed_by_the_daemon_itself_and_each_is_there(self):
        listed = self.daemon.get("/v1/")["routes"]
        self.assertIn({"method": "GET", "path": "/v1/", "parameters": []}, listed)
        why = next(r for r in listed if r["path"] == "/v1/why")
        self.assertIn({"name": "port", "kind": "port", "required": False}, why["parameters"])
        printed = harness.subprocess.run([self.daemon.program, "--routes"], capture_output=True,
                                         check=True)
        self.assertEqual(json.loads(printed.stdout)["routes"], listed)
        for route in listed:
            if route["method"] == "GET" and route["path"] not in NO_OBJECT:
                answer = self.daemon.get(route["path"])
                self.assertNotEqual(answer.get("error", {}).get("code"), "no_route", route)


if __name__ == "__main__":
    sys.exit(harness.main())
