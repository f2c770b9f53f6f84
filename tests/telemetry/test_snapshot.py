"""From objects as a cluster sends them to a state and its cause."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_magics.spec import names
from kube_magics.telemetry.causes.queue import Queue
from kube_magics.telemetry.made import Made
from kube_magics.telemetry.objects import true_condition
from kube_magics.telemetry.snapshot import Snapshot, of_job, unix

END = {"e": "end", "code": 0, "reason": "completed"}


def a_job(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "digits-x7k2p",
            "namespace": "team",
            "uid": "job-uid",
            "creationTimestamp": "2026-11-23T21:00:00Z",
            "annotations": {
                names.ANNOTATION_SUBMISSION: "s1",
                names.ANNOTATION_BUNDLE: "0" * 64,
                names.ANNOTATION_NOTEBOOK: "work/digits.ipynb",
                names.ANNOTATION_LABEL: "In [3]",
                names.ANNOTATION_RETURNS: "model,score",
            },
        },
        "spec": {"template": {"spec": {"containers": [gpu_container("main", "2")]}}, **spec},
        "status": status or {},
    }


def gpu_container(name: str, count: str) -> dict[str, Any]:
    return {"name": name, "image": "team/torch:1", "resources": {"limits": {"nvidia.com/gpu": count, "memory": "1Gi"}}}


def a_pod(state: dict[str, Any] | None = None, *, phase: str = "Pending", **status: Any) -> dict[str, Any]:
    statuses = {"containerStatuses": [{"name": "main", "image": "team/torch:1", "state": state}]} if state else {}
    return {
        "metadata": {"name": "digits-x7k2p-abcde", "uid": "pod-uid", "creationTimestamp": "2026-11-23T21:00:01Z"},
        "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "team/torch:1"}]},
        "status": {"phase": phase, **statuses, **status},
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return a_pod({"waiting": {"reason": reason, "message": message}})


def ended(code: int, reason: str = "Error", **more: Any) -> dict[str, Any]:
    times = {"startedAt": "2026-11-23T21:00:02Z", "finishedAt": "2026-11-23T21:00:12Z"}
    phase = "Failed" if code else "Succeeded"
    return a_pod({"terminated": {"exitCode": code, "reason": reason, **times, **more}}, phase=phase)


def conditions(*found: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, **more} for kind, status in found]}


def failed_create(message: str, at: str = "2026-11-23T21:00:01Z") -> dict[str, Any]:
    return {"reason": "FailedCreate", "message": message, "lastTimestamp": at}


def kind_of(snapshot: Snapshot) -> tuple[str, str | None, bool]:
    cause = snapshot.cause
    return snapshot.phase, cause.kind if cause else None, bool(cause and cause.hopeless)


def test_a_job_that_ran_as_a_whole() -> None:
    status = {**conditions(("SuccessCriteriaMet", "True"), ("Complete", "True")), "startTime": "2026-11-23T21:00:00Z"}
    assert of_job(a_job(status), [ended(0, "Completed", message=json.dumps(END))]) == Snapshot(
        name="digits-x7k2p",
        namespace="team",
        phase="succeeded",
        pod="digits-x7k2p-abcde",
        pod_uid="pod-uid",
        node="node-1",
        scheduled=True,
        started=True,
        terminated=True,
        end=END,
        created_at=1795467600.0,
        started_at=1795467602.0,
        finished_at=1795467612.0,
        queued_at=1795467600.0,
        gpus=2,
        memory="1Gi",
        notebook="work/digits.ipynb",
        label="In [3]",
        ours=True,
        returns=("model", "score"),
        uid="job-uid",
        submission_id="s1",
        made=Made(bundle_sha256="0" * 64, image="team/torch:1"),
    )


def test_pending_without_and_with_a_pod() -> None:
    assert kind_of(of_job(a_job(), [])) == ("pending", None, False)
    snapshot = of_job(a_job(), [a_pod({"waiting": {"reason": "ContainerCreating"}})])
    assert kind_of(snapshot) == ("pending", None, False)
    assert (snapshot.scheduled, snapshot.started) == (True, False)


def test_running() -> None:
    snapshot = of_job(a_job(), [a_pod({"running": {"startedAt": "2026-11-23T21:00:02Z"}}, phase="Running")])
    assert kind_of(snapshot) == ("running", None, False)
    assert (snapshot.started, snapshot.terminated, snapshot.over) == (True, False, False)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            "A claim of the job has no volume yet.",
        ),
        (
            "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode. in-use",
            "Another pod has the claim, and only one may.",
        ),
        ("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.", "Not enough free GPUs on any node."),
        ("0/1 nodes are available: 1 Insufficient memory.", "No node has that much CPU or memory free."),
        (
            "0/1 nodes are available: 1 node(s) had untolerated taint {x: y}.",
            "Every node that could run it has a taint that it does not tolerate (x=y).",
        ),
        ("0/1 nodes are available: 1 node(s) dislike it.", "No node fits the job."),
    ],
)
def test_unschedulable(message: str, sentence: str) -> None:
    pod = a_pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}])
    del pod["spec"]["nodeName"]
    snapshot = of_job(a_job(), [pod])
    assert kind_of(snapshot) == ("pending", "unschedulable", False)
    assert snapshot.cause is not None
    assert (snapshot.cause.sentence, snapshot.cause.said) == (sentence, message)
    assert not snapshot.scheduled


def test_an_image_that_is_missing_is_given_up_and_a_hiccup_is_not() -> None:
    absent = 'failed to resolve reference "team/torch:1": team/torch:1: not found'
    assert kind_of(of_job(a_job(), [waiting("ErrImagePull", absent)])) == ("pending", "image", True)
    hiccup = "failed to do request: dial tcp: i/o timeout"
    assert kind_of(of_job(a_job(), [waiting("ErrImagePull", hiccup)])) == ("pending", "image", False)
    snapshot = of_job(a_job(), [waiting("ImagePullBackOff", "Back-off pulling image")])
    assert kind_of(snapshot) == ("pending", "image", True)
    assert snapshot.cause is not None
    assert "team/torch:1" in snapshot.cause.sentence


@pytest.mark.parametrize(("reason", "hopeless"), [("ImagePullBackOff", True), ("CrashLoopBackOff", False)])
def test_a_container_that_ran_and_is_to_run_again(reason: str, hopeless: bool) -> None:
    pod = waiting(reason, "back-off")
    last = {"terminated": {"exitCode": 3, "reason": "Error", "startedAt": "2026-11-23T21:00:02Z"}}
    pod["status"]["containerStatuses"][0] |= {"lastState": last, "image": "another/name:1"}
    snapshot = of_job(a_job(backoffLimit=6), [pod])
    assert (snapshot.started, snapshot.terminated, snapshot.over) == (True, hopeless, False)
    assert snapshot.cause is not None
    assert snapshot.cause.sentence.startswith("The container ended with exit code 3. It is to be started again.")
    assert snapshot.cause.hopeless == hopeless
    assert "another/name:1" not in snapshot.cause.sentence


def test_an_image_without_python() -> None:
    said = 'exec: "python3": executable file not found in $PATH: unknown'
    snapshot = of_job(a_job(), [ended(128, "StartError", message=said)])
    assert kind_of(snapshot) == ("failed", "start", True)
    assert snapshot.cause is not None
    assert "--python" in str(snapshot.cause.fix)
    assert kind_of(of_job(a_job(), [waiting("CreateContainerError", said)])) == ("pending", "start", True)


def test_an_image_that_insists_on_root() -> None:
    said = "container has runAsNonRoot and image will run as root"
    assert kind_of(of_job(a_job(), [waiting("CreateContainerConfigError", said)])) == ("pending", "start", True)


def test_a_container_that_starts_in_a_moment_is_waited_for() -> None:
    said = "failed to sync secret cache: timed out waiting for the condition"
    assert kind_of(of_job(a_job(), [waiting("CreateContainerConfigError", said)])) == ("pending", "start", False)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ('secret "wandb" not found', "There is no Secret wandb in the job's namespace."),
        ("couldn't find key token in Secret team/wandb", "The Secret wandb has no key token."),
    ],
)
def test_a_secret_that_is_not_there(said: str, sentence: str) -> None:
    snapshot = of_job(a_job(), [waiting("CreateContainerConfigError", said)])
    assert kind_of(snapshot) == ("pending", "start", True)
    assert snapshot.cause is not None
    assert (snapshot.cause.sentence, snapshot.cause.said) == (sentence, said)
    fix = snapshot.cause.fix or ""
    assert "--secret" in fix
    assert "NAME" not in fix  # that is replaced by the job's


def test_a_volume_that_cannot_be_mounted_is_told_by_the_pods_events_until_it_can() -> None:
    events = [
        {"reason": "FailedMount", "message": "older", "lastTimestamp": "2026-11-23T21:00:03Z"},
        {"reason": "FailedMount", "message": "hostPath type check failed", "lastTimestamp": "2026-11-23T21:00:09Z"},
    ]
    snapshot = of_job(a_job(), [waiting("ContainerCreating")], events)
    assert kind_of(snapshot) == ("pending", "mount", False)
    assert snapshot.cause is not None
    assert snapshot.cause.said == "hostPath type check failed"
    running = a_pod({"running": {"startedAt": "2026-11-23T21:00:12Z"}}, phase="Running")
    assert of_job(a_job(), [running], events).cause is None


def test_a_claim_that_is_not_there_is_not_waited_for() -> None:
    message = 'persistentvolumeclaim "data" not found'
    pod = a_pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}])
    assert kind_of(of_job(a_job(), [pod])) == ("pending", "unschedulable", True)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=2', "quota"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation', "policy"),
        ("admission webhook denied the request: no", "refused"),
    ],
)
def test_a_job_whose_pod_is_refused(said: str, kind: str) -> None:
    snapshot = of_job(a_job(), [], [{"reason": "SuccessfulCreate"}, failed_create(said)])
    assert kind_of(snapshot) == ("pending", kind, True)
    assert snapshot.cause is not None
    assert snapshot.cause.said == said


def test_why_there_is_no_pod_may_not_be_seen() -> None:
    """Of a Job that should have one, and to a user who may not read events."""
    hidden = of_job(a_job(), [], None)
    assert kind_of(hidden) == ("pending", "hidden", False)
    assert hidden.cause is not None
    assert "you may not list events" in hidden.cause.sentence
    assert kind_of(of_job(a_job(), [a_pod()], None)) == ("pending", None, False)
    assert kind_of(of_job(a_job(suspend=True), [], None)) == ("suspended", "suspended", False)


def test_the_latest_refusal_counts_whatever_the_order() -> None:
    late, early = failed_create("late", "2026-11-23T22:00:00Z"), failed_create("exceeded quota: q")
    for events in ([late, early], [early, late]):
        assert kind_of(of_job(a_job(), [], events))[1] == "refused"


def test_an_old_refusal_is_not_the_cause_of_what_succeeded_or_waits() -> None:
    events = [failed_create("exceeded quota: q")]
    assert kind_of(of_job(a_job(conditions(("Complete", "True"))), [], events)) == ("succeeded", None, False)
    assert kind_of(of_job(a_job(suspend=True), [], events)) == ("suspended", "suspended", False)
    assert kind_of(of_job(a_job(), [a_pod({"running": {"startedAt": None}})], events)) == ("running", None, False)


@pytest.mark.parametrize(
    ("pod", "kind"),
    [
        (ended(137, "OOMKilled"), "oom"),
        (ended(139), "signal"),
        (ended(3), "exit"),
        ({**ended(1), "status": {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}}, "evicted"),
        (a_pod(phase="Failed", **conditions(("Ready", "False"), ("DisruptionTarget", "True"))), "evicted"),
        (a_pod(phase="Failed", reason="DeadlineExceeded", message="longer than the deadline"), "deadline"),
    ],
)
def test_how_a_pod_ended(pod: dict[str, Any], kind: str) -> None:
    assert kind_of(of_job(a_job(), [pod])) == ("failed", kind, False)
    # The Job's own condition comes later and changes nothing.
    later = conditions(("FailureTarget", "True"), ("Failed", "True"), reason="BackoffLimitExceeded")
    assert kind_of(of_job(a_job(later), [pod])) == ("failed", kind, False)


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (192, "signal", "The container was killed by signal 64."),
        (193, "exit", "The container ended with exit code 193."),
        (255, "exit", "The container ended with exit code 255."),
    ],
)
def test_an_exit_code_above_all_signals_is_none(code: int, kind: str, told: str) -> None:
    """As sys.exit(-1) is one."""
    cause = of_job(a_job(), [ended(code)]).cause
    assert cause is not None
    assert (cause.kind, cause.sentence, cause.exit_code) == (kind, told, code)


def test_a_program_that_chose_a_signals_exit_code_was_not_killed() -> None:
    word = {"e": "end", "code": 137, "reason": "failed", "error": "SystemExit: 137"}
    cause = of_job(a_job(), [ended(137, message=json.dumps(word))]).cause
    assert cause is not None
    assert (cause.kind, cause.sentence) == ("exit", "The program ended with exit code 137.")


@pytest.mark.parametrize(("code", "memory"), [(137, True), (139, False)])
def test_want_of_memory_is_a_guess_for_kills_alone(code: int, memory: bool) -> None:
    cause = of_job(a_job(), [ended(code)]).cause
    assert cause is not None
    assert cause.exit_code == code
    assert ("--memory" in str(cause.fix)) == memory


def test_a_deleted_job_and_a_deleted_pod() -> None:
    gone = of_job(None, [], name="x", namespace="team")
    assert (kind_of(gone), gone.name, gone.namespace) == (("gone", "deleted", False), "x", "team")
    assert gone.over
    assert gone.terminated
    pod = a_pod({"running": {"startedAt": None}}, phase="Running")
    pod["metadata"]["deletionTimestamp"] = "2026-11-23T21:00:09Z"
    assert kind_of(of_job(a_job(), [pod])) == ("running", "deleted", False)


@pytest.mark.parametrize(
    ("until", "grace_s", "kind"),
    [
        ("21:00:11Z", 0, "deleted"),
        ("21:00:12Z", 0, "deleted"),
        ("21:00:40Z", 30, "deleted"),
        ("21:00:50Z", 30, "exit"),  # it had ended before
    ],
)
def test_a_pod_that_ends_for_its_deletion(until: str, grace_s: int, kind: str) -> None:
    pod = ended(1)
    pod["metadata"] |= {"deletionTimestamp": f"2026-11-23T{until}", "deletionGracePeriodSeconds": grace_s}
    assert kind_of(of_job(a_job(), [pod])) == ("failed", kind, False)
    late = conditions(("Failed", "True"), reason="DeadlineExceeded")
    assert kind_of(of_job(a_job(late), [pod])) == ("failed", "deadline", False)


@pytest.mark.parametrize(
    ("message", "told", "fix"),
    [
        ("Pod ephemeral local storage usage exceeds the total limit of containers 60Mi. ", "node's disk", "--volume"),
        ('Container main exceeded its local ephemeral storage limit "60Mi". ', "node's disk", "--volume"),
        ('Usage of EmptyDir volume "shm" exceeds the limit "4Mi". ', "its pod's volumes", "--shm"),
        ("The node was low on resource: memory. Threshold quantity: 1Gi.", "out of memory", "--memory"),
        ("The node was low on resource: ephemeral-storage. Container main was", "out of disk", "--volume"),
        ("The node was low on resource: pids. ", "threw the pod out", "again"),
        ("", "threw the pod out", "again"),
    ],
)
def test_what_a_node_throws_a_pod_out_for(message: str, told: str, fix: str) -> None:
    cause = of_job(a_job(), [a_pod(phase="Failed", reason="Evicted", message=message)]).cause
    assert cause is not None
    assert (cause.kind, cause.said) == ("evicted", message.strip() or None)
    assert told in cause.sentence
    assert fix in str(cause.fix)
    assert told == "out of memory" or "memory" not in str(cause.fix)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("PreemptionByScheduler", "higher priority"),
        ("DeletionByTaintManager", "node stopped answering"),
        ("DeletionByPodGC", "node is gone"),
        ("EvictionByEvictionAPI", "drained"),
        ("TerminationByKubelet", "shut down"),
        ("SomethingNew", "taken off its node"),
    ],
)
def test_what_a_pod_has_to_go_for(reason: str, told: str) -> None:
    found = conditions(("DisruptionTarget", "True"), reason=reason, message="the cluster's words")
    pod = a_pod({"running": {"startedAt": None}}, phase="Running", **found)
    pod["metadata"]["deletionTimestamp"] = "2026-11-23T21:00:09Z"
    cause = of_job(a_job(), [pod]).cause
    assert cause is not None
    assert (cause.kind, cause.said, told in cause.sentence) == ("evicted", "the cluster's words", True)


def test_a_pod_that_its_node_did_not_take() -> None:
    pod = a_pod(phase="Failed", reason="OutOfcpu", message="Node didn't have enough resource: cpu")
    snapshot = of_job(a_job(), [pod])
    assert kind_of(snapshot) == ("failed", "refused", False)
    assert snapshot.cause is not None
    assert snapshot.cause.said == "OutOfcpu: Node didn't have enough resource: cpu"


def test_a_program_that_failed_is_told_in_its_own_words() -> None:
    """Also where the node calls the container killed for memory, of which only a worker was."""
    for reason in ("Error", "OOMKilled"):
        said = json.dumps({"e": "end", "reason": "failed", "code": 1, "error": "ValueError: no"})
        cause = of_job(a_job(), [ended(1, reason, message=said)]).cause
        assert cause is not None
        assert (cause.kind, cause.said) == ("exit", "ValueError: no")
    for reason, kind in (("Error", "signal"), ("OOMKilled", "oom")):
        said = json.dumps({"e": "end", "reason": "signal", "code": 137, "signal": 9, "error": ""})
        assert kind_of(of_job(a_job(), [ended(137, reason, message=said)]))[1] == kind


def test_a_job_that_failed_and_has_no_pod_any_more() -> None:
    cause = of_job(a_job(conditions(("Failed", "True"), reason="BackoffLimitExceeded")), []).cause
    assert cause is not None
    assert (cause.kind, cause.sentence) == ("failed", "Its pod is gone, and with it how it ended.")


def test_a_runner_that_was_told_to_stop_was_told_by_the_deletion() -> None:
    pod = ended(143, message=json.dumps({"e": "end", "reason": "stopped", "code": 143}))
    pod["metadata"] |= {"deletionTimestamp": "2026-11-23T23:00:00Z", "deletionGracePeriodSeconds": 0}
    assert kind_of(of_job(a_job(), [pod])) == ("failed", "deleted", False)


def test_a_suspended_job() -> None:
    assert kind_of(of_job(a_job(conditions(("Suspended", "True")), suspend=True), [])) == (
        "suspended",
        "suspended",
        False,
    )


def test_a_job_that_kueue_has_suspended_waits() -> None:
    """It is resumed when it is its turn: a cell goes on waiting for it."""
    job = a_job(conditions(("Suspended", "True")), suspend=True)
    job["metadata"]["labels"] = {names.LABEL_QUEUE: "team-a"}
    state = of_job(job, [])
    assert kind_of(state) == ("pending", "queued", False)
    assert state.cause is not None
    assert "Kueue's queue team-a" in state.cause.sentence
    job["metadata"]["annotations"] |= {names.ANNOTATION_STOPPED: "2026-11-23T21:00:09+00:00"}
    assert kind_of(of_job(job, [])) == ("suspended", "stopped", False)
    del job["spec"]["suspend"]
    assert kind_of(of_job({**job, "metadata": {**job["metadata"], "annotations": {}}}, [a_pod()]))[1] != "queued"


def test_a_job_that_its_user_stopped() -> None:
    """A lowered deadline looks like one that was reached; the pod, or the suspended Job, says that it was asked for."""
    asked = {names.ANNOTATION_STOPPED: "2026-11-23T21:00:09+00:00"}
    pod = a_pod({"terminated": {"exitCode": 143}}, phase="Failed", reason="DeadlineExceeded")
    assert kind_of(of_job(a_job(), [pod])) == ("failed", "deadline", False)
    pod["metadata"]["annotations"] = asked
    assert kind_of(of_job(a_job(), [pod])) == ("stopped", "stopped", False)
    job = a_job(suspend=True)
    job["metadata"]["annotations"] |= asked
    assert kind_of(of_job(job, [])) == ("suspended", "stopped", False)
    assert kind_of(of_job({**job, "spec": a_job()["spec"]}, [])) == ("pending", None, False), "somebody resumed it"


@pytest.mark.parametrize(
    ("pods", "reason", "kind"),
    [
        ([ended(1)], "BackoffLimitExceeded", "stopped"),
        ([], "BackoffLimitExceeded", "stopped"),
        ([ended(1)], "PodFailurePolicy", "exit"),
    ],
    ids=["its pod is kept", "its pod is gone", "it has ended for another reason"],
)
def test_a_job_that_its_user_stopped_between_two_attempts(pods: list[dict[str, Any]], reason: str, kind: str) -> None:
    """Its last pod failed by itself: that there was no other one is the user's doing, which stands in the Job."""
    job = a_job(conditions(("Failed", "True"), reason=reason))
    job["metadata"]["annotations"][names.ANNOTATION_STOPPED] = "2026-11-23T21:00:15+00:00"
    assert kind_of(of_job(job, pods)) == ("stopped" if kind == "stopped" else "failed", kind, False)


def test_a_job_that_somebody_let_run_again_and_that_failed_then() -> None:
    job = a_job(conditions(("Failed", "True"), reason="BackoffLimitExceeded"))
    job["metadata"]["annotations"][names.ANNOTATION_STOPPED] = "2026-11-23T20:59:59+00:00"
    assert kind_of(of_job(job, [ended(1)])) == ("failed", "exit", False)


def test_a_job_that_failed_before_it_was_stopped() -> None:
    pod = ended(1)
    pod["metadata"]["annotations"] = {names.ANNOTATION_STOPPED: "2026-11-23T21:00:13+00:00"}
    assert kind_of(of_job(a_job(), [pod])) == ("failed", "exit", False)


def test_a_job_of_kubectls_that_reached_its_own_deadline() -> None:
    job = a_job(conditions(("Failed", "True"), reason="DeadlineExceeded", message="Job was active longer"))
    assert kind_of(of_job(job, [])) == ("failed", "deadline", False)
    given_up = a_job(conditions(("Failed", "True"), reason="BackoffLimitExceeded"))
    assert kind_of(of_job(given_up, [])) == ("failed", "failed", False)


def test_a_job_of_kubectls() -> None:
    """No annotations, another container's name, a helper that is listed first."""
    job = a_job()
    job["metadata"] = {"name": "pi"}
    pod = a_pod(phase="Running")
    pod["spec"]["containers"] = [{"name": "pi"}, {"name": "helper"}]
    state = {"running": {"startedAt": "2026-11-23T21:00:02Z"}}
    pod["status"]["containerStatuses"] = [
        {"name": "helper", "state": {"waiting": {}}},
        {"name": "pi", "state": state},
    ]
    snapshot = of_job(job, [pod], namespace="team")
    assert (snapshot.phase, snapshot.ours, snapshot.returns, snapshot.notebook) == ("running", False, (), None)
    assert snapshot.namespace == "team"


def test_conditions_are_read_by_type_wherever_they_stand() -> None:
    others = [("Suspended", "False"), ("FailureTarget", "False"), ("Other", "True")]
    for place in range(len(others) + 1):
        found = conditions(*others[:place], ("Complete", "True"), *others[place:])
        assert of_job(a_job(found), []).phase == "succeeded"
    assert true_condition({"status": conditions(("Complete", "False"))}, "Complete") is None


def test_the_newest_pod_counts() -> None:
    old, new = ended(1), a_pod({"running": {"startedAt": None}}, phase="Running")
    new["metadata"] = {"name": "new", "uid": "n", "creationTimestamp": "2026-11-23T21:05:00Z"}
    assert of_job(a_job(), [new, old]).pod == of_job(a_job(), [old, new]).pod == "new"


@pytest.mark.parametrize(
    ("phase", "spec", "told"),
    [
        ("Failed", {"backoffLimit": 0}, "failed"),
        ("Failed", {"backoffLimit": 6}, "pending"),
        ("Failed", {"backoffLimit": 6, "completions": 3}, "running"),
        ("Succeeded", {"completions": 1}, "succeeded"),
        ("Succeeded", {"completions": 3}, "running"),
    ],
)
def test_a_pod_that_is_not_the_jobs_last(phase: str, spec: dict[str, Any], told: str) -> None:
    pod = ended(1)
    pod["status"]["phase"] = phase
    assert of_job(a_job(**spec), [pod]).phase == told


def test_attempts_are_counted_though_pods_are_gone() -> None:
    newest = a_pod({"running": {"startedAt": None}}, phase="Running")
    newest["metadata"] |= {"uid": "newest", "creationTimestamp": "2026-11-23T21:05:00Z"}
    for failed, there, told in (
        (0, [newest], "running"),
        (1, [ended(1), newest], "running (attempt 2 of 3)"),
        (1, [newest], "running (attempt 2 of 3)"),  # that of the first has been deleted
        (2, [ended(1), newest], "running (attempt 3 of 3)"),
        (0, [ended(1), newest], "running (attempt 2 of 3)"),  # not counted yet
        (0, [ended(1)], "pending"),
        (2, [ended(1)], "pending (attempt 2 of 3)"),
        (3, [ended(1)], "failed (attempt 3 of 3)"),
    ):
        assert of_job(a_job({"failed": failed}, backoffLimit=2), there).status == told
    assert of_job(a_job({"failed": 2}, backoffLimit=2, parallelism=2), [ended(1), newest]).status == "running"


def test_a_last_word_that_is_none() -> None:
    for message in ("", "Traceback (most recent call last)", "[]", '{"e": "mark"}', "[" * 100_000):
        assert of_job(a_job(), [ended(1, message=message)]).end is None


def test_times() -> None:
    assert unix("1970-01-01T00:01:00Z") == 60
    assert unix("1970-01-01T01:00:00.5+01:00") == 0.5
    assert unix(None) is unix("soon") is unix(7) is None


keys = st.sampled_from(
    "metadata spec status name uid annotations template containers containerStatuses initContainerStatuses state waiting "
    "running terminated reason message exitCode phase conditions type creationTimestamp resources limits nodeName".split()
)
leaves = (
    st.none() | st.integers() | st.booleans() | st.sampled_from(["", "True", "Failed", "OOMKilled", "Evicted", "x"])
)
garbage = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
)
objects = st.dictionaries(keys, garbage, max_size=5)


@given(objects, st.lists(objects, max_size=2), st.lists(objects, max_size=2))
def test_garbage_is_a_state_too(job: Any, pods: Any, events: Any) -> None:
    assert isinstance(of_job(job, pods, events), Snapshot)


@given(garbage, st.lists(objects, max_size=2), objects, st.text())
def test_garbage_around_a_pod_that_no_node_takes(selector: Any, nodes: Any, workload: Any, line: str) -> None:
    said = "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) didn't match Pod's node affinity/selector."
    pod = a_pod(conditions=[{"type": "PodScheduled", "status": "False", "message": said}])
    pod["spec"] |= {"nodeSelector": selector if isinstance(selector, dict) else {"disk": selector}}
    assert of_job(a_job(), [pod], nodes=nodes).cause is not None
    assert of_job(a_job(), [ended(1)], lines=[line]).cause is not None
    queued = a_job(suspend=True)
    queued["metadata"]["labels"] = {names.LABEL_QUEUE: "gpus"}
    assert of_job(queued, [], queue=Queue(workload)).cause is not None


def paths(found: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    return [found for key, value in inner for found in [(*path, key), *paths(value, (*path, key))]]


@pytest.mark.parametrize("pod", [ended(137, "OOMKilled"), waiting("ErrImagePull"), a_pod(reason="Evicted")])
def test_any_key_may_be_missing_or_null(pod: dict[str, Any]) -> None:
    whole = {"job": a_job(conditions(("Failed", "True"))), "pod": pod, "event": failed_create("x")}
    for path in paths(whole):
        for value in (None, "text", [], {}):
            damaged = json.loads(json.dumps(whole))
            at = damaged
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
            of_job(damaged["job"], [damaged["pod"]], [damaged["event"]])
            of_job(damaged["job"], [], [damaged["event"]])


def test_options_of_our_runner_are_no_advice_for_an_image_that_runs_as_it_is() -> None:
    theirs = a_job()
    del theirs["metadata"]["annotations"][names.ANNOTATION_BUNDLE]
    for pod in (
        waiting("ImagePullBackOff", "not found"),
        ended(128, "StartError", message='exec: "x": executable file not found in $PATH'),
        waiting("CreateContainerError", "no command specified"),
    ):
        mine, other = of_job(a_job(), [pod]).cause, of_job(theirs, [pod]).cause
        assert mine is not None
        assert other is not None
        assert (other.kind, other.said, other.hopeless) == (mine.kind, mine.said, mine.hopeless)
        assert "--" in str(mine.fix)
        assert "--" not in str(other.fix)
        assert "Python" not in other.sentence
