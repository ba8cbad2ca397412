#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd completion: what Tab shows, in real shells on a real terminal; and the manual's pages."""
import os
import subprocess
import sys

import harness
from harness import ATTEMPTS, DONE, WRONG
from terminal import Terminal

NAME = "shop:Api_1.x-y"  # each character that a part of a name may have
SHELLS = {
    "bash": (["bash", "--norc", "-i"], "PS1=; eval \"$(pd completion bash)\""),
    "zsh": (["zsh", "-f", "-i"],
            "PS1= PROMPT_SP=; autoload -U compinit; compinit -D; eval \"$(pd completion zsh)\""),
    "fish": (["fish", "-N", "-i"],
             "function fish_prompt; end; function fish_greeting; end; pd completion fish | source"),
}
# In the shells' PATH: completes as pd does, and else shows what it was called with.
WRAPPER = """#!/bin/sh
[ "$1" != completion ] || exec {pd} "$@"
printf '<%s>' "$@"
echo
"""
PROGRAM = "pd-tests-own-program"


class CompletionTest(harness.PortDaddyTest):
    def candidates(self, *words, **options):
        """{word: about} of what fits as the last of the words behind pd."""
        answer = self.daemon.run("completion", "bash", "--", *words, **options)
        self.assertEqual((answer.code, answer.err), (DONE, ""))
        return dict(line.split("\t") for line in answer.out.splitlines())

    # --- a shell ---

    def executable(self, name, text):
        path = os.path.join(self.work, "bin", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o755)

    def terminal(self, shell):
        argv, setup = SHELLS[shell]
        self.executable("pd", WRAPPER.format(pd=self.daemon.pd_program))
        self.executable(PROGRAM, "#!/bin/sh\n")
        env = {**self.daemon.env, "HOME": self.work, "TERM": "xterm", "XDG_DATA_DIRS": self.work,
               "PATH": f"{self.work}/bin:{harness.BASE_ENV['PATH']}"}
        terminal = Terminal(self, argv, env)
        terminal.type(f"{setup}; echo rea''dy")
        terminal.wait_for("ready")
        return terminal

    def listened_port(self):
        """One that is listened on here and that its first digits complete to: somebody else's on
        this machine may begin with the same."""
        for _ in range(ATTEMPTS):
            port = harness.free_port()
            server = self.http_server(port)
            if set(self.candidates("why", str(port)[:-1])) == {str(port)}:
                return str(port)
            server.kill()
        raise AssertionError("each port has a neighbour")

    def check_shell(self, shell):
        """Types the beginning of each line and Tab, and looks what pd is called with."""
        self.daemon.claim(NAME)
        self.daemon.pd("lock", "db-migrations", "--ttl", "1h", "--holder", "me")
        port = self.listened_port()
        begin = NAME[:NAME.index(":") + 2]
        terminal = self.terminal(shell)
        for typed, called in ((f"pd fin", "find"),
                              (f"pd find sho", f"find {NAME}"),
                              (f"pd find {begin}", f"find {NAME}"),
                              (f'pd find "{begin}', f"find {NAME}"),
                              (f"pd release 'sho", f"release {NAME}"),
                              (f"pd why {port[:-1]}", f"why {port}"),
                              (f"pd find :{port[:-1]}", f"find :{port}"),
                              ("pd unlock db-", "unlock db-migrations"),
                              ("pd log --filter db-", "log --filter db-migrations"),
                              ("pd find --status=gh", "find --status=ghost"),
                              ("pd note 'two words' --ses", "note|two words|--session"),
                              ("pd session star", "session start"),
                              ("pd find nobody-has-this", "find nobody-has-this"),
                              (f"pd run a:b -- {PROGRAM[:-3]}", f"run a:b -- {PROGRAM}")):
            words = called.split("|" if "|" in called else " ")
            terminal.type(f"{typed}\t")
            terminal.wait_for("".join(f"<{word}>" for word in words))

    def test_bash_completes_on_a_terminal(self):
        self.check_shell("bash")

    def test_zsh_completes_on_a_terminal(self):
        self.check_shell("zsh")

    def test_fish_completes_on_a_terminal(self):
        self.check_shell("fish")

    # --- what pd offers ---

    def test_every_command_and_every_option_of_the_table_is_offered(self):
        table = self.daemon.json("help")
        self.assertEqual(self.candidates(""), {c["name"]: c["summary"] for c in table["commands"]})
        for c in table["commands"]:
            self.assertEqual(set(self.candidates(c["name"], "--")),
                             {f"--{o['name']}" for o in c["options"] + table["options"]}, c["name"])

    def test_place_in_the_line_says_what_fits(self):
        self.daemon.claim("shop:web")
        session = self.daemon.json("session", "start", "Building checkout")["id"]
        self.daemon.pd("lock", "deploy", "--ttl", "1h", "--holder", "me")
        self.write(".portdaddyrc", '{"project": "mine", "services": {"api": {}}}')
        for line, expected in (("find api", {"api": "mine:api"}),
                               ("find shop:", {"shop:web"}),
                               ("down ", {"api": "mine:api"}),
                               ("find --status=acti", {"--status=active"}),
                               ("find --status acti", {"active"}),
                               ("daemon re", {"restart", "restore"}),
                               ("session ", {"start", "end"}),
                               ("session end --session ", {session: "Building checkout"}),
                               ("session start ", set()),
                               ("lock --status ", {"deploy": "me"}),
                               ("lock deploy --wait --tt", {"--ttl"}),
                               ("find --all --al", set()),
                               ("log CLAIM dep", {"deploy": "me"}),
                               ("log --filter dep", {"deploy": "me"}),
                               ("--color al", {"always"}),
                               ("claim --ttl ", set()),
                               ("stop --grace ", set())):
            found = self.candidates(*line.split(" "), cwd=self.work)
            self.assertEqual(found if isinstance(expected, dict) else set(found), expected, line)
        answer = self.daemon.run("completion", "zsh", "--", "with-lock", "deploy", "--", "ls", "")
        self.assertEqual(answer.out, "-- 4\n")

    def test_without_a_daemon_it_is_silent_and_starts_none(self):
        env = {"PORT_DADDY_HOME": os.path.join(self.work, "none"), "PORT_DADDY_NO_AUTOSTART": ""}
        for words in (["find", ""], ["why", ""], ["lock", ""], ["log", ""]):
            self.assertEqual(self.candidates(*words, env=env), {})
        self.assertFalse(os.path.exists(env["PORT_DADDY_HOME"]))

    def processor_s(self, *words):
        """What a Tab costs; how long it takes depends on who else has the processor."""
        process = subprocess.Popen([harness.PLAIN_PD, "completion", "bash", "--", *words],
                                   env=self.daemon.env, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, DONE)
        return usage.ru_utime + usage.ru_stime

    def test_tab_takes_less_than_10_ms_of_the_processor(self):
        self.daemon.pd("claim", "shop:web")
        for kind in ("find", "why", "log"):
            best = min(self.processor_s(kind, "") for _ in range(ATTEMPTS))
            self.assertLess(best, 0.010 * harness.SCALE, kind)

    def test_shell_that_is_not_known_is_named(self):
        answer = self.daemon.run("completion", "tcsh", code=WRONG)
        self.assertIn("'tcsh' is no shell that is known here: bash, zsh, fish", answer.err)


if __name__ == "__main__":
    sys.exit(harness.main())
