"""What objects of a file ask for, and what a site's limits say of it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from kube_magics.errors import NotAllowed
from kube_magics.manifests.demands import demand
from kube_magics.spec.defaults import ENVIRONMENT, Place, rules
from kube_magics.spec.limits import check_demand


def container(image: str = "registry.lab/torch:2", **resources: Any) -> dict[str, Any]:
    return {"image": image, "resources": {"limits": resources}}


def pod(*containers: dict[str, Any], policy: str = "Never", **more: Any) -> dict[str, Any]:
    return {"restartPolicy": policy, "containers": list(containers), **more}


def job(spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "Job", "spec": {"template": {"spec": spec}, **more}}


TWO = container(**{"nvidia.com/gpu": 2, "cpu": "1500m", "memory": "4Gi"})
SMALL = container("registry.lab/side:1", cpu="0.5", memory="512Mi")
REPLICAS = {
    "Master": {"replicas": 1, "template": {"spec": pod(TWO)}},
    "Worker": {"replicas": 3, "template": {"spec": pod(TWO)}},
}


@pytest.mark.parametrize(
    ("body", "asks"),
    [
        (job(pod(TWO), activeDeadlineSeconds=60), (2, "1.5", "4Gi", 60, False)),
        (job(pod(TWO, SMALL), parallelism=3), (6, "6", "13824Mi", None, False)),
        (job(pod(TWO, initContainers=[container(cpu="9")])), (2, "9", "4Gi", None, False)),
        (job(pod(container(cpu="1"))), (0, "1", None, None, False)),
        (job(pod(TWO, activeDeadlineSeconds=30), activeDeadlineSeconds=60), (2, "1.5", "4Gi", 30, False)),
        ({"kind": "Pod", "spec": pod(TWO, policy="Always")}, (2, "1.5", "4Gi", None, True)),
        ({"kind": "CronJob", "spec": {"jobTemplate": job(pod(TWO), parallelism=2)}}, (4, "3", "8Gi", None, False)),
        ({"kind": "Deployment", "spec": {"replicas": 0, "template": {"spec": pod(TWO)}}}, (0, None, None, None, False)),
        ({"kind": "PyTorchJob", "spec": {"pytorchReplicaSpecs": REPLICAS}}, (8, "6", "16Gi", None, False)),
    ],
)
def test_what_all_pods_of_an_object_ask_for(body: dict[str, Any], asks: tuple[Any, ...]) -> None:
    found = demand(body)
    assert found is not None
    assert (found.gpus, found.cpus, found.memory, found.timeout_s, found.endless) == asks


@pytest.mark.parametrize(
    "body", [{"kind": "ConfigMap", "data": {"containers": "x"}}, {"kind": "X", "spec": [1, None]}, {}]
)
def test_what_runs_nothing_asks_for_nothing(body: dict[str, Any]) -> None:
    assert demand(body) is None


RULES = {
    "max_gpus": "2",
    "max_cpus": "4",
    "max_memory": "4Gi",
    "max_timeout": "1h",
    "allowed_images": "registry.lab/*",
    "contact": "mlops@lab.example",
}
ALLOWED = """
kind: Job
spec:
  activeDeadlineSeconds: 600
  template:
    spec:
      restartPolicy: Never
      containers:
      - {image: registry.lab/torch:2, resources: {limits: {amd.com/gpu: 2, cpu: 1, memory: 4Gi}}}
"""


@pytest.mark.parametrize(
    ("old", "new", "told", "typed"),
    [
        ("amd.com/gpu: 2", "amd.com/gpu: 3", "amd.com/gpu: 3: this site allows a job 2 (KUBE_MAGICS_MAX_GPUS)", "amd.com/gpu: 2"),
        ("amd.com/gpu: 2", "nvidia.com/mig-1g.5gb: 3", "nvidia.com/mig-1g.5gb: 3: ", "nvidia.com/mig-1g.5gb: 2"),
        ("cpu: 1", "cpu: 4500m", "cpu: 4.5: this site allows a job 4 (KUBE_MAGICS_MAX_CPUS)", "cpu: 4"),
        ("memory: 4Gi", "memory: 8Gi", "limits.memory: 8Gi: this site allows a job 4Gi", "limits.memory: 4Gi"),
        (", memory: 4Gi", "", "A job without limits.memory has no limit", "limits.memory: 4Gi"),
        ("Seconds: 600", "Seconds: 7200", "activeDeadlineSeconds: 7200: this site allows a job 1 h 0 min", "activeDeadlineSeconds: 3600"),
        ("  activeDeadlineSeconds: 600\n", "", "A job without activeDeadlineSeconds has no limit", "activeDeadlineSeconds: 3600"),
        ("registry.lab/", "docker.io/", "image: docker.io/torch:2: this site allows registry.lab/*", "image: registry.lab/*"),
        ("template:", "parallelism: 2\n  template:", "amd.com/gpu: 4: this site allows", "amd.com/gpu: 2"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_object_the_rule_and_what_is_allowed(old: str, new: str, told: str, typed: str) -> None:
    site = rules([Place(ENVIRONMENT, RULES)])
    allowed = demand(yaml.safe_load(ALLOWED))
    assert allowed is not None
    check_demand(allowed, site, of="Job x")
    assert old in ALLOWED
    refused = demand(yaml.safe_load(ALLOWED.replace(old, new)))
    assert refused is not None
    with pytest.raises(NotAllowed) as caught:
        check_demand(refused, site, of="Job x (job.yaml, line 1)")
    assert caught.value.message.startswith(f"Job x (job.yaml, line 1): {told}")
    assert str(caught.value.hint).startswith(f"{typed}   (ask mlops@lab.example")
