"""All causes that disturb nobody, planted at once; beside them Jobs with which nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from kube_magics.telemetry.why import WELL as NOTHING_WRONG
from tests.acceptance.desk import eventually
from tests.acceptance.why import planted
from tests.acceptance.why.field import PATIENCE_S, Field
from tests.acceptance.why.planted import BOUNDED, COUNTED, FREE, PLANTED, STRICT, WELL, Planted
from tests.acceptance.why.servers import registry, webhook
from tests.cluster import Cluster
from tests.cluster.namespaces import delete

pytestmark = [pytest.mark.cluster, pytest.mark.long]
DELETED = "deleted-pod"


@pytest.fixture(scope="module")
def field(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    if cluster.is_given:
        pytest.skip("its node does not reach this machine's servers")
    levels = {STRICT: "restricted"}
    wanted = (FREE, STRICT, COUNTED, BOUNDED)
    spaces = {each: cluster.namespace(pod_security=levels.get(each, "privileged")) for each in wanted}
    with ExitStack() as exits:
        for space in spaces.values():
            exits.callback(delete, space)
        name = planted.cluster_wide(spaces[FREE].name)
        for kind in planted.CLUSTER_WIDE:
            exits.callback(cluster.kubectl, "delete", kind, name, "--wait=false", "--ignore-not-found", check=False)
        found = Field(cluster, spaces, exits.enter_context(registry()))
        answering = exits.enter_context(webhook(tmp_path_factory.mktemp("webhook")))
        cluster.kubectl.apply(*planted.surroundings({each: space.name for each, space in spaces.items()}, answering))
        for hook in ("answers", "silent"):
            eventually(lambda hook=hook: found.refuses(FREE, hook), f"the webhook that {hook}")
        eventually(lambda: found.refuses(FREE, serviceAccountName="forbidden"), "the policy")
        jobs = {name: (each.job, each.where) for name, each in PLANTED.items()}
        jobs |= {name: (each, FREE) for name, (_, each) in WELL.items()}
        jobs[DELETED] = (planted.job(planted.LASTS), FREE)
        found.plant(jobs)
        yield found


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_cause(field: Field, name: str) -> None:
    field.tells(name, PLANTED[name])


@pytest.mark.parametrize("name", WELL)
def test_nothing_is_wrong(field: Field, name: str) -> None:
    eventually(lambda: field.why(name, FREE).sentence.startswith(WELL[name][0]), WELL[name][0])
    assert field.why(name, FREE).verdict == NOTHING_WRONG


def test_a_pod_that_somebody_deletes(field: Field) -> None:
    """Its Job makes another one at once, or fails for it."""
    space = field.spaces[FREE]
    eventually(lambda: field.why(DELETED, FREE).sentence.startswith("Nothing is wrong: it runs"), "its start")
    field.cluster.kubectl(
        "delete", "pod", f"--selector=job-name={DELETED}", f"--namespace={space.name}", "--wait=false"
    )
    found = eventually(lambda: field.why(DELETED, FREE).kind, "its end")
    assert found in ("deleted", "failed")


def test_a_job_that_somebody_has_deleted(field: Field) -> None:
    here = f"--namespace={field.spaces[FREE].name}"
    field.plant({"gone": (planted.job(planted.LASTS), FREE), "over": (planted.job(""), FREE)})
    eventually(lambda: field.why("gone", FREE).sentence.startswith("Nothing is wrong: it runs"), "its start")
    eventually(lambda: field.why("over", FREE).sentence.startswith("Nothing is wrong: it has succeeded"), "its end")
    # All that will be left of it; a busy cluster is late with it.
    kept = ("events", here, "--field-selector=involvedObject.name=over,reason=Completed")
    eventually(lambda: field.cluster.kubectl.get(*kept)["items"], "the event of its end", PATIENCE_S)
    field.cluster.kubectl("delete", "job", "gone", "over", here, "--wait=false")
    field.tells("gone", Planted("deleted", "by whom Kubernetes does not keep. It was not over", "again", {}))
    field.tells("over", Planted("deleted", "It had succeeded before.", "again", {}))


def test_a_job_that_a_finalizer_keeps(field: Field) -> None:
    here = f"--namespace={field.spaces[FREE].name}"
    kept = planted.job(planted.LASTS) | {"metadata": {"finalizers": ["example.com/backup"]}}
    field.plant({"kept": (kept, FREE)})
    try:
        eventually(lambda: field.why("kept", FREE).sentence.startswith("Nothing is wrong: it runs"), "its start")
        field.cluster.kubectl("delete", "job", "kept", here, "--wait=false")
        field.tells("kept", Planted("deleted", "stays until example.com/backup is taken off it", "wait", {}))
    finally:
        field.cluster.kubectl("patch", "job", "kept", here, "--type=merge", '--patch={"metadata":{"finalizers":null}}')
