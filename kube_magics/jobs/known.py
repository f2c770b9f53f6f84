"""Names for completion, from what is known already: a list that is asked for is renewed behind it, and nobody waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from kube_magics import errors
from kube_magics.cluster import auth
from kube_magics.jobs import defaults, loop, remembered
from kube_magics.jobs.choose import backend_for
from kube_magics.spec.options import PLACE

FRESH_S = 10.0
"""A list is not asked for again within this."""
OF_THE_CLUSTER = ("jobs", "claims", "namespaces")

_lock = threading.Lock()
_lists: dict[str, list[str]] = {}
_asked: dict[str, float] = {}


def names(kind: str) -> list[str]:
    """The `jobs`, `claims`, `namespaces` or `contexts` that are known now, at once."""
    with _lock:
        known = list(_lists.get(kind, ()))
        if time.monotonic() - _asked.get(kind, -FRESH_S) >= FRESH_S:
            _asked[kind] = time.monotonic()
            threading.Thread(target=_renew, args=(kind,), name=f"kube_magics-{kind}", daemon=True).start()
    return known


def note(kind: str, found: Iterable[str], *, all_of_them: bool = True) -> None:
    """What somebody has just learnt."""
    with _lock:
        before = [] if all_of_them else _lists.get(kind, [])
        _lists[kind] = list(dict.fromkeys([*found, *before]))
        if kind == "jobs":
            # A process that has just begun knows but the one job that it has submitted.
            remembered.write(dict.fromkeys([*_lists[kind], *([] if all_of_them else remembered.read())]))


def _renew(kind: str) -> None:
    # Whoever presses Tab is told of no error: the line itself will be, when it is run.
    with suppress(errors.KubeMagicsError):
        if kind == "contexts":
            note(kind, auth.contexts())
            return
        note(kind, loop.wait(backend_for(defaults.spec({}, PLACE)).names(kind)))
