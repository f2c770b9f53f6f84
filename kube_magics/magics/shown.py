"""How errors leave a magic: three lines instead of forty, and the job's own frames alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from kube_magics.errors import KubeMagicsError


class Rendered:
    """An exception's `_render_traceback_` for IPython: the job's frames, without those of kube_magics around."""

    def __init__(self, shell: Any, error: BaseException, tb: TracebackType | None) -> None:
        self._shell = shell
        self._error = error
        self._tb = tb

    def __call__(self) -> list[str]:
        return list(self._shell.InteractiveTB.structured_traceback(type(self._error), self._error, self._tb))

    def __reduce__(self) -> tuple[object, ...]:
        # The exception may be pickled later; how it was shown here does not travel.
        return (_nothing, ())


def _nothing() -> None:
    return None


@contextmanager
def shown(shell: Any) -> Iterator[None]:
    """Lets IPython show a job's own exception with the job's frames alone; ours are short by themselves."""
    try:
        yield
    except Exception as error:
        tb = getattr(error, "__kube_magics_traceback__", None)
        if tb is not None and not isinstance(error, KubeMagicsError):
            error._render_traceback_ = Rendered(shell, error, tb)  # type: ignore[attr-defined]
        raise
