"""What IPython knows of the notebook, as `cells.Notebook`."""

from __future__ import annotations

import base64
import linecache
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import TransformerManager
from IPython.display import publish_display_data

from kube_magics.cells.notebook import Cell, Notebook, Sent
from kube_magics.runner.images import Picture

if TYPE_CHECKING:
    from kube_magics.backends.contract import Backend
    from kube_magics.verbs.door import Door


def read(shell: Any) -> Notebook:
    """The executed cells, in order, with the names that their code was compiled with."""
    # IPython's own map from a cell's file name to its number; the sources stand in linecache for its tracebacks.
    numbered = sorted(shell.compile._filename_map.items(), key=lambda item: item[1])  # noqa: SLF001 - no public way
    cells = tuple(Cell(name, f"In [{number}]", "".join(linecache.getlines(name))) for name, number in numbered)
    return Notebook(namespace=shell.user_ns, cells=cells, label=f"In [{running(shell)}]", python=python)


def python(text: str) -> str:
    """`text` with `get_ipython().…` calls for what only IPython reads, each in the line where it was."""
    manager: Any = TransformerManager()  # type: ignore[no-untyped-call]
    lines = text.splitlines(keepends=True)
    for _ in range(len(lines) + 1):
        changed, found = manager.do_one_token_transform(lines)
        if not changed:
            break
        at = next(number for number, line in enumerate(found) if line != lines[number])
        joined = len(lines) - len(found)  # lines that ended in a backslash
        lines = [*found[: at + 1], *["\n"] * joined, *found[at + 1 :]]
    return "".join(lines)


def register_cell(shell: Any, source: str) -> str:
    """Let IPython know the running cell by its full text, so that tracebacks show its own lines; its file name."""
    return str(shell.compile.cache(source, running(shell), raw_code=source))


def sent(shell: Any, text: str) -> Sent:
    """The running cell as its front end sent it; a terminal tells nothing of it."""
    header, meta = _request(shell).get("header") or {}, _request(shell).get("metadata") or {}
    at = header.get("date")
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return Sent(text, meta.get("cellId"), header.get("session"), at.timestamp() if at else None)


def run_id(shell: Any) -> str | None:
    """Of the running cell's message; a terminal has none."""
    found = (_request(shell).get("header") or {}).get("msg_id")
    return found if isinstance(found, str) else None


def door(shell: Any) -> Door:
    """The notebook, as verbs see it."""
    from kube_magics.verbs.door import Door  # what loading the extension need not wait for

    return Door(namespace=shell.user_ns, sent=lambda text: sent(shell, text), live=_live(shell))


def _live(shell: Any) -> Callable[[Backend], object] | None:
    """What makes a dashboard, where one can be shown."""
    from kube_magics.widgets.dashboard import supported

    def made(backend: Backend) -> object:
        from kube_magics.magics.dashboard import AllJobs

        return AllJobs(backend)

    return made if hasattr(shell, "kernel") and supported() else None


def answers(shell: Any) -> bool:
    """Whether the running cell's front end takes questions; executors say that they do not."""
    return bool((_request(shell).get("content") or {}).get("allow_stdin", True))


def shows(shell: Any) -> bool:
    """Whether a cell runs; else it is a widget's callback, whose interrupts go to the kernel's own log."""
    return (_request(shell).get("header") or {}).get("msg_type") in (None, "execute_request")


def leaving(shell: Any) -> bool:
    """Whether the kernel has been told to shut down, which it does once the running cell has ended."""
    return bool(getattr(shell, "exit_now", False))


def _request(shell: Any) -> dict[str, Any]:
    return (shell.get_parent() if hasattr(shell, "get_parent") else None) or {}


def running(shell: Any) -> int:
    """The number of the running cell; `execution_count` is that or one more, by version, so ask what was compiled."""
    return int(max(shell.compile._filename_map.values(), default=shell.execution_count))  # noqa: SLF001


def show_picture(picture: Picture) -> None:
    """In the running cell's output, where a saved notebook keeps it; its text is for where no picture can be."""
    data = {"image/png": base64.b64encode(picture.data).decode("ascii"), "text/plain": picture.text}
    publish_display_data(data)  # type: ignore[no-untyped-call]
