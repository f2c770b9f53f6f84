"""The hub under its own account: a user logs in, gets a namespace and a server, and trains from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.hub.visitor import Turned, Visitor
from tests.hub_kubernetes.accounts import hub_account
from tests.hub_kubernetes.running import PASSWORD, Hub, hub

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = pytest.mark.cluster

TRAIN = """%%kubetrain --cpus 50m --gpus 2 --returns there
import os
there = os.path.exists("/var/run/secrets/kubernetes.io"), os.environ["NVIDIA_VISIBLE_DEVICES"].count(",") + 1
"""


@pytest.fixture(scope="module")
def running(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    with hub_account(cluster, folder) as account, hub(account, cluster, folder) as made:
        yield made


@pytest.fixture(scope="module")
def ada(running: Hub) -> Visitor:
    """Her server runs."""
    visitor = running.visitor("ada").log_in(PASSWORD)
    visitor.start(profile="cpu")
    return visitor


def test_a_wrong_password_is_refused(running: Hub) -> None:
    with pytest.raises(Turned):
        running.visitor("ada").log_in("let-me-in-please")


def test_a_user_trains_from_their_server_by_the_pods_own_account(running: Hub, ada: Visitor) -> None:
    notebook = ada.kernel()
    ran = notebook.run(TRAIN)
    assert ran.error is None, ran
    assert notebook.run("there").text == "(False, 2)\n"
    space = running.account.user("ada").namespace
    [job] = running.account.admin.get("jobs", f"--namespace={space}")["items"]
    pod = job["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["priorityClassName"]) == (
        "kube-magics-job",
        running.account.site.job_priority,
    )
    assert notebook.run("%kube doctor").error is None
    notebook.close()


def test_more_than_the_sites_limit_is_refused_in_the_cell(ada: Visitor) -> None:
    notebook = ada.kernel()
    ran = notebook.run("%%kubetrain --gpus 3\n1")
    assert (ran.error, "this site allows a job 2" in ran.message) == ("NotAllowed", True), ran
    notebook.close()
