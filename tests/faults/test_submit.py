"""Faults while a job is being submitted: one Job, all of its parts, its value; and afterwards nothing of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.belongings import belongings, deleted, only
from tests.acceptance.desk import admin_of, environment, eventually
from tests.acceptance.gate import LOST, Gate, Refusal, gate
from tests.faults.conftest import Linked
from tests.kernel import Kernel, Ran

pytestmark = pytest.mark.cluster

CELL = "%%kubetrain --name {name} --cpus 100m --returns n\nn = len(data)"
SMALL, LARGE = 42, 1_200_000
"""Bytes of data: in the Job itself, and in two ConfigMaps."""
JOB, MAP = "POST /apis/batch/v1/namespaces/{space}/jobs", "POST /api/v1/namespaces/{space}/configmaps"


@pytest.fixture(scope="module", autouse=True)
def data(linked: Linked) -> None:
    linked.desk.right(f"import os\nsmall, large = os.urandom({SMALL}), os.urandom({LARGE})")


@pytest.fixture
def gated(linked: Linked, tmp_path: Path) -> Iterator[Gate]:
    """The API server with a gate before it, as the user's one cluster."""
    with gate(admin_of(linked.desk), tmp_path) as (made, kubeconfig), used(linked, kubeconfig):
        yield made


@contextmanager
def used(linked: Linked, kubeconfig: Path) -> Iterator[None]:
    linked.desk.right(f"before, os.environ['KUBECONFIG'] = os.environ['KUBECONFIG'], {str(kubeconfig)!r}")
    try:
        yield
    finally:
        linked.desk.right("os.environ['KUBECONFIG'] = before")


def submitted(linked: Linked, name: str, size: int) -> Ran:
    """Such a job: its value has come, and it is there once and whole."""
    linked.desk.right(f"data = {'small' if size == SMALL else 'large'}")
    ran = linked.desk.right(CELL.format(name=name))
    assert linked.desk.kernel.value("n") == str(size)
    parts = sorted(each.partition("/")[0] for each in belongings(admin_of(linked.desk))[name])
    assert parts == [*(["configmap"] * 2 if size == LARGE else []), "job.batch", "pod"]
    return ran


def test_every_answer_is_lost_once(linked: Linked, gated: Gate) -> None:
    """What is repeated is there already, and is known to be the same."""
    job, maps = (each.format(space=admin_of(linked.desk).name) for each in (JOB, MAP))
    gated.once(job, LOST)
    gated.once(maps, LOST, LOST)
    submitted(linked, "answers-lost", LARGE)
    assert sorted(gated.met) == [maps, maps, job]
    gated.once(job, LOST)
    submitted(linked, "answer-lost", SMALL)
    assert sorted(gated.met) == [maps, maps, job, job]


def test_a_server_that_is_busy_or_at_fault_for_a_moment(linked: Linked, gated: Gate) -> None:
    job, maps = (each.format(space=admin_of(linked.desk).name) for each in (JOB, MAP))
    gated.once(job, Refusal(429, {"Retry-After": "1"}), Refusal(500), Refusal(503, {"Retry-After": "1"}))
    gated.once(maps, Refusal(500), Refusal(429, {"Retry-After": "1"}))
    submitted(linked, "refused", LARGE)
    assert sorted(gated.met) == [maps, maps, job, job, job]


def test_a_server_that_stays_at_fault(linked: Linked, gated: Gate) -> None:
    """Its own words, and nothing is left of the job."""
    gated.once(MAP.format(space=admin_of(linked.desk).name), *[Refusal(500)] * 40)
    linked.desk.right("data = large")
    ran = linked.desk.run(CELL.format(name="at-fault"))
    assert ran.error == "Rejected", ran
    assert "said: not now" in ran.traceback
    eventually(lambda: "at-fault" not in belongings(admin_of(linked.desk)), "the end of its job")


@pytest.mark.parametrize(("size", "after"), [(SMALL, 20_000), (LARGE, 600_000)])
def test_the_connection_breaks_in_the_middle_of_a_body(linked: Linked, size: int, after: int) -> None:
    """Of the Job's, which has some 40 kB, and of one of its ConfigMaps'."""
    cuts = linked.proxy.cuts
    linked.proxy.upload_room = after
    submitted(linked, f"body-{size}-{after}", size)
    assert linked.proxy.upload_room is None
    assert linked.proxy.cuts > cuts


def test_the_parts_of_a_deleted_job_of_the_same_name_are_not_taken_for_its_own(linked: Linked) -> None:
    """The cluster removes them a moment after the job."""
    submitted(linked, "anew", LARGE)
    linked.desk.right("%kube delete anew")
    linked.desk.right("large = os.urandom(len(large))")
    submitted(linked, "anew", LARGE)


@pytest.fixture(scope="module")
def pair(linked: Linked) -> Iterator[tuple[Kernel, Kernel]]:
    """Two more kernels of the same notebook."""
    with ExitStack() as exits:
        first, second = (exits.enter_context(Kernel(linked.desk.folder, environment(linked.desk))) for _ in range(2))
        for kernel in (first, second):
            assert kernel.run("%load_ext kube_magics\ndata = b'x' * 42").error is None
        yield first, second


def at_once(pair: tuple[Kernel, Kernel], cells: tuple[str, str]) -> list[Ran]:
    sent = [kernel.send(f"{cell}\nimport time\ntime.sleep(2)\n") for kernel, cell in zip(pair, cells, strict=True)]
    return [kernel.finish(request) for kernel, request in zip(pair, sent, strict=True)]


def test_two_kernels_submit_the_same_cell_at_the_same_time(linked: Linked, pair: tuple[Kernel, Kernel]) -> None:
    """One of them submits it, the other takes that job up; both have the value."""
    cell = CELL.format(name="").replace(" --name ", "")
    ran = at_once(pair, (cell, cell))
    assert [each.error for each in ran] == [None, None], ran
    assert [kernel.value("n") for kernel in pair] == ["42", "42"]
    made = [each for each in belongings(admin_of(linked.desk)) if each.startswith("acceptance-")]
    assert len(made) == 1, made
    assert sum("of this same cell" in each.stdout for each in ran) == 1, ran


def test_two_kernels_use_one_name_at_the_same_time(linked: Linked, pair: tuple[Kernel, Kernel]) -> None:
    """For different cells: the second is told that the name is taken, and the first is not touched."""
    cell = CELL.format(name="taken")
    ran = at_once(pair, (cell, f"{cell} + 1"))
    assert {each.error for each in ran} == {None, "Conflict"}, ran
    (refused,) = (each for each in ran if each.error)
    assert "There is a job taken already" in refused.traceback
    winner = 0 if ran[0].error is None else 1
    assert pair[winner].value("n") == str(42 + winner)
    parts = sorted(each.partition("/")[0] for each in belongings(admin_of(linked.desk))["taken"])
    assert parts == ["job.batch", "pod"]


def test_what_nobody_thinks_of_is_found(linked: Linked) -> None:
    """After `%kube delete` of all there is. The lists of what is left see any kind, by its label, and what belongs to that without one."""
    space = admin_of(linked.desk)
    deleted(linked.desk)
    only(linked.desk)
    meta = {"namespace": space.name, "name": "orphan"}
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {**meta, "labels": {"kube-magics.dev/job": "ghost"}},
    }
    space.admin.apply(lease)
    uid = space.admin.get("lease", "orphan", f"--namespace={space.name}")["metadata"]["uid"]
    owner = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "name": "orphan", "uid": uid}
    space.admin.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**meta, "ownerReferences": [owner]}})
    try:
        assert belongings(space) == {"ghost": ["configmap/orphan", "lease.coordination.k8s.io/orphan"]}
        with pytest.raises(AssertionError, match="ghost"):
            only(linked.desk, patience_s=0.1)
    finally:
        space.admin("delete", "lease", "orphan", f"--namespace={space.name}")
