"""What people do with a job's cell in JupyterLab: its ■ button, its errors, a reload, a restart of the kernel."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from kube_magics.jobs.interrupt import SETTLE_S
from tests.acceptance.desk import eventually
from tests.browser.book import Book
from tests.browser.lab import lab, why_not
from tests.cluster import Cluster, Namespace
from tests.cluster.namespaces import delete

pytestmark = pytest.mark.browser

LOADS = "%load_ext kube_magics"
LASTS = (
    "%%kubetrain --name {} --cpus 100m --returns n\nimport time\nprint('up', flush=True)\n"
    "for _ in range({}):\n    time.sleep(0.1)\nn = 42"
)
UNTIL = (
    "%%kubetrain --name lasting --returns n\nimport pathlib, time\nprint('up', flush=True)\n"
    "while not pathlib.Path({!r}).exists():\n    time.sleep(0.1)\nn = 42"
)
FAILS = "%%kubetrain --name fails --cpus 100m\ndef deep(n):\n    raise ValueError(f'no {n}')\ndeep(3)"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    if reason := why_not():
        pytest.skip(reason)
    (tmp_path / "work").mkdir()
    return {"HOME": str(tmp_path), "KUBE_MAGICS_STATE": str(tmp_path / "state")}


def test_interrupted_then_taken_up_by_the_next_kernel(environment: dict[str, str], tmp_path: Path) -> None:
    """Run All halts, the job goes on; after a reload and a restart the same cell is the same job, and has its value."""
    end = tmp_path / "end"
    cells = [LOADS, UNTIL.format(str(end)), "print('never')", "n"]
    with lab(tmp_path / "work", cells, {**environment, "KUBE_MAGICS_BACKEND": "local"}) as opened:
        opened.run_all()
        taken_up_after_an_interrupt(Book(opened.page), end)


def taken_up_after_an_interrupt(book: Book, end: Path) -> None:
    book.says(1, "up")
    book.interrupt()
    book.says(1, "interrupt again to STOP job lasting; it goes on running otherwise")
    book.says(1, "Detached: This cell no longer waits for job lasting; the job goes on.")
    assert "next: %kube attach lasting   (or %kube stop lasting)" in book.output(1)
    assert "Traceback" not in book.output(1)
    assert (book.prompt(2), book.output(2)) == ("[ ]:", ""), "Run All has halted"
    book.reload()
    book.restart()
    book.run(0)
    book.run(1)
    book.says(1, re.compile("job lasting of this same cell is there already since .*: attached"))
    end.touch()
    book.says(1, re.compile(r"up\n*job lasting done in .*; back: n;"))
    assert "succeeded after" in book.card(1).inner_text()
    book.run(3)
    book.says(3, "42")


@pytest.mark.long
@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_what_a_user_of_the_cluster_meets(environment: dict[str, str], tmp_path: Path, cluster: Cluster) -> None:
    space = cluster.namespace()
    place = {"KUBECONFIG": str(space.kubeconfig), "KUBE_MAGICS_CONTEXT": space.context}
    cells = [
        LOADS,
        "%%kubetrain --gpu 2\nprint(1)",
        FAILS,
        "%%kubetrain --gpus 64 --name wide\nprint(1)",
        LASTS.format("stopped", 600),
        LASTS.format("kept", 500),
        "%kube jobs",
        "n",
    ]
    more = {**environment, **place, "KUBE_MAGICS_IMAGE": cluster.images.quickstart}
    try:
        with lab(tmp_path / "work", cells, more) as opened:
            book = Book(opened.page)
            errors_are_plain(book)
            why_it_waits(book)
            stopped_by_a_second(book, space)
            found_by_the_next_kernel(book)
    finally:
        delete(space)


def errors_are_plain(book: Book) -> None:
    book.run(0)
    book.run(1)
    book.says(1, "OptionError: %%kubetrain has no option --gpu.")
    assert "next: --gpus" in book.output(1)
    book.run(2)
    book.says(2, "ValueError: no 3")
    assert re.search(r"Cell In\[3\], line 4\n.*----> 4 deep\(3\)", book.output(2), re.DOTALL)
    assert "kube_magics/" not in book.output(2).replace(".kube_magics/", ""), "no frame of ours"


def why_it_waits(book: Book) -> None:
    book.run(3)
    book.says(3, "Not enough free GPUs on any node.")
    book.says(3, "Insufficient nvidia.com/gpu")
    book.interrupt()
    book.says(3, "Detached: ")


def stopped_by_a_second(book: Book, space: Namespace) -> None:
    book.run(4)
    book.says(4, "up")
    book.interrupt()
    book.says(4, "interrupt again to STOP job stopped")
    time.sleep(SETTLE_S)
    book.interrupt()
    book.says(4, "stopping job stopped")
    book.says(4, "JobStopped: Job stopped was stopped.")
    pods = "--selector=job-name=stopped"
    eventually(lambda: space.kubectl.get("pods", pods)["items"][0]["status"]["phase"] == "Failed", "the end of its pod")


def found_by_the_next_kernel(book: Book) -> None:
    book.run(5)
    book.says(5, "up")
    book.reload(busy=True)
    book.restart()
    book.run(0)
    book.run(6)
    for name in ("fails", "wide", "stopped", "kept"):
        book.says(6, re.compile(rf"{name}\s*\S+.*lab\.ipynb"))
    book.run(5)
    book.says(5, re.compile("job kept of this same cell is there already since .*: attached"))
    book.says(5, "back: n;")
    book.run(7)
    book.says(7, "42")
