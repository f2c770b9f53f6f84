"""A real Jupyter kernel for tests: what a notebook's cell prints, raises and leaves behind."""

from __future__ import annotations

import os
import re
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from types import TracebackType
from typing import Any, Self

from jupyter_client import KernelManager

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Ran:
    """One executed cell."""

    stdout: str = ""
    stderr: str = ""
    values: list[str] = field(default_factory=list)
    """Text of what the cell displayed or returned."""
    shown: list[tuple[str, Any]] = field(default_factory=list)
    """("stdout" or "stderr", text), neighbours of one stream joined, and ("display", MIME bundle), as they came."""
    cards: list[dict[str, str]] = field(default_factory=list)
    """The card of the cell's job, which is no part of the above: as it was shown, then each update."""
    panes: int = 0
    """Displays of cards; the others are updates of one of them."""
    error: str | None = None
    """Name of the exception's class."""
    message: str = ""
    traceback: str = ""
    """As shown, without colours."""
    number: int = 0
    """Its execution count: the N of In [N]."""
    arrivals: list[tuple[float, str]] = field(default_factory=list)
    """(seconds since the cell was sent, text) of each stream message."""
    over: bool = False
    sent: float = field(default_factory=time.monotonic)
    updated: dict[str, int] = field(default_factory=dict)
    """Where in `shown` each display stands that may change, by its id."""

    @property
    def text(self) -> str:
        """What stands under the cell as text, but for errors: its stdout, and what it displayed or returned."""
        parts = [
            content if kind == "stdout" else f"{content.get('text/plain', '')}\n"
            for kind, content in self.shown
            if kind != "stderr"
        ]
        return "".join(parts)


class Kernel:
    """One kernel process in `folder`, with `environment` on top of this process's."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "JPY_"))}
        self._started(cwd=str(folder), env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), **environment})
        self._running: dict[str, Ran] = {}
        """What was sent and is not finished, with all of it that came while another one was looked at."""

    def _started(self, **how: Any) -> None:
        for last in (False, False, True):
            # A new one each time: what has been shut down has no sockets any more.
            self._manager = KernelManager(kernel_name="python3")
            self._manager.kernel_spec_manager.ensure_native_kernel = True
            self._manager.start_kernel(**how)
            self.client = self._manager.client()
            self.client.start_channels()
            try:
                self.client.wait_for_ready(timeout=60)
                return
            except RuntimeError:
                # Of ports that were free another process has taken one before the kernel did.
                self.client.stop_channels()
                self._manager.shutdown_kernel(now=True)
                if last:
                    raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    @property
    def pid(self) -> int:
        return int(self._manager.provisioner.process.pid)

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def restart(self) -> None:
        """As a front end's button does it, a cell that runs or not."""
        self._manager.restart_kernel()

    def run(self, source: str, timeout_s: float = 180) -> Ran:
        """Execute one cell to its end."""
        return self.finish(self.send(source), timeout_s)

    def send(self, source: str) -> str:
        """Start a cell; `finish` waits for it."""
        return self._sent(self.client.execute(source, store_history=True))

    def press(self, target: str) -> str:
        """Open a comm and send it a message, as a widget's button does; `finish` waits for its callback."""
        comm = uuid.uuid4().hex
        for kind, content in (("comm_open", {"target_name": target}), ("comm_msg", {})):
            message = self.client.session.msg(kind, {"comm_id": comm, "data": {}, **content})
            self.client.shell_channel.send(message)
        return self._sent(message["header"]["msg_id"])

    def _sent(self, request: str) -> str:
        self._running[request] = Ran()
        return request

    def finish(self, request: str, timeout_s: float = 180) -> Ran:
        until = time.monotonic() + timeout_s
        while not (ran := self._running[request]).over:
            try:
                self._take(max(0.1, until - time.monotonic()))
            except Empty:
                raise TimeoutError(f"the cell still runs after {timeout_s} s; so far: {ran}") from None
        return self._running.pop(request)

    def peek(self, request: str) -> Ran:
        """What a cell has shown so far; `finish` goes on from there."""
        ran = self._running[request]
        with suppress(Empty):
            while not ran.over:
                self._take(0.05)
        return ran

    def _take(self, timeout_s: float) -> None:
        message = self.client.get_iopub_msg(timeout=timeout_s)
        if ran := self._running.get(message["parent_header"].get("msg_id")):
            ran.over |= _took(ran, message)  # a display may change after its cell has ended

    def value(self, expression: str) -> str:
        """`repr` of an expression in the notebook."""
        ran = self.run(f"print(repr({expression}))")
        assert ran.error is None, ran
        return ran.stdout.rstrip("\n")


def _took(ran: Ran, message: Mapping[str, Any]) -> bool:
    """Add one message; True when the cell has ended."""
    kind, content = message["msg_type"], message["content"]
    if kind == "execute_input":
        ran.number = content["execution_count"]
    elif kind == "stream":
        if content["name"] == "stdout":
            ran.stdout += content["text"]
        else:
            ran.stderr += content["text"]
        if ran.shown and ran.shown[-1][0] == content["name"]:
            ran.shown[-1] = (content["name"], ran.shown[-1][1] + content["text"])
        else:
            ran.shown.append((content["name"], content["text"]))
        ran.arrivals.append((time.monotonic() - ran.sent, content["text"]))
    elif "kube_magics" in content.get("metadata", {}):
        ran.cards.append(content["data"])
        ran.panes += kind == "display_data"
    elif kind in ("execute_result", "display_data"):
        if display := (content.get("transient") or {}).get("display_id"):
            ran.updated[display] = len(ran.shown)
        ran.values.append(content["data"].get("text/plain", ""))
        ran.shown.append(("display", content["data"]))
    elif kind == "update_display_data" and (at := ran.updated.get(content["transient"]["display_id"])) is not None:
        ran.shown[at] = ("display", content["data"])
    elif kind == "error":
        ran.error, ran.message = content["ename"], content["evalue"]
        ran.traceback = _ANSI.sub("", "\n".join(content["traceback"]))
    return kind == "status" and content["execution_state"] == "idle"
