# SPDX-License-Identifier: MIT
"""What is taken from a kernel before the programs run on it, and how pd doctor has to say so."""
import os
import subprocess


class Environment:
    """`prepare` and `restore` run in the guest, in a mount namespace of their own; the daemon and
    its users behind `prefix`, as `uid`.  `append`, on the kernel's command line, asks for a boot of its own.
    `prepare` ends with REFUSED where the kernel does not let that be taken.  `check` is the one of pd
    doctor that may not be content; None where none looks at it."""

    def __init__(self, title, append="", prepare="true", restore="true", prefix=(), check=None,
                 uid=0):
        self.title, self.append, self.prepare, self.restore = title, append, prepare, restore
        self.prefix, self.check, self.uid = prefix, check, uid


# Hides a directory of /sys/kernel, so that nothing can be mounted on it either.
HIDE = ("mkdir -p /run/kept && mount --rbind /sys/kernel /run/kept && "
        "mount -t tmpfs cover /sys/kernel && cd /run/kept && for d in */; do [ $d = {0}/ ] || "
        "{{ mkdir /sys/kernel/$d && mount --rbind $d /sys/kernel/$d; }}; done")
REFUSED = 77
USER = 65534
KEPT = "+bpf,+perfmon,+net_admin"

STOCK = "stock"
ENVIRONMENTS = {
    STOCK: Environment("as it is"),
    "no-trampolines": Environment("`kernel.ftrace_enabled=0`",
                                  prepare=f"sysctl -qw kernel.ftrace_enabled=0 || exit {REFUSED}",
                                  restore="sysctl -qw kernel.ftrace_enabled=1"),
    "no-btf": Environment("no BTF", check="btf",
                          prepare="mount -t tmpfs -o ro cover /sys/kernel/btf"),
    "no-tracefs": Environment("no tracefs", check="tracefs",
                              prepare="umount /sys/kernel/tracing; umount -l /sys/kernel/debug; "
                                      + HIDE.format("tracing")),
    "no-cgroup2": Environment("no cgroup v2", check="cgroup-v2", prepare="umount -l -a -t cgroup2"),
    "few-capabilities": Environment(
        "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN only", uid=USER,
        prefix=("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
                f"--inh-caps=-all,{KEPT}", f"--ambient-caps=-all,{KEPT}",
                f"--bounding-set=-all,{KEPT}", "--")),
    # for good: after the others
    "lockdown": Environment("`lockdown=confidentiality`", check="lockdown",
                            prepare="echo confidentiality >/sys/kernel/security/lockdown"),
    "no-bpf-lsm": Environment("`lsm=` without bpf", append="lsm=lockdown,capability,yama"),
}


def boots():
    """The names of the environments that share a boot, and what that has on its command line."""
    yield "", [name for name, e in ENVIRONMENTS.items() if not e.append]
    for name, environment in ENVIRONMENTS.items():
        if environment.append:
            yield environment.append, [name]


BUILD = os.environ.get("PD_BUILD", "build")


def backends():
    """{name: arguments} of each backend that the daemon can be held to, its own choice first."""
    said = subprocess.run([f"{BUILD}/portdaddyd", "--help"], capture_output=True, text=True,
                          check=False).stdout
    found = {"auto": []}
    for word in said.split():
        if "|" in word and "auto" in word:
            found.update({name: ["--trace", name] for name in word.split("|") if name != "auto"})
    found["polling"] = ["--no-bpf"]
    wanted = os.environ.get("PD_VM_BACKENDS", "").split() or found
    return {name: arguments for name, arguments in found.items() if name in wanted}
