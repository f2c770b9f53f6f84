"""What no node could ever hold, from what pods ask for and nodes have."""

from __future__ import annotations

from typing import Any

import pytest

from kube_magics.telemetry.causes.capacity import never_fits
from kube_magics.telemetry.snapshot import of_job
from tests.telemetry.test_snapshot import a_job, a_pod


def a_node(**has: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "n"},
        "status": {"allocatable": {name.replace("gpu", "nvidia.com/gpu"): text for name, text in has.items()}},
    }


def asking(**wanted: str) -> dict[str, Any]:
    pod = a_pod(
        conditions=[
            {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: 2 Insufficient cpu."}
        ]
    )
    requests = {name.replace("gpu", "nvidia.com/gpu"): text for name, text in wanted.items()}
    pod["spec"] = {"containers": [{"name": "main", "resources": {"requests": requests}}]}
    return pod


NODES = [a_node(cpu="1930m", memory="7Gi", gpu="8"), a_node(cpu="64", memory="515Gi")]


@pytest.mark.parametrize(
    ("wanted", "sentence", "typed"),
    [
        ({"gpu": "64"}, "No node here has more than 8 GPUs, and the job asks for 64.", "--gpus 8 "),
        ({"gpu": "9", "cpu": "1"}, "more than 8 GPUs, and the job asks for 9.", "--gpus 8 "),
        ({"cpu": "100"}, "No node here has more than 64 cores for jobs, and this one asks for 100.", "--cpus 64 "),
        ({"memory": "2Ti"}, "more than 515Gi of memory for jobs, and this one asks for 2048Gi.", "--memory 515Gi "),
        ({"gpu": "8"}, None, ""),
        ({"cpu": "64", "memory": "515Gi", "gpu": "8"}, None, ""),
        ({}, None, ""),
        ({"cpu": "lots"}, None, ""),
    ],
)
def test_the_largest_node_decides(wanted: dict[str, str], sentence: str | None, typed: str) -> None:
    found = never_fits(asking(**wanted), NODES)
    if sentence is None:
        assert found is None
        return
    assert found is not None
    assert sentence in found[0]
    assert found[1].startswith(typed)


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ([a_node(cpu="4")], "No node here has GPUs, and the job asks for 2."),
        ([a_node(gpu="1")], "more than 1 GPU, and"),
        ([], None),
        ([a_node(gpu="many")], None),  # what cannot be read may be enough
        ([{"metadata": {"name": "new"}}, a_node(gpu="1")], None),  # as may what has not said yet what it has
    ],
)
def test_what_is_unknown_of_a_node_is_no_reason(nodes: list[dict[str, Any]], sentence: str | None) -> None:
    found = never_fits(asking(gpu="2"), nodes)
    assert (sentence in found[0]) if found and sentence else (found is sentence)


def test_a_smaller_number_of_cores_is_typed_in_thousandths() -> None:
    found = never_fits(asking(cpu="2"), NODES[:1])
    assert found is not None
    assert "more than 1.93 cores" in found[0]
    assert found[1].startswith("--cpus 1930m ")


def test_the_job_waits_all_the_same_and_says_so() -> None:
    """An autoscaler may make a larger node."""
    known = of_job(a_job(), [asking(gpu="64")], nodes=NODES)
    unknown = of_job(a_job(), [asking(gpu="64")])
    assert known.cause is not None
    assert unknown.cause is not None
    assert (known.phase, known.cause.kind, known.cause.hopeless) == ("pending", "unschedulable", False)
    assert known.cause.said == unknown.cause.said
    assert "8 GPUs" in known.cause.sentence
    assert "or wait" in str(known.cause.fix)
    assert "8 GPUs" not in unknown.cause.sentence
