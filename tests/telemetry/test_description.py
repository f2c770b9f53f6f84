"""A job in plain words."""

from __future__ import annotations

from typing import Any

from kube_magics.telemetry.description import containers_of, facts_of
from kube_magics.telemetry.happenings import concerned, count, what, when
from kube_magics.telemetry.snapshot import Snapshot

JOB: dict[str, Any] = {
    "metadata": {"labels": {"team": "vision", "job-name": "x", "kube-magics.dev/job": "x"}},
    "spec": {
        "completions": 3,
        "parallelism": 2,
        "backoffLimit": 4,
        "activeDeadlineSeconds": 7200,
        "ttlSecondsAfterFinished": 604800,
        "template": {
            "spec": {
                "terminationGracePeriodSeconds": 40,
                "nodeSelector": {"gpu": "a100"},
                "tolerations": [{"key": "nvidia.com/gpu"}],
                "priorityClassName": "high",
                "containers": [
                    {
                        "name": "main",
                        "image": "team/torch:2.6",
                        "command": ["python", "train.py", "ghp_" + "a1" * 18],
                        "env": [
                            {"name": "LR", "value": "1e-3"},
                            {"name": "DB_PASSWORD", "value": "x"},
                            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "wandb", "key": "key"}}},
                        ],
                        "envFrom": [{"secretRef": {"name": "s3"}}],
                        "resources": {
                            "requests": {"cpu": "2", "memory": "1Gi", "nvidia.com/gpu": "2"},
                            "limits": {"memory": "16Gi", "nvidia.com/gpu": "2"},
                        },
                        "volumeMounts": [{"name": "d", "mountPath": "/data", "readOnly": True}],
                    }
                ],
                "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "datasets"}}],
            }
        },
    },
}


def test_what_a_job_was_made_with() -> None:
    assert facts_of(JOB, Snapshot("x", "team", "running")) == {
        "image": "team/torch:2.6",
        "runs": "python train.py …",
        "asks for": "2 GPUs (nvidia.com/gpu); 2 CPU; 1Gi memory, at most 16Gi",
        "variables": "LR=1e-3, DB_PASSWORD=…",
        "secrets": "s3 (all of it); wandb, key key, as KEY",
        "mounts": "claim datasets at /data, read-only",
        "pods": "3 in all; 2 at a time; tried again up to 4 times",
        "place": "nodes with gpu=a100; also nodes with the taint nvidia.com/gpu; priority high",
        "limits": "ends after 2 h 0 min in all, waiting included; 40 s to end when it is told to; removed 7 d 0 h after its end",
        "labels": "team=vision",
    }


def test_a_password_among_the_arguments_is_not_shown() -> None:
    """Neither by its form nor as the value of an option that says what it is."""
    command = ["train", "--password", "correct-horse-battery", "--db-password=correct-horse-battery", "--lr", "1"]
    spec = {"template": {"spec": {"containers": [{"command": command}]}}}
    told = facts_of({"spec": spec}, Snapshot("x", "team", "running"))["runs"]
    assert told == "train --password … --db-password=… --lr 1"


def test_nothing_is_taken_for_granted() -> None:
    assert facts_of({}, Snapshot("x", "team", "running")) == {}
    assert facts_of({"spec": {"template": {"spec": {"containers": [{}]}}}}, Snapshot("x", "team", "running")) == {
        "runs": "the image's own program"
    }
    assert containers_of([{}]) == [
        {
            "pod": "",
            "container": None,
            "status": None,
            "reason": None,
            "node": None,
            "started_at": None,
            "finished_at": None,
            "exit_code": None,
            "restarts": None,
        }
    ]


def test_containers() -> None:
    pod = {
        "metadata": {"name": "x-abcde"},
        "spec": {"nodeName": "n1"},
        "status": {
            "phase": "Running",
            "initContainerStatuses": [
                {"name": "init", "restartCount": 0, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
            ],
            "containerStatuses": [
                {"name": "a", "restartCount": 2, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}},
                {"name": "b", "restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull"}}},
            ],
        },
    }
    shown = [(e["container"], e["status"], e["reason"], e["exit_code"], e["restarts"]) for e in containers_of([pod])]
    assert shown == [
        ("init", "ended", "Completed", 0, 0),
        ("a", "running", None, None, 2),
        ("b", "waiting", "ErrImagePull", None, 0),
    ]


def test_events() -> None:
    event = {
        "reason": "FailedScheduling",
        "involvedObject": {"kind": "Pod", "name": "x-abcde"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "series": {"count": 7, "lastObservedTime": "2026-01-01T00:05:00.000000Z"},
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
    }
    assert (what(event), concerned(event), count(event)) == ("no node has room for it, or may run it", "pod/x-abcde", 7)
    assert when(event) == "2026-01-01T00:05:00.000000Z"
    assert (what({}), count({"count": None}), when({"metadata": {"creationTimestamp": "t"}})) == (None, 1, "t")
