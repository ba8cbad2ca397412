#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The first remedy of `pd why`, followed literally: the port is free and stays so, and everything else
still runs; or it is said what would be hit.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys

import harness
from harness import PYTHON, needs_root, wait_until
from remedies import LISTENER, RemedyTest, starts_a_server


class TunnelTest(RemedyTest):
    """Stand-ins: a program named ssh that listens, and writes a title over its arguments or not."""

    def ssh(self, *arguments):
        return self.tree([self.named("ssh", LISTENER.format(more="")), *arguments])

    def test_tunnel_of_ssh_is_called_that_with_where_it_goes(self):
        ssh = self.ssh("-N", "-L", f"127.0.0.1:{self.port}:db.internal:5432", "bastion")
        self.wait_listening_on(self.port)
        answer = self.why()
        self.assertIn(f"an ssh tunnel: ssh -L 127.0.0.1:{self.port}:db.internal:5432",
                      answer["summary"])
        self.assertEqual(self.first(answer)["kills"], [ssh.pid])
        if harness.IS_ROOT:
            stranger = self.why(uid=harness.NOBODY)
            self.assertIn("an ssh tunnel", stranger["summary"])
            self.assertNotIn("db.internal", str(stranger), "where it goes is its user's business")
        self.is_freed_by(self.first(answer))

    def shared(self, control, *arguments):
        """As an ssh that went into the background: its arguments are gone from /proc by now."""
        program = self.named("ssh", f"""
import ctypes, socket, time
s = socket.create_server(("127.0.0.1", {self.port}))
time.sleep(0.5)
with open("/proc/self/stat") as f:
    fields = f.read().rpartition(")")[2].split()
begin, end = int(fields[45]), int(fields[46])
title = b"ssh: {control} [mux]"
assert end - begin > len(title)
ctypes.memset(begin, 0, end - begin)
ctypes.memmove(begin, title, len(title))
while True:
    time.sleep(1)
""")
        return self.tree([program, *arguments, "a-host-with-a-name-that-leaves-room-for-a-title"])

    def test_forward_in_a_shared_connection_is_closed_alone(self):
        self.need_bpf("nobody hears when it begins to listen")
        spec = f"{self.port}:localhost:9"
        ssh = self.shared("/tmp/cm it", "-L", spec)
        self.wait_listening_on(self.port)
        answer = wait_until(lambda: self.why() if "ControlMaster" in self.why()["summary"] else None,
                            "it shares its connection")
        remedy = self.first(answer)
        self.assertEqual(remedy["command"],
                         f"ssh -S '/tmp/cm it' -O cancel -L {spec} localhost")
        self.assertEqual(remedy["kills"], [])
        self.assertFalse([r for r in answer["remedies"] if ssh.pid in r["kills"]])

    def sshd(self, port):
        """The real server, with keys of its own; who connects with the options gets root's shell."""
        for name in "host", "key":
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name],
                           cwd=self.work, check=True)
        os.makedirs("/run/sshd", exist_ok=True)
        self.write("sshd.conf", f"HostKey {self.work}/host\n"
                   f"AuthorizedKeysFile {self.work}/key.pub\nStrictModes no\nUsePAM no\n"
                   f"PidFile none\nListenAddress 127.0.0.1:{port}\n")
        server = self.tree([shutil.which("sshd"), "-D", "-e", "-f", f"{self.work}/sshd.conf"])
        self.wait_listening_on(port)
        return server, ["ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o",
                        "UserKnownHostsFile=/dev/null", "-i", f"{self.work}/key", "-p", str(port),
                        "root@127.0.0.1"]

    @needs_root
    def test_remote_forward_of_ssh_is_ended_by_its_session_and_not_by_who_sits_in_it(self):
        if not shutil.which("sshd"):
            self.skipTest("no sshd here")
        server, ssh = self.sshd(self.other)
        forward = ["-o", "ExitOnForwardFailure=yes", "-R", f"127.0.0.1:{self.port}:127.0.0.1:9"]
        inside = self.tree([*ssh, *forward, f"PORT_DADDY_HOME={self.daemon.home} "
                            f"{self.daemon.pd_program} why {self.port} | tr -s ' \\n' ' '"])
        said = inside.output()
        self.assertIn("is what this shell runs under", said)
        self.assertNotIn(" kill ", said.partition("What to do")[2])
        wait_until(lambda: starts_a_server(self.port), "that session has ended")
        client, bystander = self.tree([*ssh, "-N", *forward]), self.tree([*ssh, "-N"])
        self.wait_listening_on(self.port)
        answer = self.why()
        self.assertIn("a tunnel of an ssh client elsewhere (ssh -R)", answer["summary"])
        self.assertEqual(self.first(answer)["kills"], [answer["holders"][0]["pid"]],
                         "who starts a session for each client is no supervisor")
        self.is_freed_by(self.first(answer), stays_s=0)
        self.assertNotEqual(client.wait(), 0)
        self.assertIsNone(bystander.process.poll(), "another session goes on")
        self.assertIsNone(server.process.poll(), answer["remedies"])

    def test_server_of_an_editor_is_not_killed(self):
        place = os.path.join(self.work, ".vscode-server", "bin")
        os.makedirs(place)
        script = os.path.join(place, "server.py")
        with open(script, "w", encoding="ascii") as f:
            f.write(LISTENER.format(more=""))
        self.tree([PYTHON, script])
        self.wait_listening_on(self.port)
        answer = self.why()
        self.assertIn("editor", answer["summary"])
        self.assertEqual([r["command"] for r in answer["remedies"]], [None, "pd claim NAME"])


# An old server that has closed its listener and still speaks with one client, who is the test.
CLOSES = """
client, _ = sockets[0].accept()
sockets[0].close()
"""
LEAVES_IT_TO_A_WORKER = """
client, _ = sockets[0].accept()
sockets[0].close()
if os.fork():
    os._exit(0)
os.setsid()
"""
HANDS_IT_ON = """
client, _ = sockets[0].accept()
os.set_inheritable(client.fileno(), True)
os.execv(sys.executable, [sys.executable, "-c",
    "import socket\\ns = socket.socket(fileno=%d)\\nwhile s.send(s.recv(9)): pass" % client.fileno()])
"""
ECHO = """
while client.send(client.recv(9)):
    pass
os._exit(0)
"""


class BesideItTest(RemedyTest):
    """What is on the same number and not in the way goes on."""

    def drains(self, how):
        """A client of an old server that drains; its connection."""
        self.tree([PYTHON, "-c", LISTENER.format(more=how + ECHO)])
        self.wait_listening()
        return socket.create_connection(("127.0.0.1", self.port))

    def wait_listening(self):
        wait_until(lambda: not starts_a_server(self.port), "somebody listens")

    def test_new_server_is_stopped_and_the_old_one_finishes_its_connection(self):
        for how in CLOSES, LEAVES_IT_TO_A_WORKER, HANDS_IT_ON:
            client = self.drains(how)
            wait_until(lambda: starts_a_server(self.port), "the old one does not listen any more")
            new = self.tree([PYTHON, "-c", LISTENER.format(more="")])
            self.wait_listening()
            answer = self.why()
            self.assertEqual([h["pid"] for h in answer["holders"]], [new.pid], answer)
            self.assertEqual((self.first(answer)["kills"], self.first(answer)["alsoHits"]),
                             ([new.pid], []))
            self.is_freed_by(self.first(answer), stays_s=0)
            client.send(b"there?")
            self.assertEqual(client.recv(9), b"there?", how)
            client.close()

    def udp_is_free(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind(("0.0.0.0", self.port))
            except OSError:
                return False
        return True

    def test_udp_server_is_stopped_and_tcp_on_its_number_goes_on(self):
        tcp = self.tree([PYTHON, "-c", LISTENER.format(more="")])
        self.wait_listening()
        server = self.write("dns.py", "import socket, time\ns = socket.socket(type=socket.SOCK_DGRAM)"
                            f"\ns.bind(('127.0.0.1', {self.port}))\ntime.sleep(1000)\n")
        for argv, kind in ([PYTHON, server], None), \
                (["sh", "-c", f"while true; do {PYTHON} {server}; done"], "a shell loop"):
            child = self.tree(argv)
            wait_until(lambda: not self.udp_is_free(), "UDP is taken")
            answer = self.why("--udp")
            self.assertEqual((answer["restartedBy"] or {}).get("kind"), kind)
            self.assertEqual(self.first(answer)["alsoHits"], [])
            self.follow(self.first(answer))
            child.wait()  # the loop, too: nobody starts another one
            wait_until(self.udp_is_free, "the UDP port is free")
        self.assertIsNone(tcp.process.poll())
        self.assertTrue(self.listens(self.port))


class HarmTest(RemedyTest):
    def serve(self, *ports, more=""):
        child = self.tree([PYTHON, "-c", LISTENER.format(more=more)],
                          env={**self.env, "PORTS": " ".join(map(str, ports))})
        self.wait_listening_on(*ports)
        return child

    def test_other_ports_of_the_holder_are_named_and_listed(self):
        server = self.serve(self.port, self.other)
        remedy = self.first()
        self.assertEqual(remedy["kills"], [server.pid])
        self.assertEqual(remedy["alsoHits"],
                         [{"pid": server.pid, "comm": "python3", "ports": [self.other]}])
        self.assertIn(f"also ends port {self.other} of python3 ({server.pid})", remedy["text"])
        self.is_freed_by(remedy)

    def test_server_of_one_port_hits_nothing_else(self):
        self.serve(self.port)
        self.assertEqual(self.first()["alsoHits"], [])
        self.is_freed_by(self.first())

    def test_server_that_ignores_sigterm_is_killed_outright(self):
        server = self.serve(self.port, more="import signal\n"
                            "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
        remedy = wait_until(lambda: self.first() if "KILL" in self.first()["command"] else None,
                            "it ignores SIGTERM")
        self.assertEqual(remedy["command"], f"kill -KILL {server.pid}")
        self.assertIn("lost", remedy["text"])
        self.is_freed_by(remedy)

    def test_server_that_catches_sigterm_may_need_more(self):
        self.serve(self.port, more="import signal\n"
                   "signal.signal(signal.SIGTERM, lambda *_: None)")
        wait_until(lambda: "kill -KILL" in self.first()["text"], "what comes after SIGTERM")

    def test_sigterm_that_had_no_effect_is_not_advised_again(self):
        self.need_bpf("signals are not seen")
        server = self.serve(self.port, more="import signal\n"
                            "signal.signal(signal.SIGTERM, lambda *_: None)")
        wait_until(lambda: "kill -KILL" in self.first()["text"], "it catches SIGTERM by now")
        self.assertEqual(self.first()["command"], f"kill {server.pid}")
        os.kill(server.pid, signal.SIGTERM)
        remedy = wait_until(lambda: next((r for r in self.why()["remedies"][:1]
                                          if "SIGTERM" in r["text"]), None), "the signal is told")
        self.assertRegex(remedy["text"], rf"^wait: .* kill -KILL {server.pid}, which loses")
        self.assertEqual((remedy["command"], remedy["kills"]), (None, []))
        remedy = wait_until(lambda: next((r for r in self.why()["remedies"][:1] if r["command"]),
                                         None), "it had its time")
        self.assertEqual(remedy["command"], f"kill -KILL {server.pid}")
        self.assertRegex(remedy["text"], "was sent SIGTERM [0-9]+s ago and has not ended: .* lost")
        self.is_freed_by(remedy)

    def test_holder_that_the_asker_runs_under_is_not_killed_first(self):
        code = LISTENER.format(more="import subprocess\nsys.stdout.write(subprocess.run("
                               "['sh', '-c', os.environ['ASK'] + '; true'], "
                               "capture_output=True, text=True).stdout)\nsys.exit()")
        child = self.spawn([PYTHON, "-c", code], env={
            **self.daemon.env, "PORTS": str(self.port),
            "ASK": f"{self.daemon.pd_program} why {self.port}"})
        text = " ".join(child.output().split())
        self.assertIn(f"python3 (pid {child.pid}) is what this shell runs under", text)
        self.assertNotIn(f"kill {child.pid}", text)

    def imitate_pm2(self, title):
        """A server below a process that says that it is pm2's daemon."""
        code = (f"import os, subprocess, sys\nopen('/proc/self/comm', 'w').write('PM2 v6.0: God')\n"
                f"subprocess.call([{PYTHON!r}, '-c', {LISTENER.format(more='')!r}])")
        imitation = self.tree([title, "-c", code], executable=PYTHON)
        self.wait_listening_on(self.port)
        return imitation

    def restarted_by(self, supervisor):
        """The answer about the port, once it names the one that starts the holder again."""
        answer = self.why()
        return answer if (answer["restartedBy"] or {}).get("pid") == supervisor.pid else None

    def test_command_made_of_hostile_names_runs_nothing_of_them(self):
        mark = os.path.join(self.work, "mark")
        # the real one would start a daemon of its own, which nobody ends
        self.write("programs/pm2", "#!/bin/sh\n", 0o755)
        for hostile in (f"/tmp/x'; touch {mark}; '", f"/tmp/$(touch {mark})", f"/tmp/`touch {mark}`",
                        f"/tmp/x\n touch {mark}\n", "/tmp/\x1b[2J", f"/tmp/x\" ; touch {mark} #"):
            imitation = self.imitate_pm2(f"PM2 v6.0: God Daemon ({hostile})")
            answer = wait_until(lambda i=imitation: self.restarted_by(i), "it is named")
            for remedy in answer["remedies"]:
                if remedy["command"] and remedy["command"] != "pd claim NAME":
                    self.assertNotRegex(remedy["command"], r"[\x00-\x1f\x7f]")
                    self.follow(remedy)
            self.assertFalse(os.path.exists(mark), answer["remedies"])
            self.end_session(imitation.pid)
            imitation.wait()

    def test_program_that_calls_itself_pm2_stops_nothing_in_the_real_one(self):
        self.write("programs/pm2", f"#!/bin/sh\necho \"$#:$2\" > {self.work}/stopped\n", 0o755)
        os.makedirs(f"{self.work}/real/pids")
        self.write("real/pids/web-0.pid", "1")
        self.imitate_pm2(f"PM2 v6.0: God Daemon ({self.work}/real)")
        self.follow(self.first())
        with open(f"{self.work}/stopped", encoding="ascii") as f:
            self.assertEqual(f.read(), "2:\n", "no name is found: nothing is stopped")


if __name__ == "__main__":
    sys.exit(harness.main())
