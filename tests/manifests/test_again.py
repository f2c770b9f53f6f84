"""From a Job of the cluster to one that can be created."""

from __future__ import annotations

from typing import Any

from kube_magics.manifests.again import creatable

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
