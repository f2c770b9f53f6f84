"""Which files of this package travel with a job, and under which names; made small by `bare.py`. Used where bundles are
made; does not travel.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from .bare import bare
from .unpack import INNER

PACKAGE = "kube_magics_runner"
ARTIFACTS = "kube_magics_artifacts"
HERE = Path(__file__).parent
STAY = ("bare.py", "boot.py", "paced.py", "shipped.py")
_INSTALLING = ("install.py", "installers.py", "venv.py", "shelf.py", "distributions.py", "refusals.py")
ONLY_WITH = {
    "gpus.py": "gpus",
    "nvml.py": "gpus",
    "smi.py": "gpus",
    "commands.py": "commands",
    "syntax.py": "commands",
    "awaiting.py": "awaits",
    "rebuild.py": "rebuild",
    "byvalue.py": "byvalue",
    "sharing.py": "sharing",
    "views.py": "sharing",
    "skew.py": "bytecode",
    "versions.py": "pickled",
    "script.py": "script",
    "linefile.py": "log_to",
    "logcopy.py": "log_to",
    "guard.py": "guarded",
    "placing.py": "placed",
    **dict.fromkeys(_INSTALLING, "install"),
}
"""Files that travel only where the named field of spec.json asks for them; the runner imports them late."""


@functools.lru_cache(maxsize=None)
def boot() -> str:
    """What follows `python3 -c` in the container."""
    return (HERE / "boot.py").read_text(encoding="utf-8")


@functools.lru_cache(maxsize=None)
def _all() -> dict[str, bytes]:
    found = {}
    for path in sorted(HERE.glob("*.py")):
        if path.name == "main.py":
            found["main.py"] = path.read_bytes()
        elif path.name not in STAY:
            found[f"{PACKAGE}/{path.name}"] = bare(path.read_text(encoding="utf-8")).encode()
    found["kube_magics/__init__.py"] = bare((HERE / "report.py").read_text(encoding="utf-8")).encode()
    return found


@functools.lru_cache(maxsize=None)
def _paced() -> bytes:
    return bare((HERE / "paced.py").read_text(encoding="utf-8")).encode()


@functools.lru_cache(maxsize=None)
def _artifacts() -> dict[str, bytes]:
    """The programs of a job's store, which are not the runner."""
    paths = sorted(HERE.with_name("artifacts").glob("*.py"))
    return {f"{ARTIFACTS}/{path.name}": bare(path.read_text(encoding="utf-8")).encode() for path in paths}


@functools.lru_cache(maxsize=None)
def _cloudpickle() -> bytes:
    spec = importlib.util.find_spec("cloudpickle")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).with_name("cloudpickle.py").read_text(encoding="utf-8")
    return (_licence(source) + bare(source, typed=False)).encode()


def _licence(source: str) -> str:
    """Its licence asks that the notice travels with it."""
    return "\n".join(f"# {line}".rstrip() for line in (ast.get_docstring(ast.parse(source)) or "").splitlines()) + "\n"


def files(spec: Mapping[str, object]) -> dict[str, bytes]:
    """Path in the bundle -> content: main.py, the runner, the `kube_magics` that jobs import; `spec` is spec.json."""
    left = {f"{PACKAGE}/{name}" for name, field in ONLY_WITH.items() if not spec.get(field)}
    found = {path: content for path, content in _all().items() if path not in left}
    if spec.get("reports"):
        found["kube_magics/report.py"], found["kube_magics/__init__.py"] = found["kube_magics/__init__.py"], _paced()
    if spec.get("cloudpickle"):  # under a name that hides no cloudpickle of the image
        found[f"{PACKAGE}/cloudpickle.py"] = _cloudpickle()
    return {**found, **(_artifacts() if spec.get("artifacts") else {})}


def asked(spec: Mapping[str, object]) -> frozenset[str]:
    """The fields of spec.json that decide what travels, as far as they are set: equal ones bring equal files."""
    return frozenset(field for field in (*ONLY_WITH.values(), "cloudpickle", "artifacts", "reports") if spec.get(field))


def packed(spec: Mapping[str, object]) -> dict[str, bytes]:
    """`files`, as they stand in the bundle: what unpacks, and one zip with all the rest."""
    found = files(spec)
    first = {path: found.pop(path) for path in (f"{PACKAGE}/__init__.py", f"{PACKAGE}/unpack.py")}
    out = io.BytesIO()
    # Not compressed: the bundle does that, over the whole of it.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(
            found, key=lambda path: (path != f"{PACKAGE}/report.py", path)
        ):  # beside its twin: 1 kB less
            entry = zipfile.ZipInfo(path)  # of 1980
            entry.create_system = 3  # the same bytes from Windows and macOS
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, found[path])
    return {**first, INNER: out.getvalue()}
