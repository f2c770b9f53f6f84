"""What the program left in the results folder, as events: values, the exception, and what is not there.

The folder, written by program.py: `<name>.pkl` for each result, `@value.pkl` for what a function given to train()
returned, `error.json` and `@error.pkl` for the exception, `missing.json` for what could not be kept. With --artifacts
also `stored.json`: what the step after the program has put into the store.
"""

from __future__ import annotations

import os

from . import protocol, quickjson, spoiled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

VALUE = "@value"
ERROR = "@error"
KEPT_FRAMES = 40
NEVER_SET = "never set"
UNWRITTEN = "cannot be written in the job: is the disk of its folder full?"


class Results:
    """The folder's content. `sent`, `missing` and `too_large` are complete once `events` has been run through."""

    def __init__(self, folder: str, spec: dict[str, Any], error: dict[str, Any] | None = None) -> None:
        """`error` counts where the folder has none."""
        left = _read(os.path.join(folder, "missing.json"))
        self.error = _read(os.path.join(folder, "error.json")) or error
        self.sent: list[str] = []
        self.missing: dict[str, str] = _part(left, "missing")
        self.too_large: dict[str, int] = _part(left, "too_large")
        kept = _read(os.path.join(folder, "stored.json"))
        self.stored: dict[str, dict[str, Any]] = _part(kept, "stored")
        self.failed: dict[str, str] = _part(kept, "failed")
        self._folder = folder
        self._limit: int | None = spec.get("result_limit_bytes")
        self._names: list[str] = []
        for name in dict.fromkeys([*(spec.get("returns") or []), VALUE, ERROR]):
            if os.path.isfile(self._path(name)):
                self._names.append(name)
            elif name != ERROR and name in (spec.get("returns") or []) and not self._explained(name):
                self.missing[name] = self._why_absent(name)

    @property
    def anything(self) -> bool:
        return bool(self._names or self.stored)

    def events(self) -> Iterator[dict[str, Any]]:
        """Chunks of every result within the limit, and where the store has others. Without a limit the files stay."""
        for name, entry in self.stored.items():
            yield {"e": "stored", "name": name, **entry}
        for name in self._names:
            size = os.path.getsize(self._path(name))
            if self._limit is not None and size > self._limit:
                if name in self.stored:
                    self.sent.append(name)
                elif name in self.failed:
                    self.missing[name] = self.failed[name]
                elif name != ERROR:  # the error event tells what happened
                    self.too_large[name] = size
                continue
            if self._limit is not None:
                try:
                    with open(self._path(name), "rb") as file:
                        data = file.read()
                except OSError as problem:
                    self.missing[name] = f"cannot be read in the job: {problem.strerror}"
                    continue
                yield from protocol.result_chunks(name, data)
            if name != ERROR:
                self.sent.append(name)

    def error_event(self) -> dict[str, Any]:
        """The exception within one line: long texts lose their middle, deep stacks theirs."""
        error = {"e": "error", **(self.error or {})}
        for text_room, frames in ((8000, KEPT_FRAMES), (4000, 20), (2000, 10), (1000, 4)):
            short = {**error, "text": _short(error.get("text"), text_room)}
            short["message"] = _short(error.get("message"), text_room // 2)
            short["frames"] = _few(error.get("frames") or [], frames)
            if len(protocol.encode_event(short)) <= protocol.MAX_EVENT_BYTES:
                return short
        return {**short, "text": "", "frames": [], "message": _short(error.get("message"), 500)}

    def summary(self) -> str:
        """One line for the termination log."""
        return f"{self.error.get('type')}: {self.error.get('message')}" if self.error else ""

    def _explained(self, name: str) -> bool:
        return name in self.missing or name in self.too_large

    def _why_absent(self, name: str) -> str:
        if not os.path.isdir(self._folder):
            return spoiled.MISSING
        return UNWRITTEN if os.path.exists(self._path(name) + ".part") else NEVER_SET

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name + ".pkl")


def _short(text: Any, room: int) -> str:
    """`text` with its middle left out where it is longer than `room`."""
    whole = str(text or "")
    if len(whole) <= room:
        return whole
    return f"{whole[: room // 3]}\n... {len(whole) - room} characters left out ...\n{whole[-(room - room // 3) :]}"


def _few(frames: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return frames if len(frames) <= count else [*frames[: count // 2], *frames[-(count - count // 2) :]]


def _read(path: str) -> dict[str, Any]:
    """The object in a file; empty where there is none: the folder is the program's too, which may spoil it."""
    try:
        found = quickjson.read_file(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _part(found: dict[str, Any], key: str) -> dict[str, Any]:
    inner = found.get(key)
    return dict(inner) if isinstance(inner, dict) else {}
