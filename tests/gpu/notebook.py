"""A notebook whose jobs run on this machine, and what one of them has left."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kube_magics.backends.jobfolder import FACTS, LOG
from tests.kernel import Kernel, Ran
from tests.runner.bundles import Log

T = TypeVar("T")
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Notebook:
    """A kernel and the folder of its jobs."""

    kernel: Kernel
    jobs: Path

    def right(self, source: str) -> Ran:
        """A cell that must succeed."""
        ran = self.kernel.run(source)
        assert ran.error is None, ran
        return ran

    def value(self, expression: str) -> Any:
        """Plain, of an expression in the notebook."""
        return json.loads(self.right(f"import json\nprint(json.dumps({expression}))").stdout)

    def log(self, job: str) -> Log:
        """What the job has told so far, in whole lines."""
        raw = (self.jobs / job / LOG).read_bytes()
        return Log(raw[: raw.rfind(b"\n") + 1])

    def says(self, job: str, text: bytes) -> None:
        eventually(lambda: text in self.log(job).out, f"{text!r} of {job}")

    def runner(self, job: str) -> int:
        """The id of the job's runner."""
        return int(json.loads((self.jobs / job / FACTS).read_text("utf-8"))["pid"])


@contextmanager
def notebook(folder: Path, **environment: str) -> Iterator[Notebook]:
    work, state = folder / "work", folder / "state"
    work.mkdir(parents=True)
    settings = {"KUBE_MAGICS_BACKEND": "local", "KUBE_MAGICS_STATE": str(state), "KUBE_MAGICS_NOTEBOOK": "gpu.ipynb"}
    with Kernel(work, {**settings, **environment}) as kernel:
        made = Notebook(kernel, state / "jobs")
        made.right("%load_ext kube_magics\nimport kube_magics")
        yield made


def eventually(look: Callable[[], T], what: str) -> T:
    """The first true answer of `look`; patience is for a broken product, no test waits for it otherwise."""
    until = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < until, f"never came: {what}"
        time.sleep(0.1)
    return found
