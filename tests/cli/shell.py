# SPDX-License-Identifier: MIT
"""A shell that types what a person would, and keeps its variables and its background jobs."""
import os
import signal
import subprocess

import harness


class Shell:
    """One interactive hour in bash: variables and background jobs stay."""

    def __init__(self, daemon, directory, uid=None):
        env = {**daemon.env, "PATH": os.path.dirname(daemon.pd_program) + ":"
               + daemon.env["PATH"], "PORT_DADDY_SESSION": ""}
        options = {} if uid is None else harness.becoming(uid)
        self.process = subprocess.Popen(["bash", "--norc"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                                        cwd=directory, text=True, encoding="utf-8",
                                        start_new_session=True, **options)

    def type(self, command):
        """Its output, and its exit code."""
        self.process.stdin.write(f"{command}\nset -- $?; echo; echo \"--done-- $1\"\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith("--done-- "):
                code = int(line.split()[1])
                return "".join(lines).removesuffix("\n"), code
            lines.append(line)
        raise AssertionError(f"the shell ended at: {command}\n{''.join(lines)}")

    def close(self):
        """Ends it, and what it left in the background."""
        self.process.stdin.close()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(harness.DEADLINE_S)
        self.process.stdout.close()
