"""An image of a private registry: for jobs whose namespace has the copied pull secret, and for nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from userspace.settings import Found
from userspace.space import objects

from tests.acceptance.desk import eventually
from tests.cluster import Cluster
from tests.cluster.recipes import python
from tests.hub_kubernetes import attacks
from tests.hub_kubernetes.accounts import HubAccount, hub_account
from tests.hub_kubernetes.private import private_registry
from tests.hub_kubernetes.running import PASSWORD, hub, in_cluster

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = [pytest.mark.cluster, pytest.mark.long]

SECRET = "image-pull"


@dataclass(frozen=True)
class Scene:
    account: HubAccount
    image: str
    """In the registry, whose login the hub's namespace has as a Secret."""


@pytest.fixture(scope="module")
def scene(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp
    with private_registry(folder("registry")) as made, hub_account(cluster, folder("account")) as account:
        given = (f"--docker-server={made.address}", f"--docker-username={made.user}")
        secret = ("create", "secret", "docker-registry", SECRET, f"--docker-password={made.password}", *given)
        account.admin(*secret, f"--namespace={account.site.hub_namespace}")
        yield Scene(account, made.push("team/python", *python()))


def test_without_the_secret_it_is_refused(scene: Scene) -> None:
    """First: what a node has may be had again without asking the registry."""
    account, user = scene.account, scene.account.user("bob")
    account.admin.apply(*objects(account.site, user, Found((), None)))
    account.admin.apply(attacks.server(user.namespace, scene.image))

    def why() -> list[str]:
        events = account.admin.get("events", f"--namespace={user.namespace}", "--field-selector=reason=Failed")
        return [each["message"] for each in events["items"] if "Failed to pull image" in each["message"]]

    [said, *_] = eventually(why, "the registry's refusal")
    assert "authorization failed: no basic auth credentials" in said


def test_with_it_a_job_runs_in_that_image(scene: Scene, cluster: Cluster, tmp_path: Path) -> None:
    given = in_cluster(scene.account, cluster) | {"HUB_PULL_SECRET": SECRET, "HUB_JOB_IMAGE": scene.image}
    user = scene.account.user("ada")
    with hub(tmp_path, given) as running, running.visitor(user.name).log_in(PASSWORD) as ada:
        ada.start(profile="cpu")
        notebook = ada.kernel()
        ran = notebook.run("%%kubetrain --cpus 50m --returns found\nimport sys\nfound = sys.version_info[:2]")
        assert ran.error is None, ran
        assert notebook.run("found").text == "(3, 11)\n"
    here = f"--namespace={user.namespace}"
    [job] = scene.account.admin.get("jobs", here)["items"]
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == scene.image
