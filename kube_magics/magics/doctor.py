"""`%kube doctor` in a notebook: its lines come under the cell as they are found out, and are the line's value, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from IPython.display import DisplayHandle, display

from kube_magics.doctor.line import Report, row
from kube_magics.magics.notebook import running


class Live:
    """Shows a report as it grows: one table that changes; in a terminal, a line more each time."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._in_kernel = hasattr(shell, "kernel")
        self._handle: DisplayHandle | None = None
        self.used = False

    def __call__(self, report: Report) -> None:
        self.used = True
        if not self._in_kernel:
            print(row(report.lines[-1]), flush=True)
        elif self._handle is None:
            self._handle = display(report, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(report)  # type: ignore[no-untyped-call]

    def end(self, report: Report) -> Shown:
        """The last word on it, as the line's value."""
        if self._handle is not None:
            self._handle.update(report)  # type: ignore[no-untyped-call]
        cell = running(self._shell)
        rest = "" if self._in_kernel else report.summary
        return Shown(report.lines, is_same_cell=lambda: running(self._shell) == cell, rest=rest)


@dataclass(frozen=True, repr=False)
class Shown(Report):
    """One that stands under its cell already: as that cell's value it is not shown a second time."""

    is_same_cell: Callable[[], bool] = lambda: False
    rest: str = ""
    """What is still to be shown there."""

    def _ipython_display_(self) -> None:
        if not self.is_same_cell():
            display(Report(self.lines))  # type: ignore[no-untyped-call]
        elif self.rest:
            print(self.rest)
