"""Options that only a cluster can obey: where a job runs, as whom, what it bears, how long it stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.desk import Desk, admin_of, eventually
from tests.cluster import Cluster

pytestmark = [pytest.mark.jobs, pytest.mark.cluster]

CLASS = "kube-magics-test"
OPTIONS = (
    "--cpus 100m --labels team=vision --annotations 'a/b=c, d' --queue team-a --node-selector kubernetes.io/os=linux"
    f" --toleration spot --toleration team=a:NoSchedule --priority {CLASS} --service-account default"
    " --image-pull-secret absent --run-as 1234 --workdir /tmp/made/here --grace 5s --ttl 1h"
    " --returns uid,folder --returns-files 'out/*.txt'"
)
CELL = """
import os
uid, folder = os.getuid(), os.getcwd()
os.makedirs("out")
open("out/x.txt", "w").write("mine")
"""


@pytest.fixture(scope="module")
def priority(cluster: Cluster) -> Any:
    meta = {"name": CLASS}
    cluster.kubectl.apply({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": meta, "value": 7})
    yield
    cluster.kubectl("delete", "priorityclass", CLASS)


@pytest.mark.usefixtures("priority")
def test_every_option_reaches_job_and_pod(there: Desk) -> None:
    there.right(f"%%kubetrain --name placed {OPTIONS}\n{CELL}")
    assert there.kernel.value("(uid, folder)") == "(1234, '/tmp/made/here')"
    assert (there.folder / "out" / "x.txt").read_text() == "mine"
    space = admin_of(there)
    job = space.kubectl.get("job", "placed")
    pod = space.kubectl("get", "pods", "--selector=job-name=placed", "--output=name").stdout.strip()
    found = space.kubectl.get("pod", pod.partition("/")[2])
    for meta in (job["metadata"], found["metadata"]):
        assert meta["labels"]["team"] == "vision"
        assert meta["annotations"]["a/b"] == "c, d"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600
    spec = found["spec"]
    assert (spec["priority"], spec["serviceAccountName"]) == (7, "default")
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert spec["imagePullSecrets"] == [{"name": "absent"}]
    assert {"key": "team", "operator": "Equal", "value": "a", "effect": "NoSchedule"} in spec["tolerations"]
    assert {"key": "spot", "operator": "Exists"} in spec["tolerations"]
    assert not any("serviceAccountToken" in str(volume) for volume in spec.get("volumes", ()))


def test_what_the_cluster_does_not_have_or_allow_is_said_and_leaves_nothing(there: Desk) -> None:
    before = there.left()
    for options, told, typed in (
        ("--priority no-such-class", "no PriorityClass with name no-such-class was found", "correct the option"),
        ("--run-as 0", "violates PodSecurity", "leave --run-as 0 out"),
        ("--service-account no-such-account", "no-such-account", "correct the option"),
    ):
        ran = there.run(f"%%kubetrain --cpus 100m {options}\nprint(1)")
        assert ran.error == "JobNotStarted", options
        assert told in ran.traceback
        assert typed in ran.traceback
    there.settles(before)


def test_a_job_that_is_to_go_goes(there: Desk) -> None:
    there.right("%%kubetrain --cpus 100m --name brief --ttl 1s\nprint('said')")
    assert there.log("brief") == "said\n"
    space = admin_of(there)
    eventually(lambda: not space.kubectl("get", "job", "brief", "--ignore-not-found").stdout, "the job to be removed")


def test_the_same_on_this_machine_is_said_to_have_no_meaning(there: Desk) -> None:
    ran = there.right("%%kubetrain --backend local --labels team=vision --ttl 1h\nprint(1)")
    assert "on this machine --ttl and --labels have no meaning" in ran.stdout
