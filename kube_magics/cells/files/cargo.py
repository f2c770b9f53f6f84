"""The files that travel besides the program: local modules below `modules/`, those of `--files` below `work/`.

`modules/` stands on the job's sys.path, `work/` is its working folder. A module that reads a file beside itself finds
it there too, if `--files` brings it: by a link, so that nothing travels twice.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kube_magics.spec.quantities import human_bytes

MODULES = "modules"
WORK = "work"
FILE, PROGRAM, LINK = 0o100644, 0o100755, 0o120777
"Modes as a zip keeps them."


@dataclass(frozen=True)
class Carried:
    """One file that travels."""

    path: str
    "relative to the folder that it is put into, with /: data/train.csv"
    data: bytes
    source: str
    "absolute path here"
    executable: bool = False


@dataclass(frozen=True)
class Cargo:
    """All of them."""

    modules: tuple[Carried, ...] = ()
    files: tuple[Carried, ...] = ()
    script: Carried | None = None
    "what runs instead of a cell, in the working folder"

    @property
    def _work(self) -> tuple[Carried, ...]:
        return self.files if self.script is None else (*self.files, self.script)

    def entries(self) -> dict[str, tuple[bytes, int]]:
        """Path in the bundle -> content and mode; the content of a link is where it points."""
        found = {f"{WORK}/{each.path}": _entry(each) for each in self._work}
        placed = {each.source: f"{WORK}/{each.path}" for each in self._work}
        for each in self.modules:
            path = f"{MODULES}/{each.path}"
            found[path] = _link(path, placed[each.source]) if each.source in placed else _entry(each)
        for root in {
            each.source.removesuffix(each.path) for each in self.modules if each.source.endswith("/" + each.path)
        }:
            for source, place in placed.items():
                if source.startswith(root):
                    path = f"{MODULES}/{source.removeprefix(root)}"
                    found.setdefault(path, _link(path, place))
        return found

    def filenames(self) -> dict[str, str]:
        """Where the job has its code, relative to the bundle -> where it stands here."""
        found = {f"{WORK}/{each.path}": each.source for each in self._work if each.path.endswith(".py")}
        return found | {f"{MODULES}/{each.path}": each.source for each in self.modules}

    def digests(self) -> list[list[str]]:
        """Equal for equal files in equal places."""
        return sorted(
            [path, hashlib.sha256(data).hexdigest(), oct(mode)] for path, (data, mode) in self.entries().items()
        )

    def summary(self) -> list[str]:
        """For the line that says what travels: `modules: helpers, net (4 files, 12.1 kB)`, `files: 3 (1.2 MB)`."""
        lines = [f"{self.script.path} ({human_bytes(len(self.script.data))})"] if self.script else []
        if self.modules:
            tops = sorted({each.path.partition("/")[0].removesuffix(".py") for each in self.modules})
            count = f"{len(self.modules)} files, " if len(self.modules) > len(tops) else ""
            lines.append(f"modules: {', '.join(tops)} ({count}{human_bytes(size_bytes(self.modules))})")
        if self.files:
            lines.append(f"files: {len(self.files)} ({human_bytes(size_bytes(self.files))})")
        return lines


def size_bytes(files: Iterable[Carried]) -> int:
    """Before packing."""
    return sum(len(each.data) for each in files)


def packed(entries: Mapping[str, tuple[bytes, int]], sizes: Mapping[str, int]) -> int:
    """Bytes that the files of `--files` take in the zip."""
    return sum(size for path, size in sizes.items() if path in entries and path.startswith(f"{WORK}/"))


def _entry(file: Carried) -> tuple[bytes, int]:
    return file.data, PROGRAM if file.executable else FILE


def _link(path: str, place: str) -> tuple[bytes, int]:
    return posixpath.relpath(place, posixpath.dirname(path)).encode(), LINK
