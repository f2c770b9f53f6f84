"""Every case of `cases.py`, in a real kernel, on both backends; the transcripts must be equal."""

from __future__ import annotations

import ast
import base64
import functools
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.namespaces import delete
from tests.contract.cases import CASES, Case
from tests.kernel import Kernel, Ran

pytestmark = pytest.mark.jobs

_CELL_FILE = re.compile(r"/[^\s\"]*ipykernel_\d+/\d+\.py")
_PACKAGES = re.compile(r"/[^\s\"]*/(?:site|dist)-packages/")
_WAITS = re.compile(r"^job \S+ waits: .*\n(?:  (?:said|next): .*\n)*", re.MULTILINE)
LOCAL, KUBERNETES = "local", "kubernetes"
_FRAME = re.compile(r"^(?:job \S+ on .*|on this machine .*|travels: .*|job \S+ (?:done|failed).*)\n", re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def local(folder: Path) -> Iterator[Kernel]:
    yield from _kernel(folder, LOCAL, {"KUBE_MAGICS_BACKEND": "local", "KUBE_MAGICS_STATE": str(folder / "state")})


@pytest.fixture(scope="module")
def here(local: Kernel) -> Callable[[str], dict[str, Any]]:
    """The transcript of a case on this machine, which runs there once."""
    return functools.cache(lambda name: transcript(local, CASES[name]))


@pytest.fixture(scope="module")
def kubernetes(folder: Path, cluster: Any) -> Iterator[Kernel]:
    space = cluster.namespace()
    environment = {
        "KUBECONFIG": str(space.kubeconfig),
        "KUBE_MAGICS_CONTEXT": cluster.context,
        "KUBE_MAGICS_IMAGE": cluster.images.quickstart,
    }
    try:
        yield from _kernel(folder, KUBERNETES, environment)
    finally:
        delete(space)


def _kernel(folder: Path, name: str, environment: dict[str, str]) -> Iterator[Kernel]:
    home = folder / name
    home.mkdir()
    with Kernel(home, environment) as kernel:
        assert kernel.run("%load_ext kube_magics").error is None
        yield kernel


def transcript(kernel: Kernel, case: Case) -> dict[str, Any]:
    """What a user sees of a case, without what differs by nature: names, places, times."""
    if case.before:
        before = kernel.run(case.before)
        assert before.error is None, before
    # A node of two cores, on which ended pods hold their share for some seconds more.
    ran = kernel.run(f"%%kubetrain --cpus 100m {case.options}\n{case.body}", 180)
    return {
        "stdout": _FRAME.sub("", ran.stdout),
        "stderr": "" if ran.error else _places(_WAITS.sub("", ran.stderr)),
        "shown": shown(ran),
        "error": ran.error,
        "message": re.sub(r"Job \S+", "Job NAME", ran.message).split("\n")[0],
        "values": {expression: kernel.value(expression) for expression in case.values},
        "traceback": _frames(ran),
    }


def _places(text: str) -> str:
    """Without where a cell and a library lie on this machine or in that image."""
    return _PACKAGES.sub("PACKAGES/", _CELL_FILE.sub("CELL", text))


def shown(ran: Ran) -> list[str]:
    """What stands under the cell: lines of stdout, and pictures by their sizes."""
    found: list[str] = []
    for kind, content in ran.shown:
        if kind == "display" and "image/png" in content:
            width, height = struct.unpack(">II", base64.b64decode(content["image/png"])[16:24])
            assert set(content) == {"image/png", "text/plain"}
            found.append(f"PNG {width}x{height}")
        elif kind == "stdout":
            found += _FRAME.sub("", content).splitlines()
    return found


def _frames(ran: Ran) -> list[str]:
    """Cell, line and source of each frame, as shown."""
    return re.findall(r"^(?:Cell In|File ).*$|^-+> *\d+ .*$", ran.traceback, re.MULTILINE)


@pytest.mark.parametrize("name", CASES)
def test_local(here: Callable[[str], dict[str, Any]], name: str) -> None:
    check(here(name), CASES[name])


def test_pictures_are_those_of_a_plain_notebook(local: Kernel) -> None:
    """The same bytes, in the same order."""
    cell = (
        "print('one')\nimport matplotlib.pyplot as plt\nfig, axes = plt.subplots(facecolor='white')\n"
        "axes.plot([1, 2])\nplt.show()\nplt.show()\nplt.figure(figsize=(2, 1))\nprint('two')\nplt.plot([3])\n"
        "plt.ioff()\nplt.figure()\nplt.ion()\nfig"
    )
    plain, job = local.run(cell), local.run(f"%%kubetrain\n{cell}")
    assert plain.error is job.error is None
    pictures = [
        [part["image/png"].strip() for kind, part in ran.shown if kind == "display" and "image/png" in part]
        for ran in (plain, job)
    ]
    assert len(pictures[0]) == 3
    assert pictures[0] == pictures[1]
    assert shown(plain) == shown(job)


@pytest.mark.cluster
@pytest.mark.parametrize("name", CASES)
def test_kubernetes_reads_the_same(here: Callable[[str], dict[str, Any]], kubernetes: Kernel, name: str) -> None:
    seen = transcript(kubernetes, CASES[name])
    check(seen, CASES[name])
    assert unnumbered(seen) == unnumbered(here(name))


def unnumbered(transcript: dict[str, Any]) -> dict[str, Any]:
    """Which cells they were depends on those before."""
    return {**transcript, "traceback": [re.sub(r"In\[\d+\]", "In[N]", line) for line in transcript["traceback"]]}


def check(seen: dict[str, Any], case: Case) -> None:
    assert seen["error"] == case.error, seen
    assert case.message in seen["message"], seen
    if case.out is not None:
        assert seen["stdout"] == case.out
    pictures = [line for line in seen["shown"] if line.startswith("PNG ")]
    if case.shows is None:
        assert not pictures
    else:
        assert len(seen["shown"]) == len(case.shows), seen["shown"]
        for line, wanted in zip(seen["shown"], case.shows, strict=True):
            assert line.startswith(wanted) if wanted == "PNG " else line == wanted, seen["shown"]
    if case.err is not None:
        assert seen["stderr"] == case.err
    assert [seen["stderr"].count(part) for part in case.err_has] == [1] * len(case.err_has), seen["stderr"]
    assert seen["values"] == case.values
    if case.frames:
        # Which cell it is depends on the cases before; that they are the notebook's own cells does not.
        assert [re.sub(r"In\[\d+\]", "In[N]", line) for line in seen["traceback"]] == list(case.frames)


WATCHED = """\
from contextlib import aclosing
from kube_magics.jobs import defaults, loop
from kube_magics.jobs.choose import backend_for

async def phases(backend, name):
    seen = []
    async with aclosing(backend.watch()) as changes:
        async for change in changes:
            if name in change:
                seen.append("gone" if change[name] is None else change[name].phase)
                if seen[-1] == "gone":
                    return seen
                if change[name].over:
                    await backend.delete(name)
"""


def check_watch(kernel: Kernel) -> None:
    """All jobs are watched from what they are to their removal."""
    job = "%%kubetrain --detach --cpus 100m --name watched\nimport time\ntime.sleep(2)"
    for cell in (WATCHED, job):
        assert kernel.run(cell).error is None
    seen = kernel.value("loop.wait(phases(backend_for(defaults.spec({})), 'watched'))")
    phases = ast.literal_eval(seen)
    assert phases[-2:] == ["succeeded", "gone"]
    assert set(phases[:-2]) <= {"pending", "running", "succeeded"}
    assert "running" in phases


def test_watch_local(local: Kernel) -> None:
    check_watch(local)


@pytest.mark.cluster
def test_watch_kubernetes(kubernetes: Kernel) -> None:
    check_watch(kubernetes)
