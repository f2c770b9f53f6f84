"""display() in a job: pictures as pictures, everything else as the text that a notebook would show beside it.

HTML, Markdown, SVG and JavaScript of a job are never shown: text from a job is text everywhere.
"""

from __future__ import annotations

import builtins
import os
import sys

from .afterimport import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

home: list[Any] = []
"""Process id and folder of the bundle, where pictures can be shown at all."""


def begin(folder: str) -> None:
    """This process is the program of the job in `folder`: its pictures are shown, those of its workers are not."""
    home[:] = [os.getpid(), folder]
    when_imported("matplotlib", _take_figures)
    when_imported("IPython.display", _take_over)


def display(*objects: Any, raw: bool = False, display_id: Any = None, **_options: Any) -> Handle | None:
    """IPython's display(), also for a cell's last expression."""
    for value in objects:
        _show(value, raw)
    return Handle() if display_id is not None else None


class Handle:
    """What display() gives for a display_id. A log has no place to go back to: an update is shown anew."""

    display_id = None

    def display(self, value: Any, **options: Any) -> None:
        display(value, **options)

    update = display


def _show(value: Any, raw: bool) -> None:
    from .pretty import attempt, pretty

    bundle: dict[str, Any] = value if raw and isinstance(value, dict) else {}
    if home and home[0] == os.getpid():
        pictures = _pictures()
        bundle = bundle or pictures.bundle_of(value)
        if pictures.is_figure(value) and pictures.here():
            from .figures import show_figure

            attempt(show_figure, value)
            return
        if pictures.shown(value, bundle):
            return
    text = bundle.get("text/plain")
    if not isinstance(text, str):
        text = attempt(pretty, value)
    if text is not None:
        print(text)  # noqa: T201


def _pictures() -> Any:
    """What sends them, once it is needed; it has to be told where it is."""
    from . import pictures

    pictures.home = home
    return pictures


def show_open_figures() -> None:
    """At the end of the program, as a notebook does at the end of a cell. One that fails does not fail the job."""
    figures: Any = sys.modules.get(f"{__package__}.figures")
    if figures is None:
        return
    try:
        figures.flush()
    except Exception as error:  # noqa: BLE001  (whatever a figure has in it)
        from .pretty import tell

        tell(error)


def _take_figures(matplotlib: Any) -> None:
    """Figures are shown by our backend, unless the user's own choice stands in the environment by now. Processes that
    the user starts find Agg there: they have no runner to show figures to."""
    if os.environ.get("MPLBACKEND") == "Agg":
        _pictures()
        matplotlib.rcParams["backend"] = f"module://{__package__}.figures"
        matplotlib.interactive(True)


def _take_over(module: Any) -> None:
    """IPython's own display(), without a notebook around it, only prints what it is given."""
    module.display = display
    module.clear_output = clear_output


def clear_output(wait: bool = False) -> None:
    """A log keeps what it has; IPython's own would write the codes of a terminal into it."""


def install() -> None:
    """`display` is known without import, as in a notebook."""
    builtins.display = display  # type: ignore[attr-defined]
