"""`--debug`: while a call lasts, each request to the cluster is shown, and an error leaves it with its whole traceback.

Of a request its method, path, query, status and time are shown: never a header, and never a body.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from kube_magics.errors import Told

_REQUESTS = logging.getLogger("kube_magics.requests")


class _Whole:
    """How IPython shows an error that would be three lines: with every frame, and with its causes."""

    def __init__(self, error: Told) -> None:
        self._error = error

    def __call__(self) -> list[str]:
        return "".join(traceback.format_exception(self._error)).splitlines()

    def __reduce__(self) -> tuple[object, ...]:
        return (_nothing, ())  # how it was shown here does not travel


def _nothing() -> None:
    return None


class Debugging:
    """The switch of one call: off until `on`, which its line, or a default, may ask for."""

    def __init__(self) -> None:
        self.active = False
        self._shows: logging.Handler | None = None

    def on(self, asked: bool) -> None:
        if not asked or self.active:
            return
        self.active = True
        self._shows = logging.StreamHandler(sys.stderr)
        self._shows.setFormatter(logging.Formatter("[kube_magics: %(message)s]"))
        _REQUESTS.addHandler(self._shows)
        _REQUESTS.setLevel(logging.DEBUG)

    def off(self) -> None:
        if self._shows is not None:
            _REQUESTS.removeHandler(self._shows)
        if not _REQUESTS.handlers:
            _REQUESTS.setLevel(logging.NOTSET)
        self.active = False


@contextmanager
def debugging(asked: bool) -> Iterator[None]:
    """For a call of Python."""
    switch = Debugging()
    switch.on(asked)
    try:
        yield
    except Told as error:
        if switch.active:
            whole(error)
        raise
    finally:
        switch.off()


def whole(error: Told) -> None:
    """From now on `error` is shown with its whole traceback."""
    error._render_traceback_ = _Whole(error)  # type: ignore[method-assign]
