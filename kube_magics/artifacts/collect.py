"""The step after the program: results that are too large for the log, and the files of --returns-files, into the store.

`stored.json` in the results folder tells the runner what became of each: {"stored": {name: {"bytes", "sha256", "at"}},
"failed": {name: reason}}; the name of a file is "@file:" and its path.
"""

from __future__ import annotations

import json
import os

from .pieces import Digest, StoreError, counted
from .store import READ_BYTES, at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

FILE = "@file:"
STORED = "stored.json"


def main() -> int:
    """Always 0: what could not be stored is told by name, and does not take the rest with it."""
    bundle = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(bundle, "spec.json"), encoding="utf-8") as file:
        spec = json.load(file)
    results = os.environ["KUBE_MAGICS_RESULTS"]
    told: dict[str, dict[str, Any]] = {"stored": {}, "failed": {}}
    for number, (name, path) in enumerate(found(spec, results)):
        try:
            store = at(spec["artifacts"]["url"], spec["artifacts"]["folder"])
            told["stored"][name] = keep(store, f"out-{number}", path)
        except (StoreError, OSError) as error:
            told["failed"][name] = str(error)
    with open(os.path.join(results, STORED), "w", encoding="utf-8") as out:
        json.dump(told, out)
    return 0


def found(spec: dict[str, Any], results: str) -> Iterator[tuple[str, str]]:
    """Name and path of all that goes into the store."""
    for entry in sorted(os.listdir(results)):
        name, path = entry[: -len(".pkl")], os.path.join(results, entry)
        if entry.endswith(".pkl") and name != "@error" and os.path.getsize(path) > spec["result_limit_bytes"]:
            yield name, path
    if spec.get("returns_files") and not spec.get("cwd"):
        from kube_magics_runner.workfiles import matching  # type: ignore[import-not-found]  # its name in the pod

        for path in matching(spec["returns_files"]):
            yield FILE + path, path


def keep(store: Any, name: str, path: str) -> dict[str, Any]:
    digest = Digest()
    with open(path, "rb") as file:
        store.put(name, counted(iter(lambda: file.read(READ_BYTES), b""), digest))
    return {"bytes": digest.size_bytes, "sha256": digest.hexdigest(), "at": name}
