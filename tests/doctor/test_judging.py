"""From facts to lines, a table a topic: state, part of the sentence, part of what to type."""

from __future__ import annotations

from typing import Any

import pytest

from kube_magics import errors
from kube_magics.cluster.login import Login
from kube_magics.cluster.permissions import BEYOND, ROLE
from kube_magics.doctor.judging import (
    admission,
    devices,
    extensions,
    image,
    machine,
    notebook,
    reach,
    rights,
    room,
    versions,
)
from kube_magics.doctor.judging.machine import Device, Machine
from kube_magics.doctor.judging.notebook import Folder, Kernel, Limits
from kube_magics.doctor.line import BROKEN, DEGRADED, OK, Line
from kube_magics.telemetry.causes.cause import Cause

DAY_S = 86400.0
HOUR_S = 3600.0


def check(line: Line, state: str, text: str, hint: str = "") -> None:
    assert line.state == state, line
    assert text in line.text, line
    assert hint in (line.hint or ""), line
    assert state == OK or line.hint, line


@pytest.mark.parametrize(
    ("login", "state", "text", "hint"),
    [
        (Login("a token"), OK, "a token", ""),
        (Login(""), OK, "none of the kubeconfig's", ""),
        (Login("a token", 10 * DAY_S), OK, "good for another 10 d 0 h", ""),
        (Login("a client certificate", HOUR_S), DEGRADED, "good for another 1 h 0 min", "log in again"),
        (Login("the log-in program aws", HOUR_S, renews=True), OK, "then renewed by itself", ""),
        (Login("a token", -2 * HOUR_S), BROKEN, "a token: it ended 2 h 0 min ago", "log in again"),
    ],
)
def test_credentials(login: Login, state: str, text: str, hint: str) -> None:
    check(reach.credentials(login, 0.0), state, text, hint)


@pytest.mark.parametrize(
    ("status", "user", "state", "text"),
    [
        (401, None, BROKEN, "does not accept"),
        (200, "system:anonymous", BROKEN, "you are nobody"),
        (200, "me@example", OK, "me@example"),
    ],
)
def test_who_one_is(status: int, user: str | None, state: str, text: str) -> None:
    line = reach.accepted(status, user)
    assert line is not None
    check(line, state, text)


def test_a_cluster_that_does_not_say_who_one_is() -> None:
    assert reach.accepted(200, None) is None


@pytest.mark.parametrize(
    ("ahead_s", "state", "text"),
    [
        (0.4, OK, "as the cluster's"),
        (-4.9, OK, "as the cluster's"),
        (42.0, DEGRADED, "42 s behind"),
        (-HOUR_S, BROKEN, "1 h 0 min ahead of"),
        (HOUR_S, BROKEN, "1 h 0 min behind"),
    ],
)
def test_clocks(ahead_s: float, state: str, text: str) -> None:
    check(reach.clock(ahead_s), state, text, "" if state == OK else "timedatectl")


def test_a_server_without_a_clock() -> None:
    assert reach.clock(None).state == DEGRADED


@pytest.mark.parametrize(
    ("took_s", "facts", "state", "text"),
    [
        (0.012, {}, OK, "12 ms an answer, its certificate is trusted"),
        (0.012, {"encrypted": False, "local": True}, OK, "12 ms an answer"),
        (0.012, {"encrypted": False}, DEGRADED, "nothing is encrypted"),
        (0.012, {"checked": False}, DEGRADED, "whoever answers"),
        (2.5, {}, DEGRADED, "starts late"),
    ],
)
def test_connections(took_s: float, facts: dict[str, bool], state: str, text: str) -> None:
    check(reach.connection(took_s, **({"encrypted": True, "checked": True, "local": False} | facts)), state, text)


@pytest.mark.parametrize(
    ("url", "variables", "own", "text"),
    [
        (None, [], False, "none"),
        (None, ["HTTPS_PROXY"], False, "none for this address (NO_PROXY), beside HTTPS_PROXY"),
        ("http://p:1", ["HTTPS_PROXY"], False, "http://p:1, of HTTPS_PROXY"),
        ("http://p:1", [], True, "http://p:1, of the kubeconfig"),
    ],
)
def test_proxies(url: str | None, variables: list[str], own: bool, text: str) -> None:
    check(reach.proxy(url, variables, from_kubeconfig=own), OK, text)


def test_names_that_nobody_knows() -> None:
    check(reach.unknown_host("k8s.lab", "Name or service not known", is_proxy=False), BROKEN, "k8s.lab", "`server`")
    check(reach.unknown_host("p", "Name or service not known", is_proxy=True), BROKEN, "p of the proxy", "proxy-url")


@pytest.mark.parametrize(
    ("version", "state", "text"),
    [
        ("v1.37.2", OK, "Kubernetes v1.37.2"),
        ("v1.31.1-eks-1", OK, "v1.31.1-eks-1"),
        ("v1.24.0", DEGRADED, "older than what is tested"),
        ("v1.18.3", BROKEN, "too old: jobs need 1.21"),
        ("", DEGRADED, "does not say"),
    ],
)
def test_servers(version: str, state: str, text: str) -> None:
    assert versions.server({"gitVersion": version}).state == state
    assert text in versions.server({"gitVersion": version}).text


@pytest.mark.parametrize(("version", "state"), [("37.0.1", OK), ("31.0.0", OK), ("29.0.0", DEGRADED), (None, BROKEN)])
def test_clients(version: str | None, state: str) -> None:
    check(versions.client(version), state, "ubernetes", "" if state == OK else "%pip install")


def may(*refused: str) -> list[Line]:
    return rights.rights({each: str(each) not in refused for each in (*ROLE, *BEYOND)}, "team")


def test_all_rights() -> None:
    lines = may()
    assert {line.state for line in lines} == {OK}
    assert "jobs: create, get, list, watch, patch, delete" in [line.text for line in lines]


@pytest.mark.parametrize("permission", ROLE, ids=str)
def test_a_right_that_is_missing_costs_what_the_table_says(permission: Any) -> None:
    (line,) = (line for line in may(str(permission)) if line.state != OK)
    state = BROKEN if permission.vital else DEGRADED
    check(line, state, f"You may not {permission}: {permission.lost}.", f"`{permission}` in team")


def test_what_most_users_have_not_is_no_fault() -> None:
    lines = may(*map(str, BEYOND))
    assert {line.state for line in lines} == {OK}
    assert sum("not needed" in line.text for line in lines) == len(BEYOND)
    assert "list pods of the whole cluster (how many GPUs others use is not shown)" in lines[-2].text


def test_rights_that_nobody_can_ask_for() -> None:
    (line,) = rights.rights(dict.fromkeys(ROLE), "team")
    check(line, DEGRADED, "does not say", "kubectl auth can-i")


def job(requests: dict[str, str], limits: dict[str, str] | None = None) -> dict[str, Any]:
    container = {"resources": {"requests": requests, "limits": limits or {}}}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


DEFAULT = job({"cpu": "500m", "memory": "1Gi"})


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "team"}, "spec": spec, "status": {"hard": hard, "used": used or {}}}


@pytest.mark.parametrize(
    ("found", "states", "text", "hint"),
    [
        ([], [OK], "there is none", ""),
        ([quota({"pods": "10"}, {"pods": "4"})], [OK], "left are 6 of 10 pods", ""),
        ([quota({"requests.cpu": "8", "requests.memory": "64Gi"}, {"requests.cpu": "500m"})], [OK], "7.5 of 8 cores, 68.7 GB of 68.7 GB of memory", ""),
        ([quota({"requests.nvidia.com/gpu": "4"}, {"requests.nvidia.com/gpu": "3"})], [OK], "1 of 4 GPUs", ""),
        ([quota({"requests.nvidia.com/gpu": "4"}, {"requests.nvidia.com/gpu": "4"})], [OK, DEGRADED], "No GPUs are left", "%kube delete"),
        ([quota({"pods": "1"}, {"pods": "1"})], [OK, BROKEN], "asks for 1 pods, and 0 are left", "%kube delete"),
        ([quota({"requests.cpu": "1"}, {"requests.cpu": "600m"})], [OK, BROKEN], "asks for 0.5 cores, and 0.4 are left", "%kube delete"),
        ([quota({"count/jobs.batch": "3"}, {"count/jobs.batch": "3"})], [OK, BROKEN], "asks for 1 jobs", "%kube delete"),
        ([quota({"configmaps": "1"}, {"configmaps": "1"})], [OK, DEGRADED], "No ConfigMaps are left", "%kube delete"),
        ([quota({"limits.memory": "8Gi"})], [OK, BROKEN], "counts limits.memory, and a job has none", "--memory 2Gi"),
        ([quota({"limits.cpu": "8"})], [OK, BROKEN], "counts limits.cpu, and a job has none", "LimitRange"),
        ([quota({"pods": "0"}, scopes=["Terminating"])], [OK, DEGRADED], "asks for 1 pods", "%kube delete"),
        ([quota({"services": "2"})], [OK], "nothing that a job needs", ""),
        ([{"metadata": {"name": "new"}}], [OK], "new: nothing", ""),
    ],
)  # fmt: skip
def test_quotas(found: list[Any], states: list[str], text: str, hint: str) -> None:
    lines = room.quotas(found, DEFAULT, [])
    assert [line.state for line in lines] == states, lines
    check(lines[-1], states[-1], text, hint)


def limit_range(**item: Any) -> dict[str, Any]:
    return {"metadata": {"name": "limits"}, "spec": {"limits": [{"type": "Container", **item}]}}


def test_a_limit_range_fills_in_what_a_quota_counts() -> None:
    counted = [quota({"limits.memory": "8Gi", "limits.cpu": "8"})]
    filled = [limit_range(default={"memory": "2Gi"}, max={"cpu": "4"})]
    assert [line.state for line in room.quotas(counted, DEFAULT, filled)] == [OK]


@pytest.mark.parametrize(
    ("found", "state", "text", "hint"),
    [
        ([], OK, "there are none", ""),
        ([limit_range(min={"cpu": "100m"}, max={"memory": "8Gi"})], OK, "within them (limits)", ""),
        ([limit_range(max={"cpu": "250m"})], BROKEN, "at most 250m of cpu, and a job asks for more", "--cpus 250m"),
        ([limit_range(min={"memory": "4Gi"})], BROKEN, "at least 4Gi of memory, and a job asks for less", "--memory 4Gi"),
        ([limit_range(default={"cpu": "250m"})], BROKEN, "gets a limit of 250m of cpu", "--cpus 250m"),
        ([limit_range(max={"nvidia.com/gpu": "2"})], DEGRADED, "every pod gets as many", "default"),
        ([limit_range(max={"nvidia.com/gpu": "2"}, default={"nvidia.com/gpu": "0"})], OK, "within", ""),
        ([limit_range(type="PersistentVolumeClaim", max={"storage": "1Gi"})], OK, "there are none", ""),
    ],
)  # fmt: skip
def test_limit_ranges(found: list[Any], state: str, text: str, hint: str) -> None:
    (line,) = room.limits(found, DEFAULT)
    check(line, state, text, hint)


def node(name: str, allocatable: int, capacity: int | None = None, **labels: str) -> dict[str, Any]:
    devices_of = {"nvidia.com/gpu": str(allocatable)} if allocatable else {}
    built_in = {"nvidia.com/gpu": str(capacity)} if capacity else devices_of
    return {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": devices_of, "capacity": built_in}}


@pytest.mark.parametrize(
    ("found", "states", "text"),
    [
        ([node("a", 8, **{devices.PRODUCT: "H100"}), node("b", 0)], [OK], "8 on 1 of 2 nodes (H100)"),
        ([node("a", 2)], [OK], "GPU feature discovery has labelled no node"),
        ([node("a", 6, 8)], [OK, DEGRADED], "a has 8 GPUs and offers 6"),
        ([node("a", 0, **{devices.PRESENT[0]: "true"})], [DEGRADED], "no device plugin runs there"),
        ([node("a", 0)], [DEGRADED], "None of 1 nodes offers a GPU"),
    ],
)
def test_gpus_of_nodes(found: list[Any], states: list[str], text: str) -> None:
    lines = devices.nodes(found)
    assert [line.state for line in lines] == states
    assert text in lines[-1].text


VIOLATES = 'would violate PodSecurity "restricted:latest": runAsNonRoot != true (pod must not set …)'
BASELINE = {admission.ENFORCE: "baseline"}


@pytest.mark.parametrize(
    ("labels", "said", "state", "text"),
    [
        ({}, [], OK, "privileged is enforced; our pods pass"),
        ({admission.ENFORCE: "restricted"}, [], OK, "restricted is enforced; our pods pass"),
        (None, [], OK, "not shown to you; our pods pass"),
        (None, [VIOLATES], BROKEN, "do not pass restricted"),
        ({admission.ENFORCE: "restricted"}, [VIOLATES], BROKEN, "do not pass restricted"),
        (BASELINE, [VIOLATES], DEGRADED, "by a warning only"),
        (BASELINE, ["something else"], OK, "our pods pass"),
    ],
)
def test_pod_security(labels: dict[str, str] | None, said: list[str], state: str, text: str) -> None:
    line = admission.pod_security(labels, said)
    check(line, state, text)
    assert (line.said == VIOLATES) is (state != OK)


def test_a_job_that_would_be_refused_says_why() -> None:
    refused = errors.NotFound("There is no namespace x.", said="not found", hint="--namespace with one that exists")
    check(admission.job(refused, "python", ""), BROKEN, "no namespace x", "--namespace")
    check(admission.job(None, "python", "1 cpu"), OK, "(python, 1 cpu)")


def test_other_warnings_are_shown_once() -> None:
    lines = reach.warnings(admission.others(["old field", VIOLATES, "old field"]))
    assert [(line.state, line.text) for line in lines] == [(DEGRADED, "old field")]


def test_extensions() -> None:
    (line,) = extensions.found({"kueue.x-k8s.io": "v1beta1", "apps": "v1"}, "team")
    check(line, OK, "found: Kueue (v1beta1); not there: JobSet")
    _, line = extensions.found({}, "team")
    check(line, DEGRADED, "the label does nothing", "%kube config queue=")


@pytest.mark.parametrize(
    ("line", "state", "text", "hint"),
    [
        (image.pulled("i", "3.11.2", "3.11.7", 2.0), OK, "i runs, with Python 3.11.2 (2.0 s", ""),
        (image.pulled("i", "3.9.2", "3.11.7", 2.0), DEGRADED, "lambdas and closures", "Python 3.11"),
        (image.pulled("i", "3.7.2", "3.11.7", 2.0), BROKEN, "jobs need 3.8", "--image"),
        (image.failed("i", Cause("image", "It cannot be pulled.", "no such host", "correct --image"), 2.0, over=False), BROKEN, "It cannot be pulled.", "correct --image"),
        (image.failed("i", Cause("unschedulable", "No room.", None, "wait"), 120.0, over=False), DEGRADED, "No room.", "wait"),
        (image.failed("i", None, 120.0, over=False), DEGRADED, "after 2 min 0 s", "--pull"),
    ],
)  # fmt: skip
def test_images(line: Line, state: str, text: str, hint: str) -> None:
    check(line, state, text, hint)


@pytest.mark.parametrize(
    ("found", "state", "text"),
    [
        (Kernel("1", "3.11", "Linux", "9.18", "7.4", "VS Code", loop="asyncio's loop"), OK, "ipykernel 7.4, IPython 9.18; VS Code; asyncio's loop"),
        (Kernel("1", "3.11", "Linux", "8.18", "6.20"), DEGRADED, "older than 6.29"),
        (Kernel("1", "3.11", "Linux", front_end="a terminal"), OK, "plain Python, without magics; a terminal"),
        (Kernel("1", "3.11", "Linux", "9", "7.4", asks=False), OK, "nobody answers questions"),
    ],
)  # fmt: skip
def test_kernels(found: Kernel, state: str, text: str) -> None:
    lines = notebook.kernel(found)
    assert lines[0].text == "1, Python 3.11 on Linux"
    check(lines[1], state, text)


@pytest.mark.parametrize(
    ("limits", "state", "text", "hint"),
    [
        (Limits(), OK, "1.0 MB/s and 1000 messages/s (the server's defaults", ""),
        (Limits(0, 0, "its command line"), OK, "output of any size and any number of messages (its command line)", ""),
        (Limits(bytes_s=100_000), DEGRADED, "100.0 kB/s", "iopub_data_rate_limit"),
        (Limits(messages_s=10), DEGRADED, "10 messages/s", "iopub_msg_rate_limit"),
    ],
)
def test_what_a_server_lets_through(limits: Limits, state: str, text: str, hint: str) -> None:
    check(notebook.output(limits), state, text, hint)


@pytest.mark.parametrize(
    ("found", "state", "text"),
    [
        (Folder("/s", free_bytes=5 * 10**9), OK, "/s, 5.0 GB free"),
        (Folder("/s"), OK, "/s can be written to"),
        (Folder("/s", free_bytes=10**6), DEGRADED, "/s has 1.0 MB free"),
        (Folder("/s", "Read-only file system"), DEGRADED, "/s cannot be written to: all is lost."),
    ],
)
def test_folders(found: Folder, state: str, text: str) -> None:
    check(notebook.folder("state", found, "all is lost"), state, text)


def test_stores() -> None:
    check(notebook.store("s3://b/f", None, None, "0.1 s"), OK, "written, read and removed in 0.1 s")
    check(notebook.store("s3://b/f", "denied", None, ""), BROKEN, "cannot be used from here", "artifacts=URL")
    check(notebook.store("s3://b/f", "needs s3fs", "s3fs", ""), BROKEN, "cannot be used", "%pip install s3fs")


def test_machines() -> None:
    python, room_there = machine.machine(Machine("/usr/bin/python3", "Python 3.11.7", 8, 16 * 10**9))
    check(python, OK, "Python 3.11.7 (/usr/bin/python3)")
    check(room_there, OK, "8 cores, 16.0 GB of memory available")
    (absent,) = machine.machine(Machine("/none", None, 8, 1))
    check(absent, BROKEN, "/none does not start", "%kube config python=")


@pytest.mark.parametrize(
    ("found", "wanted", "state", "text"),
    [
        ([], 0, OK, "finds no NVIDIA GPU"),
        ([], 2, DEGRADED, "Jobs ask for 2 by default"),
        ([Device("H100", 80 * 10**9, False), Device("H100", 80 * 10**9, True)], 0, OK, "1 of 2 free (H100, 80.0 GB)"),
    ],
)
def test_gpus_of_this_machine(found: list[Device], wanted: int, state: str, text: str) -> None:
    check(machine.devices(found, wanted), state, text)
