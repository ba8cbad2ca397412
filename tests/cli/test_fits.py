#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Whose server fits a claim: a container's proxy, one's own below sudo; and who only pretends."""
import os
import shutil
import subprocess
import sys

import harness
from harness import NOBODY, needs_root

OTHER = NOBODY - 1
# The kernel shows that name, and those arguments, of whatever program is started so.
PROXY = ["-proto", "tcp", "-host-ip", "0.0.0.0", "-container-ip", "172.17.0.2",
         "-container-port", "5432"]


@needs_root
class FitsTest(harness.PortDaddyTest):
    def setUp(self):
        super().setUp()
        self.place = os.path.join(self.work, "place")
        os.mkdir(self.place)
        self.port = self.daemon.claim("app:web", "-p", str(harness.free_port()), uid=NOBODY,
                                      cwd=self.place)

    def proxy(self, uid=None, parent="sh"):
        """A listener named docker-proxy, of that user, below a process of that name."""
        program = os.path.join(self.work, "docker-proxy")
        shutil.copy(harness.PYTHON, program)
        launcher = os.path.join(self.work, parent)
        shutil.copy("/bin/sh", launcher)
        code = harness.LISTEN + "s = listener(int(sys.argv[1]), '0.0.0.0')\nready()\nrest()"
        child = self.spawn([launcher, "-c", '"$@"; true', "sh", program, "-u", "-c", code,
                            str(self.port), *PROXY, "-host-port", str(self.port)],
                           cwd="/", uid=uid, start_new_session=True)
        self.assertEqual(child.read_line(), "ready")
        row = self.daemon.service("app:web")
        self.strays += row["pids"]
        return row

    def test_port_that_a_container_engine_publishes_is_active_and_names_the_engine(self):
        self.assertEqual(self.proxy()["status"], "active")
        self.assertIn("container of docker", self.daemon.json("find", "app:web")["services"][0]
                      ["reason"])

    def test_another_user_who_calls_his_program_so_is_a_squatter(self):
        self.assertEqual(self.proxy(uid=OTHER, parent="dockerd")["status"], "squatted")

    def as_sudo_does(self, directory, login=NOBODY):
        """A server of root's below a process of nobody's, which a setuid program started."""
        setuid = os.path.join(self.work, "setuid-sh")
        shutil.copy("/bin/bash", setuid)
        os.chmod(setuid, 0o4755)
        server = f"{harness.PYTHON} -m http.server {self.port}"
        script = (f"echo {login} 2>/dev/null >/proc/self/loginuid; "
                  f"exec setpriv --reuid={login} --regid={login} --clear-groups "
                  f"{setuid} -p -c '{server} & echo $!; wait'")
        child = self.spawn(["/bin/bash", "-c", f"cd {directory} && {script}"],
                           start_new_session=True)
        pid = int(child.read_line())
        self.strays.append(pid)
        harness.wait_until(lambda: harness.listens(self.port, pid), "the server listens")
        return self.daemon.service("app:web")

    def test_server_that_its_own_user_started_through_sudo_is_active(self):
        self.assertEqual(self.as_sudo_does(self.place)["status"], "active")

    def test_server_that_another_user_started_through_sudo_is_a_squatter(self):
        self.assertEqual(self.as_sudo_does(self.place, login=OTHER)["status"], "squatted")

    def test_server_whose_sudo_has_ended_is_still_its_users(self):
        """Where no login is kept, the session tells: its leader is the user's shell."""
        setuid = os.path.join(self.work, "setuid-sh")
        shutil.copy("/bin/bash", setuid)
        os.chmod(setuid, 0o4755)
        server = f"{harness.PYTHON} -m http.server {self.port}"
        child = self.spawn(["/bin/bash", "-c", "echo 4294967295 2>/dev/null >/proc/self/loginuid; "
                            f"exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups bash -c "
                            f"\"{setuid} -p -c '{server} & echo \\$!'; read\""],
                           stdin=subprocess.PIPE, cwd=self.place, start_new_session=True)
        pid = int(child.read_line())
        self.strays.append(pid)
        harness.wait_until(lambda: harness.listens(self.port, pid), "the server listens")
        self.assertEqual(self.daemon.service("app:web")["status"], "active")
        answer = self.daemon.json("why", str(self.port), uid=NOBODY, code=harness.NO)
        self.assertEqual(answer["remedies"][0]["command"], f"sudo kill {pid}")
        self.assertEqual(answer["remedies"][0]["kills"], [pid])

    def test_server_of_roots_that_nobody_started_is_a_squatter(self):
        self.http_server(self.port, cwd=self.place)
        self.assertEqual(self.daemon.service("app:web")["status"], "squatted")


if __name__ == "__main__":
    sys.exit(harness.main())
