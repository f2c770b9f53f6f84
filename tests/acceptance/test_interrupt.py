"""An interrupt of a waiting cell: asked once, stopped by a second; in a kernel, a terminal, and by an executor's timeout."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import papermill
import pexpect
import pytest

from kube_magics.jobs.interrupt import SETTLE_S
from tests.acceptance.desk import Desk, eventually, suggested
from tests.acceptance.desk import environment as environment_of
from tests.acceptance.test_killed import SLOW
from tests.kernel import Kernel

pytestmark = pytest.mark.jobs

LASTS = """import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit('told'))
print('up', flush=True)
try:
    for _ in range(600):
        time.sleep(0.1)
except BaseException:
    print('saved', flush=True)
    raise
"""
ASKED = "interrupt again to STOP job {}; it goes on running otherwise\n"


def status(desk: Desk, name: str) -> str:
    found = re.search(rf"^{name} +(\S+)", desk.right("%kube jobs").text, re.MULTILINE)
    return found[1] if found else "gone"


@contextmanager
def begun(desk: Desk, name: str, *, setting: str = "") -> Iterator[str]:
    """A cell whose job has printed its first line; it is stopped and removed at the end."""
    desk.right(f"import os\nos.environ['KUBE_MAGICS_ON_INTERRUPT'] = {setting!r}")
    request = desk.kernel.send(f"%%kubetrain --name {name} --cpus 100m\n{LASTS}")
    desk.says(name, "up\n")
    try:
        yield request
    finally:
        desk.run(f"%kube delete {name}")
        desk.right("os.environ.pop('KUBE_MAGICS_ON_INTERRUPT')")


def asked(kernel: Kernel, request: str) -> None:
    """Interrupt a cell, and wait until the next interrupt counts."""
    kernel.interrupt()
    eventually(lambda: "interrupt again" in kernel.peek(request).stderr, "the question")
    time.sleep(SETTLE_S)


def test_the_first_leaves_the_job_alone(anywhere: Desk) -> None:
    """It goes on blocking a while, then raises: Run All halts, the job goes on. Pressed twice by one hand it is one."""
    with begun(anywhere, "lasting") as request:
        anywhere.kernel.interrupt()
        anywhere.kernel.interrupt()
        ran = anywhere.kernel.finish(request)
        assert ran.error == "Detached", ran
        assert ASKED.format("lasting") in ran.stderr
        assert "the job goes on" in ran.traceback
        assert status(anywhere, "lasting") == "running"
        assert suggested(ran) == "%kube attach lasting"
        assert "%kube stop lasting" in ran.traceback
        assert anywhere.right("%kube logs lasting").stdout == "up\n"


def test_the_second_stops_the_job_with_its_grace(anywhere: Desk) -> None:
    with begun(anywhere, "ending") as request:
        asked(anywhere.kernel, request)
        anywhere.kernel.interrupt()
        ran = anywhere.kernel.finish(request)
        assert ran.error == "JobStopped", ran
        assert ran.stderr.count("interrupt again") == 1
        assert "stopping job ending\n" in ran.stderr
        assert ran.stdout.splitlines()[-2:][0] == "saved", "its last words are shown"
        eventually(lambda: status(anywhere, "ending") == "stopped", "its end")


@pytest.mark.parametrize(
    ("setting", "error", "after"), [("stop", "JobStopped", "stopped"), ("detach", "Detached", "running")]
)
def test_a_site_decides(anywhere: Desk, setting: str, error: str, after: str) -> None:
    """Where idle GPUs cost, an interrupt stops at once; where nothing may stop by accident, it never does."""
    with begun(anywhere, f"by-{setting}", setting=setting) as request:
        anywhere.kernel.interrupt()
        ran = anywhere.kernel.finish(request)
        assert ran.error == error, ran
        assert "interrupt again" not in ran.stderr
        eventually(lambda: status(anywhere, f"by-{setting}") == after, after)


def test_a_choice_that_does_not_exist_is_refused_before_anything_is_made(here: Desk) -> None:
    before = here.left()
    here.right("import os\nos.environ['KUBE_MAGICS_ON_INTERRUPT'] = 'kill'")
    ran = here.run("%%kubetrain\nprint('never')")
    here.right("os.environ.pop('KUBE_MAGICS_ON_INTERRUPT')")
    assert ran.error == "ConfigError", ran
    assert here.left() == before


def test_while_a_result_is_loaded(here: Desk) -> None:
    """It is as good as not fetched: the same cell takes it up again."""
    here.right(SLOW)
    cell = "%%kubetrain --name slow --returns n,many\nn = 42\nmany = Slow()\nmany.x = 1"
    request = here.kernel.send(cell)
    eventually((here.folder / "loading").exists, "the loading of its value")
    here.kernel.interrupt()
    ran = here.kernel.finish(request)
    assert ran.error == "Detached", ran
    assert "still where they were" in ran.traceback
    assert suggested(ran) == "%kube attach slow"
    assert here.kernel.value("'n' in globals()") == "False"
    (here.folder / "go on").touch()
    ran = here.right(cell)
    assert "its results have not been fetched yet: attached" in ran.stdout
    assert here.kernel.value("(n, type(many) is Slow)") == "(42, True)"
    here.right("%kube delete slow")


def test_a_kernel_that_is_restarted_after_an_interrupt_does_not_stop_the_job(here: Desk) -> None:
    """Before it tells a kernel to shut down, Jupyter interrupts it: that is nobody's answer."""
    with Kernel(here.folder, environment_of(here)) as kernel:
        assert kernel.run("%load_ext kube_magics").error is None
        request = kernel.send(f"%%kubetrain --name outlives\n{LASTS}")
        here.says("outlives", "up\n")
        asked(kernel, request)
        kernel.restart()
        assert status(here, "outlives") == "running"
        assert here.right("%kube logs outlives").stdout == "up\n"
    here.right("%kube delete outlives")


def environment(desk: Desk) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "JPY_"))}
    return {
        **clean,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "KUBE_MAGICS_STATE": str(desk.state),
        "KUBE_MAGICS_BACKEND": "local",
        "KUBE_MAGICS_NOTEBOOK": "terminal",
        "IPYTHONDIR": str(desk.folder / "ipython"),
        "TERM": "dumb",
    }


def test_control_c_in_a_terminal(here: Desk) -> None:
    """IPython in a real terminal, whose Ctrl-C goes to all of its processes: the job's are not among them."""
    shell = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--simple-prompt", "--no-banner", "--no-confirm-exit", "--colors=NoColor"],
        cwd=str(here.folder),
        env=environment(here),
        encoding="utf-8",
        timeout=60,
        # A test run in the background of a shell ignores interrupts, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        shell.expect(r"In \[1\]: ")
        shell.sendline("%load_ext kube_magics")
        shell.expect(r"In \[2\]: ")
        (here.folder / "lasts.py").write_text(LASTS)
        shell.sendline("%kube run lasts.py --name typed")
        shell.expect("up\r\n")
        shell.sendintr()
        shell.expect("interrupt again to STOP job typed; it goes on running otherwise")
        shell.expect("Detached: ")
        shell.expect("In ")
        assert status(here, "typed") == "running"
        shell.sendline("%kube run lasts.py --name ended")
        shell.expect("up\r\n")
        shell.sendintr()
        shell.expect("interrupt again")
        time.sleep(SETTLE_S)
        shell.sendintr()
        shell.expect("saved\r\n")
        shell.expect("JobStopped: ")
        eventually(lambda: status(here, "ended") == "stopped", "its end")
    finally:
        shell.close(force=True)
        for name in ("typed", "ended"):
            here.run(f"%kube delete {name}")


LOADS = "%load_ext kube_magics\nimport kube_magics.magics.kubetrain"


def test_the_timeout_of_an_executor(here: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """nbclient interrupts the kernel, again and again: the cell fails, the job goes on, and nothing is asked."""
    for name, value in environment(here).items():
        monkeypatch.setenv(name, value)
    cells = [LOADS, f"%%kubetrain --name executed\n{LASTS}"]
    book: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        book,
        timeout_func=lambda cell: 60 if "load_ext" in cell.source else 20,  # by then it runs, also on a busy machine
        interrupt_on_timeout=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="Detached: "):
        client.execute()
    eventually(lambda: status(here, "executed") == "running", "the job")
    said = "".join(output.get("text", "") for output in book.cells[1].outputs)
    assert "up\n" in said, "what it had printed is in the notebook"
    assert "interrupt again" not in said
    here.right("%kube delete executed")


@pytest.mark.long
@pytest.mark.parametrize("more", [{}, {"interrupt_on_timeout": True}], ids=["kills", "interrupts"])
def test_the_timeout_of_papermill(here: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: Any) -> None:
    """As it is used, it shuts the kernel down, which interrupts it first."""
    for name, value in environment(here).items():
        monkeypatch.setenv(name, value)
    cells = [LOADS, f"%%kubetrain --name milled\n{LASTS}"]
    book: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(book, tmp_path / "in.ipynb")
    with pytest.raises((nbclient.exceptions.CellTimeoutError, papermill.PapermillExecutionError)):
        papermill.execute_notebook(
            tmp_path / "in.ipynb",
            tmp_path / "out.ipynb",
            cwd=tmp_path,
            kernel_name="python3",
            execution_timeout=15,
            progress_bar=False,
            **more,
        )
    eventually(lambda: status(here, "milled") == "running", "the job")
    if more:
        assert "the job goes on" in (tmp_path / "out.ipynb").read_text()
    here.right("%kube delete milled")
