"""Every way in which a pod is ended under its job: what had been kept comes home, and the user is told by whom."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.belongings import deleted
from tests.acceptance.desk import Desk, admin_of, desk, eventually
from tests.cluster import Cluster, binaries, components
from tests.cluster.claims import claim
from tests.faults.endings import Ending, another, check, check_later, once, pod, submit
from tests.kernel import Kernel

pytestmark = pytest.mark.cluster

LASTS = "import time\nprint('up', flush=True)\ntime.sleep(600)"
SAVES = """import kube_magics, time
kube_magics.should_stop()
print('up', flush=True)
while not kube_magics.should_stop():
    time.sleep(0.1)
n = 7
print('saved', flush=True)"""
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: None)\nprint('up', flush=True)\ntime.sleep(600)"
)
FILLS = "import os\nwith open('big', 'wb') as file:\n    for _ in range(30):\n        file.write(os.urandom(4 << 20))\n"
SAVED: dict[str, Any] = {"options": "--returns n", "log": "up\nsaved\n", "back": {"n": 7}}
DISK = ("more to its node's disk than a pod may here", "ephemeral local storage usage exceeds")
DRAINED = ("as when a node is drained", "Eviction API")
POD_GONE = ("PodLost", "Its pod is gone")

ENDINGS: dict[str, Ending] = {
    "disk": Ending(FILLS + LASTS, "PodLost", DISK, "--volume CLAIM:/path"),
    "disk-saved": Ending(FILLS + SAVES, "PodLost", DISK, "--volume CLAIM:/path", **SAVED),
    "drained": Ending(LASTS, "PodLost", DRAINED, "run the cell again", later=POD_GONE),
    "drained-saved": Ending(SAVES, "PodLost", DRAINED, "run the cell again", **SAVED, later=POD_GONE),
    "drained-while-it-stops": Ending(STUBBORN, "PodLost", DRAINED, "run the cell again", later=POD_GONE),
    "stopped-saved": Ending(
        SAVES, "JobStopped", ("was stopped",), "%kube logs stopped-saved", **SAVED, status="stopped"
    ),
    "pod-deleted": Ending(LASTS, "JobDeleted", ("lost its pod: someone deleted it",), "run the cell", later=POD_GONE),
    "pod-deleted-saved": Ending(
        SAVES, "JobDeleted", ("lost its pod: someone deleted it",), "run the cell again", **SAVED, later=POD_GONE
    ),
    "job-deleted-saved": Ending(SAVES, "JobDeleted", ("was deleted",), "run the cell again", **SAVED, status=""),
    "runner-killed": Ending(LASTS, "JobKilled", ("killed by signal 9",), "%kube logs runner-killed"),
    "preempted": Ending(
        SAVES,
        "PodLost",
        ("make room for one of a higher priority", "preempting"),
        "it waits until there is room",
        **{**SAVED, "options": "--returns n --gpus 8"},
        later=POD_GONE,
    ),
    "volume-full": Ending(
        "print('up')\nopen('/data/x', 'wb').write(bytes(8 << 20))",
        "OSError",
        ("No space left on device",),
        log=None,
        options="--volume small:/data",
    ),
    "volume-of-the-log-full": Ending(
        "n = 3\nfor i in range(40_000):\n    print('line', i, '.' * 60)",
        None,
        log="".join(f"line {i} {'.' * 60}\n" for i in range(40_000))
        + "[kube_magics: --log-to /data/logs/volume-of-the-log-full.log: No space left on device; the copy ends here]\n",
        options="--volume small:/data --log-to /data/logs/ --returns n",
        back={"n": 3},
        status="succeeded",
    ),
}
ONCE = "absent.invalid/once:1"
OURS_ONLY = ("runner-killed", "preempted", "volume-full", "volume-of-the-log-full")
"""They take the machine that the node runs on, or its GPUs."""


def offered(cluster: Cluster) -> dict[str, Ending]:
    return {name: each for name, each in ENDINGS.items() if not (cluster.is_given and name in OURS_ONLY)}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Desk]:
    """A user all of whose pods are ended at the same time."""
    endings = offered(cluster)
    with desk(tmp_path_factory.mktemp("ended"), cluster) as found:
        space = admin_of(found)
        a_little_disk = {"limits": [{"type": "Container", "default": {"ephemeral-storage": "60Mi"}}]}
        meta = {"name": "disk", "namespace": space.name}
        space.admin.apply({"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": a_little_disk})
        with small_claim(cluster, found), urgent(cluster, found) as take_all_gpus:
            if not cluster.is_given:
                run_once(cluster, found)
            by_kubectl(cluster, found, "again", "echo I am $(hostname); exit 3", "Never", cluster.images.quickstart)
            submit(found, endings)
            for name in endings:
                if endings[name].error not in (None, "OSError"):
                    found.says(name, "up\n")
            plant(found, endings, take_all_gpus)
            yield found
            left = {name: each for name, each in endings.items() if each.status}
            once(found, left)
            deleted(found)


def by_kubectl(cluster: Cluster, desk: Desk, name: str, command: str, policy: str, image: str) -> None:
    """A Job that its cluster may run again."""
    container = {
        "name": "main",
        "image": image,
        "command": ["sh", "-c", command],
        "resources": {"requests": {"cpu": "10m"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    template = {"spec": {"restartPolicy": policy, "securityContext": security, "containers": [container]}}
    meta = {"name": name, "namespace": admin_of(desk).name}
    spec = {"backoffLimit": 1, "template": template}
    cluster.kubectl.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})


def plant(desk: Desk, endings: dict[str, Ending], take_all_gpus: Any) -> None:
    space = admin_of(desk)
    where = (f"--namespace={space.name}", "--wait=false")
    for name in ("drained-while-it-stops", "stopped-saved"):
        desk.right(f"%kube stop {name}")
    for name in ("drained", "drained-saved", "drained-while-it-stops"):
        evict(desk, name)
    for name in ("pod-deleted", "pod-deleted-saved"):
        space.admin("delete", "pod", pod(desk, name)["metadata"]["name"], *where)
    space.admin("delete", "job", "job-deleted-saved", *where)
    if "runner-killed" in endings:
        os.kill(first_process(pod(desk, "runner-killed")["metadata"]["uid"]), signal.SIGKILL)
        take_all_gpus()


def evict(desk: Desk, name: str) -> None:
    """As `kubectl drain` does."""
    space, meta = admin_of(desk), pod(desk, name)["metadata"]
    asked = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": meta["name"], "namespace": space.name}}
    path = f"/api/v1/namespaces/{space.name}/pods/{meta['name']}/eviction"
    space.admin("create", f"--raw={path}", "--filename=-", input=json.dumps(asked))


def first_process(uid: str) -> int:
    """Process 1 of the job's container, by its number on this machine, which is the node."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            of_the_job = uid in (folder / "cgroup").read_text() and b"python" in (folder / "cmdline").read_bytes()
            if of_the_job and re.search(r"^NSpid:\t\d+\t1$", (folder / "status").read_text(), re.MULTILINE):
                found.append(int(folder.name))
    (number,) = found
    return number


@contextmanager
def small_claim(cluster: Cluster, desk: Desk) -> Iterator[None]:
    """A claim `small` of 1 MiB: of a file system of its own, which can be full."""
    if cluster.is_given:
        yield
        return
    with claim(cluster, admin_of(desk), "small") as name:
        bound = cluster.kubectl.get("pvc", name, f"--namespace={admin_of(desk).name}")["spec"]["volumeName"]
        folder = cluster.kubectl.get("pv", bound)["spec"]["hostPath"]["path"]
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "none", folder], check=True)
        try:
            yield
        finally:
            for job in ("volume-full", "volume-of-the-log-full"):
                desk.run(f"%kube delete {job}")
            # A pod that still has it would keep what is mounted there.
            eventually(lambda: subprocess.run(["umount", folder], check=False).returncode == 0, "the volume's end")


@contextmanager
def urgent(cluster: Cluster, desk: Desk) -> Iterator[Any]:
    """Takes all of the node's GPUs, for a moment, with a priority of its own."""
    space = admin_of(desk)
    name = f"urgent-{space.name}"
    container = {
        "name": "main",
        "image": cluster.images.quickstart,
        "command": ["true"],
        "resources": {"requests": {"cpu": "10m"}, "limits": {"nvidia.com/gpu": "8"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    priority = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": 1000,
    }
    its_pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "urgent", "namespace": space.name},
        "spec": {
            "priorityClassName": name,
            "restartPolicy": "Never",
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }
    try:
        yield lambda: space.admin.apply(priority, its_pod)
    finally:
        cluster.kubectl("delete", "priorityclass", name, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="module")
def elsewhere(ended: Desk) -> Iterator[Kernel]:
    with another(ended, ended.folder / "elsewhere") as kernel:
        yield kernel


@pytest.mark.parametrize("name", ENDINGS)
def test_how_a_pod_ends(ended: Desk, cluster: Cluster, name: str) -> None:
    if name not in offered(cluster):
        pytest.skip("a given cluster does not offer its node")
    check(ended, name, ENDINGS[name])


@pytest.mark.parametrize("name", ENDINGS)
def test_what_another_notebook_is_told_later(ended: Desk, elsewhere: Kernel, cluster: Cluster, name: str) -> None:
    """When the last of the pods is gone that were asked to go."""
    if name not in offered(cluster):
        pytest.skip("a given cluster does not offer its node")
    ending = ENDINGS[name]
    if ending.later is not None:
        space = admin_of(ended)
        query = (f"--namespace={space.name}", f"--selector=job-name={name}")
        eventually(lambda: not space.admin.get("pods", *query)["items"], f"the end of the pod of {name}")
    check_later(elsewhere, ended, name, ending)


def test_a_job_that_the_cluster_runs_again_is_followed_on(ended: Desk) -> None:
    """Of kubectl's: each of its pods, which the cluster makes ten seconds apart."""
    ran = ended.run("%kube attach again")
    assert ran.error == "JobFailed", ran
    assert "exit code 3" in ran.traceback
    first, one, second, other = ended.kernel.run("%kube logs again").stdout.splitlines()
    assert (first, second) == ("[kube_magics: attempt 1 of 2]", "[kube_magics: attempt 2 of 2]")
    assert ran.stdout.splitlines()[1:3] == [one, other]
    assert one.startswith("I am again-")
    assert "attempt 1 of 2 ended: The container ended with exit code 3." in ran.stderr


def test_an_image_that_is_gone_when_its_container_is_to_run_again(ended: Desk, cluster: Cluster) -> None:
    if cluster.is_given:
        pytest.skip("a given cluster does not offer its node")
    ran = ended.run("%kube attach once")
    assert ran.error == "PodLost", ran
    for part in ("ended with exit code 3. It is to be started again.", f"The image {ONCE} cannot be pulled"):
        assert part in ran.traceback
    assert ran.stdout.splitlines()[1] == "first"


def run_once(cluster: Cluster, desk: Desk) -> None:
    """A Job whose image goes while it runs."""
    ctr("tag", "--force", cluster.images.quickstart, ONCE)
    by_kubectl(cluster, desk, "once", "echo first; sleep 3; exit 3", "OnFailure", ONCE)
    eventually(lambda: pod_or_none(desk, "once").get("phase") == "Running", "a running container")
    ctr("rm", ONCE)


def pod_or_none(desk: Desk, job: str) -> dict[str, Any]:
    space = admin_of(desk)
    found = space.admin.get("pods", f"--namespace={space.name}", f"--selector=job-name={job}")["items"]
    return dict(found[0]["status"]) if found else {}


def ctr(*arguments: str) -> None:
    """On the images of the node."""
    subprocess.run(components.ctr(binaries.ensure(), "images", *arguments), check=True, capture_output=True)
