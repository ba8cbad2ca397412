# SPDX-License-Identifier: MIT
"""A Debian of its own: a root by debootstrap, with systemd as the first process of a PID namespace.

What it has not is the machine's first PID namespace, without which eBPF tells nothing that a daemon
could use: the daemon in it polls.  tests/cli/test_service.py starts one with eBPF as the unit does.
"""
import os
import shutil
import subprocess
import time

SUITE, MIRROR = "bookworm", "http://deb.debian.org/debian"
PACKAGES = "systemd,systemd-sysv,dbus,procps,python3-minimal,libpython3-stdlib,man-db"
CACHE = os.path.expanduser(f"{os.environ.get('XDG_CACHE_HOME', '~/.cache')}/port-daddy/{SUITE}.tar")
DEADLINE_S = 120

# The mounts of a container, and systemd in them: as systemd-nspawn and docker lay them.
BOOT = r"""
set -e
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs tmpfs sys/fs/cgroup -o mode=755
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tracefs tracefs sys/kernel/tracing
mount -t bpf bpf sys/fs/bpf
mount -t tmpfs tmpfs run
mkdir run/lock
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs dev -o mode=755
for device in null zero full random urandom tty; do
	touch dev/$device
	mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm .old
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx dev/ptmx
pivot_root . .old
umount -l /.old
rmdir /.old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --show-status=0 </dev/null
"""


def make_root(directory):
    """Unpacks the root, which is made once: minutes, all of them the mirror's and dpkg's."""
    if not os.path.exists(CACHE):
        print(f"# debootstrap {SUITE}: some minutes, once", flush=True)
        os.makedirs(os.path.dirname(CACHE), exist_ok=True)
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE,
                        directory, MIRROR], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["tar", "-c", "-C", directory, "-f", f"{CACHE}.tmp", "."], check=True)
        os.rename(f"{CACHE}.tmp", CACHE)
        return
    subprocess.run(["tar", "-x", "-C", directory, "-f", CACHE], check=True)


class Machine:
    def __init__(self, directory):
        self.root = directory
        shutil.copy("/etc/resolv.conf", os.path.join(directory, "etc/resolv.conf"))
        self.booted = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--cgroup",
             "--propagation", "private", "bash", "-c", BOOT, "boot", directory],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.init = self.wait(self.find_init, "the machine starts")
            self.wait(lambda: self.run("systemctl", "is-system-running",
                                       check=False).stdout.strip() in ("running", "degraded"),
                      "systemd has started everything")
        except BaseException:
            self.close()
            raise

    def find_init(self):
        """The first process in it, once the mounts are those of the machine."""
        with open(f"/proc/{self.booted.pid}/task/{self.booted.pid}/children",
                  encoding="ascii") as f:
            pids = f.read().split()
        if not pids:
            return None
        with open(f"/proc/{pids[0]}/comm", encoding="ascii") as f:
            return int(pids[0]) if f.read() == "systemd\n" else None

    def wait(self, condition, what):
        end = time.monotonic() + DEADLINE_S
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {DEADLINE_S} s; last seen {value!r}")
            time.sleep(0.1)

    def command(self, argv, user="root"):
        home = "/root" if user == "root" else f"/home/{user}"
        as_user = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}",
                                             "--init-groups"]
        return ["nsenter", "-t", str(self.init), "-m", "-p", "-i", "-u", "-C", "--", "env", "-i", "-C", home,
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"HOME={home}", "LC_ALL=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", *as_user, *argv]

    def run(self, *argv, user="root", check=True):
        done = subprocess.run(self.command(argv, user), text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, check=False)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}"
                                 f"{done.stderr}")
        return done

    def start(self, *argv, user="root"):
        return subprocess.Popen(self.command(argv, user), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def close(self):
        self.booted.kill()  # and with it the namespace's first process, and so all of them
        self.booted.wait()
