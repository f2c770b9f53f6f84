"""The proxy in front of hub and servers: JupyterHub's own for Node, or, where that does not run, the one in Python.

The one for Node comes from npm by the digests of `proxy/package-lock.json`, once, into a cache folder; no script of a
package is run.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from onemachine.options import Refused

LOCKED = Path(__file__).resolve().parents[1] / "proxy"
NAME = "configurable-http-proxy"
INSTALL_TIMEOUT_S = 300
NPM = ("ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error")


@dataclass(frozen=True)
class Proxy:
    command: tuple[str, ...]
    instead: str | None = None
    """Why it is not the one for Node."""


def proxy(cache: Path | None = None) -> Proxy:
    """One that runs here: it has been tried."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        return in_python(f"{' and '.join(name for name in ('node', 'npm') if not shutil.which(name))} not found")
    try:
        command = (node, str(installed(npm, cache or default_cache())))
        # Which Node is new enough, its packages decide, and change.
        _run([*command, "--version"], 60)
    except (OSError, subprocess.SubprocessError) as error:
        return in_python(_last_line(error))
    return Proxy(command)


def default_cache() -> Path:
    return Path(platformdirs.user_cache_dir("kube_magics", appauthor=False)) / "hub"


def installed(npm: str, cache: Path) -> Path:
    """The program of the locked version, which npm fetches if it is not there yet."""
    digest = hashlib.sha256((LOCKED / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = cache / f"{NAME}-{digest}"
    program = folder / "node_modules" / NAME / "bin" / NAME
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as making:
            made = Path(making, "made")
            made.mkdir()
            for file in ("package.json", "package-lock.json"):
                shutil.copy(LOCKED / file, made)
            _run([npm, *NPM], INSTALL_TIMEOUT_S, made)
            # Whole or not at all; another hub may have been quicker.
            if not program.exists():
                made.rename(folder)
    return program


def _run(command: list[str], timeout_s: float, folder: Path | None = None) -> None:
    nothing = subprocess.DEVNULL
    subprocess.run(command, cwd=folder, check=True, timeout=timeout_s, capture_output=True, text=True, stdin=nothing)


def in_python(why: str, programs: Path = Path(sys.executable).parent) -> Proxy:
    """The one in Python, or `Refused` with what would bring the other."""
    program = programs / NAME
    if not program.exists():
        raise Refused(
            f"There is no proxy: {why}.\nInstall Node 20.19 or newer with npm (Debian 13: apt-get install nodejs npm; "
            "others: https://nodejs.org), then type make hub again."
        )
    return Proxy((sys.executable, str(program)), why)


def _last_line(error: Exception) -> str:
    """What npm or node said last, or what the system says of them."""
    said = getattr(error, "stderr", None) or getattr(error, "stdout", None) or str(error)
    lines = [line.strip() for line in str(said).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
