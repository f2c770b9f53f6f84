"""Is everything importable that the notebook had imported, and in which versions? Answered without importing any of it.

importlib.metadata would cost 30 ms before the user's first line; the names of the folders that installers leave
(`numpy-2.4.6.dist-info`, Debian's `numpy-1.24.2.egg-info`) say the same for the few distributions that are asked for.
"""

from __future__ import annotations

import os
import sys

from .quickjson import dumps
from .report import send_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DISTRIBUTIONS = {
    "Crypto": "pycryptodome",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "GitPython",
    "google.protobuf": "protobuf",
    "jwt": "PyJWT",
    "pytorch_lightning": "pytorch-lightning",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "PyYAML",
}
"""Where the name to install is not the name to import."""


def introduce(
    imports: dict[str, str | None], folder: str | None = None
) -> tuple[dict[str, str | None], dict[str, str]]:
    """Tell the runner who we are. Gives the captured imports that this interpreter lacks, with the notebook's versions,
    and the versions here of those that it has.

    Those may be wished for, once, in the bundle's `folder`: then this process ends here, and is started again. What
    the notebook has not either is never wished for: a name mistyped could be a stranger's package.
    """
    missing = {}
    versions = {}
    for name, wanted in imports.items():
        spec = find(name)
        if spec is None:
            missing[name] = wanted
        else:
            found = version(spec, distribution(name, wanted))
            if found:
                versions[name] = found
    if folder and may_be_installed(missing):
        _wish(missing, folder)
    python = ".".join(map(str, sys.version_info[:3]))
    send_line(dumps({"e": "hello", "python": python, "versions": versions}))
    return missing, versions


def may_be_installed(missing: dict[str, str | None]) -> bool:
    """Whether the notebook has all that is missing, and so knows which distributions these are."""
    return bool(missing) and all(missing.values())


def _wish(missing: dict[str, str | None], folder: str) -> None:
    """Ask for the step that installs what is missing, and end; nothing if that has been done already."""
    from .launch import WISH
    from .quickjson import write_file

    path = os.path.join(folder, WISH)
    if not os.path.exists(path):
        args = ["auto", *dict.fromkeys(requirement(name, known) for name, known in missing.items())]
        module = f"{__package__}.install"
        write_file(path, {"stage": "installing", "reason": "install", "module": module, "args": args})
        os._exit(0)


def missing_error(missing: dict[str, str | None], tried: bool = False) -> ModuleNotFoundError:
    """What to raise when captured imports are missing: all of them at once, with what provides them."""
    and_no_installer = ", and has neither pip nor uv" if tried else ""
    names = ", ".join(repr(name) for name in missing)
    wanted = []
    for name, known in missing.items():
        number = (known or "").rpartition("==")[2]
        wanted.append(distribution(name, known) + (f" ({number} in the notebook)" if number else ""))
    error = ModuleNotFoundError(
        f"No module named {names}: this image lacks {', '.join(wanted)}{and_no_installer}", name=next(iter(missing))
    )
    error.kube_magics_import = [distribution(name, known) for name, known in missing.items()]  # type: ignore[attr-defined]
    error.kube_magics_reason = "import"  # type: ignore[attr-defined]
    return error


def distribution(name: str, wanted: str | None = None) -> str:
    """What to install for `import name`; `wanted` may say it, as in "scikit-learn==1.9.1"."""
    if wanted and "==" in wanted:
        return wanted.partition("==")[0]
    return DISTRIBUTIONS.get(name, name)


def requirement(name: str, wanted: str | None) -> str:
    """What to ask an installer for: the notebook's version, without the label of whoever built that one."""
    number = (wanted or "").rpartition("==")[2].partition("+")[0]
    return distribution(name, wanted) + (f"=={number}" if number else "")


def find(name: str) -> Any:
    """The spec of a module, by the finders that an import would ask, importing nothing; None if there is none."""
    path = None
    spec = None
    for length in range(len(name.split("."))):
        part = ".".join(name.split(".")[: length + 1])
        spec = next(filter(None, (finder.find_spec(part, path) for finder in sys.meta_path)), None)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec


def version(spec: Any, name: str) -> str | None:
    """The version of distribution `name`, installed in the folder that the module of `spec` was found in."""
    places = list(spec.submodule_search_locations or []) or ([spec.origin] if spec.has_location else [])
    wanted = _plain(name)
    for place in places:
        for entry in _entries(os.path.dirname(place)):
            stem, _, kind = entry.rpartition(".")
            if kind in ("dist-info", "egg-info"):
                found, _, rest = stem.partition("-")
                if rest and _plain(found) == wanted:
                    return rest.partition("-py")[0]
    return None


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


_listed: dict[str, list[str]] = {}


def _entries(folder: str) -> list[str]:
    if folder not in _listed:
        try:
            _listed[folder] = os.listdir(folder)
        except OSError:
            _listed[folder] = []
    return _listed[folder]
