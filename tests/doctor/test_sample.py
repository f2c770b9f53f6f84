"""The doctor's own jobs: what a cell would be, and the short one that only says its Python."""

from __future__ import annotations

from kube_magics.doctor import sample
from kube_magics.manifests.job import job
from kube_magics.spec.job import JobSpec
from kube_magics.spec.parse import parse

ASKED = "--gpus 2 --memory 64Gi --shm --volume data:/data --cache pips --retries 3 --run-as 1234 --image i --timeout 2h"


def made(spec: JobSpec) -> dict[str, object]:
    return job(sample.submission(spec), image="i", boot="boot", fixed_user=True)


def test_what_a_cell_asks_for_in_words() -> None:
    assert sample.in_words(made(JobSpec())) == "500m cpu, 1Gi memory"
    assert sample.in_words(made(JobSpec.of(parse(ASKED.split())))) == "500m cpu, 64Gi memory, 2 nvidia.com/gpu"


def test_the_short_one_takes_nothing_and_ends_whatever_becomes_of_us() -> None:
    found = sample.short(made(sample.small(JobSpec.of(parse(ASKED.split())))), None)
    spec = found["spec"]
    assert (spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"], spec["backoffLimit"]) == (180, 60, 0)
    pod = spec["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 1234
    assert not {"volumes", "activeDeadlineSeconds"} & set(pod)
    (container,) = pod["containers"]
    assert container["command"][:3] == ["python3", "-IS", "-c"]
    assert container["resources"] == {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not {"env", "envFrom", "volumeMounts"} & set(container)


def test_another_interpreter() -> None:
    found = sample.short(made(JobSpec()), "/opt/python")
    assert found["spec"]["template"]["spec"]["containers"][0]["command"][0] == "/opt/python"
