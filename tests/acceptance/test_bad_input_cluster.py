"""Bad input that only a cluster finds, a row each: one clear error that says what to type; typing it works; nothing is
left of what was refused.

Four kernels share the rows, since most of a row's time is waiting for a pod.
"""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.acceptance import accounts
from tests.acceptance.belongings import belongings
from tests.acceptance.desk import LOGS, Desk, admin_of, corrected, desk, environment, eventually, next_lines
from tests.acceptance.desk import suggested as command_of
from tests.cluster import Cluster, Namespace, pki
from tests.cluster.claims import claim
from tests.kernel import Kernel, Ran

pytestmark = [pytest.mark.jobs, pytest.mark.cluster]

KERNELS = 4
HOUR_S = 3600


@dataclass(frozen=True)
class Bad:
    """One line that the cluster refuses."""

    line: str
    error: str
    says: str
    """Part of the sentence."""
    told: str
    """Part of what the `next:` line says."""
    good: str | None = ""
    """The line of one who does so; None: what is told, typed."""
    said: str = ""
    """Part of what the cluster said."""


ROWS: Mapping[str, Bad] = {
    # reaching it
    "refused connection": Bad("--context refusing", "Unreachable", "No connection", "--backend local", "--backend local"),
    "wrong certificate": Bad("--context stranger", "Unreachable", "certificate", "certificate-authority"),
    "unknown token": Bad("--context unknown", "Unauthorized", "does not accept your credentials", "log in again"),
    "expired token": Bad("--context expired", "Unauthorized", "does not accept your credentials", "log in again"),
    "token of a clock that is ahead": Bad("--context early", "Unauthorized", "does not accept your", "log in again"),
    "wrong context": Bad("--context nowhere", "ConfigError", "There is no context nowhere", "--context", None),
    "no rights": Bad("--context nobody", "Forbidden", "You may not create jobs in namespace", "ask your administrator"),
    "another namespace": Bad("--namespace nobodys", "Forbidden", "You may not create jobs in", "or try --namespace"),
    "namespace missing": Bad(
        "--context admin --namespace absent", "NotFound", "namespaces absent", "--namespace with one that exists"
    ),
    # what the namespace allows
    "quota full": Bad("--memory 3Ti", "JobNotStarted", "quota does not allow", "ask for less", said="exceeded quota"),
    "LimitRange": Bad("--cpus 1900m", "JobNotStarted", "LimitRange limits a container to 1 of cpu", "--cpus 1", said="cpu limit of 1"),
    "Pod Security": Bad("--run-as 0", "JobNotStarted", "Pod Security level", "leave --run-as 0 out", said="violates"),
    "a policy of admission": Bad(
        "--labels forbidden=yes", "Rejected", "refused the request", "correct what the cluster names", said="no such label here"
    ),
    # what is not there
    "image missing": Bad("--image absent.invalid/team/torch:1", "JobNotStarted", "cannot be pulled", "correct --image"),
    "image malformed": Bad("--image 'Team Torch'", "JobNotStarted", "cannot be pulled (Inv", "correct --image"),
    "pull secret missing": Bad(
        "--image absent.invalid/a:1 --image-pull-secret absent",
        "JobNotStarted",
        "cannot be pulled",
        "--image-pull-secret: is absent in the namespace",
    ),
    "no such interpreter": Bad("--python /nope", "JobNotStarted", "no such Python", "--python PATH", "--python python3"),
    "volume missing": Bad("--volume date:/data", "NotFound", "there are data", "--volume data:/data", None),
    "secret missing": Bad("--secret stroe", "JobNotStarted", "There is no Secret stroe", "correct --secret", "--secret store"),
    "secret key missing": Bad(
        "--secret store:tokn=T", "JobNotStarted", "has no key tokn", "correct --secret", "--secret store:token=T"
    ),
    "service account missing": Bad(
        "--service-account absent", "JobNotStarted", "no service account absent", "correct --service-account", said="absent"
    ),
    "priority class missing": Bad(
        "--priority absent", "JobNotStarted", "no priority class absent", "correct --priority", said="no PriorityClass"
    ),
    "name taken": Bad("--name taken", "Conflict", "There is a job taken already", "%kube delete taken", "--name free"),
}  # fmt: skip
SIGNED_HERE = ("expired token", "token of a clock that is ahead")
"""With the cluster's own key."""


def name(row: str) -> str:
    """Of the job that is refused."""
    return f"bad-{list(ROWS).index(row)}"


@dataclass(frozen=True)
class Done:
    """What came of the rows."""

    desk: Desk
    bad: Mapping[str, Ran]
    good: Mapping[str, Ran]
    """By the line."""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Done]:
    folder = tmp_path_factory.mktemp("bad")

    @contextmanager
    def through(kubeconfig: Path) -> Iterator[Path]:
        path = folder / "all.yaml"
        path.write_text(kubeconfig.read_text())
        add_contexts(cluster, path, kubeconfig)
        yield path

    with ExitStack() as exits:
        found = exits.enter_context(desk(folder, cluster, through=through))
        space = admin_of(found)
        exits.enter_context(furnished(cluster, space))
        found.right(f"%%kubetrain {cheap('')} --name taken\nx = 1")
        more = [exits.enter_context(Kernel(found.folder, environment(found))) for _ in range(KERNELS - 1)]
        for kernel in more:
            assert kernel.run("%load_ext kube_magics").error is None
        bad = side_by_side([found.kernel, *more], {row: line_of(row) for row in ROWS})
        lines = {text for row in ROWS if (text := good_line(row, bad[row])) is not None}
        good = side_by_side([found.kernel, *more], {text: text for text in lines})
        yield Done(found, bad, good)


def side_by_side(kernels: Sequence[Kernel], lines: Mapping[str, str]) -> dict[str, Ran]:
    """What comes of each line, by its key; as many at a time as there are kernels."""
    found: dict[str, Ran] = {}
    for together in batched(list(lines.items()), len(kernels)):
        sent = [kernel.send(f"%%kubetrain {line}\nx = 1") for kernel, (_, line) in zip(kernels, together, strict=False)]
        for kernel, request, (key, _) in zip(kernels, sent, together, strict=False):
            found[key] = kernel.finish(request)
    return found


def batched(items: Sequence[tuple[str, str]], size: int) -> Iterator[Sequence[tuple[str, str]]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def line_of(row: str) -> str:
    bad = ROWS[row].line
    return f"{cheap(bad)} {'' if '--name' in bad else f'--name {name(row)}'} {bad}"


def good_line(row: str, ran: Ran) -> str | None:
    """The line of one who does what is told; None: nothing that could be typed was told."""
    line = ROWS[row].good
    if line is None and (command := command_of(ran)) is not None:
        line = corrected(ROWS[row].line, command)
    return None if line is None else f"{cheap(line)} {line}"


def cheap(line: str) -> str:
    """What a job needs, where the line does not say how much."""
    return " ".join(
        f"{option} {value}" for option, value in (("--cpus", "20m"), ("--memory", "128Mi")) if option not in line
    )


def add_contexts(cluster: Cluster, path: Path, kubeconfig: Path) -> None:
    """Those of the rows: of the same cluster as others, or of another one under its name."""
    original = yaml.safe_load(kubeconfig.read_text())
    namespace, user = original["contexts"][0]["context"]["namespace"], original["users"][0]["user"]
    nobody = accounts.make(cluster.kubectl, namespace, {"nobody": []})["nobody"]
    key = pki.key_path("service-accounts")
    tokens = {"nobody": nobody, "unknown": "not.a.token"}
    if key.is_file() and not cluster.is_given:
        now = time.time()
        tokens["expired"] = resigned(user["token"], key, now - 2 * HOUR_S, now - HOUR_S)
        tokens["early"] = resigned(user["token"], key, now + HOUR_S, now + 2 * HOUR_S)
    admin = yaml.safe_load(cluster.admin_kubeconfig.read_text())["users"][0]["user"]
    users = {**{each: {"token": token} for each, token in tokens.items()}, "admin": admin}
    accounts.add(path, kubeconfig, users)
    content = yaml.safe_load(path.read_text())
    here = content["clusters"][0]["cluster"]
    content["clusters"] += [
        {"name": "refusing", "cluster": {**here, "server": f"https://127.0.0.1:{unused_port()}"}},
        {"name": "stranger", "cluster": {"server": here["server"]}},
    ]
    for each in ("refusing", "stranger"):
        there = {"cluster": each, "user": original["users"][0]["name"], "namespace": namespace}
        content["contexts"].append({"name": each, "context": there})
    path.write_text(yaml.safe_dump(content))


def unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def resigned(token: str, key_path: Path, since: float, until: float) -> str:
    """The same service account's token, good from one moment to another."""
    head, body, _ = token.split(".")
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    claims |= {"iat": int(since), "nbf": int(since), "exp": int(until)}
    text = f"{head}.{_base64(json.dumps(claims).encode())}"
    key = load_pem_private_key(key_path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@contextmanager
def furnished(cluster: Cluster, space: Namespace) -> Iterator[None]:
    """What the rows need in the namespace: limits, a policy, a claim, a Secret."""
    where = {"namespace": space.name}
    limits = {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}
    cluster.kubectl.apply(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small", **where}, "spec": limits},
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "small", **where},
            "spec": {"hard": {"requests.memory": "1Ti"}},
        },
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "store", **where}, "stringData": {"token": "s"}},
    )
    with claim(cluster, space, "data"), policy(cluster, space):
        quota = ("quota", "small", f"--namespace={space.name}")
        eventually(
            lambda: "used" in space.admin.get(*quota).get("status", {}), "a quota of which is known what is used"
        )
        yield


@contextmanager
def policy(cluster: Cluster, space: Namespace) -> Iterator[None]:
    """Of admission: no Job with the label `forbidden` in this namespace, as a webhook would refuse it."""
    rule = {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}
    unlabelled = "!has(object.metadata.labels) || !('forbidden' in object.metadata.labels)"
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}}}
    group = "admissionregistration.k8s.io/v1"
    cluster.kubectl.apply(
        {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": space.name},
            "spec": {
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": unlabelled, "message": "no such label here"}],
            },
        },
        {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": space.name},
            "spec": {"policyName": space.name, "validationActions": ["Deny"], "matchResources": here},
        },
    )
    try:
        eventually(lambda: _refuses(space), "the policy in force")
        yield
    finally:
        kinds = "validatingadmissionpolicybinding,validatingadmissionpolicy"
        cluster.kubectl("delete", kinds, space.name, check=False)


def _refuses(space: Namespace) -> bool:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}
    probe = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "probe", "namespace": space.name, "labels": {"forbidden": "yes"}},
        "spec": {"template": {"spec": pod}},
    }
    done = space.kubectl("create", "--dry-run=server", "--filename=-", input=json.dumps(probe), check=False)
    return "no such label here" in done.stderr


@pytest.mark.parametrize("row", ROWS)
def test_one_clear_error_that_says_what_to_type(done: Done, cluster: Cluster, row: str) -> None:
    if row in SIGNED_HERE and cluster.is_given:
        pytest.skip("a given cluster keeps its keys")
    bad, found = ROWS[row], done.bad[row]
    assert found.error == bad.error, found
    assert bad.says in found.message.splitlines()[0]
    assert bad.said in found.traceback
    assert len(found.traceback.splitlines()) <= 8, found.traceback
    assert bad.told in next_lines(found)
    line = good_line(row, found)
    assert line is not None, found.traceback
    assert done.good[line].error is None, done.good[line]


def test_nothing_is_left_of_what_was_refused(done: Done) -> None:
    space, names = admin_of(done.desk), set(map(name, ROWS))
    eventually(lambda: not names & set(belongings(space)), f"nothing of {names}")
    logs = {path.stem for path in (done.desk.folder / LOGS).glob("*.log")}
    assert not names & logs
    assert "taken" in belongings(space), "what was there before stays"
