"""An interrupt of a wait that is no job's own cell: `%kube attach`, `wait_all`, `result()`, a widget's callback."""

from __future__ import annotations

import pytest

from tests.acceptance.desk import Desk, eventually
from tests.acceptance.test_interrupt import ASKED, LASTS, asked, status

pytestmark = pytest.mark.jobs

WORK = """import kube_magics
def work(n):
    import time
    print('up', flush=True)
    time.sleep(600 if n else 0)
    return n
"""


def waits(desk: Desk, cell: str) -> str:
    """Send a cell that waits for jobs submitted before; an idle kernel would not hear an interrupt."""
    request = desk.kernel.send(f"print('waits', flush=True)\n{cell}")
    eventually(lambda: "waits" in desk.kernel.peek(request).stdout, "its waiting")
    return request


def fetched(desk: Desk, name: str) -> bool:
    return (desk.state / "jobs" / name / "fetched").exists()


def test_of_an_attach(here: Desk) -> None:
    here.right(f"%%kubetrain --detach --name attached\n{LASTS}")
    here.says("attached", "up\n")
    for twice in (False, True):
        request = here.kernel.send("%kube attach attached")
        eventually(lambda request=request: "up\n" in here.kernel.peek(request).stdout, "its log")
        asked(here.kernel, request)
        if twice:
            here.kernel.interrupt()
        ran = here.kernel.finish(request)
        assert ran.error == ("JobStopped" if twice else "Detached"), ran
        assert ran.stderr.count(ASKED.format("attached")) == 1
        assert ("saved\n" in ran.stdout) == twice
    here.right("%kube delete attached")


def test_of_a_wait_for_several(here: Desk) -> None:
    """The first names those that run, the second stops them; the value of one that is over is still to be fetched."""
    here.right(f"{WORK}several = [kube_magics.train(work, args=(n,), name=f'several-{{n}}') for n in (0, 1, 2)]")
    for name in ("several-1", "several-2"):
        here.says(name, "up\n")
    request = waits(here, "kube_magics.wait_all(several)")
    eventually(lambda: "job several-0 done" in here.kernel.peek(request).stdout, "the end of one")
    asked(here.kernel, request)
    ran = here.kernel.finish(request)
    assert ran.error == "Detached", ran
    assert "interrupt again to STOP jobs several-1, several-2; they go on running otherwise\n" in ran.stderr
    assert [status(here, name) for name in ("several-1", "several-2")] == ["running", "running"]
    assert not fetched(here, "several-0")
    assert here.right("%kube attach several-0").values == ["0"]
    eventually(lambda: fetched(here, "several-0"), "a note that it is fetched")
    request = waits(here, "kube_magics.wait_all(several)")
    asked(here.kernel, request)
    here.kernel.interrupt()
    ran = here.kernel.finish(request)
    assert ran.error == "JobStopped", ran
    assert "2 of 3 jobs failed: several-1 (JobStopped), several-2 (JobStopped)" in ran.traceback
    for n in range(3):
        here.right(f"%kube delete several-{n}")


def test_of_a_result(here: Desk) -> None:
    """As a cell's; and an `except Exception` around a loop of jobs must not swallow it and submit the next."""
    here.right(f"{WORK}job = kube_magics.train(work, args=(1,), name='waited')")
    here.says("waited", "up\n")
    request = waits(here, "try:\n    job.result()\nexcept Exception:\n    pass")
    asked(here.kernel, request)
    ran = here.kernel.finish(request)
    assert ran.error == "Detached", ran
    assert ran.stderr == ASKED.format("waited")
    assert ran.traceback.splitlines() == [
        "Detached: This cell no longer waits for job waited; the job goes on.",
        "  next: %kube attach waited   (or %kube stop waited)",
    ]
    assert status(here, "waited") == "running"
    request = waits(here, "job.wait()\njob.result()")
    asked(here.kernel, request)
    here.kernel.interrupt()
    ran = here.kernel.finish(request)
    assert ran.error == "JobStopped", ran
    here.right("%kube delete waited")


BUTTON = f"""{WORK}job, came = None, []
def pressed(message):
    global job
    job = job or kube_magics.train(work, args=(1,), name='pressed')
    print('waits', flush=True)
    try:
        came.append(job.result())
    except Exception as error:
        came.append(type(error).__name__)
get_ipython().kernel.comm_manager.register_target('button', lambda comm, opened: comm.on_msg(pressed))
"""


def test_of_a_widgets_callback(here: Desk) -> None:
    """Nothing shows what is raised there: it is printed. The second press waits for the job of the first."""
    here.right(BUTTON)
    request = here.kernel.press("button")
    eventually(lambda: "waits" in here.kernel.peek(request).stdout, "its waiting")
    here.says("pressed", "up\n")
    asked(here.kernel, request)
    ran = here.kernel.finish(request)
    assert ran.stderr == (
        f"{ASKED.format('pressed')}This cell no longer waits for job pressed; the job goes on.\n"
        "  next: %kube attach pressed   (or %kube stop pressed)\n"
    )
    assert here.kernel.value("came") == "[]"
    assert status(here, "pressed") == "running"
    request = here.kernel.press("button")
    eventually(lambda: "waits" in here.kernel.peek(request).stdout, "its waiting")
    stopped(here, request)
    assert here.kernel.finish(request).error is None
    assert here.kernel.value("came") == "['JobStopped']"
    here.right("%kube delete pressed")


def test_of_a_widgets_callback_while_a_cell_awaits_something(here: Desk) -> None:
    """ipykernel 7 runs the callbacks in between; the cell, which is not meant, goes on."""
    here.right(BUTTON)
    cell = here.kernel.send("import asyncio\nwhile not came:\n    await asyncio.sleep(0.05)\nprint(came)")
    request = here.kernel.press("button")
    eventually(lambda: "waits" in here.kernel.peek(request).stdout, "its waiting")
    here.says("pressed", "up\n")
    stopped(here, request)
    ran = here.kernel.finish(cell)
    assert (ran.error, ran.stdout.splitlines()[-1]) == (None, "['JobStopped']"), ran
    here.right("%kube delete pressed")


def stopped(desk: Desk, request: str) -> None:
    asked(desk.kernel, request)
    desk.kernel.interrupt()
    eventually(lambda: "stopping job pressed\n" in desk.kernel.peek(request).stderr, "the stop")
