# SPDX-License-Identifier: MIT
"""Instructions of the pure cores, counted by callgrind: the same code gives the same number."""
import os
import re
import subprocess

import stand

FEW, MANY = 1000, 2000  # of as many digits: their difference is free of the program's own start


def compiler():
    done = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def instructions(name, count):
    done = subprocess.run([stand.needs("valgrind"), "--tool=callgrind",
                           "--callgrind-out-file=/dev/null", os.path.join(stand.TOOLS, "cores"),
                           name, str(count)], capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not collected:
        raise AssertionError(f"cores {name}: {done.stderr}")
    return int(collected[1])


def count():
    """{core: instructions of one call}, and the compiler that decides them."""
    names = subprocess.run([os.path.join(stand.TOOLS, "cores"), "--list"], capture_output=True,
                           text=True, check=True).stdout.split()
    calls = {name: (instructions(name, MANY) - instructions(name, FEW)) / (MANY - FEW)
             for name in names}
    return {"compiler": compiler(), "instructions": calls}


def show(cores):
    print("instructions of one call:",
          ", ".join(f"{name} {n:g}" for name, n in cores["instructions"].items()))


def worse(now, then):
    """How many cores take more instructions than the stored table says; names them."""
    if now["compiler"] != then["compiler"]:
        print(f"instructions are not compared: {then['compiler']} then, {now['compiler']} now")
        return 0
    n = 0
    for name, old in then["instructions"].items():
        new = now["instructions"].get(name)
        if new is not None and new > old:
            n += 1
            print(f"worse: {name}: {new:g} instructions, were {old:g}")
    return n
