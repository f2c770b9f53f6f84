"""The files of the job's working folder at its end: those of --returns-files, and those that the job wrote and loses.

One walk through the current folder, which is the job's; the rest are pure functions of paths.
"""

from __future__ import annotations

import os

from . import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MOST_ENTRIES = 20_000
"""Looked at for what is lost: enough for any training, bounded on a disk full of small files."""
LISTED = 5
FILE = "@file:"
"""A file's name among the results is this and its path."""
NOT_MISSED = ("__pycache__", ".ipynb_checkpoints", ".cache")


def matches(path: str, pattern: str) -> bool:
    """Whether a path, relative and with /, is what a glob means; one that matches a folder means all that is below it.

    As in a shell: * stays within a folder and leaves out what begins with a dot, ** goes through any number of them.
    """
    return _match(path.split("/"), [word for word in pattern.split("/") if word not in ("", ".")])


def _match(names: list[str], words: list[str]) -> bool:
    if not words:
        return True
    if words[0] == "**":
        return any(_match(names[skipped:], words[1:]) for skipped in range(len(names)))
    if not names or (names[0].startswith(".") and not words[0].startswith(".")):
        return False
    from fnmatch import fnmatchcase  # and with it re, which a job without --returns-files need not import at its end

    return fnmatchcase(names[0], words[0]) and _match(names[1:], words[1:])


def all_files(most: float = float("inf")) -> Iterator[str]:
    """Regular files of the current folder, without what lies on other disks: volumes are not lost."""
    seen = 0
    for folder, folders, files in os.walk("."):
        folders[:] = sorted(name for name in folders if not os.path.ismount(os.path.join(folder, name)))
        for name in sorted(files):
            seen += 1
            if seen > most:
                return
            path = os.path.normpath(os.path.join(folder, name))
            if os.path.isfile(path):
                yield path


def matching(patterns: list[str]) -> list[str]:
    """The files that come back."""
    return [path for path in all_files() if any(matches(path, pattern) for pattern in patterns)]


def written(since_ns: int) -> list[tuple[str, int]]:
    """Path and size of each file that was made or changed since then, the largest first."""
    found = []
    for path in all_files(MOST_ENTRIES):
        try:
            state = os.lstat(path)
        except OSError:
            continue  # removed while we look
        if state.st_ctime_ns > since_ns and not set(path.split("/")[:-1]).intersection(NOT_MISSED):
            found.append((path, state.st_size))
    return sorted(found, key=lambda each: -each[1])


def events(
    spec: dict[str, Any], since_ns: int, kept: dict[str, Any], failed: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """The files that come back, as results; last what does not, in one event. `kept` and `failed`: by the store."""
    asked: list[str] = spec.get("returns_files") or []
    found = matching(asked) if asked else []
    limit: int | None = spec.get("result_limit_bytes")
    back = {name[len(FILE) :] for name in kept}
    problems = {name[len(FILE) :]: why for name, why in failed.items() if name.startswith(FILE)}
    too_large = {}
    room = limit or 0
    for path in sorted(found, key=_size_bytes):
        size = _size_bytes(path)
        if path in back or path in problems:
            continue
        if limit is None:
            yield {"e": "stored", "name": FILE + path, "bytes": size, "sha256": None, "at": None}
        elif size > room:
            too_large[path] = size
            continue
        else:
            room -= size
            with open(path, "rb") as file:
                yield from protocol.result_chunks(FILE + path, file.read())
        back.add(path)
    # A folder that the user has chosen may be on a volume, from where nothing is lost.
    kept_there = spec.get("workdir") and os.stat(".").st_dev != os.stat("/").st_dev
    young = [] if kept_there else written(since_ns)
    lost = [each for each in young if each[0] not in back and each[0] not in too_large]
    unmatched = [pattern for pattern in asked if not any(matches(path, pattern) for path in found)]
    event: dict[str, Any] = {"e": "files", "lost": lost[:LISTED], "count": len(lost), "bytes": sum(s for _, s in lost)}
    event["too_large"] = dict(sorted(too_large.items(), key=lambda each: -each[1])[:LISTED])
    event.update(failed=dict(list(problems.items())[:LISTED]), unmatched=unmatched)
    if len(protocol.encode_event(event)) > protocol.MAX_EVENT_BYTES:  # paths of thousands of characters
        event.update(lost=[], too_large={}, failed={}, unmatched=[])
    if lost or too_large or problems or unmatched:
        yield event


def _size_bytes(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
