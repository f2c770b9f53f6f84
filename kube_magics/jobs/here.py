"""The notebook that this process runs, as whoever loaded the extension says; else the `__main__` of a script.

And what of it only the extension can do or know: show a picture or a card, whether somebody is there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from kube_magics.cells.notebook import Notebook
from kube_magics.runner.images import Picture
from kube_magics.telemetry.card import Card

CardView = Callable[[Card], None]
"""Shows a card, and then, in its place, what has become of it."""

_reader: Callable[[], Notebook] | None = None
_configuration: Callable[[], Mapping[str, Any]] = dict
_display: Callable[[Picture], None] | None = None
_card_views: Callable[[], CardView | None] | None = None
_cell: Callable[[], str | None] | None = None
_answers: Callable[[], bool] | None = None
_leaving: Callable[[], bool] | None = None
_shows: Callable[[], bool] | None = None
_limited = True
_typed: Callable[[str], str] = str


def set_reader(reader: Callable[[], Notebook]) -> None:
    """`reader` gives the notebook's cells and names at the time it is called."""
    global _reader  # noqa: PLW0603 - one notebook per process
    _reader = reader


def set_display(display: Callable[[Picture], None]) -> None:
    """`display` shows a picture where the running cell's output goes."""
    global _display  # noqa: PLW0603 - one front end per process
    _display = display


def set_card_views(views: Callable[[], CardView | None]) -> None:
    """`views` makes one for the running cell; None where there is only text."""
    global _card_views  # noqa: PLW0603 - one front end per process
    _card_views = views


def card_view() -> CardView | None:
    """As `set_card_views` says."""
    return _card_views() if _card_views is not None else None


def set_cell(cell: Callable[[], str | None]) -> None:
    """`cell` as the function below."""
    global _cell  # noqa: PLW0603 - one front end per process
    _cell = cell


def cell() -> str | None:
    """What tells one run of a cell from another; None: nothing does."""
    return _cell() if _cell is not None else None


def set_limited(limited: bool) -> None:
    """Whether the output goes to where too much of it does harm, as a notebook does."""
    global _limited  # noqa: PLW0603 - one front end per process
    _limited = limited


def limited() -> bool:
    """As `set_limited` says; unless it does, it is."""
    return _limited


def set_typed(typed: Callable[[str], str]) -> None:
    """`typed` gives a text with what it tells to type as it is typed here, which need not be a notebook."""
    global _typed  # noqa: PLW0603 - one front end per process
    _typed = typed


def typed(text: str) -> str:
    """As `set_typed` says; unless it does, as in a notebook."""
    return _typed(text)


def set_presence(answers: Callable[[], bool], leaving: Callable[[], bool], shows: Callable[[], bool]) -> None:
    """`answers`, `leaving` and `shows` as the three functions below."""
    global _answers, _leaving, _shows
    _answers, _leaving, _shows = answers, leaving, shows


def answers() -> bool:
    """Whether a person may answer the running cell; nobody does where an executor (nbclient, papermill) runs it."""
    return _answers is None or _answers()


def leaving() -> bool:
    """Whether this process is being shut down."""
    return _leaving is not None and _leaving()


def shows() -> bool:
    """Whether what is raised now is shown, by the running cell; in a widget's callback an interrupt never is."""
    return _shows is None or _shows()


def set_configuration(read: Callable[[], Mapping[str, Any]]) -> None:
    """`read` gives what IPython's configuration sets (`c.KubeMagics…`), by field, at the time it is called."""
    global _configuration  # noqa: PLW0603 - one shell per process
    _configuration = read


def configuration() -> Mapping[str, Any]:
    """Defaults of options that IPython's configuration sets; empty outside IPython."""
    return _configuration()


def display() -> Callable[[Picture], None] | None:
    """How pictures are shown; None: there is only text here."""
    return _display


def notebook() -> Notebook:
    """The notebook, or the script that the interpreter runs."""
    return _reader() if _reader is not None else Notebook(namespace=sys.modules["__main__"].__dict__)


def notebook_path(environment: Mapping[str, str] = os.environ) -> str | None:
    """The notebook's path as the user or the front end says; None: unknown."""
    named = environment.get("KUBE_MAGICS_NOTEBOOK") or environment.get("JPY_SESSION_NAME")
    # VS Code sets no variable of the environment, but a name in the notebook.
    return named or notebook().namespace.get("__vsc_ipynb_file__") or None
