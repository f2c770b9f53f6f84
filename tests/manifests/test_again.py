"""From a Job of the cluster to one that can be created."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import pytest

from kube_magics import errors
from kube_magics.manifests import bundle, job
from kube_magics.manifests.again import creatable, renamed
from kube_magics.spec.job import JobSpec, Submission

PASSWORD = "correct-horse-battery"
FOUND: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {
        "name": "digits",
        "namespace": "team",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{}],
        "labels": {"team": "vision", "job-name": "digits", "controller-uid": "u"},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": PASSWORD,
            "batch.kubernetes.io/job-tracking": "",
            "kube-magics.dev/submission": "s",
            "kube-magics.dev/fetched": "2026-01-01",
        },
    },
    "spec": {
        "suspend": True,
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}},
        "backoffLimit": 0,
        "template": {
            "metadata": {
                "creationTimestamp": None,
                "labels": {"batch.kubernetes.io/job-name": "digits", "controller-uid": "u", "team": "vision"},
            },
            "spec": {
                "containers": [
                    {
                        "name": "main",
                        "image": "python:3.12",
                        "command": ["train", "--password", PASSWORD, f"--api-key={PASSWORD}", "--lr", "1"],
                        "env": [
                            {"name": "DB_PASSWORD", "value": PASSWORD},
                            {"name": "SHORT_TOKEN", "value": "abc"},
                            {"name": "MODE", "value": "ghp_" + "a1" * 18},
                            {"name": "LR", "value": "1e-3"},
                            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                            {"name": "KUBE_MAGICS_BUNDLE", "value": "UEsDB"},
                        ],
                    }
                ]
            },
        },
    },
    "status": {"active": 1},
}


def test_what_the_cluster_has_added_is_left_out() -> None:
    body, _ = creatable(FOUND)
    assert list(body) == ["apiVersion", "kind", "metadata", "spec"]
    assert body["metadata"] == {
        "name": "digits",
        "namespace": "team",
        "labels": {"team": "vision"},
        "annotations": {"kube-magics.dev/submission": "s"},
    }
    assert list(body["spec"]) == ["backoffLimit", "template"]
    assert body["spec"]["template"]["metadata"] == {"labels": {"team": "vision"}}
    assert FOUND["spec"]["selector"], "what was found is not changed"


def test_no_credential_is_shown() -> None:
    body, left_out = creatable(FOUND)
    assert PASSWORD not in str(body)
    assert left_out == ["DB_PASSWORD", "SHORT_TOKEN", "MODE", "--password", "--api-key"]
    (container,) = body["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["train", "--password", "…", "--api-key=…", "--lr", "1"]
    assert [each.get("value") for each in container["env"]] == ["…", "…", "…", "1e-3", None, "UEsDB"]
    assert container["env"][4]["valueFrom"] == {"secretKeyRef": {"name": "s", "key": "k"}}


def test_a_job_that_others_have_suspended_stays_so() -> None:
    theirs = {**FOUND, "metadata": {"name": "theirs"}}
    assert creatable(theirs)[0]["spec"]["suspend"] is True
    by_hand = {**theirs, "spec": {**FOUND["spec"], "manualSelector": True}}
    assert "selector" in creatable(by_hand)[0]["spec"]


def test_what_kueue_wrote_when_it_let_it_run_is_left_to_kueue() -> None:
    marks = {"kueue.x-k8s.io/podset": "main", "kueue.x-k8s.io/podset-preferred-topology": "rack"}
    admitted = deepcopy(FOUND)
    admitted["spec"]["template"]["metadata"] |= {"labels": marks, "annotations": {"kueue.x-k8s.io/workload": "w"}}
    kept = creatable(admitted)[0]["spec"]["template"]["metadata"]
    assert kept == {"labels": {"kueue.x-k8s.io/podset-preferred-topology": "rack"}}, "which the user asked for"


def test_one_that_was_stopped_starts_again_whoever_made_it() -> None:
    theirs = {**FOUND, "metadata": {"name": "theirs", "annotations": {"kube-magics.dev/stopped": "2026-01-01"}}}
    body = creatable(theirs)[0]
    assert "suspend" not in body["spec"]
    assert "annotations" not in body["metadata"], "or it would be said to have been stopped"


def submission(name: str, number: str, size: int) -> Submission:
    data = random.Random(1).randbytes(size)
    return Submission(JobSpec(), name, f"{number * 8}-id", data, "0" * 64, cell_digest="c" * 64, notebook="a.ipynb")


def made(of: Submission, uid: str, kernel: str | None = None) -> list[dict[str, Any]]:
    """As a submit has them made, and the cluster adds to them."""
    body = job.job(of, image="python", boot="boot", fixed_user=True, kernel=kernel)
    body["metadata"]["uid"] = uid
    return [body, *job.config_maps(body, of)]


def found_of(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As `recipe` gives them."""
    job, *maps = deepcopy(objects)
    job["metadata"] |= {"resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
    job["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    job["spec"]["template"]["metadata"]["labels"] |= {"job-name": "digits", "controller-uid": "u"}
    return [job | {"status": {"succeeded": 1}}, *maps]


@pytest.mark.parametrize("size", [10, 2_500_000])
def test_under_another_name_it_is_the_job_that_a_submit_would_make(size: int) -> None:
    first, again = submission("digits", "a", size), submission("digits-x7k2p", "b", size)
    before = found_of(made(first, "u1", kernel="k"))
    kept = deepcopy(before)
    objects = renamed(before, again.name, again.submission_id)
    expected = made(again, "u2")
    del expected[0]["metadata"]["uid"]
    for each in expected[1:]:
        del each["metadata"]["ownerReferences"]
    assert objects == expected
    assert before == kept, "what was found is not changed"
    assert len(objects) == (1 if size == 10 else 4)
    assert bundle.map_names(objects[0]) == tuple(each["metadata"]["name"] for each in objects[1:])


def test_credentials_go_with_it() -> None:
    (body,) = renamed([FOUND], "digits-x7k2p", "s2")
    (container,) = body["spec"]["template"]["spec"]["containers"]
    assert container["env"][0]["value"] == PASSWORD
    assert body["metadata"]["annotations"] == {"kube-magics.dev/submission": "s2"}


def test_what_cannot_be_made_again() -> None:
    before = found_of(made(submission("digits", "a", 2_500_000), "u1"))
    with pytest.raises(errors.NotFound, match="The files of job digits are no longer there"):
        renamed(before[:-1], "other", "s2")
    with pytest.raises(errors.OptionError, match="chooses its pods by labels of its own"):
        renamed([{**FOUND, "spec": {**FOUND["spec"], "manualSelector": True}}], "other", "s2")
