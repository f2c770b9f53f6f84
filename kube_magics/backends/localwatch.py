"""All local jobs, and what changes of them: their folders are looked at, since nothing tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from pathlib import Path

from kube_magics.telemetry.snapshot import Snapshot

WATCH_S = 0.5
"""Between two looks; of a job that is over, only at when its folder changed last."""
_Seen = tuple[int, Snapshot]


async def changes(
    homes: Callable[[], Iterable[Path]], snapshot: Callable[[Path], Snapshot]
) -> AsyncGenerator[Mapping[str, Snapshot | None], None]:
    """As `Backend.watch`."""
    seen: dict[str, _Seen] | None = None
    while True:
        before = seen or {}
        now = await asyncio.to_thread(_all, homes, before, snapshot)  # thousands take seconds
        changed: dict[str, Snapshot | None] = {
            name: found[1] for name, found in now.items() if name not in before or before[name][1] != found[1]
        }
        changed |= dict.fromkeys(before.keys() - now.keys())
        if changed or seen is None:
            yield changed
        seen = now
        await asyncio.sleep(WATCH_S)


def _all(
    homes: Callable[[], Iterable[Path]], before: Mapping[str, _Seen], snapshot: Callable[[Path], Snapshot]
) -> dict[str, _Seen]:
    return {home.name: found for home in homes() if (found := _look(home, before.get(home.name), snapshot))}


def _look(home: Path, before: _Seen | None, snapshot: Callable[[Path], Snapshot]) -> _Seen | None:
    try:
        changed = home.stat().st_mtime_ns
        if before is not None and before[0] == changed and before[1].over:
            return before
        found = snapshot(home)
        home.stat()  # else it was removed meanwhile, and that was half of it
    except FileNotFoundError:
        return None
    return changed, found
