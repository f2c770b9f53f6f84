"""A bare machine: a minimal Debian in a folder, with this checkout in a user's home, and what it takes to reach PyPI.

Undo: nothing stays but two caches, the packed system (with the cluster's layers) and a pip cache of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import layers, packages
from tests.cluster.paths import CACHE, CHECKOUT

PACKAGES = ("python3", "python3-venv", "git", "make", "ca-certificates")
ROOTS = CACHE.parent / "roots"
PIP_CACHE = ROOTS / "pip"
HOME = Path("/home/reader")
UID = 1000
CA_FILE = "/etc/ssl/certs/of-the-outer-machine.pem"
ENTER = Path(__file__).with_name("enter.sh")

_CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout", "timeout")


def why_not() -> str | None:
    """Why this machine cannot make one, or None."""
    if sys.platform != "linux":
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root, for chroot and mounts"
    return packages.why_not()


@dataclass(frozen=True)
class BareMachine:
    root: Path
    """The folder that is its `/`."""
    environment: dict[str, str]
    """All of its variables."""

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Run `command` in the checkout; its output, both streams, is read from the process line by line."""
        inside = ["env", "-C", str(HOME / "kube_magics"), *command]
        # --kill-child and the process namespace: whatever the command left behind ends with it. setpriv: and with us.
        apart = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL"]
        return subprocess.Popen(
            [*apart, str(ENTER), str(self.root), str(PIP_CACHE), *inside],
            env=self.environment | {"PATH": packages.search_path()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextlib.contextmanager
def bare_machine() -> Iterator[BareMachine]:
    """A new one, deleted at the end; one at a time, so that what a killed run left can be told and removed."""
    packages.ensure()
    ROOTS.mkdir(parents=True, exist_ok=True)
    with (ROOTS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in ROOTS.glob("root-*"):
            shutil.rmtree(left)
        PIP_CACHE.mkdir(exist_ok=True)
        os.chown(PIP_CACHE, UID, UID)
        root = Path(tempfile.mkdtemp(dir=ROOTS, prefix="root-"))
        try:
            root.chmod(0o755)
            packed = layers.debian("bookworm", PACKAGES, kind="bare").path
            subprocess.run(["tar", "--numeric-owner", "-C", root, "-xf", packed], check=True)
            yield BareMachine(root, _furnish(root))
        finally:
            # Its mounts were in a namespace of their own, gone with its last process: nothing else is below.
            shutil.rmtree(root)


def _furnish(root: Path) -> dict[str, str]:
    """Home, checkout and network of `root`; gives its variables."""
    with (root / "etc/passwd").open("a") as passwd:
        passwd.write(f"reader:x:{UID}:{UID}::{HOME}:/bin/bash\n")
    for file in ("resolv.conf", "hosts"):
        shutil.copyfile(f"/etc/{file}", root / "etc" / file)
    home = root / HOME.relative_to("/")
    home.mkdir(parents=True)
    _clone(home / "kube_magics")
    # Someone's cluster, long gone: the demo must not ask it.
    (home / ".kube").mkdir()
    shutil.copyfile(Path(__file__).with_name("kubeconfig.yaml"), home / ".kube/config")
    for path in (home, *home.rglob("*")):
        os.chown(path, UID, UID, follow_symlinks=False)
    return {
        "HOME": str(HOME),
        "USER": "reader",
        "LANG": "C.UTF-8",
        "PIP_CACHE_DIR": "/var/cache/pip",
        **_network(root),
    }


def _clone(target: Path) -> None:
    """The checkout as it is now: its last commit, and over it what is changed and not ignored."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", CHECKOUT, target], check=True)
    listed = ["git", "-C", CHECKOUT, "ls-files", "-z", "--modified", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        source, copy = CHECKOUT / name, target / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
        else:
            copy.unlink(missing_ok=True)


def _network(root: Path) -> dict[str, str]:
    """How this machine reaches PyPI, as variables for pip in `root`; a CA file that it needs is copied in."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings = dict(line.split("=", 1) for line in listed.splitlines() if "=" in line)
    pip = {name.rpartition(".")[2]: value.strip("'\"") for name, value in settings.items()}
    variables = {f"PIP_{name.upper().replace('-', '_')}": pip[name] for name in _PIP_SETTINGS if name in pip}
    for name in _PROXY_VARIABLES:
        variables |= {spelled: os.environ[spelled] for spelled in (name, name.upper()) if spelled in os.environ}
    candidates = [pip.get("cert"), *(os.environ.get(name) for name in _CA_VARIABLES)]
    if ca := next((path for path in candidates if path and Path(path).is_file()), None):
        shutil.copyfile(ca, root / CA_FILE.lstrip("/"))
        variables |= dict.fromkeys(_CA_VARIABLES, CA_FILE)
    return variables
