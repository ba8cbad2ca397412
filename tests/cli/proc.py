# SPDX-License-Identifier: MIT
"""What /proc says of processes and sockets: the tests' own view, independent of what is tested."""
import ctypes
import os


def proc_status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def runs(pid):
    """Is it alive?  A zombie is not, whoever is to reap it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def make_subreaper(on=True):
    """Orphans of this process become its children, so that the test can end them."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1 if on else 0, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def listening_inodes(port):
    """Of the TCP sockets that listen on the port.  From /proc, independent of what is tested."""
    wanted = f":{port:04X}"
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as f:
            for line in f:
                fields = line.split()
                if len(fields) > 9 and fields[1].endswith(wanted) and fields[3] == "0A":
                    yield fields[9]


def listens(port, pid=None):
    """Does a TCP socket listen on the port, held by this very process if one is given?"""
    inodes = set(listening_inodes(port))
    return bool(inodes) if pid is None else bool(inodes & socket_inodes(pid))


def connections(port):
    """Established TCP connections to a port."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        return [line for line in f.readlines()[1:]
                if line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01"]


def socket_inodes(pid):
    """Of the sockets that a process of one's own holds; empty when it is gone."""
    found = set()
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        pass
    return found
