#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pd hook: prompts of real shells, on terminals, that explain a refused bind."""
import os
import shutil
import stat
import subprocess
import sys

import harness
from harness import DONE, NO_DAEMON, NOBODY, NOT_ALLOWED, WRONG, needs_root
from terminal import Terminal

SHELLS = {
    "bash": (["bash", "--norc", "-i"], 'PS1=; eval "$(pd hook bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'PS1= PROMPT_SP=; eval "$(pd hook zsh)"'),
    "fish": (["fish", "-N", "-i"],
             "function fish_prompt; end; function fish_greeting; end; pd hook fish | source"),
}
# Is refused a port, and ends with a code once the daemon has heard of it: a slow machine's daemon
# may be behind a fast prompt.
REFUSED = """
import socket, sys, time
path, port, code = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
before = open(path).read().split()[0]
s = socket.socket()
try:
    s.bind(("127.0.0.1", port))
except OSError:
    pass
end = time.monotonic() + 30
while open(path).read().split()[0] == before and time.monotonic() < end:
    time.sleep(0.002)
sys.exit(code)
"""


class HookTest(harness.RefusalTest):
    def setUp(self):
        super().setUp()
        self.server = self.http_server(self.port)
        self.script = os.path.join(self.work, "refused.py")
        with open(self.script, "w", encoding="utf-8") as f:
            f.write(REFUSED)

    def terminal(self, shell, before="", after=""):
        if not shutil.which(SHELLS[shell][0][0]):
            self.skipTest(f"{shell} is not installed")
        argv, setup = SHELLS[shell]
        env = {**self.daemon.env, "HOME": self.work, "TERM": "xterm",
               "PATH": os.path.dirname(self.daemon.pd_program) + ":" + harness.BASE_ENV["PATH"]}
        terminal = Terminal(self, argv, env)
        terminal.type(f"{before}{setup}{after}; echo rea''dy")
        terminal.wait_for("ready\n")
        return terminal

    def refuse_at(self, terminal, code):
        terminal.type(f"{harness.PYTHON} {self.script} $__pd_file {self.port} {code}; ")

    def say(self, terminal, word, command=""):
        """What is shown until a word that a later command prints."""
        terminal.type(f"{command}echo {word[0]}''{word[1:]}")
        return terminal.wait_for(word + "\n")

    def explained(self, terminal, code=3):
        self.refuse_at(terminal, code)
        shown = terminal.wait_for(f"pd: kill {self.server.pid}")
        self.assertRegex(shown, rf"pd: Port {self.port} .*python3 \(pid {self.server.pid}\)")

    def check(self, shell):
        terminal = self.terminal(shell)
        self.explained(terminal)
        # once for each refusal, whatever fails later
        self.assertNotIn("pd:", self.say(terminal, "one", "false\r"))
        self.assertNotIn("pd:", self.say(terminal, "two", "false\r"))
        # a command that was refused a port and went on well has found another one
        self.refuse_at(terminal, 0)
        self.assertNotIn("pd:", self.say(terminal, "three"))
        self.assertNotIn("pd:", self.say(terminal, "four", "false\r"))
        # another terminal's is none of ours
        pid = self.refuse([harness.PYTHON, "-m", "http.server", str(self.port)])
        self.recorded("--pid", str(pid), pid=pid)
        self.assertNotIn("pd:", self.say(terminal, "five", "false\r"))
        # what the user sees of the last command's code is that command's
        status = "$status" if shell == "fish" else "$?"
        self.assertIn("code 3", self.say(
            terminal, "six", f"{harness.PYTHON} {self.script} $__pd_file {self.port} 3\r"
            f"echo code {status}\r"))
        return terminal

    def test_a_prompt_of_bash_explains_each_refusal_of_its_terminal_once(self):
        terminal = self.check("bash")
        # the next daemon goes on with the same file
        self.daemon.restart()
        self.explained(terminal)

    def test_a_prompt_of_zsh_explains_each_refusal_of_its_terminal_once(self):
        self.check("zsh")

    def test_a_prompt_of_fish_explains_each_refusal_of_its_terminal_once(self):
        self.check("fish")

    def test_bash_keeps_what_else_its_prompt_runs_and_the_code_that_this_sees(self):
        # as starship does it
        starship = ("starship_precmd() { STATUS=$?; PS1=; echo \"<$STATUS>\"; back $STATUS; "
                    "eval \"$KEPT\"; }; back() { return $1; }; KEPT=${PROMPT_COMMAND-}; PROMPT_COMMAND=starship_precmd; ")
        for before, after, expected in (
                ("PROMPT_COMMAND='echo \"<$?>\"'; ", "", ["<3>"]),
                ("PROMPT_COMMAND=('echo \"<$?>\"' 'echo \"{$?}\"'); ", "", ["<3>", "{3}"]),
                (starship, "", ["<3>"]), ("", "; " + starship.rstrip("; "), ["<3>"]),
                ("PROMPT_COMMAND='echo \"<$?>\"'; ", '; eval "$(pd hook bash)"', ["<3>"])):
            with self.subTest(before=before, after=after):
                terminal = self.terminal("bash", before, after)
                self.explained(terminal)
                for word in expected:
                    terminal.wait_for(word)
                self.assertEqual(terminal.shown().count("pd: Port"), 1)
                terminal.type("trap -p DEBUG; echo nothing el''se")
                self.assertNotIn("trap", terminal.wait_for("nothing else").replace("trap -p", ""))

    def test_a_hostile_file_is_no_command_and_holds_no_prompt(self):
        for shell in SHELLS:
            terminal = self.terminal(shell)
            path = self.say(terminal, "path", "echo $__pd_file\r").split("\n")
            path = next(line for line in path if line.startswith("/"))
            for text in ("0000000007 $(touch hacked)\n", "7 7;touch hacked\n", "`touch hacked`\n",
                         "7 --help\n", "x" * 100000, "\0\n", ""):
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
                self.assertNotIn("usage", self.say(terminal, "next", "false\r"))
            os.unlink(path)
            os.mkfifo(path)
            self.say(terminal, "fifo", "false\r")
            self.assertFalse(os.path.exists(os.path.join(self.work, "hacked")))
            os.unlink(path)
            terminal.discard()

    @needs_root
    def test_a_file_is_its_users_alone(self):
        def file_of(uid):
            return self.daemon.json("hook", "bash", uid=uid)["file"]
        paths = {uid: file_of(uid) for uid in (0, NOBODY)}
        self.assertNotEqual(*paths.values())
        directory = os.path.dirname(paths[0])
        self.assertEqual(stat.S_IMODE(os.stat(directory).st_mode), 0o711)
        listing = subprocess.run(["ls", directory], capture_output=True, check=False,
                                 **harness.becoming(NOBODY))
        self.assertNotEqual(listing.returncode, 0)
        read = subprocess.run(["cat", paths[NOBODY]], capture_output=True, check=False,
                              **harness.becoming(NOBODY))
        self.assertEqual(read.returncode, DONE)
        # and what another user's daemon says is evaluated by nobody else
        other = self.start_daemon("--no-bpf", uid=NOBODY)
        self.assertEqual(other.run("hook", "bash").code, NOT_ALLOWED)
        self.assertEqual(other.run("hook", "bash", uid=NOBODY).code, DONE)

    def test_without_a_daemon_none_is_started_and_nothing_is_evaluated(self):
        answer = self.daemon.run("hook", "bash", env={"PORT_DADDY_HOME": self.work,
                                                      "PORT_DADDY_NO_AUTOSTART": "0"})
        self.assertEqual((answer.code, answer.out), (NO_DAEMON, ""))
        self.assertIn("pd daemon start", answer.err)
        self.assertEqual(self.daemon.run("hook", "tcsh").code, WRONG)


if __name__ == "__main__":
    sys.exit(harness.main())
