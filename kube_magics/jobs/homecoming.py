"""The files of --returns-files, from the log, the store or the job's folder into the notebook's folder.

Their names come from a job, so nothing is believed of them: a file is written only where a glob of the user's asks for
it, below the notebook's folder, and whole.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kube_magics import errors
from kube_magics.runner.workfiles import FILE, matches
from kube_magics.spec.quantities import human_bytes

Read = Callable[[str, Mapping[str, Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Home:
    """Where files come to."""

    folder: Path
    asked: Sequence[str]

    def bring(self, name: str, chunks: Iterable[bytes]) -> int:
        """Write one file, replacing an older one once all of it is here; its size. Raises ResultError."""
        path = self._path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:40]}.", delete=False) as file:
                try:
                    file.writelines(chunks)
                    size = file.tell()
                    Path(file.name).chmod(0o666 & ~_umask())
                    Path(file.name).replace(path)
                except BaseException:
                    with suppress(OSError):
                        Path(file.name).unlink()
                    raise
        except OSError as error:
            what = f"{name} came back and cannot be written to {path}."
            raise errors.ResultError(
                what, said=error.strerror, hint="make room for it, then run the cell again"
            ) from error
        return size

    def _path(self, name: str) -> Path:
        pure = PurePosixPath(name)
        path = self.folder / pure
        inside = not pure.is_absolute() and ".." not in pure.parts and "\\" not in name and "\0" not in name
        if not inside or not any(matches(name, pattern) for pattern in self.asked):
            raise errors.ResultError(
                f"The job sent back {name!r}, which --returns-files did not ask for: it was not written.",
                hint="name it with another --returns-files, if you want it",
            )
        if path.is_dir() or not _resolved(path.parent).is_relative_to(self.folder.resolve()):
            raise errors.ResultError(
                f"{name} came back, and {path} is a folder or lies outside of the notebook's: it was not written.",
                hint="move what is in its place, then run the cell again",
            )
        return path


def _resolved(path: Path) -> Path:
    """Where a folder really is, that may not be there yet."""
    return path.resolve(strict=False)


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def not_back(event: Mapping[str, Any]) -> list[errors.ResultError]:
    """The files that were asked for and do not come, from the job's `files` event."""
    problems: list[errors.ResultError] = []
    too_large = event.get("too_large") or {}
    if too_large:
        named = ", ".join(f"{path} ({human_bytes(size)})" for path, size in too_large.items())
        problems.append(
            errors.ResultTooLarge(
                f"{named} did not come back: files of up to 1.0 MB in all travel through the log.",
                hint="--artifacts URL, or --volume CLAIM:/path and write there",
            )
        )
    problems += [
        errors.ResultMissing(f"{path} did not come back: {why}.", hint="--artifacts URL that the job may write to")
        for path, why in (event.get("failed") or {}).items()
    ]
    problems += [
        errors.ResultMissing(
            f"--returns-files {pattern}: no file of the job's working folder matches.",
            hint="a path or glob relative to the working folder: --returns-files 'checkpoints/*.pt'",
        )
        for pattern in event.get("unmatched") or ()
    ]
    return problems


def lost_line(event: Mapping[str, Any] | None) -> str | None:
    """What the job wrote into its folder and nobody brings back; None: nothing."""
    lost = [each for each in (event or {}).get("lost") or () if len(each) == 2]
    if not event or not lost:
        return None
    named = ", ".join(f"{path} ({human_bytes(size)})" for path, size in lost)
    more = int(event.get("count") or 0) - len(lost)
    more_text = f" and {more} more (together {human_bytes(event['bytes'])})" if more > 0 else ""
    was = "was written and is lost" if len(lost) + more == 1 else "were written and are lost"
    return f"{named}{more_text} {was}: --returns-files or --volume"


def path_of(name: str) -> str | None:
    """The path of a result that is a file."""
    return name[len(FILE) :] if name.startswith(FILE) else None
