# SPDX-License-Identifier: MIT
"""Whom pd believes: whose files it obeys, which names it can do without, which process it ends."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import harness
from harness import DONE, FAILED, IS_ROOT, NOBODY, NOT_ALLOWED, WRONG

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
                answer = self.post("/v1/cleanups", {"project": project})
                self.assertEqual(answer["error"]["code"], "bad_request", answer)
                self.assertIn("no name of a project", answer["error"]["message"])

    def post(self, path, body):
        text = json.dumps(body)
        with harness.connect(self.daemon.socket) as s:
            s.sendall(f"POST {path} HTTP/1.0\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
            answer = b""
            while chunk := s.recv(65536):
                answer += chunk
        return json.loads(answer.partition(b"\r\n\r\n")[2])


class NoTextTest(harness.PortDaddyTest):
    """Names of the system are bytes; those that are no text hinder nothing."""

    def setUp(self):
        super().setUp()
        self.odd = os.fsencode(self.work) + b"/latin\xe9"
        os.mkdir(self.odd)

    def done(self, *arguments, **options):
        answer = self.daemon.run(*arguments, cwd=self.odd, **options)
        self.assertEqual(answer.code, DONE, answer)
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
                answer = self.daemon.run(*arguments)
                self.assertEqual(answer.code, WRONG, answer)
                self.assertIn(word, answer.err)
                self.assertNotIn("JSON", answer.err)

    def test_place_of_the_daemon_is_still_json(self):
        home = os.fsdecode(self.odd)
        daemon = self.start_daemon("--no-bpf", home=home)
        started = daemon.run("start", "-j")
        self.assertEqual(json.loads(started.out)["socket"], f"{self.work}/latin\ufffd/pd.sock")
        self.assertEqual(json.loads(daemon.run("status", "-j").out)["database"]["path"],
                         f"{self.work}/latin\ufffd/port-registry.db")


# A process listens and leaves its socket to a child; another one gets its pid.  In a pid namespace of
# its own, where no neighbour takes the number.  Arguments: the socket, who listens, who gets the
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
    """pd stop ends the daemon, and nobody who has the pid that the daemon had."""

    def stop_with_reuse(self, uid, victim_uid, comm="portdaddyd", answer="own", old_kernel=False):
        place = os.path.join(harness.temp_dir(), "pd.sock")
        self.addCleanup(shutil.rmtree, os.path.dirname(place))
        os.chown(os.path.dirname(place), uid, uid)
        pd = [self.helper("without_peerpidfd")] * old_kernel + [self.daemon.pd_program, "stop"]
        done = subprocess.run(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", harness.PYTHON, "-c", PID_REUSE,
             place, str(uid), str(victim_uid), comm, str(answer), *pd],
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
        done = subprocess.run([self.helper("without_peerpidfd"), self.daemon.pd_program, "stop"],
                              env=self.daemon.env, capture_output=True, text=True,
                              timeout=harness.DEADLINE_S)
        self.assertEqual((done.returncode, done.stderr), (DONE, ""))
        self.assertEqual(self.daemon.process.wait(harness.DEADLINE_S), 0)

    @harness.needs_root
    def test_daemon_of_another_user_is_named_with_the_way_out(self):
        answer = self.daemon.run("stop", uid=NOBODY)
        self.assertEqual(answer.code, NOT_ALLOWED)
        self.assertIn("belongs to user root: sudo pd stop", answer.err)
        self.assertTrue(self.daemon.answers())


if __name__ == "__main__":
    sys.exit(harness.main())
