"""A JupyterLab of its own, and a Chromium that has one notebook of it open.

Needs `jupyterlab` and `playwright` from PyPI and a Chromium of this machine (Debian: `apt-get install chromium`).
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import secrets
import shutil
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psutil

from tests.ports import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocket

START_TIMEOUT_S = 90.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--enable-precise-memory-info"),
)


def why_not() -> str | None:
    """One line that says why there is no browser here; None: there is one."""
    if lacking := [name for name in ("jupyterlab", "playwright") if importlib.util.find_spec(name) is None]:
        return f"not installed: {', '.join(lacking)}"
    return None if chromium() else f"none of {', '.join(BROWSERS)} is installed (Debian: apt-get install chromium)"


def chromium() -> str | None:
    """Its program."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@dataclass
class Traffic:
    """What the kernel's channel `iopub` brought into the page."""

    moments: list[float] = field(default_factory=list)
    """When each message came, on the monotonic clock."""
    stream_bytes: int = 0
    """Of what was printed, as it is saved."""
    notices: list[str] = field(default_factory=list)
    """The server's words on output that it has dropped."""

    def most_a_second(self, since: float, window_s: float = 5.0) -> float:
        """Messages a second, in the window that had most of them."""
        moments = self.moments[bisect_left(self.moments, since) :]
        return max((bisect_left(moments, at + window_s) - n for n, at in enumerate(moments)), default=0) / window_s

    def watch(self, websocket: WebSocket) -> None:
        websocket.on("framereceived", self._took)

    def _took(self, frame: bytes | str) -> None:
        if isinstance(frame, str) or (parts := _parts(frame)) is None or parts[0] != b"iopub":
            return
        self.moments.append(time.monotonic())
        if json.loads(parts[1])["msg_type"] == "stream":
            self.stream_bytes += len(parts[4])
        if b"rate exceeded" in parts[4]:
            self.notices.append(json.loads(parts[4])["text"])


def _parts(frame: bytes) -> list[bytes] | None:
    """Of `v1.kernel.websocket.jupyter.org`: channel, header, parent, metadata, content; None: something else."""
    count = struct.unpack_from("<Q", frame)[0]
    if not 6 <= count <= 32:
        return None
    offsets = struct.unpack_from(f"<{count}Q", frame, 8)
    return [frame[start:stop] for start, stop in itertools.pairwise(offsets)]


@dataclass
class Lab:
    """One notebook, open in the browser."""

    page: Page
    path: Path
    traffic: Traffic
    browser: psutil.Process

    def run_all(self) -> None:
        """Start every cell; returns at once."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def is_so(self, expression: str, within_s: float) -> bool:
        """Whether a condition in the page's own language becomes true; a page that does nothing cannot say so."""
        from playwright.sync_api import Error

        with suppress(Error):
            self.page.wait_for_function(expression, timeout=1000 * within_s)
            return True
        return False

    def ended(self, cells: int, within_s: float) -> bool:
        """Whether the page shows that cell number `cells` (from one) has ended."""
        prompts = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]"
        return self.is_so(f"() => {prompts}.some(each => each.innerText.trim() === '[{cells}]:')", within_s)

    def answers(self, within_s: float) -> float:
        """Seconds that the page takes to do what it is asked for: a click would wait as long. `within_s`: longer."""
        began = time.monotonic()
        return time.monotonic() - began if self.is_so("() => true", within_s) else within_s

    def text(self) -> str:
        """All output that the page shows."""
        return "\n".join(self.page.locator(".jp-OutputArea-output").all_inner_texts())

    def renderer(self) -> int:
        """The process that has the page."""
        found = [each for each in self.browser.children(recursive=True) if "--type=renderer" in each.cmdline()]
        return max(found, key=lambda each: each.memory_info().rss).pid

    def save(self, within_s: float) -> int | None:
        """Save the notebook; its bytes. None: the page could not."""
        save = "window.jupyterapp.commands.execute('docmanager:save').then(() => { window.saved = true; })"
        if not self.is_so(f"() => {{ {save}; return true; }}", within_s) or not self.is_so(
            "() => window.saved", within_s
        ):
            return None
        return self.path.stat().st_size


@contextmanager
def lab(folder: Path, cells: Sequence[str], environment: Mapping[str, str]) -> Iterator[Lab]:
    """A notebook of these cells in `folder`, open and connected to its kernel, which has `environment` too."""
    path = folder / "lab.ipynb"
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}  # else the page asks which one
    nbformat.write(nbformat.v4.new_notebook(cells=code, metadata=kernel), path)
    with ExitStack() as exits:
        address = exits.enter_context(_server(folder, environment))
        page, browser = exits.enter_context(_page(folder))
        traffic = Traffic()
        page.on("websocket", traffic.watch)
        page.goto(address.replace("/lab?", f"/lab/tree/{path.name}?"))
        made = Lab(page, path, traffic, browser)
        # Before that the kernel is not connected, whatever its icon says, and "run all" would be lost.
        idle = "() => document.body.innerText.includes('| Idle')"
        if not made.is_so(idle, START_TIMEOUT_S):
            page.reload()  # on a busy machine the kernel's first word may get lost, as people know it
        if not made.is_so(idle, START_TIMEOUT_S):
            raise RuntimeError(
                f"the notebook has no kernel: {(folder / 'lab.log').read_text('utf-8', 'replace')[-2000:]}"
            )
        yield made


@contextmanager
def _server(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The address of a server for `folder`, token included."""
    config = folder / ".config"
    (config / "labconfig").mkdir(parents=True)
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(news))
    port, token = free_port(), secrets.token_hex(16)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "JPY_", "JUPYTER"))}
    places = {f"JUPYTER_{kind}_DIR": str(folder / f".{kind.lower()}") for kind in ("RUNTIME", "DATA", "CONFIG")}
    own_path = {"JUPYTER_CONFIG_PATH": str(config), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += [
        f"--port={port}",
        f"--IdentityProvider.token={token}",
        "--ServerApp.port_retries=0",
        f"--notebook-dir={folder}",
    ]
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env={**clean, **places, **own_path, **environment}, stdout=log, stderr=log
        )
    try:
        address = f"http://127.0.0.1:{port}/lab?token={token}"
        _answers(server, address, folder / "lab.log")
        yield address
    finally:
        server.terminate()
        server.wait(90)


def _answers(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except urllib.error.URLError:
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"JupyterLab did not start: {log.read_text('utf-8', 'replace')[-2000:]}") from None
        time.sleep(0.1)


@contextmanager
def _page(folder: Path) -> Iterator[tuple[Page, psutil.Process]]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(folder / ".profile"), executable_path=chromium(), args=list(FLAGS), headless=True
        )
        try:
            mine = psutil.Process().children(recursive=True)
            yield (
                context.pages[0],
                next(each for each in mine if f"--user-data-dir={folder}" in " ".join(each.cmdline())),
            )
        finally:
            context.close()
