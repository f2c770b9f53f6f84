"""Everything that a user does with jobs, once for each of many contexts; runs inside a notebook's kernel, as its cell.

Each step gives what it says: an error's class and text, or what it prints and returns. Jobs of all contexts run at the
same time: `begin` for each, then `go_on` for each, then `leave` for each.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.utils.capture import capture_output

import kube_magics

BALLAST = os.urandom(150_000)
"""More than stands in the Job itself."""
SMALL: dict[str, Any] = {"cpus": "20m", "memory": "128Mi"}
SHARED, PODLESS = "shared", "podless"
steps: dict[str, dict[str, str]] = {}
_jobs: dict[str, Any] = {}


def work(data: bytes) -> int:
    """Until it is stopped."""
    print("up", flush=True)
    until = time.monotonic() + 100
    while not kube_magics.should_stop() and time.monotonic() < until:
        time.sleep(0.05)
    Path("out.txt").write_text("kept")
    print("saved", flush=True)
    return len(data)


def brief(data: bytes) -> int:
    """Ends by itself."""
    print("brief", flush=True)
    return len(data)


def said(action: Callable[[], Any]) -> str:
    """What it says."""
    with capture_output(display=False) as shown:
        try:
            value = action()
        except kube_magics.errors.KubeMagicsError as error:
            value = f"{type(error).__name__}: {error}"
    return f"{shown.stdout}{shown.stderr}{'' if value is None else value}"


def kube(line: str, context: str) -> str:
    """What a verb says."""
    return said(lambda: get_ipython().run_line_magic("kube", f"{line} --context {context}"))


def prepare(context: str) -> None:
    """What everybody looks at: a job that is over, which no follower of this process has, and one without a pod."""
    kube_magics.train(brief, (BALLAST,), context=context, name=SHARED, **SMALL).result()
    gc.collect()
    kube_magics.train(brief, (b"",), context=context, name=PODLESS, service_account="absent", **SMALL)


def begin(context: str, owner: str) -> None:
    """Submit; `owner` submits for who cannot."""
    own = steps[context] = {}

    def submit(data: bytes, by: str) -> None:
        given = {"context": by, "name": context, "returns_files": "out.txt", **SMALL}
        _jobs[context] = kube_magics.train(work, (data,), **given)

    own["claim"] = said(lambda: kube_magics.train(brief, (b"",), context=context, volume="date:/d", **SMALL).result())
    own["submit"] = said(lambda: submit(BALLAST, context))
    if context not in _jobs:
        own["small"] = said(lambda: submit(b"", context))
    if context not in _jobs:
        submit(BALLAST, owner)


def go_on(context: str, *, examined: bool) -> None:
    """Look at it while it runs, and stop it."""
    own, job = steps[context], _jobs[context]
    if examined:
        own["doctor"] = kube("doctor", context)
    _until(lambda: any(text in job.log_path.read_text() for text in ("up\n", "may not read logs")))
    own["list"] = kube("jobs", context)
    own["logs"] = kube(f"logs {context}", context)
    own["why"] = kube(f"why {context}", context)
    own["why not"] = kube(f"why {PODLESS}", context)
    own["stop"] = kube(f"stop {context}", context)


def leave(context: str) -> None:
    """Take what comes back, take up the job of another, remove the own one."""
    own, job = steps[context], _jobs.pop(context)
    job.wait(60)
    own["value"] = str(job.values())
    own["files"] = str(job.files())
    own["end"] = said(job.result)
    own["attach"] = kube(f"attach {SHARED}", context)
    del job
    gc.collect()
    own["halt"] = kube(f"stop {PODLESS}", context)
    own["delete"] = kube(f"delete {context}", context)


def _until(look: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not look() and time.monotonic() < until:
        time.sleep(0.1)
