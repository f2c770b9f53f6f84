"""What jobs have in a cluster: by their label, and by whom it belongs to where something has none."""

from __future__ import annotations

from kube_magics.spec.names import LABEL_JOB
from tests.acceptance.desk import PATIENCE_S, Desk, admin_of, eventually
from tests.cluster import Namespace
from tests.cluster.objects import objects


def belongings(space: Namespace) -> dict[str, list[str]]:
    """Objects of every kind there is, by the job that they are of."""
    found = objects(space)
    jobs = {each.uid: each.labels[LABEL_JOB] for each in found if LABEL_JOB in each.labels}
    unclaimed = [each for each in found if each.uid not in jobs]
    while claimed := [each for each in unclaimed if jobs.keys() & set(each.owners)]:
        jobs |= {each.uid: next(jobs[owner] for owner in each.owners if owner in jobs) for each in claimed}
        unclaimed = [each for each in unclaimed if each not in claimed]
    sorted_by_job: dict[str, list[str]] = {}
    for each in found:
        if each.uid in jobs:
            sorted_by_job.setdefault(jobs[each.uid], []).append(each.name)
    return sorted_by_job


def only(desk: Desk, *names: str, patience_s: float = PATIENCE_S) -> None:
    """Of all jobs that were ever here these are left, each once, and of no other anything; the cluster takes a moment
    to remove what was deleted."""
    space = admin_of(desk)
    eventually(lambda: set(belongings(space)) <= set(names), f"only {names}, not {belongings(space)}", patience_s)
    found = belongings(space)
    assert found.keys() == set(names)
    for name, all_of_it in found.items():
        assert [each for each in all_of_it if each.startswith("job.")] == [f"job.batch/{name}"], found
        assert len([each for each in all_of_it if each.startswith("pod/")]) <= 1, found


def deleted(desk: Desk, *names: str) -> None:
    """`%kube delete` of these (of all, if none is named) leaves nothing of them."""
    space = admin_of(desk)
    doomed = names or tuple(belongings(space))
    for name in doomed:
        ran = desk.run(f"%kube delete {name}")
        # One that never ran is deleted by its own cell, and its pod goes a moment later.
        assert ran.error in (None, "NotFound"), ran
    eventually(lambda: not belongings(space).keys() & set(doomed), f"nothing, not {belongings(space)}")
