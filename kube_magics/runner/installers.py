"""uv, pip, or the pip that ensurepip carries: whichever the image has, asked in the same words."""

from __future__ import annotations

import configparser
import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from urllib.parse import urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .venv import Environment

KEPT_LINES = 400
ELSEWHERE = frozenset(
    "PIP_TARGET PIP_PREFIX PIP_USER PIP_ROOT PIP_REQUIREMENT PIP_CONSTRAINT PYTHONHOME VIRTUAL_ENV CONDA_PREFIX "
    "UV_SYSTEM_PYTHON UV_PYTHON UV_TARGET UV_PREFIX UV_CONSTRAINT UV_BREAK_SYSTEM_PACKAGES".split()
)
"""Variables that would send packages to another place than the job's."""
FOR_UV = {
    "UV_DEFAULT_INDEX": "index-url",
    "UV_INDEX": "extra-index-url",
    "UV_INSECURE_HOST": "trusted-host",
    "UV_FIND_LINKS": "find-links",
    "UV_NO_INDEX": "no-index",
}
"""What pip is told (by PIP_… variables or its configuration files), as uv wants to hear it."""
PASSWORDS = re.compile(r"(https?://)[^\s/]+@")
"""The URL of an index may come from a Secret, and what an installer says goes into a log that more people may read."""
OLD_NAMES = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


class NoInstaller(Exception):
    """The image has neither."""


class Installer:
    """One of them."""

    def __init__(self, name: str, command: list[str], path: str = "") -> None:
        self.name = name
        self._command = command
        """Before the environment's interpreter is known: uv's own; empty for a pip in that interpreter."""
        self._path = path
        """A wheel that pip is imported from, where it is not installed."""

    def run(self, place: Environment, lines: list[str], limits: list[str], *, compiled: bool) -> str | None:
        """Install `lines` within `limits`; None, or what was said by an installer that failed.

        `compiled`: also what is not imported at once, which pays where it is kept for other jobs.
        """
        asked, limited = (os.path.join(place.folder, name) for name in ("asked.txt", "limits.txt"))
        for path, content in ((asked, lines), (limited, limits)):
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in content)
        files = ["--requirement", asked, "--constraint", limited]
        env = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        cache = os.path.join(place.folder, ".uv")
        if self._command:
            env = {**as_for_uv(env), "UV_LINK_MODE": "copy", "UV_NO_PROGRESS": "1"}
            if not os.path.isdir(os.path.expanduser("~/.cache/uv")):
                env.update(UV_CACHE_DIR=env.get("UV_CACHE_DIR", cache), UV_LINK_MODE="hardlink")
            command = [*self._command, "pip", "install", "--python", place.python, *files]
            command += ["--compile-bytecode"] if compiled else []
        else:
            env = {"PIP_RETRIES": "2", **env, "PIP_ROOT_USER_ACTION": "ignore", "PYTHONSAFEPATH": "1"}
            env["PIP_TRUSTED_HOST"] = " ".join(filter(None, [env.get("PIP_TRUSTED_HOST"), *plain_hosts(env)]))
            if self._path:
                env["PYTHONPATH"] = os.pathsep.join(filter(None, [self._path, env.get("PYTHONPATH")]))
            quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar=off", "--no-warn-script-location"]
            command = [place.python, "-m", "pip", "install", *quiet, *files]
            command += [] if compiled else ["--no-compile"]
        code, said = _watched(command, env)
        shutil.rmtree(cache, ignore_errors=True)
        return said if code else None

    @property
    def looks_nowhere_else(self) -> bool:
        """Whether it knows only what stands in the environment itself, not what the image has."""
        return bool(self._command)


def installer() -> Installer:
    """What this image has. Raises NoInstaller."""
    program = shutil.which("uv")
    if program:
        return Installer("uv", [program])
    if importlib.util.find_spec("uv"):
        return Installer("uv", [sys.executable, "-m", "uv"])
    if importlib.util.find_spec("pip"):
        return Installer("pip", [])
    for folder in _wheels():
        for wheel in sorted(glob.glob(os.path.join(folder, "pip-*.whl")), reverse=True):
            return Installer("pip", [], wheel)
    raise NoInstaller


def _wheels() -> list[str]:
    """Where ensurepip, or a distribution in its place, keeps pip."""
    spec = importlib.util.find_spec("ensurepip")
    own = [os.path.join(place, "_bundled") for place in (spec.submodule_search_locations or ())] if spec else []
    return [*own, *filter(None, [sysconfig.get_config_var("WHEEL_PKG_DIR")]), "/usr/share/python-wheels"]


def as_for_uv(env: dict[str, str]) -> dict[str, str]:
    """`env` with what only pip would understand said for uv too; what is said to uv itself counts."""
    told = _pip_config()
    found = dict(env)
    for name, option in FOR_UV.items():
        value = env.get("PIP_" + option.upper().replace("-", "_"), told.get(option, ""))
        if value and name not in env and OLD_NAMES.get(name) not in env:
            found[name] = " ".join(value.split())
            if option == "extra-index-url":
                found.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # as pip does it: all indexes are one
    return found


def _pip_config() -> dict[str, str]:
    """`[global]` and `[install]` of the image's pip configuration files, later ones counting."""
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    files = ["/etc/pip.conf", "~/.pip/pip.conf", f"{config}/pip/pip.conf", os.path.join(sys.prefix, "pip.conf")]
    files.append(os.environ.get("PIP_CONFIG_FILE") or os.devnull)
    parser = configparser.RawConfigParser()
    try:
        parser.read([os.path.expanduser(file) for file in files], encoding="utf-8")
        return {key: value for part in ("global", "install") if part in parser for key, value in parser[part].items()}
    except (configparser.Error, ValueError):
        return {}


def plain_hosts(env: dict[str, str]) -> list[str]:
    """Hosts of the indexes that are named with http://. Whoever writes that means it; pip wants to hear it twice."""
    urls = f"{env.get('PIP_INDEX_URL', '')} {env.get('PIP_EXTRA_INDEX_URL', '')}".split()
    return [urlsplit(url).netloc.rpartition("@")[2] for url in urls if url.startswith("http://")]


def _watched(command: list[str], env: dict[str, str]) -> tuple[int, str]:
    """Its exit code and the last that it said; all of it also goes to our stderr, which the runner keeps back."""
    said: list[str] = []
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            text = PASSWORDS.sub(r"\1***@", line.decode("utf-8", "replace"))
            sys.stderr.write(text)
            said.append(text)
            del said[:-KEPT_LINES]
    return process.returncode, "".join(said)
