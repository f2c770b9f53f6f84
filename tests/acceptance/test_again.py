"""A cell that does not wait, several at a time, and a cell that is run again while its job lives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.desk import LOGS, Desk, admin_of, environment, eventually
from tests.cluster import Cluster
from tests.cluster.namespaces import delete
from tests.kernel import Kernel

pytestmark = pytest.mark.jobs

ASLEEP = "import time\nprint('up', flush=True)\ntime.sleep({seconds})\nn = {n}"


def jobs(desk: Desk) -> list[str]:
    """Names in `%kube jobs`, newest first."""
    return re.findall(r"^([a-z]\S+) +(?:pending|running|succeeded|failed)", desk.right("%kube jobs").text, re.MULTILINE)


@pytest.fixture(autouse=True)
def removed(request: pytest.FixtureRequest) -> Iterator[None]:
    desk: Desk = request.getfixturevalue("anywhere" if "anywhere" in request.fixturenames else "here")
    yield
    for name in jobs(desk):
        desk.run(f"%kube delete {name}")


def test_a_cell_that_does_not_wait(anywhere: Desk) -> None:
    """Its value is the Job; it is followed in the background, and its result waits in it."""
    ran = anywhere.right(f"%%kubetrain --detach --name apart --cpus 100m --returns n\n{ASLEEP.format(seconds=2, n=42)}")
    assert re.fullmatch(r"<Job apart in \S+: (pending|running)>", ran.values[0])
    assert "up" not in ran.stdout
    anywhere.right("job = _")
    assert anywhere.kernel.value("job.result()") == "{'n': 42}"
    anywhere.says("apart", "up\n")


def test_several_at_a_time(anywhere: Desk) -> None:
    """All in one loop, each with what it was given; the values come in order, a failed one is raised when all are over."""
    anywhere.right(
        "import kube_magics\ndef work(n):\n    import time\n    time.sleep(1)\n    return n * n\n"
        "several = [kube_magics.train(work, args=(n,), cpus='100m', detach=True) for n in (2, 3, 4)]"
    )
    ran = anywhere.right("print(kube_magics.wait_all(several))")
    assert ran.stdout.splitlines()[-1] == "[4, 9, 16]"
    assert len(re.findall(r"^job work-\w+ done in ", ran.stdout, re.MULTILINE)) == 3
    ran = anywhere.run(
        "def fails(n):\n    if n:\n        raise KeyError(n)\n    return n\n"
        "kube_magics.wait_all([kube_magics.train(fails, args=(n,), cpus='100m') for n in (0, 1, 2)])"
    )
    assert ran.error == "KeyError", ran
    assert "2 of 3 jobs failed: " in ran.traceback


def test_run_again_it_is_the_same_job(anywhere: Desk) -> None:
    """Detached, then run again: attached, in one line, with its output from the start, its value, and no second job."""
    anywhere.right("x = [1, 2]")
    cell = f"%%kubetrain {{}} --cpus 100m --returns n\n{ASLEEP.format(seconds=3, n='sum(x)')}"
    anywhere.right(cell.format("--detach"))
    (name,) = jobs(anywhere)
    eventually(lambda: "running" in anywhere.right("%kube jobs").text, "its start")
    ran = anywhere.right(cell.format(""))
    assert re.search(
        rf"^job {name} of this same cell is there already since .*\(--new submits it again\)$", ran.stdout, re.MULTILINE
    )
    assert "\nup\n" in ran.stdout
    assert anywhere.kernel.value("n") == "3"
    assert jobs(anywhere) == [name]
    assert len(list((anywhere.folder / LOGS).glob(f"{name}*"))) == 1, "who detached and who attached follow it once"
    ran = anywhere.right(cell.format(""))
    assert "same cell" not in ran.stdout, "its value had been fetched: a new job"
    assert len(jobs(anywhere)) == 2


def test_results_that_nobody_has_fetched_are_fetched(anywhere: Desk) -> None:
    cell = "%%kubetrain {} --name ended --cpus 100m --returns n\nprint('line')\nn = 42"
    anywhere.right(cell.format("--detach") + "\n")
    anywhere.right("_.wait()")
    eventually(lambda: "succeeded" in anywhere.right("%kube jobs").text, "its end")
    ran = anywhere.right(cell.format("") + "\n")
    assert "job ended of this same cell has ended, and its results have not been fetched yet: attached" in ran.stdout
    assert "\nline\n" in ran.stdout
    assert anywhere.kernel.value("n") == "42"


def test_attached_while_the_detached_one_still_follows(anywhere: Desk) -> None:
    """Each has the whole of it: output with its pictures and streams, the value; and the cluster is asked once."""
    anywhere.right(
        "import kube_magics\ndef work():\n    import sys, time\n    print('one')\n    print('two', file=sys.stderr, flush=True)\n"
        "    time.sleep(3)\n    print('three')\n    return 42\njob = kube_magics.train(work, name='shared', cpus='100m')"
    )
    anywhere.says("shared", "two\n")
    ran = anywhere.right("%kube attach shared")
    lines = [line for line in ran.stdout.splitlines() if not line.startswith("job ")]
    assert (lines, ran.stderr, ran.values) == (["one", "three"], "two\n", ["42"])
    assert anywhere.kernel.value("job.result()") == "42"
    assert anywhere.right("%kube attach shared --tail 1").values == ["42"], "and once more, now that it is over"
    assert [path.name for path in (anywhere.folder / LOGS).glob("shared*")] == ["shared.log"]


TASKS = """import kube_magics
def task(n):
    import time
    print(n, flush=True)
    if n == 1:
        raise KeyError(n)
    time.sleep(3 * n)
    return n
"""


def test_one_fails_and_one_is_stopped(anywhere: Desk) -> None:
    """The others are waited for all the same, and each says what it was."""
    anywhere.right(f"{TASKS}tasks = [kube_magics.train(task, args=(n,), cpus='50m') for n in (0, 1, 2, 200)]")
    eventually(lambda: anywhere.kernel.value("tasks[3].logs()") == "'200\\n'", "the last one's line")
    anywhere.right("tasks[3].stop()")
    ran = anywhere.run("kube_magics.wait_all(tasks)")
    assert ran.error == "KeyError", ran
    assert "2 of 4 jobs failed: " in ran.traceback
    assert "(JobStopped)" in ran.traceback
    assert len(re.findall(r"^job task-\w+ (?:done|failed|stopped)", ran.stdout, re.MULTILINE)) == 4
    assert anywhere.kernel.value("[tasks[0].result(), tasks[2].result()]") == "[0, 2]"


@pytest.mark.long
@pytest.mark.cluster
def test_the_namespace_of_one_is_removed(there: Desk, cluster: Cluster) -> None:
    """It is said of that one; the others are waited for, and have their values."""
    space, other = admin_of(there), cluster.namespace()
    there.right(
        f"import os\nmine = os.environ['KUBECONFIG']\nos.environ['KUBECONFIG'] = {str(space.admin.kubeconfig)!r}"
    )
    places = f"((2, {space.name!r}), (200, {other.name!r}))"
    there.right(
        f"{TASKS}apart = [kube_magics.train(task, args=(n,), cpus='50m', namespace=where) for n, where in {places}]"
    )
    eventually(lambda: there.kernel.value("apart[1].logs()") == "'200\\n'", "its line")
    delete(other)
    ran = there.run("kube_magics.wait_all(apart)")
    assert ran.error == "JobDeleted", ran
    assert there.kernel.value("apart[0].result()") == "2"
    there.right("os.environ['KUBECONFIG'] = mine")


@pytest.mark.parametrize(
    ("before", "line", "body"),
    [
        ("", "--detach", ASLEEP.format(seconds=30, n="helper(data) + 1")),
        ("", "--detach --timeout 1h", ""),
        ("data = {'k': [1, 3]}", "--detach", ""),
        ("def helper(data):\n    return len(data)", "--detach", ""),
        ("open('config.txt', 'w').write('b')", "--detach", ""),
        ("", "--detach --new", ""),
    ],
    ids=["cell", "option", "value", "definition", "file", "new"],
)
def test_what_has_changed_is_a_new_job(here: Desk, before: str, line: str, body: str) -> None:
    """And the older one, which goes on, is named."""
    usual = ASLEEP.format(seconds=30, n="helper(data)")
    here.right("data = {'k': [1, 2]}\ndef helper(data):\n    return data\nopen('config.txt', 'w').write('a')")
    options = "--cpus 100m --files config.txt --returns n"
    here.right(f"%%kubetrain --detach {options}\n{usual}")
    (older,) = jobs(here)
    assert "same cell is there already" in here.right(f"%%kubetrain --detach {options}\n{usual}").stdout
    if before:
        here.right(before)
    ran = here.right(f"%%kubetrain {line} {options}\n{body or usual}")
    assert "same cell" not in ran.stdout, ran
    assert len(jobs(here)) == 2
    said = f"[kube_magics: job {older}, of this cell before it was changed, goes on: %kube stop {older} ends it]\n"
    assert (said in ran.stderr) is ("--new" not in line), ran


def test_a_value_that_cannot_be_compared_is_named(here: Desk) -> None:
    here.right("class Odd:\n    pass\nodd = Odd()")
    cell = f"%%kubetrain --detach --returns n\n{ASLEEP.format(seconds=30, n='str(odd)')}"
    here.right(cell)
    assert "(--new submits it again; not compared: odd)" in here.right(cell).stdout


def test_sent_twice_it_runs_once(anywhere: Desk) -> None:
    """Shift-Enter pressed twice: the second was sent while the first ran."""
    before = jobs(anywhere)  # some may be on their way out
    cell = f"%%kubetrain --cpus 100m --returns n\n{ASLEEP.format(seconds=1, n=7)}"
    first, second = anywhere.kernel.send(cell), anywhere.kernel.send(cell)
    assert anywhere.kernel.finish(first).error is None
    ran = anywhere.kernel.finish(second)
    assert ran.error is None
    assert "it was sent twice, and ran once (--new runs it again)" in ran.stdout
    assert len([name for name in jobs(anywhere) if name not in before]) == 1
    assert anywhere.kernel.value("n") == "7"


def test_a_job_that_was_stopped_is_not_taken_up(here: Desk) -> None:
    cell = f"%%kubetrain --detach\n{ASLEEP.format(seconds=30, n=1)}"
    here.right(cell)
    here.right(f"%kube stop {jobs(here)[0]}")
    assert "same cell" not in here.right(cell).stdout


def test_another_notebook_submits_its_own(here: Desk, tmp_path: Path) -> None:
    cell = f"%%kubetrain --detach\n{ASLEEP.format(seconds=30, n=1)}"
    here.right(cell)
    with Kernel(tmp_path, {**environment(here), "KUBE_MAGICS_NOTEBOOK": "another.ipynb"}) as kernel:
        assert kernel.run("%load_ext kube_magics").error is None
        assert "same cell" not in kernel.run(cell).stdout
        said = kernel.run("%kube jobs").text
        assert re.search(r" another\.ipynb +In \[2\] +this$", said, re.MULTILINE), said
        assert re.search(r" acceptance\.ipynb +In \[\d+\] +alive$", said, re.MULTILINE), said
    assert len(jobs(here)) == 2
