"""`%kube doctor` where everything is well, and where one thing is not: the line that says so, and what to type."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.desk import Desk, admin_of, desk, eventually, without
from tests.api import certificates
from tests.cluster import Cluster, Namespace
from tests.cluster.namespaces import delete

pytestmark = pytest.mark.jobs
NOWHERE = "no-such-namespace"


def doctor(desk: Desk, line: str = "") -> dict[str, Any]:
    """The report."""
    found: dict[str, Any] = json.loads(desk.right(f"%kube doctor --json {line}").stdout)
    return found


def unwell(report: dict[str, Any]) -> dict[str, dict[str, str]]:
    """By check, its lines that are not well."""
    return {line["check"]: line for line in report["lines"] if line["state"] != "ok"}


def texts(report: dict[str, Any], check: str) -> str:
    return "\n".join(line["text"] for line in report["lines"] if line["check"] == check)


def expired(token: str) -> str:
    """As the cluster once signed it, but for its end: nobody can wait for a real one's."""
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    past = base64.urlsafe_b64encode(json.dumps({**claims, "exp": claims["iat"] - 3600}).encode()).decode().rstrip("=")
    return f"{header}.{past}.{signature}"


@pytest.fixture(scope="module")
def full(cluster: Cluster) -> Iterator[Namespace]:
    """A namespace whose quota is used up."""
    space = cluster.namespace()
    hard = "--hard=requests.cpu=100m,pods=0,requests.nvidia.com/gpu=0"
    space.admin("create", "quota", "small", hard, f"--namespace={space.name}")
    yield space
    delete(space)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, full: Namespace) -> Iterator[Desk]:
    """A user whose kubeconfig has a context for everything that may be wrong; its current one is right."""
    folder = tmp_path_factory.mktemp("doctor")
    admin = yaml.safe_load(cluster.admin_kubeconfig.read_text())
    wrong, _ = certificates.make(folder, "wrong")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"https://127.0.0.1:{probe.getsockname()[1]}"

    @contextmanager
    def through(own: Path) -> Iterator[Path]:
        content = yaml.safe_load(own.read_text())
        right, me = content["clusters"][0], content["users"][0]
        name = content["contexts"][0]["context"]["namespace"]
        others = yaml.safe_load(full.kubeconfig.read_text())["users"][0]["user"]
        data = base64.b64encode(wrong.read_bytes()).decode()
        server = right["cluster"]["server"]
        content["clusters"] += [
            {"name": "refused", "cluster": {"server": nobody}},
            {"name": "untrusted", "cluster": {"server": server, "certificate-authority-data": data}},
        ]
        content["users"] += [
            {"name": "admin", "user": admin["users"][0]["user"]},
            {"name": "full", "user": others},
            {"name": "expired", "user": {"token": expired(me["user"]["token"])}},
        ]
        mine = {"cluster": right["name"], "user": me["name"], "namespace": name}
        content["contexts"] += [
            {"name": "admin", "context": {**mine, "user": "admin"}},
            {"name": "refused", "context": {**mine, "cluster": "refused"}},
            {"name": "untrusted", "context": {**mine, "cluster": "untrusted"}},
            {"name": "expired", "context": {**mine, "user": "expired"}},
            {"name": "full", "context": {**mine, "user": "full", "namespace": full.name}},
        ]
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(content))
        yield path

    with desk(folder / "desk", cluster, through=through) as found:
        yield found


@pytest.mark.cluster
def test_a_user_with_exactly_the_role_lacks_nothing(many: Desk) -> None:
    report = doctor(many)
    assert not unwell(report)
    assert not report["broken"]
    assert "patch, delete" in texts(report, "permissions")
    assert "system:serviceaccount:" in texts(report, "user")
    assert "our pods pass" in texts(report, "Pod Security")
    assert "good for another" in texts(report, "credentials")
    assert "would be taken" in texts(report, "job")
    assert "ipykernel" in texts(report, "notebook")


@pytest.mark.cluster
def test_an_administrator_sees_more(many: Desk) -> None:
    report = doctor(many, "--context admin")
    assert not unwell(report)
    assert "restricted is enforced; our pods pass" in texts(report, "Pod Security")
    assert "GPUs" in texts(report, "GPUs") or "on 1 of 1 nodes" in texts(report, "GPUs")
    assert "a client certificate, good for another" in texts(report, "credentials")


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("line", "check", "says", "told"),
    [
        ("--context refused", "connection", "No connection to cluster refused", "--backend local"),
        ("--context untrusted", "connection", "is not trusted", "certificate-authority"),
        ("--context expired", "credentials", "does not accept your credentials", "log in again"),
        ("--context nowhere", "kubeconfig", "There is no context nowhere", "--context"),
        (f"--context admin -n {NOWHERE}", "job", f"namespaces {NOWHERE}", "--namespace"),
        (f"-n {NOWHERE}", "job", "You may not create jobs", "--namespace"),
        ("--context full", "quota", "asks for 1 pods, and 0 are left", "%kube delete"),
    ],
)
def test_what_is_broken(many: Desk, line: str, check: str, says: str, told: str) -> None:
    report = doctor(many, line)
    assert report["broken"]
    lines = [line for line in report["lines"] if (line["check"], line["state"]) == (check, "broken")]
    (found,) = (line for line in lines if says in line["text"])
    assert told in found["hint"]


@pytest.mark.cluster
def test_a_token_that_has_ended_is_known_before_it_is_refused(many: Desk) -> None:
    assert "a token: it ended" in texts(doctor(many, "--context expired"), "credentials")


@pytest.mark.cluster
def test_a_right_that_is_taken_away(many: Desk) -> None:
    with without(admin_of(many), "events", "list"):
        report = doctor(many)
    assert not report["broken"]
    (line,) = (line for line in report["lines"] if line["state"] != "ok")
    assert line["text"].startswith("You may not list events: why a job has no pod")
    assert "`list events` in " in line["hint"]


@pytest.mark.cluster
def test_pods_that_pod_security_refuses(many: Desk) -> None:
    many.right("%kube config run-as=0")
    try:
        line = unwell(doctor(many))["Pod Security"]
    finally:
        many.right("%kube config run-as=")
    assert line["state"] == "broken"
    assert "do not pass restricted" in line["text"]
    assert "would violate PodSecurity" in line["said"]


@pytest.mark.cluster
def test_an_image_is_pulled_on_request_and_nothing_is_left(many: Desk) -> None:
    before = many.left()
    report = doctor(many, "--pull")
    assert not report["broken"]
    assert "runs, with Python 3." in texts(report, "image")
    many.settles(before)


@pytest.mark.cluster
@pytest.mark.long
def test_an_image_that_nobody_can_pull(many: Desk) -> None:
    before = many.left()
    found = unwell(doctor(many, "--pull --image localhost/kube-magics-test/nothing:1"))["image"]
    assert found["state"] == "broken"
    assert "cannot be pulled" in found["text"]
    many.settles(before)


@pytest.mark.cluster
@pytest.mark.long
def test_a_pull_that_is_interrupted_leaves_nothing(many: Desk) -> None:
    before = many.left()
    request = many.kernel.send("%kube doctor --pull --image localhost/kube-magics-test/nothing:2")
    eventually(lambda: many.left() - before, "its job")
    many.kernel.interrupt()
    assert many.kernel.finish(request).error == "KeyboardInterrupt"
    many.settles(before)


def test_without_a_cluster(here: Desk) -> None:
    report = doctor(here)
    assert not report["broken"]
    assert "no kubeconfig was found" in texts(report, "backend")
    assert "Python 3." in texts(report, "python")
    assert texts(report, "machine")
    assert eventually(lambda: not here.left(), "nothing is left")


def test_the_lines_come_one_after_the_other_and_once(here: Desk) -> None:
    """As a table that grows; as the cell's value it is not shown a second time, as another cell's it is."""
    shown = here.right("report = %kube doctor\nreport")
    assert shown.values[0].splitlines()[0].startswith("ok        backend ")
    assert shown.values[0].splitlines()[-1] == "looking further …"
    (bundle,) = (value for kind, value in shown.shown if kind == "display")
    assert "<table>" in bundle["text/html"]
    assert "ok        work folder" in bundle["text/plain"]
    assert "0 broken" in bundle["text/plain"].splitlines()[-1]
    assert here.right("%kube doctor").text.count("backend") == 1
    assert here.right("report").text == bundle["text/plain"] + "\n"


def test_a_kubeconfig_that_does_not_exist(here: Desk) -> None:
    here.right("import os; os.environ['KUBECONFIG'] = '/no/such/file'")
    try:
        report = doctor(here)
    finally:
        here.right("del os.environ['KUBECONFIG']")
    assert "names no file that exists" in unwell(report)["kubeconfig"]["text"]


def test_a_line_that_is_wrong(here: Desk) -> None:
    ran = here.run("%kube doctor --pul")
    assert ran.error == "OptionError"
    assert "--pull" in ran.traceback
    ran = here.run("%kube doctor everything")
    assert ran.error == "OptionError"
