# SPDX-License-Identifier: MIT
"""The distribution's archives, read by apt with lists of their own: all releases that the mirror of
this machine's own package sources has, and any architecture; what the machine has stays as it is."""
import os
import subprocess

# What a repository of packages, and one of security updates, may have of them.
SUITES = ("bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports", "forky", "sid",
          "experimental")
SECURITY_SUITES = ("bullseye-security", "bookworm-security", "trixie-security")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Apt:
    """`release`: that one alone, and its security updates."""

    def __init__(self, directory, arch, release=""):
        self.arch, self.directory = arch, directory
        self.sources = os.path.join(directory, "sources.list")
        for part in ("state/lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(directory, part), exist_ok=True)
        with open(self.sources, "w", encoding="utf-8") as f:
            f.writelines(f"deb [signed-by={KEYRING}] {repository} {suite} main\n"
                         for repository, suite in suites()
                         if not release or suite in (release, f"{release}-security"))

    def run(self, program, *arguments, **options):
        settings = {"APT::Architecture": self.arch, "APT::Architectures": self.arch,
                    "Dir::Etc::sourcelist": self.sources, "Dir::Etc::sourceparts": "/dev/null",
                    "Dir::State": f"{self.directory}/state", "Dir::State::status": "/dev/null",
                    "Dir::Cache": f"{self.directory}/cache", "APT::Sandbox::User": "root",
                    # which images of containers switch off, and each question takes seconds then
                    "Dir::Cache::pkgcache": "pkgcache.bin",
                    "Acquire::Languages": "none"}
        return subprocess.run([program, "-q", *(f"-o{k}={v}" for k, v in settings.items()),
                               *arguments], text=True, capture_output=True, check=False, **options)

    def update(self):
        """A release that the mirror has no more is left out; what it says of that is returned."""
        return self.run("apt-get", "update").stderr


def suites():
    """Of each release in each repository that the machine has for its own."""
    lines = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)",
                            "Created-By: Packages"], text=True, capture_output=True,
                           check=False).stdout.splitlines()
    for repository in sorted({line.split()[1] for line in lines if line.startswith("Debian ")}):
        for suite in SECURITY_SUITES if "security" in repository else SUITES:
            yield repository, suite
