"""Captured values, in the order they were pickled, sharing what they shared in the notebook."""

from __future__ import annotations

import os

from . import quickjson

try:
    from _pickle import Unpickler as Base
except ImportError:
    from pickle import Unpickler as Base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def large_buffers(path: str, file: Any) -> Iterator[memoryview]:
    """Those that the pickles point to, mapped: in memory once, however many workers import main.py again."""
    index = path[: -len(".pkl")] + ".json"
    if os.path.exists(index):
        import mmap

        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        for at, size in quickjson.read_file(index)["buffers"]:
            yield mapped[at : at + size]


class Unpickler(Base):
    """Loads one value after the other; `__main__` means the names that main.py is filling, also in a spawned worker."""

    def __init__(self, path: str, names: dict[str, Any]) -> None:
        file = open(path, "rb")  # noqa: SIM115  (read on with every load, until the process ends)
        super().__init__(file, buffers=large_buffers(path, file))
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        if module in ("kube_magics.runner.rebuild", "cloudpickle.cloudpickle"):
            from .rebuild import brought

            return brought(module, name, self._names)
        if module != "__main__":
            return super().find_class(module, name)
        first, *rest = name.split(".")
        if first not in self._names:
            raise AttributeError(f"the captured value needs {name}, which is not among the captured definitions")
        found = self._names[first]
        for part in rest:
            found = getattr(found, part)
        return found
