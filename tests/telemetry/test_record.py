"""What a notebook's metadata keep of a job."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kube_magics.runner import protocol
from kube_magics.spec import names
from kube_magics.telemetry.card import card
from kube_magics.telemetry.heard import Heard
from kube_magics.telemetry.made import MOST_SEEDS, made_of, seeds, seeds_of, seeds_text
from kube_magics.telemetry.record import record
from tests.telemetry.test_card import BEGAN, END, RUNNING, on_cluster, stage, told
from tests.telemetry.test_snapshot import a_job
from tests.telemetry.test_usage import GIB, sample

DIGEST = "ab" * 32


def test_the_record_of_a_job_that_has_ended() -> None:
    start = {"e": "start", "python": "3.11.9", "versions": {"torch": "2.6.0"}, "devices": [{"name": "NVIDIA H100"}]}
    chunks = list(protocol.result_chunks("model", b"x" * 20_000))
    heard = told(start, stage("running", 82), sample(mem=[GIB]), *chunks, END)
    assert len(chunks) > 1
    found = record(card(on_cluster(RUNNING), heard, BEGAN + 999, phase="succeeded"))
    assert json.loads(json.dumps(found)) == found
    assert found == {
        "version": 1,
        "job": "digits-x7k2p",
        "namespace": "team",
        "status": "succeeded",
        "kube_magics": None,
        "cell_sha256": None,
        "bundle_sha256": "0" * 64,
        "image": "team/torch:1",
        "image_digest": None,
        "seeds": {},
        "python": "3.11.9",
        "packages": {"torch": "2.6.0"},
        "gpus": 2,
        "gpu_products": ["NVIDIA H100"],
        "cpus": None,
        "memory": "1Gi",
        "duration_s": 30.25,
        "peak_memory_bytes": 9 * GIB,
        "results": {"model": {"sha256": chunks[-1]["sha256"], "bytes": 20_000}},
    }


def test_values_that_stay_on_this_machine_have_no_digest() -> None:
    heard = told({**END, "results": ["model", "@error", 7]})
    found = record(card(on_cluster(RUNNING), heard, BEGAN + 999, phase="succeeded"))
    assert found["results"] == {"model": {"sha256": None, "bytes": None}}


def test_the_image_that_ran_is_named_by_its_digest() -> None:
    made = made_of(a_job(), {"imageID": f"registry.example/torch@sha256:{DIGEST}"})
    assert (made.image, made.image_digest) == ("team/torch:1", f"sha256:{DIGEST}")
    assert made_of(a_job(), {"imageID": "docker-pullable://odd"}).image_digest is None


def test_seeds_that_were_given_and_nothing_else_of_the_variables() -> None:
    job = a_job()
    job["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "SEED", "value": "42"},
        {"name": "PYTHONHASHSEED", "value": "random"},
        {"name": "PL_GLOBAL_SEED", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
        {"name": "TOKEN", "value": "7"},
    ]
    assert made_of(job, {}).seeds == (("SEED", 42),)
    job["metadata"]["annotations"][names.ANNOTATION_SEEDS] = "numpy.random.seed=-1,random.seed=0"
    assert made_of(job, {}).seeds == (("SEED", 42), ("numpy.random.seed", -1), ("random.seed", 0))
    assert seeds([("SEED", "١"), ("RANDOM_SEED", "9" * 21), ("PL_GLOBAL_SEED", 3)]) == (("PL_GLOBAL_SEED", 3),)


def test_seeds_come_back_and_what_is_none_does_not() -> None:
    kept = (("SEED", 7), ("numpy.random.seed", -(2**63)))
    assert seeds_of(seeds_text(kept)) == kept
    assert seeds_of("a=1,b=x,=2,/home/me=3,c=" + "9" * 21 + ",d=١") == (("a", 1),)
    assert len(seeds_of("a=1," * 1000)) == MOST_SEEDS
    assert seeds_of({"SEED": 7}) == seeds_of(None) == seeds_of(seeds_text([])) == ()


def test_digests_that_are_none_are_not_repeated() -> None:
    job = a_job()
    job["metadata"]["annotations"] |= {names.ANNOTATION_BUNDLE: "/home/me/.ssh", names.ANNOTATION_CELL: DIGEST}
    made = made_of(job, {})
    assert (made.bundle_sha256, made.cell_sha256) == (None, DIGEST)


@pytest.mark.parametrize(
    "event",
    [
        {"e": "result", "name": "@error", "sha256": DIGEST, "bytes": 1},
        {"e": "result", "name": "x", "sha256": "odd", "bytes": 1},
        {"e": "result", "name": "x", "sha256": DIGEST, "bytes": "many"},
        {"e": "result", "name": 3, "sha256": DIGEST, "bytes": 1},
        {"e": "start", "python": 3, "versions": ["torch"]},
    ],
)
def test_what_is_no_result_or_version_is_left_out(event: dict[str, Any]) -> None:
    heard = Heard().after(event)
    assert (heard.results, heard.versions, heard.python) == ((), (), None)
