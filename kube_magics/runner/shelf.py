"""`--cache`: installed packages, kept on a volume for the next job that asks for the same.

A set is kept under the digest of all that decides what is in it. It is made under another name and renamed once it is
complete, so that of two jobs at once the later one finds the other's, and none ever finds half of one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import sysconfig
import time

from . import quickjson

MAKING = ".making-"
ABANDONED_S = 24 * 3600.0
INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")


class Shelf:
    """The cache folder, or none."""

    def __init__(self, folder: str | None) -> None:
        self.problems: list[str] = []
        """Why nothing is kept, for people."""
        self._folder = folder

    def key(self, lines: list[str], limits: list[str]) -> str:
        where = [sys.executable, sys.version, sysconfig.get_platform(), sysconfig.get_config_var("SOABI")]
        indexes = [os.environ.get(name) for name in INDEXES]
        return hashlib.sha256(quickjson.dumps([where, sorted(lines), limits, indexes]).encode()).hexdigest()[:32]

    def take(self, key: str, target: str) -> bool:
        """Let `target` be the set that is kept under `key`, if there is one."""
        if self._folder is None or not os.path.isdir(os.path.join(self._folder, key)):
            return False
        os.symlink(os.path.join(self._folder, key), target)
        return True

    def place(self, key: str) -> str | None:
        """A folder to make a set in; None where nothing can be kept."""
        if self._folder is None:
            return None
        place = os.path.join(self._folder, f"{MAKING}{key}-{os.urandom(4).hex()}")
        try:
            os.mkdir(place)
        except OSError as error:
            self.problems.append(f"the cache cannot be written to ({error.strerror})")
            return None
        self._tidy()
        return place

    def put(self, place: str, key: str, target: str) -> None:
        """Keep what was made, and let `target` be it."""
        assert self._folder is not None
        kept = os.path.join(self._folder, key)
        try:
            os.rename(place, kept)
        except OSError:
            if not os.path.isdir(kept):
                raise
            self.drop(place)  # another job was quicker
        os.symlink(kept, target)

    def drop(self, place: str) -> None:
        shutil.rmtree(place, ignore_errors=True)

    def _tidy(self) -> None:
        """What jobs that were killed have left."""
        assert self._folder is not None
        for entry in os.listdir(self._folder):
            path = os.path.join(self._folder, entry)
            if entry.startswith(MAKING) and time.time() - os.path.getmtime(path) > ABANDONED_S:
                self.drop(path)
