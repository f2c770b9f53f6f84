"""The verbs on Jobs that somebody else made: several pods, several containers, tried again; and what they show of ours.

The jobs are made first and run at the same time; each test looks at them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.acceptance.desk import Desk, admin_of, eventually, without
from tests.acceptance.test_verbs import kube_magics, shown
from tests.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.jobs]

PASSWORD = "correct-horse-battery"
ONCE = (
    "import os, sys\nif not os.path.exists('/mark/x'):\n    open('/mark/x', 'w')\n    print('first', flush=True)\n"
    "    sys.exit(3)\nprint('second', flush=True)\nimport time\ntime.sleep(1000)"
)
"""The second run goes on: a node throws an earlier run's log away within a minute of the last one's end."""


def container(name: str, image: str, script: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "command": ["python3", "-c", script],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        **more,
    }


def job(name: str, pod: dict[str, Any], **spec: Any) -> dict[str, Any]:
    secure = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    template = {"spec": {"restartPolicy": "Never", "securityContext": secure, **pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {**spec, "template": template}}


@pytest.fixture(scope="module")
def theirs(there: Desk, cluster: Cluster) -> Iterator[Desk]:
    """Two pods of three containers each; and one whose container is started twice, which takes ten seconds."""
    image = cluster.images.quickstart
    env = [{"name": "DB_PASSWORD", "value": PASSWORD}, {"name": "LR", "value": "1e-3"}]
    several = {
        "initContainers": [container("before", image, "print('made ready')")],
        "containers": [
            container("a", image, "print('from a')\nprint('more')", env=env),
            container("b", image, "print('from b')"),
        ],
    }
    twice = {
        "restartPolicy": "OnFailure",
        "containers": [container("main", image, ONCE, volumeMounts=[{"name": "mark", "mountPath": "/mark"}])],
        "volumes": [{"name": "mark", "emptyDir": {}}],
    }
    admin_of(there).kubectl.apply(job("several", several, completions=2, parallelism=2), job("twice", twice))
    # Ours, of more than fits into the Job itself.
    there.right("import os\nballast = os.urandom(200_000)")
    there.right("%%kubetrain --detach --name ours --cpus 100m --labels team=vision\nprint(len(ballast))")
    eventually(lambda: "succeeded" in shown(there, "several"), "the end of the pods")
    yield there
    for name in ("several", "twice", "ours"):
        there.run(f"%kube delete {name}")


def test_logs_of_several_pods_and_containers(theirs: Desk) -> None:
    lines = theirs.right("%kube logs several").stdout.splitlines()
    pods = {
        each["metadata"]["name"] for each in admin_of(theirs).kubectl.get("pods", "-l", "job-name=several")["items"]
    }
    assert len(pods) == 2
    wanted = {
        f"[pod/{pod}/{line}" for pod in pods for line in ("before] made ready", "a] from a", "a] more", "b] from b")
    }
    assert set(lines) == wanted
    assert len(lines) == 8
    # As they follow each other in one pod.
    assert [re.sub(r".*/", "", line) for line in lines[:4]] == [
        "before] made ready",
        "a] from a",
        "a] more",
        "b] from b",
    ]
    followed = theirs.right("%kube logs -f several").stdout.splitlines()
    assert sorted(followed) == sorted(lines)
    pod = min(pods)
    assert theirs.right(f"%kube logs several --pod {pod} -c a --tail 1").stdout == "more\n"
    ran = theirs.run("%kube logs several -c c")
    assert (ran.error, "--container before" in ran.traceback) == ("OptionError", True), ran


def test_describe_and_events(theirs: Desk) -> None:
    told = theirs.right("%kube describe several").text
    assert re.search(r"^status +succeeded, submitted .* ago", told, re.MULTILINE), told
    assert re.search(r"^pods +2 in all", told, re.MULTILINE), told
    assert "LR=1e-3" in told
    assert PASSWORD not in told
    assert len(re.findall(r"several-\S+ +(?:before|a|b) +ended +Completed +0 ", told)) == 6, told
    found = json.loads(theirs.right("%kube describe several --json").stdout)
    assert (found["job"]["status"], len(found["containers"])) == ("succeeded", 6)
    happened = theirs.right("%kube events several").text
    for words in ("the job got a pod", "a node was found for it", "its program was started"):
        assert words in happened
    reasons = [row["reason"] for row in json.loads(theirs.right("%kube events several --json").stdout)["rows"]]
    assert reasons.count("Scheduled") == 2
    assert reasons.index("SuccessfulCreate") < reasons.index("Started")
    everything = json.loads(theirs.right("%kube events --json --filter reason=Scheduled").stdout)["rows"]
    assert {row["job"] for row in everything} >= {"several", "ours"}
    with without(admin_of(theirs), "events", "list"):
        assert "You may not list events" in theirs.right("%kube events several").text


def test_previous(theirs: Desk) -> None:
    eventually(lambda: theirs.right("%kube logs twice").stdout == "second\n", "the second run")
    assert theirs.right("%kube logs twice --previous").stdout == "first\n"
    ran = theirs.right("%kube logs ours --previous")
    assert (ran.stdout, "no earlier run of ours" in ran.stderr) == ("", True)


def test_labels_and_tables(theirs: Desk) -> None:
    found = json.loads(theirs.right("%kube jobs -l team=vision --json").stdout)
    assert [row["name"] for row in found["rows"]] == ["ours"]
    assert theirs.run("%kube jobs -l 'team in'").error == "Rejected"
    names = [row["name"] for row in json.loads(theirs.right("%kube jobs --sort-by name --json").stdout)["rows"]]
    assert names == ["ours", "several", "twice"]
    ran = theirs.right("%kube jobs")
    bundle = next(content for kind, content in ran.shown if kind == "display")
    assert "<table>" in bundle["text/html"]
    assert "several" in bundle["text/plain"]


def test_yaml_creates_the_job_again(theirs: Desk) -> None:
    """Also one whose files stand in objects of their own, which go with it."""
    eventually(lambda: "succeeded" in shown(theirs, "ours"), "its end")
    text = theirs.right("%kube yaml ours").stdout
    objects = list(yaml.safe_load_all(text))
    assert [each["kind"] for each in objects] == ["Job", "ConfigMap"]
    assert "managedFields" not in text
    assert "resourceVersion" not in text
    theirs.right("%kube delete ours")
    eventually(lambda: not [each for each in theirs.left() if "ours" in each and "log " not in each], "its end")
    (theirs.folder / "again.yaml").write_text(text)
    admin_of(theirs).kubectl("create", "-f", str(theirs.folder / "again.yaml"))
    eventually(lambda: "succeeded" in shown(theirs, "ours"), "the job that was created again")
    assert theirs.right("%kube logs ours").stdout == "200000\n"
    space = admin_of(theirs)
    space.admin("delete", "configmap", objects[1]["metadata"]["name"], f"--namespace={space.name}")
    shows = theirs.right("%kube yaml several").stdout
    assert PASSWORD not in shows
    assert shows.startswith("# DB_PASSWORD looks like a credential")


def test_nodes(theirs: Desk, cluster: Cluster) -> None:
    """An ordinary user may see none of them, and is told so in a sentence; an administrator all."""
    own = theirs.right("%kube nodes").text
    assert "You may not list nodes" in own
    node = next(iter(cluster.kubectl.get("nodes")["items"]))["metadata"]["name"]
    done = kube_magics(theirs, "nodes", "--json", KUBECONFIG=str(cluster.admin_kubeconfig), KUBE_MAGICS_CONTEXT="")
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["node"], row["status"]) == (node, "ready")
    assert row["gpus"] == row["used"] + row["free"]
    assert 0 < row["memory_free_bytes"] <= row["memory_bytes"]


def test_from_a_terminal(theirs: Desk) -> None:
    (theirs.folder / "ends.py").write_text("import sys\nprint('ran')\nsys.exit(4)\n")
    done = kube_magics(theirs, "run", "--name", "ends", "--cpus", "100m", "--", "python3", "ends.py")
    assert (done.returncode, done.stdout) == (4, "ran\n"), done
    assert "Unclosed" not in done.stderr
    attached = kube_magics(theirs, "attach", "ends")
    assert (attached.returncode, attached.stdout) == (4, "ran\n"), attached
    theirs.right("%kube delete ends")
