"""Profiles, and what a user's server knows of the site, as kube_magics reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import profiles
import pytest
from userspace import defaults
from userspace.settings import Quota, Share, Site, User

from kube_magics.errors import NotAllowed
from kube_magics.spec import defaults as places
from kube_magics.spec import limits
from kube_magics.spec.job import JobSpec

ADA = User("ada", "jupyter-ada", frozenset({"vision"}))
SITE = Site(
    quota=Quota(gpus=4),
    cluster_queue="gpus",
    pull_secret="image-pull",
    job_image="registry.lab/torch:2.6",
    allowed_images=("registry.lab/*",),
    job_selector=("pool=ml",),
    job_tolerations=("pool=ml:NoSchedule",),
    shares=(Share("shared-vision", "/shared/vision", "vision"), Share("datasets", "/datasets", read_only=True)),
    contact="mlops@lab.example",
)


def job(site: Site = SITE, user: User = ADA, **given: Any) -> JobSpec:
    """The job of a line in the user's server."""
    place = places.from_environment(defaults.variables(site, user))
    found = places.resolved(given, [place])
    limits.check(found, places.rules([place]))
    return found


def listed(quota: Quota) -> dict[str, dict[str, Any]]:
    """By slug, what a profile changes of the server."""
    return {each["slug"]: each["kubespawner_override"] for each in profiles.profile_list("nvidia.com/gpu", quota)}


def test_a_line_without_options_has_the_sites_defaults() -> None:
    found = job()
    assert (found.namespace, found.service_account) == ("jupyter-ada", "kube-magics-job")
    assert (found.image, found.image_pull_secret) == ("registry.lab/torch:2.6", ("image-pull",))
    assert (found.queue, found.priority) == ("default", "kube-magics-batch")
    assert [(each.claim, each.path, each.read_only) for each in found.volume] == [
        ("shared-vision", "/shared/vision", False),
        ("datasets", "/datasets", True),
    ]
    assert found.node_selector == (("pool", "ml"),)
    assert [each.key for each in found.toleration] == ["pool"]


def test_every_variable_is_one_that_kube_magics_knows() -> None:
    assert not places.unknown_variables(defaults.names(SITE))
    known = places.from_environment(dict.fromkeys(defaults.names(SITE), "x"))
    assert len(known.given) == len(defaults.names(SITE))


def test_a_site_that_decides_nothing_leaves_kube_magics_own_defaults() -> None:
    found = job(Site(server_priority=None, job_priority=None), replace(ADA, groups=frozenset()))
    assert (found.image, found.queue, found.priority, found.volume) == (None, None, None, ())


def test_more_than_the_quota_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(NotAllowed, match="--gpus 5: this site allows a job 4") as refused:
        job(gpus=5)
    assert "mlops@lab.example" in str(refused.value.hint)


def test_only_profiles_that_fit_are_offered_and_the_first_is_the_default() -> None:
    assert list(listed(profiles.QUOTA)) == ["cpu", "large", "gpu", "gpus", "h100"]
    assert "eight" in listed(profiles.GROUP_QUOTAS["gpu-heavy"])
    assert list(listed(Quota(gpus=0, cpus="2", memory="8Gi"))) == ["cpu"]
    offered = profiles.profile_list("nvidia.com/gpu", profiles.QUOTA)
    assert [each["slug"] for each in offered if each["default"]] == ["cpu"]


def test_a_profile_says_what_the_server_gets() -> None:
    offered = listed(profiles.QUOTA)
    assert offered["cpu"] == {
        "cpu_guarantee": 0.5,
        "mem_guarantee": "4G",
        "mem_limit": "4G",
        "extra_resource_guarantees": {},
        "extra_resource_limits": {},
    }
    assert offered["gpus"]["extra_resource_limits"] == {"nvidia.com/gpu": "2"}
    assert offered["gpus"]["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_a_kind_of_gpu_is_that_of_the_server_and_of_its_jobs() -> None:
    override = listed(profiles.QUOTA)["h100"]
    assert override["node_selector"] == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    place = places.from_environment(override["environment"])
    assert places.resolved({}, [place]).node_selector == (("nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3"),)
