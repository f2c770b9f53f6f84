"""Thousands of jobs shown in the JupyterLab of a real browser, and what page and kernel hold meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.api.manyjobs import ManyJobs
from tests.browser.lab import Lab, lab
from tests.browser.trace import heap_bytes
from tests.held import Held, held

COUNT, CHANGES_A_SECOND = 2000, 20.0
BEFORE = "import os\nopen('pid', 'w').write(str(os.getpid()))\n%load_ext kube_magics"
START_S = 60.0


@dataclass(frozen=True)
class Holds:
    """At one moment."""

    heap_mb: float
    """Of the page's scripts, without what can be thrown away."""
    page_mb: float
    """Of the page's process, as the system counts it."""
    kernel_mb: float
    rows: int
    """Nodes."""


@dataclass(frozen=True)
class Crowd:
    """A notebook whose second cell shows the jobs."""

    lab: Lab
    kernel: int
    """Its process."""

    def show(self) -> None:
        """Begin with the second cell."""
        self.lab.page.locator(".jp-Notebook .jp-CodeCell").nth(1).locator(".cm-content").click()
        self.lab.page.keyboard.press("Shift+Enter")

    def holds(self) -> Holds:
        rows = self.lab.page.locator(".km-row").count()
        page = held(self.lab.renderer()).memory_mb
        return Holds(heap_bytes(self.lab.page) / 1e6, page, self.kernel_holds.memory_mb, rows)

    @property
    def kernel_holds(self) -> Held:
        return held(self.kernel)


@contextmanager
def crowd(folder: Path, jobs: ManyJobs, shows: str) -> Iterator[Crowd]:
    """`shows` is the second cell, which has not run yet."""
    environment = {
        "KUBECONFIG": str(jobs.kubeconfig(folder / "kubeconfig")),
        "KUBE_MAGICS_STATE": str(folder / "state"),
    }
    with lab(folder, [BEFORE, shows], environment) as found:
        found.page.set_viewport_size({"width": 1280, "height": 900})
        found.page.locator(".jp-Notebook .jp-CodeCell").nth(0).locator(".cm-content").click()
        found.page.keyboard.press("Shift+Enter")
        if not found.ended(1, START_S):
            raise RuntimeError("the first cell does not end")
        yield Crowd(found, int((folder / "pid").read_text("ascii")))
