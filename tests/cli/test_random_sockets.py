#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the kernel tells of a crowd of processes that bind, listen, inherit, hand on and close sockets
as fast as they can, under names that attack whoever prints them: when they are quiet, the table is
the kernel's.

PD_SEED repeats a run, PD_STEPS=10000 makes long ones, PD_ROUNDS=100 many of them.
"""
import os
import random
import re
import socket
import struct
import subprocess
import sys
import time

import harness
from harness import wait_until

STEPS = int(os.environ.get("PD_STEPS", "150"))  # of each process
ROUNDS = int(os.environ.get("PD_ROUNDS", "2"))
PORTS = 40
LISTEN = "0A"
FILES = {"tcp": socket.AF_INET, "tcp6": socket.AF_INET6, "udp": socket.AF_INET,
         "udp6": socket.AF_INET6}


def address(family, digits):
    words = [struct.pack("=I", int(digits[i:i + 8], 16)) for i in range(0, len(digits), 8)]
    return socket.inet_ntop(family, b"".join(words))


def sockets_of_kernel():
    """By inode: protocol, address and port of what listens, and of UDP of what is bound."""
    found = {}
    for name, family in FILES.items():
        with open(f"/proc/net/{name}", encoding="ascii") as f:
            rows = [line.split() for line in f.readlines()[1:]]
        for row in rows:
            where, port = row[1].split(":")
            if name.startswith("udp") or row[3] == LISTEN:
                found[int(row[9])] = (name[:3], address(family, where), int(port, 16))
    return found


def holders_of_kernel():
    """By inode: the processes that have it among their descriptors."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:  # it has ended
            continue
        for inode in re.findall(r"socket:\[(\d+)\]", " ".join(links)):
            found.setdefault(int(inode), set()).add(int(pid))
    return found


class RandomSocketsTest(harness.PortDaddyTest):
    def table(self):
        """The same of pd find --all, and of it those that are bound only, by inode."""
        rows, after = [], ""
        while after is not None:
            page = self.daemon.get("/v1/sockets" + (f"?after={after}" if after else ""))
            rows, after = rows + page["sockets"], page["next"]
        rows = [r for r in rows if r["ownNetns"] and r["inode"]]
        serving = {r["inode"]: ((r["proto"], r["addr"], r["port"]), set(r["pids"])) for r in rows
                   if r["proto"] == "udp" or r["state"] == "LISTEN"}
        return serving, {r["inode"]: set(r["pids"]) for r in rows if r["inode"] not in serving}

    def faults(self):
        """What differs.  tests/run gives each file a network namespace of its own."""
        holders, kernel = holders_of_kernel(), sockets_of_kernel()
        serving, bound = self.table()
        faults = [f"{inode} {kernel[inode]} is missing" for inode in kernel.keys() - serving.keys()]
        faults += [f"{inode} {serving[inode]} is none" for inode in serving.keys() - kernel.keys()]
        for inode in kernel.keys() & serving.keys():
            row, pids = serving[inode]
            if row != kernel[inode] or pids != holders.get(inode, set()):
                faults.append(f"{inode} {kernel[inode]} of {holders.get(inode)} is {row} of {pids}")
        faults += [f"{inode}, bound only, of {holders.get(inode)} is of {pids}"
                   for inode, pids in bound.items() if pids != holders.get(inode, set())]
        return faults

    def play(self, seed, first):
        crowd = self.spawn([self.helper("crowd"), str(seed), str(STEPS), str(first), str(PORTS)],
                           stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.assertEqual(crowd.read_line(), "ready")
        last = []

        def alike():
            last[:] = self.faults()
            return not last
        try:
            wait_until(alike, "the table is the kernel's", every_s=0.05)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}:\n" + "\n".join(last)) from None
        n = len(sockets_of_kernel())
        crowd.process.stdin.close()
        crowd.wait()
        return n

    def test_table_is_the_kernels_whatever_a_crowd_has_done(self):
        self.need_bpf("the table is read, not told")
        seed = int(os.environ.get("PD_SEED", time.time_ns() % 10 ** 9))
        print(f"# PD_SEED={seed} PD_STEPS={STEPS} PD_ROUNDS={ROUNDS}", flush=True)
        seeds = random.Random(seed)
        first = harness.own_ports()[0]
        counts = [self.play(seeds.randrange(2 ** 32), first) for _ in range(ROUNDS)]
        print(f"# sockets at the end: {counts}")
        self.assertTrue(any(counts))
        lost = self.daemon.json("status")["kernel"]["lost"]
        print(f"# events lost: {lost}")


if __name__ == "__main__":
    sys.exit(harness.main())
