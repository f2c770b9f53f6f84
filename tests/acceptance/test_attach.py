"""`%kube attach NAME` from another notebook: the log, the values, the exception, as if the cell had stayed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube_magics.spec.names import ANNOTATION_FETCHED
from tests.acceptance.desk import Desk, admin_of, environment, eventually, suggested
from tests.kernel import Kernel

pytestmark = pytest.mark.jobs

WAITS = """import pathlib, sys, time
print('one', flush=True)
print('err', file=sys.stderr, flush=True)
for _ in range({times}):
    time.sleep(0.1)
print('two', flush=True)
"""


@pytest.fixture(scope="module")
def seconds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, bool], Kernel]]:
    kernels: dict[tuple[str, bool], Kernel] = {}
    yield kernels
    for kernel in kernels.values():
        kernel.__exit__(None, None, None)


def second(desk: Desk, kernels: dict[tuple[str, bool], Kernel], folder: Path, *, known: bool = True) -> Kernel:
    """Another notebook of the same user, in another folder; `known`: with the same state folder."""
    key = (str(desk.folder), known)
    if key not in kernels:
        more = {} if known else {"KUBE_MAGICS_STATE": str(folder / "state")}
        kernels[key] = Kernel(folder, {**environment(desk), **more})
        assert kernels[key].run("%load_ext kube_magics").error is None
    return kernels[key]


@pytest.fixture
def other(anywhere: Desk, seconds: dict[tuple[str, bool], Kernel], tmp_path: Path) -> Kernel:
    return second(anywhere, seconds, tmp_path)


@pytest.fixture
def stranger(there: Desk, seconds: dict[tuple[str, bool], Kernel], tmp_path: Path) -> Kernel:
    """The same account of the cluster, from a machine that knows nothing of its jobs."""
    return second(there, seconds, tmp_path, known=False)


def test_to_a_running_job(anywhere: Desk, other: Kernel) -> None:
    """Its log from the start, what it prints from then on, its values with classes of its cell."""
    body = f"{WAITS.format(times=30)}class Net:\n    size = 3\nnet, n = Net(), 41 + 1\n"
    request = anywhere.kernel.send(f"%%kubetrain --name away --cpus 100m --returns net,n\n{body}")
    anywhere.says("away", "err\n")
    ran = other.run("%kube attach away")
    assert ran.error is None, ran
    assert [line for line in ran.stdout.splitlines() if not line.startswith("job ")] == ["one", "two"]
    assert ran.stderr == "err\n"
    assert "job away done in" in ran.stdout
    assert other.value("(n, type(net) is Net, net.size)") == "(42, True, 3)"
    assert anywhere.kernel.finish(request).error is None, "the cell that stayed has them too"
    assert anywhere.kernel.value("n") == "42"
    assert other.run("%kube attach away").error is None, "once more, now that it is over"
    anywhere.right("%kube delete away")


def test_to_one_that_has_failed(anywhere: Desk, other: Kernel) -> None:
    """Its exception, of the notebook's class, with the lines of the cell that raised it."""
    anywhere.run("%%kubetrain --name fails --cpus 100m\ndef deep():\n    raise KeyError('k')\ndeep()")
    ran = other.run("%kube attach fails")
    assert ran.error == "KeyError", ran
    assert "deep()" in ran.traceback
    assert "raise KeyError('k')" in ran.traceback
    anywhere.right("%kube delete fails")


def test_the_tail(anywhere: Desk, other: Kernel) -> None:
    body = "import time\nfor n in range(1000):\n    print(n)\nprint('up', flush=True)\ntime.sleep(6)\nprint('end')"
    request = anywhere.kernel.send(f"%%kubetrain --name long --cpus 100m\n{body}")
    anywhere.says("long", "up\n")
    ran = other.run("%kube attach long --tail 3")
    assert ran.error is None, ran
    lines = [line for line in ran.stdout.splitlines() if not line.startswith("job ")]
    assert lines == ["998", "999", "up", "end"]
    assert "[998 lines are not shown here: " in ran.stderr
    anywhere.kernel.finish(request)
    anywhere.right("%kube delete long")


def test_the_value_of_a_call(anywhere: Desk, other: Kernel) -> None:
    anywhere.right(
        "import kube_magics\njob = kube_magics.train(lambda n: n + 1, args=(41,), name='called')\njob.wait()"
    )
    ran = other.run("%kube attach called")
    assert ran.values == ["42"], ran
    anywhere.right("%kube delete called")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("%kube attach", "takes the name of one job"),
        ("%kube attach absent", "absent"),
        ("%kube attach a --tail some", "not a number of lines"),
        ("%kube attach a --trusted", "has no option --trusted"),
        ("%kube attach a --trust=maybe", "only true or false"),
    ],
)
def test_mistakes(anywhere: Desk, typed: str, says: str) -> None:
    ran = anywhere.run(typed)
    assert ran.error in ("OptionError", "NotFound"), ran
    assert says in ran.traceback


@pytest.mark.cluster
def test_what_this_user_did_not_submit_is_not_unpickled(there: Desk, stranger: Kernel) -> None:
    """Labels prove nothing in a shared namespace: the log is shown, and --trust is asked for."""
    there.right("%%kubetrain --name theirs --cpus 100m --returns n\nprint('line')\nn = 42")
    ran = stranger.run("%kube attach theirs")
    assert ran.error == "Untrusted", ran
    assert "line\n" in ran.stdout
    assert suggested(ran) == "%kube attach theirs"
    assert "%kube attach theirs --trust" in ran.traceback
    assert stranger.value("'n' in globals()") == "False"
    assert stranger.run("%kube attach theirs --trust").error is None
    assert stranger.value("n") == "42"
    there.right("%kube delete theirs")


@pytest.mark.cluster
def test_the_exception_of_a_stranger_is_its_text(there: Desk, stranger: Kernel) -> None:
    """Not even its class is looked up: that imports a module that the job names."""
    there.run("%%kubetrain --name evil --cpus 100m\nraise ValueError('its text')")
    ran = stranger.run("%kube attach evil")
    assert ran.error == "ValueError", ran
    assert "builtins.ValueError: its text" in ran.message
    assert stranger.value("(sys := __import__('sys')).last_value.__class__ is ValueError") == "False"
    there.right("%kube delete evil")


@pytest.mark.cluster
def test_a_job_that_was_made_anew_under_the_same_marks_is_a_strangers(
    there: Desk, seconds: dict[tuple[str, bool], Kernel], tmp_path: Path
) -> None:
    """Name and annotations can be copied; the uid cannot."""
    there.right("%%kubetrain --name copied --cpus 100m --returns n\nn = 42")
    space = admin_of(there)
    job = space.kubectl.get("job", "copied")
    there.right("%kube delete copied")
    eventually(lambda: space.kubectl("get", "job", "copied", check=False).returncode, "its end")
    for part in (job["metadata"], job["spec"]["template"]["metadata"]):
        for key in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
            part.pop(key, None)
        part["labels"] = {k: v for k, v in part["labels"].items() if "controller-uid" not in k and "job-name" not in k}
    job["spec"].pop("selector")
    job.pop("status")
    space.kubectl.apply(job)
    ran = second(there, seconds, tmp_path).run("%kube attach copied")
    assert ran.error == "Untrusted", ran
    there.right("%kube delete copied")


@pytest.mark.cluster
def test_to_what_is_no_longer_all_there(there: Desk, seconds: dict[tuple[str, bool], Kernel], tmp_path: Path) -> None:
    """Fetched before; without its pod; without its Job, as after its time to live: clear words, each."""
    for name in ("fetched", "podless", "jobless"):
        options = "" if name == "fetched" else "--detach"
        there.right(f"%%kubetrain --name {name} --cpus 50m --returns n {options}\nprint('line')\nn = 42")
    space = admin_of(there)
    kernel = second(there, seconds, tmp_path)
    for name in ("fetched", "podless", "jobless"):
        eventually(
            lambda name=name: f"\n{name} succeeded " in re.sub(" +", " ", kernel.run("%kube jobs").text), "its end"
        )
    assert kernel.run("%kube attach fetched").error is None
    assert kernel.value("n") == "42"
    space.admin("delete", "pods", "--selector=job-name=podless", f"--namespace={space.name}")
    ran = kernel.run("%kube attach podless")
    assert ran.error == "ResultMissing", ran
    assert "the job's pod is gone, and with it the log that carried it" in ran.message
    there.says("jobless", "line\n")
    space.kubectl("delete", "job", "jobless")
    ran = there.run("%kube attach jobless")
    assert ran.error == "NotFound", ran
    assert ".kube_magics/logs/jobless.log is what was printed here" in ran.traceback
    for name in ("fetched", "podless"):
        there.right(f"%kube delete {name}")


@pytest.mark.cluster
def test_two_at_once(there: Desk, seconds: dict[tuple[str, bool], Kernel], tmp_path: Path) -> None:
    """Each has all of it, of a job that runs and of one that is over; that somebody has it is noted once."""
    there.right("%%kubetrain --detach --name over --cpus 50m --returns m\nm = 43")
    there.right("%%kubetrain --detach --name twofold --cpus 50m --returns n\n" + WAITS.format(times=30) + "n = 42")
    kernels = (there.kernel, second(there, seconds, tmp_path))
    eventually(lambda: admin_of(there).kubectl.get("job", "over")["status"].get("succeeded"), "the end of one")
    noted = []
    for cell in ("%kube attach over", "%kube attach twofold", "%kube attach over"):
        requests = [each.send(cell) for each in kernels]
        for each, request in zip(kernels, requests, strict=True):
            ran = each.finish(request)
            assert ran.error is None, ran
            lines = [line for line in ran.stdout.splitlines() if not line.startswith("job ")]
            assert lines == (["one", "two"] if "twofold" in cell else [])
        noted.append(eventually(lambda: fetched_at(there, "over"), "a note"))
    assert [each.value("(m, n)") for each in kernels] == ["(43, 42)"] * 2
    assert fetched_at(there, "over") == noted[0]
    for name in ("over", "twofold"):
        there.right(f"%kube delete {name}")


def fetched_at(desk: Desk, name: str) -> str | None:
    annotations: dict[str, str] = admin_of(desk).kubectl.get("job", name)["metadata"]["annotations"]
    return annotations.get(ANNOTATION_FETCHED)
