"""The cluster's programs: Go tools, built once from the go.mod files beside this file, then found in the cache.

A build goes to a temporary folder that is renamed when complete, so a killed build leaves nothing that looks finished.
Undo: remove the ``bin`` folder of the cache.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .paths import BINARIES, CACHE, HERE


@dataclass(frozen=True)
class Family:
    """Programs built together from one go.mod; families need different versions of the same libraries."""

    name: str
    """Its folder below ``go/``, for example ``kubernetes``."""
    module: str
    """The module whose required version is the family's version."""
    programs: dict[str, str]
    """Program name -> the name ``go install`` gives it (etcd's is ``server``)."""
    version_args: tuple[str, ...]
    """What makes the first program print its version."""
    minutes: str
    """How long a first build takes on two cores, for the one line that a waiting person reads."""
    stamps: tuple[str, ...] = ()
    """Go variables that hold the version. Unstamped, the API server calls itself v0.0.0 and clients mistrust it."""
    cgo: bool = False

    @property
    def folder(self) -> Path:
        return HERE / "go" / self.name

    @property
    def version(self) -> str:
        """For example ``1.37.2``: go.mod is the only place that names it."""
        found = re.search(rf"^(?:require\s+|\t){re.escape(self.module)} v(\S+)", self._text("go.mod"), re.MULTILINE)
        if not found:
            raise LookupError(f"{self.folder / 'go.mod'} does not require {self.module}")
        return found[1]

    @property
    def go(self) -> tuple[int, int]:
        """The oldest Go that builds it, ``(1, 26)``."""
        found = re.search(r"^go (\d+)\.(\d+)", self._text("go.mod"), re.MULTILINE)
        assert found, f"{self.folder / 'go.mod'} has no go line"
        return int(found[1]), int(found[2])

    @property
    def key(self) -> str:
        text = self._text("go.mod") + self._text("go.sum") + repr((self.programs, self.ldflags, self.cgo))
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def ldflags(self) -> str:
        major, minor, _ = self.version.split(".", 2)
        values = {"v": f"v{self.version}", "bare": self.version, "major": major, "minor": minor}
        return " ".join(["-s -w", *(f"-X {stamp.format(**values)}" for stamp in self.stamps)])

    def _text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


_KUBERNETES_PROGRAMS = (
    "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet",
)  # fmt: skip
_CONTAINERD_PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr")

FAMILIES = (
    Family("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "server"}, ("--version",), "half a minute"),
    Family(
        "containerd",
        "github.com/containerd/containerd/v2",
        {name: name for name in _CONTAINERD_PROGRAMS},
        ("--version",),
        "a minute",
        stamps=("github.com/containerd/containerd/v2/version.Version={bare}",),
        cgo=True,
    ),
    Family(
        "kubernetes",
        "k8s.io/kubernetes",
        {name: name for name in _KUBERNETES_PROGRAMS},
        ("--version",),
        "about nine minutes",
        stamps=tuple(
            f"{package}.{variable}"
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            for variable in ("gitVersion={v}", "gitMajor={major}", "gitMinor={minor}")
        ),
    ),
    Family("coredns", "github.com/coredns/coredns", {"coredns": "coredns"}, ("-version",), "two minutes"),
)
"""What the cluster takes."""
_HELM = Family(
    "helm",
    "helm.sh/helm/v4",
    {"helm": "helm"},
    ("version",),
    "five minutes",
    stamps=("helm.sh/helm/v4/internal/version.version={v}",),
)
_REGISTRY = Family(
    "registry",
    "github.com/distribution/distribution/v3",
    {"registry": "registry"},
    ("--version",),
    "two minutes",
    stamps=("github.com/distribution/distribution/v3/version.version={v}",),
)


def why_not() -> str | None:
    """One line that says why what is missing cannot be built."""
    absent = [family.name for family in missing()]
    if not absent:
        return None
    version = go_version()
    if version is None:
        return f"no Go to build {', '.join(absent)} with"
    needed = max(family.go for family in FAMILIES)
    have = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if have < needed and os.environ.get("GOTOOLCHAIN", "auto") == "local":
        return f"{', '.join(absent)} cannot be built with {version}: Go {needed[0]}.{needed[1]} is needed"
    return None


def kubectl() -> Path:
    """The machine's own, for a cluster that is given; ours if it has none."""
    found = shutil.which("kubectl")
    return Path(found) if found else ensure()["kubectl"]


def helm() -> Path:
    """The machine's own; ours if it has none, built at the first call."""
    found = shutil.which("helm")
    return Path(found) if found else (_cached(_HELM) or _build(_HELM)) / "helm"


def registry() -> Path:
    """A registry of images, built at the first call."""
    return (_found(_REGISTRY) or _build(_REGISTRY)) / "registry"


def missing() -> list[Family]:
    """The families that would have to be built."""
    return [family for family in FAMILIES if _found(family) is None]


def ensure() -> dict[str, Path]:
    """Every program by name; builds what is missing, one family after the other (each build uses all cores)."""
    return {
        program: folder / program
        for family in FAMILIES
        for folder in [_found(family) or _build(family)]
        for program in family.programs
    }


@functools.cache
def go_version() -> str | None:
    """``go1.26.8``, or None without Go."""
    if not shutil.which("go"):
        return None
    done = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, cwd=HERE, check=False)
    return done.stdout.strip() or None


def _found(family: Family) -> Path | None:
    return _installed(family) or _cached(family)


def _cached(family: Family) -> Path | None:
    version = go_version()
    # Without Go, what any Go built before is better than nothing.
    folders = [BINARIES / f"{family.key}-{version}"] if version else sorted(BINARIES.glob(f"{family.key}-*"))
    return next((folder for folder in folders if folder.is_dir()), None)


def _installed(family: Family) -> Path | None:
    """A folder of the machine's own that has the whole family, in the version that go.mod asks for."""
    folders = [os.environ.get("KUBEBUILDER_ASSETS", ""), *os.environ.get("PATH", "").split(os.pathsep)]
    for folder in (Path(name) for name in folders if name):
        if not all((folder / program).is_file() for program in family.programs):
            continue
        first = folder / next(iter(family.programs))
        done = subprocess.run([first, *family.version_args], capture_output=True, text=True, check=False)
        if re.search(rf"(?<![\d.]){re.escape(family.version)}(?![\d.])", done.stdout):
            return folder
    return None


def _build(family: Family) -> Path:
    version = go_version()
    if version is None:
        raise RuntimeError(f"{family.name} {family.version} is not built yet and there is no Go to build it with")
    target = BINARIES / f"{family.key}-{version}"
    BINARIES.mkdir(parents=True, exist_ok=True)
    print(f"building {family.name} {family.version} ({family.minutes} the first time)", file=sys.stderr, flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=BINARIES, prefix=".building-") as temporary:
        folder = Path(temporary) / "bin"
        folder.mkdir()
        _install(family, folder)
        for program, built_as in family.programs.items():
            (folder / built_as).rename(folder / program)
        folder.rename(target)
    print(f"built {family.name} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    _prune(family, keep=target)
    return target


def _install(family: Family, folder: Path) -> None:
    log = CACHE / f"build-{family.name}.log"
    environment = os.environ | {"GOBIN": str(folder), "CGO_ENABLED": str(int(family.cgo)), "GOWORK": "off"}
    command = ["go", "install", "-buildvcs=false", "-trimpath", "-ldflags", family.ldflags, "tool"]
    with log.open("wb") as output:
        done = subprocess.run(command, cwd=family.folder, env=environment, stdout=output, stderr=output, check=False)
    if done.returncode:
        tail = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"building {family.name} failed, see {log}:\n{tail}")


def _prune(family: Family, keep: Path) -> None:
    for folder in BINARIES.glob(f"{family.name}-*"):
        if folder != keep:
            shutil.rmtree(folder, ignore_errors=True)
