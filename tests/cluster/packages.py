"""Debian packages that the cluster needs: said what is missing, installed where that is possible.

Undo: ``apt-get remove`` of the packages named; nothing else is changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))

# Program -> the package that brings it.
_PROGRAMS = {
    "runc": "runc",
    "conntrack": "conntrack",
    "iptables": "iptables",
    "nft": "nftables",
    "ipset": "ipset",
    "socat": "socat",
    "ip": "iproute2",
    "mount": "mount",
    "mmdebstrap": "mmdebstrap",
    "cc": "gcc",
}
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def search_path() -> str:
    """PATH with the sbin folders, which a plain user's PATH lacks and the kubelet's helpers live in."""
    return f"{os.environ.get('PATH', '')}:{_SBIN}"


def missing() -> list[str]:
    """Names of the packages that are not there."""
    absent = [package for program, package in _PROGRAMS.items() if not shutil.which(program, path=search_path())]
    if cni_folder() is None:
        absent.append("containernetworking-plugins")
    # The pause image is a static program, the NVML stub needs C headers.
    if not list(Path("/usr/lib").glob("*/libc.a")) and not Path("/usr/lib64/libc.a").exists():
        absent.append("libc6-dev")
    return absent


def cni_folder() -> Path | None:
    return next((folder for folder in CNI_FOLDERS if (folder / "bridge").is_file()), None)


def why_not() -> str | None:
    absent = missing()
    if absent and not shutil.which("apt-get"):
        return f"not installed, and no apt-get to install them: {' '.join(absent)}"
    return None


def ensure() -> None:
    """Install what is missing."""
    absent = missing()
    if not absent:
        return
    print(f"installing {' '.join(absent)}", file=sys.stderr, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *absent]):
        done = subprocess.run(
            ["apt-get", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"apt-get {command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    if still := missing():
        raise RuntimeError(f"apt-get installed the packages, yet these are still missing: {' '.join(still)}")
