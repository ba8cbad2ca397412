# SPDX-License-Identifier: MIT
"""What systemd does for portdaddyd.socket and .service: holds the socket, starts the daemon with it.

    manager.py hold|leave COMMAND...        each line on stdin starts COMMAND once more

Prints "ready", and for each start the pid, and behind its end the status.  With "leave" there is no
socket.
"""
import os
import socket
import sys

SOCKET = "/run/port-daddy/pd.sock"
FIRST_HANDED_FD = 3


def hold():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(SOCKET)
    os.chmod(SOCKET, 0o666)
    s.listen(511)
    return s


def start(command, held):
    pid = os.fork()
    if pid:
        return pid
    if held:
        os.dup2(held.fileno(), FIRST_HANDED_FD)
        os.set_inheritable(FIRST_HANDED_FD, True)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.environ["WATCHDOG_PID"] = str(os.getpid())
    os.execvp(command[0], command)


def main():
    held = hold() if sys.argv[1] == "hold" else None
    print("ready", flush=True)
    for _ in sys.stdin:
        pid = start(sys.argv[2:], held)
        print(pid, flush=True)
        print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


main()
