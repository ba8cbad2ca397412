# SPDX-License-Identifier: MIT
"""Trees of processes as programs make them, and who carries a run's mark in its environment."""
import os
import signal


def marked(run):
    """The pids of all living processes whose environment names the run: the truth of the tests."""
    mark = f"PORT_DADDY_RUN={run}".encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as f:
                environment = f.read()
            with open(f"/proc/{name}/stat", "rb") as f:
                state = f.read().rpartition(b")")[2].split()[0]
        except OSError:
            continue
        if mark in environment.split(b"\0") and state not in (b"Z", b"X"):
            found.append(int(name))
    return sorted(found)


def kill_all(home):
    """Ends what the runs of a daemon have left."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as f:
                environment = f.read()
            if f"PORT_DADDY_HOME={home}".encode() in environment.split(b"\0") and \
                    b"PORT_DADDY_RUN=" in environment:
                os.kill(int(name), signal.SIGKILL)
        except OSError:
            pass


# Each is a program for python3 -c; sys.argv[1], where it is used, is a file to write into.
SERVE = """
import os, signal, socket, sys, time
def serve(port=None):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port or int(os.environ["PORT"])))
    s.listen()
    return s
def rest():
    while True:
        time.sleep(3600)
"""

SERVER = SERVE + "s = serve(); rest()"

# Leaves its parents, its session, its group, and its name: the name before its parent ends, for
# then somebody looks at who is left.
DAEMON = SERVE + """
if os.fork():
    os.waitpid(-1, 0)
    sys.exit(0)
os.setsid()
s = serve()
open("/proc/self/comm", "w").write("somebody")
if os.fork():
    os._exit(0)
rest()
"""

# Leaves on SIGTERM; its child, in a session of its own, does not.
STUBBORN_CHILD = SERVE + """
if not os.fork():
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    s = serve()
    rest()
rest()
"""

# The same, but the leader ends by itself, as argv[1] says.
LEAVING_LEADER = SERVE + """
read, write = os.pipe()
if not os.fork():
    os.setsid()
    s = serve()
    os.write(write, b"x")
    rest()
os.read(read, 1)
sys.exit(int(sys.argv[1]))
"""

# Beside its server a process that is another one every moment, and ignores SIGTERM.
CHAIN = SERVE + """
s = serve()
if os.fork():
    rest()
s.close()
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.monotonic() + 20
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    time.sleep(0.001)
"""

# A child that stops itself.
STOPPED_CHILD = SERVE + """
if not os.fork():
    s = serve()
    os.kill(os.getpid(), signal.SIGSTOP)
    rest()
rest()
"""

# Clears its environment on the way: only the kernel knows whose it is.
NAMELESS = SERVE + """
s = serve()
s.set_inheritable(True)
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.execve("/bin/sleep", ["sleep", "3600"], {})
"""
