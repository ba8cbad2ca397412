# SPDX-License-Identifier: MIT
"""Whom pd believes: whose files it obeys, which names it can do without, which process it ends."""
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import unittest

import harness
from fake_daemon import FakeDaemon
from harness import DONE, FAILED, IS_ROOT, NO, NOBODY, NOT_ALLOWED, WRONG

STRANGER = 65533  # a user beside NOBODY that no account needs to stand for
DAY = 86400


def write(path, text, uid=None, mode=0o644):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)
    if uid is not None:
        os.chown(path, uid, uid)
    return path


class FileTest(harness.PortDaddyTest):
    """self.shared lies above self.own, where the user of self.pd() works."""

    def setUp(self):
        super().setUp()
        self.shared = os.path.join(self.work, "shared")
        self.own = os.path.join(self.shared, "own")
        os.makedirs(self.own)
        self.uid = NOBODY if IS_ROOT else None
        if IS_ROOT:
            os.chown(self.own, NOBODY, NOBODY)

    def pd(self, *arguments, env=None, cwd=None):
        return self.daemon.run(*arguments, uid=self.uid, cwd=cwd or self.own,
                               env={"HOME": "/nonexistent", **(env or {})})

    def rc(self, directory=None, service="evil", **options):
        return write(os.path.join(directory or self.shared, ".portdaddyrc"),
                     json.dumps({"project": "p", "services": {service: {}}}), **options)

    def claimed(self, answer):
        self.assertEqual(answer.code, DONE, answer)
        return {row[0] for row in self.daemon.query("SELECT id FROM services")}

    def assert_passed_over(self, path, *words, **options):
        answer = self.pd("claim", "-q", **options)
        self.assertEqual(self.claimed(answer), {"own"})
        self.assertRegex(answer.out, r"^\d+\n$")
        (line,) = answer.err.splitlines()
        self.assertIn(f"{path} is passed over", line)
        for word in words:
            self.assertIn(word, line)

    def assert_obeyed(self, **options):
        answer = self.pd("claim", "-q", **options)
        self.assertEqual((self.claimed(answer), answer.err), ({"p:evil"}, ""))

    # --- .portdaddyrc: whose it is ---

    @harness.needs_root
    def test_file_of_another_user_is_passed_over_in_one_line(self):
        self.assert_passed_over(self.rc(uid=STRANGER), f"belongs to user {STRANGER}")

    @harness.needs_root
    def test_owner_is_called_by_name_where_there_is_one(self):
        self.uid = STRANGER
        os.chown(self.own, STRANGER, STRANGER)
        self.assert_passed_over(self.rc(uid=NOBODY), "belongs to nobody")

    @harness.needs_root
    def test_unreadable_file_of_another_user_hinders_nothing(self):
        self.assert_passed_over(self.rc(uid=STRANGER, mode=0), f"belongs to user {STRANGER}")

    @harness.needs_root
    def test_own_file_in_the_directory_of_another_user_is_passed_over(self):
        os.chown(self.shared, STRANGER, STRANGER)
        self.assert_passed_over(self.rc(uid=NOBODY), f"directory belongs to user {STRANGER}")

    @harness.needs_root
    def test_search_ends_with_the_directory_of_another_user(self):
        os.chown(self.shared, STRANGER, STRANGER)
        self.rc(self.work, uid=NOBODY)
        answer = self.pd("claim", "-q")
        self.assertEqual((self.claimed(answer), answer.err), ({"own"}, ""))

    @harness.needs_root
    def test_file_of_root_is_obeyed(self):
        self.rc(uid=0)
        self.assert_obeyed()

    @harness.needs_root
    def test_file_of_root_that_nobody_may_read_is_passed_over(self):
        self.assert_passed_over(self.rc(uid=0, mode=0o600), "root")

    @harness.needs_root
    def test_file_of_the_user_is_not_obeyed_by_root_but_under_sudo(self):
        path = self.rc(uid=STRANGER)
        self.uid = None
        os.chown(self.own, 0, 0)
        self.assert_passed_over(path, str(STRANGER))
        self.daemon.pd("release", "own")
        self.assert_obeyed(env={"SUDO_UID": str(STRANGER)})

    # --- .portdaddyrc: who may write it ---

    def test_own_file_is_obeyed(self):
        self.rc(uid=self.uid)
        self.assert_obeyed()

    def test_file_that_everybody_may_write_is_passed_over(self):
        self.assert_passed_over(self.rc(uid=self.uid, mode=0o646), "mode 0646", "chmod go-w")

    @harness.needs_root
    def test_file_that_a_group_of_others_may_write_is_passed_over(self):
        path = self.rc(uid=self.uid, mode=0o664)
        os.chown(path, NOBODY, STRANGER)
        self.assert_passed_over(path, "mode 0664")

    def test_file_in_a_directory_that_everybody_may_write_is_passed_over(self):
        os.chmod(self.shared, 0o777)
        self.assert_passed_over(self.rc(uid=self.uid), "write to its directory (mode 0777")

    def test_own_file_in_a_sticky_directory_is_obeyed(self):
        os.chmod(self.shared, 0o1777)
        self.rc(uid=self.uid)
        self.assert_obeyed()

    @harness.needs_root
    def test_foreign_file_in_a_sticky_directory_does_not_hide_the_one_above(self):
        os.chmod(self.shared, 0o1777)
        path = self.rc(uid=STRANGER)
        self.rc(self.work, uid=NOBODY, service="above")
        answer = self.pd("claim", "-q")
        self.assertEqual(self.claimed(answer), {"p:above"})
        self.assertIn(path, answer.err)

    # --- .portdaddyrc: links, and where the search ends ---

    def test_own_link_to_an_own_file_is_obeyed(self):
        target = self.rc(self.work, uid=self.uid)
        os.rename(target, target + ".real")
        link = os.path.join(self.own, ".portdaddyrc")
        os.symlink(target + ".real", link)
        if IS_ROOT:
            os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        self.assert_obeyed()

    @harness.needs_root
    def test_link_of_another_user_to_an_own_file_is_passed_over(self):
        os.chmod(self.shared, 0o1777)
        target = write(os.path.join(self.work, "real"), '{"services": {"evil": {}}}', NOBODY)
        link = os.path.join(self.shared, ".portdaddyrc")
        os.symlink(target, link)
        os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
        self.assert_passed_over(link, f"belongs to user {STRANGER}")

    @harness.needs_root
    def test_own_link_to_the_file_of_another_user_is_passed_over(self):
        target = write(os.path.join(self.work, "real"), '{"services": {"evil": {}}}', STRANGER)
        link = os.path.join(self.own, ".portdaddyrc")
        os.symlink(target, link)
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        self.assert_passed_over(link, f"belongs to user {STRANGER}")

    def test_file_of_the_home_directory_is_obeyed(self):
        self.rc(uid=self.uid)
        self.assert_obeyed(env={"HOME": self.shared})

    def test_search_ends_at_the_home_directory(self):
        self.rc(uid=self.uid)
        answer = self.pd("claim", "-q", env={"HOME": self.own})
        self.assertEqual((self.claimed(answer), answer.err), ({"own"}, ""))

    @harness.needs_root
    def test_search_ends_before_another_file_system(self):
        self.rc(uid=NOBODY)
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c",
             'mount -t tmpfs tmpfs "$1" && chown "$2:$2" "$1" && cd "$1" && '
             'exec setpriv --reuid="$2" --regid="$2" --clear-groups "$3" claim -q', "sh", self.own,
             str(NOBODY), harness.public_copy(self.daemon.pd_program)],
            env={**self.daemon.env, "HOME": "/nonexistent"}, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (DONE, ""))
        self.assertEqual(self.daemon.query("SELECT id FROM services"), [("own",)])

    # --- .git ---

    def worktree(self, directory, uid=None):
        """A linked worktree on the branch fix, as git writes it."""
        git = os.path.join(self.work, "repository/.git/worktrees/own")
        os.makedirs(git)
        write(os.path.join(git, "commondir"), "../..\n")
        write(os.path.join(git, "HEAD"), "ref: refs/heads/fix\n")
        return write(os.path.join(directory, ".git"), f"gitdir: {git}\n", uid)

    def test_own_worktree_gives_its_branch(self):
        self.worktree(self.own, self.uid)
        answer = self.pd("claim", "-q")
        self.assertEqual((self.claimed(answer), answer.err), ({"repository:dev:fix"}, ""))

    @harness.needs_root
    def test_worktree_of_another_user_is_passed_over(self):
        os.chmod(self.shared, 0o1777)
        self.assert_passed_over(self.worktree(self.shared, STRANGER), str(STRANGER))

    @harness.needs_root
    def test_repository_of_another_user_above_shares_no_session(self):
        os.chmod(self.shared, 0o1777)
        os.mkdir(os.path.join(self.shared, ".git"))
        os.chown(os.path.join(self.shared, ".git"), STRANGER, STRANGER)
        self.assertEqual(self.pd("session", "start", "mine").code, DONE)
        self.assertEqual(self.daemon.query("SELECT cwd FROM sessions"), [(self.own,)])

    # --- cleanupAge ---

    def age(self, *identities):
        for identity in identities:
            self.assertEqual(self.pd("claim", identity, "-q").code, DONE)
        connection = sqlite3.connect(self.daemon.database, timeout=30)
        with connection:
            connection.execute("UPDATE services SET updatedAt = updatedAt - ?", (2 * DAY,))
        connection.close()

    def released(self, *arguments, **options):
        return self.pd("cleanup", "-q", *arguments, **options).out.split()

    def test_age_of_a_file_counts_for_its_own_project_only(self):
        write(os.path.join(self.own, ".portdaddyrc"), '{"project": "shop", "cleanupAge": "1d"}',
              self.uid)
        self.age("shop", "shop:web", "shop:web:fix", "shopping:web", "other:shop")
        self.assertEqual(self.released("--dry-run"), ["shop", "shop:web", "shop:web:fix"])
        self.assertEqual(self.released(), ["shop", "shop:web", "shop:web:fix"])
        self.assertIn("of shop", self.pd("cleanup").out)
        self.assertEqual(self.released("--older-than", "1d"), ["other:shop", "shopping:web"])

    @harness.needs_root
    def test_age_of_another_users_file_releases_nothing(self):
        write(os.path.join(self.shared, ".portdaddyrc"), '{"project": "a", "cleanupAge": "1s"}',
              STRANGER)
        self.age("a:one", "b:two")
        self.assertEqual(self.released(), [])

    def test_daemon_refuses_a_project_that_is_no_name(self):
        for project in ("a:b", "a*", ""):
            with self.subTest(project):
                answer = self.daemon.post("/v1/cleanups", {"project": project})
                self.assertEqual(answer["error"]["code"], "bad_request", answer)
                self.assertIn("no name of a project", answer["error"]["message"])


class NoTextTest(harness.PortDaddyTest):
    """Names of the system are bytes; those that are no text hinder nothing."""

    def setUp(self):
        super().setUp()
        self.odd = os.fsencode(self.work) + b"/latin\xe9"
        os.mkdir(self.odd)

    def done(self, *arguments, **options):
        answer = self.daemon.run(*arguments, cwd=self.odd, **options, code=DONE)
        self.assertNotIn("JSON", answer.err)
        return answer.out

    def test_directory_hinders_no_claim(self):
        self.assertRegex(self.done("claim", "l:a", "-q"), r"^\d+\n$")
        self.assertRegex(self.done("claim", "-q"), r"^\d+\n$")
        with open(self.odd + b"/.portdaddyrc", "w", encoding="ascii") as f:
            f.write('{"project": "p", "services": {"web": {}, "api": {}}}')
        self.assertRegex(self.done("claim", "-q"), r"^\d+\n\d+\n$")

    def test_directory_hinders_no_lock(self):
        self.assertEqual(self.done("with-lock", "m", "--", "echo", "in"), "in\n")
        self.assertIn("locked", self.done("lock", "m"))

    def test_directory_hinders_no_session(self):
        self.done("session", "start", "work")
        self.done("note", "said")
        self.assertIn("said", self.done("notes"))

    def test_name_of_a_program_hinders_no_lock(self):
        program = self.odd + b"/caf\xe9"
        shutil.copy("/bin/true", program)
        self.done("with-lock", "m", "--", program)

    def test_environment_hinders_no_lock(self):
        for name in ("PORT_DADDY_SESSION", "PORT_DADDY_SERVICE"):
            self.done("lock", "m", env={name: "caf\udce9"})

    def test_what_was_typed_is_refused_by_its_name(self):
        for arguments, word in ((("claim", "a:b", "--health", "/caf\udce9"), "UTF-8"),
                                (("lock", "m", "--holder", "caf\udce9"), "--holder"),
                                (("lock", "m", "--holder", ""), "--holder"),
                                (("note", "caf\udce9"), "UTF-8")):
            with self.subTest(arguments):
                answer = self.daemon.run(*arguments, code=WRONG, says=word)
                self.assertNotIn("JSON", answer.err)

    def test_place_of_the_daemon_is_still_json(self):
        home = os.fsdecode(self.odd)
        daemon = self.start_daemon("--no-bpf", home=home)
        started = daemon.run("daemon", "start", "-j")
        self.assertEqual(json.loads(started.out)["socket"], f"{self.work}/latin\ufffd/pd.sock")
        self.assertEqual(json.loads(daemon.run("status", "-j").out)["database"]["path"],
                         f"{self.work}/latin\ufffd/port-registry.db")


# A process listens and leaves its socket to a child; another one gets its pid.  In a pid namespace
# of its own, where no neighbour takes the number.  Arguments: the socket, who listens, who gets the
# pid and what it calls itself, the pid that the child answers with ("own": its parent's), pd.
PID_REUSE = """
import json, os, signal, socket, subprocess, sys
path, uid, victim_uid, comm, answer, *pd = sys.argv[1:]
def become(uid):
    os.setgroups([])
    os.setresgid(*[int(uid)] * 3)
    os.setresuid(*[int(uid)] * 3)
def serve(s, pid):
    text = json.dumps({"ok": True, "version": 1, "daemon": {"pid": pid}}).encode()
    while True:
        c, _ = s.accept()
        c.recv(4096)
        c.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + text)
        c.close()
listener = os.fork()
if not listener:
    pid = os.getpid() if answer == "own" else int(answer)
    become(uid)
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(5)
    if not os.fork():
        serve(s, pid)
    os._exit(0)
os.waitpid(listener, 0)
with open("/proc/sys/kernel/ns_last_pid", "w") as f:
    f.write(str(listener - 1))
ready, tell = os.pipe()
victim = os.fork()
if not victim:
    with open("/proc/self/comm", "w") as f:
        f.write(comm)
    become(victim_uid)
    os.write(tell, b"x")
    while True:
        signal.pause()
os.read(ready, 1)
done = subprocess.run(pd, env={**os.environ, "PORT_DADDY_SOCKET": path}, capture_output=True,
                      text=True)
print(json.dumps({"reused": victim == listener, "alive": os.waitpid(victim, os.WNOHANG)[0] == 0,
                  "code": done.returncode, "out": done.stdout, "err": done.stderr}))
"""


class StopTest(harness.PortDaddyTest):
    """pd daemon stop ends the daemon, and nobody who has the pid that the daemon had."""

    def stop_with_reuse(self, uid, victim_uid, comm="portdaddyd", answer="own", old_kernel=False):
        place = os.path.join(harness.temp_dir(), "pd.sock")
        self.addCleanup(shutil.rmtree, os.path.dirname(place))
        os.chown(os.path.dirname(place), uid, uid)
        pd = [self.helper("without_peerpidfd")] * old_kernel + [self.daemon.pd_program, "daemon",
                                                                     "stop"]
        done = subprocess.run(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", harness.PYTHON, "-c",
             PID_REUSE, place, str(uid), str(victim_uid), comm, str(answer), *pd],
            env={**self.daemon.env}, capture_output=True, text=True, timeout=harness.DEADLINE_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        seen = json.loads(done.stdout)
        self.assertTrue(seen["reused"], "the pid was not given to the other process")
        return seen

    def assert_spared(self, word, **options):
        seen = self.stop_with_reuse(**options)
        self.assertTrue(seen["alive"], seen)
        self.assertEqual((seen["code"], seen["out"]), (FAILED, ""), seen)
        self.assertIn("nothing was stopped", seen["err"])
        self.assertIn(word, seen["err"])

    @harness.needs_root
    def test_stranger_with_the_pid_of_who_listened_is_spared(self):
        for victim in (0, STRANGER, NOBODY):
            with self.subTest(victim):
                self.assert_spared("has ended", uid=NOBODY, victim_uid=victim)

    @harness.needs_root
    def test_stranger_of_another_user_is_spared_on_an_older_kernel(self):
        self.assert_spared("another user", uid=NOBODY, victim_uid=0, old_kernel=True)

    @harness.needs_root
    def test_another_program_is_spared_on_an_older_kernel(self):
        self.assert_spared("does not run portdaddyd", uid=NOBODY, victim_uid=NOBODY, comm="sleep",
                           old_kernel=True)

    @harness.needs_root
    def test_daemon_that_does_not_answer_itself_is_spared_on_an_older_kernel(self):
        self.assert_spared("another pid", uid=NOBODY, victim_uid=NOBODY, answer=1,
                           old_kernel=True)

    @harness.needs_root
    def test_proof_of_an_older_kernel_is_enough(self):
        seen = self.stop_with_reuse(uid=NOBODY, victim_uid=NOBODY, old_kernel=True)
        self.assertFalse(seen["alive"], seen)
        self.assertEqual(seen["code"], DONE, seen)

    def test_daemon_is_stopped_on_an_older_kernel(self):
        done = subprocess.run([self.helper("without_peerpidfd"), self.daemon.pd_program, "daemon",
                               "stop"],
                              env=self.daemon.env, capture_output=True, text=True,
                              timeout=harness.DEADLINE_S)
        self.assertEqual((done.returncode, done.stderr), (DONE, ""))
        self.assertEqual(self.daemon.process.wait(harness.DEADLINE_S), 0)

    @harness.needs_root
    def test_daemon_of_another_user_is_named_with_the_way_out(self):
        answer = self.daemon.run("daemon", "stop", uid=NOBODY, code=NOT_ALLOWED)
        self.assertRegex(answer.err, r"belongs to user root: sudo .*pd daemon stop")
        self.assertTrue(self.daemon.answers())


def answer_of(value, **others):
    """An answer that has every member which any command prints, each of them the value, or the one
    that is given for its name."""
    names = ("id", "port", "fence", "session", "verdict", "requests", "name", "result", "status",
             "holder", "process", "user", "purpose", "text", "command", "summary", "rule",
             "details", "comm", "at", "pid", "createdAt", "startedAt", "endedAt", "since", "path",
             "mode")
    leaf = {name: others.get(name, value) for name in names}
    every = {**leaf, "names": [value] * 5, "pids": [value] * 5, "held": True, "heldBy": [leaf],
             "lastNote": leaf, "daemon": leaf, "kernel": {**leaf, "probes": [leaf]},
             "database": leaf, "activity": leaf, "holders": [leaf], "remedies": [leaf]}
    lists = {name: [every] * others.get("n", 2) for name in
             ("services", "released", "orphans", "sockets", "locks", "sessions", "notes",
              "entries")}
    answer = {"ok": True, "version": 1, **every, **lists, "slow": {"requests": [every]}}
    if others.get("refusals"):
        answer["refusals"] = [every]
    return answer


GOOD = {"id": "session-ab3", "port": 3000, "fence": 7, "session": "session-ab3", "verdict": "free",
        "requests": 12, "name": "m", "result": "ok"}

# Each makes the answer of another daemon than ours.
HOSTILE = ["$(touch pwned)", "3000\ntouch pwned", "3000\0x", "3000", "\x1b[2J\x07", "\u202e", "",
           "x" * 1000, 0, -1, 65536, 2 ** 32 + 3000, 2 ** 63, 2 ** 70, 3000.5, True, None, [3000]]

# Arguments, and what may be on stdout where the exit code is not FAILED.
PORT, SESSION = r"([1-9]\d{0,4}\n)", r"([A-Za-z0-9._-]{1,64}\n)"
COMMANDS = [
    (("claim", "a:b", "-q"), PORT),
    (("claim", "a:b", "--export"), r"export B_PORT=[1-9]\d{0,4}\nexport PORT=[1-9]\d{0,4}\n"),
    (("claim", "-q"), PORT + "{2}"),
    (("claim", "--export"), r"export A_PORT=[1-9]\d{0,4}\nexport B_PORT=[1-9]\d{0,4}\n"),
    (("release", "a:b", "-q"), PORT + "*"),
    (("find", "-q"), PORT + "*"),
    (("find", "--all", "-q"), PORT + "*"),
    (("why", "3000", "-q"), r"([a-z_-]+\n)*"),
    (("health", "-q"), r"([A-Za-z0-9.:_-]+ [a-z_]+\n)*"),
    (("lock", "m", "-q"), r"[1-9]\d*\n"),
    (("locks", "-q"), r"([A-Za-z0-9.:_-]+\n)*"),
    (("with-lock", "m", "--", "printenv", "PORT_DADDY_LOCK_FENCE"), r"[1-9]\d*\n"),
    (("session", "start", "x", "-q"), SESSION),
    (("session", "start", "x", "--export"), "export PORT_DADDY_SESSION=" + SESSION),
    (("session", "end", "-q"), SESSION),
    (("sessions", "-q"), SESSION + "*"),
    (("note", "x", "-q"), SESSION),
    (("cleanup", "-q"), r"([A-Za-z0-9.:_-]+\n)*"),
    (("metrics", "-q"), r"\d+\n"),
]
# What is shown to people: any text, escaped.
SHOWN = [("claim", "a:b"), ("release", "a:b"), ("find",), ("find", "--all"), ("why", "3000"),
         ("why",), ("status",), ("health",), ("log",), ("watch",), ("lock", "m"),
         ("lock", "m", "--status"), ("locks",), ("unlock", "m"), ("session", "start", "x"),
         ("session", "end"), ("sessions",), ("note", "x"), ("notes",), ("cleanup",), ("metrics",),
         ("metrics", "--slow"), ("metrics", "--prometheus")]
HAZARD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class HostileDaemonTest(unittest.TestCase):
    """What a daemon says is checked before it is printed, or evaluated by a shell."""

    def setUp(self):
        self.work = harness.temp_dir("pd-work-")
        self.addCleanup(shutil.rmtree, self.work)
        write(os.path.join(self.work, ".portdaddyrc"),
              '{"project": "p", "services": {"a": {}, "b": {}}}')
        self.body = b""
        self.fake = FakeDaemon(self.work, self.answer)
        self.addCleanup(self.fake.close)
        self.env = {**harness.BASE_ENV, "PORT_DADDY_SOCKET": self.fake.path,
                    "PORT_DADDY_NO_AUTOSTART": "1"}

    def answer(self, path):
        if path not in ("/v1/health", "/v1/events") or not isinstance(self.body, dict):
            return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        lines = [{"stream": 1}, *({"service": s} for s in self.body["services"]),
                 *self.body["entries"], {"healthy": 1, "stored": True}]
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    def run_pd(self, arguments, body):
        self.body = body
        done = subprocess.run([harness.PD, *arguments], env=self.env, cwd=self.work,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=harness.DEADLINE_S)
        self.assertIn(done.returncode, range(7), (arguments, done))
        self.assertNotIn(b"Sanitizer", done.stderr)
        self.assertNotIn(b"runtime error", done.stderr)
        return done

    def test_right_answers_are_printed(self):
        for arguments, pattern in COMMANDS:
            with self.subTest(arguments):
                done = self.run_pd(arguments, answer_of("x", **GOOD))
                self.assertIn(done.returncode, (DONE, NO), done)
                self.assertRegex(done.stdout.decode(), f"^{pattern}$")
                self.assertTrue(done.stdout)

    def test_what_scripts_read_is_of_its_kind_or_is_not_printed(self):
        for arguments, pattern in COMMANDS:
            for value in HOSTILE:
                with self.subTest(arguments=arguments, value=str(value)[:40]):
                    done = self.run_pd(arguments, answer_of(value))
                    if done.returncode == FAILED:
                        self.assertEqual(done.stdout, b"")
                        self.assertRegex(done.stderr.decode(), "^pd: the daemon's answer .*\n$")
                    else:
                        self.assertRegex(done.stdout.decode(), f"^{pattern}$")

    def test_wrong_member_alone_is_named(self):
        for arguments, key in ((("claim", "a:b", "-q"), "port"), (("claim", "-q"), "port"),
                               (("claim", "--export"), "id"), (("lock", "m", "-q"), "fence"),
                               (("session", "start", "x", "--export"), "id"),
                               (("note", "x", "-q"), "session"), (("locks", "-q"), "name"),
                               (("health", "-q"), "result"), (("why", "1", "-q"), "verdict")):
            for value in ("; id", None):
                with self.subTest(arguments=arguments, value=value):
                    done = self.run_pd(arguments, answer_of("x", **{**GOOD, key: value}))
                    self.assertEqual((done.returncode, done.stdout), (FAILED, b""), done)
                    self.assertIn(f'"{key}"', done.stderr.decode())

    def test_json_of_a_wrong_answer_is_an_error(self):
        for arguments in (("claim", "a:b"), ("claim",), ("lock", "m"), ("session", "start", "x"),
                          ("find",), ("release", "a:b"), ("sessions",), ("locks",), ("why", "1")):
            with self.subTest(arguments):
                done = self.run_pd((*arguments, "-j"), answer_of("$(touch pwned)"))
                self.assertEqual(done.returncode, FAILED)
                self.assertEqual(json.loads(done.stdout)["error"]["code"], "failed")

    def test_services_are_as_many_as_were_asked_for(self):
        for n in (0, 1, 3):
            with self.subTest(n):
                done = self.run_pd(("claim", "--export"), answer_of("x", **GOOD, n=n))
                self.assertEqual((done.returncode, done.stdout), (FAILED, b""))

    def test_shell_evaluates_nothing_of_it(self):
        for command in ("claim a:b --export", "claim --export", "session start x --export"):
            for value in ("x$(touch pwned)", "x; touch pwned", "x\ntouch pwned"):
                with self.subTest(command=command, value=value):
                    self.body = answer_of(value)
                    subprocess.run(["sh", "-c", f'eval "$({harness.PD} {command})"'], env=self.env,
                                   cwd=self.work, capture_output=True, timeout=harness.DEADLINE_S)
                    self.assertNotIn("pwned", os.listdir(self.work))

    def test_no_answer_commands_a_terminal(self):
        commands = "\x1b[2J\x07\x9b2J\x7f\u202e\r"
        for arguments in SHOWN:
            for value, *options in ((commands,), (commands, "-j"), ("x" * 1000,), (2 ** 70,),
                                    ([["\x1b"]],)):
                with self.subTest(arguments=arguments, value=str(value)[:20], options=options):
                    done = self.run_pd((*arguments, *options), answer_of(value))
                    text = (done.stdout + done.stderr).decode()
                    self.assertIsNone(HAZARD.search(text), text[:300])

    def test_bytes_that_are_no_json_are_refused_whole(self):
        begin = b'{"ok":true,"version":1'
        for body in (b"", b"\x00", b"[]", b"{", b'{"ok":true}', begin + b',"id":NaN}',
                     begin + b',"id":-Infinity}', begin + b',"id":1e999}',
                     begin + b',"id":"\x9b2J"}', begin + b',"id":"\xc0\xa9"}', begin + b"}x",
                     b"{'ok':true,'version':1", b"[" * 1000):
            for arguments in (("find",), ("claim", "a:b"), ("status", "-j")):
                with self.subTest(body=body[:40], arguments=arguments):
                    done = self.run_pd(arguments, body)
                    self.assertEqual(done.returncode, FAILED, done)
                    self.assertIsNone(HAZARD.search((done.stdout + done.stderr).decode()))

    def test_text_of_the_metrics_is_escaped_and_otherwise_as_it_came(self):
        text = b"# HELP a b\n" + b"a{b=\"c\"} 1\n" * 2000
        self.assertEqual(self.run_pd(("metrics", "--prometheus"), text).stdout, text)
        done = self.run_pd(("metrics", "--prometheus"), b"a \x1b[2J\x9b\xff\nb")
        self.assertEqual(done.stdout, b"a \\e[2J\\x9b\\xff\nb")


if __name__ == "__main__":
    sys.exit(harness.main())
