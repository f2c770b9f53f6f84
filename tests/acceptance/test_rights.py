"""The Role of hub-config/rbac/user-role.yaml: with it everything works, each of its rights is used, and without any one
of them one sentence says what is lost and everything else works.

An account for each right that is taken away, all of them in one kernel and at the same time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.acceptance import accounts
from tests.acceptance.accounts import context_of, rights, role_rules, without
from tests.acceptance.desk import Desk, admin_of, desk, eventually
from tests.acceptance.gate import Gate, gate
from tests.cluster import Cluster, Namespace
from tests.cluster.claims import unbound
from tests.cluster.kubectl import Kubectl

pytestmark = [pytest.mark.jobs, pytest.mark.cluster]

Right = tuple[str, str]

TOUR = Path(__file__).with_name("tour.py")
RIGHTS = rights(role_rules())
READER = "reader"
"""May read logs, and nothing else."""

WHOLE: Mapping[str, str] = {
    "claim": "NotFound: --volume date:/d: there is no claim date in this namespace; there are data",
    "submit": "",
    "list": "serviceaccount",
    "logs": "up\n",
    "why": "Nothing is wrong: it runs",
    "why not": "There is no service account absent",
    "stop": "its log stays",
    "value": "{'@value': 150000}",
    "files": "{'out.txt': 4}",
    "end": "JobStopped: ",
    "attach": "brief\n",
    "halt": "it is suspended and will not start",
    "delete": "is deleted",
}
"""What each step of the tour says, or part of it, with all rights."""

LOST: Mapping[Right, Mapping[str, str]] = {
    ("create", "jobs"): {"submit": "You may not create jobs", "small": "You may not create jobs"},
    ("patch", "jobs"): {"halt": "You may not stop job podless"},
    ("delete", "jobs"): {"delete": "You may not delete jobs"},
    ("patch", "pods"): {"stop": "(the right `patch pods` would keep both)"},
    ("get", "pods/log"): {
        "logs": "You may not get pods/log",
        "attach": "(the right `get pods/log`)",
        "value": "{}",
        "files": "{}",
        # By its pod's state, since its last word is in the log.
        "end": "stopped",
    },
    ("list", "events"): {
        "list": "you may not list events here",
        "why not": "It has no pod, and why is not to be seen: you may not list events here.",
    },
    ("create", "configmaps"): {"submit": "You may not create configmaps", "small": "", "value": "{'@value': 0}"},
    ("get", "configmaps"): {"attach": "You may not get configmaps"},
    ("get", "persistentvolumeclaims"): {"claim": "There is no such claim in the job's namespace"},
    ("list", "persistentvolumeclaims"): {"claim": "there is none that you can see"},
}
"""What the steps say instead; without a right that is not here everything works, since another one does its work, and
%kube doctor alone says what it is good for."""

BEYOND = {
    ("list", "nodes"),
    ("get", "nodes/proxy"),
    ("list", "namespaces"),
    ("get", "secrets"),
    ("list", "secrets"),
    ("create", "selfsubjectaccessreviews"),
    ("create", "selfsubjectreviews"),
    ("get", "namespaces"),
}
"""What is asked for and may be refused, or what anybody may: who has it sees more."""

BY_HAND = {("delete", "configmaps")}
"""Of those that kubectl made from what --dry-run printed; `test_what_dry_run_prints_runs` does so."""


@dataclass(frozen=True)
class Toured:
    desk: Desk
    steps: Mapping[str, Mapping[str, str]]
    """By context."""
    asked: list[str]
    """All requests of the one who has all rights."""


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Toured]:
    folder = tmp_path_factory.mktemp("rights")
    gates: list[Gate] = []

    @contextmanager
    def through(kubeconfig: Path) -> Iterator[Path]:
        user = Kubectl(cluster.kubectl.program, kubeconfig)
        space = Namespace(kubeconfig.stem, kubeconfig, cluster.context, user, cluster.kubectl)
        with gate(space, folder) as (made, path):
            gates.append(made)
            wanted = {context_of(right): without(role_rules(), right) for right in RIGHTS}
            wanted[READER] = [{"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}]
            tokens = accounts.make(cluster.kubectl, space.name, wanted)
            accounts.add(path, kubeconfig, {name: {"token": token} for name, token in tokens.items()})
            yield path

    with desk(folder, cluster, through=through) as found:
        found.right(TOUR.read_text("utf-8"))
        space = admin_of(found)
        cluster.kubectl.apply(unbound(space, "data", None, {"accessModes": ["ReadWriteMany"], "storageClassName": ""}))
        owner = space.context
        # What is suspended already cannot be suspended again: who may not do so comes first.
        contexts = [*map(context_of, sorted(RIGHTS, key=lambda right: right != ("patch", "jobs"))), owner]
        found.right(f"prepare({owner!r})")
        examined = {context_of(right) for right in RIGHTS if right not in LOST} | {owner}
        found.right(f"owner, examined, contexts = {owner!r}, {examined!r}, {contexts!r}")
        for phase in ("begin(each, owner)", "go_on(each, examined=each in examined)", "leave(each)"):
            found.right(f"for each in contexts:\n    {phase}", 300)
        found.right(f"%%kubetrain --cpus 20m --context {owner} --name again --detach\nprint(1)")
        for verb in ("attach", "describe", "yaml", "events", "logs -f"):
            found.right(f"%kube {verb} again --context {owner}")
        yield Toured(found, json.loads(found.right("import json\nprint(json.dumps(steps))").stdout), gates[0].asked)


def test_with_the_role_everything_works(toured: Toured) -> None:
    steps = toured.steps[admin_of(toured.desk).context]
    assert {step: text for step, text in WHOLE.items() if text not in steps[step]} == {}, steps
    assert steps["submit"] == ""


@pytest.mark.parametrize("right", RIGHTS, ids=map(context_of, RIGHTS))
def test_without_one_right_one_sentence_says_what_is_lost(toured: Toured, right: Right) -> None:
    steps, lost = toured.steps[context_of(right)], LOST.get(right, {})
    expected = {**WHOLE, **lost}
    assert {step: text for step, text in expected.items() if text not in steps[step]} == {}, steps
    if not lost:
        assert f"You may not {' '.join(right)}: " in steps["doctor"], steps["doctor"]
    for step, text in steps.items():
        if step != "doctor" and not lost.get(step):
            assert "may not" not in text, step
            assert "Forbidden" not in text, step


def test_what_is_lost_is_said_of_rights_of_the_role_alone() -> None:
    assert set(LOST) <= set(RIGHTS)


def right_of(request: str, namespace: str) -> Right | None:
    """What a request takes; None: it is of no kind of object."""
    method, _, url = request.partition(" ")
    address = urlsplit(url)
    found = re.match(
        rf"/(?:api/v1|apis/[^/]+/[^/]+)/(?:namespaces/{namespace}/)?([a-z]+)(?:/([^/]+))?(?:/([a-z]+))?", address.path
    )
    if found is None:
        return None
    resource, name, part = found.groups()
    verb = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}.get(method, "get" if name else "list")
    verb = "watch" if "watch" in parse_qs(address.query) else verb
    return verb, f"{resource}/{part}" if part else resource


def test_every_right_of_the_role_is_used_and_no_other_one(toured: Toured) -> None:
    found = {right_of(request, admin_of(toured.desk).name) for request in toured.asked} - {None}
    assert found - BEYOND == set(RIGHTS) - BY_HAND


def test_a_colleague_who_may_read_logs_alone_follows_a_pod(toured: Toured) -> None:
    there, owner = toured.desk, admin_of(toured.desk).context
    there.right(f"told = kube_magics.train(work, (b'',), context={owner!r}, name='told', **SMALL)")
    there.says("told", "up\n")
    space = admin_of(there)
    pod = space.kubectl.get("pods", "--selector=job-name=told")["items"][0]["metadata"]["name"]
    ran = there.run(f"%kube attach told --context {READER}")
    assert ran.error == "Forbidden", ran
    assert "You may not get jobs" in ran.message
    assert "%kube attach POD" in ran.traceback
    assert there.right(f"%kube logs {pod} --context {READER}").stdout == "up\n"
    request = there.kernel.send(f"%kube attach {pod} --context {READER}")
    eventually(lambda: "up\n" in there.kernel.peek(request).stdout, "its first line")
    space.admin("patch", "pod", pod, f"--namespace={space.name}", "--patch", '{"spec": {"activeDeadlineSeconds": 1}}')
    ran = there.kernel.finish(request)
    assert "up\nsaved\n" in ran.stdout
    assert ran.error == "JobStopped", ran
    for verb in ("stop", "delete"):
        ran = there.run(f"%kube {verb} {pod} --context {READER}")
        assert (ran.error, "You may not" in ran.message) == ("Forbidden", True), ran
