"""A server's pod as KubeSpawner builds it, and the job that kube_magics makes of that server's variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from userspace.settings import Found, Share, Site, User
from userspace.space import objects

from kube_magics.doctor import sample
from kube_magics.manifests import job
from kube_magics.spec import defaults as places
from tests.acceptance.desk import NOWHERE
from tests.hub_kubernetes.edited import edited
from tests.hub_kubernetes.running import shared_password

# A process for each user: KubeSpawner takes seconds to import, and not here.
pytestmark = [
    pytest.mark.jobs,
    pytest.mark.skipif(find_spec("kubespawner") is None, reason="the hub's own packages are not installed"),
]

SHARES = (Share("shared-vision", "/shared/vision", group="vision"), Share("datasets", "/datasets", read_only=True))
GIVEN = {
    "HUB_PULL_SECRET": "image-pull",
    "HUB_CLUSTER_QUEUE": "gpus",
    "HUB_JOB_SELECTOR": "pool=ml",
    "HUB_SERVER_IMAGE": "registry.lab/server:1",
    "HUB_JOB_IMAGE": "registry.lab/torch:2.6",
}
PATHS = {"shared-vision": ("/shared/vision", False), "datasets": ("/datasets", True)}

Pod = dict[str, Any]


def printed(config: Path, name: str, group: str) -> Pod:
    """The server of this user, of the first profile."""
    command = [sys.executable, str(Path(__file__).with_name("print_pods.py")), name, group]
    nowhere = config.with_name("kubeconfig")
    nowhere.write_text(yaml.safe_dump(NOWHERE))
    ours = {"TEST_CONFIG": str(config), "KUBECONFIG": str(nowhere), **GIVEN, **shared_password()}
    done = subprocess.run(command, env=os.environ | ours, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: Pod = json.loads(done.stdout)["cpu"]
    return found


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return edited(tmp_path_factory.mktemp("site"), SHARES=repr(SHARES), TEAMS='(Team("vision", group="vision"),)')


@pytest.fixture(scope="module")
def server(config: Path) -> Pod:
    return printed(config, "ada", "vision")


@pytest.fixture(scope="module")
def team(config: Path) -> Pod:
    return printed(config, "team-vision", "nobody-logs-in-as-it")


def job_of(server: Pod) -> dict[str, Any]:
    """The Job of a line without options, typed in that server."""
    spec = places.resolved({}, [places.from_environment(variables(server))])
    return job.job(sample.submission(spec), image=str(spec.image), boot="BOOT", fixed_user=True)


def variables(server: Pod) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in server["spec"]["containers"][0]["env"]}


def pod_of(server: Pod) -> Pod:
    """Of that job."""
    found: Pod = job_of(server)["spec"]["template"]
    return found


def mounted(pod: Pod) -> dict[str, tuple[str, bool]]:
    """Path and whether it is read-only, by claim."""
    spec = pod["spec"]
    claims = {
        each["name"]: each["persistentVolumeClaim"] for each in spec["volumes"] if "persistentVolumeClaim" in each
    }
    found = {}
    for each in spec["containers"][0]["volumeMounts"]:
        if claim := claims.get(each["name"]):
            only = each.get("readOnly", False)
            assert claim.get("readOnly", False) == only
            found[claim["claimName"]] = (each["mountPath"], only)
    return found


def test_shared_folders_are_at_the_same_paths_in_servers_and_their_jobs(server: Pod) -> None:
    assert mounted(server) == {"home": ("/home/jovyan", False), **PATHS}
    assert mounted(pod_of(server)) == PATHS


def test_files_in_them_belong_to_the_same_user_and_group(server: Pod) -> None:
    ours, theirs = server["spec"], pod_of(server)["spec"]["securityContext"]
    assert ours["securityContext"]["fsGroup"] == theirs["fsGroup"] == 100
    assert ours["containers"][0]["securityContext"]["runAsUser"] == theirs["runAsUser"] == 1000


def test_the_copied_pull_secret_is_named_by_the_server_its_jobs_and_every_account(server: Pod) -> None:
    secret = [{"name": "image-pull"}]
    assert server["spec"]["imagePullSecrets"] == secret
    assert pod_of(server)["spec"]["imagePullSecrets"] == secret
    site, user = Site(pull_secret="image-pull"), User("ada", "jupyter-ada")
    made = objects(site, user, Found((), {".dockerconfigjson": "e30="}))
    accounts = {each["metadata"]["name"]: each["imagePullSecrets"] for each in made if each["kind"] == "ServiceAccount"}
    assert accounts == dict.fromkeys(["default", "kube-magics-job", "kube-magics-notebook"], secret)
    assert ("Secret", "image-pull") in [(each["kind"], each["metadata"]["name"]) for each in made]


def test_a_servers_jobs_go_to_the_queue_of_its_namespace(server: Pod) -> None:
    made = objects(Site(cluster_queue="gpus"), User("ada", "jupyter-ada"), Found((), None))
    [queue] = [each["metadata"] for each in made if each["kind"] == "LocalQueue"]
    assert job_of(server)["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == queue["name"]
    assert queue["namespace"] == variables(server)["KUBE_MAGICS_NAMESPACE"]


def test_no_autoscaler_moves_who_sits_at_a_notebook_or_a_job_that_runs(server: Pod) -> None:
    for pod in (server, pod_of(server)):
        notes = pod["metadata"]["annotations"]
        assert notes["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
        assert notes["karpenter.sh/do-not-disrupt"] == "true"


def test_notebooks_are_edited_together_in_a_teams_server_alone(server: Pod, team: Pod) -> None:
    def arguments(pod: Pod) -> list[str]:
        found: list[str] = pod["spec"]["containers"][0]["args"]
        return found

    start = ["python3", "-m", "jupyterhub.singleuser"]
    assert arguments(server) == [*start, "--YDocExtension.disable_rtc=True"]
    assert arguments(team) == [*start, "--YDocExtension.disable_rtc=False"]


def test_a_team_has_its_groups_folders_quota_and_a_corner_of_its_own(team: Pod) -> None:
    assert mounted(team) == {"home": ("/home/jovyan", False), **PATHS}
    assert variables(team)["KUBE_MAGICS_NAMESPACE"] == "jupyter-team-vision"
