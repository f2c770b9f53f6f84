"""How errors leave a magic: three lines instead of forty, and the job's own frames alone."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from kube_magics.errors import Told
from kube_magics.jobs.debugging import Debugging, whole
from kube_magics.jobs.remote import frames_of, is_of_job


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


class _Interrupted:
    """An interrupt before a job is submitted or after its end; those between have errors of their own."""

    def __call__(self) -> list[str]:
        return ["KeyboardInterrupt: interrupted", "  next: %kube jobs shows which jobs there are"]

    def __reduce__(self) -> tuple[object, ...]:
        return (_nothing, ())


class shown:  # noqa: N801 - used as `with shown(shell):`
    """Lets IPython show a job's own exception with the job's frames alone; ours are short by themselves."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._debugging = Debugging()

    def __enter__(self) -> Debugging:
        """What the line's --debug switches on."""
        return self._debugging

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        asked = self._debugging.active
        self._debugging.off()
        if asked:
            if isinstance(error, Told):
                whole(error)
            return
        if isinstance(error, KeyboardInterrupt) and not is_of_job(error):
            # While a value is pickled or a file read: where in our code that was is nothing to the user.
            error._render_traceback_ = _Interrupted()  # type: ignore[attr-defined]
        if error is None or not is_of_job(error):
            return
        frames = frames_of(error)
        error._render_traceback_ = Rendered(self._shell, error, frames)  # type: ignore[attr-defined]
        # Of groups and syntax errors IPython shows the traceback itself: from here on it has the notebook's frames.
        error.__traceback__ = frames
