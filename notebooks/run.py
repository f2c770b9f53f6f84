"""Run a notebook on the terminal, its output shown as it comes: `python notebooks/run.py notebooks/quickstart.ipynb`.

`jupyter execute` shows nothing before the end, and nothing at all of what a cell printed. The notebook's file stays as
it is. Exit code 1 if a cell fails or is silent for too long.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets.config import Config

CELL_TIMEOUT_S = 600
SHOWN_LINES = 8
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class LiveClient(NotebookClient):
    """nbclient that shows what each cell is, and its output the moment the kernel sends it."""

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: str, cell_index: int) -> Any:
        if not msg["content"].get("transient", {}).get("display_id"):  # a terminal shows nothing that changes
            show_output(msg["msg_type"], msg["content"])
        return super().output(outs, msg, display_id, cell_index)


def show_output(kind: str, content: dict[str, Any]) -> None:
    """One message of the kernel, as text."""
    if kind == "stream":
        text = content["text"]
    elif kind in ("display_data", "execute_result"):
        text = content["data"].get("text/plain", "") + "\n"
    elif kind == "error":
        text = "\n".join(content["traceback"]) + "\n"
    else:
        return
    sys.stdout.write(text if sys.stdout.isatty() else _COLOURS.sub("", text))
    sys.stdout.flush()


def show_source(cell: Any, number: int) -> None:
    """The heading of a text cell, or the first lines of a code cell."""
    lines = cell.source.splitlines()
    if cell.cell_type == "markdown":
        for line in lines:
            if line.startswith("#"):
                print(f"\n{line.lstrip('#').strip()}\n", flush=True)
        return
    label = f"In [{number}] "
    shown = (
        lines
        if len(lines) <= SHOWN_LINES
        else [*lines[: SHOWN_LINES - 1], f"… {len(lines) - SHOWN_LINES + 1} more lines"]
    )
    for i, line in enumerate(shown):
        print(f"{label if i == 0 else ' ' * len(label)}{line}")
    sys.stdout.flush()


def run(path: Path, sockets: str) -> None:
    """All cells of the notebook at `path`, in a kernel whose folder is the notebook's and whose sockets are private."""
    notebook = nbformat.read(path, as_version=4)
    client = LiveClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        startup_timeout=120,
        # In a virtual environment this is the environment's own kernel, whatever else is registered under the name.
        kernel_name="python3",
        # Over TCP a kernel warns, with reason, that others on the machine could listen.
        config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    number = 0
    with client.setup_kernel():
        for i, cell in enumerate(notebook.cells):
            code = cell.cell_type == "code"
            number += code
            show_source(cell, number)
            if code:
                client.execute_cell(cell, i, execution_count=number)


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python notebooks/run.py NOTEBOOK.ipynb", file=sys.stderr)
        return 2
    path = Path(sys.argv[1])
    if not path.is_file():
        print(f"{path}: no such notebook", file=sys.stderr)
        return 2
    # What a Jupyter server would say; jobs are listed and named by it.
    os.environ.setdefault("KUBE_MAGICS_NOTEBOOK", path.name)
    try:
        with tempfile.TemporaryDirectory() as sockets:
            run(path, sockets)
    except CellExecutionError:
        # The cell's own traceback has been shown.
        print(f"\n{path.name} stopped at the cell above.", file=sys.stderr)
        return 1
    except CellTimeoutError:
        print(f"\n{path.name}: the cell above took longer than {CELL_TIMEOUT_S} s.", file=sys.stderr)
        return 1
    except DeadKernelError:
        print(f"\n{path.name}: the kernel died in the cell above.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
