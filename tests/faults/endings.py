"""Jobs that all end at the same time, each in its own way, and what their user is told of each."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.belongings import only
from tests.acceptance.desk import Desk, admin_of, environment, next_lines
from tests.kernel import Kernel, Ran

OPTIONS = "--cpus 10m --memory 128Mi --detach"


@dataclass(frozen=True)
class Ending:
    """A job, and what is said of it when it is over."""

    body: str
    error: str | None
    """Name of the class; None: it succeeds."""
    says: tuple[str, ...] = ()
    """Parts of the error, as it is shown."""
    then: str = ""
    """Part of its `next:` line."""
    log: str | None = "up\n"
    """All of it; None: another one each time, which a test of its own looks at."""
    options: str = ""
    back: Mapping[str, Any] = field(default_factory=dict)
    """Values that came back all the same."""
    status: str = "failed"
    """What `%kube jobs` says; "" where the Job itself is gone."""
    later: tuple[str, str] | None = None
    """Class and part of what another notebook is told, where the pod, which alone knew, is gone by then."""


def submit(desk: Desk, endings: Mapping[str, Ending], options: str = OPTIONS) -> None:
    """All of them; the notebook has them as `jobs`."""
    desk.right("jobs = {}")
    for name, each in endings.items():
        desk.right(f"%%kubetrain --name {name} {options} {each.options}\n{each.body}")
        desk.right(f"jobs[{name!r}] = _")


def check(desk: Desk, name: str, ending: Ending) -> None:
    """What the job's own notebook is told, its log, and that it is there once."""
    ran = desk.run(f"jobs[{name!r}].result()")
    told(ran, ending)
    if ending.log is not None:
        assert desk.log(name) == ending.log
    assert ast.literal_eval(desk.kernel.value(f"jobs[{name!r}].values()")) == ending.back


def check_later(kernel: Kernel, desk: Desk, name: str, ending: Ending) -> None:
    """The same is told to another notebook that attaches later, and by `%kube jobs`."""
    ran = kernel.run(f"%kube attach {name}")
    if not ending.status:
        assert ran.error == "NotFound", ran
        return
    if ending.later is None:
        told(ran, ending)
    else:
        assert (ran.error, ending.later[1] in ran.traceback) == (ending.later[0], True), ran
    assert desk.kernel.value(f"jobs[{name!r}].snapshot().phase") == repr(ending.status)


@contextmanager
def another(desk: Desk, folder: Path) -> Iterator[Kernel]:
    """Another notebook of the same user."""
    folder.mkdir()
    with Kernel(folder, environment(desk)) as kernel:
        assert kernel.run("%load_ext kube_magics").error is None
        yield kernel


def told(ran: Ran, ending: Ending) -> None:
    assert ran.error == ending.error, ran
    for part in ending.says:
        assert part in ran.traceback, ran.traceback
    if ending.then:
        assert ending.then in next_lines(ran), ran.traceback


def once(desk: Desk, endings: Mapping[str, Ending]) -> None:
    """Nothing was submitted twice, and nothing hangs about that is of no job."""
    only(desk, *endings)


def pod(desk: Desk, job: str) -> dict[str, Any]:
    """The job's one pod, as it is now."""
    space = admin_of(desk)
    (found,) = space.admin.get("pods", f"--namespace={space.name}", f"--selector=job-name={job}")["items"]
    return dict(found)
