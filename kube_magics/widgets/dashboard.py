"""The picture of all jobs: state goes there, wishes come back."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPTS = ("rows.js", "log.js", "table.js", "kernel.js", "deeds.js", "details.js", "dashboard.js")
"""One ES module in several files, the later ones on top of the earlier: what a page is given has no address to import
others from."""
STYLE = "dashboard.css"
LONGEST = 300
"""Characters of a word of a wish: names of Kubernetes have 253."""


@dataclass(frozen=True)
class Wish:
    """What somebody has asked for in the page."""

    id: str
    """Of the wish; the answer bears it."""
    what: str
    view: str
    """Which of the places that show the picture."""
    name: str = ""
    """Of a job."""
    identity: str = ""
    """Of the job that the page shows: `telemetry.board.identity`."""


def supported() -> bool:
    """Whether this Python has what the picture is made with."""
    return importlib.util.find_spec("anywidget") is not None


def script() -> str:
    """The ES module."""
    return "\n".join(_text(name) for name in SCRIPTS)


def style() -> str:
    """The CSS."""
    return _text(STYLE)


def wish_of(content: object) -> Wish | None:
    """From what came from the page; None: it is none."""
    if not isinstance(content, Mapping):
        return None
    words = {key: content.get(key, "") for key in ("id", "what", "view", "name", "identity")}
    if not all(isinstance(word, str) and len(word) <= LONGEST for word in words.values()) or not words["what"]:
        return None
    return Wish(**words)


class Picture:
    """In as many places as pages show it."""

    def __init__(self, wished: Callable[[Wish], None]) -> None:
        """`wished` is called on whichever thread the kernel hears it, and must return at once."""
        self._wished = wished
        self._widget: Any = _widget_class()()
        self._widget.on_msg(self._heard)
        _heard_as_asked(self._widget.comm)

    def send(self, message: Mapping[str, Any]) -> None:
        """To all places; from any thread, also while a cell runs."""
        self._widget.send(dict(message))
        _heard_as_asked(self._widget.comm)

    def bundle(self, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """What shows it, and `text` where that cannot be."""
        data, metadata = self._widget._repr_mimebundle_()
        return {**data, "text/plain": text}, metadata

    def close(self) -> None:
        """Nothing is shown any more, anywhere."""
        layout = self._widget.layout  # a widget of its own, with a comm of its own
        self._widget.close()
        layout.close()

    def _heard(self, _widget: object, content: object, _buffers: object) -> None:
        wish = wish_of(content)
        if wish is not None:
            self._wished(wish)


def _heard_as_asked(comm: Any) -> None:
    """ipykernel 7.4 hears a page on the thread that sent to it last: it may be busy with a cell, or have ended with the
    page that was there before a reload. The one that JupyterLab asks for hears also while a cell runs."""
    with suppress(AttributeError):
        del comm._reply_subshell_id  # noqa: SLF001 - there is no public way


@functools.cache
def _widget_class() -> Any:
    import anywidget  # a fifth of a second that only who asks for a dashboard waits for

    # Texts, not paths: of a path anywidget watches the file for ever.
    return type("Dashboard", (anywidget.AnyWidget,), {"_esm": script(), "_css": style()})


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")
