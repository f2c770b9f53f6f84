"""The step before the program: large captured values from the store to their place, and a look whether it can be used.

spec.json tells, in `artifacts`:

    url, folder   where
    data          null, or {"bytes": N, "parts": [[at, size, digest], …]}: the bundle's data.pkl, as `pieces` digests it
    writes        whether the job will write there: found out now, not after hours
    keeps         whether the values stay there: another attempt will read them again. Of who is not told: they do not
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress

from .pieces import Damaged, StoreError, checked
from .store import at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DATA = "data.pkl"


def main() -> int:
    bundle = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(bundle, "spec.json"), encoding="utf-8") as file:
        asked = json.load(file)["artifacts"]
    try:
        fetch(asked, bundle)
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def fetch(asked: dict[str, Any], bundle: str) -> None:
    """Raises StoreError."""
    store = at(asked["url"], asked["folder"])
    if asked["data"]:
        path = os.path.join(bundle, DATA)
        try:
            with open(path + ".part", "wb") as file:
                file.writelines(checked(store.read(DATA), asked["data"]["parts"]))
        except Damaged as error:
            raise Damaged(f"{store}/{DATA}: {error}") from None
        os.replace(path + ".part", path)
        if not asked.get("keeps"):
            with suppress(StoreError):  # a store that this job may only read
                store.remove(DATA)
    if asked["writes"]:
        store.check()
