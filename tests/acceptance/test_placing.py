"""Options that only a cluster can obey: where a job runs, as whom, what it bears, how long it stays."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.desk import Desk, admin_of, eventually
from tests.cluster import Cluster
from tests.kernel import Ran

pytestmark = [pytest.mark.jobs, pytest.mark.cluster]

CLASS = "kube-magics-test"
OPTIONS = (
    "--cpus 100m --labels team=vision --annotations 'a/b=c, d' --queue team-a --node-selector kubernetes.io/os=linux"
    f" --toleration spot --toleration team=a:NoSchedule --priority {CLASS} --service-account default"
    " --image-pull-secret absent --run-as 1234 --workdir /tmp/made/here --grace 5s --ttl 1h"
    " --memory 256Mi --shm 16Mi --read-only-root --python /usr/bin/python3.11"
    " --returns uid,folder,python,shared,root --returns-files 'out/*.txt'"
)
CELL = """
import os, sys
uid, folder, python = os.getuid(), os.getcwd(), sys.executable
os.makedirs("out")
open("out/x.txt", "w").write("mine")
shared = os.statvfs("/dev/shm")
shared = shared.f_blocks * shared.f_frsize >> 20
try:
    root = open("/mine", "w")
except OSError as error:
    root = error.strerror
"""


@pytest.fixture(scope="module")
def priority(cluster: Cluster) -> Any:
    meta = {"name": CLASS}
    cluster.kubectl.apply({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": meta, "value": 7})
    yield
    cluster.kubectl("delete", "priorityclass", CLASS)


@pytest.mark.usefixtures("priority")
def test_every_option_reaches_job_and_pod(there: Desk) -> None:
    space = admin_of(there)
    there.right(f"%%kubetrain --name placed -n {space.name} --context {space.context} {OPTIONS}\n{CELL}")
    assert there.kernel.value("(uid, folder, python)") == "(1234, '/tmp/made/here', '/usr/bin/python3.11')"
    assert there.kernel.value("(shared, root)") == "(16, 'Read-only file system')"
    assert (there.folder / "out" / "x.txt").read_text() == "mine"
    job = space.kubectl.get("job", "placed")
    found = space.kubectl.get("pods", "--selector=job-name=placed")["items"][0]
    for meta in (job["metadata"], found["metadata"]):
        assert meta["labels"]["team"] == "vision"
        assert meta["annotations"]["a/b"] == "c, d"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600
    spec = found["spec"]
    asked = spec["containers"][0]["resources"]
    assert asked == {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "256Mi"}}
    assert spec["terminationGracePeriodSeconds"] == 15
    assert (spec["priority"], spec["serviceAccountName"]) == (7, "default")
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert spec["imagePullSecrets"] == [{"name": "absent"}]
    assert {"key": "team", "operator": "Equal", "value": "a", "effect": "NoSchedule"} in spec["tolerations"]
    assert {"key": "spot", "operator": "Exists"} in spec["tolerations"]
    assert not any("serviceAccountToken" in str(volume) for volume in spec.get("volumes", ()))


def test_a_job_goes_only_where_it_is_told(there: Desk) -> None:
    unfit = {
        "unlike": ("--node-selector no=such", "didn't match Pod's node affinity/selector"),
        "amd": ("--gpus 1 --gpu-resource amd.com/gpu", "Insufficient amd.com/gpu"),
    }
    for name, (options, _) in unfit.items():
        there.right(f"%%kubetrain --cpus 50m --detach --name {name} {options}\nprint(1)")
    for name, (_, said) in unfit.items():
        eventually(lambda said=said: said in table(there), f"why {name} waits")  # type: ignore[misc]
        there.right(f"%kube delete {name}")


def test_a_job_that_is_to_go_goes(there: Desk) -> None:
    there.right("%%kubetrain --cpus 100m --name brief --ttl 1s\nprint('said')")
    assert there.log("brief") == "said\n"
    space = admin_of(there)
    eventually(lambda: not space.kubectl("get", "job", "brief", "--ignore-not-found").stdout, "the job to be removed")


DEAF = """
import signal, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(True))
print("up", flush=True)
while True:
    time.sleep(0.5)
    if told:
        print("deaf", flush=True)
"""
RETRIED = {
    "ended": ("--grace 2s", DEAF),
    "between": ("", "raise KeyError('at once')"),
    "late": ("--timeout 2s", "import time\ntime.sleep(120)"),
    "final": ("", "import sys\nsys.exit(70)"),
    "moved": ("", "import time\nprint('up', flush=True)\nwhile time.time() < until:\n    time.sleep(0.5)"),
    "vain": ("--retries 1", "raise KeyError('always')"),
}
AGAIN = "import time\nvalue = round(time.time() - ready)\nprint('at', value)\nassert value > 0, 'too early'"


@pytest.fixture(scope="module")
def retried(there: Desk) -> dict[str, Ran]:
    """Jobs with retries, all at once: a cluster waits ten seconds between the first two attempts."""
    there.right("import time\nuntil = time.time() + 20")
    for name, (more, cell) in RETRIED.items():
        there.right(f"%%kubetrain --cpus 50m --detach --name {name} --retries 2 {more}\n{cell}")
    there.says("moved", "up")
    evict(there, "moved")
    there.says("between", "tries again")
    # The pod's state says up to three seconds later that it has failed.
    eventually(lambda: re.search("^between +pending ", table(there), re.MULTILINE), "its time between two attempts")
    found = {"between": there.right("%kube stop between")}
    there.says("ended", "up")
    found["ended"] = there.right("%kube stop ended")
    line = "%%kubetrain --cpus 50m --name again --retries 2 --timeout 9s --returns value"
    there.right("ready = time.time() + 9")
    found["again"] = there.right(f"{line}\n{AGAIN}")
    return found


def evict(desk: Desk, job: str) -> None:
    """As `kubectl drain` does."""
    space = admin_of(desk)
    (pod,) = pods(desk, job)
    asked = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": space.name}}
    path = f"/api/v1/namespaces/{space.name}/pods/{pod}/eviction"
    space.admin("create", f"--raw={path}", "--filename=-", input=json.dumps(asked))


def table(desk: Desk) -> str:
    return desk.right("%kube jobs").text


def pods(desk: Desk, job: str) -> list[str]:
    found = admin_of(desk).kubectl.get("pods", f"--selector=job-name={job}")["items"]
    return [each["metadata"]["name"] for each in found]


def has_failed(desk: Desk, job: str) -> dict[str, Any]:
    """Wait until a Job has failed in the cluster's eyes too; its state."""

    def over() -> bool:
        status = admin_of(desk).kubectl.get("job", job)["status"]
        return any((each["type"], each["status"]) == ("Failed", "True") for each in status.get("conditions", ()))

    eventually(over, f"the end of {job}", 60)
    found: dict[str, Any] = admin_of(desk).kubectl.get("job", job)["status"]
    return found


def test_a_job_is_tried_again_and_each_attempt_is_shown_and_kept(there: Desk, retried: dict[str, Ran]) -> None:
    """In all it takes longer than its --timeout, which counts in each attempt by itself."""
    ran = retried["again"]
    assert int(there.kernel.value("value")) > 0
    log = there.log("again")
    failed = "[kube_magics: attempt 1 of 3 failed (AssertionError: too early): the cluster tries again after a pause]\n"
    second = "[kube_magics: attempt 2 of 3]\n"
    assert log.index("too early") < log.index(failed) < log.index(second) < log.rindex("at ")
    assert "AssertionError: too early" in ran.stderr
    assert ran.stderr.index(failed) < ran.stderr.index(second)
    eventually(lambda: "completionTime" in admin_of(there).kubectl.get("job", "again")["status"], "the Job's end")
    status = admin_of(there).kubectl.get("job", "again")["status"]
    assert status["failed"] == 1
    began, ended = (datetime.fromisoformat(status[key]) for key in ("startTime", "completionTime"))
    assert (ended - began).total_seconds() > 9


def test_all_attempts_are_read_by_whoever_comes_later(there: Desk, retried: dict[str, Ran]) -> None:
    assert retried["again"].error is None
    text = there.right("%kube logs again").stdout
    first, second = (text.index(f"[kube_magics: attempt {number} of 3]\n") for number in (1, 2))
    assert first < text.index("AssertionError: too early") < second < text.rindex("at ")
    there.right("from kube_magics.jobs import followed\nfollowed._known.clear()\ndel value")
    ran = there.right("%kube attach again")
    assert "attempt 1 of 3 failed (AssertionError: too early)" in ran.stderr
    assert "attempt 2 of 3" in ran.stderr
    assert int(there.kernel.value("value")) > 0
    assert "succeeded (attempt 2 of 3)" in table(there)


def test_a_job_that_is_stopped_is_not_tried_again(there: Desk, retried: dict[str, Ran]) -> None:
    assert "it was told to end" in retried["ended"].stdout
    assert "is between two attempts: it is not tried again" in retried["between"].stdout
    for name, printed in (("ended", "up"), ("between", "at once")):
        has_failed(there, name)
        assert len(pods(there, name)) == 1
        assert printed in there.right(f"%kube logs {name}").stdout
    assert there.run("%kube attach ended").error == "JobStopped"
    assert there.log("ended").count("deaf") < 20, "killed after two seconds, not after thirty"
    there.right("from kube_magics.jobs import followed\nfollowed._known.clear()")
    assert there.run("%kube attach ended").error == "JobStopped"
    assert there.run("%kube attach between").error == "KeyError"


def test_what_would_come_again_is_not_tried_again(there: Desk, retried: dict[str, Ran]) -> None:
    assert retried["again"].error is None
    for name, error in (("late", "JobTimeout"), ("final", "JobExited")):
        assert there.run(f"%kube attach {name}").error == error
        assert has_failed(there, name)["failed"] == 1
        assert len(pods(there, name)) == 1


def test_the_last_attempts_exception_is_the_jobs(there: Desk, retried: dict[str, Ran]) -> None:
    assert retried["again"].error is None
    ran = there.run("%kube attach vain")
    assert ran.error == "KeyError"
    log = there.log("vain")
    assert log.count("KeyError: 'always'") == 3, "two tracebacks, and what is said of the first one"
    assert log.count("tries again") == 1


def test_a_job_that_loses_its_node_goes_on_as_another_attempt(there: Desk, retried: dict[str, Ran]) -> None:
    assert retried["again"].error is None
    eventually(lambda: there.log("moved").count("up\n") == 2, f"the second attempt: {there.log('moved')}")
    ended, second = (there.log("moved").index(f"attempt {said}") for said in ("1 of 3 ended: ", "2 of 3]"))
    assert ended < second
    assert there.right("%kube attach moved").error is None


def test_the_same_on_this_machine_is_said_to_have_no_meaning(there: Desk) -> None:
    ran = there.right("%%kubetrain --backend local --labels team=vision --ttl 1h\nprint(1)")
    assert "on this machine --ttl and --labels have no meaning" in ran.stdout
