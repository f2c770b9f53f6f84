"""The matplotlib backend of a job: figures are shown as a notebook shows them, by show() and at the program's end.

It follows matplotlib_inline: figures are drawn at their own dpi with a tight box, shown ones are closed, and what was
drawn and never shown is shown at the end, unless interactive mode was off when it was made. Imported by matplotlib.
"""

from __future__ import annotations

import importlib
import io
import sys

from . import images, pictures
from .pretty import attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# By name: matplotlib is none of our dependencies, and where it is absent nothing asks for a backend.
backend_agg: Any = importlib.import_module("matplotlib.backends.backend_agg") if "matplotlib" in sys.modules else None
FigureCanvas: Any = getattr(backend_agg, "FigureCanvasAgg", None)
"""Asked for by pyplot, like the functions."""
LEAST_DPI = 10
TRIES = 10
_drawn = [False]


def new_figure_manager(num: Any, *args: Any, FigureClass: Any = None, **kwargs: Any) -> Any:  # noqa: N803 (matplotlib's)
    """A new figure, asked for by pyplot."""
    return new_figure_manager_given_figure(
        num, (FigureClass or sys.modules["matplotlib.figure"].Figure)(*args, **kwargs)
    )


def new_figure_manager_given_figure(num: Any, figure: Any) -> Any:
    """A figure that there is already gets its window, which here is a canvas."""
    manager = backend_agg.new_figure_manager_given_figure(num, figure)
    # What Figure.show calls. On the figure itself, where matplotlib_inline has it, it would hinder pickling.
    manager.show = lambda: show_figure(figure)
    _drawn[0] = _drawn[0] or sys.modules["matplotlib"].is_interactive()
    return manager


def show(close: bool | None = None, **_options: Any) -> None:
    """pyplot.show(): every open figure, which is then closed."""
    managers: Any = sys.modules["matplotlib._pylab_helpers"].Gcf
    try:
        for manager in managers.get_all_fig_managers():
            attempt(show_figure, manager.canvas.figure)
    finally:
        _drawn[0] = False
        if (close is None or close) and managers.get_all_fig_managers():
            sys.modules["matplotlib.pyplot"].close("all")


def flush() -> None:
    """The end of the program, as the end of a cell: what was drawn is shown."""
    if _drawn[0]:
        show()


def show_figure(figure: Any) -> None:
    """One figure; an empty one shows nothing. What is too large is drawn with fewer dots per inch."""
    if not (figure.axes or figure.lines) or not pictures.here():
        return
    dpi = asked = figure.dpi
    data = _png(figure, dpi)
    for _ in range(TRIES):
        if len(data) <= images.EACH_BYTES or dpi <= LEAST_DPI:
            break
        dpi = max(LEAST_DPI, int(dpi * min(0.85, 0.95 * (images.EACH_BYTES / len(data)) ** 0.5)))
        data = _png(figure, dpi)
    why = f"shown at {dpi:g} dots per inch instead of {asked:g}: a picture has {images.EACH_BYTES // 1024} KiB at most"
    pictures.send(data, repr(figure), "" if dpi == asked else f"{figure!r} is {why}")


def _png(figure: Any, dpi: float) -> bytes:
    if figure.canvas is None:
        FigureCanvas(figure)
    file = io.BytesIO()
    colors = {"facecolor": figure.get_facecolor(), "edgecolor": figure.get_edgecolor()}
    figure.canvas.print_figure(file, format="png", dpi=dpi, bbox_inches="tight", **colors)
    return file.getvalue()
